/*
 * Connecting: ask for the addresses, then race them (RFC 8305).  The answer is
 * given at once by whatever brought it about, so that what the connection is for
 * goes on in the same turn; the connector is reaped at the end of that.
 */
#include "base/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/connect_source.h"
#include "base/log.h"
#include "base/resolved.h"
#include "base/resolver.h"
#include "base/shortage.h"
#include "base/numbers.h"

/* RFC 8305 §5 and §8: between two attempts, recommended and least. */
enum { PACE_MS = 250, LEAST_PACE_MS = 100, RETRY_MS = 10 };

/* Attempts that run beside another one of the same connector, of the whole process. */
static _Atomic unsigned racing;

/* One address's. */
struct attempt {
	struct connector *connector;
	struct address address;
	int fd;    /* -1: not begun, or over */
	int error; /* 0: none yet */
	uint64_t began_ms;
	struct watch watch;
};

struct connector {
	struct loop *loop;
	struct resolver *resolver;
	struct resolution *resolution;
	struct connect_source source;
	struct connector_fence fence; /* without allows(): none */
	char host[254];               /* "": the target is a literal */
	size_t count, next, pending;  /* addresses, the one to try next, attempts that run */
	uint64_t deadline_ms;
	struct timer overall, pace;
	struct task begin, reap;
	int fd;                    /* the one that is connected */
	bool is_short;             /* the host was, for one address at least, or for the look-up */
	char error[CONNECT_ERROR]; /* what is wrong before there is any address */
	void (*on_done)(void *arg, int fd, const char *error);
	void *arg;
	struct attempt attempts[]; /* one for a literal, RESOLVED_MOST for a name */
};

static void try_next(struct connector *);

static void
add_address(struct connector *connector, const struct address *address)
{
	connector->attempts[connector->count++] =
	    (struct attempt){ .connector = connector, .address = *address, .fd = -1 };
}

/* One of its attempts is over. */
static void
count_out(struct connector *connector)
{
	if (--connector->pending > 0)
		atomic_fetch_sub(&racing, 1);
}

static void
close_attempt(struct attempt *attempt)
{
	if (attempt->fd < 0)
		return;
	watch_wipe(&attempt->watch);
	close(attempt->fd);
	attempt->fd = -1;
	count_out(attempt->connector);
}

static bool
is_v6(const struct attempt *attempt)
{
	return attempt->address.as.any.sa_family == AF_INET6;
}

/* The attempt at one family, or at the other, that has failed last. */
static const struct attempt *
last_failed(const struct connector *connector, bool wants_v6)
{
	const struct attempt *last = NULL;

	for (size_t i = 0; i < connector->count; i++) {
		const struct attempt *at = &connector->attempts[i];

		if (at->error != 0 && is_v6(at) == wants_v6)
			last = at;
	}
	return last;
}

/* Tells one error of each family, because they have different cures; the family that was tried
 * first comes first. */
static void
tell_failure(struct connector *connector)
{
	bool first_is_v6 = is_v6(&connector->attempts[0]);
	size_t used = 0;

	for (int family = 0; family < 2 && used < sizeof connector->error; family++) {
		const struct attempt *at =
		    last_failed(connector, family == 0 ? first_is_v6 : !first_is_v6);
		char text[ADDRESS_TEXT];

		if (!at)
			continue;
		used += (size_t)snprintf(connector->error + used, sizeof connector->error - used,
		    "%s %s: %s", used == 0 ? "cannot connect to" : "; nor to",
		    address_text(&at->address, text), strerror(at->error));
	}
}

static void
reap(void *arg)
{
	free(arg);
}

static void
answer(struct connector *connector)
{
	int fd = connector->fd;

	if (fd < 0) {
		tell_failure(connector);
		fd = connector->is_short ? CONNECT_SHORT : CONNECT_FAILED;
	}
	loop_later(connector->loop, &connector->reap);
	connector->on_done(connector->arg, fd, fd >= 0 ? NULL : connector->error);
}

/* The connection that is open, if any, is the answer; nothing more happens. */
static void
settle(struct connector *connector)
{
	for (size_t i = 0; i < connector->next; i++)
		close_attempt(&connector->attempts[i]);
	timer_clear(&connector->pace);
	timer_clear(&connector->overall);
	loop_forget(connector->loop, &connector->begin);
	answer(connector);
}

/* An address that answers at all does so within this time. */
static bool
had_its_time(const struct attempt *attempt)
{
	return clock_ms() - attempt->began_ms >= PACE_MS;
}

/* The address is to blame, not our own limits, a family that this host has not, or a deadline that came
 * before there was time for an answer. */
static bool
is_its_fault(const struct attempt *attempt, int error)
{
	if (error == ETIMEDOUT)
		return had_its_time(attempt);
	return error == ECONNREFUSED || error == EHOSTUNREACH || error == ECONNRESET;
}

/* ---- when this host is short of something ---- */

/* Of the process: all dial from the same host. */
static struct shortage shortage;

static void
note_short(struct connector *connector, const char *error)
{
	connector->is_short = true;
	if (shortage_begins(&shortage) || shortage_is_due(&shortage))
		log_limited(LOG_WARNING, "connect-short", NULL,
		    "this host has no descriptor, memory or local port left to connect with; "
		    "raise LimitNOFILE= of the service, or see what has used them up",
		    log_str("error", error), log_u64("lasted_s", shortage_lasted_s(&shortage)));
}

static void
note_plenty(void)
{
	uint64_t failures = shortage_ends(&shortage);

	if (failures > 0)
		log_limited(LOG_WARNING, "connect-resumed", NULL, "connections can be made again",
		    log_u64("failures", failures),
		    log_u64("lasted_s", shortage_lasted_s(&shortage)));
}

/* TCP says the same when no port is left and when this host has no address of that family; a datagram
 * socket, whose ports are others, tells which. */
static bool
has_own_address(const struct address *to)
{
	int fd = socket(to->as.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool can = fd < 0 || connect(fd, &to->as.any, to->bytes) == 0 || errno != EADDRNOTAVAIL;

	if (fd >= 0)
		close(fd);
	return can;
}

static bool
is_host_short(const struct attempt *attempt, int error)
{
	return shortage_is(error) && (error != EADDRNOTAVAIL || has_own_address(&attempt->address));
}

/* The system's resolver does not say that it had no descriptor, and may take a name for unknown. */
static bool
is_out_of_descriptors(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return shortage_is(errno);
	close(fd);
	return false;
}

/* ---- attempts ---- */

static void
blame(struct attempt *attempt)
{
	struct connector *connector = attempt->connector;

	if (connector->host[0] != '\0')
		resolver_address_failed(connector->resolver, connector->host, &attempt->address);
}

static void
fail(struct attempt *attempt, int error)
{
	attempt->error = error;
	if (is_its_fault(attempt, error))
		blame(attempt);
	close_attempt(attempt);
	if (is_host_short(attempt, error))
		note_short(attempt->connector, strerror(error));
}

/* The addresses that had their time and did not answer come last from now on. */
static void
win(struct attempt *attempt)
{
	struct connector *connector = attempt->connector;

	note_plenty();
	connector->fd = attempt->fd;
	watch_hand_on(&attempt->watch);
	attempt->fd = -1;
	count_out(connector);
	for (size_t i = 0; i < connector->next; i++) {
		struct attempt *other = &connector->attempts[i];

		if (other->fd >= 0 && had_its_time(other))
			blame(other);
	}
	settle(connector);
}

/* The ports that the kernel gives to who asks for none; all that are not reserved, if it does not say. */
static unsigned first_given = 1024, last_given = 65535;

static void
read_given_ports(void)
{
	FILE *range = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned first, last;

	if (range && fscanf(range, "%u %u", &first, &last) == 2) {
		first_given = first;
		last_given = last;
	}
	if (range)
		fclose(range);
}

/* Where nobody listens on a port of that range, TCP may connect a socket to itself. */
static bool
is_own_echo(struct attempt *attempt)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const struct address *to = &attempt->address;
	uint16_t port = address_port(to);
	struct address own;

	pthread_once(&once, read_given_ports);
	if (port < first_given || port > last_given)
		return false;
	own = socket_local(attempt->fd);
	return address_equals(&own, to);
}

/* A connection that failed is readable, too. */
static void
on_ready(void *arg, unsigned ready)
{
	struct attempt *attempt = arg;
	socklen_t bytes = sizeof(int);
	int why = 0;

	if (ready & WATCH_READ && getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &why, &bytes) < 0)
		why = errno;
	if (why == 0 && is_own_echo(attempt))
		why = ECONNREFUSED;
	if (why == 0) {
		win(attempt);
		return;
	}
	fail(attempt, why);
	try_next(attempt->connector);
}

/* 0 when connected, else errno. */
static int
begin_attempt(struct attempt *attempt)
{
	const struct address *to = &attempt->address;
	int why;

	attempt->fd = socket(to->as.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (attempt->fd < 0) {
		if (attempt->connector->pending > 0)
			atomic_fetch_sub(&racing, 1);
		return errno;
	}
	attempt->connector->pending++;
	attempt->began_ms = clock_ms();
	socket_prepare(attempt->fd);
	watch_init(&attempt->watch, attempt->connector->loop, attempt->fd, on_ready, attempt);
	watch_set_edge(&attempt->watch);
	why = connect_source_bind(&attempt->connector->source, attempt->fd, to->as.any.sa_family);
	if (why != 0)
		return why;
	return connect(attempt->fd, &to->as.any, to->bytes) == 0 ? 0 : errno;
}

/* The time between two attempts: short enough for the last address to have its turn in the time
 * that is left, if possible. */
static uint64_t
pace_ms(const struct connector *connector)
{
	uint64_t now = clock_ms();
	uint64_t left = difference(connector->deadline_ms, now);
	uint64_t pace = left / (connector->count - connector->next + 1);

	if (pace > PACE_MS)
		return PACE_MS;
	return pace < LEAST_PACE_MS ? LEAST_PACE_MS : pace;
}

static bool
enter_race(void)
{
	if (atomic_fetch_add(&racing, 1) < CONNECT_RACING_MOST)
		return true;
	atomic_fetch_sub(&racing, 1);
	return false;
}

static struct attempt *
oldest_pending(struct connector *connector)
{
	struct attempt *attempt = connector->attempts;

	while (attempt->fd < 0)
		attempt++;
	return attempt;
}

/* An equal part of the time that there was when it began, for it and each that comes after it. */
static bool
had_its_share(const struct attempt *attempt)
{
	const struct connector *connector = attempt->connector;
	uint64_t left = difference(connector->deadline_ms, attempt->began_ms);
	size_t index = (size_t)(attempt - connector->attempts);

	return clock_ms() - attempt->began_ms >= left / (connector->count - index);
}

/* For one more attempt.  Where there are places for none beside another, they come one after the other. */
static bool
has_place(struct connector *connector)
{
	while (connector->pending > 0 && !enter_race()) {
		struct attempt *oldest = oldest_pending(connector);

		if (!had_its_share(oldest))
			return false;
		fail(oldest, ETIMEDOUT);
	}
	return true;
}

/* Begins the next attempt that does not fail at once, beside those that run. */
static void
try_next(struct connector *connector)
{
	while (connector->next < connector->count) {
		struct attempt *attempt = &connector->attempts[connector->next];
		int why;

		if (!has_place(connector)) {
			timer_set(&connector->pace, pace_ms(connector));
			return;
		}
		connector->next++;
		why = begin_attempt(attempt);
		if (why == 0) {
			win(attempt);
			return;
		}
		if (why == EINPROGRESS) {
			watch_want(&attempt->watch, WATCH_READ | WATCH_WRITE);
			if (connector->next < connector->count)
				timer_set(&connector->pace, pace_ms(connector));
			return;
		}
		fail(attempt, why);
		if (why == EAGAIN) {
			/* A local listener's queue is full, and no event would tell when it is
			 * not any more. */
			connector->next--;
			timer_set(&connector->pace, RETRY_MS);
			return;
		}
	}
	if (connector->pending == 0)
		settle(connector);
}

static void
on_pace(void *arg)
{
	struct connector *connector = arg;

	if (connector->next < connector->count)
		try_next(connector);
}

static void
on_overall_over(void *arg)
{
	struct connector *connector = arg;

	if (connector->next == 0)
		snprintf(connector->error, sizeof connector->error, "cannot connect: %s",
		    connector->resolution ? "the name was not resolved in time"
					  : "there was no time left to begin");
	for (size_t i = 0; i < connector->next; i++) {
		if (connector->attempts[i].fd >= 0)
			fail(&connector->attempts[i], ETIMEDOUT);
	}
	resolution_forget(connector->resolution);
	connector->resolution = NULL;
	settle(connector);
}

/* Keeps the addresses that the fence allows, in their order. */
static void
ask_fence(struct connector *connector)
{
	char text[ADDRESS_TEXT], why[CONNECT_WHY] = "";
	size_t kept = 0;

	for (size_t i = 0; i < connector->count; i++) {
		const struct address *at = &connector->attempts[i].address;

		if (connector->fence.allows(connector->fence.arg, at, why))
			connector->attempts[kept++].address = *at;
		else
			snprintf(connector->error, sizeof connector->error,
			    "must not connect to %s: it %s", address_text(at, text), why);
	}
	connector->count = kept;
}

static void
begin(struct connector *connector)
{
	if (connector->fence.allows)
		ask_fence(connector);
	try_next(connector);
}

static void
on_resolved(void *arg, const struct address *addresses, size_t count, const char *error)
{
	struct connector *connector = arg;

	connector->resolution = NULL;
	if (error) {
		snprintf(connector->error, sizeof connector->error, "%s", error);
		if (is_out_of_descriptors())
			note_short(connector, error);
		settle(connector);
		return;
	}
	for (size_t i = 0; i < count; i++)
		add_address(connector, &addresses[i]);
	begin(connector);
}

static void
on_begin(void *arg)
{
	begin(arg);
}

static void
set_name(struct connector *connector, const char *target)
{
	uint16_t port;

	snprintf(connector->error, sizeof connector->error,
	    "cannot connect to \"%.100s\": not host:port, [address]:port or unix:/path", target);
	if (host_port_split(target, connector->host, &port)) {
		snprintf(connector->error, sizeof connector->error,
		    "cannot resolve \"%.100s\": memory is short", connector->host);
		connector->resolution =
		    (connector->fence.allows ? resolver_ask_strange : resolver_ask)(
			connector->resolver, connector->loop, connector->host, port, on_resolved,
			connector);
	}
}

struct connector *
connector_new_fenced(struct loop *loop, struct resolver *resolver, const char *target,
    uint64_t timeout_ms, const struct connector_fence *fence,
    void (*on_done)(void *, int, const char *), void *arg)
{
	struct address literal;
	bool is_literal = address_parse(&literal, target);
	size_t most = is_literal ? 1 : RESOLVED_MOST;
	struct connector *connector =
	    calloc(1, sizeof *connector + most * sizeof connector->attempts[0]);

	if (!connector)
		return NULL;
	connector->loop = loop;
	connector->resolver = resolver;
	connector->fence = *fence;
	connector->fd = -1;
	connector->deadline_ms = clock_ms() + timeout_ms;
	connector->on_done = on_done;
	connector->arg = arg;
	task_init(&connector->begin, on_begin, connector);
	task_init(&connector->reap, reap, connector);
	timer_init(&connector->overall, loop, on_overall_over, connector);
	timer_init(&connector->pace, loop, on_pace, connector);
	timer_set(&connector->overall, timeout_ms);
	if (is_literal)
		add_address(connector, &literal);
	else
		set_name(connector, target);
	if (!connector->resolution)
		loop_later(loop, &connector->begin);
	return connector;
}

struct connector *
connector_new(struct loop *loop, struct resolver *resolver, const char *target, uint64_t timeout_ms,
    void (*on_done)(void *, int, const char *), void *arg)
{
	const struct connector_fence none = { NULL, NULL };

	return connector_new_fenced(loop, resolver, target, timeout_ms, &none, on_done, arg);
}

void
connector_set_source(struct connector *connector, const struct connect_source *source)
{
	connector->source = *source;
}

void
connector_free(struct connector *connector)
{
	if (!connector)
		return;
	resolution_forget(connector->resolution);
	loop_forget(connector->loop, &connector->begin);
	timer_clear(&connector->overall);
	timer_clear(&connector->pace);
	for (size_t i = 0; i < connector->next; i++)
		close_attempt(&connector->attempts[i]);
	if (connector->fd >= 0)
		close(connector->fd);
	free(connector);
}
