/* Tests of acme/store, in a directory of its own. */
#include "acme/store.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "acme/account_key.h"
#include "acme/csr.h"
#include "helpers.h"
#include "keys/key_ask.h"
#include "pki/key_pem.h"

static char dir[64], error[FILE_ERROR], id[STORE_ID];

static int
set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/valise-acme-test-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	store_account_id("https://ca.example/directory", NULL, id);
	return !store_open(dir, error);
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command);
}

static mode_t
mode_of(const char *name)
{
	char path[PATH_MAX];
	struct stat facts;

	snprintf(path, sizeof path, "%s/acme/%s", dir, name);
	return stat(path, &facts) == 0 ? facts.st_mode & 07777 : 0;
}

static size_t
count_files(void)
{
	char path[PATH_MAX];
	size_t count = 0;
	DIR *files;

	snprintf(path, sizeof path, "%s/acme", dir);
	files = opendir(path);
	assert_non_null(files);
	while (readdir(files))
		count++;
	closedir(files);
	return count;
}

/* A limit of a file's size is as a full disk. */
static void
finds_whether_there_is_room_and_leaves_nothing(void **state)
{
	size_t before = count_files();
	struct rlimit limit;
	bool has_room;

	(void)state;
	assert_true(store_has_room(dir, "a.test", error));
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	has_room = store_has_room(dir, "a.test", error);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_false(has_room);
	assert_non_null(strstr(error, "a.test"));
	assert_int_equal(count_files(), before);
}

static bool
are_alike(const struct account_key *a, const struct account_key *b)
{
	json_t *left = account_key_public(a), *right = account_key_public(b);
	bool are = json_equal(left, right);

	json_decref(left);
	json_decref(right);
	return are;
}

static void
makes_its_directory_for_nobody_else(void **state)
{
	char deep[128];

	(void)state;
	assert_int_equal(mode_of(""), 0700);
	assert_true(store_open(dir, error));
	snprintf(deep, sizeof deep, "%s/a/b/c", dir);
	assert_true(store_open(deep, error));
	assert_false(store_open("/proc/none", error));
	assert_non_null(strstr(error, "/proc/none"));
}

static void
each_ca_and_each_customer_has_an_account_of_its_own(void **state)
{
	char other[STORE_ID], customer[STORE_ID];

	(void)state;
	store_account_id("https://other.example/directory", NULL, other);
	store_account_id("https://ca.example/directory", "kid-1", customer);
	assert_string_not_equal(id, other);
	assert_string_not_equal(id, customer);
	assert_int_equal(strlen(id), STORE_ID - 1);
}

static void
makes_a_key_once(void **state)
{
	struct account_key *key = store_account_key(dir, id, error), *again;
	char name[64];

	(void)state;
	assert_non_null(key);
	again = store_account_key(dir, id, error);
	assert_true(are_alike(key, again));
	snprintf(name, sizeof name, "../keys/acme-%s.account", id);
	assert_int_equal(mode_of(name), 0600);
	assert_int_equal(mode_of("../keys"), 0700);
	account_key_free(key);
	account_key_free(again);
}

static void
a_damaged_key_is_told_and_kept(void **state)
{
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof path, "%s/keys", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/keys/acme-%s.account", dir, id);
	assert_true(file_write(path, 0600, "junk", 4, error));
	assert_null(store_account_key(dir, id, error));
	assert_non_null(strstr(error, path));
	assert_int_equal(file_stamp_of(path).bytes, 4);
}

static void
remembers_the_account(void **state)
{
	char url[STORE_URL], identity[STORE_IDENTITY];

	(void)state;
	store_account_url(dir, id, url, identity);
	assert_string_equal(url, "");
	assert_true(
	    store_keep_account_url(dir, id, "https://ca.example/acct/7", "ca.example", error));
	store_account_url(dir, id, url, identity);
	assert_string_equal(url, "https://ca.example/acct/7");
	assert_string_equal(identity, "ca.example");
	assert_true(store_keep_account_url(dir, id, "https://ca.example/acct/8", "", error));
	store_account_url(dir, id, url, identity);
	assert_string_equal(url, "https://ca.example/acct/8");
	assert_string_equal(identity, "");
	assert_true(store_keep_account_url(dir, id, "no address", "ca.example", error));
	store_account_url(dir, id, url, identity);
	assert_string_equal(url, "");
}

static void
a_change_of_keys_is_gone_on_with_and_settled(void **state)
{
	struct account_key *key = store_account_key(dir, id, error), *fresh, *again;

	(void)state;
	assert_null(store_fresh_key(dir, id, true, error));
	assert_string_equal(error, "");
	fresh = store_fresh_key(dir, id, false, error);
	again = store_fresh_key(dir, id, true, error);
	assert_true(are_alike(fresh, again));
	assert_false(are_alike(fresh, key));
	account_key_free(again);
	assert_true(store_settle_key(dir, id, true, error));
	again = store_account_key(dir, id, error);
	assert_true(are_alike(fresh, again));
	account_key_free(again);
	account_key_free(store_fresh_key(dir, id, false, error));
	assert_true(store_settle_key(dir, id, false, error));
	again = store_account_key(dir, id, error);
	assert_true(are_alike(fresh, again));
	assert_null(store_fresh_key(dir, id, true, error));
	account_key_free(again);
	account_key_free(fresh);
	account_key_free(key);
}

static void
the_key_of_an_order_stays_until_its_certificate_is_there(void **state)
{
	uint8_t first[KEY_DIGEST], again[KEY_DIGEST], other[KEY_DIGEST], kept[KEY_DIGEST];
	char path[PATH_MAX], chain_path[PATH_MAX], why[KEY_ASK_ERROR];
	struct secret chain;

	(void)state;
	assert_true(store_order_key(dir, "app.example.com", KEY_P256, path, first, error));
	assert_true(store_order_key(dir, "app.example.com", KEY_P256, path, again, error));
	assert_memory_equal(first, again, KEY_DIGEST);
	assert_int_equal(mode_of("../keys/acme-app.example.com.key.next"), 0600);
	assert_true(store_order_key(dir, "app.example.com", KEY_RSA2048, path, other, error));
	assert_memory_not_equal(first, other, KEY_DIGEST);
	assert_true(store_certificate(dir, "app.example.com", id, KEY_RSA2048,
	    (struct der){ (const uint8_t *)"CHAIN\n", 6 }, error));
	assert_int_equal(mode_of("../keys/acme-app.example.com.key.next"), 0);
	assert_int_equal(mode_of("../keys/acme-app.example.com.key"), 0600);
	assert_int_equal(mode_of("app.example.com.crt"), 0600);
	assert_true(key_ask_look(store_key_path(dir, "app.example.com", path), kept, why));
	assert_memory_equal(other, kept, KEY_DIGEST);
	assert_true(file_read(
	    &chain, store_certificate_path(dir, "app.example.com", chain_path), 65536, error));
	assert_true(store_is_from(dir, "app.example.com", id, KEY_RSA2048));
	assert_false(store_is_from(dir, "app.example.com", id, KEY_P256));
	assert_false(store_is_from(dir, "app.example.com", "0123456789abcdef", KEY_RSA2048));
	assert_false(store_is_from(dir, "other.example.com", id, KEY_RSA2048));
	assert_int_equal(chain.bytes, 6);
	assert_memory_equal(chain.data, "CHAIN\n", 6);
	secret_wipe(&chain);
}

/* As an older version has left them: the account's key beside its address, and a key with its chain. */
static void
takes_over_what_an_older_version_kept(void **state)
{
	static const char begin[] =
	    "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
	char old[PATH_MAX], path[PATH_MAX], both[8192];
	struct account_key *before, *after;
	struct spki_pin pin;
	uint8_t kept[KEY_DIGEST];
	struct secret pem, chain;

	(void)state;
	before = store_account_key(dir, id, error);
	assert_non_null(before);
	snprintf(path, sizeof path, "%s/keys/acme-%s.account", dir, id);
	snprintf(old, sizeof old, "%s/acme/account-%s.key", dir, id);
	assert_int_equal(rename(path, old), 0);
	after = store_account_key(dir, id, error);
	assert_true(are_alike(before, after));
	assert_false(file_stamp_of(old).exists);
	account_key_free(before);
	account_key_free(after);

	assert_true(key_pem_make(&pem, KEY_P256) >= 0 && key_pem_pin(&pin, &pem));
	snprintf(both, sizeof both, "%s%s", (const char *)pem.data, begin);
	snprintf(old, sizeof old, "%s/acme/app.example.com.pem", dir);
	assert_true(file_create(old, 0600, both, strlen(both), error));
	for (int i = 0; i < 2; i++) { /* the second time there is nothing */
		assert_true(store_mend(dir, "app.example.com", error));
		assert_false(file_stamp_of(old).exists);
		assert_true(file_read(
		    &chain, store_certificate_path(dir, "app.example.com", path), 65536, error));
		assert_string_equal((const char *)chain.data, begin);
		secret_wipe(&chain);
		assert_true(key_ask_look(store_key_path(dir, "app.example.com", path), kept, both));
		assert_memory_equal(kept, pin.digest, KEY_DIGEST);
	}
	secret_wipe(&pem);
}

static void
what_must_be_waited_for_outlives_a_restart(void **state)
{
	struct schedule schedule = { 0 }, again = { 0 };
	char why[STORE_WHY];

	(void)state;
	store_read_wait(dir, "app.example.com", "0123456789abcdef", &again, why);
	assert_int_equal(again.failures, 0);
	assert_string_equal(why, "");
	schedule_take_failure(&schedule, ACME_FAILURE_LATER, 86400, 1767225600);
	store_keep_wait(
	    dir, "app.example.com", "0123456789abcdef", &schedule, "too many \"orders\"");
	store_read_wait(dir, "app.example.com", "0123456789abcdef", &again, why);
	assert_int_equal(again.failures, 1);
	assert_int_equal(again.failed_s, 1767225600);
	assert_int_equal(again.wait_s, 86400);
	assert_string_equal(why, "too many \"orders\"");
	store_read_wait(dir, "app.example.com", "fedcba9876543210", &again, why);
	assert_int_equal(again.failures, 0);
	assert_string_equal(why, "");
	schedule.failures = 0;
	store_keep_wait(dir, "app.example.com", "0123456789abcdef", &schedule, "");
	assert_int_equal(mode_of("app.example.com.wait"), 0);
}

static void
a_file_that_was_tampered_with_bars_nobody(void **state)
{
	static const char *const texts[] = { "", "[]", "junk", "{\"failures\":\"x\"}",
		("{\"settings\":\"0123456789abcdef\",\"failures\":-1,\"failed_s\":-5,"
		 "\"wait_s\":99999999999,\"why\":7}") };
	struct schedule schedule;
	char why[STORE_WHY], path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof path, "%s/acme/app.example.com.wait", dir);
	for (size_t i = 0; i < COUNT(texts); i++) {
		schedule = (struct schedule){ 0 };
		assert_true(file_write(path, 0600, texts[i], strlen(texts[i]), error));
		store_read_wait(dir, "app.example.com", "0123456789abcdef", &schedule, why);
		assert_int_equal(schedule.failures, 0);
		assert_true(schedule.wait_s <= SCHEDULE_WAIT_MOST_S);
		assert_string_equal(why, "");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(makes_its_directory_for_nobody_else),
		TEST(finds_whether_there_is_room_and_leaves_nothing),
		TEST(each_ca_and_each_customer_has_an_account_of_its_own),
		TEST(makes_a_key_once),
		TEST(a_damaged_key_is_told_and_kept),
		TEST(remembers_the_account),
		TEST(a_change_of_keys_is_gone_on_with_and_settled),
		TEST(the_key_of_an_order_stays_until_its_certificate_is_there),
		TEST(takes_over_what_an_older_version_kept),
		TEST(what_must_be_waited_for_outlives_a_restart),
		TEST(a_file_that_was_tampered_with_bars_nobody),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("acme/store", tests, NULL, NULL);
}
