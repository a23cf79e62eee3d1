/*
 * A session as its channels see it.
 */
#include "agent/leg.h"

#include <stdlib.h>
#include <string.h>

#include "pki/identity.h"

struct leg *
leg_new(const char *target, const char *server_name, const struct frame_welcome *welcome,
    struct session *session, struct tls_config *channel, struct identity *peer)
{
	struct leg *leg = calloc(1, sizeof *leg);

	if (!leg)
		return NULL;
	leg->references = 1;
	leg->tls = tls_config_hold(channel);
	leg->peer = peer ? identity_hold(peer) : NULL;
	leg->target = strdup(target);
	leg->server_name = strdup(server_name);
	memcpy(leg->relay, welcome->relay, sizeof leg->relay);
	channel_identity(welcome->session_id, leg->identity);
	if (leg->target && leg->server_name &&
	    session_channel_key(session, welcome->session_id, &leg->key))
		return leg;
	leg_release(leg);
	return NULL;
}

struct leg *
leg_hold(struct leg *leg)
{
	atomic_fetch_add(&leg->references, 1);
	return leg;
}

void
leg_release(struct leg *leg)
{
	if (!leg || atomic_fetch_sub(&leg->references, 1) != 1)
		return;
	tls_config_release(leg->tls);
	if (leg->peer)
		identity_release(leg->peer);
	free(leg->target);
	free(leg->server_name);
	secret_wipe(&leg->key);
	free(leg);
}
