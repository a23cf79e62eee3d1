/* Holds the trust set in force: one pointer behind one mutex. */
#include "relay/trustwatch.h"

#include <pthread.h>
#include <stdlib.h>
#include "base/log.h"
#include "relay/settings.h"

struct trustwatch {
	pthread_mutex_t lock;
	struct trust *trust;
	struct trust_stamp seen;
	bool keeps_nothing;
};

struct trustwatch *
trustwatch_new(void)
{
	struct trustwatch *watch = calloc(1, sizeof *watch);

	if (watch)
		pthread_mutex_init(&watch->lock, NULL);
	return watch;
}

void
trustwatch_free(struct trustwatch *watch)
{
	if (!watch)
		return;
	trustwatch_swap(watch, NULL);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

struct trust *
trustwatch_trust(struct trustwatch *watch)
{
	struct trust *trust;

	pthread_mutex_lock(&watch->lock);
	trust = watch->trust ? trust_hold(watch->trust) : NULL;
	pthread_mutex_unlock(&watch->lock);
	return trust;
}

static struct trust_sources
sources_of(const struct settings *settings)
{
	struct trust_sources sources;

	trust_rows_fill(&sources, &settings->agent_cas, &settings->agent_crls,
	    &settings->agent_crl_url, &settings->agent_crl);
	sources.state_dir = settings->state_dir;
	sources.label = "connect.agent_cas";
	return sources;
}

struct trust *
trustwatch_load(struct trustwatch *watch, const struct settings *settings, char error[TRUST_ERROR])
{
	struct trust_sources sources = sources_of(settings);

	sources.keeps_nothing = watch->keeps_nothing;
	/* Only this thread writes the pointer, so reading it needs no lock. */
	return trust_load(&sources, watch->trust, error, TRUST_ERROR);
}

struct trust *
trustwatch_start(struct trustwatch *watch, const struct settings *settings, char error[TRUST_ERROR])
{
	struct trust_sources sources = sources_of(settings);

	sources.waits_for_clock = true;
	trustwatch_files_changed(watch, settings);
	return trust_load(&sources, NULL, error, TRUST_ERROR);
}

struct trust *
trustwatch_check(const struct settings *settings, char error[TRUST_ERROR])
{
	struct trust_sources sources = sources_of(settings);

	sources.keeps_nothing = sources.waits_for_clock = true;
	return trust_load(&sources, NULL, error, TRUST_ERROR);
}

void
trustwatch_swap(struct trustwatch *watch, struct trust *trust)
{
	struct trust *old;

	pthread_mutex_lock(&watch->lock);
	old = watch->trust;
	watch->trust = trust;
	pthread_mutex_unlock(&watch->lock);
	if (old)
		trust_release(old);
}

bool
trustwatch_files_changed(struct trustwatch *watch, const struct settings *settings)
{
	struct trust_sources sources = sources_of(settings);

	return trust_files_changed(&sources, &watch->seen);
}

void
trustwatch_keep_revoked(struct trustwatch *watch)
{
	char error[TRUST_ERROR];

	if (watch && watch->trust && !watch->keeps_nothing &&
	    !trust_keep_revoked(watch->trust, error))
		log_event(LOG_WARNING, "trust-warning", error);
}

void
trustwatch_keep_nothing(struct trustwatch *watch, bool keeps_nothing)
{
	watch->keeps_nothing = keeps_nothing;
}

void
trustwatch_forget_files(struct trustwatch *watch)
{
	watch->seen = (struct trust_stamp){ 0 };
}
