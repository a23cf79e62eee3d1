/*
 * The line with which a host joins: what is read has one form only, and what is refused leaves
 * nothing behind and says why.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pki/join_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
hold(bool claim)
{
	if (!claim)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct join_line empty;
	char again[JOIN_LINE_TEXT], host[254];
	struct join_line line, same;
	const char *why = NULL;
	uint16_t port;
	if (!join_line_decode(&line, (const char *)data, size, &why)) {
		hold(why && *why);
		hold(memcmp(&line, &empty, sizeof line) == 0);
		return 0;
	}
	hold(!why);
	hold(strlen(line.handle) == JOIN_HANDLE - 1 && strlen(line.secret) == JOIN_SECRET - 1);
	hold(join_url_parse(line.url, host, &port) && port != 0 && *host);
	hold(!*line.relay || join_relay_is(line.relay));
	hold(join_line_encode(&line, again, &why) && strlen(again) <= size);
	hold(join_line_decode(&same, again, strlen(again), &why));
	hold(line.kind == same.kind && spki_pin_equals(&line.root, &same.root));
	hold(strcmp(line.handle, same.handle) == 0 && strcmp(line.secret, same.secret) == 0);
	hold(strcmp(line.url, same.url) == 0 && strcmp(line.relay, same.relay) == 0);
	return 0;
}
