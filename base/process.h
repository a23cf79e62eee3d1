/*
 * What main() does before anything else: it leaves the process in a state in which files can be
 * opened and signals come without harm.  And which signals the threads of a program have.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <signal.h>

/* Opens those of descriptors 0 to 2 that are closed on /dev/null, so that no file or socket of ours
 * is taken for standard error.  The first call in every program.  Ends the program with EX_OSERR
 * when there is no /dev/null: nothing could be told either. */
void process_open_standard(void);

/* For daemons: ignores every signal that somebody may send, that ends a process by default and that
 * says neither "stop" (INT, QUIT, TERM) nor "this program is broken".  SIGHUP is among them until
 * a loop asks for it. */
void process_ignore_signals(void);

/* The signals that a thread's own fault brings: a bad address, abort() and so on. */
enum { PROCESS_FAULTS = 7 };
extern const int process_faults[PROCESS_FAULTS];

/* Around the start of a thread, which inherits this: signals are for the loop that asked for them,
 * in the main thread.  Faults stay unblocked, because the kernel kills who blocks the signal of his
 * own fault, whatever handler there is.  pthread_sigmask() puts `before` back. */
void process_block_signals(sigset_t *before);

#endif
