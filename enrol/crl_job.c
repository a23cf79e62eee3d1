/* One URL of CRLs: its keys, its life, its waits. */
#include "enrol/crl_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/base64.h>

#include "base/conf.h"
#include "base/fetch.h"
#include "base/numbers.h"
#include "enrol/crl_judge.h"
#include "pki/crl_store.h"
#include "pki/pem.h"
#include "pki/trust_sources.h"

enum {
	USUAL_S = 900,
	LEAST_S = 10,
	PART_OF_LIFE = 10,
	DOUBLINGS = 7,
	LATEST_S = 6 * 3600, /* what Retry-After may ask for */
};

/* ---- what it is ---- */

struct crl_job *
crl_job_new(const char *url)
{
	struct crl_job *job = calloc(1, sizeof *job);

	if (job && !(job->url = strdup(url))) {
		free(job);
		return NULL;
	}
	return job;
}

static void
wipe_key(struct crl_job_key *key)
{
	for (size_t i = 0; i < key->ca_count; i++)
		free(key->cas[i]);
	free(key->cas);
	free(key->label);
}

void
crl_job_free(struct crl_job *job)
{
	if (!job)
		return;
	fetch_cancel(job->fetch);
	for (size_t i = 0; i < job->key_count; i++)
		wipe_key(&job->keys[i]);
	free(job->keys);
	free(job->etag);
	free(job->last_modified);
	free(job->dial);
	free(job->url);
	free(job);
}

static bool
is_key(const struct crl_job_key *key, const char *label, const struct conf_texts *cas)
{
	if (strcmp(key->label, label) != 0 || key->ca_count != cas->count)
		return false;
	for (size_t i = 0; i < cas->count; i++)
		if (strcmp(key->cas[i], cas->items[i]) != 0)
			return false;
	return true;
}

static bool
has_key(const struct crl_job *job, const char *label, const struct conf_texts *cas)
{
	for (size_t i = 0; i < job->key_count; i++)
		if (is_key(&job->keys[i], label, cas))
			return true;
	return false;
}

static bool
fill_key(struct crl_job_key *key, const char *label, const struct conf_texts *cas)
{
	*key = (struct crl_job_key){ .label = strdup(label),
		.cas = calloc(cas->count + 1, sizeof *key->cas) };
	if (!key->label || !key->cas)
		return false;
	for (size_t i = 0; i < cas->count; i++, key->ca_count++)
		if (!(key->cas[i] = strdup(cas->items[i])))
			return false;
	return true;
}

bool
crl_job_add_key(struct crl_job *job, const char *label, const struct conf_texts *cas)
{
	struct crl_job_key *more;

	if (has_key(job, label, cas))
		return true;
	more = realloc(job->keys, (job->key_count + 1) * sizeof *more);
	if (!more)
		return false;
	job->keys = more;
	return fill_key(&more[job->key_count++], label, cas);
}

bool
crl_job_set_dial(struct crl_job *job, const char *dial)
{
	if (dial && !job->dial)
		job->dial = strdup(dial);
	return !dial || job->dial;
}

void
crl_job_inherit(struct crl_job *job, struct crl_job *former)
{
	job->etag = former->etag;
	job->last_modified = former->last_modified;
	former->etag = former->last_modified = NULL;
	job->is_verified = former->is_verified;
	job->answered_s = former->answered_s;
	job->failing_since_s = former->failing_since_s;
	job->outage = former->outage;
	job->is_told_urgent = former->is_told_urgent;
	job->failures = former->failures;
	memcpy(job->error, former->error, sizeof job->error);
}

/* ---- its CAs ---- */

static void
put_pem(FILE *out, struct der certificate)
{
	enum { LINE_OCTETS = 48 };
	char line[BASE64_ENCODE_RAW_LENGTH(LINE_OCTETS)];

	fputs("-----BEGIN CERTIFICATE-----\n", out);
	for (size_t at = 0; at < certificate.bytes; at += LINE_OCTETS) {
		size_t octets = smaller_of(certificate.bytes - at, LINE_OCTETS);

		base64_encode_raw(line, octets, certificate.data + at);
		fprintf(out, "%.*s\n", (int)BASE64_ENCODE_RAW_LENGTH(octets), line);
	}
	fputs("-----END CERTIFICATE-----\n", out);
}

static void
put_file(FILE *out, const char *path)
{
	struct pem_file file;
	char ignored[PEM_ERROR];

	if (!pem_load(&file, path, PEM_CERTIFICATE, ignored))
		return;
	for (size_t i = 0; i < file.count; i++)
		put_pem(out, pem_block(&file, i));
	pem_wipe(&file);
}

char *
crl_job_cas(const struct crl_job *job)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	for (size_t i = 0; i < job->key_count; i++)
		for (size_t k = 0; k < job->keys[i].ca_count; k++)
			put_file(out, job->keys[i].cas[k]);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* ---- what is at hand, and what came ---- */

void
crl_job_look(struct crl_job *job, const char *state_dir)
{
	job->is_stored = crl_store_life(state_dir, job->url, &job->from_s, &job->until_s);
}

static bool
is_fine_for(const struct crl_job *job, const struct crl_job_key *key, const char *state_dir,
    int64_t now_s, char error[CRL_JOB_ERROR])
{
	const struct trust_sources sources = { .ca_files = (const char *const *)key->cas,
		.ca_count = key->ca_count,
		.state_dir = state_dir,
		.label = key->label,
		.now = now_s };
	char why[CRL_JUDGE_ERROR];

	if (crl_judge(&sources, job->url, fetch_is_secure(job->url), why))
		return true;
	snprintf(error, CRL_JOB_ERROR, "%s", why);
	return false;
}

bool
crl_job_judge(
    const struct crl_job *job, const char *state_dir, int64_t now_s, char error[CRL_JOB_ERROR])
{
	bool is_fine = false;

	for (size_t i = 0; i < job->key_count && !is_fine; i++)
		is_fine = is_fine_for(job, &job->keys[i], state_dir, now_s, error);
	return is_fine &&
	    (fetch_is_secure(job->url) ||
		crl_judge_loses_nobody(state_dir, job->url, now_s, error));
}

/* ---- when ---- */

/* An eighth shorter to an eighth longer. */
static int64_t
spread(int64_t seconds)
{
	return seconds - seconds / 8 + (int64_t)arc4random_uniform((uint32_t)(seconds / 8 * 2 + 1));
}

int64_t
crl_job_wait_s(const struct crl_job *job)
{
	int64_t wait_s = USUAL_S;

	if (job->is_stored && (job->until_s - job->from_s) / PART_OF_LIFE < wait_s)
		wait_s = (job->until_s - job->from_s) / PART_OF_LIFE;
	return spread(wait_s < LEAST_S ? LEAST_S : wait_s);
}

int64_t
crl_job_retry_s(const struct crl_job *job, uint64_t retry_after_s)
{
	unsigned doublings = (unsigned)smaller_of(difference(job->failures, 1), DOUBLINGS);
	uint64_t wait_s = smaller_of((uint64_t)LEAST_S << doublings, USUAL_S);

	return spread((int64_t)larger_of(wait_s, smaller_of(retry_after_s, LATEST_S)));
}

bool
crl_job_is_urgent(const struct crl_job *job, int64_t now_s)
{
	return job->failures > 0 &&
	    (!job->is_stored || job->until_s - now_s < (job->until_s - job->from_s) / 3);
}
