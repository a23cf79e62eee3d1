/*
 * Candidate chains from a peer's leaf to a listed root, by names and key
 * identifiers alone; each complete one is shown to a judge until one is accepted.  Bounded in
 * depth and in number, so that no peer can make us search.
 */
#ifndef PKI_PATH_H
#define PKI_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include <gnutls/x509.h>

#include "pki/ca_list.h"
#include "pki/der.h"
#include "pki/verdict.h"

enum {
	PATH_LINKS = VERIFY_CHAIN + 2,
	PATH_CANDIDATES = 8, /* complete chains judged */
	PATH_STEPS = 256,    /* links tried */
};

struct path {
	size_t count; /* leaf first; a root last if it is complete */
	const struct chain_link *links[PATH_LINKS];
};

/* A peer's chain, read; the leaf stands first. */
struct peer_chain {
	size_t count;
	bool lacks_memory; /* that is why it cannot be read */
	struct chain_link links[VERIFY_CHAIN];
};

/* False with the reason in *why, which reads after "it ", and sent->count as the index of the
 * certificate that is bad; wipe in any case. */
bool peer_chain_read(struct peer_chain *, const struct der *chain, size_t count, const char **why);
void peer_chain_wipe(struct peer_chain *);

struct path_search {
	const struct ca_list *list;
	const struct peer_chain *sent;
	bool (*judge)(const struct path *, void *arg); /* true: this is the one */
	void *arg;
	struct path path;
	struct path deepest; /* the longest dead end */
	size_t candidates, steps;
	bool gave_up; /* at one of the bounds, so that there may be other chains */
};

/* True once the judge has accepted search->path. */
bool path_search(struct path_search *);

#endif
