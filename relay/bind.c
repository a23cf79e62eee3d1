/* The listeners: which are tried, which flags they have, and who gets the sockets. */
#include "relay/bind.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/log.h"
#include "base/ready.h"
#include "base/socket.h"
#include "base/start_check.h"
#include "relay/settings.h"
#include "relay/takeover.h"
#include "relay/worker.h"

enum { SENTENCE = 512 };

static const char memory_is_short[] = "memory is short";

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

bool
bind_may_listen(const struct settings *settings, size_t index, char *error)
{
	const struct address *address = &settings_listener_at(settings, index)->parsed;
	unsigned flags = listen_flags(settings, address);

	if (start_check_listener(address, flags, "listeners", error))
		return true;
	return errno == EAFNOSUPPORT && flags == LISTEN_V6_ONLY; /* which a start leaves out */
}

/* How one listener of the settings is bound. */
struct binding {
	const struct address *address;
	unsigned flags;
	/* Those first that were passed by the relay that we take over from, or by the service manager. */
	int *sockets;
	unsigned count;
	bool is_passed, is_left_out;
};

struct bound {
	size_t count;
	struct binding bindings[]; /* one for each listener of the settings */
};

static void
warn_of_no_ipv6(const struct address *address)
{
	char text[ADDRESS_TEXT];

	log_event(LOG_WARNING, "ipv6-missing", "this kernel has no IPv6: clients come by IPv4 only",
	    log_str("address", address_text(address, text)));
}

static bool
add_socket(struct binding *binding, int fd)
{
	int *sockets = reallocarray(binding->sockets, binding->count + 1, sizeof *sockets);

	if (!sockets) {
		close(fd);
		return false;
	}
	binding->sockets = sockets;
	sockets[binding->count++] = fd;
	return true;
}

/* All that was passed for this address; false when memory is short. */
static bool
find_passed(struct binding *binding, struct takeover *takeover)
{
	int fd;

	while ((fd = takeover_listener(takeover, binding->address)) >= 0 ||
	    (fd = ready_listener(binding->address)) >= 0)
		if (!add_socket(binding, fd))
			return false;
	return true;
}

/* SO_REUSEPORT would silently let us share the address with another program of our user, so each
 * address is tried without it.  All are tried before the first is bound, because our own listeners
 * may overlap. */
static int
look_at(const struct settings *settings, size_t index, struct takeover *takeover,
    struct binding *binding)
{
	const struct address *address = &settings_listener_at(settings, index)->parsed;
	char error[SENTENCE];
	int fd;

	*binding = (struct binding){ .address = address, .flags = listen_flags(settings, address) };
	if (!find_passed(binding, takeover))
		return fail(EX_OSERR, memory_is_short);
	if (binding->count > 0)
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

/* A socket of our own for one worker, so that the kernel shares new connections out.  Beside one that
 * was passed as the only one of its address there can be no other, so that is shared. */
static int
open_socket(const struct binding *binding, int *fd)
{
	bool is_shared = binding->is_passed && !socket_is_one_of_several(binding->sockets[0]);
	char error[SENTENCE];

	*fd = is_shared ? dup(binding->sockets[0])
			: socket_listen(binding->address, LISTEN_SHARED | binding->flags, error);
	if (*fd < 0 && is_shared)
		return fail(EX_OSERR, "the passed listener cannot be shared");
	return *fd < 0 ? fail(EX_UNAVAILABLE, error) : EX_OK;
}

/* As many as there are workers, or as were passed if those are more: none that was passed is closed,
 * since who waits in it would be refused. */
static int
open_sockets(struct binding *binding, unsigned worker_count)
{
	int code = EX_OK, fd;

	binding->is_passed = binding->count > 0;
	while (binding->count < worker_count && code == EX_OK) {
		code = open_socket(binding, &fd);
		if (code == EX_OK && !add_socket(binding, fd))
			code = fail(EX_OSERR, memory_is_short);
	}
	if (code == EX_OK)
		log_listening(binding->address, binding->is_passed);
	return code;
}

int
bind_listeners(struct bound **out, const struct settings *settings, struct takeover *takeover,
    unsigned worker_count)
{
	size_t count = settings->listeners.count;
	struct bound *bound = *out = calloc(1, sizeof *bound + count * sizeof bound->bindings[0]);
	int code = bound ? EX_OK : fail(EX_OSERR, memory_is_short);

	for (size_t i = 0; i < count && code == EX_OK; i++) {
		code = look_at(settings, i, takeover, &bound->bindings[i]);
		bound->count++;
	}
	ready_store_forget(); /* those of the last process that are no listeners any more */
	for (size_t i = 0; i < count && code == EX_OK; i++)
		if (!bound->bindings[i].is_left_out)
			code = open_sockets(&bound->bindings[i], worker_count);
	return code;
}

static bool
give(struct worker *worker, size_t index, int fd)
{
	if (!worker_add_listener(worker, index, fd))
		return false;
	ready_store(fd);
	return true;
}

int
bound_give(struct bound *bound, struct worker *const *workers, unsigned worker_count)
{
	for (size_t i = 0; i < bound->count; i++) {
		struct binding *binding = &bound->bindings[i];

		for (unsigned n = 0; n < binding->count; n++) {
			if (!give(workers[n % worker_count], i, binding->sockets[n]))
				return fail(EX_OSERR, memory_is_short);
			binding->sockets[n] = -1;
		}
	}
	return EX_OK;
}

void
bound_free(struct bound *bound)
{
	if (!bound)
		return;
	for (size_t i = 0; i < bound->count; i++) {
		struct binding *binding = &bound->bindings[i];

		for (unsigned n = 0; n < binding->count; n++)
			if (binding->sockets[n] >= 0)
				close(binding->sockets[n]);
		free(binding->sockets);
	}
	free(bound);
}
