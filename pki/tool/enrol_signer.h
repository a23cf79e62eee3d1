/*
 * The process behind `valise-pki serve` that alone opens keys and inventory.  It has no network: all that
 * it hears is what the process in front says by enrol_message.h, on one descriptor.  Who has
 * taken over that process can have existing identities renewed, at most as many as the limit, each
 * told in the log; it can add no name and see no key, not even that of its own certificate, with which this
 * process signs for it, by channels of keys/key_channel.h.
 */
#ifndef PKI_TOOL_ENROL_SIGNER_H
#define PKI_TOOL_ENROL_SIGNER_H

#include "pki/tool/enrolment.h"

/*
 * Runs in a process of its own until the other end of `fd`, a SOCK_SEQPACKET socket that blocks, is
 * closed.  First it opens the authority, which may ask for a passphrase, and says one answer unasked,
 * ENROL_ISSUED and nothing in it: it is ready.  The exit code is returned: 0 at the end, EX_PROTOCOL after
 * what is no question, else what kept it from starting, after a message.  `fd` is closed.  New channels
 * come in by `keys`, the other end of key_channel_start()'s; its key_store is added to the options.
 */
int enrol_signer_run(int fd, int keys, const struct common *, const struct enrolment_options *);

#endif
