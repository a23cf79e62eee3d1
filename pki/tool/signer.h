/*
 * A CA that is ready to sign: its certificate and its private key, opened
 * before a change begins, because a passphrase takes its time.
 */
#ifndef PKI_TOOL_SIGNER_H
#define PKI_TOOL_SIGNER_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "pki/tool/record.h"
#include "pki/tool/passphrase.h"

struct signer {
	struct ca ca;
	gnutls_x509_crt_t certificate;
	gnutls_privkey_t key;
};

/* {0} before; wipe in any case. */
int signer_open(struct store *, const char *name, struct passphrase *, struct signer *);
/* The CA and its certificate alone, for who only asks what it may issue. */
int signer_look_up(struct store *, const char *name, struct signer *);
void signer_wipe(struct signer *);

#endif
