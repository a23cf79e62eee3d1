/* Tests of base/address: literals, prefixes and the blocks that limits count. */
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
		{"0.10.200.255:65535", "0.10.200.255:65535", "0.10.200.255", 65535},
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
any_address_is_known_and_equals_mean_address_and_port(void **state)
{
	static const struct { const char *a, *b; bool equal, any; } cases[] = {
		{"0.0.0.0:1", "[::ffff:0.0.0.0]:1", true, true},
		{"[::]:1", "[0:0::0]:1", true, true},
		{"[::]:1", "[::]:2", false, true},
		{"[::]:1", "0.0.0.0:1", false, true},
		{"127.0.0.1:1", "127.0.0.1:1", true, false},
		{"[::1]:1", "[::2]:1", false, false},
		{"unix:/a", "unix:/a", true, false},
		{"unix:/a", "unix:/b", false, false},
	};
	struct address none = {0}, a, b;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_true(address_parse(&a, cases[i].a) && address_parse(&b, cases[i].b));
		if (address_equals(&a, &b) != cases[i].equal || address_is_any(&a) != cases[i].any)
			fail_msg("%s and %s", cases[i].a, cases[i].b);
	}
	assert_false(address_is_any(&none));
	a = address_any_v4(443);
	assert_true(address_parse(&b, "0.0.0.0:443") && address_equals(&a, &b));
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
	address_from(&address, (struct sockaddr *)&mapped, sizeof mapped);
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
	memset(local.sun_path, 'p', sizeof local.sun_path);
	address_from(&address, (struct sockaddr *)&local, sizeof local);
	assert_int_equal(strlen(address_text(&address, out)), 5 + sizeof local.sun_path);
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
	    {"host:00080", "host", 80},
	    {"host:000080", NULL, 0},
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
	memset(text, 'a', sizeof text);
	strcpy(text + 253, ":443");
	assert_true(host_port_split(text, host, &port));
	assert_int_equal(strlen(host), 253);
	memset(text, 'a', sizeof text);
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
a_prefix_is_normal_however_it_is_made(void **state)
{
	static const struct { const char *text, *normal; bool exact; } cases[] = {
		{"192.0.2.77/24", "192.0.2.0/24", false},
		{"192.0.2.0/24", "192.0.2.0/24", true},
		{"192.0.2.1", "192.0.2.1/32", true},
		{"0.0.0.0/0", "0.0.0.0/0", true},
		{"10.0.0.1/0", "0.0.0.0/0", false},
		{"2001:DB8::1/32", "2001:db8::/32", false},
		{"2001:db8:8000::/33", "2001:db8:8000::/33", true},
		{"2001:db8:8000::/32", "2001:db8::/32", false},
		{"::ffff:192.0.2.0/120", "192.0.2.0/24", true},
		{"::ffff:192.0.2.9/120", "192.0.2.0/24", false},
		{"::ffff:0:0/96", "0.0.0.0/0", true},
		{"::ffff:0:0/95", "::fffe:0:0/95", false},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", true},
	};
	char out[PREFIX_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct prefix prefix, exact, again;
		size_t count;

		assert_true(prefix_parse(&prefix, cases[i].text));
		assert_string_equal(prefix_text(&prefix, out), cases[i].normal);
		if (prefix_parse_exact(&exact, cases[i].text) != cases[i].exact)
			fail_msg("%s is judged wrongly", cases[i].text);
		assert_true(!cases[i].exact || prefix_equals(&prefix, &exact));
		count = prefix.family == AF_INET ? 4 : 16;
		assert_true(prefix_from(&again, prefix.bytes, count, prefix.bits));
		assert_memory_equal(&again, &prefix, sizeof prefix);
	}
}

static void
a_prefix_of_octets_is_unmapped_and_masked(void **state)
{
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 192, 0, 2, 77};
	struct prefix prefix;
	char out[PREFIX_TEXT];

	(void)state;
	assert_true(prefix_from(&prefix, mapped, 16, 120));
	assert_string_equal(prefix_text(&prefix, out), "192.0.2.0/24");
	assert_true(prefix_from(&prefix, mapped + 12, 4, 31));
	assert_string_equal(prefix_text(&prefix, out), "192.0.2.76/31");
	assert_false(prefix_from(&prefix, mapped, 16, 129));
	assert_false(prefix_from(&prefix, mapped, 4, 33));
	assert_false(prefix_from(&prefix, mapped, 5, 8));
	assert_false(prefix_from(&prefix, mapped, 0, 0));
	assert_string_equal(prefix_text(&prefix, out), "-");
}

static void
two_prefixes_are_nested_or_have_nothing_in_common(void **state)
{
	static const struct { const char *outer, *inner; bool covers, back; } cases[] = {
		{"192.0.2.0/24", "192.0.2.128/25", true, false},
		{"192.0.2.0/24", "192.0.2.0/24", true, true},
		{"192.0.2.0/25", "192.0.2.128/25", false, false},
		{"0.0.0.0/0", "192.0.2.0/24", true, false},
		{"0.0.0.0/0", "::/0", false, false},
		{"::/0", "2001:db8::/32", true, false},
		{"2001:db8::/32", "2001:db8:ffff::/48", true, false},
		{"2001:db8::/32", "2001:db9::/32", false, false},
		{"::ffff:192.0.2.0/120", "192.0.2.5", true, false},
		{"0.0.0.0/0", "::/96", false, false},
	};
	struct prefix none = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct prefix outer, inner;

		assert_true(prefix_parse(&outer, cases[i].outer));
		assert_true(prefix_parse(&inner, cases[i].inner));
		if (prefix_covers(&outer, &inner) != cases[i].covers ||
		    prefix_covers(&inner, &outer) != cases[i].back)
			fail_msg("%s and %s", cases[i].outer, cases[i].inner);
		assert_false(prefix_covers(&none, &inner));
		assert_false(prefix_covers(&outer, &none));
	}
	assert_false(prefix_covers(&none, &none));
}

static void
blocks_are_what_one_party_has_for_nothing(void **state)
{
	static const struct { const char *address; enum prefix_block block; const char *text; } cases[] = {
		{"192.0.2.77:1", BLOCK_HOST, "192.0.2.77/32"},
		{"192.0.2.77:1", BLOCK_SITE, "192.0.2.77/32"},
		{"192.0.2.77:1", BLOCK_NETWORK, "192.0.2.0/24"},
		{"[2001:db8:1:2:3::4]:1", BLOCK_HOST, "2001:db8:1:2::/64"},
		{"[2001:db8:1:2:3::4]:1", BLOCK_SITE, "2001:db8:1::/48"},
		{"[2001:db8:1:2:3::4]:1", BLOCK_NETWORK, "2001:db8:1::/48"},
		{"[::ffff:192.0.2.77]:1", BLOCK_NETWORK, "192.0.2.0/24"},
		{"unix:/run/x", BLOCK_HOST, "-"},
	};
	char out[PREFIX_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address address;
		struct prefix block;

		assert_true(address_parse(&address, cases[i].address));
		block = prefix_block(&address, cases[i].block);
		assert_string_equal(prefix_text(&block, out), cases[i].text);
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

static void
an_ip_address_is_the_same_in_less_room(void **state)
{
	static const char *const texts[] = { "192.0.2.1:443", "[2001:db8::1]:65535" };
	struct address address, back;
	struct ip_address ip;

	(void)state;
	assert_true(sizeof ip <= 32);
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_true(address_parse(&address, texts[i]));
		ip = ip_address_of(&address);
		back = address_of_ip(&ip);
		assert_true(address_equals(&address, &back));
	}
	assert_true(address_parse(&address, "unix:/p"));
	assert_int_equal(ip_address_of(&address).bytes, 0);
	ip = ip_address_of(&(struct address){ 0 });
	assert_int_equal(address_of_ip(&ip).bytes, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(an_ip_address_is_the_same_in_less_room),
	cmocka_unit_test(reads_literals_and_writes_them_back),
	cmocka_unit_test(any_address_is_known_and_equals_mean_address_and_port),
	cmocka_unit_test(refuses_what_is_no_literal),
	cmocka_unit_test(maps_to_ipv4_on_the_way_in),
	cmocka_unit_test(names_local_sockets),
	cmocka_unit_test(splits_host_and_port),
	cmocka_unit_test(a_host_has_at_most_253_bytes),
	cmocka_unit_test(a_prefix_holds_its_own),
	cmocka_unit_test(refuses_what_is_no_prefix),
	cmocka_unit_test(a_prefix_is_normal_however_it_is_made),
	cmocka_unit_test(a_prefix_of_octets_is_unmapped_and_masked),
	cmocka_unit_test(two_prefixes_are_nested_or_have_nothing_in_common),
	cmocka_unit_test(blocks_are_what_one_party_has_for_nothing),
	cmocka_unit_test(limits_count_by_blocks),
};

RUN_TESTS("address", tests)
