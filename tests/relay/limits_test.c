/* Tests of relay/limits: how descriptors and memory are shared out. */
#include "relay/limits.h"

#include <string.h>
#include "relay/settings.h"
#include "relay/helpers.h"

static struct settings
usual(void)
{
	struct settings settings = { .connect_name = "connect.example.net", .workers = "2" };

	settings.listeners.count = 1;
	settings.limits.flows = 100000;
	settings.limits.hellos = 4096;
	settings.limits.handshakes = 256;
	settings.limits.channel_handshakes = 1024;
	settings.limits.sessions = 10000;
	settings.limits.channels = 50000;
	settings.limits.memory = (char *)(uintptr_t) "auto";
	return settings;
}

/* Whatever is asked for, the parts together are what there is, and everybody has one. */
static void
the_parts_never_exceed_the_whole(void **state)
{
	static const uint64_t descriptors[] = { 64, 256, 1024, 4096, 20000, 65536, 524288,
		1048576 };
	static const uint64_t asked[] = { 10000, 1, 100, 5000, 1000000 };

	(void)state;
	for (unsigned i = 0; i < 8 * 5 * 5 * 2; i++) {
		struct settings settings = usual();
		struct limits l;

		settings.limits.sessions = asked[i / 8 % 5];
		settings.limits.agent_descriptors = i / 40 % 5 ? asked[i / 40 % 5] : 0;
		settings.connect_name = i / 200 ? settings.connect_name : NULL;
		limits_derive(&l, &settings, descriptors[i % 8], 1 << 30);
		assert_int_equal(
		    l.reserve + l.agent_descriptors + l.client_descriptors, descriptors[i % 8]);
		assert_true(l.sessions + l.channels + l.channel_handshakes + l.agent_hellos <=
		    l.agent_descriptors);
		assert_true(l.hellos + l.lingers + 2 * l.flows <= l.client_descriptors);
		if (descriptors[i % 8] > 256)
			assert_true(l.reserve >= 64 + 2 * 48 + 2 * (8 + 2) + l.handshakes);
		/* Who is within his part is never refused for the number of his descriptor. */
		assert_int_equal(l.kept_from, l.reserve - l.handshakes + l.agent_descriptors +
			l.client_descriptors);
		assert_true(l.handshakes >= 2 || !settings.connect_name);
		assert_true(l.flows > 0 && l.hellos > 0 && l.lingers > 0);
		if (settings.connect_name)
			assert_true(l.sessions > 0 && l.channels > 0 && l.channel_handshakes > 0 &&
			    l.agent_hellos > 0);
		else
			assert_int_equal(l.agent_descriptors + l.sessions + l.channels +
				l.channel_handshakes + l.agent_hellos,
			    0);
	}
}

static void
a_large_host_keeps_what_is_asked_for(void **state)
{
	struct settings settings = usual();
	struct limits l;

	(void)state;
	limits_derive(&l, &settings, 524288, UINT64_C(64) << 30);
	assert_int_equal(l.flows, 100000);
	assert_int_equal(l.hellos, 4096);
	assert_int_equal(l.agent_hellos, 1024);
	assert_int_equal(l.channel_handshakes, 1024);
	assert_int_equal(l.sessions, 10000);
	assert_int_equal(l.channels, 50000);
	assert_true(l.memory == UINT64_C(32) << 30);
}

static void
a_small_host_gets_what_its_descriptors_allow(void **state)
{
	struct settings settings = usual();
	struct limits l;

	(void)state;
	limits_derive(&l, &settings, 1024, UINT64_C(512) << 20);
	assert_int_equal(l.reserve, 64 + 2 * 48 + 2 * (8 + 2) + 256);
	assert_int_equal(l.agent_descriptors, 147);
	assert_int_equal(l.hellos, 110);
	assert_int_equal(l.flows, 151);
	assert_int_equal(l.memory, 256 << 20);
}

static void
what_is_set_counts(void **state)
{
	struct settings settings = usual();
	struct limits l;

	(void)state;
	settings.limits.sessions = 50;
	settings.limits.agent_descriptors = 10000;
	settings.limits.memory = (char *)(uintptr_t) "17MiB";
	limits_derive(&l, &settings, 20000, UINT64_MAX);
	assert_int_equal(l.agent_descriptors, 10000);
	assert_int_equal(l.sessions, 50);
	assert_int_equal(l.channels, 10000 - 2 * 1024 - 50);
	assert_int_equal(l.memory, 17 << 20);
	settings.limits.memory = (char *)(uintptr_t) "off";
	limits_derive(&l, &settings, 20000, 1 << 30);
	assert_int_equal(l.memory, 0);
}

static void
a_host_that_does_not_say_its_memory_has_no_bound(void **state)
{
	struct settings settings = usual();
	struct limits l;

	(void)state;
	limits_derive(&l, &settings, 20000, UINT64_MAX);
	assert_int_equal(l.memory, 0);
}

static void
check_says_all_that_is_derived(void **state)
{
	static const char *const lines[] = {
		"limits.flows: 151, not 100000: there are too few descriptors; raise ",
		"limits.hellos: 110, not 4096: there are too few ",
		"limits.hello_memory: 2 MiB\n",
		"lingering refusals: 28\n",
		"limits.handshakes: 256\n",
		"handshakes of known peers: 128, of unknown ones as many\n",
		"limits.channel_handshakes: 18, not 1024: ",
		"hellos from where agents are: 18\n",
		"memory of hellos from where agents are: 512 KiB\n",
		"limits.memory: 256 MiB\n",
	};
	struct settings settings = usual();
	struct limits limits;
	char *text;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	assert_non_null(out);
	settings.limits.hello_memory = 2 << 20;
	limits_derive(&limits, &settings, 1024, UINT64_C(512) << 20);
	limits_print(&limits, &settings, out);
	fclose(out);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		if (!strstr(text, lines[i]))
			fail_msg("no line \"%s\" in:\n%s", lines[i], text);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_parts_never_exceed_the_whole),
		cmocka_unit_test(a_large_host_keeps_what_is_asked_for),
		cmocka_unit_test(a_small_host_gets_what_its_descriptors_allow),
		cmocka_unit_test(what_is_set_counts),
		cmocka_unit_test(a_host_that_does_not_say_its_memory_has_no_bound),
		cmocka_unit_test(check_says_all_that_is_derived),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
