/*
 * Where connections of ours come from, when the system is not to choose: an address of this host for each
 * family, or a network interface.
 */
#ifndef BASE_CONNECT_SOURCE_H
#define BASE_CONNECT_SOURCE_H

#include <net/if.h>
#include <stdbool.h>

#include "base/address.h"

/* A plain value; {0} leaves all of it to the system. */
struct connect_source {
	/* Without a port.  If only one is given, the other family is not used. */
	struct address v4, v6;
	char interface[IF_NAMESIZE];
};

/* One more of "192.0.2.1", "2001:db8::1" and "eth1", in any order.  False with the rest of a sentence that
 * begins with the text, also if there is one of its kind. */
bool connect_source_add(struct connect_source *, const char *text, char error[256]);
bool connect_source_is_given(const struct connect_source *);
bool connect_source_equals(const struct connect_source *, const struct connect_source *);
/* Before a socket of this family is connected.  0, or errno: EAFNOSUPPORT where only the other family has an
 * address, ENXIO where this host does not have the address, ENODEV where it has no such interface. */
int connect_source_bind(const struct connect_source *, int fd, int family);

#endif
