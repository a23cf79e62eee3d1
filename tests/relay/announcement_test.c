/* Tests of relay/announcement: what waits is as small as what was said. */
#include "relay/announcement.h"

#include <malloc.h>
#include <string.h>
#include "relay/helpers.h"
#include "tunnel/frame.h"

static void
is_kept(const struct frame_announce *frame, size_t most)
{
	struct announcement *kept = announcement_new(frame);
	struct frame_announce got;

	assert_non_null(kept);
	assert_in_range(malloc_usable_size(kept), 1, most);
	announcement_frame(kept, &got);
	assert_int_equal(got.endpoint, frame->endpoint);
	assert_int_equal(got.weight, frame->weight);
	assert_int_equal(got.carriers, frame->carriers);
	assert_string_equal(got.server_name, frame->server_name);
	assert_string_equal(got.name, frame->name);
	assert_int_equal(got.facts.bytes, frame->facts.bytes);
	if (frame->facts.bytes > 0)
		assert_memory_equal(got.facts.at, frame->facts.at, frame->facts.bytes);
	free(kept);
}

static void
the_shortest_takes_some_octets(void **state)
{
	const struct frame_announce frame = {
		.endpoint = UINT32_MAX, .weight = 1000, .carriers = 3, .server_name = "a.b"
	};

	(void)state;
	is_kept(&frame, 40);
}

static void
the_longest_loses_nothing(void **state)
{
	static const uint8_t facts[3000] = { 0x80, 2, 0x0b, 0xb4, 4 };
	struct frame_announce frame = { .endpoint = 1, .weight = 1, .carriers = 1,
		.facts = { facts, sizeof facts } };

	(void)state;
	memset(frame.server_name, 'a', sizeof frame.server_name - 1);
	memset(frame.name, 'b', sizeof frame.name - 1);
	is_kept(&frame, 48 + sizeof frame.server_name + sizeof frame.name + sizeof facts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shortest_takes_some_octets),
		cmocka_unit_test(the_longest_loses_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/announcement", tests, NULL, NULL);
}
