/* Plain facts, three counters, and a way to send commands home. */
#include "relay/session_ref.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "pki/identity.h"

struct session_ref {
	atomic_uint held;
	atomic_bool retired, draining;
	atomic_uint_fast64_t flows;
	struct session_ref_settings settings;	/* on_command and arg belong to the session's thread */
	struct pool *pool;
};

struct session_order {
	struct message message;
	struct session_ref *session_ref;		/* held */
	struct session_ref_command command;
};

static void on_need(void *arg, unsigned channels);

struct session_ref *
session_ref_new(const struct session_ref_settings *settings)
{
	struct session_ref *ref = calloc(1, sizeof(*ref));
	struct pool_settings pool = { .most = settings->pool_most, .usage = settings->usage,
	    .most_per_identity = settings->pool_most_per_identity, .on_need = on_need, .arg = ref };

	if (ref == NULL || (ref->pool = pool_new(&pool)) == NULL) {
		free(ref);
		return NULL;
	}
	atomic_init(&ref->held, 1);
	ref->settings = *settings;
	identity_hold(settings->identity);
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
	if (ref == NULL || atomic_fetch_sub(&ref->held, 1) > 1)
		return;
	pool_release(ref->pool);
	usage_release(ref->settings.usage);
	identity_release(ref->settings.identity);
	free(ref);
}

void
session_ref_retire(struct session_ref *ref)
{
	if (atomic_exchange(&ref->retired, true))
		return;
	ref->settings.on_command = NULL;
	usage_leave(ref->settings.usage, USAGE_SESSIONS);
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
}

bool
session_ref_is_usable(const struct session_ref *ref)
{
	return !atomic_load(&ref->retired) && !atomic_load(&ref->draining);
}

static void
deliver_command(struct message *message)
{
	struct session_order *order = container_of(message, struct session_order, message);
	const struct session_ref_settings *settings = &order->session_ref->settings;

	if (settings->on_command != NULL)
		settings->on_command(settings->arg, &order->command);
	session_ref_release(order->session_ref);
	free(order);
}

static void
send_home(struct session_ref *ref, enum session_ref_command_kind kind, uint32_t number, enum code code,
    const char *sentence)
{
	struct session_order *order;

	if (session_ref_is_retired(ref) || (order = calloc(1, sizeof(*order))) == NULL)
		return;
	order->message.deliver = deliver_command;
	order->session_ref = session_ref_hold(ref);
	order->command = (struct session_ref_command){ .kind = kind, .number = number, .code = code };
	snprintf(order->command.sentence, sizeof(order->command.sentence), "%s", sentence);
	loop_post(ref->settings.loop, &order->message);
}

static void
on_need(void *arg, unsigned channels)
{
	send_home(arg, SESSION_REF_NEED, channels, CODE_NONE, "");
}

void
session_ref_probe(struct session_ref *ref)
{
	send_home(ref, SESSION_REF_PROBE, 0, CODE_NONE, "");
}

void
session_ref_end(struct session_ref *ref, enum code code, const char *sentence)
{
	send_home(ref, SESSION_REF_END, 0, code, sentence);
}

void
session_ref_endpoint_lost(struct session_ref *ref, uint32_t endpoint, enum code code, const char *sentence)
{
	send_home(ref, SESSION_REF_ENDPOINT_LOST, endpoint, code, sentence);
}

bool
session_ref_enter_flow(struct session_ref *ref)
{
	const struct grant *grant = identity_grant(ref->settings.identity);

	if (!usage_enter(ref->settings.usage, USAGE_FLOWS, grant ? grant->max_flows : 0))
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

bool
session_ref_is_kin(const struct session_ref *a, const struct session_ref *b)
{
	return memcmp(identity_key(a->settings.identity), identity_key(b->settings.identity),
	    IDENTITY_KEY_BYTES) == 0;
}

bool
session_ref_is_shared(const struct session_ref *ref)
{
	const struct grant *grant = identity_grant(ref->settings.identity);

	return grant != NULL && grant->shared;
}
