/*
 * The loops of a daemon answer for themselves to the service manager (WatchdogSec in systemd.service(5)):
 * one that is stuck in a fault ends the program, which the manager starts anew, instead of serving nobody
 * for ever.
 *
 * A timer of the main loop calls into every other loop, and tells the manager when all have answered since
 * the last time; so it hears nothing when any of them stands still, the main one included.  Where there is
 * no manager that wants to hear, nothing is done.
 *
 *	watchdog_new --> watchdog_add ... --> watchdog_start --> (other loops are freed) --> watchdog_free
 *	--> the main loop is freed
 */
#ifndef BASE_WATCHDOG_H
#define BASE_WATCHDOG_H

#include <stdbool.h>

struct loop;
struct watchdog;

/* NULL when memory is short. */
struct watchdog *watchdog_new(struct loop *main);
/* NULL is fine, and so is a loop that is NULL.  False when memory is short. */
bool watchdog_add(struct watchdog *, struct loop *);
/* All that are watched run, or begin soon. */
void watchdog_start(struct watchdog *);
/* In the main loop's thread.  NULL is fine. */
void watchdog_free(struct watchdog *);

#endif
