/*
 * What `valise-relay status` says: admin_program_facts(), and how many there
 * are of what, over all workers.
 */
#ifndef RELAY_STATUS_H
#define RELAY_STATUS_H

#include <stdint.h>

struct admin_question;
struct shared;

/* In the main thread; the answer is given when every worker has counted. */
void status_answer(
    struct admin_question *, const struct shared *, int64_t since_s, const char *state);

#endif
