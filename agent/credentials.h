/*
 * Who the agent is to its relays, and which relays it trusts: the agent's
 * certificate and key, the relays' CAs and CRLs, as one counted value that
 * never changes.  A reload makes another one; a session keeps the one that it
 * began with.  An agent without relays, which only forwards, has an empty one.
 */
#ifndef AGENT_CREDENTIALS_H
#define AGENT_CREDENTIALS_H

#include "agent/settings.h"
#include "base/file.h"
#include "pki/cert.h"
#include "pki/trust.h"
#include "tunnel/tls.h"

enum { CREDENTIALS_ERROR = 768 };

/* The agent's certificate with its key; counted, by the main thread alone. */
struct own_certificate {
	unsigned references;
	struct tls_config *session; /* mutual TLS */
	struct cert_facts facts;
	char *path; /* for messages */
};

struct credentials {
	unsigned references; /* the main thread's alone */
	struct own_certificate *own;
	struct tls_config *channel; /* pre-shared key */
	struct trust *relays;
};

/* NULL with a sentence.  previous (may be NULL): hands on what its trust set remembers of CRLs. */
struct credentials *credentials_new(const struct agent_settings *,
    const struct credentials *previous, char error[CREDENTIALS_ERROR]);
struct credentials *credentials_hold(struct credentials *);
void credentials_release(struct credentials *);

/* The parts that are loaded from files: neither waits for the other, so that a CRL is obeyed while a
 * new certificate has no key yet. */
enum credentials_part { CREDENTIALS_OWN, CREDENTIALS_RELAYS, CREDENTIALS_PARTS };

/* The configuration's key that a part is known by. */
const char *credentials_part_key(enum credentials_part);

/* The same as `previous` but for the parts that are wanted, which are loaded again.  A part that cannot
 * be loaded is that of `previous`, and its sentence is not empty.  NULL when memory is short. */
struct credentials *credentials_renew(const struct agent_settings *,
    const struct credentials *previous, const bool wanted[CREDENTIALS_PARTS],
    char errors[CREDENTIALS_PARTS][CREDENTIALS_ERROR]);

/* The state of the files that it was loaded from. */
struct credentials_stamp {
	struct file_stamp certificate, private_key;
	struct trust_stamp trust;
};
/* Once for each state of the files that differs from the one last seen, which parts are concerned;
 * true if any is. */
bool credentials_files_changed(
    const struct agent_settings *, struct credentials_stamp *seen, bool changed[CREDENTIALS_PARTS]);

#endif
