/* `valise-relay check`: says on standard output what a start would set up, on standard error what
 * is wrong. */
#include "relay/check.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/address.h"
#include "base/admin.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/ready.h"
#include "base/start_check.h"
#include "base/upstream_group.h"
#include "base/upstream_url.h"
#include "enrol/crl_advice.h"
#include "enrol/crl_refresh.h"
#include "pki/cert.h"
#include "relay/bind.h"
#include "relay/relay.h"
#include "relay/renew.h"
#include "relay/route.h"
#include "relay/rules.h"
#include "relay/trustwatch.h"

enum { BROKEN = 1, ENDED = 1, SOON = 2, DAY_S = 24 * 3600 };

static void
tell_target(const char *before, const char *target)
{
	bool is_path = strncmp(target, "unix:", 5) == 0;

	printf("%s%s%s", before, is_path ? "" : "tcp://", target);
}

/* A check asks no upstream how it is: it may run anywhere. */
static void
tell_health(const struct health_settings *health)
{
	if (health->check != HEALTH_NONE)
		printf(", checked by %s every %" PRIu64 " ms",
		    health->check == HEALTH_TLS ? "tls" : "tcp", health->interval_ms);
}

static void
tell_route(const struct route_static_settings *route)
{
	printf("route: %s", route->pattern);
	tell_target(" to ", route->target);
	for (unsigned i = 1; route->group && i < upstream_group_count(route->group); i++)
		tell_target(", ", upstream_group_target(route->group, i));
	if (route->group)
		tell_health(upstream_group_health(route->group));
	puts(route->when ? ", for some clients only" : "");
}

/* The first one that is not on this host, or NULL. */
static const char *
far_target(const struct route_static_settings *route)
{
	size_t count = route->group ? upstream_group_count(route->group) : 0;

	for (unsigned i = 0; i < count; i++)
		if (!upstream_url_is_local(upstream_group_target(route->group, i)))
			return upstream_group_target(route->group, i);
	return count > 0 || upstream_url_is_local(route->target) ? NULL : route->target;
}

/* The header comes before the client's TLS, and nothing protects it. */
static void
warn_of_header(const struct route_static_settings *route)
{
	const char *target = far_target(route);

	if (route->proxy_version > 0 && target)
		fprintf(stderr,
		    "warning: route %s: the PROXY header goes to %s before any TLS: whoever is on "
		    "the way can read and alter it; keep the way to yourself, or use unix: or this "
		    "host\n",
		    route->pattern, target);
}

static void
tell_facts(const struct rules *rules)
{
	const struct settings *settings = &rules->settings;
	const struct settings_limits *limits = &settings->limits;

	printf("workers: %u\n", settings_worker_count(settings));
	for (size_t i = 0; i < settings->listeners.count; i++)
		printf("listener: %s, %zu trusted proxies\n",
		    settings_listener_at(settings, i)->address,
		    settings_listener_at(settings, i)->trusted_proxies.count);
	for (size_t i = 0; i < rules->static_count; i++)
		tell_route(route_static_config(rules->static_route[i]));
	for (size_t i = 0; i < rules->static_count; i++)
		warn_of_header(route_static_config(rules->static_route[i]));
	printf("agents may have: %" PRIu64 " sessions (%" PRIu64 " an identity), %" PRIu64
	       " parked channels (%" PRIu64 "), %" PRIu64 " endpoints (%" PRIu64
	       " a session), %" PRIu64 " flows an identity\n",
	    rules->limits.sessions, limits->sessions_per_identity, rules->limits.channels,
	    limits->channels_per_identity, limits->endpoints, limits->endpoints_per_session,
	    limits->flows_per_identity);
	printf("flows a second: %" PRIu64 ", of a client %" PRIu64 ", of a name %" PRIu64
	       " (0: no bound)\n",
	    limits->flows_per_second, limits->flows_per_client_per_second,
	    limits->flows_per_name_per_second);
	printf("flows of a name: %" PRIu64 " (0: no bound)\n", limits->flows_per_name);
	printf("sessions a second: %" PRIu64 " (0: no bound)\n", limits->sessions_per_second);
}

/* One that renews itself may wait for its time. */
static bool
ends_soon(const struct settings *settings, const struct cert_facts *facts)
{
	return settings->renew.url ? renewal_rows_is_late(&settings->renew, facts->not_before,
					 facts->not_after, clock_wall_s())
				   : cert_ends_soon(facts, clock_wall_s());
}

static void
tell_renewal(const struct settings *settings)
{
	char why[RENEWAL_ERROR];

	if (!renew_is_possible(settings, why))
		fprintf(
		    stderr, "warning: %s could not be renewed: %s\n", settings->certificate, why);
}

static int
tell_certificate(const struct settings *settings)
{
	struct cert_facts facts = { 0 };
	char error[CERT_ERROR];
	int64_t left_s;
	int code = EX_OK;

	memory_begin();
	if (!cert_load(&facts, settings->certificate, error)) {
		code = memory_exit_code(EX_CONFIG);
		fprintf(stderr, "%s\n", error);
		cert_wipe(&facts);
		return code;
	}
	left_s = facts.not_after - clock_wall_s();
	printf("certificate: %s, %s %u, %" PRId64 " days left\n", facts.subject, facts.key_type,
	    facts.bits, left_s / DAY_S);
	if (strcmp(facts.key_type, "rsa") == 0)
		fprintf(stderr,
		    "warning: the key of %s is RSA, which costs three times an ECDSA one\n",
		    settings->certificate);
	if (*facts.refused || !facts.server) {
		fprintf(stderr, "%s %s: agents refuse it; have it issued anew\n",
		    settings->certificate,
		    *facts.refused ? facts.refused : "is not for servers (extended key usage)");
		code = BROKEN;
	} else if (left_s < 0) {
		fprintf(stderr, "%s has ended; renew it\n", settings->certificate);
		code = ENDED;
	} else if (cert_is_early(&facts, settings->certificate, clock_wall_s(), error)) {
		fprintf(stderr, "%s\n", error);
		code = EX_TEMPFAIL;
	} else if (ends_soon(settings, &facts)) {
		fprintf(stderr, "warning: %s ends soon; renew it\n", settings->certificate);
		code = SOON;
	}
	cert_wipe(&facts);
	return code;
}

/* The functions that load files do not know the keys of the configuration, but their sentences
 * begin with the file. */
static struct conf_mark
place_of(const struct conf_texts *paths, const char *sentence)
{
	for (size_t i = 0; i < paths->count; i++) {
		size_t length = strlen(paths->items[i]);

		if (strncmp(sentence, paths->items[i], length) == 0 && sentence[length] == ':')
			return paths->marks[i];
	}
	return (struct conf_mark){ 0 };
}

static void
advise(const struct settings *settings)
{
	const struct crl_refresh_subject agents = { "connect.agent_cas", &settings->agent_cas,
		&settings->agent_crl_url, NULL };

	crl_advice_print(&agents, "connect.agent_crl_url", stdout);
}

static int
tell_trust(const char *path, const struct settings *settings)
{
	struct conf_report report = { .out = stderr, .path = path };
	static const int outlook_code[] = { [TRUST_LASTS] = EX_OK,
		[TRUST_ENDS_SOON] = SOON,
		[TRUST_HAS_ENDED] = ENDED,
		[TRUST_LACKS] = BROKEN };
	struct trust *trust;
	char error[TRUST_ERROR];
	const char *warning;
	int code;

	memory_begin();
	trust = trustwatch_check(settings, error);
	if (!trust) {
		struct conf_mark mark = place_of(&settings->agent_cas, error);

		code = memory_exit_code(EX_CONFIG);
		if (mark.line == 0)
			mark = place_of(&settings->agent_crls, error);
		conf_error(&report, mark, "%s", error);
		return code;
	}
	if (trust_doubt(trust)) {
		fprintf(stderr, "%s: nobody is let in before the clock is right: %s\n", path,
		    trust_doubt(trust));
		trust_release(trust);
		return EX_TEMPFAIL;
	}
	printf("agents: %zu CAs, %zu CRLs\n", trust_ca_count(trust), trust_crl_count(trust));
	for (size_t i = 0; (warning = trust_warning(trust, i)); i++)
		fprintf(stderr, "warning: %s\n", warning);
	code = outlook_code[trust_outlook(trust)];
	if (!trust_fits(trust, ROLE_AGENT, error)) {
		conf_error(&report,
		    settings->agent_cas.count > 0 ? settings->agent_cas.marks[0]
						  : settings->agent_cas_mark,
		    "connect.agent_cas: %s", error);
		code = BROKEN;
	}
	trust_release(trust);
	advise(settings);
	return code;
}

/* ---- this host ---- */

static int
tell_directories(const struct settings *settings)
{
	char error[START_CHECK_ERROR];
	struct admin_group group;

	if (!admin_group_find(&group, settings->admin_group, error)) {
		fprintf(stderr, "%s\n", error);
		return EX_CONFIG;
	}
	if (start_check_directory(settings->state_dir, "state_dir", error) &&
	    (!settings->admin_socket ||
		start_check_socket(settings->admin_socket, "admin.socket", error)))
		return EX_OK;
	fprintf(stderr, "%s\n", error);
	return EX_CANTCREAT;
}

/* A port that the unit may have (AmbientCapabilities), and not the user who checks; by errno. */
static bool
is_for_the_unit(const struct settings *settings, size_t index)
{
	unsigned port = address_port(&settings_listener_at(settings, index)->parsed);

	return errno == EACCES && geteuid() != 0 && port > 0 && port < IPPORT_RESERVED;
}

/* What the relay of this configuration has, if one runs, is no obstacle to the next one. */
static int
tell_listeners(const struct settings *settings)
{
	char error[START_CHECK_ERROR], path[RELAY_PATH];
	long holder = ready_lock_holder(relay_lock_path(settings, path));
	int code = EX_OK;

	if (holder > 0)
		printf("running: process %ld, which has what it listens at\n", holder);
	for (size_t i = 0; holder == 0 && i < settings->listeners.count; i++) {
		if (bind_may_listen(settings, i, error))
			continue;
		if (is_for_the_unit(settings, i)) {
			printf("%s; this user has it not, valise-relay.service gives it\n", error);
			continue;
		}
		fprintf(stderr, "%s\n", error);
		code = EX_UNAVAILABLE;
	}
	if (holder != 0 ||
	    (start_check_address(settings->web.http, "admin.http", error) &&
		start_check_address(settings->web.health, "admin.health", error)))
		return code;
	fprintf(stderr, "%s\n", error);
	return EX_UNAVAILABLE;
}

static unsigned
rank(int code)
{
	switch (code) {
	case EX_OK:
		return 0;
	case SOON:
		return 1;
	case ENDED:
		return 2;
	case EX_TEMPFAIL:
		return 3;
	case EX_UNAVAILABLE:
	case EX_CANTCREAT:
		return 4;
	default:
		return 5;
	}
}

static int
graver(int a, int b)
{
	return rank(b) > rank(a) ? b : a;
}

int
check_run(const char *path)
{
	enum rules_failure failure;
	struct rules *rules;
	int code = EX_OK, trust_code = EX_OK;

	memory_begin();
	rules = rules_load(path, NULL, NULL, stderr, &failure);
	if (!rules)
		return memory_exit_code(failure == RULES_UNREADABLE ? EX_NOINPUT : EX_CONFIG);
	tell_facts(rules);
	limits_print(&rules->limits, &rules->settings, stdout);
	if (rules->settings.connect_name) {
		code = tell_certificate(&rules->settings);
		tell_renewal(&rules->settings);
		trust_code = tell_trust(path, &rules->settings);
	}
	code = graver(graver(code, trust_code),
	    graver(tell_directories(&rules->settings), tell_listeners(&rules->settings)));
	rules_release(rules);
	if (code == EX_OK || code == SOON)
		printf("%s: %s\n", path, code == SOON ? "soon" : "fine");
	return code;
}
