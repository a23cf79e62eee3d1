/*
 * `valise-relay check`: reads and judges everything that a start would, sees whether it could
 * write and listen where it must, keeps nothing of that, and says what it found.
 */
#ifndef RELAY_CHECK_H
#define RELAY_CHECK_H

/* Returns the exit code: 0 fine, 1 the connect certificate has ended or agents refuse it, 2 something ends
 * soon, 75 something is not valid yet by the clock, 66, 69, 73 and 78 as a start. */
int check_run(const char *path);

#endif
