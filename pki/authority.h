/*
 * The CA certificates of one trust: which of them are roots, which roots are
 * narrowed by a sub-CA listed beside them.  Filled once by authority_load().
 */
#ifndef PKI_AUTHORITY_H
#define PKI_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gnutls/x509.h>

#include "pki/revocation.h"
#include "pki/x509.h"

struct trust_sources;

struct ca;

/* One certificate of a chain: a listed CA's, or a peer's. */
struct link {
	struct x509 facts;
	struct issuer issuer;		/* what it is as an issuer */
	gnutls_x509_crt_t crt;		/* a listed one's is read by all threads, changed by none */
	const struct ca *ca;		/* NULL: a peer's */
};

struct ca {
	uint8_t *der;			/* what the facts alias */
	struct link link;
	bool is_root;
	bool narrowed;			/* chains through it must pass a listed sub-CA below it */
	const struct ca *root;		/* NULL: none is listed (yet) */
	const struct ca *issuer;	/* a sub-CA's: listed too, and its signature was checked */
	const char *file;		/* borrowed, only while loading */
};

struct authority {
	struct ca **cas;		/* roots and sub-CAs in the order of the files */
	size_t count;
};

enum { AUTHORITY_ERROR = 512, AUTHORITY_MOST = 4096 };

/* False with a sentence; wipe in any case. */
bool authority_load(struct authority *, const struct trust_sources *, char error[AUTHORITY_ERROR]);
void authority_wipe(struct authority *);

/* The listed root with this name and key, or NULL. */
const struct ca *authority_find_root(const struct authority *, const uint8_t id[ISSUER_ID]);
/* Whether a sub-CA with this name and key is listed, and none below it.  Where one root has
 * signed another, there is a sub-CA with the name and key of a root. */
bool authority_has_lowest(const struct authority *, const uint8_t id[ISSUER_ID]);
/* Whether this very certificate is listed. */
bool authority_lists(const struct authority *, struct der whole);

#endif
