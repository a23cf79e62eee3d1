/* Keys of ACME from before they had a folder of their own come into it, without the daemon reading
 * them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "keys/key_store_private.h"

enum { BOTH_MOST = KEY_DATA_MOST };

static const char *
name_in(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Cuts the last part off, where it is `last`. */
static bool
cut_folder(char *folder, const char *last)
{
	char *slash = strrchr(folder, '/');

	if (!slash || strcmp(slash + 1, last) != 0)
		return false;
	*slash = '\0';
	return true;
}

/* Where the folder of this file is, behind all links. */
static bool
find_folder(const char *path, char found[PATH_MAX])
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof folder, "%.*s", (int)(name_in(path) - path), path);
	return realpath(folder, found) != NULL;
}

/* Whoever asks may have been taken over: no key may come out of a folder of keys by a link or by its
 * name, and none that he knows may take the place of one that is made here.  So only what is in DIR/acme
 * itself goes to DIR/keys beside it. */
static bool
is_of_before(const char *old, const char *path)
{
	char from[PATH_MAX], to[PATH_MAX];
	char *slash;

	if (key_waits(path) || !realpath(old, from) || !find_folder(path, to))
		return false;
	slash = strrchr(from, '/');
	*slash = '\0';
	return cut_folder(from, "acme") && cut_folder(to, "keys") && strcmp(from, to) == 0;
}

/* acme/account-ID.key: the file itself. */
static void
adopt_account(const char *old, const char *path, struct key_saying *saying)
{
	if (strncmp(name_in(old), "account-", 8) != 0)
		key_answer_say(
		    saying, KEY_FORBIDDEN, "%.300s: this is not the key of an account", old);
	else if (access(path, F_OK) != 0 && rename(old, path) != 0)
		key_answer_say(saying, KEY_REFUSED, "%.250s: cannot be moved to %.250s: %s", old,
		    path, strerror(errno));
}

/* acme/NAME.pem: first the key, then its chain, which is the answer. */
static void
split(const struct secret *both, const char *old, const char *path, struct key_saying *saying)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	const uint8_t *chain = memmem(both->data, both->bytes, begin, sizeof begin - 1);
	size_t bytes = chain ? both->bytes - (size_t)(chain - both->data) : 0;
	char error[FILE_ERROR];

	if (!chain || memmem(chain, bytes, "PRIVATE KEY", 11))
		key_answer_say(saying, KEY_REFUSED,
		    "%.300s: does not hold a key and then its certificates", old);
	else if (access(path, F_OK) != 0 &&
	    !file_create(path, 0600, both->data, both->bytes - bytes, error))
		key_answer_say(saying, KEY_REFUSED, "%s", error);
	else {
		memcpy(saying->storage, chain, bytes);
		saying->answer->data = saying->storage;
		saying->answer->bytes = bytes;
	}
}

static void
adopt_certified(const char *old, const char *path, struct key_saying *saying)
{
	struct secret both = { 0 };
	char error[FILE_ERROR];

	if (!file_read_key(&both, old, BOTH_MOST, error))
		key_answer_say(saying, KEY_REFUSED, "%s", error);
	else
		split(&both, old, path, saying);
	secret_wipe(&both);
}

/* Where there is nothing to be adopted the answer is empty. */
void
key_adopting_adopt(
    struct key_store *store, const struct key_question *question, struct key_saying *saying)
{
	char old[PATH_MAX];

	(void)store;
	if (question->bytes >= sizeof old) {
		key_answer_say(saying, KEY_FORBIDDEN, "the path is too long");
		return;
	}
	snprintf(old, sizeof old, "%.*s", (int)question->bytes, (const char *)question->data);
	if (access(old, F_OK) != 0)
		return;
	key_make_folder(question->path);
	if (!is_of_before(old, question->path))
		key_answer_say(saying, KEY_FORBIDDEN,
		    "%.300s: only what is in the folder acme is moved to the folder keys beside it",
		    old);
	else if (key_use_of(question->path) == KEY_USE_JWS)
		adopt_account(old, question->path, saying);
	else
		adopt_certified(old, question->path, saying);
}
