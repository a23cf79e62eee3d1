/* Orders and answers as octets, by one table of the texts of an order. */
#include "base/fetch_message.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/secret.h"

/* ---- buffers ---- */

static bool
make_room(struct fetch_buffer *buffer, size_t room)
{
	char *more = malloc(room);

	if (!more)
		return false;
	if (buffer->data) {
		memcpy(more, buffer->data, buffer->bytes);
		bytes_wipe(buffer->data, buffer->bytes);
	}
	free(buffer->data);
	buffer->data = more;
	buffer->room = room;
	return true;
}

bool
fetch_buffer_append(struct fetch_buffer *buffer, const void *data, size_t bytes)
{
	size_t room = buffer->room > 0 ? buffer->room : 1024;

	while (room < buffer->bytes + bytes + 1)
		room *= 2;
	if (room > buffer->room && !make_room(buffer, room))
		return false;
	if (bytes > 0)
		memcpy(buffer->data + buffer->bytes, data, bytes);
	buffer->bytes += bytes;
	buffer->data[buffer->bytes] = '\0';
	return true;
}

void
fetch_buffer_wipe(struct fetch_buffer *buffer)
{
	if (buffer->data)
		bytes_wipe(buffer->data, buffer->bytes);
	free(buffer->data);
	*buffer = (struct fetch_buffer){ 0 };
}

/* ---- values ---- */

static bool
put_u32(struct fetch_buffer *buffer, uint32_t number)
{
	number = htonl(number);
	return fetch_buffer_append(buffer, &number, sizeof number);
}

static bool
put_u64(struct fetch_buffer *buffer, uint64_t number)
{
	number = htobe64(number);
	return fetch_buffer_append(buffer, &number, sizeof number);
}

static bool
put_octets(struct fetch_buffer *buffer, const void *data, size_t bytes)
{
	return bytes <= UINT32_MAX && put_u32(buffer, (uint32_t)bytes) &&
	    fetch_buffer_append(buffer, data, bytes);
}

static bool
put_text(struct fetch_buffer *buffer, const char *text)
{
	return put_octets(buffer, text, text ? strlen(text) + 1 : 0);
}

static const void *
take_octets(struct cursor *in, size_t *bytes)
{
	*bytes = cursor_u32(in);
	return *bytes > 0 ? cursor_bytes(in, *bytes) : NULL;
}

static const char *
take_text(struct cursor *in)
{
	size_t bytes;
	const char *text = take_octets(in, &bytes);

	if (text && strnlen(text, bytes) != bytes - 1) {
		in->failed = true;
		return NULL;
	}
	return text;
}

/* ---- orders ---- */

#define AT(member) offsetof(struct fetch_order, member)

static const size_t texts[] = { AT(request.url), AT(request.content_type), AT(request.cas),
	AT(request.certificate), AT(request.private_key), AT(request.user), AT(request.password),
	AT(request.dial), AT(request.etag), AT(request.last_modified), AT(proxy_url),
	AT(proxy_user), AT(proxy_password), AT(proxy_cas), AT(contact_host) };

static bool
put_texts(struct fetch_buffer *buffer, const struct fetch_order *order)
{
	bool has_all = true;

	for (size_t i = 0; has_all && i < sizeof texts / sizeof *texts; i++)
		has_all = put_text(buffer, *(const char *const *)((const char *)order + texts[i]));
	return has_all;
}

static void
take_texts(struct cursor *in, struct fetch_order *order)
{
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		*(const char **)((char *)order + texts[i]) = take_text(in);
}

static bool
put_headers(struct fetch_buffer *buffer, const char *const *headers)
{
	uint32_t count = 0;
	bool has_all;

	while (headers && headers[count])
		count++;
	has_all = count <= FETCH_HEADERS_GIVEN && put_u32(buffer, count);
	for (uint32_t i = 0; has_all && i < count; i++)
		has_all = put_text(buffer, headers[i]);
	return has_all;
}

static void
take_headers(struct cursor *in, struct fetch_order *order)
{
	uint32_t count = cursor_u32(in);

	in->failed |= count > FETCH_HEADERS_GIVEN;
	for (uint32_t i = 0; !in->failed && i < count; i++) {
		order->headers[i] = take_text(in);
		in->failed |= !order->headers[i];
	}
	order->request.headers = order->headers;
}

bool
fetch_order_encode(struct fetch_buffer *buffer, const struct fetch_order *order)
{
	const struct fetch_request *request = &order->request;

	return put_u32(buffer, request->method) && put_u32(buffer, request->trust) &&
	    put_u32(buffer, request->wants_chain) && put_u32(buffer, order->contact_port) &&
	    put_u64(buffer, request->answer_most) && put_texts(buffer, order) &&
	    put_octets(buffer, request->body, request->body_bytes) &&
	    put_octets(buffer, request->pin, request->pin ? FETCH_PIN : 0) &&
	    put_headers(buffer, request->headers);
}

bool
fetch_order_finish(struct fetch_buffer *buffer, const char *addresses, uint64_t left_ms)
{
	return put_u64(buffer, left_ms) && put_text(buffer, addresses);
}

static bool
is_order(const struct fetch_order *order, uint32_t method, uint32_t trust, uint32_t port)
{
	return method <= FETCH_POST && trust <= FETCH_TRUST_NOBODY && port <= UINT16_MAX &&
	    order->request.url && order->contact_host &&
	    (trust != FETCH_TRUST_GIVEN || order->request.cas) &&
	    (trust != FETCH_TRUST_PIN || order->request.pin);
}

bool
fetch_order_decode(struct cursor in, struct fetch_order *out)
{
	struct fetch_request *request = &out->request;
	uint32_t method, trust, port;
	size_t pin_bytes;

	*out = (struct fetch_order){ 0 };
	method = cursor_u32(&in);
	trust = cursor_u32(&in);
	request->wants_chain = cursor_u32(&in) != 0;
	port = cursor_u32(&in);
	request->answer_most = cursor_u64(&in);
	take_texts(&in, out);
	request->body = take_octets(&in, &request->body_bytes);
	request->pin = take_octets(&in, &pin_bytes);
	take_headers(&in, out);
	request->deadline_ms = cursor_u64(&in);
	out->addresses = take_text(&in);
	if (!cursor_end(&in) || !is_order(out, method, trust, port) ||
	    (request->pin && pin_bytes != FETCH_PIN))
		return false;
	request->method = (enum fetch_method)method;
	request->trust = (enum fetch_trust)trust;
	out->contact_port = (uint16_t)port;
	return true;
}

/* ---- answers ---- */

bool
fetch_answer_encode(
    struct fetch_buffer *buffer, const struct fetch_answer *answer, size_t header_bytes)
{
	return put_u32(buffer, answer->outcome) && put_u32(buffer, answer->status) &&
	    put_text(buffer, answer->error) && put_text(buffer, answer->url) &&
	    put_octets(buffer, answer->headers, answer->headers ? header_bytes + 1 : 0) &&
	    put_octets(buffer, answer->body, answer->body_bytes) &&
	    fetch_buffer_append(buffer, "", 1) && put_text(buffer, answer->chain);
}

/* Lines with a NUL behind each, and one more behind the last. */
static const char *
take_lines(struct cursor *in)
{
	size_t bytes;
	const char *lines = take_octets(in, &bytes);

	if (lines && (lines[bytes - 1] != '\0' || (bytes > 1 && lines[bytes - 2] != '\0')))
		in->failed = true;
	return lines;
}

static bool
is_plain(const char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text >= 0x7f)
			return false;
	return true;
}

static bool
is_answer(const struct fetch_answer *answer, uint32_t outcome)
{
	return outcome <= FETCH_REFUSED && answer->url && answer->status <= 999 &&
	    (outcome == FETCH_ANSWERED) == !answer->error &&
	    (outcome == FETCH_ANSWERED) == (answer->status > 0) &&
	    (!answer->error || (strlen(answer->error) < FETCH_ERROR && is_plain(answer->error)));
}

bool
fetch_answer_decode(struct cursor in, struct fetch_answer *out)
{
	uint32_t outcome;

	*out = (struct fetch_answer){ 0 };
	outcome = cursor_u32(&in);
	out->status = cursor_u32(&in);
	out->error = take_text(&in);
	out->url = take_text(&in);
	out->headers = take_lines(&in);
	out->body_bytes = cursor_u32(&in);
	out->body = cursor_bytes(&in, out->body_bytes);
	in.failed |= cursor_u8(&in) != 0;
	out->chain = take_text(&in);
	if (!cursor_end(&in) || !is_answer(out, outcome))
		return false;
	out->outcome = (enum fetch_outcome)outcome;
	return true;
}

void
fetch_sentence(char out[FETCH_ERROR], const char *url, const char *format, ...)
{
	char text[FETCH_ERROR], quoted[FETCH_URL];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	log_quote(quoted, sizeof quoted, url, (unsigned)strnlen(url, sizeof quoted));
	snprintf(out, FETCH_ERROR, "%.300s: %.600s", quoted, text);
}
