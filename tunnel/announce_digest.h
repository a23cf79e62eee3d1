/*
 * The digest by which a relay and an agent that comes back find that they mean the same announcements
 * (valise-protocol(7), the fact resume): SHA-256 over all of them, in ascending order of their numbers,
 * each as it stands in a frame of several: two octets of length, and the body of version 2 with its facts.
 *
 *	digest = announce_digest_new()
 *	announce_digest_add(digest, &announcement) for each
 *	announce_digest_end(digest, out), or announce_digest_free(digest)
 */
#ifndef TUNNEL_ANNOUNCE_DIGEST_H
#define TUNNEL_ANNOUNCE_DIGEST_H

#include "tunnel/frame.h"

struct announce_digest;

/* NULL when memory is short. */
struct announce_digest *announce_digest_new(void);
void announce_digest_add(struct announce_digest *, const struct frame_announce *);
/* Frees it, too. */
void announce_digest_end(struct announce_digest *, uint8_t out[RESUME_BYTES]);
void announce_digest_free(struct announce_digest *); /* NULL is fine */

#endif
