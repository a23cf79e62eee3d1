/*
 * Names of ALPN protocols (RFC 7301) as people write them: compared octet by octet, so that a slip
 * like H2 would silently match nobody.  Unknown names are fine, since anybody may have his own.
 */
#ifndef AGENT_ALPN_H
#define AGENT_ALPN_H

#include <stdbool.h>

/* False with what to write instead, which reads after the name. */
bool alpn_is_sensible(const char *name, char error[256]);

#endif
