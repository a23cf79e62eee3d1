/*
 * valise-fetch: speaks HTTP for a daemon, or for `join`, that starts it (base/fetch.h).  It has a
 * descriptor for that, and neither options nor a configuration.
 */
#include <stdio.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/process.h"
#include "base/secret.h"
#include "fetch/serve.h"
#include "keys/key_url.h"

enum { WAY = STDERR_FILENO + 1 };

static bool
is_way(int fd)
{
	int type = 0;
	socklen_t bytes = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 && type == SOCK_SEQPACKET;
}

int
main(void)
{
	process_open_standard();
	process_harden();
	if (is_way(WAY)) {
		key_url_register();
		return serve(WAY);
	}
	fputs("valise-fetch " VALISE_VERSION
	      ": is started by valise-relay and valise-agent, and by nobody else; see valise(7)\n",
	    stderr);
	return EX_USAGE;
}
