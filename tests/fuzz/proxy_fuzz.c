/* PROXY headers: a verdict never changes with more bytes, and what is understood can be written and
 * read again. */
#include <stdlib.h>
#include <string.h>
#include "base/proxy.h"

struct result {
	enum proxy_verdict verdict;
	size_t header_bytes;
	bool has_addresses;
	struct address source, destination;
};

static struct result
decode(const uint8_t *data, size_t size)
{
	struct result r = { 0 };

	r.verdict =
	    proxy_decode(data, size, &r.header_bytes, &r.has_addresses, &r.source, &r.destination);
	return r;
}

static bool
same_address(const struct address *a, const struct address *b)
{
	char at[ADDRESS_TEXT], bt[ADDRESS_TEXT];

	return strcmp(address_text(a, at), address_text(b, bt)) == 0;
}

static void
write_and_read(const struct result *r, int version)
{
	bool alike = r->source.as.any.sa_family == r->destination.as.any.sa_family;
	uint8_t out[PROXY_MOST];
	size_t bytes = proxy_encode(out, version, &r->source, &r->destination, NULL);
	struct result again = decode(out, bytes);

	if (bytes > PROXY_MOST || again.verdict != PROXY_COMPLETE || again.header_bytes != bytes ||
	    again.has_addresses != alike)
		abort();
	if (alike &&
	    (!same_address(&r->source, &again.source) ||
		!same_address(&r->destination, &again.destination)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result whole = decode(data, size);

	if (whole.verdict == PROXY_COMPLETE &&
	    (whole.header_bytes == 0 || whole.header_bytes > size))
		abort();
	for (size_t n = 0; n < size && n < 600; n++) {
		struct result part = decode(data, n);

		if (part.verdict != PROXY_INCOMPLETE && part.verdict != whole.verdict)
			abort();
		if (part.verdict == PROXY_INCOMPLETE && whole.verdict == PROXY_COMPLETE &&
		    n >= whole.header_bytes)
			abort();
	}
	if (whole.verdict == PROXY_COMPLETE && whole.has_addresses) {
		write_and_read(&whole, 1);
		write_and_read(&whole, 2);
	}
	return 0;
}
