/*
 * Internal to the relay as a whole: the object that its sources share.
 */
#ifndef RELAY_RELAY_PRIVATE_H
#define RELAY_RELAY_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/admin.h"
#include "base/listing.h"
#include "base/loop.h"
#include "base/memory.h"
#include "relay/reload.h"
#include "relay/shared.h"
#include "relay/worker.h"

struct bound;
struct fetcher;
struct processes;
struct page_view;
struct sandbox;
struct takeover;
struct watchdog;
struct web;

/*
 *	taking over --> serving --> draining --> cut short --> stopping
 *	                 |    ^         ^
 *	                 v    |         |
 *	               handing over ----'
 *
 * It may stop from everywhere: as soon as every worker is empty, or cannot work.
 */
enum relay_state {
	RELAY_TAKING_OVER, /* accepts nothing yet: another process does */
	RELAY_SERVING,
	RELAY_HANDING_OVER, /* serves, and another process gets ready to do so */
	RELAY_DRAINING,
	RELAY_CUT_SHORT,
	RELAY_STOPPING,
	RELAY_STATES
};

struct relay {
	struct loop *loop;
	const struct processes *processes;
	struct shared shared;
	struct reload reload; /* the configuration in force */
	struct fetcher *fetcher;
	struct admin *admin;    /* NULL: nobody can ask */
	struct web *web;        /* NULL: nothing is served by HTTP */
	struct page_view *page; /* NULL: there is no page */
	struct admin_group admin_group;
	struct listings listings;
	struct sandbox *sandbox; /* entered; NULL: there is none */
	struct watchdog *watchdog;
	struct bound *bound; /* until the workers have the listeners */
	int64_t since_s;
	struct timer tick, deadline;
	struct memory_tide flows;
	unsigned reports[WORKER_EVENTS];
	unsigned shown_faults; /* of how many changes people have been told */
	enum relay_state state;
	int code; /* how the program will exit */

	struct takeover *takeover; /* NULL: we have begun on our own */
	unsigned next_worker;      /* for the next connection that is passed to us */

	struct timer handover;  /* handing over: looks whether it goes on */
	uint64_t handover_ms;   /* how long it may take to the next step, by clock_ms() */
	bool handover_is_ready; /* agents move */
	bool handover_is_told;  /* the other process has been told to accept */
	long handover_pid;
};

/* relay.c; the only writer of ->state. */
void relay_move(struct relay *, enum relay_state);
/* As `status` has it: "running", "handing-over" or "draining". */
const char *relay_state_word(const struct relay *);
void relay_drain(struct relay *);
void relay_stop(struct relay *);
/* Tells the service manager and the log that clients and agents can come. */
void relay_tell_start(struct relay *);
void relay_show_status(struct relay *, const char *state);
void relay_on_worker(void *relay, enum worker_event);
extern const struct admin_word relay_admin_words[];

/* relay_start.c: builds all, in this order, and takes it apart, whatever there is of it.  The exit code,
 * after a line in the log.  What is read and bound, without a thread; then what the relay needs no more
 * is given up, the rest is made, of which some has threads, and when all run, system calls are given up. */
int relay_open(struct relay *, bool takes_over);
int relay_enter_sandbox(struct relay *);
int relay_make(struct relay *);
int relay_seal_sandbox(struct relay *);
void relay_close(struct relay *);
/* Reads the names that were known before, and keeps them from now on; it starts a thread. */
void relay_know_names(struct relay *);
int relay_fail(int code, const char *sentence);

/* relay_handover.c: another process asks for all that this one has. */
void relay_on_takeover(void *relay, struct admin_question *, const json_t *question);
/* Has it end soon, since this process is to stop.  False: there is none, or it cannot end well. */
bool relay_hasten_handover(struct relay *);
/* Without a word to the log. */
void relay_cancel_handover(struct relay *);

/* relay_takeover.c: this process asks for all that another one has.  EX_OK: it has come, or there is no other
 * one, and ->takeover is NULL. */
int relay_ask_for_takeover(struct relay *);
int relay_take_lock(struct relay *);
/* In the loop, from the start of the workers on. */
void relay_follow_takeover(struct relay *);
/* Every worker can take connections. */
void relay_tell_takeover_ready(struct relay *);

#endif
