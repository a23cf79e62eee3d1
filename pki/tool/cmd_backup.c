/* valise-pki backup, restore: the whole authority in one file. */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "pki/tool/authority.h"
#include "pki/tool/command.h"
#include "pki/tool/output.h"
#include "pki/tool/message.h"
#include "pki/tool/tarball.h"

struct backup_options {
	struct common common;
	bool replace;
};

static const struct option_row rows[] = { TARBALL_REPLACE_ROW(struct backup_options, replace),
	{ 0 } };

static const struct synopsis usage = {
	"backup",
	"FILE",
	1,
	1,
	"Writes everything, keys included, to a new tar archive that only you may read.",
	rows,
};
static const struct synopsis restore_usage = {
	"restore",
	"FILE",
	1,
	1,
	"Makes the authority of a backup again, in a directory that is not there yet.",
	NULL,
};

static const struct {
	const char *path;
	mode_t mode;
} folders[] = {
	{ ".", 0755 },
	{ "private", 0700 },
	{ "cas", 0755 },
	{ "crls", 0755 },
	{ "issued", 0755 },
	{ "tmp", 0700 },
};

static int
add_entry(struct tarball *tarball, const struct store *store, const char *folder, const char *entry)
{
	char name[PATH_MAX], path[PATH_MAX];
	struct stat status;

	snprintf(name, sizeof name, "%s%s%s", strcmp(folder, ".") == 0 ? "" : folder,
	    strcmp(folder, ".") == 0 ? "" : "/", entry);
	store_path(store, name, path);
	if (strncmp(name, "inventory.db", 12) == 0 || lstat(path, &status) < 0 ||
	    !S_ISREG(status.st_mode))
		return 0;
	return tarball_add_file(tarball, name, path);
}

static int
add_folder(struct tarball *tarball, const struct store *store, const char *folder)
{
	char path[PATH_MAX];
	DIR *dir = opendir(store_path(store, folder, path));
	struct dirent *entry;
	int code = dir ? 0 : message_fail(EX_NOINPUT, "%s: %s", path, strerror(errno));

	while (!code && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			code = add_entry(tarball, store, folder, entry->d_name);
	if (dir)
		closedir(dir);
	return code;
}

/* Under the lock: nobody changes a file or a row meanwhile. */
static int
add_all(struct tarball *tarball, struct store *store)
{
	sqlite3_int64 bytes = 0;
	unsigned char *image;
	int code = store_begin_to_read(store);

	if (code)
		return code;
	image = sqlite3_serialize(store->db, "main", &bytes, 0);
	code = image ? tarball_add(tarball, "inventory.db", 0600, image, (size_t)bytes)
		     : message_no_memory();
	sqlite3_free(image);
	for (size_t i = 0; !code && i < sizeof folders / sizeof *folders; i++)
		if (strcmp(folders[i].path, "tmp") != 0)
			code = add_folder(tarball, store, folders[i].path);
	return code;
}

static int
run(int argc, char **argv)
{
	struct backup_options options = { 0 };
	struct authority authority = { .reads = true };
	struct operands operands;
	struct tarball tarball = { .fd = -1 };
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	code = authority_open(&authority, &options.common);
	if (!code)
		code = tarball_create(&tarball, operands.at[0], options.replace, authority.now);
	if (!code)
		code = add_all(&tarball, &authority.store);
	code = tarball_finish(&tarball, code);
	if (!code)
		code = output_print(&options.common, json_pack("{s:s}", "backup", operands.at[0]));
	authority_close(&authority);
	return code;
}

static int
set_modes(const char *dir)
{
	char path[PATH_MAX + 16];

	for (size_t i = sizeof folders / sizeof *folders; i-- > 0;) {
		snprintf(path, sizeof path, "%s/%s", dir, folders[i].path);
		if ((mkdir(path, folders[i].mode) < 0 && errno != EEXIST) ||
		    chmod(path, folders[i].mode) < 0)
			return message_fail(EX_CANTCREAT, "%s: %s", path, strerror(errno));
	}
	return 0;
}

static int
remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

/* CRLs issued after the backup have numbers that it does not know; a relay that has seen them
 * refuses lower ones.  No CA issues one a second, so the clock is ahead of them all. */
static int
outnumber(struct store *store)
{
	int code = store_begin(store);

	if (!code)
		code =
		    store_do(store, "UPDATE ca SET crl_number = max(crl_number, ?) WHERE key != ''",
			"i", clock_wall_s());
	return code ? code : store_commit(store);
}

static int
restore_beside(const char *archive, const char *dir, const char *beside)
{
	struct store store = { 0 };
	int code = tarball_extract(archive, beside);

	if (!code)
		code = set_modes(beside);
	if (!code)
		code = store_open(&store, beside);
	if (!code)
		code = outnumber(&store);
	store_close(&store);
	if (!code && rename(beside, dir) < 0)
		code = message_fail(EX_CANTCREAT, "%s: %s", dir, strerror(errno));
	if (code) /* there are keys in it */
		nftw(beside, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return code;
}

static int
run_restore(int argc, char **argv)
{
	struct common common = { 0 };
	struct operands operands;
	char beside[PATH_MAX];
	const char *dir;
	size_t length;
	int code;

	if (!options_read(&restore_usage, argc, argv, &common, &operands, &code))
		return code;
	if (!(dir = authority_directory(&common)))
		return EX_USAGE;
	if (access(dir, F_OK) == 0 && rmdir(dir) < 0)
		return message_fail(
		    EX_CANTCREAT, "%s is there and not empty; restore to a new directory", dir);
	length = strlen(dir);
	while (length > 1 && dir[length - 1] == '/')
		length--;
	snprintf(beside, sizeof beside, "%.*s.XXXXXX", (int)length, dir);
	if (!mkdtemp(beside))
		return message_fail(EX_CANTCREAT, "%s: %s", dir, strerror(errno));
	code = restore_beside(operands.at[0], dir, beside);
	if (code)
		return code;
	message_note(
	    "what was issued or revoked after the backup is not known here; revoke again what "
	    "must be, then run `valise-pki crl --all` and hand out the CRLs");
	return output_print(&common, json_pack("{s:s}", "restored", dir));
}

const struct command command_backup = { &usage, run };
const struct command command_restore = { &restore_usage, run_restore };
