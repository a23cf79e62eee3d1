/*
 * The relay as a whole, from start to stop: builds what the workers share, binds,
 * starts them, and then is the main thread's loop: signals, reload, the watch
 * over certificates and CRLs, drain.
 *
 *	SIGHUP		reads and judges everything again, then swaps; on any error nothing changes
 *	every second	the same for the files of certificates, CAs and CRLs that have changed
 *	SIGTERM, SIGINT	drain, with an eye on CAs and CRLs only; the second one stops at once
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

/* Returns the exit code (sysexits(3)). `path` is borrowed until then. */
int relay_run(const char *path);

#endif
