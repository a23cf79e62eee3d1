/* Columns, their widths, and what of a table is shown. */
#include "base/text_table.h"

#include <stdlib.h>
#include <string.h>

#include "helpers.h"

/* The table as it is printed; the caller's to free. */
static char *
printed(const char *const *cells, unsigned columns, const struct text_table_bounds *bounds)
{
	struct text_table *table = text_table_new(columns);
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	text_table_align_right(table, 1);
	for (; *cells; cells++)
		text_table_add(table, *cells);
	text_table_print(table, bounds, out);
	text_table_free(table);
	fclose(out);
	return text;
}

static void
expect(const char *const *cells, unsigned columns, const struct text_table_bounds *bounds, const char *text)
{
	char *got = printed(cells, columns, bounds);

	assert_string_equal(got, text);
	free(got);
}

static const char *const rows[] = { "NAME", "BYTES", "STATE", "a.example", "7", "up", "b.example.com", "1234567", "",
	"c", "1", "down", NULL };

static void
a_column_is_as_wide_as_its_widest_cell(void **state)
{
	(void)state;
	expect(rows, 3, &(struct text_table_bounds){ 0 },
	    "NAME             BYTES  STATE\n"
	    "a.example            7  up\n"
	    "b.example.com  1234567  -\n"
	    "c                    1  down\n");
}

static void
a_column_with_nothing_in_it_is_left_out(void **state)
{
	static const char *const sparse[] = { "NAME", "BYTES", "PROXY", "STATE", "a", "", "", "up", "b", "7", "", "", NULL };

	(void)state;
	expect(sparse, 4, &(struct text_table_bounds){ 0 },
	    "NAME  BYTES  STATE\n"
	    "a         -  up\n"
	    "b         7  -\n");
	expect((const char *const[]){ "A", "B", NULL }, 2, &(struct text_table_bounds){ 0 }, "A  B\n");
	expect((const char *const[]){ "A", "B", "", "x", NULL }, 2, &(struct text_table_bounds){ 0 }, "B\nx\n");
}

static void
what_does_not_fit_is_left_out_and_counted(void **state)
{
	(void)state;
	expect(rows, 3, &(struct text_table_bounds){ .width = 20, .lines = 3 },
	    "NAME             BYT\n"
	    "a.example\n"
	    "... and 2 more\n");
	expect(rows, 3, &(struct text_table_bounds){ .lines = 4 },
	    "NAME             BYTES  STATE\n"
	    "a.example            7  up\n"
	    "b.example.com  1234567  -\n"
	    "c                    1  down\n");
}

static void
a_hostile_cell_moves_nothing(void **state)
{
	const char *const cells[] = { "A", "B", "\033[2J\nx\xff", "2", NULL };
	char *got = printed(cells, 2, &(struct text_table_bounds){ 0 });

	(void)state;
	for (const char *at = got; *at; at++)
		assert_true(*at == '\n' || (*at >= ' ' && *at < 0x7f));
	assert_ptr_equal(strchr(strchr(got, '\n') + 1, '\n'), got + strlen(got) - 1);
	free(got);
}

static void
a_long_cell_is_cut(void **state)
{
	char text[3000];
	const char *const cells[] = { text, "1", NULL };
	char *got;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	got = printed(cells, 2, &(struct text_table_bounds){ 0 });
	assert_in_range(strlen(got), TEXT_TABLE_CELL - 8, TEXT_TABLE_CELL + 4);
	free(got);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_column_is_as_wide_as_its_widest_cell),
	cmocka_unit_test(a_column_with_nothing_in_it_is_left_out),
	cmocka_unit_test(what_does_not_fit_is_left_out_and_counted),
	cmocka_unit_test(a_hostile_cell_moves_nothing),
	cmocka_unit_test(a_long_cell_is_cut),
};

RUN_TESTS("base/text_table", tests)
