/* Tests of pki/cert: the facts of a certificate, and whose key it has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "pki/cert.h"
#include "pki/forge.h"

static void
write_key(const char *name, enum key key)
{
	gnutls_x509_privkey_t x509;
	gnutls_datum_t pem;
	assert_true(gnutls_privkey_export_x509(forge_key(key), &x509) >= 0);
	assert_true(gnutls_x509_privkey_export2_pkcs8(x509, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem) >= 0);
	forge_write(name, pem.data, pem.size);
	chmod(forge_path(name), 0600);
	gnutls_free(pem.data);
	gnutls_x509_privkey_deinit(x509);
}

static int
set_up(void **state)
{
	static const struct grant grant = { .name = "shop" };
	static const struct recipe plain, recipe = { .subject = "Acme/shop", .grant = &grant,
		.names = "dns:shop.example,dns:*.b.example,dns:x%00y", .serial = "00c0ffee" };
	static struct forged leaf, middle;
	(void)state;
	forge_certificate(&leaf, &recipe, LEVEL_LEAF, LEVEL_MIDDLE, "agent,client");
	forge_certificate(&middle, &plain, LEVEL_MIDDLE, LEVEL_ROOT, "");
	forge_append_pem("chain.pem", "CERTIFICATE", &leaf);
	forge_append_pem("chain.pem", "CERTIFICATE", &middle);
	forge_write("leaf.der", leaf.data, leaf.bytes);
	write_key("leaf.key", KEY_LEAF);
	return 0;
}

/* Why a file of these, in this order, is refused; "" if it is not. */
static const char *
refusal_of(const struct forged *const *chain, size_t count)
{
	static char why[CERT_REFUSED];
	struct cert_facts facts;
	char error[CERT_ERROR];
	forge_write("judged.pem", "", 0);
	for (size_t i = 0; i < count; i++)
		forge_append_pem("judged.pem", "CERTIFICATE", chain[i]);
	if (!cert_load(&facts, forge_path("judged.pem"), error))
		fail_msg("%s", error);
	memcpy(why, facts.refused, sizeof why);
	cert_wipe(&facts);
	return why;
}

#define REFUSAL(...) \
	refusal_of((const struct forged *const[]){ __VA_ARGS__ }, \
	    sizeof((const struct forged *const[]){ __VA_ARGS__ }) / sizeof(struct forged *))

static void
tells_what_the_other_side_refuses(void **state)
{
	static const char missing[] = "is not followed by the certificate of its issuer";
	static const struct recipe plain, sha1 = { .sha1 = true }, public = { .policies = "1.2.3,2.23.140.1.2.1" };
	static struct forged leaf, sha1_leaf, public_leaf, middle, sha1_middle, root;
	(void)state;
	forge_certificate(&leaf, &plain, LEVEL_LEAF, LEVEL_MIDDLE, "server");
	forge_certificate(&sha1_leaf, &sha1, LEVEL_LEAF, LEVEL_MIDDLE, "server");
	forge_certificate(&public_leaf, &public, LEVEL_LEAF, LEVEL_MIDDLE, "server");
	forge_certificate(&middle, &plain, LEVEL_MIDDLE, LEVEL_ROOT, "");
	forge_certificate(&sha1_middle, &sha1, LEVEL_MIDDLE, LEVEL_ROOT, "");
	forge_certificate(&root, &sha1, LEVEL_ROOT, LEVEL_ROOT, "");
	assert_string_equal(REFUSAL(&leaf), "");	/* its issuer may be a root that everybody has */
	assert_string_equal(REFUSAL(&leaf, &middle), "");
	assert_string_equal(REFUSAL(&leaf, &middle, &root), "");
	assert_string_equal(REFUSAL(&leaf, &root, &middle), "");
	assert_string_equal(REFUSAL(&public_leaf, &middle), "");
	assert_string_equal(REFUSAL(&public_leaf), missing);
	assert_string_equal(REFUSAL(&leaf, &root), missing);
	assert_string_equal(REFUSAL(&leaf, &leaf), missing);
	assert_string_equal(REFUSAL(&sha1_leaf, &middle), "is signed with ECDSA with SHA-1");
	assert_string_equal(REFUSAL(&leaf, &sha1_middle), "has a CA in its chain that is signed with ECDSA with SHA-1");
}

static int
tear_down(void **state)
{
	(void)state;
	forge_clean();
	return 0;
}

static void
tells_the_facts(void **state)
{
	struct cert_facts facts;
	char error[CERT_ERROR];
	(void)state;
	if (!cert_load(&facts, forge_path("chain.pem"), error))
		fail_msg("%s", error);
	assert_string_equal(facts.subject, "CN=shop,O=Acme");
	assert_string_equal(facts.issuer, "CN=middle");
	assert_string_equal(facts.serial, "C0FFEE");
	assert_int_equal(facts.not_after, NOW + 90 * DAY);
	assert_int_equal(facts.san_count, 3);
	assert_string_equal(facts.sans[2], "x?y");
	assert_string_equal(facts.key_type, "ecdsa");
	assert_int_equal(facts.bits, 256);
	assert_true(facts.agent && facts.client && !facts.server && !facts.is_ca && facts.has_grant);
	assert_string_equal(facts.grant.name, "shop");
	assert_int_equal(facts.chain_count, 2);
	assert_true(cert_covers(&facts, "shop.example"));
	assert_true(cert_covers(&facts, "a.b.example"));
	assert_false(cert_covers(&facts, "b.example"));
	cert_wipe(&facts);
	assert_true(cert_load(&facts, forge_path("leaf.der"), error));
	assert_int_equal(facts.chain_count, 1);
	cert_wipe(&facts);
}

static void
says_what_is_no_certificate(void **state)
{
	struct cert_facts facts;
	char error[CERT_ERROR] = "";
	(void)state;
	assert_false(cert_load(&facts, forge_path("leaf.key"), error));
	assert_non_null(strstr(error, "holds no certificate"));
	cert_wipe(&facts);
	forge_write("bad.der", "0\x03\x02\x01\x01", 5);
	assert_false(cert_load(&facts, forge_path("bad.der"), error));
	assert_non_null(strstr(error, "bad.der"));
	cert_wipe(&facts);
}

/* Of whoever answers by https. */
static void
knows_who_may_be_a_server(void **state)
{
	static const struct {
		const char *purposes;
		bool may;
	} cases[] = { { "server", true }, { "server,client", true }, { "", true }, { "agent", false },
		{ "client", false } };
	static const struct recipe plain = { .names = "dns:pki.test" };
	static struct forged leaf;
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		gnutls_datum_t der = { leaf.data, 0 }, pem;
		char chain[8192];
		forge_certificate(&leaf, &plain, LEVEL_LEAF, LEVEL_MIDDLE, cases[i].purposes);
		der.size = (unsigned)leaf.bytes;
		assert_true(gnutls_pem_base64_encode2("CERTIFICATE", &der, &pem) >= 0);
		snprintf(chain, sizeof chain, "%.*s", (int)pem.size, (const char *)pem.data);
		gnutls_free(pem.data);
		assert_int_equal(cert_may_serve(chain), cases[i].may);
	}
	assert_false(cert_may_serve(NULL));
	assert_false(cert_may_serve("nothing"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_facts),
		cmocka_unit_test(tells_what_the_other_side_refuses),
		cmocka_unit_test(says_what_is_no_certificate),
		cmocka_unit_test(knows_who_may_be_a_server),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("cert", tests, set_up, tear_down);
}
