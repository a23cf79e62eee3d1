/*
 * Server names: the one normaliser and the one matcher.  Routes, policies,
 * grants and logs all use these two, so that no two places can disagree about
 * which name a flow has or which pattern covers it.
 *
 * A normalised name is what RFC 1035 2.3.1 and RFC 5890 2.3.1 call LDH labels,
 * with `_` allowed besides (service labels; GnuTLS endpoints refuse those, so
 * a name with `_` can be routed but not terminated by the agent): ASCII letters
 * in lower case, labels of 1..63 bytes, at most 253 bytes in all, no dot at the
 * end.  An IPv4 literal has that form and passes as a name; an IPv6 literal
 * does not.  There is no DNS look-up and no IDNA here: A-labels pass as
 * they are.
 *
 * libc only, no allocation, no state.
 */
#ifndef SNI_NAME_H
#define SNI_NAME_H

#include <stdbool.h>
#include <stddef.h>

enum { NAME_SIZE = 254 }; /* 253 bytes (RFC 1035 3.1, in text form) and the NUL */

/*
 * Each normalises `bytes` bytes of text, which need no NUL at their end, and may
 * hold any bytes at all.  One trailing dot is dropped.  The result is
 * NUL-terminated.  False, and an empty out, when this is not a valid name; out
 * and text must not overlap.
 *
 * name_normalise takes a host name, as a client or a flow has; a pattern may
 * be a host name or "*." and a host name, as routes, grants and SANs have.
 * name_normalise_served takes the pattern of an endpoint: the same, but no IPv4
 * literal, since no client may ask for one (RFC 6066, section 3).
 */
bool name_normalise(char out[NAME_SIZE], const char *text, size_t bytes);
bool name_normalise_pattern(char out[NAME_SIZE], const char *text, size_t bytes);
bool name_normalise_served(char out[NAME_SIZE], const char *text, size_t bytes);

/* From here on every argument is normalised. */

bool name_is_wildcard(const char *pattern);

/*
 * Whether the pattern covers the name.  `*.` stands for exactly one label, or
 * for one or more if any_depth; it never covers the name behind it.  The name
 * may be a pattern too: one that stands for nothing that this one does not.
 */
bool name_matches(const char *pattern, const char *name, bool any_depth);

/*
 * What follows the first dot, inside name; NULL for a single label.  A table
 * of patterns is searched in O(labels) with it: first the name itself, then
 * the `*.` entry of each parent in turn, the longest coming first.
 */
const char *name_parent(const char *name);

/* Whether a normalised name lies in the subtree of a normalised domain (RFC 5280, 4.2.1.10):
 * under it or, with itself_too, the domain itself. */
bool name_is_under(const char *name, const char *domain, bool itself_too);

#endif
