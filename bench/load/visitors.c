/*
 * Many clients that differ, each of one TLS handshake and one answer, at a rate, until standard input ends.
 *	visitors PORT CA-FILE RATE GROUP...		GROUP: LABEL,SERVER-NAME,SOURCE,SHARE[,CERTIFICATE,KEY]
 * A client begins at its time, or later when as many as MOST_AT_ONCE are under way; none is made up for.  Each
 * has a line when it is over: its group, when it began and ended in microseconds of the monotonic clock, and
 * what became of it: `ok` and the serial number of the server's certificate when a byte came in answer, `alert-N`,
 * `reset`, `closed`, `timeout`, or the name of what GnuTLS says.
 */
#include <errno.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "bench/load/loop.h"
#include "bench/load/order.h"

enum {
	MOST_GROUPS = 64,
	MOST_AT_ONCE = 128,
	PATIENCE_US = 60000000,
	LATE_US = 100000,
	RESULT = 160
};

struct visitor_group {
	const char *label, *name;
	struct sockaddr_in source;
	unsigned share;
	gnutls_certificate_credentials_t credentials;
};

enum step { FREE, CONNECTING, SHAKING, ORDERING, WAITING };

struct visitor {
	struct load_watch watch;
	const struct visitor_group *group;
	enum step step;
	uint64_t began_us;
	gnutls_session_t tls;
};

static struct visitor_group groups[MOST_GROUPS];
static unsigned group_count, shares, under_way;
static struct visitor clients[MOST_AT_ONCE];
static struct sockaddr_in target = { .sin_family = AF_INET };

static void
must(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, gnutls_strerror(result));
	exit(1);
}

/* ---- the end of a client ---- */

static void
tell(struct visitor *client, const char *result)
{
	printf("%s %llu %llu %s\n", client->group->label, (unsigned long long)client->began_us,
	    (unsigned long long)loop_now_us(), result);
	gnutls_deinit(client->tls);
	loop_close(&client->watch);
	client->step = FREE;
	under_way--;
}

static void
tell_served(struct visitor *client)
{
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(client->tls, NULL);
	char result[RESULT] = "ok ";
	uint8_t serial[32];
	size_t bytes = sizeof serial, text = sizeof result - 3;
	gnutls_x509_crt_t certificate;

	must(gnutls_x509_crt_init(&certificate), "certificate");
	if (chain && gnutls_x509_crt_import(certificate, chain, GNUTLS_X509_FMT_DER) == 0 &&
	    gnutls_x509_crt_get_serial(certificate, serial, &bytes) == 0)
		gnutls_hex_encode(&(gnutls_datum_t){ serial, (unsigned)bytes }, result + 3, &text);
	gnutls_x509_crt_deinit(certificate);
	tell(client, result);
}

static void
tell_failed(struct visitor *client, int error)
{
	char result[RESULT];

	if (error == GNUTLS_E_FATAL_ALERT_RECEIVED)
		snprintf(result, sizeof result, "alert-%d", (int)gnutls_alert_get(client->tls));
	else if (error == GNUTLS_E_PULL_ERROR || error == GNUTLS_E_PUSH_ERROR)
		snprintf(result, sizeof result, "reset");
	else if (error == 0 || error == GNUTLS_E_PREMATURE_TERMINATION)
		snprintf(result, sizeof result, "closed");
	else
		snprintf(result, sizeof result, "%s", gnutls_strerror_name(error));
	tell(client, result);
}

/* ---- its steps ---- */

/* Whether it waits now for what TLS waits for. */
static bool
waits(struct visitor *client, ssize_t result)
{
	if (result >= 0 || gnutls_error_is_fatal((int)result))
		return false;
	loop_want(&client->watch, gnutls_record_get_direction(client->tls) ? EPOLLOUT : EPOLLIN);
	return true;
}

static void
wait_for_answer(struct visitor *client)
{
	char answer;
	ssize_t result = gnutls_record_recv(client->tls, &answer, 1);

	if (waits(client, result))
		return;
	if (result > 0)
		tell_served(client);
	else
		tell_failed(client, (int)result);
}

/* In TLS 1.3 the server judges a client's certificate now; it may have closed, and its alert is still to be read. */
static void
order(struct visitor *client)
{
	const char once = ORDER_ONCE;

	if (waits(client, gnutls_record_send(client->tls, &once, 1)))
		return;
	client->step = WAITING;
	wait_for_answer(client);
}

static void
shake(struct visitor *client)
{
	int result = gnutls_handshake(client->tls);

	if (waits(client, result))
		return;
	if (result < 0) {
		tell_failed(client, result);
		return;
	}
	client->step = ORDERING;
	order(client);
}

static void
on_client(struct load_watch *watch, unsigned events)
{
	struct visitor *client = (struct visitor *)watch;

	(void)events;
	if (client->step == CONNECTING)
		client->step = SHAKING;
	if (client->step == SHAKING)
		shake(client);
	else if (client->step == ORDERING)
		order(client);
	else if (client->step == WAITING)
		wait_for_answer(client);
}

/* ---- its beginning ---- */

static const struct visitor_group *
draw(void)
{
	unsigned drawn = arc4random_uniform(shares);

	for (unsigned i = 0;; drawn -= groups[i++].share)
		if (drawn < groups[i].share)
			return &groups[i];
}

static int
dial(const struct visitor_group *group)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* The port is chosen at connect(): thousands of them rest in TIME_WAIT. */
	if (fd < 0 ||
	    setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int)) < 0 ||
	    bind(fd, (const struct sockaddr *)&group->source, sizeof group->source) < 0)
		loop_die("bind");
	if (connect(fd, (const struct sockaddr *)&target, sizeof target) < 0 &&
	    errno != EINPROGRESS)
		loop_die("connect");
	return fd;
}

static void
begin(struct visitor *client)
{
	const struct visitor_group *group = draw();

	*client = (struct visitor){ .watch = { .on_event = on_client, .fd = dial(group) },
		.group = group,
		.step = CONNECTING,
		.began_us = loop_now_us() };
	must(gnutls_init(&client->tls,
		 GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS),
	    "session");
	gnutls_set_default_priority(client->tls);
	gnutls_credentials_set(client->tls, GNUTLS_CRD_CERTIFICATE, group->credentials);
	gnutls_server_name_set(client->tls, GNUTLS_NAME_DNS, group->name, strlen(group->name));
	gnutls_session_set_verify_cert(client->tls, group->name, 0);
	gnutls_transport_set_int(client->tls, client->watch.fd);
	gnutls_handshake_set_timeout(client->tls, 0);
	under_way++;
	loop_want(&client->watch, EPOLLOUT);
}

static void
begin_one(void)
{
	for (size_t i = 0; i < MOST_AT_ONCE; i++)
		if (clients[i].step == FREE) {
			begin(&clients[i]);
			return;
		}
}

static void
give_up_late_ones(uint64_t now_us)
{
	for (size_t i = 0; i < MOST_AT_ONCE; i++)
		if (clients[i].step != FREE && now_us - clients[i].began_us > PATIENCE_US)
			tell(&clients[i], "timeout");
}

static bool
is_to_end(void)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&input, 1, 0) > 0;
}

static void
run(unsigned rate)
{
	uint64_t next_us = loop_now_us(), now_us;
	bool ends = false;

	while (!ends || under_way > 0) {
		now_us = loop_now_us();
		ends = ends || is_to_end();
		give_up_late_ones(now_us);
		for (; !ends && next_us <= now_us && under_way < MOST_AT_ONCE;
		     next_us += 1000000 / rate)
			begin_one();
		if (next_us + LATE_US < now_us)
			next_us = now_us;
		loop_turn(1);
	}
}

/* ---- the groups ---- */

static char *
part(char **rest, const char *what)
{
	char *text = strsep(rest, ",");

	if (text)
		return text;
	fprintf(stderr, "a group has no %s\n", what);
	exit(2);
}

static void
add_group(char *text, const char *cas)
{
	struct visitor_group *group = &groups[group_count++];
	char *certificate;

	if (group_count > MOST_GROUPS)
		exit(2);
	group->label = part(&text, "label");
	group->name = part(&text, "server name");
	group->source.sin_family = AF_INET;
	if (inet_pton(AF_INET, part(&text, "source"), &group->source.sin_addr) != 1)
		exit(2);
	group->share = (unsigned)atoi(part(&text, "share"));
	shares += group->share;
	must(gnutls_certificate_allocate_credentials(&group->credentials), "credentials");
	must(gnutls_certificate_set_x509_trust_file(group->credentials, cas, GNUTLS_X509_FMT_PEM),
	    cas);
	if (!text)
		return;
	certificate = part(&text, "certificate");
	must(gnutls_certificate_set_x509_key_file(
		 group->credentials, certificate, part(&text, "key"), GNUTLS_X509_FMT_PEM),
	    certificate);
}

int
main(int argc, char **argv)
{
	if (argc < 5 || atoi(argv[3]) <= 0) {
		fprintf(stderr,
		    "usage: visitors PORT CA-FILE RATE LABEL,SERVER-NAME,SOURCE,SHARE[,CERTIFICATE,KEY]...\n");
		return 2;
	}
	target.sin_port = htons((uint16_t)atoi(argv[1]));
	target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 4; i < argc; i++)
		add_group(argv[i], argv[2]);
	run((unsigned)atoi(argv[3]));
	return 0;
}
