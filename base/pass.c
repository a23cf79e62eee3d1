/* Passes descriptors over local sockets, and says who is at the other end of one. */
#include "base/pass.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 8 /* descriptors that a message may have before it is refused */ };

union control {
	struct cmsghdr header; /* for the alignment */
	char room[CMSG_SPACE(MOST * sizeof(int))];
};

static ssize_t
send_message(int socket, struct iovec *parts, size_t count, int fd, int flags)
{
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = count };
	union control control = { 0 };
	struct cmsghdr *header;

	if (fd >= 0) {
		message.msg_control = control.room;
		message.msg_controllen = CMSG_SPACE(sizeof fd);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(header), &fd, sizeof fd);
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL | flags);
}

ssize_t
pass_send(int socket, const void *data, size_t bytes, int fd)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = bytes };

	return send_message(socket, &part, 1, fd, MSG_DONTWAIT);
}

ssize_t
pass_send_patiently(int socket, const void *data, size_t bytes, int fd)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = bytes };

	return send_message(socket, &part, 1, fd, 0);
}

bool
pass_send_parts(int socket, struct iovec *parts, size_t count, int fd)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += parts[i].iov_len;
	return send_message(socket, parts, count, fd, MSG_DONTWAIT) == (ssize_t)bytes;
}

/* Of all that came the first one; the others are closed.  Returns how many there were. */
static size_t
take_first(struct msghdr *message, int *fd)
{
	size_t count = 0;

	*fd = -1;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof *fd <= header->cmsg_len - CMSG_LEN(0);
		     at += sizeof *fd) {
			int got;

			memcpy(&got, CMSG_DATA(header) + at, sizeof got);
			if (count++ == 0)
				*fd = got;
			else
				close(got);
		}
	}
	return count;
}

ssize_t
pass_receive(int socket, void *data, size_t bytes, int *fd)
{
	struct iovec part = { .iov_base = data, .iov_len = bytes };
	union control control;
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof control.room };
	ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	size_t count;

	*fd = -1;
	if (got < 0)
		return -1;
	count = take_first(&message, fd);
	if (count <= 1 && (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
		return got;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = EMSGSIZE;
	return -1;
}

bool
pass_pair(int pair[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0;
}

bool
pass_peer(int socket, struct ucred *peer)
{
	socklen_t bytes = sizeof *peer;

	return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, peer, &bytes) == 0;
}

bool
pass_is_ours(const struct ucred *peer)
{
	return peer->uid == 0 || peer->uid == geteuid();
}

enum { GROUPS_MOST = 1024 };

/* Who has more groups than that is not in any but the first. */
bool
pass_is_in_group(int socket, const struct ucred *peer, gid_t wanted)
{
	gid_t groups[GROUPS_MOST];
	socklen_t bytes = sizeof groups;

	if (peer->gid == wanted)
		return true;
	if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) < 0)
		return false;
	for (size_t i = 0; i < bytes / sizeof *groups; i++)
		if (groups[i] == wanted)
			return true;
	return false;
}
