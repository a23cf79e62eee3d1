/* The certificate and key that clients are shown, which may change while the server runs. */
#include <stdlib.h>
#include <string.h>

#include "pki/tool/http_peer.h"
#include "pki/tool/http_private.h"

struct http_credentials {
	unsigned holders;
	unsigned count;
	gnutls_pcert_st chain[HTTP_CHAIN_MOST];
	gnutls_privkey_t key;
};

static bool
import(struct http_credentials *credentials, const struct der *chain, size_t count,
    const struct secret *key_url)
{
	for (; credentials->count < count; credentials->count++) {
		const struct der *one = &chain[credentials->count];
		const gnutls_datum_t der = { (unsigned char *)(uintptr_t)one->data,
			(unsigned)one->bytes };

		if (gnutls_pcert_import_x509_raw(
			&credentials->chain[credentials->count], &der, GNUTLS_X509_FMT_DER, 0) < 0)
			return false;
	}
	return gnutls_privkey_init(&credentials->key) >= 0 &&
	    gnutls_privkey_import_url(credentials->key, (const char *)key_url->data, 0) >= 0;
}

struct http_credentials *
http_credentials_new(const struct der *chain, size_t count, const struct secret *key_url)
{
	struct http_credentials *credentials = calloc(1, sizeof *credentials);

	if (!credentials)
		return NULL;
	credentials->holders = 1;
	if (count > 0 && count <= HTTP_CHAIN_MOST && import(credentials, chain, count, key_url))
		return credentials;
	http_credentials_release(credentials);
	return NULL;
}

struct http_credentials *
http_credentials_hold(struct http_credentials *credentials)
{
	if (credentials)
		credentials->holders++;
	return credentials;
}

void
http_credentials_release(struct http_credentials *credentials)
{
	if (!credentials || --credentials->holders > 0)
		return;
	for (unsigned i = 0; i < credentials->count; i++)
		gnutls_pcert_deinit(&credentials->chain[i]);
	gnutls_privkey_deinit(credentials->key);
	free(credentials);
}

/* What the client shows, before it is used. */
static int
on_certificate(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
    const gnutls_datum_t *message)
{
	bool is_13 = gnutls_protocol_get_version(session) >= GNUTLS_TLS1_3;

	(void)type;
	(void)when;
	return !incoming || http_peer_is_fit((struct der){ message->data, message->size }, is_13)
	    ? 0
	    : GNUTLS_E_CERTIFICATE_ERROR;
}

/* Nothing of it is GnuTLS' to free: the connection holds it.  Here, too, the client is asked for a
 * certificate, which it need not have.  No CAs are named, so that each shows what it has. */
int
http_credentials_choose(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
    gnutls_pcert_st **certificates, unsigned *count, gnutls_ocsp_data_st **staples,
    unsigned *staple_count, gnutls_privkey_t *key, unsigned *flags)
{
	struct MHD_Connection *mhd = gnutls_session_get_ptr(session);
	const struct http_connection *connection =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;

	(void)info;
	if (!connection || !connection->credentials)
		return -1;
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
	gnutls_handshake_set_hook_function(
	    session, GNUTLS_HANDSHAKE_CERTIFICATE_PKT, GNUTLS_HOOK_PRE, on_certificate);
	*certificates = connection->credentials->chain;
	*count = connection->credentials->count;
	*staples = NULL;
	*staple_count = 0;
	*key = connection->credentials->key;
	*flags = 0;
	return 0;
}
