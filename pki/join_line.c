/* Turns an invitation into one line of text, and back. */
#include "pki/join_line.h"

#include <stdio.h>
#include <string.h>

#include <nettle/base64.h>

#include "base/address.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/secret.h"
#include "base/units.h"
#include "sni/name.h"

static const char prefix[] = "valise-join:";

enum {
	VERSION = 1,
	HANDLE_BYTES = (JOIN_HANDLE - 1) / 2,
	SECRET_BYTES = (JOIN_SECRET - 1) / 2,
	CHECK_BYTES = 4,
	/* version, kind, the pin, the two lengths, the checksum, and the four values */
	BODY_MOST =
	    2 + 32 + 4 + CHECK_BYTES + HANDLE_BYTES + SECRET_BYTES + JOIN_URL - 1 + JOIN_RELAY - 1,
};

_Static_assert(sizeof prefix + BASE64_ENCODE_RAW_LENGTH(BODY_MOST) <= JOIN_LINE_TEXT,
    "a line with the longest values does not fit");

static const char bad_url[] = "names a place that is not https://HOST or https://HOST:PORT";
static const char bad_relay[] = "names a relay that is not HOST:PORT";

static const char foreign[] = "has a character in it that does not belong there; copy it again";
static const char changed[] = "was cut off or changed on its way; copy all of it again";

/* The number of a kind in the line is its place here, and one more. */
static const char *const kinds[] = { "agent", "relay", "server", "client" };
enum { KINDS = sizeof kinds / sizeof *kinds };

/* An address of version 6 has stood in brackets. */
static bool
is_server(const char *host)
{
	char normal[NAME_SIZE], bracketed[254 + 8];
	struct address address;

	snprintf(bracketed, sizeof bracketed, "[%s]:1", host);
	return strchr(host, ':') ? address_parse(&address, bracketed)
				 : name_normalise(normal, host, strlen(host));
}

bool
join_url_parse(const char *url, char host[254], uint16_t *port)
{
	char whole[JOIN_URL];
	const char *rest = url + 8;

	if (strlen(url) >= JOIN_URL || strncmp(url, "https://", 8) != 0)
		return false;
	if (host_port_split(rest, host, port))
		return is_server(host);
	snprintf(whole, sizeof whole, "%s:443", rest);
	return host_port_split(whole, host, port) && is_server(host);
}

bool
join_relay_is(const char *text)
{
	char host[254];
	uint16_t port;

	return host_port_split(text, host, &port) && is_server(host);
}

static unsigned
number_of_kind(const char *kind)
{
	for (unsigned i = 0; kind && i < KINDS; i++)
		if (strcmp(kinds[i], kind) == 0)
			return i + 1;
	return 0;
}

static const char *
fault_of(const struct join_line *line)
{
	char host[254];
	uint16_t port;

	if (!number_of_kind(line->kind))
		return "is for a kind of certificate that is not known here";
	if (!join_url_parse(line->url, host, &port))
		return bad_url;
	return *line->relay && !join_relay_is(line->relay) ? bad_relay : NULL;
}

static bool
put_hex(struct writer *body, const char *text, size_t bytes)
{
	uint8_t octets[SECRET_BYTES];
	bool is_hex = hex_decode(octets, bytes, text);

	if (is_hex)
		writer_bytes(body, octets, bytes);
	bytes_wipe(octets, sizeof octets);
	return is_hex;
}

static bool
put_body(struct writer *body, const struct join_line *line)
{
	writer_u8(body, VERSION);
	writer_u8(body, (uint8_t)number_of_kind(line->kind));
	writer_bytes(body, line->root.digest, sizeof line->root.digest);
	if (!put_hex(body, line->handle, HANDLE_BYTES) ||
	    !put_hex(body, line->secret, SECRET_BYTES))
		return false;
	writer_text16(body, line->url);
	writer_text16(body, line->relay);
	writer_u32(body, crc32c(0, body->start, body->bytes));
	return !body->failed;
}

bool
join_line_encode(const struct join_line *line, char out[JOIN_LINE_TEXT], const char **why)
{
	uint8_t storage[BODY_MOST];
	struct writer body = writer_over(storage, sizeof storage);
	struct base64_encode_ctx base64;
	size_t used = sizeof prefix - 1;

	*out = '\0';
	if ((*why = fault_of(line)))
		return false;
	if (!put_body(&body, line)) {
		bytes_wipe(storage, sizeof storage);
		*why = "has a handle or a secret that is not hexadecimal, or of another length";
		return false;
	}
	memcpy(out, prefix, sizeof prefix);
	base64url_encode_init(&base64);
	used += base64_encode_update(&base64, out + used, body.bytes, storage);
	used += base64_encode_final(&base64, out + used);
	while (out[used - 1] == '=')
		used--;
	out[used] = '\0';
	bytes_wipe(storage, sizeof storage);
	return true;
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The text without white space; 0 bytes if it is longer than any line. */
static size_t
squeeze(char out[JOIN_LINE_TEXT], const char *text, size_t bytes)
{
	size_t used = 0;

	for (size_t i = 0; i < bytes; i++) {
		if (is_space(text[i]))
			continue;
		if (used == JOIN_LINE_TEXT - 1)
			return 0;
		out[used++] = text[i];
	}
	return used;
}

static const char *
decode_base64(const char *text, size_t bytes, uint8_t out[BODY_MOST + 3], size_t *out_bytes)
{
	struct base64_decode_ctx base64;
	size_t done = BASE64_DECODE_LENGTH(bytes);

	for (size_t i = 0; i < bytes; i++)
		if (text[i] == '=' || text[i] == '\0')
			return foreign;
	base64url_decode_init(&base64);
	if (done > BODY_MOST + 3)
		return "is longer than any that is known here; copy it again";
	if (!base64_decode_update(&base64, &done, out, bytes, text))
		return foreign;
	*out_bytes = done;
	return NULL;
}

static const char *
read_body(struct cursor body, struct join_line *out)
{
	uint8_t handle[HANDLE_BYTES], secret[SECRET_BYTES];
	unsigned kind;

	if (cursor_u8(&body) != VERSION)
		return "is of a newer version than this program knows; use a newer one";
	kind = cursor_u8(&body);
	cursor_copy(&body, out->root.digest, sizeof out->root.digest);
	cursor_copy(&body, handle, sizeof handle);
	cursor_copy(&body, secret, sizeof secret);
	hex_encode(out->handle, handle, sizeof handle);
	hex_encode(out->secret, secret, sizeof secret);
	bytes_wipe(secret, sizeof secret);
	cursor_text16(&body, out->url, sizeof out->url);
	cursor_text16(&body, out->relay, sizeof out->relay);
	if (!cursor_end(&body))
		return "is malformed, though nothing was lost on its way";
	out->kind = kind >= 1 && kind <= KINDS ? kinds[kind - 1] : NULL;
	return fault_of(out);
}

/* The checksum is looked at before the version, so that a broken line is never called a newer one. */
static const char *
check_body(const uint8_t *body, size_t bytes, struct join_line *out)
{
	struct cursor check;

	if (bytes <= CHECK_BYTES)
		return "is cut off; copy all of it";
	check = cursor_over(body + bytes - CHECK_BYTES, CHECK_BYTES);
	if (cursor_u32(&check) != crc32c(0, body, bytes - CHECK_BYTES))
		return changed;
	return read_body(cursor_over(body, bytes - CHECK_BYTES), out);
}

/* A line has one form: bits behind the last octet are not looked at by who decodes base64. */
static bool
is_written_so(const struct join_line *line, const char *text, size_t bytes)
{
	char again[JOIN_LINE_TEXT];
	const char *why;
	bool same = join_line_encode(line, again, &why) && strlen(again) == bytes &&
	    memcmp(again, text, bytes) == 0;

	bytes_wipe(again, sizeof again);
	return same;
}

static const char *
read_line(const char *text, size_t bytes, struct join_line *out)
{
	uint8_t body[BODY_MOST + 3];
	size_t body_bytes = 0;
	const char *why;

	if (bytes < sizeof prefix - 1 || memcmp(text, prefix, sizeof prefix - 1) != 0)
		return "does not begin with valise-join:; give the line that `valise-pki invite` "
		       "printed";
	why =
	    decode_base64(text + sizeof prefix - 1, bytes - (sizeof prefix - 1), body, &body_bytes);
	if (!why)
		why = check_body(body, body_bytes, out);
	if (!why && !is_written_so(out, text, bytes))
		why = changed;
	bytes_wipe(body, sizeof body);
	return why;
}

bool
join_line_decode(struct join_line *out, const char *text, size_t bytes, const char **why)
{
	char squeezed[JOIN_LINE_TEXT];
	size_t used = squeeze(squeezed, text, bytes);

	*out = (struct join_line){ 0 };
	if (used)
		*why = read_line(squeezed, used, out);
	else
		*why =
		    bytes < JOIN_LINE_TEXT ? "is empty" : "is longer than any that is known here";
	bytes_wipe(squeezed, sizeof squeezed);
	if (*why)
		join_line_wipe(out);
	return !*why;
}

void
join_line_wipe(struct join_line *line)
{
	bytes_wipe(line, sizeof *line);
}
