/* Bytes that wait: one block of memory that grows and moves its front up. */
#include "tunnel/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool
buffer_add(struct buffer *b, const void *data, size_t bytes)
{
	if (bytes == 0)
		return true;
	if (bytes > UINT32_MAX - b->bytes)
		return false;
	if (b->at > 0) {
		memmove(b->data, b->data + b->at, buffer_left(b));
		b->bytes -= b->at;
		b->at = 0;
	}
	if (b->room - b->bytes < bytes) {
		uint8_t *larger = realloc(b->data, b->bytes + bytes);
		if (!larger)
			return false;
		b->data = larger;
		b->room = b->bytes + (uint32_t)bytes;
	}
	memcpy(b->data + b->bytes, data, bytes);
	b->bytes += (uint32_t)bytes;
	return true;
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
