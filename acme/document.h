/*
 * What an ACME server sends (RFC 8555, section 7; RFC 9773, 4.2): JSON to plain values.  Pure
 * functions of bytes; what is too long, of another type, or no address of https is refused, whoever
 * sent it; members that nobody asks for are passed over.  False: it is not such a document, or
 * memory is short.
 */
#ifndef ACME_DOCUMENT_H
#define ACME_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ACME_URL = 1024,
	ACME_SENTENCE = 512,
	ACME_WORD = 48,
	ACME_TOKEN = 256,
	ACME_BODY_BYTES = 256 << 10, /* of any answer; a chain of certificates is the longest */
};

/* "" where it is not offered. */
struct acme_directory {
	char new_nonce[ACME_URL], new_account[ACME_URL], new_order[ACME_URL];
	char key_change[ACME_URL], renewal_info[ACME_URL];
	char terms[ACME_URL];   /* where they are, in words of the CA */
	char caa_identity[256]; /* the first of them: what names the CA in a CAA record */
	bool wants_binding;
};

enum acme_status {
	ACME_STATUS_UNKNOWN,
	ACME_STATUS_PENDING,
	ACME_STATUS_PROCESSING,
	ACME_STATUS_READY,
	ACME_STATUS_VALID,
	ACME_STATUS_INVALID,
	ACME_STATUS_DEACTIVATED,
	ACME_STATUS_EXPIRED,
	ACME_STATUS_REVOKED,
	ACME_STATUSES
};

/* RFC 7807 with the types of RFC 8555, 6.7; type "" is: none was sent. */
struct acme_problem {
	char type[ACME_WORD]; /* without urn:ietf:params:acme:error: */
	char detail[ACME_SENTENCE];
};

struct acme_account {
	enum acme_status status;
	bool has_contacts; /* the same, in the same order, as was asked */
};

struct acme_order {
	enum acme_status status;
	char authorisation[ACME_URL]; /* of the one identifier; "": none is left to do */
	char finalise[ACME_URL], certificate[ACME_URL];
	struct acme_problem problem;
};

/* The challenge is that of tls-alpn-01; url "": it is not offered. */
struct acme_authorisation {
	enum acme_status status, challenge_status;
	char url[ACME_URL], token[ACME_TOKEN];
	struct acme_problem problem; /* of the challenge */
};

/* When the CA suggests that a certificate be renewed. */
struct acme_window {
	int64_t from_s, until_s;
	char explanation[ACME_URL]; /* "": none */
};

bool acme_directory_decode(struct acme_directory *, const void *data, size_t bytes);
bool acme_problem_decode(struct acme_problem *, const void *data, size_t bytes);
bool acme_account_decode(struct acme_account *, const char *const *contacts, size_t contact_count,
    const void *data, size_t bytes);
bool acme_order_decode(struct acme_order *, const void *data, size_t bytes);
/* name: for which it must be, normalised. */
bool acme_authorisation_decode(
    struct acme_authorisation *, const char *name, const void *data, size_t bytes);
bool acme_window_decode(struct acme_window *, const void *data, size_t bytes);

/* Seconds since 1970 of an RFC 3339 time; false if it is none. */
bool document_time_parse(const char *text, int64_t *wall_s);
bool acme_problem_is(const struct acme_problem *, const char *type);
/* Whether what a server or a person wrote is an address of https that we would ask. */
bool document_url_is(const char *text);

#endif
