/* From labels and tags to descriptions. */
#include "pki/tool/show.h"

#include <gnutls/pkcs12.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "pki/content.h"
#include "pki/crl.h"
#include "pki/pem.h"
#include "pki/tool/csr.h"
#include "pki/tool/describe.h"
#include "pki/tool/output.h"
#include "pki/tool/passphrase.h"
#include "pki/tool/message.h"
#include "pki/x509.h"

/* What a reader is given: one block, in DER, and where it comes from. */
struct shown_block {
	const struct common *common;
	const char *path;
	gnutls_datum_t der;
};

static int
append(json_t *list, json_t *object, const char *type)
{
	json_t *whole = output_join(json_pack("{s:s}", "type", type), object);

	return whole && json_array_append_new(list, whole) == 0 ? 0 : message_no_memory();
}

/* Each of these returns -1 if the block holds something else. */
static int
show_certificate(const struct shown_block *block, json_t *list)
{
	gnutls_x509_crt_t certificate;
	int code = -1;

	if (gnutls_x509_crt_init(&certificate) < 0)
		return message_no_memory();
	if (gnutls_x509_crt_import(certificate, &block->der, GNUTLS_X509_FMT_DER) >= 0)
		code = append(list, describe_certificate(certificate), "certificate");
	gnutls_x509_crt_deinit(certificate);
	return code;
}

static json_t *
describe_hex(struct der der)
{
	char text[2 * 64 + 1];

	return der.bytes && der.bytes <= 64 ? json_string(hex_encode(text, der.data, der.bytes))
					    : json_null();
}

static json_t *
describe_request(gnutls_x509_crq_t request, struct der der, const struct names *names)
{
	gnutls_datum_t dn = { 0 };
	unsigned bits = 0;
	int algorithm = gnutls_x509_crq_get_pk_algorithm(request, &bits);
	uint8_t id[32];
	size_t bytes = sizeof id;
	json_t *object = json_object();

	if (gnutls_x509_crq_get_dn3(request, &dn, 0) >= 0)
		json_object_set_new(
		    object, "subject", describe_text((const char *)dn.data, dn.size));
	gnutls_free(dn.data);
	json_object_set_new(object, "key", describe_key(algorithm, bits));
	if (gnutls_x509_crq_get_key_id(request, GNUTLS_KEYID_USE_SHA256, id, &bytes) >= 0)
		json_object_set_new(object, "spki_sha256", describe_hex((struct der){ id, bytes }));
	json_object_set_new(object, "proves_possession", json_boolean(csr_proves_possession(der)));
	json_object_set_new(object, "hosts", describe_names(names, GNUTLS_SAN_DNSNAME));
	json_object_set_new(object, "addresses", describe_names(names, GNUTLS_SAN_IPADDRESS));
	json_object_set_new(object, "emails", describe_names(names, GNUTLS_SAN_RFC822NAME));
	json_object_set_new(object, "uris", describe_names(names, GNUTLS_SAN_URI));
	return object;
}

static int
show_request(const struct shown_block *block, json_t *list)
{
	const struct der der = { block->der.data, block->der.size };
	struct names names = { 0 };
	gnutls_x509_crq_t request;
	int code = -1;

	if (gnutls_x509_crq_init(&request) < 0)
		return message_no_memory();
	if (gnutls_x509_crq_import(request, &block->der, GNUTLS_X509_FMT_DER) >= 0)
		code = csr_names(request, &names);
	if (!code && csr_ambiguity(der))
		message_warning(
		    "%s: not all that it asks for is shown: %s", block->path, csr_ambiguity(der));
	if (!code)
		code = append(list, describe_request(request, der, &names), "request");
	gnutls_x509_crq_deinit(request);
	return code;
}

static json_t *
describe_entries(const struct crl *crl)
{
	json_t *list = json_array();
	char text[SERIAL_TEXT];

	for (size_t i = 0; i < crl_count(crl); i++) {
		const struct crl_entry *entry = crl_entry(crl, i);

		json_array_append_new(list,
		    json_pack("{s:s, s:o, s:s}", "serial", serial_text(&entry->serial, text),
			"revoked_at", output_json_time(entry->revoked_at), "reason",
			crl_reason_word(entry->reason)));
	}
	return list;
}

static int
show_crl(const struct shown_block *block, json_t *list)
{
	const char *why = "";
	struct crl *crl = crl_parse(block->der.data, block->der.size, &why);
	char issuer[1024];
	json_t *object;
	int code;

	if (!crl || !crl_index(crl, &why)) {
		crl_free(crl);
		return strncmp(why, "is mal", 6) == 0
		    ? -1
		    : message_fail(EX_DATAERR, "%s: the CRL %s", block->path, why);
	}
	object = json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:o}", "issuer",
	    x509_name_text(crl_issuer(crl), issuer, sizeof issuer), "number_hex",
	    describe_hex(crl_number(crl)), "authority_key", describe_hex(crl_authority_key(crl)),
	    "this_update", output_json_time(crl_this_update(crl)), "next_update",
	    output_json_time(crl_next_update(crl)), "count", (json_int_t)crl_count(crl), "revoked",
	    describe_entries(crl));
	code = append(list, object, "crl");
	crl_free(crl);
	return code;
}

static json_t *
describe_private_key(gnutls_x509_privkey_t key)
{
	uint8_t id[32];
	size_t bytes = sizeof id;
	unsigned bits = 0;
	int algorithm = gnutls_x509_privkey_get_pk_algorithm2(key, &bits);
	json_t *object = json_pack("{s:o}", "key", describe_key(algorithm, bits));

	if (gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, id, &bytes) >= 0)
		json_object_set_new(object, "spki_sha256", describe_hex((struct der){ id, bytes }));
	return object;
}

static bool
has_passphrase(const struct common *common)
{
	return common->passphrase_file || common->passphrase_fd;
}

static int
show_key(const struct shown_block *block, json_t *list)
{
	struct passphrase passphrase = { .common = block->common, PASSPHRASE_OF_CA_KEYS };
	gnutls_x509_privkey_t key;
	json_t *object = NULL;
	bool encrypted = false;
	int code = -1, problem;

	if (gnutls_x509_privkey_init(&key) < 0)
		return message_no_memory();
	problem = gnutls_x509_privkey_import2(key, &block->der, GNUTLS_X509_FMT_DER, NULL, 0);
	if (problem == GNUTLS_E_DECRYPTION_FAILED) {
		encrypted = true;
		code = has_passphrase(block->common)
		    ? passphrase_need(&passphrase, block->path, false)
		    : 0;
		if (!code && passphrase.known)
			problem = gnutls_x509_privkey_import2(
			    key, &block->der, GNUTLS_X509_FMT_DER, passphrase_text(&passphrase), 0);
		if (!code && passphrase.known && problem < 0)
			code =
			    message_fail(EX_NOPERM, "%s: this is not its passphrase", block->path);
	}
	if (problem >= 0)
		object = describe_private_key(key);
	else if (encrypted && !code)
		object = json_object();
	if (object) {
		json_object_set_new(object, "encrypted", json_boolean(encrypted));
		code = append(list, object, "private key");
	}
	passphrase_wipe(&passphrase);
	gnutls_x509_privkey_deinit(key);
	return code;
}

static int
show_p12_parts(gnutls_pkcs12_t p12, const char *passphrase, const char *path, json_t *list)
{
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crt_t *chain = NULL, *extra = NULL;
	unsigned chain_count = 0, extra_count = 0;
	int code = 0;

	if (gnutls_pkcs12_verify_mac(p12, passphrase) < 0)
		return message_fail(
		    EX_NOPERM, "%s: this is not its passphrase, or the file was changed", path);
	if (gnutls_pkcs12_simple_parse(
		p12, passphrase, &key, &chain, &chain_count, &extra, &extra_count, NULL, 0) < 0)
		return message_fail(EX_DATAERR,
		    "%s: a PKCS#12 file without a certificate and key that can be read", path);
	if (key)
		code = append(list, describe_private_key(key), "private key");
	for (unsigned i = 0; i < chain_count + extra_count; i++) {
		gnutls_x509_crt_t certificate = i < chain_count ? chain[i] : extra[i - chain_count];

		if (!code)
			code = append(list, describe_certificate(certificate), "certificate");
		gnutls_x509_crt_deinit(certificate);
	}
	gnutls_free(chain);
	gnutls_free(extra);
	gnutls_x509_privkey_deinit(key);
	return code;
}

static int
show_p12(const struct shown_block *block, json_t *list)
{
	struct passphrase passphrase = { .common = block->common, PASSPHRASE_OF_CA_KEYS };
	gnutls_pkcs12_t p12;
	int code = -1;

	if (gnutls_pkcs12_init(&p12) < 0)
		return message_no_memory();
	if (gnutls_pkcs12_import(p12, &block->der, GNUTLS_X509_FMT_DER, 0) >= 0) {
		code = passphrase_need(&passphrase, block->path, false);
		if (!code)
			code = show_p12_parts(p12, passphrase_text(&passphrase), block->path, list);
	}
	passphrase_wipe(&passphrase);
	gnutls_pkcs12_deinit(p12);
	return code;
}

/* Who shows what; NULL: what is of this kind is passed over in PEM, and refused in DER. */
static int (*const readers[CONTENTS])(const struct shown_block *, json_t *) = {
	[CONTENT_CERTIFICATE] = show_certificate,
	[CONTENT_REQUEST] = show_request,
	[CONTENT_CRL] = show_crl,
	[CONTENT_KEY] = show_key,
	[CONTENT_ENCRYPTED_KEY] = show_key,
	[CONTENT_PKCS12] = show_p12,
};

static bool
is_key(enum content kind)
{
	return kind == CONTENT_KEY || kind == CONTENT_ENCRYPTED_KEY;
}

/* It is called one thing, and may be another, or nothing. */
static int
show_decoded(
    struct shown_block *block, const struct pem_part *part, enum content called, json_t *list)
{
	struct der der = { block->der.data, block->der.size };
	enum content kind = content_of_der(der);
	char text[CONTENT_TEXT];
	int code = -1;

	if (pem_is_trusted(part))
		pem_cut_settings(&der);
	block->der.size = (unsigned)der.bytes;
	if (kind != called && kind != CONTENT_OTHER && !(is_key(kind) && is_key(called)))
		return message_fail(EX_DATAERR, "%s: what it calls %.*s is %s", block->path,
		    (int)part->label_bytes, part->label,
		    content_text((struct content_facts){ kind, true }, text));
	if (kind != CONTENT_OTHER)
		code = readers[called](block, list);
	return code >= 0 ? code
			 : message_fail(EX_DATAERR, "%s: its %.*s is damaged", block->path,
			       (int)part->label_bytes, part->label);
}

static int
show_part(const struct shown_block *file, const struct pem_part *part, json_t *list)
{
	struct shown_block block = *file;
	enum content called = content_of_part(part);
	struct secret der = { malloc(part->body.bytes + 1), part->body.bytes + 1 };
	size_t bytes;
	int code = 0;

	if (!der.data)
		return message_no_memory();
	if (!readers[called]) {
		secret_wipe(&der);
		return 0;
	}
	if (pem_base64(part->body, der.data, &bytes)) {
		block.der = (gnutls_datum_t){ der.data, (unsigned)bytes };
		code = show_decoded(&block, part, called, list);
	} else if (called == CONTENT_ENCRYPTED_KEY) { /* by RFC 1421, with headers */
		code = append(list, json_pack("{s:b}", "encrypted", true), "private key");
	} else {
		code = message_fail(EX_DATAERR, "%s: a %.*s that is not base64", block.path,
		    (int)part->label_bytes, part->label);
	}
	secret_wipe(&der);
	return code;
}

static int
show_pem(const struct shown_block *block, const struct secret *file, json_t *list)
{
	struct pem_text text = pem_over(file->data, file->bytes);
	struct pem_part part;
	const char *why = NULL;
	int code = 0;

	while (!code && pem_next(&text, &part, &why))
		code = show_part(block, &part, list);
	return why ? message_fail(EX_DATAERR, "%s %s", block->path, why) : code;
}

/* By its structure, not by who can make something of it: a library reads a CRL as a certificate. */
static int
show_der(const struct shown_block *block, enum content kind, json_t *list)
{
	return readers[kind] ? readers[kind](block, list) : -1;
}

int
show_file(const struct common *common, const char *path, const struct secret *file, json_t *list)
{
	struct shown_block block = { common, path, { file->data, (unsigned)file->bytes } };
	struct content_facts content = content_of(file->data, file->bytes);
	char text[CONTENT_TEXT];
	int code;

	code = content.is_pem ? show_pem(&block, file, list) : show_der(&block, content.kind, list);
	if (code > 0 || json_array_size(list) > 0)
		return code;
	return message_fail(EX_DATAERR,
	    "%s: neither certificate, request, CRL, key nor PKCS#12 that can be "
	    "read: it holds %s",
	    path, content_text(content, text));
}
