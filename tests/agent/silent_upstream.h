/* An upstream of the tests that does not even refuse. */
#ifndef TESTS_AGENT_SILENT_UPSTREAM_H
#define TESTS_AGENT_SILENT_UPSTREAM_H

#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/socket.h"
#include "helpers.h"

static int silent_upstream_fd, silent_upstream_waiting[3];

/* A listener whose queue is full drops what comes. */
static const char *
silent_upstream_start(char text[ADDRESS_TEXT])
{
	struct address any, local;

	assert_true(address_parse(&any, "127.0.0.1:0"));
	silent_upstream_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(silent_upstream_fd, &any.as.any, any.bytes), 0);
	assert_int_equal(listen(silent_upstream_fd, 0), 0);
	local = socket_local(silent_upstream_fd);
	for (int i = 0; i < 3; i++) {
		silent_upstream_waiting[i] =
		    socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		connect(silent_upstream_waiting[i], &local.as.any, local.bytes);
	}
	return address_text(&local, text);
}

static void
silent_upstream_stop(void)
{
	for (int i = 0; i < 3; i++)
		close(silent_upstream_waiting[i]);
	close(silent_upstream_fd);
}

#endif
