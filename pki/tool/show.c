/* From labels and tags to descriptions. */
#include "pki/tool/show.h"

#include <gnutls/pkcs12.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "pki/content.h"
#include "pki/crl.h"
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
describe_request(gnutls_x509_crq_t request, struct der der, const struct names *names)
{
	gnutls_datum_t dn = { 0 };
	unsigned bits = 0;
	int algorithm = gnutls_x509_crq_get_pk_algorithm(request, &bits);
	json_t *object = json_object();

	if (gnutls_x509_crq_get_dn3(request, &dn, 0) >= 0)
		json_object_set_new(
		    object, "subject", describe_text((const char *)dn.data, dn.size));
	gnutls_free(dn.data);
	json_object_set_new(object, "key", describe_key(algorithm, bits));
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

static json_t *
describe_hex(struct der der)
{
	char text[2 * 64 + 1];

	return der.bytes && der.bytes <= 64 ? json_string(hex_encode(text, der.data, der.bytes))
					    : json_null();
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
		json_object_set_new(
		    object, "public_key_sha256", describe_hex((struct der){ id, bytes }));
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

static const struct content_kind {
	const char *label; /* ends so in PEM; NULL: only in DER */
	int (*read)(const struct shown_block *, json_t *);
	enum content kinds[2]; /* of what is in DER; CONTENT_OTHER: PKCS#12 may be in BER */
} content_kinds[] = {
	{ "CERTIFICATE", show_certificate, { CONTENT_CERTIFICATE, CONTENT_CERTIFICATE } },
	{ "CERTIFICATE REQUEST", show_request, { CONTENT_REQUEST, CONTENT_REQUEST } },
	{ "X509 CRL", show_crl, { CONTENT_CRL, CONTENT_CRL } },
	{ NULL, show_p12, { CONTENT_PKCS12, CONTENT_OTHER } },
	{ "PRIVATE KEY", show_key, { CONTENT_KEY, CONTENT_ENCRYPTED_KEY } },
};

static bool
ends_with(const char *text, size_t bytes, const char *end)
{
	size_t length = strlen(end);

	return bytes >= length && memcmp(text + bytes - length, end, length) == 0;
}

/* One "-----BEGIN label-----" block; those of other labels are passed over. */
static int
show_pem_block(struct shown_block *block, const char *begin, size_t left, json_t *list)
{
	const char *label = begin + strlen("-----BEGIN "),
		   *end = memmem(label, left - strlen("-----BEGIN "), "-----", 5);
	gnutls_datum_t text = { (unsigned char *)(uintptr_t)begin, (unsigned)left };
	char name[64];
	int code = 0;

	for (size_t i = 0; end && i < sizeof content_kinds / sizeof *content_kinds; i++) {
		if (!content_kinds[i].label ||
		    !ends_with(label, (size_t)(end - label), content_kinds[i].label))
			continue;
		if (content_kinds[i].read == show_certificate &&
		    (size_t)(end - label) != strlen("CERTIFICATE"))
			continue;
		snprintf(name, sizeof name, "%.*s", (int)(end - label), label);
		if (gnutls_pem_base64_decode2(name, &text, &block->der) < 0)
			return message_fail(
			    EX_DATAERR, "%s: a %s that is not base64", block->path, name);
		code = content_kinds[i].read(block, list);
		bytes_wipe(block->der.data, block->der.size);
		gnutls_free(block->der.data);
		block->der = (gnutls_datum_t){ 0 };
		return code >= 0
		    ? code
		    : message_fail(EX_DATAERR, "%s: its %s is damaged", block->path, name);
	}
	return 0;
}

static int
show_pem(struct shown_block *block, const struct secret *file, json_t *list)
{
	const char *at = (const char *)file->data, *stop = at + file->bytes;
	int code = 0;

	while (!code && (at = memmem(at, (size_t)(stop - at), "-----BEGIN ", 11))) {
		code = show_pem_block(block, at, (size_t)(stop - at), list);
		at += 11;
	}
	return code;
}

/* By its structure, not by who can make something of it: a library reads a CRL as a certificate. */
static int
show_der(const struct shown_block *block, enum content kind, json_t *list)
{
	for (size_t i = 0; i < sizeof content_kinds / sizeof *content_kinds; i++)
		if (kind == content_kinds[i].kinds[0] || kind == content_kinds[i].kinds[1])
			return content_kinds[i].read(block, list);
	return -1;
}

int
show_file(const struct common *common, const char *path, const struct secret *file, json_t *list)
{
	struct shown_block block = { common, path, { file->data, (unsigned)file->bytes } };
	struct content_facts content = content_of(file->data, file->bytes);
	char text[CONTENT_TEXT];
	int code;

	if (content.is_pem)
		block.der = (gnutls_datum_t){ 0 };
	code = content.is_pem ? show_pem(&block, file, list) : show_der(&block, content.kind, list);
	if (code > 0 || json_array_size(list) > 0)
		return code;
	return message_fail(EX_DATAERR,
	    "%s: neither certificate, request, CRL, key nor PKCS#12 that can be "
	    "read: it holds %s",
	    path, content_text(content, text));
}
