/* When to ask, what to do with the answer, and what to say of it. */
#include "enrol/renewal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/outage.h"
#include "base/units.h"
#include "enrol/renewal_answer.h"
#include "enrol/renewal_files.h"
#include "enrol/renewal_request.h"
#include "pki/cert.h"
#include "keys/key_ask.h"
#include "keys/key_pair.h"

enum {
	LOOK_MS = 2000,
	DAY_S = 86400,
	SPREAD_MOST_S = 6 * 3600,
	SPREAD_PART = 8, /* of the time before the end, at most that part */
	WAIT_FIRST_S = 60,
	WAIT_MOST_S = 4 * 3600,
	WAIT_REFUSED_S = 3600, /* at least: somebody has to do something first */
	WAIT_PART = 16,        /* of what is left, at most that part */
	WAIT_LEAST_S = 10,
	REST_PART = 10, /* of a life, at most that part of it, between two renewals */
};

enum renewal_state { OFF, RESTING, ASKING, STATES };

struct renewal {
	const struct renewal_authority *authority;
	void (*on_change)(void *arg);
	void *arg;
	struct renewal_certificate kept;
	enum renewal_state state;
	struct timer timer;
	void *handle; /* ASKING */

	/* The certificate in force. */
	struct file_stamp stamp;
	int64_t not_before, not_after; /* not_after 0: it could not be read */
	int64_t due_s;                 /* when the next attempt may begin, by the wall clock */
	int64_t renewed_s;             /* when it came from the authority; 0: not to this process */

	/* The attempts since it was due. */
	unsigned failures;
	enum renewal_outcome outcome; /* of the last one */
	int64_t failed_s;
	struct outage outage; /* the same, as it is told */
	char sentence[RENEWAL_ERROR];
};

static const char *const outcome_word[RENEWAL_OUTCOMES] = { "issued", "later", "refused",
	"unreachable", "failed" };

static void
move(struct renewal *renewal, enum renewal_state to)
{
	static const unsigned may_move[STATES] = {
		[OFF] = 1u << RESTING,
		[RESTING] = 1u << ASKING | 1u << OFF,
		[ASKING] = 1u << RESTING,
	};
	static const char *const state_name[STATES] = { "off", "resting", "asking" };

	assert(may_move[renewal->state] & 1u << to);
	log_move("renewal", log_str("key", renewal->kept.key), state_name[renewal->state],
	    state_name[to]);
	renewal->state = to;
}

static struct renewal_files
files_of(const struct renewal *renewal)
{
	return (struct renewal_files){ renewal->kept.certificate, renewal->kept.private_key };
}

/* 0 <= result <= most */
static int64_t
spread(int64_t most)
{
	return most > 0 ? (int64_t)arc4random_uniform((uint32_t)most + 1) : 0;
}

static int64_t
smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- when ---- */

static int64_t
before_of(const struct renewal *renewal)
{
	return renewal_rows_before(
	    renewal->kept.settings->before, renewal->not_after - renewal->not_before);
}

/* Of a certificate that was loaded just now. */
static void
plan_first(struct renewal *renewal)
{
	int64_t before_s = before_of(renewal);

	renewal->due_s =
	    renewal->not_after - before_s + spread(smaller(SPREAD_MOST_S, before_s / SPREAD_PART));
}

/* The second half of a time that doubles, so that hosts which fail together do not come back together. */
static int64_t
wait_of(const struct renewal *renewal)
{
	int64_t most_s = WAIT_FIRST_S;

	for (unsigned i = 1; i < renewal->failures && most_s < WAIT_MOST_S; i++)
		most_s *= 2;
	if (renewal->outcome == RENEWAL_REFUSED && most_s < WAIT_REFUSED_S)
		most_s = WAIT_REFUSED_S;
	most_s = smaller(most_s, WAIT_MOST_S);
	return most_s / 2 + spread(most_s / 2);
}

/* Later than an authority says is better than never. */
static void
plan_again(struct renewal *renewal, uint64_t retry_ms, int64_t now_s)
{
	int64_t left_s = renewal->not_after - now_s, wait_s = wait_of(renewal);

	if ((int64_t)(retry_ms / 1000) > wait_s)
		wait_s = (int64_t)(retry_ms / 1000) + spread(WAIT_FIRST_S);
	if (left_s > 0 && wait_s > left_s / WAIT_PART)
		wait_s = left_s / WAIT_PART;
	if (wait_s < WAIT_LEAST_S)
		wait_s = WAIT_LEAST_S;
	if (wait_s > DAY_S)
		wait_s = DAY_S;
	renewal->due_s = now_s + wait_s;
}

/* ---- what is told ---- */

static enum renewal_urgency
urgency_of(const struct renewal *renewal, int64_t now_s)
{
	int64_t left_s = renewal ? renewal->not_after - now_s : 0;

	if (!renewal || renewal->state == OFF)
		return RENEWAL_NONE;
	if (renewal->failures == 0)
		return RENEWAL_FINE;
	if (left_s <= 0)
		return RENEWAL_ENDED;
	return renewal_rows_is_late(
		   renewal->kept.settings, renewal->not_before, renewal->not_after, now_s)
	    ? RENEWAL_URGENT
	    : RENEWAL_FAILING;
}

enum renewal_urgency
renewal_urgency(const struct renewal *renewal)
{
	return urgency_of(renewal, clock_wall_s());
}

const char *
renewal_text(const struct renewal *renewal, char out[RENEWAL_TEXT])
{
	int64_t now_s = clock_wall_s();
	char ends[TIME_TEXT];

	out[0] = '\0';
	if (urgency_of(renewal, now_s) <= RENEWAL_FINE)
		return out;
	if (renewal->not_after == 0)
		snprintf(out, RENEWAL_TEXT, "; %s is not renewed: %.300s", renewal->kept.key,
		    renewal->sentence);
	else
		snprintf(out, RENEWAL_TEXT, "; %s %s on %s and is not renewed: %.250s",
		    renewal->kept.key, renewal->not_after > now_s ? "ends" : "has ended",
		    time_text(renewal->not_after, ends), renewal->sentence);
	return out;
}

json_t *
renewal_describe(const struct renewal *renewal)
{
	static const char *const words[] = { "off", "fine", "failing", "urgent", "ended" };
	enum renewal_urgency urgency = renewal_urgency(renewal);
	char ends[TIME_TEXT], next[TIME_TEXT];
	bool has_failed;

	if (urgency == RENEWAL_NONE)
		return json_null();
	has_failed = renewal->failures > 0;
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s?, s:o?}", "certificate",
	    renewal->kept.certificate, "ends", time_text(renewal->not_after, ends), "urgency",
	    words[urgency], "next", time_text(renewal->due_s, next), "failures",
	    (json_int_t)renewal->failures, "code",
	    has_failed ? outcome_word[renewal->outcome] : NULL, "error",
	    has_failed ? admin_text(renewal->sentence) : NULL);
}

/* While there is time, once a day is enough; when little is left, each one is told. */
static void
tell_failure(struct renewal *renewal, int64_t now_s)
{
	enum renewal_urgency urgency = urgency_of(renewal, now_s);
	uint64_t now = clock_ms();
	char next[TIME_TEXT];

	if (!outage_fail(&renewal->outage, outcome_word[renewal->outcome], now) &&
	    urgency < RENEWAL_URGENT)
		return;
	log_audit(urgency >= RENEWAL_URGENT ? LOG_ERROR : LOG_WARNING, "renewal-failed",
	    renewal->sentence, log_str("key", renewal->kept.key),
	    log_str("file", renewal->kept.certificate),
	    log_str("code", outcome_word[renewal->outcome]),
	    log_i64("days", (renewal->not_after - now_s) / DAY_S),
	    log_str("next", time_text(renewal->due_s, next)), log_outage(&renewal->outage, now));
}

/* ---- the end of an attempt ---- */

static void
fail(struct renewal *renewal, enum renewal_outcome outcome, uint64_t retry_ms, const char *sentence)
{
	int64_t now_s = clock_wall_s();

	renewal->failures++;
	renewal->outcome = outcome;
	renewal->failed_s = now_s;
	snprintf(renewal->sentence, sizeof renewal->sentence, "%s", sentence);
	plan_again(renewal, retry_ms, now_s);
	tell_failure(renewal, now_s);
	renewal->on_change(renewal->arg);
}

/* What an attempt works with; wipe in any case. */
struct renewal_attempt {
	struct key_pair now;
	/* The key that is to be certified. */
	char key[PATH_MAX];
	uint8_t digest[KEY_DIGEST];
	struct secret request;
};

static void
attempt_wipe(struct renewal_attempt *attempt)
{
	key_pair_wipe(&attempt->now);
	secret_wipe(&attempt->request);
}

/* The key in force, or the next one. */
static bool
find_key(const struct renewal *renewal, struct renewal_attempt *attempt, char error[RENEWAL_ERROR])
{
	const struct renewal_files files = files_of(renewal);

	if (renewal->kept.settings->rekey)
		return renewal_files_next_key(&files, attempt->key, attempt->digest, error);
	snprintf(attempt->key, sizeof attempt->key, "%s", files.private_key);
	return key_ask_look(files.private_key, attempt->digest, error);
}

/* Of the files as they are now. */
static bool
load(const struct renewal *renewal, struct renewal_attempt *attempt, char error[RENEWAL_ERROR])
{
	const struct renewal_files files = files_of(renewal);
	bool rekey = renewal->kept.settings->rekey;

	*attempt = (struct renewal_attempt){ 0 };
	return renewal_files_mend(&files, error) != RENEWAL_NOT_MENDED &&
	    renewal_files_may_replace(&files, rekey, error) &&
	    key_pair_load(&attempt->now, files.certificate, files.private_key, error) ==
	    KEY_PAIR_FINE &&
	    find_key(renewal, attempt, error);
}

static bool
judge(const struct renewal *renewal, const struct renewal_attempt *attempt,
    const struct secret *chain, char error[RENEWAL_ERROR])
{
	const struct renewal_answer_wanted wanted = { .role = renewal->kept.role,
		.host = renewal->kept.host,
		.cas = &renewal->kept.settings->cas,
		.certificate = &attempt->now.certificate,
		.key = attempt->digest,
		.path = renewal->kept.certificate };

	return renewal_answer_judge(&wanted, chain, error);
}

static void
tell_success(struct renewal *renewal, const struct secret *chain)
{
	struct cert_facts facts;
	struct outage past;
	char ignored[CERT_ERROR], ends[TIME_TEXT];
	enum log_level level = outage_end(&renewal->outage, &past) ? LOG_WARNING : LOG_INFO;

	if (cert_read(&facts, chain, renewal->kept.certificate, ignored))
		log_audit(level, "certificate-renewed", "the new one is in its file",
		    log_str("key", renewal->kept.key), log_str("file", renewal->kept.certificate),
		    log_str("serial", facts.serial),
		    log_str("ends", time_text(facts.not_after, ends)),
		    log_outage(&past, clock_ms()));
	cert_wipe(&facts);
}

static void
take(struct renewal *renewal, const struct secret *chain)
{
	const struct renewal_files files = files_of(renewal);
	char error[RENEWAL_ERROR];
	struct renewal_attempt attempt;

	if (load(renewal, &attempt, error) && judge(renewal, &attempt, chain, error) &&
	    renewal_files_replace(&files, chain, renewal->kept.settings->rekey, error)) {
		renewal->renewed_s = clock_wall_s();
		tell_success(renewal, chain);
	} else
		fail(renewal, RENEWAL_FAILED, 0, error);
	attempt_wipe(&attempt);
}

static void look(struct renewal *, int64_t now_s);

static void
on_answer(void *arg, const struct renewal_answer *answer)
{
	struct renewal *renewal = arg;

	renewal->handle = NULL;
	move(renewal, RESTING);
	if (answer->outcome == RENEWAL_ISSUED)
		take(renewal, &answer->chain);
	else
		fail(renewal, answer->outcome, answer->retry_ms, answer->sentence);
	look(renewal, clock_wall_s()); /* the new certificate, if there is one */
}

/* ---- the attempt ---- */

static bool
ask(struct renewal *renewal, const struct renewal_attempt *attempt, char error[RENEWAL_ERROR])
{
	const struct renewal_question question = { .url = renewal->kept.settings->url,
		.address = renewal->kept.settings->address,
		.cas = &renewal->kept.settings->cas,
		.certificate = &attempt->now.certificate,
		.key = &attempt->now.key,
		.request = &attempt->request };

	renewal->handle =
	    renewal->authority->ask(renewal->authority->arg, &question, on_answer, renewal, error);
	return renewal->handle != NULL;
}

static void
begin(struct renewal *renewal)
{
	const struct renewal_files files = files_of(renewal);
	char error[RENEWAL_ERROR];
	struct renewal_attempt attempt;

	if (load(renewal, &attempt, error) && renewal_files_have_room(&files, error) &&
	    renewal_request_make(&attempt.request, &attempt.now.certificate, attempt.key, error) &&
	    ask(renewal, &attempt, error))
		move(renewal, ASKING);
	else
		fail(renewal, RENEWAL_FAILED, 0, error);
	attempt_wipe(&attempt);
}

/* ---- the look every few seconds ---- */

/* One that is the same with another stamp keeps its plan. */
static void
adopt_facts(struct renewal *renewal, const struct cert_facts *facts)
{
	bool is_same =
	    renewal->not_after == facts->not_after && renewal->not_before == facts->not_before;
	bool had_failed = renewal->failures > 0;

	if (is_same)
		return;
	renewal->not_before = facts->not_before;
	renewal->not_after = facts->not_after;
	renewal->failures = 0;
	outage_end(&renewal->outage, NULL);
	plan_first(renewal);
	if (had_failed)
		renewal->on_change(renewal->arg);
}

/* Somebody may have put a new one there. */
static void
read_certificate(struct renewal *renewal)
{
	struct file_stamp stamp = file_stamp_of(renewal->kept.certificate);
	struct cert_facts facts;
	char ignored[CERT_ERROR];

	if (file_stamp_equals(&stamp, &renewal->stamp))
		return;
	renewal->stamp = stamp;
	if (cert_load(&facts, renewal->kept.certificate, ignored))
		adopt_facts(renewal, &facts);
	cert_wipe(&facts);
}

/* An authority whose certificates are due as they come is not asked without end. */
static bool
has_just_come(const struct renewal *renewal, int64_t now_s)
{
	int64_t rest_s =
	    smaller(WAIT_FIRST_S, (renewal->not_after - renewal->not_before) / REST_PART);

	if (rest_s < WAIT_LEAST_S)
		rest_s = WAIT_LEAST_S;
	return renewal->renewed_s != 0 && now_s >= renewal->renewed_s &&
	    now_s - renewal->renewed_s < rest_s;
}

/* A clock that was set back must not make a wait of years. */
static bool
is_due(const struct renewal *renewal, int64_t now_s)
{
	if (renewal->not_after == 0 || now_s < renewal->not_before || has_just_come(renewal, now_s))
		return false;
	return now_s >= renewal->due_s || (renewal->failures > 0 && now_s < renewal->failed_s);
}

static void
look(struct renewal *renewal, int64_t now_s)
{
	if (renewal->state != RESTING)
		return;
	read_certificate(renewal);
	if (is_due(renewal, now_s))
		begin(renewal);
}

static void
on_time(void *arg)
{
	struct renewal *renewal = arg;

	timer_set(&renewal->timer, LOOK_MS);
	look(renewal, clock_wall_s());
}

/* ---- life ---- */

bool
renewal_is_possible(const struct renewal_certificate *certificate, char error[RENEWAL_ERROR])
{
	const struct renewal_files files = { certificate->certificate, certificate->private_key };

	return renewal_files_may_replace(&files, certificate->settings->rekey, error) &&
	    renewal_answer_has_roots(&certificate->settings->cas, error);
}

void
renewal_mend(const struct renewal_certificate *certificate)
{
	const struct renewal_files files = { certificate->certificate, certificate->private_key };
	char error[FILE_ERROR] = "the next private key was not in its place yet, and is now";
	enum renewal_mended mended = RENEWAL_NOTHING_TO_MEND;

	if (certificate->settings->url)
		mended = renewal_files_mend(&files, error);
	if (mended != RENEWAL_NOTHING_TO_MEND)
		log_event(mended == RENEWAL_MENDED ? LOG_WARNING : LOG_ERROR, "renewal-mended",
		    error, log_str("key", certificate->key),
		    log_str("file", certificate->private_key));
}

struct renewal *
renewal_new(struct loop *loop, const struct renewal_authority *authority,
    void (*on_change)(void *arg), void *arg)
{
	struct renewal *renewal = calloc(1, sizeof *renewal);

	if (!renewal)
		return NULL;
	renewal->outage.pace = OUTAGE_DAILY;
	renewal->authority = authority;
	renewal->on_change = on_change;
	renewal->arg = arg;
	timer_init(&renewal->timer, loop, on_time, renewal);
	return renewal;
}

static void
rest(struct renewal *renewal)
{
	if (renewal->state != ASKING)
		return;
	renewal->authority->cancel(renewal->authority->arg, renewal->handle);
	renewal->handle = NULL;
	move(renewal, RESTING);
}

void
renewal_free(struct renewal *renewal)
{
	if (!renewal)
		return;
	rest(renewal);
	timer_clear(&renewal->timer);
	free(renewal);
}

static void
switch_off(struct renewal *renewal)
{
	if (renewal->state == OFF)
		return;
	timer_clear(&renewal->timer);
	move(renewal, OFF);
}

void
renewal_set(struct renewal *renewal, const struct renewal_certificate *certificate)
{
	char error[RENEWAL_ERROR];

	rest(renewal);
	if (!certificate || !certificate->settings->url) {
		switch_off(renewal);
		return;
	}
	renewal->kept = *certificate;
	if (!renewal_is_possible(certificate, error))
		log_event(LOG_WARNING, "renewal-impossible", error,
		    log_str("key", certificate->key), log_str("file", certificate->certificate));
	renewal->stamp = (struct file_stamp){ 0 };
	renewal->not_before = renewal->not_after = 0; /* so that it is planned anew */
	if (renewal->state == OFF)
		move(renewal, RESTING);
	timer_set(&renewal->timer, LOOK_MS); /* the CRLs of the authority may be on their way */
}
