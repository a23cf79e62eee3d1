/* The PROXY header, both versions, both ways; pure. */
#include "base/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/units.h"

enum {
	V2_FIXED = 16,
	V2_LOCAL = 0x20,
	V2_PROXY = 0x21,
	V2_UNSPEC = 0x00,
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,
	TLV_HEAD = 3,
	SSL_HEAD = 5,
	CHECKSUM = 4,
};

/* PP2_TYPE_* and PP2_SUBTYPE_SSL_* of the document, and of its successor the last one. */
enum tlv_type {
	TLV_ALPN = 0x01,
	TLV_AUTHORITY = 0x02,
	TLV_CRC32C = 0x03,
	TLV_NOOP = 0x04,
	TLV_UNIQUE_ID = 0x05,
	TLV_SSL = 0x20,
	TLV_SSL_VERSION = 0x21,
	TLV_SSL_CN = 0x22,
	TLV_SSL_CIPHER = 0x23,
	TLV_SSL_CLIENT_CERT = 0x28,
};

/* PP2_CLIENT_*: over TLS, with a certificate in this connection and in this session. */
enum { CLIENT_SSL = 1, CLIENT_CERT_CONN = 2, CLIENT_CERT_SESS = 4 };

static const uint8_t v2_signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55,
	0x49, 0x54, 0x0a };
static const char v1_word[] = "PROXY ";

/* ---- writing ---- */

static int
shared_family(const struct address *source, const struct address *destination)
{
	int family = source->bytes > 0 ? source->as.any.sa_family : AF_UNSPEC;

	if (destination->bytes == 0 || destination->as.any.sa_family != family)
		return AF_UNSPEC;
	return family == AF_INET || family == AF_INET6 ? family : AF_UNSPEC;
}

static size_t
encode_v1(char *out, size_t room, int family, const struct proxy_header *header)
{
	char from[ADDRESS_TEXT], to[ADDRESS_TEXT], line[PROXY_V1_MOST + 1];
	size_t bytes;

	if (family == AF_UNSPEC)
		bytes = (size_t)snprintf(line, sizeof line, "%sUNKNOWN\r\n", v1_word);
	else
		bytes = (size_t)snprintf(line, sizeof line, "%sTCP%c %s %s %u %u\r\n", v1_word,
		    family == AF_INET ? '4' : '6', address_host_text(header->source, from),
		    address_host_text(header->destination, to), address_port(header->source),
		    address_port(header->destination));
	if (bytes <= room)
		memcpy(out, line, bytes);
	return bytes;
}

struct tlv {
	enum tlv_type type;
	const void *value;
	size_t bytes; /* 0: left out */
};

static struct tlv
text_tlv(enum tlv_type type, const char *text)
{
	return (struct tlv){ type, text, text ? strlen(text) : 0 };
}

static size_t
tlvs_bytes(const struct tlv *tlvs, size_t count)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += tlvs[i].bytes > 0 ? TLV_HEAD + tlvs[i].bytes : 0;
	return bytes;
}

static void
put_head(struct writer *out, enum tlv_type type, size_t bytes)
{
	writer_u8(out, (uint8_t)type);
	writer_u16(out, (uint16_t)bytes);
}

static void
put_tlvs(struct writer *out, const struct tlv *tlvs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (tlvs[i].bytes == 0)
			continue;
		put_head(out, tlvs[i].type, tlvs[i].bytes);
		writer_bytes(out, tlvs[i].value, tlvs[i].bytes);
	}
}

enum { OWN_TLVS = 3, SSL_TLVS = 4 };

/* All that a header of version 2 holds behind its addresses. */
struct tlv_plan {
	struct tlv own[OWN_TLVS], ssl[SSL_TLVS];
	size_t ssl_bytes; /* the value of the TLV that has them; 0: none */
	size_t bytes;
};

static struct tlv_plan
plan_tlvs(const struct proxy_header *header)
{
	const struct proxy_tls *tls = header->tls;
	struct tlv_plan plan = { .own = { text_tlv(TLV_ALPN, header->alpn),
				     text_tlv(TLV_AUTHORITY, header->authority),
				     text_tlv(TLV_UNIQUE_ID, header->unique_id) } };

	if (tls) {
		plan.ssl[0] = text_tlv(TLV_SSL_VERSION, tls->version);
		plan.ssl[1] = (struct tlv){ TLV_SSL_CN, tls->common_name, tls->common_name_bytes };
		plan.ssl[2] = text_tlv(TLV_SSL_CIPHER, tls->cipher);
		plan.ssl[3] =
		    (struct tlv){ TLV_SSL_CLIENT_CERT, tls->certificate, tls->certificate_bytes };
		plan.ssl_bytes = SSL_HEAD + tlvs_bytes(plan.ssl, SSL_TLVS);
	}
	plan.bytes = tlvs_bytes(plan.own, OWN_TLVS) +
	    (plan.ssl_bytes > 0 ? TLV_HEAD + plan.ssl_bytes : 0) +
	    (header->has_checksum ? TLV_HEAD + CHECKSUM : 0);
	return plan;
}

/* verify: 0 for a certificate that was verified, and for none, too, something else. */
static void
put_ssl(struct writer *out, const struct tlv_plan *plan, const struct proxy_tls *tls)
{
	unsigned certified = tls->has_certificate ? CLIENT_CERT_CONN | CLIENT_CERT_SESS : 0;

	put_head(out, TLV_SSL, plan->ssl_bytes);
	writer_u8(out, (uint8_t)(CLIENT_SSL | certified));
	writer_u32(out, tls->has_certificate ? 0 : 1);
	put_tlvs(out, plan->ssl, SSL_TLVS);
}

static void
put_host(struct writer *out, const struct address *address)
{
	if (address->as.any.sa_family == AF_INET)
		writer_bytes(out, &address->as.v4.sin_addr, 4);
	else
		writer_bytes(out, &address->as.v6.sin6_addr, 16);
}

static void
put_addresses(struct writer *out, const struct proxy_header *header)
{
	put_host(out, header->source);
	put_host(out, header->destination);
	writer_u16(out, address_port(header->source));
	writer_u16(out, address_port(header->destination));
}

/* Over the whole header, in which it is still zero; it comes last. */
static void
put_checksum(struct writer *out)
{
	uint32_t sum;

	put_head(out, TLV_CRC32C, CHECKSUM);
	writer_u32(out, 0);
	sum = crc32c(0, out->start, out->bytes);
	out->bytes -= CHECKSUM;
	writer_u32(out, sum);
}

static size_t
encode_v2(uint8_t *data, size_t room, int family, const struct proxy_header *header)
{
	struct tlv_plan plan = plan_tlvs(header);
	size_t address_bytes = family == AF_INET ? 12 : family == AF_INET6 ? 36 : 0;
	size_t bytes = V2_FIXED + address_bytes + plan.bytes;
	struct writer out = writer_over(data, bytes);

	if (bytes > room || bytes > PROXY_MOST)
		return bytes;
	writer_bytes(&out, v2_signature, sizeof v2_signature);
	writer_u8(&out, bytes == V2_FIXED ? V2_LOCAL : V2_PROXY);
	writer_u8(&out, family == AF_INET ? V2_TCP4 : family == AF_INET6 ? V2_TCP6 : V2_UNSPEC);
	writer_u16(&out, (uint16_t)(bytes - V2_FIXED));
	if (address_bytes > 0)
		put_addresses(&out, header);
	put_tlvs(&out, plan.own, OWN_TLVS);
	if (header->tls)
		put_ssl(&out, &plan, header->tls);
	if (header->has_checksum)
		put_checksum(&out);
	return bytes;
}

size_t
proxy_encode(uint8_t *out, size_t room, const struct proxy_header *header)
{
	int family = shared_family(header->source, header->destination);

	return header->version == 1 ? encode_v1((char *)out, room, family, header)
				    : encode_v2(out, room, family, header);
}

/* ---- reading: version 1 ---- */

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
malformed(struct proxy_facts *facts, const char *fault)
{
	facts->fault = fault;
	return PROXY_MALFORMED;
}

static enum proxy_verdict
judge_v1(char *line, struct proxy_facts *facts)
{
	char *rest = line + strlen(v1_word), *protocol = next_word(&rest);
	int family;

	if (!protocol)
		return malformed(facts, "the PROXY header names no protocol");
	if (strcmp(protocol, "UNKNOWN") == 0)
		return PROXY_COMPLETE;
	family = family_named(protocol);
	if (family == AF_UNSPEC)
		return malformed(facts, "the PROXY header names an unknown protocol");
	if (!rest || !parse_v1_addresses(rest, family, &facts->source, &facts->destination))
		return malformed(facts, "the PROXY header has malformed addresses");
	facts->has_addresses = true;
	return PROXY_COMPLETE;
}

static enum proxy_verdict
decode_v1(const uint8_t *data, size_t bytes, struct proxy_facts *facts)
{
	size_t seen = bytes < PROXY_V1_MOST ? bytes : PROXY_V1_MOST;
	const uint8_t *end = memmem(data, seen, "\r\n", 2);
	char line[PROXY_V1_MOST + 1];

	if (memchr(data, 0, end ? (size_t)(end - data) : seen))
		return malformed(facts, "the PROXY header has a NUL in its line");
	if (!end && bytes < PROXY_V1_MOST)
		return PROXY_INCOMPLETE;
	if (!end)
		return malformed(facts, "the PROXY header has a line that does not end");
	memcpy(line, data, (size_t)(end - data));
	line[end - data] = '\0';
	facts->header_bytes = (size_t)(end - data) + 2;
	return judge_v1(line, facts);
}

/* ---- reading: version 2 ---- */

static const struct tlv_rule {
	enum tlv_type type;
	size_t least, most;
} tlv_rules[] = {
	{ TLV_AUTHORITY, 0, 255 },
	{ TLV_CRC32C, CHECKSUM, CHECKSUM },
	{ TLV_UNIQUE_ID, 0, 128 },
	{ TLV_SSL, SSL_HEAD, UINT16_MAX },
};

static bool
may_be_so_long(unsigned type, size_t bytes)
{
	for (size_t i = 0; i < sizeof tlv_rules / sizeof *tlv_rules; i++)
		if (tlv_rules[i].type == type)
			return bytes >= tlv_rules[i].least && bytes <= tlv_rules[i].most;
	return true;
}

/* The TLVs seen in one list. */
struct tlv_list {
	uint64_t seen[256 / 64];
	struct cursor ssl;       /* the value of the one of TLS */
	const uint8_t *checksum; /* NULL: none */
};

/* Padding may come often. */
static bool
is_again(struct tlv_list *list, unsigned type)
{
	uint64_t bit = UINT64_C(1) << type % 64, before = list->seen[type / 64] & bit;

	list->seen[type / 64] |= bit;
	return before && type != TLV_NOOP;
}

static const char *
read_tlvs(struct cursor in, struct tlv_list *list)
{
	while (in.left > 0) {
		unsigned type = cursor_u8(&in);
		size_t bytes = cursor_u16(&in);
		struct cursor value = cursor_sub(&in, bytes);

		if (in.failed)
			return "the PROXY header has a TLV that is longer than what is left of it";
		if (is_again(list, type))
			return "the PROXY header has a TLV twice";
		if (!may_be_so_long(type, bytes))
			return "the PROXY header has a TLV of a length that its type cannot have";
		if (type == TLV_CRC32C)
			list->checksum = value.at;
		if (type == TLV_SSL)
			list->ssl = value;
	}
	return NULL;
}

/* What TLVs of TLS hold is looked at for its form only. */
static const char *
find_ssl_fault(struct cursor in)
{
	struct tlv_list inner = { 0 };

	if (in.left == 0)
		return NULL;
	cursor_bytes(&in, SSL_HEAD);
	return read_tlvs(in, &inner);
}

/* Over the whole header, with zeros in place of the sum. */
static bool
is_sum_right(const uint8_t *header, size_t bytes, const uint8_t *checksum)
{
	static const uint8_t zeros[CHECKSUM];
	size_t before = (size_t)(checksum - header), after = before + CHECKSUM;
	struct cursor told = cursor_over(checksum, CHECKSUM);
	uint32_t sum = crc32c(0, header, before);

	sum = crc32c(sum, zeros, sizeof zeros);
	return crc32c(sum, header + after, bytes - after) == cursor_u32(&told);
}

static const char *
find_tlv_fault(struct cursor in, const uint8_t *header, size_t bytes)
{
	struct tlv_list list = { 0 };
	const char *fault = read_tlvs(in, &list);

	if (!fault)
		fault = find_ssl_fault(list.ssl);
	if (!fault && list.checksum && !is_sum_right(header, bytes, list.checksum))
		fault = "the PROXY header does not fit its CRC32c";
	return fault;
}

/* How many bytes its addresses take: TCP and UDP alike, and paths. */
static size_t
address_bytes(uint8_t protocol)
{
	static const size_t of_family[] = { 0, 12, 36, 216 };

	return of_family[protocol >> 4];
}

static void
read_addresses(struct cursor body, uint8_t protocol, struct proxy_facts *facts)
{
	int family = protocol == V2_TCP4 ? AF_INET : AF_INET6;
	size_t host_bytes = family == AF_INET ? 4 : 16;
	const uint8_t *from = cursor_bytes(&body, host_bytes);
	const uint8_t *to = cursor_bytes(&body, host_bytes);
	uint16_t from_port = cursor_u16(&body), to_port = cursor_u16(&body);

	set_address(&facts->source, family, from, from_port);
	set_address(&facts->destination, family, to, to_port);
	facts->has_addresses = true;
}

/* Addresses that are not used may be cut off, and then there are no TLVs. */
static enum proxy_verdict
judge_v2(const uint8_t *data, struct cursor body, struct proxy_facts *facts)
{
	uint8_t command = data[12], protocol = data[13];
	bool is_tcp = protocol == V2_TCP4 || protocol == V2_TCP6;
	struct cursor behind = body;

	if (body.left < address_bytes(protocol))
		return command == V2_PROXY && is_tcp
		    ? malformed(facts, "the PROXY header is too short for its addresses")
		    : PROXY_COMPLETE;
	cursor_bytes(&behind, address_bytes(protocol));
	facts->fault = find_tlv_fault(behind, data, facts->header_bytes);
	if (facts->fault)
		return PROXY_MALFORMED;
	if (command == V2_PROXY && is_tcp)
		read_addresses(body, protocol, facts);
	return PROXY_COMPLETE;
}

static enum proxy_verdict
decode_v2(const uint8_t *data, size_t bytes, struct proxy_facts *facts)
{
	struct cursor in = cursor_over(data, bytes), body;
	uint8_t command, protocol;
	uint16_t length;

	cursor_bytes(&in, sizeof v2_signature);
	command = cursor_u8(&in);
	if (!in.failed && command != V2_LOCAL && command != V2_PROXY)
		return malformed(
		    facts, "the PROXY header has another version, or an unknown command");
	protocol = cursor_u8(&in);
	/* Families and transports beyond these must be refused ("2.2. Binary header format"). */
	if (!in.failed && (protocol >> 4 > 3 || (protocol & 15) > 2))
		return malformed(facts, "the PROXY header names an unknown family or transport");
	length = cursor_u16(&in);
	body = cursor_sub(&in, length);
	if (in.failed)
		return PROXY_INCOMPLETE;
	facts->header_bytes = V2_FIXED + (size_t)length;
	return judge_v2(data, body, facts);
}

static bool
begins_like(const uint8_t *data, size_t bytes, const void *with, size_t with_bytes)
{
	return memcmp(data, with, bytes < with_bytes ? bytes : with_bytes) == 0;
}

enum proxy_verdict
proxy_decode(const uint8_t *data, size_t bytes, struct proxy_facts *facts)
{
	*facts = (struct proxy_facts){ 0 };
	if (bytes == 0)
		return PROXY_INCOMPLETE;
	if (begins_like(data, bytes, v1_word, strlen(v1_word)))
		return decode_v1(data, bytes, facts);
	if (begins_like(data, bytes, v2_signature, sizeof v2_signature))
		return decode_v2(data, bytes, facts);
	return malformed(facts, "there is no PROXY header");
}
