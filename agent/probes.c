/* Probes of the agent's own names: the round, the comparison, and what is told of it. */
#include "agent/probes.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/endpoint_table.h"
#include "agent/probe_look.h"
#include "base/admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/outage.h"
#include "base/units.h"

enum {
	FIRST_MOST_MS = 30000, /* after the start or a reload, when its endpoints are up */
	AGAIN_MS = 5000, /* a certificate that was just renewed is in force everywhere by then */
	SENTENCE = 768,
};

/* For any label in the place of the "*". */
#define WILDCARD_LABEL "valise-probe"

enum result { NOT_YET, MATCH, MISMATCH, UNKNOWN, RESULTS };
static const char *const result_words[RESULTS] = { "not-yet", "match", "mismatch", "unknown" };

/* Of one server name; lives on over reloads. */
struct probed {
	char server_name[NAME_SIZE]; /* or the pattern */
	char asked[NAME_SIZE];       /* one that it covers */
	enum result result;
	int64_t at_s; /* 0: never */
	uint64_t counts[RESULTS];
	bool has_answered, has_upstream;
	struct spki_pin answered; /* by who was there last */
	struct address from;      /* whose address that was; 0 bytes: not known */
	struct spki_pin upstream; /* shown by the upstream last */
	char error[SENTENCE];     /* of UNKNOWN */
	struct outage outage;     /* while it is UNKNOWN */
};

enum state { RESTING, LOOKING, COMPARING, WAITING, STATES };

struct probes {
	struct loop *loop;
	struct resolver *resolver;
	const struct agent_settings *settings;
	struct endpoint_table *table; /* held; NULL at first */
	struct probed *names;         /* one for each endpoint of the settings, in their order */
	struct probed **by_name;      /* the same, in the order of their server names */
	size_t count;
	uint64_t interval_ms; /* of the settings that the round was begun with */
	char address[UPSTREAM_URL_TARGET];
	enum state state;
	size_t at;         /* whose turn it is */
	unsigned target;   /* which of the upstreams is looked at */
	bool has_seen;     /* one of them showed a key */
	bool is_second;    /* the look that confirms */
	uint64_t began_ms; /* the round */
	struct probe_look *look;
	struct timer timer;
};

/* The only writer of ->state. */
static void
move(struct probes *probes, enum state to)
{
	static const unsigned may_move[STATES] = {
		[RESTING] = 1u << LOOKING | 1u << RESTING,
		[LOOKING] = 1u << COMPARING | 1u << WAITING | 1u << RESTING,
		[COMPARING] = 1u << COMPARING | 1u << WAITING | 1u << RESTING,
		[WAITING] = 1u << LOOKING | 1u << RESTING,
	};
	static const char *const state_name[STATES] = { "resting", "looking", "comparing",
		"waiting" };

	assert(may_move[probes->state] & 1u << to);
	log_move("probe", log_object("probe", probes), state_name[probes->state], state_name[to]);
	probes->state = to;
}

/* ---- what is told ---- */

static void
tell_mismatch(const struct probed *name, const char *expected)
{
	char key[SPKI_PIN_TEXT];

	log_audit(LOG_ERROR, "probe-mismatch",
	    "another key answers for this name than the endpoint's, twice in a row: somebody else "
	    "holds a certificate for it, and ends the TLS of those who come; ask from other machines "
	    "(valise-agent probe), look for certificates that you have not ordered in Certificate "
	    "Transparency, and ask who runs the relay and the DNS of the name",
	    log_str("server_name", name->server_name),
	    log_str("spki", spki_pin_text(&name->answered, key)), log_str("expected", expected));
}

static void
tell_unknown(struct probed *name)
{
	uint64_t now = clock_ms();

	if (outage_fail(&name->outage, "unknown", now))
		log_event(LOG_WARNING, "probe-unknown", name->error,
		    log_str("server_name", name->server_name), log_outage(&name->outage, now));
}

static void
tell_match(const struct probed *name, const struct outage *past)
{
	char key[SPKI_PIN_TEXT];

	log_event(past->failures > 0 ? LOG_WARNING : LOG_INFO, "probe-match",
	    "the endpoint's own key answers, which proves this one connection",
	    log_str("server_name", name->server_name),
	    log_str("spki", spki_pin_text(&name->answered, key)), log_outage(past, clock_ms()));
}

/* A mismatch is told each time, a match when it is new. */
static void
note(struct probed *name, enum result result, const char *expected)
{
	bool is_new = name->result != result;
	struct outage past = { 0 };

	name->result = result;
	name->at_s = clock_wall_s();
	name->counts[result]++;
	if (result != UNKNOWN)
		outage_end(&name->outage, &past);
	if (result == MISMATCH)
		tell_mismatch(name, expected);
	else if (result == UNKNOWN)
		tell_unknown(name);
	else if (is_new)
		tell_match(name, &past);
}

/* ---- which key is right ---- */

static const struct endpoint *
endpoint_of(const struct probes *probes)
{
	return endpoint_table_find_name(probes->table, probes->names[probes->at].server_name);
}

/* Those of other agents that serve the same names. */
static bool
is_listed(const struct probes *probes, const struct spki_pin *key)
{
	const struct conf_texts *texts = &probes->settings->probe.spki;
	struct spki_pin pin;

	for (size_t i = 0; i < texts->count; i++)
		if (spki_pin_parse(&pin, texts->items[i]) && spki_pin_equals(&pin, key))
			return true;
	return false;
}

static bool
is_right(const struct probes *probes, const struct endpoint *endpoint)
{
	const struct probed *name = &probes->names[probes->at];

	if (is_listed(probes, &name->answered))
		return true;
	if (endpoint->terminates)
		return endpoint_has_key(endpoint, &name->answered);
	return name->has_upstream && spki_pin_equals(&name->upstream, &name->answered);
}

/* ---- a round ---- */

/* Nearly as long as was said, so that nobody can foretell it. */
static uint64_t
spread(uint64_t ms)
{
	return ms - ms / 10 + arc4random_uniform((uint32_t)smaller_of(ms / 5 + 1, UINT32_MAX));
}

static void
rest(struct probes *probes, uint64_t ms)
{
	move(probes, RESTING);
	probes->at = 0;
	timer_set(&probes->timer, ms);
}

static void
go_on(struct probes *probes)
{
	uint64_t interval = spread(probes->settings->probe.interval_ms);

	probes->is_second = false;
	if (++probes->at < probes->count) {
		move(probes, WAITING);
		timer_set(&probes->timer, 0);
	} else
		rest(probes, difference(probes->began_ms + interval, clock_ms()));
}

static void
conclude_unknown(struct probes *probes, const char *error)
{
	struct probed *name = &probes->names[probes->at];

	snprintf(name->error, sizeof name->error, "%s", error);
	note(name, UNKNOWN, NULL);
	go_on(probes);
}

/* The key that answered is not the endpoint's, as far as is known. */
static void
doubt(struct probes *probes, const char *expected)
{
	if (probes->is_second) {
		note(&probes->names[probes->at], MISMATCH, expected);
		go_on(probes);
		return;
	}
	move(probes, WAITING);
	probes->is_second = true;
	timer_set(&probes->timer, smaller_of(AGAIN_MS, probes->settings->probe.interval_ms));
}

static void
drop_look(struct probes *probes)
{
	probe_look_free(probes->look);
	probes->look = NULL;
}

static void look_at_upstream(struct probes *);

/* Of several upstreams one may have the key that answered. */
static void
conclude_upstreams(struct probes *probes, const char *sentence)
{
	struct probed *name = &probes->names[probes->at];
	char expected[SPKI_PIN_TEXT];

	if (is_right(probes, endpoint_of(probes))) {
		note(name, MATCH, NULL);
		go_on(probes);
	} else if (++probes->target <
	    agent_settings_endpoint(probes->settings, probes->at)->upstream.url.count)
		look_at_upstream(probes);
	else if (probes->has_seen)
		doubt(probes, spki_pin_text(&name->upstream, expected));
	else
		conclude_unknown(probes, sentence);
}

static void
on_upstream(void *arg, const struct spki_pin *key, const char *error)
{
	struct probes *probes = arg;
	struct probed *name = &probes->names[probes->at];
	char sentence[SENTENCE] = "";

	if (key) {
		name->upstream = *key;
		name->has_upstream = probes->has_seen = true;
	} else
		snprintf(
		    sentence, sizeof sentence, "the upstream's own key is not known: %s", error);
	drop_look(probes);
	conclude_upstreams(probes, sentence);
}

static void
look_at_upstream(struct probes *probes)
{
	const struct upstream_settings *from =
	    &agent_settings_endpoint(probes->settings, probes->at)->upstream;

	move(probes, COMPARING);
	probes->look = probe_look_new(probes->loop, probes->resolver, NULL, from, probes->target,
	    probes->names[probes->at].asked, on_upstream, probes);
	if (!probes->look)
		conclude_unknown(probes, "memory is short");
}

static void
on_answer(void *arg, const struct spki_pin *key, const char *error)
{
	struct probes *probes = arg;
	struct probed *name = &probes->names[probes->at];
	const struct endpoint *endpoint = endpoint_of(probes);
	char sentence[SENTENCE];

	snprintf(sentence, sizeof sentence, "nobody has proven any key: %s", error ? error : "");
	name->has_answered = key != NULL;
	if (key) {
		name->answered = *key;
		name->from = probe_look_peer(probes->look);
	}
	drop_look(probes);
	if (!key)
		conclude_unknown(probes, sentence);
	else if (is_right(probes, endpoint)) {
		note(name, MATCH, NULL);
		go_on(probes);
	} else if (endpoint->terminates)
		doubt(probes, "one of the endpoint's certificates");
	else {
		probes->target = 0;
		probes->has_seen = false;
		look_at_upstream(probes);
	}
}

static void
begin_look(struct probes *probes)
{
	const struct probed *name = &probes->names[probes->at];
	const char *address = probes->settings->probe.address;
	struct upstream_settings from = { 0 };

	move(probes, LOOKING);
	if (address)
		snprintf(from.parsed.target, sizeof from.parsed.target, "%s", address);
	else
		snprintf(from.parsed.target, sizeof from.parsed.target, "%s:443", name->asked);
	probes->look = probe_look_new(probes->loop, probes->resolver, probes->settings->egress,
	    &from, 0, name->asked, on_answer, probes);
	if (!probes->look)
		conclude_unknown(probes, "memory is short");
}

static void
on_time(void *arg)
{
	struct probes *probes = arg;

	if (probes->state == RESTING)
		probes->began_ms = clock_ms();
	begin_look(probes);
}

/* ---- what holds now ---- */

static int
in_order(const void *a, const void *b)
{
	const struct probed *const *left = a, *const *right = b;

	return strcmp((*left)->server_name, (*right)->server_name);
}

static int
is_named(const void *server_name, const void *at)
{
	const struct probed *const *name = at;

	return strcmp(server_name, (*name)->server_name);
}

static const struct probed *
find(const struct probes *probes, const char *server_name)
{
	struct probed *const *found = probes->count > 0
	    ? bsearch(server_name, probes->by_name, probes->count, sizeof *found, is_named)
	    : NULL;

	return found ? *found : NULL;
}

/* NULL when memory is short. */
static struct probed **
order_names(struct probed *names, size_t count)
{
	struct probed **ordered = calloc(count + 1, sizeof *ordered);

	for (size_t i = 0; ordered && i < count; i++)
		ordered[i] = &names[i];
	if (ordered)
		qsort(ordered, count, sizeof *ordered, in_order);
	return ordered;
}

static void
fill_name(struct probed *name, const char *server_name)
{
	snprintf(name->server_name, sizeof name->server_name, "%s", server_name);
	if (!name_is_wildcard(server_name) ||
	    snprintf(name->asked, sizeof name->asked, WILDCARD_LABEL "%s", server_name + 1) >=
		(int)sizeof name->asked)
		snprintf(name->asked, sizeof name->asked, "%s", server_name);
}

/* With what is known of those that were there before.  NULL when memory is short. */
static struct probed *
new_names(const struct probes *probes, size_t count)
{
	struct probed *names = calloc(count + 1, sizeof *names);

	for (size_t i = 0; names && i < count; i++) {
		const char *server_name = agent_settings_endpoint(probes->settings, i)->server_name;
		const struct probed *before = find(probes, server_name);

		if (before)
			names[i] = *before;
		else
			fill_name(&names[i], server_name);
	}
	return names;
}

static const char *
wanted_address(const struct probes *probes)
{
	const char *address = probes->settings->probe.address;

	return address ? address : "";
}

/* Whether a round that was begun before is still the one that is wanted. */
static bool
looks_the_same_way(const struct probes *probes)
{
	return probes->interval_ms == probes->settings->probe.interval_ms &&
	    strcmp(probes->address, wanted_address(probes)) == 0;
}

static bool
has_same_names(const struct probes *probes)
{
	const struct agent_settings *settings = probes->settings;

	for (size_t i = 0; i < probes->count && i < settings->endpoints.count; i++)
		if (strcmp(probes->names[i].server_name,
			agent_settings_endpoint(settings, i)->server_name) != 0)
			return false;
	return probes->count == settings->endpoints.count;
}

static void
stop(struct probes *probes)
{
	drop_look(probes);
	timer_clear(&probes->timer);
	move(probes, RESTING);
	probes->is_second = false;
	probes->at = 0;
}

/* From the beginning. */
static void
restart(struct probes *probes, size_t count)
{
	struct probed *names = new_names(probes, count);
	struct probed **by_name = names ? order_names(names, count) : NULL;
	uint64_t interval_ms = probes->settings->probe.interval_ms;

	stop(probes);
	if (!by_name) {
		memory_short("the probes of our names, until the next reload");
		free(names);
		names = NULL;
	}
	free(probes->names);
	free(probes->by_name);
	probes->names = names;
	probes->by_name = by_name;
	probes->count = names ? count : 0;
	probes->interval_ms = interval_ms;
	snprintf(probes->address, sizeof probes->address, "%s", wanted_address(probes));
	if (probes->count > 0)
		timer_set(&probes->timer, spread(smaller_of(FIRST_MOST_MS, interval_ms)));
}

void
probes_set(struct probes *probes, struct endpoint_table *table)
{
	bool is_on = probes && probes->settings->probe.interval_ms > 0;

	if (!probes)
		return;
	endpoint_table_hold(table);
	endpoint_table_release(probes->table);
	probes->table = table;
	if (!is_on)
		restart(probes, 0);
	else if (!has_same_names(probes) || !looks_the_same_way(probes))
		restart(probes, probes->settings->endpoints.count);
}

const char *
probes_result(const struct probes *probes, const char *server_name, int64_t *at_s)
{
	const struct probed *name = probes ? find(probes, server_name) : NULL;

	if (!name)
		return NULL;
	*at_s = name->at_s;
	return result_words[name->result];
}

json_t *
probes_describe(const struct probes *probes, const char *server_name)
{
	const struct probed *name = probes ? find(probes, server_name) : NULL;
	char since[TIME_TEXT], key[SPKI_PIN_TEXT], from[ADDRESS_TEXT];

	if (!name)
		return NULL;
	return json_pack("{s:s, s:s?, s:s?, s:I, s:I, s:I, s:s?, s:o?}", "result",
	    result_words[name->result], "at", name->at_s > 0 ? time_text(name->at_s, since) : NULL,
	    "from",
	    name->has_answered && name->from.bytes > 0 ? address_text(&name->from, from) : NULL,
	    "matches", (json_int_t)name->counts[MATCH], "mismatches",
	    (json_int_t)name->counts[MISMATCH], "unknown", (json_int_t)name->counts[UNKNOWN],
	    "spki", name->has_answered ? spki_pin_text(&name->answered, key) : NULL, "error",
	    name->result == UNKNOWN ? admin_text(name->error) : NULL);
}

bool
probes_found_other(const struct probes *probes, const char *server_name)
{
	const struct probed *name = probes ? find(probes, server_name) : NULL;

	return name && name->result == MISMATCH;
}

/* ---- life ---- */

struct probes *
probes_new(struct loop *loop, struct resolver *resolver, const struct agent_settings *settings)
{
	struct probes *probes = calloc(1, sizeof *probes);

	if (!probes)
		return NULL;
	probes->loop = loop;
	probes->resolver = resolver;
	probes->settings = settings;
	timer_init(&probes->timer, loop, on_time, probes);
	return probes;
}

void
probes_free(struct probes *probes)
{
	if (!probes)
		return;
	drop_look(probes);
	timer_clear(&probes->timer);
	endpoint_table_release(probes->table);
	free(probes->names);
	free(probes->by_name);
	free(probes);
}
