/* Tests of tunnel/proxy_dial against proxies that the test plays itself. */
#include "tunnel/proxy_dial.h"

#include "base/fetch_proxy.h"
#include "base/resolver.h"
#include "base/socket.h"
#include "tunnel/looped.h"

static struct resolver *resolver;
static struct fetch_proxy proxy;
static struct proxy_dial_options options;
static char url[64];

/* The proxy's side. */
static struct {
	int listening, fd;	/* -1: none */
	uint16_t port;
	struct stream *stream;	/* has the descriptor, once there is a connection */
	struct tls *tls;
	uint8_t heard[2048];
	size_t heard_bytes, wanted;
} peer = { .listening = -1, .fd = -1 };

static struct {
	unsigned calls;
	struct stream *stream;
	char error[PROXY_DIAL_ERROR];
} done;

static struct {
	unsigned alert, calls;
	char host[64];
} judged;

static void
on_done(void *arg, struct stream *stream, const char *error)
{
	assert_ptr_equal(arg, &done);
	assert_int_equal(stream != NULL, !error);
	done.calls++;
	done.stream = stream;
	snprintf(done.error, sizeof done.error, "%s", error ? error : "");
}

static unsigned
judge(void *arg, const char *host, const struct tls_certificate *chain, size_t count,
    char why[PROXY_DIAL_ERROR])
{
	assert_ptr_equal(arg, &judged);
	assert_true(count > 0 && chain[0].bytes > 0);
	judged.calls++;
	snprintf(judged.host, sizeof judged.host, "%s", host);
	if (judged.alert)
		snprintf(why, PROXY_DIAL_ERROR, "its issuer is unknown");
	return judged.alert;
}

static void
listen_somewhere(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof at;

	peer.listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(peer.listening, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(peer.listening, 4), 0);
	assert_int_equal(getsockname(peer.listening, (struct sockaddr *)&at, &bytes), 0);
	peer.port = ntohs(at.sin_port);
}

static int
begin_test(void **state)
{
	(void)state;
	memset(&done, 0, sizeof done);
	memset(&judged, 0, sizeof judged);
	memset(&proxy, 0, sizeof proxy);
	resolver = resolver_new();
	listen_somewhere();
	options = (struct proxy_dial_options){ .target = "relay.example.invalid:443",
		.timeout_ms = 10000,
		.judge = judge,
		.judge_arg = &judged };
	return resolver ? 0 : -1;
}

static int
end_test(void **state)
{
	(void)state;
	turn_for(0); /* what has answered is gone at the end of the turn */
	stream_free(done.stream);
	stream_free(peer.stream);
	if (options.tls)
		tls_config_release(options.tls);
	if (peer.listening >= 0)
		close(peer.listening);
	memset(&peer, 0, sizeof peer);
	peer.listening = peer.fd = -1;
	resolver_free(resolver);
	return 0;
}

static void
use_proxy(enum fetch_proxy_kind kind, const char *scheme)
{
	snprintf(url, sizeof url, "%s://127.0.0.1:%u", scheme, (unsigned)peer.port);
	proxy.kind = kind;
	proxy.url = url;
	strcpy(proxy.host, "127.0.0.1");
	proxy.port = peer.port;
	options.proxy = &proxy;
}

static void
use_password(void)
{
	static char joe[] = "joe";

	proxy.username = joe;
	proxy.password = (struct secret){ (uint8_t *)"let me out", 10 };
}

static struct proxy_dial *
dial(void)
{
	struct proxy_dial *made = proxy_dial_new(loop, resolver, &options, on_done, &done);

	assert_non_null(made);
	assert_int_equal(done.calls, 0);
	return made;
}

static bool
is_accepted(void *arg)
{
	(void)arg;
	peer.fd = accept4(peer.listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	return peer.fd >= 0;
}

static void
accept_it(void)
{
	assert_true(happens(is_accepted, NULL));
	peer.stream = stream_socket(peer.fd);
}

static bool
has_heard(void *arg)
{
	size_t got = 0;

	(void)arg;
	if (stream_read(peer.stream, peer.heard + peer.heard_bytes,
		sizeof peer.heard - peer.heard_bytes, &got) == IO_OK)
		peer.heard_bytes += got;
	return peer.heard_bytes >= peer.wanted;
}

static void
hears(const void *bytes, size_t count)
{
	peer.wanted = count;
	assert_true(happens(has_heard, NULL));
	assert_memory_equal(peer.heard, bytes, count);
	peer.heard_bytes = 0;
}

static void
hears_text(const char *text)
{
	hears(text, strlen(text));
}

static void
says(const void *bytes, size_t count)
{
	size_t at = 0;

	while (at < count) {
		size_t written = 0;

		assert_int_equal(stream_write(peer.stream, (const char *)bytes + at, 1, &written), IO_OK);
		at += written;
		turn_for(0);
	}
}

static bool
is_done(void *arg)
{
	(void)arg;
	return done.calls > 0;
}

static void
succeeds(void)
{
	assert_true(happens(is_done, NULL));
	assert_string_equal(done.error, "");
	assert_non_null(done.stream);
}

static void
fails_with(const char *sentence)
{
	assert_true(happens(is_done, NULL));
	assert_int_equal(done.calls, 1);
	if (!strstr(done.error, sentence) || strstr(done.error, "let me out"))
		fail_msg("%s, not %s", done.error, sentence);
}

/* The first byte of the target may come with the last of the proxy. */
static bool
has_the_target_s(void *arg)
{
	static char got[64];
	static size_t all;
	size_t bytes = 0;

	if (stream_read(done.stream, got + all, sizeof got - all, &bytes) == IO_OK)
		all += bytes;
	if (all < strlen(arg))
		return false;
	assert_memory_equal(got, arg, strlen(arg));
	all = 0;
	return true;
}

#define REQUEST \
	"CONNECT relay.example.invalid:443 HTTP/1.1\r\nHost: relay.example.invalid:443\r\n" \
	"User-Agent: valise/" VALISE_VERSION

static void
needs_no_proxy_where_there_is_none(void **state)
{
	char target[64];

	(void)state;
	snprintf(target, sizeof target, "127.0.0.1:%u", (unsigned)peer.port);
	options.target = target;
	dial();
	accept_it();
	succeeds();
}

static void
leaves_out_a_proxy_that_is_not_for_the_host(void **state)
{
	char target[64], *names[] = { (char *)(uintptr_t)"localhost" };
	struct prefix block;

	(void)state;
	assert_true(prefix_parse(&block, "127.0.0.0/8"));
	use_proxy(FETCH_PROXY_HTTP, "http");
	proxy.names = names;
	proxy.name_count = 1;
	proxy.blocks = &block;
	proxy.block_count = 1;
	snprintf(target, sizeof target, "127.0.0.1:%u", (unsigned)peer.port);
	options.target = target;
	assert_false(proxy_dial_is_by_proxy(&options));
	dial();
	accept_it();
	succeeds();
	assert_false(has_heard(NULL) && peer.heard_bytes > 0);
}

static void
loses_no_byte_behind_the_answer_of_http(void **state)
{
	(void)state;
	use_proxy(FETCH_PROXY_HTTP, "http");
	use_password();
	dial();
	accept_it();
	hears_text(REQUEST "\r\nProxy-Authorization: Basic am9lOmxldCBtZSBvdXQ=\r\n\r\n");
	assert_int_equal(send(peer.fd, "HTTP/1.1 200 Go\r\nVia: x\r\n\r\nhello", 32, 0), 32);
	succeeds();
	assert_true(happens(has_the_target_s, "hello"));
	says(" there", 6);
	assert_true(happens(has_the_target_s, " there"));
}

static void
hears_an_answer_byte_by_byte(void **state)
{
	(void)state;
	use_proxy(FETCH_PROXY_HTTP, "http");
	dial();
	accept_it();
	hears_text(REQUEST "\r\n\r\n");
	says("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 Go\r\n\r\n", 44);
	succeeds();
}

static void
speaks_socks_with_a_password(void **state)
{
	(void)state;
	use_proxy(FETCH_PROXY_SOCKS5, "socks5");
	use_password();
	dial();
	accept_it();
	hears("\x05\x02\x00\x02", 4);
	says("\x05\x02", 2);
	hears("\x01\x03joe\x0alet me out", 16);
	says("\x01\x00", 2);
	hears("\x05\x01\x00\x03\x15relay.example.invalid\x01\xbb", 28);
	says("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00hello", 15);
	succeeds();
	assert_true(happens(has_the_target_s, "hello"));
}

static bool
has_shaken(void *arg)
{
	(void)arg;
	return !io_must_wait(tls_handshake(peer.tls));
}

static void
shake(void)
{
	struct tls_config *config = config_for(TLS_ENDPOINT);

	assert_true(happens(is_accepted, NULL));
	peer.tls = tls_server(config, stream_socket(peer.fd), NULL);
	tls_config_release(config);
	assert_non_null(peer.tls);
	peer.stream = tls_stream(peer.tls);
	assert_true(happens(has_shaken, NULL));
}

static struct tls_config *
config_to_proxies(void)
{
	const struct tls_settings settings = { .purpose = TLS_UPSTREAM };
	char error[TLS_ERROR];

	return tls_config_new(&settings, error);
}

static void
judges_a_proxy_of_https_before_it_speaks(void **state)
{
	(void)state;
	use_proxy(FETCH_PROXY_HTTPS, "https");
	use_password();
	options.tls = config_to_proxies();
	dial();
	shake();
	hears_text(REQUEST "\r\nProxy-Authorization: Basic am9lOmxldCBtZSBvdXQ=\r\n\r\n");
	assert_string_equal(judged.host, "127.0.0.1");
	says("HTTP/1.1 200 Go\r\n\r\nhello", 24);
	succeeds();
	assert_true(happens(has_the_target_s, "hello"));
}

static void
says_nothing_to_a_proxy_that_is_not_believed(void **state)
{
	(void)state;
	use_proxy(FETCH_PROXY_HTTPS, "https");
	use_password();
	options.tls = config_to_proxies();
	judged.alert = 48;
	dial();
	shake();
	fails_with("shows a certificate that is refused: its issuer is unknown");
	assert_int_equal(judged.calls, 1);
	has_heard(NULL);
	assert_int_equal(peer.heard_bytes, 0);
}

static void
tells_a_proxy_that_does_not_speak_tls(void **state)
{
	(void)state;
	use_proxy(FETCH_PROXY_HTTPS, "https");
	options.tls = config_to_proxies();
	dial();
	accept_it();
	assert_int_equal(send(peer.fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, 0), 28);
	fails_with("does not speak TLS");
}

static void
tells_what_a_proxy_says(void **state)
{
	(void)state;
	use_proxy(FETCH_PROXY_HTTP, "http");
	use_password();
	dial();
	accept_it();
	hears_text(REQUEST);
	says("HTTP/1.1 403 Filtered\r\nX: y\r\n\r\n", 31);
	fails_with("refuses to connect to relay.example.invalid:443: 403 Filtered");
	assert_non_null(strstr(done.error, url));
}

static void
tells_a_proxy_that_closes(void **state)
{
	(void)state;
	use_proxy(FETCH_PROXY_SOCKS5, "socks5");
	dial();
	accept_it();
	hears("\x05\x01\x00", 3);
	says("\x05", 1);
	stream_free(peer.stream);
	peer.stream = NULL;
	fails_with("has closed the connection instead of an answer");
}

static void
tells_a_proxy_that_is_not_there(void **state)
{
	(void)state;
	use_proxy(FETCH_PROXY_HTTP, "http");
	close(peer.listening);
	peer.listening = -1;
	dial();
	fails_with("cannot be reached: cannot connect to 127.0.0.1:");
	assert_non_null(strstr(done.error, url));
}

static void
has_one_deadline_for_all_of_it(void **state)
{
	(void)state;
	use_proxy(FETCH_PROXY_SOCKS5, "socks5");
	dial();
	accept_it();
	hears("\x05\x01\x00", 3);
	turn_for(9000);
	says("\x05\x00", 2);
	hears("\x05\x01\x00\x03", 4);
	turn_for(999);
	assert_int_equal(done.calls, 0);
	turn_for(1);
	fails_with("does not answer when it is asked to connect to relay.example.invalid:443");
}

static void
has_the_same_deadline_for_tls(void **state)
{
	(void)state;
	use_proxy(FETCH_PROXY_HTTPS, "https");
	options.tls = config_to_proxies();
	dial();
	accept_it();
	turn_for(9999);
	assert_int_equal(done.calls, 0);
	turn_for(1);
	fails_with("does not finish its TLS handshake: it takes too long");
}

static void
can_be_given_up_at_any_time(void **state)
{
	struct proxy_dial *made;

	(void)state;
	use_proxy(FETCH_PROXY_SOCKS5, "socks5");
	proxy_dial_free(dial());
	made = dial();
	accept_it();
	hears("\x05\x01\x00", 3);
	says("\x05", 1);
	proxy_dial_free(made);
	proxy_dial_free(NULL);
	turn_for(20000);
	assert_int_equal(done.calls, 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_test, end_test)
	const struct CMUnitTest tests[] = {
		TEST(needs_no_proxy_where_there_is_none),
		TEST(leaves_out_a_proxy_that_is_not_for_the_host),
		TEST(loses_no_byte_behind_the_answer_of_http),
		TEST(hears_an_answer_byte_by_byte),
		TEST(speaks_socks_with_a_password),
		TEST(judges_a_proxy_of_https_before_it_speaks),
		TEST(says_nothing_to_a_proxy_that_is_not_believed),
		TEST(tells_a_proxy_that_does_not_speak_tls),
		TEST(tells_what_a_proxy_says),
		TEST(tells_a_proxy_that_closes),
		TEST(tells_a_proxy_that_is_not_there),
		TEST(has_one_deadline_for_all_of_it),
		TEST(has_the_same_deadline_for_tls),
		TEST(can_be_given_up_at_any_time),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tunnel/proxy_dial", tests, set_up, tear_down);
}
