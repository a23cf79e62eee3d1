/*
 * What the tool says on standard error, one line each.  say_fail() is called by
 * whoever knows the story, once; everyone above passes the code on.  Functions
 * of this folder that return an int return 0 or such a code (sysexits, see
 * design.md §5), the sentence being said already.
 */
#ifndef PKI_TOOL_SAY_H
#define PKI_TOOL_SAY_H

#include <sysexits.h>

/* "valise-pki: ..."; returns the code. */
int say_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "valise-pki: warning: ..." */
void say_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "valise-pki: ..." about something done; never secret. */
void say_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* For what only memory exhaustion can cause; the tool's work is then not begun or rolled back. */
int say_no_memory(void);

#endif
