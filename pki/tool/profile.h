/*
 * What each kind of leaf is: who issues it, for which purposes, for how long.
 */
#ifndef PKI_TOOL_PROFILE_H
#define PKI_TOOL_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DAY_S = 86400,
	BACKDATE_S = 3600, /* clocks differ */
	CA_S = 3650 * DAY_S,
	SUB_CA_S = 1095 * DAY_S,
	CRL_S = 14 * DAY_S,
	SERVER_MOST_S = 825 * DAY_S, /* Apple refuses more, private roots too */
};

struct profile {
	const char *kind; /* "agent" ... */
	const char *role; /* the intermediate that issues it: "agents" ... */
	/* the leaf's extended key usages, and the intermediate's; NULL behind the last */
	const char *purposes[3];
	int64_t seconds; /* default lifetime */
	bool serves;     /* a server's: needs a host, may be an address */
	bool granted;    /* carries a grant, needs a host, no addresses */
};

enum { PROFILES = 4 };
extern const struct profile profile_all[PROFILES];

/* NULL if there is no such kind or role. */
const struct profile *profile_of_kind(const char *kind);
const struct profile *profile_of_role(const char *role);

#endif
