/* Tests of tunnel/health_check: what an upstream must do, and how long it has. */
#include "tunnel/health_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock_fake.h"
#include "base/loop_advance.h"
#include "base/resolver.h"
#include "base/socket.h"

enum { TIMEOUT_MS = 500 };

static struct loop *loop;
static struct resolver *resolver;
static struct tls_config *any;
static int listening;
static char target[ADDRESS_TEXT], said[256];
static struct health_check *check;
static unsigned calls;

static int
set_up(void **state)
{
	const struct tls_settings settings = { .purpose = TLS_UPSTREAM };
	struct address address;
	char error[512];

	clock_fake(1000000000, 1000000000);
	loop = loop_new();
	resolver = resolver_new();
	any = tls_config_new(&settings, error);
	assert_true(address_parse(&address, "127.0.0.1:0"));
	listening = socket_listen(&address, LISTEN_ALONE, error);
	address = socket_local(listening);
	address_text(&address, target);
	calls = 0;
	strcpy(said, "nothing");
	(void)state;
	return !loop || !resolver || !any || listening < 0;
}

static int
tear_down(void **state)
{
	(void)state;
	if (listening >= 0)
		close(listening);
	tls_config_release(any);
	resolver_free(resolver);
	loop_free(loop);
	clock_fake(0, 0);
	return 0;
}

static void
on_checked(void *arg, const char *error)
{
	(void)arg;
	calls++;
	snprintf(said, sizeof said, "%s", error ? error : "healthy");
	health_check_free(check);
	check = NULL;
}

static void
begin(struct health_check_options options)
{
	options.target = target;
	options.timeout_ms = TIMEOUT_MS;
	check = health_check_new(loop, resolver, &options, on_checked, NULL);
	assert_non_null(check);
	assert_int_equal(calls, 0);
	loop_advance(loop, 0);
}

static int
accepted(void)
{
	int fd = accept(listening, NULL, NULL);

	assert_true(fd >= 0);
	return fd;
}

static void
a_connection_is_enough_where_no_tls_is_asked_for(void **state)
{
	(void)state;
	begin((struct health_check_options){ 0 });
	assert_int_equal(calls, 1);
	assert_string_equal(said, "healthy");
}

static void
who_refuses_is_not_healthy(void **state)
{
	(void)state;
	close(listening);
	listening = -1;
	begin((struct health_check_options){ .tls = any });
	assert_int_equal(calls, 1);
	assert_non_null(strstr(said, "refused"));
}

static void
who_does_not_speak_tls_has_its_time_and_no_more(void **state)
{
	int fd;

	(void)state;
	begin((struct health_check_options){ .tls = any });
	fd = accepted();
	loop_advance(loop, TIMEOUT_MS - 1);
	assert_int_equal(calls, 0);
	loop_advance(loop, 1);
	assert_int_equal(calls, 1);
	assert_string_equal(said, "its TLS handshake takes too long");
	close(fd);
}

static void
a_header_that_names_nobody_goes_ahead(void **state)
{
	static const char wanted[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0";
	char got[100];
	int fd;

	(void)state;
	begin((struct health_check_options){ .proxy_version = 2 });
	assert_string_equal(said, "healthy");
	fd = accepted();
	assert_int_equal(recv(fd, got, sizeof got, 0), sizeof wanted);
	assert_memory_equal(got, wanted, sizeof wanted);
	close(fd);
}

/* The SSLRequest stands behind the header; then a word, or none. */
static void
asked_for_tls_it_must_say_yes_in_time(void **state)
{
	static const struct {
		const char *answer, *said;
	} cases[] = {
		{ "N", "with N: turn its ssl on" },
		{ "Sx", "bytes in clear behind its S" },
		{ NULL, "it does not answer when it is asked for TLS" },
	};
	char got[100];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int fd;

		calls = 0;
		begin((struct health_check_options){
		    .tls = any, .asks_for_tls = true, .proxy_version = 1 });
		fd = accepted();
		assert_int_equal(recv(fd, got, sizeof got, 0), 15 + 8);
		assert_memory_equal(got, "PROXY UNKNOWN\r\n\0\0\0\x08\x04\xd2\x16\x2f", 23);
		if (cases[i].answer)
			assert_true(send(fd, cases[i].answer, strlen(cases[i].answer), 0) > 0);
		loop_advance(loop, cases[i].answer ? 0 : TIMEOUT_MS - 1);
		if (!cases[i].answer) {
			assert_int_equal(calls, 0);
			loop_advance(loop, 1);
		}
		assert_int_equal(calls, 1);
		assert_string_not_equal(said, "healthy");
		assert_non_null(strstr(said, cases[i].said));
		close(fd);
	}
}

static void
who_gives_up_hears_nothing(void **state)
{
	(void)state;
	begin((struct health_check_options){ .tls = any });
	health_check_free(check);
	loop_advance(loop, 10 * TIMEOUT_MS);
	assert_int_equal(calls, 0);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ONE(a_connection_is_enough_where_no_tls_is_asked_for),
		ONE(who_refuses_is_not_healthy),
		ONE(who_does_not_speak_tls_has_its_time_and_no_more),
		ONE(a_header_that_names_nobody_goes_ahead),
		ONE(asked_for_tls_it_must_say_yes_in_time),
		ONE(who_gives_up_hears_nothing),
	};

	if (!tls_start())
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tunnel/health_check", tests, NULL, NULL);
}
