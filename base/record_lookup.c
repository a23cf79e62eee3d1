/* Both ends of the way by which records are asked for. */
#include "base/record_lookup.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/cursor.h"
#include "base/helper.h"
#include "base/loop.h"

enum {
	SECONDS = 3,
	TIMES = 2,
	PATIENCE_MS = 60000, /* for all that may wait before it */
	HEAD = 9,            /* of an answer: number u64, outcome u8; the message follows */
	QUESTION = 512,      /* number u64, type u16, name text16, server: 4 octets, port u16 */
};

struct record_question {
	uint64_t number;
	struct record_query query;
};

static void
encode(struct writer *out, const struct record_question *question)
{
	const struct sockaddr_in *server = &question->query.server.as.v4;

	writer_u64(out, question->number);
	writer_u16(out, question->query.type);
	writer_text16(out, question->query.name);
	writer_bytes(out, &server->sin_addr, sizeof server->sin_addr);
	writer_bytes(out, &server->sin_port, sizeof server->sin_port);
}

static bool
decode(struct cursor in, struct record_question *out)
{
	struct sockaddr_in server = { .sin_family = AF_INET };

	*out = (struct record_question){ .number = cursor_u64(&in) };
	out->query.type = cursor_u16(&in);
	cursor_text16(&in, out->query.name, sizeof out->query.name);
	cursor_copy(&in, &server.sin_addr, sizeof server.sin_addr);
	cursor_copy(&in, &server.sin_port, sizeof server.sin_port);
	if (server.sin_port != 0)
		address_from(&out->query.server, (struct sockaddr *)&server, sizeof server);
	return cursor_end(&in);
}

/* ---- in the process ---- */

static enum record_outcome
ask(struct __res_state *resolver, const struct record_query *query, uint8_t *message, size_t *bytes)
{
	int got = res_nquery(resolver, query->name, ns_c_in, query->type, message, RECORD_MESSAGE);

	if (got >= 0 && got <= RECORD_MESSAGE) {
		*bytes = (size_t)got;
		return RECORDS_FOUND;
	}
	return got < 0 &&
		(resolver->res_h_errno == HOST_NOT_FOUND || resolver->res_h_errno == NO_DATA)
	    ? RECORDS_NONE
	    : RECORDS_SILENT;
}

static enum record_outcome
look_up(const struct record_query *query, uint8_t *message, size_t *bytes)
{
	struct __res_state resolver = { 0 };
	enum record_outcome outcome;

	*bytes = 0;
	if (res_ninit(&resolver) < 0)
		return RECORDS_SILENT;
	resolver.retrans = SECONDS;
	resolver.retry = TIMES;
	resolver.options &= ~(unsigned long)(RES_DNSRCH | RES_DEFNAMES);
	if (query->server.bytes > 0) {
		resolver.nscount = 1;
		resolver.nsaddr_list[0] = query->server.as.v4;
	}
	outcome = ask(&resolver, query, message, bytes);
	res_nclose(&resolver);
	return outcome;
}

static void
answer(int way, const struct record_question *question)
{
	uint8_t message[HEAD + RECORD_MESSAGE];
	struct writer out = writer_over(message, HEAD);
	enum record_outcome outcome;
	size_t bytes;

	outcome = look_up(&question->query, message + HEAD, &bytes);
	writer_u64(&out, question->number);
	writer_u8(&out, (uint8_t)outcome);
	send(way, message, HEAD + bytes, MSG_NOSIGNAL);
}

void
record_lookup_serve(int way, _Atomic bool *is_busy)
{
	struct pollfd wait = { .fd = way, .events = POLLIN };
	uint8_t message[QUESTION];
	struct record_question question;
	ssize_t got = 1;

	while (got != 0) {
		if (poll(&wait, 1, -1) < 0)
			continue;
		got = recv(way, message, sizeof message, 0);
		*is_busy = true;
		if (got > 0 && decode(cursor_over(message, (size_t)got), &question))
			answer(way, &question);
		*is_busy = false;
	}
}

/* ---- in the daemon ---- */

struct record_lookup {
	LIST_ENTRY(record_lookup) link;
	struct record_lookups *lookups;
	uint64_t number;
	struct timer timer;
	void (*on_done)(void *, enum record_outcome, const uint8_t *, size_t);
	void *arg;
};

struct record_lookups {
	struct loop *loop;
	struct watch watch;
	LIST_HEAD(, record_lookup) asked;
	unsigned count;
	uint64_t begun; /* ever */
};

static void
tell(
    struct record_lookup *lookup, enum record_outcome outcome, const uint8_t *message, size_t bytes)
{
	void (*on_done)(void *, enum record_outcome, const uint8_t *, size_t) = lookup->on_done;
	void *arg = lookup->arg;

	record_lookup_cancel(lookup);
	on_done(arg, outcome, message, bytes);
}

static void
on_time(void *arg)
{
	tell(arg, RECORDS_SILENT, NULL, 0);
}

static struct record_lookup *
find(const struct record_lookups *lookups, uint64_t number)
{
	struct record_lookup *lookup;

	LIST_FOREACH(lookup, &lookups->asked, link)
		if (lookup->number == number)
			return lookup;
	return NULL;
}

static void
on_answer(void *arg, unsigned ready)
{
	struct record_lookups *lookups = arg;
	uint8_t message[HEAD + RECORD_MESSAGE];
	ssize_t got = recv(lookups->watch.fd, message, sizeof message, MSG_DONTWAIT);
	struct cursor in = cursor_over(message, got > 0 ? (size_t)got : 0);
	struct record_lookup *lookup = find(lookups, cursor_u64(&in));
	unsigned outcome = cursor_u8(&in);

	(void)ready;
	if (got == 0)
		watch_want(&lookups->watch, WATCH_NOTHING);
	if (lookup && !in.failed && outcome < RECORD_OUTCOMES)
		tell(lookup, (enum record_outcome)outcome, in.at, in.left);
}

struct record_lookups *
record_lookups_new(struct loop *loop, struct helper *helper)
{
	struct record_lookups *lookups = calloc(1, sizeof *lookups);

	if (!lookups)
		return NULL;
	lookups->loop = loop;
	LIST_INIT(&lookups->asked);
	watch_init(
	    &lookups->watch, loop, helper_way(helper, RECORD_LOOKUP_WAY), on_answer, lookups);
	watch_want(&lookups->watch, WATCH_READ);
	return lookups;
}

void
record_lookups_free(struct record_lookups *lookups)
{
	if (!lookups)
		return;
	watch_wipe(&lookups->watch);
	free(lookups);
}

/* Where the process cannot be asked, nobody answers: that is told a moment later. */
struct record_lookup *
record_lookup_start(struct record_lookups *lookups, const struct record_query *query,
    void (*on_done)(void *, enum record_outcome, const uint8_t *, size_t), void *arg)
{
	struct record_lookup *lookup =
	    lookups->count < RECORD_LOOKUPS_MOST ? calloc(1, sizeof *lookup) : NULL;
	uint8_t message[QUESTION];
	struct writer out = writer_over(message, sizeof message);
	bool is_asked;

	if (!lookup)
		return NULL;
	lookup->lookups = lookups;
	lookup->number = ++lookups->begun;
	lookup->on_done = on_done;
	lookup->arg = arg;
	LIST_INSERT_HEAD(&lookups->asked, lookup, link);
	lookups->count++;
	encode(&out, &(struct record_question){ lookup->number, *query });
	is_asked = !out.failed &&
	    send(lookups->watch.fd, message, out.bytes, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
	timer_init(&lookup->timer, lookups->loop, on_time, lookup);
	timer_set(&lookup->timer, is_asked ? PATIENCE_MS : 0);
	return lookup;
}

void
record_lookup_cancel(struct record_lookup *lookup)
{
	if (!lookup)
		return;
	LIST_REMOVE(lookup, link);
	lookup->lookups->count--;
	timer_clear(&lookup->timer);
	free(lookup);
}
