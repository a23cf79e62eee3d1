/* valise-pki renew, rekey: the same certificate again, with the same key or a new one. */
#include <stdio.h>
#include <string.h>

#include "pki/tool/ceiling.h"
#include "pki/tool/command.h"
#include "pki/tool/csr.h"
#include "pki/tool/ca_create.h"
#include "pki/tool/leaf_key.h"
#include "pki/tool/publish.h"
#include "pki/tool/message.h"

struct renew_options {
	struct common common;
	int64_t seconds;
	struct leaf_key_options key; /* of rekey */
	const char *csr;
};

#define LIFETIME_ROWS \
	{ "days", OPTION_DAYS, offsetof(struct renew_options, seconds), "N", \
		"lifetime (default: as for a new one)", 0 }, \
	{ \
		"valid-for", OPTION_SPAN, offsetof(struct renew_options, seconds), "TIME", \
		    "... the same as 12h or 90s", 0 \
	}

static const struct option_row rows[] = { LIFETIME_ROWS, { 0 } };
static const struct option_row rekey_rows[] = { LIFETIME_ROWS,
	LEAF_KEY_OPTION_ROWS(struct renew_options, key),
	{ "csr", OPTION_TEXT, offsetof(struct renew_options, csr), "FILE",
	    "the new key is the one of this request", 0 },
	{ 0 } };

static const struct synopsis usage = {
	"renew",
	"NAME",
	1,
	1,
	"Issues a certificate again for the same key; also a CA's. The old one stays "
	"revocable.",
	rows,
};
static const struct synopsis rekey_usage = {
	"rekey",
	"NAME",
	1,
	1,
	"Issues a certificate again for a new key. The old one stays revocable.",
	rekey_rows,
};

/* Names, kind and grant as they are in the certificate. */
static int
read_leaf(
    struct leaf *leaf, const struct record *record, gnutls_x509_crt_t certificate, int64_t seconds)
{
	bool granted;
	int code = names_of_certificate(&leaf->names, certificate);

	leaf->profile = profile_of_kind(record->kind);
	leaf->name = record->name;
	leaf->seconds = seconds;
	leaf->replaces = true;
	leaf->key_place = record->key;
	if (!code && !leaf->profile)
		code = message_fail(EX_DATAERR,
		    "the inventory holds '%s' as '%s', which is not a kind that this program knows",
		    record->name, record->kind);
	return code ? code : ceiling_of(certificate, &leaf->grant, &granted);
}

static int
keep_key(struct leaf *leaf, gnutls_x509_crt_t certificate, struct leaf_key *key)
{
	if (gnutls_pubkey_init(&key->public) < 0 ||
	    gnutls_pubkey_import_x509(key->public, certificate, 0) < 0)
		return message_no_memory();
	leaf->key = key->public;
	leaf->keeps_key = true;
	return 0;
}

static int
take_requested_key(struct leaf *leaf, const char *csr, struct leaf_key *key)
{
	gnutls_x509_crq_t request = NULL;
	int code = csr_load(csr, &request);

	if (!code)
		code = csr_public(request, &key->public);
	gnutls_x509_crq_deinit(request);
	leaf->key = key->public;
	leaf->key_place = NULL;
	return code;
}

static int
make_new_key(struct authority *authority, const struct renew_options *options,
    const struct record *record, struct leaf *leaf, struct leaf_key *key)
{
	char own[CA_NAME + 16];

	snprintf(own, sizeof own, "issued/%s.key", record->name);
	if (options->csr)
		return take_requested_key(leaf, options->csr, key);
	if (!options->key.key && !options->key.token && strcmp(record->key, own) != 0)
		return message_fail(EX_USAGE,
		    "the key of '%s' is not kept here (%s); give --csr FILE, --key or --token",
		    record->name, *record->key ? record->key : "it was signed for a request");
	return leaf_key_make(authority, &options->key, leaf, key);
}

static int
issue_again(struct authority *authority, const struct renew_options *options,
    const struct record *record, bool rekey)
{
	struct leaf leaf = { 0 };
	struct leaf_key key = { 0 };
	struct signer signer = { 0 };
	struct record renewed;
	struct ca ca;
	gnutls_x509_crt_t certificate = NULL;
	int code = record_certificate(&authority->store, record->id, &certificate);

	if (!code)
		code = read_leaf(&leaf, record, certificate, options->seconds);
	if (!code)
		code = ca_by_id(&authority->store, record->issuer, &ca);
	if (!code)
		code = signer_open(&authority->store, ca.name, &authority->passphrase, &signer);
	if (!code)
		code = leaf_judge(&authority->store, &signer, &leaf);
	if (!code)
		code = rekey ? make_new_key(authority, options, record, &leaf, &key)
			     : keep_key(&leaf, certificate, &key);
	if (!code)
		code = leaf_issue(authority, &signer, &leaf, &renewed);
	if (!code)
		code = leaf_print(authority, &renewed);
	gnutls_x509_crt_deinit(certificate);
	leaf_key_wipe(&key);
	signer_wipe(&signer);
	return code;
}

static int
again(const struct renew_options *options, const char *name, bool rekey)
{
	struct authority authority = { 0 };
	struct record record;
	bool found;
	int code = authority_open(&authority, &options->common);

	if (!code)
		code = record_look_up(&authority.store, name, &record, &found);
	if (!code && !found)
		code = message_fail(EX_NOINPUT,
		    "'%s': no certificate of this name here; see `valise-pki list`", name);
	if (!code && !rekey)
		code = leaf_may_be_renewed(&record);
	if (!code && strcmp(record.kind, "ca") == 0)
		code = rekey
		    ? message_fail(EX_USAGE,
			  "a CA's key is not changed in place: make another sub-CA or authority, "
			  "and list both in *_cas until the last certificate of the old one has ended")
		    : ca_renew(&authority, &record, options->seconds);
	else if (!code)
		code = issue_again(&authority, options, &record, rekey);
	authority_close(&authority);
	return code;
}

static int
run(int argc, char **argv)
{
	struct renew_options options = { 0 };
	struct operands operands;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	return again(&options, operands.at[0], false);
}

static int
run_rekey(int argc, char **argv)
{
	struct renew_options options = { 0 };
	struct operands operands;
	int code;

	if (!options_read(&rekey_usage, argc, argv, &options, &operands, &code))
		return code;
	return again(&options, operands.at[0], true);
}

const struct command command_renew = { &usage, run };
const struct command command_rekey = { &rekey_usage, run_rekey };
