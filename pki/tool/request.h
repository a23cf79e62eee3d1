/*
 * What issue and sign are asked for: the options that become names, lifetime
 * and grant of a leaf.
 */
#ifndef PKI_TOOL_REQUEST_H
#define PKI_TOOL_REQUEST_H

#include "pki/tool/grant_options.h"
#include "pki/tool/leaf.h"
#include "pki/tool/options.h"

struct request_options {
	struct texts hosts, emails, uris;
	const char *issuer, *identity;
	int64_t seconds;
	struct grant_options grant;
};

/* Rows of an options struct that holds a struct request_options as `member`. */
#define REQUEST_OPTION_ROWS(type, member) \
	{ "host", OPTION_TEXTS, offsetof(type, member.hosts), "NAME", \
		"a name it serves: app.example.com or *.example.com (repeat)", 0 }, \
	    { "email", OPTION_TEXTS, offsetof(type, member.emails), "ADDRESS", \
		    "a client's address (repeat)", 0 }, \
	    { "uri", OPTION_TEXTS, offsetof(type, member.uris), "URI", "a client's URI (repeat)", \
		    0 }, \
	    { "days", OPTION_DAYS, offsetof(type, member.seconds), "N", \
		    "lifetime (default: relay, server 397; agent, client 90)", 0 }, \
	    { "valid-for", OPTION_SPAN, offsetof(type, member.seconds), "TIME", \
		    "... the same as 12h or 90s", 0 }, \
	    { "issuer", OPTION_TEXT, offsetof(type, member.issuer), "CA", \
		    "an agent: by this sub-CA", 0 }, \
	    { "identity", OPTION_TEXT, offsetof(type, member.identity), "NAME", \
		    "an agent: the grant's name, if several share it (default: NAME)", 0 }, \
	    GRANT_OPTION_ROWS(type, member.grant), \
	{ \
		"shared", OPTION_FLAG, offsetof(type, member.grant.shared), NULL, \
		    "an agent: other shared identities may serve the same names", 0 \
	}

/* Everything of the leaf but its key. Names that are in it already stay. */
int request_read(struct leaf *, const struct request_options *, const char *kind, const char *name);
/* The CA that is asked for, opened; then judges the leaf by it. */
int request_judge(
    struct authority *, const struct request_options *, struct leaf *, struct signer *);

#endif
