/* Plain facts, three counters, and a way to send commands home. */
#include "relay/member.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "pki/identity.h"

struct member {
	atomic_uint held;
	atomic_bool retired, draining;
	atomic_uint_fast64_t flows;
	struct member_settings settings;	/* on_command and arg belong to the session's thread */
	struct pool *pool;
};

struct command {
	struct message message;
	struct member *member;		/* held */
	struct member_command command;
};

static void on_need(void *arg, unsigned channels);

struct member *
member_new(const struct member_settings *settings)
{
	struct member *member = calloc(1, sizeof(*member));
	struct pool_settings pool = { .most = settings->pool_most, .tally = settings->tally,
	    .most_per_identity = settings->pool_most_per_identity, .on_need = on_need, .arg = member };

	if (member == NULL || (member->pool = pool_new(&pool)) == NULL) {
		free(member);
		return NULL;
	}
	atomic_init(&member->held, 1);
	member->settings = *settings;
	identity_hold(settings->identity);
	return member;
}

struct member *
member_hold(struct member *member)
{
	atomic_fetch_add(&member->held, 1);
	return member;
}

void
member_release(struct member *member)
{
	if (member == NULL || atomic_fetch_sub(&member->held, 1) > 1)
		return;
	pool_release(member->pool);
	tally_release(member->settings.tally);
	identity_release(member->settings.identity);
	free(member);
}

void
member_retire(struct member *member)
{
	if (atomic_exchange(&member->retired, true))
		return;
	member->settings.on_command = NULL;
	tally_leave(member->settings.tally, TALLY_SESSIONS);
	pool_close(member->pool);
}

bool
member_is_retired(const struct member *member)
{
	return atomic_load(&member->retired);
}

void
member_set_draining(struct member *member)
{
	atomic_store(&member->draining, true);
}

bool
member_is_usable(const struct member *member)
{
	return !atomic_load(&member->retired) && !atomic_load(&member->draining);
}

static void
deliver_command(struct message *message)
{
	struct command *order = container_of(message, struct command, message);
	const struct member_settings *settings = &order->member->settings;

	if (settings->on_command != NULL)
		settings->on_command(settings->arg, &order->command);
	member_release(order->member);
	free(order);
}

static void
send_home(struct member *member, enum member_command_kind kind, uint32_t number, enum code code,
    const char *sentence)
{
	struct command *order;

	if (member_is_retired(member) || (order = calloc(1, sizeof(*order))) == NULL)
		return;
	order->message.deliver = deliver_command;
	order->member = member_hold(member);
	order->command = (struct member_command){ .kind = kind, .number = number, .code = code };
	snprintf(order->command.sentence, sizeof(order->command.sentence), "%s", sentence);
	loop_post(member->settings.loop, &order->message);
}

static void
on_need(void *arg, unsigned channels)
{
	send_home(arg, MEMBER_NEED, channels, CODE_NONE, "");
}

void
member_probe(struct member *member)
{
	send_home(member, MEMBER_PROBE, 0, CODE_NONE, "");
}

void
member_end(struct member *member, enum code code, const char *sentence)
{
	send_home(member, MEMBER_END, 0, code, sentence);
}

void
member_endpoint_lost(struct member *member, uint32_t endpoint, enum code code, const char *sentence)
{
	send_home(member, MEMBER_ENDPOINT_LOST, endpoint, code, sentence);
}

bool
member_enter_flow(struct member *member)
{
	const struct grant *grant = identity_grant(member->settings.identity);

	if (!tally_enter(member->settings.tally, TALLY_FLOWS, grant ? grant->max_flows : 0))
		return false;
	atomic_fetch_add(&member->flows, 1);
	return true;
}

void
member_leave_flow(struct member *member)
{
	atomic_fetch_sub(&member->flows, 1);
	tally_leave(member->settings.tally, TALLY_FLOWS);
}

uint64_t
member_flows(const struct member *member)
{
	return atomic_load(&member->flows);
}

const struct identity *
member_identity(const struct member *member)
{
	return member->settings.identity;
}

const char *
member_agent(const struct member *member)
{
	return identity_name(member->settings.identity);
}

const uint8_t *
member_session_id(const struct member *member)
{
	return member->settings.session_id;
}

const uint8_t *
member_instance(const struct member *member)
{
	return member->settings.instance;
}

const uint8_t *
member_start(const struct member *member)
{
	return member->settings.start;
}

struct pool *
member_pool(struct member *member)
{
	return member->pool;
}

bool
member_is_kin(const struct member *a, const struct member *b)
{
	return memcmp(identity_key(a->settings.identity), identity_key(b->settings.identity),
	    IDENTITY_KEY_BYTES) == 0;
}

bool
member_is_shared(const struct member *member)
{
	const struct grant *grant = identity_grant(member->settings.identity);

	return grant != NULL && grant->shared;
}
