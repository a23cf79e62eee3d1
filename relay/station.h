/*
 * One worker's part of the relay: its loop, its listeners, and lists of all
 * that lives there.  Everything in it belongs to its thread; others speak to it
 * through station_post functions, which send messages.
 *
 *	station_new --> station_start --> (messages) --> station_stop, all of them --> station_join
 */
#ifndef RELAY_STATION_H
#define RELAY_STATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "base/loop.h"

struct agent_channel;
struct agent_session;
struct lingering;
struct flow;
struct intake;
struct relay;
struct rules;
struct station_port;
struct trust;
struct thread;

LIST_HEAD(station_intakes, intake);
LIST_HEAD(station_flows, flow);
LIST_HEAD(station_sessions, agent_session);
LIST_HEAD(station_channels, agent_channel);
LIST_HEAD(station_lingering, lingering);

enum { STATION_LINGERING_MOST = 4096 };

/* Steps of a drain, each once. Agents are needed until the last station is idle, so goodbye is said by command. */
enum station_event {
	STATION_IDLE,		/* no client is left, and none will come */
	STATION_EMPTY,		/* after the goodbye: no session is left either, or it took too long */
};

struct station {
	struct relay *relay;
	struct loop *loop;
	struct rules *rules;			/* in force now; held */
	struct station_intakes intakes;
	struct station_flows flows;
	struct station_sessions sessions;
	struct station_channels channels;
	struct station_lingering lingering;
	size_t lingering_count;
	bool draining;

	/* station.c's own */
	struct thread *thread;
	struct station_port *ports;
	size_t port_count;
	struct timer goodbye;
	bool was_idle, says_goodbye, was_empty, is_over;
	void (*on_event)(void *arg, enum station_event);
	void *arg;
};

/* on_event is called in the station's thread. Holds the rules; NULL when memory is short. */
struct station *station_new(struct relay *, struct rules *, void (*on_event)(void *arg, enum station_event),
    void *arg);
/* One listening descriptor for the settings' listener of this index; adopted. Before the start. False: memory. */
bool station_add_listener(struct station *, size_t index, int fd);
bool station_start(struct station *, unsigned number);

/* From the control thread. */
void station_post_rules(struct station *, struct rules *);		/* held by the call */
void station_post_trust(struct station *, struct trust *);		/* judge all again; held by the call; NULL: no agents */
void station_post_drain(struct station *, uint64_t deadline_ms);
void station_post_goodbye(struct station *);
void station_stop(struct station *);
/* Every station must have been stopped before the first is joined: they wait for one another. */
void station_join(struct station *);
void station_free(struct station *);

/* In the station's thread, whenever something of it has ended: is a step of the drain done now? */
void station_check(struct station *);

/* station.c's, for station_post.c */
void station_close_ports(struct station *);
/* Takes the rules; listeners have the new ones' policy. */
void station_adopt_rules(struct station *, struct rules *);
void station_say_goodbye(struct station *);

#endif
