/* The command from its options to what it tells. */
#include "enrol/join.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fetch_proxy.h"
#include "base/units.h"
#include "enrol/join_ask.h"
#include "enrol/join_input.h"
#include "keys/key_ask.h"
#include "keys/key_names.h"
#include "keys/key_process.h"

enum option_word {
	INPUT,
	CONFIG,
	DIRECTORY,
	ADDRESS,
	USER,
	KEY_TYPE,
	RELAY, /* from here on only of what is inside */
	PROXY,
	PROXY_USER,
	PROXY_PASSWORD,
	OPTIONS
};

#define ROWS_OF_ALL \
	[INPUT] = PROGRAM_OPTION("file", "FILE", "take the line of the invitation from there"), \
	[CONFIG] = { "config", 'c', "FILE", "the configuration that is written", NULL, false, \
		false }, \
	[DIRECTORY] = PROGRAM_OPTION("dir", "DIR", "the state directory"), \
	[ADDRESS] = PROGRAM_OPTION( \
	    "address", "HOST:PORT", "where the authority is, instead of where it says"), \
	[USER] = PROGRAM_OPTION("user", "NAME", "whom the state directory belongs to"), \
	[KEY_TYPE] = PROGRAM_OPTION("key-type", KEY_TYPE_CHOICES, "p256 by default")

const struct program_option join_rows[RELAY + 1] = { ROWS_OF_ALL };
const struct program_option join_inside_rows[OPTIONS + 1] = {
	ROWS_OF_ALL,
	[RELAY] = PROGRAM_OPTION("relay", "HOST:PORT", "the relay, if the invitation does not say"),
	[PROXY] = PROGRAM_OPTION("proxy", "URL", "by which proxy the authority is reached"),
	[PROXY_USER] = PROGRAM_OPTION("proxy-user", "NAME", "who asks the proxy"),
	[PROXY_PASSWORD] = PROGRAM_OPTION("proxy-password-file", "FILE", "with which password"),
};

/* One join, from its options to its files; {0} is empty. */
struct join {
	const struct join_program *program;
	const char *values[OPTIONS]; /* NULL: not given */
	enum key_type type;
	struct join_proxy proxy_words;
	struct fetch_proxy *proxy; /* NULL: none */
	struct join_line line;
	char crl_urls[2][JOIN_URL + JOIN_PATH]; /* peers', servers' */
	struct join_files files;
	struct secret request; /* for the certificate, DER */
	struct join_gain gain;
	struct cert_facts certificate;
	struct secret config;
};

__attribute__((format(printf, 3, 4))) static int
fail(const struct join_program *program, int code, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s: join: ", program->program);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, code == EX_USAGE ? " (see %s(8))\n" : "\n", program->program);
	return code;
}

/* ---- the command line ---- */

static int
take_option(struct join *join, int word, const char *value)
{
	if (word >= RELAY && !join->program->is_inside)
		return fail(join->program, EX_USAGE, "--%s is not an option here",
		    join_inside_rows[word].name);
	if (join->values[word])
		return fail(
		    join->program, EX_USAGE, "--%s is given twice", join_inside_rows[word].name);
	join->values[word] = value;
	return 0;
}

static int
scan(struct join *join, int count, char **arguments)
{
	struct option options[OPTIONS + 1] = { 0 };
	int got, code = 0;

	for (int i = 0; i < OPTIONS; i++)
		options[i] =
		    (struct option){ join_inside_rows[i].name, required_argument, NULL, i };
	optind = 0; /* glibc: from the start, whatever was read before */
	opterr = 0;
	while (!code && (got = getopt_long(count, arguments, ":c:", options, NULL)) != -1) {
		if (got == ':')
			return fail(
			    join->program, EX_USAGE, "%s needs a value", arguments[optind - 1]);
		if (got == '?')
			return fail(join->program, EX_USAGE, "%s is not an option here",
			    arguments[optind - 1]);
		code = take_option(join, got == 'c' ? CONFIG : got, optarg);
	}
	if (code == 0 && optind < count)
		return fail(join->program, EX_USAGE,
		    "one word too many; the line of an invitation is a secret, which every user of "
		    "this host can read among the arguments of a program: give it on standard input, "
		    "and if it was given here, revoke it (valise-pki invite --revoke)");
	return code;
}

static int
check_options(struct join *join)
{
	const char *relay = join->values[RELAY], *address = join->values[ADDRESS];

	if (relay && !join_relay_is(relay))
		return fail(join->program, EX_USAGE, "--relay '%s' is not host:port", relay);
	if (address && !join_relay_is(address))
		return fail(join->program, EX_USAGE, "--address '%s' is not host:port", address);
	if (!key_type_parse(join->values[KEY_TYPE], &join->type))
		return fail(join->program, EX_USAGE, "--key-type '%s': give " KEY_TYPE_WORDS,
		    join->values[KEY_TYPE]);
	return 0;
}

/* The value of a key of `proxy`, by the rule that the configuration has for it. */
static int
check_proxy_value(struct join *join, enum option_word word, const char *key)
{
	const char *value = join->values[word];
	char error[256];

	return !value || fetch_proxy_is_value(key, value, error)
	    ? 0
	    : fail(join->program, EX_USAGE, "--%s '%s' %s", join_inside_rows[word].name, value,
		  error);
}

static int
load_proxy(struct join *join)
{
	struct join_proxy *words = &join->proxy_words;
	char error[FILE_ERROR];
	int code = check_proxy_value(join, PROXY, "url");

	*words = (struct join_proxy){ join->values[PROXY], join->values[PROXY_USER],
		join->values[PROXY_PASSWORD] };
	if (!code)
		code = check_proxy_value(join, PROXY_USER, "username");
	if (!code &&
	    (!words->username != !words->password_file || (words->username && !words->url)))
		code = fail(join->program, EX_USAGE,
		    "--proxy-user and --proxy-password-file come together, and with --proxy");
	if (code)
		return code;
	const struct fetch_proxy_settings settings = {
		.url = (char *)(uintptr_t)words->url,
		.username = (char *)(uintptr_t)words->username,
		.password_file = (char *)(uintptr_t)words->password_file,
	};
	return fetch_proxy_load(&settings, &join->proxy, error)
	    ? 0
	    : fail(join->program, EX_NOINPUT, "%s", error);
}

/* ---- the steps ---- */

static int
read_invitation(struct join *join)
{
	char error[JOIN_INPUT_ERROR];
	int code = join_input_read(&join->line, join->values[INPUT], error);

	if (code)
		return fail(join->program, code, "%s", error);
	if (strcmp(join->line.kind, join->program->kind) != 0)
		return fail(join->program, EX_DATAERR,
		    "this invitation is for %s %s, not for %s %s; it was not used",
		    join->line.kind[0] == 'a' ? "an" : "a", join->line.kind,
		    join->program->kind[0] == 'a' ? "an" : "a", join->program->kind);
	return 0;
}

static void
set_crl_url(const struct join *join, const char *whose, char out[JOIN_URL + JOIN_PATH])
{
	char path[JOIN_PATH];

	snprintf(out, JOIN_URL + JOIN_PATH, "%s%s", join->line.url, join_ask_crl_path(whose, path));
}

static int
plan_files(struct join *join)
{
	const struct join_program *program = join->program;
	const char *user = join->values[USER];
	char error[JOIN_FILES_ERROR];
	int code;

	if (!user && getpwnam(program->program))
		user = program->program;
	set_crl_url(join, program->peers, join->crl_urls[0]);
	set_crl_url(join, "servers", join->crl_urls[1]);
	code = join_files_plan(&join->files,
	    &(struct join_places){
		.state_dir = join->values[DIRECTORY] ? join->values[DIRECTORY] : program->state_dir,
		.config = join->values[CONFIG] ? join->values[CONFIG] : program->config,
		.kind = program->kind,
		.peers = program->peers,
		.peer_crl_url = join->crl_urls[0],
		.server_crl_url = join->crl_urls[1],
		.user = user,
	    },
	    error);
	return code ? fail(program, code, "%s", error) : 0;
}

/* It makes and keeps the key, with the rights of whom that belongs to: this process talks to the
 * network. */
static int
start_key_process(struct join *join)
{
	const struct join_files *files = &join->files;
	bool has_started = files->drops ? key_process_start_as(files->user, files->group)
					: key_process_settle(true);

	return has_started
	    ? 0
	    : fail(join->program, EX_OSERR, "the process for the private key cannot be started: %s",
		  strerror(errno));
}

/* The one that an earlier join has left, or a new one, which is on the disk before it is used. */
static int
prepare_key(struct join *join)
{
	const char *path = join->files.paths[JOIN_KEY];
	char error[KEY_ASK_ERROR];
	uint8_t digest[KEY_DIGEST], storage[8];
	struct writer nothing = writer_over(storage, sizeof storage);

	key_names_begin(&nothing, "", "");
	if (!join->files.key_is_old && !key_ask_make(path, join->type, digest, error))
		return fail(join->program, EX_CANTCREAT, "%s", error);
	return key_ask_request(path, storage, nothing.bytes, &join->request, error)
	    ? 0
	    : fail(join->program, EX_DATAERR, "%s", error);
}

/* It was the same file a moment ago that may not be replaced, so the invitation is not used for
 * nothing. */
static bool
may_use(void *arg, const struct secret *peer_cas, const struct secret *server_cas,
    char sentence[EST_SENTENCE])
{
	const struct join *join = arg;
	char error[JOIN_FILES_ERROR];

	if (join_files_have_place(&join->files, JOIN_PEER_CAS, peer_cas, error) &&
	    join_files_have_place(&join->files, JOIN_SERVER_CAS, server_cas, error))
		return true;
	snprintf(sentence, EST_SENTENCE, "%.900s", error);
	return false;
}

static int
ask_authority(struct join *join)
{
	char sentence[EST_SENTENCE];
	int code = join_ask(
	    &(struct join_request){
		.line = &join->line,
		.dial = join->values[ADDRESS],
		.proxy = join->proxy,
		.peers = join->program->peers,
		.role = join->program->role,
		.csr = &join->request,
		.may_use = may_use,
		.arg = join,
	    },
	    &join->gain, sentence);

	if (code == 0)
		return 0;
	return fail(join->program, code, "%s%s", sentence,
	    code == EX_TEMPFAIL ? "; the key is kept, so call this again with the same line" : "");
}

static int
write_config(struct join *join)
{
	const char *relay = join->values[RELAY] ? join->values[RELAY]
	    : *join->line.relay                 ? join->line.relay
						: NULL;
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	bool done = out != NULL;

	if (out) {
		join->program->write_config(out,
		    &(struct join_facts){
			.url = join->line.url,
			.address = join->values[ADDRESS],
			.relay = relay,
			.proxy = join->proxy ? &join->proxy_words : NULL,
			.peer_crl_url = join->crl_urls[0],
			.certificate = &join->certificate,
			.files = &join->files,
			.state_dir = join->values[DIRECTORY] ? join->files.state_dir : NULL,
		    });
		done = !ferror(out);
		done = fclose(out) == 0 && done;
	}
	if (done)
		join->config = (struct secret){ (uint8_t *)text, bytes };
	else
		free(text);
	return done ? 0 : fail(join->program, EX_OSERR, "memory is short");
}

static int
write_files(struct join *join)
{
	char error[JOIN_FILES_ERROR];
	int code = 0;

	if (!cert_read(
		&join->certificate, &join->gain.chain, join->files.paths[JOIN_CERTIFICATE], error))
		return fail(join->program, EX_PROTOCOL, "%s", error);
	if (join->certificate.san_count == 0)
		return fail(join->program, EX_PROTOCOL,
		    "the certificate that came has no name to serve; issue it with --host");
	code = write_config(join);
	if (code)
		return code;
	const struct secret contents[JOIN_FILES] = {
		[JOIN_PEER_CRLS] = join->gain.peer_crls,
		[JOIN_SERVER_CRLS] = join->gain.server_crls,
		[JOIN_PEER_CAS] = join->gain.peer_cas,
		[JOIN_SERVER_CAS] = join->gain.server_cas,
		[JOIN_CONFIG] = join->config,
		[JOIN_CERTIFICATE] = join->gain.chain,
	};
	return join_files_write(&join->files, contents, error)
	    ? 0
	    : fail(join->program, EX_CANTCREAT,
		  "%s; the key is kept, so call this again with the same line", error);
}

/* ---- what is told ---- */

static void
print_commands(const struct join *join)
{
	const struct join_program *program = join->program;
	const struct passwd *user = join->files.drops ? getpwuid(join->files.user) : NULL;
	bool usual = !join->values[CONFIG];
	char runuser[128] = "", config[PATH_MAX + 8] = "";

	if (user)
		snprintf(runuser, sizeof runuser, "runuser -u %.64s -- ", user->pw_name);
	if (!usual)
		snprintf(config, sizeof config, " -c %s", join->files.paths[JOIN_CONFIG]);
	printf("\n%s%s:\n  %s%s check%s && ", program->todo ? program->todo : "",
	    program->todo ? ", and then" : "Next", runuser, program->program, config);
	if (usual && user && strcmp(user->pw_name, program->program) == 0)
		printf("systemctl enable --now %s\n", program->program);
	else
		printf("%s%s run%s\n", runuser, program->program, config);
}

static int
tell(const struct join *join)
{
	const struct cert_facts *facts = &join->certificate;
	char when[TIME_TEXT];

	printf("certificate:   %s (%s, until %s)\n", join->files.paths[JOIN_CERTIFICATE],
	    facts->subject, time_text(facts->not_after, when));
	for (size_t i = 0; i < facts->san_count; i++)
		printf("%s%s%s", i ? " " : "names:         ", facts->sans[i],
		    i + 1 == facts->san_count ? "\n" : "");
	printf("key:           %s (mode 0600; it stays on this host%s)\n",
	    join->files.paths[JOIN_KEY],
	    join->files.key_is_old ? ", an earlier join has made it" : "");
	printf("CAs:           %s, %s\n", join->files.paths[JOIN_PEER_CAS],
	    join->files.paths[JOIN_SERVER_CAS]);
	printf("CRLs:          %s/crls\n", join->files.state_dir);
	printf("configuration: %s\n", join->files.paths[JOIN_CONFIG]);
	print_commands(join);
	if (fflush(stdout) != 0 || ferror(stdout))
		return fail(join->program, EX_IOERR,
		    "standard output cannot be written, but all files were");
	return 0;
}

static void
wipe(struct join *join)
{
	fetch_proxy_free(join->proxy);
	join_line_wipe(&join->line);
	secret_wipe(&join->request);
	join_gain_wipe(&join->gain);
	cert_wipe(&join->certificate);
	secret_wipe(&join->config);
}

int
join_run(const struct join_program *program, int count, char **arguments)
{
	static int (*const steps[])(struct join *) = { check_options, load_proxy, read_invitation,
		plan_files, start_key_process, prepare_key, ask_authority, write_files };
	struct join join = { .program = program };
	int code = scan(&join, count, arguments);

	for (size_t i = 0; code == 0 && i < sizeof steps / sizeof *steps; i++)
		code = steps[i](&join);
	if (code == 0)
		code = tell(&join);
	key_process_stop();
	wipe(&join);
	return code;
}

/* ---- for the configurations ---- */

void
join_write_value(FILE *out, const char *text)
{
	static const char plain[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-";

	if (text[strspn(text, plain)] == '\0' && (isalpha((unsigned char)*text) || *text == '/')) {
		fputs(text, out);
		return;
	}
	putc('"', out);
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			fprintf(out, "\\x%02x", (unsigned char)*text);
		else
			fprintf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	putc('"', out);
}

void
join_write_row(FILE *out, const char *key, const char *value)
{
	fprintf(out, "%s: ", key);
	join_write_value(out, value);
	putc('\n', out);
}

void
join_write_renew(FILE *out, const struct join_facts *facts)
{
	fputs("  # Before the certificate ends, a new one is fetched from here:\n"
	      "  renew: {url: ",
	    out);
	join_write_value(out, facts->url);
	fputs(", cas: ", out);
	join_write_value(out, facts->files->paths[JOIN_SERVER_CAS]);
	if (facts->address) {
		fputs(", address: ", out);
		join_write_value(out, facts->address);
	}
	fputs("}\n", out);
}
