/* Reads one response, and asks everything of it before it is believed. */
#include "pki/ocsp.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/ocsp.h>
#include <gnutls/x509-ext.h>
#include <gnutls/x509.h>

#include "base/file.h"
#include "base/units.h"
#include "pki/pem.h"
#include "pki/x509.h"

enum { FILE_MOST = 64 << 10, CHAIN_MOST = 16 };

struct chain {
	gnutls_x509_crt_t *certificates;
	unsigned count;
};

/* What is judged, and how it is told. */
struct judged {
	const char *path;
	char *error;
	struct chain chain;
	gnutls_ocsp_resp_t response;
	int64_t now_s, from_s, until_s;
};

__attribute__((format(printf, 2, 3))) static bool
fail(const struct judged *j, const char *format, ...)
{
	size_t used = (size_t)snprintf(j->error, OCSP_ERROR, "%.200s: ", j->path);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(j->error + used, OCSP_ERROR - used, format, arguments);
	va_end(arguments);
	return false;
}

/* ---- the chain ---- */

static bool
chain_read(struct chain *chain, const struct secret *pem)
{
	gnutls_datum_t text = { pem->data, (unsigned)pem->bytes };
	*chain = (struct chain){ 0 };
	return gnutls_x509_crt_list_import2(
		   &chain->certificates, &chain->count, &text, GNUTLS_X509_FMT_PEM, 0) >= 0 &&
	    chain->count > 0;
}

static void
chain_wipe(struct chain *chain)
{
	for (unsigned i = 0; i < chain->count; i++)
		gnutls_x509_crt_deinit(chain->certificates[i]);
	gnutls_free(chain->certificates);
}

static bool
judge_chain(const struct judged *j)
{
	const struct chain *chain = &j->chain;
	if (chain->count >= 2 &&
	    gnutls_x509_crt_check_issuer(chain->certificates[0], chain->certificates[1]))
		return true;
	return fail(j,
	    "cannot be judged without the CA that issued the certificate; put that behind the "
	    "certificate in its file");
}

/* ---- the response ---- */

static bool
read_response(struct judged *j)
{
	struct secret file;
	char why[FILE_ERROR];
	if (!file_read(&file, j->path, FILE_MOST, why)) {
		snprintf(j->error, OCSP_ERROR, "%s", why);
		return false;
	}
	gnutls_datum_t bytes = { file.data, (unsigned)file.bytes };
	bool is_pem = pem_is_text(file.data, file.bytes);
	int got = gnutls_ocsp_resp_import2(
	    j->response, &bytes, is_pem ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER);
	secret_wipe(&file);
	if (got < 0)
		return fail(j, "holds something else than an OCSP response in DER or PEM (%s)",
		    gnutls_strerror(got));
	int status = gnutls_ocsp_resp_get_status(j->response);
	return status == GNUTLS_OCSP_RESP_SUCCESSFUL ||
	    fail(j, "is a responder's refusal (status %d), not an answer; fetch it anew", status);
}

/* GnuTLS compares the names of the issuers, and two CAs may have one name.  The hash is of the key's bits
 * alone (RFC 6960, 4.1.1). */
static bool
is_of_issuer(const struct judged *j, unsigned index)
{
	gnutls_digest_algorithm_t digest;
	gnutls_datum_t told = { 0 }, der = { 0 };
	struct x509 ca = { 0 };
	const char *why;
	uint8_t hash[64];
	bool is_read = gnutls_ocsp_resp_get_single(j->response, index, &digest, NULL, &told, NULL,
			   NULL, NULL, NULL, NULL, NULL) >= 0 &&
	    gnutls_x509_crt_export2(j->chain.certificates[1], GNUTLS_X509_FMT_DER, &der) >= 0 &&
	    x509_parse(&ca, (struct der){ der.data, der.size }, &why);
	struct cursor whole = der_over(ca.spki), in = der_enter(&whole, DER_SEQUENCE);
	der_read(&in, DER_SEQUENCE);
	struct der key = der_bits(&in);
	bool is_ours = is_read && cursor_end(&in) && gnutls_hash_get_len(digest) == told.size &&
	    told.size <= sizeof hash && gnutls_hash_fast(digest, key.data, key.bytes, hash) >= 0 &&
	    memcmp(hash, told.data, told.size) == 0;
	gnutls_free(told.data);
	gnutls_free(der.data);
	return is_ours;
}

static bool
is_about_us(const struct judged *j, unsigned index)
{
	return gnutls_ocsp_resp_check_crt(j->response, index, j->chain.certificates[0]) == 0 &&
	    is_of_issuer(j, index);
}

static bool
judge_answer(struct judged *j, unsigned status)
{
	if (status != GNUTLS_OCSP_CERT_GOOD)
		return fail(j, "says that the certificate is %s",
		    status == GNUTLS_OCSP_CERT_REVOKED ? "revoked; replace it"
						       : "unknown to its responder");
	return j->until_s != -1 ||
	    fail(j,
		"has no nextUpdate, so that nobody knows when it ends; have the responder set "
		"one");
}

/* All those about our certificate, since clients differ on which of several they take; what they have in
 * common of their times is kept. */
static bool
judge_answers(struct judged *j)
{
	unsigned status;
	bool has_any = false;
	time_t from, until;
	for (unsigned i = 0; gnutls_ocsp_resp_get_single(j->response, i, NULL, NULL, NULL, NULL,
				 &status, &from, &until, NULL, NULL) >= 0;
	     i++) {
		if (!is_about_us(j, i))
			continue;
		j->from_s = !has_any || from > j->from_s ? from : j->from_s;
		j->until_s = !has_any || until < j->until_s ? until : j->until_s;
		has_any = true;
		if (!judge_answer(j, status))
			return false;
	}
	return has_any || fail(j, "is about another certificate; fetch it anew");
}

/* The certificates that it brings along are its delegates', and GnuTLS would ask the clock itself. */
static bool
judge_delegates(const struct judged *j)
{
	gnutls_x509_crt_t *all = NULL;
	size_t count = 0;
	bool fine = gnutls_ocsp_resp_get_certs(j->response, &all, &count) >= 0;
	for (size_t i = 0; i < count; i++) {
		fine = fine && gnutls_x509_crt_get_activation_time(all[i]) <= j->now_s &&
		    gnutls_x509_crt_get_expiration_time(all[i]) > j->now_s;
		gnutls_x509_crt_deinit(all[i]);
	}
	gnutls_free(all);
	return fine || fail(j, "comes from a responder whose certificate is not valid now");
}

/* Also the purpose of a delegate, and that the CA itself has signed its certificate. */
static bool
judge_signature(const struct judged *j)
{
	unsigned why = 0;
	int got = gnutls_ocsp_resp_verify_direct(j->response, j->chain.certificates[1], &why,
	    GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS);
	int algorithm = gnutls_ocsp_resp_get_signature_algorithm(j->response);
	bool is_weak = algorithm < 0 ||
	    !gnutls_sign_is_secure2(
		(gnutls_sign_algorithm_t)algorithm, GNUTLS_SIGN_FLAG_SECURE_FOR_CERTS);
	if (got >= 0 && why == 0 && !is_weak)
		return judge_delegates(j);
	if (is_weak || why & GNUTLS_OCSP_VERIFY_INSECURE_ALGORITHM)
		return fail(j,
		    "is signed with an algorithm that is too weak; have the responder use "
		    "SHA-256");
	return fail(j,
	    "is not signed by the CA of the certificate, nor by a responder that this CA has made "
	    "one");
}

static bool
keep(const struct judged *j, struct ocsp_staple *out)
{
	gnutls_datum_t der;
	if (gnutls_ocsp_resp_export(j->response, &der) < 0)
		return fail(j, "memory is short");
	struct ocsp_staple judged = { der.data, der.size, j->from_s, j->until_s };
	bool fine = ocsp_staple_copy(out, &judged);
	gnutls_free(der.data);
	return fine || fail(j, "memory is short");
}

bool
ocsp_staple_load(struct ocsp_staple *out, const char *path, const struct secret *chain,
    int64_t now_s, char error[OCSP_ERROR])
{
	struct judged j = { .path = path, .error = error, .now_s = now_s };
	*out = (struct ocsp_staple){ 0 };
	bool fine = gnutls_ocsp_resp_init(&j.response) >= 0 && chain_read(&j.chain, chain);
	if (!fine)
		fail(&j, "memory is short, or the certificate cannot be read");
	fine = fine && read_response(&j) && judge_chain(&j) && judge_answers(&j) &&
	    judge_signature(&j) && keep(&j, out);
	chain_wipe(&j.chain);
	gnutls_ocsp_resp_deinit(j.response);
	return fine;
}

bool
ocsp_staple_copy(struct ocsp_staple *out, const struct ocsp_staple *from)
{
	*out = *from;
	out->data = malloc(from->bytes + 1);
	if (!out->data) {
		*out = (struct ocsp_staple){ 0 };
		return false;
	}
	memcpy(out->data, from->data, from->bytes);
	return true;
}

void
ocsp_staple_wipe(struct ocsp_staple *staple)
{
	free(staple->data);
	*staple = (struct ocsp_staple){ 0 };
}

bool
ocsp_staple_is_current(const struct ocsp_staple *staple, int64_t now_s)
{
	return staple->data && staple->from_s <= now_s && now_s < staple->until_s;
}

const char *
ocsp_staple_untimely(const struct ocsp_staple *staple, int64_t now_s, char error[OCSP_ERROR])
{
	char when[TIME_TEXT];
	if (staple->from_s > now_s)
		snprintf(error, OCSP_ERROR,
		    "the OCSP response is from the future (%s); is the clock right?",
		    time_text(staple->from_s, when));
	else
		snprintf(error, OCSP_ERROR,
		    "the OCSP response has ended on %s; have it fetched in time",
		    time_text(staple->until_s, when));
	return error;
}

/* ---- what a certificate demands ---- */

static bool
lists_status_request(gnutls_x509_tlsfeatures_t features)
{
	enum { STATUS_REQUEST = 5 };
	unsigned feature;
	for (unsigned i = 0; gnutls_x509_tlsfeatures_get(features, i, &feature) >= 0; i++)
		if (feature == STATUS_REQUEST)
			return true;
	return false;
}

bool
ocsp_must_staple(const struct secret *pem, bool *must)
{
	struct chain chain = { 0 };
	gnutls_x509_tlsfeatures_t features = NULL;
	int got = gnutls_x509_tlsfeatures_init(&features);
	*must = false;
	if (got >= 0 && !chain_read(&chain, pem))
		got = GNUTLS_E_MEMORY_ERROR;
	if (got >= 0)
		got = gnutls_x509_crt_get_tlsfeatures(chain.certificates[0], features, 0, NULL);
	if (got >= 0)
		*must = lists_status_request(features);
	chain_wipe(&chain);
	if (features)
		gnutls_x509_tlsfeatures_deinit(features);
	return got >= 0 || got == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
}
