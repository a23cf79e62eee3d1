/* Frames of several: built up one by one in place, and read one by one. */
#include "tunnel/frame_private.h"

#include <string.h>

enum { RANGE_BYTES = 8 };

/* Goes on with the frame that stands there, or begins one of this type. False: its type is
 * another. */
static bool
go_on(struct writer *w, uint8_t *out, size_t bytes, enum frame_type type)
{
	if (bytes == 0) {
		*w = frame_begin(out, type);
		return true;
	}
	*w = writer_over(out, FRAME_BYTES);
	w->bytes = bytes;
	return out[2] == type;
}

size_t
frame_add_announce(uint8_t *out, size_t bytes, const struct frame_announce *announce)
{
	uint8_t one[FRAME_BYTES];
	size_t one_bytes = frame_encode_announce(one, PROTOCOL_FACTS, announce) - FRAME_HEADER;
	struct writer w;
	if (!go_on(&w, out, bytes, FRAME_ANNOUNCE_MANY))
		return 0;
	writer_u16(&w, (uint16_t)one_bytes);
	writer_bytes(&w, one + FRAME_HEADER, one_bytes);
	return w.failed ? 0 : frame_end(&w);
}

/* Each has its facts, so each has a length. */
enum frame_sense
frame_next_announce(struct cursor *announcements, struct frame_announce *out)
{
	if (announcements->left == 0)
		return FRAME_WRONG;
	struct cursor one = cursor_sub(announcements, cursor_u16(announcements));
	return frame_decode_announce(one, PROTOCOL_FACTS, out);
}

bool
frame_decode_announce_many(struct cursor in, struct frame_announce_many *out)
{
	struct frame_announce one;
	out->announcements = in;
	do {
		if (frame_next_announce(&in, &one) == FRAME_WRONG)
			return false;
	} while (in.left > 0);
	return cursor_end(&in);
}

/* A number that follows the last range makes it longer. */
static size_t
add_range(struct writer *w, size_t ranges_at, uint32_t endpoint)
{
	if (w->bytes >= ranges_at + RANGE_BYTES) {
		struct cursor last = cursor_over(w->start + w->bytes - 4, 4);
		uint32_t before = cursor_u32(&last);
		if (before < UINT32_MAX && endpoint == before + 1) {
			w->bytes -= 4;
			writer_u32(w, endpoint);
			return frame_end(w);
		}
	}
	writer_u32(w, endpoint);
	writer_u32(w, endpoint);
	return w->failed ? 0 : frame_end(w);
}

bool
frame_next_range(struct cursor *ranges, struct frame_range *out)
{
	out->first = cursor_u32(ranges);
	out->last = cursor_u32(ranges);
	return !ranges->failed && out->first >= 1 && out->first <= out->last;
}

static bool
are_ranges(struct cursor in)
{
	struct frame_range range;
	do {
		if (!frame_next_range(&in, &range))
			return false;
	} while (in.left > 0);
	return cursor_end(&in);
}

/* How many numbers ranges have in all, or more than there may be. */
static size_t
count_numbers(struct cursor ranges)
{
	struct frame_range range;
	size_t count = 0;
	while (count <= WITHDRAWN_MOST && frame_next_range(&ranges, &range))
		count += (size_t)(range.last - range.first) + 1;
	return count;
}

size_t
frame_add_withdraw(uint8_t *out, size_t bytes, uint32_t endpoint)
{
	struct writer w;
	if (!go_on(&w, out, bytes, FRAME_WITHDRAW_MANY))
		return 0;
	if (count_numbers(cursor_over(out + FRAME_HEADER, w.bytes - FRAME_HEADER)) ==
	    WITHDRAWN_MOST)
		return 0;
	return add_range(&w, FRAME_HEADER, endpoint);
}

bool
frame_decode_withdraw_many(struct cursor in, struct frame_withdraw_many *out)
{
	out->ranges = in;
	return are_ranges(in) && count_numbers(in) <= WITHDRAWN_MOST;
}

size_t
frame_add_accepted(uint8_t *out, size_t bytes, uint32_t endpoint)
{
	struct writer w;
	return go_on(&w, out, bytes, FRAME_ACCEPTED_MANY) ? add_range(&w, FRAME_HEADER, endpoint)
							  : 0;
}

bool
frame_decode_accepted_many(struct cursor in, struct frame_accepted_many *out)
{
	out->ranges = in;
	return are_ranges(in);
}

/* The reason stands in front of the ranges, so it is compared as it is encoded. */
size_t
frame_add_refused(uint8_t *out, size_t bytes, const struct frame_refused *refused)
{
	uint8_t reason[FRAME_BYTES];
	struct writer w, ours = frame_begin(reason, FRAME_REFUSED_MANY);
	writer_u16(&ours, (uint16_t)refused->code);
	frame_text(&ours, refused->sentence, sizeof refused->sentence);
	if (!go_on(&w, out, bytes, FRAME_REFUSED_MANY))
		return 0;
	if (bytes == 0)
		writer_bytes(&w, reason + FRAME_HEADER, ours.bytes - FRAME_HEADER);
	else if (bytes < ours.bytes ||
	    memcmp(out + FRAME_HEADER, reason + FRAME_HEADER, ours.bytes - FRAME_HEADER) != 0)
		return 0;
	return add_range(&w, ours.bytes, refused->endpoint);
}

bool
frame_decode_refused_many(struct cursor in, struct frame_refused_many *out)
{
	out->code = cursor_u16(&in);
	cursor_text16(&in, out->sentence, sizeof out->sentence);
	out->ranges = in;
	return are_ranges(in);
}
