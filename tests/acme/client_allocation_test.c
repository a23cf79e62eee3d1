/* Each allocation of an order fails once: it ends all the same, with a failure that is told. */
#include "acme/client.h"

#include "account_keys.h"
#include "allocation.h"
#include "base/clock_fake.h"
#include "base/loop_advance.h"
#include "lines.h"

static struct loop *loop;
static struct acme_script script;
static struct acme_client *client;
static unsigned issued, failed;

static void
on_event(void *arg, const struct acme_event *event)
{
	(void)arg;
	if (event->kind == ACME_PRESENT)
		acme_client_presented(client, NULL);
	issued += event->kind == ACME_ISSUED;
	failed += event->kind == ACME_FAILED;
}

static bool
order(void)
{
	bool is_begun = acme_client_issue(
	    client, "app.example.com", (struct der){ (const uint8_t *)"REQUEST", 7 }, NULL);

	return is_begun && loop_advance(loop, 3600000);
}

/* With the n-th allocation failing; false if there are fewer. */
static bool
order_with(unsigned n)
{
	static const struct acme_script_line lines[] = { ASK_DIRECTORY, ASK_NONCE,
		{ "POST /register", 201, .location = ACCOUNT }, ORDER_NEW, AUTHORISE, ANSWER, VALID,
		READY, FINALISE, DOWNLOAD };
	static const char *const contacts[] = { "mailto:a@example.com" };
	static const struct secret mac_key = { (uint8_t *)"key", 3 };
	const struct acme_client_options options = { CA "/directory", contacts, 1, true, "kid-1",
		&mac_key };
	struct account_key *key = new_account_key();
	struct acme_transport transport = script_begin(&script, loop, lines, COUNT(lines));
	bool has_failed, is_done;

	script.is_blind = true;
	issued = failed = 0;
	allocation_fail(n);
	client = acme_client_new(loop, &transport, &options, key, NULL, on_event, NULL);
	is_done = client && order();
	has_failed = allocation_failed();
	allocation_fail(0);
	assert_int_equal(issued + failed, is_done);
	assert_int_equal(issued > 0, !has_failed);
	assert_true(!client || acme_client_is_idle(client));
	acme_client_free(client);
	client = NULL;
	return has_failed;
}

static void
an_order_ends_whatever_allocation_fails(void **state)
{
	unsigned n = 0;

	(void)state;
	clock_fake(1000000, NOW_S * INT64_C(1000000));
	loop = loop_new();
	while (order_with(++n))
		continue;
	assert_true(n > 40);
	loop_free(loop);
	clock_fake(0, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_order_ends_whatever_allocation_fails),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("acme/client, without memory", tests, NULL, NULL);
}
