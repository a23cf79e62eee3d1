/*
 * The header of HTTP Basic authentication (RFC 7617), which carries an invitation: its
 * handle and its secret.  libmicrohttpd has functions for it that differ from release to
 * release.
 */
#ifndef PKI_TOOL_BASIC_H
#define PKI_TOOL_BASIC_H

#include <stdbool.h>

enum { BASIC_TEXT = 128 };

struct basic {
	char user[BASIC_TEXT], password[BASIC_TEXT];
};

/* Reads the value of an Authorization header (NULL: there is none).  False if it is of another scheme
 * or malformed: longer than an invitation ever is, or with control characters.  Wipe after true. */
bool basic_read(struct basic *, const char *header);
void basic_wipe(struct basic *);

#endif
