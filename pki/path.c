#include "pki/path.h"

#include <string.h>

bool
bag_fill(struct bag *bag, const struct der *chain, size_t count, const char **why)
{
	*bag = (struct bag){0};
	for (size_t i = 0; i < count; i++) {
		*why = "is one of too many that were sent";
		if (i == VERIFY_CHAIN)
			return false;
		struct link *link = &bag->links[i];
		gnutls_datum_t der = { (unsigned char *)(uintptr_t)chain[i].data, (unsigned)chain[i].bytes };
		if (!x509_parse(&link->facts, chain[i], why))
			return false;
		*why = "is malformed";
		if (gnutls_x509_crt_init(&link->crt) < 0)
			return false;
		bag->count++;
		if (gnutls_x509_crt_import(link->crt, &der, GNUTLS_X509_FMT_DER) < 0)
			return bag->count--, gnutls_x509_crt_deinit(link->crt), false;
		link->issuer = issuer_of(&link->facts);
	}
	return true;
}

void
bag_wipe(struct bag *bag)
{
	for (size_t i = 0; i < bag->count; i++)
		gnutls_x509_crt_deinit(bag->links[i].crt);
	bag->count = 0;
}

/* Nobody stands above himself: the same name and key never twice. */
static bool
is_on(const struct path *path, const struct issuer *issuer)
{
	for (size_t i = 0; i < path->count; i++)
		if (memcmp(path->links[i]->issuer.id, issuer->id, ISSUER_ID) == 0)
			return true;
	return false;
}

static bool climb(struct search *);

static bool
try_link(struct search *search, const struct link *link)
{
	const struct link *top = search->path.links[search->path.count - 1];
	if (search->steps == PATH_STEPS || search->trials == PATH_TRIALS ||
	    search->path.count == PATH_LINKS || is_on(&search->path, &link->issuer) ||
	    !x509_names_issuer(&top->facts, &link->facts))
		return false;
	search->steps++;
	search->path.links[search->path.count++] = link;
	if (climb(search))
		return true;
	search->path.count--;
	return false;
}

static bool
try_listed(struct search *search)
{
	for (size_t i = 0; i < search->authority->count; i++)
		if (try_link(search, &search->authority->cas[i]->link))
			return true;
	return false;
}

/* A listed one comes from the list, so the peer's copy is left out. */
static bool
try_sent(struct search *search)
{
	for (size_t i = 1; i < search->bag->count; i++)
		if (!authority_lists(search->authority, search->bag->links[i].facts.whole) &&
		    try_link(search, &search->bag->links[i]))
			return true;
	return false;
}

static bool
climb(struct search *search)
{
	const struct link *top = search->path.links[search->path.count - 1];
	if (top->ca != NULL && top->ca->is_root) {
		search->trials++;
		return search->judge(&search->path, search->arg);
	}
	if (search->path.count > search->deepest.count)
		search->deepest = search->path;
	return try_listed(search) || try_sent(search);
}

bool
path_search(struct search *search)
{
	search->path = (struct path){ .count = 1, .links = { &search->bag->links[0] } };
	search->deepest = search->path;
	search->trials = search->steps = 0;
	return climb(search);
}
