/*
 * Announcing and withdrawing.  Whether a newcomer may join a set is decided by
 * counting: how many of the endpoints there it could not stand beside, and how
 * many of these have an exact SAN and so would stay.
 */
#include "relay/route.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/address_rules.h"
#include "base/log.h"
#include "relay/route_private.h"
#include "relay/session_ref.h"

/* ---- holders: what an identity has under a pattern ---- */

/* The key by which a holder is found. */
struct holder_key {
	const struct route_pattern *pattern;
	uint8_t identity[IDENTITY_KEY_BYTES];
};

static bool
has_key(const struct hash_link *at, const void *arg)
{
	const struct route_holder *holder = container_of(at, const struct route_holder, link);
	const struct holder_key *key = arg;

	return holder->pattern == key->pattern &&
	    memcmp(holder->key, key->identity, sizeof key->identity) == 0;
}

static struct route_holder *
holder_want(struct routes *routes, struct route_pattern *pattern, const uint8_t *identity)
{
	struct holder_key key = { .pattern = pattern };
	struct route_holder *holder;
	struct hash_link *at;
	uint64_t hash;

	memcpy(key.identity, identity, sizeof key.identity);
	hash = table_hash(&routes->holders, &key, sizeof key);
	at = table_find(&routes->holders, hash, has_key, &key);
	if (at)
		return container_of(at, struct route_holder, link);
	holder = calloc(1, sizeof *holder);
	if (!holder)
		return NULL;
	holder->pattern = pattern;
	memcpy(holder->key, identity, sizeof holder->key);
	table_add(&routes->holders, &holder->link, hash);
	return holder;
}

static void
holder_tidy(struct routes *routes, struct route_holder *holder)
{
	if (!holder || holder->counts.all > 0)
		return;
	table_remove(&routes->holders, &holder->link);
	free(holder);
}

static void
count_in(struct route_counts *counts, const struct route_claim *claim)
{
	bool is_exact = claim->cover == COVER_EXACT;

	counts->all++;
	counts->exact += is_exact;
	counts->unshared += !claim->is_shared;
	counts->unshared_exact += !claim->is_shared && is_exact;
}

static void
count_out(struct route_counts *counts, const struct route_claim *claim)
{
	bool is_exact = claim->cover == COVER_EXACT;

	counts->all--;
	counts->exact -= is_exact;
	counts->unshared -= !claim->is_shared;
	counts->unshared_exact -= !claim->is_shared && is_exact;
}

/* ---- claims ---- */

static struct route_claim *
claim_new(struct routes *routes, const struct route_announcement *announcement, const char *name,
    enum cover cover)
{
	size_t bytes = routes->registry ? strlen(name) : 0;
	struct route_claim *claim = calloc(1, sizeof *claim + bytes + 1);

	if (!claim)
		return NULL;
	if (routes->registry && !(claim->request = calloc(1, sizeof *claim->request))) {
		free(claim);
		return NULL;
	}
	atomic_init(&claim->held, 1);
	claim->routes = routes;
	claim->session_ref = session_ref_hold(announcement->session_ref);
	claim->number = announcement->endpoint;
	claim->weight = announcement->weight;
	claim->balance = announcement->balance;
	claim->priority = announcement->priority;
	claim->carriers = announcement->carriers;
	claim->addresses = address_rules_hold(announcement->addresses);
	claim->is_shared = session_ref_is_shared(announcement->session_ref);
	claim->cover = (uint8_t)cover;
	claim->loop = announcement->loop;
	claim->on_answer = announcement->on_answer;
	claim->on_lost = announcement->on_lost;
	claim->arg = announcement->arg;
	memcpy(claim->name, name, bytes);
	return claim;
}

static void
claim_release(struct route_claim *claim)
{
	if (atomic_fetch_sub(&claim->held, 1) > 1)
		return;
	session_ref_release(claim->session_ref);
	address_rules_release(claim->addresses);
	free(claim->request);
	free(claim);
}

static void
on_grace(struct grace *grace)
{
	claim_release(container_of(grace, struct route_claim, grace));
}

static void
move(struct route_claim *claim, enum route_claim_state to)
{
	static const unsigned may_move[ROUTE_CLAIM_STATES] = {
		[CLAIM_NEW] = 1u << CLAIM_ASKED | 1u << CLAIM_UP,
		[CLAIM_ASKED] = 1u << CLAIM_UP | 1u << CLAIM_REFUSED | 1u << CLAIM_WITHDRAWN,
		[CLAIM_UP] = 1u << CLAIM_LOST | 1u << CLAIM_WITHDRAWN,
		[CLAIM_LOST] = 1u << CLAIM_WITHDRAWN,
		[CLAIM_REFUSED] = 1u << CLAIM_WITHDRAWN,
	};
	static const char *const state_name[ROUTE_CLAIM_STATES] = { "new", "asked", "up", "lost",
		"refused", "withdrawn" };

	assert(may_move[claim->state] & 1u << to);
	log_move("claim", log_object("claim", claim), state_name[claim->state], state_name[to]);
	claim->state = (uint8_t)to;
}

bool
route_claim_is_up(const struct route_claim *claim)
{
	return claim->state == CLAIM_UP;
}

bool
route_claim_is_held_back(const struct route_claim *claim)
{
	return claim->may_be_held_back &&
	    session_ref_age_ms(claim->session_ref) < ROUTE_HELD_BACK_MS;
}

/* ---- the set of a pattern; under the lock ---- */

static void
set_release(struct grace *grace)
{
	free(container_of(grace, struct route_set, grace));
}

/* Room for one more. */
static bool
reserve(struct route_pattern *pattern)
{
	struct route_set *set = pattern->set, *bigger;
	uint32_t count = set ? set->count : 0, capacity = set ? 2 * set->capacity : 1;

	if (set && count < set->capacity)
		return true;
	bigger = calloc(1, sizeof *bigger + capacity * sizeof bigger->at[0]);
	if (!bigger)
		return false;
	bigger->capacity = capacity;
	for (uint32_t i = 0; i < count; i++)
		atomic_init(&bigger->at[i], set->at[i]);
	atomic_init(&bigger->count, count);
	atomic_store_explicit(&pattern->set, bigger, memory_order_release);
	if (set)
		grace_retire(&set->grace, set_release);
	return true;
}

/* Who is drawn blindly in its set would not be who is wanted. */
static bool
is_choosy(const struct route_claim *claim)
{
	return claim->priority != 0 || claim->balance == BALANCE_SOURCE;
}

static void
put_in(struct route_pattern *pattern, struct route_holder *holder, struct route_claim *claim)
{
	struct route_set *set = pattern->set;

	atomic_fetch_add(&claim->held, 1);
	claim->pattern = pattern;
	claim->holder = holder;
	claim->index = set->count;
	pattern->listed += claim->addresses != NULL;
	pattern->choosy += is_choosy(claim);
	count_in(&pattern->counts, claim);
	count_in(&holder->counts, claim);
	atomic_store_explicit(&set->at[claim->index], claim, memory_order_release);
	atomic_store_explicit(&set->count, claim->index + 1, memory_order_release);
}

/* `departures` is odd while the last one moves into the gap. */
static void
take_out(struct routes *routes, struct route_claim *claim)
{
	struct route_pattern *pattern = claim->pattern;
	struct route_set *set = pattern->set;
	uint32_t last = set->count - 1;
	struct route_claim *moved = set->at[last];

	atomic_fetch_add(&pattern->departures, 1);
	atomic_store_explicit(&set->at[claim->index], moved, memory_order_release);
	atomic_store_explicit(&set->count, last, memory_order_release);
	atomic_fetch_add(&pattern->departures, 1);
	moved->index = claim->index;
	pattern->listed -= claim->addresses != NULL;
	pattern->choosy -= is_choosy(claim);
	count_out(&pattern->counts, claim);
	count_out(&claim->holder->counts, claim);
	holder_tidy(routes, claim->holder);
	claim->pattern = NULL;
	grace_retire(&claim->grace, on_grace);
}

/* ---- joining ---- */

static bool
stand_together(const struct route_claim *a, const struct route_claim *b)
{
	return a->holder == b->holder || (a->is_shared && b->is_shared);
}

/* Whether all that the newcomer cannot stand beside would go. `own` is its identity's part of `there`. */
static bool
may_join(const struct route_counts *there, const struct route_counts *own,
    const struct route_claim *claim)
{
	size_t hostile = claim->is_shared ? there->unshared - own->unshared : there->all - own->all;
	size_t staying = claim->is_shared ? there->unshared_exact - own->unshared_exact
					  : there->exact - own->exact;

	return hostile == 0 || (claim->cover == COVER_EXACT && staying == 0);
}

/* However many have to go, each of them was announced once, and that pays for this loop. */
static void
displace(struct routes *routes, struct route_claim *claim, struct route_losses *losses)
{
	struct route_pattern *pattern = claim->pattern;
	struct route_set *set = pattern->set;
	size_t left = claim->is_shared ? pattern->counts.unshared - claim->holder->counts.unshared
				       : pattern->counts.all - claim->holder->counts.all;

	for (size_t i = set->count; left > 0 && i-- > 0;) {
		struct route_claim *other = set->at[i];

		if (stand_together(other, claim))
			continue;
		atomic_fetch_add(&other->held, 1);
		SLIST_INSERT_HEAD(losses, other, loss);
		take_out(routes, other);
		left--;
	}
}

static bool
serves(const struct route_claim *claim)
{
	return session_ref_is_usable(claim->session_ref) &&
	    !session_ref_is_suspect(claim->session_ref) && !route_claim_is_held_back(claim);
}

/* Whether it comes where others have stood in for it: some of a higher priority number that have been
 * connected for long serve, and nobody else does. */
static bool
comes_back(const struct route_pattern *pattern, const struct route_claim *claim)
{
	const struct route_set *set = pattern->set;
	bool has_stand_in = false;

	for (uint32_t i = 0; pattern->choosy > 0 && i < set->count; i++) {
		const struct route_claim *other = set->at[i];

		if (!serves(other))
			continue;
		if (other->priority <= claim->priority)
			return false;
		has_stand_in |= session_ref_age_ms(other->session_ref) >= ROUTE_HELD_BACK_MS;
	}
	return has_stand_in;
}

static enum code
join_pattern(struct routes *routes, struct route_pattern *pattern, struct route_claim *claim,
    struct route_losses *losses)
{
	struct route_holder *holder =
	    holder_want(routes, pattern, identity_key(session_ref_identity(claim->session_ref)));
	enum code code = CODE_NONE;

	if (holder && !may_join(&pattern->counts, &holder->counts, claim))
		code = CODE_NAME_TAKEN;
	else if (!holder || !reserve(pattern))
		code = CODE_INTERNAL;
	if (code == CODE_NONE) {
		claim->may_be_held_back = comes_back(pattern, claim);
		put_in(pattern, holder, claim);
		route_absent_return(routes, pattern, claim);
		route_known_recall(routes, pattern);
		displace(routes, claim, losses);
	}
	holder_tidy(routes, holder);
	return code;
}

static void
on_lost(void *data)
{
	struct route_claim *claim = data;

	if (claim->state == CLAIM_UP) {
		move(claim, CLAIM_LOST);
		claim->on_lost(claim->arg);
	}
	claim_release(claim);
}

static enum code
join(struct routes *routes, struct route_claim *claim, const char *name)
{
	struct route_losses losses = SLIST_HEAD_INITIALIZER(losses);
	enum code code = CODE_INTERNAL;
	struct route_pattern *pattern;
	struct route_claim *lost;

	pthread_mutex_lock(&routes->lock);
	if (route_is_reserved(routes, name)) {
		code = CODE_NAME_RESERVED;
	} else if ((pattern = route_pattern_want(routes, name))) {
		code = join_pattern(routes, pattern, claim, &losses);
		route_pattern_tidy(routes, pattern);
	}
	pthread_mutex_unlock(&routes->lock);
	while ((lost = SLIST_FIRST(&losses))) {
		SLIST_REMOVE_HEAD(&losses, loss);
		loop_call(lost->loop, &lost->lost, on_lost, lost);
	}
	if (code == CODE_NONE)
		atomic_fetch_add(&routes->arrivals, 1);
	return code;
}

static void
leave(struct routes *routes, struct route_claim *claim)
{
	struct route_pattern *pattern;

	pthread_mutex_lock(&routes->lock);
	pattern = claim->pattern;
	if (pattern) {
		bool is_banished = session_ref_is_banished(claim->session_ref);

		if (!is_banished && !claim->is_replaced)
			route_absent_note(routes, pattern, claim);
		/* Before, since a reader may see at any moment that nobody is left. */
		atomic_store(&pattern->is_awaited, !is_banished);
		if (pattern->counts.all == 1)
			route_known_expect(routes, pattern);
		take_out(routes, claim);
		if (pattern->counts.all == 0)
			route_known_remember(routes, pattern,
			    identity_key(session_ref_identity(claim->session_ref)),
			    usage_tenant_key(session_ref_usage(claim->session_ref)));
	}
	pthread_mutex_unlock(&routes->lock);
}

/* ---- announcing ---- */

static void
explain(enum code code, const char *name, char sentence[SENTENCE_TEXT])
{
	static const struct {
		enum code code;
		const char *why;
	} reasons[] = {
		{ CODE_NAME_INVALID,
		    "is not a valid server name; write app.example.com or *.example.com" },
		{ CODE_NAME_NOT_GRANTED,
		    "is in no DNS name of this agent's certificate; issue one with --host for it" },
		{ CODE_NAME_RESERVED, "belongs to the relay itself; announce another name" },
		{ CODE_NAME_TAKEN,
		    "is served by another agent; stop that one, or issue both certificates with --shared" },
		{ CODE_INTERNAL, "cannot be kept: memory is short on the relay" },
	};

	sentence[0] = '\0';
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		if (reasons[i].code == code)
			snprintf(sentence, SENTENCE_TEXT, "'%.253s' %s", name, reasons[i].why);
	}
}

/* A name of the relay itself is reserved whatever the certificate says, so that is the better
 * answer. Where the certificate covers the name, join() looks, unless a registry would be asked
 * first. */
static enum code
judge(struct routes *routes, const struct route_announcement *announcement, char name[NAME_SIZE],
    enum cover *cover)
{
	if (!name_normalise_served(name, announcement->pattern, strlen(announcement->pattern)))
		return CODE_NAME_INVALID;
	*cover = identity_covers(session_ref_identity(announcement->session_ref), name, NULL);
	if (*cover != COVER_NONE && !routes->registry)
		return CODE_NONE;
	if (route_is_reserved(routes, name))
		return CODE_NAME_RESERVED;
	return *cover != COVER_NONE ? CODE_NONE : CODE_NAME_NOT_GRANTED;
}

static struct registry_question
question_of(const struct route_claim *claim, enum registry_verb verb)
{
	return (struct registry_question){ .verb = verb,
		.name = claim->name,
		.identity_key = identity_key(session_ref_identity(claim->session_ref)),
		.is_exact = claim->cover == COVER_EXACT,
		.is_shared = claim->is_shared };
}

static void ask(
    struct route_claim *, enum registry_verb, void (*)(void *, const struct registry_answer *));

static void
on_released(void *arg, const struct registry_answer *answer)
{
	struct route_claim *claim = arg;

	(void)answer;
	if (claim->on_released)
		claim->on_released(claim->released_arg);
	claim_release(claim);
}

/* The announcer has let go, and the registry is told to. True: nobody waits until it has. */
static bool
let_go(struct route_claim *claim)
{
	struct registry_question question = question_of(claim, REGISTRY_RELEASE);

	if (claim->on_released) {
		ask(claim, REGISTRY_RELEASE, on_released);
		return false;
	}
	registry_release(claim->routes->registry, &question);
	claim_release(claim);
	return true;
}

/* The registry has granted the name; now the endpoints that are here decide. */
static void
on_granted(struct route_claim *claim)
{
	struct registry_question release = question_of(claim, REGISTRY_RELEASE);
	enum code code = join(claim->routes, claim, claim->name);
	char sentence[SENTENCE_TEXT];

	move(claim, code == CODE_NONE ? CLAIM_UP : CLAIM_REFUSED);
	if (code != CODE_NONE)
		registry_release(claim->routes->registry, &release);
	explain(code, claim->name, sentence);
	claim->on_answer(claim->arg, code, sentence);
}

static void
on_claimed(void *arg, const struct registry_answer *answer)
{
	struct route_claim *claim = arg;
	char sentence[SENTENCE_TEXT];

	if (claim->state == CLAIM_WITHDRAWN && answer->code == CODE_NONE) {
		let_go(claim);
	} else if (claim->state == CLAIM_WITHDRAWN) {
		on_released(claim, answer);
	} else if (answer->code == CODE_NONE) {
		on_granted(claim);
	} else {
		move(claim, CLAIM_REFUSED);
		explain(answer->code, claim->name, sentence);
		if (answer->sentence[0] != '\0')
			memcpy(sentence, answer->sentence, sizeof sentence);
		claim->on_answer(claim->arg, answer->code, sentence);
	}
}

static void
ask(struct route_claim *claim, enum registry_verb verb,
    void (*on_answer)(void *, const struct registry_answer *))
{
	struct registry_question question = question_of(claim, verb);

	claim->request->loop = claim->loop;
	claim->request->on_answer = on_answer;
	claim->request->arg = claim;
	registry_ask(claim->routes->registry, claim->request, &question);
}

struct route_claim *
route_announce(struct routes *routes, const struct route_announcement *announcement,
    struct route_refusal *refusal)
{
	char name[NAME_SIZE];
	enum cover cover = COVER_NONE;
	struct route_claim *claim = NULL;

	refusal->code = judge(routes, announcement, name, &cover);
	if (refusal->code == CODE_NONE && !(claim = claim_new(routes, announcement, name, cover)))
		refusal->code = CODE_INTERNAL;
	if (claim && routes->registry) {
		move(claim, CLAIM_ASKED);
		ask(claim, REGISTRY_CLAIM, on_claimed);
	} else if (claim) {
		refusal->code = join(routes, claim, name);
		if (refusal->code == CODE_NONE)
			move(claim, CLAIM_UP);
	}
	explain(refusal->code, announcement->pattern, refusal->sentence);
	if (refusal->code == CODE_NONE)
		return claim;
	if (claim)
		claim_release(claim);
	return NULL;
}

/* Under the lock.  Where the pattern is not in the table yet, nobody stands in the way. */
static enum code
judge_join(struct routes *routes, const char *name, const struct route_claim *claim)
{
	struct holder_key key = { .pattern =
				      route_pattern_find(routes, name, route_hash(routes, name)) };
	static const struct route_counts none;
	struct hash_link *at;

	if (route_is_reserved(routes, name))
		return CODE_NAME_RESERVED;
	if (!key.pattern)
		return CODE_NONE;
	memcpy(key.identity, identity_key(session_ref_identity(claim->session_ref)),
	    sizeof key.identity);
	at = table_find(
	    &routes->holders, table_hash(&routes->holders, &key, sizeof key), has_key, &key);
	return may_join(&key.pattern->counts,
		   at ? &container_of(at, struct route_holder, link)->counts : &none, claim)
	    ? CODE_NONE
	    : CODE_NAME_TAKEN;
}

bool
route_would_accept(struct routes *routes, const struct route_announcement *announcement,
    struct route_refusal *refusal)
{
	char name[NAME_SIZE];
	enum cover cover = COVER_NONE;

	refusal->code = judge(routes, announcement, name, &cover);
	if (refusal->code == CODE_NONE) {
		const struct route_claim newcomer = { .session_ref = announcement->session_ref,
			.is_shared = session_ref_is_shared(announcement->session_ref),
			.cover = (uint8_t)cover };

		pthread_mutex_lock(&routes->lock);
		refusal->code = judge_join(routes, name, &newcomer);
		pthread_mutex_unlock(&routes->lock);
	}
	explain(refusal->code, announcement->pattern, refusal->sentence);
	return refusal->code == CODE_NONE;
}

/* From here on nobody waits for on_released(). */
static bool
stop_waiting(struct route_claim *claim)
{
	claim->on_released = NULL;
	if (registry_cancel(claim->request))
		claim_release(claim);
	return true;
}

bool
route_withdraw(
    struct routes *routes, struct route_claim *claim, void (*on_free)(void *arg), void *arg)
{
	enum route_claim_state before = claim ? claim->state : CLAIM_NEW;

	if (!claim)
		return true;
	if (before == CLAIM_WITHDRAWN)
		return stop_waiting(claim);
	leave(routes, claim);
	move(claim, CLAIM_WITHDRAWN);
	claim->on_released = on_free;
	claim->released_arg = arg;
	if (before == CLAIM_ASKED && !registry_cancel(claim->request))
		return !on_free; /* on_claimed() goes on */
	if (claim->request && (before == CLAIM_UP || before == CLAIM_LOST))
		return let_go(claim);
	claim_release(claim);
	return true;
}

void
route_withdraw_replaced(struct routes *routes, struct route_claim *claim)
{
	if (claim)
		claim->is_replaced = true;
	route_withdraw(routes, claim, NULL, NULL);
}
