/* From texts to a source, and from a source to sockets. */
#include "base/connect_source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* As the kernel takes its name. */
static bool
is_interface(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length < IF_NAMESIZE && strcmp(text, ".") != 0 &&
	    strcmp(text, "..") != 0 && strcspn(text, "/: \t\r\n\v\f") == length;
}

static bool
take(struct address *place, const struct address *address, char error[256])
{
	if (place->bytes == 0) {
		*place = *address;
		return true;
	}
	snprintf(error, 256, "is a second address of one family; give one for each");
	return false;
}

bool
connect_source_add(struct connect_source *source, const char *text, char error[256])
{
	struct address address;
	char literal[64];

	bool is_v6 = strchr(text, ':');

	snprintf(literal, sizeof literal, "%s%.50s%s:1", is_v6 ? "[" : "", text, is_v6 ? "]" : "");
	if (strlen(text) <= 50 && address_parse(&address, literal))
		return take(address.as.any.sa_family == AF_INET6 ? &source->v6 : &source->v4,
		    &address, error);
	if (!is_interface(text)) {
		snprintf(error, 256,
		    "is neither an address of this host nor a network interface; write 192.0.2.1, "
		    "2001:db8::1 or eth1");
		return false;
	}
	if (source->interface[0] != '\0') {
		snprintf(error, 256, "is a second interface; give one");
		return false;
	}
	snprintf(source->interface, sizeof source->interface, "%s", text);
	return true;
}

bool
connect_source_is_given(const struct connect_source *source)
{
	return source->v4.bytes > 0 || source->v6.bytes > 0 || source->interface[0] != '\0';
}

static bool
is_same(const struct address *a, const struct address *b)
{
	return a->bytes == b->bytes && (a->bytes == 0 || address_equals(a, b));
}

bool
connect_source_equals(const struct connect_source *a, const struct connect_source *b)
{
	return is_same(&a->v4, &b->v4) && is_same(&a->v6, &b->v6) &&
	    strcmp(a->interface, b->interface) == 0;
}

/* The port is left to connect(), so that one of ours may lead to many peers. */
static int
bind_address(int fd, const struct address *from)
{
	struct address address = *from;

	if (address.as.any.sa_family == AF_INET6)
		address.as.v6.sin6_port = 0;
	else
		address.as.v4.sin_port = 0;
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int)) < 0)
		return errno;
	if (bind(fd, &address.as.any, address.bytes) == 0)
		return 0;
	return errno == EADDRNOTAVAIL ? ENXIO : errno; /* which would be a want of ports */
}

int
connect_source_bind(const struct connect_source *source, int fd, int family)
{
	const struct address *own = family == AF_INET6 ? &source->v6 : &source->v4;

	if (family != AF_INET && family != AF_INET6)
		return 0;
	if (source->interface[0] != '\0' &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, source->interface,
		(socklen_t)strlen(source->interface)) < 0)
		return errno;
	if (own->bytes > 0)
		return bind_address(fd, own);
	return source->v4.bytes > 0 || source->v6.bytes > 0 ? EAFNOSUPPORT : 0;
}
