/* Tests of agent/keygen: keys, requests, and what is refused. */
#include "agent/keygen.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/file.h"
#include "base/units.h"
#include "helpers.h"

enum { ARGUMENTS_MOST = 80, SAID_MOST = 8192 };

/* The tests work in a directory of their own; the output of the command is kept. */
static char directory[] = "/tmp/valise-keygen-XXXXXX";
static char said[SAID_MOST];

static int
enter(void **state)
{
	(void)state;
	strcpy(directory + sizeof directory - 7, "XXXXXX");
	return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int
leave(void **state)
{
	static const char *const names[] = { "agent.key", "agent.csr", "other.key", "other.csr",
		"it's.csr" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		unlink(names[i]);
	return chdir("/") == 0 ? rmdir(directory) : -1; /* fails if anything else was left */
}

static int
keygen(const char *const *words)
{
	char *arguments[ARGUMENTS_MOST] = { 0 };
	int count = 0, code, out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
	int file = memfd_create("said", MFD_CLOEXEC);
	ssize_t bytes;

	while (words[count]) {
		arguments[count] = strdup(words[count]);
		count++;
	}
	fflush(stdout);
	dup2(file, STDOUT_FILENO);
	dup2(file, STDERR_FILENO);
	code = keygen_run(count, arguments);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	bytes = pread(file, said, sizeof said - 1, 0);
	said[bytes > 0 ? bytes : 0] = '\0';
	close(out);
	close(err);
	close(file);
	for (int i = 0; i < count; i++)
		free(arguments[i]);
	return code;
}

#define KEYGEN(...) keygen((const char *const[]){ "keygen", __VA_ARGS__, NULL })

static gnutls_x509_crq_t
request(const char *path)
{
	gnutls_x509_crq_t request;
	struct secret file;
	char error[FILE_ERROR];

	assert_true(file_read(&file, path, 65536, error));
	assert_int_equal(gnutls_x509_crq_init(&request), 0);
	assert_int_equal(
	    gnutls_x509_crq_import(
		request, &(gnutls_datum_t){ file.data, (unsigned)file.bytes }, GNUTLS_X509_FMT_PEM),
	    0);
	secret_wipe(&file);
	return request;
}

static void
assert_host(gnutls_x509_crq_t request, unsigned at, const char *expected)
{
	char host[256] = "";
	size_t bytes = sizeof host - 1;
	int type = gnutls_x509_crq_get_subject_alt_name(request, at, host, &bytes, NULL, NULL);

	if (!expected) {
		assert_int_equal(type, GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE);
		return;
	}
	assert_int_equal(type, GNUTLS_SAN_DNSNAME);
	assert_string_equal(host, expected);
}

static mode_t
mode(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void
makes_a_request_that_proves_possession_and_asks_for_the_names(void **state)
{
	gnutls_x509_crq_t made;
	char cn[65];
	size_t bytes = sizeof cn;

	(void)state;
	assert_int_equal(KEYGEN("--host", "App.Example.", "site1", "--host=*.b.example", "--host",
			     "app.example"),
	    0);
	made = request("agent.csr");
	assert_int_equal(gnutls_x509_crq_verify(made, 0), 0);
	assert_int_equal(
	    gnutls_x509_crq_get_dn_by_oid(made, GNUTLS_OID_X520_COMMON_NAME, 0, 0, cn, &bytes), 0);
	assert_string_equal(cn, "site1");
	assert_host(made, 0, "app.example");
	assert_host(made, 1, "*.b.example");
	assert_host(made, 2, NULL);
	gnutls_x509_crq_deinit(made);
	assert_non_null(strstr(said,
	    "\n  valise-pki sign agent.csr agent site1"
	    " --host app.example --host '*.b.example'\n"));
}

static void
keeps_the_key_for_its_owner_and_in_pkcs8(void **state)
{
	struct secret file;
	char error[FILE_ERROR];

	(void)state;
	umask(0);
	assert_int_equal(KEYGEN("site1"), 0);
	assert_int_equal(mode("agent.key"), 0600);
	assert_int_equal(mode("agent.csr"), 0644);
	assert_true(file_read_key(&file, "agent.key", 65536, error));
	assert_memory_equal(file.data, "-----BEGIN PRIVATE KEY-----\n", 28);
	secret_wipe(&file);
	assert_null(strstr(said, "PRIVATE"));
}

static void
makes_the_type_that_is_asked_for_and_tells_its_digest(void **state)
{
	static const struct {
		const char *word;
		int algorithm;
		unsigned bits;
	} types[] = {
		{ "p256", GNUTLS_PK_ECDSA, 256 },
		{ "ed25519", GNUTLS_PK_EDDSA_ED25519, 256 },
		{ "rsa2048", GNUTLS_PK_RSA, 2048 },
		{ "rsa3072", GNUTLS_PK_RSA, 3072 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(types); i++) {
		gnutls_x509_crq_t made;
		unsigned char digest[32];
		char hex[65], part[5] = "";
		size_t bytes = sizeof digest;
		unsigned bits = 0;

		assert_int_equal(KEYGEN("--key-type", types[i].word, "site1"), 0);
		made = request("agent.csr");
		assert_int_equal(gnutls_x509_crq_verify(made, 0), 0);
		assert_int_equal(gnutls_x509_crq_get_pk_algorithm(made, &bits), types[i].algorithm);
		assert_int_equal(bits, types[i].bits);
		gnutls_x509_crq_get_key_id(made, GNUTLS_KEYID_USE_SHA256, digest, &bytes);
		hex_encode(hex, digest, sizeof digest);
		for (size_t at = 0; at < 64; at += 4) {
			memcpy(part, hex + at, 4);
			assert_non_null(strstr(said, part));
		}
		gnutls_x509_crq_deinit(made);
		unlink("agent.key");
		unlink("agent.csr");
	}
}

static void
replaces_nothing(void **state)
{
	struct file_stamp key, csr, now;

	(void)state;
	assert_int_equal(KEYGEN("site1"), 0);
	key = file_stamp_of("agent.key");
	csr = file_stamp_of("agent.csr");
	assert_int_equal(KEYGEN("site1"), EX_CANTCREAT);
	assert_non_null(strstr(said, "agent.key: is there already"));
	assert_int_equal(KEYGEN("--csr", "other.csr", "site1"), EX_CANTCREAT);
	assert_false(file_stamp_of("other.csr").exists);
	assert_int_equal(KEYGEN("--key", "other.key", "site1"), EX_CANTCREAT);
	assert_non_null(strstr(said, "agent.csr: is there already"));
	assert_false(file_stamp_of("other.key").exists);
	now = file_stamp_of("agent.key");
	assert_true(file_stamp_equals(&now, &key));
	now = file_stamp_of("agent.csr");
	assert_true(file_stamp_equals(&now, &csr));
}

static void
says_where_nothing_can_be_written(void **state)
{
	(void)state;
	assert_int_equal(KEYGEN("--key", "nowhere/agent.key", "site1"), EX_CANTCREAT);
	assert_int_equal(KEYGEN("--csr", "nowhere/agent.csr", "site1"), EX_CANTCREAT);
	assert_false(file_stamp_of("agent.key").exists);
}

static void
quotes_what_a_shell_would_take_apart(void **state)
{
	(void)state;
	assert_int_equal(KEYGEN("--csr", "./it's.csr", "site1"), 0);
	assert_non_null(strstr(said, "request: './it'\\''s.csr' "));
	assert_non_null(
	    strstr(said, "valise-pki sign 'it'\\''s.csr' agent site1 --host NAME...\n"));
}

static void
tells_which_ca_is_to_sign_and_does_not_ask_for_it(void **state)
{
	(void)state;
	assert_int_equal(KEYGEN("--issuer", "acme", "--host", "a.example", "site1"), 0);
	assert_non_null(
	    strstr(said, "valise-pki sign agent.csr agent site1 --issuer acme --host a.example\n"));
}

#define TEN(x) x "0123456789"
#define LONG TEN(TEN(TEN(TEN(TEN(TEN("")))))) /* 60 */

static void
refuses_what_makes_no_sense_and_makes_nothing(void **state)
{
	static const struct {
		int code;
		const char *words[ARGUMENTS_MOST];
	} cases[] = {
		{ EX_USAGE, { "keygen", NULL } },
		{ EX_USAGE, { "keygen", "a", "b", NULL } },
		{ EX_USAGE, { "keygen", "a", "--frobnicate", NULL } },
		{ EX_USAGE, { "keygen", "a", "--host", NULL } },
		{ EX_USAGE, { "keygen", "a", "--key", "x", "--key", "y", NULL } },
		{ EX_USAGE, { "keygen", "a", "--key", "x", "--csr", "x", NULL } },
		{ EX_USAGE, { "keygen", "a", "--key-type", "rsa1024", NULL } },
		{ EX_USAGE, { "keygen", "a", "--key-type", "", NULL } },
		{ EX_USAGE, { "keygen", "a", "--issuer", "x", "--issuer", "y", NULL } },
		{ EX_DATAERR, { "keygen", "a", "--issuer", "", NULL } },
		{ EX_DATAERR, { "keygen", "a", "--issuer", "acme;reboot", NULL } },
		{ EX_DATAERR, { "keygen", "", NULL } },
		{ EX_DATAERR, { "keygen", "a/b", NULL } },
		{ EX_DATAERR, { "keygen", "a b", NULL } },
		{ EX_DATAERR, { "keygen", "a\n", NULL } },
		{ EX_DATAERR, { "keygen", ".hidden", NULL } },
		{ EX_DATAERR, { "keygen", "--", "-a", NULL } },
		{ EX_DATAERR, { "keygen", "sch\xc3\xb6n", NULL } },
		{ EX_DATAERR, { "keygen", LONG "12345", NULL } },
		{ EX_DATAERR, { "keygen", "a", "--host", "", NULL } },
		{ EX_DATAERR, { "keygen", "a", "--host", "a..b", NULL } },
		{ EX_DATAERR, { "keygen", "a", "--host", "a.*.b", NULL } },
		{ EX_DATAERR, { "keygen", "a", "--host", "*", NULL } },
		{ EX_DATAERR, { "keygen", "a", "--host", "192.0.2.1", NULL } },
		{ EX_DATAERR, { "keygen", "a", "--host", "2001:db8::1", NULL } },
		{ EX_DATAERR,
		    { "keygen", "a", "--host",
			"b\xc3\xbc"
			"cher.example",
			NULL } },
		{ EX_DATAERR,
		    { "keygen", "a", "--host", "good.example", "--host", "bad example", NULL } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int code = keygen(cases[i].words);

		if (code != cases[i].code)
			fail_msg("case %zu gives %d: %s", i, code, said);
		assert_int_equal(strncmp(said, "valise-agent: keygen: ", 22), 0);
	}
	assert_false(file_stamp_of("agent.key").exists || file_stamp_of("agent.csr").exists);
}

static void
takes_64_hosts_and_not_one_more(void **state)
{
	const char *words[ARGUMENTS_MOST] = { "keygen", "site1" };
	char hosts[65][32];

	(void)state;
	for (int i = 0; i < 65; i++) {
		snprintf(hosts[i], sizeof hosts[i], "--host=h%d.example", i);
		words[2 + i] = hosts[i];
	}
	assert_int_equal(keygen(words), EX_DATAERR);
	words[2 + 64] = NULL;
	assert_int_equal(keygen(words), 0);
}

#define IN_A_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, enter, leave)

static const struct CMUnitTest tests[] = {
	IN_A_DIRECTORY(makes_a_request_that_proves_possession_and_asks_for_the_names),
	IN_A_DIRECTORY(keeps_the_key_for_its_owner_and_in_pkcs8),
	IN_A_DIRECTORY(makes_the_type_that_is_asked_for_and_tells_its_digest),
	IN_A_DIRECTORY(replaces_nothing),
	IN_A_DIRECTORY(says_where_nothing_can_be_written),
	IN_A_DIRECTORY(quotes_what_a_shell_would_take_apart),
	IN_A_DIRECTORY(tells_which_ca_is_to_sign_and_does_not_ask_for_it),
	IN_A_DIRECTORY(refuses_what_makes_no_sense_and_makes_nothing),
	IN_A_DIRECTORY(takes_64_hosts_and_not_one_more),
};
RUN_TESTS("agent/keygen", tests)
