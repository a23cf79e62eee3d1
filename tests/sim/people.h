/*
 * The clients of a schedule, and the upstream that answers them.  Every byte they
 * read is checked against what the other side has sent.
 */
#ifndef TESTS_SIM_PEOPLE_H
#define TESTS_SIM_PEOPLE_H

#include "sim.h"

enum { CLIENTS = 7 };	/* the last one comes when all faults are over */

struct sim_client {
	struct sim_event start;
	int number, fd;
	bool has_begun, is_over;
	const char *name;
	uint8_t random[SIM_RANDOM_BYTES], hello[SIM_HELLO_MOST];
	size_t hello_bytes;
	bool early_data, looks_for_proof;	/* as an ACME server does */
	unsigned may_reach;		/* processes, a bit each: its relays have been led to these */
	uint64_t established_us;
	size_t up_total, down_total;	/* behind the hello; of the upstream */
	size_t sent, received;		/* the hello included in the first */
	uint8_t first[8];		/* of what was received: an alert? */
	bool fin_sent, saw_end, saw_reset, resets_itself, upstream_resets, upstream_waits;
	size_t reset_at;
	unsigned log_lines, opens_without_fail, relay, relay_epoch;
	bool was_accepted;
	bool is_joined, is_excused;	/* over an agent; from being served whole */
	struct address address;
};

extern struct sim_client clients[CLIENTS];

void people_reset(void);
/* A client that will come in so many ms, with everything about it drawn. The last one asks for a known name and
 * behaves. */
void people_draw(struct sim_client *, int number, uint64_t start_ms, bool is_last);
/* The upstream answers, or refuses, or accepts and says nothing. */
void people_switch_upstream(bool is_up);
bool people_upstream_is_up(void);
/* Everybody does what can be done at this moment. False: nobody could. */
bool people_step(void);
uint64_t people_next_us(void);
/* A NAT forgets: who is joined over an agent is cut. */
void people_excuse(void);
/* All who have begun are over, and nobody is to come. */
bool people_are_over(void);
/* Upstream connections that never said anything, or all. */
void people_close_upstreams(bool all);

/* Hellos of guests (fuzz targets) begin their random with it; what a guest sends is nobody's business here. */
enum { SIM_GUEST = 0xee, SIM_GUEST_BYTES = 8 };

/* A relay has accepted a connection. */
void people_accepted(const struct address *peer, int relay, unsigned epoch);
/* The client was answered by an alert and nothing else. */
bool people_is_alert(const struct sim_client *);

#endif
