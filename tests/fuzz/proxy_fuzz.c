/* PROXY headers: a verdict never changes with more bytes, and what is understood can be written and
 * read again. */
#include <stdlib.h>
#include <string.h>
#include "base/proxy.h"

struct result {
	enum proxy_verdict verdict;
	struct proxy_facts facts;
};

static struct result
decode(const uint8_t *data, size_t size)
{
	struct result r;

	r.verdict = proxy_decode(data, size, &r.facts);
	if ((r.facts.fault != NULL) != (r.verdict == PROXY_MALFORMED))
		abort();
	return r;
}

static bool
same_address(const struct address *a, const struct address *b)
{
	char at[ADDRESS_TEXT], bt[ADDRESS_TEXT];

	return strcmp(address_text(a, at), address_text(b, bt)) == 0;
}

static void
write_and_read(const struct result *r, int version, const char *authority)
{
	const struct proxy_facts *facts = &r->facts;
	bool alike = facts->source.as.any.sa_family == facts->destination.as.any.sa_family;
	const struct proxy_tls tls = { .version = "TLSv1.3", .cipher = "C", .common_name = authority,
		.common_name_bytes = strlen(authority) };
	const struct proxy_header header = { .version = version,
		.source = &facts->source,
		.destination = &facts->destination,
		.authority = authority,
		.unique_id = "0123456789abcdef0123456789abcdef",
		.tls = &tls,
		.has_checksum = true };
	uint8_t out[PROXY_PLAIN_MOST];
	size_t bytes = proxy_encode(out, sizeof out, &header);
	struct result again = decode(out, bytes);

	if (bytes > sizeof out || again.verdict != PROXY_COMPLETE ||
	    again.facts.header_bytes != bytes || again.facts.has_addresses != alike)
		abort();
	if (alike &&
	    (!same_address(&facts->source, &again.facts.source) ||
		!same_address(&facts->destination, &again.facts.destination)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result whole = decode(data, size);

	if (whole.verdict == PROXY_COMPLETE &&
	    (whole.facts.header_bytes == 0 || whole.facts.header_bytes > size))
		abort();
	for (size_t n = 0; n < size && n < 600; n++) {
		struct result part = decode(data, n);

		if (part.verdict != PROXY_INCOMPLETE && part.verdict != whole.verdict)
			abort();
		if (part.verdict == PROXY_INCOMPLETE && whole.verdict == PROXY_COMPLETE &&
		    n >= whole.facts.header_bytes)
			abort();
	}
	if (whole.verdict == PROXY_COMPLETE && whole.facts.has_addresses) {
		write_and_read(&whole, 1, "");
		write_and_read(&whole, 2, "");
		write_and_read(&whole, 2, "app.example.com");
	}
	return 0;
}
