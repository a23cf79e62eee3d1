/* The way to a relay: its name, and each of its addresses. */
#include "agent/diagnose_private.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/resolved.h"
#include "base/socket.h"

enum { CONNECT_MS = 5000, LIST = 1024 };

/* ---- names ---- */

struct look_up {
	struct diagnosis *diagnosis;
	struct address addresses[RESOLVED_MOST];
	size_t count;
	char error[CONNECT_ERROR];
};

static void
on_resolved(void *arg, const struct address *addresses, size_t count, const char *error)
{
	struct look_up *look_up = arg;

	look_up->count = error ? 0 : count;
	if (error)
		snprintf(look_up->error, sizeof look_up->error, "%s", error);
	else
		memcpy(look_up->addresses, addresses, count * sizeof *addresses);
	loop_stop(look_up->diagnosis->loop);
}

/* Puts "A, B" into text. */
static void
list(const struct look_up *look_up, char text[LIST])
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < look_up->count && used < LIST; i++) {
		char one[ADDRESS_TEXT];

		used += (size_t)snprintf(text + used, LIST - used, "%s%s", i > 0 ? ", " : "",
		    address_text(&look_up->addresses[i], one));
	}
}

static bool
find_addresses(
    struct diagnosis *diagnosis, struct look_up *look_up, const char *host, uint16_t port)
{
	uint64_t began_ms = clock_ms();
	char text[LIST];

	if (!resolver_ask(diagnosis->resolver, diagnosis->loop, host, port, on_resolved, look_up)) {
		findings_add(&diagnosis->findings, FINDING_FAILED, "dns", NULL, "memory is short");
		return false;
	}
	loop_run(diagnosis->loop);
	list(look_up, text);
	if (look_up->count > 0)
		findings_add(&diagnosis->findings, FINDING_OK, "dns", NULL, "%s (%llu ms)", text,
		    (unsigned long long)(clock_ms() - began_ms));
	else
		findings_add(&diagnosis->findings, FINDING_FAILED, "dns", NULL,
		    "%s: is the host of agent.connect_url right, and does this host's resolver work?",
		    look_up->error);
	return look_up->count > 0;
}

/* ---- addresses ---- */

struct knock {
	struct diagnosis *diagnosis;
	bool is_open;
	char error[CONNECT_ERROR];
};

static void
on_connected(void *arg, int fd, const char *error)
{
	struct knock *knock = arg;

	knock->is_open = fd >= 0;
	if (fd >= 0)
		close(fd);
	else
		snprintf(knock->error, sizeof knock->error, "%s", error);
	loop_stop(knock->diagnosis->loop);
}

/* Silence and refusal have different cures. */
static void
tell(struct diagnosis *diagnosis, const struct knock *knock, const char *where, uint64_t took_ms)
{
	if (knock->is_open)
		findings_add(&diagnosis->findings, FINDING_OK, "tcp", NULL,
		    "%s connected (%llu ms)", where, (unsigned long long)took_ms);
	else if (took_ms + 100 >= CONNECT_MS)
		findings_add(&diagnosis->findings, FINDING_FAILED, "tcp", NULL,
		    "%s does not answer within %d s: something on the way drops what goes there; ask the "
		    "network team to let TCP out to it, or give agent.proxy",
		    where, CONNECT_MS / 1000);
	else
		findings_add(&diagnosis->findings, FINDING_FAILED, "tcp", NULL,
		    "%s: no relay listens there, or a firewall refuses in its place", knock->error);
}

static bool
knock_at(
    struct diagnosis *diagnosis, const struct address *address, const struct connect_source *source)
{
	struct connector *connector;
	struct knock knock = { .diagnosis = diagnosis };
	char where[ADDRESS_TEXT];
	uint64_t began_ms = clock_ms();

	connector = connector_new(diagnosis->loop, diagnosis->resolver,
	    address_text(address, where), CONNECT_MS, on_connected, &knock);
	if (!connector) {
		findings_add(&diagnosis->findings, FINDING_FAILED, "tcp", NULL, "memory is short");
		return false;
	}
	connector_set_source(connector, source);
	loop_run(diagnosis->loop);
	tell(diagnosis, &knock, where, clock_ms() - began_ms);
	return knock.is_open;
}

void
diagnose_relay(struct diagnosis *diagnosis, const struct relay_path *path)
{
	struct look_up look_up = { .diagnosis = diagnosis };
	char host[254];
	uint16_t port;
	size_t open = 0;

	findings_about(&diagnosis->findings, "relay", path->label);
	if (egress_proxy(path->egress)) { /* the proxy resolves the name */
		diagnose_session(diagnosis, path);
		return;
	}
	if (!host_port_split(path->target, host, &port) ||
	    !find_addresses(diagnosis, &look_up, host, port))
		return;
	for (size_t i = 0; i < look_up.count; i++)
		open += knock_at(diagnosis, &look_up.addresses[i], egress_source(path->egress));
	if (open > 0)
		diagnose_session(diagnosis, path);
}
