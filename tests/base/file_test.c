/* Tests of base/file: whole reads and writes, and key files. */
#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "helpers.h"

static char directory[] = "/tmp/valise-file-XXXXXX";
static char error[FILE_ERROR];

static const char *
path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static int
set_up(void **state)
{
	(void)state;
	umask(022);
	return !mkdtemp(directory);
}

static int
tear_down(void **state)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	(void)state;
	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	return rmdir(directory);
}

static unsigned
count_entries(void)
{
	DIR *dir = opendir(directory);
	unsigned count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

static void
reads_what_was_written(void **state)
{
	struct secret text;
	struct stat st;

	(void)state;
	assert_true(file_write(path_of("a"), 0640, "one", 3, error));
	assert_true(file_write(path_of("a"), 0604, "two\0!", 5, error));
	assert_true(file_read(&text, path_of("a"), 5, error));
	assert_int_equal(text.bytes, 5);
	assert_memory_equal(text.data, "two\0!", 6);
	assert_int_equal(stat(path_of("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0604);
	secret_wipe(&text);
	assert_true(file_write(path_of("a"), 0600, "", 0, error));
	assert_true(file_read(&text, path_of("a"), 5, error));
	assert_int_equal(text.bytes, 0);
	secret_wipe(&text);
}

static void
creates_but_never_replaces(void **state)
{
	struct secret text;

	(void)state;
	unlink(path_of("b"));
	assert_true(file_create(path_of("b"), 0600, "first", 5, error));
	assert_false(file_create(path_of("b"), 0600, "second", 6, error));
	assert_non_null(strstr(error, "is there already"));
	assert_true(file_read(&text, path_of("b"), 100, error));
	assert_memory_equal(text.data, "first", 6);
	secret_wipe(&text);
}

static void
leaves_nothing_beside_it(void **state)
{
	unsigned before;

	(void)state;
	assert_true(file_write(path_of("c"), 0600, "x", 1, error));
	before = count_entries();
	assert_true(file_write(path_of("c"), 0600, "y", 1, error));
	assert_false(file_create(path_of("c"), 0600, "z", 1, error));
	assert_int_equal(mkdir(path_of("d"), 0700), 0);
	assert_false(file_write(path_of("d"), 0600, "z", 1, error));
	assert_int_equal(rmdir(path_of("d")), 0);
	assert_int_equal(count_entries(), before);
	assert_false(file_write("/nonexistent/x", 0600, "z", 1, error));
	assert_non_null(strstr(error, "/nonexistent/x: cannot write: "));
}

static void
refuses_to_read_what_is_not_a_bounded_regular_file(void **state)
{
	struct secret text;

	(void)state;
	assert_false(file_read(&text, path_of("missing"), 10, error));
	assert_non_null(
	    strstr(error, "missing: cannot read: No such file or directory; create it"));
	assert_null(text.data);
	assert_false(file_read(&text, directory, 10, error));
	assert_non_null(strstr(error, "is not a regular file"));
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	assert_false(file_read(&text, path_of("fifo"), 10, error));
	assert_false(file_read_key(&text, path_of("fifo"), 10, error));
	assert_non_null(strstr(error, "is not a regular file"));
	assert_false(file_read(&text, "/dev/zero", 10, error));
	assert_true(file_write(path_of("e"), 0600, "12345678901", 11, error));
	assert_false(file_read(&text, path_of("e"), 10, error));
	assert_non_null(strstr(error, "is larger than 10 bytes"));
	assert_true(file_read(&text, path_of("e"), 11, error));
	secret_wipe(&text);
}

static void
judges_keys_by_mode_and_owner(void **state)
{
	/* Owned by us: by root as well when root runs the test, and then the group may read. */
	const bool root = geteuid() == 0;
	const struct { mode_t mode; bool fine;
	} cases[] = {
	    {0600, true},
	    {0400, true},
	    {0640, root},
	    {0440, root},
	    {0660, false},
	    {0620, false},
	    {0644, false},
	    {0604, false},
	    {0602, false},
	    {0700, true},
	    {0610, true},
	};

	(void)state;
	assert_true(file_write(path_of("key"), 0600, "secret", 6, error));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct secret key;

		assert_int_equal(chmod(path_of("key"), cases[i].mode), 0);
		if (file_read_key(&key, path_of("key"), 100, error) != cases[i].fine)
			fail_msg("mode %04o is judged wrongly", cases[i].mode);
		if (cases[i].fine)
			secret_wipe(&key);
		else
			assert_non_null(strstr(error, "chmod 600"));
	}
}

static void
judges_a_key_of_another_owner(void **state)
{
	struct secret key;

	(void)state;
	if (geteuid() != 0)
		return;	/* only root can make such a file */
	assert_true(file_write(path_of("key"), 0600, "secret", 6, error));
	assert_int_equal(chown(path_of("key"), 12345, 0), 0);
	assert_false(file_read_key(&key, path_of("key"), 100, error));
	assert_non_null(strstr(error, "belongs to user 12345"));
	assert_non_null(strstr(error, "runuser -u 12345 -- "));
	assert_null(key.data);
}

static void
a_stamp_tells_a_change(void **state)
{
	struct file_stamp none = file_stamp_of(path_of("stamp")), first, again, second;

	(void)state;
	assert_false(none.exists);
	assert_true(file_write(path_of("stamp"), 0600, "x", 1, error));
	first = file_stamp_of(path_of("stamp"));
	again = file_stamp_of(path_of("stamp"));
	assert_true(first.exists);
	assert_true(file_stamp_equals(&first, &again));
	assert_false(file_stamp_equals(&first, &none));
	assert_true(file_write(path_of("stamp"), 0600, "y", 1, error));
	second = file_stamp_of(path_of("stamp"));
	assert_false(file_stamp_equals(&first, &second));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_what_was_written),
	cmocka_unit_test(creates_but_never_replaces),
	cmocka_unit_test(leaves_nothing_beside_it),
	cmocka_unit_test(refuses_to_read_what_is_not_a_bounded_regular_file),
	cmocka_unit_test(judges_keys_by_mode_and_owner),
	cmocka_unit_test(judges_a_key_of_another_owner),
	cmocka_unit_test(a_stamp_tells_a_change),
};

int
main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("file", tests, set_up, tear_down);
}
