/*
 * Identities made up for tests: the functions of pki/identity.h that routes and
 * members call.  To be included by one source of a test.
 */
#ifndef TESTS_RELAY_PEOPLE_H
#define TESTS_RELAY_PEOPLE_H

#include <stdio.h>
#include <string.h>
#include "pki/identity.h"
#include "sni/name.h"

/* A CA above somebody: its key is its name. */
struct test_ca {
	char name[IDENTITY_KEY_BYTES];
	struct grant grant;
	bool has_grant;
};

struct identity {
	const char *name;
	const char *sans[4];
	struct grant grant;
	uint8_t key[IDENTITY_KEY_BYTES];
	const struct test_ca *above[4]; /* the issuer first */
};

struct identity *
identity_hold(struct identity *identity)
{
	return identity;
}

void
identity_release(struct identity *identity)
{
	(void)identity;
}

const struct grant *
identity_grant(const struct identity *identity)
{
	return &identity->grant;
}

const char *
identity_name(const struct identity *identity)
{
	return identity->name;
}

const uint8_t *
identity_key(const struct identity *identity)
{
	return identity->key;
}

const char *
identity_issuer(const struct identity *identity)
{
	return identity->above[0] ? identity->above[0]->name : "CN=nobody";
}

const char *
identity_issuer_key(const struct identity *identity)
{
	(void)identity;
	return "0011223344556677";
}

bool
identity_level(const struct identity *identity, size_t level, struct identity_level *out)
{
	const struct test_ca *above = level > 0 && level < 5 ? identity->above[level - 1] : NULL;
	const struct grant *grant = above ? &above->grant : &identity->grant;

	if (level > 0 && !above)
		return false;
	*out = (struct identity_level){ .key = above ? (const uint8_t *)above->name : identity->key,
		.has_grant = !above || above->has_grant,
		.max_flows = grant->max_flows,
		.max_sessions = grant->max_sessions };
	return true;
}

const char *
identity_level_name(const struct identity *identity, size_t level, char out[IDENTITY_LEVEL_NAME])
{
	snprintf(out, IDENTITY_LEVEL_NAME, "%s",
	    level == 0 ? identity->name : identity->above[level - 1]->name);
	return out;
}

enum cover
identity_covers(const struct identity *identity, const char *pattern, const char **san)
{
	enum cover best = COVER_NONE;

	(void)san;
	for (int i = 0; i < 4 && identity->sans[i]; i++) {
		if (strcmp(identity->sans[i], pattern) == 0)
			return COVER_EXACT;
		if (name_is_wildcard(identity->sans[i]) && !name_is_wildcard(pattern) &&
		    name_matches(identity->sans[i], pattern, false))
			best = COVER_WILDCARD;
	}
	return best;
}

static struct identity
person(const char *name, const char *san, bool shared)
{
	struct identity identity = { .name = name, .sans = { san }, .grant.shared = shared };

	snprintf((char *)identity.key, sizeof identity.key, "%s", name);
	return identity;
}

#endif
