/*
 * Why something was refused, failed or ended, as both ends say it: a number on
 * the wire, a stable word in logs and manuals (valise-errors(7)), and whether
 * trying again can help.
 */
#ifndef TUNNEL_CODE_H
#define TUNNEL_CODE_H

#include <stdbool.h>
#include <stdint.h>

/* The numbers are part of the protocol: add new ones, but never use one again. */
enum code {
	CODE_NONE = 0,
	/* refusals and goodbyes of a session */
	CODE_PROTOCOL_ERROR = 1,
	CODE_VERSION = 2,             /* permanent */
	CODE_CERTIFICATE_REFUSED = 3, /* permanent */
	CODE_CERTIFICATE_REVOKED = 4, /* permanent */
	CODE_CERTIFICATE_EXPIRED = 5, /* permanent until the file is renewed */
	CODE_BUSY = 6,
	CODE_DRAINING = 7,
	CODE_REPLACED = 8, /* the same instance came again */
	CODE_SESSION_LIMIT = 9,
	CODE_HEARTBEAT_LOST = 10,
	CODE_SHUTDOWN = 11,
	CODE_SOURCE_REFUSED = 12, /* permanent: the grant does not allow this address */
	CODE_KICKED = 13,         /* the relay's operator has ended it */
	/* refusals of an endpoint */
	CODE_NAME_NOT_GRANTED = 20, /* permanent */
	CODE_NAME_TAKEN = 21,
	CODE_NAME_RESERVED = 22, /* permanent */
	CODE_NAME_INVALID = 23,  /* permanent */
	CODE_ENDPOINT_LIMIT = 24,
	CODE_NAME_DUPLICATE = 25, /* permanent: the session has this name already */
	CODE_ACME_BUSY = 26,      /* another session has the mark `pending` of this name */
	/* a channel's `fail` */
	CODE_HELLO_MISMATCH = 40,
	CODE_ENDPOINT_UNKNOWN = 41,
	CODE_CARRIER_REFUSED = 42,
	CODE_UPSTREAM_DOWN = 43,
	CODE_FLOW_LIMIT = 44,
	CODE_NO_CERTIFICATE = 45,
	CODE_AGENT_DRAINING = 46,
	CODE_CLIENT_DENIED = 47, /* the endpoint's lists do not let this address in */
	/* anywhere */
	CODE_INTERNAL = 60,
	CODE_NOT_UNDERSTOOD = 61, /* permanent: a fact that must be understood is not */
};

/* "name-not-granted"; "unknown-code" for what we do not know. */
const char *code_word(enum code);
/* True when the same attempt will be refused again until a person changes something. */
bool code_is_permanent(enum code);
/* Every code in turn, for the manual's test: NULL at the end. */
const char *code_word_at(unsigned index);

#endif
