/* Makes certificates with GnuTLS, each with all that a verifier wants. */
#include "pki/tool/mint.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pki/oid.h"
#include "pki/tool/dn.h"
#include "pki/tool/message.h"

void
mint_serial(uint8_t serial[MINT_SERIAL])
{
	do {
		arc4random_buf(serial, MINT_SERIAL);
		serial[0] &= 0x7f;
	} while (serial[0] == 0);
}

static int
set_subject(gnutls_x509_crt_t certificate, const struct mint *mint)
{
	int problem = 0;

	if (mint->organisation)
		problem =
		    gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_ORGANIZATION_NAME, 0,
			mint->organisation, (unsigned)strlen(mint->organisation));
	if (problem >= 0)
		problem = gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0,
		    mint->common_name, (unsigned)strlen(mint->common_name));
	return problem;
}

static int
set_validity(gnutls_x509_crt_t certificate, const struct mint *mint)
{
	int problem = gnutls_x509_crt_set_activation_time(certificate, (time_t)mint->not_before);

	return problem < 0
	    ? problem
	    : gnutls_x509_crt_set_expiration_time(certificate, (time_t)mint->not_after);
}

static int
set_usage(gnutls_x509_crt_t certificate, const struct mint *mint)
{
	int problem = gnutls_x509_crt_set_basic_constraints(
	    certificate, mint->is_ca, mint->is_ca ? mint->path_length : -1);

	if (problem >= 0)
		problem = gnutls_x509_crt_set_key_usage(certificate,
		    mint->is_ca ? GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN
				: GNUTLS_KEY_DIGITAL_SIGNATURE);
	for (size_t i = 0; problem >= 0 && mint->purposes && mint->purposes[i]; i++)
		problem = gnutls_x509_crt_set_key_purpose_oid(certificate, mint->purposes[i], 0);
	return problem;
}

static int
set_key_ids(gnutls_x509_crt_t certificate, gnutls_x509_crt_t issuer)
{
	uint8_t id[64];
	size_t bytes = sizeof id;
	int problem = gnutls_x509_crt_get_key_id(certificate, 0, id, &bytes);

	if (problem >= 0)
		problem = gnutls_x509_crt_set_subject_key_id(certificate, id, bytes);
	if (problem < 0)
		return problem;
	bytes = sizeof id;
	problem =
	    gnutls_x509_crt_get_subject_key_id(issuer ? issuer : certificate, id, &bytes, NULL);
	return problem < 0 ? problem : gnutls_x509_crt_set_authority_key_id(certificate, id, bytes);
}

static int
set_permits(gnutls_x509_crt_t certificate, const struct texts *permits)
{
	gnutls_x509_name_constraints_t constraints;
	int problem;

	if (!permits || permits->count == 0)
		return 0;
	problem = gnutls_x509_name_constraints_init(&constraints);
	if (problem < 0)
		return problem;
	for (size_t i = 0; problem >= 0 && i < permits->count; i++) {
		const gnutls_datum_t name = { (unsigned char *)(uintptr_t)permits->at[i],
			(unsigned)strlen(permits->at[i]) };

		problem = gnutls_x509_name_constraints_add_permitted(
		    constraints, GNUTLS_SAN_DNSNAME, &name);
	}
	if (problem >= 0)
		problem = gnutls_x509_crt_set_name_constraints(certificate, constraints, 1);
	gnutls_x509_name_constraints_deinit(constraints);
	return problem;
}

static int
fill(gnutls_x509_crt_t certificate, const struct mint *mint, gnutls_pubkey_t subject_key,
    gnutls_x509_crt_t issuer)
{
	int problem = gnutls_x509_crt_set_version(certificate, 3);

	if (problem >= 0)
		problem =
		    gnutls_x509_crt_set_serial(certificate, mint->serial, sizeof mint->serial);
	if (problem >= 0)
		problem = gnutls_x509_crt_set_pubkey(certificate, subject_key);
	if (problem >= 0)
		problem = set_subject(certificate, mint);
	if (problem >= 0)
		problem = set_validity(certificate, mint);
	if (problem >= 0)
		problem = set_usage(certificate, mint);
	if (problem >= 0)
		problem = set_key_ids(certificate, issuer);
	if (problem >= 0)
		problem = set_permits(certificate, mint->permits);
	if (problem >= 0 && mint->grant)
		problem = gnutls_x509_crt_set_extension_by_oid(
		    certificate, OID_GRANT, mint->grant, mint->grant_bytes, 0);
	return problem;
}

/* Ed25519 has its hash inside; everything else signs with SHA-256. */
static gnutls_digest_algorithm_t
digest_of(gnutls_privkey_t key)
{
	return gnutls_privkey_get_pk_algorithm(key, NULL) == GNUTLS_PK_EDDSA_ED25519
	    ? GNUTLS_DIG_SHA512
	    : GNUTLS_DIG_SHA256;
}

/* Here, as a name may come from a certificate that another version made. */
static int
refuse_what_is_no_text(const char *text)
{
	return !text || dn_is_text(text, strlen(text))
	    ? 0
	    : message_fail(EX_DATAERR,
		  "a subject with a name that is not UTF-8, or has characters that cannot be seen, is "
		  "not made, as others could not read it; make a new authority with another --name");
}

int
mint_certificate(const struct mint *mint, gnutls_pubkey_t subject_key, gnutls_x509_crt_t issuer,
    gnutls_privkey_t issuer_key, gnutls_datum_t *der)
{
	gnutls_x509_crt_t certificate;
	int code = refuse_what_is_no_text(mint->common_name), problem;

	if (!code)
		code = refuse_what_is_no_text(mint->organisation);
	if (code)
		return code;
	problem = gnutls_x509_crt_init(&certificate);
	if (problem < 0)
		return message_no_memory();
	problem = fill(certificate, mint, subject_key, issuer);
	if (problem >= 0 && mint->names)
		code = names_put(mint->names, certificate);
	if (problem >= 0 && !code)
		problem = gnutls_x509_crt_privkey_sign(certificate, issuer ? issuer : certificate,
		    issuer_key, digest_of(issuer_key), 0);
	if (problem >= 0 && !code)
		problem = gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, der);
	if (problem < 0)
		code = message_fail(EX_SOFTWARE, "the certificate for '%s' cannot be made: %s",
		    mint->common_name, gnutls_strerror(problem));
	gnutls_x509_crt_deinit(certificate);
	return code;
}
