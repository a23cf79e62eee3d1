/*
 * What is known of one accepted connection before it has become anything: its
 * descriptor, both addresses, the bytes read so far and what they say.  A plain
 * value with one owner; it is moved by assignment, and the giver forgets it.
 */
#ifndef RELAY_VISIT_H
#define RELAY_VISIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/address.h"
#include "sni/clienthello.h"

struct visit {
	int fd;				/* -1: none */
	struct address client, listener;	/* listener: bytes 0 until visit_listener() */
	uint64_t accepted_us;
	uint8_t *wire;			/* all that was read, and not used up */
	size_t bytes, capacity;
	struct clienthello hello;
	bool is_second_choice;		/* a refusal has routed it here: not again */
};

enum visit_io { VISIT_GOT, VISIT_WAIT, VISIT_FULL, VISIT_END, VISIT_RESET, VISIT_MEMORY };

/* One read into the growing buffer, which holds `most` bytes at most. */
enum visit_io visit_read(struct visit *, size_t most);
/* Where the client thinks it has connected to. */
const struct address *visit_listener(struct visit *);
/* Frees the bytes. */
void visit_forget_bytes(struct visit *);
/* Closes and frees. */
void visit_wipe(struct visit *);

#endif
