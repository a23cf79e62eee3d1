/* Tests of relay/upstream_fence: which addresses a client's name may lead to. */
#include "relay/upstream_fence.h"

#include <string.h>
#include "relay/helpers.h"
#include "relay/settings.h"

enum { BLOCKS = 3, LISTENERS = 3 };

static struct settings_listener listeners[LISTENERS];
static struct settings settings = { .listeners = { listeners, LISTENERS } };

static void
allows_what_is_listed_and_nothing_else(void **state)
{
	static const struct {
		const char *blocks[BLOCKS], *address, *refused; /* NULL: allowed */
	} rows[] = {
		{ { "10.0.0.0/8" }, "10.1.2.3:443", NULL },
		{ { "192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32" }, "[2001:db8::1]:443", NULL },
		{ { "10.0.0.0/8" }, "11.1.2.3:443", "in no block" },
		{ { "10.0.0.0/8" }, "[2001:db8::1]:443", "in no block" },
		{ { NULL }, "10.1.2.3:443", "in no block" },
		/* What a block for everything does not mean. */
		{ { "0.0.0.0/0", "::/0" }, "8.8.8.8:443", NULL },
		{ { "0.0.0.0/0", "::/0" }, "0.0.0.0:443", "this host's" },
		{ { "0.0.0.0/0", "::/0" }, "127.0.0.1:443", "loopback" },
		{ { "0.0.0.0/0", "::/0" }, "127.9.9.9:443", "loopback" },
		{ { "126.0.0.0/7" }, "127.0.0.1:443", "loopback" },
		{ { "0.0.0.0/0", "::/0" }, "169.254.169.254:80", "link-local" },
		{ { "0.0.0.0/0", "::/0" }, "224.0.0.1:443", "multicast" },
		{ { "0.0.0.0/0", "::/0" }, "255.255.255.255:443", "reserved" },
		{ { "0.0.0.0/0", "::/0" }, "[::]:443", "this host's" },
		{ { "0.0.0.0/0", "::/0" }, "[::1]:443", "loopback" },
		{ { "0.0.0.0/0", "::/0" }, "[fe80::1]:443", "link-local" },
		{ { "0.0.0.0/0", "::/0" }, "[ff02::1]:443", "multicast" },
		{ { "0.0.0.0/0", "::/0" }, "[::ffff:127.0.0.1]:443", "loopback" },
		/* Listed by itself. */
		{ { "127.0.0.0/8" }, "127.0.0.1:443", NULL },
		{ { "127.0.0.0/30" }, "127.0.0.3:443", NULL },
		{ { "127.0.0.0/30", "0.0.0.0/0" }, "127.0.0.4:443", "loopback" },
		{ { "::1" }, "[::1]:443", NULL },
		{ { "169.254.7.0/24" }, "169.254.7.1:443", NULL },
		/* Our own listeners: 192.0.2.1:443, 0.0.0.0:8443, [::]:9443. */
		{ { "192.0.2.0/24" }, "192.0.2.1:443", "listener of this relay" },
		{ { "192.0.2.0/24" }, "192.0.2.1:444", NULL },
		{ { "192.0.2.1", "192.0.2.0/24" }, "192.0.2.1:443", NULL },
		{ { "127.0.0.0/8" }, "127.0.0.2:8443", "listener of this relay" },
		{ { "127.0.0.2" }, "127.0.0.2:8443", NULL },
		{ { "127.0.0.0/8" }, "127.0.0.2:9443", "listener of this relay" },
		{ { "10.0.0.0/8" }, "10.255.255.254:8443", NULL }, /* not of this host */
		/* The one that it came in by: 0.0.0.0:7443, which a reload has taken out. */
		{ { "127.0.0.0/8" }, "127.0.0.2:7443", "listener of this relay" },
		{ { "127.0.0.2" }, "127.0.0.2:7443", NULL },
	};

	(void)state;
	listeners[0].parsed = address_of("192.0.2.1:443");
	listeners[1].parsed = address_of("0.0.0.0:8443");
	listeners[2].parsed = address_of("[::]:9443");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct address address = address_of(rows[i].address);
		struct prefix blocks[BLOCKS];
		char why[CONNECT_WHY] = "";
		size_t count = 0;
		const struct address entry = address_of("0.0.0.0:7443");
		const struct ip_address came_in = ip_address_of(&entry);
		bool allowed;

		for (; count < BLOCKS && rows[i].blocks[count]; count++)
			blocks[count] = block_of(rows[i].blocks[count]);
		allowed =
		    upstream_fence_allows(blocks, count, &settings, &came_in, &address, why);
		if (allowed != !rows[i].refused || (!allowed && !strstr(why, rows[i].refused)))
			fail_msg("row %zu, %s: %s", i, rows[i].address, why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allows_what_is_listed_and_nothing_else),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/upstream_fence", tests, NULL, NULL);
}
