/*
 * The master secret under which an endpoint seals its session tickets (RFC 8446, 4.6.1).
 * Random, never written anywhere, and replaced when it is TLS_TICKETS_MASTER_MS old: a ticket from
 * before is of no use then, and its client does a full handshake.  Whoever changes anything in
 * an endpoint's TLS makes a new one.
 *
 * Shared by the sessions of one endpoint in all workers; each takes 64 bytes for a moment under a
 * lock, and nobody waits longer than for that.
 */
#ifndef TUNNEL_TLS_TICKETS_H
#define TUNNEL_TLS_TICKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_tickets;

enum {
	TLS_TICKETS_KEY = 64, /* what GnuTLS wants for a key */
	TLS_TICKETS_MASTER_MS = 24 * 3600 * 1000,
	/* How long a ticket is good.  Of clients that come back within it, evenly, one in 24 finds
	 * another master. */
	TLS_TICKETS_LIFE_S = 2 * 3600,
};

/* NULL when memory is short. */
struct tls_tickets *tls_tickets_new(void);
struct tls_tickets *tls_tickets_hold(struct tls_tickets *);
/* Wiped with the last one; NULL is fine. */
void tls_tickets_release(struct tls_tickets *);

/* Goes on with the master of another one, which is as old as it is there: nothing has changed. */
void tls_tickets_continue(struct tls_tickets *, struct tls_tickets *from);

/* Replaces the master if it is due.  tls_tickets_key() does, too; this is for one that nobody uses, so
 * that it does not lie in memory for longer. */
void tls_tickets_refresh(struct tls_tickets *, uint64_t now_ms);

/* What a session is bound to: a ticket of it cannot be opened where any of these differs. */
struct tls_tickets_scope {
	const char *name;     /* that the hello asks for */
	const char *protocol; /* of ALPN, "" for none */
	bool is_sha384;       /* the hash of the cipher suite: a secret is good for one only */
};

/* The key for tickets of this scope.  The caller wipes it. */
void tls_tickets_key(struct tls_tickets *, const struct tls_tickets_scope *, uint64_t now_ms,
    uint8_t key[TLS_TICKETS_KEY]);

#endif
