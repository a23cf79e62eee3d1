/* Tests of agent/forwards: listeners over quick reloads. */
#include "agent/forwards.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "agent/settings.h"
#include "base/log.h"
#include "base/resolver.h"
#include "mint.h"

/* The thread closes the others before the first, so that it is slower than the main thread. */
enum { FORWARDS = 64, ROUNDS = 3, TEXT = 32768 };

static struct test_mint mint;

static size_t
add_forward(char *text, unsigned number, const char *listen)
{
	return (size_t)snprintf(text, TEXT / FORWARDS,
	    "  - {name: f%u, listen: \"%s\", url: \"tls://out.test\", certificate: %s/agent.crt,\n"
	    "     private_key: %s/agent.key, cas: %s/root.crt}\n",
	    number, listen, mint.dir, mint.dir, mint.dir);
}

static void
read_forwards(struct agent_settings *settings, const char *first)
{
	static char text[TEXT];
	char path[128], listen[128];
	size_t used = (size_t)snprintf(
	    text, sizeof text, "version: 1\nagent: {state_dir: \"%s\"}\nforwards:\n", mint.dir);

	used += add_forward(text + used, 0, first);
	for (unsigned i = 1; i < FORWARDS; i++) {
		snprintf(listen, sizeof listen, "unix:%s/%u.sock", mint.dir, i);
		used += add_forward(text + used, i, listen);
	}
	mint_write(&mint, "agent.yml", text, used);
	assert_int_equal(
	    agent_settings_read(settings, mint_path(&mint, "agent.yml", path), stderr), 0);
}

static void
reload(struct forwards *forwards, const struct agent_settings *settings)
{
	char error[FORWARDS_ERROR];
	int code;
	struct forward_plan *plan = forwards_plan(forwards, settings, error, &code);

	if (!plan)
		fail_msg("%s", error);
	forwards_take(forwards, plan, settings);
}

static void
free_port(char out[64])
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, bytes), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &bytes), 0);
	close(fd);
	snprintf(out, 64, "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
}

static void
accepts_at(const char *listen)
{
	struct address address;
	int fd;

	assert_true(address_parse(&address, listen));
	fd = socket(address.as.any.sa_family, SOCK_STREAM, 0);
	if (connect(fd, &address.as.any, address.bytes) < 0)
		fail_msg("nobody listens at %s", listen);
	close(fd);
}

static void
drop_and_bring_back(const char *first)
{
	const struct agent_settings none = { 0 };
	struct resolver *resolver = resolver_new();
	struct forwards *forwards = forwards_new(resolver);
	struct agent_settings settings;

	assert_non_null(forwards);
	read_forwards(&settings, first);
	reload(forwards, &settings);
	for (int i = 0; i < ROUNDS; i++) {
		reload(forwards, &none);
		reload(forwards, &settings);
	}
	accepts_at(first);
	forwards_free(forwards);
	resolver_free(resolver);
	agent_settings_wipe(&settings);
}

static void
a_unix_socket_comes_back_at_once(void **state)
{
	char listen[128];

	(void)state;
	snprintf(listen, sizeof listen, "unix:%s/first.sock", mint.dir);
	drop_and_bring_back(listen);
}

static void
a_port_comes_back_at_once(void **state)
{
	char listen[64];

	(void)state;
	free_port(listen);
	drop_and_bring_back(listen);
}

static int
set_up(void **state)
{
	(void)state;
	log_init("forwards_test", LOG_ERROR, LOG_TEXT);
	mint_open(&mint);
	mint_leaf(&mint, "agent", "out.test", GNUTLS_KP_TLS_WWW_CLIENT);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	mint_close(&mint);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_unix_socket_comes_back_at_once),
		cmocka_unit_test(a_port_comes_back_at_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent/forwards", tests, set_up, tear_down);
}
