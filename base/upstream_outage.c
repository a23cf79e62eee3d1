/* Keeps what is known of upstreams that fail, and tells it. */
#include "base/upstream_outage.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/outage.h"

/* One for all upstreams: it is held for some instructions, when one has failed or comes back. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Whether this failure is to be told; `now` is what is told of it then. */
static bool
fail(struct upstream_outage *known, uint64_t now_ms, struct outage *now)
{
	struct outage *outage;
	bool tells = false;

	pthread_mutex_lock(&lock);
	outage = atomic_load(&known->outage);
	if (!outage)
		outage = calloc(1, sizeof *outage); /* or nothing is told */
	if (outage) {
		tells = outage_fail(outage, "down", now_ms);
		*now = *outage;
		atomic_store(&known->outage, outage);
	}
	pthread_mutex_unlock(&lock);
	return tells;
}

/* Whether it is over with this; `past` is what was then. */
static bool
end(struct upstream_outage *known, uint64_t now_ms, struct outage *past)
{
	struct outage *outage;
	bool is_over;

	pthread_mutex_lock(&lock);
	outage = atomic_load(&known->outage);
	is_over = outage && outage_is_calm(outage, now_ms);
	if (is_over) {
		*past = *outage;
		atomic_store(&known->outage, NULL);
		free(outage);
	}
	pthread_mutex_unlock(&lock);
	return is_over;
}

void
upstream_outage_note(struct upstream_outage *known, const char *target, const char *name,
    const char *error, uint64_t now_ms)
{
	struct outage outage;

	if (error && fail(known, now_ms, &outage))
		log_event(LOG_WARNING, "upstream-down", error, log_str("upstream", target),
		    log_str("server_name", name), log_outage(&outage, now_ms));
	else if (!error && atomic_load(&known->outage) && end(known, now_ms, &outage))
		log_event(LOG_WARNING, "upstream-up", "it takes connections again",
		    log_str("upstream", target), log_str("server_name", name),
		    log_outage(&outage, now_ms));
}

void
upstream_outage_wipe(struct upstream_outage *known)
{
	free(atomic_exchange(&known->outage, NULL));
}
