/*
 * Reads the addresses that people write: an endpoint's public name, an upstream,
 * a relay.  Pure functions.  A refusal is the rest of a sentence that begins
 * with the value, and names the cure.
 */
#ifndef AGENT_URL_H
#define AGENT_URL_H

#include <stdbool.h>

#include "base/upstream_url.h"
#include "sni/name.h"

enum { URL_ERROR = UPSTREAM_URL_ERROR };

/* "tls://app.example.com", or with "*." before the name; without a port or a path.  Gives the
 * normalised name, "" on failure. */
bool url_endpoint(char name[NAME_SIZE], const char *text, char error[URL_ERROR]);

/* A public name as its clients see it. */
struct url_public {
	char name[NAME_SIZE];             /* normalised */
	char target[UPSTREAM_URL_TARGET]; /* as connector_new() wants it */
};

/* "tls://NAME" or "tls://NAME:PORT", where no port means 443; neither a wildcard nor an address. */
bool url_public(struct url_public *, const char *text, char error[URL_ERROR]);

/* In each of the ways of base/upstream_url.h. */
bool url_upstream(struct upstream_url *, const char *text, char error[URL_ERROR]);

/* "host:port" or "[v6]:port" of a relay; host has 254 bytes. */
bool url_relay(char host[254], const char *text, char error[URL_ERROR]);

/* A literal address cannot be asked for by SNI (RFC 6066, 3). */
bool url_host_is_literal(const char *host);

#endif
