/*
 * Every allocation of our own objects fails once: what was to be made is not
 * made, or is made after all, and nothing stands half.  Leaks are found by the
 * build with sanitizers.
 */
#include "agent/reload.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "agent/challenge.h"
#include "agent/endpoint_health.h"
#include "agent/relay_path.h"
#include "agent/relay_session.h"
#include "allocation.h"
#include "base/log.h"
#include "enrol/crl_refresh.h"
#include "fetch_process.h"
#include "test_relay.h"

static struct test_mint mint;
static char config[128], second_config[128];
static char upstream[ADDRESS_TEXT];
static int upstream_fd;

static void
write_config(char path[128], const char *name, const char *more_relays, const char *more_endpoints)
{
	char text[4096];

	snprintf(text, sizeof text,
	    "version: 1\n"
	    "log: {level: error}\n"
	    "agent:\n"
	    "  connect_url: [\"127.0.0.1:1\"%s]\n"
	    "  connect_cas: %s/root.crt\n"
	    "  certificate: %s/agent.crt\n"
	    "  private_key: %s/agent.key\n"
	    "  labels: [a=b, c=d]\n"
	    "  state_dir: %s\n"
	    "endpoints:\n"
	    "  - {name: sealed, url: \"tls://sealed.test\", upstream: \"tcp://%s\"}\n%s",
	    more_relays, mint.dir, mint.dir, mint.dir, mint.dir, upstream, more_endpoints);
	mint_write(&mint, name, text, strlen(text));
	mint_path(&mint, name, path);
}

static void
read_config(struct agent_settings *settings, const char *path)
{
	assert_int_equal(agent_settings_read(settings, path, stderr), 0);
}

/* ---- what is made is whole ---- */

struct maker {
	bool (*make)(void); /* false if it cannot be made; wipes it in any case */
	/* Without memory for the text of a warning, a trust set is loaded without the warning. */
	bool may_lack_a_warning;
};

static void
makes_it_unless_an_allocation_fails(const struct maker *maker)
{
	unsigned n = 0, made_in_spite = 0;
	bool made;

	do {
		allocation_fail(++n);
		made = maker->make();
		assert_true(made || allocation_failed());
		made_in_spite += made && allocation_failed();
	} while (allocation_failed());
	assert_true(n > 1);
	if (!maker->may_lack_a_warning)
		assert_int_equal(made_in_spite, 0);
	allocation_fail(0);
}

static bool
make_settings(void)
{
	struct agent_settings settings;
	FILE *nowhere = fopen("/dev/null", "w");
	bool fine = agent_settings_read(&settings, second_config, nowhere) == 0;

	fclose(nowhere);
	agent_settings_wipe(&settings);
	return fine;
}

static struct agent_settings settings;

static bool
make_credentials(void)
{
	char error[CREDENTIALS_ERROR];
	struct credentials *made = credentials_new(&settings, NULL, error);

	credentials_release(made);
	return made != NULL;
}

static struct credentials *credentials;

static bool
make_endpoint_table(void)
{
	char error[ENDPOINT_ERROR];
	struct endpoint_table *made =
	    endpoint_table_new(&settings, credentials->relays, NULL, NULL, error);

	endpoint_table_release(made);
	return made != NULL;
}

static struct agent_context context;

static void
on_relay(void *arg, enum relay_event event)
{
	(void)arg;
	(void)event;
}

static bool
make_workers(void)
{
	struct agent_workers *made = agent_workers_new(
	    2, context.loop, context.resolver, context.endpoint_table, relay_session_on_report);

	agent_workers_free(made);
	return made != NULL;
}

static bool
make_paths(void)
{
	char error[EGRESS_ERROR];
	struct relay_paths *made = relay_paths_new(&settings, error);

	relay_paths_free(made);
	return made != NULL;
}

static bool
make_links(void)
{
	struct relay_links links;
	bool made;

	relay_links_init(&links, &context, on_relay, NULL);
	made = relay_links_set(&links, &context.paths->labels);
	assert_int_equal(links.count, made ? 2 : 0);
	relay_links_wipe(&links);
	return made;
}

/* Their thread lacks memory, too, and then has no listener. */
static bool
make_forwards(void)
{
	char error[FORWARDS_ERROR];
	int code;
	struct forwards *made = forwards_new(context.resolver);
	struct forward_plan *plan = made ? forwards_plan(made, &settings, error, &code) : NULL;

	if (plan)
		forwards_take(made, plan, &settings);
	forwards_free(made);
	return plan != NULL;
}

static void
on_ready(void *arg)
{
	(void)arg;
}

static bool
make_challenge(void)
{
	static const uint8_t digest[CHALLENGE_DIGEST];
	char error[CHALLENGE_ERROR] = "";
	struct challenges *all = challenges_new(context.loop);
	struct challenge *made =
	    all ? challenge_start(all, "app.test", digest, on_ready, NULL, error) : NULL;

	assert_true(!all || made || error[0] != '\0');
	challenge_end(made);
	challenges_free(all);
	return made != NULL;
}

static void
open_context(const char *path)
{
	char error[ENDPOINT_ERROR];

	read_config(&settings, path);
	memset(&context, 0, sizeof context);
	context.loop = loop_new();
	context.resolver = resolver_new();
	context.credentials = credentials = credentials_new(&settings, NULL, error);
	assert_non_null(credentials);
	context.endpoint_table =
	    endpoint_table_new(&settings, credentials->relays, NULL, NULL, error);
	assert_non_null(context.endpoint_table);
	context.paths = relay_paths_new(&settings, error);
	assert_non_null(context.paths);
}

static void
close_context(void)
{
	relay_paths_free(context.paths);
	resolver_free(context.resolver);
	loop_free(context.loop);
	endpoint_table_release(context.endpoint_table);
	credentials_release(context.credentials);
	agent_settings_wipe(&settings);
}

static void
makes_a_thing_whole_or_not_at_all(void **state)
{
	static const struct maker makers[] = {
		{ make_settings, false },
		{ make_credentials, true },
		{ make_paths, false },
		{ make_endpoint_table, true },
		{ make_workers, false },
		{ make_links, false },
		{ make_forwards, true },
		{ make_challenge, false },
	};

	(void)state;
	open_context(second_config);
	for (size_t i = 0; i < COUNT(makers); i++)
		makes_it_unless_an_allocation_fails(&makers[i]);
	close_context();
}

/* ---- a reload happens, or it does not ---- */

static void
on_health(void *arg)
{
	(void)arg;
}

static void
on_renewal(void *arg)
{
	(void)arg;
}

static struct helper *fetch_process;

/* There are no URLs, so nothing is ever fetched, and nothing executed. */
static void
open_fetching(struct agent_live *agent)
{
	struct crl_refresh_options options = { .loop = context.loop, .state_dir = "" };

	fetch_process = start_fetch_process();
	assert_non_null(fetch_process);
	agent->context.fetcher = options.fetcher =
	    fetcher_new(context.loop, context.resolver, fetch_process);
	assert_non_null(options.fetcher);
	agent->crl_refresh = crl_refresh_new(&options);
	assert_non_null(agent->crl_refresh);
	assert_true(
	    agent_renew_start(&agent->renew, &agent->context, &agent->settings, on_renewal, NULL));
}

static void
open_agent(struct agent_live *agent)
{
	memset(agent, 0, sizeof *agent);
	open_context(config);
	read_config(&agent->settings, config);
	agent->config_path = second_config;
	agent->context = context;
	agent->context.workers = agent_workers_new(
	    1, context.loop, context.resolver, context.endpoint_table, relay_session_on_report);
	assert_non_null(agent->context.workers);
	agent->forwards = forwards_new(context.resolver);
	assert_non_null(agent->forwards);
	agent->health = endpoint_health_new(context.loop, context.resolver, on_health, NULL);
	assert_non_null(agent->health);
	open_fetching(agent);
	assert_true(agent_reload_note_stamps(agent));
	relay_links_init(&agent->links, &agent->context, on_relay, agent);
	assert_true(relay_links_set(&agent->links, &agent->context.paths->labels));
}

static void
close_agent(struct agent_live *agent)
{
	endpoint_health_free(agent->health);
	agent_renew_stop(&agent->renew);
	crl_refresh_free(agent->crl_refresh);
	fetcher_free(agent->context.fetcher);
	helper_end(fetch_process);
	relay_links_wipe(&agent->links);
	agent_workers_free(agent->context.workers);
	forwards_free(agent->forwards);
	free(agent->endpoint_stamps);
	agent_settings_wipe(&agent->settings);
	reload_faults_wipe(&agent->faults);
	context = agent->context;
	close_context();
}

static void
reloads_wholly_or_not_at_all(void **state)
{
	struct agent_live agent;
	size_t count;
	unsigned n = 0;

	(void)state;
	do {
		open_agent(&agent);
		allocation_fail(++n);
		agent_reload_settings(&agent, NULL);
		count = agent.links.count;
		assert_true(count == 2 || (count == 1 && allocation_failed()));
		assert_int_equal(agent.settings.endpoints.count, count);
		assert_int_equal(agent.context.endpoint_table->count, count);
		agent_reload_files(&agent);
		close_agent(&agent);
	} while (allocation_failed());
	allocation_fail(0);
	assert_true(n > 20);
}

static void
sees_a_changed_file_whatever_allocation_fails(void **state)
{
	struct endpoint *before;
	struct agent_live agent;
	unsigned n = 0;

	(void)state;
	do {
		open_agent(&agent);
		agent_reload_settings(&agent, NULL);
		assert_int_equal(agent.context.endpoint_table->count, 2);
		before = endpoint_hold(agent.context.endpoint_table->endpoints[1]);
		mint_leaf(&mint, "app", "app.test", GNUTLS_KP_TLS_WWW_SERVER);
		allocation_fail(++n);
		agent_reload_files(&agent);
		if (agent.context.endpoint_table->endpoints[1] == before)
			assert_true(allocation_failed());
		allocation_fail(0);
		close_agent(&agent);
		endpoint_release(before);
	} while (n < 40);
}

/* ---- a running agent gets over it ---- */

/* A relay in a process of its own, whose allocations never fail. */
static struct shared_counts {
	struct test_relay relay;
	uint32_t endpoint; /* flows are opened for this one */
	unsigned wanted, opened, answered, ready;
	struct test_channel *channel; /* the last one that was opened */
	uint8_t hello[4096];
	size_t hello_bytes;
} * shared;

static int shared_fd;

static void
make_hello(void)
{
	struct tls_settings settings_of_client = { .purpose = TLS_UPSTREAM };
	const struct tls_hooks hooks = { .judge = test_relay_judge };
	char error[TLS_ERROR];
	struct tls_config *configuration = tls_config_new(&settings_of_client, error);
	struct tls *client;
	int ends[2];
	ssize_t got;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	client = tls_client(configuration, stream_socket(ends[0]), "sealed.test", &hooks);
	assert_int_equal(tls_handshake(client), IO_READ);
	got = recv(ends[1], shared->hello, sizeof shared->hello, 0);
	assert_true(got > 0);
	shared->hello_bytes = (size_t)got;
	close(ends[1]);
	stream_free(tls_stream(client));
	tls_config_release(configuration);
}

static void
on_relay_tick(void *arg)
{
	struct test_channel *channel = shared->channel;

	if (channel && (channel->is_ready || channel->failed != CODE_NONE || !channel->channel)) {
		shared->ready += channel->is_ready;
		shared->answered++;
		shared->channel = NULL;
	}
	if (!shared->channel && shared->opened < shared->wanted &&
	    test_relay_parked(&shared->relay)) {
		shared->channel = test_relay_parked(&shared->relay);
		test_relay_open(shared->channel, shared->endpoint, "sealed.test", shared->hello,
		    shared->hello_bytes);
		shared->opened++;
	}
	timer_set(arg, 1);
}

/* The process of the relay. */
static int
run_relay(const char *memory, const char *mint_dir, const char *ready)
{
	struct timer timer;
	struct loop *loop;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(memory), 0);
	snprintf(mint.dir, sizeof mint.dir, "%s", mint_dir);
	if (!tls_start())
		return 1;
	loop = loop_new();
	test_relay_start(&shared->relay, loop, &mint);
	timer_init(&timer, loop, on_relay_tick, &timer);
	timer_set(&timer, 1);
	assert_int_equal(write(atoi(ready), "x", 1), 1);
	close(atoi(ready));
	loop_run(loop);
	test_relay_stop(&shared->relay);
	return 0;
}

/* A fresh program: our threads may hold locks that a mere copy of us would wait for. */
static pid_t
start_relay(void)
{
	char memory[16], ready[16], byte;
	int fds[2];
	pid_t pid;

	memset(shared, 0, offsetof(struct shared_counts, hello));
	snprintf(memory, sizeof memory, "%d", shared_fd);
	assert_int_equal(pipe(fds), 0);
	snprintf(ready, sizeof ready, "%d", fds[1]);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		execl("/proc/self/exe", "relay", memory, mint.dir, ready, NULL);
		_exit(127);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	return pid;
}

static struct timer pause_timer;
static bool (*awaited)(void);
static uint64_t wait_until_ms;

static void
on_wait(void *arg)
{
	(void)arg;
	if (awaited() || clock_ms() > wait_until_ms)
		loop_stop(context.loop);
	else
		timer_set(&pause_timer, 1);
}

static bool
comes_true(bool (*claim)(void))
{
	awaited = claim;
	wait_until_ms = clock_ms() + 8000;
	timer_init(&pause_timer, context.loop, on_wait, NULL);
	timer_set(&pause_timer, 0);
	loop_run(context.loop);
	return claim();
}

static bool
pool_is_full(void)
{
	return ((volatile struct shared_counts *)shared)->relay.parked == 3;
}

static bool
is_answered(void)
{
	return ((volatile struct shared_counts *)shared)->answered == shared->wanted;
}

static bool
has_no_flow(void)
{
	return agent_workers_flow_count(context.workers) == 0;
}

/* The n-th allocation fails, if there are so many. */
static void
lives_through(unsigned n)
{
	struct relay_link *link;
	pid_t pid = start_relay();

	open_context(config);
	context.pool_most = 256;
	context.tolerance_ms = 1000;
	context.hello = (struct frame_hello){
		.oldest = 1, .newest = 1, .software = "test", .heartbeat_ms = 1000
	};
	shared->endpoint = context.endpoint_table->endpoints[0]->number;
	context.workers = agent_workers_new(
	    1, context.loop, context.resolver, context.endpoint_table, relay_session_on_report);
	link = relay_link_new(&context, shared->relay.target, 1, on_relay, NULL);
	assert_non_null(link);
	allocation_fail(n);
	assert_true(comes_true(pool_is_full));
	shared->wanted = 1;
	assert_true(comes_true(is_answered));
	assert_true(comes_true(pool_is_full));
	shared->wanted = 2;
	assert_true(comes_true(is_answered));
	assert_true(shared->ready >= 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(comes_true(has_no_flow));
	relay_link_free(link);
	agent_workers_free(context.workers);
	close_context();
}

static void
a_running_agent_gets_over_each(void **state)
{
	unsigned n = 0;

	(void)state;
	do
		lives_through(++n);
	while (allocation_failed());
	allocation_fail(0);
	assert_true(n > 20);
}

/* Nobody accepts: that a connection stands in the backlog is enough for a flow. */
static void
open_upstream(void)
{
	struct address any, local;
	char error[512];

	assert_true(address_parse(&any, "127.0.0.1:0"));
	upstream_fd = socket_listen(&any, false, error);
	assert_true(upstream_fd >= 0);
	local = socket_local(upstream_fd);
	address_text(&local, upstream);
}

static int
set_up(void **state)
{
	char endpoint[2048];

	(void)state;
	mint_open(&mint);
	mint_leaf(&mint, "relay", "localhost", GNUTLS_KP_TLS_WWW_SERVER);
	mint_leaf(&mint, "app", "app.test", GNUTLS_KP_TLS_WWW_SERVER);
	mint_leaf(&mint, "agent", "app.test", GNUTLS_KP_TLS_WWW_CLIENT);
	shared_fd = memfd_create("shared", 0);
	assert_int_equal(ftruncate(shared_fd, sizeof *shared), 0);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	make_hello();
	open_upstream();
	snprintf(endpoint, sizeof endpoint,
	    "  - name: app\n"
	    "    url: tls://app.test\n"
	    "    agent_tls_termination:\n"
	    "      server_certificate: %s/app.crt\n"
	    "      server_private_key: %s/app.key\n"
	    "      server_ocsp_response: %s/root.crt\n" /* which is none */
	    "      server_certificates: [{server_certificate: %s/relay.crt, server_private_key: "
	    "%s/relay.key}]\n"
	    "      mutual_tls_certificate_authorities: %s/root.crt\n"
	    "      alpn: [h2, http/1.1]\n"
	    "      clients: [{cn: a}, {any: [{dns: a.test}, {ou: b}], all: {email: a@a.test}}]\n"
	    "    upstream: {url: [\"tls://localhost:1\", \"tls://localhost:2\"], cas: %s/root.crt,\n"
	    "      health: tls}\n"
	    "forwards:\n"
	    "  - {name: out, listen: \"unix:%s/out.sock\", url: \"tls://out.test\", alpn: h2,\n"
	    "     certificate: %s/agent.crt, private_key: %s/agent.key, cas: %s/root.crt}\n",
	    mint.dir, mint.dir, mint.dir, mint.dir, mint.dir, mint.dir, mint.dir, mint.dir,
	    mint.dir, mint.dir, mint.dir);
	write_config(config, "agent.yml", "", "");
	write_config(second_config, "second.yml", ", \"127.0.0.1:2\"", endpoint);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	close(upstream_fd);
	munmap(shared, sizeof *shared);
	close(shared_fd);
	mint_close(&mint);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_a_thing_whole_or_not_at_all),
		cmocka_unit_test(reloads_wholly_or_not_at_all),
		cmocka_unit_test(sees_a_changed_file_whatever_allocation_fails),
		cmocka_unit_test(a_running_agent_gets_over_each),
	};

	if (argc == 4)
		return run_relay(argv[1], argv[2], argv[3]);
	log_init("allocation_test", LOG_ERROR, LOG_TEXT);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent/allocation", tests, set_up, tear_down);
}
