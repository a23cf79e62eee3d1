/*
 * What agents had announced in sessions that have ended: whoever is back within a minute, and offers the
 * digest of the very same (tunnel/announce_digest.h), need not say it again.  The names are claimed anew
 * then, one by one, under the certificate that the agent shows now; this here grants nothing.
 *
 * Shared by:     all agents, and all workers under one lock.
 * Bound:         one list for each identity and instance, for RESUMPTION_MS; resumptions_set_bound() bytes
 *                in all, some 60 and what its texts have for each name.
 * Who leaves:    the oldest list of the tenant whose lists hold most.  His agent announces all again.
 *
 *	resumptions_put, resumptions_take: any thread
 *	resumptions_tidy: every second, by one thread, which frees what others have let go
 */
#ifndef RELAY_RESUMPTION_H
#define RELAY_RESUMPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "pki/identity.h"
#include "relay/announcement.h"
#include "tunnel/frame.h"

enum {
	RESUMPTION_MS = 60000,
	RESUMPTION_PART = 16,        /* of limits.memory; */
	RESUMPTION_BYTES = 64 << 20, /* where that is no bound */
};

struct resumptions;

/* Begins as resumption_list_init() leaves it. */
struct resumption_list {
	struct announcement_list announcements;
	size_t count, bytes;
	uint8_t digest[RESUME_BYTES]; /* of them */
};

void resumption_list_init(struct resumption_list *);
/* Adopts it, as the last one. */
void resumption_list_add(struct resumption_list *, struct announcement *);
void resumption_list_wipe(struct resumption_list *);

struct resumption_key {
	uint8_t identity[IDENTITY_KEY_BYTES];
	uint8_t instance[INSTANCE_BYTES];
};

/* Without any room. NULL when memory is short. */
struct resumptions *resumptions_new(void);
void resumptions_free(struct resumptions *); /* NULL is fine */
void resumptions_set_bound(struct resumptions *, size_t bytes);
/* Adopts the list, in the place of one that there may be. */
void resumptions_put(struct resumptions *, const struct resumption_key *, const uint8_t *tenant_key,
    struct resumption_list *);
/* Gives it away, in a list that is empty. False: there is none, or not with this digest. */
bool resumptions_take(struct resumptions *, const struct resumption_key *,
    const uint8_t digest[RESUME_BYTES], struct resumption_list *);
void resumptions_tidy(struct resumptions *);
/* How many bytes are kept. */
size_t resumptions_bytes(struct resumptions *);

#endif
