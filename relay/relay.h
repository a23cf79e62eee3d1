/*
 * What all parts of the running relay share: built once by control.c, then only
 * pointed at.  Each member guards itself.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <pthread.h>
#include "relay/flow_id.h"

struct crowd;
struct known;
struct limits;
struct resolver;
struct roster;
struct routes;
struct station;
struct tallies;
struct trustwatch;

struct relay {
	struct routes *routes;
	struct roster *roster;
	struct tallies *tallies;
	struct limits *limits;
	struct known *known;
	struct crowd *hellos;		/* by /32 and /64 */
	struct crowd *strangers;	/* session handshakes, by /32 and /48 */
	struct crowd *acquaintances;	/* the same, from where an agent has authenticated lately */
	struct crowd *channels;		/* channel handshakes */
	struct resolver *resolver;
	struct trustwatch *trustwatch;
	struct station **stations;
	unsigned station_count;
	pthread_mutex_t end_lock;
	pthread_cond_t end;		/* no station works any more */
	unsigned stations_at_work;	/* under the lock */
	struct flow_ids flow_ids;
};

#endif
