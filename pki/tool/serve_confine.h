/*
 * The sandbox (base/sandbox.h) of the two processes of `valise-pki serve`.
 *
 * The one that speaks HTTP reads what the authority publishes and nothing else, changes nothing, and dials
 * and opens nothing: it has the connections that it accepts.  So a stranger who has taken it over has no CA
 * key and no inventory, although both belong to the same user.
 *
 * The one that signs has the authority's directory, and no network.
 */
#ifndef PKI_TOOL_SERVE_CONFINE_H
#define PKI_TOOL_SERVE_CONFINE_H

#include <stdbool.h>

/* For the whole process, for good, when all threads but this one are still to come; `directory` is
 * the authority's.  0, or an exit code after a message. */
int serve_confine(const char *directory);
/* The same for the process that signs, when it has opened the authority.  Where a CA's key is on a
 * token, the code of others that talks to it may need anything, so that only capabilities go
 * (sandbox-partial). */
int serve_confine_signer(const char *directory, bool has_token);

#endif
