/* Identities: made from a verified chain, then only asked. */
#include "pki/identity.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <nettle/sha2.h>

#include "base/units.h"
#include "pki/identity_private.h"
#include "sni/name.h"

struct identity *
identity_hold(struct identity *identity)
{
	atomic_fetch_add(&identity->refs, 1);
	return identity;
}

void
identity_release(struct identity *identity)
{
	if (!identity || atomic_fetch_sub(&identity->refs, 1) != 1)
		return;
	for (size_t i = 0; i < identity->san_count; i++)
		free(identity->sans[i]);
	free(identity->sans);
	free(identity->grant);
	free(identity->subject);
	free(identity->issuer);
	free(identity->octets);
	free(identity);
}

/* ---- making one ---- */

static bool
copy_sans(struct identity *identity, const struct x509 *leaf)
{
	struct cursor names = der_over(leaf->names);
	struct der name;
	while (x509_next_name_of(&names, NAME_DNS, &name)) {
		char pattern[NAME_SIZE];
		if (!name_normalise_pattern(pattern, (const char *)name.data, name.bytes))
			continue;
		char **more = realloc(identity->sans, (identity->san_count + 1) * sizeof *more);
		if (!more)
			return false;
		identity->sans = more;
		if (!(more[identity->san_count] = strdup(pattern)))
			return false;
		identity->san_count++;
	}
	return true;
}

static struct der
copy_octets(uint8_t **to, struct der from)
{
	struct der copy = { *to, from.bytes };
	if (from.bytes > 0)
		memcpy(*to, from.data, from.bytes);
	*to += from.bytes;
	return copy;
}

/* What the issuers of the path are, so that no certificate need be kept; and of a client the names,
 * for rules on who may come in. */
static bool
copy_links(struct identity *identity, const struct path *path)
{
	const struct x509 *leaf = &path->links[0]->facts;
	bool keeps_names = identity->role == ROLE_CLIENT;
	size_t bytes = keeps_names ? leaf->subject.bytes + leaf->names.bytes : 0;
	for (size_t i = 1; i < path->count; i++) {
		const struct issuer *issuer = &path->links[i]->issuer;
		bytes += issuer->name.bytes + issuer->key_id.bytes + issuer->spki.bytes;
	}
	uint8_t *to = identity->octets = malloc(bytes + 1);
	for (size_t i = 0; to && i < path->count; i++) {
		const struct chain_link *link = path->links[i];
		struct identity_link *kept = &identity->links[identity->link_count++];
		*kept = (struct identity_link){ .serial = link->facts.serial,
			.not_after = link->facts.not_after,
			.issuer = link->issuer };
		kept->issuer.name =
		    i == 0 ? (struct der){ 0 } : copy_octets(&to, link->issuer.name);
		kept->issuer.key_id =
		    i == 0 ? (struct der){ 0 } : copy_octets(&to, link->issuer.key_id);
		kept->issuer.spki =
		    i == 0 ? (struct der){ 0 } : copy_octets(&to, link->issuer.spki);
		if (i == 0 || link->facts.not_after < identity->not_after)
			identity->not_after = link->facts.not_after;
	}
	if (to && keeps_names) {
		identity->links[0].issuer.name = copy_octets(&to, leaf->subject);
		identity->names = copy_octets(&to, leaf->names);
	}
	return to != NULL;
}

static void
digest_spki(uint8_t digest[IDENTITY_KEY_BYTES], struct der spki)
{
	struct sha256_ctx sha;
	sha256_init(&sha);
	sha256_update(&sha, spki.bytes, spki.data);
	sha256_digest(&sha, IDENTITY_KEY_BYTES, digest);
}

static void
digest_keys(struct identity *identity, const struct path *path)
{
	for (size_t i = 0; i < path->count; i++)
		digest_spki(identity->links[i].key, path->links[i]->facts.spki);
}

static void
digest_identity(struct identity *identity)
{
	const char *name = identity_name(identity);
	const uint8_t *issuer = identity->links[1].key;
	struct sha256_ctx sha;
	hex_encode(identity->issuer_key, issuer, (IDENTITY_ISSUER_KEY - 1) / 2);
	sha256_init(&sha);
	sha256_update(&sha, IDENTITY_KEY_BYTES, issuer);
	sha256_update(&sha, strlen(name), (const uint8_t *)name);
	sha256_digest(&sha, IDENTITY_KEY_BYTES, identity->key);
}

/* Each certificate's own numbers, which identity->grant has the minimum of. */
static void
copy_numbers(struct identity *identity, const struct path *path)
{
	struct grant grant;
	const char *why;
	for (size_t i = 0; identity->role == ROLE_AGENT && i < path->count; i++) {
		const struct x509 *facts = &path->links[i]->facts;
		struct identity_link *kept = &identity->links[i];
		kept->has_grant = facts->has_grant &&
		    grant_decode(&grant, facts->grant.data, facts->grant.bytes, &why);
		kept->max_flows = kept->has_grant ? grant.max_flows : 0;
		kept->max_sessions = kept->has_grant ? grant.max_sessions : 0;
	}
}

/* A session keeps it for life, and nearly all of it is room for sources and regions, which few have. */
static size_t
used_bytes(const struct grant *grant)
{
	if (grant->region_count > 0)
		return offsetof(struct grant, regions) +
		    grant->region_count * sizeof grant->regions[0];
	return offsetof(struct grant, sources) + grant->source_count * sizeof grant->sources[0];
}

static bool
copy_grant(struct identity *identity, const struct grant *grant)
{
	size_t bytes;
	if (!grant)
		return true;
	bytes = used_bytes(grant);
	identity->grant = malloc(bytes);
	if (identity->grant)
		memcpy(identity->grant, grant, bytes);
	return identity->grant != NULL;
}

static char *
name_copy(struct der name)
{
	char text[512];
	return strdup(x509_name_text(name, text, sizeof text));
}

struct identity *
identity_new(const struct path *path, enum role role, const struct grant *grant)
{
	const struct x509 *leaf = &path->links[0]->facts;
	struct identity *identity =
	    calloc(1, sizeof *identity + path->count * sizeof identity->links[0]);
	if (!identity)
		return NULL;
	atomic_init(&identity->refs, 1);
	identity->role = role;
	identity->subject = name_copy(leaf->subject);
	identity->issuer = name_copy(leaf->issuer);
	serial_text(&leaf->serial, identity->serial);
	x509_fingerprint(leaf->whole, identity->fingerprint);
	if (identity->subject && identity->issuer && copy_grant(identity, grant) &&
	    copy_sans(identity, leaf) && copy_links(identity, path)) {
		digest_keys(identity, path);
		digest_identity(identity);
		copy_numbers(identity, path);
		return identity;
	}
	identity_release(identity);
	return NULL;
}

/* ---- asking one ---- */

const struct grant *
identity_grant(const struct identity *identity)
{
	return identity->grant;
}

const char *
identity_name(const struct identity *identity)
{
	return identity->grant ? identity->grant->name : identity->subject;
}

const uint8_t *
identity_key(const struct identity *identity)
{
	return identity->key;
}

int64_t
identity_not_after(const struct identity *identity)
{
	return identity->not_after;
}

const char *
identity_subject(const struct identity *identity)
{
	return identity->subject;
}

const char *
identity_issuer(const struct identity *identity)
{
	return identity->issuer;
}

const char *
identity_serial(const struct identity *identity)
{
	return identity->serial;
}

const char *
identity_fingerprint(const struct identity *identity)
{
	return identity->fingerprint;
}

const char *
identity_issuer_key(const struct identity *identity)
{
	return identity->issuer_key;
}

_Static_assert((int)IDENTITY_LEVELS_MOST >= (int)PATH_LINKS, "every chain has room");

bool
identity_level(const struct identity *identity, size_t level, struct identity_level *out)
{
	if (level >= identity->link_count)
		return false;
	const struct identity_link *link = &identity->links[level];
	*out = (struct identity_level){ .key = level == 0 ? identity->key : link->key,
		.has_grant = link->has_grant,
		.max_flows = link->max_flows,
		.max_sessions = link->max_sessions };
	return true;
}

const char *
identity_level_name(const struct identity *identity, size_t level, char out[IDENTITY_LEVEL_NAME])
{
	if (level == 0)
		snprintf(out, IDENTITY_LEVEL_NAME, "%s", identity_name(identity));
	else
		x509_name_text(identity->links[level].issuer.name, out, IDENTITY_LEVEL_NAME);
	return out;
}

const uint8_t *
identity_spki(const struct identity *identity, size_t level)
{
	return level < identity->link_count ? identity->links[level].key : NULL;
}

const struct serial *
identity_serial_number(const struct identity *identity)
{
	return &identity->links[0].serial;
}

struct der
identity_subject_name(const struct identity *identity)
{
	return identity->links[0].issuer.name;
}

struct der
identity_alternative_names(const struct identity *identity)
{
	return identity->names;
}

const char *
identity_san(const struct identity *identity, size_t index)
{
	return index < identity->san_count ? identity->sans[index] : NULL;
}

/* name_matches() takes no wildcard as a name: *.a.x is under *.x as "a.x" is, if depth is free. */
static bool
wildcard_covers(const char *san, const char *pattern, bool any_depth)
{
	if (!name_is_wildcard(san))
		return false;
	if (name_is_wildcard(pattern))
		return any_depth && name_matches(san, pattern + 2, true);
	return name_matches(san, pattern, any_depth);
}

enum cover
identity_covers(const struct identity *identity, const char *pattern, const char **san)
{
	bool any_depth = identity->grant && identity->grant->any_depth;
	enum cover best = COVER_NONE;
	const char *found = NULL;
	for (size_t i = 0; i < identity->san_count && best != COVER_EXACT; i++) {
		const char *candidate = identity->sans[i];
		if (strcmp(candidate, pattern) == 0)
			best = COVER_EXACT;
		else if (!wildcard_covers(candidate, pattern, any_depth))
			continue;
		else if (best == COVER_WILDCARD && strlen(candidate) < strlen(found))
			continue;
		else
			best = COVER_WILDCARD;
		found = candidate;
	}
	if (san)
		*san = found;
	return best;
}

static socklen_t
size_of(const struct sockaddr *address)
{
	return address->sa_family == AF_INET ? sizeof(struct sockaddr_in)
	    : address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					     : sizeof address->sa_family;
}

bool
identity_allows_source(const struct identity *identity, const struct sockaddr *address)
{
	const struct grant *grant = identity->grant;
	struct address from;
	if (!grant || grant->source_count == 0)
		return true;
	address_from(&from, address, size_of(address));
	for (size_t i = 0; i < grant->source_count; i++)
		if (prefix_holds(&grant->sources[i], &from))
			return true;
	return false;
}

bool
identity_allows_region(const struct identity *identity, const char *region)
{
	const struct grant *grant = identity->grant;
	return !grant || grant->region_count == 0 || grant_has_region(grant, region);
}
