/*
 * One fetch of valise-fetch: what was ordered, what libcurl does of it, and what comes of that.
 * For serve.c (how it comes and goes), options.c (what libcurl is told) and transfer.c (the bytes
 * that come, and how it ends).
 *
 *	job_new() -> transfer_begin() --libcurl says that it is over--> transfer_end() -> job_free()
 *	                 ^-------------- a redirect is followed --------------+
 */
#ifndef FETCH_JOB_H
#define FETCH_JOB_H

#include <sys/queue.h>

#include "base/fetch_message.h"
#include "base/fetch_url.h"
#include "base/memory_file.h"
#include "base/secret.h"

struct curl_slist;

/* What one run of libcurl has. */
struct transfer {
	void *easy; /* CURL * */
	int set;    /* the first option that was refused, as libcurl's code */
	struct curl_slist *headers, *resolve, *connect_to;
	struct memory_file cas, certificate, key, proxy_cas;
	bool is_too_long, is_garbled;
	char said[256]; /* CURL_ERROR_SIZE */
};

struct job {
	TAILQ_ENTRY(job) link;
	uint64_t number;
	struct secret message; /* that the order borrows from */
	struct fetch_order order;
	uint64_t deadline_ms;       /* of clock_ms() */
	char *url;                  /* after redirects */
	struct fetch_target target; /* the URL's */
	struct {
		char host[254];
		uint16_t port;
	} contact; /* whom a connection is made to */

	struct transfer *transfer; /* NULL: libcurl does nothing for it */
	unsigned redirects;
	size_t header_bytes; /* ever read */
	struct fetch_buffer headers, body, chain;
	char error[FETCH_ERROR];
	enum fetch_outcome outcome;
	unsigned status;
};

TAILQ_HEAD(job_list, job);

/* Adopts the message.  NULL: it is no order, or memory is short. */
struct job *job_new(uint64_t number, struct secret *message);
void job_free(struct job *);

/* Sets outcome and error. */
#define job_fail(job, how, ...) \
	((job)->outcome = (how), fetch_sentence((job)->error, (job)->url, __VA_ARGS__))

/* All that libcurl is told of it; libcurl's code. */
int options_set(struct job *);
void options_wipe(struct job *);

/* Before everything else.  False when the system refuses. */
bool transfer_init(void);
/* `multi` is libcurl's handle of all.  False: it has failed. */
bool transfer_begin(struct job *, void *multi);
/* libcurl says that it is over, by its code.  False: a redirect is followed. */
bool transfer_end(struct job *, void *multi, int code);
void transfer_wipe(struct job *, void *multi);

#endif
