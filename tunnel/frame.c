#include "tunnel/frame.h"

#include <assert.h>
#include <string.h>

/* An encoder writes its body behind room for the header; this fills the header in. */
static struct writer
begin(uint8_t *out, enum frame_type type)
{
	struct writer w = writer_over(out, FRAME_BYTES);
	writer_u16(&w, 0);
	writer_u8(&w, (uint8_t)type);
	return w;
}

static size_t
end(struct writer *w)
{
	assert(!w->failed);
	size_t length = w->bytes - 2;
	w->start[0] = (uint8_t)(length >> 8);
	w->start[1] = (uint8_t)length;
	return w->bytes;
}

/* The storage of a text bounds it on both ends, so what we could encode the peer can decode. */
static void
text(struct writer *w, const char *string, size_t storage)
{
	assert(memchr(string, 0, storage));
	if (storage <= 256)
		writer_text8(w, string);
	else
		writer_text16(w, string);
}

enum frame_verdict
frame_next(const uint8_t *data, size_t data_bytes, struct frame *out)
{
	if (data_bytes < 2)
		return FRAME_INCOMPLETE;
	size_t length = (size_t)data[0] << 8 | data[1];
	if (length < 1 || length > FRAME_MOST)
		return FRAME_MALFORMED;
	if (data_bytes < 2 + length)
		return FRAME_INCOMPLETE;
	out->type = data[2];
	out->body = data + FRAME_HEADER;
	out->body_bytes = length - 1;
	out->bytes = 2 + length;
	return FRAME_COMPLETE;
}

size_t
frame_encode_hello(uint8_t *out, const struct frame_hello *hello)
{
	struct writer w = begin(out, FRAME_HELLO);
	writer_u8(&w, hello->oldest);
	writer_u8(&w, hello->newest);
	writer_u32(&w, hello->features);
	text(&w, hello->software, sizeof hello->software);
	writer_bytes(&w, hello->instance, INSTANCE_BYTES);
	writer_bytes(&w, hello->start, START_BYTES);
	text(&w, hello->region, sizeof hello->region);
	writer_u32(&w, hello->heartbeat_ms);
	assert(hello->label_count <= LABELS_MOST);
	writer_u8(&w, hello->label_count);
	for (unsigned i = 0; i < hello->label_count; i++) {
		text(&w, hello->labels[i].key, sizeof hello->labels[i].key);
		text(&w, hello->labels[i].value, sizeof hello->labels[i].value);
	}
	return end(&w);
}

bool
frame_decode_hello(struct cursor in, struct frame_hello *out)
{
	out->oldest = cursor_u8(&in);
	out->newest = cursor_u8(&in);
	out->features = cursor_u32(&in);
	cursor_text8(&in, out->software, sizeof out->software);
	cursor_copy(&in, out->instance, INSTANCE_BYTES);
	cursor_copy(&in, out->start, START_BYTES);
	cursor_text8(&in, out->region, sizeof out->region);
	out->heartbeat_ms = cursor_u32(&in);
	out->label_count = cursor_u8(&in);
	if (out->label_count > LABELS_MOST)
		return false;
	for (unsigned i = 0; i < out->label_count; i++) {
		cursor_text8(&in, out->labels[i].key, sizeof out->labels[i].key);
		cursor_text8(&in, out->labels[i].value, sizeof out->labels[i].value);
	}
	return cursor_end(&in) && out->oldest >= 1 && out->oldest <= out->newest;
}

size_t
frame_encode_welcome(uint8_t *out, const struct frame_welcome *welcome)
{
	struct writer w = begin(out, FRAME_WELCOME);
	writer_u8(&w, welcome->version);
	writer_u32(&w, welcome->features);
	writer_bytes(&w, welcome->session_id, SESSION_ID_BYTES);
	text(&w, welcome->relay, sizeof welcome->relay);
	writer_u16(&w, welcome->pool_least);
	writer_u16(&w, welcome->pool_most);
	writer_u32(&w, welcome->heartbeat_ms);
	writer_u32(&w, welcome->tolerance_ms);
	return end(&w);
}

bool
frame_decode_welcome(struct cursor in, struct frame_welcome *out)
{
	out->version = cursor_u8(&in);
	out->features = cursor_u32(&in);
	cursor_copy(&in, out->session_id, SESSION_ID_BYTES);
	cursor_text8(&in, out->relay, sizeof out->relay);
	out->pool_least = cursor_u16(&in);
	out->pool_most = cursor_u16(&in);
	out->heartbeat_ms = cursor_u32(&in);
	out->tolerance_ms = cursor_u32(&in);
	return cursor_end(&in) && out->pool_least <= out->pool_most && out->heartbeat_ms > 0;
}

size_t
frame_encode_announce(uint8_t *out, const struct frame_announce *announce)
{
	struct writer w = begin(out, FRAME_ANNOUNCE);
	writer_u32(&w, announce->endpoint);
	writer_u8(&w, announce->carriers);
	writer_u16(&w, announce->weight);
	text(&w, announce->server_name, sizeof announce->server_name);
	text(&w, announce->name, sizeof announce->name);
	return end(&w);
}

bool
frame_decode_announce(struct cursor in, struct frame_announce *out)
{
	out->endpoint = cursor_u32(&in);
	out->carriers = cursor_u8(&in);
	out->weight = cursor_u16(&in);
	cursor_text8(&in, out->server_name, sizeof out->server_name);
	cursor_text8(&in, out->name, sizeof out->name);
	return cursor_end(&in) && out->endpoint != 0 && out->weight >= 1 && out->weight <= 1000;
}

/* Withdraw and accepted: an endpoint's number and nothing else. */
static size_t
encode_endpoint(uint8_t *out, enum frame_type type, uint32_t endpoint)
{
	struct writer w = begin(out, type);
	writer_u32(&w, endpoint);
	return end(&w);
}

static bool
decode_endpoint(struct cursor in, uint32_t *endpoint)
{
	*endpoint = cursor_u32(&in);
	return cursor_end(&in) && *endpoint != 0;
}

size_t
frame_encode_withdraw(uint8_t *out, const struct frame_withdraw *withdraw)
{
	return encode_endpoint(out, FRAME_WITHDRAW, withdraw->endpoint);
}

bool
frame_decode_withdraw(struct cursor in, struct frame_withdraw *out)
{
	return decode_endpoint(in, &out->endpoint);
}

size_t
frame_encode_accepted(uint8_t *out, const struct frame_accepted *accepted)
{
	return encode_endpoint(out, FRAME_ACCEPTED, accepted->endpoint);
}

bool
frame_decode_accepted(struct cursor in, struct frame_accepted *out)
{
	return decode_endpoint(in, &out->endpoint);
}

size_t
frame_encode_refused(uint8_t *out, const struct frame_refused *refused)
{
	struct writer w = begin(out, FRAME_REFUSED);
	writer_u32(&w, refused->endpoint);
	writer_u16(&w, (uint16_t)refused->code);
	text(&w, refused->sentence, sizeof refused->sentence);
	return end(&w);
}

bool
frame_decode_refused(struct cursor in, struct frame_refused *out)
{
	out->endpoint = cursor_u32(&in);
	out->code = cursor_u16(&in);
	cursor_text16(&in, out->sentence, sizeof out->sentence);
	return cursor_end(&in);
}

static size_t
encode_ping(uint8_t *out, enum frame_type type, const struct frame_ping *ping)
{
	struct writer w = begin(out, type);
	writer_u32(&w, ping->sequence);
	writer_u64(&w, ping->sent_at_us);
	return end(&w);
}

size_t
frame_encode_ping(uint8_t *out, const struct frame_ping *ping)
{
	return encode_ping(out, FRAME_PING, ping);
}

size_t
frame_encode_pong(uint8_t *out, const struct frame_ping *pong)
{
	return encode_ping(out, FRAME_PONG, pong);
}

bool
frame_decode_ping(struct cursor in, struct frame_ping *out)
{
	out->sequence = cursor_u32(&in);
	out->sent_at_us = cursor_u64(&in);
	return cursor_end(&in);
}

size_t
frame_encode_need(uint8_t *out, const struct frame_need *need)
{
	struct writer w = begin(out, FRAME_NEED);
	writer_u16(&w, need->channels);
	return end(&w);
}

bool
frame_decode_need(struct cursor in, struct frame_need *out)
{
	out->channels = cursor_u16(&in);
	return cursor_end(&in);
}

size_t
frame_encode_drain(uint8_t *out, const struct frame_drain *drain)
{
	struct writer w = begin(out, FRAME_DRAIN);
	writer_u32(&w, drain->deadline_ms);
	return end(&w);
}

bool
frame_decode_drain(struct cursor in, struct frame_drain *out)
{
	out->deadline_ms = cursor_u32(&in);
	return cursor_end(&in);
}

static size_t
encode_farewell(uint8_t *out, enum frame_type type, const struct frame_goodbye *goodbye)
{
	struct writer w = begin(out, type);
	writer_u16(&w, (uint16_t)goodbye->code);
	text(&w, goodbye->sentence, sizeof goodbye->sentence);
	return end(&w);
}

size_t
frame_encode_goodbye(uint8_t *out, const struct frame_goodbye *goodbye)
{
	return encode_farewell(out, FRAME_GOODBYE, goodbye);
}

size_t
frame_encode_fail(uint8_t *out, const struct frame_goodbye *fail)
{
	return encode_farewell(out, FRAME_FAIL, fail);
}

bool
frame_decode_goodbye(struct cursor in, struct frame_goodbye *out)
{
	out->code = cursor_u16(&in);
	cursor_text16(&in, out->sentence, sizeof out->sentence);
	return cursor_end(&in);
}

/* Family (4 or 6; 0 when there is none to tell, as with a client on a local socket), address,
 * port. */
static void
encode_address(struct writer *w, const struct address *address)
{
	bool is_v4 = address->bytes && address->as.any.sa_family == AF_INET;
	bool is_v6 = address->bytes && address->as.any.sa_family == AF_INET6;
	writer_u8(w, is_v4 ? 4 : is_v6 ? 6 : 0);
	if (is_v4)
		writer_bytes(w, &address->as.v4.sin_addr, 4);
	if (is_v6)
		writer_bytes(w, &address->as.v6.sin6_addr, 16);
	if (is_v4 || is_v6)
		writer_u16(w, address_port(address));
}

static bool
decode_address(struct cursor *in, struct address *out)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	*out = (struct address){ 0 };
	switch (cursor_u8(in)) {
	case 0:
		return true;
	case 4:
		cursor_copy(in, &v4.sin_addr, 4);
		v4.sin_port = htons(cursor_u16(in));
		address_from(out, (const struct sockaddr *)&v4, sizeof v4);
		return true;
	case 6:
		cursor_copy(in, &v6.sin6_addr, 16);
		v6.sin6_port = htons(cursor_u16(in));
		address_from(out, (const struct sockaddr *)&v6, sizeof v6);
		/* IPv4-mapped is to be sent as IPv4 */
		return out->as.any.sa_family == AF_INET6;
	}
	return false;
}

size_t
frame_encode_open(uint8_t *out, const struct frame_open *open)
{
	struct writer w = begin(out, FRAME_OPEN);
	writer_bytes(&w, open->flow_id, FLOW_ID_BYTES);
	writer_u32(&w, open->endpoint);
	text(&w, open->server_name, sizeof open->server_name);
	encode_address(&w, &open->client);
	encode_address(&w, &open->listener);
	writer_u8(&w, (uint8_t)open->carrier);
	writer_u32(&w, open->hello_bytes);
	return end(&w);
}

bool
frame_decode_open(struct cursor in, struct frame_open *out)
{
	cursor_copy(&in, out->flow_id, FLOW_ID_BYTES);
	out->endpoint = cursor_u32(&in);
	cursor_text8(&in, out->server_name, sizeof out->server_name);
	if (!decode_address(&in, &out->client) || !decode_address(&in, &out->listener))
		return false;
	out->carrier = cursor_u8(&in);
	out->hello_bytes = cursor_u32(&in);
	return cursor_end(&in) && out->endpoint != 0 && out->hello_bytes <= HELLO_BYTES_MOST;
}

size_t
frame_encode_ready(uint8_t *out)
{
	struct writer w = begin(out, FRAME_READY);
	return end(&w);
}

bool
frame_decode_ready(struct cursor in)
{
	return cursor_end(&in);
}
