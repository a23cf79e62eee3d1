/* CRLs are placed under the issuers that signed them; those of unknown issuers wait. */
#include "pki/revocation.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/sha2.h>

#include "base/log.h"
#include "base/units.h"
#include "pki/crl.h"
#include "pki/crl_catalogue.h"
#include "pki/revocation_private.h"
#include "pki/x509.h"

enum { WHY_TEXT = 240 };

struct issuer
issuer_of(const struct x509 *ca)
{
	struct issuer issuer = { .name = ca->subject,
		.key_id = ca->key_id,
		.spki = ca->spki,
		.may_sign_crls = x509_may(ca, USAGE_SIGN_CRLS) };
	struct sha256_ctx sha;
	sha256_init(&sha);
	/* The subject is DER, so it says where it ends. */
	sha256_update(&sha, ca->subject.bytes, ca->subject.data);
	sha256_update(&sha, ca->spki.bytes, ca->spki.data);
	sha256_digest(&sha, ISSUER_ID, issuer.id);
	return issuer;
}

struct revocation *
revocation_new(
    const struct trust_sources *sources, struct crl_history *history, struct revocation *former)
{
	struct revocation *set = calloc(1, sizeof *set);
	if (!set)
		return NULL;
	set->missing = sources->missing;
	set->expired = sources->expired;
	set->grace_s = sources->grace_s;
	set->history = crl_history_hold(history);
	set->former = former;
	pthread_mutex_init(&set->lock, NULL);
	return set;
}

void
revocation_free(struct revocation *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->count; i++) {
		crl_free(set->crls[i].crl);
		free(set->crls[i].file);
	}
	free(set->crls);
	free(set->refusal);
	crl_history_release(set->history);
	pthread_mutex_destroy(&set->lock);
	free(set);
}

struct crl_history *
revocation_history(const struct revocation *set)
{
	return set->history;
}

/* ---- taking CRLs in ---- */

struct crl_mark
loaded_crl_mark(const struct loaded_crl *loaded)
{
	struct crl_mark mark = { .this_update = crl_this_update(loaded->crl) };
	memcpy(mark.issuer, loaded->issuer, ISSUER_ID);
	serial_of(&mark.number, crl_number(loaded->crl));
	return mark;
}

/* Whether a CRL says that this is its issuer; the signature is another matter. */
static bool
are_names_of(struct der name, struct der key, const struct issuer *issuer)
{
	return der_equal(name, issuer->name) &&
	    (key.bytes == 0 || issuer->key_id.bytes == 0 || der_equal(key, issuer->key_id));
}

bool
revocation_names_issuer(const struct crl *crl, const struct issuer *issuer)
{
	return are_names_of(crl_issuer(crl), crl_authority_key(crl), issuer);
}

void
loaded_crl_move(struct loaded_crl *loaded, enum loaded_state to)
{
	static const unsigned may_move[STATES] = {
		[WAITING] = 1u << PLACED, [PLACED] = 1u << REFUSED
	};
	static const char *const state_name[STATES] = { "placed", "waiting", "refused" };
	assert(may_move[loaded->state] & 1u << to);
	log_move("crl", log_str("file", loaded->file), state_name[loaded->state], state_name[to]);
	loaded->state = to;
}

const char *
loaded_crl_place(struct loaded_crl *loaded, const struct issuer *cas, size_t ca_count)
{
	const char *fault = NULL;
	for (size_t i = 0; i < ca_count && loaded->state != PLACED; i++) {
		if (!revocation_names_issuer(loaded->crl, &cas[i]))
			continue;
		if (!cas[i].may_sign_crls)
			fault = "is of a CA whose keyUsage does not let it sign CRLs";
		else if (!crl_is_signed_by(loaded->crl, cas[i].spki))
			fault =
			    "is not signed by the key of its issuer: forged, damaged or of an older key";
		else {
			loaded_crl_move(loaded, PLACED);
			memcpy(loaded->issuer, cas[i].id, ISSUER_ID);
		}
	}
	return loaded->state == PLACED ? NULL : fault;
}

static const char *
take_in(struct loaded_crl *loaded, const struct issuer *cas, size_t ca_count)
{
	const char *why = loaded_crl_place(loaded, cas, ca_count);
	if (why)
		return why;
	if (loaded->state == PLACED)
		return crl_index(loaded->crl, &why) ? NULL : why;
	return crl_keep(loaded->crl) ? NULL : "cannot be read: memory is short";
}

static bool
fail(
    const struct loaded_crl *loaded, struct der name, const char *why, char error[REVOCATION_ERROR])
{
	char issuer[120] = "an unknown issuer";
	if (name.bytes > 0)
		x509_name_text(name, issuer, sizeof issuer);
	snprintf(error, REVOCATION_ERROR,
	    "%.200s: the CRL of %s %s; replace it with the issuer's newest", loaded->file, issuer,
	    why);
	return false;
}

static bool
fail_as_early(struct revocation *set, const struct loaded_crl *loaded, int64_t now,
    char error[REVOCATION_ERROR])
{
	char issuer[120], begins[TIME_TEXT], clock[TIME_TEXT];
	snprintf(error, REVOCATION_ERROR,
	    "%.180s: the CRL of %s is from the future: it begins on %s (thisUpdate), and the clock says %s; is the clock right?",
	    loaded->file, x509_name_text(crl_issuer(loaded->crl), issuer, sizeof issuer),
	    time_text(crl_this_update(loaded->crl), begins), time_text(now, clock));
	set->doubts_clock = true;
	return false;
}

bool
revocation_doubts_clock(const struct revocation *set)
{
	return set->doubts_clock;
}

bool
revocation_add(struct revocation *set, struct der der, const char *file, const struct issuer *cas,
    size_t ca_count, int64_t now, char error[REVOCATION_ERROR])
{
	static const char no_memory[] = "cannot be read: memory is short";
	const char *why = no_memory;
	struct loaded_crl *more = realloc(set->crls, (set->count + 1) * sizeof *more);
	if (!more)
		return snprintf(error, REVOCATION_ERROR, "%.200s %s", file, no_memory), false;
	set->crls = more;
	struct loaded_crl *loaded = &set->crls[set->count++];
	*loaded = (struct loaded_crl){ .state = WAITING, .file = strdup(file) };
	if (!loaded->file)
		return snprintf(error, REVOCATION_ERROR, "%.200s %s", file, no_memory), false;
	set->doubts_clock = false;
	loaded->crl = crl_parse(der.data, der.bytes, &why);
	if (loaded->crl && crl_this_update(loaded->crl) > now + CLOCK_SKEW_S)
		return fail_as_early(set, loaded, now, error);
	if (loaded->crl)
		why = take_in(loaded, cas, ca_count);
	return !why || fail(loaded, crl_issuer_in(der), why, error);
}

/* ---- what other files of the daemon have ---- */

static bool
is_older_than(const struct loaded_crl *loaded, const struct crl_listing *listing)
{
	struct crl_mark ours = { .this_update = crl_this_update(loaded->crl) },
			theirs = { .this_update = listing->this_update };
	serial_of(&ours.number, crl_number(loaded->crl));
	serial_of(&theirs.number, listing->number);
	return crl_mark_is_older(&ours, &theirs);
}

/* Nothing that the set has of this CA is as new. */
static bool
lacks_of_ca(
    const struct revocation *set, const struct issuer *ca, const struct crl_listing *listing)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->crls[i].state == PLACED &&
		    memcmp(set->crls[i].issuer, ca->id, ISSUER_ID) == 0 &&
		    !is_older_than(&set->crls[i], listing))
			return false;
	return true;
}

/* The set has one of the same issuer that waits, and none that is as new. */
static bool
lacks_of_stranger(const struct revocation *set, const struct crl_listing *listing)
{
	bool is_known = false;
	for (size_t i = 0; i < set->count; i++) {
		const struct loaded_crl *loaded = &set->crls[i];
		if (loaded->state != WAITING ||
		    !der_equal(crl_issuer(loaded->crl), listing->issuer) ||
		    !der_equal(crl_authority_key(loaded->crl), listing->authority_key))
			continue;
		if (!is_older_than(loaded, listing))
			return false;
		is_known = true;
	}
	return is_known;
}

bool
revocation_wants(const struct revocation *set, const struct crl_listing *listing,
    const struct issuer *cas, size_t ca_count, int64_t now)
{
	if (listing->this_update > now + CLOCK_SKEW_S)
		return false;
	for (size_t i = 0; i < ca_count; i++)
		if (are_names_of(listing->issuer, listing->authority_key, &cas[i]) &&
		    lacks_of_ca(set, &cas[i], listing))
			return true;
	return lacks_of_stranger(set, listing);
}

static void
drop_last(struct revocation *set)
{
	struct loaded_crl *last = &set->crls[--set->count];
	crl_free(last->crl);
	free(last->file);
}

void
revocation_offer(struct revocation *set, struct der der, const char *file, const struct issuer *cas,
    size_t ca_count, int64_t now)
{
	char ignored[REVOCATION_ERROR];
	size_t count = set->count;
	if (!revocation_add(set, der, file, cas, ca_count, now, ignored) && set->count > count)
		drop_last(set);
}

/* ---- what is in force stands in for what is refused ---- */

static bool
note_refusal(struct revocation *set, const char *sentence)
{
	if (set->refusals++ == 0)
		set->refusal = strdup(sentence);
	return set->refusal != NULL;
}

size_t
revocation_refusals(const struct revocation *set, const char **sentence)
{
	*sentence = set->refusal;
	return set->refusals;
}

size_t
revocation_count(const struct revocation *set)
{
	return set->count;
}

void
revocation_forget(struct revocation *set, size_t count)
{
	while (set->count > count)
		drop_last(set);
}

/* With the CRL itself shared: nobody changes it once it was judged. */
static bool
share(struct revocation *set, const struct loaded_crl *held, bool is_late)
{
	struct loaded_crl *more = realloc(set->crls, (set->count + 1) * sizeof *more);
	char *file = strdup(held->file);
	if (more)
		set->crls = more;
	if (!more || !file) {
		free(file);
		return false;
	}
	more[set->count] = *held;
	more[set->count].file = file;
	more[set->count].is_late = is_late;
	crl_hold(more[set->count++].crl);
	return true;
}

bool
revocation_keep_file(struct revocation *set, const char *file, size_t count, const char *sentence,
    const struct issuer *cas, size_t ca_count, int64_t now)
{
	struct revocation *former = set->former;
	bool done = note_refusal(set, sentence);
	revocation_forget(set, count);
	pthread_mutex_lock(&former->lock);
	for (size_t i = 0; i < former->count && done; i++) {
		const struct loaded_crl *held = &former->crls[i];
		if (strcmp(held->file, file) != 0)
			continue;
		if (held->state == WAITING)
			revocation_offer(set, crl_kept(held->crl), file, cas, ca_count, now);
		else
			done = share(set, held, i >= former->placed);
	}
	pthread_mutex_unlock(&former->lock);
	return done;
}

/* The place of one CRL goes to another of the same issuer. */
static bool
replace(struct loaded_crl *loaded, const struct loaded_crl *held)
{
	char *file = strdup(held->file);
	if (!file)
		return false;
	free(loaded->file);
	loaded->file = file;
	crl_free(loaded->crl);
	loaded->crl = crl_hold(held->crl);
	return true;
}

/* ---- the whole set ---- */

/* To be found by its issuer at once; the others are looked through. */
static bool
is_first(const struct loaded_crl *loaded)
{
	return loaded->state == PLACED && !loaded->is_late;
}

static int
compare_loaded(const void *a, const void *b)
{
	const struct loaded_crl *x = a, *y = b;
	if (is_first(x) != is_first(y))
		return is_first(x) ? -1 : 1;
	int order = memcmp(x->issuer, y->issuer, ISSUER_ID);
	return order != 0 || !is_first(x)                       ? order
	    : crl_this_update(x->crl) < crl_this_update(y->crl) ? -1
								: 1;
}

bool
loaded_crl_is_newer(const struct loaded_crl *a, const struct loaded_crl *b)
{
	struct crl_mark x = loaded_crl_mark(a), y = loaded_crl_mark(b);
	return !crl_mark_is_older(&x, &y);
}

/* Of several CRLs of one issuer the newest stays. */
static void
drop_older(struct revocation *set)
{
	size_t kept = 0;
	for (size_t i = 0; i < set->count; i++) {
		struct loaded_crl *loaded = &set->crls[i],
				  *last = kept > 0 ? &set->crls[kept - 1] : NULL;
		if (!last || !is_first(loaded) ||
		    memcmp(last->issuer, loaded->issuer, ISSUER_ID) != 0) {
			set->crls[kept++] = *loaded;
			continue;
		}
		struct loaded_crl older = loaded_crl_is_newer(loaded, last) ? *last : *loaded;
		*last = loaded_crl_is_newer(loaded, last) ? *loaded : *last;
		crl_free(older.crl);
		free(older.file);
	}
	set->count = kept;
}

static const char *
mark_text(const struct crl_mark *mark, char out[SERIAL_TEXT + TIME_TEXT + 16])
{
	char number[SERIAL_TEXT], when[TIME_TEXT];
	time_text(mark->this_update, when);
	if (mark->number.bytes > 0)
		snprintf(out, SERIAL_TEXT + TIME_TEXT + 16, "number %s of %s",
		    serial_text(&mark->number, number), when);
	else
		snprintf(out, SERIAL_TEXT + TIME_TEXT + 16, "%s", when);
	return out;
}

static bool
fail_as_rolled_back(const struct loaded_crl *loaded, const struct crl_mark *mark,
    const struct crl_mark *seen, char error[REVOCATION_ERROR])
{
	char why[WHY_TEXT], has[SERIAL_TEXT + TIME_TEXT + 16], had[SERIAL_TEXT + TIME_TEXT + 16];
	snprintf(why, sizeof why,
	    "is older than one already seen, and no file has a newer one (rollback: %s, seen: %s)",
	    mark_text(mark, has), mark_text(seen, had));
	return fail(loaded, crl_issuer(loaded->crl), why, error);
}

/* The set in force goes on with the newest; one that is older than that, or older than what was seen
 * since, does not take its place. */
static bool
take_former(struct revocation *set, struct loaded_crl *loaded)
{
	struct revocation *former = set->former;
	struct crl_mark mark, seen;
	bool done = false;
	if (!former)
		return false;
	pthread_mutex_lock(&former->lock);
	for (size_t i = 0; i < former->count && !done; i++) {
		const struct loaded_crl *held = &former->crls[i];
		if (held->state != PLACED || memcmp(held->issuer, loaded->issuer, ISSUER_ID) != 0)
			continue;
		mark = loaded_crl_mark(held);
		if (!crl_history_would_roll_back(set->history, &mark, &seen))
			done = replace(loaded, held);
	}
	pthread_mutex_unlock(&former->lock);
	return done;
}

/* False with a sentence. */
static bool
check_mark(struct revocation *set, struct loaded_crl *loaded, char error[REVOCATION_ERROR])
{
	struct crl_mark mark = loaded_crl_mark(loaded), seen;
	if (!crl_history_would_roll_back(set->history, &mark, &seen))
		return true;
	fail_as_rolled_back(loaded, &mark, &seen, error);
	return take_former(set, loaded) && note_refusal(set, error);
}

bool
revocation_seal(struct revocation *set, char error[REVOCATION_ERROR])
{
	bool done = true;
	if (set->count > 1)
		qsort(set->crls, set->count, sizeof *set->crls, compare_loaded);
	drop_older(set);
	for (size_t i = 0; i < set->count && done; i++) {
		if (set->crls[i].state == PLACED)
			done = check_mark(set, &set->crls[i], error);
		if (is_first(&set->crls[i]))
			set->placed = i + 1;
	}
	set->former = NULL;
	return done;
}

bool
revocation_commit(struct revocation *set)
{
	bool done = true;
	for (size_t i = 0; done && i < set->placed; i++) {
		struct crl_mark mark = loaded_crl_mark(&set->crls[i]);
		done = crl_history_note_mark(set->history, &mark);
	}
	return done;
}
