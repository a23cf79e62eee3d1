/*
 * Connects as fast as one thread can, says what a file has and waits for an answer or the end, until standard
 * input ends: more than a script could.
 *
 *	flood PORT FILE RATE SOURCE...	connections a second in all, 0: as fast as it goes; the sources take turns
 *
 * It says "ready", and at the end how many connections were answered and in how many seconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { AT_ONCE = 256, LOOK_EVERY = 32, PATIENCE_S = 5 };

static char words[16384];
static size_t words_bytes;

static bool
take_words(const char *path)
{
	FILE *file = fopen(path, "rb");

	if (!file)
		return false;
	words_bytes = fread(words, 1, sizeof words, file);
	fclose(file);
	return words_bytes > 0;
}

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
sleep_until(double when_s)
{
	double left_s = when_s - now_s();

	if (left_s > 0)
		usleep((useconds_t)(left_s * 1e6));
}

static bool
is_over(void)
{
	struct pollfd input = { 0, POLLIN, 0 };

	return poll(&input, 1, 0) != 0;
}

/* -1 where there is no port or no descriptor left for it. Its port is free again as soon as it is closed. */
static int
dial(const char *source, int port)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct linger by_reset = { 1, 0 };
	struct timeval patience = { PATIENCE_S, 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	inet_pton(AF_INET, source, &from.sin_addr);
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &by_reset, sizeof by_reset);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (bind(fd, (struct sockaddr *)&from, sizeof from) == 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
	    send(fd, words, words_bytes, MSG_NOSIGNAL) > 0)
		return fd;
	close(fd);
	return -1;
}

static bool
was_answered(int fd)
{
	char byte;
	bool was = fd >= 0 && (recv(fd, &byte, 1, 0) >= 0 || errno == ECONNRESET);

	if (fd >= 0)
		close(fd);
	return was;
}

int
main(int argc, char **argv)
{
	static int open_ones[AT_ONCE];
	int port = argc > 4 ? atoi(argv[1]) : 0;
	double rate = argc > 4 ? atof(argv[3]) : 0, began_s = now_s();
	unsigned long answered = 0, made = 0;

	if (!port || !take_words(argv[2]))
		return 64;
	setpriority(PRIO_PROCESS, 0, atoi(getenv("ATTACK_NICE") ? getenv("ATTACK_NICE") : "0"));
	for (unsigned i = 0; i < AT_ONCE; i++)
		open_ones[i] = -1;
	puts("ready");
	fflush(stdout);
	for (; made % LOOK_EVERY || !is_over(); made++) {
		int *slot = &open_ones[made % AT_ONCE];

		answered += was_answered(*slot);
		*slot = dial(argv[4 + made % (unsigned long)(argc - 4)], port);
		if (rate > 0)
			sleep_until(began_s + (double)made / rate);
	}
	printf("%lu %.3f\n", answered, now_s() - began_s);
}
