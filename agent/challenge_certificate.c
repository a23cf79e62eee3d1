/* Makes the certificate of a challenge, in memory. */
#include "agent/challenge_certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/clock.h"
#include "base/secret.h"
#include "pki/key_pem.h"
#include "tunnel/tls.h"

enum { SKEW_S = 86400, LIFE_S = 7 * 86400, SERIAL = 16 };

struct made {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t certificate;
	struct secret key_pem, certificate_pem;
};

/* As an OCTET STRING in the OCTET STRING of the extension. */
static int
set_digest(gnutls_x509_crt_t certificate, const uint8_t digest[CHALLENGE_DIGEST])
{
	static const char identifier[] = "1.3.6.1.5.5.7.1.31";
	uint8_t value[2 + CHALLENGE_DIGEST] = { 0x04, CHALLENGE_DIGEST };

	memcpy(value + 2, digest, CHALLENGE_DIGEST);
	return gnutls_x509_crt_set_extension_by_oid(
	    certificate, identifier, value, sizeof value, 1);
}

/* Servers do not look at its times (RFC 8737, 3), but a library of theirs may, and one clock is wrong. */
static int
set_frame(gnutls_x509_crt_t certificate)
{
	static const char subject[] = "CN=ACME challenge";
	uint8_t serial[SERIAL];
	int got;

	arc4random_buf(serial, sizeof serial);
	serial[0] = (serial[0] & 0x7f) | 0x40;
	got = gnutls_x509_crt_set_version(certificate, 3);
	if (got >= 0)
		got = gnutls_x509_crt_set_serial(certificate, serial, sizeof serial);
	if (got >= 0)
		got = gnutls_x509_crt_set_dn(certificate, subject, NULL);
	if (got >= 0)
		got = gnutls_x509_crt_set_activation_time(
		    certificate, (time_t)(clock_wall_s() - SKEW_S));
	return got < 0
	    ? got
	    : gnutls_x509_crt_set_expiration_time(certificate, (time_t)(clock_wall_s() + LIFE_S));
}

static int
make_certificate(struct made *made, const char *name, const uint8_t digest[CHALLENGE_DIGEST])
{
	int got = gnutls_x509_crt_init(&made->certificate);

	if (got >= 0)
		got = set_frame(made->certificate);
	if (got >= 0)
		got = gnutls_x509_crt_set_subject_alt_name(made->certificate, GNUTLS_SAN_DNSNAME,
		    name, (unsigned)strlen(name), GNUTLS_FSAN_SET);
	if (got >= 0)
		got = set_digest(made->certificate, digest);
	if (got >= 0)
		got = gnutls_x509_crt_set_key(made->certificate, made->key);
	return got < 0 ? got
		       : gnutls_x509_crt_sign2(
			     made->certificate, made->certificate, made->key, GNUTLS_DIG_SHA256, 0);
}

static int
export_both(struct made *made)
{
	gnutls_datum_t pem = { 0 };
	int got = key_pem_write(&made->key_pem, made->key);

	if (got >= 0)
		got = gnutls_x509_crt_export2(made->certificate, GNUTLS_X509_FMT_PEM, &pem);
	if (got >= 0 && !secret_init(&made->certificate_pem, pem.data, pem.size))
		got = GNUTLS_E_MEMORY_ERROR;
	gnutls_free(pem.data);
	return got;
}

static void
made_wipe(struct made *made)
{
	if (made->key)
		gnutls_x509_privkey_deinit(made->key);
	if (made->certificate)
		gnutls_x509_crt_deinit(made->certificate);
	secret_wipe(&made->key_pem);
	secret_wipe(&made->certificate_pem);
}

struct tls_config *
challenge_certificate_new(
    const char *name, const uint8_t digest[CHALLENGE_DIGEST], char error[CHALLENGE_ERROR])
{
	static const char *const protocols[] = { CHALLENGE_PROTOCOL, NULL };
	struct made made = { 0 };
	const struct tls_settings settings = { .purpose = TLS_ENDPOINT,
		.certificate = &made.certificate_pem,
		.private_key = &made.key_pem,
		.alpn = protocols };
	struct tls_config *config = NULL;
	char why[TLS_ERROR] = "";
	int got = key_type_generate(KEY_P256, &made.key);

	if (got >= 0)
		got = make_certificate(&made, name, digest);
	if (got >= 0)
		got = export_both(&made);
	if (got >= 0)
		config = tls_config_new(&settings, why);
	if (!config)
		snprintf(error, CHALLENGE_ERROR,
		    "no certificate can be made for the challenge of '%.253s': %s", name,
		    got < 0 ? gnutls_strerror(got) : why);
	made_wipe(&made);
	return config;
}
