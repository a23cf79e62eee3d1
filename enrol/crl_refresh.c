/* One job a URL; a timer looks which are due. */
#include "enrol/crl_refresh.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/fetch.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/units.h"
#include "enrol/crl_job.h"
#include "pki/cert.h"
#include "pki/crl_store.h"

enum {
	TICK_MS = 3000,
	DEADLINE_MS = 60000,
	FARTHEST_S = 8 * 3600, /* nothing is due later, so the clock was set back */
	PART_TEXT = FETCH_URL + 16,
	STATUS_OK = 200,
	STATUS_NOT_MODIFIED = 304,
};

struct crl_refresh {
	struct crl_refresh_options options;
	char *state_dir;
	const struct fetch_proxy *proxy;
	struct crl_jobs jobs;
	unsigned under_way;
	struct timer timer;
};

/* ---- what comes of an answer ---- */

static void
tell_fault(const struct crl_job *job, const char *sentence)
{
	const struct crl_refresh_options *options = &job->refresh->options;
	char part[PART_TEXT];

	snprintf(part, sizeof part, "crl_url %s", job->url);
	if (options->on_fault)
		options->on_fault(options->arg, part, sentence);
}

/* What has become urgent is told again. */
static void
tell_failure(struct crl_job *job, bool is_urgent, int64_t wait_s)
{
	uint64_t now = clock_ms();

	if (job->is_told_urgent != is_urgent)
		outage_tell_anew(&job->outage);
	job->is_told_urgent = is_urgent;
	if (outage_fail(&job->outage, "failed", now))
		log_event(is_urgent ? LOG_ERROR : LOG_WARNING, "crl-fetch-failed", job->error,
		    log_str("key", job->keys[0].label), log_i64("retry_s", wait_s),
		    log_outage(&job->outage, now));
}

static void
fail(struct crl_job *job, uint64_t retry_after_s)
{
	int64_t now_s = clock_wall_s(), wait_s;
	bool is_urgent;

	if (job->failures++ == 0)
		job->failing_since_s = now_s;
	wait_s = crl_job_retry_s(job, retry_after_s);
	job->due_s = now_s + wait_s;
	is_urgent = crl_job_is_urgent(job, now_s);
	if (is_urgent)
		tell_fault(job, job->error);
	tell_failure(job, is_urgent, wait_s);
}

/* It answered as it should. */
static void
succeed(struct crl_job *job)
{
	int64_t now_s = clock_wall_s();
	struct outage past;

	if (outage_end(&job->outage, &past)) {
		log_event(LOG_WARNING, "crl-fetch-works", "the URL of CRLs has an answer again",
		    log_str("url", job->url), log_outage(&past, clock_ms()));
		tell_fault(job, NULL);
	}
	job->failures = 0;
	job->failing_since_s = 0;
	job->is_told_urgent = false;
	job->error[0] = '\0';
	job->answered_s = now_s;
	job->due_s = now_s + crl_job_wait_s(job);
}

/* NULL where there is none, or memory is short: it is asked for as a whole then. */
static void
remember(char **text, const char *value)
{
	free(*text);
	*text = value ? strdup(value) : NULL;
}

static void
remember_version(struct crl_job *job, const struct fetch_answer *answer)
{
	remember(&job->etag, fetch_answer_header(answer, "ETag"));
	remember(&job->last_modified, fetch_answer_header(answer, "Last-Modified"));
}

/* False with a sentence in job->error. */
static bool
adopt(struct crl_job *job, const struct fetch_answer *answer)
{
	const char *state_dir = job->refresh->state_dir;
	char why[CRL_JOB_ERROR] = "";
	bool is_taken = crl_store_put(state_dir, job->url, answer->body, answer->body_bytes, why) &&
	    crl_job_judge(job, state_dir, clock_wall_s(), why) &&
	    crl_store_adopt(state_dir, job->url, why);

	if (is_taken)
		return true;
	crl_store_drop(state_dir, job->url);
	snprintf(
	    job->error, sizeof job->error, "%.300s: what came is not taken: %.600s", job->url, why);
	return false;
}

/* What is there already, and is known to be right, is left alone, so that nobody has to look at it again. */
static void
take(struct crl_job *job, const struct fetch_answer *answer)
{
	const char *state_dir = job->refresh->state_dir;
	bool is_same = job->is_verified &&
	    crl_store_holds(state_dir, job->url, answer->body, answer->body_bytes);

	if (!is_same && !adopt(job, answer)) {
		fail(job, 0);
		return;
	}
	job->is_verified = true;
	remember_version(job, answer);
	crl_job_look(job, state_dir);
	if (!is_same)
		log_audit(LOG_INFO, "crl-fetched", "what a URL has of CRLs was judged, and is kept",
		    log_str("url", job->url), log_str("key", job->keys[0].label),
		    log_u64("bytes", answer->body_bytes));
	succeed(job);
}

/* False with a sentence in job->error. */
static bool
is_from_server(struct crl_job *job, const struct fetch_answer *answer)
{
	if (answer->outcome != FETCH_ANSWERED || !fetch_is_secure(job->url) ||
	    cert_may_serve(answer->chain))
		return true;
	snprintf(job->error, sizeof job->error, "%.300s: %s", job->url, cert_may_not_serve);
	return false;
}

static void
on_answer(void *arg, const struct fetch_answer *answer)
{
	struct crl_job *job = arg;

	job->fetch = NULL;
	job->refresh->under_way--;
	if (!is_from_server(job, answer)) {
		fail(job, 0);
	} else if (answer->outcome == FETCH_ANSWERED && answer->status == STATUS_OK) {
		take(job, answer);
	} else if (answer->outcome == FETCH_ANSWERED && answer->status == STATUS_NOT_MODIFIED &&
	    job->is_verified) {
		succeed(job);
	} else if (answer->outcome == FETCH_ANSWERED) {
		snprintf(job->error, sizeof job->error,
		    "%.300s: there is no CRL: the server answers with status %u", job->url,
		    answer->status);
		fail(job, fetch_answer_retry_after_s(answer, clock_wall_s()));
	} else {
		snprintf(job->error, sizeof job->error, "%s", answer->error);
		fail(job, 0);
	}
}

/* ---- what is due ---- */

static void
start(struct crl_job *job)
{
	struct crl_refresh *refresh = job->refresh;
	bool is_secure = fetch_is_secure(job->url);
	char *cas = is_secure ? crl_job_cas(job) : NULL;
	const struct fetch_request request = {
		.url = job->url,
		.trust = FETCH_TRUST_SYSTEM,
		.cas = cas && cas[0] != '\0' ? cas : NULL,
		.wants_chain = is_secure,
		.proxy = refresh->proxy,
		.dial = job->dial,
		.etag = job->is_stored ? job->etag : NULL,
		.last_modified = job->is_stored ? job->last_modified : NULL,
		.answer_most = CRL_REFRESH_BYTES,
		.deadline_ms = DEADLINE_MS,
	};

	job->fetch = fetch_start(refresh->options.fetcher, &request, on_answer, job);
	refresh->under_way += job->fetch != NULL; /* else the next tick tries again */
	free(cas);
}

static void
on_tick(void *arg)
{
	struct crl_refresh *refresh = arg;
	int64_t now_s = clock_wall_s();
	struct crl_job *job;

	TAILQ_FOREACH(job, &refresh->jobs, link) {
		if (job->due_s - now_s > FARTHEST_S)
			job->due_s = now_s;
		if (!job->fetch && job->due_s <= now_s &&
		    refresh->under_way < CRL_REFRESH_UNDER_WAY)
			start(job);
	}
	if (!TAILQ_EMPTY(&refresh->jobs))
		timer_set(&refresh->timer, TICK_MS);
}

/* ---- the jobs ---- */

struct crl_refresh *
crl_refresh_new(const struct crl_refresh_options *options)
{
	struct crl_refresh *refresh = calloc(1, sizeof *refresh);

	if (!refresh)
		return NULL;
	TAILQ_INIT(&refresh->jobs);
	refresh->options = *options;
	refresh->state_dir = strdup(options->state_dir);
	timer_init(&refresh->timer, options->loop, on_tick, refresh);
	if (refresh->state_dir)
		return refresh;
	crl_refresh_free(refresh);
	return NULL;
}

static void
free_jobs(struct crl_jobs *jobs)
{
	struct crl_job *job;

	while ((job = TAILQ_FIRST(jobs))) {
		TAILQ_REMOVE(jobs, job, link);
		crl_job_free(job);
	}
}

void
crl_refresh_free(struct crl_refresh *refresh)
{
	if (!refresh)
		return;
	timer_clear(&refresh->timer);
	free_jobs(&refresh->jobs);
	free(refresh->state_dir);
	free(refresh);
}

static struct crl_job *
find(const struct crl_jobs *jobs, const char *url)
{
	struct crl_job *job;

	TAILQ_FOREACH(job, jobs, link) {
		if (strcmp(job->url, url) == 0)
			return job;
	}
	return NULL;
}

/* The job of this URL, which is made if there is none. */
static struct crl_job *
job_of(struct crl_jobs *jobs, const char *url)
{
	struct crl_job *job = find(jobs, url);

	if (job || !(job = crl_job_new(url)))
		return job;
	TAILQ_INSERT_TAIL(jobs, job, link);
	return job;
}

static bool
add_subject(struct crl_jobs *jobs, const struct crl_refresh_subject *subject)
{
	for (size_t i = 0; i < subject->urls->count; i++) {
		struct crl_job *job = job_of(jobs, subject->urls->items[i]);

		if (!job || !crl_job_add_key(job, subject->label, subject->cas) ||
		    !crl_job_set_dial(job, subject->dial))
			return false;
	}
	return true;
}

/* Those that were fetched before go on with what is known of them; what was wrong with others is over. */
static void
take_over(struct crl_refresh *refresh, struct crl_jobs *fresh)
{
	struct crl_job *job, *former;

	TAILQ_FOREACH(job, fresh, link) {
		job->refresh = refresh;
		former = find(&refresh->jobs, job->url);
		if (former)
			crl_job_inherit(job, former);
		crl_job_look(job, refresh->state_dir);
	}
	TAILQ_FOREACH(former, &refresh->jobs, link) {
		if (former->failures > 0 && !find(fresh, former->url))
			tell_fault(former, NULL);
	}
}

bool
crl_refresh_set(struct crl_refresh *refresh, const struct crl_refresh_subject *subjects,
    size_t count, const struct fetch_proxy *proxy)
{
	struct crl_jobs fresh = TAILQ_HEAD_INITIALIZER(fresh);
	bool is_whole = true;

	for (size_t i = 0; i < count && is_whole; i++)
		is_whole = add_subject(&fresh, &subjects[i]);
	if (!is_whole) {
		free_jobs(&fresh);
		return false;
	}
	take_over(refresh, &fresh);
	free_jobs(&refresh->jobs);
	TAILQ_CONCAT(&refresh->jobs, &fresh, link);
	refresh->under_way = 0;
	refresh->proxy = proxy;
	timer_set(&refresh->timer, 0);
	return true;
}

/* ---- status ---- */

static void
add_time(json_t *out, const char *key, int64_t at_s)
{
	char text[TIME_TEXT];

	if (at_s != 0)
		json_object_set_new(out, key, json_string(time_text(at_s, text)));
}

static json_t *
describe(const struct crl_job *job)
{
	json_t *keys = json_array(), *out;

	for (size_t i = 0; i < job->key_count; i++)
		json_array_append_new(keys, json_string(job->keys[i].label));
	out = json_pack("{s:s, s:o}", "url", job->url, "keys", keys);
	if (!out)
		return NULL;
	add_time(out, "fetched", job->answered_s);
	add_time(out, "until", job->is_stored ? job->until_s : 0);
	add_time(out, "next", job->fetch ? 0 : job->due_s);
	add_time(out, "failing_since", job->failing_since_s);
	if (job->failures > 0)
		json_object_set_new(out, "error", json_string(job->error));
	return out;
}

json_t *
crl_refresh_describe(const struct crl_refresh *refresh)
{
	json_t *list = json_array();
	struct crl_job *job;

	TAILQ_FOREACH(job, &refresh->jobs, link) {
		json_array_append_new(list, describe(job));
	}
	return list;
}
