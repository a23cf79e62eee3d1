/* valise-pki revoke: from the inventory into the CRL, at once. */
#include <stdio.h>
#include <string.h>

#include "pki/crl.h"
#include "pki/tool/authority.h"
#include "pki/tool/command.h"
#include "pki/tool/output.h"
#include "pki/tool/publish.h"
#include "pki/tool/say.h"

struct revoke_options {
	struct common common;
	const char *reason;
};

static const struct option_row rows[] = {
	{ "reason", OPTION_TEXT, offsetof(struct revoke_options, reason), "WORD",
	  "of RFC 5280: keyCompromise, superseded ... (default: unspecified)", 0 },
	{ 0 }
};

static const struct usage usage = {
	"revoke", "NAME|SERIAL", 1, 1, "Revokes every living certificate of NAME, or the one with SERIAL, and writes the CRL.",
	rows, false,
};

static int
read_reason(const char *word, enum crl_reason *reason)
{
	char list[256] = "";

	*reason = CRL_UNSPECIFIED;
	if (!word)
		return 0;
	for (unsigned i = 0; i < CRL_REASONS; i++) {
		size_t used = strlen(list);

		if (i == 7)
			continue;
		if (strcmp(word, crl_reason_word(i)) == 0) {
			*reason = (enum crl_reason)i;
			return i != CRL_REMOVE ? 0 : say_fail(EX_USAGE, "removeFromCRL is for delta CRLs; "
			    "`valise-pki unhold` takes a certificate off the CRL");
		}
		snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", crl_reason_word(i));
	}
	return say_fail(EX_USAGE, "--reason '%s' is none of RFC 5280's: %s", word, list);
}

/* A held certificate may be revoked for good; a revoked one stays as it is. */
static int
mark(struct authority *authority, const struct record *record, bool by_name, enum crl_reason reason)
{
	static const char by_name_sql[] = "UPDATE certificate SET revoked_at = ?, reason = ? WHERE name = ? AND "
	    "(revoked_at IS NULL OR reason = 6) AND (not_after >= ? OR current = 1)";
	static const char by_id_sql[] = "UPDATE certificate SET revoked_at = ?, reason = ? WHERE id = ? AND "
	    "(revoked_at IS NULL OR reason = 6)";
	char serial[SERIAL_HEX];
	int code = by_name ?
	    store_do(&authority->store, by_name_sql, "iiti", authority->now, (int64_t)reason, record->name, authority->now) :
	    store_do(&authority->store, by_id_sql, "iii", authority->now, (int64_t)reason, record->id);

	if (code || sqlite3_changes(authority->store.db) > 0)
		return code;
	return say_fail(EX_DATAERR, "'%s', serial %s, is revoked already", record->name, record_serial(record, serial));
}

static int
revoke(struct authority *authority, struct signer *signer, const struct record *record, bool by_name, enum crl_reason reason)
{
	int code = store_begin(&authority->store);

	if (!code)
		code = mark(authority, record, by_name, reason);
	if (!code)
		code = publish_crl(&authority->store, signer, 0, authority->now);
	if (!code)
		code = publish_bundles(&authority->store, signer->ca.role);
	return code ? code : store_commit(&authority->store);
}

static int
print(const struct authority *authority, const struct record *record, const struct signer *signer, enum crl_reason reason)
{
	char serial[SERIAL_HEX], crl[PATH_MAX];

	snprintf(crl, sizeof(crl), "%s/%s.crl", authority->store.dir, signer->ca.role);
	return output_print(authority->common, json_pack("{s:s, s:s, s:s, s:o, s:s, s:I, s:o, s:s}", "revoked", record->name,
	    "serial", record_serial(record, serial), "reason", crl_reason_word(reason),
	    "revoked_at", output_json_time(authority->now), "issuer", signer->ca.name,
	    "crl_number", (json_int_t)signer->ca.crl_number, "crl_next_update", output_json_time(signer->ca.crl_next), "crl", crl));
}

static int
run(int argc, char **argv)
{
	struct revoke_options options = { 0 };
	struct authority authority = { 0 };
	struct signer signer = { 0 };
	struct operands operands;
	struct record record;
	struct ca ca;
	enum crl_reason reason;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	code = read_reason(options.reason, &reason);
	if (!code)
		code = authority_open(&authority, &options.common);
	if (!code)
		code = record_find(&authority.store, operands.at[0], &record);
	if (!code)
		code = ca_by_id(&authority.store, record.issuer, &ca);
	if (!code && ca.parent == ca.id && strcmp(record.name, ca.name) == 0)
		code = say_fail(EX_USAGE, "a root cannot be revoked; take it out of every *_cas file instead");
	if (!code)
		code = signer_open(&authority.store, ca.name, &authority.passphrase, &signer);
	if (!code)
		code = revoke(&authority, &signer, &record, strcmp(record.name, operands.at[0]) == 0, reason);
	if (!code)
		code = print(&authority, &record, &signer, reason);
	signer_wipe(&signer);
	authority_close(&authority);
	return code;
}

const struct command command_revoke = { &usage, run };
