/* The extensions: the framing of all of them, the insides of those we know. */
#include "sni/clienthello_private.h"

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
read_host_name(struct clienthello *hello, struct reader name, const uint8_t *base)
{
	hello->has_name = true;
	hello->sent_name = extension_place(hello, name, base);
	return name_normalise(hello->server_name, (const char *)name.at, left(name))
	    ? FINE
	    : NOT_A_HOST_NAME;
}

/* RFC 6066 3: at most one name of each type; those other than 0 say nothing. */
static enum reason
read_server_name(struct clienthello *hello, struct reader body, const uint8_t *base)
{
	uint64_t seen[256 / 64] = { 0 };

	if (!take_length16(&body) || left(body) == 0)
		return BAD_SERVER_NAME;
	while (left(body) > 0) {
		uint8_t type = take_u8(&body);
		struct reader name = take_vector(&body, take_u16(&body));
		uint64_t bit = UINT64_C(1) << type % 64;
		enum reason reason;

		if (left(name) == 0)
			return BAD_SERVER_NAME;
		if (seen[type / 64] & bit)
			return DUPLICATE_SERVER_NAME;
		seen[type / 64] |= bit;
		if (type != 0)
			continue;
		reason = read_host_name(hello, name, base);
		if (reason != FINE)
			return reason;
	}
	return FINE;
}

static enum reason
read_alpn(struct clienthello *hello, struct reader body, const uint8_t *base)
{
	if (!take_length16(&body) || left(body) == 0)
		return BAD_ALPN;
	hello->has_alpn = true;
	hello->alpn = extension_place(hello, body, base);
	while (left(body) > 0) {
		struct reader name = take_vector(&body, take_u8(&body));

		if (left(name) == 0)
			return BAD_ALPN;
	}
	return FINE;
}

static enum reason
read_supported_versions(struct clienthello *hello, struct reader body, const uint8_t *base)
{
	uint16_t newest = 0;

	if (!take_length8(&body) || left(body) == 0 || left(body) % 2 != 0)
		return BAD_SUPPORTED_VERSIONS;
	hello->supported_versions = extension_place(hello, body, base);
	while (left(body) > 0) {
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
	switch (group) {
	case 0x0200:
	case 0x0201:
	case 0x0202: /* ML-KEM alone */
	case 0x11eb:
	case 0x11ec:
	case 0x11ed:
	case 0x11ee: /* hybrids with ML-KEM */
	case 0x6399:
	case 0x639a: /* with Kyber768, draft 00 */
	case 0xfe30:
	case 0xfe31:
	case 0xfe32: /* earlier Kyber trials */
	case 0x4138: /* CECPQ2 */
		return true;
	default:
		return false;
	}
}

/* RFC 8446 4.2.8: no key has no bytes.  Of the one group that everybody has, it is told as a share of
 * any other wrong length is. */
static enum reason
read_key_share(struct clienthello *hello, struct reader body)
{
	enum { X25519 = 29 };

	if (!take_length16(&body))
		return BAD_KEY_SHARE;
	while (left(body) > 0) {
		struct reader key;
		uint16_t group;

		if (!take_typed(&body, &group, &key))
			return BAD_KEY_SHARE;
		if (left(key) == 0)
			return group == X25519 ? EMPTY_KEY_SHARE : BAD_KEY_SHARE;
		if (is_post_quantum(group))
			hello->post_quantum = true;
	}
	return FINE;
}

static enum reason
read_signature_algorithms(struct clienthello *hello, struct reader body, const uint8_t *base)
{
	if (!take_length16(&body) || left(body) == 0 || left(body) % 2 != 0)
		return BAD_SIGNATURE_ALGORITHMS;
	hello->signature_algorithms = extension_place(hello, body, base);
	return FINE;
}

static bool
is_list_of_u16(struct reader body)
{
	return take_length16(&body) && left(body) > 0 && left(body) % 2 == 0;
}

static bool
is_list_of_u8(struct reader body)
{
	return take_length8(&body) && left(body) > 0;
}

/* RFC 8449 4: a value below 64 is an illegal parameter. */
static enum reason
read_record_size_limit(struct reader body)
{
	if (left(body) != 2)
		return BAD_EXTENSION_BODY;
	return take_u16(&body) >= 64 ? FINE : RECORD_SIZE_LIMIT_TOO_SMALL;
}

/* RFC 5746 3.6: in the first hello of a connection the field must be empty, or the handshake fails. */
static enum reason
read_renegotiation_info(struct reader body)
{
	if (!take_length8(&body))
		return BAD_EXTENSION_BODY;
	return left(body) == 0 ? FINE : RENEGOTIATION;
}

/* A switch and not a table of functions: the calls would cost a fifth of the whole. */
static enum reason
read_known(struct clienthello *hello, uint16_t type, struct reader body, const uint8_t *base)
{
	switch (type) {
	case EXT_SERVER_NAME:
		return read_server_name(hello, body, base);
	case EXT_SIGNATURE_ALGORITHMS:
		return read_signature_algorithms(hello, body, base);
	case EXT_ALPN:
		return read_alpn(hello, body, base);
	case EXT_SUPPORTED_VERSIONS:
		return read_supported_versions(hello, body, base);
	case EXT_KEY_SHARE:
		return read_key_share(hello, body);
	case EXT_ENCRYPTED_CLIENT_HELLO:
		hello->ech = true;
		return FINE;
	case EXT_EARLY_DATA:
		hello->early_data = true;
		return left(body) == 0 ? FINE : BAD_EXTENSION_BODY;
	/* The extensions below mean nothing to us, but every endpoint looks into them. */
	case EXT_SUPPORTED_GROUPS:
		return is_list_of_u16(body) ? FINE : BAD_EXTENSION_BODY;
	case EXT_EC_POINT_FORMATS:
	case EXT_SRP:
	case EXT_PSK_KEY_EXCHANGE_MODES:
		return is_list_of_u8(body) ? FINE : BAD_EXTENSION_BODY;
	case EXT_ENCRYPT_THEN_MAC:
	case EXT_EXTENDED_MASTER_SECRET:
		return left(body) == 0 ? FINE : BAD_EXTENSION_BODY;
	case EXT_RECORD_SIZE_LIMIT:
		return read_record_size_limit(body);
	case EXT_RENEGOTIATION_INFO:
		return read_renegotiation_info(body);
	default: /* RFC 8446 4.2: what one does not know is ignored */
		return FINE;
	}
}

/* The types seen so far: those below 64, which nearly all are, as bits. */
struct seen {
	uint64_t low;
	size_t high_count;
	uint16_t high[CLIENTHELLO_MOST_EXTENSIONS];
};

/* RFC 8446 4.2: no type twice. */
static enum reason
admit_high(struct seen *seen, uint16_t type)
{
	for (size_t i = 0; i < seen->high_count; i++)
		if (seen->high[i] == type)
			return DUPLICATE_EXTENSION;
	if (seen->high_count == CLIENTHELLO_MOST_EXTENSIONS)
		return TOO_MANY_EXTENSIONS;
	seen->high[seen->high_count++] = type;
	return FINE;
}

static enum reason
admit(struct seen *seen, uint16_t type)
{
	uint64_t bit;

	if (type >= 64)
		return admit_high(seen, type);
	bit = UINT64_C(1) << type;
	if (seen->low & bit)
		return DUPLICATE_EXTENSION;
	seen->low |= bit;
	return FINE;
}

/* Judges the extensions together: how many there are, and which is the last. */
static enum reason
judge_whole(const struct seen *seen, uint16_t last)
{
	size_t count = seen->high_count;

	if (count > CLIENTHELLO_MOST_EXTENSIONS - 64)
		for (uint64_t low = seen->low; low != 0; low &= low - 1)
			count++;
	if (count > CLIENTHELLO_MOST_EXTENSIONS)
		return TOO_MANY_EXTENSIONS;
	if (seen->low >> EXT_PRE_SHARED_KEY & 1 && last != EXT_PRE_SHARED_KEY)
		return PRE_SHARED_KEY_NOT_LAST;
	return FINE;
}

enum reason
clienthello_read_extensions(struct clienthello *hello, struct reader block, const uint8_t *base)
{
	struct seen seen;
	uint16_t type = 0;

	seen.low = seen.high_count = 0;
	while (left(block) > 0) {
		struct reader body;
		enum reason reason;

		if (!take_typed(&block, &type, &body))
			return BAD_EXTENSION_BLOCK;
		reason = admit(&seen, type);
		if (reason != FINE)
			return reason;
		reason = read_known(hello, type, body, base);
		if (reason != FINE)
			return reason;
	}
	return judge_whole(&seen, type);
}
