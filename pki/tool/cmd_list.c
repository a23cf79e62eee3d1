/* valise-pki list: a line a certificate. */
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "pki/crl.h"
#include "pki/tool/authority.h"
#include "pki/tool/command.h"
#include "pki/tool/output.h"
#include "pki/tool/message.h"

struct list_options {
	struct common common;
	bool revoked, all;
	int64_t expiring;
};

static const struct option_row rows[] = {
	{ "expiring", OPTION_SPAN, offsetof(struct list_options, expiring), "TIME",
	    "only current ones that end within TIME (30d), or have ended", 0 },
	{ "revoked", OPTION_FLAG, offsetof(struct list_options, revoked), NULL,
	    "only revoked and held ones", 0 },
	{ "all", OPTION_FLAG, offsetof(struct list_options, all), NULL,
	    "all there ever were, also those that renew and rekey replaced", 0 },
	{ 0 }
};

static const struct synopsis usage = {
	"list",
	"[NAME]",
	0,
	1,
	"Lists the newest 250 certificates: state, kind, name, end, serial, hosts.",
	rows,
};

/* More than this is for programs, which say --json or --all. */
enum { LINES_MOST = 250 };

struct list_output {
	const struct authority *authority;
	json_t *list; /* with --json */
	bool more;    /* than are shown */
};

static const char *
state_of(const struct record *record, int64_t now)
{
	if (record->revoked_at)
		return record->reason == CRL_HOLD ? "held" : "revoked";
	if (record->not_after <= now)
		return "expired";
	return record->current ? "valid" : "replaced";
}

static int
add_json(struct list_output *listing, const struct record *record)
{
	char serial[SERIAL_HEX];
	bool revoked = record->revoked_at != 0;
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "state",
	    state_of(record, listing->authority->now), "kind", record->kind, "name", record->name,
	    "serial", record_serial(record, serial), "hosts", record->hosts, "not_before",
	    output_json_time(record->not_before), "not_after", output_json_time(record->not_after),
	    "revoked_at", revoked ? output_json_time(record->revoked_at) : json_null(), "reason",
	    revoked ? json_string(crl_reason_word((unsigned)record->reason)) : json_null());

	return row && json_array_append_new(listing->list, row) == 0 ? 0 : message_no_memory();
}

static int
on_record(void *arg, const struct record *record)
{
	struct list_output *listing = arg;
	char serial[SERIAL_HEX], end[TIME_TEXT];

	if (listing->list)
		return add_json(listing, record);
	printf("%-8s %-6s %-24s %s %s %s\n", state_of(record, listing->authority->now),
	    record->kind, record->name, time_text(record->not_after, end),
	    record_serial(record, serial), record->hosts);
	return 0;
}

static int
take_id(void *arg, sqlite3_stmt *row)
{
	*(int64_t *)arg = sqlite3_column_int64(row, 0);
	return 0;
}

/* The newest ones, the oldest of them first. */
static int
list_current(struct authority *authority, struct list_output *listing)
{
	int64_t first = 0;
	int code = 0;

	if (!listing->list)
		code = store_each(&authority->store, take_id, &first,
		    "SELECT id FROM certificate WHERE current = 1 "
		    "ORDER BY id DESC LIMIT 1 OFFSET ?",
		    "i", (int64_t)LINES_MOST);
	listing->more = first != 0;
	return code ? code
		    : record_each(&authority->store, on_record, listing,
			  "WHERE current = 1 AND id > ? ORDER BY id", "i", first);
}

static int
list_chosen(struct authority *authority, const struct list_options *options,
    const struct operands *operands, struct list_output *listing)
{
	int64_t until = authority->now + options->expiring;

	if (operands->count)
		return record_each(&authority->store, on_record, listing,
		    "WHERE name = ? ORDER BY id", "t", operands->at[0]);
	if (options->revoked)
		return record_each(&authority->store, on_record, listing,
		    "WHERE revoked_at IS NOT NULL ORDER BY id", "");
	if (options->expiring)
		return record_each(&authority->store, on_record, listing,
		    "WHERE not_after < ? AND current = 1 AND "
		    "(revoked_at IS NULL OR reason = 6) ORDER BY not_after",
		    "i", until);
	if (options->all)
		return record_each(&authority->store, on_record, listing, "ORDER BY id", "");
	return list_current(authority, listing);
}

static int
list(struct authority *authority, const struct list_options *options,
    const struct operands *operands)
{
	struct list_output listing = { .authority = authority,
		.list = options->common.json ? json_array() : NULL };
	int code = list_chosen(authority, options, operands, &listing);

	if (!code && listing.list)
		return output_print(authority->common, listing.list);
	json_decref(listing.list);
	if (!code && fflush(stdout) != 0)
		code = message_fail(EX_IOERR, "standard output cannot be written");
	if (!code && listing.more)
		message_note("older ones are not listed; name one, or say --all or --json");
	return code;
}

static int
run(int argc, char **argv)
{
	struct list_options options = { 0 };
	struct authority authority = { .reads = true };
	struct operands operands;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	code = authority_open(&authority, &options.common);
	if (!code)
		code = list(&authority, &options, &operands);
	authority_close(&authority);
	return code;
}

const struct command command_list = { &usage, run };
