/*
 * One HTTP request and its answer, as the machines of this folder ask for it; who owns one of them
 * says how it is done, and tests do it by themselves.
 */
#ifndef ACME_TRANSPORT_H
#define ACME_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

struct acme_request {
	const char *method; /* GET, HEAD or POST */
	const char *url;
	const char *body; /* application/jose+json; NULL: none */
};

/* Borrowed until the call returns; texts are NULL where the server did not send them. */
struct acme_reply {
	const char *error; /* a sentence: there is no answer, and nothing below counts */
	unsigned status;
	const char *location, *nonce, *retry_after, *date;
	const void *body;
	size_t bytes;
};

struct acme_transport {
	/* Answers once, never inside this call, unless it is cancelled.  The request is
	 * copied.  NULL when memory is short: there is no answer then. */
	void *(*start)(void *arg, const struct acme_request *,
	    void (*on_reply)(void *who, const struct acme_reply *), void *who);
	void (*cancel)(void *arg, void *started);
	void *arg;
};

#endif
