/* From the relay's settings to the renewal of its certificate. */
#include "relay/renew.h"

#include "relay/settings.h"

static struct renewal_certificate
certificate_of(const struct settings *settings)
{
	return (struct renewal_certificate){ .key = "connect.certificate",
		.role = ROLE_RELAY,
		.host = settings->connect_name,
		.certificate = settings->certificate,
		.private_key = settings->private_key,
		.settings = &settings->renew };
}

void
renew_mend(const struct settings *settings)
{
	const struct renewal_certificate certificate = certificate_of(settings);

	renewal_mend(&certificate);
}

bool
renew_is_possible(const struct settings *settings, char error[RENEWAL_ERROR])
{
	const struct renewal_certificate certificate = certificate_of(settings);

	return !settings->renew.url || renewal_is_possible(&certificate, error);
}

bool
renew_init(struct renew *renew, struct loop *loop, struct fetcher *fetcher,
    void (*on_change)(void *arg), void *arg)
{
	renewal_est_init(&renew->est, fetcher);
	renew->renewal = renewal_new(loop, &renew->est.authority, on_change, arg);
	return renew->renewal != NULL;
}

void
renew_follow(struct renew *renew, const struct settings *settings)
{
	const struct renewal_certificate certificate = certificate_of(settings);

	renew->est.state_dir = settings->state_dir;
	renewal_set(renew->renewal, &certificate);
}

void
renew_wipe(struct renew *renew)
{
	renewal_free(renew->renewal);
	renew->renewal = NULL;
}
