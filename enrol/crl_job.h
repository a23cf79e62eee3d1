/*
 * What is to be fetched of one URL, for whom, and what is known of it: a part of crl_refresh.h.
 */
#ifndef ENROL_CRL_JOB_H
#define ENROL_CRL_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/outage.h"

struct conf_texts;
struct crl_refresh;
struct fetch;

enum { CRL_JOB_ERROR = 1024 };

/* A key pair that names the URL. */
struct crl_job_key {
	char *label;
	char **cas; /* files */
	size_t ca_count;
};

struct crl_job {
	TAILQ_ENTRY(crl_job) link;
	struct crl_refresh *refresh;
	char *url;
	char *dial; /* NULL: the URL's host */
	struct crl_job_key *keys;
	size_t key_count;
	struct fetch *fetch;        /* NULL: none is under way */
	char *etag, *last_modified; /* of the last answer that was taken; NULL: it had none */
	bool is_verified; /* what is in the store was compared with an answer in this process */
	bool is_stored;   /* there is something, with this life */
	int64_t from_s, until_s;
	int64_t due_s, answered_s, failing_since_s; /* 0: never */
	unsigned failures;                          /* in a row */
	struct outage outage;                       /* the same, as it is told */
	bool is_told_urgent;
	char error[CRL_JOB_ERROR]; /* of the last of them */
};

TAILQ_HEAD(crl_jobs, crl_job);

/* NULL when memory is short, as below. */
struct crl_job *crl_job_new(const char *url);
void crl_job_free(struct crl_job *);
/* One more key; one that is there already is not added again. */
bool crl_job_add_key(struct crl_job *, const char *label, const struct conf_texts *cas);
/* Where to connect to, unless a former call has said; NULL says nothing. */
bool crl_job_set_dial(struct crl_job *, const char *dial);
/* Takes over what is known of the same URL from a former job, whose fetch is left to it. */
void crl_job_inherit(struct crl_job *, struct crl_job *former);

/* The certificates of all its CA files as one PEM text, to be freed; what cannot be read is left out. */
char *crl_job_cas(const struct crl_job *);
/* What is in the store now. */
void crl_job_look(struct crl_job *, const char *state_dir);
/* Whether what was put into the store may be adopted, by any of its keys.  False with a sentence. */
bool crl_job_judge(
    const struct crl_job *, const char *state_dir, int64_t now_s, char error[CRL_JOB_ERROR]);

/* Seconds until it is due again: after an answer ... */
int64_t crl_job_wait_s(const struct crl_job *);
/* ... and after a failure, of which retry_after_s is what the server wishes, 0 if nothing. */
int64_t crl_job_retry_s(const struct crl_job *, uint64_t retry_after_s);
/* It fails, and there is nothing in the store, or what is there is in the last third of its life. */
bool crl_job_is_urgent(const struct crl_job *, int64_t now_s);

#endif
