/* valise-pki init: a root, one intermediate for each role, everything that needs no
 * second thought. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"
#include "pki/tool/command.h"
#include "pki/tool/describe.h"
#include "pki/tool/dn.h"
#include "pki/tool/ca_create.h"
#include "pki/tool/output.h"
#include "pki/tool/profile.h"
#include "pki/tool/publish.h"
#include "pki/tool/message.h"

enum { CAS = 1 + PROFILES, ORGANISATION_MOST = 48 };

struct init_options {
	struct common common;
	const char *name;
	int64_t seconds;
	struct ca_key_options key;
};

static const struct option_row rows[] = {
	{ "name", OPTION_TEXT, offsetof(struct init_options, name), "TEXT",
	    "what the CAs are called (default: Valise and six random digits)", 0 },
	{ "days", OPTION_DAYS, offsetof(struct init_options, seconds), "N",
	    "lifetime of the CAs (default: 3650)", 0 },
	CA_KEY_OPTION_ROWS(struct init_options, key), { 0 }
};

static const struct synopsis usage = {
	"init",
	"",
	0,
	0,
	"Makes an authority in a new directory.",
	rows,
};

static int
plan(struct new_ca *cas, const struct init_options *options, const char *organisation)
{
	int64_t seconds = options->seconds ? options->seconds : CA_S;

	cas[0] = (struct new_ca){ .name = "root",
		.role = "root",
		.organisation = organisation,
		.path_length = 2,
		.seconds = seconds };
	for (size_t i = 0; i < PROFILES; i++)
		cas[1 + i] = (struct new_ca){ .name = profile_all[i].role,
			.role = profile_all[i].role,
			.organisation = organisation,
			.path_length = profile_all[i].granted ? 1 : 0,
			.purposes = profile_all[i].purposes,
			.seconds = seconds };
	return 0;
}

static int
take_count(void *arg, sqlite3_stmt *row)
{
	*(int64_t *)arg = sqlite3_column_int64(row, 0);
	return 0;
}

static int
refuse_second(struct authority *authority)
{
	int64_t count = 0;
	int code = store_each(&authority->store, take_count, &count, "SELECT count(*) FROM ca", "");

	return code || count == 0
	    ? code
	    : message_fail(EX_CANTCREAT, "%s holds an authority already; give another directory",
		  authority->store.dir);
}

/* Before anybody is asked for a passphrase; create_all() looks again under the lock. */
static int
refuse_at_once(struct authority *authority, const char *dir)
{
	char path[PATH_MAX];
	int code;

	if ((size_t)snprintf(path, sizeof path, "%s/inventory.db", dir) >= sizeof path ||
	    access(path, F_OK) < 0)
		return 0;
	code = store_create(&authority->store, dir);
	if (!code)
		code = refuse_second(authority);
	store_close(&authority->store);
	return code;
}

static int
create_all(struct authority *authority, struct new_ca *cas)
{
	int code = store_begin(&authority->store);

	if (!code)
		code = refuse_second(authority);
	for (size_t i = 0; !code && i < CAS; i++)
		code = ca_create(authority, &cas[i], i ? &cas[0].signer : NULL);
	if (!code)
		code = publish_bundles(&authority->store, "root");
	return code ? code : store_commit(&authority->store);
}

static int
print(const struct authority *authority, const struct new_ca *cas)
{
	json_t *list = json_array(), *object = json_object();

	json_object_set_new(object, "directory", json_string(authority->store.dir));
	for (size_t i = 0; i < CAS; i++)
		json_array_append_new(list,
		    json_pack("{s:s, s:o, s:o}", "name", cas[i].name, "not_after",
			output_json_time(
			    gnutls_x509_crt_get_expiration_time(cas[i].signer.certificate)),
			"sha256", describe_fingerprint(cas[i].signer.certificate)));
	json_object_set_new(object, "ca", list);
	return output_print(authority->common, object);
}

static int
run(int argc, char **argv)
{
	struct init_options options = { 0 };
	struct authority authority = { .common = &options.common,
		.passphrase = { .common = &options.common, PASSPHRASE_OF_CA_KEYS } };
	struct new_ca cas[CAS] = { 0 };
	struct operands operands;
	char organisation[64], digits[7];
	uint8_t random[3];
	const char *dir;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	if (!(dir = authority_directory(&options.common)))
		return EX_USAGE;
	if (options.name && strlen(options.name) > ORGANISATION_MOST)
		return message_fail(EX_USAGE, "init: --name '%s': at most %d bytes", options.name,
		    ORGANISATION_MOST);
	if (options.name && (!*options.name || !dn_is_text(options.name, strlen(options.name))))
		return message_fail(EX_USAGE,
		    "init: --name is empty, is not UTF-8, or has characters that cannot be seen; "
		    "give the name of an organisation");
	arc4random_buf(random, sizeof random);
	snprintf(organisation, sizeof organisation, "%s%s", options.name ? options.name : "Valise ",
	    options.name ? "" : hex_encode(digits, random, sizeof random));
	authority.now = clock_wall_s();
	plan(cas, &options, organisation);
	code = refuse_at_once(&authority, dir);
	for (size_t i = 0; !code && i < CAS; i++)
		code = ca_create_key(&authority, &cas[i], &options.key);
	if (!code)
		code = store_create(&authority.store, dir);
	if (!code)
		code = create_all(&authority, cas);
	if (!code)
		code = print(&authority, cas);
	for (size_t i = 0; i < CAS; i++)
		ca_create_wipe(&cas[i]);
	authority_close(&authority);
	return code;
}

const struct command command_init = { &usage, run };
