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
	const struct common *common; /* borrowed */
	const char *option;          /* what messages call the file's option */
	const char *credential;      /* systemd's name for it; NULL: none */
	bool avoidable;              /* --no-password would do */
	struct secret secret;        /* with a NUL behind it */
	bool known;
};

/* Options of a command that is about another passphrase than the CA keys' set `option`
 * and leave `credential` NULL. */
#define PASSPHRASE_OF_CA_KEYS .option = "--passphrase-file", .credential = "valise-pki"

/* what: what it opens, for the prompt and the message. fresh: asked twice, and an empty
 * one is refused. */
int passphrase_need(struct passphrase *, const char *what, bool fresh);
/* A new one of PASSPHRASE_GENERATED random characters, which goes to a file that only its owner may
 * read and that is not there yet, unless it replaces one. */
enum { PASSPHRASE_GENERATED = 20 };
int passphrase_generate(struct passphrase *, const char *path, bool replaces);
/* NUL-terminated; after one of these. */
const char *passphrase_text(const struct passphrase *);
void passphrase_wipe(struct passphrase *);

#endif
