/*
 * Candidate chains from a peer's leaf to a listed root, by names and key
 * identifiers alone; each is shown to a judge until one is content.  Bounded in
 * depth and in number, so that no peer can make us search.
 */
#ifndef PKI_PATH_H
#define PKI_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include <gnutls/x509.h>

#include "pki/authority.h"
#include "pki/der.h"
#include "pki/verify.h"

enum {
	PATH_LINKS = VERIFY_CHAIN + 2,
	PATH_TRIALS = 8,		/* complete chains judged */
	PATH_STEPS = 256,		/* links tried */
};

struct path {
	size_t count;			/* leaf first; a root last if it is complete */
	const struct link *links[PATH_LINKS];
};

/* A peer's chain, read; the leaf stands first. */
struct bag {
	size_t count;
	struct link links[VERIFY_CHAIN];
};

/* False with the reason in *why, which reads after "it ", and bag->count as the index of the
 * certificate that is bad; wipe in any case. */
bool bag_fill(struct bag *, const struct der *chain, size_t count, const char **why);
void bag_wipe(struct bag *);

struct search {
	const struct authority *authority;
	const struct bag *bag;
	bool (*judge)(const struct path *, void *arg);	/* true: this is the one */
	void *arg;
	struct path path;
	struct path deepest;		/* the longest dead end */
	size_t trials, steps;
};

/* True once the judge is content with search->path. */
bool path_search(struct search *);

#endif
