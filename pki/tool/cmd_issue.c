/* valise-pki issue: a new key and its certificate. */
#include <stdio.h>
#include <string.h>

#include "pki/tool/command.h"
#include "pki/tool/describe.h"
#include "pki/tool/grant_options.h"
#include "pki/tool/key.h"
#include "pki/tool/leaf.h"
#include "pki/tool/output.h"
#include "pki/tool/say.h"

struct issue_options {
	struct common common;
	struct texts hosts, emails, uris;
	const char *issuer, *identity, *key_type;
	int64_t seconds;
	struct grant_options grant;
};

static const struct option_row rows[] = {
	{ "host", OPTION_TEXTS, offsetof(struct issue_options, hosts), "NAME",
	  "a name it serves: app.example.com or *.example.com (repeat)", 0 },
	{ "email", OPTION_TEXTS, offsetof(struct issue_options, emails), "ADDRESS", "a client's address (repeat)", 0 },
	{ "uri", OPTION_TEXTS, offsetof(struct issue_options, uris), "URI", "a client's URI (repeat)", 0 },
	{ "days", OPTION_DAYS, offsetof(struct issue_options, seconds), "N",
	  "lifetime (default: relay, server 397; agent, client 90)", 0 },
	{ "valid-for", OPTION_SPAN, offsetof(struct issue_options, seconds), "TIME", "... the same as 12h or 90s", 0 },
	{ "key-type", OPTION_TEXT, offsetof(struct issue_options, key_type), "TYPE",
	  "p256 (default), ed25519, rsa2048, rsa3072", 0 },
	{ "issuer", OPTION_TEXT, offsetof(struct issue_options, issuer), "CA", "an agent: by this sub-CA", 0 },
	{ "identity", OPTION_TEXT, offsetof(struct issue_options, identity), "NAME",
	  "an agent: the grant's name, if several share it (default: NAME)", 0 },
	GRANT_OPTION_ROWS(struct issue_options, grant),
	{ "shared", OPTION_FLAG, offsetof(struct issue_options, grant.shared), NULL,
	  "an agent: other shared identities may serve the same names", 0 },
	{ 0 }
};

static const struct usage usage = {
	"issue", "relay|agent|server|client NAME", 2, 2, "Makes a key and a certificate: issued/NAME.key and issued/NAME.crt.",
	rows, false,
};

static int
read_names(struct leaf *leaf, const struct issue_options *options)
{
	char normal[NAME_SIZE];
	int code = 0;

	for (size_t i = 0; !code && i < options->hosts.count; i++)
		code = names_add_host(&leaf->names, leaf->profile, options->hosts.at[i]);
	for (size_t i = 0; !code && i < options->emails.count; i++)
		code = names_add_email(&leaf->names, options->emails.at[i]);
	for (size_t i = 0; !code && i < options->uris.count; i++)
		code = names_add_uri(&leaf->names, options->uris.at[i]);
	/* A server that is called by its name needs no telling twice. */
	if (!code && leaf->profile->serves && leaf->names.count == 0 && strchr(leaf->name, '.') &&
	    name_normalise(normal, leaf->name, strlen(leaf->name)))
		code = names_add(&leaf->names, GNUTLS_SAN_DNSNAME, normal);
	return code;
}

static int
refuse_strangers(const struct leaf *leaf, const struct issue_options *options)
{
	const struct grant_options *grant = &options->grant;
	bool granted = grant->shared || grant->any_depth || grant->max_flows || grant->max_sessions ||
	    grant->from.count || grant->regions.count || options->identity;

	if (!leaf->profile->granted && granted)
		return say_fail(EX_USAGE, "issue: a %s's certificate carries no grant; leave the agent's options out", leaf->profile->kind);
	if (leaf->profile->granted && (options->emails.count || options->uris.count))
		return say_fail(EX_USAGE, "issue: an agent's certificate holds host names only; leave --email and --uri out");
	return 0;
}

static int
prepare(struct leaf *leaf, const struct issue_options *options, const struct operands *operands)
{
	int code;

	leaf->profile = profile_of_kind(operands->at[0]);
	leaf->name = operands->at[1];
	leaf->seconds = options->seconds;
	if (!leaf->profile)
		return say_fail(EX_USAGE, "issue: '%s' is none of relay, agent, server, client", operands->at[0]);
	code = names_check_label(leaf->name);
	if (!code)
		code = refuse_strangers(leaf, options);
	if (!code)
		code = read_names(leaf, options);
	if (!code && leaf->profile->granted)
		code = grant_options_read(&leaf->grant, &options->grant, options->identity ? options->identity : leaf->name);
	return code;
}

static int
make_key(struct leaf *leaf, const char *type_word, struct secret *pem)
{
	gnutls_x509_privkey_t key = NULL;
	gnutls_privkey_t abstract = NULL;
	enum key_type type;
	int code = key_type_parse(type_word, &type);

	if (!code)
		code = key_generate(type, &key);
	if (!code)
		code = key_encode(key, NULL, pem);
	if (!code)
		code = key_abstract(key, &abstract);
	if (!code)
		code = key_public(abstract, &leaf->key);
	gnutls_privkey_deinit(abstract);
	gnutls_x509_privkey_deinit(key);
	leaf->key_pem = pem;
	return code;
}

static json_t *
path_of(const struct authority *authority, const struct record *record, const char *suffix)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/issued/%s.%s", authority->store.dir, record->name, suffix);
	return json_string(path);
}

static int
print(struct authority *authority, const struct record *record)
{
	gnutls_x509_crt_t certificate = NULL;
	json_t *object;
	int code = record_certificate(&authority->store, record->id, &certificate);

	if (code)
		return code;
	object = json_pack("{s:s, s:s}", "name", record->name, "kind", record->kind);
	json_object_update_new(object, describe_certificate(certificate));
	json_object_set_new(object, "certificate", path_of(authority, record, "crt"));
	json_object_set_new(object, "private_key", path_of(authority, record, "key"));
	gnutls_x509_crt_deinit(certificate);
	return output_print(authority->common, object);
}

static int
run(int argc, char **argv)
{
	struct issue_options options = { 0 };
	struct authority authority = { 0 };
	struct signer signer = { 0 };
	struct leaf leaf = { 0 };
	struct secret pem = { 0 };
	struct operands operands;
	struct record record;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	code = prepare(&leaf, &options, &operands);
	if (!code)
		code = authority_open(&authority, &options.common);
	if (!code)
		code = signer_open(&authority.store, options.issuer ? options.issuer : leaf.profile->role,
		    &authority.passphrase, &signer);
	if (!code)
		code = leaf_judge(&authority.store, &signer, &leaf);
	if (!code)
		code = make_key(&leaf, options.key_type, &pem);
	if (!code)
		code = leaf_issue(&authority, &signer, &leaf, &record);
	if (!code)
		code = print(&authority, &record);
	gnutls_pubkey_deinit(leaf.key);
	secret_wipe(&pem);
	signer_wipe(&signer);
	authority_close(&authority);
	return code;
}

const struct command command_issue = { &usage, run };
