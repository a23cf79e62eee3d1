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
#include "keys/key_ask.h"
#include "keys/key_pair.h"

enum { TEXT_MOST = 16 << 10 };

/* state_dir/acme/A B C */
static const char *
path_of(char out[PATH_MAX], const char *state_dir, const char *a, const char *b, const char *c)
{
	snprintf(out, PATH_MAX, "%.3500s/acme/%s%s%s", state_dir, a, b, c);
	return out;
}

/* state_dir/keys/acme-A B */
static const char *
key_path(char out[PATH_MAX], const char *state_dir, const char *a, const char *b)
{
	snprintf(out, PATH_MAX, "%.3500s/keys/acme-%s%s", state_dir, a, b);
	return out;
}

const char *
store_certificate_path(const char *state_dir, const char *name, char out[PATH_MAX])
{
	return path_of(out, state_dir, name, ".crt", "");
}

const char *
store_key_path(const char *state_dir, const char *name, char out[PATH_MAX])
{
	return key_path(out, state_dir, name, ".key");
}

/* What was said of a key, as far as it fits. */
static bool
pass_on(bool is_done, const char why[KEY_ASK_ERROR], char error[FILE_ERROR])
{
	if (!is_done)
		snprintf(error, FILE_ERROR, "%.511s", why);
	return is_done;
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
open_key(const char *path, char error[FILE_ERROR])
{
	char why[ACCOUNT_KEY_ERROR];
	struct account_key *key = account_key_open(path, why);

	pass_on(key != NULL, why, error);
	return key;
}

/* An older version kept it beside the account. */
static bool
adopt_account_key(const char *state_dir, const char *id, const char *path, char error[FILE_ERROR])
{
	char old[PATH_MAX], why[KEY_ASK_ERROR];
	struct secret around;

	return pass_on(key_ask_adopt(path, account_path(old, state_dir, id, ".key"), &around, why),
	    why, error);
}

struct account_key *
store_account_key(const char *state_dir, const char *id, char error[FILE_ERROR])
{
	char path[PATH_MAX];

	key_path(path, state_dir, id, ".account");
	return adopt_account_key(state_dir, id, path, error) ? open_key(path, error) : NULL;
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

	key_path(path, state_dir, id, ".account.next");
	error[0] = '\0';
	return is_begun && !file_stamp_of(path).exists ? NULL : open_key(path, error);
}

bool
store_settle_key(const char *state_dir, const char *id, bool is_fresh, char error[FILE_ERROR])
{
	char path[PATH_MAX], why[KEY_ASK_ERROR];

	key_path(path, state_dir, id, ".account");
	return pass_on((is_fresh ? key_ask_put_next : key_ask_drop_next)(path, why), why, error);
}

/* ---- certificates ---- */

bool
store_order_key(const char *state_dir, const char *name, enum key_type type, char path[PATH_MAX],
    uint8_t digest[KEY_DIGEST], char error[FILE_ERROR])
{
	char why[KEY_ASK_ERROR];

	key_path(path, state_dir, name, ".key.next");
	return pass_on(key_ask_make(path, type, digest, why), why, error);
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

static bool
put_key(const char *state_dir, const char *name, char error[FILE_ERROR])
{
	char path[PATH_MAX], why[KEY_ASK_ERROR];

	return pass_on(key_ask_put_next(store_key_path(state_dir, name, path), why), why, error);
}

static bool
put_chain(const char *state_dir, const char *name, struct der chain, char error[FILE_ERROR])
{
	char path[PATH_MAX];

	return file_write(
	    store_certificate_path(state_dir, name, path), 0600, chain.data, chain.bytes, error);
}

/* First the certificate: were it the other way round, an end between them would hide an old one. */
bool
store_certificate(const char *state_dir, const char *name, const char *id, enum key_type type,
    struct der chain, char error[FILE_ERROR])
{
	char path[PATH_MAX], from[64];

	origin(from, id, type);
	return put_chain(state_dir, name, chain, error) && put_key(state_dir, name, error) &&
	    file_write(
		path_of(path, state_dir, name, ".from", ""), 0600, from, strlen(from), error);
}

/* ---- what was left ---- */

static bool
are_pair(const char *certificate, const char *key)
{
	char ignored[KEY_PAIR_ERROR];
	struct key_pair pair;
	bool are = key_pair_load(&pair, certificate, key, ignored) == KEY_PAIR_FINE;

	key_pair_wipe(&pair);
	return are;
}

static bool
mend_pair(const char *state_dir, const char *name, char error[FILE_ERROR])
{
	char certificate[PATH_MAX], key[PATH_MAX], next[PATH_MAX];

	store_certificate_path(state_dir, name, certificate);
	store_key_path(state_dir, name, key);
	key_path(next, state_dir, name, ".key.next");
	if (!file_stamp_of(certificate).exists || !file_stamp_of(next).exists ||
	    are_pair(certificate, key) || !are_pair(certificate, next))
		return true;
	return put_key(state_dir, name, error);
}

/* The old file goes last. */
static bool
adopt_pair(const char *state_dir, const char *name, char error[FILE_ERROR])
{
	char old[PATH_MAX], key[PATH_MAX], why[KEY_ASK_ERROR];
	struct secret chain;
	bool is_done;

	path_of(old, state_dir, name, ".pem", "");
	if (!file_stamp_of(old).exists)
		return true;
	if (!pass_on(
		key_ask_adopt(store_key_path(state_dir, name, key), old, &chain, why), why, error))
		return false;
	is_done = put_chain(state_dir, name, (struct der){ chain.data, chain.bytes }, error);
	secret_wipe(&chain);
	if (is_done)
		unlink(old);
	return is_done;
}

bool
store_mend(const char *state_dir, const char *name, char error[FILE_ERROR])
{
	return adopt_pair(state_dir, name, error) && mend_pair(state_dir, name, error);
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
