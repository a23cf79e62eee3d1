/* Opens the certificate and the private key of a CA for signing. */
#include "pki/tool/signer.h"

#include <string.h>

#include "pki/tool/key.h"
#include "pki/tool/message.h"

static int
check_pair(const struct signer *signer)
{
	uint8_t certified[64], held[64];
	size_t certified_bytes = sizeof certified, held_bytes = sizeof held;
	gnutls_pubkey_t public = NULL;
	int code = key_public(signer->key, &public);

	if (!code &&
	    (gnutls_x509_crt_get_key_id(signer->certificate, 0, certified, &certified_bytes) < 0 ||
		gnutls_pubkey_get_key_id(public, 0, held, &held_bytes) < 0 ||
		certified_bytes != held_bytes || memcmp(certified, held, held_bytes) != 0))
		code = message_fail(EX_DATAERR,
		    "%s is not the key of the CA '%s'; put the right one there", signer->ca.key,
		    signer->ca.name);
	gnutls_pubkey_deinit(public);
	return code;
}

int
signer_look_up(struct store *store, const char *name, struct signer *signer)
{
	int code = ca_find(store, name, &signer->ca);

	if (!code && !*signer->ca.key)
		code = message_fail(EX_USAGE,
		    "the key of the CA '%s' is not here: its owner issues certificates and CRLs with "
		    "it",
		    name);
	return code ? code : record_ca_certificate(store, &signer->ca, &signer->certificate);
}

int
signer_open(
    struct store *store, const char *name, struct passphrase *passphrase, struct signer *signer)
{
	int code = signer_look_up(store, name, signer);

	if (!code)
		code = key_open(store, signer->ca.key, passphrase, &signer->key);
	return code ? code : check_pair(signer);
}

void
signer_wipe(struct signer *signer)
{
	gnutls_x509_crt_deinit(signer->certificate);
	gnutls_privkey_deinit(signer->key);
	*signer = (struct signer){ 0 };
}
