/* `valise-agent keygen`: reads its options, makes key and request, writes both or neither. */
#include "agent/keygen.h"

#include <ctype.h>
#include <getopt.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/command.h"
#include "base/file.h"
#include "base/units.h"
#include "pki/key_type.h"
#include "sni/name.h"

enum {
	HOSTS_MOST = 64, /* as many as valise-pki takes */
	NAME_MOST = 64,  /* RFC 5280, ub-common-name */
	DIGEST_BYTES = 32,
};

enum keygen_option { KEY, CSR, KEY_TYPE, HOST, OPTIONS };

static const char *const option_names[OPTIONS] = {
	[KEY] = "key",
	[CSR] = "csr",
	[KEY_TYPE] = "key-type",
	[HOST] = "host",
};

struct keygen_options {
	const char *name, *values[OPTIONS]; /* values[HOST] is not used */
	enum key_type type;
	char hosts[HOSTS_MOST][NAME_SIZE];
	size_t host_count;
};

struct keygen_result {
	gnutls_x509_privkey_t key;
	gnutls_x509_crq_t request;
	struct secret key_pem;
	gnutls_datum_t request_pem;
	uint8_t digest[DIGEST_BYTES]; /* SHA-256 of the SubjectPublicKeyInfo */
};

/* ---- the command line ---- */

/* It becomes the name of the certificate, and valise-pki uses that as the name of a file. */
static int
check_name(const char *name)
{
	static const char may[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-";
	size_t length = strlen(name);

	if (length == 0 || length > NAME_MOST || name[strspn(name, may)] || strchr(".-", *name))
		return command_fail("keygen", EX_DATAERR,
		    "NAME '%s' cannot name an agent; give 1 to %d letters, digits and ._@-, a "
		    "letter or digit first",
		    name, NAME_MOST);
	return 0;
}

static int
add_host(struct keygen_options *wanted, const char *text)
{
	char host[NAME_SIZE];

	if (!name_normalise_served(host, text, strlen(text)))
		return command_fail("keygen", EX_DATAERR,
		    "--host '%s' is not a valid server name; give one like app.example.com or "
		    "*.example.com, with A-labels (xn--...) for what is not ASCII",
		    text);
	for (size_t i = 0; i < wanted->host_count; i++)
		if (strcmp(wanted->hosts[i], host) == 0)
			return 0;
	if (wanted->host_count == HOSTS_MOST)
		return command_fail("keygen", EX_DATAERR,
		    "--host '%s' is one too many; at most %d go into one certificate", text,
		    HOSTS_MOST);
	memcpy(wanted->hosts[wanted->host_count++], host, sizeof host);
	return 0;
}

static int
find_type(struct keygen_options *wanted)
{
	const char *word = wanted->values[KEY_TYPE];

	return key_type_parse(word, &wanted->type)
	    ? 0
	    : command_fail("keygen", EX_USAGE, "--key-type '%s': give " KEY_TYPE_WORDS, word);
}

static int
take_option(struct keygen_options *wanted, int word, const char *value)
{
	if (word == HOST)
		return add_host(wanted, value);
	if (wanted->values[word])
		return command_fail("keygen", EX_USAGE, "--%s is given twice", option_names[word]);
	wanted->values[word] = value;
	return 0;
}

static int
scan(struct keygen_options *wanted, int count, char **arguments)
{
	struct option options[OPTIONS + 1] = { 0 };
	int code = 0, got;

	for (int i = 0; i < OPTIONS; i++)
		options[i] = (struct option){ option_names[i], required_argument, NULL, i };
	optind = 0; /* glibc: from the start, whatever was read before */
	opterr = 0;
	while (!code && (got = getopt_long(count, arguments, ":", options, NULL)) != -1) {
		if (got == ':')
			return command_fail(
			    "keygen", EX_USAGE, "%s needs a value", arguments[optind - 1]);
		if (got == '?')
			return command_fail(
			    "keygen", EX_USAGE, "%s is not an option here", arguments[optind - 1]);
		code = take_option(wanted, got, optarg);
	}
	if (code)
		return code;
	if (count - optind != 1)
		return command_fail("keygen", EX_USAGE,
		    count == optind ? "give the agent's NAME, for example site1"
				    : "one NAME, not several");
	wanted->name = arguments[optind];
	return 0;
}

static int
read_options(struct keygen_options *wanted, int count, char **arguments)
{
	int code = scan(wanted, count, arguments);

	if (!code)
		code = find_type(wanted);
	if (!code)
		code = check_name(wanted->name);
	if (!wanted->values[KEY])
		wanted->values[KEY] = "agent.key";
	if (!wanted->values[CSR])
		wanted->values[CSR] = "agent.csr";
	if (!code && strcmp(wanted->values[KEY], wanted->values[CSR]) == 0)
		code = command_fail("keygen", EX_USAGE, "--key and --csr are the same file, '%s'",
		    wanted->values[KEY]);
	return code;
}

/* ---- key and request ---- */

static int
make_key(struct keygen_result *made, enum key_type type)
{
	size_t bytes = sizeof made->digest;
	gnutls_datum_t pem = { 0 };
	int problem = key_type_generate(type, &made->key);
	bool kept = true;

	if (problem >= 0)
		problem = gnutls_x509_privkey_get_key_id(
		    made->key, GNUTLS_KEYID_USE_SHA256, made->digest, &bytes);
	if (problem >= 0)
		problem = gnutls_x509_privkey_export2_pkcs8(
		    made->key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem);
	if (problem < 0)
		return command_fail(
		    "keygen", EX_SOFTWARE, "the key cannot be made: %s", gnutls_strerror(problem));
	kept = secret_init(&made->key_pem, pem.data, pem.size);
	bytes_wipe(pem.data, pem.size);
	gnutls_free(pem.data);
	return kept ? 0 : command_fail("keygen", EX_OSERR, "memory is short; nothing was made");
}

static int
fill_request(gnutls_x509_crq_t request, const struct keygen_options *wanted)
{
	int problem = gnutls_x509_crq_set_version(request, 1);

	if (problem >= 0)
		problem = gnutls_x509_crq_set_dn_by_oid(request, GNUTLS_OID_X520_COMMON_NAME, 0,
		    wanted->name, (unsigned)strlen(wanted->name));
	for (size_t i = 0; problem >= 0 && i < wanted->host_count; i++)
		problem = gnutls_x509_crq_set_subject_alt_name(request, GNUTLS_SAN_DNSNAME,
		    wanted->hosts[i], (unsigned)strlen(wanted->hosts[i]),
		    i ? GNUTLS_FSAN_APPEND : GNUTLS_FSAN_SET);
	return problem;
}

static int
make_request(struct keygen_result *made, const struct keygen_options *wanted)
{
	int problem = gnutls_x509_crq_init(&made->request);

	if (problem >= 0)
		problem = fill_request(made->request, wanted);
	if (problem >= 0)
		problem = gnutls_x509_crq_set_key(made->request, made->key);
	if (problem >= 0) /* with the digest that suits the key */
		problem = gnutls_x509_crq_sign2(made->request, made->key, GNUTLS_DIG_UNKNOWN, 0);
	if (problem >= 0)
		problem =
		    gnutls_x509_crq_export2(made->request, GNUTLS_X509_FMT_PEM, &made->request_pem);
	return problem < 0 ? command_fail("keygen", EX_SOFTWARE, "the request cannot be made: %s",
				 gnutls_strerror(problem))
			   : 0;
}

static void
made_wipe(struct keygen_result *made)
{
	gnutls_x509_crq_deinit(made->request);
	gnutls_x509_privkey_deinit(made->key);
	gnutls_free(made->request_pem.data);
	secret_wipe(&made->key_pem);
}

/* ---- files and output ---- */

static int
write_files(const struct keygen_result *made, const struct keygen_options *wanted)
{
	char error[FILE_ERROR];

	if (!file_create(wanted->values[KEY], 0600, made->key_pem.data, made->key_pem.bytes, error))
		return command_fail("keygen", EX_CANTCREAT, "%s", error);
	if (file_create(
		wanted->values[CSR], 0644, made->request_pem.data, made->request_pem.size, error))
		return 0;
	/* Without a request the key is useless, and it would stop the next attempt. */
	unlink(wanted->values[KEY]);
	return command_fail("keygen", EX_CANTCREAT, "%s", error);
}

/* Quoted as a shell needs it. */
static void
print_word(const char *before, const char *word)
{
	bool plain = *word;

	for (const char *at = word; *at; at++)
		plain = plain && (isalnum((unsigned char)*at) || strchr("/._@-+:,=", *at));
	fputs(before, stdout);
	if (plain) {
		fputs(word, stdout);
		return;
	}
	putchar('\'');
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\'", stdout);
		putchar(*word);
	}
	putchar('\'');
}

/* In groups of four digits, two lines of eight groups, which is easy to read out and to follow. */
static void
print_digest(const uint8_t digest[DIGEST_BYTES])
{
	char text[2 * DIGEST_BYTES + 1];

	hex_encode(text, digest, DIGEST_BYTES);
	for (int i = 0; i < 2 * DIGEST_BYTES; i += 4)
		printf("%s%.4s", i == DIGEST_BYTES ? "\n  " : i == 0 ? "  " : " ", text + i);
}

static int
print_result(const struct keygen_result *made, const struct keygen_options *wanted)
{
	const char *slash = strrchr(wanted->values[CSR], '/');

	print_word("key:     ", wanted->values[KEY]);
	printf(" (%s, mode 0600; it stays on this host)\n", key_type_word(wanted->type));
	print_word("request: ", wanted->values[CSR]);
	puts(" (goes to whoever has the authority)\n\n"
	     "SHA-256 of the public key, to compare over the telephone:");
	print_digest(made->digest);
	puts("\n\nThere it is signed, and packed up with what else the agent needs:");
	print_word("  valise-pki sign ", slash ? slash + 1 : wanted->values[CSR]);
	printf(" agent %s", wanted->name);
	for (size_t i = 0; i < wanted->host_count; i++)
		print_word(" --host ", wanted->hosts[i]);
	if (wanted->host_count == 0)
		fputs(" --host NAME...", stdout);
	printf("\n  valise-pki bundle agent %s\n", wanted->name);
	if (fflush(stdout) != 0 || ferror(stdout))
		return command_fail(
		    "keygen", EX_IOERR, "standard output cannot be written, but both files were");
	return 0;
}

int
keygen_run(int count, char **arguments)
{
	struct keygen_options wanted = { 0 };
	struct keygen_result made = { 0 };
	int code = read_options(&wanted, count, arguments);

	if (!code)
		code = make_key(&made, wanted.type);
	if (!code)
		code = make_request(&made, &wanted);
	if (!code)
		code = write_files(&made, &wanted);
	if (!code)
		code = print_result(&made, &wanted);
	made_wipe(&made);
	return code;
}
