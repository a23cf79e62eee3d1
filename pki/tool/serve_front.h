/*
 * The process of `valise-pki serve` that speaks HTTP.  It has no key, not even that of its own
 * certificate, opens no inventory, and what it can read of the authority's directory is what
 * is published (serve_confine.h).  All else it asks of the process that signs (enrol_signer.h).
 *
 * Each minute of the wall clock, and at SIGHUP, it asks for its own certificate, so that a
 * renewed one is shown to the next client, and for what is due of the authority's CRLs.
 */
#ifndef PKI_TOOL_SERVE_FRONT_H
#define PKI_TOOL_SERVE_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct front_options {
	const char *directory; /* of the authority */
	const char *name;      /* the first of its own, for the log */
	int signer;            /* the socket to the process that signs; adopted */
	int keys;              /* the one by which it signs handshakes (keys/key_channel.h) */
	const int *listeners;  /* adopted */
	size_t listener_count;
	uint64_t connections, requests, requests_per_identity;
	bool has_sandbox; /* it gives up all but what it serves */
};

/* Until SIGTERM, or until the process that signs ends; the exit code. */
int serve_front_run(const struct front_options *);

#endif
