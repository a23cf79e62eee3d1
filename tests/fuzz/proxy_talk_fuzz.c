/* A proxy's answers: whatever comes, in whichever parts, ends in the same way, within its bounds. */
#include <stdlib.h>
#include <string.h>

#include "base/fetch_proxy.h"
#include "base/proxy_talk.h"

static uint8_t said[PROXY_TALK_SAID];

/* The rest of the target behind a consent, or SIZE_MAX. */
static size_t
converse(const struct fetch_proxy *proxy, const uint8_t *data, size_t size, size_t step)
{
	struct proxy_talk talk;
	size_t at = 0, heard = 0, used;

	proxy_talk_init(&talk, proxy, "relay.example.net:443");
	if (proxy_talk_say(&talk, said) == 0)
		abort();
	while (heard <= size) {
		enum proxy_talk_verdict verdict = proxy_talk_hear(&talk, data + at, heard - at, &used);

		if (used > heard - at)
			abort();
		at += used;
		switch (verdict) {
		case TALK_MORE:
			if (used != 0 || heard - at >= PROXY_TALK_HEARD)
				abort();
			if (heard == size)
				return SIZE_MAX;
			heard = size - heard < step ? size : heard + step;
			break;
		case TALK_GOES_ON:
			if (used == 0 || proxy_talk_say(&talk, said) == 0)
				abort();
			break;
		case TALK_DONE:
			if (talk.expected != TALK_OVER)
				abort();
			return at;
		case TALK_FAILED:
			if (talk.error[0] == '\0' || memchr(talk.error, '\n', strlen(talk.error)))
				abort();
			return SIZE_MAX;
		}
	}
	return SIZE_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t word[] = "word";
	struct fetch_proxy proxy = { 0 };

	if (size < 1)
		return 0;
	proxy.kind = data[0] & 1 ? FETCH_PROXY_SOCKS5 : FETCH_PROXY_HTTP;
	if (data[0] & 2) {
		proxy.username = (char *)word;
		proxy.password = (struct secret){ word, sizeof word - 1 };
	}
	data++;
	size--;
	if (size < PROXY_TALK_HEARD &&
	    converse(&proxy, data, size, 1) != converse(&proxy, data, size, size))
		abort();
	converse(&proxy, data, size, 1 + (size > 0 ? data[0] % 7 : 0));
	return 0;
}
