/*
 * Bytes that wait: added at the end, taken at the front, memory only while
 * there are any.
 */
#ifndef TUNNEL_BUFFER_H
#define TUNNEL_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* {0} is empty. What waits is data[at..bytes). */
struct buffer {
	uint8_t *data;
	uint32_t at, bytes, room;
};

/* False when memory is short; then nothing has changed. */
bool buffer_add(struct buffer *, const void *, size_t);
/* Room for so many bytes behind what there is, which the caller fills at once; they count from now on.
 * NULL when memory is short. */
uint8_t *buffer_extend(struct buffer *, size_t bytes);
static inline const uint8_t *
buffer_front(const struct buffer *b)
{
	return b->data ? b->data + b->at : NULL;
}
static inline size_t
buffer_left(const struct buffer *b)
{
	return b->bytes - b->at;
}
/* Forgets `bytes` bytes at the front; the memory goes with the last one. */
void buffer_take(struct buffer *, size_t bytes);
void buffer_drop(struct buffer *);

#endif
