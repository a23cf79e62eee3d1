/* The facts and counters of one session, and the commands that wait for its worker. */
#include "relay/session_ref.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/hash.h"
#include "pki/identity.h"

/* What others want of the session. */
struct session_orders {
	unsigned channels;
	bool probe, succeed, doubt, yield;
	enum code end; /* CODE_NONE: it may go on */
	char sentence[SENTENCE_TEXT];
};

struct session_ref {
	atomic_uint held;
	atomic_bool retired, draining, suspect, mute, doubted, banished;
	atomic_bool has_place; /* it counts among the sessions of its usage */
	atomic_uint_fast64_t flows;
	atomic_uint_fast64_t answered_ms, silent_ms;
	/* Its on_command and arg belong to the session's thread. */
	struct session_ref_settings settings;
	struct pool *pool;
	uint64_t since_ms, agent_hash;
	pthread_mutex_t lock;
	struct session_orders orders; /* under the lock */
	bool is_called;               /* under the lock: `call` is on its way, and holds us */
	struct call call;
};

/* Flows that may wait for one channel that may be parked; of one client alone a third of them (pool.h). */
enum { WAITING_FOR_EACH = 24 };

static void on_need(void *arg, unsigned channels);
static void on_owing(void *arg);

/* Unkeyed: all relays must agree.  Whoever wants many clients at one agent would have to know
 * its instance. */
static uint64_t
hash_agent(const struct session_ref_settings *settings)
{
	static const uint8_t no_key[16];
	uint8_t who[IDENTITY_KEY_BYTES + INSTANCE_BYTES];

	memcpy(who, identity_key(settings->identity), IDENTITY_KEY_BYTES);
	memcpy(who + IDENTITY_KEY_BYTES, settings->instance, INSTANCE_BYTES);
	return hash_bytes(no_key, who, sizeof who);
}

struct session_ref *
session_ref_new(const struct session_ref_settings *settings)
{
	struct session_ref *ref = calloc(1, sizeof *ref);
	struct pool_settings pool = { .most = settings->pool_most,
		.most_waiting = settings->pool_most * WAITING_FOR_EACH,
		.usage = settings->usage,
		.on_need = on_need,
		.arg = ref };

	if (!ref || !(ref->pool = pool_new(&pool))) {
		free(ref);
		return NULL;
	}
	atomic_init(&ref->held, 1);
	atomic_init(&ref->has_place, true);
	pthread_mutex_init(&ref->lock, NULL);
	ref->settings = *settings;
	ref->since_ms = clock_ms();
	ref->agent_hash = hash_agent(settings);
	identity_hold(settings->identity);
	usage_set_owner(settings->usage, on_owing, ref);
	return ref;
}

struct session_ref *
session_ref_hold(struct session_ref *ref)
{
	atomic_fetch_add(&ref->held, 1);
	return ref;
}

void
session_ref_release(struct session_ref *ref)
{
	if (!ref || atomic_fetch_sub(&ref->held, 1) > 1)
		return;
	pool_release(ref->pool);
	usage_set_owner(ref->settings.usage, NULL, NULL);
	usage_release(ref->settings.usage);
	identity_release(ref->settings.identity);
	pthread_mutex_destroy(&ref->lock);
	free(ref);
}

static void
leave_place(struct session_ref *ref)
{
	if (atomic_exchange(&ref->has_place, false))
		usage_leave(ref->settings.usage, USAGE_SESSIONS);
}

void
session_ref_retire(struct session_ref *ref)
{
	if (atomic_exchange(&ref->retired, true))
		return;
	ref->settings.on_command = NULL;
	usage_set_owner(ref->settings.usage, NULL, NULL); /* all of it leaves anyway */
	leave_place(ref);
	pool_close(ref->pool);
}

bool
session_ref_is_retired(const struct session_ref *ref)
{
	return atomic_load(&ref->retired);
}

void
session_ref_set_draining(struct session_ref *ref)
{
	atomic_store(&ref->draining, true);
	pool_drain(ref->pool);
}

bool
session_ref_is_usable(const struct session_ref *ref)
{
	return !atomic_load(&ref->retired) && !atomic_load(&ref->draining);
}

void
session_ref_banish(struct session_ref *ref)
{
	atomic_store(&ref->banished, true);
}

bool
session_ref_is_banished(const struct session_ref *ref)
{
	return atomic_load(&ref->banished);
}

void
session_ref_set_suspect(struct session_ref *ref, bool suspect)
{
	atomic_store(&ref->suspect, suspect);
}

/* Each channel says that it is not; most never were. */
void
session_ref_set_mute(struct session_ref *ref, bool mute)
{
	if (atomic_load(&ref->mute) != mute)
		atomic_store(&ref->mute, mute);
}

bool
session_ref_is_suspect(const struct session_ref *ref)
{
	return atomic_load(&ref->suspect) || atomic_load(&ref->mute) || atomic_load(&ref->doubted);
}

void
session_ref_answered(struct session_ref *ref, uint64_t asked_ms)
{
	atomic_store(&ref->answered_ms, asked_ms);
	atomic_store(&ref->silent_ms, 0);
	atomic_store(&ref->doubted, false);
}

void
session_ref_was_silent(struct session_ref *ref, uint64_t asked_ms)
{
	atomic_store(&ref->silent_ms, asked_ms);
}

uint64_t
session_ref_answered_ms(const struct session_ref *ref)
{
	return atomic_load(&ref->answered_ms);
}

uint64_t
session_ref_silent_ms(const struct session_ref *ref)
{
	return atomic_load(&ref->silent_ms);
}

static struct session_orders
take_orders(struct session_ref *ref)
{
	struct session_orders orders;

	pthread_mutex_lock(&ref->lock);
	orders = ref->orders;
	ref->orders = (struct session_orders){ 0 };
	ref->is_called = false;
	pthread_mutex_unlock(&ref->lock);
	return orders;
}

/* Each command may retire the session. */
static void
tell(struct session_ref *ref, const struct session_ref_command *command)
{
	if (ref->settings.on_command)
		ref->settings.on_command(ref->settings.arg, command);
}

static void
on_call(void *data)
{
	struct session_ref *ref = data;
	struct session_orders orders = take_orders(ref);

	if (orders.channels > 0)
		tell(ref,
		    &(struct session_ref_command){
			.kind = SESSION_REF_NEED, .channels = orders.channels });
	if (orders.probe)
		tell(ref, &(struct session_ref_command){ .kind = SESSION_REF_PROBE });
	if (orders.succeed)
		tell(ref, &(struct session_ref_command){ .kind = SESSION_REF_SUCCEEDED });
	if (orders.doubt)
		tell(ref, &(struct session_ref_command){ .kind = SESSION_REF_DOUBT });
	if (orders.yield) {
		pool_yield(ref->pool);
		tell(ref, &(struct session_ref_command){ .kind = SESSION_REF_YIELD });
	}
	if (orders.end != CODE_NONE)
		tell(ref,
		    &(struct session_ref_command){
			.kind = SESSION_REF_END, .code = orders.end, .sentence = orders.sentence });
	session_ref_release(ref);
}

/* Called with the lock held, which it gives back. */
static void
call_home(struct session_ref *ref)
{
	bool is_first = !ref->is_called;

	ref->is_called = true;
	if (is_first)
		session_ref_hold(ref);
	pthread_mutex_unlock(&ref->lock);
	if (is_first)
		loop_call(ref->settings.loop, &ref->call, on_call, ref);
}

void
session_ref_need(struct session_ref *ref, unsigned channels)
{
	if (session_ref_is_retired(ref))
		return;
	pthread_mutex_lock(&ref->lock);
	ref->orders.channels += channels;
	call_home(ref);
}

static void
on_need(void *arg, unsigned channels)
{
	session_ref_need(arg, channels);
}

static void
on_owing(void *arg)
{
	struct session_ref *ref = arg;

	pthread_mutex_lock(&ref->lock);
	ref->orders.yield = true;
	call_home(ref);
}

void
session_ref_probe(struct session_ref *ref)
{
	if (session_ref_is_retired(ref))
		return;
	pthread_mutex_lock(&ref->lock);
	ref->orders.probe = true;
	call_home(ref);
}

void
session_ref_succeed(struct session_ref *ref)
{
	if (session_ref_is_retired(ref))
		return;
	pthread_mutex_lock(&ref->lock);
	ref->orders.succeed = true;
	call_home(ref);
}

void
session_ref_doubt(struct session_ref *ref)
{
	if (session_ref_is_retired(ref))
		return;
	atomic_store(&ref->doubted, true);
	pthread_mutex_lock(&ref->lock);
	ref->orders.doubt = true;
	call_home(ref);
}

void
session_ref_end(struct session_ref *ref, enum code code, const char *sentence)
{
	if (session_ref_is_retired(ref))
		return;
	pthread_mutex_lock(&ref->lock);
	if (ref->orders.end == CODE_NONE) {
		ref->orders.end = code;
		snprintf(ref->orders.sentence, sizeof ref->orders.sentence, "%s", sentence);
	}
	call_home(ref);
}

/* Whoever has cleared `has_place` may do with the place what he likes. */
bool
session_ref_take_place(struct session_ref *ref, struct usage *usage, char why[USAGE_WHY])
{
	if (!ref || !atomic_exchange(&ref->has_place, false))
		return usage_enter(usage, USAGE_SESSIONS, why);
	if (usage_take_over(usage, ref->settings.usage, USAGE_SESSIONS, why))
		return true;
	atomic_store(&ref->has_place, true);
	if (session_ref_is_retired(ref))
		leave_place(ref); /* it could not when it went */
	return false;
}

bool
session_ref_has_place(const struct session_ref *ref)
{
	return atomic_load(&ref->has_place);
}

bool
session_ref_regain_place(
    struct session_ref *ref, struct session_ref *twin, bool *taken, char why[USAGE_WHY])
{
	*taken = false;
	if (session_ref_has_place(ref))
		return true;
	if (!usage_enter(ref->settings.usage, USAGE_SESSIONS, why)) {
		*taken = twin && session_ref_has_place(twin);
		if (!*taken || !session_ref_take_place(twin, ref->settings.usage, why))
			return false;
	}
	atomic_store(&ref->has_place, true);
	return true;
}

bool
session_ref_enter_flow(struct session_ref *ref, char why[USAGE_WHY])
{
	if (!usage_enter(ref->settings.usage, USAGE_FLOWS, why))
		return false;
	atomic_fetch_add(&ref->flows, 1);
	return true;
}

void
session_ref_leave_flow(struct session_ref *ref)
{
	atomic_fetch_sub(&ref->flows, 1);
	usage_leave(ref->settings.usage, USAGE_FLOWS);
}

uint64_t
session_ref_flows(const struct session_ref *ref)
{
	return atomic_load(&ref->flows);
}

uint64_t
session_ref_age_ms(const struct session_ref *ref)
{
	return clock_ms() - ref->since_ms;
}

void
session_ref_continue(struct session_ref *ref, const struct session_ref *before)
{
	ref->since_ms = before->since_ms;
}

uint64_t
session_ref_agent_hash(const struct session_ref *ref)
{
	return ref->agent_hash;
}

const struct identity *
session_ref_identity(const struct session_ref *ref)
{
	return ref->settings.identity;
}

const char *
session_ref_agent(const struct session_ref *ref)
{
	return identity_name(ref->settings.identity);
}

const uint8_t *
session_ref_session_id(const struct session_ref *ref)
{
	return ref->settings.session_id;
}

unsigned
session_ref_version(const struct session_ref *ref)
{
	return ref->settings.version;
}

const uint8_t *
session_ref_instance(const struct session_ref *ref)
{
	return ref->settings.instance;
}

const uint8_t *
session_ref_start(const struct session_ref *ref)
{
	return ref->settings.start;
}

struct pool *
session_ref_pool(struct session_ref *ref)
{
	return ref->pool;
}

struct usage *
session_ref_usage(struct session_ref *ref)
{
	return ref->settings.usage;
}

bool
session_ref_is_shared(const struct session_ref *ref)
{
	const struct grant *grant = identity_grant(ref->settings.identity);

	return grant && grant->shared;
}
