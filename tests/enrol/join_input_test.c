/* Tests of enrol/join_input: the line on standard input and in files. */
#include "enrol/join_input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "helpers.h"

static const struct join_line line = {
	.kind = "agent",
	.handle = "0011223344556677",
	.secret = "000102030405060708090a0b0c0d0e0f",
	.url = "https://pki.example",
	.relay = "connect.example:443",
};

static char error[JOIN_INPUT_ERROR];

/* What join_input_read() makes of this on standard input, of which *left bytes stay for others. */
static int
read_from(const char *text, size_t bytes, struct join_line *out, ssize_t *left)
{
	int ends[2], before = dup(STDIN_FILENO), code;
	char rest[64];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, bytes), (ssize_t)bytes);
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	code = join_input_read(out, NULL, error);
	*left = read(STDIN_FILENO, rest, sizeof rest);
	dup2(before, STDIN_FILENO);
	close(before);
	close(ends[0]);
	return code;
}

static void
encode(char text[JOIN_LINE_TEXT])
{
	const char *why;

	assert_true(join_line_encode(&line, text, &why));
}

static void
takes_the_first_line_and_leaves_the_rest(void **state)
{
	static const struct {
		const char *before, *after;
		ssize_t left;
	} cases[] = { { "", "", 0 }, { "", "\n", 0 }, { "\n\n", "\nnext", 4 },
		{ " ", "\r\nx", 1 } };
	char encoded[JOIN_LINE_TEXT], text[JOIN_LINE_TEXT + 32];
	struct join_line got;
	ssize_t left;

	(void)state;
	encode(encoded);
	for (size_t i = 0; i < COUNT(cases); i++) {
		int bytes =
		    snprintf(text, sizeof text, "%s%s%s", cases[i].before, encoded, cases[i].after);

		assert_int_equal(read_from(text, (size_t)bytes, &got, &left), 0);
		assert_string_equal(got.secret, line.secret);
		assert_string_equal(got.relay, line.relay);
		assert_int_equal(left, cases[i].left);
	}
}

static void
refuses_what_is_not_such_a_line(void **state)
{
	static char long_one[8192];
	struct join_line got;
	ssize_t left;

	(void)state;
	memset(long_one, 'A', sizeof long_one);
	assert_int_equal(read_from("", 0, &got, &left), EX_DATAERR);
	assert_int_equal(read_from("valise-join:AAAA\n", 17, &got, &left), EX_DATAERR);
	assert_int_equal(read_from("a\0b\n", 4, &got, &left), EX_DATAERR);
	assert_int_equal(read_from(long_one, sizeof long_one, &got, &left), EX_DATAERR);
	assert_non_null(strstr(error, "the join line "));
	assert_int_equal(read_from("valise-join:\003", 13, &got, &left), EX_NOINPUT);
	assert_non_null(strstr(error, "interrupted"));
}

static void
reads_a_file_that_nobody_else_may_read(void **state)
{
	char path[] = "/tmp/valise-line-XXXXXX", text[JOIN_LINE_TEXT];
	int fd = mkstemp(path);
	struct join_line got;

	(void)state;
	encode(text);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(join_input_read(&got, path, error), 0);
	assert_string_equal(got.url, line.url);
	assert_int_equal(fchmod(fd, 0604), 0);
	assert_int_equal(join_input_read(&got, path, error), EX_NOINPUT);
	unlink(path);
	assert_int_equal(join_input_read(&got, path, error), EX_NOINPUT);
	close(fd);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(takes_the_first_line_and_leaves_the_rest),
	cmocka_unit_test(refuses_what_is_not_such_a_line),
	cmocka_unit_test(reads_a_file_that_nobody_else_may_read),
};
RUN_TESTS("enrol/join_input", tests)
