/* What upstream_group.c and health.c share. */
#ifndef BASE_UPSTREAM_GROUP_PRIVATE_H
#define BASE_UPSTREAM_GROUP_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/upstream_group.h"
#include "base/upstream_outage.h"

struct health_watched;

struct group_member {
	char *target;
	_Atomic uint32_t flows;
	_Atomic int state; /* enum upstream_health; health.c alone changes it */
	_Atomic uint64_t avoided_until_ms;
	char *error;                   /* under the lock; NULL: none, or memory was short for it */
	struct upstream_outage outage; /* where there are no checks */
};

struct upstream_group {
	_Atomic unsigned references;
	_Atomic unsigned turn; /* where the search begins */
	pthread_mutex_t lock;
	struct health_settings health;
	struct health_watched *watched; /* health.c's own; NULL: nobody checks it */
	char *name;
	size_t count;
	struct group_member members[];
};

/* Unchecked --> up <--> down, or --> down: what is known from now on; error is NULL when it is up. */
void upstream_group_move(
    struct upstream_group *, unsigned index, enum upstream_health, const char *error);

#endif
