/*
 * Where a forward listens: the listener, and its connections, all on the loop of the thread of
 * forwards.
 *
 * Shared by:     all programs of this host that may connect: those of one user at a unix socket, those of
 *                every user on the loopback.
 * Bound:         `flows` of the forward, each with two descriptors.
 * Who leaves:    nobody.  When all places are taken no connection is accepted, so that who comes waits in
 *                the kernel, in the order of coming, until one of the others has ended.
 */
#ifndef AGENT_FORWARD_PORT_H
#define AGENT_FORWARD_PORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct address;
struct forward;
struct forward_flow_place;
struct forward_port;
struct loop;
struct resolver;
struct stalls;

/* What all ports of a thread have in common; borrowed while one lives. */
struct forward_port_context {
	struct loop *loop;
	struct resolver *resolver;
	struct stalls *stalls;
	struct forward_flow_place *place; /* NULL: nobody lists them */
	_Atomic uint64_t *flow_count;     /* of all ports */
};

/* Takes the listening descriptor, also on failure, and a reference to the forward.  The file of a local
 * socket is removed in the end if it is ours.  NULL when memory is short. */
struct forward_port *forward_port_new(
    const struct forward_port_context *, struct forward *, int fd, bool owns_file);
/* New connections go where this one leads; those that run are judged by its trust. */
void forward_port_set(struct forward_port *, struct forward *);
const struct address *forward_port_address(const struct forward_port *);
/* Accepts nothing from now on; who connects is refused. */
void forward_port_close(struct forward_port *);
bool forward_port_has_flows(const struct forward_port *);
void forward_port_judge_again(struct forward_port *, int64_t now_s);
/* Resets the connections that run.  NULL is fine. */
void forward_port_free(struct forward_port *);

#endif
