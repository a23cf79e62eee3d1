/* Tests of base/memory_file: read by its path, and overwritten when it is closed. */
#include "base/memory_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "helpers.h"

enum { BYTES = 10000 }; /* more than is overwritten at once */

static void
is_read_by_its_path(void **state)
{
	struct memory_file file;
	char text[8];
	int fd;

	(void)state;
	assert_true(memory_file_open(&file, "secret", 6));
	fd = open(file.path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof text), 6);
	assert_memory_equal(text, "secret", 6);
	close(fd);
	memory_file_close(&file);
	memory_file_close(&file);
	assert_int_equal(open(file.path, O_RDONLY), -1);
}

/* Whoever has it open still, as a library may that forgot to close it, finds nothing. */
static void
is_overwritten_when_it_is_closed(void **state)
{
	struct memory_file file;
	char *data = malloc(BYTES);
	int fd;

	(void)state;
	memset(data, 'k', BYTES);
	assert_true(memory_file_open(&file, data, BYTES));
	fd = open(file.path, O_RDONLY);
	memory_file_close(&file);
	assert_int_equal(read(fd, data, BYTES), BYTES);
	for (int i = 0; i < BYTES; i++)
		assert_int_equal(data[i], 0);
	close(fd);
	free(data);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(is_read_by_its_path),
	cmocka_unit_test(is_overwritten_when_it_is_closed),
};

RUN_TESTS("memory_file", tests)
