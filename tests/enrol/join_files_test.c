/* Tests of enrol/join_files: whose the files are, what stays, and what goes again. */
#include "enrol/join_files.h"

#include <ftw.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "helpers.h"
#include "keys/key_ask.h"
#include "keys/key_process.h"
#include "skip.h"

static char top[] = "/tmp/valise-join-XXXXXX";
static char state_dir[64], config[64];
static struct join_places places;
static char error[JOIN_FILES_ERROR];

static int
enter(void **state)
{
	(void)state;
	strcpy(top + sizeof top - 7, "XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(state_dir, sizeof state_dir, "%s/state", top);
	snprintf(config, sizeof config, "%s/etc/agent.yml", top);
	places = (struct join_places){ .state_dir = state_dir,
		.config = config,
		.kind = "agent",
		.peers = "relays",
		.peer_crl_url = "https://pki.example/crl/relays.pem",
		.server_crl_url = "https://pki.example/crl/servers.pem" };
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st, (void)type, (void)walk;
	return remove(path);
}

static int
leave(void **state)
{
	(void)state;
	return nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void
put(const char *path, const char *text)
{
	char why[FILE_ERROR];

	assert_true(file_write(path, 0644, text, strlen(text), why));
}

static void
assert_holds(const char *path, const char *text)
{
	struct secret there;
	char why[FILE_ERROR];

	assert_true(file_read(&there, path, 4096, why));
	assert_string_equal((const char *)there.data, text);
	secret_wipe(&there);
}

static mode_t
mode(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static bool
exists(const char *path)
{
	return file_stamp_of(path).exists;
}

static struct secret
text(const char *words)
{
	return (struct secret){ (uint8_t *)(uintptr_t)words, strlen(words) };
}

static bool
write_all(struct join_files *files)
{
	const struct secret contents[JOIN_FILES] = {
		[JOIN_PEER_CRLS] = text("peer crls"),
		[JOIN_SERVER_CRLS] = text("server crls"),
		[JOIN_PEER_CAS] = text("peer cas"),
		[JOIN_SERVER_CAS] = text("server cas"),
		[JOIN_CONFIG] = text("config"),
		[JOIN_CERTIFICATE] = text("certificate"),
	};

	return join_files_write(files, contents, error);
}

static void
make_key(const struct join_files *files)
{
	uint8_t digest[KEY_DIGEST];

	assert_true(key_ask_make(files->paths[JOIN_KEY], KEY_P256, digest, error));
}

static void
makes_each_file_where_it_belongs(void **state)
{
	static const struct {
		enum join_file file;
		mode_t mode;
		const char *text;
	} rows[] = {
		{ JOIN_CERTIFICATE, 0644, "certificate" },
		{ JOIN_PEER_CRLS, 0644, "peer crls" },
		{ JOIN_SERVER_CAS, 0644, "server cas" },
		{ JOIN_CONFIG, 0644, "config" },
	};
	struct join_files files;

	(void)state;
	assert_int_equal(join_files_plan(&files, &places, error), 0);
	assert_false(files.key_is_old);
	make_key(&files);
	assert_true(write_all(&files));
	assert_int_equal(mode(files.paths[JOIN_KEY]), 0600);
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_holds(files.paths[rows[i].file], rows[i].text);
		assert_int_equal(mode(files.paths[rows[i].file]), rows[i].mode);
	}
	assert_int_equal(mode(state_dir), 0700);
	assert_string_equal(files.paths[JOIN_CONFIG], config);
}

static void
goes_on_with_the_key_of_a_join_that_did_not_finish(void **state)
{
	uint8_t made[KEY_DIGEST], old[KEY_DIGEST];
	struct join_files files;

	(void)state;
	assert_int_equal(join_files_plan(&files, &places, error), 0);
	assert_false(files.key_is_old);
	make_key(&files);
	assert_true(key_ask_look(files.paths[JOIN_KEY], made, error));
	assert_int_equal(join_files_plan(&files, &places, error), 0);
	assert_true(files.key_is_old);
	assert_true(key_ask_look(files.paths[JOIN_KEY], old, error));
	assert_memory_equal(made, old, KEY_DIGEST);
}

/* Two who join at once have looked before either has written: a certificate must not come to stand beside
 * the other one's key. */
static void
leaves_the_key_of_another_who_joins_at_once(void **state)
{
	uint8_t theirs[KEY_DIGEST], ours[KEY_DIGEST];
	struct join_files them, us;

	(void)state;
	assert_int_equal(join_files_plan(&them, &places, error), 0);
	assert_int_equal(join_files_plan(&us, &places, error), 0);
	assert_true(key_ask_make(them.paths[JOIN_KEY], KEY_P256, theirs, error));
	assert_false(key_ask_make(us.paths[JOIN_KEY], KEY_P256, ours, error));
	assert_non_null(strstr(error, "agent.key"));
	assert_true(key_ask_look(us.paths[JOIN_KEY], ours, error));
	assert_memory_equal(ours, theirs, KEY_DIGEST);
}

static void
says_what_is_in_the_way(void **state)
{
	struct join_files files;

	(void)state;
	assert_int_equal(join_files_plan(&files, &places, error), 0);
	put(files.paths[JOIN_CONFIG], "mine");
	assert_int_equal(join_files_plan(&files, &places, error), EX_CANTCREAT);
	assert_non_null(strstr(error, config));
	put(files.paths[JOIN_CERTIFICATE], "mine");
	unlink(config);
	assert_int_equal(join_files_plan(&files, &places, error), EX_CANTCREAT);
	assert_non_null(strstr(error, "agent.crt"));
}

static void
takes_away_what_it_made_when_one_cannot_be_made(void **state)
{
	struct join_files files;

	(void)state;
	assert_int_equal(join_files_plan(&files, &places, error), 0);
	put(files.paths[JOIN_KEY], "key");
	put(files.paths[JOIN_SERVER_CAS], "server cas"); /* there before */
	put(files.paths[JOIN_CERTIFICATE], "since a moment ago");
	assert_false(write_all(&files));
	assert_non_null(strstr(error, "agent.crt"));
	assert_false(exists(files.paths[JOIN_CONFIG]));
	assert_false(exists(files.paths[JOIN_PEER_CAS]));
	assert_false(exists(files.paths[JOIN_PEER_CRLS]));
	assert_holds(files.paths[JOIN_KEY], "key");
	assert_holds(files.paths[JOIN_SERVER_CAS], "server cas");
	assert_holds(files.paths[JOIN_CERTIFICATE], "since a moment ago");
}

static void
has_a_place_for_the_same_cas_and_for_no_others(void **state)
{
	const struct secret same = text("server cas"), other = text("other cas");
	struct join_files files;

	(void)state;
	assert_int_equal(join_files_plan(&files, &places, error), 0);
	assert_true(join_files_have_place(&files, JOIN_SERVER_CAS, &other, error));
	put(files.paths[JOIN_SERVER_CAS], "server cas");
	assert_true(join_files_have_place(&files, JOIN_SERVER_CAS, &same, error));
	assert_false(join_files_have_place(&files, JOIN_SERVER_CAS, &other, error));
	assert_non_null(strstr(error, "servers-ca.crt is there already"));
}

/* Root joins, and the daemon's user owns what the daemon renews. */
static void
gives_the_state_to_the_user_of_the_daemon(void **state)
{
	const struct passwd *nobody = getpwnam("nobody");
	struct join_files files;
	struct stat st;

	(void)state;
	if (geteuid() != 0 || !nobody)
		SKIP("only root can give files to others");
	assert_int_equal(chmod(top, 0755), 0);
	places.user = "nobody";
	assert_int_equal(join_files_plan(&files, &places, error), 0);
	assert_true(key_process_start_as(files.user, files.group));
	make_key(&files);
	key_process_stop();
	assert_true(write_all(&files));
	assert_int_equal(stat(files.paths[JOIN_KEY], &st), 0);
	assert_int_equal(st.st_uid, nobody->pw_uid);
	assert_int_equal(st.st_gid, nobody->pw_gid);
	assert_int_equal(stat(state_dir, &st), 0);
	assert_int_equal(st.st_uid, nobody->pw_uid);
	assert_int_equal(stat(config, &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(geteuid(), 0);
}

/* In a directory of the daemon's user, who may have put links there. */
static void
follows_no_link_of_the_daemons_user_with_the_rights_of_root(void **state)
{
	const struct passwd *nobody = getpwnam("nobody");
	char crls[80], target[80];
	struct join_files files;

	(void)state;
	if (geteuid() != 0 || !nobody)
		SKIP("only root can give files to others");
	assert_int_equal(chmod(top, 0755), 0);
	snprintf(target, sizeof target, "%s/roots", top);
	snprintf(crls, sizeof crls, "%s/crls", state_dir);
	assert_int_equal(mkdir(target, 0755), 0);
	assert_int_equal(mkdir(state_dir, 0700), 0);
	assert_int_equal(symlink(target, crls), 0);
	assert_int_equal(lchown(crls, nobody->pw_uid, nobody->pw_gid), 0);
	assert_int_equal(chown(state_dir, nobody->pw_uid, nobody->pw_gid), 0);
	places.user = "nobody";
	assert_int_equal(join_files_plan(&files, &places, error), 0);
	assert_false(write_all(&files));
	assert_int_equal(rmdir(target), 0); /* nothing was put there */
	assert_int_equal(geteuid(), 0);
}

static void
wants_a_user_that_exists(void **state)
{
	struct join_files files;

	(void)state;
	if (geteuid() != 0)
		SKIP("only root can give files to others");
	places.user = "no such user";
	assert_int_equal(join_files_plan(&files, &places, error), EX_NOUSER);
	assert_false(exists(state_dir));
}

#define IN_A_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, enter, leave)

static const struct CMUnitTest tests[] = {
	IN_A_DIRECTORY(makes_each_file_where_it_belongs),
	IN_A_DIRECTORY(goes_on_with_the_key_of_a_join_that_did_not_finish),
	IN_A_DIRECTORY(leaves_the_key_of_another_who_joins_at_once),
	IN_A_DIRECTORY(says_what_is_in_the_way),
	IN_A_DIRECTORY(takes_away_what_it_made_when_one_cannot_be_made),
	IN_A_DIRECTORY(has_a_place_for_the_same_cas_and_for_no_others),
	IN_A_DIRECTORY(gives_the_state_to_the_user_of_the_daemon),
	IN_A_DIRECTORY(follows_no_link_of_the_daemons_user_with_the_rights_of_root),
	IN_A_DIRECTORY(wants_a_user_that_exists),
};
RUN_TESTS("enrol/join_files", tests)
