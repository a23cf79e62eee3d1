/* The files of an ACME client, one function for each. */
#include "acme/store.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nettle/sha2.h>

#include "acme/account_key.h"
#include "base/units.h"
#include "pki/key_pem.h"

enum { KEY_MOST = 64 << 10, TEXT_MOST = 16 << 10 };

/* state_dir/acme/A B C */
static const char *
path_of(char out[PATH_MAX], const char *state_dir, const char *a, const char *b, const char *c)
{
	snprintf(out, PATH_MAX, "%.3500s/acme/%s%s%s", state_dir, a, b, c);
	return out;
}

const char *
store_certificate_path(const char *state_dir, const char *name, char out[PATH_MAX])
{
	return path_of(out, state_dir, name, ".pem", "");
}

bool
store_open(const char *state_dir, char error[FILE_ERROR])
{
	char path[PATH_MAX];

	path_of(path, state_dir, "", "", ""); /* ends in a slash */
	for (char *at = path + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST) {
			snprintf(error, FILE_ERROR, "%.300s: cannot create it: %s", path,
			    strerror(errno));
			return false;
		}
		*at = '/';
	}
	return true;
}

/* ---- the account ---- */

void
store_account_id(const char *directory, const char *key_id, char id[STORE_ID])
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, strlen(directory) + 1, (const uint8_t *)directory);
	if (key_id)
		sha256_update(&sha, strlen(key_id) + 1, (const uint8_t *)key_id);
	sha256_digest(&sha, sizeof digest, digest);
	hex_encode(id, digest, (STORE_ID - 1) / 2);
}

static const char *
account_path(char out[PATH_MAX], const char *state_dir, const char *id, const char *suffix)
{
	return path_of(out, state_dir, "account-", id, suffix);
}

static struct account_key *
read_account_key(const char *path, char error[FILE_ERROR])
{
	struct secret pem = { 0 };
	struct account_key *key = NULL;

	if (!file_read_key(&pem, path, KEY_MOST, error))
		return NULL;
	key = account_key_import(&pem);
	if (!key)
		snprintf(error, FILE_ERROR,
		    "%.300s: not a private key on P-256, as an ACME account's is; remove it to make a new account",
		    path);
	secret_wipe(&pem);
	return key;
}

static struct account_key *
make_account_key(const char *path, char error[FILE_ERROR])
{
	struct account_key *key = account_key_new();
	struct secret pem = { 0 };
	bool is_kept;

	snprintf(error, FILE_ERROR, "memory is short");
	is_kept = key && account_key_export(key, &pem) &&
	    file_create(path, 0600, pem.data, pem.bytes, error);
	secret_wipe(&pem);
	if (is_kept)
		return key;
	account_key_free(key);
	return NULL;
}

struct account_key *
store_account_key(const char *state_dir, const char *id, char error[FILE_ERROR])
{
	char path[PATH_MAX];
	struct account_key *key;

	account_path(path, state_dir, id, ".key");
	if (file_stamp_of(path).exists)
		return read_account_key(path, error);
	key = make_account_key(path, error);
	/* Another process may have made one meanwhile. */
	return key || !file_stamp_of(path).exists ? key : read_account_key(path, error);
}

void
store_account_url(
    const char *state_dir, const char *id, char url[STORE_URL], char identity[STORE_IDENTITY])
{
	char path[PATH_MAX], error[FILE_ERROR];
	struct secret text = { 0 };

	url[0] = identity[0] = '\0';
	if (!file_read(&text, account_path(path, state_dir, id, ".url"), TEXT_MOST, error))
		return;
	if (sscanf((const char *)text.data, "%1023[^\n]\n%255[^\n]", url, identity) < 1 ||
	    !document_url_is(url))
		url[0] = '\0';
	secret_wipe(&text);
}

bool
store_keep_account_url(const char *state_dir, const char *id, const char *url, const char *identity,
    char error[FILE_ERROR])
{
	char path[PATH_MAX], text[STORE_URL + STORE_IDENTITY + 3];
	int bytes = snprintf(text, sizeof text, "%s\n%s\n", url, identity);

	return file_write(
	    account_path(path, state_dir, id, ".url"), 0600, text, (size_t)bytes, error);
}

/* ---- its key is changed ---- */

struct account_key *
store_fresh_key(const char *state_dir, const char *id, bool is_begun, char error[FILE_ERROR])
{
	char path[PATH_MAX];

	account_path(path, state_dir, id, ".key.new");
	error[0] = '\0';
	if (file_stamp_of(path).exists)
		return read_account_key(path, error);
	return is_begun ? NULL : make_account_key(path, error);
}

bool
store_settle_key(const char *state_dir, const char *id, bool is_fresh, char error[FILE_ERROR])
{
	char path[PATH_MAX], fresh[PATH_MAX];

	account_path(path, state_dir, id, ".key");
	account_path(fresh, state_dir, id, ".key.new");
	if ((is_fresh ? rename(fresh, path) : unlink(fresh)) == 0)
		return true;
	snprintf(error, FILE_ERROR, "%.300s: %s", fresh, strerror(errno));
	return false;
}

/* ---- certificates ---- */

static const char *
order_path(char out[PATH_MAX], const char *state_dir, const char *name, enum key_type type)
{
	char middle[32];

	snprintf(middle, sizeof middle, ".%s", key_type_word(type));
	return path_of(out, state_dir, name, middle, ".key");
}

bool
store_order_key(const char *state_dir, const char *name, enum key_type type, struct secret *pem,
    char error[FILE_ERROR])
{
	char path[PATH_MAX];

	order_path(path, state_dir, name, type);
	if (file_stamp_of(path).exists)
		return file_read_key(pem, path, KEY_MOST, error);
	snprintf(error, FILE_ERROR, "memory is short");
	if (key_pem_make(pem, type) < 0)
		return false;
	if (file_create(path, 0600, pem->data, pem->bytes, error))
		return true;
	secret_wipe(pem);
	return false;
}

/* "ID KEYTYPE" */
static const char *
origin(char out[64], const char *id, enum key_type type)
{
	snprintf(out, 64, "%s %s\n", id, key_type_word(type));
	return out;
}

bool
store_is_from(const char *state_dir, const char *name, const char *id, enum key_type type)
{
	char path[PATH_MAX], error[FILE_ERROR], wanted[64];
	struct secret text = { 0 };
	bool is = file_read(&text, path_of(path, state_dir, name, ".from", ""), TEXT_MOST, error) &&
	    strcmp((const char *)text.data, origin(wanted, id, type)) == 0;

	secret_wipe(&text);
	return is;
}

bool
store_has_room(const char *state_dir, const char *name, char error[FILE_ERROR])
{
	enum { CHAIN_AND_KEY = 64 * 1024 };
	char path[PATH_MAX];

	return file_has_room(store_certificate_path(state_dir, name, path), CHAIN_AND_KEY, error);
}

/* First the certificate: were it the other way round, an end between them would hide an old one. */
static bool
put(const char *state_dir, const char *name, const char *from, const void *both, size_t bytes,
    char error[FILE_ERROR])
{
	char path[PATH_MAX];

	return file_write(
		   store_certificate_path(state_dir, name, path), 0600, both, bytes, error) &&
	    file_write(
		path_of(path, state_dir, name, ".from", ""), 0600, from, strlen(from), error);
}

bool
store_certificate(const char *state_dir, const char *name, const char *id, enum key_type type,
    const struct secret *key_pem, struct der chain, char error[FILE_ERROR])
{
	char path[PATH_MAX], from[64];
	uint8_t *both = malloc(key_pem->bytes + chain.bytes);
	bool is_kept;

	snprintf(error, FILE_ERROR, "memory is short");
	if (!both)
		return false;
	memcpy(both, key_pem->data, key_pem->bytes);
	memcpy(both + key_pem->bytes, chain.data, chain.bytes);
	is_kept =
	    put(state_dir, name, origin(from, id, type), both, key_pem->bytes + chain.bytes, error);
	bytes_wipe(both, key_pem->bytes);
	free(both);
	if (is_kept)
		unlink(order_path(path, state_dir, name, type));
	return is_kept;
}

/* ---- what must be waited for ---- */

void
store_keep_wait(const char *state_dir, const char *name, const char settings[STORE_SETTINGS],
    const struct schedule *schedule, const char *why)
{
	char path[PATH_MAX], error[FILE_ERROR];
	json_t *document = json_pack("{s:s, s:I, s:I, s:I, s:s%}", "settings", settings, "failures",
	    (json_int_t)schedule->failures, "failed_s", (json_int_t)schedule->failed_s, "wait_s",
	    (json_int_t)schedule->wait_s, "why", why, strnlen(why, STORE_WHY - 1));
	char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;

	path_of(path, state_dir, name, ".wait", "");
	if (schedule->failures == 0)
		unlink(path);
	else if (text)
		file_write(path, 0600, text, strlen(text), error);
	json_decref(document);
	free(text);
}

static int64_t
number_of(const json_t *document, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(document, key));

	return value > 0 ? value : 0;
}

void
store_read_wait(const char *state_dir, const char *name, const char settings[STORE_SETTINGS],
    struct schedule *schedule, char why[STORE_WHY])
{
	char path[PATH_MAX], error[FILE_ERROR];
	struct secret text = { 0 };
	json_t *document = NULL;
	const char *sentence, *of;

	why[0] = '\0';
	schedule->failures = 0;
	if (file_read(&text, path_of(path, state_dir, name, ".wait", ""), TEXT_MOST, error))
		document = json_loadb((const char *)text.data, text.bytes, 0, NULL);
	secret_wipe(&text);
	of = json_string_value(json_object_get(document, "settings"));
	if (!of || strcmp(of, settings) != 0) {
		json_decref(document);
		return;
	}
	schedule->failures = (unsigned)number_of(document, "failures") & 0xff;
	schedule->failed_s = number_of(document, "failed_s");
	schedule->wait_s = number_of(document, "wait_s");
	if (schedule->wait_s > SCHEDULE_WAIT_MOST_S)
		schedule->wait_s = SCHEDULE_WAIT_MOST_S;
	sentence = json_string_value(json_object_get(document, "why"));
	snprintf(why, STORE_WHY, "%s", sentence ? sentence : "");
	json_decref(document);
}
