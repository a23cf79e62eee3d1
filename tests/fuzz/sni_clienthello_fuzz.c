/*
 * The parser against itself: whatever the bytes, any cutting gives the answer
 * of one read, a complete hello is incomplete before its last byte and
 * untouched by what follows, and what it yields can be read to its end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sni/clienthello.h"
#include "sni/ja4.h"
#include "tests/fuzz/sni_shape.h"
#include "tests/sni/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
hold(bool claim)
{
	if (!claim)
		abort();
}

/* One read of the first n bytes, in a block that ends there. */
static struct clienthello
read_once(const uint8_t *data, size_t n, size_t most_bytes)
{
	struct clienthello hello;
	uint8_t *block = malloc(n ? n : 1);

	hold(block != NULL);
	memcpy(block, data, n);
	clienthello_init(&hello, most_bytes);
	clienthello_read(&hello, block, n);
	free(block);
	return hello;
}

static void
hold_same(const struct clienthello *a, const struct clienthello *b)
{
	hold(a->verdict == b->verdict && a->reason == b->reason);
	if (a->verdict == CLIENTHELLO_COMPLETE)
		hold(same_hello(a, b));
}

/* In reads whose sizes the input itself gives, and byte by byte. */
static void
hold_for_cuttings(const uint8_t *data, size_t size, const struct clienthello *whole)
{
	struct clienthello cut, bytewise;

	clienthello_init(&cut, CLIENTHELLO_DEFAULT_BYTES);
	for (size_t n = 0; n < size; n += 1 + (data[n] & 63u))
		clienthello_read(&cut, data, n);
	clienthello_read(&cut, data, size);
	hold_same(whole, &cut);

	clienthello_init(&bytewise, CLIENTHELLO_DEFAULT_BYTES);
	for (size_t n = 0; n <= size; n++)
		clienthello_read(&bytewise, data, n);
	hold_same(whole, &bytewise);
}

static void
hold_for_names(const struct clienthello *hello, const uint8_t *data)
{
	char again[NAME_SIZE], sent[NAME_SIZE + 1];
	size_t bytes = clienthello_copy(&hello->sent_name, data, sent, sizeof sent);

	if (!hello->has_name) {
		hold(hello->server_name[0] == 0);
		return;
	}
	hold(bytes <= NAME_SIZE);
	hold(name_normalise(again, sent, bytes) && strcmp(again, hello->server_name) == 0);
	hold(name_normalise(again, hello->server_name, strlen(hello->server_name)));
	hold(strcmp(again, hello->server_name) == 0 && !name_is_wildcard(again));
}

static void
hold_for_facts(const struct clienthello *hello, const uint8_t *data)
{
	struct clienthello_vector rest = hello->extensions, body;
	char name[256], ja4[JA4_SIZE];
	size_t bytes, names = 0;
	uint16_t type;

	while (clienthello_next_extension(&rest, data, &type, &body))
		hold(type != 0xfe0d || hello->ech);
	hold(rest.bytes == 0);
	while (clienthello_alpn(hello, data, names, name, &bytes) && names < 40) {
		hold(bytes > 0);
		if (strlen(name) == bytes)
			hold(clienthello_offers_alpn(hello, data, name));
		names++;
	}
	hold(hello->has_alpn == (names > 0));
	ja4_compute(ja4, hello, data);
	hold(strlen(ja4) == JA4_SIZE - 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct clienthello whole, other;

	data = shape_stream(data, size, &size);
	whole = read_once(data, size, CLIENTHELLO_DEFAULT_BYTES);
	hold(*clienthello_reason(&whole) == 0 ||
	    whole.verdict == CLIENTHELLO_NOT_TLS || whole.verdict == CLIENTHELLO_MALFORMED);
	hold((clienthello_alert(&whole) != 0) == (whole.verdict == CLIENTHELLO_MALFORMED));
	hold_for_cuttings(data, size, &whole);
	if (whole.verdict == CLIENTHELLO_INCOMPLETE)
		hold(size < (size_t)CLIENTHELLO_WIRE_FACTOR * CLIENTHELLO_DEFAULT_BYTES);
	if (whole.verdict != CLIENTHELLO_COMPLETE)
		return 0;
	hold(whole.wire_bytes <= CLIENTHELLO_WIRE_FACTOR * whole.hello_bytes);
	hold(whole.wire_bytes == whole.hello_bytes + 5 * whole.record_count);
	other = read_once(data, whole.wire_bytes, CLIENTHELLO_DEFAULT_BYTES);
	hold_same(&whole, &other);
	other = read_once(data, whole.wire_bytes - 1, CLIENTHELLO_DEFAULT_BYTES);
	hold(other.verdict == CLIENTHELLO_INCOMPLETE);
	hold_for_names(&whole, data);
	hold_for_facts(&whole, data);
	return 0;
}
