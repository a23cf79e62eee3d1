/* Each allocation of a dial by a proxy fails once, with TLS and without: there is a stream that has every byte,
 * or a sentence, or no dial; and nothing is left over. */
#include "tunnel/proxy_dial.h"

#include "allocation.h"
#include "base/fetch_proxy.h"
#include "base/resolver.h"
#include "tunnel/looped.h"

static struct resolver *resolver;
static struct fetch_proxy proxy;
static struct proxy_dial_options options;
static char url[64];
static int listening;
static struct tls_config *server_config;

static struct {
	bool is_over;
	struct stream *stream;
} done;

/* The proxy's side of one dial. */
static struct {
	int fd; /* -1: none yet */
	struct stream *stream;
	struct tls *tls;
	bool has_shaken, has_answered;
} peer;

static void
on_done(void *arg, struct stream *stream, const char *error)
{
	(void)arg;
	assert_int_equal(stream != NULL, !error);
	done.is_over = true;
	done.stream = stream;
}

static unsigned
judge(void *arg, const char *host, const struct tls_certificate *chain, size_t count,
    char why[PROXY_DIAL_ERROR])
{
	(void)arg;
	(void)host;
	(void)chain;
	(void)count;
	(void)why;
	return 0;
}

static bool
meet(void)
{
	peer.fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (peer.fd < 0)
		return false;
	peer.stream = stream_socket(peer.fd);
	if (proxy.kind == FETCH_PROXY_HTTPS) {
		peer.tls = tls_server(server_config, peer.stream, NULL);
		peer.stream = tls_stream(peer.tls);
	}
	return true;
}

/* Whatever it is asked, it consents, and the target's first bytes come with that. */
static void
answer(void)
{
	static const char consent[] = "HTTP/1.1 200 Go\r\n\r\nhello";
	uint8_t heard[2048];
	size_t bytes = 0;

	if (peer.tls && !peer.has_shaken)
		peer.has_shaken = tls_handshake(peer.tls) == IO_OK;
	if (peer.tls && !peer.has_shaken)
		return;
	if (!peer.has_answered && stream_read(peer.stream, heard, sizeof heard, &bytes) == IO_OK) {
		peer.has_answered = true;
		say(peer.stream, consent);
	}
}

/* The other side is the test's own, and lacks nothing. */
static void
play_peer(void)
{
	uint64_t fails_at = atomic_exchange(&allocation_steering.fail_at, 0);
	uint64_t made = atomic_load(&allocation_steering.made);

	if (peer.fd >= 0 || meet())
		answer();
	if (fails_at)
		atomic_store(&allocation_steering.fail_at,
		    fails_at + (atomic_load(&allocation_steering.made) - made));
}

static bool
hears_hello(void *arg)
{
	static char got[8];
	static size_t all;
	size_t bytes = 0;

	(void)arg;
	if (stream_read(done.stream, got + all, 5 - all, &bytes) == IO_OK)
		all += bytes;
	if (all < 5)
		return false;
	assert_memory_equal(got, "hello", 5);
	all = 0;
	return true;
}

static void
clear(void)
{
	stream_free(done.stream);
	stream_free(peer.stream);
	memset(&done, 0, sizeof done);
	memset(&peer, 0, sizeof peer);
	peer.fd = -1;
}

/* Whether the allocation was made at all. */
static bool
dial(unsigned fails_at, unsigned *streams)
{
	struct proxy_dial *made;
	bool has_failed;

	clear();
	allocation_fail(fails_at);
	made = proxy_dial_new(loop, resolver, &options, on_done, NULL);
	while (made && !done.is_over) {
		assert_true(loop_advance(loop, 0));
		play_peer();
	}
	has_failed = allocation_failed();
	allocation_fail(0);
	assert_true(loop_advance(loop, 0));
	assert_true(has_failed || done.stream);
	*streams += done.stream != NULL;
	if (done.stream)
		assert_true(happens(hears_hello, NULL));
	clear();
	return has_failed;
}

static void
sweep(enum fetch_proxy_kind kind, const char *scheme)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof at;
	unsigned count = 0, streams = 0;

	listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(listening, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(listening, 4), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&at, &bytes), 0);
	snprintf(url, sizeof url, "%s://127.0.0.1:%u", scheme, (unsigned)ntohs(at.sin_port));
	proxy = (struct fetch_proxy){ .kind = kind, .url = url, .host = "127.0.0.1" };
	options.proxy = &proxy;
	while (dial(++count, &streams))
		;
	assert_true(count > 4);
	assert_true(streams > 0 && streams < count);
	close(listening);
}

static void
is_whole_or_not_at_all(void **state)
{
	(void)state;
	sweep(FETCH_PROXY_HTTP, "http");
}

static void
is_whole_or_not_at_all_in_tls(void **state)
{
	const struct tls_settings settings = { .purpose = TLS_UPSTREAM };
	char error[TLS_ERROR];

	(void)state;
	server_config = config_for(TLS_ENDPOINT);
	options.tls = tls_config_new(&settings, error);
	assert_non_null(options.tls);
	sweep(FETCH_PROXY_HTTPS, "https");
	tls_config_release(options.tls);
	tls_config_release(server_config);
}

static int
begin(void **state)
{
	if (set_up(state) != 0)
		return -1;
	resolver = resolver_new();
	options = (struct proxy_dial_options){ .target = "relay.test:443", .timeout_ms = 10000, .judge = judge };
	peer.fd = -1;
	return resolver ? 0 : -1;
}

static int
finish(void **state)
{
	resolver_free(resolver);
	return tear_down(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_whole_or_not_at_all),
		cmocka_unit_test(is_whole_or_not_at_all_in_tls),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tunnel/proxy_dial_allocation", tests, begin, finish);
}
