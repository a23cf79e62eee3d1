/*
 * Internal to fetches: one of them, for fetch.c (its life between a loop and the thread),
 * fetch_request.c (what was asked), and fetch_transfer.c (what libcurl does of it).
 */
#ifndef BASE_FETCH_PRIVATE_H
#define BASE_FETCH_PRIVATE_H

#include <sys/queue.h>

#include "base/fetch.h"
#include "base/loop.h"
#include "base/memory_file.h"
#include "base/resolved.h"

enum { FETCH_ERROR = 1024 };

/* Where something is connected to. */
struct fetch_target {
	bool is_secure;
	bool is_literal; /* the host is an address */
	char host[254];  /* without brackets */
	uint16_t port;
};

/* False with the rest of a sentence that begins with the URL. */
bool fetch_target_parse(struct fetch_target *, const char *url, char error[256]);

/* Who may touch a fetch:
 *
 *	RESOLVING --> TRAVELLING --> ANSWERED --> OVER
 *	the loop      the thread     the loop     nobody; freed
 *
 * is_cancelled and the stage are written under the fetcher's lock. */
enum fetch_stage { FETCH_RESOLVING, FETCH_TRAVELLING, FETCH_DONE, FETCH_OVER, FETCH_STAGES };

struct fetch_buffer {
	char *data; /* a NUL is behind what is in it; NULL: nothing was ever */
	size_t bytes, room;
};

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

struct fetch {
	TAILQ_ENTRY(fetch) link; /* of those that arrive at the thread, then of those under way */
	struct fetcher *fetcher;
	struct loop *loop;
	void (*fn)(void *arg, const struct fetch_answer *);
	void *arg;
	enum fetch_stage stage;
	bool is_cancelled;

	struct fetch_request request; /* its texts and bytes are owned, and wiped in the end */
	uint8_t pin[FETCH_PIN];
	char *proxy_url, *proxy_user, *proxy_password; /* NULL: no proxy */
	char *proxy_cas;                               /* PEM; NULL: the system's */
	char *url;                                     /* after redirects */
	uint64_t deadline_ms;                          /* of clock_ms() */

	struct fetch_target target;  /* the URL's */
	struct fetch_target contact; /* whom a connection is made to */
	struct resolution *resolution;
	struct task begin;
	struct address addresses[RESOLVED_MOST];
	size_t address_count; /* 0: the contact is an address */

	struct transfer *transfer; /* NULL: libcurl does nothing for it */
	unsigned redirects;
	size_t header_bytes; /* ever read */
	struct fetch_buffer headers, body, chain;
	char error[FETCH_ERROR];
	enum fetch_outcome outcome;
	unsigned status;

	struct call call;
};

TAILQ_HEAD(fetch_list, fetch);

/* Copies the request into it, and finds out whom to contact.  False: memory is short, and it is to be
 * wiped; what is wrong with the request stands in fetch->error. */
bool fetch_request_take(struct fetch *, const struct fetch_request *);
void fetch_request_wipe(struct fetch *);
/* Whether something of the caller's travels with it that nobody else may see. */
bool fetch_request_is_private(const struct fetch_request *);

/* Sets outcome and error. */
void fetch_fail(struct fetch *, enum fetch_outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* False when memory is short. */
bool fetch_buffer_append(struct fetch_buffer *, const void *data, size_t bytes);
void fetch_buffer_wipe(struct fetch_buffer *);

/* What follows belongs to the thread; `multi` is libcurl's handle of all. */

/* All that libcurl is told of it; libcurl's code. */
int fetch_options_set(struct fetch *);
void fetch_options_wipe(struct fetch *);

/* False: it has failed. */
bool fetch_transfer_begin(struct fetch *, void *multi);
/* libcurl says that it is over, by its code.  False: a redirect is followed. */
bool fetch_transfer_end(struct fetch *, void *multi, int code);
void fetch_transfer_wipe(struct fetch *, void *multi);
/* Before everything else, once a process.  False when the system refuses. */
bool fetch_transfer_init(void);

#endif
