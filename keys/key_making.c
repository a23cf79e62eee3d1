/* Key files that are made and replaced, and requests for certificates. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

#include "base/file.h"
#include "keys/key_names.h"
#include "keys/key_store_private.h"
#include "pki/key_pem.h"

enum { RSA_SMALL_BITS = 2048 };

static const char next_suffix[] = ".next";

/* ---- places ---- */

bool
key_find(const char *path, char found[PATH_MAX], struct key_saying *saying)
{
	if (realpath(path, found))
		return true;
	key_answer_say(saying, KEY_REFUSED, "%.250s: cannot be found: %s", path, strerror(errno));
	return false;
}

static bool
ends_in(const char *path, const char *suffix)
{
	size_t bytes = strlen(path), most = strlen(suffix);

	return bytes >= most && strcmp(path + bytes - most, suffix) == 0;
}

bool
key_waits(const char *path)
{
	return ends_in(path, next_suffix);
}

enum key_use
key_use_of(const char *given)
{
	char found[PATH_MAX];
	const char *path = realpath(given, found) ? found : given;

	if (ends_in(path, ".account") || ends_in(path, ".account.next"))
		return KEY_USE_JWS;
	return key_waits(path) ? KEY_USE_REQUEST : KEY_USE_TLS;
}

/* The same for a file that need not be there. */
static bool
find_place(const char *path, char found[PATH_MAX], struct key_saying *saying)
{
	if (access(path, F_OK) == 0)
		return key_find(path, found, saying);
	snprintf(found, PATH_MAX, "%s", path);
	return true;
}

static bool
find_next(const char *path, char current[PATH_MAX], char next[PATH_MAX], struct key_saying *saying)
{
	if (!find_place(path, current, saying))
		return false;
	if (snprintf(next, PATH_MAX, "%s%s", current, next_suffix) < PATH_MAX)
		return true;
	key_answer_say(saying, KEY_REFUSED, "%.250s: the next key has no place beside it: %s",
	    current, strerror(ENAMETOOLONG));
	return false;
}

/* ---- a new key ---- */

/* What has come to be is what its file holds. */
static void
describe(const char *path, struct key_saying *saying)
{
	struct key_file file;
	char error[KEY_FILE_ERROR];

	if (key_file_load(&file, path, error))
		key_answer_describe(saying->answer, &file);
	else
		key_answer_say(saying, KEY_REFUSED, "%s", error);
	key_file_wipe(&file);
}

static void
make(const char *path, enum key_type type,
    bool (*write)(const char *, mode_t, const void *, size_t, char *), struct key_saying *saying)
{
	struct secret pem = { 0 };
	char error[FILE_ERROR];
	int problem = key_pem_make(&pem, type);

	if (problem < 0)
		key_answer_say(
		    saying, KEY_FAILED, "a new key cannot be made: %s", gnutls_strerror(problem));
	else if (!write(path, 0600, pem.data, pem.bytes, error))
		key_answer_say(saying, KEY_REFUSED, "%s", error);
	else
		describe(path, saying);
	secret_wipe(&pem);
}

void
key_make_folder(const char *path)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof copy, "%s", path);
	mkdir(dirname(copy), 0700);
}

/* The kind that is made like this one. */
static enum key_type
type_like(const struct key_file *file)
{
	switch (file->algorithm) {
	case GNUTLS_PK_EDDSA_ED25519:
		return KEY_ED25519;
	case GNUTLS_PK_RSA:
		return file->bits > RSA_SMALL_BITS ? KEY_RSA3072 : KEY_RSA2048;
	default:
		return KEY_P256;
	}
}

/* One that waits stays if it is of this type; all else that is there is no loss. */
static void
make_waiting(const char *path, enum key_type type, struct key_saying *saying)
{
	struct key_file left = { 0 };
	char ignored[KEY_FILE_ERROR];

	if (key_file_load(&left, path, ignored) && type_like(&left) == type)
		key_answer_describe(saying->answer, &left);
	else
		make(path, type, file_write, saying);
	key_file_wipe(&left);
}

void
key_making_make(
    struct key_store *store, const struct key_question *question, struct key_saying *saying)
{
	enum key_type type = question->type;

	(void)store;
	if (question->type >= KEY_TYPES) {
		key_answer_say(saying, KEY_FORBIDDEN, "there is no such type of key");
		return;
	}
	key_make_folder(question->path);
	if (key_waits(question->path))
		make_waiting(question->path, type, saying);
	else
		make(question->path, type, file_create, saying);
}

/* ---- the next key ---- */

/* One that was left there and cannot be used is no loss. */
static void
make_next(const char *current, const char *next, struct key_saying *saying)
{
	struct key_file like = { 0 }, left = { 0 };
	char error[KEY_FILE_ERROR], ignored[KEY_FILE_ERROR];

	if (!key_file_load(&like, current, error))
		key_answer_say(saying, KEY_REFUSED, "%s", error);
	else if (key_file_load(&left, next, ignored))
		key_answer_describe(saying->answer, &left);
	else
		make(next, type_like(&like), file_write, saying);
	key_file_wipe(&like);
	key_file_wipe(&left);
}

void
key_making_next(
    struct key_store *store, const struct key_question *question, struct key_saying *saying)
{
	char current[PATH_MAX], next[PATH_MAX];

	(void)store;
	if (find_next(question->path, current, next, saying))
		make_next(current, next, saying);
}

void
key_making_may_replace(
    struct key_store *store, const struct key_question *question, struct key_saying *saying)
{
	char found[PATH_MAX], copy[PATH_MAX];

	(void)store;
	if (!key_find(question->path, found, saying))
		return;
	snprintf(copy, sizeof copy, "%s", found);
	if (access(dirname(copy), W_OK | X_OK) != 0)
		key_answer_say(saying, KEY_REFUSED,
		    "%.250s: cannot be replaced, since this user may not write its directory (%s); keep "
		    "certificate and key in state_dir",
		    question->path, strerror(errno));
}

void
key_making_put(
    struct key_store *store, const struct key_question *question, struct key_saying *saying)
{
	char current[PATH_MAX], next[PATH_MAX];

	(void)store;
	if (find_next(question->path, current, next, saying) && rename(next, current) != 0)
		key_answer_say(saying, KEY_REFUSED, "%.250s: cannot be replaced: %s", current,
		    strerror(errno));
}

void
key_making_drop(
    struct key_store *store, const struct key_question *question, struct key_saying *saying)
{
	char current[PATH_MAX], next[PATH_MAX];

	(void)store;
	if (find_next(question->path, current, next, saying) && unlink(next) != 0)
		key_answer_say(
		    saying, KEY_REFUSED, "%.250s: cannot be removed: %s", next, strerror(errno));
}

/* ---- requests ---- */

static int
compose(const struct key_file *file, struct cursor names, gnutls_datum_t *der)
{
	gnutls_x509_crq_t request = NULL;
	int problem = gnutls_x509_crq_init(&request);

	if (problem >= 0)
		problem = key_names_fill(names, request);
	if (problem >= 0)
		problem = gnutls_x509_crq_set_key(request, file->key);
	if (problem >= 0)
		problem = gnutls_x509_crq_sign2(request, file->key, GNUTLS_DIG_UNKNOWN, 0);
	if (problem >= 0)
		problem = gnutls_x509_crq_export2(request, GNUTLS_X509_FMT_DER, der);
	gnutls_x509_crq_deinit(request);
	return problem;
}

void
key_making_request(
    struct key_store *store, const struct key_question *question, struct key_saying *saying)
{
	struct key_file file;
	char error[KEY_FILE_ERROR];
	gnutls_datum_t der = { 0 };
	int problem;

	(void)store;
	if (key_use_of(question->path) == KEY_USE_JWS) {
		key_answer_say(saying, KEY_FORBIDDEN,
		    "%.300s: the key of an account has no certificate", question->path);
		return;
	}
	if (key_file_load(&file, question->path, error)) {
		key_answer_describe(saying->answer, &file);
		problem = compose(&file, cursor_over(question->data, question->bytes), &der);
		key_answer_give(saying, &der, problem);
	} else
		key_answer_say(saying, KEY_REFUSED, "%s", error);
	gnutls_free(der.data);
	key_file_wipe(&file);
}
