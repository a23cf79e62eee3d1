/* Lines one behind the other, with a head before each. */
#include <limits.h>
#include <string.h>
#include "base/log_private.h"

/* Before each line in the ring. */
struct head {
	uint16_t bytes;
	bool is_audit;
};

static void
copy_in(struct log_ring *ring, const void *data, size_t bytes)
{
	size_t at = (ring->first + ring->used) % LOG_RING_BYTES;
	size_t before_end = LOG_RING_BYTES - at < bytes ? LOG_RING_BYTES - at : bytes;

	memcpy(ring->bytes + at, data, before_end);
	memcpy(ring->bytes, (const char *)data + before_end, bytes - before_end);
	ring->used += bytes;
}

static void
look_at(const struct log_ring *ring, size_t behind, void *data, size_t bytes)
{
	size_t at = (ring->first + behind) % LOG_RING_BYTES;
	size_t before_end = LOG_RING_BYTES - at < bytes ? LOG_RING_BYTES - at : bytes;

	memcpy(data, ring->bytes + at, before_end);
	memcpy((char *)data + before_end, ring->bytes, bytes - before_end);
}

/* A ring that is empty begins anew, so that a quiet daemon touches little of its memory. */
static void
drop_bytes(struct log_ring *ring, size_t bytes)
{
	ring->first = (ring->first + bytes) % LOG_RING_BYTES;
	ring->used -= bytes;
	if (ring->used == 0)
		ring->first = 0;
}

bool
log_ring_put(struct log_ring *ring, const char *line, uint16_t bytes, bool is_audit)
{
	const struct head head = { .bytes = bytes, .is_audit = is_audit };
	size_t most = is_audit ? LOG_RING_BYTES : LOG_RING_BYTES - LOG_RING_AUDIT_BYTES;

	if (ring->used + sizeof head + bytes > most)
		return false;
	copy_in(ring, &head, sizeof head);
	copy_in(ring, line, bytes);
	return true;
}

bool
log_ring_drop_first(struct log_ring *ring)
{
	struct head head;

	look_at(ring, 0, &head, sizeof head);
	drop_bytes(ring, sizeof head + head.bytes);
	return head.is_audit;
}

void
log_ring_copy(const struct log_ring *ring, struct log_line *out)
{
	size_t at = 0;

	for (out->bytes = 0; at < ring->used;) {
		struct head head;

		look_at(ring, at, &head, sizeof head);
		if (out->bytes > 0 && out->bytes + head.bytes > PIPE_BUF)
			break;
		look_at(ring, at + sizeof head, out->text + out->bytes, head.bytes);
		out->bytes += head.bytes;
		at += sizeof head + head.bytes;
	}
}

void
log_ring_drop(struct log_ring *ring, size_t bytes)
{
	struct head head;

	while (ring->used > 0) {
		look_at(ring, 0, &head, sizeof head);
		if (head.bytes > bytes)
			break;
		bytes -= head.bytes;
		drop_bytes(ring, sizeof head + head.bytes);
	}
}

void
log_ring_clear(struct log_ring *ring)
{
	ring->first = ring->used = 0;
}
