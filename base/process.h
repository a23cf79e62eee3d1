/*
 * What main() does before anything else: it leaves the process in a state in which files can be
 * opened and signals come without harm.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

/* Opens those of descriptors 0 to 2 that are closed on /dev/null, so that no file or socket of ours
 * is taken for standard error.  The first call in every program.  Ends the program with EX_OSERR
 * when there is no /dev/null: nothing could be told either. */
void process_open_standard(void);

/* For daemons: ignores every signal that somebody may send, that ends a process by default and that
 * says neither "stop" (INT, QUIT, TERM) nor "this program is broken".  SIGHUP is among them until
 * a loop asks for it. */
void process_ignore_signals(void);

#endif
