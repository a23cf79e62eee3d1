/* A table of tenants, and a list of them: minutes are equally long, so the first one ends first.  Those who
 * find no place in it have one minute together. */
#include "relay/session_lines.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "pki/identity.h"
#include "relay/agent_fields.h"
#include "relay/usage.h"

struct session_minute {
	struct hash_link link;
	STAILQ_ENTRY(session_minute) age;
	uint8_t tenant[IDENTITY_KEY_BYTES];
	struct identity *identity; /* held: who came first in this minute */
	uint64_t end_ms, told, most, suppressed;
};

STAILQ_HEAD(session_minutes, session_minute);

struct session_lines {
	pthread_mutex_t lock;
	struct table table;
	struct session_minutes minutes;
	/* Of nobody in particular; its end is 0 while there is none. */
	struct session_minute others;
};

struct session_lines *
session_lines_new(void)
{
	struct session_lines *lines = calloc(1, sizeof *lines);

	if (!lines || !table_init(&lines->table)) {
		free(lines);
		return NULL;
	}
	STAILQ_INIT(&lines->minutes);
	pthread_mutex_init(&lines->lock, NULL);
	return lines;
}

static bool
has_tenant(const struct hash_link *at, const void *tenant)
{
	return memcmp(container_of(at, const struct session_minute, link)->tenant, tenant,
		   IDENTITY_KEY_BYTES) == 0;
}

/* Under the lock. */
static struct session_minute *
minute_of_others(struct session_lines *lines)
{
	if (lines->others.end_ms == 0)
		lines->others.end_ms = clock_ms() + SESSION_LINES_MS;
	return &lines->others;
}

/* Under the lock. NULL when memory is short or the table is full. */
static struct session_minute *
new_minute(struct session_lines *lines, struct identity *identity, const uint8_t *tenant)
{
	struct session_minute *minute;

	if (lines->table.count >= SESSION_LINES_MOST)
		return NULL;
	minute = calloc(1, sizeof *minute);
	if (!minute) {
		memory_short("nothing: the lines of a session count with those of others");
		return NULL;
	}
	memcpy(minute->tenant, tenant, IDENTITY_KEY_BYTES);
	minute->identity = identity_hold(identity);
	minute->end_ms = clock_ms() + SESSION_LINES_MS;
	table_add(
	    &lines->table, &minute->link, table_hash(&lines->table, tenant, IDENTITY_KEY_BYTES));
	STAILQ_INSERT_TAIL(&lines->minutes, minute, age);
	return minute;
}

/* Under the lock. */
static struct session_minute *
minute_of(struct session_lines *lines, struct identity *identity, const uint8_t *tenant)
{
	struct hash_link *at = table_find(&lines->table,
	    table_hash(&lines->table, tenant, IDENTITY_KEY_BYTES), has_tenant, tenant);
	struct session_minute *minute = at ? container_of(at, struct session_minute, link)
					   : new_minute(lines, identity, tenant);

	return minute ? minute : minute_of_others(lines);
}

/* Whether one more session has lines; `has` is how many sessions the tenant has. */
static bool
take(struct session_minute *minute, uint64_t has)
{
	minute->most = has > minute->most ? has : minute->most;
	if (minute->told < SESSION_LINES_FREE + 2 * minute->most) {
		minute->told++;
		return true;
	}
	minute->suppressed++;
	return false;
}

bool
session_lines_take(
    struct session_lines *lines, struct identity *identity, const struct usage *usage)
{
	bool is_told;

	pthread_mutex_lock(&lines->lock);
	is_told = take(minute_of(lines, identity, usage_tenant_key(usage)),
	    usage_tenant_count(usage, USAGE_SESSIONS));
	pthread_mutex_unlock(&lines->lock);
	return is_told;
}

static void
tell(const struct session_minute *minute)
{
	if (minute->suppressed > 0)
		log_audit(LOG_WARNING, "session-lines-suppressed",
		    minute->identity
			? "agents of this tenant connect again and again: look what they run"
			: "agents of many tenants connect again and again: look who lets them",
		    log_agent(minute->identity), log_u64("sessions", minute->suppressed));
}

/* Under the lock; what it was, if it is over at this time. */
static struct session_minute
end_others(struct session_lines *lines, uint64_t now_ms)
{
	struct session_minute others = lines->others;

	if (others.end_ms > now_ms)
		return (struct session_minute){ 0 };
	lines->others = (struct session_minute){ 0 };
	return others;
}

/* Tells of the minutes that are over at this time. */
static void
end_until(struct session_lines *lines, uint64_t now_ms)
{
	struct session_minutes over = STAILQ_HEAD_INITIALIZER(over);
	struct session_minute *minute, others;

	pthread_mutex_lock(&lines->lock);
	while ((minute = STAILQ_FIRST(&lines->minutes)) && minute->end_ms <= now_ms) {
		STAILQ_REMOVE_HEAD(&lines->minutes, age);
		table_remove(&lines->table, &minute->link);
		STAILQ_INSERT_TAIL(&over, minute, age);
	}
	others = end_others(lines, now_ms);
	pthread_mutex_unlock(&lines->lock);
	tell(&others);
	while ((minute = STAILQ_FIRST(&over))) {
		STAILQ_REMOVE_HEAD(&over, age);
		tell(minute);
		identity_release(minute->identity);
		free(minute);
	}
}

void
session_lines_tick(struct session_lines *lines)
{
	end_until(lines, clock_ms());
}

void
session_lines_free(struct session_lines *lines)
{
	if (!lines)
		return;
	end_until(lines, UINT64_MAX);
	table_wipe(&lines->table);
	pthread_mutex_destroy(&lines->lock);
	free(lines);
}
