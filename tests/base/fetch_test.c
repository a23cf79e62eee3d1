/* Tests of base/fetch against a small server of HTTP on a thread of its own. */
#include "base/fetch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/fetch_proxy.h"
#include "base/loop.h"
#include "base/resolver.h"
#include "child.h"
#include "fetch_process.h"
#include "helpers.h"
#include "http_server.h"

enum { DEADLINE_MS = 20000 };

/* What the server says to who asks for a path that begins so; the first that fits.  %u is its port. */
static const struct page {
	const char *path, *says;
} pages[] = {
	{ "/plain", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"7\"\r\nX-Two:  b c \r\n\r\nhello" },
	{ "/empty", "HTTP/1.1 204 No Content\r\n\r\n" },
	{ "/same", "HTTP/1.1 304 Not Modified\r\nETag: \"7\"\r\n\r\n" },
	{ "/later", "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n" },
	{ "/date",
	    "HTTP/1.1 503 Busy\r\nRetry-After: Fri, 27 Nov 2026 12:00:00 GMT\r\nContent-Length: 0\r\n\r\n" },
	{ "/continue",
	    "HTTP/1.1 100 Continue\r\nX-Early: yes\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" },
	{ "/long", "HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\nx" },
	{ "/endless", NULL },
	{ "/headers", NULL },
	{ "/cut", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort" },
	{ "/junk", "SSH-2.0-server\r\n\r\n" },
	{ "/split", "HTTP/1.1 200 OK\r\nETag: 7\rX-Two: b\r\nContent-Length: 0\r\n\r\n" },
	{ "/zipped",
	    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc" },
	{ "/moved/3", "HTTP/1.1 301 Moved\r\nLocation: /moved/2\r\nContent-Length: 0\r\n\r\n" },
	{ "/moved/2",
	    "HTTP/1.1 302 Found\r\nLocation: http://localhost:%u/moved/1\r\nContent-Length: 0\r\n\r\n" },
	{ "/moved/1", "HTTP/1.1 308 Moved\r\nLocation: /plain\r\nContent-Length: 3\r\n\r\nold" },
	{ "/moved/4", "HTTP/1.1 307 Moved\r\nLocation: /moved/3\r\nContent-Length: 0\r\n\r\n" },
	{ "/elsewhere",
	    "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/plain\r\nContent-Length: 0\r\n\r\n" },
	{ "/file", "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n" },
	{ "/nowhere", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n" },
	{ "/silent", "" },
	{ "/told", "" },
	{ "http://far.invalid/",
	    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy" },
	{ "/", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone" },
};

static struct http_server server;
static struct loop *loop;
static struct resolver *resolver;
static struct helper *process;
static struct fetcher *fetcher;

/* ---- the server ---- */

static const struct page *
page_of(const char *request)
{
	const char *path = strchr(request, ' ') ? strchr(request, ' ') + 1 : "/";

	for (size_t i = 0; i < COUNT(pages); i++)
		if (strncmp(path, pages[i].path, strlen(pages[i].path)) == 0)
			return &pages[i];
	return &pages[COUNT(pages) - 1];
}

/* Until nobody listens any more. */
static void
pour(int fd, const char *head, const char *line)
{
	ssize_t sent = send(fd, head, strlen(head), MSG_NOSIGNAL);

	while (sent > 0)
		sent = send(fd, line, strlen(line), MSG_NOSIGNAL);
}

/* To the loop, that a request has come which is not answered. */
static struct call arrival;

static void
on_arrival(void *data)
{
	(void)data;
	loop_stop(loop);
}

static void
answer(int fd, const char *request)
{
	const struct page *page = page_of(request);
	char text[1024];

	if (page->says) {
		/* The pages are constants of this file. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof text, page->says, server.port);
#pragma GCC diagnostic pop
		(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
		if (strcmp(page->path, "/told") == 0)
			loop_call(loop, &arrival, on_arrival, NULL);
		if (text[0] == '\0')
			(void)!read(fd, text, sizeof text); /* until the client has enough */
	} else if (strcmp(page->path, "/endless") == 0)
		pour(fd, "HTTP/1.1 200 OK\r\n\r\n", "and so on\n");
	else
		pour(fd, "HTTP/1.1 200 OK\r\n", "X-More: and so on\r\n");
}

static bool
was_heard(const char *part)
{
	return http_heard(&server, part);
}

/* ---- the client ---- */

struct got {
	unsigned calls, wanted;
	enum fetch_outcome outcome;
	char error[1024], body[256], url[FETCH_URL], etag[64], two[64], early[64];
	unsigned status;
	size_t body_bytes;
	uint64_t retry_after_s;
};

static struct got got;

static void
take(char *out, size_t bytes, const char *text)
{
	snprintf(out, bytes, "%s", text ? text : "none");
}

static void
on_answer(void *arg, const struct fetch_answer *answer)
{
	struct got *into = arg;

	into->calls++;
	into->outcome = answer->outcome;
	assert_int_equal(!answer->error, answer->outcome == FETCH_ANSWERED);
	take(into->error, sizeof into->error, answer->error);
	take(into->url, sizeof into->url, answer->url);
	take(into->body, sizeof into->body, answer->body);
	take(into->etag, sizeof into->etag, fetch_answer_header(answer, "etag"));
	take(into->two, sizeof into->two, fetch_answer_header(answer, "X-TWO"));
	take(into->early, sizeof into->early, fetch_answer_header(answer, "X-Early"));
	into->status = answer->status;
	into->body_bytes = answer->body_bytes;
	into->retry_after_s = fetch_answer_retry_after_s(answer, 1795780740);
	if (into->calls >= into->wanted)
		loop_stop(loop);
}

static const char *
url_of(const char *path)
{
	static char url[FETCH_URL];

	snprintf(url, sizeof url, "http://localhost:%u%s", server.port, path);
	return url;
}

static void
ask(const struct fetch_request *request)
{
	got = (struct got){ .wanted = 1 };
	assert_non_null(fetch_start(fetcher, request, on_answer, &got));
	assert_int_equal(got.calls, 0); /* never from inside */
	loop_run(loop);
	assert_int_equal(got.calls, 1);
}

static void
get(const char *path)
{
	ask(&(struct fetch_request){ .url = url_of(path), .deadline_ms = DEADLINE_MS });
}

static void
fails(const char *path, enum fetch_outcome outcome, const char *part)
{
	get(path);
	if (got.outcome != outcome || !strstr(got.error, part) ||
	    strncmp(got.error, "http://", 7) != 0)
		fail_msg("%s: %d, %s", path, (int)got.outcome, got.error);
	assert_int_equal(got.status, 0);
}

static int
set_up(void **state)
{
	(void)state;
	loop = loop_new();
	process = start_fetch_process();
	resolver = process ? resolver_new() : NULL;
	fetcher = fetcher_new(loop, resolver, process);
	return !loop || !resolver || !fetcher || !http_start(&server, answer);
}

static int
tear_down(void **state)
{
	(void)state;
	fetcher_free(fetcher);
	helper_end(process);
	http_stop(&server);
	resolver_free(resolver);
	loop_free(loop);
	return 0;
}

/* ---- answers ---- */

static void
gets_a_page_with_its_headers(void **state)
{
	(void)state;
	get("/plain");
	assert_int_equal(got.outcome, FETCH_ANSWERED);
	assert_int_equal(got.status, 200);
	assert_string_equal(got.body, "hello");
	assert_int_equal(got.body_bytes, 5);
	assert_string_equal(got.etag, "\"7\"");
	assert_string_equal(got.two, "b c");
	assert_string_equal(got.url, url_of("/plain"));
	assert_true(was_heard("GET /plain HTTP/1.1\r\n"));
	assert_true(was_heard("User-Agent: valise/"));
	assert_false(was_heard("Accept-Encoding"));
}

static void
any_status_is_an_answer(void **state)
{
	(void)state;
	get("/absent");
	assert_int_equal(got.outcome, FETCH_ANSWERED);
	assert_int_equal(got.status, 404);
	assert_string_equal(got.body, "none");
	get("/empty");
	assert_int_equal(got.status, 204);
	assert_int_equal(got.body_bytes, 0);
	assert_string_equal(got.body, "");
}

static void
headers_before_the_real_answer_do_not_count(void **state)
{
	(void)state;
	get("/continue");
	assert_int_equal(got.status, 200);
	assert_string_equal(got.early, "none");
}

static void
asks_whether_something_is_new(void **state)
{
	(void)state;
	ask(&(struct fetch_request){ .url = url_of("/same"), .etag = "\"7\"",
	    .last_modified = "Fri, 27 Nov 2026 12:00:00 GMT" });
	assert_int_equal(got.outcome, FETCH_ANSWERED);
	assert_int_equal(got.status, 304);
	assert_true(was_heard("If-None-Match: \"7\"\r\n"));
	assert_true(was_heard("If-Modified-Since: Fri, 27 Nov 2026 12:00:00 GMT\r\n"));
}

static void
sends_what_it_is_given(void **state)
{
	static const char *const headers[] = { "X-One: 1", "Accept: application/pkcs7-mime", NULL };

	(void)state;
	ask(&(struct fetch_request){ .method = FETCH_POST, .url = url_of("/plain"),
	    .content_type = "application/pkcs10", .body = "a\0b", .body_bytes = 3,
	    .headers = headers });
	assert_int_equal(got.status, 200);
	assert_true(was_heard("POST /plain HTTP/1.1\r\n"));
	assert_true(was_heard("Content-Type: application/pkcs10\r\n"));
	assert_true(was_heard("Content-Length: 3\r\n"));
	assert_true(was_heard("X-One: 1\r\n"));
	assert_true(was_heard("Accept: application/pkcs7-mime\r\n"));
	assert_false(was_heard("Expect"));
	assert_true(was_heard("\r\n\r\na"));
}

static void
reads_both_forms_of_retry_after(void **state)
{
	(void)state;
	get("/later");
	assert_int_equal(got.retry_after_s, 120);
	get("/date");
	assert_int_equal(got.retry_after_s, 60);
	get("/plain");
	assert_int_equal(got.retry_after_s, 0);
}

static void
decodes_no_compression(void **state)
{
	(void)state;
	get("/zipped");
	assert_string_equal(got.body, "abc");
}

/* ---- failures ---- */

static void
says_why_there_is_no_answer(void **state)
{
	(void)state;
	fails("/long", FETCH_REFUSED, "longer than the 1048576 bytes");
	fails("/endless", FETCH_REFUSED, "longer than the 1048576 bytes");
	fails("/headers", FETCH_REFUSED, "its headers 65536");
	fails("/split", FETCH_REFUSED, "a control character");
	fails("/cut", FETCH_UNREACHABLE, "");
	fails("/junk", FETCH_REFUSED, "");
	ask(&(struct fetch_request){ .url = "http://name.invalid/" });
	assert_int_equal(got.outcome, FETCH_UNREACHABLE);
	assert_non_null(strstr(got.error, "name.invalid"));
	ask(&(struct fetch_request){ .url = "http://127.0.0.1:1/" });
	assert_int_equal(got.outcome, FETCH_UNREACHABLE);
	assert_non_null(strstr(got.error, "http://127.0.0.1:1/: "));
}

static void
waits_no_longer_than_the_deadline(void **state)
{
	(void)state;
	ask(&(struct fetch_request){ .url = url_of("/silent"), .deadline_ms = 50 });
	assert_int_equal(got.outcome, FETCH_UNREACHABLE);
	assert_non_null(strstr(got.error, "timed out"));
}

static void
a_bound_of_the_body_is_the_callers(void **state)
{
	(void)state;
	ask(&(struct fetch_request){ .url = url_of("/plain"), .answer_most = 5 });
	assert_int_equal(got.outcome, FETCH_ANSWERED);
	ask(&(struct fetch_request){ .url = url_of("/plain"), .answer_most = 4 });
	assert_int_equal(got.outcome, FETCH_REFUSED);
}

/* ---- redirects ---- */

static void
follows_three_redirects_of_one_host(void **state)
{
	(void)state;
	get("/moved/3");
	assert_int_equal(got.outcome, FETCH_ANSWERED);
	assert_string_equal(got.body, "hello");
	assert_string_equal(got.url, url_of("/plain"));
	assert_int_equal(http_requests(&server), 4);
	fails("/moved/4", FETCH_REFUSED, "there were three before");
}

static void
follows_no_redirect_elsewhere(void **state)
{
	(void)state;
	fails("/elsewhere", FETCH_REFUSED, "to another host");
	assert_int_equal(http_requests(&server), 1);
	fails("/file", FETCH_REFUSED, "neither with http://");
	fails("/nowhere", FETCH_REFUSED, "to nowhere");
}

static void
follows_no_redirect_with_what_is_the_callers(void **state)
{
	static const char *const headers[] = { "Authorization: x", NULL };
	char dial[64];

	(void)state;
	snprintf(dial, sizeof dial, "127.0.0.1:%u", server.port);
	ask(&(struct fetch_request){ .url = url_of("/moved/1"), .headers = headers });
	assert_int_equal(got.outcome, FETCH_REFUSED);
	ask(&(struct fetch_request){ .url = url_of("/moved/1"), .dial = dial });
	assert_int_equal(got.outcome, FETCH_REFUSED);
	ask(&(struct fetch_request){ .url = url_of("/moved/1"), .method = FETCH_POST });
	assert_int_equal(got.outcome, FETCH_REFUSED);
	assert_int_equal(http_requests(&server), 3);
}

/* ---- whom it contacts ---- */

static void
dials_another_address_under_the_name_of_the_url(void **state)
{
	char dial[64];

	(void)state;
	snprintf(dial, sizeof dial, "localhost:%u", server.port);
	ask(&(struct fetch_request){ .url = "http://far.invalid/plain", .dial = dial });
	assert_int_equal(got.outcome, FETCH_ANSWERED);
	assert_true(was_heard("Host: far.invalid\r\n"));
	ask(&(struct fetch_request){ .url = "http://far.invalid/plain", .dial = "nonsense" });
	assert_int_equal(got.outcome, FETCH_REFUSED);
}

static struct fetch_proxy
proxy_here(void)
{
	return (struct fetch_proxy){ .url = (char *)url_of(""), .host = "localhost", .port = server.port };
}

static void
asks_a_proxy_for_a_name_that_only_the_proxy_knows(void **state)
{
	struct fetch_proxy proxy = proxy_here();

	(void)state;
	proxy.username = (char *)"me";
	proxy.password = (struct secret){ (uint8_t *)"pass", 4 };
	ask(&(struct fetch_request){ .url = "http://far.invalid/", .proxy = &proxy });
	assert_int_equal(got.outcome, FETCH_ANSWERED);
	assert_string_equal(got.body, "proxy");
	assert_true(was_heard("GET http://far.invalid/ HTTP/1.1\r\n"));
	assert_true(was_heard("Proxy-Authorization: Basic bWU6cGFzcw==\r\n"));
}

static void
asks_no_proxy_where_it_is_not_for(void **state)
{
	struct fetch_proxy proxy = proxy_here();
	char *names[] = { (char *)"localhost" };

	(void)state;
	proxy.names = names;
	proxy.name_count = 1;
	ask(&(struct fetch_request){ .url = url_of("/plain"), .proxy = &proxy });
	assert_int_equal(got.outcome, FETCH_ANSWERED);
	assert_true(was_heard("GET /plain HTTP/1.1\r\n"));
}

static void
asks_no_proxy_of_the_environment(void **state)
{
	(void)state;
	fetcher_free(fetcher);
	helper_end(process);
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	process = start_fetch_process();
	fetcher = fetcher_new(loop, resolver, process);
	get("/plain");
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	assert_int_equal(got.outcome, FETCH_ANSWERED);
}

/* ---- secrets ---- */

static void
no_secret_goes_in_clear_or_to_nobody(void **state)
{
	(void)state;
	ask(&(struct fetch_request){ .url = url_of("/plain"), .user = "u", .password = "p" });
	assert_int_equal(got.outcome, FETCH_REFUSED);
	ask(&(struct fetch_request){ .url = url_of("/plain"), .certificate = "c", .private_key = "k" });
	assert_int_equal(got.outcome, FETCH_REFUSED);
	ask(&(struct fetch_request){ .url = "https://localhost:1/", .user = "u", .password = "p",
	    .trust = FETCH_TRUST_NOBODY });
	assert_int_equal(got.outcome, FETCH_REFUSED);
	assert_null(strstr(got.error, "pass p"));
	ask(&(struct fetch_request){ .url = "https://localhost:1/", .trust = FETCH_TRUST_PIN });
	assert_int_equal(got.outcome, FETCH_REFUSED);
	ask(&(struct fetch_request){ .url = "https://localhost:1/", .trust = FETCH_TRUST_GIVEN });
	assert_int_equal(got.outcome, FETCH_REFUSED);
	assert_int_equal(http_requests(&server), 0);
}

/* ---- many, and none ---- */

static void
a_fetch_that_was_cancelled_is_never_answered(void **state)
{
	struct fetch_request silent = { .url = "http://127.0.0.1:1/", .deadline_ms = DEADLINE_MS };
	struct fetch *one, *two;
	char url[FETCH_URL];

	(void)state;
	got = (struct got){ .wanted = 1 };
	snprintf(url, sizeof url, "http://127.0.0.1:%u/silent", server.port);
	silent.url = url;
	one = fetch_start(fetcher, &silent, on_answer, &got); /* nothing has happened yet */
	fetch_cancel(one);
	one = fetch_start(fetcher,
	    &(struct fetch_request){ .url = "http://name.invalid/" }, on_answer, &got);
	fetch_cancel(one);	/* its name is being resolved */
	one = fetch_start(fetcher, &silent, on_answer, &got);
	two = fetch_start(fetcher,
	    &(struct fetch_request){ .url = "http://127.0.0.1:1/" }, on_answer, &got);
	assert_non_null(one);
	assert_non_null(two);
	loop_run(loop);		/* the second is answered; the first travels */
	assert_int_equal(got.calls, 1);
	fetch_cancel(one);
	fetch_cancel(NULL);
	get("/plain");
	assert_int_equal(got.calls, 1);
}

static void
all_that_is_under_way_is_bounded(void **state)
{
	struct fetch *all[FETCH_MOST];
	char url[FETCH_URL];
	struct fetch_request request = { .url = url, .deadline_ms = DEADLINE_MS };

	(void)state;
	got = (struct got){ .wanted = FETCH_MOST };
	snprintf(url, sizeof url, "http://127.0.0.1:%u/plain", server.port);
	for (unsigned i = 0; i < FETCH_MOST; i++)
		assert_non_null(all[i] = fetch_start(fetcher, &request, on_answer, &got));
	assert_null(fetch_start(fetcher, &request, on_answer, &got));
	loop_run(loop);
	assert_int_equal(got.calls, FETCH_MOST);
	assert_int_equal(got.status, 200);
	get("/plain"); /* there is room again */
	assert_int_equal(got.outcome, FETCH_ANSWERED);
}

/* ---- its process ---- */

static void
nothing_is_executed_before_something_is_fetched(void **state)
{
	(void)state;
	assert_int_equal(child_of(child_of(getpid())), 0);
	get("/plain");
	assert_int_not_equal(child_of(child_of(getpid())), 0);
}

static void
a_process_that_dies_costs_what_is_under_way(void **state)
{
	(void)state;
	get("/plain");
	got = (struct got){ .wanted = 1 };
	assert_non_null(fetch_start(fetcher,
	    &(struct fetch_request){ .url = url_of("/told"), .deadline_ms = DEADLINE_MS },
	    on_answer, &got));
	loop_run(loop);
	assert_int_equal(got.calls, 0);
	kill_child(child_of(child_of(getpid())));
	loop_run(loop);
	assert_int_equal(got.outcome, FETCH_UNREACHABLE);
	assert_non_null(strstr(got.error, "the process that fetches has ended"));
	get("/plain");
	assert_int_equal(got.outcome, FETCH_ANSWERED);
}

static void
without_its_program_nothing_is_fetched(void **state)
{
	(void)state;
	fetcher_free(fetcher);
	helper_end(process);
	process = fetch_helper_start("/nonexistent/valise-fetch");
	fetcher = fetcher_new(loop, resolver, process);
	fails("/plain", FETCH_UNREACHABLE, "the process that fetches has ended");
}

/* ---- URLs ---- */

static void
knows_what_a_url_is(void **state)
{
	static const struct {
		const char *url, *why; /* NULL: it is one */
	} rows[] = {
		{ "http://example.net", NULL },
		{ "HTTPS://example.net:8443/a/b?c=d", NULL },
		{ "http://[::1]:80/", NULL },
		{ "http://192.0.2.1/x", NULL },
		{ "", "not a valid URL" },
		{ "example.net/x", "not a valid URL" },
		{ "http://", "" },
		{ "http://example.net:0/", "" },
		{ "http://example.net:65536/", "" },
		{ "http://exa mple.net/", "" },
		{ "http://example.net/\n", "not a valid URL" },
		{ "http://example.net/\xc3\xa4", "not a valid URL" },
		{ "ftp://example.net/", "neither with http://" },
		{ "file:///etc/passwd", "neither with http://" },
		{ "https://user@example.net/", "has a user" },
		{ "https://user:word@example.net/", "has a user" },
		{ "https://example.net/#x", "has a #" },
		{ "https://a_b.example.net./", NULL },
		{ "http://[2001:db8::1]", NULL },
		{ "http://[2001:db8::1", "has no host" },
		{ "http://[example.net]/", "has no host" },
		{ "http://2001:db8::1/", "no valid port" },
		{ "http://a%2fb/", "has no host" },
		{ "http://a\\b.example.net/", "has no host" },
		{ "http://example.net:/", "no valid port" },
		{ "http://example.net:+80/", "no valid port" },
		{ "http://example.net:080000/", "no valid port" },
		{ "http:example.net/", "not a valid URL" },
		{ "https:/example.net://", "neither with http://" },
		{ "http://?x@y", "has no host" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char error[256] = "";
		bool is_one = fetch_is_url(rows[i].url, error);

		if (is_one != !rows[i].why || (rows[i].why && !strstr(error, rows[i].why)))
			fail_msg("%s: %s", rows[i].url, error);
	}
	assert_true(fetch_is_secure("https://example.net/"));
	assert_false(fetch_is_secure("http://example.net/"));
}

static void
a_url_may_be_so_long_and_no_longer(void **state)
{
	char url[FETCH_URL + 1], error[256];
	int head = snprintf(url, sizeof url, "http://example.net/");

	(void)state;
	memset(url + head, 'a', sizeof url - (size_t)head);
	url[FETCH_URL - 1] = '\0';
	assert_true(fetch_is_url(url, error));
	url[FETCH_URL - 1] = 'a';
	url[FETCH_URL] = '\0';
	assert_false(fetch_is_url(url, error));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	TEST(gets_a_page_with_its_headers),
	TEST(any_status_is_an_answer),
	TEST(headers_before_the_real_answer_do_not_count),
	TEST(asks_whether_something_is_new),
	TEST(sends_what_it_is_given),
	TEST(reads_both_forms_of_retry_after),
	TEST(decodes_no_compression),
	TEST(says_why_there_is_no_answer),
	TEST(waits_no_longer_than_the_deadline),
	TEST(a_bound_of_the_body_is_the_callers),
	TEST(follows_three_redirects_of_one_host),
	TEST(follows_no_redirect_elsewhere),
	TEST(follows_no_redirect_with_what_is_the_callers),
	TEST(dials_another_address_under_the_name_of_the_url),
	TEST(asks_a_proxy_for_a_name_that_only_the_proxy_knows),
	TEST(asks_no_proxy_where_it_is_not_for),
	TEST(asks_no_proxy_of_the_environment),
	TEST(no_secret_goes_in_clear_or_to_nobody),
	TEST(a_fetch_that_was_cancelled_is_never_answered),
	TEST(all_that_is_under_way_is_bounded),
	TEST(nothing_is_executed_before_something_is_fetched),
	TEST(a_process_that_dies_costs_what_is_under_way),
	TEST(without_its_program_nothing_is_fetched),
	cmocka_unit_test(knows_what_a_url_is),
	cmocka_unit_test(a_url_may_be_so_long_and_no_longer),
};

RUN_TESTS("base/fetch", tests)
