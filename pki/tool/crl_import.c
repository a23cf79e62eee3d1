/* Finds the CRL of one CA in a file, judges it, and enters it. */
#include "pki/tool/crl_import.h"

#include <string.h>

#include "base/units.h"
#include "pki/crl.h"
#include "pki/pem.h"
#include "pki/tool/message.h"
#include "pki/tool/publish.h"
#include "pki/x509.h"

/* What is looked for, and what was found. */
struct import {
	const char *path;
	struct ca *ca;
	struct x509 issuer;
	struct pem_file file;
	struct der der; /* in file */
	struct crl *crl;
};

static int
find_crl(struct import *import)
{
	const char *why = "";

	for (size_t i = 0; i < import->file.count; i++) {
		struct der der = pem_block(&import->file, i);
		struct crl *crl = crl_parse(der.data, der.bytes, &why);

		if (!crl && der_equal(crl_issuer_in(der), import->issuer.subject))
			return message_fail(EX_DATAERR, "%s: the CRL of '%s' %s", import->path,
			    import->ca->name, why);
		if (crl && der_equal(crl_issuer(crl), import->issuer.subject) &&
		    crl_is_signed_by(crl, import->issuer.spki)) {
			import->crl = crl;
			import->der = der;
			return 0;
		}
		crl_free(crl);
	}
	return message_fail(EX_DATAERR, "%s: it holds no CRL that the CA '%s' has signed",
	    import->path, import->ca->name);
}

/* The inventory counts to 2^63, which nobody reaches by counting. */
static int
read_number(const struct import *import, int64_t *number)
{
	struct der octets = crl_number(import->crl);

	if (octets.bytes == 0 || octets.bytes > 8)
		return message_fail(EX_DATAERR,
		    "%s: the CRL has no number, or one of more than 63 bits; older ones could not be "
		    "told from newer ones",
		    import->path);
	*number = 0;
	for (size_t i = 0; i < octets.bytes; i++)
		*number = *number << 8 | octets.data[i];
	return 0;
}

static int
judge(const struct import *import, int64_t now, int64_t *number)
{
	int64_t begin = crl_this_update(import->crl), end = crl_next_update(import->crl);
	char text[TIME_TEXT];
	int code = read_number(import, number);

	if (code)
		return code;
	if (begin > now)
		return message_fail(EX_DATAERR, "%s: the CRL begins %s; is the clock right?",
		    import->path, time_text(begin, text));
	if (end <= now)
		return message_fail(EX_DATAERR, "%s: the CRL ended %s; get a new one", import->path,
		    time_text(end, text));
	return *number > import->ca->crl_number
	    ? 0
	    : message_fail(EX_DATAERR,
		  "%s: the CRL has number %lld, and the one at hand %lld; it is not newer",
		  import->path, (long long)*number, (long long)import->ca->crl_number);
}

/* Under the lock: another process may have taken a newer one. */
static int
enter(struct authority *authority, struct import *import)
{
	struct store *store = &authority->store;
	struct ca *ca = import->ca;
	const gnutls_datum_t der = { (unsigned char *)(uintptr_t)import->der.data,
		(unsigned)import->der.bytes };
	int64_t number = 0;
	int code = store_begin(store);

	if (!code)
		code = ca_by_id(store, ca->id, ca);
	if (!code)
		code = judge(import, authority->now, &number);
	if (code)
		return code;
	ca->crl_number = number;
	ca->crl_this = crl_this_update(import->crl);
	ca->crl_next = crl_next_update(import->crl);
	ca->crl_seconds = ca->crl_next - ca->crl_this;
	code = publish_given_crl(store, ca, &der);
	if (!code)
		code = publish_bundles(store, ca->role);
	return code ? code : store_commit(store);
}

static int
import_from(struct authority *authority, struct import *import)
{
	gnutls_x509_crt_t certificate = NULL;
	gnutls_datum_t der = { 0 };
	char error[PEM_ERROR];
	const char *why = "";
	int code = record_ca_certificate(&authority->store, import->ca, &certificate);

	if (!code && gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, &der) < 0)
		code = message_no_memory();
	if (!code && !x509_parse(&import->issuer, (struct der){ der.data, der.size }, &why))
		code = message_fail(
		    EX_DATAERR, "the certificate of the CA '%s' %s", import->ca->name, why);
	if (!code && !pem_load(&import->file, import->path, PEM_CRL, error))
		code = message_fail(EX_NOINPUT, "%s", error);
	if (!code) {
		code = find_crl(import);
		if (!code)
			code = enter(authority, import);
		crl_free(import->crl);
		pem_wipe(&import->file);
	}
	gnutls_free(der.data);
	gnutls_x509_crt_deinit(certificate);
	return code;
}

int
crl_import(struct authority *authority, const char *name, const char *path, struct ca *ca)
{
	struct import import = { .path = path, .ca = ca };
	int code = ca_find(&authority->store, name, ca);

	if (!code && *ca->key)
		code = message_fail(EX_USAGE,
		    "the CRLs of the CA '%s' are issued here; --import is for CAs made by `sub --csr`",
		    name);
	return code ? code : import_from(authority, &import);
}
