/*
 * What `valise-relay status` says: admin_program_facts(), how many there are of what,
 * over all workers, the static routes with several upstreams or with health checks, what
 * a reload has refused, and what is fetched.
 */
#ifndef RELAY_STATUS_H
#define RELAY_STATUS_H

#include <stdint.h>

struct admin_question;
struct crl_refresh;
struct renewal;
struct reload_faults;
struct rules;
struct shared;

/* In the main thread; the answer is given when every worker has counted.  The rules are those in force. */
void status_answer(struct admin_question *, const struct shared *, const struct rules *,
    int64_t since_s, const char *state, const struct reload_faults *, const struct crl_refresh *,
    const struct renewal *);

#endif
