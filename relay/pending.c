/* Terms at names, in one table under one lock, which a look-up takes only where there is any mark. */
#include "relay/pending.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/numbers.h"
#include "pki/identity.h"
#include "relay/route.h"
#include "relay/session_ref.h"

struct pending {
	LIST_ENTRY(pending) link;
	struct pendings *all;
	struct pending_term *term;
	struct session_ref *session_ref; /* held */
	uint32_t endpoint;
	uint8_t carriers;
};

/* Of one agent at one name. */
struct pending_term {
	struct hash_link link;
	LIST_HEAD(, pending)
	marks;        /* of his sessions, the newest first; none: he is away, or rests */
	bool is_away; /* his last session was lost */
	TAILQ_ENTRY(pending_term) rest; /* in the list of those who are away, or who rest */
	uint8_t identity[IDENTITY_KEY_BYTES], instance[INSTANCE_BYTES];
	bool is_wanted;           /* by another one */
	bool is_wanted_by_others; /* of another identity */
	uint64_t until_ms;        /* of the term, or of the rest */
	uint64_t away_until_ms;
	char name[];
};

struct pendings {
	pthread_mutex_t lock;
	struct table terms;
	/* What ends first is first. */
	TAILQ_HEAD(pending_terms, pending_term) away, resting;
	_Atomic unsigned count; /* of terms of those who do not rest */
	_Atomic unsigned away_count;
	_Atomic uint64_t changes; /* pendings_changes() */
};

static uint64_t
hash_of(const struct pendings *all, const char *name)
{
	return table_hash(&all->terms, name, strlen(name));
}

static bool
has_name(const struct hash_link *at, const void *name)
{
	return strcmp(container_of(at, const struct pending_term, link)->name, name) == 0;
}

static struct pending_term *
find(struct pendings *all, const char *name)
{
	struct hash_link *at = table_find(&all->terms, hash_of(all, name), has_name, name);

	return at ? container_of(at, struct pending_term, link) : NULL;
}

static bool
is_resting(const struct pending_term *term)
{
	return LIST_EMPTY(&term->marks) && !term->is_away;
}

/* ---- terms; under the lock ---- */

static bool
is_of_his_identity(const struct pending_term *term, const struct session_ref *ref)
{
	const uint8_t *identity = identity_key(session_ref_identity(ref));

	return memcmp(term->identity, identity, sizeof term->identity) == 0;
}

static bool
is_his(const struct pending_term *term, const struct session_ref *ref)
{
	return is_of_his_identity(term, ref) &&
	    memcmp(term->instance, session_ref_instance(ref), sizeof term->instance) == 0;
}

static void
begin(struct pendings *all, struct pending_term *term, const struct session_ref *ref)
{
	atomic_fetch_add(&all->count, 1);
	memcpy(term->identity, identity_key(session_ref_identity(ref)), sizeof term->identity);
	memcpy(term->instance, session_ref_instance(ref), sizeof term->instance);
	term->is_wanted = term->is_wanted_by_others = false;
	term->until_ms = clock_ms() + PENDING_TERM_MS;
}

/* NULL when memory is short. */
static struct pending_term *
term_new(struct pendings *all, const struct pending_asker *asker)
{
	size_t bytes = strlen(asker->name) + 1;
	struct pending_term *term = calloc(1, sizeof *term + bytes);

	if (!term)
		return NULL;
	memcpy(term->name, asker->name, bytes);
	LIST_INIT(&term->marks);
	begin(all, term, asker->session_ref);
	table_add(&all->terms, &term->link, hash_of(all, term->name));
	return term;
}

static void
term_free(struct pendings *all, struct pending_term *term)
{
	table_remove(&all->terms, &term->link);
	free(term);
}

static void
end(struct pendings *all, struct pending_term *term)
{
	atomic_fetch_sub(&all->count, 1);
	if (!term->is_wanted) {
		term_free(all, term);
		return;
	}
	term->until_ms = clock_ms() + PENDING_REST_MS;
	TAILQ_INSERT_TAIL(&all->resting, term, rest);
}

static void
go_away(struct pendings *all, struct pending_term *term)
{
	atomic_fetch_add(&all->away_count, 1);
	term->is_away = true;
	term->away_until_ms = clock_ms() + PENDING_AWAY_MS;
	TAILQ_INSERT_TAIL(&all->away, term, rest);
}

static void
come_back(struct pendings *all, struct pending_term *term)
{
	atomic_fetch_sub(&all->away_count, 1);
	term->is_away = false;
	TAILQ_REMOVE(&all->away, term, rest);
}

/* Nobody waits any longer for who is away, and nobody has to for who has rested. */
static void
tidy(struct pendings *all)
{
	struct pending_term *first;

	while ((first = TAILQ_FIRST(&all->away)) && first->away_until_ms <= clock_ms()) {
		come_back(all, first);
		end(all, first);
		atomic_fetch_add(&all->changes, 1);
	}
	while ((first = TAILQ_FIRST(&all->resting)) && first->until_ms <= clock_ms()) {
		TAILQ_REMOVE(&all->resting, first, rest);
		term_free(all, first);
	}
}

/* Whether the asker has to wait, for another one or for the end of his rest.  Instances of one identity rest
 * together where another identity has asked, or they would hand the name on among them. */
static bool
must_wait(struct pending_term *term, const struct session_ref *ref)
{
	bool is_own = is_his(term, ref), is_kin = is_of_his_identity(term, ref);

	if (is_resting(term))
		return is_own || (is_kin && term->is_wanted_by_others);
	term->is_wanted |= !is_own;
	term->is_wanted_by_others |= !is_kin;
	return !is_own || term->until_ms <= clock_ms();
}

/* His term, if it is or may begin now.  NULL with a code. */
static struct pending_term *
take_term(struct pendings *all, const struct pending_asker *asker, enum code *code)
{
	struct pending_term *term;

	tidy(all);
	term = find(all, asker->name);
	*code = term && must_wait(term, asker->session_ref) ? CODE_ACME_BUSY : CODE_NONE;
	if (*code != CODE_NONE)
		return NULL;
	if (term && is_resting(term)) {
		TAILQ_REMOVE(&all->resting, term, rest);
		begin(all, term, asker->session_ref);
	}
	if (term && term->is_away)
		come_back(all, term);
	if (!term && !(term = term_new(all, asker)))
		*code = CODE_INTERNAL;
	return term;
}

/* ---- marks ---- */

static void
explain(enum code code, const char *name, char sentence[SENTENCE_TEXT])
{
	if (code == CODE_ACME_BUSY)
		snprintf(sentence, SENTENCE_TEXT,
		    "another agent proves to an ACME server that it serves '%.253s', or asked for that "
		    "before; this one has its term within %d s",
		    name, (PENDING_TERM_MS + PENDING_REST_MS) / 1000);
	else
		snprintf(sentence, SENTENCE_TEXT, "memory is short on the relay");
}

struct pending *
pending_enter(struct pendings *all, const struct pending_asker *asker, uint64_t *left_ms,
    enum code *code, char sentence[SENTENCE_TEXT])
{
	struct pending *pending = calloc(1, sizeof *pending);

	*code = CODE_INTERNAL;
	if (pending) {
		pthread_mutex_lock(&all->lock);
		pending->term = take_term(all, asker, code);
		if (pending->term) {
			pending->all = all;
			pending->session_ref = session_ref_hold(asker->session_ref);
			pending->endpoint = asker->endpoint;
			pending->carriers = asker->carriers;
			LIST_INSERT_HEAD(&pending->term->marks, pending, link);
			*left_ms = difference(pending->term->until_ms, clock_ms());
			atomic_fetch_add(&all->changes, 1);
		}
		pthread_mutex_unlock(&all->lock);
	}
	if (pending && pending->term)
		return pending;
	explain(*code, asker->name, sentence);
	free(pending);
	return NULL;
}

static void
leave(struct pending *pending, bool may_come_back)
{
	struct pendings *all = pending->all;
	struct pending_term *term = pending->term;

	pthread_mutex_lock(&all->lock);
	LIST_REMOVE(pending, link);
	if (LIST_EMPTY(&term->marks) && may_come_back)
		go_away(all, term);
	else if (LIST_EMPTY(&term->marks))
		end(all, term);
	pthread_mutex_unlock(&all->lock);
	session_ref_release(pending->session_ref);
	free(pending);
}

void
pending_leave(struct pending *pending)
{
	leave(pending, false);
}

void
pending_lose(struct pending *pending)
{
	leave(pending, !session_ref_is_banished(pending->session_ref));
}

bool
pendings_are_any(const struct pendings *all)
{
	return all && atomic_load(&all->count) > 0;
}

uint64_t
pendings_changes(struct pendings *all)
{
	if (!all)
		return 0;
	if (atomic_load(&all->away_count) > 0) {
		pthread_mutex_lock(&all->lock);
		tidy(all);
		pthread_mutex_unlock(&all->lock);
	}
	return atomic_load(&all->changes);
}

/* ---- look-ups ---- */

static bool
is_excluded(const struct route_question *question, const struct session_ref *ref)
{
	for (unsigned i = 0; i < question->tried_count; i++)
		if (question->tried[i] == ref && question->excluded[i])
			return true;
	return false;
}

/* One that takes no flows is on its way out, and its agent may have another one in a moment. */
static bool
may_come_back(const struct pending_term *term)
{
	const struct pending *pending;

	LIST_FOREACH(pending, &term->marks, link)
		if (!session_ref_is_usable(pending->session_ref) &&
		    !session_ref_is_banished(pending->session_ref))
			return true;
	return term->is_away;
}

/* NULL: none takes this flow. */
static const struct pending *
choose(const struct pending_term *term, const struct route_question *question)
{
	const struct pending *pending;

	LIST_FOREACH(pending, &term->marks, link)
		if (session_ref_is_usable(pending->session_ref) &&
		    !is_excluded(question, pending->session_ref))
			return pending;
	return NULL;
}

static void
answer_by(const struct pending_term *term, const struct route_question *question,
    struct route_answer *answer)
{
	const struct pending *pending = choose(term, question);

	*answer = (struct route_answer){ .verdict = ROUTE_NONE };
	snprintf(answer->pattern, sizeof answer->pattern, "%s", term->name);
	if (!pending) {
		answer->reason = may_come_back(term) ? ROUTE_NOBODY : ROUTE_IN_VAIN;
		return;
	}
	answer->verdict = ROUTE_AGENT;
	answer->session_ref = session_ref_hold(pending->session_ref);
	answer->endpoint = pending->endpoint;
	answer->carriers = pending->carriers;
}

bool
pending_find(
    struct pendings *all, const struct route_question *question, struct route_answer *answer)
{
	const struct pending_term *term;
	bool is_marked;

	pthread_mutex_lock(&all->lock);
	tidy(all);
	term = find(all, question->name);
	is_marked = term && !is_resting(term);
	if (is_marked)
		answer_by(term, question, answer);
	pthread_mutex_unlock(&all->lock);
	return is_marked;
}

/* ---- life ---- */

struct pendings *
pendings_new(void)
{
	struct pendings *all = calloc(1, sizeof *all);

	if (!all || !table_init(&all->terms)) {
		free(all);
		return NULL;
	}
	pthread_mutex_init(&all->lock, NULL);
	TAILQ_INIT(&all->away);
	TAILQ_INIT(&all->resting);
	return all;
}

static void
forget_all(struct pendings *all, struct pending_terms *terms)
{
	struct pending_term *first;

	while ((first = TAILQ_FIRST(terms))) {
		TAILQ_REMOVE(terms, first, rest);
		term_free(all, first);
	}
}

void
pendings_free(struct pendings *all)
{
	if (!all)
		return;
	forget_all(all, &all->away);
	forget_all(all, &all->resting);
	table_wipe(&all->terms);
	pthread_mutex_destroy(&all->lock);
	free(all);
}
