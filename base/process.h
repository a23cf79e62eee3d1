/*
 * What main() does first, so that files can be opened and signals do no harm; and which signals
 * reach which thread.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <signal.h>

/* Opens those of descriptors 0 to 2 that are closed on /dev/null, so that no file or socket of ours
 * is taken for standard error.  The first call in every program.  Ends the program with EX_OSERR
 * when there is no /dev/null: nothing could be told either. */
void process_open_standard(void);

/* For daemons: ignores the signals that end a process by default, except those that ask it to stop
 * (INT, QUIT, TERM) and those that its own faults raise.  SIGHUP is ignored until a loop asks for it. */
void process_ignore_signals(void);

/* The signals that a thread's own fault brings: a bad address, abort() and so on. */
enum { PROCESS_FAULTS = 7 };
extern const int process_faults[PROCESS_FAULTS];

/* Around the start of a thread, which inherits this: signals are for the loop that asked for them,
 * in the main thread.  Faults stay unblocked, because the kernel kills a process that has blocked
 * the signal of its own fault, even if there is a handler for it.  pthread_sigmask() puts `before` back. */
void process_block_signals(sigset_t *before);

#endif
