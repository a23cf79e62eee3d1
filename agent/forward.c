/* Makes a forward ready for use. */
#include "agent/forward.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/egress.h"
#include "agent/limits.h"
#include "agent/sources.h"
#include "base/log.h"
#include "base/socket.h"

static void
fill(struct forward *forward, const struct forward_settings *settings,
    const struct agent_settings *agent)
{
	snprintf(forward->name, sizeof forward->name, "%s", settings->name);
	forward->listener = settings->listener;
	memcpy(forward->server_name, settings->server_name, sizeof forward->server_name);
	snprintf(forward->alpn, sizeof forward->alpn, "%s", settings->alpn ? settings->alpn : "");
	forward->forgives_truncation = settings->eof_without_close_notify == EOF_FIN;
	forward->bounds.half_closed_ms = settings->half_closed_ms;
	forward->bounds.idle_ms = settings->idle_ms;
	forward->bounds.stall_ms = settings->stall_ms;
	forward->flows_most = agent_limits_forward(agent, settings->flows, socket_raise_limit());
}

static struct forward *
make(const struct forward_settings *settings, const struct agent_settings *agent,
    const struct forward *previous, const struct forward *lender, char error[FORWARD_ERROR])
{
	struct forward *forward = calloc(1, sizeof *forward);
	char *alpn = settings->alpn, why[UPSTREAM_ERROR] = "memory is short";
	const struct conf_texts protocols = { .items = &alpn, .count = alpn != NULL };

	if (forward) {
		forward->references = 1;
		fill(forward, settings, agent);
		forward->egress = egress_hold(agent->egress);
		if (upstream_init(&forward->upstream, &settings->upstream, forward->server_name,
			&protocols, agent, previous ? &previous->upstream : NULL,
			lender ? &lender->upstream : NULL, why))
			return forward;
		forward_release(forward);
	}
	snprintf(error, FORWARD_ERROR, "forward %s: %s", settings->name, why);
	return NULL;
}

struct forward *
forward_new(const struct forward_settings *settings, const struct agent_settings *agent,
    const struct forward *previous, char error[FORWARD_ERROR])
{
	return make(settings, agent, previous, NULL, error);
}

struct forward *
forward_new_lent(const struct forward_settings *settings, const struct agent_settings *agent,
    const struct forward *previous, char error[FORWARD_ERROR])
{
	return make(settings, agent, previous, previous, error);
}

struct forward *
forward_hold(struct forward *forward)
{
	atomic_fetch_add(&forward->references, 1);
	return forward;
}

void
forward_release(struct forward *forward)
{
	if (!forward || atomic_fetch_sub(&forward->references, 1) != 1)
		return;
	upstream_wipe(&forward->upstream);
	egress_release(forward->egress);
	free(forward);
}

void
forward_warn(const struct forward_settings *settings, const struct forward *forward)
{
	const char *lent = agent_settings_lent_warning(settings);

	if (lent)
		log_event(LOG_WARNING, "certificate-lent", lent, log_str("forward", forward->name),
		    log_str("address", settings->listen));
	sources_warn(forward->upstream.trust, forward->name);
}
