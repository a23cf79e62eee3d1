/*
 * A schedule: two relays, up to three agents, some clients with their upstream, and
 * faults drawn from the seed.  When the faults are over everybody must be connected
 * again within a bounded time, and a last client must be served.
 *
 * What must stay true, at every step:
 *	- a flow ends with exactly one line in the relay's log, and with a reason
 *	- a channel is opened once, and at no agent whose lists of addresses refuse the client
 *	- where nothing is wrong all clients, who have one address, reach one agent if that is wished, and
 *	  half a minute later none that stands by; and agents that are started anew one after the other lose no flow
 *	- a name that was served at a relay within the last minute is known there, also after its restart
 *	- who looks for a proof as ACME servers do reaches the agent that has the mark, while one has it
 *	- what the upstream reads is the client's hello and bytes, nothing else, in order; and the
 *	  other way round
 *	- where nothing else goes wrong, all agents are back with a relay that was killed four seconds after it is
 *	  there again, the second time, too; and have found a way around a network that has forgotten their
 *	  connections after five seconds, until when all clients are kept that are not joined, offer no early data
 *	  and look for no proof
 *	- an orderly end means that all bytes came; what was cut is a reset
 *	- a hello with early data is opened again only after `fail`
 *	- the loops come to rest, no descriptor is used after its end, nothing is left over: no
 *	  descriptor, no loop, no piece of memory (that one not under a sanitizer, see arena.h)
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

struct tls_config;

/* One schedule, from the first connection to the last reckoning. Ends the program when an invariant fails. */
/* The fail_at-th allocation fails, and those behind it, `burst` in all; 0: none. */
void world_run(uint64_t seed, uint64_t fail_at, unsigned burst);

/* For fuzz targets: the first relays and all agents begin, nothing goes wrong, and a guest does what it
 * likes, as GUEST_PROCESS or as the relay that is not there.  world_close() waits until what it did is forgotten;
 * then every agent must have its session with relay 0, a client must be served there, and nothing is left over. */
void world_open(unsigned relay_count);
void world_run_ms(uint64_t ms);
void world_close(void);
/* One step of the guest; false: it has nothing to do at this moment. NULL: there is none. */
extern bool (*world_guest)(void);

/* For stand_ins.c. */
const char *world_identity_of(uint8_t process);
void world_count_rules(int change);
struct tls_config *world_session_tls(void);
/* Agents of one name are started anew one after the other, and nothing else goes wrong. */
bool world_has_drains_only(void);
/* Nothing has gone wrong, and nothing will. */
bool world_is_calm(void);
void world_on_log(const char *event, const char *word, const char *client);

#endif
