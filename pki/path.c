/* A depth-first search from the leaf upwards. */
#include "pki/path.h"

#include <string.h>

static bool
read_link(struct peer_chain *sent, struct der der, const char **why)
{
	struct chain_link *link = &sent->links[sent->count];
	gnutls_datum_t datum = { (unsigned char *)(uintptr_t)der.data, (unsigned)der.bytes };
	if (!x509_parse(&link->facts, der, why))
		return false;
	int result = gnutls_x509_crt_init(&link->crt);
	if (result >= 0) {
		result = gnutls_x509_crt_import(link->crt, &datum, GNUTLS_X509_FMT_DER);
		if (result < 0)
			gnutls_x509_crt_deinit(link->crt);
	}
	sent->lacks_memory = result == GNUTLS_E_MEMORY_ERROR;
	*why = sent->lacks_memory ? "cannot be read: memory is short" : "is malformed";
	if (result < 0)
		return false;
	link->issuer = issuer_of(&link->facts);
	sent->count++;
	return true;
}

bool
peer_chain_read(struct peer_chain *sent, const struct der *chain, size_t count, const char **why)
{
	*sent = (struct peer_chain){ 0 };
	for (size_t i = 0; i < count; i++) {
		*why = "is one of too many that were sent";
		if (i == VERIFY_CHAIN || !read_link(sent, chain[i], why))
			return false;
	}
	return true;
}

void
peer_chain_wipe(struct peer_chain *sent)
{
	for (size_t i = 0; i < sent->count; i++)
		gnutls_x509_crt_deinit(sent->links[i].crt);
	sent->count = 0;
}

/* The same name and key never stand twice in a path. */
static bool
is_on(const struct path *path, const struct issuer *issuer)
{
	for (size_t i = 0; i < path->count; i++)
		if (memcmp(path->links[i]->issuer.id, issuer->id, ISSUER_ID) == 0)
			return true;
	return false;
}

static bool climb(struct path_search *);

static bool
try_link(struct path_search *search, const struct chain_link *link)
{
	const struct chain_link *top = search->path.links[search->path.count - 1];
	if (is_on(&search->path, &link->issuer) || !x509_names_issuer(&top->facts, &link->facts))
		return false;
	if (search->steps == PATH_STEPS || search->candidates == PATH_CANDIDATES ||
	    search->path.count == PATH_LINKS) {
		search->gave_up = true;
		return false;
	}
	search->steps++;
	search->path.links[search->path.count++] = link;
	if (climb(search))
		return true;
	search->path.count--;
	return false;
}

static bool
try_listed(struct path_search *search)
{
	for (size_t i = 0; i < search->list->count; i++)
		if (try_link(search, &search->list->cas[i]->link))
			return true;
	return false;
}

/* A listed certificate is taken from the list, so the peer's copy of it is passed over. */
static bool
try_sent(struct path_search *search)
{
	for (size_t i = 1; i < search->sent->count; i++)
		if (!ca_list_contains(search->list, search->sent->links[i].facts.whole) &&
		    try_link(search, &search->sent->links[i]))
			return true;
	return false;
}

static bool
climb(struct path_search *search)
{
	const struct chain_link *top = search->path.links[search->path.count - 1];
	if (top->ca && top->ca->is_root) {
		search->candidates++;
		return search->judge(&search->path, search->arg);
	}
	if (search->path.count > search->deepest.count)
		search->deepest = search->path;
	return try_listed(search) || try_sent(search);
}

bool
path_search(struct path_search *search)
{
	search->path = (struct path){ .count = 1, .links = { &search->sent->links[0] } };
	search->deepest = search->path;
	search->candidates = search->steps = 0;
	search->gave_up = false;
	return climb(search);
}
