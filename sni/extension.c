/* The extensions: the framing of all of them, the insides of those we know. */
#include "sni/extension.h"

enum {
	EXT_SERVER_NAME = 0,
	EXT_SUPPORTED_GROUPS = 10,
	EXT_EC_POINT_FORMATS = 11,
	EXT_SRP = 12,
	EXT_SIGNATURE_ALGORITHMS = 13,
	EXT_ALPN = 16,
	EXT_ENCRYPT_THEN_MAC = 22,
	EXT_EXTENDED_MASTER_SECRET = 23,
	EXT_RECORD_SIZE_LIMIT = 28,
	EXT_PRE_SHARED_KEY = 41,
	EXT_EARLY_DATA = 42,
	EXT_SUPPORTED_VERSIONS = 43,
	EXT_PSK_KEY_EXCHANGE_MODES = 45,
	EXT_KEY_SHARE = 51,
	EXT_ENCRYPTED_CLIENT_HELLO = 0xfe0d,
	EXT_RENEGOTIATION_INFO = 0xff01,
};

static enum reason
read_host_name(struct clienthello *hello, struct cursor name, const uint8_t *wire)
{
	uint8_t sent[NAME_SIZE];	/* 253 bytes and a trailing dot at most */
	size_t bytes = name.left;

	hello->has_name = true;
	hello->sent_name = place_of(&name, wire);
	if (bytes > sizeof sent)
		return NOT_A_HOST_NAME;
	take_bytes(&name, bytes, sent);
	return name_normalise(hello->server_name, (const char *)sent, bytes) ?
	    FINE : NOT_A_HOST_NAME;
}

/* RFC 6066 3: at most one name of each type; those other than 0 say nothing. */
static enum reason
read_server_name(struct clienthello *hello, struct cursor body, const uint8_t *wire)
{
	uint64_t seen[256 / 64] = { 0 };

	if (!take_length16(&body) || body.left == 0)
		return BAD_SERVER_NAME;
	while (body.left > 0) {
		uint8_t type = take_u8(&body);
		struct cursor name = take_vector(&body, take_u16(&body));
		uint64_t bit = UINT64_C(1) << type % 64;
		enum reason reason;

		if (name.left == 0)
			return BAD_SERVER_NAME;
		if (seen[type / 64] & bit)
			return DUPLICATE_SERVER_NAME;
		seen[type / 64] |= bit;
		if (type != 0)
			continue;
		reason = read_host_name(hello, name, wire);
		if (reason != FINE)
			return reason;
	}
	return FINE;
}

static enum reason
read_alpn(struct clienthello *hello, struct cursor body, const uint8_t *wire)
{
	if (!take_length16(&body) || body.left == 0)
		return BAD_ALPN;
	hello->has_alpn = true;
	hello->alpn = place_of(&body, wire);
	while (body.left > 0) {
		struct cursor name = take_vector(&body, take_u8(&body));

		if (name.left == 0)
			return BAD_ALPN;
	}
	return FINE;
}

static enum reason
read_supported_versions(struct clienthello *hello, struct cursor body, const uint8_t *wire)
{
	uint16_t newest = 0;

	if (!take_length8(&body) || body.left == 0 || body.left % 2 != 0)
		return BAD_SUPPORTED_VERSIONS;
	hello->supported_versions = place_of(&body, wire);
	while (body.left > 0) {
		uint16_t version = take_u16(&body);

		if (version == 0x0304)
			hello->tls13 = true;
		if (version > newest && !clienthello_is_grease(version))
			newest = version;
	}
	hello->newest_version = newest;
	return FINE;
}

static bool
is_post_quantum(uint16_t group)
{
	static const uint16_t groups[] = {
		0x0200, 0x0201, 0x0202,		/* ML-KEM alone */
		0x11eb, 0x11ec, 0x11ed, 0x11ee,	/* hybrids with ML-KEM */
		0x6399, 0x639a,			/* hybrids with Kyber768, draft 00 */
		0xfe30, 0xfe31, 0xfe32,		/* earlier Kyber trials */
		0x4138,				/* CECPQ2 */
	};

	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		if (groups[i] == group)
			return true;
	return false;
}

static enum reason
read_key_share(struct clienthello *hello, struct cursor body, const uint8_t *wire)
{
	(void)wire;
	if (!take_length16(&body))
		return BAD_KEY_SHARE;
	while (body.left > 0) {
		uint16_t group = take_u16(&body);
		struct cursor key = take_vector(&body, take_u16(&body));

		if (key.left == 0)
			return BAD_KEY_SHARE;
		if (is_post_quantum(group))
			hello->post_quantum = true;
	}
	return FINE;
}

static enum reason
read_signature_algorithms(struct clienthello *hello, struct cursor body, const uint8_t *wire)
{
	if (!take_length16(&body) || body.left == 0 || body.left % 2 != 0)
		return BAD_SIGNATURE_ALGORITHMS;
	hello->signature_algorithms = place_of(&body, wire);
	return FINE;
}

static enum reason
read_ech(struct clienthello *hello, struct cursor body, const uint8_t *wire)
{
	(void)body;
	(void)wire;
	hello->ech = true;
	return FINE;
}

static enum reason
read_early_data(struct clienthello *hello, struct cursor body, const uint8_t *wire)
{
	(void)wire;
	hello->early_data = true;
	return body.left == 0 ? FINE : BAD_EXTENSION_BODY;
}

/* Those below say nothing to us, but every endpoint looks into them. */

static enum reason
read_empty(struct clienthello *hello, struct cursor body, const uint8_t *wire)
{
	(void)hello;
	(void)wire;
	return body.left == 0 ? FINE : BAD_EXTENSION_BODY;
}

static enum reason
read_list_of_u16(struct clienthello *hello, struct cursor body, const uint8_t *wire)
{
	(void)hello;
	(void)wire;
	return take_length16(&body) && body.left > 0 && body.left % 2 == 0 ?
	    FINE : BAD_EXTENSION_BODY;
}

static enum reason
read_list_of_u8(struct clienthello *hello, struct cursor body, const uint8_t *wire)
{
	(void)hello;
	(void)wire;
	return take_length8(&body) && body.left > 0 ? FINE : BAD_EXTENSION_BODY;
}

/* RFC 8449 4: an endpoint must treat a value below 64 as an error. */
static enum reason
read_record_size_limit(struct clienthello *hello, struct cursor body, const uint8_t *wire)
{
	(void)hello;
	(void)wire;
	return body.left == 2 && take_u16(&body) >= 64 ? FINE : BAD_EXTENSION_BODY;
}

/* RFC 5746 3.6: in the first hello of a connection the field must be empty. */
static enum reason
read_renegotiation_info(struct clienthello *hello, struct cursor body, const uint8_t *wire)
{
	(void)hello;
	(void)wire;
	return body.left == 1 && take_u8(&body) == 0 ? FINE : BAD_EXTENSION_BODY;
}

static const struct {
	uint16_t type;
	enum reason (*read)(struct clienthello *, struct cursor, const uint8_t *wire);
} known[] = {
	{ EXT_SERVER_NAME, read_server_name },
	{ EXT_SUPPORTED_GROUPS, read_list_of_u16 },
	{ EXT_EC_POINT_FORMATS, read_list_of_u8 },
	{ EXT_SRP, read_list_of_u8 },
	{ EXT_SIGNATURE_ALGORITHMS, read_signature_algorithms },
	{ EXT_ALPN, read_alpn },
	{ EXT_ENCRYPT_THEN_MAC, read_empty },
	{ EXT_EXTENDED_MASTER_SECRET, read_empty },
	{ EXT_RECORD_SIZE_LIMIT, read_record_size_limit },
	{ EXT_EARLY_DATA, read_early_data },
	{ EXT_SUPPORTED_VERSIONS, read_supported_versions },
	{ EXT_PSK_KEY_EXCHANGE_MODES, read_list_of_u8 },
	{ EXT_KEY_SHARE, read_key_share },
	{ EXT_ENCRYPTED_CLIENT_HELLO, read_ech },
	{ EXT_RENEGOTIATION_INFO, read_renegotiation_info },
};

static enum reason
read_extension(struct clienthello *hello, uint16_t type, struct cursor body, const uint8_t *wire)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].type == type)
			return known[i].read(hello, body, wire);
	return FINE;
}

struct seen {
	uint16_t types[CLIENTHELLO_MOST_EXTENSIONS];
	size_t count;
};

/* RFC 8446 4.2: no type twice, and pre_shared_key behind all others. */
static enum reason
admit_extension(struct seen *seen, uint16_t type)
{
	for (size_t i = 0; i < seen->count; i++)
		if (seen->types[i] == type)
			return DUPLICATE_EXTENSION;
	if (seen->count > 0 && seen->types[seen->count - 1] == EXT_PRE_SHARED_KEY)
		return PRE_SHARED_KEY_NOT_LAST;
	if (seen->count == CLIENTHELLO_MOST_EXTENSIONS)
		return TOO_MANY_EXTENSIONS;
	seen->types[seen->count++] = type;
	return FINE;
}

enum reason
extension_read_block(struct clienthello *hello, struct cursor block, const uint8_t *wire)
{
	struct seen seen;

	seen.count = 0;
	hello->extensions = place_of(&block, wire);
	while (block.left > 0) {
		uint16_t type = take_u16(&block);
		struct cursor body = take_vector(&block, take_u16(&block));
		enum reason reason;

		if (block.overran)
			return BAD_EXTENSION_BLOCK;
		reason = admit_extension(&seen, type);
		if (reason == FINE)
			reason = read_extension(hello, type, body, wire);
		if (reason != FINE)
			return reason;
	}
	return FINE;
}
