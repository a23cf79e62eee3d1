/*
 * One configuration made ready for use: the settings, the TLS credentials and
 * the static routes that came from them.  Immutable and counted: a reload
 * builds a new one and posts it to the stations; whoever began under the old
 * one may keep it.
 */
#ifndef RELAY_RULES_H
#define RELAY_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "relay/settings.h"

struct route_fixed;
struct roster;
struct tls_config;

struct rules {
	struct settings settings;
	struct tls_config *session_tls;		/* NULL without a connect name */
	struct tls_config *channel_tls;
	struct route_fixed **fixed;
	size_t fixed_count;
};

enum rules_failure { RULES_FINE, RULES_UNREADABLE, RULES_BAD };

/* Reads and judges everything; each mistake is told on `messages`. NULL with *failure set.
 * `roster` is where channel keys are found; it must outlive the rules. */
struct rules *rules_load(const char *path, struct roster *, FILE *messages, enum rules_failure *failure);
struct rules *rules_hold(struct rules *);
void rules_release(struct rules *);

#endif
