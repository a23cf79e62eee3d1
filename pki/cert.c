/* The facts of a certificate file. */
#include "pki/cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "base/units.h"
#include "pki/key_fault.h"
#include "pki/oid.h"
#include "pki/pem.h"
#include "pki/signature.h"
#include "pki/x509.h"
#include "sni/name.h"

enum { SOON_S = 30 * 86400 };

static gnutls_datum_t
datum(const void *data, size_t bytes)
{
	return (gnutls_datum_t){ (unsigned char *)(uintptr_t)data, (unsigned)bytes };
}

static bool
copy_sans(struct cert_facts *facts, const struct x509 *x)
{
	struct cursor names = der_over(x->names);
	struct der name;
	while (x509_next_name_of(&names, NAME_DNS, &name)) {
		char **more = realloc(facts->sans, (facts->san_count + 1) * sizeof *more);
		if (!more)
			return false;
		facts->sans = more;
		char *text = more[facts->san_count] = malloc(name.bytes + 1);
		if (!text)
			return false;
		facts->san_count++;
		for (size_t i = 0; i < name.bytes; i++)
			text[i] =
			    name.data[i] > 0x20 && name.data[i] < 0x7f ? (char)name.data[i] : '?';
		text[name.bytes] = '\0';
	}
	return true;
}

static char *
name_copy(struct der name)
{
	char text[512];
	return strdup(x509_name_text(name, text, sizeof text));
}

static const char *
key_word(int algorithm)
{
	switch (algorithm) {
	case GNUTLS_PK_RSA:
		return "rsa";
	case GNUTLS_PK_RSA_PSS:
		return "rsa-pss";
	case GNUTLS_PK_ECDSA:
		return "ecdsa";
	case GNUTLS_PK_EDDSA_ED25519:
		return "ed25519";
	case GNUTLS_PK_EDDSA_ED448:
		return "ed448";
	default:
		return "other";
	}
}

/* The public key of a certificate; NULL if GnuTLS cannot read it. */
static gnutls_pubkey_t
public_key(const struct x509 *x)
{
	gnutls_datum_t spki = datum(x->spki.data, x->spki.bytes);
	gnutls_pubkey_t key = NULL;
	if (gnutls_pubkey_init(&key) < 0)
		return NULL;
	if (gnutls_pubkey_import(key, &spki, GNUTLS_X509_FMT_DER) >= 0)
		return key;
	gnutls_pubkey_deinit(key);
	return NULL;
}

static const char *
read_key_facts(struct cert_facts *facts, const struct x509 *x)
{
	char fault[KEY_FAULT];
	gnutls_pubkey_t key = public_key(x);
	if (!key)
		return "has a public key that cannot be read";
	int algorithm = gnutls_pubkey_get_pk_algorithm(key, &facts->bits);
	if (!key_is_accepted(algorithm, facts->bits))
		snprintf(facts->refused, sizeof facts->refused, "has %s",
		    key_fault(algorithm, facts->bits, x->spki, fault));
	snprintf(facts->key_type, sizeof facts->key_type, "%s", key_word(algorithm));
	gnutls_pubkey_deinit(key);
	return NULL;
}

static const char *
read_facts(struct cert_facts *facts, const struct x509 *x)
{
	const char *why;
	serial_text(&x->serial, facts->serial);
	facts->not_before = x->not_before;
	facts->not_after = x->not_after;
	x509_fingerprint(x->whole, facts->fingerprint);
	spki_pin_of(&facts->key, x->whole);
	facts->is_ca = x->is_ca;
	facts->has_purposes = x->has_purposes;
	facts->server = x509_has_purpose(x, OID_SERVER_AUTH);
	facts->client = x509_has_purpose(x, OID_CLIENT_AUTH);
	facts->agent = x509_has_purpose(x, OID_AGENT_PURPOSE) && x->has_grant;
	facts->has_grant = x->has_grant;
	if (x->has_grant && !grant_decode(&facts->grant, x->grant.data, x->grant.bytes, &why))
		return "has a grant that is refused";
	facts->subject = name_copy(x->subject);
	facts->issuer = name_copy(x->issuer);
	if (!facts->subject || !facts->issuer || !copy_sans(facts, x))
		return "cannot be read: memory is short";
	return read_key_facts(facts, x);
}

/* A root's own signature is nobody's concern. */
static bool
is_weakly_signed(const struct x509 *x)
{
	return !x509_is_self_issued(x) && !signature_is_strong(x->algorithm);
}

/* The number of the certificate in the file that issued it, or 0. */
static size_t
find_issuer(const struct pem_file *file, const struct x509 *x, struct x509 *issuer)
{
	const char *why;
	for (size_t i = 1; i < file->count; i++)
		if (x509_parse(issuer, pem_block(file, i), &why) && x509_names_issuer(x, issuer))
			return i;
	return 0;
}

/* The policies that the CA/Browser Forum reserves (7.1.6.1 of its requirements): the roots of who issues
 * by them sign no certificate of a server. */
static bool
has_an_intermediate_for_sure(const struct x509 *x)
{
	static const char *const oids[] = { "2.23.140.1.1", "2.23.140.1.2.1", "2.23.140.1.2.2",
		"2.23.140.1.2.3" };
	struct cursor list = der_over(x->policies);
	while (list.left > 0 && !list.failed) {
		struct cursor one = der_enter(&list, DER_SEQUENCE);
		struct der oid = der_read(&one, DER_OID);
		for (size_t i = 0; i < sizeof oids / sizeof *oids; i++)
			if (der_oid_is(oid, oids[i]))
				return true;
	}
	return false;
}

/* Up the chain, which may be in any order behind the first. */
static void
judge_chain(struct cert_facts *facts, const struct pem_file *file, struct x509 x)
{
	char text[SIGNATURE_TEXT];
	struct x509 issuer;
	size_t number = 0, left = file->count;
	for (; !*facts->refused && left > 0 && !x509_is_self_issued(&x); left--, x = issuer) {
		if (is_weakly_signed(&x))
			snprintf(facts->refused, sizeof facts->refused, "%s signed with %s",
			    number ? "has a CA in its chain that is" : "is",
			    signature_text(x.algorithm, text));
		size_t above = find_issuer(file, &x, &issuer);
		if (!*facts->refused && number == 0 && above == 0 &&
		    (file->count > 1 || has_an_intermediate_for_sure(&x)))
			snprintf(facts->refused, sizeof facts->refused,
			    "is not followed by the certificate of its issuer");
		if (above == 0)
			return;
		number = above;
	}
}

static bool
read_first(
    struct cert_facts *facts, const struct pem_file *file, const char *path, char error[CERT_ERROR])
{
	struct x509 x;
	const char *why;
	facts->chain_count = file->count;
	if (x509_parse(&x, pem_block(file, 0), &why))
		why = read_facts(facts, &x);
	if (!why)
		judge_chain(facts, file, x);
	if (why)
		snprintf(error, CERT_ERROR, "%.300s: the certificate %s; issue it anew", path, why);
	return !why;
}

bool
cert_load(struct cert_facts *facts, const char *path, char error[CERT_ERROR])
{
	struct pem_file file;
	*facts = (struct cert_facts){ 0 };
	if (!pem_load(&file, path, PEM_CERTIFICATE, error))
		return false;
	bool fine = read_first(facts, &file, path, error);
	pem_wipe(&file);
	return fine;
}

bool
cert_read(struct cert_facts *facts, const struct secret *contents, const char *path,
    char error[CERT_ERROR])
{
	struct pem_file file = { 0 };
	const char *why = "cannot be read: memory is short";
	*facts = (struct cert_facts){ 0 };
	bool fine = secret_init(&file.storage, contents->data, contents->bytes) &&
	    pem_decode(&file, PEM_CERTIFICATE, &why);
	if (fine)
		fine = read_first(facts, &file, path, error);
	else
		snprintf(error, CERT_ERROR, "%.300s %s", path, why);
	pem_wipe(&file);
	return fine;
}

const char cert_may_not_serve[] =
    "who answers has no certificate for servers (extendedKeyUsage serverAuth)";

bool
cert_may_serve(const char *chain)
{
	struct secret text = { 0 };
	struct cert_facts facts = { 0 };
	char ignored[CERT_ERROR];
	bool may = chain && secret_init(&text, chain, strlen(chain)) &&
	    cert_read(&facts, &text, "", ignored) && (facts.server || !facts.has_purposes);
	cert_wipe(&facts);
	secret_wipe(&text);
	return may;
}

void
cert_wipe(struct cert_facts *facts)
{
	for (size_t i = 0; i < facts->san_count; i++)
		free(facts->sans[i]);
	free(facts->sans);
	free(facts->subject);
	free(facts->issuer);
	*facts = (struct cert_facts){ 0 };
}

bool
cert_is_early(
    const struct cert_facts *facts, const char *path, int64_t now, char sentence[CERT_ERROR])
{
	char begins[TIME_TEXT], clock[TIME_TEXT];
	if (facts->not_before <= now)
		return false;
	snprintf(sentence, CERT_ERROR,
	    "%.300s is not valid yet: it begins on %s, and the clock says %s; is the clock right?",
	    path, time_text(facts->not_before, begins), time_text(now, clock));
	return true;
}

bool
cert_ends_soon(const struct cert_facts *facts, int64_t now)
{
	int64_t left_s = facts->not_after - now;
	return left_s < (facts->not_after - facts->not_before) / 3 && left_s < SOON_S;
}

bool
cert_covers(const struct cert_facts *facts, const char *name)
{
	char pattern[NAME_SIZE];
	for (size_t i = 0; i < facts->san_count; i++)
		if (name_normalise_pattern(pattern, facts->sans[i], strlen(facts->sans[i])) &&
		    name_matches(pattern, name, false))
			return true;
	return false;
}

bool
cert_is_for(const uint8_t *der, size_t bytes, const char *host)
{
	gnutls_datum_t data = datum(der, bytes);
	gnutls_x509_crt_t crt;
	bool is_for;

	if (gnutls_x509_crt_init(&crt) < 0)
		return false;
	is_for = gnutls_x509_crt_import(crt, &data, GNUTLS_X509_FMT_DER) >= 0 &&
	    gnutls_x509_crt_check_hostname2(crt, host, 0) != 0;
	gnutls_x509_crt_deinit(crt);
	return is_for;
}
