/* `valise-agent keygen`: reads its options, makes key and request, writes both or neither. */
#include "agent/keygen.h"

#include <ctype.h>
#include <getopt.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/command.h"
#include "base/file.h"
#include "base/units.h"
#include "enrol/key_request.h"
#include "pki/key_type.h"
#include "sni/name.h"

enum {
	HOSTS_MOST = 64, /* as many as valise-pki takes */
	NAME_MOST = 64,  /* RFC 5280, ub-common-name */
};

enum keygen_option { KEY, CSR, KEY_TYPE, HOST, ISSUER, OPTIONS };

const struct program_option keygen_rows[OPTIONS + 1] = {
	[KEY] = PROGRAM_OPTION("key", "FILE", "where the key goes, instead of agent.key"),
	[CSR] = PROGRAM_OPTION("csr", "FILE", "where the request goes, instead of agent.csr"),
	[KEY_TYPE] = PROGRAM_OPTION("key-type", KEY_TYPE_CHOICES, "p256 by default"),
	[HOST] = PROGRAM_OPTION("host", "NAME", "a public name to ask for; may be repeated"),
	[ISSUER] = PROGRAM_OPTION("issuer", "CA", "who is to sign, for the command that is told"),
};

struct keygen_options {
	const char *name, *values[OPTIONS]; /* values[HOST] is not used */
	enum key_type type;
	char hosts[HOSTS_MOST][NAME_SIZE];
	size_t host_count;
};

struct keygen_result {
	struct key_request made;
	gnutls_datum_t request_pem;
};

/* ---- the command line ---- */

/* It is the name of a certificate, and valise-pki uses that as the name of a file. */
static int
check_name(const char *what, const char *name, const char *whose)
{
	static const char may[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-";
	size_t length = strlen(name);

	if (length == 0 || length > NAME_MOST || name[strspn(name, may)] || strchr(".-", *name))
		return command_fail("keygen", EX_DATAERR,
		    "%s '%s' cannot name %s; give 1 to %d letters, digits and ._@-, a "
		    "letter or digit first",
		    what, name, whose, NAME_MOST);
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
		return command_fail(
		    "keygen", EX_USAGE, "--%s is given twice", keygen_rows[word].name);
	wanted->values[word] = value;
	return 0;
}

static int
scan(struct keygen_options *wanted, int count, char **arguments)
{
	struct option options[OPTIONS + 1] = { 0 };
	int code = 0, got;

	for (int i = 0; i < OPTIONS; i++)
		options[i] = (struct option){ keygen_rows[i].name, required_argument, NULL, i };
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
		code = check_name("NAME", wanted->name, "an agent");
	if (!code && wanted->values[ISSUER])
		code = check_name("--issuer", wanted->values[ISSUER], "a CA");
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
make(struct keygen_result *result, const struct keygen_options *wanted)
{
	const char *hosts[HOSTS_MOST];
	const struct key_request_names names = {
		.name = wanted->name, .hosts = hosts, .host_count = wanted->host_count
	};
	char error[KEY_REQUEST_ERROR];
	int code = key_request_new_key(&result->made, wanted->type, error);

	for (size_t i = 0; i < wanted->host_count; i++)
		hosts[i] = wanted->hosts[i];
	if (code == 0)
		code = key_request_sign(&result->made, &names, error);
	return code ? command_fail("keygen", code, "%s", error) : 0;
}

static int
encode(struct keygen_result *result)
{
	const struct secret *request = &result->made.request;
	const gnutls_datum_t der = { request->data, (unsigned)request->bytes };

	return gnutls_pem_base64_encode2("NEW CERTIFICATE REQUEST", &der, &result->request_pem) < 0
	    ? command_fail("keygen", EX_OSERR, "memory is short; nothing was made")
	    : 0;
}

static void
result_wipe(struct keygen_result *result)
{
	gnutls_free(result->request_pem.data);
	key_request_wipe(&result->made);
}

/* ---- files and output ---- */

static int
write_files(const struct keygen_result *result, const struct keygen_options *wanted)
{
	const struct secret *key = &result->made.key;
	const gnutls_datum_t *request = &result->request_pem;
	char error[FILE_ERROR];

	if (!file_create(wanted->values[KEY], 0600, key->data, key->bytes, error))
		return command_fail("keygen", EX_CANTCREAT, "%s", error);
	if (file_create(wanted->values[CSR], 0644, request->data, request->size, error))
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
print_digest(const uint8_t digest[KEY_REQUEST_DIGEST])
{
	char text[2 * KEY_REQUEST_DIGEST + 1];

	hex_encode(text, digest, KEY_REQUEST_DIGEST);
	for (int i = 0; i < 2 * KEY_REQUEST_DIGEST; i += 4)
		printf("%s%.4s", i == KEY_REQUEST_DIGEST ? "\n  " : i == 0 ? "  " : " ", text + i);
}

static int
print_result(const struct keygen_result *result, const struct keygen_options *wanted)
{
	const char *slash = strrchr(wanted->values[CSR], '/');

	print_word("key:     ", wanted->values[KEY]);
	printf(" (%s, mode 0600; it stays on this host)\n", key_type_word(wanted->type));
	print_word("request: ", wanted->values[CSR]);
	puts(" (goes to whoever has the authority)\n\n"
	     "SHA-256 of the public key, to compare over the telephone:");
	print_digest(result->made.digest);
	puts("\n\nThere it is signed, and packed up with what else the agent needs:");
	print_word("  valise-pki sign ", slash ? slash + 1 : wanted->values[CSR]);
	printf(" agent %s", wanted->name);
	if (wanted->values[ISSUER])
		printf(" --issuer %s", wanted->values[ISSUER]);
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
	struct keygen_result result = { 0 };
	int code = read_options(&wanted, count, arguments);

	if (!code)
		code = make(&result, &wanted);
	if (!code)
		code = encode(&result);
	if (!code)
		code = write_files(&result, &wanted);
	if (!code)
		code = print_result(&result, &wanted);
	result_wipe(&result);
	return code;
}
