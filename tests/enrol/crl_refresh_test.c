/* Tests of enrol/crl_refresh: when a URL is asked, and what is taken of its answers. */
#include "enrol/crl_refresh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/clock_fake.h"
#include "base/conf.h"
#include "base/fetch.h"
#include "base/loop.h"
#include "base/loop_advance.h"
#include "base/resolver.h"
#include "enrol/crl_job.h"
#include "fetch_process.h"
#include "http_server.h"
#include "pki/crl_store.h"
#include "pki/forge.h"
#include "pki/trust.h"

enum { SECOND_US = 1000000, ROUNDS_MOST = 10 * 1000 * 1000 };

static struct forged root, middle;
static struct http_server server;
static struct loop *loop;
static struct resolver *resolver;
static struct helper *process;
static struct fetcher *fetcher;
static struct crl_refresh *refresh;
static char url[64], state_dir[128], faults[2048];
static unsigned mended;

/* What the server is to say next, and under its lock what it says. */
static struct forged body;
static struct {
	char head[256];
	struct forged body;
} said;

static void
answer(int fd, const char *request)
{
	static char head[256];
	static struct forged copy;

	(void)request;
	pthread_mutex_lock(&server.lock);
	memcpy(head, said.head, sizeof head);
	copy = said.body;
	pthread_mutex_unlock(&server.lock);
	(void)!send(fd, head, strlen(head), MSG_NOSIGNAL);
	(void)!send(fd, copy.data, copy.bytes, MSG_NOSIGNAL);
}

static void
on_fault(void *arg, const char *part, const char *sentence)
{
	(void)arg;
	assert_non_null(strstr(part, url));
	mended += !sentence;
	snprintf(faults, sizeof faults, "%s", sentence ? sentence : "");
}

static char *root_files[1], *all_files[2];
static struct conf_mark marks[2];
static char *urls[1];

static struct conf_texts
texts(char **items, size_t count)
{
	return (struct conf_texts){ .items = items, .marks = marks, .count = count };
}

static void
set(bool with_middle)
{
	const struct conf_texts cas = with_middle ? texts(all_files, 2) : texts(root_files, 1);
	const struct conf_texts list = texts(urls, 1);
	const struct crl_refresh_subject subject = { "agent_cas", &cas, &list, NULL };

	assert_true(crl_refresh_set(refresh, &subject, 1, NULL));
}

static int
set_up(void **state)
{
	static const struct recipe plain;
	struct crl_refresh_options options = { .state_dir = state_dir, .on_fault = on_fault };

	(void)state;
	clock_fake(1000 * (uint64_t)SECOND_US, NOW * (int64_t)SECOND_US);
	forge_certificate(&root, &plain, LEVEL_ROOT, LEVEL_ROOT, "");
	forge_certificate(&middle, &plain, LEVEL_MIDDLE, LEVEL_ROOT, "");
	snprintf(state_dir, sizeof state_dir, "%s/state", forge_directory());
	mkdir(forge_directory(), 0700);
	mkdir(state_dir, 0700);
	forge_append_pem("root.pem", "CERTIFICATE", &root);
	forge_append_pem("middle.pem", "CERTIFICATE", &middle);
	root_files[0] = all_files[0] = strdup(forge_path("root.pem"));
	all_files[1] = strdup(forge_path("middle.pem"));
	options.loop = loop = loop_new();
	process = start_fetch_process();
	resolver = process ? resolver_new() : NULL;
	options.fetcher = fetcher = fetcher_new(loop, resolver, process);
	if (!loop || !resolver || !fetcher || !http_start(&server, answer))
		return -1;
	snprintf(url, sizeof url, "http://127.0.0.1:%u/a.crl", server.port);
	urls[0] = url;
	faults[0] = '\0';
	mended = 0;
	refresh = crl_refresh_new(&options);
	return !refresh;
}

static int
tear_down(void **state)
{
	(void)state;
	crl_refresh_free(refresh);
	fetcher_free(fetcher);
	helper_end(process);
	http_stop(&server);
	resolver_free(resolver);
	loop_free(loop);
	free(root_files[0]);
	free(all_files[1]);
	forge_clean();
	clock_fake(0, 0);
	return 0;
}

/* ---- what happens ---- */

static void
say(const char *status, const char *headers)
{
	pthread_mutex_lock(&server.lock);
	snprintf(said.head, sizeof said.head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n",
	    status, body.bytes, headers);
	said.body = body;
	pthread_mutex_unlock(&server.lock);
}

static void
offer(struct crl_recipe recipe, enum level level)
{
	forge_crl(&body, &recipe, level);
	say("200 OK", "");
}

/* A key of the one URL's description, or "". */
static const char *
told(const char *key)
{
	static char out[1024];
	json_t *list = crl_refresh_describe(refresh);
	const char *text = json_string_value(json_object_get(json_array_get(list, 0), key));

	snprintf(out, sizeof out, "%s", text ? text : "");
	json_decref(list);
	return out;
}

/* Lets so much time pass, and what is fetched then be answered.  Returns how many requests there were. */
static unsigned
pass(unsigned seconds)
{
	unsigned before = http_requests(&server);

	for (unsigned i = 0; i <= seconds; i++) {
		assert_true(loop_advance(loop, i == 0 ? 0 : 1000));
		for (unsigned rounds = 0; told("next")[0] == '\0'; rounds++) {
			assert_true(rounds < ROUNDS_MOST);
			sched_yield();
			assert_true(loop_advance(loop, 0));
		}
	}
	return http_requests(&server) - before;
}

static bool
holds(const struct forged *crl)
{
	return crl_store_holds(state_dir, url, crl->data, crl->bytes);
}

static bool
is_empty(void)
{
	char path[PATH_MAX];

	return access(crl_store_path(state_dir, url, path), F_OK) != 0 &&
	    access(crl_store_new_path(state_dir, url, path), F_OK) != 0;
}

static void
refuses(struct crl_recipe recipe, enum level level, const char *why)
{
	offer(recipe, level);
	assert_true(pass(1200) >= 1);
	if (!strstr(told("error"), why))
		fail_msg("%s", told("error"));
	assert_non_null(strstr(told("error"), url));
}

/* A trust set by the CAs and what was fetched, as a daemon has it; keeps the numbers. */
static struct trust *
load(struct trust *previous)
{
	const char *cas[] = { all_files[0], all_files[1] };
	const char *list[] = { url };
	char error[TRUST_ERROR];
	const struct trust_sources sources = { .ca_files = cas,
		.ca_count = 2,
		.crl_urls = list,
		.crl_url_count = 1,
		.crls_configured = true,
		.state_dir = state_dir,
		.label = "agent_cas",
		.now = clock_wall_s() };
	struct trust *trust = trust_load(&sources, previous, error, sizeof error);

	if (!trust)
		fail_msg("%s", error);
	trust_release(previous);
	return trust;
}

/* ---- what is taken ---- */

static void
takes_a_crl_and_asks_for_news_every_quarter_of_an_hour(void **state)
{
	struct forged first;

	(void)state;
	offer((struct crl_recipe){ .number = 7, .to = 14 }, LEVEL_MIDDLE);
	say("200 OK", "ETag: \"one\"\r\nLast-Modified: Fri, 27 Nov 2026 12:00:00 GMT\r\n");
	first = body;
	set(true);
	assert_int_equal(pass(0), 1);
	assert_true(holds(&first));
	assert_string_equal(told("error"), "");
	assert_true(told("until")[0] != '\0');
	body.bytes = 0;
	say("304 Not Modified", "");
	assert_int_equal(pass(780), 0);
	assert_int_equal(pass(250), 1);
	assert_true(http_heard(&server, "If-None-Match: \"one\""));
	assert_true(http_heard(&server, "If-Modified-Since: Fri, 27 Nov 2026 12:00:00 GMT"));
	assert_true(holds(&first));
	assert_string_equal(told("error"), "");
	assert_string_equal(faults, "");
}

static void
a_newer_one_takes_its_place_and_a_trust_set_reads_it(void **state)
{
	struct trust *trust;
	struct forged newer;
	struct trust_stamp seen = { 0 };
	const char *list[] = { url };
	const struct trust_sources sources = {
		.crl_urls = list, .crl_url_count = 1, .state_dir = state_dir
	};

	(void)state;
	offer((struct crl_recipe){ .number = 7, .to = 14 }, LEVEL_MIDDLE);
	set(true);
	pass(0);
	assert_true(trust_files_changed(&sources, &seen));
	trust = load(NULL);
	assert_int_equal(trust_crl_count(trust), 1);
	offer((struct crl_recipe){ .number = 8, .to = 14, .serials = "13" }, LEVEL_MIDDLE);
	newer = body;
	pass(1100);
	assert_true(holds(&newer));
	assert_true(trust_files_changed(&sources, &seen));
	assert_false(trust_files_changed(&sources, &seen));
	trust = load(trust);
	assert_int_equal(trust_crl_count(trust), 1);
	trust_release(trust);
}

static void
what_is_not_right_is_not_taken(void **state)
{
	struct forged good;

	(void)state;
	offer((struct crl_recipe){ .number = 7, .to = 14 }, LEVEL_MIDDLE);
	good = body;
	set(true);
	pass(0);
	trust_release(load(NULL));
	refuses((struct crl_recipe){ .number = 8, .to = 14, .damage = true }, LEVEL_MIDDLE,
	    "not signed");
	refuses((struct crl_recipe){ .number = 8, .from = 2, .to = 14 }, LEVEL_MIDDLE,
	    "from the future");
	refuses((struct crl_recipe){ .number = 6, .to = 14 }, LEVEL_MIDDLE, "rollback");
	refuses((struct crl_recipe){ .number = 8, .to = 14 }, LEVEL_SUB, "list its certificate");
	refuses((struct crl_recipe){ .number = 8, .to = 14 }, LEVEL_ROOT, "no CRL of");
	body.bytes = 100;
	say("200 OK", "");
	assert_true(pass(1200) >= 1);
	assert_true(told("error")[0] != '\0');
	assert_true(holds(&good));
	offer((struct crl_recipe){ .number = 9, .to = 14 }, LEVEL_MIDDLE);
	assert_true(pass(1200) >= 1);
	assert_string_equal(told("error"), "");
	assert_true(holds(&body));
}

static void
without_its_issuer_nothing_is_taken_by_http(void **state)
{
	(void)state;
	offer((struct crl_recipe){ .number = 7, .to = 14 }, LEVEL_MIDDLE);
	set(false);
	pass(0);
	assert_non_null(strstr(told("error"), "by https"));
	assert_true(is_empty());
	set(true);
	pass(0);
	assert_true(holds(&body));
}

/* Two CRLs in one file. */
static void
offer_two(struct crl_recipe one, enum level of_one, struct crl_recipe other, enum level of_other)
{
	struct forged crl;
	FILE *file;

	forge_crl(&crl, &one, of_one);
	forge_append_pem("two.pem", "X509 CRL", &crl);
	forge_crl(&crl, &other, of_other);
	forge_append_pem("two.pem", "X509 CRL", &crl);
	file = fopen(forge_path("two.pem"), "r");
	assert_non_null(file);
	body.bytes = fread(body.data, 1, sizeof body.data, file);
	assert_true(body.bytes > 0 && body.bytes < sizeof body.data);
	fclose(file);
	unlink(forge_path("two.pem"));
	say("200 OK", "");
}

/* That one of them has ended does not make the others anybody's. */
static void
by_http_no_issuer_whose_crl_is_in_force_is_lost(void **state)
{
	struct forged two;

	(void)state;
	offer_two((struct crl_recipe){ .number = 7, .to = 14 }, LEVEL_MIDDLE,
	    (struct crl_recipe){ .number = 7, .from = -5, .to = -1 }, LEVEL_ROOT);
	two = body;
	set(true);
	pass(0);
	assert_true(holds(&two));
	refuses((struct crl_recipe){ .number = 8, .to = 14 }, LEVEL_ROOT, "no CRL of");
	assert_true(holds(&two));
	offer((struct crl_recipe){ .number = 8, .to = 14 }, LEVEL_MIDDLE);
	assert_true(pass(1200) >= 1);
	assert_string_equal(told("error"), ""); /* what has ended may go */
	assert_true(holds(&body));
}

/* ---- when ---- */

static void
a_failure_is_tried_again_slower_and_slower(void **state)
{
	unsigned first, later;

	(void)state;
	body.bytes = 0;
	say("404 Not Found", "");
	set(true);
	assert_int_equal(pass(0), 1);
	assert_non_null(strstr(told("error"), "status 404"));
	first = pass(120); /* after 10, 30, 70 seconds */
	assert_in_range(first, 3, 4);
	pass(2000);
	later = pass(3600);
	assert_in_range(later, 3, 5);
}

static void
a_server_says_when_to_come_again(void **state)
{
	(void)state;
	body.bytes = 0;
	say("503 Busy", "Retry-After: 7200\r\n");
	set(true);
	assert_int_equal(pass(0), 1);
	assert_int_equal(pass(6200), 0);
	assert_int_equal(pass(2000), 1);
}

static void
what_lives_short_is_asked_for_ten_times(void **state)
{
	static const struct {
		int64_t life_s, wait_s;
	} rows[] = { { 20, 10 }, { 100, 10 }, { 3600, 360 }, { 9000, 900 }, { 14 * DAY, 900 } };
	struct crl_job job = { .is_stored = true, .from_s = NOW };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (unsigned round = 0; round < 100; round++) {
			job.until_s = job.from_s + rows[i].life_s;
			assert_in_range(crl_job_wait_s(&job), rows[i].wait_s - rows[i].wait_s / 8,
			    rows[i].wait_s + rows[i].wait_s / 8);
		}
}

static void
a_clock_that_is_set_back_holds_nothing_off(void **state)
{
	(void)state;
	offer((struct crl_recipe){ .number = 7, .from = -4, .to = 14 }, LEVEL_MIDDLE);
	set(true);
	assert_int_equal(pass(0), 1);
	clock_fake(clock_us(), (NOW - 2 * DAY) * (int64_t)SECOND_US);
	assert_int_equal(pass(4), 1);
}

/* ---- faults ---- */

static void
a_failure_is_a_fault_where_nothing_is_at_hand(void **state)
{
	(void)state;
	body.bytes = 0;
	say("500 Broken", "");
	set(true);
	pass(0);
	assert_non_null(strstr(faults, "status 500"));
	assert_true(told("failing_since")[0] != '\0');
	offer((struct crl_recipe){ .number = 7, .to = 14 }, LEVEL_MIDDLE);
	pass(20);
	assert_string_equal(faults, "");
	assert_int_equal(mended, 1);
	assert_string_equal(told("failing_since"), "");
}

static void
or_where_what_is_at_hand_ends_soon(void **state)
{
	(void)state;
	offer((struct crl_recipe){ .number = 7, .to = 3 }, LEVEL_MIDDLE);
	set(true);
	pass(0);
	body.bytes = 0;
	say("500 Broken", "");
	pass(1200);
	assert_non_null(strstr(told("error"), "status 500"));
	assert_string_equal(faults, "");
	clock_fake(clock_us(), (NOW + 2 * DAY + DAY / 2) * (int64_t)SECOND_US);
	pass(1100);
	assert_non_null(strstr(faults, "status 500"));
}

/* ---- other URLs ---- */

static void
a_url_that_is_named_no_more_is_asked_no_more(void **state)
{
	json_t *list;

	(void)state;
	body.bytes = 0;
	say("500 Broken", "");
	set(true);
	pass(0);
	assert_true(crl_refresh_set(refresh, NULL, 0, NULL));
	assert_int_equal(mended, 1);
	list = crl_refresh_describe(refresh);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	assert_true(loop_advance(loop, 10000));
	assert_int_equal(http_requests(&server), 1);
}

static void
a_fetch_that_is_under_way_may_be_given_up(void **state)
{
	(void)state;
	offer((struct crl_recipe){ .number = 7, .to = 14 }, LEVEL_MIDDLE);
	set(true);
	assert_true(loop_advance(loop, 0));
	set(true);
	assert_true(loop_advance(loop, 0));
	assert_true(crl_refresh_set(refresh, NULL, 0, NULL));
	set(true);
	pass(0);
	assert_true(holds(&body));
}

/* ---- at a start ---- */

static void
what_was_fetched_never_hinders_a_start(void **state)
{
	char path[PATH_MAX];
	struct trust *trust;
	FILE *file;

	(void)state;
	trust = load(NULL); /* there is nothing */
	assert_int_equal(trust_crl_count(trust), 0);
	trust_release(trust);
	offer((struct crl_recipe){ .number = 9, .to = 14 }, LEVEL_MIDDLE);
	set(true);
	pass(0);
	trust_release(load(NULL));
	file = fopen(crl_store_path(state_dir, url, path), "w"); /* damaged */
	assert_non_null(file);
	fputs("nonsense", file);
	fclose(file);
	trust = load(NULL);
	assert_int_equal(trust_crl_count(trust), 0);
	assert_non_null(trust_warning(trust, 0));
	trust_release(trust);
	offer((struct crl_recipe){ .number = 8, .to = 14 }, LEVEL_MIDDLE); /* an older one */
	file = fopen(path, "w");
	assert_int_equal(fwrite(body.data, 1, body.bytes, file), body.bytes);
	fclose(file);
	trust = load(NULL);
	assert_int_equal(trust_crl_count(trust), 0);
	trust_release(trust);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(takes_a_crl_and_asks_for_news_every_quarter_of_an_hour),
		TEST(a_newer_one_takes_its_place_and_a_trust_set_reads_it),
		TEST(what_is_not_right_is_not_taken),
		TEST(without_its_issuer_nothing_is_taken_by_http),
		TEST(by_http_no_issuer_whose_crl_is_in_force_is_lost),
		TEST(a_failure_is_tried_again_slower_and_slower),
		TEST(a_server_says_when_to_come_again),
		cmocka_unit_test(what_lives_short_is_asked_for_ten_times),
		TEST(a_clock_that_is_set_back_holds_nothing_off),
		TEST(a_failure_is_a_fault_where_nothing_is_at_hand),
		TEST(or_where_what_is_at_hand_ends_soon),
		TEST(a_url_that_is_named_no_more_is_asked_no_more),
		TEST(a_fetch_that_is_under_way_may_be_given_up),
		TEST(what_was_fetched_never_hinders_a_start),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("enrol/crl_refresh", tests, NULL, NULL);
}
