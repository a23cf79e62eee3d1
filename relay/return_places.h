/*
 * Where in each turn of a few seconds the agents come back if this relay dies
 * (agent/reconnect.h): each session is told its place in its welcome (FACT_PLACE),
 * since nobody else knows all of them.
 *
 * The places are the sequence of van der Corput, the number of the session with its
 * bits reversed: of any sessions that follow each other, however many, each part of
 * the turn has its share, to within two or three.  The first one is at an eighth of the
 * turn, so that a lone agent finds a relay that was only restarted there again.
 */
#ifndef RELAY_RETURN_PLACES_H
#define RELAY_RETURN_PLACES_H

#include <stdatomic.h>
#include <stdint.h>

/* Of {0}; shared by all workers, who take one after the other. */
struct return_places {
	_Atomic uint32_t taken;
};

/* In 65536ths of a turn. */
uint16_t return_places_next(struct return_places *);

#endif
