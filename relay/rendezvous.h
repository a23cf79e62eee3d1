/*
 * Which of several agents a client is led to, the same one each time: rendezvous hashing, also
 * called highest random weight (Thaler and Ravishankar 1998).  Every agent draws a number with
 * each client, from nothing but the two hashes, and the best one wins.  So no table is
 * kept: when an agent leaves, its clients alone move, to the others in the ratio of their weights, and
 * when it is back they come back.
 *
 * Relays agree on it, and so does one that was started again, as long as the hashes are unkeyed and the
 * arithmetic is in integers, which it is.
 */
#ifndef RELAY_RENDEZVOUS_H
#define RELAY_RENDEZVOUS_H

#include <stdbool.h>
#include <stdint.h>

/* What an agent has drawn with a client. */
struct rendezvous {
	uint64_t drawn;
	uint16_t weight; /* 0 counts as 1 */
};

struct rendezvous rendezvous_draw(uint64_t agent_hash, uint64_t client_hash, uint16_t weight);
/* Whether `a` wins over `b`.  Neither does where they are equal, as copies of one agent are. */
bool rendezvous_beats(const struct rendezvous *a, const struct rendezvous *b);

#endif
