/* Checks the upstreams of the endpoints that are served. */
#include "agent/endpoint_health.h"

#include <stdlib.h>

#include "agent/endpoint_table.h"
#include "agent/upstream_judge.h"
#include "base/health.h"
#include "tunnel/health_check.h"

struct endpoint_health {
	struct loop *loop;
	struct resolver *resolver;
	struct health *health;
	struct tls_config *any;       /* for upstreams that are only asked whether they speak TLS */
	struct endpoint_table *table; /* held; NULL: none yet */
	void (*on_change)(void *arg);
	void *arg;
};

/* One that is under way.  The endpoint may be gone from the table meanwhile. */
struct endpoint_check {
	struct endpoint *endpoint; /* held */
	struct health_turn *turn;
	struct health_check *check;
	struct upstream_judge judge;
};

static void
drop(void *check)
{
	struct endpoint_check *one = check;

	health_check_free(one->check);
	upstream_judge_wipe(&one->judge);
	endpoint_release(one->endpoint);
	free(one);
}

static void
on_done(void *arg, const char *error)
{
	struct endpoint_check *one = arg;

	if (health_check_is_short(one->check))
		health_skip(one->turn);
	else
		health_answer(
		    one->turn, error && one->judge.refusal[0] ? one->judge.refusal : error);
	drop(one);
}

static void
ask_tls(const struct endpoint_health *self, struct endpoint_check *one, unsigned target,
    struct health_check_options *options)
{
	const struct endpoint *endpoint = one->endpoint;
	const struct upstream *upstream = &endpoint->upstream;

	if (upstream->kind == UPSTREAM_TLS) {
		upstream_judge_init(&one->judge, upstream, target);
		options->tls = upstream_tls(upstream, "");
		options->server_name = upstream->targets[target].sends_sni
		    ? upstream->targets[target].server_name
		    : NULL;
		options->hooks =
		    (struct tls_hooks){ .judge = upstream_judge_chain, .arg = &one->judge };
	} else {
		options->tls = self->any;
		options->server_name =
		    name_is_wildcard(endpoint->server_name) ? NULL : endpoint->server_name;
	}
}

static void *
begin(void *arg, struct health_turn *turn, const struct health_subject *subject, unsigned target)
{
	const struct endpoint_health *self = arg;
	const struct health_settings *settings = upstream_group_health(subject->group);
	struct endpoint *endpoint = subject->about;
	struct health_check_options options = {
		.target = endpoint->upstream.targets[target].url.target,
		.timeout_ms = settings->timeout_ms,
		.proxy_version = endpoint->upstream.proxy_version,
		.asks_for_tls = endpoint->upstream.asks_for_tls,
	};
	struct endpoint_check *one = calloc(1, sizeof *one);

	if (!one)
		return NULL;
	one->endpoint = endpoint_hold(endpoint);
	one->turn = turn;
	if (settings->check == HEALTH_TLS)
		ask_tls(self, one, target, &options);
	one->check = health_check_new(self->loop, self->resolver, &options, on_done, one);
	if (one->check)
		return one;
	drop(one);
	return NULL;
}

static void
on_change(void *arg)
{
	struct endpoint_health *self = arg;

	self->on_change(self->arg);
}

struct endpoint_health *
endpoint_health_new(
    struct loop *loop, struct resolver *resolver, void (*on_change_of_one)(void *arg), void *arg)
{
	static const struct health_ops ops = { begin, drop, on_change };
	const struct tls_settings any = { .purpose = TLS_UPSTREAM };
	struct endpoint_health *self = calloc(1, sizeof *self);
	char error[TLS_ERROR];

	if (!self)
		return NULL;
	self->loop = loop;
	self->resolver = resolver;
	self->on_change = on_change_of_one;
	self->arg = arg;
	self->health = health_new(loop, &ops, self);
	self->any = tls_config_new(&any, error);
	if (self->health && self->any)
		return self;
	endpoint_health_free(self);
	return NULL;
}

void
endpoint_health_free(struct endpoint_health *self)
{
	if (!self)
		return;
	health_free(self->health);
	endpoint_table_release(self->table);
	tls_config_release(self->any);
	free(self);
}

bool
endpoint_health_watch(struct endpoint_health *self, struct endpoint_table *table)
{
	struct health_subject *subjects = calloc(table->count + 1, sizeof *subjects);
	struct endpoint_table *before = self->table;
	bool fine = subjects != NULL;

	if (!fine)
		return false; /* the table of before goes on */
	for (size_t i = 0; i < table->count; i++)
		subjects[i] = (struct health_subject){ table->endpoints[i]->upstream.group,
			table->endpoints[i] };
	self->table = endpoint_table_hold(table);
	fine = health_watch(self->health, subjects, table->count);
	endpoint_table_release(before);
	free(subjects);
	return fine;
}
