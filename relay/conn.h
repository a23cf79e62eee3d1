/*
 * What is known of one accepted connection before it has become anything: its
 * descriptor, both addresses, the bytes read so far and what they say.  A plain
 * value with one owner; it is moved by assignment, and the giver forgets it.
 */
#ifndef RELAY_CONN_H
#define RELAY_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/address.h"
#include "sni/clienthello.h"

struct conn {
	int fd;                          /* -1: none */
	struct address client, listener; /* listener: bytes 0 until conn_listener() */
	uint64_t accepted_us;
	uint8_t *wire; /* all that was read, and not used up */
	size_t bytes, capacity;
	struct clienthello hello;
	bool is_second_choice; /* a refusal has routed it here, and must not again */
};

enum conn_io { CONN_GOT, CONN_WAIT, CONN_FULL, CONN_END, CONN_RESET, CONN_MEMORY };

/* One read into the growing buffer, which holds `most` bytes at most. */
enum conn_io conn_read(struct conn *, size_t most);
/* Where the client thinks it has connected to. */
const struct address *conn_listener(struct conn *);
/* Frees the bytes. */
void conn_forget_bytes(struct conn *);
/* Closes and frees. */
void conn_wipe(struct conn *);

#endif
