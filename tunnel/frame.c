/* The layouts of all frames: one encoder and one decoder each, and the facts behind them. */
#include "tunnel/frame.h"

#include <assert.h>
#include <string.h>
#include "tunnel/address_facts.h"
#include "tunnel/frame_private.h"

const char *const carrier_words[] = {
	[CARRIER_SEALED] = "sealed",
	[CARRIER_HANDOFF] = "handoff",
	NULL,
};

const char *const balance_words[] = {
	[BALANCE_LEAST] = "least",
	[BALANCE_SOURCE] = "source",
	NULL,
};

const char *
carrier_word(enum carrier carrier)
{
	return carrier <= CARRIER_HANDOFF ? carrier_words[carrier] : NULL;
}

struct writer
frame_begin(uint8_t *out, enum frame_type type)
{
	struct writer w = writer_over(out, FRAME_BYTES);
	writer_u16(&w, 0);
	writer_u8(&w, (uint8_t)type);
	return w;
}

size_t
frame_end(struct writer *w)
{
	assert(!w->failed);
	size_t length = w->bytes - 2;
	w->start[0] = (uint8_t)(length >> 8);
	w->start[1] = (uint8_t)length;
	return w->bytes;
}

void
frame_text(struct writer *w, const char *string, size_t storage)
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

/* ---- the facts that a frame ends in ---- */

static const struct fact_row no_facts[] = { { 0, NULL } };

static enum frame_sense
read_facts(struct cursor *in, const struct fact_row *rows, struct facts *out)
{
	bool is_understood;
	if (!facts_read(in, rows, out, &is_understood))
		return FRAME_WRONG;
	return is_understood ? FRAME_FINE : FRAME_NOT_UNDERSTOOD;
}

/* Reads the end of a frame that has facts from version 2 on. */
static enum frame_sense
read_end(struct cursor *in, unsigned version, const struct fact_row *rows, struct facts *out)
{
	if (version >= PROTOCOL_FACTS)
		return read_facts(in, rows, out);
	*out = (struct facts){ 0 };
	return cursor_end(in) ? FRAME_FINE : FRAME_WRONG;
}

static void
write_end(struct writer *w, unsigned version, struct facts facts)
{
	if (version >= PROTOCOL_FACTS && facts.bytes > 0)
		writer_bytes(w, facts.at, facts.bytes);
}

/* ---- frames ---- */

size_t
frame_encode_hello(uint8_t *out, const struct frame_hello *hello)
{
	struct writer w = frame_begin(out, FRAME_HELLO);
	writer_u8(&w, hello->oldest);
	writer_u8(&w, hello->newest);
	writer_u32(&w, hello->features);
	frame_text(&w, hello->software, sizeof hello->software);
	writer_bytes(&w, hello->instance, INSTANCE_BYTES);
	writer_bytes(&w, hello->start, START_BYTES);
	frame_text(&w, hello->region, sizeof hello->region);
	writer_u32(&w, hello->heartbeat_ms);
	assert(hello->label_count <= LABELS_MOST);
	writer_u8(&w, hello->label_count);
	for (unsigned i = 0; i < hello->label_count; i++) {
		frame_text(&w, hello->labels[i].key, sizeof hello->labels[i].key);
		frame_text(&w, hello->labels[i].value, sizeof hello->labels[i].value);
	}
	write_end(&w, hello->oldest, hello->facts);
	return frame_end(&w);
}

static bool
is_digest(struct cursor value)
{
	return cursor_bytes(&value, RESUME_BYTES) && cursor_end(&value);
}

static bool
is_empty(struct cursor value)
{
	return cursor_end(&value);
}

static const struct fact_row hello_facts[] = {
	{ FACT_DRY_RUN, is_empty },
	{ FACT_RESUME, is_digest },
	{ 0, NULL },
};

enum frame_sense
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
	if (out->label_count > LABELS_MOST || out->oldest < 1 || out->oldest > out->newest)
		return FRAME_WRONG;
	for (unsigned i = 0; i < out->label_count; i++) {
		cursor_text8(&in, out->labels[i].key, sizeof out->labels[i].key);
		cursor_text8(&in, out->labels[i].value, sizeof out->labels[i].value);
	}
	return read_end(&in, out->oldest, hello_facts, &out->facts);
}

size_t
frame_encode_facts(uint8_t *out, const struct frame_hello *hello)
{
	struct writer w = frame_begin(out, FRAME_FACTS);
	write_end(&w, PROTOCOL_FACTS, hello->facts);
	return frame_end(&w);
}

enum frame_sense
frame_decode_facts(struct cursor in, struct frame_hello *out)
{
	return read_facts(&in, hello_facts, &out->facts);
}

static struct facts
welcome_facts_of(uint8_t storage[FRAME_BYTES], const struct frame_welcome *welcome)
{
	const uint32_t frames = htonl(welcome->frames_per_second);
	const uint64_t clock = htobe64((uint64_t)welcome->clock_s);
	struct writer w = writer_over(storage, FRAME_BYTES);
	write_end(&w, PROTOCOL_FACTS, welcome->facts);
	if (frames > 0)
		facts_put(&w, FACT_FRAMES_PER_SECOND, &frames, sizeof frames);
	if (welcome->clock_s != 0)
		facts_put(&w, FACT_CLOCK, &clock, sizeof clock);
	if (welcome->is_resuming)
		facts_put(&w, FACT_RESUMING, "", 0);
	if (welcome->takes_withdraw_many)
		facts_put(&w, FACT_WITHDRAW_MANY, "", 0);
	assert(!w.failed);
	return facts_of(&w);
}

size_t
frame_encode_welcome(uint8_t *out, const struct frame_welcome *welcome)
{
	uint8_t storage[FRAME_BYTES];
	struct writer w = frame_begin(out, FRAME_WELCOME);
	writer_u8(&w, welcome->version);
	writer_u32(&w, welcome->features);
	writer_bytes(&w, welcome->session_id, SESSION_ID_BYTES);
	frame_text(&w, welcome->relay, sizeof welcome->relay);
	writer_u16(&w, welcome->pool_least);
	writer_u16(&w, welcome->pool_most);
	writer_u32(&w, welcome->heartbeat_ms);
	writer_u32(&w, welcome->tolerance_ms);
	write_end(&w, welcome->version, welcome_facts_of(storage, welcome));
	return frame_end(&w);
}

static bool
is_budget(struct cursor value)
{
	uint32_t frames = cursor_u32(&value);
	return cursor_end(&value) && frames > 0;
}

static bool
is_clock(struct cursor value)
{
	cursor_u64(&value);
	return cursor_end(&value);
}

static bool
is_place(struct cursor value)
{
	cursor_u16(&value);
	return cursor_end(&value);
}

static const struct fact_row welcome_facts[] = {
	{ FACT_FRAMES_PER_SECOND, is_budget },
	{ FACT_CLOCK, is_clock },
	{ FACT_PLACE, is_place },
	{ FACT_RESUMING, is_empty },
	{ FACT_WITHDRAW_MANY, is_empty },
	{ 0, NULL },
};

static void
read_welcome_facts(struct frame_welcome *out)
{
	struct cursor value;
	out->frames_per_second = 0;
	if (facts_find(out->facts, FACT_FRAMES_PER_SECOND, &value))
		out->frames_per_second = cursor_u32(&value);
	out->is_resuming = facts_find(out->facts, FACT_RESUMING, &value);
	out->takes_withdraw_many = facts_find(out->facts, FACT_WITHDRAW_MANY, &value);
	out->clock_s = facts_find(out->facts, FACT_CLOCK, &value) ? (int64_t)cursor_u64(&value) : 0;
}

enum frame_sense
frame_decode_welcome(struct cursor in, struct frame_welcome *out)
{
	enum frame_sense sense;
	out->version = cursor_u8(&in);
	out->features = cursor_u32(&in);
	cursor_copy(&in, out->session_id, SESSION_ID_BYTES);
	cursor_text8(&in, out->relay, sizeof out->relay);
	out->pool_least = cursor_u16(&in);
	out->pool_most = cursor_u16(&in);
	out->heartbeat_ms = cursor_u32(&in);
	out->tolerance_ms = cursor_u32(&in);
	if (out->pool_least > out->pool_most || out->heartbeat_ms == 0)
		return FRAME_WRONG;
	sense = read_end(&in, out->version, welcome_facts, &out->facts);
	if (sense != FRAME_WRONG)
		read_welcome_facts(out);
	return sense;
}

static void
write_announce(struct writer *w, const struct frame_announce *announce)
{
	writer_u32(w, announce->endpoint);
	writer_u8(w, announce->carriers);
	writer_u16(w, announce->weight);
	frame_text(w, announce->server_name, sizeof announce->server_name);
	frame_text(w, announce->name, sizeof announce->name);
}

size_t
frame_encode_announce(uint8_t *out, unsigned version, const struct frame_announce *announce)
{
	struct writer w = frame_begin(out, FRAME_ANNOUNCE);
	write_announce(&w, announce);
	write_end(&w, version, announce->facts);
	return frame_end(&w);
}

_Static_assert(
    FRAME_HEADER + 2 + 7 + NAME_TEXT + SHORT_TEXT + ADDRESS_FACTS_BYTES + 2 * FACT_OCTET_BYTES <=
	FRAME_BYTES,
    "an announcement in a frame of several has room for its lists");

static bool
is_endpoint(struct cursor value)
{
	uint32_t number = cursor_u32(&value);
	return cursor_end(&value) && number != 0;
}

static const struct fact_row announce_facts[] = {
	{ FACT_PENDING, is_endpoint },
	{ FACT_ALLOW, address_facts_are_well_formed },
	{ FACT_DENY, address_facts_are_well_formed },
	{ FACT_BALANCE, facts_octet_is_well_formed },
	{ FACT_PRIORITY, facts_octet_is_well_formed },
	{ 0, NULL },
};

enum frame_sense
frame_decode_announce(struct cursor in, unsigned version, struct frame_announce *out)
{
	enum frame_sense sense;
	out->endpoint = cursor_u32(&in);
	out->carriers = cursor_u8(&in);
	out->weight = cursor_u16(&in);
	cursor_text8(&in, out->server_name, sizeof out->server_name);
	cursor_text8(&in, out->name, sizeof out->name);
	if (out->endpoint == 0 || out->weight < 1 || out->weight > 1000)
		return FRAME_WRONG;
	sense = read_end(&in, version, announce_facts, &out->facts);
	if (sense != FRAME_WRONG && address_facts_count(out->facts) > ADDRESS_RULES_MOST)
		return FRAME_WRONG;
	return sense;
}

/* Withdraw and accepted have the number of an endpoint and nothing else. */
static size_t
encode_endpoint(uint8_t *out, enum frame_type type, uint32_t endpoint)
{
	struct writer w = frame_begin(out, type);
	writer_u32(&w, endpoint);
	return frame_end(&w);
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
	struct writer w = frame_begin(out, FRAME_REFUSED);
	writer_u32(&w, refused->endpoint);
	writer_u16(&w, (uint16_t)refused->code);
	frame_text(&w, refused->sentence, sizeof refused->sentence);
	return frame_end(&w);
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
	struct writer w = frame_begin(out, type);
	writer_u32(&w, ping->sequence);
	writer_u64(&w, ping->sent_at_us);
	return frame_end(&w);
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
	struct writer w = frame_begin(out, FRAME_NEED);
	writer_u16(&w, need->channels);
	return frame_end(&w);
}

bool
frame_decode_need(struct cursor in, struct frame_need *out)
{
	out->channels = cursor_u16(&in);
	return cursor_end(&in);
}

size_t
frame_encode_drain(uint8_t *out, unsigned version, const struct frame_drain *drain)
{
	struct writer w = frame_begin(out, FRAME_DRAIN);
	writer_u32(&w, drain->deadline_ms);
	write_end(&w, version, drain->facts);
	return frame_end(&w);
}

static const struct fact_row drain_facts[] = {
	{ FACT_MOVE, is_empty },
	{ 0, NULL },
};

enum frame_sense
frame_decode_drain(struct cursor in, unsigned version, struct frame_drain *out)
{
	out->deadline_ms = cursor_u32(&in);
	return read_end(&in, version, drain_facts, &out->facts);
}

static size_t
encode_farewell(uint8_t *out, enum frame_type type, const struct frame_goodbye *goodbye)
{
	struct writer w = frame_begin(out, type);
	writer_u16(&w, (uint16_t)goodbye->code);
	frame_text(&w, goodbye->sentence, sizeof goodbye->sentence);
	return frame_end(&w);
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
frame_encode_open(uint8_t *out, unsigned version, const struct frame_open *open)
{
	struct writer w = frame_begin(out, FRAME_OPEN);
	writer_bytes(&w, open->flow_id, FLOW_ID_BYTES);
	writer_u32(&w, open->endpoint);
	frame_text(&w, open->server_name, sizeof open->server_name);
	encode_address(&w, &open->client);
	encode_address(&w, &open->listener);
	writer_u8(&w, (uint8_t)open->carrier);
	writer_u32(&w, open->hello_bytes);
	write_end(&w, version, open->facts);
	return frame_end(&w);
}

enum frame_sense
frame_decode_open(struct cursor in, unsigned version, struct frame_open *out)
{
	cursor_copy(&in, out->flow_id, FLOW_ID_BYTES);
	out->endpoint = cursor_u32(&in);
	cursor_text8(&in, out->server_name, sizeof out->server_name);
	if (!decode_address(&in, &out->client) || !decode_address(&in, &out->listener))
		return FRAME_WRONG;
	out->carrier = cursor_u8(&in);
	out->hello_bytes = cursor_u32(&in);
	if (out->endpoint == 0 || out->hello_bytes > HELLO_BYTES_MOST)
		return FRAME_WRONG;
	return read_end(&in, version, no_facts, &out->facts);
}

size_t
frame_encode_ready(uint8_t *out, unsigned version, const struct frame_ready *ready)
{
	struct writer w = frame_begin(out, FRAME_READY);
	write_end(&w, version, ready->facts);
	return frame_end(&w);
}

enum frame_sense
frame_decode_ready(struct cursor in, unsigned version, struct frame_ready *out)
{
	return read_end(&in, version, no_facts, &out->facts);
}

size_t
frame_encode_working(uint8_t *out)
{
	struct writer w = frame_begin(out, FRAME_WORKING);
	return frame_end(&w);
}

bool
frame_decode_working(struct cursor in)
{
	return cursor_end(&in);
}

size_t
frame_encode_again(uint8_t *out, const struct frame_again *again)
{
	struct writer w = frame_begin(out, FRAME_AGAIN);
	writer_u16(&w, (uint16_t)again->code);
	return frame_end(&w);
}

bool
frame_decode_again(struct cursor in, struct frame_again *out)
{
	out->code = cursor_u16(&in);
	return cursor_end(&in);
}

size_t
frame_encode_resumed(uint8_t *out, const struct frame_resumed *resumed)
{
	struct writer w = frame_begin(out, FRAME_RESUMED);
	writer_u8(&w, resumed->is_resumed);
	return frame_end(&w);
}

bool
frame_decode_resumed(struct cursor in, struct frame_resumed *out)
{
	uint8_t word = cursor_u8(&in);
	out->is_resumed = word != 0;
	return word <= 1 && cursor_end(&in);
}

size_t
frame_encode_unable(uint8_t *out)
{
	struct writer w = frame_begin(out, FRAME_UNABLE);
	return frame_end(&w);
}

bool
frame_decode_unable(struct cursor in)
{
	return cursor_end(&in);
}
