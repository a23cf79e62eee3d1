/* The table of refusals, and the lingering close that lets the client read its alert. */
#include "relay/refuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/memory.h"
#include "base/shares.h"
#include "base/socket.h"
#include "relay/conn.h"

enum { LINGER_MS = 1000, READS_A_TURN = 8 };
enum {
	ALERT_ACCESS_DENIED = 49,
	ALERT_INTERNAL = 80,
	ALERT_NAME = 112,
	ALERT_ALPN = 120,
	ALERT_DECODE = 50
};

static const struct {
	const char *word;
	uint8_t alert;
} refusals[REFUSALS] = {
	[REFUSE_NO_NAME] = { "no-name", ALERT_NAME },
	[REFUSE_UNKNOWN_NAME] = { "unknown-name", ALERT_NAME },
	[REFUSE_MALFORMED] = { "malformed-hello", ALERT_DECODE },
	[REFUSE_NO_AGENT] = { "no-agent", ALERT_INTERNAL },
	[REFUSE_OVER_LIMIT] = { "over-limit", ALERT_INTERNAL },
	[REFUSE_DENIED] = { "denied", ALERT_ACCESS_DENIED },
	[REFUSE_FOREIGN_ALPN] = { "foreign-alpn", ALERT_ALPN },
	[REFUSE_NOT_TLS] = { "not-tls", 0 },
	[REFUSE_TIMEOUT] = { "hello-timeout", 0 },
};

const char *
refuse_word(enum refusal reason)
{
	return refusals[reason].word;
}

uint8_t
refuse_alert(enum refusal reason)
{
	return refusals[reason].alert;
}

bool
refuse_rule_parse(struct refuse_rule *rule, const char *text, char error[256])
{
	static const char *const words[] = {
		[REFUSE_BY_ALERT] = "alert",
		[REFUSE_BY_CLOSE] = "close",
		[REFUSE_BY_RESET] = "reset",
	};
	static const char by_route[] = "route:";

	rule->route[0] = '\0';
	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(text, words[i]) == 0) {
			rule->action = (enum refuse_action)i;
			return true;
		}
	}
	if (strncmp(text, by_route, strlen(by_route)) != 0) {
		snprintf(
		    error, 256, "is not a valid answer; write alert, close, reset or route:NAME");
		return false;
	}
	text += strlen(by_route);
	rule->action = REFUSE_BY_ROUTE;
	if (name_normalise_pattern(rule->route, text, strlen(text)))
		return true;
	snprintf(error, 256, "is not a valid server name; write the server_name of a static route");
	return false;
}

void
refuse_record(uint8_t record[REFUSE_RECORD], uint8_t alert)
{
	const uint8_t fatal[REFUSE_RECORD] = { 0x15, 0x03, 0x03, 0x00, 0x02, 0x02, alert };

	memcpy(record, fatal, sizeof fatal);
}

/* ---- the lingering close ---- */

struct linger_close {
	LIST_ENTRY(linger_close) link;
	struct lingers *lingers;
	struct shares_place *place;
	int fd;
	struct watch watch;
	struct timer timer;
	struct task reap;
};

void
refuse_lingers_init(struct lingers *lingers, struct loop *loop, struct shares *shares,
    void (*on_end)(void *), void *arg)
{
	*lingers = (struct lingers){ .loop = loop, .shares = shares, .on_end = on_end, .arg = arg };
	LIST_INIT(&lingers->list);
}

static void
reap(void *arg)
{
	free(arg);
}

static void
cut(struct linger_close *linger)
{
	struct lingers *lingers = linger->lingers;

	if (linger->fd < 0)
		return;
	LIST_REMOVE(linger, link);
	shares_leave(linger->place);
	watch_wipe(&linger->watch);
	timer_clear(&linger->timer);
	close(linger->fd);
	linger->fd = -1;
	loop_later(lingers->loop, &linger->reap);
	lingers->on_end(lingers->arg);
}

void
refuse_cut_all(struct lingers *lingers)
{
	while (!LIST_EMPTY(&lingers->list))
		cut(LIST_FIRST(&lingers->list));
}

static void
on_ready(void *arg, unsigned ready)
{
	struct linger_close *linger = arg;
	uint8_t waste[4096];
	ssize_t got = 1;

	(void)ready;
	for (int i = 0; i < READS_A_TURN && got > 0; i++)
		got = recv(linger->fd, waste, sizeof waste, MSG_DONTWAIT);
	if (got == 0)
		cut(linger);
}

/* Its time is over, or its place goes to another one. */
static void
on_time(void *arg)
{
	cut(arg);
}

/* Sends the alert and FIN; alert 0 means FIN alone. The socket's buffer is empty, so seven bytes
 * fit unless the client is gone. */
static void
send_last(int fd, uint8_t alert)
{
	uint8_t record[REFUSE_RECORD];

	refuse_record(record, alert);
	if (alert != 0)
		(void)!send(fd, record, sizeof record, MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(fd, SHUT_WR);
}

static void
start(struct lingers *lingers, struct linger_close *linger, int fd)
{
	linger->fd = fd;
	LIST_INSERT_HEAD(&lingers->list, linger, link);
	task_init(&linger->reap, reap, linger);
	timer_init(&linger->timer, lingers->loop, on_time, linger);
	timer_set(&linger->timer, LINGER_MS);
	watch_init(&linger->watch, lingers->loop, fd, on_ready, linger);
	watch_want(&linger->watch, WATCH_READ);
}

/* NULL when memory is short. */
static struct linger_close *
linger_new(struct lingers *lingers, const struct address *client)
{
	struct linger_close *linger = calloc(1, sizeof *linger);
	struct shares_entrant entrant = { lingers->loop, client, 0, on_time, linger };
	enum shares_verdict verdict;

	if (!linger)
		return NULL;
	linger->lingers = lingers;
	linger->place = shares_enter(lingers->shares, &entrant, &verdict);
	if (linger->place)
		return linger;
	free(linger);
	return NULL;
}

/* Takes the connection. */
static void
close_lingering(struct lingers *lingers, struct conn *conn, uint8_t alert)
{
	const struct address from = conn_client(conn);
	struct linger_close *linger = linger_new(lingers, &from);

	send_last(conn->fd, alert);
	if (!linger) {
		memory_short("the time in which a client reads its alert");
	} else {
		start(lingers, linger, conn->fd);
		conn->fd = -1;
	}
	conn_wipe(conn);
}

bool
refuse_conn(
    struct lingers *lingers, struct conn *conn, const struct refuse_rule *rule, uint8_t alert)
{
	enum refuse_action action = rule->action;

	if (action == REFUSE_BY_ROUTE && conn->is_second_choice)
		action = REFUSE_BY_ALERT;
	switch (action) {
	case REFUSE_BY_ALERT:
		close_lingering(lingers, conn, alert);
		break;
	case REFUSE_BY_CLOSE:
		close_lingering(lingers, conn, 0);
		break;
	case REFUSE_BY_RESET:
		socket_reset_on_close(conn->fd);
		conn_wipe(conn);
		break;
	case REFUSE_BY_ROUTE:
		conn->is_second_choice = true;
		return false;
	}
	return true;
}

void
refuse_at_once(struct conn *conn, uint8_t alert)
{
	send_last(conn->fd, alert);
	conn_wipe(conn);
}

void
refuse_unread(int fd)
{
	uint8_t waste[4096];
	ssize_t got = 1;

	for (int i = 0; i < READS_A_TURN && got > 0; i++)
		got = recv(fd, waste, sizeof waste, MSG_DONTWAIT);
	send_last(fd, refuse_alert(REFUSE_OVER_LIMIT));
}
