/* Bytes that wait: one block of memory that grows and moves its front up. */
#include "tunnel/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

uint8_t *
buffer_extend(struct buffer *b, size_t bytes)
{
	if (bytes > UINT32_MAX - b->bytes)
		return NULL;
	if (b->at > 0) {
		memmove(b->data, b->data + b->at, buffer_left(b));
		b->bytes -= b->at;
		b->at = 0;
	}
	if (b->room - b->bytes < bytes) {
		uint8_t *larger = realloc(b->data, b->bytes + bytes);
		if (!larger)
			return NULL;
		b->data = larger;
		b->room = b->bytes + (uint32_t)bytes;
	}
	b->bytes += (uint32_t)bytes;
	return b->data + b->bytes - bytes;
}

bool
buffer_add(struct buffer *b, const void *data, size_t bytes)
{
	if (bytes == 0)
		return true;
	uint8_t *room = buffer_extend(b, bytes);
	if (room)
		memcpy(room, data, bytes);
	return room != NULL;
}

void
buffer_take(struct buffer *b, size_t bytes)
{
	assert(bytes <= buffer_left(b));
	b->at += (uint32_t)bytes;
	if (b->at == b->bytes)
		buffer_drop(b);
}

void
buffer_drop(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){ 0 };
}
