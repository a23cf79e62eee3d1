/* Tests of agent/open_check: what an agent asks of a relay's `open`, and which answer each fault has. */
#include "agent/open_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/endpoint.h"
#include "base/clock.h"
#include "base/clock_fake.h"
#include "sni/hello.h"

enum { SEALED = 1u << CARRIER_SEALED, BOTH = SEALED | 1u << CARRIER_HANDOFF };

static char sentence[SENTENCE_TEXT]; /* of the last answer */
static bool is_challenge;

/* The hello's name, NULL: it has none; the frame's, and the endpoint's. */
struct checked_names {
	const char *hello, *open, *endpoint;
};

static struct built
hello_of(const char *name)
{
	return name ? build_named(name) : build_extensions("\0\x17\0\0", 4);
}

static struct upstream_group *group; /* of all endpoints here */

static void
endpoint_of(struct endpoint *endpoint, const char *server_name)
{
	memset(endpoint, 0, sizeof *endpoint);
	strcpy(endpoint->name, "app");
	strcpy(endpoint->server_name, server_name);
	endpoint->carriers = SEALED;
	endpoint->upstream.group = group;
}

/* As a relay sends it behind its `open`; the sentence is there if and only if the code is. */
static enum code
check(const struct frame_open *open, const struct endpoint *endpoint, const struct built *hello)
{
	uint8_t *copy = malloc(open->hello_bytes); /* a sanitizer sees a look beyond */
	enum code code;

	assert_non_null(copy);
	memcpy(copy, hello->wire, open->hello_bytes);
	strcpy(sentence, "left over");
	code = open_check(open, endpoint, copy, is_challenge, sentence);
	free(copy);
	assert_true((code == CODE_NONE) == (sentence[0] == '\0'));
	return code;
}

static enum code
check_names(const struct checked_names *names)
{
	struct built hello = hello_of(names->hello);
	struct frame_open open = { .hello_bytes = (uint32_t)hello.bytes };
	struct endpoint endpoint;

	endpoint_of(&endpoint, names->endpoint);
	strcpy(open.server_name, names->open);
	return check(&open, &endpoint, &hello);
}

static void
hello_frame_and_endpoint_agree_on_the_name(void **state)
{
	static const struct {
		struct checked_names names;
		enum code code;
	} cases[] = {
		{ { "app.test", "app.test", "app.test" }, CODE_NONE },
		{ { "APP.test.", "app.test", "app.test" }, CODE_NONE },
		{ { "app.test", "app.test", "*.test" }, CODE_NONE },
		{ { "a.app.test", "a.app.test", "*.test" }, CODE_HELLO_MISMATCH },
		{ { "app.test", "app.test", "web.test" }, CODE_HELLO_MISMATCH },
		{ { "app.test", "web.test", "web.test" }, CODE_HELLO_MISMATCH },
		{ { "app.test", "web.test", "app.test" }, CODE_HELLO_MISMATCH },
		{ { "app.test", "", "app.test" }, CODE_HELLO_MISMATCH },
		{ { NULL, "app.test", "app.test" }, CODE_HELLO_MISMATCH },
		{ { NULL, "", "app.test" }, CODE_HELLO_MISMATCH },
		{ { NULL, "", "*.test" }, CODE_HELLO_MISMATCH },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (check_names(&cases[i].names) != cases[i].code)
			fail_msg("case %zu", i);
}

/* The record behind the hello's last one belongs to what follows, and the relay counts without it. */
static void
the_hello_ends_where_the_frame_says(void **state)
{
	struct built hello = build_named("app.test");
	struct frame_open open = { .server_name = "app.test" };
	struct endpoint endpoint;
	size_t whole = hello.bytes;

	(void)state;
	endpoint_of(&endpoint, "app.test");
	put(&hello, "\x14\x03\x03\0\1\1", 6);
	for (size_t bytes = 1; bytes <= hello.bytes; bytes++) {
		open.hello_bytes = (uint32_t)bytes;
		assert_int_equal(check(&open, &endpoint, &hello),
		    bytes == whole ? CODE_NONE : CODE_HELLO_MISMATCH);
	}
}

static void
what_is_no_hello_is_a_mismatch(void **state)
{
	struct built hello = build_named("app.test");
	struct frame_open open = { .server_name = "app.test",
		.hello_bytes = (uint32_t)hello.bytes };
	struct endpoint endpoint;

	(void)state;
	endpoint_of(&endpoint, "app.test");
	hello.wire[5] = 2; /* a ServerHello */
	assert_int_equal(check(&open, &endpoint, &hello), CODE_HELLO_MISMATCH);
	assert_string_equal(sentence, "what came as the hello is malformed");
	hello.wire[0] = 'G';
	assert_int_equal(check(&open, &endpoint, &hello), CODE_HELLO_MISMATCH);
	assert_string_equal(sentence, "what came as the hello is not-tls");
}

static void
a_carrier_is_one_that_the_endpoint_allows(void **state)
{
	static const struct {
		unsigned allowed, carrier;
		enum code code;
	} cases[] = {
		{ SEALED, CARRIER_SEALED, CODE_NONE },
		{ SEALED, CARRIER_HANDOFF, CODE_CARRIER_REFUSED },
		{ BOTH, CARRIER_SEALED, CODE_NONE },
		{ BOTH, CARRIER_HANDOFF, CODE_NONE },
		{ 0xff, 2, CODE_CARRIER_REFUSED },
		{ 0xff, 32, CODE_CARRIER_REFUSED },
		{ 0xff, 255, CODE_CARRIER_REFUSED },
	};
	struct built hello = build_named("app.test");
	struct frame_open open = { .server_name = "app.test",
		.hello_bytes = (uint32_t)hello.bytes };
	struct endpoint endpoint;

	(void)state;
	endpoint_of(&endpoint, "app.test");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		endpoint.carriers = (uint8_t)cases[i].allowed;
		open.carrier = (enum carrier)cases[i].carrier;
		if (check(&open, &endpoint, &hello) != cases[i].code)
			fail_msg("case %zu", i);
	}
}

static void
a_client_is_one_that_the_lists_let_in(void **state)
{
	static const struct {
		const char *client; /* NULL: none is told */
		enum code code;
	} cases[] = {
		{ "192.0.2.1:443", CODE_NONE },
		{ "192.0.2.9:443", CODE_CLIENT_DENIED },
		{ "198.51.100.1:443", CODE_CLIENT_DENIED },
		{ "[2001:db8::1]:443", CODE_CLIENT_DENIED },
		{ NULL, CODE_CLIENT_DENIED },
	};
	struct prefix allow, deny;
	struct built hello = build_named("app.test");
	struct frame_open open = { .server_name = "app.test",
		.hello_bytes = (uint32_t)hello.bytes };
	struct endpoint endpoint;

	(void)state;
	assert_true(prefix_parse(&allow, "192.0.2.0/24") && prefix_parse(&deny, "192.0.2.9"));
	endpoint_of(&endpoint, "app.test");
	endpoint.addresses = address_rules_new(
	    (struct address_list){ &allow, 1 }, (struct address_list){ &deny, 1 });
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		open.client = (struct address){ 0 };
		if (cases[i].client)
			assert_true(address_parse(&open.client, cases[i].client));
		if (check(&open, &endpoint, &hello) != cases[i].code)
			fail_msg("case %zu", i);
	}
	assert_string_equal(sentence, "allow and deny of endpoint app do not let - in");
	address_rules_release(endpoint.addresses);
}

static void
an_unknown_endpoint_says_so_before_the_hello_is_read(void **state)
{
	struct built hello = build_named("web.test");
	struct frame_open open = { .server_name = "app.test", .hello_bytes = 1 };

	(void)state;
	assert_int_equal(check(&open, NULL, &hello), CODE_ENDPOINT_UNKNOWN);
}

/* Who does not terminate dials before it answers, and so finds out itself. */
static void
only_a_terminating_endpoint_is_down_after_a_failed_dial(void **state)
{
	struct built hello = build_named("app.test");
	struct frame_open open = { .server_name = "app.test",
		.hello_bytes = (uint32_t)hello.bytes };
	struct endpoint endpoint;

	(void)state;
	clock_fake(1000000, 0);
	endpoint_of(&endpoint, "app.test");
	upstream_group_note_dial(group, 0, "refused", clock_ms());
	assert_int_equal(check(&open, &endpoint, &hello), CODE_NONE);
	endpoint.terminates = true;
	assert_int_equal(check(&open, &endpoint, &hello), CODE_UPSTREAM_DOWN);
	clock_fake_move(1000000 + 1000 * UPSTREAM_AVOID_MS);
	assert_int_equal(check(&open, &endpoint, &hello), CODE_NONE);
	clock_fake(0, 0);
}

/* They come from addresses that nobody tells, and need no upstream; all else is as with other clients. */
static void
who_is_answered_by_a_challenge_need_not_be_let_in(void **state)
{
	struct prefix allow;
	struct built hello = build_named("app.test");
	struct frame_open open = { .server_name = "app.test",
		.hello_bytes = (uint32_t)hello.bytes };
	struct endpoint endpoint;

	(void)state;
	clock_fake(1000000, 0);
	assert_true(prefix_parse(&allow, "192.0.2.0/24"));
	assert_true(address_parse(&open.client, "198.51.100.1:443"));
	endpoint_of(&endpoint, "app.test");
	endpoint.addresses =
	    address_rules_new((struct address_list){ &allow, 1 }, (struct address_list){ 0 });
	endpoint.terminates = true;
	upstream_group_note_dial(group, 0, "refused", clock_ms());
	assert_int_equal(check(&open, &endpoint, &hello), CODE_CLIENT_DENIED);
	is_challenge = true;
	assert_int_equal(check(&open, &endpoint, &hello), CODE_NONE);
	open.carrier = CARRIER_HANDOFF;
	assert_int_equal(check(&open, &endpoint, &hello), CODE_CARRIER_REFUSED);
	open.carrier = CARRIER_SEALED;
	strcpy(open.server_name, "web.test");
	assert_int_equal(check(&open, &endpoint, &hello), CODE_HELLO_MISMATCH);
	is_challenge = false;
	address_rules_release(endpoint.addresses);
	clock_fake(0, 0);
}

static void
a_hello_is_for_a_challenge_if_it_offers_that_alone(void **state)
{
	static const char alone[] = "\0\x10\0\x0d\0\x0b\x0a"
				    "acme-tls/1",
			  beside[] = "\0\x10\0\x10\0\x0e\x0a"
				     "acme-tls/1"
				     "\2h2";
	struct built hello = build_extensions(alone, sizeof alone - 1);
	struct frame_open open = { .hello_bytes = (uint32_t)hello.bytes };

	(void)state;
	assert_true(open_is_for_challenge(&open, hello.wire));
	open.hello_bytes--;
	assert_false(open_is_for_challenge(&open, hello.wire));
	hello = build_extensions(beside, sizeof beside - 1);
	open.hello_bytes = (uint32_t)hello.bytes;
	assert_false(open_is_for_challenge(&open, hello.wire));
}

int
main(void)
{
	char target[] = "up:80", *targets[] = { target };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_frame_and_endpoint_agree_on_the_name),
		cmocka_unit_test(the_hello_ends_where_the_frame_says),
		cmocka_unit_test(what_is_no_hello_is_a_mismatch),
		cmocka_unit_test(a_carrier_is_one_that_the_endpoint_allows),
		cmocka_unit_test(a_client_is_one_that_the_lists_let_in),
		cmocka_unit_test(an_unknown_endpoint_says_so_before_the_hello_is_read),
		cmocka_unit_test(only_a_terminating_endpoint_is_down_after_a_failed_dial),
		cmocka_unit_test(who_is_answered_by_a_challenge_need_not_be_let_in),
		cmocka_unit_test(a_hello_is_for_a_challenge_if_it_offers_that_alone),
	};

	int failed;

	group = upstream_group_new("app", targets, 1, &(struct health_settings){ 0 });
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests_name("open_check", tests, NULL, NULL);
	upstream_group_release(group);
	return failed;
}
