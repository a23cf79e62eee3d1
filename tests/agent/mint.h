/*
 * A mint for the tests: a root, and leaves under it, as PEM files in a fresh
 * directory.  No intermediates and no grant: the test relay accepts everybody.
 */
#ifndef TESTS_AGENT_MINT_H
#define TESTS_AGENT_MINT_H

#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "helpers.h"
#include "pki/grant.h"
#include "pki/oid.h"

struct test_mint {
	char dir[64];
	gnutls_x509_crt_t root;
	gnutls_x509_privkey_t root_key;
	int serial;
};

static inline const char *
mint_path(const struct test_mint *mint, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", mint->dir, name);
	return out;
}

static inline void
mint_write(const struct test_mint *mint, const char *name, const void *data, size_t bytes)
{
	char path[128];
	FILE *file = fopen(mint_path(mint, name, path), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, bytes, file), bytes);
	fclose(file);
	assert_int_equal(chmod(path, 0600), 0);
}

static inline gnutls_x509_crt_t
mint_begin(struct test_mint *mint, gnutls_x509_privkey_t key, const char *cn)
{
	unsigned char serial[2] = { 1, (unsigned char)++mint->serial };
	gnutls_x509_crt_t crt;

	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, serial, sizeof serial);
	gnutls_x509_crt_set_dn_by_oid(
	    crt, GNUTLS_OID_X520_COMMON_NAME, 0, cn, (unsigned)strlen(cn));
	gnutls_x509_crt_set_key(crt, key);
	gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
	gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 86400);
	return crt;
}

static inline gnutls_x509_privkey_t
mint_key(void)
{
	gnutls_x509_privkey_t key;

	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
			     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
	    0);
	return key;
}

static inline void
mint_export(const struct test_mint *mint, const char *name, gnutls_x509_crt_t crt)
{
	gnutls_datum_t pem;

	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
	mint_write(mint, name, pem.data, pem.size);
	gnutls_free(pem.data);
}

static inline void
mint_open(struct test_mint *mint)
{
	snprintf(mint->dir, sizeof mint->dir, "/tmp/valise-agent-test-XXXXXX");
	assert_non_null(mkdtemp(mint->dir));
	mint->serial = 0;
	mint->root_key = mint_key();
	mint->root = mint_begin(mint, mint->root_key, "root of a test");
	gnutls_x509_crt_set_basic_constraints(mint->root, 1, -1);
	gnutls_x509_crt_set_key_usage(mint->root, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
	assert_int_equal(
	    gnutls_x509_crt_sign2(mint->root, mint->root, mint->root_key, GNUTLS_DIG_SHA256, 0), 0);
	mint_export(mint, "root.crt", mint->root);
}

/* What a leaf may have beyond its name; {0} is a P-256 certificate for servers and for a day. */
struct mint_options {
	const char *purpose;             /* GNUTLS_KP_TLS_WWW_SERVER or _CLIENT; "": none */
	gnutls_pk_algorithm_t algorithm; /* 0: ECDSA */
	unsigned bits;                   /* of GNUTLS_CURVE_TO_BITS() or an RSA key's */
	int seconds;                     /* how long from now; 0: a day */
	const char *second_host;         /* of a further SAN */
	bool must_staple;                /* RFC 7633 */
	const char *grant;               /* of an agent, the identity's name; NULL: none */
	bool sha1;                       /* signed with it */
};

static inline gnutls_x509_privkey_t
mint_key_of(const struct mint_options *options)
{
	gnutls_x509_privkey_t key;

	if (options->algorithm == 0)
		return mint_key();
	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(
	    gnutls_x509_privkey_generate(key, options->algorithm, options->bits, 0), 0);
	return key;
}

static inline void
mint_name(gnutls_x509_crt_t crt, const char *host)
{
	if (host)
		gnutls_x509_crt_set_subject_alt_name(
		    crt, GNUTLS_SAN_DNSNAME, host, (unsigned)strlen(host), GNUTLS_FSAN_APPEND);
}

static inline void
mint_grant(gnutls_x509_crt_t crt, const char *identity)
{
	struct grant grant = { .any_depth = true };
	uint8_t der[GRANT_DER_BYTES];
	size_t bytes;

	snprintf(grant.name, sizeof grant.name, "%s", identity);
	assert_true(grant_encode(&grant, der, sizeof der, &bytes));
	gnutls_x509_crt_set_extension_by_oid(crt, OID_GRANT, der, bytes, 0);
	gnutls_x509_crt_set_key_purpose_oid(crt, OID_AGENT_PURPOSE, 0);
}

/* NAME.crt and NAME.key. It was made two hours ago. */
static inline void
mint_leaf_with(
    struct test_mint *mint, const char *name, const char *host, const struct mint_options *options)
{
	static const char feature[] = "1.3.6.1.5.5.7.1.24";
	gnutls_x509_privkey_t key = mint_key_of(options);
	gnutls_x509_crt_t crt = mint_begin(mint, key, name);
	gnutls_datum_t pem;
	char file[64];

	gnutls_x509_crt_set_activation_time(crt, time(NULL) - 7200);
	gnutls_x509_crt_set_expiration_time(
	    crt, time(NULL) + (options->seconds ? options->seconds : 86400));
	mint_name(crt, host);
	mint_name(crt, options->second_host);
	gnutls_x509_crt_set_basic_constraints(crt, 0, -1);
	gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (!options->purpose || *options->purpose)
		gnutls_x509_crt_set_key_purpose_oid(
		    crt, options->purpose ? options->purpose : GNUTLS_KP_TLS_WWW_SERVER, 0);
	if (options->grant)
		mint_grant(crt, options->grant);
	if (options->must_staple)
		gnutls_x509_crt_set_extension_by_oid(crt, feature, "\x30\3\2\1\5", 5, 0);
	assert_int_equal(gnutls_x509_crt_sign2(crt, mint->root, mint->root_key,
			     options->sha1 ? GNUTLS_DIG_SHA1 : GNUTLS_DIG_SHA256, 0),
	    0);
	snprintf(file, sizeof file, "%s.crt", name);
	mint_export(mint, file, crt);
	assert_int_equal(gnutls_x509_privkey_export2_pkcs8(
			     key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem),
	    0);
	snprintf(file, sizeof file, "%s.key", name);
	mint_write(mint, file, pem.data, pem.size);
	gnutls_free(pem.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

static inline void
mint_leaf_until(
    struct test_mint *mint, const char *name, const char *host, const char *purpose, int seconds)
{
	mint_leaf_with(
	    mint, name, host, &(struct mint_options){ .purpose = purpose, .seconds = seconds });
}

static inline void
mint_leaf(struct test_mint *mint, const char *name, const char *host, const char *purpose)
{
	mint_leaf_until(mint, name, host, purpose, 86400);
}

static inline void
mint_close(struct test_mint *mint)
{
	char command[128];

	gnutls_x509_crt_deinit(mint->root);
	gnutls_x509_privkey_deinit(mint->root_key);
	snprintf(command, sizeof command, "rm -rf '%s'", mint->dir);
	assert_int_equal(system(command), 0);
}

#endif
