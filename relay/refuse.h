/*
 * How clients are refused: for each reason what `refuse` in relay.yml says to
 * do, and the TLS alert that tells the client (RFC 8446 §6.2).  A table and its
 * parser; lingering.h carries it out.
 */
#ifndef RELAY_REFUSE_H
#define RELAY_REFUSE_H

#include <stdbool.h>
#include <stdint.h>
#include "sni/name.h"

enum refusal {
	REFUSE_NO_NAME,		/* a hello without a server name */
	REFUSE_UNKNOWN_NAME,	/* a name that no route has */
	REFUSE_MALFORMED,	/* never a ClientHello; the parser says which alert */
	REFUSE_NO_AGENT,	/* the route is there, but nobody could serve it in time */
	REFUSE_OVER_LIMIT,
	REFUSE_DENIED,		/* a trusted proxy that sent no PROXY header */
	REFUSE_FOREIGN_ALPN,	/* the connect name with neither of the tunnel's protocols */
	REFUSE_NOT_TLS,
	REFUSE_TIMEOUT,		/* no whole hello in time */
	REFUSALS
};

enum refuse_action { REFUSE_BY_ALERT, REFUSE_BY_CLOSE, REFUSE_BY_RESET, REFUSE_BY_ROUTE };

struct refuse_rule {
	enum refuse_action action;
	char route[NAME_SIZE];	/* REFUSE_BY_ROUTE: the static route's server name */
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

#endif
