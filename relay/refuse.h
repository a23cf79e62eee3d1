/*
 * How clients are refused: for each reason what `refuse` in relay.yml says to
 * do, the TLS alert that tells the client (RFC 8446 §6.2), and the lingering
 * close that lets the client read it: an alert, FIN, and then what it still
 * sends is thrown away for about a second before the descriptor is closed.
 * Without that the kernel answers unread bytes with RST, and the client never
 * sees the alert.
 *
 * The lingering closes of all workers are places in one `shares`, and so are the
 * agents' sessions that are refused or told to end (agent_session.h).  The bound is a quarter of
 * limits.hellos.  Beyond it the client block with most loses its oldest, which is
 * closed at once.
 */
#ifndef RELAY_REFUSE_H
#define RELAY_REFUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "base/loop.h"
#include "sni/name.h"

struct conn;
struct shares;

enum refusal {
	REFUSE_NO_NAME,      /* a hello without a server name */
	REFUSE_UNKNOWN_NAME, /* a name that no route has */
	REFUSE_MALFORMED,    /* never a ClientHello; the parser says which alert */
	REFUSE_NO_AGENT,     /* the route is there, but nobody could serve it in time */
	REFUSE_OVER_LIMIT,
	REFUSE_DENIED,       /* no right PROXY header of a trusted proxy, or lists of addresses */
	REFUSE_FOREIGN_ALPN, /* the connect name with neither of the tunnel's protocols */
	REFUSE_NOT_TLS,
	REFUSE_TIMEOUT, /* no whole hello in time */
	REFUSALS
};

enum refuse_action { REFUSE_BY_ALERT, REFUSE_BY_CLOSE, REFUSE_BY_RESET, REFUSE_BY_ROUTE };

struct refuse_rule {
	enum refuse_action action;
	char route[NAME_SIZE]; /* REFUSE_BY_ROUTE: the static route's server name */
};

/* "no-name": the stable word in logs. */
const char *refuse_word(enum refusal);
/* 0: no alert would be understood, the connection is closed. */
uint8_t refuse_alert(enum refusal);
/* alert, close, reset or route:NAME; false with a sentence that says what would do. */
bool refuse_rule_parse(struct refuse_rule *, const char *text, char error[256]);

/* The fatal alert as a record of its own. */
enum { REFUSE_RECORD = 7 };
void refuse_record(uint8_t record[REFUSE_RECORD], uint8_t alert);

/* The lingering closes of one worker. */
struct lingers {
	struct loop *loop;
	struct shares *shares;
	LIST_HEAD(, linger_close) list;
	void (*on_end)(void *arg);
	void *arg;
};

/* The shares are borrowed, and on_end is called whenever one has ended. */
void refuse_lingers_init(
    struct lingers *, struct loop *, struct shares *, void (*on_end)(void *arg), void *arg);
/* Closes all of them at once. */
void refuse_cut_all(struct lingers *);

/*
 * Turns a client away as the rule says: alert, close or reset; takes the
 * connection then, and logs nothing.  False: the rule names a static route, and
 * the connection stays with the caller, who routes it by rule->route.  One that
 * was routed so before gets the alert instead.
 */
bool refuse_conn(struct lingers *, struct conn *, const struct refuse_rule *, uint8_t alert);
/* Sends the alert and closes, takes the connection: for one whose bytes were all read. */
void refuse_at_once(struct conn *, uint8_t alert);
/* The alert of over_limit to one who was only just accepted, and for whom there is no descriptor
 * (listener_say() in base/socket.h).  What he has sent by now is read, so that the alert arrives. */
void refuse_unread(int fd);

#endif
