/* valise-pki crl: new CRLs with new dates, for a timer. */
#include <string.h>

#include "pki/tool/authority.h"
#include "pki/tool/command.h"
#include "pki/tool/crl_import.h"
#include "pki/tool/output.h"
#include "pki/tool/publish.h"
#include "pki/tool/message.h"

enum { CAS_MOST = 1024 };

struct crl_options {
	struct common common;
	bool all, due;
	int64_t seconds;
	const char *import;
};

static const struct option_row rows[] = { { "all", OPTION_FLAG, offsetof(struct crl_options, all),
					      NULL, "of every CA", 0 },
	{ "due", OPTION_FLAG, offsetof(struct crl_options, due), NULL,
	    "only where less than half of the CRL's life is left", 0 },
	{ "days", OPTION_DAYS, offsetof(struct crl_options, seconds), "N",
	    "lifetime, from now on for this CA (at first: 14)", 0 },
	{ "valid-for", OPTION_SPAN, offsetof(struct crl_options, seconds), "TIME",
	    "... the same as 12h or 90s", 0 },
	{ "import", OPTION_TEXT, offsetof(struct crl_options, import), "FILE",
	    "take the CRL of a CA whose owner issues it (sub --csr)", 0 },
	{ 0 } };

static const struct synopsis usage = {
	"crl",
	"[CA...]",
	0,
	-1,
	"Writes new CRLs: crls/CA.crl, and the bundles ROLE.crl.",
	rows,
};

struct chosen {
	size_t count;
	struct signer signers[CAS_MOST];
	struct authority *authority;
	bool due; /* only those */
};

/* Half, so that a timer may fail for days before anybody is warned. */
static bool
is_due(const struct ca *ca, int64_t now)
{
	return ca->crl_next - now < ca->crl_seconds / 2;
}

static int
choose(void *arg, const struct ca *ca)
{
	struct chosen *chosen = arg;

	if (chosen->due && !is_due(ca, chosen->authority->now))
		return 0;
	if (chosen->count == CAS_MOST)
		return message_fail(
		    EX_UNAVAILABLE, "more than %d CAs; name some of them", CAS_MOST);
	return signer_open(&chosen->authority->store, ca->name, &chosen->authority->passphrase,
	    &chosen->signers[chosen->count++]);
}

/* The others are issued elsewhere. */
static int
choose_ours(void *arg, const struct ca *ca)
{
	return *ca->key ? choose(arg, ca) : 0;
}

static int
choose_named(struct chosen *chosen, const struct operands *operands)
{
	struct ca ca;
	int code = 0;

	for (int i = 0; !code && i < operands->count; i++) {
		code = ca_find(&chosen->authority->store, operands->at[i], &ca);
		if (!code)
			code = choose(chosen, &ca);
	}
	return code;
}

static int
write_all(struct chosen *chosen, int64_t seconds)
{
	struct store *store = &chosen->authority->store;
	int code;

	if (chosen->count == 0)
		return 0;
	code = store_begin(store);
	for (size_t i = 0; !code && i < chosen->count; i++)
		code = publish_crl(store, &chosen->signers[i], seconds, chosen->authority->now);
	if (!code)
		code = publish_bundles(
		    store, chosen->count == 1 ? chosen->signers[0].ca.role : "root");
	return code ? code : store_commit(store);
}

static json_t *
describe(const struct ca *ca)
{
	return json_pack("{s:s, s:I, s:o}", "ca", ca->name, "crl_number",
	    (json_int_t)ca->crl_number, "next_update", output_json_time(ca->crl_next));
}

static int
print(const struct chosen *chosen)
{
	json_t *list = json_array();

	for (size_t i = 0; i < chosen->count; i++)
		json_array_append_new(list, describe(&chosen->signers[i].ca));
	return output_print(chosen->authority->common, list);
}

static int
apply(
    struct authority *authority, const struct crl_options *options, const struct operands *operands)
{
	struct chosen *chosen = calloc(1, sizeof *chosen);
	int code;

	if (!chosen)
		return message_no_memory();
	chosen->authority = authority;
	chosen->due = options->due;
	code = options->all ? ca_each(&authority->store, choose_ours, chosen)
			    : choose_named(chosen, operands);
	if (!code)
		code = write_all(chosen, options->seconds);
	if (!code)
		code = print(chosen);
	for (size_t i = 0; i < chosen->count; i++)
		signer_wipe(&chosen->signers[i]);
	free(chosen);
	return code;
}

static int
import(
    struct authority *authority, const struct crl_options *options, const struct operands *operands)
{
	struct ca ca;
	int code = crl_import(authority, operands->at[0], options->import, &ca);

	return code ? code : output_print(authority->common, json_pack("[o]", describe(&ca)));
}

static int
refuse_senseless(const struct crl_options *options, int count)
{
	if (options->import && (options->all || options->due || options->seconds || count != 1))
		return message_fail(
		    EX_USAGE, "crl: --import goes with the one CA whose CRL is in the file, alone");
	return options->all == (count > 0) ? message_fail(EX_USAGE, "crl: name CAs, or say --all")
					   : 0;
}

static int
run(int argc, char **argv)
{
	struct crl_options options = { 0 };
	struct authority authority = { 0 };
	struct operands operands;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	code = refuse_senseless(&options, operands.count);
	if (code)
		return code;
	code = authority_open(&authority, &options.common);
	if (!code)
		code = (options.import ? import : apply)(&authority, &options, &operands);
	authority_close(&authority);
	return code;
}

const struct command command_crl = { &usage, run };
