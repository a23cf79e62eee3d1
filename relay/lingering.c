/* Lingering closes, at most STATION_LINGERING_MOST at once: beyond, the client gets what the kernel makes of it. */
#include "relay/lingering.h"

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

struct lingering {
	LIST_ENTRY(lingering) link;
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
cut(struct lingering *lingering)
{
	if (lingering->fd < 0)
		return;
	LIST_REMOVE(lingering, link);
	lingering->station->lingering_count--;
	watch_wipe(&lingering->watch);
	timer_clear(&lingering->timer);
	close(lingering->fd);
	lingering->fd = -1;
	loop_later(lingering->station->loop, &lingering->reap);
	station_check(lingering->station);
}

void
lingering_cut_all(struct station *station)
{
	while (!LIST_EMPTY(&station->lingering))
		cut(LIST_FIRST(&station->lingering));
}

static void
on_ready(void *arg, unsigned ready)
{
	struct lingering *lingering = arg;
	uint8_t waste[4096];
	ssize_t got = 1;

	(void)ready;
	for (int i = 0; i < READS_A_TURN && got > 0; i++)
		got = recv(lingering->fd, waste, sizeof(waste), MSG_DONTWAIT);
	if (got == 0)
		cut(lingering);
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
	struct lingering *lingering = NULL;
	uint8_t record[REFUSE_RECORD];

	if (alert != 0) {
		refuse_record(record, alert);
		/* The socket's buffer is empty: seven bytes fit, or the client is gone. */
		(void)!send(visit->fd, record, sizeof(record), MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	shutdown(visit->fd, SHUT_WR);
	if (station->lingering_count < STATION_LINGERING_MOST)
		lingering = calloc(1, sizeof(*lingering));
	if (lingering == NULL) {
		visit_wipe(visit);
		return;
	}
	*lingering = (struct lingering){ .station = station, .fd = visit->fd };
	visit->fd = -1;
	visit_wipe(visit);
	LIST_INSERT_HEAD(&station->lingering, lingering, link);
	station->lingering_count++;
	task_init(&lingering->reap, reap, lingering);
	timer_init(&lingering->timer, station->loop, on_time, lingering);
	timer_set(&lingering->timer, LINGER_MS);
	watch_init(&lingering->watch, station->loop, lingering->fd, on_ready, lingering);
	watch_want(&lingering->watch, WATCH_READ);
}

void
lingering_refuse(struct station *station, struct visit *visit, enum refusal reason, uint8_t alert)
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
