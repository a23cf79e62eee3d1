/*
 * A stream of frames, cut and decoded.  Whatever is taken must be encodable
 * again (no assertion may fall), and there is one encoding only: what comes
 * out is what went in.
 */
#include <stdlib.h>
#include <string.h>

#include "tunnel/frame.h"

union any {
	struct frame_hello hello;
	struct frame_welcome welcome;
	struct frame_announce announce;
	struct frame_withdraw withdraw;
	struct frame_accepted accepted;
	struct frame_refused refused;
	struct frame_ping ping;
	struct frame_need need;
	struct frame_drain drain;
	struct frame_goodbye goodbye;
	struct frame_open open;
};

#define BOTH_WAYS(kind, name) \
	static bool decode_##kind(struct cursor in, union any *any) \
	{ \
		return frame_decode_##name(in, &any->name); \
	} \
	static size_t encode_##kind(uint8_t *out, const union any *any) \
	{ \
		return frame_encode_##kind(out, &any->name); \
	}
/* A pong is a ping, a fail a goodbye, in another frame. */
#define frame_decode_pong frame_decode_ping
BOTH_WAYS(hello, hello)
BOTH_WAYS(welcome, welcome)
BOTH_WAYS(announce, announce)
BOTH_WAYS(withdraw, withdraw)
BOTH_WAYS(accepted, accepted)
BOTH_WAYS(refused, refused)
BOTH_WAYS(ping, ping)
BOTH_WAYS(pong, ping)
BOTH_WAYS(need, need)
BOTH_WAYS(drain, drain)
BOTH_WAYS(goodbye, goodbye)
BOTH_WAYS(fail, goodbye)
BOTH_WAYS(open, open)

static bool
decode_ready(struct cursor in, union any *any)
{
	(void)any;
	return frame_decode_ready(in);
}

static size_t
encode_ready(uint8_t *out, const union any *any)
{
	(void)any;
	return frame_encode_ready(out);
}

static const struct kind {
	bool (*decode)(struct cursor, union any *);
	size_t (*encode)(uint8_t *, const union any *);
} kinds[] = {
	[FRAME_HELLO] = { decode_hello, encode_hello },
	[FRAME_WELCOME] = { decode_welcome, encode_welcome },
	[FRAME_ANNOUNCE] = { decode_announce, encode_announce },
	[FRAME_WITHDRAW] = { decode_withdraw, encode_withdraw },
	[FRAME_ACCEPTED] = { decode_accepted, encode_accepted },
	[FRAME_REFUSED] = { decode_refused, encode_refused },
	[FRAME_PING] = { decode_ping, encode_ping },
	[FRAME_PONG] = { decode_pong, encode_pong },
	[FRAME_NEED] = { decode_need, encode_need },
	[FRAME_DRAIN] = { decode_drain, encode_drain },
	[FRAME_GOODBYE] = { decode_goodbye, encode_goodbye },
	[FRAME_OPEN] = { decode_open, encode_open },
	[FRAME_READY] = { decode_ready, encode_ready },
	[FRAME_FAIL] = { decode_fail, encode_fail },
};

static void
try_frame(const struct frame *frame)
{
	static const struct kind unknown;
	bool is_known = (size_t)frame->type < sizeof kinds / sizeof *kinds;
	const struct kind *kind = is_known ? &kinds[frame->type] : &unknown;
	uint8_t out[FRAME_BYTES];
	union any any;
	if (!kind->decode)
		return;
	if (!kind->decode(cursor_over(frame->body, frame->body_bytes), &any))
		return;
	size_t bytes = kind->encode(out, &any);
	if (bytes != frame->bytes || memcmp(out + FRAME_HEADER, frame->body,
	    frame->body_bytes) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame frame;
	while (frame_next(data, size, &frame) == FRAME_COMPLETE) {
		if (frame.bytes > size || frame.body_bytes + FRAME_HEADER != frame.bytes)
			abort();
		try_frame(&frame);
		data += frame.bytes;
		size -= frame.bytes;
	}
	return 0;
}
