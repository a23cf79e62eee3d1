/* valise-pki bundle: one file with what a daemon needs besides its configuration. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <nettle/sha2.h>

#include "base/file.h"
#include "base/units.h"
#include "pki/tool/command.h"
#include "pki/tool/describe.h"
#include "pki/tool/identity_bundle.h"
#include "pki/tool/output.h"
#include "pki/tool/message.h"
#include "pki/tool/tarball.h"

enum { ARCHIVE_MOST = 1 << 30 };

struct bundle_options {
	struct common common;
	const char *out;
	bool replace;
};

static const struct option_row rows[] = {
	{ "out", OPTION_TEXT, offsetof(struct bundle_options, out), "FILE",
	    "the new archive (default: NAME-agent.tar, NAME-relay.tar)", 0 },
	TARBALL_REPLACE_ROW(struct bundle_options, replace), { 0 }
};

static const struct synopsis usage = {
	"bundle",
	"agent|relay NAME",
	2,
	2,
	"Makes a tar archive for /etc/valise: certificate, key, and the other side's CA and "
	"CRL.",
	rows,
};

/* The names are those of the example configurations. */
static const struct packing {
	const char *kind, *certificate, *key;
	const char *others[2]; /* called there what they are called here */
} packings[] = {
	{ "agent", "agent.crt", "agent.key", { "relays-ca.crt", "relays.crl" } },
	{ "relay", "relay.crt", "relay.key", { "agents-ca.crt", "agents.crl" } },
};

static int
pack(struct authority *authority, const struct identity_bundle *bundle,
    const struct packing *packing, struct tarball *tarball)
{
	struct secret chain = { 0 };
	char path[PATH_MAX];
	int code = identity_bundle_chain_pem(bundle, &chain);

	if (!code)
		code = tarball_add(tarball, packing->certificate, 0644, chain.data, chain.bytes);
	if (!code && bundle->key_pem.bytes)
		code = tarball_add(
		    tarball, packing->key, 0600, bundle->key_pem.data, bundle->key_pem.bytes);
	for (size_t i = 0; !code && i < 2; i++)
		code = tarball_add_file(tarball, packing->others[i],
		    store_path(&authority->store, packing->others[i], path));
	secret_wipe(&chain);
	return code;
}

/* Of the whole archive: who only compared the certificate's would not see another relay's CA. */
static json_t *
archive_digest(const char *path)
{
	char error[FILE_ERROR], text[2 * SHA256_DIGEST_SIZE + 1];
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct secret archive = { 0 };
	struct sha256_ctx sha;

	if (!file_read(&archive, path, ARCHIVE_MOST, error))
		return json_null();
	sha256_init(&sha);
	sha256_update(&sha, archive.bytes, archive.data);
	sha256_digest(&sha, sizeof digest, digest);
	secret_wipe(&archive);
	return json_string(hex_encode(text, digest, sizeof digest));
}

static int
make(struct authority *authority, const struct bundle_options *options,
    const struct packing *packing, const char *name)
{
	char default_path[PATH_MAX];
	const char *path = options->out ? options->out : default_path;
	struct identity_bundle bundle = { 0 };
	struct tarball tarball = { .fd = -1 };
	int code = identity_bundle_open(authority, name, &bundle);

	snprintf(default_path, sizeof default_path, "%s-%s.tar", name, packing->kind);
	if (!code && strcmp(bundle.record.kind, packing->kind) != 0)
		code = message_fail(EX_USAGE, "'%s' is a certificate for %s %s", name,
		    *bundle.record.kind == 'a' ? "an" : "a", bundle.record.kind);
	if (!code)
		code = tarball_create(&tarball, path, options->replace, authority->now);
	if (!code)
		code = pack(authority, &bundle, packing, &tarball);
	code = tarball_finish(&tarball, code);
	if (!code && bundle.key_pem.bytes == 0)
		message_note("the key of '%s' is not kept here, so the archive holds none", name);
	if (!code)
		code = output_print(authority->common,
		    json_pack("{s:s, s:o, s:o, s:b}", "bundle", path, "sha256",
			archive_digest(path), "certificate_sha256",
			describe_fingerprint(bundle.chain[0]), "holds_key",
			bundle.key_pem.bytes > 0));
	identity_bundle_wipe(&bundle);
	return code;
}

static int
run(int argc, char **argv)
{
	struct bundle_options options = { 0 };
	struct authority authority = { .reads = true };
	const struct packing *packing = NULL;
	struct operands operands;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	for (size_t i = 0; i < sizeof packings / sizeof *packings; i++)
		if (strcmp(operands.at[0], packings[i].kind) == 0)
			packing = &packings[i];
	if (!packing)
		return message_fail(
		    EX_USAGE, "bundle: '%s' is neither agent nor relay", operands.at[0]);
	code = authority_open(&authority, &options.common);
	if (!code)
		code = make(&authority, &options, packing, operands.at[1]);
	authority_close(&authority);
	return code;
}

const struct command command_bundle = { &usage, run };
