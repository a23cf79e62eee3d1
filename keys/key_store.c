/* A table of open keys, and one function for each verb. */
#include "keys/key_store.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "keys/key_store_private.h"

enum { KEY_NAME = 64 };

/* Counted under the table's lock: by the table, and by each signature under way. */
struct open_key {
	unsigned held;
	gnutls_privkey_t key;
	int algorithm;
	enum key_use use;
};

struct key_store {
	pthread_mutex_t lock;
	struct open_key **keys;
	size_t count, capacity;
	size_t lowest; /* no place before it is free */
	bool is_closed;
	char kept_name[KEY_NAME]; /* of a closed one, under the lock */
	struct secret kept;
	/* The number of keys[0]; random, so that numbers of a process before are unknown. */
	uint64_t first;
};

/* ---- answers ---- */

void
key_answer_say(struct key_saying *saying, enum key_code code, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf((char *)saying->storage, KEY_SENTENCE, format, arguments);
	va_end(arguments);
	if (length >= KEY_SENTENCE)
		length = KEY_SENTENCE - 1;
	saying->answer->code = code;
	saying->answer->data = saying->storage;
	saying->answer->bytes = length > 0 ? (size_t)length : 0;
}

void
key_answer_give(struct key_saying *saying, const gnutls_datum_t *made, int problem)
{
	if (problem >= 0 && made->size <= KEY_DATA_MOST) {
		memcpy(saying->storage, made->data, made->size);
		saying->answer->data = saying->storage;
		saying->answer->bytes = made->size;
	} else
		key_answer_say(saying, KEY_FAILED, "%s",
		    problem < 0 ? gnutls_strerror(problem) : "it is too long");
}

void
key_answer_describe(struct key_answer *answer, const struct key_file *file)
{
	answer->algorithm = (uint32_t)file->algorithm;
	answer->bits = file->bits;
	memcpy(answer->digest, file->digest, sizeof answer->digest);
}

/* ---- the table ---- */

struct key_store *
key_store_new(void)
{
	struct key_store *store = calloc(1, sizeof *store);

	if (!store)
		return NULL;
	pthread_mutex_init(&store->lock, NULL);
	arc4random_buf(&store->first, sizeof store->first);
	return store;
}

struct key_store *
key_store_new_closed(void)
{
	struct key_store *store = key_store_new();

	if (store)
		store->is_closed = true;
	return store;
}

bool
key_store_keep(struct key_store *store, const char *name, const struct secret *pem)
{
	struct key_file file = { 0 };
	struct secret copy = { 0 }, before;
	bool is_key = key_file_take(&file, pem) >= 0 && secret_init(&copy, pem->data, pem->bytes);

	key_file_wipe(&file);
	if (!is_key)
		return false;
	pthread_mutex_lock(&store->lock);
	before = store->kept;
	store->kept = copy;
	snprintf(store->kept_name, sizeof store->kept_name, "%s", name);
	pthread_mutex_unlock(&store->lock);
	secret_wipe(&before);
	return true;
}

static void
open_key_free(struct open_key *key)
{
	if (!key)
		return;
	gnutls_privkey_deinit(key->key);
	free(key);
}

void
key_store_free(struct key_store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < store->count; i++)
		open_key_free(store->keys[i]);
	free(store->keys);
	secret_wipe(&store->kept);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

/* Under the lock: a place that is free, or `count` where there is none and memory is short. */
static size_t
find_place(struct key_store *store)
{
	size_t i = store->lowest, capacity = store->capacity ? 2 * store->capacity : 64;
	struct open_key **keys;

	while (i < store->count && store->keys[i])
		i++;
	store->lowest = i;
	if (i < store->capacity || i >= KEY_STORE_MOST)
		return i;
	keys = reallocarray(store->keys, capacity, sizeof *keys);
	if (!keys)
		return i;
	store->keys = keys;
	store->capacity = capacity;
	return i;
}

/* Takes the key; false when there is no place. */
static bool
enter(struct key_store *store, struct open_key *key, uint64_t *number)
{
	bool has_place;
	size_t i;

	pthread_mutex_lock(&store->lock);
	i = find_place(store);
	has_place = i < store->capacity;
	if (has_place) {
		store->keys[i] = key;
		*number = store->first + i;
		if (i == store->count)
			store->count++;
	}
	pthread_mutex_unlock(&store->lock);
	if (!has_place)
		open_key_free(key);
	return has_place;
}

static struct open_key *
hold(struct key_store *store, uint64_t number)
{
	uint64_t i = number - store->first;
	struct open_key *key = NULL;

	pthread_mutex_lock(&store->lock);
	if (i < store->count)
		key = store->keys[i];
	if (key)
		key->held++;
	pthread_mutex_unlock(&store->lock);
	return key;
}

static void
release(struct key_store *store, struct open_key *key)
{
	bool is_last;

	pthread_mutex_lock(&store->lock);
	is_last = --key->held == 0;
	pthread_mutex_unlock(&store->lock);
	if (is_last)
		open_key_free(key);
}

/* ---- what is asked ---- */

static bool
load(const struct key_question *question, struct key_file *file, struct key_saying *saying)
{
	char error[KEY_FILE_ERROR];

	if (key_file_load(file, question->path, error)) {
		key_answer_describe(saying->answer, file);
		return true;
	}
	key_answer_say(saying, KEY_REFUSED, "%s", error);
	return false;
}

static void
look(struct key_store *store, const struct key_question *question, struct key_saying *saying)
{
	struct key_file file;

	(void)store;
	load(question, &file, saying);
	key_file_wipe(&file);
}

/* Takes the key out of the file. */
static struct open_key *
open_key_new(struct key_file *file, enum key_use use)
{
	struct open_key *key = calloc(1, sizeof *key);

	if (!key || gnutls_privkey_init(&key->key) < 0 ||
	    gnutls_privkey_import_x509(key->key, file->key, GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE) <
		0) {
		open_key_free(key);
		return NULL;
	}
	key->held = 1;
	key->algorithm = file->algorithm;
	key->use = use;
	file->key = NULL;
	return key;
}

static void
open_as(struct key_store *store, struct key_file *file, enum key_use use, struct key_saying *saying)
{
	struct open_key *key = open_key_new(file, use);

	if (!key || !enter(store, key, &saying->answer->key))
		key_answer_say(saying, KEY_FAILED, "memory is short, or more than %d keys are open",
		    KEY_STORE_MOST);
}

static void
open_kept(struct key_store *store, const struct key_question *question, struct key_saying *saying)
{
	struct key_file file = { 0 };
	bool is_kept;

	pthread_mutex_lock(&store->lock);
	is_kept = store->kept.data && strcmp(question->path, store->kept_name) == 0 &&
	    key_file_take(&file, &store->kept) >= 0;
	pthread_mutex_unlock(&store->lock);
	if (is_kept) {
		key_answer_describe(saying->answer, &file);
		open_as(store, &file, KEY_USE_TLS, saying);
	} else
		key_answer_say(
		    saying, KEY_FORBIDDEN, "%.300s: there is no such key here", question->path);
	key_file_wipe(&file);
}

static void
open_one(struct key_store *store, const struct key_question *question, struct key_saying *saying)
{
	struct key_file file = { 0 };
	enum key_use use = key_use_of(question->path);

	if (use == KEY_USE_REQUEST)
		key_answer_say(saying, KEY_FORBIDDEN,
		    "%.300s: a key that waits for its certificate is for its request only",
		    question->path);
	else if (load(question, &file, saying) &&
	    (use != KEY_USE_JWS || key_jws_describe(&file, question->path, saying)))
		open_as(store, &file, use, saying);
	key_file_wipe(&file);
}

static void
close_one(struct key_store *store, const struct key_question *question, struct key_saying *saying)
{
	uint64_t i = question->key - store->first;
	struct open_key *key = NULL;

	pthread_mutex_lock(&store->lock);
	if (i < store->count) {
		key = store->keys[i];
		store->keys[i] = NULL;
		if (i < store->lowest)
			store->lowest = i;
	}
	pthread_mutex_unlock(&store->lock);
	if (key)
		release(store, key);
	else
		saying->answer->code = KEY_UNKNOWN;
}

/* ---- signatures ---- */

/* What TLS may ask for (tunnel/tls_config.c): nothing with SHA-1, and never bytes that are not a
 * digest in its full length.  bytes 0: the whole message. */
static const struct signing {
	gnutls_sign_algorithm_t algorithm;
	gnutls_pk_algorithm_t key;
	size_t bytes;
} signings[] = {
	{ GNUTLS_SIGN_ECDSA_SHA256, GNUTLS_PK_ECDSA, 32 },
	{ GNUTLS_SIGN_ECDSA_SHA384, GNUTLS_PK_ECDSA, 48 },
	{ GNUTLS_SIGN_ECDSA_SHA512, GNUTLS_PK_ECDSA, 64 },
	{ GNUTLS_SIGN_ECDSA_SECP256R1_SHA256, GNUTLS_PK_ECDSA, 32 },
	{ GNUTLS_SIGN_ECDSA_SECP384R1_SHA384, GNUTLS_PK_ECDSA, 48 },
	{ GNUTLS_SIGN_ECDSA_SECP521R1_SHA512, GNUTLS_PK_ECDSA, 64 },
	{ GNUTLS_SIGN_EDDSA_ED25519, GNUTLS_PK_EDDSA_ED25519, 0 },
	{ GNUTLS_SIGN_EDDSA_ED448, GNUTLS_PK_EDDSA_ED448, 0 },
	{ GNUTLS_SIGN_RSA_SHA256, GNUTLS_PK_RSA, 32 },
	{ GNUTLS_SIGN_RSA_SHA384, GNUTLS_PK_RSA, 48 },
	{ GNUTLS_SIGN_RSA_SHA512, GNUTLS_PK_RSA, 64 },
	{ GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, GNUTLS_PK_RSA, 32 },
	{ GNUTLS_SIGN_RSA_PSS_RSAE_SHA384, GNUTLS_PK_RSA, 48 },
	{ GNUTLS_SIGN_RSA_PSS_RSAE_SHA512, GNUTLS_PK_RSA, 64 },
	{ GNUTLS_SIGN_RSA_PSS_SHA256, GNUTLS_PK_RSA_PSS, 32 },
	{ GNUTLS_SIGN_RSA_PSS_SHA384, GNUTLS_PK_RSA_PSS, 48 },
	{ GNUTLS_SIGN_RSA_PSS_SHA512, GNUTLS_PK_RSA_PSS, 64 },
};

static const struct signing *
find_signing(const struct key_question *question, const struct open_key *key)
{
	for (size_t i = 0; i < sizeof signings / sizeof *signings; i++)
		if (key->use == KEY_USE_TLS &&
		    (uint32_t)signings[i].algorithm == question->algorithm &&
		    (int)signings[i].key == key->algorithm &&
		    (signings[i].bytes == 0 || signings[i].bytes == question->bytes))
			return &signings[i];
	return NULL;
}

static void
sign_with(
    const struct open_key *key, const struct key_question *question, struct key_saying *saying)
{
	const struct signing *signing = find_signing(question, key);
	const gnutls_datum_t data = { (uint8_t *)(uintptr_t)question->data,
		(unsigned)question->bytes };
	gnutls_datum_t made = { 0 };
	int problem;

	if (!signing) {
		key_answer_say(saying, KEY_FORBIDDEN,
		    "%zu bytes are not signed by algorithm %u with this key", question->bytes,
		    question->algorithm);
		return;
	}
	problem = signing->bytes
	    ? gnutls_privkey_sign_hash2(key->key, signing->algorithm, 0, &data, &made)
	    : gnutls_privkey_sign_data2(key->key, signing->algorithm, 0, &data, &made);
	key_answer_give(saying, &made, problem);
	gnutls_free(made.data);
}

static void
sign(struct key_store *store, const struct key_question *question, struct key_saying *saying)
{
	struct open_key *key = hold(store, question->key);

	if (!key) {
		saying->answer->code = KEY_UNKNOWN;
		return;
	}
	sign_with(key, question, saying);
	release(store, key);
}

static void
sign_jws(struct key_store *store, const struct key_question *question, struct key_saying *saying)
{
	struct open_key *key = hold(store, question->key);

	if (!key) {
		saying->answer->code = KEY_UNKNOWN;
		return;
	}
	if (key->use == KEY_USE_JWS)
		key_jws_sign(key->key, question, saying);
	else
		key_answer_say(saying, KEY_FORBIDDEN, "this is not the key of an account");
	release(store, key);
}

/* ---- all of them ---- */

void
key_store_answer(struct key_store *store, const struct key_question *question,
    struct key_answer *answer, uint8_t storage[KEY_DATA_MOST])
{
	static void (*const verbs[KEY_VERBS])(
	    struct key_store *, const struct key_question *, struct key_saying *) = {
		[KEY_LOOK] = look,
		[KEY_OPEN] = open_one,
		[KEY_SIGN] = sign,
		[KEY_SIGN_JWS] = sign_jws,
		[KEY_CLOSE] = close_one,
		[KEY_MAKE] = key_making_make,
		[KEY_MAKE_NEXT] = key_making_next,
		[KEY_REQUEST] = key_making_request,
		[KEY_MAY_REPLACE] = key_making_may_replace,
		[KEY_PUT_NEXT] = key_making_put,
		[KEY_DROP_NEXT] = key_making_drop,
		[KEY_ADOPT] = key_adopting_adopt,
	};
	static void (*const of_closed[KEY_VERBS])(
	    struct key_store *, const struct key_question *, struct key_saying *) = {
		[KEY_OPEN] = open_kept,
		[KEY_SIGN] = sign,
		[KEY_CLOSE] = close_one,
	};
	struct key_saying saying = { answer, storage };

	*answer = (struct key_answer){ .number = question->number, .code = KEY_DONE };
	if (!store->is_closed)
		verbs[question->verb](store, question, &saying);
	else if (of_closed[question->verb])
		of_closed[question->verb](store, question, &saying);
	else
		key_answer_say(&saying, KEY_FORBIDDEN, "there are no files here");
}
