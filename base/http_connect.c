/* The request, and a reader of lines for the head of its answer. */
#include "base/http_connect.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <nettle/base64.h>

/* ---- the request ---- */

/* "name:password" as Basic wants it (RFC 7617); returns its length, 0 if memory is short. */
static size_t
append_basic(char *out, const char *username, const struct secret *password)
{
	size_t name_bytes = strlen(username), bytes = name_bytes + 1 + password->bytes;
	uint8_t *plain = malloc(bytes);

	if (!plain)
		return 0;
	memcpy(plain, username, name_bytes);
	plain[name_bytes] = ':';
	if (password->bytes > 0)
		memcpy(plain + name_bytes + 1, password->data, password->bytes);
	base64_encode_raw(out, bytes, plain);
	bytes_wipe(plain, bytes);
	free(plain);
	return BASE64_ENCODE_RAW_LENGTH(bytes);
}

size_t
http_connect_encode(uint8_t out[HTTP_CONNECT_REQUEST], const char *target, const char *username,
    const struct secret *password)
{
	static const char basic[] = "Proxy-Authorization: Basic ", end[] = "\r\n\r\n";
	char *text = (char *)out;
	size_t used = (size_t)snprintf(text, HTTP_CONNECT_REQUEST,
	    "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: valise/" VALISE_VERSION, target,
	    target);
	size_t coded =
	    username ? BASE64_ENCODE_RAW_LENGTH(strlen(username) + 1 + password->bytes) : 0;

	if (used + strlen("\r\n") + strlen(basic) + coded + sizeof end > HTTP_CONNECT_REQUEST)
		return 0;
	if (username) {
		used += (size_t)snprintf(text + used, HTTP_CONNECT_REQUEST - used, "\r\n%s", basic);
		coded = append_basic(text + used, username, password);
		if (coded == 0)
			return 0;
		used += coded;
	}
	memcpy(text + used, end, strlen(end));
	return used + strlen(end);
}

/* ---- the answer ---- */

struct line {
	const char *at;
	size_t bytes;
};

/* The next line, without its end (RFC 9112, 2.2: a bare LF is one, too).  False: it is not whole. */
static bool
take_line(struct line *rest, struct line *out)
{
	const char *end = rest->bytes > 0 ? memchr(rest->at, '\n', rest->bytes) : NULL;

	if (!end)
		return false;
	out->at = rest->at;
	out->bytes = (size_t)(end - rest->at);
	rest->bytes -= out->bytes + 1;
	rest->at = end + 1;
	if (out->bytes > 0 && out->at[out->bytes - 1] == '\r')
		out->bytes--;
	return true;
}

static bool
is_text(const struct line *line)
{
	for (size_t i = 0; i < line->bytes; i++)
		if (((unsigned char)line->at[i] < 0x20 && line->at[i] != '\t') ||
		    line->at[i] == 0x7f)
			return false;
	return true;
}

/* Whether these bytes may be the beginning of a status line, as far as they go. */
static bool
may_be_http(const uint8_t *data, size_t bytes)
{
	static const char begins[] = "HTTP/1.";

	return memcmp(data, begins, bytes < strlen(begins) ? bytes : strlen(begins)) == 0;
}

static void
copy_printable(char *out, size_t room, const char *text, size_t bytes)
{
	size_t i = 0;

	for (; i < bytes && i + 1 < room; i++)
		out[i] =
		    (char)(isascii(text[i]) && isprint((unsigned char)text[i]) ? text[i] : '?');
	out[i] = '\0';
}

/* "HTTP/1.1 200 Connection established" (RFC 9112, 4); there are some without the last blank. */
static bool
read_status(const struct line *line, struct http_connect_answer *out)
{
	enum { VERSION = 8, CODE = 3, BEHIND = VERSION + 1 + CODE };
	const char *at = line->at;

	if (line->bytes < BEHIND || !isdigit((unsigned char)at[VERSION - 1]) ||
	    at[VERSION] != ' ' || (line->bytes > BEHIND && at[BEHIND] != ' '))
		return false;
	for (size_t i = 0; i < CODE; i++) {
		if (!isdigit((unsigned char)at[VERSION + 1 + i]))
			return false;
		out->status = out->status * 10 + (unsigned)(at[VERSION + 1 + i] - '0');
	}
	if (line->bytes > BEHIND)
		copy_printable(
		    out->reason, sizeof out->reason, at + BEHIND + 1, line->bytes - BEHIND - 1);
	return out->status >= 100 && out->status < 600;
}

static bool
is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* The first word of the value is the scheme; others that follow in the same line are parameters, mostly. */
static void
note_scheme(struct http_connect_answer *out, const char *value, size_t bytes)
{
	size_t used = strlen(out->schemes), length = 0;

	while (bytes > 0 && is_blank(*value)) {
		value++;
		bytes--;
	}
	while (length < bytes && (isalnum((unsigned char)value[length]) || value[length] == '-'))
		length++;
	if (length == 0)
		return;
	if (length == strlen("Basic") && strncasecmp(value, "Basic", length) == 0)
		out->offers_basic = true;
	snprintf(out->schemes + used, sizeof out->schemes - used, "%s%.*s", used > 0 ? ", " : "",
	    (int)length, value);
}

/* A header, or the rest of one (obsolete, and skipped). */
static bool
read_header(const struct line *line, struct http_connect_answer *out)
{
	static const char authenticate[] = "Proxy-Authenticate";
	const char *colon;
	size_t name_bytes;

	if (is_blank(line->at[0]))
		return true;
	colon = memchr(line->at, ':', line->bytes);
	if (!colon || colon == line->at)
		return false;
	name_bytes = (size_t)(colon - line->at);
	if (name_bytes == strlen(authenticate) &&
	    strncasecmp(line->at, authenticate, name_bytes) == 0)
		note_scheme(out, colon + 1, line->bytes - name_bytes - 1);
	return true;
}

static enum http_connect_verdict
refuse(struct http_connect_answer *out, const char *why)
{
	*out = (struct http_connect_answer){ .fault = why };
	return HTTP_CONNECT_MALFORMED;
}

enum http_connect_verdict
http_connect_decode(const uint8_t *data, size_t bytes, struct http_connect_answer *out)
{
	struct line rest = { (const char *)data, bytes }, line;
	bool is_first = true;

	*out = (struct http_connect_answer){ 0 };
	if (bytes > 0 && !may_be_http(data, bytes))
		return refuse(out, "answers with something that is not HTTP");
	while (take_line(&rest, &line)) {
		if (!is_text(&line))
			return refuse(out, "answers with control characters in the head");
		if (is_first && !read_status(&line, out))
			return refuse(out, "answers with a status line that is not valid");
		if (!is_first && line.bytes == 0) {
			out->head_bytes = bytes - rest.bytes;
			return HTTP_CONNECT_COMPLETE;
		}
		if (!is_first && !read_header(&line, out))
			return refuse(out, "answers with a header that is not valid");
		is_first = false;
	}
	*out = (struct http_connect_answer){ 0 };
	return HTTP_CONNECT_INCOMPLETE;
}
