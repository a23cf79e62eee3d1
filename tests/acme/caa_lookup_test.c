/* Tests of acme/caa_lookup, against a resolver of a few lines on the loopback. */
#include "acme/caa_lookup.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/helper.h"
#include "base/lookup_helper.h"
#include "base/loop.h"
#include "base/record_lookup.h"
#include "helpers.h"

/* What one name is answered with. */
struct zone {
	const char *name;
	unsigned flags; /* of the message */
	const char *value;
};

static struct server {
	int fd;
	const struct zone *zones;
	size_t count;
	char asked[256]; /* the names, each with a space behind it */
} server;

static struct loop *loop;
static struct helper *process;
static struct record_lookups *lookups;
static unsigned answers;
static bool has_set;
static struct caa_set last;

/* Of the question, in text; its length on the wire. */
static size_t
read_name(const uint8_t *wire, char *name)
{
	size_t at = 0, used = 0;

	while (wire[at] > 0) {
		used += (size_t)sprintf(
		    name + used, "%s%.*s", used ? "." : "", wire[at], wire + at + 1);
		at += wire[at] + 1u;
	}
	return at + 1;
}

static size_t
answer(uint8_t *message, const struct zone *zone, size_t question_bytes)
{
	size_t at = 12 + question_bytes, value_bytes = zone->value ? strlen(zone->value) : 0;

	message[2] = (uint8_t)(zone->flags >> 8);
	message[3] = (uint8_t)zone->flags;
	memset(message + 6, 0, 6);
	if (!zone->value)
		return at;
	message[7] = 1;
	memcpy(message + at, "\xc0\x0c\1\1\0\1\0\0\0\0\0", 11);
	message[at + 11] = (uint8_t)(7 + value_bytes);
	memcpy(message + at + 12, "\0\5issue", 7);
	memcpy(message + at + 19, zone->value, value_bytes);
	return at + 19 + value_bytes;
}

static const struct zone *
find(const char *name)
{
	static const struct zone none = { "", 0x8583, NULL }; /* NXDOMAIN */

	for (size_t i = 0; i < server.count; i++)
		if (strcmp(server.zones[i].name, name) == 0)
			return &server.zones[i];
	return &none;
}

static void *
serve(void *arg)
{
	uint8_t message[1024];
	struct sockaddr_in from;
	socklen_t from_bytes = sizeof from;
	ssize_t bytes;
	char name[256];

	(void)arg;
	while ((bytes = recvfrom(
		    server.fd, message, 512, 0, (struct sockaddr *)&from, &from_bytes)) > 12) {
		size_t question_bytes = read_name(message + 12, name) + 4,
		       used = strlen(server.asked);
		const struct zone *zone = find(name);

		assert_true(used + strlen(name) + 2 <= sizeof server.asked);
		sprintf(server.asked + used, "%s ", name);
		bytes = (ssize_t)answer(message, zone, question_bytes);
		sendto(server.fd, message, (size_t)bytes, 0, (struct sockaddr *)&from, from_bytes);
	}
	return NULL;
}

static void
on_done(void *arg, const struct caa_set *set)
{
	(void)arg;
	answers++;
	has_set = set != NULL;
	if (set)
		last = *set;
	loop_stop(loop);
}

static void
open_lookups(void)
{
	process = lookup_helper_start();
	assert_non_null(process);
	loop = loop_new();
	lookups = record_lookups_new(loop, process);
	assert_non_null(lookups);
	answers = 0;
}

static void
close_lookups(void)
{
	record_lookups_free(lookups);
	loop_free(loop);
	helper_end(process);
}

static void
look_up(const char *name, const struct zone *zones, size_t count)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct address address;
	socklen_t bytes = sizeof at;
	pthread_t thread;

	server =
	    (struct server){ .fd = socket(AF_INET, SOCK_DGRAM, 0), .zones = zones, .count = count };
	assert_int_equal(bind(server.fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(getsockname(server.fd, (struct sockaddr *)&at, &bytes), 0);
	address_from(&address, (struct sockaddr *)&at, bytes);
	open_lookups();
	assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
	assert_non_null(caa_lookup_start(lookups, name, &address, on_done, NULL));
	loop_run(loop);
	assert_int_equal(answers, 1);
	close_lookups();
	sendto(server.fd, "", 0, 0, (struct sockaddr *)&at, sizeof at); /* the end of the thread */
	pthread_join(thread, NULL);
	close(server.fd);
}

enum { FINE = 0x8580, SERVFAIL = 0x8582 };

static void
the_nearest_records_count(void **state)
{
	static const struct zone zones[] = { { "app.shop.example.com", FINE, NULL },
		{ "example.com", FINE, "near.example" }, { "com", FINE, "far.example" } };

	(void)state;
	look_up("app.shop.example.com", zones, COUNT(zones));
	assert_string_equal(server.asked, "app.shop.example.com shop.example.com example.com ");
	assert_true(has_set);
	assert_int_equal(last.count, 1);
	assert_string_equal(last.records[0].value, "near.example");
}

static void
no_records_anywhere_are_an_answer(void **state)
{
	static const struct zone zones[] = { { "example.com", FINE, NULL } };

	(void)state;
	look_up("app.example.com", zones, COUNT(zones));
	assert_string_equal(server.asked, "app.example.com example.com com ");
	assert_true(has_set);
	assert_int_equal(last.count, 0);
}

/* What cannot be known on the way hides what may stand there. */
static void
a_resolver_that_fails_is_no_answer(void **state)
{
	static const struct zone zones[] = { { "app.example.com", FINE, NULL },
		{ "example.com", SERVFAIL, NULL }, { "com", FINE, "far.example" } };

	(void)state;
	look_up("app.example.com", zones, COUNT(zones));
	assert_false(has_set);
	assert_null(strstr(server.asked, " com "));
}

static void
what_is_cancelled_is_not_told(void **state)
{
	struct address nobody;

	(void)state;
	assert_true(address_parse(&nobody, "127.0.0.1:1"));
	open_lookups();
	caa_lookup_cancel(caa_lookup_start(lookups, "app.example.com", &nobody, on_done, NULL));
	caa_lookup_cancel(NULL);
	close_lookups();
	assert_int_equal(answers, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_records_count),
		cmocka_unit_test(no_records_anywhere_are_an_answer),
		cmocka_unit_test(a_resolver_that_fails_is_no_answer),
		cmocka_unit_test(what_is_cancelled_is_not_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("acme/caa_lookup", tests, NULL, NULL);
}
