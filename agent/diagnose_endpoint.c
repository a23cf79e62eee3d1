/* Behind an endpoint its upstreams, and before it who answers for its public name. */
#include "agent/diagnose_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "agent/probe_look.h"
#include "agent/upstream_dial.h"
#include "agent/url.h"
#include "base/clock.h"
#include "base/proxy.h"
#include "sni/name.h"

/* Stands in the place of a wildcard's "*". */
#define SOME_LABEL "valise-probe"

/* What an endpoint's upstreams have shown, to be compared with who answers for its name. */
struct shown {
	struct spki_pin key;
	bool has_key;
};

/* ---- an upstream as its flows find it ---- */

struct
try {
	struct diagnosis *diagnosis;
	bool works;
	char error[UPSTREAM_DIAL_ERROR];
};

static void
on_dialled(void *arg, struct stream *stream, const char *error)
{
	struct try *try = arg;

	try->works = stream != NULL;
	if (!stream)
		snprintf(try->error, sizeof try->error, "%s", error);
	stream_free(stream);
	loop_stop(try->diagnosis->loop);
}

static bool
dial(struct try *try, const struct endpoint *endpoint, unsigned target)
{
	static const struct address nowhere = { 0 };
	uint8_t header[PROXY_PLAIN_MOST];
	const struct proxy_header facts = { .version = endpoint->upstream.proxy_version,
		.source = &nowhere,
		.destination = &nowhere };
	const struct upstream_dial_options options = {
		.upstream = &endpoint->upstream,
		.target = target,
		.timeout_ms = endpoint->upstream.connect_ms,
		.header = header,
		.header_bytes = facts.version > 0 ? proxy_encode(header, sizeof header, &facts) : 0,
		.alpn = "",
	};
	struct upstream_dial *dial = upstream_dial_new(
	    try->diagnosis->loop, try->diagnosis->resolver, &options, on_dialled, try);

	if (!dial)
		return false;
	loop_run(try->diagnosis->loop);
	upstream_dial_free(dial);
	return true;
}

static bool
try_upstream(struct diagnosis *diagnosis, const struct endpoint *endpoint, unsigned target)
{
	const struct upstream_target *where = &endpoint->upstream.targets[target];
	struct try try = { .diagnosis = diagnosis };
	uint64_t began_ms = clock_ms();

	if (!dial(&try, endpoint, target))
		snprintf(try.error, sizeof try.error, "memory is short");
	if (!try.works)
		findings_add(&diagnosis->findings, FINDING_FAILED, "upstream", NULL, "%s: %s",
		    where->url.target, try.error);
	else if (endpoint->upstream.kind == UPSTREAM_TLS)
		findings_add(&diagnosis->findings, FINDING_OK, "upstream", NULL,
		    "%s speaks TLS, and its certificate is accepted for %s (%" PRIu64 " ms)",
		    where->url.target, where->server_name, clock_ms() - began_ms);
	else
		findings_add(&diagnosis->findings, FINDING_OK, "upstream", NULL,
		    "%s connected (%" PRIu64 " ms)", where->url.target, clock_ms() - began_ms);
	return try.works;
}

/* ---- looks ---- */

struct one_look {
	struct diagnosis *diagnosis;
	struct egress *egress; /* the way to it; NULL: directly */
	struct probe_look *look;
	struct shown shown;
	bool is_for_name;
	char error[UPSTREAM_DIAL_ERROR];
};

static void
on_looked(void *arg, const struct spki_pin *key, const char *error)
{
	struct one_look *look = arg;

	look->shown.has_key = key != NULL;
	if (key) {
		look->shown.key = *key;
		look->is_for_name = probe_look_is_for_name(look->look);
	} else
		snprintf(look->error, sizeof look->error, "%s", error);
	loop_stop(look->diagnosis->loop);
}

static void
have_a_look(
    struct one_look *look, const struct upstream_settings *from, unsigned target, const char *name)
{
	look->look = probe_look_new(look->diagnosis->loop, look->diagnosis->resolver, look->egress,
	    from, target, name, on_looked, look);
	if (look->look)
		loop_run(look->diagnosis->loop);
	else
		snprintf(look->error, sizeof look->error, "memory is short");
	probe_look_free(look->look);
	look->look = NULL;
}

/* The upstream of an endpoint that passes through ends the clients' TLS. */
static void
look_at_upstream(struct diagnosis *diagnosis, const struct endpoint *endpoint, unsigned target,
    const char *name, struct shown *shown)
{
	const char *where = endpoint->upstream.targets[target].url.target;
	const struct endpoint_settings *settings =
	    agent_settings_endpoint(diagnosis->settings, endpoint->number - 1);
	struct one_look look = { .diagnosis = diagnosis };

	have_a_look(&look, &settings->upstream, target, name);
	if (!look.shown.has_key)
		findings_add(&diagnosis->findings, FINDING_FAILED, "upstream tls", NULL,
		    "%s speaks no TLS for %s, which clients will want of it: %s", where, name,
		    look.error);
	else if (!look.is_for_name)
		findings_add(&diagnosis->findings, FINDING_FAILED, "upstream tls", NULL,
		    "%s shows a certificate that is not for %s: clients will refuse it", where,
		    name);
	else
		findings_add(&diagnosis->findings, FINDING_OK, "upstream tls", NULL,
		    "%s shows a certificate for %s", where, name);
	if (look.shown.has_key)
		*shown = look.shown;
}

/* ---- from outside ---- */

static bool
is_ours(const struct endpoint *endpoint, const struct shown *upstream, const struct spki_pin *key)
{
	return endpoint->terminates ? endpoint_has_key(endpoint, key)
				    : upstream->has_key && spki_pin_equals(&upstream->key, key);
}

static void
look_from_outside(struct diagnosis *diagnosis, const struct endpoint *endpoint, const char *name,
    const struct shown *upstream)
{
	const char *address = diagnosis->settings->probe.address;
	struct upstream_settings public = { 0 };
	struct one_look look = { .diagnosis = diagnosis, .egress = diagnosis->paths->egress };
	char key[SPKI_PIN_TEXT];

	snprintf(public.parsed.target, sizeof public.parsed.target, address ? "%s" : "%s:443",
	    address ? address : name);
	have_a_look(&look, &public, 0, name);
	if (!look.shown.has_key)
		findings_add(&diagnosis->findings, FINDING_WARNING, "public name", NULL,
		    "nothing is known of who answers for %s at %s: %s", name, public.parsed.target,
		    look.error);
	else if (is_ours(endpoint, upstream, &look.shown.key))
		findings_add(&diagnosis->findings, FINDING_OK, "public name", NULL,
		    "this endpoint's own key answers for %s at %s", name, public.parsed.target);
	else
		findings_add(&diagnosis->findings, FINDING_FAILED, "public name",
		    json_pack("{s:s}", "spki", spki_pin_text(&look.shown.key, key)),
		    "another key than this endpoint's answers for %s at %s, %s: the name leads elsewhere, or "
		    "somebody else ends the clients' TLS",
		    name, public.parsed.target, spki_pin_text(&look.shown.key, key));
}

void
diagnose_endpoint(struct diagnosis *diagnosis, const struct endpoint *endpoint)
{
	size_t count = upstream_group_count(endpoint->upstream.group);
	const char *pattern = endpoint->server_name;
	struct shown shown = { .has_key = false };
	char name[sizeof SOME_LABEL + NAME_SIZE];

	snprintf(name, sizeof name, "%s%s", name_is_wildcard(pattern) ? SOME_LABEL : "",
	    name_is_wildcard(pattern) ? pattern + 1 : pattern);
	findings_about(&diagnosis->findings, "endpoint", endpoint->name);
	for (unsigned i = 0; i < count; i++)
		if (try_upstream(diagnosis, endpoint, i) && !endpoint->terminates)
			look_at_upstream(diagnosis, endpoint, i, name, &shown);
	look_from_outside(diagnosis, endpoint, name, &shown);
}
