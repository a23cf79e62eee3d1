/* Tests of relay/resumption: who may go on with what was announced, for how long, and how much is kept. */
#include "relay/resumption.h"

#include <stdio.h>
#include <string.h>
#include "base/clock_fake.h"
#include "relay/helpers.h"

enum { SECOND = 1000000, ROOM = 10000 };

static struct resumptions *all;
static const uint8_t acme[IDENTITY_KEY_BYTES] = "acme", other[IDENTITY_KEY_BYTES] = "other";

static int
set_up(void **state)
{
	(void)state;
	clock_fake(SECOND, 0);
	all = resumptions_new();
	if (all)
		resumptions_set_bound(all, ROOM);
	return !all;
}

static int
tear_down(void **state)
{
	(void)state;
	resumptions_free(all);
	clock_fake(0, 0);
	return 0;
}

static struct resumption_key
key_of(const char *identity, const char *instance)
{
	struct resumption_key key = { 0 };

	strcpy((char *)key.identity, identity);
	strcpy((char *)key.instance, instance);
	return key;
}

/* A list of so many names, with a digest that begins with `mark`. */
static void
put(const char *identity, const char *instance, const uint8_t *tenant, unsigned count, uint8_t mark)
{
	const struct resumption_key key = key_of(identity, instance);
	struct frame_announce frame = { .weight = 1, .carriers = 1, .server_name = "name.example" };
	struct resumption_list list;

	resumption_list_init(&list);
	for (unsigned i = 1; i <= count; i++) {
		frame.endpoint = i;
		resumption_list_add(&list, announcement_new(&frame));
	}
	list.digest[0] = mark;
	resumptions_put(all, &key, tenant, &list);
	assert_int_equal(list.count, 0);
}

/* How many names come with this; 0: there is none. */
static size_t
take(const char *identity, const char *instance, uint8_t mark)
{
	const struct resumption_key key = key_of(identity, instance);
	const uint8_t digest[RESUME_BYTES] = { mark };
	struct resumption_list list;
	const struct announcement *one;
	size_t count = 0;

	resumption_list_init(&list);
	if (!resumptions_take(all, &key, digest, &list))
		return 0;
	STAILQ_FOREACH(one, &list.announcements, link)
		assert_int_equal(one->endpoint, ++count);
	assert_int_equal(list.count, count);
	resumption_list_wipe(&list);
	return count;
}

static void
gives_a_list_to_the_same_agent_with_the_same_digest_once(void **state)
{
	(void)state;
	put("agent", "one", acme, 5, 7);
	assert_true(resumptions_bytes(all) > 0);
	assert_int_equal(take("agent", "two", 7), 0);
	assert_int_equal(take("agent2", "one", 7), 0);
	assert_int_equal(take("agent", "one", 8), 0);
	assert_int_equal(take("agent", "one", 7), 5);
	assert_int_equal(take("agent", "one", 7), 0);
	assert_int_equal(resumptions_bytes(all), 0);
}

static void
keeps_the_last_list_of_an_agent(void **state)
{
	(void)state;
	put("agent", "one", acme, 5, 7);
	put("agent", "one", acme, 6, 8);
	assert_int_equal(take("agent", "one", 7), 0);
	assert_int_equal(take("agent", "one", 8), 6);
}

static void
forgets_after_a_minute(void **state)
{
	(void)state;
	put("agent", "one", acme, 5, 7);
	clock_fake(SECOND + UINT64_C(60) * SECOND, 0);
	assert_int_equal(take("agent", "one", 7), 0);
	assert_true(resumptions_bytes(all) > 0);
	resumptions_tidy(all);
	assert_int_equal(resumptions_bytes(all), 0);
	put("agent", "one", acme, 5, 7);
	clock_fake(SECOND + UINT64_C(119) * SECOND, 0);
	resumptions_tidy(all);
	assert_int_equal(take("agent", "one", 7), 5);
}

/* One that has little keeps it, however much another one has, in one list or in many. */
static void
takes_from_the_tenant_that_has_most(void **state)
{
	char instance[INSTANCE_BYTES];

	(void)state;
	put("small", "one", other, 5, 7);
	put("big", "one", acme, 100, 7);
	assert_int_equal(take("big", "one", 7), 100);
	put("big", "one", acme, 1000, 7);
	assert_int_equal(take("big", "one", 7), 0);
	for (int i = 0; i < 50; i++) {
		snprintf(instance, sizeof instance, "%d", i);
		put("big", instance, acme, 50, 7);
		assert_in_range(resumptions_bytes(all), 0, ROOM);
	}
	assert_int_equal(take("big", "0", 7), 0);
	assert_int_equal(take("big", "49", 7), 50);
	assert_int_equal(take("small", "one", 7), 5);
}

static void
keeps_nothing_without_room(void **state)
{
	(void)state;
	put("agent", "one", acme, 5, 7);
	resumptions_set_bound(all, 0);
	assert_int_equal(take("agent", "one", 7), 0);
	put("agent", "one", acme, 5, 7);
	assert_int_equal(take("agent", "one", 7), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    gives_a_list_to_the_same_agent_with_the_same_digest_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keeps_the_last_list_of_an_agent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(forgets_after_a_minute, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    takes_from_the_tenant_that_has_most, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keeps_nothing_without_room, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/resumption", tests, NULL, NULL);
}
