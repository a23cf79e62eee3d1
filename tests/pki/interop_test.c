/*
 * Certificates and CRLs that other tools made, judged by our verifier: openssl,
 * certtool, and chains in the manner of easy-rsa (RSA, one level, issuer and serial in the
 * key identifier) and step-ca (P-256, two levels, a CRL that says where it lies).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki/forge.h"
#include "pki/pem.h"
#include "pki/trust.h"
#include "pki/verify.h"

static const char script[] =
    "set -e; exec >log 2>&1\n"
    "ec() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }\n"
    "csr() { openssl req -new -key $1.key -subj /O=Test/CN=$1 -out $1.csr; }\n"
    "sign() { openssl x509 -req -in $1.csr -CA $2.crt -CAkey $2.key -CAcreateserial -days 30 -sha256 \\\n"
    "  -extfile $1.ext -out $1.crt; }\n"
    "db() { : >$1.db; echo 01 >$1.number; printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=%s.db\\n"
    "crlnumber=%s.number\\ndefault_md=sha256\\ndefault_crl_days=14\\ncrl_extensions=c\\nunique_subject=no\\n[c]\\n"
    "authorityKeyIdentifier=keyid:always\\n%b\\n' $1 $1 \"$2\" >$1.cnf; }\n"
    "crl() { openssl ca -config $1.cnf -gencrl -keyfile $1.key -cert $1.crt -out $1.crl; }\n"
    "revoke() { openssl ca -config $2.cnf -revoke $1.crt -crl_reason keyCompromise -keyfile $2.key -cert $2.crt; crl $2; }\n"

    /* step-ca's manner */
    "ec step-root; openssl req -x509 -new -key step-root.key -subj /O=Test/CN=step-root -days 365 -sha256 \\\n"
    "  -addext basicConstraints=critical,CA:true,pathlen:1 -addext keyUsage=critical,keyCertSign,cRLSign -out step-root.crt\n"
    "ec step-mid; csr step-mid; printf 'basicConstraints=critical,CA:true,pathlen:0\\n"
    "keyUsage=critical,keyCertSign,cRLSign\\nsubjectKeyIdentifier=hash\\nauthorityKeyIdentifier=keyid\\n' >step-mid.ext\n"
    "sign step-mid step-root\n"
    "ec step-leaf; csr step-leaf; printf 'keyUsage=critical,digitalSignature\\nextendedKeyUsage=serverAuth,clientAuth\\n"
    "subjectKeyIdentifier=hash\\nauthorityKeyIdentifier=keyid\\nsubjectAltName=DNS:step.example\\n"
    "1.3.6.1.4.1.37476.9000.64.1=DER:300b020101040161040161\\n' >step-leaf.ext\n"
    "sign step-leaf step-mid\n"
    "cp step-leaf.csr step-bad.csr; cp step-leaf.ext step-bad.ext; sign step-bad step-mid\n"
    "db step-root ''; crl step-root\n"
    "db step-mid 'issuingDistributionPoint=critical,@i\\n[i]\\nfullname=URI:http://ca.example/1.0/crl'; revoke step-bad step-mid\n"
    "cat step-leaf.crt step-mid.crt >step-leaf.chain; cat step-bad.crt step-mid.crt >step-bad.chain\n"
    "cat step-root.crl step-mid.crl >step.crls\n"

    /* easy-rsa's manner */
    "openssl req -x509 -newkey rsa:2048 -nodes -keyout easy-ca.key -subj '/CN=Easy-RSA CA' -days 365 -sha256 -out easy-ca.crt \\\n"
    "  -addext keyUsage=keyCertSign,cRLSign\n"
    "openssl req -newkey rsa:2048 -nodes -keyout easy-client.key -subj /CN=client1 -out easy-client.csr\n"
    "printf 'basicConstraints=CA:FALSE\\nsubjectKeyIdentifier=hash\\nauthorityKeyIdentifier=keyid,issuer:always\\n"
    "extendedKeyUsage=clientAuth\\nkeyUsage=digitalSignature\\n' >easy-client.ext; sign easy-client easy-ca\n"
    "cp easy-client.csr easy-bad.csr; cp easy-client.ext easy-bad.ext; sign easy-bad easy-ca\n"
    "db easy-ca ''; revoke easy-bad easy-ca; cp easy-client.crt easy-client.chain; cp easy-bad.crt easy-bad.chain\n"

    /* certtool */
    "certtool --generate-privkey --key-type ed25519 --outfile ct-ca.key\n"
    "printf 'cn=certtool CA\\nca\\ncert_signing_key\\ncrl_signing_key\\nexpiration_days=365\\n' >ct-ca.tmpl\n"
    "certtool --generate-self-signed --load-privkey ct-ca.key --template ct-ca.tmpl --outfile ct-ca.crt\n"
    "printf 'cn=server\\ntls_www_server\\nsigning_key\\ndns_name=ct.example\\nip_address=192.0.2.1\\nexpiration_days=30\\n' >ct.tmpl\n"
    "for i in ct-server ct-bad; do certtool --generate-privkey --key-type ecdsa --outfile $i.key\n"
    "certtool --generate-certificate --load-privkey $i.key --load-ca-certificate ct-ca.crt --load-ca-privkey ct-ca.key \\\n"
    "  --template ct.tmpl --outfile $i.crt; cp $i.crt $i.chain; done\n"
    "printf 'expiration_days=14\\ncrl_number=7\\n' >ct-crl.tmpl\n"
    "certtool --generate-crl --load-ca-privkey ct-ca.key --load-ca-certificate ct-ca.crt --load-certificate ct-bad.crt \\\n"
    "  --template ct-crl.tmpl --outfile ct-ca.crl\n"

    /* openssl with RSA-PSS, CRL in DER */
    "openssl req -x509 -newkey rsa:2048 -nodes -keyout pss-ca.key -subj /CN=pss -days 365 -sha256 -sigopt rsa_padding_mode:pss \\\n"
    "  -sigopt rsa_pss_saltlen:32 -addext keyUsage=keyCertSign,cRLSign -out pss-ca.crt\n"
    "cp easy-client.csr pss-client.csr; cp easy-client.ext pss-client.ext\n"
    "openssl x509 -req -in pss-client.csr -CA pss-ca.crt -CAkey pss-ca.key -CAcreateserial -days 30 -sha256 \\\n"
    "  -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -extfile pss-client.ext -out pss-client.chain\n"
    "db pss-ca ''; crl pss-ca; openssl crl -in pss-ca.crl -outform DER -out pss-ca.der\n";

static int
set_up(void **state)
{
	(void)state;
	if (chdir(forge_directory()) != 0)
		return -1;
	forge_write("make", script, sizeof script - 1);
	return system("sh make || { cat log; exit 1; }");
}

static int
tear_down(void **state)
{
	(void)state;
	forge_clean();
	return 0;
}

struct interop_row {
	const char *chain, *ca, *crls;
	enum role role;
	const char *host;
	enum verify_code want;
};

static const struct interop_row rows[] = {
	{ "step-leaf.chain", "step-root.crt", "step.crls", ROLE_SERVER, "step.example", VERIFY_OK },
	{ "step-leaf.chain", "step-root.crt", "step.crls", ROLE_CLIENT, NULL, VERIFY_OK },
	{ "step-leaf.chain", "step-root.crt", "step.crls", ROLE_AGENT, NULL, VERIFY_WRONG_PURPOSE },
	{ "step-leaf.chain", "step-root.crt", "step-root.crl", ROLE_SERVER, NULL, VERIFY_CRL_MISSING },
	{ "step-bad.chain", "step-root.crt", "step.crls", ROLE_SERVER, "step.example", VERIFY_REVOKED },
	{ "easy-client.chain", "easy-ca.crt", "easy-ca.crl", ROLE_CLIENT, NULL, VERIFY_OK },
	{ "easy-client.chain", "step-root.crt", "step.crls", ROLE_CLIENT, NULL, VERIFY_UNKNOWN_CA },
	{ "easy-bad.chain", "easy-ca.crt", "easy-ca.crl", ROLE_CLIENT, NULL, VERIFY_REVOKED },
	{ "ct-server.chain", "ct-ca.crt", "ct-ca.crl", ROLE_SERVER, "ct.example", VERIFY_OK },
	{ "ct-server.chain", "ct-ca.crt", "ct-ca.crl", ROLE_SERVER, "192.0.2.1", VERIFY_OK },
	{ "ct-server.chain", "ct-ca.crt", "ct-ca.crl", ROLE_CLIENT, NULL, VERIFY_WRONG_PURPOSE },
	{ "ct-bad.chain", "ct-ca.crt", "ct-ca.crl", ROLE_SERVER, NULL, VERIFY_REVOKED },
	{ "pss-client.chain", "pss-ca.crt", "pss-ca.der", ROLE_CLIENT, NULL, VERIFY_OK },
};

static enum verify_code
judge(const struct interop_row *row)
{
	char error[TRUST_ERROR];
	struct trust_sources sources = { .ca_files = &row->ca, .ca_count = 1, .crl_files = &row->crls,
		.crl_count = 1, .crls_configured = true, .label = "cas" };
	struct trust *trust = trust_load(&sources, NULL, error, sizeof error);
	struct pem_file file;
	struct der chain[2];
	struct verdict verdict;
	if (!trust || !pem_load(&file, row->chain, PEM_CERTIFICATE, error))
		fail_msg("%s", error);
	for (size_t i = 0; i < file.count; i++)
		chain[i] = pem_block(&file, i);
	struct identity *identity = verify_chain(trust, row->role, chain, file.count, row->host, time(NULL), &verdict);
	if (verdict.code != row->want)
		print_message("# %s: %s\n", row->chain, verdict.sentence);
	identity_release(identity);
	pem_wipe(&file);
	trust_release(trust);
	return verdict.code;
}

static void
judges_what_other_tools_made(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(verify_code_word(judge(&rows[i])), verify_code_word(rows[i].want));
}

/* Our arcs, as another reads them. */
static void
has_the_oids_that_openssl_reads(void **state)
{
	static const struct recipe plain;
	struct forged leaf;
	char line[256];
	int found = 0;
	(void)state;
	forge_certificate(&leaf, &plain, LEVEL_LEAF, LEVEL_MIDDLE, "agent,client");
	forge_write("agent.der", leaf.data, leaf.bytes);
	FILE *out = popen("openssl asn1parse -inform DER -in agent.der", "r");
	assert_non_null(out);
	while (fgets(line, sizeof line, out)) {
		line[strcspn(line, "\n")] = '\0';
		found |= strstr(line, "extKeyUsage") || strstr(line, "Extended Key Usage") ? 1 : 0;
		found |= strstr(line, ":" OID_GRANT) ? 2 : 0;
	}
	assert_int_equal(pclose(out), 0);
	assert_int_equal(found, 3);
	out = popen("openssl x509 -inform DER -in agent.der -noout -text", "r");
	while (fgets(line, sizeof line, out))
		found |= strstr(line, OID_AGENT_PURPOSE) ? 4 : 0;
	assert_int_equal(pclose(out), 0);
	assert_int_equal(found, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_what_other_tools_made),
		cmocka_unit_test(has_the_oids_that_openssl_reads),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("interop", tests, set_up, tear_down);
}
