/* A ClientHello that the real parser reads. */
#include <string.h>
#include "sim.h"

struct bytes {
	uint8_t *data;
	size_t count;
};

static void
put(struct bytes *to, const void *from, size_t bytes)
{
	if (bytes > 0)
		memcpy(to->data + to->count, from, bytes);
	to->count += bytes;
}

static void
put_u16(struct bytes *to, size_t value)
{
	const uint8_t both[] = { (uint8_t)(value >> 8), (uint8_t)value };

	put(to, both, 2);
}

static void
put_name(struct bytes *to, const char *name)
{
	size_t bytes = strlen(name);

	put_u16(to, 0);			/* server_name */
	put_u16(to, bytes + 5);
	put_u16(to, bytes + 3);
	put(to, "\0", 1);
	put_u16(to, bytes);
	put(to, name, bytes);
}

static void
put_alpn(struct bytes *to, const char *alpn)
{
	const uint8_t bytes = (uint8_t)strlen(alpn);

	put_u16(to, 16);
	put_u16(to, bytes + 3u);
	put_u16(to, bytes + 1u);
	put(to, &bytes, 1);
	put(to, alpn, bytes);
}

size_t
sim_hello(uint8_t wire[SIM_HELLO_MOST], const char *server_name, const char *alpn,
    const uint8_t random[SIM_RANDOM_BYTES], bool early_data)
{
	uint8_t block[400];
	struct bytes extensions = { block, 0 }, hello = { wire, 0 };
	size_t body;

	if (server_name)
		put_name(&extensions, server_name);
	if (alpn)
		put_alpn(&extensions, alpn);
	put(&extensions, "\0\x2b\0\x03\x02\x03\x04", 7);	/* supported_versions: 1.3 */
	if (early_data)
		put(&extensions, "\0\x2a\0\0", 4);
	body = 2 + SIM_RANDOM_BYTES + 1 + 4 + 2 + 2 + extensions.count;
	put(&hello, "\x16\x03\x01", 3);
	put_u16(&hello, body + 4);
	put(&hello, "\x01\0", 2);
	put_u16(&hello, body);
	put(&hello, "\x03\x03", 2);
	put(&hello, random, SIM_RANDOM_BYTES);
	put(&hello, "\0\0\x02\x13\x01\x01\0", 7);
	put_u16(&hello, extensions.count);
	put(&hello, block, extensions.count);
	return hello.count;
}
