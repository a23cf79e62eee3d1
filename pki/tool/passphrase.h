/*
 * The passphrase of the CA keys: from --passphrase-file, --passphrase-fd, the
 * systemd credential `valise-pki`, or a prompt on a terminal, in this order.
 * Never from the command line or the environment.  Read once and kept until
 * the command ends.
 */
#ifndef PKI_TOOL_PASSPHRASE_H
#define PKI_TOOL_PASSPHRASE_H

#include <stdbool.h>

#include "base/secret.h"
#include "pki/tool/options.h"

struct passphrase {
	const struct common *common;	/* borrowed */
	struct secret secret;		/* with a NUL behind it */
	bool known;
};

/* what: what it opens, for the prompt and the message. fresh: asked twice, and an empty one is refused. */
int passphrase_need(struct passphrase *, const char *what, bool fresh);
/* NUL-terminated; after passphrase_need(). */
const char *passphrase_text(const struct passphrase *);
void passphrase_wipe(struct passphrase *);

#endif
