/* valise-pki revoke, hold, unhold: onto the CRL and, of a hold, off it again, at once. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "pki/crl.h"
#include "pki/tool/authority.h"
#include "pki/tool/command.h"
#include "pki/tool/output.h"
#include "pki/tool/publish.h"
#include "pki/tool/message.h"

struct revoke_options {
	struct common common;
	const char *reason;
};

static const struct option_row rows[] = {
	{ "reason", OPTION_TEXT, offsetof(struct revoke_options, reason), "WORD",
	    "of RFC 5280: keyCompromise, superseded ... (default: unspecified)", 0 },
	{ 0 }
};

static const struct synopsis usage = {
	"revoke",
	"NAME|SERIAL",
	1,
	1,
	"Revokes every living certificate of NAME, or the one with SERIAL, and writes the CRL.",
	rows,
};
static const struct synopsis hold_usage = {
	"hold",
	"NAME|SERIAL",
	1,
	1,
	"Revokes for the time being (certificateHold); unhold takes it back.",
	NULL,
};
static const struct synopsis unhold_usage = {
	"unhold",
	"NAME|SERIAL",
	1,
	1,
	"Takes what is held off the CRL.",
	NULL,
};

/* What the row becomes. */
struct change {
	bool listed;
	enum crl_reason reason;
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
		/* OpenSSL writes CACompromise */
		if (strcasecmp(word, crl_reason_word(i)) == 0) {
			*reason = (enum crl_reason)i;
			return i != CRL_REMOVE
			    ? 0
			    : message_fail(EX_USAGE,
				  "removeFromCRL is for delta CRLs; "
				  "`valise-pki unhold` takes a certificate off the CRL");
		}
		snprintf(
		    list + used, sizeof list - used, "%s%s", used ? ", " : "", crl_reason_word(i));
	}
	return message_fail(EX_USAGE, "--reason '%s' is not a reason of RFC 5280: %s", word, list);
}

/* A held certificate may be revoked for good or let go; a revoked one stays as it is. */
static int
mark(struct authority *authority, const struct record *record, bool by_name,
    const struct change *change)
{
	static const char list_named[] =
	    "UPDATE certificate SET revoked_at = ?, reason = ? WHERE name = ? AND "
	    "(revoked_at IS NULL OR reason = 6 AND ?2 != 6) AND (not_after >= ? OR current = 1)";
	static const char list_one[] =
	    "UPDATE certificate SET revoked_at = ?, reason = ? WHERE id = ? AND "
	    "(revoked_at IS NULL OR reason = 6 AND ?2 != 6)";
	static const char let_go[] =
	    "UPDATE certificate SET revoked_at = NULL, reason = NULL WHERE reason = 6 AND "
	    "revoked_at IS NOT NULL AND (id = ? OR ? AND name = ?)";
	struct store *store = &authority->store;
	char serial[SERIAL_HEX];
	int code;

	if (!change->listed)
		code = store_do(store, let_go, "iit", record->id, (int64_t)by_name, record->name);
	else if (by_name)
		code = store_do(store, list_named, "iiti", authority->now, (int64_t)change->reason,
		    record->name, authority->now);
	else
		code = store_do(
		    store, list_one, "iii", authority->now, (int64_t)change->reason, record->id);
	if (code || sqlite3_changes(store->db) > 0)
		return code;
	return message_fail(EX_DATAERR, "'%s', serial %s, is %s", record->name,
	    record_serial(record, serial), change->listed ? "revoked already" : "not held");
}

static int
apply(struct authority *authority, struct signer *signer, const struct record *record, bool by_name,
    const struct change *change)
{
	int code = store_begin(&authority->store);

	if (!code)
		code = mark(authority, record, by_name, change);
	if (!code)
		code = publish_crl(&authority->store, signer, 0, authority->now);
	if (!code)
		code = publish_bundles(&authority->store, signer->ca.role);
	return code ? code : store_commit(&authority->store);
}

static int
print(const struct authority *authority, const struct record *record, const struct signer *signer,
    const struct change *change)
{
	char serial[SERIAL_HEX], crl[PATH_MAX];

	snprintf(crl, sizeof crl, "%s/%s.crl", authority->store.dir, signer->ca.role);
	return output_print(authority->common,
	    json_pack("{s:s, s:s, s:o, s:s, s:I, s:o, s:s}", change->listed ? "revoked" : "let_go",
		record->name, "serial", record_serial(record, serial), "reason",
		change->listed ? json_string(crl_reason_word(change->reason)) : json_null(),
		"issuer", signer->ca.name, "crl_number", (json_int_t)signer->ca.crl_number,
		"crl_next_update", output_json_time(signer->ca.crl_next), "crl", crl));
}

static int
change_state(const struct common *common, const char *operand, const struct change *change)
{
	struct authority authority = { 0 };
	struct signer signer = { 0 };
	struct record record;
	struct ca ca;
	int code = authority_open(&authority, common);

	if (!code)
		code = record_find(&authority.store, operand, &record);
	if (!code)
		code = ca_by_id(&authority.store, record.issuer, &ca);
	if (!code && ca.parent == ca.id && strcmp(record.name, ca.name) == 0)
		code = message_fail(
		    EX_USAGE, "a root cannot be revoked; take it out of every *_cas file instead");
	if (!code)
		code = signer_open(&authority.store, ca.name, &authority.passphrase, &signer);
	if (!code)
		code =
		    apply(&authority, &signer, &record, strcmp(record.name, operand) == 0, change);
	if (!code)
		code = print(&authority, &record, &signer, change);
	signer_wipe(&signer);
	authority_close(&authority);
	return code;
}

static int
run(int argc, char **argv)
{
	struct revoke_options options = { 0 };
	struct change change = { .listed = true };
	struct operands operands;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	code = read_reason(options.reason, &change.reason);
	return code ? code : change_state(&options.common, operands.at[0], &change);
}

static int
run_hold(int argc, char **argv)
{
	struct common common = { 0 };
	struct operands operands;
	int code;

	if (!options_read(&hold_usage, argc, argv, &common, &operands, &code))
		return code;
	return change_state(&common, operands.at[0], &(struct change){ true, CRL_HOLD });
}

static int
run_unhold(int argc, char **argv)
{
	struct common common = { 0 };
	struct operands operands;
	int code;

	if (!options_read(&unhold_usage, argc, argv, &common, &operands, &code))
		return code;
	return change_state(&common, operands.at[0], &(struct change){ false, CRL_UNSPECIFIED });
}

const struct command command_revoke = { &usage, run };
const struct command command_hold = { &hold_usage, run_hold };
const struct command command_unhold = { &unhold_usage, run_unhold };
