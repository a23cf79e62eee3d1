/* Lingering closes, at most STATION_FAREWELLS_MOST at once: beyond, the client gets what the kernel makes of it. */
#include "relay/farewell.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/socket.h"
#include "relay/flow.h"
#include "relay/refuse.h"
#include "relay/rules.h"
#include "relay/station.h"
#include "relay/visit.h"

enum { LINGER_MS = 1000, READS_A_TURN = 8 };

struct farewell {
	LIST_ENTRY(farewell) link;
	struct station *station;
	int fd;
	struct watch watch;
	struct timer timer;
	struct task reap;
};

static void
reap(void *arg)
{
	free(arg);
}

static void
cut(struct farewell *farewell)
{
	if (farewell->fd < 0)
		return;
	LIST_REMOVE(farewell, link);
	farewell->station->farewell_count--;
	watch_wipe(&farewell->watch);
	timer_clear(&farewell->timer);
	close(farewell->fd);
	farewell->fd = -1;
	loop_later(farewell->station->loop, &farewell->reap);
	station_check(farewell->station);
}

void
farewell_cut_all(struct station *station)
{
	while (!LIST_EMPTY(&station->farewells))
		cut(LIST_FIRST(&station->farewells));
}

static void
on_ready(void *arg, unsigned ready)
{
	struct farewell *farewell = arg;
	uint8_t waste[4096];
	ssize_t got = 1;

	(void)ready;
	for (int i = 0; i < READS_A_TURN && got > 0; i++)
		got = recv(farewell->fd, waste, sizeof(waste), MSG_DONTWAIT);
	if (got == 0)
		cut(farewell);
}

static void
on_time(void *arg)
{
	cut(arg);
}

/* Takes the visit. alert 0: FIN without a word. */
static void
say(struct station *station, struct visit *visit, uint8_t alert)
{
	struct farewell *farewell = NULL;
	uint8_t record[REFUSE_RECORD];

	if (alert != 0) {
		refuse_record(record, alert);
		/* The socket's buffer is empty: seven bytes fit, or the client is gone. */
		(void)!send(visit->fd, record, sizeof(record), MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	shutdown(visit->fd, SHUT_WR);
	if (station->farewell_count < STATION_FAREWELLS_MOST)
		farewell = calloc(1, sizeof(*farewell));
	if (farewell == NULL) {
		visit_wipe(visit);
		return;
	}
	*farewell = (struct farewell){ .station = station, .fd = visit->fd };
	visit->fd = -1;
	visit_wipe(visit);
	LIST_INSERT_HEAD(&station->farewells, farewell, link);
	station->farewell_count++;
	task_init(&farewell->reap, reap, farewell);
	timer_init(&farewell->timer, station->loop, on_time, farewell);
	timer_set(&farewell->timer, LINGER_MS);
	watch_init(&farewell->watch, station->loop, farewell->fd, on_ready, farewell);
	watch_want(&farewell->watch, WATCH_READ);
}

void
farewell_refuse(struct station *station, struct visit *visit, enum refusal reason, uint8_t alert)
{
	const struct refuse_rule *rule = &station->rules->settings.rules[reason];
	enum refuse_action action = rule->action;

	if (action == REFUSE_BY_ROUTE && visit->is_second_choice)
		action = REFUSE_BY_ALERT;
	switch (action) {
	case REFUSE_BY_ALERT:
		say(station, visit, alert);
		break;
	case REFUSE_BY_CLOSE:
		say(station, visit, 0);
		break;
	case REFUSE_BY_RESET:
		socket_reset_on_close(visit->fd);
		visit_wipe(visit);
		break;
	case REFUSE_BY_ROUTE:
		visit->is_second_choice = true;
		flow_start(station, visit, rule->route);
		break;
	}
}
