/*
 * One configuration made ready for use: the settings, the TLS credentials and
 * the static routes that came from them.  Counted, and immutable but for the
 * certificate: a reload builds a new one and posts it to the workers; whoever
 * began under the old one may keep it.
 */
#ifndef RELAY_RULES_H
#define RELAY_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "relay/limits.h"
#include "relay/settings.h"

struct route_static;
struct sandbox;
struct session_table;
struct tls_config;

struct rules {
	const char *path;               /* borrowed */
	struct settings settings;       /* without the routes */
	struct limits limits;           /* those in force */
	struct tls_config *channel_tls; /* NULL without a connect name */
	uint64_t routes_digest;         /* to see whether the next ones are others */
	struct route_static **static_route;
	size_t static_count;
};

enum rules_failure { RULES_FINE, RULES_UNREADABLE, RULES_BAD };

/* Reads and judges everything; each mistake is told on `messages`. NULL with *failure set.
 * `table` is where channel keys are found; it must outlive the rules.  NULL: a check, which changes no
 * file.  `sandbox`, if this process is in one, must reach all folders that are wanted. */
struct rules *rules_load(const char *path, struct session_table *, const struct sandbox *,
    FILE *messages, enum rules_failure *failure);
/* Reads the certificate and its key again under the same settings; false: the old ones stay. */
bool rules_renew(struct rules *, FILE *messages);
/* The TLS configuration for new sessions; held for the caller. Any thread. */
struct tls_config *rules_session_tls(struct rules *);
struct rules *rules_hold(struct rules *);
void rules_release(struct rules *);

#endif
