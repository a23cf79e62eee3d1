/*
 * The CA certificates that one trust lists: which of them are roots, and which roots are
 * narrowed by a sub-CA that is listed beside them.  Filled once by ca_list_load().
 *
 * A root that is whole and only not to our liking, of version 1 say, is passed over with a
 * sentence and the rest is used: without it less is believed, never more.  Anything else that
 * cannot be used fails the list: a sub-CA because it narrows, what is damaged because
 * nobody meant it.
 */
#ifndef PKI_CA_LIST_H
#define PKI_CA_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gnutls/x509.h>

#include "pki/revocation.h"
#include "pki/x509.h"

struct trust_sources;

struct listed_ca;

/* One certificate of a chain: a listed CA's, or a peer's. */
struct chain_link {
	struct x509 facts;
	struct issuer issuer;       /* what it is as an issuer */
	gnutls_x509_crt_t crt;      /* a listed one's is read by all threads, changed by none */
	const struct listed_ca *ca; /* NULL: a peer's */
};

struct listed_ca {
	uint8_t *der; /* what the facts alias */
	struct chain_link link;
	bool is_root;
	bool narrowed; /* chains through it must pass through a listed sub-CA below it */
	const struct listed_ca *root;   /* NULL: none is listed (yet) */
	const struct listed_ca *issuer; /* a sub-CA's: listed too, and its signature was checked */
	const char *file;               /* borrowed, only while loading */
};

enum { CA_LIST_ERROR = 512, CA_LIST_MOST = 4096 };

enum { PASSED_OVER_NAME = 120 };

struct passed_over {
	char subject[PASSED_OVER_NAME];
	char sentence[CA_LIST_ERROR]; /* which it is and why, without what follows from it */
};

struct ca_list {
	struct listed_ca **cas; /* roots and sub-CAs in the order of the files */
	size_t count;
	struct passed_over *passed_over; /* as many as the files hold, up to CA_LIST_MOST */
	size_t passed_over_count;
};

/* False with a sentence; wipe in any case. */
bool ca_list_load(struct ca_list *, const struct trust_sources *, char error[CA_LIST_ERROR]);
void ca_list_wipe(struct ca_list *);

/* The listed root with this name and key, or NULL. */
const struct listed_ca *ca_list_find_root(const struct ca_list *, const uint8_t id[ISSUER_ID]);
/* Whether a sub-CA with this name and key is listed, and none below it.  Where one root has
 * signed another, there is a sub-CA with the name and key of a root. */
bool ca_list_has_lowest(const struct ca_list *, const uint8_t id[ISSUER_ID]);
/* A root of this name that was passed over, or NULL. */
const struct passed_over *ca_list_find_passed_over(const struct ca_list *, struct der subject);
/* Whether this very certificate is listed. */
bool ca_list_contains(const struct ca_list *, struct der whole);

#endif
