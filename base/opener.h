/*
 * Opens files for a process whose sandbox keeps it out of a folder, because something is beneath that
 * folder that it must never read, a private key as a rule: Landlock cannot take a part out of a folder that
 * it allows.
 *
 * The opener is a process of its own outside of the sandbox, that parses nothing and has no
 * network. It gets a path, and gives a descriptor to read from if the file is, links followed, in one of
 * the folders of the plan and not beneath anything that the plan forbids.  What is beneath a folder that
 * holds something forbidden is opened directly in that folder only.
 *
 *	sandbox_forbid ... --> opener_start --> sandbox_enter --> ... --> opener_stop
 *
 * All threads of the process share it: one asks at a time, for as long as a file takes to be opened, and 5
 * s at most.
 */
#ifndef BASE_OPENER_H
#define BASE_OPENER_H

#include <stdbool.h>

struct sandbox;

/* In the helper: answers at ways[0] until its other end is closed; `plan` is a const struct sandbox *.  0. */
int opener_run(void *plan, const int *ways, unsigned count);

/* In the daemon, once, before there are threads: files that cannot be opened for want of rights are
 * asked for at this end of the way, which is borrowed for ever (base/file.h). */
void opener_use(int way);
/* A descriptor, or -1 with errno. */
int opener_open(const char *path);

/* Both in one: a helper where the plan forbids something, nothing elsewhere.  The plan is as it is now for
 * the opener.  False with errno. */
bool opener_start(struct sandbox *plan);
/* Harmless without it. */
void opener_stop(void);

#endif
