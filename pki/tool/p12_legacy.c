/* Writes a key and its chain as the bags of a PKCS#12 file of 3DES and SHA-1, by GnuTLS. */
#include "pki/tool/p12.h"

#include <gnutls/pkcs12.h>

#include "pki/tool/message.h"

static int
add_bag(gnutls_pkcs12_t p12, gnutls_pkcs12_bag_t bag, const char *passphrase, unsigned flags)
{
	int problem = gnutls_pkcs12_bag_encrypt(bag, passphrase, flags);

	return problem < 0 ? problem : gnutls_pkcs12_set_bag(p12, bag);
}

static int
add_certificates(gnutls_pkcs12_t p12, const struct identity_bundle *bundle,
    const gnutls_datum_t *key_id, const char *passphrase, unsigned flags)
{
	gnutls_pkcs12_bag_t bag;
	int problem = gnutls_pkcs12_bag_init(&bag);

	if (problem < 0)
		return problem;
	for (size_t i = 0; problem >= 0 && i < bundle->chain_count; i++) {
		int index = problem = gnutls_pkcs12_bag_set_crt(bag, bundle->chain[i]);

		if (index >= 0 && i == 0)
			problem = gnutls_pkcs12_bag_set_friendly_name(
			    bag, (unsigned)index, bundle->record.name);
		if (problem >= 0 && i == 0)
			problem = gnutls_pkcs12_bag_set_key_id(bag, (unsigned)index, key_id);
	}
	if (problem >= 0)
		problem = add_bag(p12, bag, passphrase, flags);
	gnutls_pkcs12_bag_deinit(bag);
	return problem;
}

/* The key encrypts itself; its bag is not encrypted again. */
static int
add_key(gnutls_pkcs12_t p12, const struct identity_bundle *bundle, const gnutls_datum_t *key_id,
    const char *passphrase, unsigned flags)
{
	gnutls_datum_t der = { 0 };
	gnutls_pkcs12_bag_t bag;
	int problem = gnutls_pkcs12_bag_init(&bag);

	if (problem < 0)
		return problem;
	problem = gnutls_x509_privkey_export2_pkcs8(
	    bundle->key, GNUTLS_X509_FMT_DER, passphrase, flags, &der);
	if (problem >= 0)
		problem = gnutls_pkcs12_bag_set_data(bag, GNUTLS_BAG_PKCS8_ENCRYPTED_KEY, &der);
	if (problem >= 0) {
		unsigned index = (unsigned)problem;

		problem = gnutls_pkcs12_bag_set_friendly_name(bag, index, bundle->record.name);
		if (problem >= 0)
			problem = gnutls_pkcs12_bag_set_key_id(bag, index, key_id);
	}
	if (problem >= 0)
		problem = gnutls_pkcs12_set_bag(p12, bag);
	gnutls_free(der.data);
	gnutls_pkcs12_bag_deinit(bag);
	return problem;
}

int
p12_encode_legacy(const struct identity_bundle *bundle, const char *passphrase, struct secret *out)
{
	unsigned flags = GNUTLS_PKCS_PKCS12_3DES;
	uint8_t id[64];
	size_t id_bytes = sizeof id;
	gnutls_datum_t key_id = { id, 0 }, der = { 0 };
	gnutls_pkcs12_t p12;
	int problem = gnutls_pkcs12_init(&p12), code = 0;

	if (problem < 0)
		return message_no_memory();
	problem = gnutls_x509_crt_get_key_id(bundle->chain[0], 0, id, &id_bytes);
	key_id.size = (unsigned)id_bytes;
	if (problem >= 0)
		problem = add_certificates(p12, bundle, &key_id, passphrase, flags);
	if (problem >= 0)
		problem = add_key(p12, bundle, &key_id, passphrase, flags);
	if (problem >= 0)
		problem = gnutls_pkcs12_generate_mac2(p12, GNUTLS_MAC_SHA1, passphrase);
	if (problem >= 0)
		problem = gnutls_pkcs12_export2(p12, GNUTLS_X509_FMT_DER, &der);
	if (problem < 0)
		code = message_fail(
		    EX_SOFTWARE, "the PKCS#12 file cannot be made: %s", gnutls_strerror(problem));
	else if (!secret_init(out, der.data, der.size))
		code = message_no_memory();
	gnutls_free(der.data);
	gnutls_pkcs12_deinit(p12);
	return code;
}
