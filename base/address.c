/* Addresses, their texts, and the prefixes that limits and lists are made of. */
#include "base/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "base/units.h"

enum { PORT_DIGITS = 5 };

static const char unix_scheme[] = "unix:";

static void
unmap(struct address *address)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = address->as.v6.sin6_port };

	memcpy(&v4.sin_addr, address->as.v6.sin6_addr.s6_addr + 12, 4);
	memset(&address->as, 0, sizeof address->as);
	address->as.v4 = v4;
	address->bytes = sizeof v4;
}

void
address_from(struct address *address, const struct sockaddr *from, socklen_t bytes)
{
	memset(address, 0, sizeof *address);
	if (bytes < sizeof(sa_family_t) || bytes > sizeof address->as)
		return;
	memcpy(&address->as, from, bytes);
	address->bytes = bytes;
	if (address->as.any.sa_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&address->as.v6.sin6_addr))
		unmap(address);
}

struct ip_address
ip_address_of(const struct address *address)
{
	struct ip_address ip = { 0 };

	if (address->bytes > 0 && address->bytes <= sizeof ip.as &&
	    address->as.any.sa_family != AF_UNIX) {
		memcpy(&ip.as, &address->as, address->bytes);
		ip.bytes = address->bytes;
	}
	return ip;
}

struct address
address_of_ip(const struct ip_address *ip)
{
	struct address address = { .bytes = ip->bytes };

	memcpy(&address.as, &ip->as, ip->bytes);
	return address;
}

static int
family_of(const struct address *address)
{
	return address->bytes == 0 ? AF_UNSPEC : address->as.any.sa_family;
}

static const char *
unix_text(const struct address *address, char *out)
{
	size_t bytes = address->bytes - offsetof(struct sockaddr_un, sun_path);
	const char *path = address->as.local.sun_path;
	bool abstract = bytes > 1 && path[0] == '\0';

	if (abstract)
		snprintf(out, ADDRESS_TEXT, "%s@%.*s", unix_scheme, (int)bytes - 1, path + 1);
	else
		snprintf(out, ADDRESS_TEXT, "%s%.*s", unix_scheme, (int)bytes, path);
	return out;
}

/* Every line of the log has an address. */
static void
put_v4(char *at, const struct in_addr *host)
{
	uint32_t bits = ntohl(host->s_addr);

	for (int shift = 24; shift >= 0; shift -= 8) {
		at += number_encode(at, bits >> shift & 0xff);
		*at++ = shift > 0 ? '.' : '\0';
	}
}

static void
put_port(char *at, uint16_t port)
{
	*at++ = ':';
	at[number_encode(at, port)] = '\0';
}

const char *
address_host_text(const struct address *address, char *out)
{
	memcpy(out, "-", 2);
	switch (family_of(address)) {
	case AF_INET:
		put_v4(out, &address->as.v4.sin_addr);
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &address->as.v6.sin6_addr, out, ADDRESS_TEXT);
		break;
	case AF_UNIX:
		return unix_text(address, out);
	}
	return out;
}

const char *
address_text(const struct address *address, char *out)
{
	int family = family_of(address);
	char *at;

	if (family != AF_INET6) {
		address_host_text(address, out);
		if (family == AF_INET)
			put_port(out + strlen(out), address_port(address));
		return out;
	}
	out[0] = '[';
	inet_ntop(AF_INET6, &address->as.v6.sin6_addr, out + 1, ADDRESS_TEXT - 1);
	at = out + strlen(out);
	*at++ = ']';
	put_port(at, address_port(address));
	return out;
}

uint16_t
address_port(const struct address *address)
{
	switch (family_of(address)) {
	case AF_INET:
		return ntohs(address->as.v4.sin_port);
	case AF_INET6:
		return ntohs(address->as.v6.sin6_port);
	}
	return 0;
}

bool
address_equals(const struct address *a, const struct address *b)
{
	return a->bytes == b->bytes && memcmp(&a->as, &b->as, a->bytes) == 0;
}

bool
address_is_any(const struct address *address)
{
	switch (family_of(address)) {
	case AF_INET:
		return address->as.v4.sin_addr.s_addr == htonl(INADDR_ANY);
	case AF_INET6:
		return IN6_IS_ADDR_UNSPECIFIED(&address->as.v6.sin6_addr);
	}
	return false;
}

struct address
address_any_v4(uint16_t port)
{
	return (struct address){ .bytes = sizeof(struct sockaddr_in),
		.as.v4 = { .sin_family = AF_INET, .sin_port = htons(port) } };
}

static bool
parse_unix(struct address *address, const char *path)
{
	size_t length = strlen(path);

	if (length == 0 || length >= sizeof address->as.local.sun_path)
		return false;
	address->as.local.sun_family = AF_UNIX;
	memcpy(address->as.local.sun_path, path, length + 1);
	address->bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	return true;
}

static bool
split(const char *text, char host[254], uint64_t *port)
{
	const char *end = text[0] == '[' ? strchr(text, ']') : strchr(text, ':'), *digits;
	size_t length;

	if (!end)
		return false;
	if (*text == '[') {
		if (end[1] != ':')
			return false;
		text++;
	}
	length = (size_t)(end - text);
	if (length == 0 || length > 253)
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	digits = *end == ']' ? end + 2 : end + 1;
	return strlen(digits) <= PORT_DIGITS && number_parse(digits, port) && *port <= UINT16_MAX;
}

bool
address_parse(struct address *address, const char *text)
{
	char host[254];
	uint64_t port;

	memset(address, 0, sizeof *address);
	if (strncmp(text, unix_scheme, strlen(unix_scheme)) == 0)
		return parse_unix(address, text + strlen(unix_scheme));
	if (!split(text, host, &port))
		return false;
	if (text[0] != '[' && inet_pton(AF_INET, host, &address->as.v4.sin_addr) == 1) {
		address->as.v4.sin_family = AF_INET;
		address->as.v4.sin_port = htons((uint16_t)port);
		address->bytes = sizeof address->as.v4;
		return true;
	}
	if (text[0] != '[' || inet_pton(AF_INET6, host, &address->as.v6.sin6_addr) != 1)
		return false;
	address->as.v6.sin6_family = AF_INET6;
	address->as.v6.sin6_port = htons((uint16_t)port);
	address->bytes = sizeof address->as.v6;
	if (IN6_IS_ADDR_V4MAPPED(&address->as.v6.sin6_addr))
		unmap(address);
	return true;
}

static bool
is_host_text(const char *host, bool in_brackets)
{
	if (in_brackets && !strchr(host, ':'))
		return false;
	for (; *host != '\0'; host++) {
		if (*host <= ' ' || *host > '~' || strchr("[]/@\"\\", *host))
			return false;
	}
	return true;
}

bool
host_port_split(const char *text, char host[254], uint16_t *port)
{
	uint64_t number;

	if (!split(text, host, &number) || number == 0 || !is_host_text(host, text[0] == '['))
		return false;
	*port = (uint16_t)number;
	return true;
}

/* Zeroes what lies beyond the prefix. */
static void
mask_bits(struct prefix *prefix)
{
	for (unsigned bit = prefix->bits; bit < 128; bit++) {
		if (bit % 8 == 0) {
			memset(prefix->bytes + bit / 8, 0, 16 - bit / 8);
			return;
		}
		prefix->bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
	}
}

static void
unmap_prefix(struct prefix *prefix)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (prefix->family != AF_INET6 || prefix->bits < 96 ||
	    memcmp(prefix->bytes, mapped, 12) != 0)
		return;
	prefix->family = AF_INET;
	prefix->bits = (uint8_t)(prefix->bits - 96);
	memcpy(prefix->bytes, prefix->bytes + 12, 4);
	memset(prefix->bytes + 4, 0, 12);
}

static bool
parse_raw(struct prefix *prefix, const char *text)
{
	const char *slash = strchrnul(text, '/');
	size_t length = (size_t)(slash - text);
	char host[INET6_ADDRSTRLEN];
	uint64_t most, bits;

	*prefix = (struct prefix){ 0 };
	if (length >= sizeof host)
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	prefix->family = strchr(host, ':') ? AF_INET6 : AF_INET;
	most = bits = prefix->family == AF_INET6 ? 128 : 32;
	if (inet_pton(prefix->family, host, prefix->bytes) != 1 ||
	    (*slash == '/' && !number_parse(slash + 1, &bits)) || bits > most)
		return false;
	prefix->bits = (uint8_t)bits;
	unmap_prefix(prefix);
	return true;
}

bool
prefix_parse(struct prefix *prefix, const char *text)
{
	if (!parse_raw(prefix, text))
		return false;
	mask_bits(prefix);
	return true;
}

bool
prefix_parse_exact(struct prefix *prefix, const char *text)
{
	struct prefix raw;

	if (!parse_raw(&raw, text))
		return false;
	*prefix = raw;
	mask_bits(prefix);
	return prefix_equals(prefix, &raw);
}

bool
prefix_from(struct prefix *prefix, const void *octets, size_t count, unsigned bits)
{
	*prefix = (struct prefix){ 0 };
	if ((count != 4 && count != 16) || bits > 8 * count)
		return false;
	prefix->family = count == 4 ? AF_INET : AF_INET6;
	prefix->bits = (uint8_t)bits;
	memcpy(prefix->bytes, octets, count);
	unmap_prefix(prefix);
	mask_bits(prefix);
	return true;
}

const char *
prefix_text(const struct prefix *prefix, char *out)
{
	char host[INET6_ADDRSTRLEN];

	if (inet_ntop(prefix->family, prefix->bytes, host, sizeof host))
		snprintf(out, PREFIX_TEXT, "%s/%u", host, prefix->bits);
	else
		snprintf(out, PREFIX_TEXT, "-");
	return out;
}

struct prefix
prefix_of(const struct address *address, uint8_t v4_bits, uint8_t v6_bits)
{
	struct prefix prefix = { .family = family_of(address) };

	if (prefix.family == AF_INET) {
		memcpy(prefix.bytes, &address->as.v4.sin_addr, 4);
		prefix.bits = v4_bits < 32 ? v4_bits : 32;
	} else if (prefix.family == AF_INET6) {
		memcpy(prefix.bytes, &address->as.v6.sin6_addr, 16);
		prefix.bits = v6_bits < 128 ? v6_bits : 128;
	}
	mask_bits(&prefix);
	return prefix;
}

bool
prefix_equals(const struct prefix *a, const struct prefix *b)
{
	return a->family == b->family && a->bits == b->bits && memcmp(a->bytes, b->bytes, 16) == 0;
}

bool
prefix_covers(const struct prefix *outer, const struct prefix *inner)
{
	struct prefix same = *inner;

	if (outer->family == AF_UNSPEC || inner->bits < outer->bits)
		return false;
	same.bits = outer->bits;
	mask_bits(&same);
	return prefix_equals(outer, &same);
}

bool
prefix_holds(const struct prefix *prefix, const struct address *address)
{
	struct prefix whole = prefix_of(address, 32, 128);

	return prefix_covers(prefix, &whole);
}

struct prefix
prefix_block(const struct address *address, enum prefix_block block)
{
	static const struct {
		uint8_t v4, v6;
	} bits[] = {
		[BLOCK_HOST] = { 32, 64 },
		[BLOCK_SITE] = { 32, 48 },
		[BLOCK_NETWORK] = { 24, 48 },
	};

	return prefix_of(address, bits[block].v4, bits[block].v6);
}

uint64_t
prefix_hash(const struct prefix *prefix, const uint8_t key[16])
{
	uint8_t data[18] = { (uint8_t)prefix->family, prefix->bits };

	memcpy(data + 2, prefix->bytes, 16);
	return hash_bytes(key, data, sizeof data);
}
