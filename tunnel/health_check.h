/*
 * One check of an upstream's health: it must take a connection and, where TLS is asked for, finish a
 * handshake, all within one time.  A PROXY header says that the connection is nobody's.
 *
 *	connecting --> asking for TLS (PostgreSQL) --> handshaking --> on_done
 *	      `-------------------------------------------------------->
 */
#ifndef TUNNEL_HEALTH_CHECK_H
#define TUNNEL_HEALTH_CHECK_H

#include "base/loop.h"
#include "tunnel/tls.h"

struct health_check;
struct resolver;

/* What is pointed at is borrowed while the check lives. */
struct health_check_options {
	const char *target; /* as connector_new() wants it */
	uint64_t timeout_ms;
	int proxy_version;      /* 0: no header */
	bool asks_for_tls;      /* as PostgreSQL wants it */
	struct tls_config *tls; /* TLS_UPSTREAM; NULL: a connection is enough */
	const char *server_name;
	/* Judges the certificate; of {0} any will do, for who only wants to know that TLS is spoken. */
	struct tls_hooks hooks;
};

/* on_done is called once, never inside this call; NULL: it is healthy; else a sentence (borrowed).  The owner
 * then calls health_check_free().  NULL when memory is short. */
struct health_check *health_check_new(struct loop *, struct resolver *,
    const struct health_check_options *, void (*on_done)(void *arg, const char *error), void *arg);
/* In on_done, of one that has failed: this host was short of a descriptor, a port or memory (CONNECT_SHORT of
 * base/socket.h), so that nothing is known of the upstream. */
bool health_check_is_short(const struct health_check *);
/* Gives up without a call; safe inside on_done, NULL is fine. */
void health_check_free(struct health_check *);

#endif
