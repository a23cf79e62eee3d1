/* Tests of base/connect_source: what is one, and where a socket comes from. */
#include "base/connect_source.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/socket.h"
#include "helpers.h"

static char error[256];

static void
takes_one_of_each_kind(void **state)
{
	struct connect_source source = { 0 };

	(void)state;
	assert_false(connect_source_is_given(&source));
	assert_true(connect_source_add(&source, "192.0.2.1", error));
	assert_true(connect_source_is_given(&source));
	assert_true(connect_source_add(&source, "eth1.100", error));
	assert_true(connect_source_add(&source, "2001:db8::1", error));
	assert_false(connect_source_add(&source, "192.0.2.2", error));
	assert_false(connect_source_add(&source, "2001:db8::2", error));
	assert_false(connect_source_add(&source, "eth2", error));
	assert_string_equal(source.interface, "eth1.100");
}

static void
refuses_what_is_none(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "a b", "192.0.2.1:80", "[::1]",
		"an-interface-too-long", "192.0.2.0/24" };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct connect_source source = { 0 };

		if (connect_source_add(&source, bad[i], error) || connect_source_is_given(&source))
			fail_msg("%s", bad[i]);
		assert_non_null(strstr(error, "neither an address"));
	}
}

static void
binds_the_family_that_has_an_address(void **state)
{
	struct connect_source source = { 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct address own;
	char text[ADDRESS_TEXT];

	(void)state;
	assert_true(connect_source_add(&source, "127.0.0.2", error));
	assert_int_equal(connect_source_bind(&source, fd, AF_INET), 0);
	own = socket_local(fd);
	assert_string_equal(address_host_text(&own, text), "127.0.0.2");
	assert_int_equal(connect_source_bind(&source, fd, AF_INET6), EAFNOSUPPORT);
	assert_int_equal(connect_source_bind(&source, fd, AF_UNIX), 0);
	close(fd);
}

static void
says_why_it_cannot(void **state)
{
	struct connect_source source = { 0 }, nowhere = { 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_true(connect_source_add(&source, "no-such-if", error));
	assert_int_equal(connect_source_bind(&source, fd, AF_INET), ENODEV);
	assert_true(connect_source_add(&nowhere, "192.0.2.77", error));
	assert_int_equal(connect_source_bind(&nowhere, fd, AF_INET), ENXIO);
	close(fd);
}

static void
knows_what_is_the_same(void **state)
{
	static const char *const texts[] = { "192.0.2.1", "192.0.2.2", "2001:db8::1", "eth0", "eth1" };

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		for (size_t j = 0; j < COUNT(texts); j++) {
			struct connect_source a = { 0 }, b = { 0 };

			assert_true(connect_source_add(&a, texts[i], error));
			assert_true(connect_source_add(&b, texts[j], error));
			assert_int_equal(connect_source_equals(&a, &b), i == j);
		}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(takes_one_of_each_kind),
	cmocka_unit_test(refuses_what_is_none),
	cmocka_unit_test(binds_the_family_that_has_an_address),
	cmocka_unit_test(says_why_it_cannot),
	cmocka_unit_test(knows_what_is_the_same),
};

RUN_TESTS("base/connect_source", tests)
