/* Certificate, key and the next key, so that none is ever lost. */
#include "enrol/renewal_files.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/key_ask.h"
#include "keys/key_pair.h"

static bool
fail(char *error, const char *path, const char *what)
{
	snprintf(error, FILE_ERROR, "%.250s: %s: %s", path, what, strerror(errno));
	return false;
}

/* Where the file is, behind all links. */
static bool
find(const char *path, char found[PATH_MAX], char error[FILE_ERROR])
{
	return realpath(path, found) || fail(error, path, "cannot be found");
}

static bool
find_next(const struct renewal_files *files, char next[PATH_MAX], char error[FILE_ERROR])
{
	char key[PATH_MAX];

	if (!find(files->private_key, key, error))
		return false;
	if (snprintf(next, PATH_MAX, "%s.next", key) < PATH_MAX)
		return true;
	errno = ENAMETOOLONG;
	return fail(error, key, "the next key has no place beside it");
}

/* What was said of a key, as far as it fits. */
static bool
pass_on(bool is_done, const char why[KEY_ASK_ERROR], char error[FILE_ERROR])
{
	if (!is_done)
		snprintf(error, FILE_ERROR, "%.511s", why);
	return is_done;
}

static bool
may_replace_key(const struct renewal_files *files, char error[FILE_ERROR])
{
	char why[KEY_ASK_ERROR];

	return pass_on(key_ask_may_replace(files->private_key, why), why, error);
}

/* ---- before ---- */

static bool
may_replace(const char *path, char error[FILE_ERROR])
{
	char found[PATH_MAX], copy[PATH_MAX];

	if (!find(path, found, error))
		return false;
	snprintf(copy, sizeof copy, "%s", found);
	if (access(dirname(copy), W_OK | X_OK) == 0)
		return true;
	snprintf(error, FILE_ERROR,
	    "%.250s: cannot be replaced, since this user may not write its directory (%s); keep "
	    "certificate and key in state_dir",
	    path, strerror(errno));
	return false;
}

/* By whatever names: the certificate would take the place of the key. */
static bool
are_two(const struct renewal_files *files, char error[FILE_ERROR])
{
	char certificate[PATH_MAX], key[PATH_MAX];

	if (!find(files->certificate, certificate, error) || !find(files->private_key, key, error))
		return false;
	if (strcmp(certificate, key) != 0)
		return true;
	snprintf(error, FILE_ERROR,
	    "%.150s and %.150s are one file, and renewing needs two; put the key into a file of its "
	    "own",
	    files->certificate, files->private_key);
	return false;
}

bool
renewal_files_may_replace(const struct renewal_files *files, bool with_key, char error[FILE_ERROR])
{
	return are_two(files, error) && may_replace(files->certificate, error) &&
	    (!with_key || may_replace_key(files, error));
}

bool
renewal_files_have_room(const struct renewal_files *files, char error[FILE_ERROR])
{
	enum { CHAIN_BYTES = 64 * 1024 };
	char found[PATH_MAX];

	return find(files->certificate, found, error) && file_has_room(found, CHAIN_BYTES, error);
}

/* ---- the next key ---- */

bool
renewal_files_next_key(const struct renewal_files *files, char path[PATH_MAX],
    uint8_t digest[KEY_DIGEST], char error[FILE_ERROR])
{
	char why[KEY_ASK_ERROR];

	return find_next(files, path, error) &&
	    pass_on(key_ask_make_next(files->private_key, digest, why), why, error);
}

/* ---- after ---- */

static bool
put_key(const struct renewal_files *files, char error[FILE_ERROR])
{
	char why[KEY_ASK_ERROR];

	return pass_on(key_ask_put_next(files->private_key, why), why, error);
}

static bool
put_certificate(const char *path, const struct secret *certificate, char error[FILE_ERROR])
{
	char found[PATH_MAX];
	struct stat st;

	if (!find(path, found, error))
		return false;
	if (stat(found, &st) < 0)
		return fail(error, found, "cannot be found");
	return file_write(found, st.st_mode & 0777, certificate->data, certificate->bytes, error);
}

bool
renewal_files_replace(const struct renewal_files *files, const struct secret *certificate,
    bool with_key, char error[FILE_ERROR])
{
	return put_certificate(files->certificate, certificate, error) &&
	    (!with_key || put_key(files, error));
}

static bool
are_pair(const char *certificate, const char *private_key)
{
	char ignored[KEY_PAIR_ERROR];
	struct key_pair pair;
	bool are = key_pair_load(&pair, certificate, private_key, ignored) == KEY_PAIR_FINE;

	key_pair_wipe(&pair);
	return are;
}

enum renewal_mended
renewal_files_mend(const struct renewal_files *files, char error[FILE_ERROR])
{
	char next[PATH_MAX];

	if (!find_next(files, next, error) || access(next, F_OK) != 0 ||
	    are_pair(files->certificate, files->private_key) || !are_pair(files->certificate, next))
		return RENEWAL_NOTHING_TO_MEND;
	return put_key(files, error) ? RENEWAL_MENDED : RENEWAL_NOT_MENDED;
}
