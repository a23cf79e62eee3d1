/* Who may come back by a ticket, and by which: the agent's termination against a bare GnuTLS client. */
#include "tunnel/tls.h"

#include <stdio.h>

#include "base/clock_fake.h"
#include "tunnel/hello_judge.h"
#include "tunnel/peer.h"
#include "tunnel/tls_tickets.h"

#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
/* With GNUTLS_KEY_SHARE_TOP: the first hello is answered with a retry request. */
#define RETRIED TLS13 ":-GROUP-ALL:+GROUP-FFDHE2048:+GROUP-SECP256R1"

/* One arrival: what the client says, and what came of it. */
struct arrival {
	const char *priority, *name, *protocols[2]; /* NULL: TLS13, app.test, no ALPN */
	const gnutls_datum_t *ticket;               /* of a arrival before; NULL: none */
	unsigned flags;
	gnutls_handshake_hook_func on_retry;
	const char *early; /* data ahead of the server's answer */
	bool is_resumed;
	enum io of_server;
	unsigned alert;     /* that the server has sent */
	char group[32];     /* of the key exchange; "" if there was none */
	gnutls_datum_t got; /* a ticket; the caller frees it */
};

static gnutls_session_t
client_of(const struct arrival *arrival, int fd, gnutls_certificate_credentials_t trust)
{
	const char *name = arrival->name ? arrival->name : "app.test";
	gnutls_datum_t protocols[2];
	unsigned count = 0;
	gnutls_session_t client;
	assert_int_equal(gnutls_init(&client, GNUTLS_CLIENT | GNUTLS_NONBLOCK | arrival->flags), 0);
	assert_int_equal(
	    gnutls_priority_set_direct(client, arrival->priority ? arrival->priority : TLS13, NULL), 0);
	gnutls_credentials_set(client, GNUTLS_CRD_CERTIFICATE, trust);
	gnutls_server_name_set(client, GNUTLS_NAME_DNS, name, strlen(name));
	for (; count < 2 && arrival->protocols[count]; count++)
		protocols[count] = (gnutls_datum_t){ (unsigned char *)(uintptr_t)arrival->protocols[count],
		    (unsigned)strlen(arrival->protocols[count]) };
	if (count)
		gnutls_alpn_set_protocols(client, protocols, count, 0);
	if (arrival->ticket)
		assert_int_equal(
		    gnutls_session_set_data(client, arrival->ticket->data, arrival->ticket->size), 0);
	if (arrival->early)
		gnutls_record_send_early_data(client, arrival->early, strlen(arrival->early));
	if (arrival->on_retry)
		gnutls_handshake_set_hook_function(
		    client, GNUTLS_HANDSHAKE_HELLO_RETRY_REQUEST, GNUTLS_HOOK_POST, arrival->on_retry);
	gnutls_transport_set_int(client, fd);
	return client;
}

static void
shake(gnutls_session_t client, struct tls *server, struct arrival *arrival)
{
	int of_client = GNUTLS_E_AGAIN;
	arrival->of_server = IO_READ;
	for (int i = 0; i < 20; i++) {
		if (of_client == GNUTLS_E_AGAIN)
			of_client = gnutls_handshake(client);
		if (io_must_wait(arrival->of_server))
			arrival->of_server = tls_handshake(server);
	}
}

/* The client has it once it has read on. */
static void
take_ticket(gnutls_session_t client, struct tls *server, struct arrival *arrival)
{
	char byte;
	ssize_t got = GNUTLS_E_AGAIN;
	say(tls_stream(server), "x");
	for (int i = 0; i < 5 && got == GNUTLS_E_AGAIN; i++) /* once a ticket */
		got = gnutls_record_recv(client, &byte, 1);
	assert_int_equal(got, 1);
	assert_int_equal(gnutls_session_get_data2(client, &arrival->got), 0);
	if (!(gnutls_session_get_flags(client) & GNUTLS_SFLAGS_SESSION_TICKET)) {
		gnutls_free(arrival->got.data);
		arrival->got = (gnutls_datum_t){ 0 };
	}
}

static void
go(const struct tls_settings *settings, struct arrival *arrival)
{
	char error[TLS_ERROR];
	struct tls_config *config = tls_config_new(settings, error);
	gnutls_certificate_credentials_t trust;
	const struct tls_hooks hooks = { .judge_hello = hello_judge };
	int fds[2];
	assert_non_null(config);
	pair(fds);
	struct tls *server = tls_server(config, stream_socket(fds[1]), &hooks);
	tls_config_release(config);
	gnutls_certificate_allocate_credentials(&trust);
	gnutls_session_t client = client_of(arrival, fds[0], trust);
	shake(client, server, arrival);
	arrival->alert = tls_alert_sent(server);
	if (arrival->of_server == IO_OK) {
		const char *group = gnutls_group_get_name(gnutls_group_get(client));
		arrival->is_resumed = tls_is_resumed(server);
		assert_int_equal(arrival->is_resumed, gnutls_session_is_resumed(client) != 0);
		snprintf(arrival->group, sizeof arrival->group, "%s", group ? group : "");
		assert_int_equal(gnutls_session_get_flags(client) & GNUTLS_SFLAGS_EARLY_DATA, 0);
		take_ticket(client, server, arrival);
	}
	gnutls_deinit(client);
	gnutls_certificate_free_credentials(trust);
	stream_free(tls_stream(server));
	close(fds[0]);
}

static const char *const ours[] = { "h2", "http/1.1", NULL };

static struct tls_settings
endpoint(struct tls_tickets *tickets)
{
	return (struct tls_settings){ .purpose = TLS_ENDPOINT, .certificate = &credentials.certificate,
		.private_key = &credentials.key, .alpn = ours, .tickets = tickets };
}

/* The second arrival, and whether it resumes the first, which was for app.test with h2. */
static const struct {
	struct arrival second;
	bool resumes;
} returns[] = {
	{ { .protocols = { "h2" } }, true },
	{ { .protocols = { "http/1.1", "h2" } }, true }, /* we choose h2 */
	{ { .protocols = { "h2", "else" } }, true },
	{ { .protocols = { "http/1.1" } }, false },
	{ { .protocols = { NULL } }, false },
	{ { .protocols = { "h2" }, .name = "other.test" }, false },
	{ { .protocols = { "h2" }, .priority = TLS13 ":-GROUP-ALL:+GROUP-SECP384R1" }, true },
	{ { .protocols = { "h2" }, .early = "GET /" }, true }, /* but the data is refused */
	{ { .protocols = { "h2" }, .flags = GNUTLS_KEY_SHARE_TOP, .priority = RETRIED }, true },
	{ { .protocols = { "h2" }, .priority = TLS13 ":-CIPHER-ALL:+CHACHA20-POLY1305" }, true },
	{ { .protocols = { "h2" }, .priority = TLS13 ":-CIPHER-ALL:+AES-256-GCM" }, false },
	{ { .protocols = { "h2" }, .priority = TLS13 ":-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM" }, true },
};

static void
a_ticket_is_good_for_its_name_and_protocol(void **state)
{
	struct tls_tickets *tickets = tls_tickets_new();
	const struct tls_settings settings = endpoint(tickets);
	(void)state;
	for (size_t i = 0; i < sizeof returns / sizeof *returns; i++) {
		struct arrival first = { .protocols = { "h2" } }, second = returns[i].second;
		go(&settings, &first);
		assert_int_equal(first.of_server, IO_OK);
		assert_false(first.is_resumed);
		assert_true(first.got.size > 0);
		second.ticket = &first.got;
		go(&settings, &second);
		if (second.of_server != IO_OK)
			fail_msg("case %zu: alert %u", i, second.alert);
		if (second.is_resumed != returns[i].resumes)
			fail_msg("case %zu: resumed: %d", i, second.is_resumed);
		/* Forward secret each time: psk_dhe_ke. */
		assert_true(second.group[0] != '\0');
		gnutls_free(first.got.data);
		gnutls_free(second.got.data);
	}
	tls_tickets_release(tickets);
}

static int
change_protocol(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
    const gnutls_datum_t *message)
{
	static const gnutls_datum_t other = { (unsigned char *)(uintptr_t)"http/1.1", 8 };
	(void)type;
	(void)when;
	(void)message;
	if (incoming)
		gnutls_alpn_set_protocols(session, &other, 1, 0);
	return 0;
}

/* A hello after a retry request that asks for another protocol than the one before it. */
static void
a_second_hello_leads_no_ticket_to_another_protocol(void **state)
{
	struct tls_tickets *tickets = tls_tickets_new();
	const struct tls_settings settings = endpoint(tickets);
	struct arrival first = { .protocols = { "h2" } };
	struct arrival second = { .protocols = { "h2" }, .flags = GNUTLS_KEY_SHARE_TOP, .priority = RETRIED,
		.ticket = &first.got, .on_retry = change_protocol };
	(void)state;
	go(&settings, &first);
	go(&settings, &second);
	assert_int_equal(second.of_server, IO_FAILED);
	assert_int_equal(second.alert, 47);
	gnutls_free(first.got.data);
	tls_tickets_release(tickets);
}

static void
who_comes_back_may_do_so_again_and_again(void **state)
{
	struct tls_tickets *tickets = tls_tickets_new();
	const struct tls_settings settings = endpoint(tickets);
	gnutls_datum_t ticket = { 0 };
	(void)state;
	for (int i = 0; i < 20; i++) {
		struct arrival arrival = { .ticket = i > 0 ? &ticket : NULL,
			.priority = TLS13 ":-CIPHER-ALL:+CHACHA20-POLY1305:+AES-256-GCM" };
		go(&settings, &arrival);
		assert_int_equal(arrival.is_resumed, i > 0);
		gnutls_free(ticket.data);
		ticket = arrival.got;
	}
	gnutls_free(ticket.data);
	tls_tickets_release(tickets);
}

static void
nobody_gets_one_in_tls12_or_where_a_certificate_is_asked_for(void **state)
{
	static const struct {
		const char *priority;
		enum tls_client_certificate demand;
		bool has_tickets;
	} cases[] = {
		{ TLS12, TLS_CLIENT_OFF, true },
		{ TLS13, TLS_CLIENT_REQUEST, true },
		{ TLS12, TLS_CLIENT_REQUEST, true },
		{ TLS13, TLS_CLIENT_OFF, false },
	};
	struct tls_tickets *tickets = tls_tickets_new();
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tls_settings settings = endpoint(cases[i].has_tickets ? tickets : NULL);
		struct arrival arrival = { .priority = cases[i].priority };
		settings.client_certificate = cases[i].demand;
		go(&settings, &arrival);
		assert_int_equal(arrival.of_server, IO_OK);
		assert_int_equal(arrival.got.size, 0);
	}
	tls_tickets_release(tickets);
}

/* Endpoints that ask for one do not take what others have given out, not even under one master. */
static void
a_ticket_is_no_way_round_the_certificate(void **state)
{
	struct tls_tickets *tickets = tls_tickets_new();
	struct tls_settings settings = endpoint(tickets);
	struct arrival first = { 0 }, second = { .ticket = &first.got };
	(void)state;
	go(&settings, &first);
	assert_true(first.got.size > 0);
	settings.client_certificate = TLS_CLIENT_REQUEST;
	go(&settings, &second);
	assert_int_equal(second.of_server, IO_OK);
	assert_false(second.is_resumed);
	gnutls_free(first.got.data);
	tls_tickets_release(tickets);
}

static void
a_ticket_of_another_master_or_a_damaged_one_costs_a_full_handshake(void **state)
{
	struct tls_tickets *tickets = tls_tickets_new(), *others = tls_tickets_new();
	struct tls_settings settings = endpoint(tickets), elsewhere = endpoint(others);
	struct arrival first = { 0 }, second = { .ticket = &first.got }, third = { .ticket = &first.got };
	(void)state;
	go(&settings, &first);
	go(&elsewhere, &second);
	assert_int_equal(second.of_server, IO_OK);
	assert_false(second.is_resumed);
	tls_tickets_continue(others, tickets);
	go(&elsewhere, &third);
	assert_true(third.is_resumed);
	gnutls_free(first.got.data);
	gnutls_free(second.got.data);
	gnutls_free(third.got.data);
	tls_tickets_release(tickets);
	tls_tickets_release(others);
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
		cmocka_unit_test(a_ticket_is_good_for_its_name_and_protocol),
		cmocka_unit_test(a_second_hello_leads_no_ticket_to_another_protocol),
		cmocka_unit_test(who_comes_back_may_do_so_again_and_again),
		cmocka_unit_test(nobody_gets_one_in_tls12_or_where_a_certificate_is_asked_for),
		cmocka_unit_test(a_ticket_is_no_way_round_the_certificate),
		cmocka_unit_test(a_ticket_of_another_master_or_a_damaged_one_costs_a_full_handshake),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls_resumption", tests, set_up, tear_down_credentials);
}
