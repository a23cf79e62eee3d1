/* The table of the four kinds of leaf: their issuer, purposes and lifetime. */
#include "pki/tool/profile.h"

#include <string.h>

#include "pki/oid.h"

const struct profile profile_all[PROFILES] = {
	{ "agent", "agents", { OID_CLIENT_AUTH, OID_AGENT_PURPOSE }, 90 * DAY_S, false, true },
	{ "relay", "relays", { OID_SERVER_AUTH }, 397 * DAY_S, true, false },
	{ "server", "servers", { OID_SERVER_AUTH }, 397 * DAY_S, true, false },
	{ "client", "clients", { OID_CLIENT_AUTH }, 90 * DAY_S, false, false },
};

const struct profile *
profile_of_kind(const char *kind)
{
	for (size_t i = 0; i < PROFILES; i++)
		if (strcmp(profile_all[i].kind, kind) == 0)
			return &profile_all[i];
	return NULL;
}

const struct profile *
profile_of_role(const char *role)
{
	for (size_t i = 0; i < PROFILES; i++)
		if (strcmp(profile_all[i].role, role) == 0)
			return &profile_all[i];
	return NULL;
}
