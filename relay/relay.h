/*
 * The relay as a whole, from start to stop: builds what the workers share, binds,
 * starts them, and then is the main thread's loop: signals, reload, the watch
 * over certificates and CRLs, drain.
 *
 *	SIGHUP		reads and judges everything again, then swaps; on any error nothing changes
 *	every second	the same for the files of certificates, CAs and CRLs that have changed
 *	SIGTERM, SIGINT	drain, with an eye on CAs and CRLs only; the second one stops at once
 *	takeover	asked at the admin socket: hands all over to another process, and drains
 *
 * The order of the start is that of what may be given up: the configuration is read, sockets are bound, the
 * sandbox takes what else there is (base/sandbox.h), threads start, and system calls go.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <stdbool.h>

struct processes;

struct relay_options {
	const char *path; /* of the configuration; borrowed until the end, as the processes */
	const struct processes *processes;
	/* From the relay that runs with this configuration, if there is one; then nobody who connects notices
	 * (relay/takeover.h). */
	bool takes_over;
	bool has_no_sandbox; /* nothing is given up after the start (base/sandbox.h) */
};

/* Returns the exit code (sysexits(3)). */
int relay_run(const struct relay_options *);

struct settings;
/* Where its lock is: beside the admin socket if that is configured, else in the state directory. */
enum { RELAY_PATH = 4096 };
const char *relay_lock_path(const struct settings *, char path[RELAY_PATH]);

#endif
