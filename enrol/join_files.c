/* Paths, owners, and writing all or nothing. */
#include "enrol/join_files.h"

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "pki/crl_store.h"

enum { CONTENTS_MOST = 64 << 20 };

static const struct {
	bool is_state; /* it belongs to the daemon */
	bool may_be_there;
	mode_t mode;
} rows[JOIN_FILES] = {
	[JOIN_KEY] = { true, false, 0600 },
	[JOIN_PEER_CRLS] = { true, true, 0644 },
	[JOIN_SERVER_CRLS] = { true, true, 0644 },
	[JOIN_PEER_CAS] = { false, true, 0644 },
	[JOIN_SERVER_CAS] = { false, true, 0644 },
	[JOIN_CONFIG] = { false, false, 0644 },
	[JOIN_CERTIFICATE] = { true, false, 0644 },
};

/* ---- as which user ---- */

/* Until it is taken back, files are looked at and made with the rights of the daemon's user: in a
 * directory of his, root would follow any link. */
static bool
become(const struct join_files *files, bool is_daemon)
{
	if (!files->drops)
		return true;
	if (!is_daemon)
		return seteuid(0) == 0 && setegid(0) == 0 && setgroups(0, NULL) == 0;
	return setgroups(1, &files->group) == 0 && setegid(files->group) == 0 &&
	    seteuid(files->user) == 0;
}

static bool
fail_user(char error[JOIN_FILES_ERROR])
{
	snprintf(error, JOIN_FILES_ERROR, "the user cannot be changed: %s", strerror(errno));
	return false;
}

static int
find_user(struct join_files *files, const char *name, char error[JOIN_FILES_ERROR])
{
	const struct passwd *user;

	if (!name || geteuid() != 0)
		return 0;
	user = getpwnam(name);
	if (!user) {
		snprintf(error, JOIN_FILES_ERROR,
		    "there is no user %.64s; run systemd-sysusers, or "
		    "say with --user who runs the daemon",
		    name);
		return EX_NOUSER;
	}
	files->user = user->pw_uid;
	files->group = user->pw_gid;
	files->drops = user->pw_uid != 0;
	return 0;
}

/* ---- directories ---- */

static bool
fail_directory(const char *path, char error[JOIN_FILES_ERROR])
{
	snprintf(error, JOIN_FILES_ERROR, "%.400s: cannot be used: %s", path, strerror(errno));
	return false;
}

/* A new state directory belongs to the daemon's user. */
static bool
make_directory(const struct join_files *files, const char *path, bool is_state)
{
	if (mkdir(path, is_state ? 0700 : 0755) < 0)
		return errno == EEXIST;
	return !is_state || !files->drops || lchown(path, files->user, files->group) == 0;
}

static bool
find_directory(const struct join_files *files, const char *path, bool is_state, char out[PATH_MAX],
    char error[JOIN_FILES_ERROR])
{
	return (make_directory(files, path, is_state) && realpath(path, out)) ||
	    fail_directory(path, error);
}

static bool
find_directories(
    struct join_files *files, const struct join_places *places, char error[JOIN_FILES_ERROR])
{
	char config[PATH_MAX], crls[PATH_MAX + 8], keys[PATH_MAX + 8];
	bool done;

	snprintf(config, sizeof config, "%s", places->config);
	if (!find_directory(files, dirname(config), false, files->config_dir, error) ||
	    !find_directory(files, places->state_dir, true, files->state_dir, error))
		return false;
	if (!become(files, true))
		return fail_user(error);
	snprintf(crls, sizeof crls, "%s/crls", files->state_dir);
	snprintf(keys, sizeof keys, "%s/keys", files->state_dir);
	done = (make_directory(&(struct join_files){ 0 }, crls, false) ||
		   fail_directory(crls, error)) &&
	    (make_directory(&(struct join_files){ 0 }, keys, true) || fail_directory(keys, error));
	return (become(files, false) || fail_user(error)) && done;
}

/* ---- paths ---- */

__attribute__((format(printf, 3, 4))) static bool
set_path(struct join_files *files, enum join_file file, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(files->paths[file], PATH_MAX, format, arguments);
	va_end(arguments);
	return length > 0 && length < PATH_MAX;
}

static bool
set_paths(struct join_files *files, const struct join_places *places)
{
	char config[PATH_MAX];

	snprintf(config, sizeof config, "%s", places->config);
	return set_path(files, JOIN_KEY, "%s/keys/%s.key", files->state_dir, places->kind) &&
	    set_path(files, JOIN_CERTIFICATE, "%s/%s.crt", files->state_dir, places->kind) &&
	    set_path(files, JOIN_PEER_CAS, "%s/%s-ca.crt", files->config_dir, places->peers) &&
	    set_path(files, JOIN_SERVER_CAS, "%s/servers-ca.crt", files->config_dir) &&
	    set_path(files, JOIN_CONFIG, "%s/%s", files->config_dir, basename(config)) &&
	    crl_store_path(files->state_dir, places->peer_crl_url, files->paths[JOIN_PEER_CRLS]) &&
	    crl_store_path(
		files->state_dir, places->server_crl_url, files->paths[JOIN_SERVER_CRLS]);
}

static bool
exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* What an earlier join or somebody else has put there. */
static int
look_for_others(struct join_files *files, char error[JOIN_FILES_ERROR])
{
	bool has_config = exists(files->paths[JOIN_CONFIG]);
	bool has_certificate = exists(files->paths[JOIN_CERTIFICATE]);

	files->key_is_old = exists(files->paths[JOIN_KEY]);
	if (!has_config && !has_certificate)
		return 0;
	snprintf(error, JOIN_FILES_ERROR,
	    "this host has %.400s%s%.400s already%s%.400s; nothing was changed.  To join again, move %s "
	    "away%s",
	    has_config ? files->paths[JOIN_CONFIG] : files->paths[JOIN_CERTIFICATE],
	    has_config && has_certificate ? " and " : "",
	    has_config && has_certificate ? files->paths[JOIN_CERTIFICATE] : "",
	    files->key_is_old ? ", with the key " : "",
	    files->key_is_old ? files->paths[JOIN_KEY] : "",
	    has_config && has_certificate ? "them" : "it",
	    files->key_is_old ? "; keep the key if the invitation is the one that it was used with"
			      : "");
	return EX_CANTCREAT;
}

int
join_files_plan(
    struct join_files *files, const struct join_places *places, char error[JOIN_FILES_ERROR])
{
	int code;

	*files = (struct join_files){ 0 };
	code = find_user(files, places->user, error);
	if (code == 0 && !find_directories(files, places, error))
		code = EX_CANTCREAT;
	if (code == 0 && !set_paths(files, places)) {
		snprintf(error, JOIN_FILES_ERROR, "a path is too long");
		code = EX_CANTCREAT;
	}
	return code ? code : look_for_others(files, error);
}

/* ---- reading and writing ---- */

/* Written by whom it belongs to; *made is whether it was not there, as the same, before. */
static bool
write_one(const struct join_files *files, enum join_file file, const struct secret *contents,
    bool *made, char error[JOIN_FILES_ERROR])
{
	const char *path = files->paths[file];
	bool is_crls = file == JOIN_PEER_CRLS || file == JOIN_SERVER_CRLS, done;
	char why[FILE_ERROR] = "";

	*made = !exists(path);
	if (!become(files, rows[file].is_state))
		return fail_user(error);
	if (is_crls) /* what was fetched before is replaced, as the daemon will do */
		done = file_write(path, rows[file].mode, contents->data, contents->bytes, why);
	else if (!*made && rows[file].may_be_there)
		done = true; /* join_files_have_place() has looked */
	else
		done = file_create(path, rows[file].mode, contents->data, contents->bytes, why);
	if (!done)
		snprintf(error, JOIN_FILES_ERROR, "%s", why);
	return (become(files, false) || fail_user(error)) && done;
}

bool
join_files_have_place(const struct join_files *files, enum join_file file,
    const struct secret *contents, char error[JOIN_FILES_ERROR])
{
	const char *path = files->paths[file];
	struct secret there;
	char why[FILE_ERROR];
	bool same;

	if (!exists(path))
		return true;
	if (!file_read(&there, path, CONTENTS_MOST, why)) {
		snprintf(error, JOIN_FILES_ERROR, "%s", why);
		return false;
	}
	same = secret_equals(&there, contents->data, contents->bytes);
	secret_wipe(&there);
	if (!same)
		snprintf(error, JOIN_FILES_ERROR,
		    "%.400s is there already, and is not what the authority has sent; move it away, or "
		    "put the configuration elsewhere with --config",
		    path);
	return same;
}

static void
remove_made(const struct join_files *files, const bool made[JOIN_FILES])
{
	for (int i = 0; i < JOIN_FILES; i++) {
		if (!made[i] || !become(files, rows[i].is_state))
			continue;
		unlink(files->paths[i]);
		become(files, false);
	}
}

bool
join_files_write(const struct join_files *files, const struct secret contents[JOIN_FILES],
    char error[JOIN_FILES_ERROR])
{
	bool made[JOIN_FILES] = { false };

	for (int i = JOIN_KEY + 1; i < JOIN_FILES; i++) {
		if (write_one(files, (enum join_file)i, &contents[i], &made[i], error))
			continue;
		made[i] = false;
		remove_made(files, made);
		return false;
	}
	return true;
}
