/* valise-pki export: a certificate and its key in the forms that other programs want. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "pki/tool/command.h"
#include "pki/tool/identity_bundle.h"
#include "pki/tool/output.h"
#include "pki/tool/p12.h"
#include "pki/tool/message.h"

struct export_options {
	struct common common;
	bool p12, legacy, pem_bundle, k8s_secret, replace;
	const char *out, *passphrase_file, *new_passphrase_file;
	int64_t rounds; /* + 1 */
};

static const struct option_row rows[] = { { "p12", OPTION_FLAG,
					      offsetof(struct export_options, p12), NULL,
					      "PKCS#12 (AES-256, SHA-256)", 0 },
	{ "legacy", OPTION_FLAG, offsetof(struct export_options, legacy), NULL,
	    "... with 3DES and SHA-1, for Apple's keychains", 0 },
	{ "p12-passphrase-file", OPTION_TEXT, offsetof(struct export_options, passphrase_file),
	    "FILE", "... its passphrase is the first line of FILE", 0 },
	{ "generate-passphrase", OPTION_TEXT, offsetof(struct export_options, new_passphrase_file),
	    "FILE", "... it is made: 20 random characters, in the new FILE", 0 },
	{ "iterations", OPTION_NUMBER, offsetof(struct export_options, rounds), "N",
	    "... to guess at it (default, and at least: 600000; generated: 100000, at least 1000)",
	    P12_ROUNDS_MOST },
	{ "pem-bundle", OPTION_FLAG, offsetof(struct export_options, pem_bundle), NULL,
	    "key and chain in one PEM file", 0 },
	{ "k8s-secret", OPTION_FLAG, offsetof(struct export_options, k8s_secret), NULL,
	    "a Kubernetes Secret of type kubernetes.io/tls", 0 },
	{ "out", OPTION_TEXT, offsetof(struct export_options, out), "FILE",
	    "the new file (default: NAME.p12, NAME.pem, NAME.yaml)", 0 },
	{ "replace", OPTION_FLAG, offsetof(struct export_options, replace), NULL,
	    "replace an older one, once the new one is complete", 0 },
	{ 0 } };

static const struct synopsis usage = {
	"export",
	"NAME",
	1,
	1,
	"Writes a certificate with its key to a file that only you may read.",
	rows,
};

static bool
join(struct secret *out, const struct secret *a, const struct secret *b)
{
	uint8_t *both = gnutls_malloc(a->bytes + b->bytes);
	bool kept;

	if (!both)
		return false;
	memcpy(both, a->data, a->bytes);
	memcpy(both + a->bytes, b->data, b->bytes);
	kept = secret_init(out, both, a->bytes + b->bytes);
	bytes_wipe(both, a->bytes + b->bytes);
	gnutls_free(both);
	return kept;
}

static int
make_pem(struct identity_bundle *bundle, struct secret *out)
{
	struct secret chain = { 0 };
	int code = identity_bundle_chain_pem(bundle, &chain);

	if (!code && !join(out, &bundle->key_pem, &chain))
		code = message_no_memory();
	secret_wipe(&chain);
	return code;
}

static char *
base64_of(const struct secret *secret)
{
	gnutls_datum_t text = { 0 }, data = { secret->data, (unsigned)secret->bytes };

	return gnutls_base64_encode2(&data, &text) < 0 ? NULL : (char *)text.data;
}

/* A Secret's name is a DNS subdomain (RFC 1123): other characters become `-`. */
static void
name_secret(char out[CA_NAME], const char *name)
{
	size_t i = 0;

	for (; name[i] && i + 1 < CA_NAME; i++) {
		char c = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];

		out[i] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ? c : '-';
	}
	while (i && (out[i - 1] == '-' || out[i - 1] == '.'))
		i--;
	out[i] = '\0';
}

static int
make_secret(struct identity_bundle *bundle, struct secret *out)
{
	struct secret chain = { 0 }, root = { 0 };
	char *texts[3] = { NULL }, *yaml = NULL, name[CA_NAME];
	int code = identity_bundle_chain_pem(bundle, &chain), bytes = -1;

	if (!code)
		code = identity_bundle_root_pem(bundle, &root);
	name_secret(name, bundle->record.name);
	if (!code) {
		texts[0] = base64_of(&root);
		texts[1] = base64_of(&chain);
		texts[2] = base64_of(&bundle->key_pem);
	}
	if (texts[0] && texts[1] && texts[2])
		bytes = asprintf(&yaml,
		    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\ntype: "
		    "kubernetes.io/tls\ndata:\n"
		    "  ca.crt: %s\n  tls.crt: %s\n  tls.key: %s\n",
		    name, texts[0], texts[1], texts[2]);
	if (!code && (bytes < 0 || !secret_init(out, yaml, (size_t)bytes)))
		code = message_no_memory();
	if (bytes >= 0) {
		bytes_wipe(yaml, (size_t)bytes);
		free(yaml);
	}
	for (size_t i = 0; i < 3; i++) {
		if (texts[i])
			bytes_wipe(texts[i], strlen(texts[i]));
		gnutls_free(texts[i]);
	}
	secret_wipe(&chain);
	secret_wipe(&root);
	return code;
}

static int
choose_rounds(const struct export_options *options, uint32_t *rounds)
{
	bool generated = options->new_passphrase_file != NULL;
	int64_t least = generated ? P12_ROUNDS_LEAST : P12_ROUNDS;

	*rounds = generated ? P12_ROUNDS_GENERATED : P12_ROUNDS;
	if (!options->rounds)
		return 0;
	if (options->rounds - 1 < least)
		return message_fail(EX_USAGE, "export: --iterations %lld: at least %lld%s",
		    (long long)options->rounds - 1, (long long)least,
		    generated
			? ""
			: "; fewer only with --generate-passphrase, as what people think of is "
			  "guessed");
	*rounds = (uint32_t)(options->rounds - 1);
	return 0;
}

static int
make_p12(struct identity_bundle *bundle, const struct export_options *options, struct secret *out)
{
	struct common common = { .passphrase_file = options->passphrase_file };
	struct passphrase passphrase = { .common = &common, .option = "--p12-passphrase-file" };
	uint32_t rounds;
	int code = choose_rounds(options, &rounds);

	if (!code)
		code = options->new_passphrase_file
		    ? passphrase_generate(
			  &passphrase, options->new_passphrase_file, options->replace)
		    : passphrase_need(&passphrase, "the PKCS#12 file", true);
	if (!code)
		code = options->legacy
		    ? p12_encode_legacy(bundle, passphrase_text(&passphrase), out)
		    : p12_encode(bundle, passphrase_text(&passphrase), rounds, out);
	if (code && passphrase.known && options->new_passphrase_file && !options->replace)
		unlink(options->new_passphrase_file);
	passphrase_wipe(&passphrase);
	return code;
}

static int
write_out(struct authority *authority, const struct export_options *options,
    struct identity_bundle *bundle, const struct secret *content)
{
	char path[CA_NAME + 8], error[FILE_ERROR];
	const char *suffix = options->p12 ? "p12"
	    : options->pem_bundle         ? "pem"
					  : "yaml",
		   *out = options->out;

	if (!out) {
		snprintf(path, sizeof path, "%s.%s", bundle->record.name, suffix);
		out = path;
	}
	if (!(options->replace ? file_write : file_create)(
		out, 0600, content->data, content->bytes, error))
		return message_fail(EX_CANTCREAT, "%s", error);
	return output_print(authority->common, json_pack("{s:s}", "exported", out));
}

static int
export_one(struct authority *authority, const struct export_options *options, const char *name)
{
	struct identity_bundle bundle = { 0 };
	struct secret content = { 0 };
	int code = identity_bundle_open(authority, name, &bundle);

	if (!code && bundle.key_pem.bytes == 0)
		code = message_fail(EX_NOINPUT,
		    "the key of '%s' is not kept here; issued/%s.crt is all there is", name, name);
	if (!code)
		code = options->p12       ? make_p12(&bundle, options, &content)
		    : options->pem_bundle ? make_pem(&bundle, &content)
					  : make_secret(&bundle, &content);
	if (!code)
		code = write_out(authority, options, &bundle, &content);
	if (code && content.bytes && options->new_passphrase_file && !options->replace)
		unlink(options->new_passphrase_file); /* of a file that is not there */
	secret_wipe(&content);
	identity_bundle_wipe(&bundle);
	return code;
}

static int
refuse_foreign_options(const struct export_options *options)
{
	if (!options->p12 &&
	    (options->legacy || options->passphrase_file || options->new_passphrase_file ||
		options->rounds))
		return message_fail(EX_USAGE,
		    "export: --legacy, --p12-passphrase-file, --generate-passphrase and --iterations "
		    "go with --p12");
	if (options->passphrase_file && options->new_passphrase_file)
		return message_fail(EX_USAGE,
		    "export: --p12-passphrase-file and --generate-passphrase exclude each other");
	return options->legacy && options->rounds
	    ? message_fail(EX_USAGE, "export: --iterations has no meaning with --legacy")
	    : 0;
}

static int
run(int argc, char **argv)
{
	struct export_options options = { 0 };
	struct authority authority = { .reads = true };
	struct operands operands;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	if (options.p12 + options.pem_bundle + options.k8s_secret != 1)
		return message_fail(
		    EX_USAGE, "export: say one of --p12, --pem-bundle, --k8s-secret");
	if ((code = refuse_foreign_options(&options)))
		return code;
	code = authority_open(&authority, &options.common);
	if (!code)
		code = export_one(&authority, &options, operands.at[0]);
	authority_close(&authority);
	return code;
}

const struct command command_export = { &usage, run };
