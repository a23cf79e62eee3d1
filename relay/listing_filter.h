/*
 * Which flows and sessions a command is about: those that fit everything that was said.  A session fits by
 * its agent alone; so where a flow, a name or a client was said, no session does.
 */
#ifndef RELAY_LISTING_FILTER_H
#define RELAY_LISTING_FILTER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/address.h"
#include "pki/grant.h"
#include "pki/identity.h"
#include "relay/flow_id.h"
#include "sni/name.h"
#include "tunnel/session.h"

struct session_ref;

enum { LISTING_FILTER_ERROR = 400 };

/* What is "" or not `has` was not said. */
struct listing_filter {
	bool has_flow, has_client;
	uint8_t flow[FLOW_ID_BYTES];
	struct prefix client;
	char name[NAME_SIZE]; /* the server name, or the pattern of the route */
	char session[CHANNEL_IDENTITY];
	char agent[GRANT_NAME_BYTES + 1];
	char issuer_key[IDENTITY_ISSUER_KEY];
};

/* From the members flow, session, agent, issuer-key, name and client of a question; others are not looked
 * at.  False with a sentence: one of them is no such thing. */
bool listing_filter_read(
    struct listing_filter *, const json_t *question, char error[LISTING_FILTER_ERROR]);
/* Whether nothing was said. */
bool listing_filter_is_empty(const struct listing_filter *);
/* Whether it picks flows by what only flows have. */
bool listing_filter_is_about_flows(const struct listing_filter *);
/* NULL: a flow over no agent. */
bool listing_filter_fits_agent(const struct listing_filter *, const struct session_ref *);

#endif
