/* valise-pki sub: an intermediate for one customer, bounded in names and by a ceiling. */
#include <stdio.h>
#include <string.h>

#include "pki/tool/command.h"
#include "pki/tool/csr.h"
#include "pki/tool/describe.h"
#include "pki/tool/ca_create.h"
#include "pki/tool/grant_options.h"
#include "pki/tool/names.h"
#include "pki/tool/output.h"
#include "pki/tool/profile.h"
#include "pki/tool/publish.h"
#include "pki/tool/message.h"

struct sub_options {
	struct common common;
	struct texts permits;
	int64_t seconds;
	struct ca_key_options key;
	const char *csr;
	struct grant_options grant;
};

static const struct option_row rows[] = {
	{ "permit", OPTION_TEXTS, offsetof(struct sub_options, permits), "dns:NAME",
	    "its agents may serve NAME and what is below (repeat)", 0 },
	{ "shared", OPTION_FLAG, offsetof(struct sub_options, grant.shared), NULL,
	    "names may overlap another sub-CA's, agents may share them", 0 },
	GRANT_OPTION_ROWS(struct sub_options, grant),
	{ "days", OPTION_DAYS, offsetof(struct sub_options, seconds), "N",
	    "lifetime (default: 1095)", 0 },
	CA_KEY_OPTION_ROWS(struct sub_options, key),
	{ "csr", OPTION_TEXT, offsetof(struct sub_options, csr), "FILE",
	    "the key is the customer's: the one of this request", 0 },
	{ 0 }
};

static const struct synopsis usage = {
	"sub",
	"NAME",
	1,
	1,
	"Makes a sub-CA of agents for one customer, with the names it may certify.",
	rows,
};

/* Normalised permits, as texts that point into storage. */
struct permits {
	char storage[TEXTS_MOST][NAME_SIZE];
	struct texts texts;
};

static int
read_permits(struct permits *permits, const struct texts *given)
{
	if (given->count == 0)
		return message_fail(
		    EX_USAGE, "sub: which names? give --permit dns:customer.example");
	for (size_t i = 0; i < given->count; i++) {
		const char *name = given->at[i];

		if (strncmp(name, "dns:", 4) != 0 ||
		    !name_normalise(permits->storage[i], name + 4, strlen(name + 4)))
			return message_fail(EX_USAGE,
			    "--permit '%s' is not of the form dns:customer.example (which permits "
			    "the names below it too)",
			    name);
		permits->texts.at[permits->texts.count++] = permits->storage[i];
	}
	return 0;
}

static int
refuse_overlap(void *arg, sqlite3_stmt *row)
{
	const struct permits *permits = arg;
	const char *host = (const char *)sqlite3_column_text(row, 0);

	for (size_t i = 0; i < permits->texts.count; i++)
		if (names_is_within(host, permits->storage[i]) ||
		    names_is_within(permits->storage[i], host))
			return message_fail(EX_DATAERR,
			    "dns:%s overlaps dns:%s of the sub-CA '%s'; two customers could serve "
			    "the same name. "
			    "Say --shared if that is meant",
			    permits->storage[i], host, (const char *)sqlite3_column_text(row, 1));
	return 0;
}

static int
refuse_second(struct store *store, const char *name)
{
	struct record old;
	bool found;
	int code = record_look_up(store, name, &old, &found);

	return code || !found ? code
			      : message_fail(EX_CANTCREAT,
				    "'%s' exists already: %s; take another name", name, old.kind);
}

static int
create(struct authority *authority, struct new_ca *new, const struct signer *parent,
    const struct permits *permits, bool shared)
{
	struct store *store = &authority->store;
	int code = store_begin(store);

	if (!code)
		code = refuse_second(store, new->name);
	if (!code && !shared)
		code = store_each(store, refuse_overlap, (void *)(uintptr_t)permits,
		    "SELECT host, name FROM permit JOIN ca ON id = ca", "");
	if (!code)
		code = ca_create(authority, new, parent);
	if (!code)
		code = publish_bundles(store, new->role);
	return code ? code : store_commit(store);
}

static int
print(const struct authority *authority, const struct new_ca *new)
{
	json_t *object = output_join(
	    json_pack("{s:s}", "name", new->name), describe_certificate(new->signer.certificate));
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/cas/%s.crt", authority->store.dir, new->name);
	json_object_set_new(object, "certificate", json_string(path));
	return output_print(authority->common, object);
}

/* The organisation of the authority: its CAs are called alike. */
static int
read_organisation(const struct signer *parent, char out[64])
{
	size_t bytes = 64;

	if (gnutls_x509_crt_get_dn_by_oid(
		parent->certificate, GNUTLS_OID_X520_ORGANIZATION_NAME, 0, 0, out, &bytes) < 0)
		return message_fail(
		    EX_DATAERR, "the CA '%s' has no organisation in its subject", parent->ca.name);
	return 0;
}

static int
take_key(struct authority *authority, const struct sub_options *options, struct new_ca *new)
{
	gnutls_x509_crq_t request = NULL;
	int code;

	if (!options->csr)
		return ca_create_key(authority, new, &options->key);
	if (options->key.type || options->key.token || options->key.no_password)
		return message_fail(EX_USAGE,
		    "sub: --csr brings a key; leave --key-type, --token and --no-password out");
	code = csr_load(options->csr, &request);
	if (!code)
		code = csr_public(request, &new->public);
	gnutls_x509_crq_deinit(request);
	return code;
}

static int
make(struct authority *authority, const struct sub_options *options, struct new_ca *new,
    struct signer *parent, const struct permits *permits)
{
	const struct profile *profile = profile_of_kind("agent");
	uint8_t der[GRANT_DER_BYTES];
	struct grant ceiling;
	char organisation[64];
	int code = grant_options_read(&ceiling, &options->grant, new->name);

	if (!code && !grant_encode(&ceiling, der, sizeof der, &new->grant_bytes))
		code =
		    message_fail(EX_USAGE, "the ceiling is out of its ranges; see valise-pki(1)");
	if (!code)
		code =
		    signer_open(&authority->store, profile->role, &authority->passphrase, parent);
	if (!code)
		code = read_organisation(parent, organisation);
	new->role = profile->role;
	new->purposes = profile->purposes;
	new->permits = &permits->texts;
	new->grant = der;
	new->organisation = organisation;
	new->seconds = options->seconds ? options->seconds : SUB_CA_S;
	if (!code)
		code = take_key(authority, options, new);
	if (!code)
		code = create(authority, new, parent, permits, options->grant.shared);
	return code ? code : print(authority, new);
}

static int
run(int argc, char **argv)
{
	struct sub_options options = { 0 };
	struct authority authority = { 0 };
	struct new_ca new = { 0 };
	struct permits permits = { 0 };
	struct signer parent = { 0 };
	struct operands operands;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	new.name = operands.at[0];
	code = names_check_label(new.name);
	if (!code)
		code = read_permits(&permits, &options.permits);
	if (!code)
		code = authority_open(&authority, &options.common);
	if (!code)
		code = make(&authority, &options, &new, &parent, &permits);
	ca_create_wipe(&new);
	signer_wipe(&parent);
	authority_close(&authority);
	return code;
}

const struct command command_sub = { &usage, run };
