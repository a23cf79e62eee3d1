/* One outage for the process, since all of it asks the same name server. */
#include "base/name_server.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/outage.h"
#include "base/resolved.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct outage known; /* under the lock */
static char failed[HOST_BYTES];

/* Whether there is something to tell, and what is told of the outage. */
static bool
note(const char *host, bool has_failed, uint64_t now_ms, struct outage *told)
{
	bool tells;

	if (!has_failed)
		return strcmp(host, failed) == 0 && outage_end(&known, told);
	snprintf(failed, sizeof failed, "%s", host);
	tells = outage_fail(&known, "silent", now_ms);
	*told = known;
	return tells;
}

void
name_server_note(const char *host, const char *error)
{
	uint64_t now = clock_ms();
	struct outage told;
	bool tells;

	pthread_mutex_lock(&lock);
	tells = note(host, error != NULL, now, &told);
	pthread_mutex_unlock(&lock);
	if (tells && error)
		log_limited(LOG_WARNING, "name-server-silent", NULL, error, log_str("host", host),
		    log_outage(&told, now));
	else if (tells)
		log_limited(LOG_WARNING, "name-server-answers", NULL, "names are resolved again",
		    log_str("host", host), log_outage(&told, now));
}
