/* valise-pki verify: would a relay or an agent believe this certificate, and if not, why not? */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "pki/pem.h"
#include "pki/tool/authority.h"
#include "pki/tool/command.h"
#include "pki/tool/describe.h"
#include "pki/tool/output.h"
#include "pki/tool/message.h"
#include "pki/trust.h"
#include "pki/verify.h"
#include "sni/name.h"

struct verify_options {
	struct common common;
	const char *role, *serve;
	struct texts cas, crls;
};

static const struct option_row rows[] = { { "as", OPTION_TEXT,
					      offsetof(struct verify_options, role), "ROLE",
					      "agent, relay, server or client", 0 },
	{ "serve", OPTION_TEXT, offsetof(struct verify_options, serve), "NAME",
	    "and may it serve NAME? (agent, relay, server)", 0 },
	{ "cas", OPTION_TEXTS, offsetof(struct verify_options, cas), "FILE",
	    "believe these CAs (repeat; default: the authority's for the role)", 0 },
	{ "crls", OPTION_TEXTS, offsetof(struct verify_options, crls), "FILE",
	    "with these CRLs (repeat)", 0 },
	{ 0 } };

static const struct synopsis usage = {
	"verify",
	"FILE",
	1,
	1,
	"Says whether the first certificate of FILE would be believed, and why not. Exits 0 "
	"or 1.",
	rows,
};

static int
read_role(const char *word, enum role *role)
{
	for (int i = 0; word && i < ROLES; i++)
		if (strcmp(word, role_word((enum role)i)) == 0) {
			*role = (enum role)i;
			return 0;
		}
	return word ? message_fail(EX_USAGE,
			  "--as '%s' is not a role: give agent, relay, server or client", word)
		    : message_fail(EX_USAGE,
			  "verify: in which role? give --as agent, relay, server or client");
}

/* Where --cas is not given, the files that init made for the role. */
static int
load_trust(const struct verify_options *options, struct trust **trust)
{
	char cas[PATH_MAX], crls[PATH_MAX], file[64], label[64], error[TRUST_ERROR];
	struct authority authority = { .reads = true };
	const char *default_cas[] = { cas }, *default_crls[] = { crls };
	struct trust_sources sources = { .ca_files = options->cas.at,
		.ca_count = options->cas.count,
		.crl_files = options->crls.at,
		.crl_count = options->crls.count,
		.crls_configured = options->crls.count > 0,
		.expired = CRL_EXPIRED_REJECT,
		.label = "--cas" };

	if (options->cas.count == 0) {
		int code = authority_open(&authority, &options->common);

		snprintf(label, sizeof label, "%ss-ca.crt", options->role);
		store_path(&authority.store, label, cas);
		sources.label = label;
		snprintf(file, sizeof file, "%ss.crl", options->role);
		store_path(&authority.store, file, crls);
		authority_close(&authority);
		if (code)
			return code;
		sources.ca_files = default_cas;
		sources.ca_count = 1;
		if (options->crls.count == 0) {
			sources.crl_files = default_crls;
			sources.crl_count = 1;
			sources.crls_configured = true;
		}
	}
	*trust = trust_load(&sources, NULL, error, sizeof error);
	if (!*trust)
		return message_fail(EX_DATAERR, "%s", error);
	/* Of its own files an authority has told already. */
	for (size_t i = 0; options->cas.count && trust_warning(*trust, i); i++)
		message_warning("%s", trust_warning(*trust, i));
	return 0;
}

/* An agent's names are judged at each announcement, so beside the chain. */
static void
judge_name(const struct identity *identity, const char *serve, struct verdict *verdict)
{
	char name[NAME_SIZE];

	if (!name_normalise_pattern(name, serve, strlen(serve))) {
		verdict->code = VERIFY_NAME_MISMATCH;
		snprintf(verdict->sentence, sizeof verdict->sentence,
		    "'%.100s' is not a server name", serve);
	} else if (identity_covers(identity, name, NULL) == COVER_NONE) {
		verdict->code = VERIFY_NAME_MISMATCH;
		verdict->position = 0;
		snprintf(verdict->sentence, sizeof verdict->sentence,
		    "no name in the certificate of '%s' covers %s", identity_name(identity), name);
	}
}

static int
print(const struct common *common, const struct identity *identity, const struct verdict *verdict,
    const char *role)
{
	bool believed = verdict->code == VERIFY_OK;
	json_t *object = json_pack("{s:b, s:s}", "believed", believed, "as", role);

	if (!believed) {
		json_object_set_new(object, "code", json_string(verify_code_word(verdict->code)));
		json_object_set_new(object, "why", json_string(verdict->sentence));
		json_object_set_new(object, "position",
		    verdict->position < 0 ? json_null() : json_integer(verdict->position));
	} else {
		json_object_set_new(object, "name", json_string(identity_name(identity)));
		json_object_set_new(object, "subject", json_string(identity_subject(identity)));
		json_object_set_new(
		    object, "until", output_json_time(identity_not_after(identity)));
		json_object_set_new(object, "grant",
		    identity_grant(identity) ? describe_grant(identity_grant(identity))
					     : json_null());
	}
	return output_print(common, object);
}

static int
judge(const struct verify_options *options, enum role role, struct trust *trust,
    const struct pem_file *file)
{
	struct der chain[VERIFY_CHAIN];
	struct verdict verdict = { 0 };
	struct identity *identity;
	size_t count = file->count < VERIFY_CHAIN ? file->count : VERIFY_CHAIN;
	int code;

	for (size_t i = 0; i < count; i++)
		chain[i] = pem_block(file, i);
	identity = verify_chain(trust, role, chain, count,
	    role == ROLE_AGENT ? NULL : options->serve, clock_wall_s(), &verdict);
	if (identity && role == ROLE_AGENT && options->serve)
		judge_name(identity, options->serve, &verdict);
	if (verdict.code == VERIFY_INTERNAL) /* neither yes nor no */
		return message_fail(EX_OSERR, "%s", verdict.sentence);
	code = print(&options->common, identity, &verdict, options->role);
	if (!code && verdict.code != VERIFY_OK)
		code = 1;
	if (identity)
		identity_release(identity);
	return code;
}

static int
run(int argc, char **argv)
{
	struct verify_options options = { 0 };
	struct operands operands;
	struct pem_file file = { 0 };
	struct trust *trust = NULL;
	char error[PEM_ERROR];
	enum role role = ROLE_AGENT;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	code = read_role(options.role, &role);
	if (!code && role == ROLE_CLIENT && options.serve)
		code = message_fail(EX_USAGE, "verify: a client serves nothing; leave --serve out");
	if (!code)
		code = load_trust(&options, &trust);
	if (!code && !pem_load(&file, operands.at[0], PEM_CERTIFICATE, error))
		code = message_fail(EX_NOINPUT, "%s", error);
	if (!code) {
		code = judge(&options, role, trust, &file);
		pem_wipe(&file);
	}
	trust_release(trust);
	return code;
}

const struct command command_verify = { &usage, run };
