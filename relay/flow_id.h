/*
 * Ids of flows: AES-128 of (8 random bytes ‖ 8-byte counter) under a key that
 * is drawn at start.  A block cipher is a permutation, so that no id comes
 * twice in a run, and who sees some of them learns neither how many there are
 * nor which of two came first.  One source a relay, shared by all workers
 * without a lock.
 */
#ifndef RELAY_FLOW_ID_H
#define RELAY_FLOW_ID_H

#include <stdatomic.h>
#include <stdint.h>
#include "tunnel/frame.h"

enum { FLOW_ID_KEY_BYTES = 16, FLOW_ID_START_BYTES = 8 };

struct flow_ids {
	uint8_t key[FLOW_ID_KEY_BYTES];
	uint8_t start[FLOW_ID_START_BYTES];
	atomic_uint_fast64_t made;
};

void flow_ids_init(struct flow_ids *);
/* Wipes the key; harmless twice and on {0}. */
void flow_ids_wipe(struct flow_ids *);
/* The next id.  From any thread. */
void flow_id_make(struct flow_ids *, uint8_t id[FLOW_ID_BYTES]);

#endif
