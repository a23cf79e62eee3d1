/*
 * Many clients that differ, each of one TLS handshake and one answer, at a rate, until standard input ends.
 *	attempts PORT CA-FILE RATE GROUP...	GROUP: LABEL,SERVER-NAME,SOURCE,SHARE[,CERTIFICATE,KEY]
 * A client begins at its time, or later when as many as MOST_AT_ONCE are under way; none is made up for.  Each has a
 * line when it is over: its group, when it began and ended in microseconds of the monotonic clock, and what became of
 * it, `timeout` or as attempt.h says.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/load/attempt.h"
#include "bench/load/loop.h"

enum { MOST_GROUPS = 64, MOST_AT_ONCE = 128, PATIENCE_US = 60000000, LATE_US = 100000 };

struct attempt_group {
	const char *label, *name;
	struct sockaddr_in source;
	unsigned share;
	struct attempt_key *key;
};

struct attempt_place {
	struct load_watch watch;
	const struct attempt_group *group;
	struct attempt_session *attempt; /* NULL: the place is free */
	uint64_t began_us;
};

static struct attempt_group groups[MOST_GROUPS];
static unsigned group_count, shares, under_way;
static struct attempt_place places[MOST_AT_ONCE];
static struct sockaddr_in target = { .sin_family = AF_INET };

/* ---- one of them ---- */

static void
tell(struct attempt_place *place, const char *result)
{
	printf("%s %llu %llu %s\n", place->group->label, (unsigned long long)place->began_us,
	    (unsigned long long)loop_now_us(), result);
	attempt_free(place->attempt);
	place->attempt = NULL;
	loop_close(&place->watch);
	under_way--;
}

static void
on_place(struct load_watch *watch, unsigned events)
{
	struct attempt_place *place = (struct attempt_place *)watch;
	char result[ATTEMPT_RESULT];

	(void)events;
	switch (attempt_step(place->attempt, result)) {
	case ATTEMPT_READ:
		loop_want(watch, EPOLLIN);
		break;
	case ATTEMPT_WRITE:
		loop_want(watch, EPOLLOUT);
		break;
	case ATTEMPT_OVER:
		tell(place, result);
		break;
	}
}

static const struct attempt_group *
draw(void)
{
	unsigned drawn = arc4random_uniform(shares);

	for (unsigned i = 0;; drawn -= groups[i++].share)
		if (drawn < groups[i].share)
			return &groups[i];
}

static int
dial(const struct attempt_group *group)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* The port is chosen at connect(): thousands of them rest in TIME_WAIT. */
	if (fd < 0 ||
	    setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int)) < 0 ||
	    bind(fd, (const struct sockaddr *)&group->source, sizeof group->source) < 0)
		loop_die("bind");
	if (connect(fd, (const struct sockaddr *)&target, sizeof target) < 0 &&
	    errno != EINPROGRESS)
		loop_die("connect");
	return fd;
}

static void
begin(struct attempt_place *place)
{
	const struct attempt_group *group = draw();
	int fd = dial(group);

	*place = (struct attempt_place){ .watch = { .on_event = on_place, .fd = fd },
		.group = group,
		.attempt = attempt_new(group->key, group->name, fd),
		.began_us = loop_now_us() };
	under_way++;
	loop_want(&place->watch, EPOLLOUT);
}

static void
begin_one(void)
{
	for (size_t i = 0; i < MOST_AT_ONCE; i++)
		if (!places[i].attempt) {
			begin(&places[i]);
			return;
		}
}

static void
give_up_late_ones(uint64_t now_us)
{
	for (size_t i = 0; i < MOST_AT_ONCE; i++)
		if (places[i].attempt && now_us - places[i].began_us > PATIENCE_US)
			tell(&places[i], "timeout");
}

static bool
is_to_end(void)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&input, 1, 0) > 0;
}

static void
run(unsigned rate)
{
	uint64_t next_us = loop_now_us(), now_us;
	bool ends = false;

	while (!ends || under_way > 0) {
		now_us = loop_now_us();
		ends = ends || is_to_end();
		give_up_late_ones(now_us);
		for (; !ends && next_us <= now_us && under_way < MOST_AT_ONCE;
		     next_us += 1000000 / rate)
			begin_one();
		if (next_us + LATE_US < now_us)
			next_us = now_us;
		loop_turn(1);
	}
}

/* ---- the groups ---- */

static char *
part(char **rest, const char *what)
{
	char *text = strsep(rest, ",");

	if (text)
		return text;
	fprintf(stderr, "a group has no %s\n", what);
	exit(2);
}

static void
add_group(char *text, const char *cas)
{
	struct attempt_group *group = &groups[group_count++];
	char *certificate;

	if (group_count > MOST_GROUPS)
		exit(2);
	group->label = part(&text, "label");
	group->name = part(&text, "server name");
	group->source.sin_family = AF_INET;
	if (inet_pton(AF_INET, part(&text, "source"), &group->source.sin_addr) != 1)
		exit(2);
	group->share = (unsigned)atoi(part(&text, "share"));
	shares += group->share;
	certificate = text ? part(&text, "certificate") : NULL;
	group->key = attempt_key_load(cas, certificate, certificate ? part(&text, "key") : NULL);
}

int
main(int argc, char **argv)
{
	if (argc < 5 || atoi(argv[3]) <= 0) {
		fprintf(stderr,
		    "usage: attempts PORT CA-FILE RATE LABEL,SERVER-NAME,SOURCE,SHARE[,CERTIFICATE,KEY]...\n");
		return 2;
	}
	target.sin_port = htons((uint16_t)atoi(argv[1]));
	target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 4; i < argc; i++)
		add_group(argv[i], argv[2]);
	run((unsigned)atoi(argv[3]));
	return 0;
}
