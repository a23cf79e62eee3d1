/*
 * What `valise-agent status` says: admin_program_facts(), the relays one by
 * one, the endpoints, the forwards, how many flows there are, what a reload has refused, and what is fetched.
 */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

#include <jansson.h>
#include <stdint.h>

struct agent_acme;
struct agent_context;
struct agent_settings;
struct crl_refresh;
struct forwards;
struct probes;
struct reload_faults;
struct relay_links;

/* What the answer is made from; all of it is borrowed for the call. */
struct agent_status_sources {
	int64_t since_s;
	const char *state;
	const struct agent_settings *settings;
	const struct relay_links *links;
	const struct forwards *forwards;
	const struct agent_acme *acme; /* NULL: it is stopping */
	const struct probes *probes;
	const struct reload_faults *faults;
	const struct renewal *renewal;
	const struct crl_refresh *crl_refresh;
	const struct agent_context *context;
};

struct endpoint;
/* One endpoint; NULL when memory is short. */
json_t *agent_status_endpoint(
    const struct endpoint *, const struct probes *, const struct agent_acme *);
/* NULL when memory is short. */
json_t *agent_status(const struct agent_status_sources *);

#endif
