/* Judges addresses of upstreams that clients' names decide. */
#include "relay/upstream_fence.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include "relay/settings.h"

static const struct {
	struct prefix range;
	const char *what;
} guarded[] = {
	{ { AF_INET, 8, { 0 } }, "this host's" },
	{ { AF_INET, 8, { 127 } }, "a loopback address" },
	{ { AF_INET, 16, { 169, 254 } }, "link-local" },
	{ { AF_INET, 4, { 224 } }, "multicast" },
	{ { AF_INET, 4, { 240 } }, "reserved" },
	{ { AF_INET6, 128, { 0 } }, "this host's" },
	{ { AF_INET6, 128, { [15] = 1 } }, "a loopback address" },
	{ { AF_INET6, 10, { 0xfe, 0x80 } }, "link-local" },
	{ { AF_INET6, 8, { 0xff } }, "multicast" },
};

static bool
refuse(char why[CONNECT_WHY], const char *what, const char *cure)
{
	snprintf(why, CONNECT_WHY, "is %s; %s", what, cure);
	return false;
}

/* Whether a block within `range` holds it. */
static bool
is_listed(const struct prefix *blocks, size_t count, const struct prefix *range,
    const struct address *address)
{
	for (size_t i = 0; i < count; i++) {
		if (prefix_covers(range, &blocks[i]) && prefix_holds(&blocks[i], address))
			return true;
	}
	return false;
}

static bool
is_held(const struct prefix *blocks, size_t count, const struct address *address)
{
	for (size_t i = 0; i < count; i++) {
		if (prefix_holds(&blocks[i], address))
			return true;
	}
	return false;
}

/* A socket can be bound to addresses of this host only.  When that cannot be found out, it is one. */
static bool
is_of_this_host(const struct address *address)
{
	struct address local = *address;
	int fd = socket(local.as.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is_foreign;

	if (local.as.any.sa_family == AF_INET6)
		local.as.v6.sin6_port = 0;
	else
		local.as.v4.sin_port = 0;
	is_foreign = fd >= 0 && bind(fd, &local.as.any, local.bytes) < 0 && errno == EADDRNOTAVAIL;
	if (fd >= 0)
		close(fd);
	return !is_foreign;
}

static bool
leads_to(const struct address *listener, const struct address *address)
{
	return address_equals(listener, address) ||
	    (address_is_any(listener) && address_port(listener) == address_port(address) &&
		is_of_this_host(address));
}

/* A listener that a reload has taken out of the settings is there until a restart. */
static bool
is_own_listener(
    const struct settings *settings, const struct ip_address *entry, const struct address *address)
{
	const struct address came_in = entry ? address_of_ip(entry) : (struct address){ 0 };

	for (size_t i = 0; i < settings->listeners.count; i++) {
		if (leads_to(&settings_listener_at(settings, i)->parsed, address))
			return true;
	}
	return leads_to(&came_in, address);
}

bool
upstream_fence_allows(const struct prefix *blocks, size_t count, const struct settings *settings,
    const struct ip_address *entry, const struct address *address, char why[CONNECT_WHY])
{
	const struct prefix itself = prefix_of(address, 32, 128);

	for (size_t i = 0; i < sizeof guarded / sizeof guarded[0]; i++) {
		if (prefix_holds(&guarded[i].range, address) &&
		    !is_listed(blocks, count, &guarded[i].range, address))
			return refuse(why, guarded[i].what,
			    "list it by itself in upstream.fence to allow it");
	}
	if (!is_held(blocks, count, address))
		return refuse(why, "in no block of upstream.fence", "add one, if it is meant");
	if (is_own_listener(settings, entry, address) &&
	    !is_listed(blocks, count, &itself, address))
		return refuse(why, "a listener of this relay", "the name leads back to it");
	return true;
}
