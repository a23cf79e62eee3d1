/*
 * Credentials, priorities and judgement: what all sessions of one purpose share.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "base/clock.h"
#include "tunnel/tls_private.h"
#include "tunnel/tls_tickets.h"

enum { CHAIN_MOST = 16 }; /* as many as GnuTLS verifies */

#define AEADS "+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD:"
#define GROUPS "+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1:"
#define SIGNATURES "+CTYPE-X509:+SIGN-ALL:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1"

/* Only forward-secret AEADs, AES first: ChaCha20 costs four to five times more.  The versions are put in
 * front. */
#define MODERN "+ECDHE-ECDSA:+ECDHE-RSA:" AEADS GROUPS SIGNATURES ":%SERVER_PRECEDENCE"
#define SESSION "NONE:+VERS-TLS1.3:+ECDHE-ECDSA:+ECDHE-RSA:" AEADS GROUPS SIGNATURES
/* No group, so psk_ke.  The signature is never used, but GnuTLS takes no list without one. */
#define CHANNEL "NONE:+VERS-TLS1.3:+PSK:+AES-128-GCM:+AEAD:+SIGN-ECDSA-SECP256R1-SHA256"

static const struct purpose purposes[TLS_PURPOSES] = {
	[TLS_SESSION_RELAY] = { true, true, false, "valise/1", SESSION },
	[TLS_SESSION_AGENT] = { false, true, false, "valise/1", SESSION },
	[TLS_CHANNEL_RELAY] = { true, false, true, "valise-data/1", CHANNEL },
	[TLS_CHANNEL_AGENT] = { false, false, true, "valise-data/1", CHANNEL },
	[TLS_ENDPOINT] = { true, false, false, NULL, NULL },
	[TLS_UPSTREAM] = { false, true, false, NULL, NULL },
};

/* An alert that a hook asks for becomes a failure of the handshake; tls_fail() sends it. */
int
tls_object(struct tls *tls, unsigned alert)
{
	tls->judgement = (uint8_t)alert;
	return alert ? -1 : 0;
}

/* Servers see an empty list when the client has shown nothing; then only a demand for one fails. */
static unsigned
judge_chain(struct tls *tls, const gnutls_datum_t *list, unsigned count)
{
	struct tls_certificate chain[CHAIN_MOST] = { 0 };
	bool is_optional = tls->config->settings.client_certificate == TLS_CLIENT_REQUEST;
	if (count == 0 && is_optional)
		return 0;
	if (!tls->hooks.judge)
		return GNUTLS_A_INTERNAL_ERROR;
	if (count > CHAIN_MOST)
		return GNUTLS_A_BAD_CERTIFICATE;
	for (unsigned i = 0; i < count; i++)
		chain[i] = (struct tls_certificate){ list[i].data, list[i].size };
	unsigned alert = tls->hooks.judge(tls->hooks.arg, chain, count);
	if (count > 0)
		return alert;
	return gnutls_protocol_get_version(tls->session) == GNUTLS_TLS1_3
	    ? GNUTLS_A_CERTIFICATE_REQUIRED
	    : GNUTLS_A_HANDSHAKE_FAILURE;
}

static int
on_verify(gnutls_session_t session)
{
	struct tls *tls = gnutls_session_get_ptr(session);
	unsigned count = 0;
	const gnutls_datum_t *list = gnutls_certificate_get_peers(session, &count);
	tls->was_judged = true;
	return tls_object(tls, judge_chain(tls, list, list ? count : 0));
}

/* GnuTLS frees (and wipes) what it is given here. */
static int
give(gnutls_datum_t *out, const void *data, size_t bytes)
{
	out->data = gnutls_malloc(bytes);
	out->size = (unsigned)bytes;
	if (!out->data)
		return -1;
	memcpy(out->data, data, bytes);
	return 0;
}

/* RFC 8446 §4.2.11: the answer to an unknown identity and to a wrong key is the same, because
 * the unknown one gets a key too. */
static int
on_key_wanted(gnutls_session_t session, const gnutls_datum_t *name, gnutls_datum_t *out)
{
	enum { RANDOM_KEY = 32 };
	struct tls *tls = gnutls_session_get_ptr(session);
	const struct tls_settings *settings = &tls->config->settings;
	uint8_t random[RANDOM_KEY];
	struct secret key = { 0 };
	memset(tls->identity, 0, sizeof tls->identity);
	if (name->size < sizeof tls->identity)
		memcpy(tls->identity, name->data, name->size);
	arc4random_buf(random, sizeof random);
	bool is_known = settings->find_key &&
	    settings->find_key(settings->find_key_arg, tls->identity, &key) && key.bytes > 0;
	int got = is_known ? give(out, key.data, key.bytes) : give(out, random, sizeof random);
	secret_wipe(&key);
	return got;
}

/* Credentials that hold the key themselves would be freed without being wiped. */
static int
on_key_shown(gnutls_session_t session, gnutls_datum_t *name, gnutls_datum_t *out)
{
	const struct tls *tls = gnutls_session_get_ptr(session);
	if (tls->key.bytes == 0 || give(name, tls->identity, strlen(tls->identity)) < 0)
		return -1;
	if (give(out, tls->key.data, tls->key.bytes) == 0)
		return 0;
	gnutls_free(name->data);
	return -1;
}

/* GnuTLS has room for one hook in a session. */
static int
on_message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
    const gnutls_datum_t *message)
{
	struct tls *tls = gnutls_session_get_ptr(session);
	(void)when;
	if (incoming && type == GNUTLS_HANDSHAKE_CERTIFICATE_PKT)
		return tls_look_at_key(tls, message);
	return incoming && type == GNUTLS_HANDSHAKE_CLIENT_HELLO && tls->config->purpose->is_server
	    ? tls_judge_hello(tls, message)
	    : 0;
}

static bool
apply_alpn(struct tls_config *config, gnutls_session_t session)
{
	enum { ALPN_MOST = 8 };
	gnutls_datum_t list[ALPN_MOST];
	unsigned count = 0;
	const char *const demanded[] = { config->purpose->alpn, NULL };
	const char *const *names = config->purpose->alpn ? demanded : config->settings.alpn;
	for (; names && names[count] && count < ALPN_MOST; count++)
		list[count] = (gnutls_datum_t){ (uint8_t *)(uintptr_t)names[count],
			(unsigned)strlen(names[count]) };
	return count == 0 ||
	    gnutls_alpn_set_protocols(
		session, list, count, GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE) == 0;
}

bool
tls_config_apply(struct tls_config *config, struct tls *tls)
{
	gnutls_session_t session = tls->session;
	bool asks =
	    config->purpose->is_judged || config->settings.client_certificate != TLS_CLIENT_OFF;
	if (gnutls_priority_set(session, config->priority) < 0 || !apply_alpn(config, session))
		return false;
	if (config->certificate &&
	    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, config->certificate) < 0)
		return false;
	if (config->keys && gnutls_credentials_set(session, GNUTLS_CRD_PSK, config->keys) < 0)
		return false;
	if (config->key && gnutls_credentials_set(session, GNUTLS_CRD_PSK, config->key) < 0)
		return false;
	if (config->purpose->is_server && config->certificate) {
		/* on_verify() judges a missing certificate that is demanded, so that the owner
		 * hears of it. */
		gnutls_certificate_server_set_request(
		    session, asks ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_IGNORE);
	}
	if (config->certificate)
		gnutls_handshake_set_hook_function(
		    session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE, on_message);
	return true;
}

static void
explain_certificate(int got, char *error)
{
	if (got == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		snprintf(error, TLS_ERROR,
		    "the private key does not belong to the certificate; give the two that were "
		    "made together");
	else if (got == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		snprintf(error, TLS_ERROR,
		    "the private key cannot be opened: its file has changed just now, or the key "
		    "process does not answer; reload again");
	else if (got == GNUTLS_E_MEMORY_ERROR)
		snprintf(error, TLS_ERROR, "memory is short");
	else if (got == GNUTLS_E_DECRYPTION_FAILED)
		snprintf(error, TLS_ERROR,
		    "the private key is encrypted, and nobody is here to type its password; "
		    "decrypt it (openssl pkey -in KEY -out PLAIN), or issue it without "
		    "--encrypt-key");
	else
		snprintf(error, TLS_ERROR,
		    "the certificate or its key is unusable: %s Both must be PEM",
		    gnutls_strerror(got));
}

/* GnuTLS asks in each handshake in which the client wants one. */
static int
on_staple_wanted(gnutls_session_t session, void *arg, gnutls_datum_t *out)
{
	const struct tls_config *config = arg;
	const struct tls_staple *staple = &config->settings.staple;
	int64_t now_s = clock_wall_s();
	(void)session;
	if (now_s < staple->from_s || now_s >= staple->until_s)
		return GNUTLS_E_NO_CERTIFICATE_STATUS;
	return give(out, staple->data, staple->bytes) < 0 ? GNUTLS_E_MEMORY_ERROR : 0;
}

static bool
copy_staple(struct tls_config *config, const struct tls_staple *staple, char *error)
{
	config->settings.staple.data = NULL;
	if (staple->bytes == 0)
		return true;
	uint8_t *copy = malloc(staple->bytes);
	if (!copy) {
		snprintf(error, TLS_ERROR, "memory is short");
		return false;
	}
	config->settings.staple.data = memcpy(copy, staple->data, staple->bytes);
	gnutls_certificate_set_ocsp_status_request_function(
	    config->certificate, on_staple_wanted, config);
	return true;
}

/* What the name takes in a CertificateRequest (RFC 8446, 4.2.4); 0: it cannot be read. */
static size_t
name_bytes(const gnutls_datum_t *der)
{
	gnutls_x509_crt_t certificate;
	gnutls_datum_t name;
	size_t bytes = 0;
	if (gnutls_x509_crt_init(&certificate) < 0)
		return 0;
	if (gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER) >= 0 &&
	    gnutls_x509_crt_get_raw_dn(certificate, &name) >= 0) {
		bytes = 2 + name.size;
		gnutls_free(name.data);
	}
	gnutls_x509_crt_deinit(certificate);
	return bytes;
}

/* GnuTLS takes the names from the CAs that it could judge by; on_verify() judges instead.  In TLS 1.2 they
 * may take 65535 bytes, but in 1.3 that is for all extensions of the message together (RFC 8446, 4.3.2):
 * what is left is for the signature algorithms, the heads of extensions, and what GnuTLS may add. */
static bool
add_client_cas(
    gnutls_certificate_credentials_t certificate, const struct tls_settings *settings, char *error)
{
	enum { FOR_THE_REST = 512, NAMES_MOST = UINT16_MAX - FOR_THE_REST };
	size_t bytes = 0;
	for (size_t i = 0; i < settings->client_ca_count; i++) {
		const gnutls_datum_t der = { (uint8_t *)(uintptr_t)settings->client_cas[i].data,
			(unsigned)settings->client_cas[i].bytes };
		bytes += name_bytes(&der);
		if (bytes > NAMES_MOST) {
			snprintf(error, TLS_ERROR,
			    "the names of the clients' CAs take more than the %d bytes that a "
			    "CertificateRequest has for them; list fewer CAs, or set "
			    "client_ca_names: off",
			    NAMES_MOST);
			return false;
		}
		if (gnutls_certificate_set_x509_trust_mem(certificate, &der, GNUTLS_X509_FMT_DER) <
		    0) {
			snprintf(error, TLS_ERROR,
			    "memory is short, or GnuTLS cannot read a clients' CA");
			return false;
		}
	}
	return true;
}

/* Sorted, as the library does with a chain that it is given with its key. */
static int
import_chain(const struct secret *pem, gnutls_pcert_st list[CHAIN_MOST], unsigned *count)
{
	const gnutls_datum_t text = { pem->data, (unsigned)pem->bytes };
	gnutls_x509_crt_t *chain = NULL;
	unsigned all = 0;
	int got = gnutls_x509_crt_list_import2(&chain, &all, &text, GNUTLS_X509_FMT_PEM, 0);

	*count = all < CHAIN_MOST ? all : CHAIN_MOST;
	if (got >= 0)
		got = gnutls_pcert_import_x509_list(list, chain, count, GNUTLS_X509_CRT_LIST_SORT);
	if (got < 0)
		*count = 0;
	for (unsigned i = 0; i < all; i++)
		gnutls_x509_crt_deinit(chain[i]);
	gnutls_free(chain);
	return got;
}

/* The library takes over what is in the list, and the key, unless it fails. */
static int
set_key_of_url(struct tls_config *config, const struct tls_settings *settings)
{
	gnutls_pcert_st list[CHAIN_MOST];
	unsigned count = 0;
	gnutls_privkey_t key = NULL;
	int got = gnutls_privkey_init(&key);

	if (got >= 0)
		got = gnutls_privkey_import_url(key, (const char *)settings->private_key->data, 0);
	if (got >= 0)
		got = import_chain(settings->certificate, list, &count);
	if (got >= 0)
		got =
		    gnutls_certificate_set_key(config->certificate, NULL, 0, list, (int)count, key);
	if (got >= 0)
		return got;
	for (unsigned i = 0; i < count; i++)
		gnutls_pcert_deinit(&list[i]);
	gnutls_privkey_deinit(key);
	return got;
}

static int
set_key(struct tls_config *config, const struct tls_settings *settings)
{
	const gnutls_datum_t chain = { settings->certificate->data,
		(unsigned)settings->certificate->bytes };
	const gnutls_datum_t key = { settings->private_key->data,
		(unsigned)settings->private_key->bytes };

	if (gnutls_url_is_supported((const char *)key.data))
		return set_key_of_url(config, settings);
	return gnutls_certificate_set_x509_key_mem2(
	    config->certificate, &chain, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
}

static bool
load_certificate(struct tls_config *config, const struct tls_settings *settings, char *error)
{
	if (settings->purpose != TLS_UPSTREAM &&
	    !(settings->certificate && settings->private_key)) {
		snprintf(error, TLS_ERROR, "a certificate and its private key are needed");
		return false;
	}
	int got = gnutls_certificate_allocate_credentials(&config->certificate);
	if (got == 0)
		gnutls_certificate_set_verify_function(config->certificate, on_verify);
	if (got == 0 && settings->certificate && settings->private_key)
		got = set_key(config, settings);
	if (got < 0)
		explain_certificate(got, error);
	return got >= 0 && add_client_cas(config->certificate, settings, error) &&
	    copy_staple(config, &settings->staple, error);
}

static bool
load_keys(struct tls_config *config, char *error)
{
	int got = config->purpose->is_server ? gnutls_psk_allocate_server_credentials(&config->keys)
					     : gnutls_psk_allocate_client_credentials(&config->key);
	if (got < 0) {
		snprintf(error, TLS_ERROR, "memory is short");
		return false;
	}
	if (config->keys)
		gnutls_psk_set_server_credentials_function2(config->keys, on_key_wanted);
	else
		gnutls_psk_set_client_credentials_function2(config->key, on_key_shown);
	return true;
}

static bool
init_priority(struct tls_config *config, char *error)
{
	const struct tls_settings *settings = &config->settings;
	char ours[sizeof MODERN + 64];
	const char *priority = config->purpose->priority;
	if (!priority) {
		snprintf(ours, sizeof ours, "NONE:%s%s%s",
		    settings->newest == TLS_VERSION_12 ? "" : "+VERS-TLS1.3:",
		    settings->oldest == TLS_VERSION_13 ? "" : "+VERS-TLS1.2:", MODERN);
		priority = ours;
	}
	int got = gnutls_priority_init(&config->priority, priority, NULL);
	if (got < 0)
		snprintf(
		    error, TLS_ERROR, "GnuTLS refuses our cipher list: %s", gnutls_strerror(got));
	return got >= 0;
}

static bool
copy_alpn(struct tls_config *config, const char *const *names, char *error)
{
	size_t count = 0, bytes = 0;
	while (names && names[count])
		bytes += strlen(names[count++]) + 1;
	if (count == 0)
		return true;
	/* One block: the pointers, then the texts. */
	const char **copy = malloc((count + 1) * sizeof *copy + bytes);
	if (!copy) {
		snprintf(error, TLS_ERROR, "memory is short");
		return false;
	}
	char *at = (char *)(copy + count + 1);
	for (size_t i = 0; i < count; i++) {
		copy[i] = at;
		at = stpcpy(at, names[i]) + 1;
	}
	copy[count] = NULL;
	config->settings.alpn = copy;
	return true;
}

static void
config_free(struct tls_config *config)
{
	if (config->priority)
		gnutls_priority_deinit(config->priority);
	if (config->certificate)
		gnutls_certificate_free_credentials(config->certificate);
	if (config->keys)
		gnutls_psk_free_server_credentials(config->keys);
	if (config->key)
		gnutls_psk_free_client_credentials(config->key);
	free((void *)(uintptr_t)config->settings.alpn);
	free((void *)(uintptr_t)config->settings.staple.data);
	tls_tickets_release(config->settings.tickets);
	free(config);
}

struct tls_config *
tls_config_new(const struct tls_settings *settings, char error[TLS_ERROR])
{
	struct tls_config *config = calloc(1, sizeof *config);
	error[0] = '\0';
	if (!config) {
		snprintf(error, TLS_ERROR, "memory is short");
		return NULL;
	}
	config->holders = 1;
	config->purpose = &purposes[settings->purpose];
	config->settings = *settings;
	config->settings.certificate = config->settings.private_key = NULL;
	config->settings.alpn = NULL;
	config->settings.client_cas = NULL;
	config->settings.tickets = NULL;
	config->settings.staple.data = NULL;
	if (settings->purpose != TLS_ENDPOINT)
		config->settings.client_certificate = TLS_CLIENT_OFF;
	bool is_loaded = init_priority(config, error) &&
	    (config->purpose->uses_key ? load_keys(config, error)
				       : load_certificate(config, settings, error));
	if (is_loaded && copy_alpn(config, settings->alpn, error)) {
		if (settings->tickets && settings->purpose == TLS_ENDPOINT &&
		    settings->client_certificate == TLS_CLIENT_OFF)
			config->settings.tickets = tls_tickets_hold(settings->tickets);
		return config;
	}
	config_free(config);
	return NULL;
}

struct tls_config *
tls_config_hold(struct tls_config *config)
{
	config->holders++;
	return config;
}

void
tls_config_release(struct tls_config *config)
{
	if (config && --config->holders == 0)
		config_free(config);
}
