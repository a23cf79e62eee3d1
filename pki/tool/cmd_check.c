/*
 * valise-pki check: for cron and for auditors.  Everything that ends is looked
 * at, every file is compared with the inventory, every key with its certificate.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/units.h"
#include "pki/content.h"
#include "pki/crl.h"
#include "pki/tool/authority.h"
#include "pki/tool/command.h"
#include "pki/tool/finding.h"
#include "pki/tool/key.h"
#include "pki/tool/output.h"
#include "pki/tool/profile.h"
#include "pki/tool/publish.h"
#include "pki/tool/message.h"
#include "pki/tool/token.h"

struct check_options {
	struct common common;
	int64_t within;
	struct texts offline;
};

static const struct option_row rows[] = {
	{ "within", OPTION_SPAN, offsetof(struct check_options, within), "TIME",
	    "a certificate that ends within TIME ends soon (default: a third of its life, at most "
	    "30d, a CA 397d)",
	    0 },
	{ "offline", OPTION_TEXTS, offsetof(struct check_options, offline), "CA",
	    "the key of this CA is kept elsewhere (repeat)", 0 },
	{ 0 }
};

static const struct synopsis usage = {
	"check",
	"",
	0,
	0,
	"Looks at everything. Exits 0: fine, 2: something ends soon, 1: something ended or "
	"is wrong.",
	rows,
};

struct check {
	struct authority *authority;
	int64_t within;
	const struct texts *offline;
	struct findings findings;
};

static int
judge_end(struct check *check, const char *what, int64_t end, int64_t soon, const char *cure)
{
	int64_t now = check->authority->now;
	char text[TIME_TEXT];

	if (end <= now)
		return findings_add(&check->findings, FINDING_EXPIRED, "%s ended %s; %s", what,
		    time_text(end, text), cure);
	if (end - soon <= now)
		return findings_add(&check->findings, FINDING_SOON, "%s ends %s; %s", what,
		    time_text(end, text), cure);
	return 0;
}

static int
check_crl(void *arg, const struct ca *ca)
{
	struct check *check = arg;
	char what[CA_NAME + 32];
	struct record record;
	bool found;
	int code = record_look_up(&check->authority->store, ca->name, &record, &found);

	if (code || record.revoked_at)
		return code;
	snprintf(what, sizeof what, "the CRL of '%s'", ca->name);
	if (!ca->crl_next)
		return findings_add(&check->findings, FINDING_WARNING,
		    "%s is not here, and relays refuse the agents of a CA without one; %s", what,
		    authority_crl_cure(ca));
	return judge_end(check, what, ca->crl_next, ca->crl_seconds / 3, authority_crl_cure(ca));
}

static int
check_certificate(void *arg, const struct record *record)
{
	struct check *check = arg;
	bool is_ca = strcmp(record->kind, "ca") == 0;
	int64_t third = (record->not_after - record->not_before - BACKDATE_S) / 3,
		most = is_ca ? 397 * DAY_S : 30 * DAY_S;
	char what[CA_NAME + 64], cure[CA_NAME + 64];

	snprintf(what, sizeof what, "%s '%s'", is_ca ? "the CA" : record->kind, record->name);
	snprintf(cure, sizeof cure, "`valise-pki renew %s`%s", record->name,
	    is_ca ? "" : ", or revoke it if it is no longer used");
	return judge_end(check, what, record->not_after,
	    check->within      ? check->within
		: third < most ? third
			       : most,
	    cure);
}

static int
compare_file(void *arg, const char *path, const void *data, size_t bytes)
{
	struct check *check = arg;
	char whole[PATH_MAX], error[FILE_ERROR];
	struct secret file = { 0 };
	struct stat status;
	int code = 0;

	store_path(&check->authority->store, path, whole);
	if (stat(whole, &status) < 0)
		return findings_add(
		    &check->findings, FINDING_WRONG, "%s: %s", path, strerror(errno));
	if (status.st_mode & (S_IWGRP | S_IWOTH))
		code = findings_add(&check->findings, FINDING_WRONG,
		    "%s may be written by others; chmod 644 it", path);
	if (!code && (size_t)status.st_size == bytes && !file_read(&file, whole, bytes + 1, error))
		return findings_add(&check->findings, FINDING_WRONG, "%s", error);
	if (!code && (file.bytes != bytes || memcmp(file.data, data, bytes) != 0))
		code = findings_add(
		    &check->findings, FINDING_WRONG, "%s is not what the inventory says", path);
	secret_wipe(&file);
	return code;
}

/* A key in clear is compared with its certificate; of an encrypted one only the file is
 * looked at. */
static bool
is_pair(const struct secret *pem, gnutls_x509_crt_t certificate)
{
	const gnutls_datum_t data = { pem->data, (unsigned)pem->bytes };
	gnutls_x509_privkey_t key = NULL;
	uint8_t ids[2][20];
	size_t bytes[2] = { sizeof ids[0], sizeof ids[1] };
	bool pair = false;

	if (content_of_key_file(pem->data, pem->bytes).kind == CONTENT_ENCRYPTED_KEY)
		return true;
	if (gnutls_x509_privkey_init(&key) >= 0 &&
	    gnutls_x509_privkey_import(key, &data, GNUTLS_X509_FMT_PEM) >= 0)
		pair = gnutls_x509_privkey_get_key_id(key, 0, ids[0], &bytes[0]) >= 0 &&
		    gnutls_x509_crt_get_key_id(certificate, 0, ids[1], &bytes[1]) >= 0 &&
		    bytes[0] == bytes[1] && memcmp(ids[0], ids[1], bytes[0]) == 0;
	gnutls_x509_privkey_deinit(key);
	return pair;
}

static bool
is_offline(const struct check *check, const struct record *record)
{
	for (size_t i = 0; strcmp(record->kind, "ca") == 0 && i < check->offline->count; i++)
		if (strcmp(check->offline->at[i], record->name) == 0)
			return true;
	return false;
}

static int
check_key(void *arg, const struct record *record)
{
	struct check *check = arg;
	struct store *store = &check->authority->store;
	char whole[PATH_MAX], error[FILE_ERROR];
	const char *path =
	    *record->key == '/' ? record->key : store_path(store, record->key, whole);
	gnutls_x509_crt_t certificate = NULL;
	struct secret file = { 0 };
	int code;

	if (!*record->key || token_is_uri(record->key) || is_offline(check, record))
		return 0;
	if (!file_read_key(&file, path, 64 * 1024, error))
		return findings_add(&check->findings, FINDING_WRONG, "%s", error);
	code = record_certificate(store, record->id, &certificate);
	if (!code && !is_pair(&file, certificate))
		code = findings_add(&check->findings, FINDING_WRONG,
		    "%s is not the key of issued/%s.crt", record->key, record->name);
	gnutls_x509_crt_deinit(certificate);
	secret_wipe(&file);
	return code;
}

/* issued/NAME.crt and .key that nobody has entered. */
static int
check_stray(struct check *check, const char *entry)
{
	const char *dot = strrchr(entry, '.');
	char name[CA_NAME];
	struct record record;
	bool found;
	int code;

	if (!dot || (strcmp(dot, ".crt") != 0 && strcmp(dot, ".key") != 0) ||
	    (size_t)(dot - entry) >= sizeof name)
		return 0;
	snprintf(name, sizeof name, "%.*s", (int)(dot - entry), entry);
	code = record_look_up(&check->authority->store, name, &record, &found);
	return code || found ? code
			     : findings_add(&check->findings, FINDING_WRONG,
				   "issued/%s is not in the inventory; move it away", entry);
}

static int
check_strays(struct check *check)
{
	char path[PATH_MAX];
	DIR *dir = opendir(store_path(&check->authority->store, "issued", path));
	struct dirent *entry;
	int code = dir
	    ? 0
	    : findings_add(&check->findings, FINDING_WRONG, "%s: %s", path, strerror(errno));

	while (!code && dir && (entry = readdir(dir)))
		code = check_stray(check, entry->d_name);
	if (dir)
		closedir(dir);
	return code;
}

static int
check_directory(struct check *check, const char *path)
{
	char whole[PATH_MAX];
	struct stat status;

	if (stat(store_path(&check->authority->store, path, whole), &status) < 0)
		return findings_add(
		    &check->findings, FINDING_WRONG, "%s: %s", whole, strerror(errno));
	if (status.st_mode & 077)
		return findings_add(
		    &check->findings, FINDING_WRONG, "%s is open to others; chmod go= it", whole);
	return 0;
}

static int
take_integrity(void *arg, sqlite3_stmt *row)
{
	struct check *check = arg;
	const char *text = (const char *)sqlite3_column_text(row, 0);

	return text && strcmp(text, "ok") == 0
	    ? 0
	    : findings_add(&check->findings, FINDING_WRONG, "inventory.db: %s; restore a backup",
		  text ? text : "damaged");
}

/* Under the lock: what another process is changing would look wrong. */
static int
check_all(struct check *check)
{
	struct store *store = &check->authority->store;
	int code = store_begin_to_read(store);

	if (!code)
		code = store_each(store, take_integrity, check, "PRAGMA integrity_check(10)", "");
	if (!code)
		code = ca_each(store, check_crl, check);
	if (!code)
		code = record_each(store, check_certificate, check,
		    "WHERE current = 1 AND revoked_at IS NULL ORDER BY not_after", "");
	if (!code)
		code = publish_expect(store, &(struct publish_output){ compare_file, check });
	if (!code)
		code = record_each(store, check_key, check, "WHERE current = 1 ORDER BY id", "");
	if (!code)
		code = check_strays(check);
	for (size_t i = 0; !code && i < 3; i++)
		code = check_directory(
		    check, (const char *const[]){ "private", "tmp", "inventory.db" }[i]);
	return code;
}

static int
run(int argc, char **argv)
{
	struct check_options options = { 0 };
	struct authority authority = { .reads = true, .silent = true };
	struct check check = { .authority = &authority, .offline = &options.offline };
	struct operands operands;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	check.within = options.within;
	code = authority_open(&authority, &options.common);
	if (!code)
		code = check_all(&check);
	code = code ? code : findings_print(&check.findings, &options.common);
	findings_wipe(&check.findings);
	authority_close(&authority);
	return code;
}

const struct command command_check = { &usage, run };
