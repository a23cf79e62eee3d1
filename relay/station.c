/*
 * A station stops in two steps: its loop ends and all that it has is let go,
 * which may still send messages to others; then it waits until every station
 * has done the same, and only after that are the loops freed.
 */
#include "relay/station.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/socket.h"
#include "base/thread.h"
#include "relay/agent_channel.h"
#include "relay/agent_session.h"
#include "relay/lingering.h"
#include "relay/flow.h"
#include "relay/intake.h"
#include "relay/relay.h"
#include "relay/rules.h"

enum { GOODBYE_MS = 1500 };

/* One listener of this station. */
struct station_port {
	struct station *station;
	const struct settings_listener *settings;
	struct rules *rules;		/* held: the newest that have this listener; the settings are theirs */
	struct listener *listener;
	int fd;				/* until the start */
};

/* ---- accepting ---- */

static bool
is_trusted_proxy(const struct settings_listener *settings, const struct address *peer)
{
	for (size_t i = 0; i < settings->trusted_proxies.count; i++) {
		if (prefix_holds(&settings->proxies[i], peer))
			return true;
	}
	return false;
}

static void
on_accept(void *arg, int fd, const struct address *peer)
{
	struct station_port *port = arg;

	intake_start(port->station, fd, peer, is_trusted_proxy(port->settings, peer));
}

bool
station_add_listener(struct station *station, size_t index, int fd)
{
	struct station_port *ports = reallocarray(station->ports, station->port_count + 1, sizeof(*ports));

	if (ports == NULL)
		return false;
	station->ports = ports;
	ports[station->port_count++] = (struct station_port){ .station = station, .fd = fd,
	    .rules = rules_hold(station->rules),
	    .settings = settings_listener_at(&station->rules->settings, index) };
	return true;
}

static const struct settings_listener *
listener_at_address(const struct settings *settings, const char *address)
{
	for (size_t i = 0; i < settings->listeners.count; i++) {
		const struct settings_listener *listener = settings_listener_at(settings, i);

		if (strcmp(listener->address, address) == 0)
			return listener;
	}
	return NULL;
}

void
station_adopt_rules(struct station *station, struct rules *rules)
{
	rules_release(station->rules);
	station->rules = rules;
	for (size_t i = 0; i < station->port_count; i++) {
		struct station_port *port = &station->ports[i];
		const struct settings_listener *settings =
		    listener_at_address(&rules->settings, port->settings->address);

		if (settings == NULL)
			continue;	/* it listens until the restart, under what it had */
		rules_release(port->rules);
		port->rules = rules_hold(rules);
		port->settings = settings;
	}
}

static void
open_ports(struct station *station)
{
	for (size_t i = 0; i < station->port_count; i++) {
		struct station_port *port = &station->ports[i];

		port->listener = listener_new(station->loop, port->fd, on_accept, port);
	}
}

void
station_close_ports(struct station *station)
{
	for (size_t i = 0; i < station->port_count; i++) {
		listener_free(station->ports[i].listener);
		station->ports[i].listener = NULL;
	}
}

/* ---- draining ---- */

static bool
is_idle(const struct station *station)
{
	return LIST_EMPTY(&station->intakes) && LIST_EMPTY(&station->flows) && LIST_EMPTY(&station->lingering);
}

static void
on_goodbye_time(void *arg)
{
	struct station *station = arg;

	station->was_empty = true;
	station->on_event(station->arg, STATION_EMPTY);
}

void
station_say_goodbye(struct station *station)
{
	station->says_goodbye = true;
	timer_set(&station->goodbye, GOODBYE_MS);
	agent_session_end_all(station, CODE_SHUTDOWN, "the relay has stopped");
	station_check(station);
}

void
station_check(struct station *station)
{
	if (!station->draining || station->is_over)
		return;
	if (!station->was_idle && is_idle(station)) {
		station->was_idle = true;
		station->on_event(station->arg, STATION_IDLE);
	}
	if (station->says_goodbye && !station->was_empty && LIST_EMPTY(&station->sessions)) {
		station->was_empty = true;
		timer_clear(&station->goodbye);
		station->on_event(station->arg, STATION_EMPTY);
	}
}

/* ---- the thread ---- */

static void
let_go(struct station *station)
{
	station->is_over = true;
	timer_clear(&station->goodbye);
	station_close_ports(station);
	intake_cut_all(station);
	flow_cut_all(station, "relay-stopped");
	lingering_cut_all(station);
	agent_session_cut_all(station);
	agent_channel_cut_all(station);
}

static void
wait_for_the_others(struct relay *relay)
{
	pthread_mutex_lock(&relay->end_lock);
	if (--relay->stations_at_work == 0)
		pthread_cond_broadcast(&relay->end);
	while (relay->stations_at_work > 0)
		pthread_cond_wait(&relay->end, &relay->end_lock);
	pthread_mutex_unlock(&relay->end_lock);
}

static void
run(void *arg, struct loop *loop)
{
	struct station *station = arg;

	station->loop = loop;
	timer_init(&station->goodbye, loop, on_goodbye_time, station);
	open_ports(station);
	loop_run(loop);
	let_go(station);
	wait_for_the_others(station->relay);
}

struct station *
station_new(struct relay *relay, struct rules *rules, void (*on_event)(void *, enum station_event), void *arg)
{
	struct station *station = calloc(1, sizeof(*station));

	if (station == NULL)
		return NULL;
	station->relay = relay;
	station->rules = rules_hold(rules);
	station->on_event = on_event;
	station->arg = arg;
	return station;
}

bool
station_start(struct station *station, unsigned number)
{
	struct relay *relay = station->relay;
	char name[16];

	snprintf(name, sizeof(name), "relay-%u", number);
	pthread_mutex_lock(&relay->end_lock);
	relay->stations_at_work++;
	pthread_mutex_unlock(&relay->end_lock);
	station->thread = thread_start(name, run, station);
	if (station->thread != NULL)
		return true;
	pthread_mutex_lock(&relay->end_lock);
	relay->stations_at_work--;
	pthread_mutex_unlock(&relay->end_lock);
	return false;
}

void
station_stop(struct station *station)
{
	if (station->thread != NULL)
		loop_stop(thread_loop(station->thread));
}

void
station_join(struct station *station)
{
	thread_join(station->thread);
	station->thread = NULL;
}

void
station_free(struct station *station)
{
	if (station == NULL)
		return;
	for (size_t i = 0; i < station->port_count; i++)
		rules_release(station->ports[i].rules);
	free(station->ports);
	rules_release(station->rules);
	free(station);
}
