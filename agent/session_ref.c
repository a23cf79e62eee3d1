/*
 * A session as its channels see it.
 */
#include "agent/session_ref.h"

#include <stdlib.h>
#include <string.h>

#include "agent/egress.h"
#include "pki/identity.h"

struct agent_session_ref *
agent_session_ref_new(const char *target, const char *server_name,
    const struct frame_welcome *welcome, struct session *session, struct tls_config *channel,
    struct identity *peer)
{
	struct agent_session_ref *ref = calloc(1, sizeof *ref);

	if (!ref)
		return NULL;
	ref->references = 1;
	channel_pool_init(&ref->pool, 0, 0, 0, 0);
	ref->tls = tls_config_hold(channel);
	ref->peer = peer ? identity_hold(peer) : NULL;
	ref->target = strdup(target);
	ref->server_name = strdup(server_name);
	memcpy(ref->relay, welcome->relay, sizeof ref->relay);
	ref->version = welcome->version;
	channel_identity(welcome->session_id, ref->identity);
	if (ref->target && ref->server_name &&
	    session_channel_key(session, welcome->session_id, &ref->key))
		return ref;
	agent_session_ref_release(ref);
	return NULL;
}

struct agent_session_ref *
agent_session_ref_hold(struct agent_session_ref *ref)
{
	atomic_fetch_add(&ref->references, 1);
	return ref;
}

void
agent_session_ref_release(struct agent_session_ref *ref)
{
	if (!ref || atomic_fetch_sub(&ref->references, 1) != 1)
		return;
	channel_pool_wipe(&ref->pool);
	tls_config_release(ref->tls);
	if (ref->peer)
		identity_release(ref->peer);
	free(ref->target);
	free(ref->server_name);
	egress_release(ref->egress);
	secret_wipe(&ref->key);
	free(ref);
}
