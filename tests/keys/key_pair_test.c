/* Tests of keys/key_pair: which of the two files is wrong, and what it holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "pki/content.h"
#include "keys/key_pair.h"
#include "pki/forge.h"

static struct forged leaf, middle;

static void
write_key(const char *name, enum key key)
{
	gnutls_x509_privkey_t x509;
	gnutls_datum_t pem;
	assert_true(gnutls_privkey_export_x509(forge_key(key), &x509) >= 0);
	assert_true(gnutls_x509_privkey_export2_pkcs8(
			x509, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem) >= 0);
	forge_write(name, pem.data, pem.size);
	chmod(forge_path(name), 0600);
	gnutls_free(pem.data);
	gnutls_x509_privkey_deinit(x509);
}

/* A certificate, and behind it a block that no library here would get to read. */
static void
write_behind_certificate(const char *name, const char *label, const char *headers)
{
	char pem[8192];
	FILE *file = fopen(forge_path("leaf.pem"), "r");
	size_t bytes = fread(pem, 1, 4096, file);
	fclose(file);
	bytes += (size_t)snprintf(pem + bytes, sizeof pem - bytes,
	    "-----BEGIN %s-----\n%sMAA=\n-----END %s-----\n", label, headers, label);
	forge_write(name, pem, bytes);
	chmod(forge_path(name), 0600);
}

static int
set_up(void **state)
{
	static const struct recipe plain;
	(void)state;
	forge_certificate(&leaf, &plain, LEVEL_LEAF, LEVEL_MIDDLE, "server");
	forge_certificate(&middle, &plain, LEVEL_MIDDLE, LEVEL_ROOT, "");
	forge_append_pem("chain.pem", "CERTIFICATE", &leaf);
	forge_append_pem("chain.pem", "CERTIFICATE", &middle);
	forge_append_pem("reversed.pem", "CERTIFICATE", &middle);
	forge_append_pem("reversed.pem", "CERTIFICATE", &leaf);
	forge_append_pem("leaf.pem", "CERTIFICATE", &leaf);
	write_behind_certificate("encrypted.pem", "ENCRYPTED PRIVATE KEY", "");
	write_behind_certificate("traditional.pem", "RSA PRIVATE KEY",
	    "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n");
	write_behind_certificate("openssh.pem", "OPENSSH PRIVATE KEY", "");
	write_behind_certificate("request.pem", "CERTIFICATE REQUEST", "");
	write_key("leaf.key", KEY_LEAF);
	write_key("other.key", KEY_STRANGER);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	forge_clean();
	return 0;
}

static void
tells_which_file_is_wrong(void **state)
{
	static const struct {
		const char *certificate, *key;
		enum key_pair_fault fault;
		const char *names, *says;
	} cases[] = {
		{ "chain.pem", "leaf.key", KEY_PAIR_FINE, "", "" },
		{ "chain.pem", "other.key", KEY_PAIR_CERTIFICATE,
		    "other.key: ", "does not belong" },
		{ "reversed.pem", "leaf.key", KEY_PAIR_CERTIFICATE,
		    "reversed.pem: ", "wrong order" },
		{ "chain.pem", "chain.pem", KEY_PAIR_KEY, "chain.pem: ", "holds a certificate" },
		{ "chain.pem", "encrypted.pem", KEY_PAIR_KEY, "encrypted.pem: ", "decrypt it" },
		{ "chain.pem", "traditional.pem", KEY_PAIR_KEY, "traditional.pem: ", "decrypt it" },
		{ "chain.pem", "openssh.pem", KEY_PAIR_KEY, "openssh.pem: ", "ssh-keygen" },
		{ "chain.pem", "request.pem", KEY_PAIR_KEY,
		    "request.pem: ", "holds a certificate where" },
		{ "leaf.key", "leaf.key", KEY_PAIR_CERTIFICATE,
		    "leaf.key: ", "holds a private key" },
		{ "chain.pem", "absent.key", KEY_PAIR_KEY, "absent.key: ", "No such file" },
		{ "absent.pem", "leaf.key", KEY_PAIR_CERTIFICATE, "absent.pem: ", "No such file" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char error[KEY_PAIR_ERROR] = "", certificate[512], key[512];
		struct key_pair pair;
		snprintf(certificate, sizeof certificate, "%s", forge_path(cases[i].certificate));
		snprintf(key, sizeof key, "%s", forge_path(cases[i].key));
		assert_int_equal(key_pair_load(&pair, certificate, key, error), cases[i].fault);
		assert_non_null(strstr(error, cases[i].names));
		assert_non_null(strstr(error, cases[i].says));
		assert_true(cases[i].fault != KEY_PAIR_FINE ||
		    (pair.certificate.bytes > 0 && pair.key.bytes > 0));
		key_pair_wipe(&pair);
	}
}

/* Copies lie at the end of their storage, so that a sanitizer sees a look beyond. */
static void
tells_contents_by_structure_whatever_is_cut_off(void **state)
{
	(void)state;
	for (size_t bytes = 0; bytes <= leaf.bytes; bytes++) {
		uint8_t *copy = malloc(bytes + 1);
		memcpy(copy + 1, leaf.data, bytes);
		struct content_facts facts = content_of(copy + 1, bytes);
		assert_int_equal(facts.kind,
		    bytes == 0                ? CONTENT_EMPTY
			: bytes == leaf.bytes ? CONTENT_CERTIFICATE
					      : CONTENT_OTHER);
		char curve[KEY_FAULT];
		assert_null(content_odd_curve(copy + 1, bytes, curve));
		free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_which_file_is_wrong),
		cmocka_unit_test(tells_contents_by_structure_whatever_is_cut_off),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("key_pair", tests, set_up, tear_down);
}
