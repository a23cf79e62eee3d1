/* Building and binding, in the order that makes a second instance stop before it disturbs the first. */
#include "relay/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/log.h"
#include "base/ready.h"
#include "base/resolver.h"
#include "base/socket.h"
#include "relay/control_parts.h"
#include "relay/crowd.h"
#include "relay/known.h"
#include "relay/limits.h"
#include "relay/roster.h"
#include "relay/route.h"
#include "relay/rules.h"
#include "relay/tally.h"
#include "relay/trustwatch.h"

enum { SENTENCE = 512, PATH_MOST = 4096 };

static int
fail(int code, const char *event, const char *sentence)
{
	log_write(LOG_ERROR, event, sentence, &(struct log_field){ 0 });
	return code;
}

static bool
make_shared(struct control *control)
{
	const struct settings_limits *limits = &control->rules->settings.limits;
	struct relay *relay = &control->relay;
	struct crowd_bounds hellos = { limits->hellos, limits->hellos_per_client, limits->hello_memory };
	struct crowd_bounds handshakes = { limits->handshakes / 2, limits->handshakes / 2, 0 };
	struct crowd_bounds channels = { limits->channel_handshakes, limits->channel_handshakes, 0 };

	return (relay->tallies = tally_all_new()) != NULL && (relay->routes = route_table_new()) != NULL &&
	    (relay->limits = limits_new(limits->flows, limits->flows_per_client)) != NULL &&
	    (relay->known = known_new()) != NULL && (relay->hellos = crowd_new(&hellos)) != NULL &&
	    (relay->strangers = crowd_new(&handshakes)) != NULL &&
	    (relay->acquaintances = crowd_new(&handshakes)) != NULL &&
	    (relay->channels = crowd_new(&channels)) != NULL &&
	    (relay->trustwatch = trustwatch_new()) != NULL && (relay->resolver = resolver_new()) != NULL &&
	    (control->loop = loop_new()) != NULL &&
	    route_set_fixed(relay->routes, control->rules->settings.connect_pattern, control->rules->fixed,
	        control->rules->fixed_count);
}

/* Beside the admin socket if there is one, else in the state directory, which is made if its parent is there. */
static int
lock_out_others(const struct settings *settings)
{
	char path[PATH_MOST], error[SENTENCE];
	long holder;

	if (mkdir(settings->state_dir, 0700) < 0 && errno != EEXIST) {
		snprintf(error, sizeof(error), "%.300s cannot be made: %s; make it, or change state_dir",
		    settings->state_dir, strerror(errno));
		return fail(EX_CANTCREAT, "state-dir", error);
	}
	if (settings->admin_socket != NULL)
		snprintf(path, sizeof(path), "%s.lock", settings->admin_socket);
	else
		snprintf(path, sizeof(path), "%s/lock", settings->state_dir);
	if (ready_lock(path, &holder, error))
		return EX_OK;
	return fail(holder > 0 ? EX_UNAVAILABLE : EX_CANTCREAT, "locked", error);
}

static int
load_trust(struct control *control)
{
	struct trustwatch *watch = control->relay.trustwatch;
	const struct settings *settings = &control->rules->settings;
	char error[TRUST_ERROR];
	struct trust *trust;

	if (settings->connect_name == NULL)
		return EX_OK;
	trustwatch_files_changed(watch, settings);
	trust = trustwatch_load(watch, settings, error);
	if (trust == NULL)
		return fail(EX_CONFIG, "trust-refused", error);
	control_warn(trust);
	trustwatch_swap(watch, trust);
	return EX_OK;
}

static bool
make_stations(struct control *control, void (*on_station)(void *, enum station_event))
{
	struct relay *relay = &control->relay;
	unsigned count = settings_worker_count(&control->rules->settings);

	relay->stations = calloc(count, sizeof(struct station *));
	for (; relay->stations != NULL && relay->station_count < count; relay->station_count++) {
		relay->stations[relay->station_count] = station_new(relay, control->rules, on_station, control);
		if (relay->stations[relay->station_count] == NULL)
			return false;
	}
	return relay->stations != NULL;
}

static void
log_listening(const struct address *address, bool passed)
{
	char text[ADDRESS_TEXT];

	log_event(LOG_INFO, "listening", NULL, log_str("address", address_text(address, text)),
	    log_bool("passed_by_the_service_manager", passed));
}

/* SO_REUSEPORT would let us share the address with any other program of our user without a word. */
static bool
is_free(const struct address *address, char *error)
{
	int fd = socket_listen(address, false, error);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* A socket that was passed is one descriptor, shared by all stations; else each has one of its own. */
static int
bind_listener(struct control *control, size_t index)
{
	const struct address *address = &settings_listener_at(&control->rules->settings, index)->parsed;
	int passed = ready_listener(address);
	char error[SENTENCE];
	int fd;

	if (passed < 0 && !is_free(address, error))
		return fail(EX_UNAVAILABLE, "listen-failed", error);
	for (unsigned i = 0; i < control->relay.station_count; i++) {
		fd = passed >= 0 ? dup(passed) : socket_listen(address, true, error);
		if (fd < 0 && passed >= 0)
			return fail(EX_OSERR, "listen-failed", "the passed listener cannot be shared");
		if (fd < 0)
			return fail(EX_UNAVAILABLE, "listen-failed", error);
		if (!station_add_listener(control->relay.stations[i], index, fd)) {
			close(fd);
			return fail(EX_OSERR, "listen-failed", "memory is short");
		}
	}
	log_listening(address, passed >= 0);
	return EX_OK;
}

static int
bind_all(struct control *control)
{
	int code = EX_OK;

	for (size_t i = 0; i < control->rules->settings.listeners.count && code == EX_OK; i++)
		code = bind_listener(control, i);
	return code;
}

static int
load_rules(struct control *control)
{
	enum rules_failure failure;

	control->rules = rules_load(control->path, control->relay.roster, stderr, &failure);
	if (control->rules != NULL)
		return EX_OK;
	return failure == RULES_UNREADABLE ? EX_NOINPUT : EX_CONFIG;
}

static void
take_descriptors(const struct settings *settings)
{
	uint64_t descriptors = socket_raise_limit();

	if (descriptors / 2 < settings->limits.flows)
		log_event(LOG_WARNING, "descriptors-few", "each flow takes two descriptors: raise the hard limit "
		    "(LimitNOFILE= of the service, ulimit -Hn), or lower limits.flows",
		    log_u64("descriptors", descriptors), log_u64("limits.flows", settings->limits.flows));
}

int
control_open(struct control *control, void (*on_station)(void *, enum station_event))
{
	struct relay *relay = &control->relay;
	int code;

	pthread_mutex_init(&relay->end_lock, NULL);
	pthread_cond_init(&relay->end, NULL);
	flow_ids_init(&relay->flow_ids);
	if ((relay->roster = roster_new()) == NULL)
		return fail(EX_OSERR, "start-failed", "memory is short");
	if ((code = load_rules(control)) != EX_OK)
		return code;
	log_init("valise-relay", (enum log_level)control->rules->settings.log_level,
	    (enum log_format)control->rules->settings.log_format);
	take_descriptors(&control->rules->settings);
	if ((code = lock_out_others(&control->rules->settings)) != EX_OK)
		return code;
	if (!make_shared(control) || !make_stations(control, on_station))
		return fail(EX_OSERR, "start-failed", "memory is short");
	if ((code = load_trust(control)) != EX_OK)
		return code;
	control_stamp(control);
	return bind_all(control);
}

void
control_close(struct control *control)
{
	struct relay *relay = &control->relay;

	for (unsigned i = 0; i < relay->station_count; i++)
		station_join(relay->stations[i]);
	loop_free(control->loop);	/* their last reports are delivered here */
	for (unsigned i = 0; i < relay->station_count; i++)
		station_free(relay->stations[i]);
	free(relay->stations);
	resolver_free(relay->resolver);
	trustwatch_free(relay->trustwatch);
	crowd_free(relay->channels);
	crowd_free(relay->acquaintances);
	crowd_free(relay->strangers);
	crowd_free(relay->hellos);
	known_free(relay->known);
	limits_free(relay->limits);
	route_table_free(relay->routes);
	rules_release(control->rules);
	roster_free(relay->roster);
	tally_all_free(relay->tallies);
	flow_ids_wipe(&relay->flow_ids);
	pthread_cond_destroy(&relay->end);
	pthread_mutex_destroy(&relay->end_lock);
}
