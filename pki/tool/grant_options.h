/* The options that make a grant, of an agent's certificate and of a sub-CA's ceiling. */
#ifndef PKI_TOOL_GRANT_OPTIONS_H
#define PKI_TOOL_GRANT_OPTIONS_H

#include "pki/grant.h"
#include "pki/tool/options.h"

struct grant_options {
	bool shared, any_depth;
	int64_t max_flows, max_sessions;
	struct texts from, regions;
};

/* Rows of an options struct that holds a struct grant_options as `member`. */
#define GRANT_OPTION_ROWS(type, member) \
	{ "max-flows", OPTION_NUMBER, offsetof(type, member.max_flows), "N", \
		"an agent: open flows at once (0: no limit)", UINT32_MAX }, \
	    { "max-sessions", OPTION_NUMBER, offsetof(type, member.max_sessions), "N", \
		    "an agent: sessions at once (0: no limit)", UINT32_MAX }, \
	    { "from", OPTION_TEXTS, offsetof(type, member.from), "CIDR", \
		    "an agent: comes from this network (repeat; default: any)", 0 }, \
	    { "region", OPTION_TEXTS, offsetof(type, member.regions), "NAME", \
		    "an agent: only at relays of this region (repeat)", 0 }, \
	{ \
		"any-depth", OPTION_FLAG, offsetof(type, member.any_depth), NULL, \
		    "an agent: *.x covers a.b.x too", 0 \
	}

int grant_options_read(struct grant *, const struct grant_options *, const char *name);

#endif
