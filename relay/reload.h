/*
 * The configuration in force, and how a new one takes its place: all or
 * nothing, told in the log, posted to the workers.  Belongs to the main thread.
 */
#ifndef RELAY_RELOAD_H
#define RELAY_RELOAD_H

#include <stdbool.h>
#include "base/file.h"
#include "base/reload_faults.h"
#include "relay/renew.h"

struct crl_refresh;
struct reload_asker;
struct rules;
struct sandbox;
struct route_health;
struct settings;
struct shared;
struct trust;

struct reload {
	const char *path;              /* borrowed */
	const struct sandbox *sandbox; /* borrowed: that this process is in; NULL: none */
	struct shared *shared;         /* borrowed */
	struct rules *rules;           /* held: in force */
	struct file_stamp certificate, private_key;
	/* Of the certificate in force; 0: none. */
	int64_t certificate_begins_s, certificate_ends_s;
	int64_t in_force_s;          /* since when the rules are, by the wall clock */
	int64_t warned_s;            /* of what ends, by the wall clock */
	struct reload_faults faults; /* what is not as the files say */
	unsigned retries;
	const struct reload_asker *asker; /* borrowed; NULL: nobody has asked */
	struct route_health *health;
	bool is_health_behind; /* it does not know the rules in force */
	struct crl_refresh *crl_refresh;
	bool is_refresh_behind; /* the same */
	struct renew renew;
};

/* Reads and judges everything again, then swaps; on any error nothing changes, and it is false. */
bool reload_all(struct reload *);
/* Every second.  Both load files that have changed, and every few seconds those that were refused: the
 * first the certificate, CAs and CRLs, the second CAs and CRLs only. */
void reload_poll(struct reload *);
void reload_poll_trust(struct reload *);
/* Remembers how the certificate's files are now. */
void reload_stamp(struct reload *);
/* Has the upstreams of the rules in force checked; every second, where memory was short for that. */
void reload_watch_health(struct reload *);
/* Has the CRLs of the rules in force fetched; every second, where memory was short for that. */
void reload_refresh_crls(struct reload *);
/* Gives the limits of the configuration to the shared queues and counters. */
void reload_set_bounds(const struct reload *);
/* Every second: shares descriptors out anew where the system allows another number of them than before. */
void reload_obey_descriptors(struct reload *);
/* A trust set is in force: logs what it has to say of itself. */
void reload_warn(struct reload *, const struct trust *);
/* The certificate of the rules is in force: warns if it is not valid yet, ends soon or has ended. */
void reload_warn_certificate(struct reload *);

#endif
