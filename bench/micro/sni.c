/*
 * What reading a ClientHello costs: whole and byte by byte, beside one memcpy
 * of the same bytes (no reader can be cheaper) and GnuTLS on the same bytes,
 * from its first gnutls_handshake to its post-client-hello callback, all in the
 * same run.  With a file's name it reads that file once, for callgrind.
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sni/clienthello.h"
#include "sni/ja4.h"

enum { SAMPLES = 10000, BATCH = 32, MOST = 4096 };

struct hello_sample {
	const char *path, *what;
	uint8_t wire[MOST];
	size_t bytes;
};

static struct hello_sample samples[] = {
	{ .path = "tests/corpus/clienthello/030-g-curl-h2.bin", .what = "curl" },
	{ .path = "tests/corpus/clienthello/059-g-firefox-default.bin",
	  .what = "Firefox, post-quantum" },
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* What two looks at the clock cost at least: only single calls are long enough to feel it. */
static uint64_t
clock_ns(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < SAMPLES; i++) {
		uint64_t start = now_ns(), took = now_ns() - start;

		if (took < least)
			least = took;
	}
	return least;
}

static int
ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double
median(uint64_t *values)
{
	qsort(values, SAMPLES, sizeof *values, ascending);
	return (double)values[SAMPLES / 2];
}

static void
load(struct hello_sample *s)
{
	FILE *file = fopen(s->path, "rb");

	if (!file) {
		fprintf(stderr, "%s: %s; run it from the top of the tree\n", s->path,
		    strerror(errno));
		exit(1);
	}
	s->bytes = fread(s->wire, 1, sizeof s->wire, file);
	fclose(file);
}

/* ---- the contestants ---- */

static volatile unsigned output;

__attribute__((noinline)) static void
read_whole(const struct hello_sample *s)
{
	struct clienthello hello;

	clienthello_init(&hello, CLIENTHELLO_DEFAULT_BYTES);
	output = clienthello_read(&hello, s->wire, s->bytes);
}

static void
read_bytewise(const struct hello_sample *s)
{
	struct clienthello hello;

	clienthello_init(&hello, CLIENTHELLO_DEFAULT_BYTES);
	for (size_t n = 1; n <= s->bytes; n++)
		output = clienthello_read(&hello, s->wire, n);
}

static void
read_and_fingerprint(const struct hello_sample *s)
{
	struct clienthello hello;
	char ja4[JA4_SIZE];

	clienthello_init(&hello, CLIENTHELLO_DEFAULT_BYTES);
	clienthello_read(&hello, s->wire, s->bytes);
	ja4_compute(ja4, &hello, s->wire);
	output = (unsigned char)ja4[0];
}

static void
copy(const struct hello_sample *s)
{
	static uint8_t to[MOST];

	memcpy(to, s->wire, s->bytes);
	__asm__ volatile("" : : "r"(to) : "memory");
}

/* ns a call, the median of many batches. */
static double
time_batches(void (*run)(const struct hello_sample *), const struct hello_sample *s)
{
	static uint64_t took[SAMPLES];

	for (size_t i = 0; i < SAMPLES; i++) {
		uint64_t start = now_ns();

		for (int n = 0; n < BATCH; n++)
			run(s);
		took[i] = now_ns() - start;
	}
	return median(took) / BATCH;
}

/* ---- GnuTLS ---- */

struct feed {
	const struct hello_sample *sample;
	size_t at;
	uint64_t reached_ns;
};

static ssize_t
pull(gnutls_transport_ptr_t ptr, void *out, size_t size)
{
	struct feed *feed = ptr;
	size_t left = feed->sample->bytes - feed->at;

	if (size > left)
		size = left;
	memcpy(out, feed->sample->wire + feed->at, size);
	feed->at += size;
	return (ssize_t)size;
}

static ssize_t
push(gnutls_transport_ptr_t ptr, const void *data, size_t size)
{
	(void)ptr;
	(void)data;
	return (ssize_t)size;
}

static int
on_client_hello(gnutls_session_t session)
{
	struct feed *feed = gnutls_session_get_ptr(session);

	feed->reached_ns = now_ns();
	return GNUTLS_E_UNRECOGNIZED_NAME;
}

static uint64_t
time_gnutls(const struct hello_sample *s, gnutls_priority_t priority,
    gnutls_certificate_credentials_t credentials)
{
	struct feed feed = { .sample = s };
	gnutls_session_t session;
	uint64_t start;

	gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NO_SIGNAL);
	gnutls_priority_set(session, priority);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_session_set_ptr(session, &feed);
	gnutls_transport_set_ptr(session, &feed);
	gnutls_transport_set_pull_function(session, pull);
	gnutls_transport_set_push_function(session, push);
	gnutls_handshake_set_post_client_hello_function(session, on_client_hello);
	start = now_ns();
	gnutls_handshake(session);
	gnutls_deinit(session);
	return feed.reached_ns - start;
}

/* One read each in turn, so that both find the caches as the other left them. */
static void
time_in_turn(const struct hello_sample *s, double *theirs_ns, double *ours_ns)
{
	static uint64_t theirs[SAMPLES], ours[SAMPLES];
	gnutls_priority_t priority;
	gnutls_certificate_credentials_t credentials;

	gnutls_priority_init(&priority, "NORMAL", NULL);
	gnutls_certificate_allocate_credentials(&credentials);
	for (size_t i = 0; i < SAMPLES; i++) {
		uint64_t start;

		theirs[i] = time_gnutls(s, priority, credentials);
		start = now_ns();
		read_whole(s);
		ours[i] = now_ns() - start;
	}
	gnutls_certificate_free_credentials(credentials);
	gnutls_priority_deinit(priority);
	*theirs_ns = median(theirs);
	*ours_ns = median(ours);
}

static void
measure(const struct hello_sample *s)
{
	double whole = time_batches(read_whole, s), bytewise = time_batches(read_bytewise, s);
	double fingerprint = time_batches(read_and_fingerprint, s), copied = time_batches(copy, s);
	double theirs, ours;

	time_in_turn(s, &theirs, &ours);
	printf("ClientHello of %zu bytes (%s), median of %d\n", s->bytes, s->what, SAMPLES);
	printf("  %-34s %9.0f ns\n", "whole", whole);
	printf("  %-34s %9.0f ns\n", "in reads of 1 byte", bytewise);
	printf("  %-34s %9.0f ns\n", "whole, and its JA4", fingerprint);
	printf("  %-34s %9.0f ns   whole / memcpy  = %.1f\n", "memcpy (bound)", copied,
	    whole / copied);
	printf("  %-34s %9.0f ns   GnuTLS / whole  = %.1f (to hold: at least 20)\n",
	    "GnuTLS to its post-client-hello", theirs, theirs / whole);
	printf("  %-34s %9.0f ns   of which %llu ns are the clock's\n",
	    "whole, single, in turn with GnuTLS", ours, (unsigned long long)clock_ns());
}

int
main(int argc, char **argv)
{
	if (argc > 1) {
		struct hello_sample one = { .path = argv[1] };

		load(&one);
		read_whole(&one);
		return output != CLIENTHELLO_COMPLETE;
	}
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		load(&samples[i]);
		measure(&samples[i]);
	}
	printf("state of a pending hello: %zu bytes and the bytes held (to hold: at most 512)\n",
	    sizeof(struct clienthello));
	return 0;
}
