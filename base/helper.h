/*
 * Processes of our own that do what a daemon must not do, or must not hold, itself: ask the
 * system's resolver, speak HTTP, sign.  One mechanism for all of them.
 *
 *	helper = helper_start(&plan)	before threads, sandbox and anything secret
 *	helper_way(helper, 0)		our end of a pair of sockets of whole messages
 *	helper_news(helper)		readable when something has befallen it: helper_hear()
 *	helper_end(helper)
 *
 *	daemon --fork--> keeper --fork--> helper
 *
 * The keeper waits for the first message and begins the helper then, or at once where the plan says
 * so. A helper that ends with 0 rests: the next message begins another one.  One that ends
 * otherwise has died: that is told, another one begins a second later, and what the old one had
 * read has no answer; who asked decides.  So a sandboxed daemon that can neither fork nor execute
 * anything has helpers that come back.
 *
 * Both have the standard descriptors, the ends that are theirs, and nothing else that the daemon
 * had open; they can gain no privilege.  They end with the daemon, however that ends, and not
 * before: the signals by which people and service managers ask a whole group of processes to stop
 * are ignored, since flows that drain need them.
 *
 * Shared by:     what the helper's module says.
 * Bound:         the messages that a socket's buffer holds (some 250); then sending says EAGAIN.
 * Who leaves:    nobody; the newcomer is refused.
 */
#ifndef BASE_HELPER_H
#define BASE_HELPER_H

#include <stdbool.h>

struct helper;

enum { HELPER_NAME = 16 };

struct helper_plan {
	const char *name; /* as ps(1) and the log have it, shorter than HELPER_NAME */
	unsigned ways;    /* how many pairs of sockets */
	bool is_eager;    /* it begins at once, and so after a death */
	/* One of these.  A function runs in the fork, with the other ends: they never wait, and
	 * it may have them do.  Its value is the exit code; a daemon that has gone is the end of
	 * file.  A program is executed, and has them as descriptors from 3 on. */
	int (*run)(void *arg, const int *ways, unsigned count);
	void *arg;
	const char *program;
	/* Descriptors that stay open in it, behind the ways: the first is 3 + `ways`.  -1 takes
	 * its place, too. */
	const int *keep;
	unsigned keep_count;
};

/* All is borrowed; what `arg` points at is as it was at the fork each time that the helper begins.  NULL with
 * errno. */
struct helper *helper_start(const struct helper_plan *);
/* Closes our ends and waits for it, for a second at most.  NULL is fine. */
void helper_end(struct helper *);

/* Borrowed: a socket of SOCK_SEQPACKET that never waits; close-on-exec. */
int helper_way(const struct helper *, unsigned number);
/* Borrowed: to be watched for reading until HELPER_LOST. */
int helper_news(const struct helper *);

enum helper_event {
	HELPER_FINE, /* nothing has happened */
	HELPER_DIED, /* another one begins; what was asked is lost */
	HELPER_LOST, /* there will be none any more */
};
/* What has happened; the log is told, too (helper-died, helper-lost). */
enum helper_event helper_hear(struct helper *);

#endif
