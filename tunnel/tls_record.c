/*
 * Follows the borders of records as the bytes pass on their way to GnuTLS, which does not
 * tell them.
 */
#include <string.h>

#include "tunnel/tls_private.h"

enum { HEADER = sizeof((struct tls_record *)0)->header, ALERT = 21 };

static size_t
body_bytes(const struct tls_record *r)
{
	return (size_t)r->header[3] << 8 | r->header[4];
}

static size_t
follow_header(struct tls_record *r, const uint8_t *data, size_t bytes)
{
	size_t missing = HEADER - r->at, piece = bytes < missing ? bytes : missing;
	memcpy(r->header + r->at, data, piece);
	r->at += (uint8_t)piece;
	if (r->at == HEADER)
		r->left = (uint32_t)body_bytes(r);
	return piece;
}

static size_t
follow_body(struct tls_record *r, const uint8_t *data, size_t bytes)
{
	size_t at = body_bytes(r) - r->left, piece = bytes < r->left ? bytes : r->left;
	for (size_t i = 0; i < piece && at + i < sizeof r->body; i++)
		r->body[at + i] = data[i];
	r->left -= (uint32_t)piece;
	r->bodies += (uint32_t)piece;
	return piece;
}

void
tls_record_follow(struct tls_record *r, const uint8_t *data, size_t bytes)
{
	while (bytes > 0) {
		if (r->at == HEADER && r->left == 0)
			r->at = 0;
		size_t piece =
		    r->at < HEADER ? follow_header(r, data, bytes) : follow_body(r, data, bytes);
		data += piece;
		bytes -= piece;
	}
}

bool
tls_record_is_whole(const struct tls_record *r)
{
	return r->left == 0 && (r->at == 0 || r->at == HEADER);
}

size_t
tls_record_begun(const struct tls_record *r)
{
	bool has_body = r->at == HEADER && r->left > 0;
	return tls_record_is_whole(r) ? 0 : has_body ? HEADER + body_bytes(r) - r->left : r->at;
}

int
tls_record_plain_alert(const struct tls_record *r)
{
	bool is_one = r->at == HEADER && r->left == 0 && r->header[0] == ALERT &&
	    body_bytes(r) == sizeof r->body;
	return is_one ? r->body[1] : -1;
}
