/* The PROXY header, both versions, both ways; pure. */
#include "base/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "base/cursor.h"
#include "base/units.h"

enum {
	V1_MOST = 107,
	V2_FIXED = 16,
	V2_LOCAL = 0x20,
	V2_PROXY = 0x21,
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,
	V2_AUTHORITY = 0x02,
	V2_TLV_HEAD = 3
};

static const uint8_t v2_signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55,
	0x49, 0x54, 0x0a };
static const char v1_word[] = "PROXY ";

static int
shared_family(const struct address *source, const struct address *destination)
{
	int family = source->bytes > 0 ? source->as.any.sa_family : AF_UNSPEC;

	if (destination->bytes == 0 || destination->as.any.sa_family != family)
		return AF_UNSPEC;
	return family == AF_INET || family == AF_INET6 ? family : AF_UNSPEC;
}

static size_t
encode_v1(char *out, int family, const struct address *source, const struct address *destination)
{
	char from[ADDRESS_TEXT], to[ADDRESS_TEXT];
	int bytes;

	if (family == AF_UNSPEC)
		bytes = snprintf(out, PROXY_MOST, "%sUNKNOWN\r\n", v1_word);
	else
		bytes = snprintf(out, PROXY_MOST, "%sTCP%c %s %s %u %u\r\n", v1_word,
		    family == AF_INET ? '4' : '6', address_host_text(source, from),
		    address_host_text(destination, to), address_port(source),
		    address_port(destination));
	return (size_t)bytes;
}

static void
put_host(struct writer *out, const struct address *address)
{
	if (address->as.any.sa_family == AF_INET)
		writer_bytes(out, &address->as.v4.sin_addr, 4);
	else
		writer_bytes(out, &address->as.v6.sin6_addr, 16);
}

static size_t
encode_v2(uint8_t *data, int family, const struct address *source,
    const struct address *destination, const char *authority)
{
	struct writer out = writer_over(data, PROXY_MOST);
	size_t name_bytes = authority ? strlen(authority) : 0;
	size_t body_bytes =
	    (family == AF_INET ? 12 : 36) + (name_bytes > 0 ? V2_TLV_HEAD + name_bytes : 0);

	writer_bytes(&out, v2_signature, sizeof v2_signature);
	if (family == AF_UNSPEC) {
		writer_u8(&out, V2_LOCAL);
		writer_u8(&out, 0);
		writer_u16(&out, 0);
		return out.bytes;
	}
	writer_u8(&out, V2_PROXY);
	writer_u8(&out, family == AF_INET ? V2_TCP4 : V2_TCP6);
	writer_u16(&out, (uint16_t)body_bytes);
	put_host(&out, source);
	put_host(&out, destination);
	writer_u16(&out, address_port(source));
	writer_u16(&out, address_port(destination));
	if (name_bytes > 0) {
		writer_u8(&out, V2_AUTHORITY);
		writer_u16(&out, (uint16_t)name_bytes);
		writer_bytes(&out, authority, name_bytes);
	}
	return out.bytes;
}

size_t
proxy_encode(uint8_t out[PROXY_MOST], int version, const struct address *source,
    const struct address *destination, const char *authority)
{
	int family = shared_family(source, destination);

	return version == 1 ? encode_v1((char *)out, family, source, destination)
			    : encode_v2(out, family, source, destination, authority);
}

static void
set_address(struct address *address, int family, const void *host, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	if (family == AF_INET) {
		memcpy(&v4.sin_addr, host, 4);
		address_from(address, (struct sockaddr *)&v4, sizeof v4);
	} else {
		memcpy(&v6.sin6_addr, host, 16);
		address_from(address, (struct sockaddr *)&v6, sizeof v6);
	}
}

/* Cuts the next word off at a single space. */
static char *
next_word(char **rest)
{
	char *word = strsep(rest, " ");

	return word && *word != '\0' ? word : NULL;
}

static bool
parse_v1_port(const char *text, uint16_t *port)
{
	uint64_t number;

	if (!text || (text[0] == '0' && text[1] != '\0') || !number_parse(text, &number) ||
	    number > UINT16_MAX)
		return false;
	*port = (uint16_t)number;
	return true;
}

/* What stands behind "PROXY TCP4 " or "PROXY TCP6 ". */
static bool
parse_v1_addresses(char *rest, int family, struct address *source, struct address *destination)
{
	const char *from = next_word(&rest), *to = next_word(&rest);
	const char *from_port = next_word(&rest), *to_port = next_word(&rest);
	uint8_t from_host[16], to_host[16];
	uint16_t from_number, to_number;

	if (!from || !to || rest || inet_pton(family, from, from_host) != 1 ||
	    inet_pton(family, to, to_host) != 1 || !parse_v1_port(from_port, &from_number) ||
	    !parse_v1_port(to_port, &to_number))
		return false;
	set_address(source, family, from_host, from_number);
	set_address(destination, family, to_host, to_number);
	return true;
}

static int
family_named(const char *protocol)
{
	if (strcmp(protocol, "TCP4") == 0)
		return AF_INET;
	return strcmp(protocol, "TCP6") == 0 ? AF_INET6 : AF_UNSPEC;
}

static enum proxy_verdict
judge_v1(char *line, bool *has_addresses, struct address *source, struct address *destination)
{
	char *rest = line + strlen(v1_word), *protocol = next_word(&rest);
	int family;

	if (!protocol)
		return PROXY_MALFORMED;
	if (strcmp(protocol, "UNKNOWN") == 0)
		return PROXY_COMPLETE;
	family = family_named(protocol);
	if (family == AF_UNSPEC || !rest || !parse_v1_addresses(rest, family, source, destination))
		return PROXY_MALFORMED;
	*has_addresses = true;
	return PROXY_COMPLETE;
}

static enum proxy_verdict
decode_v1(const uint8_t *data, size_t bytes, size_t *header_bytes, bool *has_addresses,
    struct address *source, struct address *destination)
{
	size_t seen = bytes < V1_MOST ? bytes : V1_MOST;
	const uint8_t *end = memmem(data, seen, "\r\n", 2);
	char line[V1_MOST + 1];

	if (memchr(data, 0, end ? (size_t)(end - data) : seen))
		return PROXY_MALFORMED;
	if (!end)
		return bytes < V1_MOST ? PROXY_INCOMPLETE : PROXY_MALFORMED;
	memcpy(line, data, (size_t)(end - data));
	line[end - data] = '\0';
	*header_bytes = (size_t)(end - data) + 2;
	return judge_v1(line, has_addresses, source, destination);
}

static enum proxy_verdict
judge_v2(struct cursor body, uint8_t command, uint8_t protocol, bool *has_addresses,
    struct address *source, struct address *destination)
{
	int family = protocol == V2_TCP4 ? AF_INET : AF_INET6;
	size_t host_bytes = family == AF_INET ? 4 : 16;
	const uint8_t *from, *to;
	uint16_t from_port, to_port;

	if (command == V2_LOCAL || (protocol != V2_TCP4 && protocol != V2_TCP6))
		return PROXY_COMPLETE;
	from = cursor_bytes(&body, host_bytes);
	to = cursor_bytes(&body, host_bytes);
	from_port = cursor_u16(&body);
	to_port = cursor_u16(&body);
	if (body.failed)
		return PROXY_MALFORMED;
	set_address(source, family, from, from_port);
	set_address(destination, family, to, to_port);
	*has_addresses = true;
	return PROXY_COMPLETE;
}

static enum proxy_verdict
decode_v2(const uint8_t *data, size_t bytes, size_t *header_bytes, bool *has_addresses,
    struct address *source, struct address *destination)
{
	struct cursor in = cursor_over(data, bytes), body;
	uint8_t command, protocol;
	uint16_t length;

	cursor_bytes(&in, sizeof v2_signature);
	command = cursor_u8(&in);
	if (!in.failed && command != V2_LOCAL && command != V2_PROXY)
		return PROXY_MALFORMED;
	protocol = cursor_u8(&in);
	/* Families and transports beyond these must be refused ("2.2. Binary header format"). */
	if (!in.failed && (protocol >> 4 > 3 || (protocol & 15) > 2))
		return PROXY_MALFORMED;
	length = cursor_u16(&in);
	body = cursor_sub(&in, length);
	if (in.failed)
		return PROXY_INCOMPLETE;
	*header_bytes = V2_FIXED + (size_t)length;
	return judge_v2(body, command, protocol, has_addresses, source, destination);
}

static bool
begins_like(const uint8_t *data, size_t bytes, const void *with, size_t with_bytes)
{
	return memcmp(data, with, bytes < with_bytes ? bytes : with_bytes) == 0;
}

enum proxy_verdict
proxy_decode(const uint8_t *data, size_t bytes, size_t *header_bytes, bool *has_addresses,
    struct address *source, struct address *destination)
{
	*header_bytes = 0;
	*has_addresses = false;
	if (bytes == 0)
		return PROXY_INCOMPLETE;
	if (begins_like(data, bytes, v1_word, strlen(v1_word)))
		return decode_v1(data, bytes, header_bytes, has_addresses, source, destination);
	if (begins_like(data, bytes, v2_signature, sizeof v2_signature))
		return decode_v2(data, bytes, header_bytes, has_addresses, source, destination);
	return PROXY_MALFORMED;
}
