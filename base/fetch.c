/* A fetch on its way: from the loop by the resolver to the process that fetches, and back. */
#include "base/fetch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/fetch_message.h"
#include "base/fetch_proxy.h"
#include "base/fetch_url.h"
#include "base/helper.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/numbers.h"
#include "base/parcel.h"
#include "base/pass.h"
#include "base/paths.h"
#include "base/resolved.h"
#include "base/resolver.h"
#include "base/secret.h"
#include "base/units.h"

enum {
	USUAL_MOST = 1 << 20,
	USUAL_MS = 30000,
	/* The process keeps the deadline; one that does not answer at all gets so much more. */
	GRACE_MS = 5000,
	ADDRESSES = RESOLVED_MOST * ADDRESS_TEXT,
};

enum fetch_stage { FETCH_RESOLVING, FETCH_TRAVELLING, FETCH_OVER, FETCH_STAGES };

/*
 *	RESOLVING --> TRAVELLING --> OVER, freed
 *	    +-----------------------^
 */
struct fetch {
	LIST_ENTRY(fetch) link; /* of those that travel */
	struct fetcher *fetcher;
	void (*fn)(void *arg, const struct fetch_answer *);
	void *arg;
	enum fetch_stage stage;
	uint64_t number; /* the process knows it by that */
	char *url;
	size_t answer_most;
	uint64_t deadline_ms;        /* of clock_ms() */
	struct fetch_target contact; /* whom a connection is made to */
	struct fetch_buffer order;   /* until it is sent */
	int key_way;                 /* until it is sent; -1: none */
	struct resolution *resolution;
	struct task begin;
	struct timer timer;
	char error[FETCH_ERROR]; /* "": nothing is wrong yet */
	enum fetch_outcome outcome;
};

LIST_HEAD(fetch_list, fetch);

struct fetcher {
	struct loop *loop;
	struct resolver *resolver;
	struct helper *helper;
	struct watch answers, news;
	struct fetch_list travelling;
	unsigned count; /* that are not answered yet */
	uint64_t begun; /* ever */
};

static void
move(struct fetch *fetch, enum fetch_stage to)
{
	static const unsigned may_move[FETCH_STAGES] = {
		[FETCH_RESOLVING] = 1u << FETCH_TRAVELLING | 1u << FETCH_OVER,
		[FETCH_TRAVELLING] = 1u << FETCH_OVER,
	};
	static const char *const stage_name[FETCH_STAGES] = { "resolving", "travelling", "over" };

	assert(may_move[fetch->stage] & 1u << to);
	log_move("fetch", log_object("fetch", fetch), stage_name[fetch->stage], stage_name[to]);
	fetch->stage = to;
}

#define fetch_fail(fetch, how, ...) \
	((fetch)->outcome = (how), fetch_sentence((fetch)->error, (fetch)->url, __VA_ARGS__))

/* ---- the end ---- */

/* The fetcher knows it no more. */
static void
leave(struct fetch *fetch)
{
	if (fetch->stage == FETCH_TRAVELLING)
		LIST_REMOVE(fetch, link);
	fetch->fetcher->count--;
	resolution_forget(fetch->resolution);
	loop_forget(fetch->fetcher->loop, &fetch->begin);
	timer_clear(&fetch->timer);
	move(fetch, FETCH_OVER);
}

static void
fetch_free(struct fetch *fetch)
{
	fetch_buffer_wipe(&fetch->order);
	if (fetch->key_way >= 0)
		close(fetch->key_way);
	free(fetch->url);
	free(fetch);
}

/* Whom it tells may free the fetcher. */
static void
tell(struct fetch *fetch, const struct fetch_answer *answer)
{
	leave(fetch);
	fetch->fn(fetch->arg, answer);
	fetch_free(fetch);
}

static void
tell_failure(struct fetch *fetch)
{
	const struct fetch_answer answer = {
		.outcome = fetch->outcome, .error = fetch->error, .url = fetch->url, .body = ""
	};

	tell(fetch, &answer);
}

/* ---- what comes back ---- */

static void
take_answer(struct fetch *fetch, int fd)
{
	struct secret message;
	struct fetch_answer answer;
	bool is_read = parcel_read(fd, fetch->answer_most + FETCH_ANSWER_REST, &message);

	if (is_read && fetch_answer_decode(cursor_over(message.data, message.bytes), &answer) &&
	    answer.body_bytes <= fetch->answer_most) {
		tell(fetch, &answer);
	} else {
		fetch_fail(fetch, FETCH_UNREACHABLE,
		    "what the process that fetches says cannot be used, or memory is short");
		tell_failure(fetch);
	}
	secret_wipe(&message);
}

static struct fetch *
find(const struct fetcher *fetcher, uint64_t number)
{
	struct fetch *fetch;

	LIST_FOREACH(fetch, &fetcher->travelling, link)
		if (fetch->number == number)
			return fetch;
	return NULL;
}

static void
on_answer(void *arg, unsigned ready)
{
	struct fetcher *fetcher = arg;
	struct fetch *fetch = NULL;
	uint8_t head[sizeof(uint64_t)];
	int fd;
	ssize_t got = pass_receive(fetcher->answers.fd, head, sizeof head, &fd);
	struct cursor in = cursor_over(head, got > 0 ? (size_t)got : 0);

	(void)ready;
	if (got == 0)
		watch_want(&fetcher->answers, WATCH_NOTHING); /* the news say why */
	if (fd < 0)
		return;
	fetch = find(fetcher, cursor_u64(&in));
	if (fetch && cursor_end(&in))
		take_answer(fetch, fd);
	else
		close(fd); /* of one that was cancelled */
}

static void
on_news(void *arg, unsigned ready)
{
	struct fetcher *fetcher = arg;
	enum helper_event event = helper_hear(fetcher->helper);
	struct fetch *fetch, *next;

	(void)ready;
	if (event == HELPER_FINE)
		return;
	if (event == HELPER_LOST)
		watch_want(&fetcher->news, WATCH_NOTHING);
	for (fetch = LIST_FIRST(&fetcher->travelling); fetch; fetch = next) {
		next = LIST_NEXT(fetch, link);
		fetch_fail(
		    fetch, FETCH_UNREACHABLE, "the process that fetches has ended; try again");
		loop_later(fetcher->loop, &fetch->begin);
	}
}

static void
on_time(void *arg)
{
	struct fetch *fetch = arg;

	fetch_fail(fetch, FETCH_UNREACHABLE, "the process that fetches does not answer");
	tell_failure(fetch);
}

/* ---- what goes out ---- */

static bool
say(struct fetch *fetch, enum fetch_word word, int fd)
{
	uint8_t head[FETCH_MESSAGE];
	struct writer out = writer_over(head, sizeof head);
	int way = helper_way(fetch->fetcher->helper, 0);

	writer_u64(&out, fetch->number);
	writer_u8(&out, (uint8_t)word);
	return word == FETCH_ORDERED
	    ? parcel_send(way, head, out.bytes, fetch->order.data, fetch->order.bytes)
	    : pass_send(way, head, out.bytes, fd) == (ssize_t)out.bytes;
}

/* False with an error. */
static bool
send_order(struct fetch *fetch, const char *addresses)
{
	uint64_t left_ms = larger_of(difference(fetch->deadline_ms, clock_ms()), 1);

	if (fetch_order_finish(&fetch->order, addresses, left_ms) &&
	    (fetch->key_way < 0 || say(fetch, FETCH_KEY, fetch->key_way)) &&
	    say(fetch, FETCH_ORDERED, -1)) {
		timer_set(&fetch->timer, left_ms + GRACE_MS);
		return true;
	}
	fetch_fail(fetch, FETCH_UNREACHABLE, "the process that fetches cannot be asked: %s",
	    strerror(errno));
	return false;
}

static void
send_off(struct fetch *fetch, const char *addresses)
{
	if (!send_order(fetch, addresses)) {
		tell_failure(fetch);
		return;
	}
	fetch_buffer_wipe(&fetch->order);
	if (fetch->key_way >= 0)
		close(fetch->key_way);
	fetch->key_way = -1;
	move(fetch, FETCH_TRAVELLING);
	LIST_INSERT_HEAD(&fetch->fetcher->travelling, fetch, link);
}

static void
on_resolved(void *arg, const struct address *addresses, size_t count, const char *error)
{
	struct fetch *fetch = arg;
	char list[ADDRESSES] = "", text[ADDRESS_TEXT];
	size_t used = 0;

	fetch->resolution = NULL;
	if (error) {
		fetch_fail(fetch, FETCH_UNREACHABLE, "%s", error);
		tell_failure(fetch);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		bool is_v6 = addresses[i].as.any.sa_family == AF_INET6;

		used += (size_t)snprintf(list + used, sizeof list - used, is_v6 ? "%s[%s]" : "%s%s",
		    i > 0 ? "," : "", address_host_text(&addresses[i], text));
	}
	send_off(fetch, list);
}

/* Nothing is to be resolved, or something is wrong: with the request, or the process. */
static void
on_begin(void *arg)
{
	struct fetch *fetch = arg;

	if (fetch->error[0] != '\0')
		tell_failure(fetch);
	else
		send_off(fetch, NULL);
}

static void
set_out(struct fetch *fetch)
{
	const struct fetch_target *contact = &fetch->contact;
	struct fetcher *fetcher = fetch->fetcher;

	if (fetch->error[0] == '\0' && !contact->is_literal) {
		fetch->resolution = resolver_ask(fetcher->resolver, fetcher->loop, contact->host,
		    contact->port, on_resolved, fetch);
		if (fetch->resolution)
			return;
		fetch_fail(fetch, FETCH_UNREACHABLE, "memory is short");
	}
	loop_later(fetcher->loop, &fetch->begin);
}

/* ---- the request ---- */

/* What would give a secret away is our own mistake, and is refused all the same. */
static void
check(struct fetch *fetch, const struct fetch_request *request, bool is_secure)
{
	bool has_secret = request->user || request->password || request->certificate;

	if (has_secret && !is_secure)
		fetch_fail(fetch, FETCH_REFUSED,
		    "a password or a certificate goes by https only; write https://");
	else if (has_secret && request->trust == FETCH_TRUST_NOBODY)
		fetch_fail(fetch, FETCH_REFUSED,
		    "a password or a certificate goes to nobody who was not judged");
	else if ((request->trust == FETCH_TRUST_PIN && !request->pin) ||
	    (request->trust == FETCH_TRUST_GIVEN && !request->cas))
		fetch_fail(fetch, FETCH_REFUSED, "there is nothing to believe its server by");
}

static void
take_dial(struct fetch *fetch, const char *dial)
{
	char host[254];
	uint16_t port;

	if (!dial)
		return;
	if (host_port_split(dial, host, &port) && fetch_target_set_host(&fetch->contact, host))
		fetch->contact.port = port;
	else
		fetch_fail(fetch, FETCH_REFUSED, "\"%.200s\" is no host:port to connect to", dial);
}

static void
take_proxy(struct fetch *fetch, struct fetch_order *order, const struct fetch_proxy *proxy)
{
	fetch->contact.port = proxy->port;
	if (!fetch_target_set_host(&fetch->contact, proxy->host))
		fetch_fail(fetch, FETCH_REFUSED, "\"%.200s\" is no host of a proxy", proxy->host);
	order->proxy_url = proxy->url;
	order->proxy_user = proxy->username;
	order->proxy_password = (const char *)proxy->password.data;
	order->proxy_cas = (const char *)proxy->cas.data;
}

/* Whom to contact.  False: something is wrong with the request. */
static bool
take_contact(struct fetch *fetch, struct fetch_order *order, const struct fetch_request *request)
{
	struct fetch_target target;
	char why[256];

	if (!fetch_target_parse(&target, fetch->url, why)) {
		fetch_fail(fetch, FETCH_REFUSED, "%s", why);
		return false;
	}
	fetch->contact = target;
	take_dial(fetch, request->dial);
	check(fetch, request, target.is_secure);
	if (request->proxy && fetch_proxy_is_for(request->proxy, target.host))
		take_proxy(fetch, order, request->proxy);
	order->contact_host = fetch->contact.host;
	order->contact_port = fetch->contact.port;
	return fetch->error[0] == '\0';
}

/* Writes the order.  False: memory is short; what is wrong with the request is the fetch's error. */
static bool
take_request(struct fetch *fetch, const struct fetch_request *request)
{
	struct fetch_order order = { .request = *request };
	uint64_t ms = request->deadline_ms > 0 ? request->deadline_ms : USUAL_MS;

	fetch->answer_most = request->answer_most > 0 ? request->answer_most : USUAL_MOST;
	fetch->deadline_ms = clock_ms() + ms;
	order.request.answer_most = fetch->answer_most;
	fetch->url = strdup(request->url);
	if (!fetch->url)
		return false;
	if (!take_contact(fetch, &order, request))
		return true;
	if (request->key_way > 0 &&
	    (fetch->key_way = fcntl(request->key_way, F_DUPFD_CLOEXEC, 0)) < 0)
		return false;
	return fetch_order_encode(&fetch->order, &order);
}

struct fetch *
fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
    void (*fn)(void *, const struct fetch_answer *), void *arg)
{
	struct fetch *fetch = fetcher->count < FETCH_MOST ? calloc(1, sizeof *fetch) : NULL;

	if (!fetch)
		return NULL;
	fetcher->count++;
	fetch->fetcher = fetcher;
	fetch->number = ++fetcher->begun;
	fetch->fn = fn;
	fetch->arg = arg;
	fetch->key_way = -1;
	task_init(&fetch->begin, on_begin, fetch);
	timer_init(&fetch->timer, fetcher->loop, on_time, fetch);
	if (!take_request(fetch, request)) {
		leave(fetch);
		fetch_free(fetch);
		return NULL;
	}
	set_out(fetch);
	return fetch;
}

void
fetch_cancel(struct fetch *fetch)
{
	if (!fetch)
		return;
	if (fetch->stage == FETCH_TRAVELLING)
		say(fetch, FETCH_CANCELLED, -1); /* else its answer is thrown away */
	leave(fetch);
	fetch_free(fetch);
}

/* ---- the fetcher ---- */

struct fetcher *
fetcher_new(struct loop *loop, struct resolver *resolver, struct helper *helper)
{
	struct fetcher *fetcher = calloc(1, sizeof *fetcher);

	if (!fetcher)
		return NULL;
	fetcher->loop = loop;
	fetcher->resolver = resolver;
	fetcher->helper = helper;
	LIST_INIT(&fetcher->travelling);
	watch_init(&fetcher->answers, loop, helper_way(helper, 0), on_answer, fetcher);
	watch_init(&fetcher->news, loop, helper_news(helper), on_news, fetcher);
	watch_want(&fetcher->answers, WATCH_READ);
	watch_want(&fetcher->news, WATCH_READ);
	return fetcher;
}

void
fetcher_free(struct fetcher *fetcher)
{
	if (!fetcher)
		return;
	watch_wipe(&fetcher->answers);
	watch_wipe(&fetcher->news);
	free(fetcher);
}

bool
fetch_program_find(char path[FETCH_PROGRAM_PATH], char error[512])
{
	static const char name[] = "valise-fetch";
	char *slash;
	ssize_t bytes = readlink("/proc/self/exe", path, FETCH_PROGRAM_PATH - sizeof name);

	path[bytes > 0 ? bytes : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash) {
		memcpy(slash + 1, name, sizeof name);
		if (access(path, X_OK) == 0)
			return true;
	}
	snprintf(path, FETCH_PROGRAM_PATH, "%s/%s", paths_libexec, name);
	if (access(path, X_OK) == 0)
		return true;
	snprintf(error, 512,
	    "%.300s cannot be executed: %s; it fetches CRLs and certificates: install it with this program",
	    path, strerror(errno));
	return false;
}

struct helper *
fetch_helper_start(const char *program)
{
	char path[FETCH_PROGRAM_PATH], ignored[512];

	if (!program) {
		fetch_program_find(path, ignored); /* else a fetch tells that it is not there */
		program = path;
	}
	return helper_start(
	    &(struct helper_plan){ .name = "fetch", .ways = 1, .program = program });
}

/* ---- what an answer says ---- */

/* Lines with a NUL behind each, and one more behind the last. */
const char *
fetch_answer_header(const struct fetch_answer *answer, const char *name)
{
	size_t length = strlen(name);
	const char *line = answer->headers;

	for (; line && line[0] != '\0'; line += strlen(line) + 1)
		if (strncasecmp(line, name, length) == 0 && line[length] == ':')
			return line + length + 1 + strspn(line + length + 1, " \t");
	return NULL;
}

/* The three forms of RFC 9110, 5.6.7; -1: none of them. */
static int64_t
date_of(const char *text)
{
	static const char *const forms[] = { "%a, %d %b %Y %H:%M:%S GMT",
		"%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y" };

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct tm when = { 0 };
		const char *end = strptime(text, forms[i], &when);

		if (end && *end == '\0')
			return (int64_t)timegm(&when);
	}
	return -1;
}

uint64_t
fetch_answer_retry_after_s(const struct fetch_answer *answer, int64_t now_s)
{
	const char *text = fetch_answer_header(answer, "Retry-After");
	uint64_t seconds;
	int64_t when;

	if (!text)
		return 0;
	if (number_parse(text, &seconds))
		return seconds;
	when = date_of(text);
	return when > now_s ? (uint64_t)(when - now_s) : 0;
}
