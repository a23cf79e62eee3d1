#include "base/address.h"

#include <arpa/inet.h>
#include <string.h>
#include "helpers.h"

static void
reads_literals_and_writes_them_back(void **state)
{
	static const struct { const char *text, *back, *host; uint16_t port; } cases[] = {
		{"192.0.2.1:443", "192.0.2.1:443", "192.0.2.1", 443},
		{"0.0.0.0:0", "0.0.0.0:0", "0.0.0.0", 0},
		{"[::]:443", "[::]:443", "::", 443},
		{"[2001:DB8::0:1]:65535", "[2001:db8::1]:65535", "2001:db8::1", 65535},
		{"[::ffff:192.0.2.7]:80", "192.0.2.7:80", "192.0.2.7", 80},
		{"unix:/run/x.sock", "unix:/run/x.sock", "unix:/run/x.sock", 0},
	};
	char out[ADDRESS_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address address;

		assert_true(address_parse(&address, cases[i].text));
		assert_string_equal(address_text(&address, out), cases[i].back);
		assert_string_equal(address_host_text(&address, out), cases[i].host);
		assert_int_equal(address_port(&address), cases[i].port);
	}
}

static void
refuses_what_is_no_literal(void **state)
{
	static const char *const cases[] = {
	    "",
	    ":",
	    ":443",
	    "192.0.2.1",
	    "192.0.2.1:",
	    "192.0.2.1:65536",
	    "192.0.2.1:-1",
	    "192.0.2.1:4 4",
	    "192.0.2.1:443x",
	    "192.0.2:443",
	    "192.0.2.256:443",
	    "example.com:443",
	    "::1:443",
	    "[::1]",
	    "[::1]443",
	    "[::1:443",
	    "[192.0.2.1]:443",
	    "[]:443",
	    "unix:",
	    "localhost:80",
	    "[::1]x:443",
	};
	struct address address;
	char longer[300] = "unix:/";

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (address_parse(&address, cases[i]))
			fail_msg("\"%s\" is not refused", cases[i]);
	}
	memset(longer + 6, 'a', 150);
	assert_false(address_parse(&address, longer));
	memset(longer, '1', 290);
	strcpy(longer + 280, ":443");
	assert_false(address_parse(&address, longer));
}

static void
maps_to_ipv4_on_the_way_in(void **state)
{
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(99)};
	struct address address;
	char out[ADDRESS_TEXT];

	(void)state;
	inet_pton(AF_INET6, "::ffff:198.51.100.4", &mapped.sin6_addr);
	address_from(&address, (struct sockaddr *)&mapped, sizeof(mapped));
	assert_int_equal(address.as.any.sa_family, AF_INET);
	assert_int_equal(address.bytes, sizeof(struct sockaddr_in));
	assert_string_equal(address_text(&address, out), "198.51.100.4:99");
}

static void
names_local_sockets(void **state)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "\0hidden"};
	struct address address = {0};
	char out[ADDRESS_TEXT];

	(void)state;
	assert_string_equal(address_text(&address, out), "-");
	assert_int_equal(address_port(&address), 0);
	address_from(&address, (struct sockaddr *)&local, offsetof(struct sockaddr_un, sun_path));
	assert_string_equal(address_text(&address, out), "unix:");
	address_from(
	    &address, (struct sockaddr *)&local, offsetof(struct sockaddr_un, sun_path) + 7);
	assert_string_equal(address_text(&address, out), "unix:@hidden");
	memset(local.sun_path, 'p', sizeof(local.sun_path));
	address_from(&address, (struct sockaddr *)&local, sizeof(local));
	assert_int_equal(strlen(address_text(&address, out)), 5 + sizeof(local.sun_path));
	address_from(&address, (struct sockaddr *)&local, 1);
	assert_int_equal(address.bytes, 0);
}

static void
splits_host_and_port(void **state)
{
	static const struct { const char *text, *host; uint16_t port;
	} cases[] = {
	    {"connect.example.net:443", "connect.example.net", 443},
	    {"[::1]:1", "::1", 1},
	    {"[fe80::1%eth0]:65535", "fe80::1%eth0", 65535},
	    {"127.0.0.1:80", "127.0.0.1", 80},
	    {"a_b:7", "a_b", 7},
	    {"host", NULL, 0},
	    {"host:0", NULL, 0},
	    {"host:65536", NULL, 0},
	    {":443", NULL, 0},
	    {"::1:443", NULL, 0},
	    {"tcp://host:80", NULL, 0},
	    {"ho st:80", NULL, 0},
	    {"h\x01:80", NULL, 0},
	    {"[host]:80", NULL, 0},
	    {"user@host:80", NULL, 0},
	    {"h\xc3\xa9:80", NULL, 0},
	    {"[::1]", NULL, 0},
	    {"host:80/path", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char host[254];
		uint16_t port;
		bool fine = host_port_split(cases[i].text, host, &port);

		if (fine != (cases[i].host != NULL))
			fail_msg("\"%s\" is judged wrongly", cases[i].text);
		if (!fine)
			continue;
		assert_string_equal(host, cases[i].host);
		assert_int_equal(port, cases[i].port);
	}
}

static void
a_host_has_at_most_253_bytes(void **state)
{
	char text[300], host[254];
	uint16_t port;

	(void)state;
	memset(text, 'a', sizeof(text));
	strcpy(text + 253, ":443");
	assert_true(host_port_split(text, host, &port));
	assert_int_equal(strlen(host), 253);
	memset(text, 'a', sizeof(text));
	strcpy(text + 254, ":443");
	assert_false(host_port_split(text, host, &port));
}

static void
a_prefix_holds_its_own(void **state)
{
	static const struct { const char *prefix, *address; bool holds;
	} cases[] = {
	    {"192.0.2.0/24", "192.0.2.255:1", true},
	    {"192.0.2.0/24", "192.0.3.0:1", false},
	    {"192.0.2.77/24", "192.0.2.1:1", true},
	    {"192.0.2.1", "192.0.2.1:9", true},
	    {"192.0.2.1", "192.0.2.2:9", false},
	    {"0.0.0.0/0", "255.255.255.255:1", true},
	    {"0.0.0.0/0", "[::1]:1", false},
	    {"::/0", "[2001:db8::1]:1", true},
	    {"::/0", "192.0.2.1:1", false},
	    {"2001:db8::/33", "[2001:db8:7fff::1]:1", true},
	    {"2001:db8::/33", "[2001:db8:8000::1]:1", false},
	    {"::1", "[::1]:1", true},
	    {"10.0.0.0/9", "10.127.0.1:1", true},
	    {"10.0.0.0/9", "10.128.0.1:1", false},
	    {"::ffff:192.0.2.0/120", "192.0.2.9:1", true},
	    {"0.0.0.0/0", "unix:/x", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct prefix prefix;
		struct address address;

		assert_true(prefix_parse(&prefix, cases[i].prefix));
		assert_true(address_parse(&address, cases[i].address));
		if (prefix_holds(&prefix, &address) != cases[i].holds)
			fail_msg("%s and %s", cases[i].prefix, cases[i].address);
	}
}

static void
refuses_what_is_no_prefix(void **state)
{
	static const char *const cases[] = {
	    "",
	    "/",
	    "/24",
	    "192.0.2.0/",
	    "192.0.2.0/33",
	    "::/129",
	    "192.0.2/24",
	    "x/8",
	    "192.0.2.0/-1",
	    "192.0.2.0/24 ",
	    "192.0.2.0/24/8",
	    "[::1]/64",
	    "1111111111111111111111111111111111111111111111111111111111111111111111",
	};
	struct prefix prefix;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (prefix_parse(&prefix, cases[i]))
			fail_msg("\"%s\" is not refused", cases[i]);
	}
}

static void
limits_count_by_blocks(void **state)
{
	static const uint8_t key[16] = {1};
	struct address a, b, c;
	struct prefix pa, pb, pc;

	(void)state;
	assert_true(address_parse(&a, "[2001:db8:0:1::1]:1"));
	assert_true(address_parse(&b, "[2001:db8:0:1:ffff::2]:2"));
	assert_true(address_parse(&c, "[2001:db8:0:2::1]:1"));
	pa = prefix_of(&a, 32, 64);
	pb = prefix_of(&b, 32, 64);
	pc = prefix_of(&c, 32, 64);
	assert_true(prefix_equals(&pa, &pb));
	assert_true(prefix_hash(&pa, key) == prefix_hash(&pb, key));
	assert_false(prefix_equals(&pa, &pc));
	assert_true(prefix_hash(&pa, key) != prefix_hash(&pc, key));
	pa = prefix_of(&(struct address){0}, 32, 64);
	assert_int_equal(pa.family, AF_UNSPEC);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_literals_and_writes_them_back),
	cmocka_unit_test(refuses_what_is_no_literal),
	cmocka_unit_test(maps_to_ipv4_on_the_way_in),
	cmocka_unit_test(names_local_sockets),
	cmocka_unit_test(splits_host_and_port),
	cmocka_unit_test(a_host_has_at_most_253_bytes),
	cmocka_unit_test(a_prefix_holds_its_own),
	cmocka_unit_test(refuses_what_is_no_prefix),
	cmocka_unit_test(limits_count_by_blocks),
};

RUN_TESTS("address", tests)
