/* The facts of a chain, and the judgement of it. */
#include "acme/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/x509.h>

#include "acme/base64url.h"
#include "base/units.h"
#include "pki/cert.h"
#include "pki/pem.h"
#include "pki/x509.h"

/* RFC 9773, 4.1: the issuer's key identifier and the serial number, each in base64. */
static void
read_id(char id[CHAIN_ID], const struct x509 *x)
{
	char *issuer = base64url_encode(x->issuer_key_id.data, x->issuer_key_id.bytes),
	     *serial = base64url_encode(x->serial.data, x->serial.bytes);

	id[0] = '\0';
	if (x->issuer_key_id.bytes > 0 && issuer && serial &&
	    snprintf(id, CHAIN_ID, "%s.%s", issuer, serial) >= CHAIN_ID)
		id[0] = '\0';
	free(issuer);
	free(serial);
}

bool
chain_read(struct chain_facts *facts, struct der pem)
{
	struct pem_file file = { 0 };
	struct x509 x;
	const char *why;
	bool is_fine;

	if (!secret_init(&file.storage, pem.data, pem.bytes))
		return false;
	if (!pem_decode(&file, PEM_CERTIFICATE, &why)) {
		secret_wipe(&file.storage);
		return false;
	}
	is_fine = x509_parse(&x, pem_block(&file, 0), &why);
	if (is_fine) {
		facts->not_before_s = x.not_before;
		facts->not_after_s = x.not_after;
		read_id(facts->id, &x);
		x509_name_text(x.issuer, facts->issuer, sizeof facts->issuer);
	}
	pem_wipe(&file);
	return is_fine;
}

static enum chain_fault
judge_time(const struct cert_facts *facts, int64_t now_s, char error[CHAIN_ERROR])
{
	char from[TIME_TEXT], until[TIME_TEXT], now[TIME_TEXT];

	if (facts->not_before <= now_s && now_s < facts->not_after)
		return CHAIN_FINE;
	snprintf(error, CHAIN_ERROR,
	    "the CA has issued a certificate that is in force from %s until %s, and our clock says %s; is the "
	    "clock of this host right?",
	    time_text(facts->not_before, from), time_text(facts->not_after, until),
	    time_text(now_s, now));
	return CHAIN_CLOCK;
}

static enum chain_fault
judge_facts(const struct cert_facts *facts, const char *name, const uint8_t key[KEY_DIGEST],
    int64_t now_s, char error[CHAIN_ERROR])
{
	if (memcmp(key, facts->key.digest, KEY_DIGEST) != 0) {
		snprintf(error, CHAIN_ERROR,
		    "the CA has issued a certificate for another key than the one of the request");
		return CHAIN_WRONG;
	}
	if (facts->is_ca) {
		snprintf(error, CHAIN_ERROR,
		    "the CA has issued a certificate of a CA, which clients refuse as a server's");
		return CHAIN_WRONG;
	}
	if (!cert_covers(facts, name) || !facts->server) {
		snprintf(error, CHAIN_ERROR,
		    "the CA has issued a certificate that is not for a server called %s", name);
		return CHAIN_WRONG;
	}
	return judge_time(facts, now_s, error);
}

enum chain_fault
chain_judge(struct der pem, const char *name, const uint8_t key[KEY_DIGEST], int64_t now_s,
    char error[CHAIN_ERROR])
{
	struct cert_facts facts = { 0 };
	struct secret contents = { 0 };
	char why[CERT_ERROR];
	enum chain_fault fault = CHAIN_WRONG;

	if (!secret_init(&contents, pem.data, pem.bytes))
		snprintf(error, CHAIN_ERROR, "memory is short");
	else if (cert_read(&facts, &contents, "what the CA has sent", why))
		fault = judge_facts(&facts, name, key, now_s, error);
	else
		snprintf(error, CHAIN_ERROR, "%s", why);
	cert_wipe(&facts);
	secret_wipe(&contents);
	return fault;
}

/* ---- what is kept of it ---- */

/* GnuTLS will load it, so GnuTLS is asked. */
static bool
append(struct secret *pem, struct der certificate)
{
	const gnutls_datum_t der = { (unsigned char *)(uintptr_t)certificate.data,
		(unsigned)certificate.bytes };
	gnutls_datum_t text = { 0 };
	gnutls_x509_crt_t crt = NULL;
	uint8_t *more = NULL;

	if (gnutls_x509_crt_init(&crt) >= 0 &&
	    gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER) >= 0 &&
	    gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &text) >= 0)
		more = realloc(pem->data, pem->bytes + text.size);
	if (more) {
		memcpy(more + pem->bytes, text.data, text.size);
		*pem = (struct secret){ more, pem->bytes + text.size };
	}
	gnutls_free(text.data);
	gnutls_x509_crt_deinit(crt);
	return more != NULL;
}

static bool
append_all(struct secret *out, const struct pem_file *file, char error[CHAIN_ERROR])
{
	if (file->count > CHAIN_CERTIFICATES) {
		snprintf(error, CHAIN_ERROR,
		    "the CA has sent %zu certificates, and clients take %d at most", file->count,
		    CHAIN_CERTIFICATES);
		return false;
	}
	for (size_t i = 0; i < file->count; i++)
		if (!append(out, pem_block(file, i))) {
			snprintf(error, CHAIN_ERROR,
			    "certificate %zu of those that the CA has sent cannot be read", i + 1);
			return false;
		}
	return true;
}

bool
chain_write(struct secret *out, struct der pem, char error[CHAIN_ERROR])
{
	struct pem_file file = { 0 };
	const char *why = "cannot be read: memory is short";
	bool is_fine = secret_init(&file.storage, pem.data, pem.bytes) &&
	    pem_decode(&file, PEM_CERTIFICATE, &why);

	*out = (struct secret){ 0 };
	if (!is_fine)
		snprintf(error, CHAIN_ERROR, "what the CA has sent %s", why);
	is_fine = is_fine && append_all(out, &file, error);
	pem_wipe(&file);
	if (!is_fine)
		secret_wipe(out);
	return is_fine;
}
