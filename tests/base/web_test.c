/* The HTTP of a daemon, over real sockets and with its real thread. */
#include "base/web.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/clock_fake.h"
#include "base/conf.h"
#include "base/loop_advance.h"
#include "base/socket.h"
#include "helpers.h"

enum { TEXT = 256 * 1024, PATIENCE_MS = 20000, BIG = 100 * 1024 };

static struct loop *loop;
static struct web *web;
static char text[TEXT];
static char error[WEB_ERROR];
static struct address where[2]; /* admin.http, admin.health */

/* ---- the daemon ---- */

struct snapshot {
	unsigned number;
	struct web_text *kept;
};

static unsigned taken, readers;
static atomic_uint freed;
static bool is_slow;

static void
take(void *arg)
{
	struct snapshot *snapshot = calloc(1, sizeof *snapshot);

	assert_string_equal(arg, "the daemon");
	snapshot->number = ++taken;
	if (is_slow)
		free(snapshot);
	else
		web_give(web, snapshot);
}

static void
free_snapshot(void *arg)
{
	struct snapshot *snapshot = arg;

	web_text_release(snapshot->kept);
	free(snapshot);
	freed++;
}

static void
on_reader(void *arg)
{
	assert_string_equal(arg, "the daemon");
	readers++;
}

static void
answer_number(struct web_question *question, void *arg)
{
	struct snapshot *snapshot = arg;
	const char *name = web_question_value(question, "name");
	char line[64];

	if (!snapshot) {
		web_answer_sentence(question, 503, "no snapshot\n");
		return;
	}
	snprintf(line, sizeof line, "number %u %s %s\n", snapshot->number,
	    web_question_place(question) == WEB_HTTP ? "http" : "health", name ? name : "-");
	web_answer_sentence(question, 200, line);
}

static void
answer_kept(struct web_question *question, void *arg)
{
	struct snapshot *snapshot = arg;

	if (!snapshot->kept)
		snapshot->kept = web_text_new("text/x-kept", strdup("kept\n"), 5);
	web_answer(question, 200, snapshot->kept);
}

static const struct web_file file = { "text/html", "<p>page", 7, "default-src 'self'" };
static const struct web_path paths[] = {
	{ "/", WEB_HTTP, .file = &file },
	{ "/events", WEB_HTTP, .is_stream = true },
	{ "/number", WEB_HTTP | WEB_HEALTH, .answer = answer_number },
	{ "/kept", WEB_HTTP, .answer = answer_kept },
	{ 0 },
};

static int
start_by_real_clocks(void **state)
{
	static char listed[] = "status.example";
	static char *items[] = { listed };
	static const struct conf_texts hosts = { .items = items, .count = 1 };
	static char daemon_name[] = "the daemon";
	const struct web_options options = { .paths = paths,
		.hosts = &hosts,
		.take = take,
		.free_snapshot = free_snapshot,
		.on_reader = on_reader,
		.arg = daemon_name };
	struct web_options whole = options;
	struct address any;

	(void)state;
	taken = readers = 0;
	freed = 0;
	is_slow = false;
	loop = loop_new();
	whole.main = loop;
	web = web_new(&whole);
	address_parse(&any, "127.0.0.1:0");
	assert_true(web_listen(web, WEB_HTTP, &any, error));
	assert_true(web_listen(web, WEB_HEALTH, &any, error));
	where[0] = socket_local(web_descriptor(web, WEB_HTTP));
	where[1] = socket_local(web_descriptor(web, WEB_HEALTH));
	assert_true(web_start(web));
	return 0;
}

/* The thread sees that time passes when something wakes it. */
static int
start(void **state)
{
	clock_fake(UINT64_C(1000000000), 1000000);
	return start_by_real_clocks(state);
}

static int
stop(void **state)
{
	(void)state;
	web_stop(web);
	loop_free(loop);
	web_free(web);
	clock_fake(0, 0);
	return 0;
}

/* ---- clients ---- */

static int
dial(const struct address *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, &to->as.any, to->bytes), 0);
	return fd;
}

static void
say(int fd, const char *words)
{
	assert_int_equal(send(fd, words, strlen(words), MSG_NOSIGNAL), strlen(words));
}

/* The main loop turns once, since it takes the snapshots. */
static void
end_turn(void *data)
{
	loop_stop(data);
}

static void
turn(void)
{
	static struct call call;

	loop_call(loop, &call, end_turn, loop);
	loop_run(loop);
}

/* The thread of the web has to do something of which no event tells. */
static void
moment(void)
{
	poll(NULL, 0, 1);
}

static bool
wait_readable(int fd)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };

	for (int i = 0; i < PATIENCE_MS; i++) {
		turn();
		if (poll(&one, 1, 1) > 0)
			return true;
	}
	return false;
}

static size_t
hear_once(int fd, size_t at)
{
	ssize_t got;

	if (!wait_readable(fd))
		fail_msg("nothing came; so far: %.*s", (int)at, text);
	got = recv(fd, text + at, TEXT - 1 - at, 0);
	text[at + (got > 0 ? (size_t)got : 0)] = '\0';
	return got > 0 ? (size_t)got : 0;
}

/* Up to the end of the connection. */
static const char *
hear_all(int fd)
{
	size_t at = 0, more;

	while ((more = hear_once(fd, at)) > 0)
		at += more;
	close(fd);
	return text;
}

static const char *
hear_until(int fd, const char *words)
{
	size_t at = 0, more = 1;

	text[0] = '\0';
	while (!strstr(text, words)) {
		more = hear_once(fd, at);
		if (more == 0)
			fail_msg("the end before '%s': %s", words, text);
		at += more;
	}
	return text;
}

static const char *
ask_with(const struct address *to, const char *method, const char *path, const char *header)
{
	char request[512];
	int fd = dial(to);

	snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nConnection: close\r\n%s\r\n", method,
	    path, header);
	say(fd, request);
	return hear_all(fd);
}

static const char *
get(const struct address *to, const char *path)
{
	return ask_with(to, "GET", path, "Host: localhost\r\n");
}

static void
assert_has(const char *whole, const char *part)
{
	if (!strstr(whole, part))
		fail_msg("no '%s' in: %s", part, whole);
}

static void
assert_status(const char *whole, const char *status)
{
	if (strncmp(whole + strlen("HTTP/1.1 "), status, 3) != 0)
		fail_msg("not %s: %s", status, whole);
}

/* ---- answers ---- */

static void
serves_files_with_what_browsers_must_know(void **state)
{
	const char *got = get(&where[0], "/");
	char tag[64], header[128];

	(void)state;
	assert_status(got, "200");
	assert_has(got, "\r\n\r\n<p>page");
	assert_has(got, "Content-Type: text/html\r\n");
	assert_has(got, "Content-Security-Policy: default-src 'self'\r\n");
	assert_has(got, "X-Content-Type-Options: nosniff\r\n");
	assert_has(got, "Referrer-Policy: no-referrer\r\n");
	assert_has(got, "Cache-Control: no-cache\r\n");
	assert_int_equal(sscanf(strstr(got, "ETag: "), "ETag: %63s", tag), 1);
	snprintf(header, sizeof header, "Host: localhost\r\nIf-None-Match: %s\r\n", tag);
	assert_status(ask_with(&where[0], "GET", "/", header), "304");
	got = ask_with(&where[0], "HEAD", "/", "Host: localhost\r\n");
	assert_status(got, "200");
	assert_has(got, "Content-Length: 7\r\n");
	assert_null(strstr(got, "<p>"));
}

static void
knows_only_its_paths_and_only_reads(void **state)
{
	const char *got;

	(void)state;
	assert_status(get(&where[0], "/other"), "404");
	assert_status(get(&where[0], "//"), "404");
	assert_status(get(&where[1], "/"), "404");
	assert_status(get(&where[1], "/events"), "404");
	got = ask_with(&where[0], "POST", "/number", "Host: localhost\r\nContent-Length: 0\r\n");
	assert_status(got, "405");
	assert_has(got, "Allow: GET, HEAD\r\n");
	assert_status(ask_with(&where[0], "DELETE", "/", "Host: localhost\r\n"), "405");
	assert_int_equal(taken, 0);
}

static void
refuses_strange_hosts_and_pages_of_others(void **state)
{
	(void)state;
	assert_status(ask_with(&where[0], "GET", "/number", "Host: rebound.example\r\n"), "403");
	assert_status(ask_with(&where[0], "GET", "/number", "Host: status.example:80\r\n"), "200");
	assert_status(ask_with(&where[0], "GET", "/number",
			  "Host: localhost\r\nOrigin: http://evil.example\r\n"),
	    "403");
	assert_status(ask_with(&where[0], "GET", "/",
			  "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n"),
	    "403");
	/* At the other place anybody may call this host what he likes. */
	assert_status(ask_with(&where[1], "GET", "/number", "Host: 10.0.0.7\r\n"), "200");
	assert_status(ask_with(&where[1], "GET", "/number",
			  "Host: 10.0.0.7\r\nSec-Fetch-Site: cross-site\r\n"),
	    "403");
}

/* ---- snapshots ---- */

static void
shares_a_snapshot_for_a_second(void **state)
{
	(void)state;
	assert_has(get(&where[0], "/number?name=a%20b"), "number 1 http a b\n");
	assert_has(get(&where[1], "/number"), "number 1 health -\n");
	loop_advance(loop, WEB_SNAPSHOT_MS - 1);
	assert_has(get(&where[0], "/number"), "number 1 ");
	loop_advance(loop, 1);
	assert_has(get(&where[0], "/number"), "number 2 ");
	assert_int_equal(taken, 2);
	assert_int_equal(freed, 1);
}

static void
a_text_may_be_kept_with_its_snapshot(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *got = get(&where[0], "/kept");

		assert_has(got, "Content-Type: text/x-kept\r\n");
		assert_has(got, "\r\n\r\nkept\n");
	}
}

static void
those_who_ask_together_share_one(void **state)
{
	int fds[8];

	(void)state;
	for (size_t i = 0; i < COUNT(fds); i++) {
		fds[i] = dial(&where[0]);
		say(fds[i], "GET /number HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
	}
	for (size_t i = 0; i < COUNT(fds); i++)
		assert_has(hear_all(fds[i]), "number 1 ");
	assert_int_equal(taken, 1);
}

static void
wake(void)
{
	close(dial(&where[1]));
}

static void
answers_without_a_snapshot_when_none_comes(void **state)
{
	int fd = dial(&where[0]);

	(void)state;
	is_slow = true;
	say(fd, "GET /number HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
	for (int i = 0; i < PATIENCE_MS && taken == 0; i++) {
		turn();
		moment();
	}
	assert_int_equal(taken, 1);
	loop_advance(loop, WEB_PATIENCE_MS);
	wake();
	assert_status(hear_all(fd), "503");
	/* The one that is late is still waited for; no other one is made. */
	fd = dial(&where[0]);
	say(fd, "GET /number HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
	is_slow = false;
	take((void *)(uintptr_t) "the daemon");
	assert_has(hear_all(fd), "number 2 ");
}

static void
a_client_that_goes_while_it_waits_is_forgotten(void **state)
{
	int fd = dial(&where[0]);

	(void)state;
	is_slow = true;
	say(fd, "GET /number HTTP/1.1\r\nHost: localhost\r\n\r\n");
	for (int i = 0; i < PATIENCE_MS && taken == 0; i++) {
		turn();
		moment();
	}
	close(fd);
	is_slow = false;
	take((void *)(uintptr_t) "the daemon");
	assert_has(get(&where[0], "/number"), "number 2 ");
}

/* ---- streams ---- */

static int
open_stream(void)
{
	int fd = dial(&where[0]);

	say(fd, "GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
	hear_until(fd, "retry: 2000");
	return fd;
}

static void
wait_for_readers(bool wanted)
{
	for (int i = 0; i < PATIENCE_MS && web_has_readers(web) != wanted; i++) {
		turn();
		moment();
	}
	assert_true(web_has_readers(web) == wanted);
}

static void
a_stream_has_all_events(void **state)
{
	int fd, late;

	(void)state;
	assert_false(web_has_readers(web));
	fd = open_stream();
	assert_has(text, "Content-Type: text/event-stream\r\n");
	wait_for_readers(true);
	web_publish(web, "view", "{\"a\":1}", 7);
	hear_until(fd, "event: view\ndata: {\"a\":1}\n\n");
	web_publish(web, "names", "[]", 2);
	web_publish(web, "view", "{\"a\":2}", 7);
	hear_until(fd, "{\"a\":2}\n\n");
	late = open_stream();
	if (!strstr(text, "[]\n\n"))
		hear_until(late, "[]\n\n");
	assert_null(strstr(text, "{\"a\":1}"));
	close(fd);
	close(late);
	/* A stream that has gone is noticed with the next event that does not get through. */
	for (int i = 0; i < PATIENCE_MS && web_has_readers(web); i++) {
		web_publish(web, "view", "{}", 2);
		moment();
	}
	assert_false(web_has_readers(web));
	turn();
	assert_true(readers >= 1);
}

static void
one_stream_too_many_is_refused(void **state)
{
	int fds[WEB_STREAMS];

	(void)state;
	for (size_t i = 0; i < WEB_STREAMS; i++)
		fds[i] = open_stream();
	assert_status(get(&where[0], "/events"), "503");
	for (size_t i = 0; i < WEB_STREAMS; i++)
		close(fds[i]);
}

/* The kernel's buffers take some of it first. */
static void
who_reads_nothing_is_dropped_and_others_are_not(void **state)
{
	char *big = malloc(BIG);
	int idle = open_stream(), busy = open_stream(), last = 0;
	char line[32];

	(void)state;
	memset(big, 'x', BIG);
	for (int i = 1; i <= 400 && last == 0; i++) {
		struct pollfd one = { .fd = idle, .events = POLLRDHUP };

		web_publish(web, "view", big, BIG);
		snprintf(line, sizeof line, "mark-%d", i);
		web_publish(web, "names", line, strlen(line));
		hear_until(busy, line);
		if (poll(&one, 1, 0) > 0)
			last = i;
	}
	assert_true(last > 2);
	close(idle);
	close(busy);
	free(big);
}

/* ---- bounds ---- */

static void
when_all_places_are_taken_the_idle_leave(void **state)
{
	int fds[WEB_CONNECTIONS], fd;

	(void)state;
	for (size_t i = 0; i < WEB_CONNECTIONS; i++)
		fds[i] = dial(&where[0]);
	fd = dial(&where[0]);
	say(fd, "GET /number HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
	/* The thread looks at them by its own clock, whenever something wakes it. */
	for (int i = 0; i < 12; i++) {
		loop_advance(loop, 500);
		wake();
		moment();
	}
	assert_has(hear_all(fd), "number ");
	for (size_t i = 0; i < WEB_CONNECTIONS; i++)
		close(fds[i]);
}

static void
an_address_has_a_quarter_of_the_places_for_strangers(void **state)
{
	int fds[WEB_CONNECTIONS / 4], fd;

	(void)state;
	for (size_t i = 0; i < COUNT(fds); i++) {
		fds[i] = dial(&where[1]);
		say(fds[i], "GET /number HTTP/1.1\r\nHost: x\r\n\r\n");
		hear_until(fds[i], "number ");
	}
	fd = dial(&where[1]);
	assert_int_equal(strlen(hear_all(fd)), 0);
	for (size_t i = 0; i < COUNT(fds); i++)
		close(fds[i]);
}

static void
gives_its_place_away(void **state)
{
	bool is_heard = true;

	(void)state;
	assert_has(get(&where[0], "/number"), "number 1");
	web_give_away(web);
	for (int i = 0; i < PATIENCE_MS && is_heard; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		is_heard = connect(fd, &where[0].as.any, where[0].bytes) == 0;
		close(fd);
		moment();
	}
	assert_false(is_heard);
}

static void
ends_while_people_wait(void **state)
{
	int waiting = dial(&where[0]), stream = open_stream();

	(void)state;
	is_slow = true;
	say(waiting, "GET /number HTTP/1.1\r\nHost: localhost\r\n\r\n");
	for (int i = 0; i < PATIENCE_MS && taken == 0; i++) {
		turn();
		moment();
	}
	web_stop(web);
	assert_status(hear_all(waiting), "503");
	hear_all(stream);
}

#define WEB_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
/* The library wants turns at once, which are timers. */
#define REAL_WEB_TEST(name) cmocka_unit_test_setup_teardown(name, start_by_real_clocks, stop)

static const struct CMUnitTest tests[] = {
	WEB_TEST(serves_files_with_what_browsers_must_know),
	WEB_TEST(knows_only_its_paths_and_only_reads),
	WEB_TEST(refuses_strange_hosts_and_pages_of_others),
	WEB_TEST(shares_a_snapshot_for_a_second),
	WEB_TEST(a_text_may_be_kept_with_its_snapshot),
	WEB_TEST(those_who_ask_together_share_one),
	WEB_TEST(answers_without_a_snapshot_when_none_comes),
	WEB_TEST(a_client_that_goes_while_it_waits_is_forgotten),
	REAL_WEB_TEST(a_stream_has_all_events),
	REAL_WEB_TEST(one_stream_too_many_is_refused),
	REAL_WEB_TEST(who_reads_nothing_is_dropped_and_others_are_not),
	WEB_TEST(when_all_places_are_taken_the_idle_leave),
	REAL_WEB_TEST(an_address_has_a_quarter_of_the_places_for_strangers),
	WEB_TEST(gives_its_place_away),
	REAL_WEB_TEST(ends_while_people_wait),
};

RUN_TESTS("web", tests)
