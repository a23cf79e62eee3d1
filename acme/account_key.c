/* Asks the one who has the key. */
#include "acme/account_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/sha2.h>

#include "acme/base64url.h"
#include "base/file.h"
#include "keys/key_ask.h"
#include "keys/key_channel.h"

enum { COORDINATE = 32 };

struct account_key {
	uint64_t number;
	uint8_t x[COORDINATE], y[COORDINATE];
	char path[];
};

/* Another process may make one meanwhile. */
static bool
make_missing(const char *path, char error[ACCOUNT_KEY_ERROR])
{
	uint8_t ignored[KEY_DIGEST];

	return file_stamp_of(path).exists || key_ask_make(path, KEY_P256, ignored, error) ||
	    file_stamp_of(path).exists;
}

static bool
ask_open(struct account_key *key, char error[ACCOUNT_KEY_ERROR])
{
	struct key_question question = { .verb = KEY_OPEN };
	struct key_answer answer;

	snprintf(question.path, sizeof question.path, "%s", key->path);
	if (key_channel_ask(&question, &answer) != KEY_DONE ||
	    answer.bytes != sizeof key->x + sizeof key->y) {
		key_ask_explain(&answer, key->path, error);
		return false;
	}
	key->number = answer.key;
	memcpy(key->x, answer.data, sizeof key->x);
	memcpy(key->y, answer.data + sizeof key->x, sizeof key->y);
	return true;
}

struct account_key *
account_key_open(const char *path, char error[ACCOUNT_KEY_ERROR])
{
	struct account_key *key = calloc(1, sizeof *key + strlen(path) + 1);

	snprintf(error, ACCOUNT_KEY_ERROR, "memory is short");
	if (!key)
		return NULL;
	memcpy(key->path, path, strlen(path) + 1);
	if (make_missing(path, error) && ask_open(key, error))
		return key;
	free(key);
	return NULL;
}

void
account_key_free(struct account_key *key)
{
	struct key_question question = { .verb = KEY_CLOSE };
	struct key_answer ignored;

	if (!key)
		return;
	question.key = key->number;
	key_channel_ask(&question, &ignored);
	free(key);
}

json_t *
account_key_public(const struct account_key *key)
{
	char *x = base64url_encode(key->x, sizeof key->x),
	     *y = base64url_encode(key->y, sizeof key->y);
	json_t *public = x && y
	    ? json_pack("{s:s, s:s, s:s, s:s}", "crv", "P-256", "kty", "EC", "x", x, "y", y)
	    : NULL;

	free(x);
	free(y);
	return public;
}

/* RFC 7638, 3.3: the members in this order, with nothing between. */
char *
account_key_thumbprint(const struct account_key *key)
{
	json_t *public = account_key_public(key);
	char *text = json_dumps(public, JSON_COMPACT | JSON_SORT_KEYS), *thumbprint = NULL;
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha;

	if (text) {
		sha256_init(&sha);
		sha256_update(&sha, strlen(text), (const uint8_t *)text);
		sha256_digest(&sha, sizeof digest, digest);
		thumbprint = base64url_encode(digest, sizeof digest);
	}
	free(text);
	json_decref(public);
	return thumbprint;
}

static enum key_code
ask_signature(const struct account_key *key, const char *text, struct key_answer *answer)
{
	struct key_question question = { .verb = KEY_SIGN_JWS,
		.key = key->number,
		.data = (const uint8_t *)text,
		.bytes = strlen(text) };

	return key_channel_ask(&question, answer);
}

/* By the next key process: the same key, or none. */
static bool
open_again(struct account_key *key)
{
	struct account_key before = *key;
	char ignored[ACCOUNT_KEY_ERROR];

	return ask_open(key, ignored) && memcmp(before.x, key->x, sizeof key->x) == 0 &&
	    memcmp(before.y, key->y, sizeof key->y) == 0;
}

bool
account_key_sign(
    struct account_key *key, const char *text, uint8_t signature[ACCOUNT_KEY_SIGNATURE])
{
	struct key_answer answer;
	enum key_code code = ask_signature(key, text, &answer);

	if (code == KEY_GONE)
		code = ask_signature(key, text, &answer);
	if (code == KEY_UNKNOWN && open_again(key))
		code = ask_signature(key, text, &answer);
	if (code != KEY_DONE || answer.bytes != ACCOUNT_KEY_SIGNATURE)
		return false;
	memcpy(signature, answer.data, ACCOUNT_KEY_SIGNATURE);
	return true;
}
