/*
 * Who the agent is to its relays, and which relays it trusts: the agent's
 * certificate and key, the relays' CAs and CRLs, as one counted value that
 * never changes.  A reload makes another one; a session keeps the one that it
 * began with.
 */
#ifndef AGENT_CREDENTIALS_H
#define AGENT_CREDENTIALS_H

#include "agent/settings.h"
#include "base/file.h"
#include "pki/cert.h"
#include "pki/trust.h"
#include "tunnel/tls.h"

enum { CREDENTIALS_ERROR = 768 };

struct credentials {
	unsigned references;        /* the main thread's alone */
	struct tls_config *session; /* mutual TLS */
	struct tls_config *channel; /* pre-shared key */
	struct trust *relays;
	struct cert_facts certificate;
	char *certificate_path; /* for messages */
};

/* NULL with a sentence.  previous (may be NULL): hands on what its trust set remembers of CRLs. */
struct credentials *credentials_new(const struct agent_settings *,
    const struct credentials *previous, char error[CREDENTIALS_ERROR]);
struct credentials *credentials_hold(struct credentials *);
void credentials_release(struct credentials *);

/* The state of the files that it was loaded from. */
struct credentials_stamp {
	struct file_stamp certificate, private_key;
	struct trust_stamp trust;
};
/* True once for each state of the files that differs from the one last seen. */
bool credentials_files_changed(const struct agent_settings *, struct credentials_stamp *seen);

#endif
