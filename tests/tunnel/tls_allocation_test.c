/* Each allocation that a TLS object makes for its bytes fails once: it ends then, and no byte is wrong. */
#include "tunnel/tls.h"

#include "allocation.h"
#include "tunnel/peer.h"
#include "tunnel/tls_tickets.h"

enum { MUCH = 64 * 1024, TOTAL = 300000 };
static uint8_t room[MUCH];

struct failing_both {
	struct tls *client, *server;
	int fds[2];
};

static uint8_t
byte_at(size_t at)
{
	return (uint8_t)(at * 2654435761u >> 13);
}

static void
connect_both(struct failing_both *both, struct tls_config *cc, struct tls_config *sc)
{
	static unsigned fine[3];
	static const struct tls_hooks hooks = { .judge = judge_by, .arg = fine };
	pair(both->fds);
	struct stream *under = stream_socket(both->fds[0]);
	both->client = under ? tls_client(cc, under, "app.test", &hooks) : NULL;
	under = stream_socket(both->fds[1]);
	both->server = under ? tls_server(sc, under, NULL) : NULL;
}

/* How much is written and read with one call, and how often before the other. */
struct manner {
	size_t bytes;
	int times;
};

/* False: it is over. */
static bool
push_on(struct tls *client, size_t *sent, const struct manner *manner)
{
	enum io io = IO_OK;
	for (int i = 0; i < manner->times && io == IO_OK; i++) {
		size_t left = TOTAL - *sent, bytes = left < manner->bytes ? left : manner->bytes, done;
		for (size_t k = 0; k < bytes; k++)
			room[k] = byte_at(*sent + k);
		io = stream_write(tls_stream(client), room, bytes, &done);
		*sent += io == IO_OK ? done : 0;
	}
	return io == IO_OK || io_must_wait(io);
}

static bool
pull_on(struct tls *server, size_t *got, const struct manner *manner)
{
	size_t done;
	enum io io;
	while ((io = stream_read(tls_stream(server), room, manner->bytes, &done)) == IO_OK)
		for (size_t i = 0; i < done; i++, ++*got)
			if (room[i] != byte_at(*got))
				fail_msg("byte %zu is wrong", *got);
	return io_must_wait(io);
}

static bool
talk(struct failing_both *both, const struct manner *manner)
{
	enum io of_client, of_server;
	size_t sent = 0, got = 0;
	if (!both->client || !both->server)
		return false;
	shake_hands(both->client, both->server, &of_client, &of_server);
	if (of_client != IO_OK || of_server != IO_OK)
		return false;
	while (got < TOTAL)
		if (!push_on(both->client, &sent, manner) || !pull_on(both->server, &got, manner))
			return false;
	return true;
}

/* How often the reader, and how often anybody else, was ended by it. */
static void
fail_each(const struct manner *manner, unsigned *reader, unsigned *others)
{
	struct tls_config *cc = config_for(TLS_UPSTREAM), *sc = config_for(TLS_ENDPOINT);
	unsigned n = 0;
	bool is_whole;
	*reader = *others = 0;
	do {
		struct failing_both both;
		allocation_fail(++n);
		connect_both(&both, cc, sc);
		is_whole = talk(&both, manner);
		bool is_readers = both.server && strstr(tls_error(both.server), "memory");
		*reader += is_readers;
		*others += !is_whole && !is_readers;
		stream_free(both.client ? tls_stream(both.client) : NULL);
		stream_free(both.server ? tls_stream(both.server) : NULL);
	} while (allocation_failed());
	allocation_fail(0);
	assert_true(is_whole);
	tls_config_release(cc);
	tls_config_release(sc);
}

static void
a_connection_without_memory_ends_and_has_no_wrong_byte(void **state)
{
	const struct manner in_bulk = { MUCH, 4 }, in_words = { 500, 4 };
	unsigned reader, others;
	(void)state;
	/* The objects and the streams below; the handshake; the outbox. */
	fail_each(&in_bulk, &reader, &others);
	assert_true(others > 4);
	/* What was read ahead. */
	fail_each(&in_words, &reader, &others);
	assert_true(reader > 0 && others >= 4);
}

/* With everything that an endpoint's config may hold. */
static struct tls_config *
make_whole_config(struct tls_tickets *tickets)
{
	static const char *const protocols[] = { "h2", "http/1.1", NULL };
	const struct tls_settings settings = { .purpose = TLS_ENDPOINT,
		.certificate = &credentials.certificate, .private_key = &credentials.key,
		.alpn = protocols, .tickets = tickets,
		.staple = { (const uint8_t *)"judged", 6, 0, INT64_MAX } };
	char error[TLS_ERROR];
	struct tls_config *config = tls_config_new(&settings, error);
	assert_int_equal(!config, strstr(error, "memory is short") != NULL);
	return config;
}

static void
a_config_is_whole_or_there_is_none(void **state)
{
	struct tls_tickets *tickets = tls_tickets_new();
	struct tls_config *config = NULL;
	unsigned n = 0;
	(void)state;
	do {
		allocation_fail(++n);
		config = make_whole_config(tickets);
		if (config)
			tls_config_release(config);
	} while (allocation_failed());
	allocation_fail(0);
	assert_non_null(config);
	assert_true(n > 3);
	tls_tickets_release(tickets);
	allocation_fail(1);
	assert_null(tls_tickets_new());
	allocation_fail(0);
}

static int
set_up(void **state)
{
	(void)state;
	return set_up_credentials("app.test");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_config_is_whole_or_there_is_none),
		cmocka_unit_test(a_connection_without_memory_ends_and_has_no_wrong_byte),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls_allocation", tests, set_up, tear_down_credentials);
}
