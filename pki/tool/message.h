/*
 * Messages on standard error, one line each.  The function that knows what went wrong
 * calls message_fail() once, and its callers pass the code on.  Functions of this folder
 * that return an int return 0 or such a code (sysexits, see valise-pki(1)); by then the
 * message is written.
 */
#ifndef PKI_TOOL_MESSAGE_H
#define PKI_TOOL_MESSAGE_H

#include <stdbool.h>
#include <sysexits.h>

/* "valise-pki: ..."; returns the code. */
int message_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "valise-pki: warning: ..." */
void message_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "valise-pki: ..." about something that was done; never a secret. */
void message_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* For what can only happen when memory is short; the change is then not begun, or rolled back. */
int message_no_memory(void);

/* For a process that answers others: from now on `take` has each line instead of standard error, without
 * prefix, and whether it told of a failure.  NULL: standard error again. */
void message_divert(void (*take)(void *arg, bool failure, const char *line), void *arg);

#endif
