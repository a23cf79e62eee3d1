/* The listeners: which are tried, which flags they have, and who gets the sockets. */
#include "relay/bind.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/log.h"
#include "base/ready.h"
#include "base/socket.h"
#include "relay/settings.h"
#include "relay/worker.h"

enum { SENTENCE = 512 };

static int
fail(int code, const char *sentence)
{
	log_audit(LOG_ERROR, "start-failed", sentence);
	return code;
}

static void
log_listening(const struct address *address, bool passed)
{
	char text[ADDRESS_TEXT];

	log_event(LOG_INFO, "listening", NULL, log_str("address", address_text(address, text)),
	    log_bool("passed_by_the_service_manager", passed));
}

/* [::] has both families, but leaves IPv4 to 0.0.0.0 where that has a listener of its own. */
static unsigned
listen_flags(const struct settings *settings, const struct address *address)
{
	if (address->as.any.sa_family != AF_INET6 || !address_is_any(address))
		return LISTEN_ALONE;
	for (size_t i = 0; i < settings->listeners.count; i++) {
		const struct address *other = &settings_listener_at(settings, i)->parsed;

		if (other->as.any.sa_family == AF_INET && address_is_any(other) &&
		    address_port(other) == address_port(address))
			return LISTEN_V6_ONLY;
	}
	return LISTEN_ALONE;
}

/* How one listener of the settings is bound. */
struct binding {
	const struct address *address;
	unsigned flags;
	int passed; /* by the service manager; -1: none */
	bool is_left_out;
};

static void
warn_of_no_ipv6(const struct address *address)
{
	char text[ADDRESS_TEXT];

	log_event(LOG_WARNING, "ipv6-missing", "this kernel has no IPv6: clients come by IPv4 only",
	    log_str("address", address_text(address, text)));
}

/* SO_REUSEPORT would silently let us share the address with another program of our user, so each
 * address is tried without it.  All are tried before the first is bound, because our own listeners
 * may overlap. */
static int
look_at(const struct settings *settings, size_t index, struct binding *binding)
{
	const struct address *address = &settings_listener_at(settings, index)->parsed;
	char error[SENTENCE];
	int fd;

	*binding = (struct binding){ .address = address,
		.flags = listen_flags(settings, address),
		.passed = ready_listener(address) };
	if (binding->passed >= 0)
		return EX_OK;
	fd = socket_listen(address, binding->flags, error);
	binding->is_left_out = fd < 0 && errno == EAFNOSUPPORT && binding->flags == LISTEN_V6_ONLY;
	if (fd < 0 && !binding->is_left_out)
		return fail(EX_UNAVAILABLE, error);
	if (fd < 0 || socket_local(fd).as.any.sa_family != address->as.any.sa_family)
		warn_of_no_ipv6(address);
	if (fd >= 0)
		close(fd);
	return EX_OK;
}

/* A socket that was passed is one descriptor, shared by all workers; else each has one of its own. */
static int
bind_listener(size_t index, const struct binding *binding, struct worker *const *workers,
    unsigned worker_count)
{
	char error[SENTENCE];
	int fd;

	for (unsigned i = 0; i < worker_count; i++) {
		fd = binding->passed >= 0
		    ? dup(binding->passed)
		    : socket_listen(binding->address, LISTEN_SHARED | binding->flags, error);
		if (fd < 0 && binding->passed >= 0)
			return fail(EX_OSERR, "the passed listener cannot be shared");
		if (fd < 0)
			return fail(EX_UNAVAILABLE, error);
		if (!worker_add_listener(workers[i], index, fd)) {
			close(fd);
			return fail(EX_OSERR, "memory is short");
		}
	}
	log_listening(binding->address, binding->passed >= 0);
	return EX_OK;
}

int
bind_listeners(
    const struct settings *settings, struct worker *const *workers, unsigned worker_count)
{
	size_t count = settings->listeners.count;
	struct binding *bindings = calloc(count, sizeof *bindings);
	int code = bindings ? EX_OK : fail(EX_OSERR, "memory is short");

	for (size_t i = 0; i < count && code == EX_OK; i++)
		code = look_at(settings, i, &bindings[i]);
	for (size_t i = 0; i < count && code == EX_OK; i++) {
		if (!bindings[i].is_left_out)
			code = bind_listener(i, &bindings[i], workers, worker_count);
	}
	free(bindings);
	return code;
}
