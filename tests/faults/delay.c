/*
 * A slow link: delay NAMESPACE DEVICE NAMESPACE DEVICE
 *
 * Makes a TUN device in each of two network namespaces (paths as under
 * /run/netns) and carries packets from one to the other, each way late by as many
 * milliseconds as the last line of standard input says (0 at first).  Says "ready" when both
 * devices are there, and ends when its standard input does.  Packets keep their order.
 * Bound: PACKETS under way in each direction; what comes beyond them is dropped, as by a router.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { PACKETS = 4096, PACKET_BYTES = 2048 };

struct packet {
	uint64_t due_us;
	ssize_t bytes;
	uint8_t data[PACKET_BYTES];
};

struct way {
	int from, to;
	struct packet *ring;
	unsigned first, count;
};

static _Noreturn void
fail(const char *what)
{
	fprintf(stderr, "delay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int
make_device(const char *space, const char *name)
{
	struct ifreq wanted = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int space_fd = open(space, O_RDONLY | O_CLOEXEC);
	int fd;

	if (space_fd < 0 || setns(space_fd, CLONE_NEWNET) < 0)
		fail(space);
	close(space_fd);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	snprintf(wanted.ifr_name, sizeof wanted.ifr_name, "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &wanted) < 0)
		fail(name);
	return fd;
}

static void
take(struct way *way, uint64_t delay_us)
{
	static uint8_t spare[PACKET_BYTES];

	for (;;) {
		bool has_room = way->count < PACKETS;
		struct packet *packet = &way->ring[(way->first + way->count) % PACKETS];
		ssize_t bytes = read(way->from, has_room ? packet->data : spare, PACKET_BYTES);

		if (bytes <= 0)
			return;
		if (!has_room)
			continue;
		packet->bytes = bytes;
		packet->due_us = now_us() + delay_us;
		way->count++;
	}
}

/* A packet that the device does not take is lost, as on a wire. */
static void
give(struct way *way)
{
	while (way->count > 0 && way->ring[way->first].due_us <= now_us()) {
		struct packet *packet = &way->ring[way->first];

		if (write(way->to, packet->data, (size_t)packet->bytes) < 0 && errno != EAGAIN && errno != EIO)
			fail("write");
		way->first = (way->first + 1) % PACKETS;
		way->count--;
	}
}

/* Until one of them is due; a second if none is under way. */
static struct timespec
patience(const struct way ways[2])
{
	uint64_t now = now_us(), due = now + 1000000;

	for (int i = 0; i < 2; i++)
		if (ways[i].count > 0 && ways[i].ring[ways[i].first].due_us < due)
			due = ways[i].ring[ways[i].first].due_us;
	due = due > now ? due - now : 0;
	return (struct timespec){ .tv_sec = (time_t)(due / 1000000), .tv_nsec = (long)(due % 1000000) * 1000 };
}

/* False at the end of standard input. */
static bool
obey(uint64_t *delay_us)
{
	char line[32];
	ssize_t bytes = read(STDIN_FILENO, line, sizeof line - 1);

	if (bytes <= 0)
		return false;
	line[bytes] = 0;
	*delay_us = strtoull(line, NULL, 10) * 1000;
	return true;
}

int
main(int argc, char *argv[])
{
	struct way ways[2] = { 0 };
	uint64_t delay_us = 0;

	if (argc != 5) {
		fprintf(stderr, "delay NAMESPACE DEVICE NAMESPACE DEVICE\n");
		return 64;
	}
	ways[0].from = ways[1].to = make_device(argv[1], argv[2]);
	ways[1].from = ways[0].to = make_device(argv[3], argv[4]);
	for (int i = 0; i < 2; i++)
		if (!(ways[i].ring = calloc(PACKETS, sizeof *ways[i].ring)))
			fail("memory");
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct pollfd fds[3] = { { .fd = ways[0].from, .events = POLLIN },
			{ .fd = ways[1].from, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
		struct timespec wait = patience(ways);

		if (ppoll(fds, 3, &wait, NULL) < 0)
			fail("poll");
		if (fds[2].revents && !obey(&delay_us))
			return 0;
		for (int i = 0; i < 2; i++) {
			take(&ways[i], delay_us);
			give(&ways[i]);
		}
	}
}
