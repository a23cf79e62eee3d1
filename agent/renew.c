/* From the agent's settings to the renewal of its certificate. */
#include "agent/renew.h"

#include "agent/context.h"
#include "agent/settings.h"

static struct renewal_certificate
certificate_of(const struct agent_settings *settings)
{
	return (struct renewal_certificate){ .key = "agent.certificate",
		.role = ROLE_AGENT,
		.certificate = settings->certificate,
		.private_key = settings->private_key,
		.settings = &settings->renew };
}

void
agent_renew_mend(const struct agent_settings *settings)
{
	const struct renewal_certificate certificate = certificate_of(settings);

	renewal_mend(&certificate);
}

bool
agent_renew_is_possible(const struct agent_settings *settings, char error[RENEWAL_ERROR])
{
	const struct renewal_certificate certificate = certificate_of(settings);

	return !settings->renew.url || renewal_is_possible(&certificate, error);
}

bool
agent_renew_start(struct agent_renew *renew, const struct agent_context *context,
    const struct agent_settings *settings, void (*on_change)(void *arg), void *arg)
{
	renewal_est_init(&renew->est, context->fetcher);
	renew->renewal = renewal_new(context->loop, &renew->est.authority, on_change, arg);
	if (!renew->renewal)
		return false;
	agent_renew_follow(renew, context, settings);
	return true;
}

void
agent_renew_follow(struct agent_renew *renew, const struct agent_context *context,
    const struct agent_settings *settings)
{
	const struct renewal_certificate certificate = certificate_of(settings);

	renew->est.proxy = context->proxy;
	renew->est.state_dir = settings->state_dir;
	renewal_set(renew->renewal, &certificate);
}

void
agent_renew_stop(struct agent_renew *renew)
{
	renewal_free(renew->renewal);
	renew->renewal = NULL;
}
