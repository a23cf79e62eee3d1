/* Shows, sorts and compares documents of the admin socket. */
#include "base/admin_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_TEXT = 64, MEMBER_TEXT = 64 };

/* A digit is the place in an array. */
static const json_t *
step_into(const json_t *value, const char *name)
{
	return json_is_array(value) ? json_array_get(value, (size_t)atoi(name))
				    : json_object_get(value, name);
}

static const json_t *
member_of(const json_t *value, const char *path)
{
	char name[MEMBER_TEXT];

	while (value && *path) {
		size_t bytes = strcspn(path, ".");

		snprintf(name, sizeof name, "%.*s", (int)bytes, path);
		value = step_into(value, name);
		path += bytes + (path[bytes] == '.');
	}
	return value;
}

const struct admin_view *
admin_view_find(const struct admin_view *views, const char *command)
{
	while (views->command && strcmp(views->command, command) != 0)
		views++;
	return views->command ? views : NULL;
}

/* ---- values ---- */

static void
write_scaled(char out[VALUE_TEXT], uint64_t bytes, const char *per)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double scaled = (double)bytes;
	size_t unit = 0;

	while (scaled >= 1024 && unit + 1 < sizeof units / sizeof *units) {
		scaled /= 1024;
		unit++;
	}
	snprintf(out, VALUE_TEXT, unit == 0 || scaled >= 100 ? "%.0f %s%s" : "%.1f %s%s", scaled,
	    units[unit], per);
}

/* The two largest units. */
static void
write_duration(char out[VALUE_TEXT], uint64_t ms)
{
	uint64_t s = ms / 1000;

	if (s >= 86400)
		snprintf(out, VALUE_TEXT, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(out, VALUE_TEXT, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(out, VALUE_TEXT, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else
		snprintf(out, VALUE_TEXT, "%" PRIu64 ".%" PRIu64 "s", s, ms / 100 % 10);
}

static void
write_number(char out[VALUE_TEXT], json_int_t number, enum admin_format format)
{
	uint64_t value = number > 0 ? (uint64_t)number : 0;

	switch (format) {
	case ADMIN_BYTES:
		write_scaled(out, value, "");
		break;
	case ADMIN_RATE:
		write_scaled(out, value, "/s");
		break;
	case ADMIN_MS:
		write_duration(out, value);
		break;
	case ADMIN_US:
		snprintf(out, VALUE_TEXT, "%.1f ms", (double)value / 1000);
		break;
	case ADMIN_TEXT:
	case ADMIN_NUMBER:
	case ADMIN_COUNT:
		snprintf(out, VALUE_TEXT, "%lld", (long long)number);
		break;
	}
}

/* The value itself, or what is written to `room`; NULL: there is none. */
static const char *
text_of(const json_t *value, enum admin_format format, char room[VALUE_TEXT])
{
	if (format == ADMIN_COUNT) {
		snprintf(room, VALUE_TEXT, "%zu", json_array_size(value));
		return room;
	}
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_boolean(value))
		return json_is_true(value) ? "yes" : "no";
	if (!json_is_integer(value))
		return NULL;
	write_number(room, json_integer_value(value), format);
	return room;
}

/* ---- printing ---- */

static unsigned
count_columns(const struct admin_column *columns)
{
	unsigned count = 0;

	while (columns[count].title)
		count++;
	return count;
}

static void
print_facts(const struct admin_column *columns, const json_t *document, FILE *out)
{
	struct text_table *table = text_table_new(2);
	char title[VALUE_TEXT], room[VALUE_TEXT];

	for (; columns->title; columns++) {
		const char *value =
		    text_of(member_of(document, columns->member), columns->format, room);

		if (!value)
			continue;
		snprintf(title, sizeof title, "%s:", columns->title);
		text_table_add(table, title);
		text_table_add(table, value);
	}
	text_table_print(table, &(struct text_table_bounds){ 0 }, out);
	text_table_free(table);
}

static void
add_row(struct text_table *table, const struct admin_column *columns, const json_t *row)
{
	char room[VALUE_TEXT];

	for (; columns->title; columns++)
		text_table_add(
		    table, text_of(member_of(row, columns->member), columns->format, room));
}

static void
print_rows(const struct admin_column *columns, const json_t *rows,
    const struct text_table_bounds *bounds, FILE *out)
{
	struct text_table *table = text_table_new(count_columns(columns));
	const json_t *row;
	size_t i;

	for (unsigned column = 0; columns[column].title; column++) {
		text_table_add(table, columns[column].title);
		if (columns[column].format != ADMIN_TEXT)
			text_table_align_right(table, column);
	}
	json_array_foreach(rows, i, row) add_row(table, columns, row);
	text_table_print(table, bounds, out);
	text_table_free(table);
}

void
admin_view_print(const struct admin_view *view, const json_t *document,
    const struct text_table_bounds *bounds, FILE *out)
{
	for (const struct admin_section *section = view->sections; section->columns; section++) {
		const json_t *rows = section->member ? member_of(document, section->member) : NULL;

		if (!section->member)
			print_facts(section->columns, document, out);
		if (json_array_size(rows) == 0 && section->title)
			continue;
		if (section->title)
			fprintf(out, "\n%s\n", section->title);
		if (section->member)
			print_rows(section->columns, rows, bounds, out);
	}
}

/* ---- sorting ---- */

struct sort_key {
	const json_t *value;
	json_t *row;
	size_t index; /* equal ones stay as they were */
};

static int
by_value(const void *a, const void *b)
{
	const struct sort_key *left = a, *right = b;
	const char *left_text = json_string_value(left->value),
		   *right_text = json_string_value(right->value);
	json_int_t left_number = json_integer_value(left->value),
		   right_number = json_integer_value(right->value);
	int order = 0;

	if (left_text && right_text)
		order = strcmp(left_text, right_text);
	else if (left_number != right_number)
		order = left_number > right_number ? -1 : 1;
	else if (!left_text != !right_text)
		order = left_text ? -1 : 1;
	if (order == 0)
		order = left->index < right->index ? -1 : 1;
	return order;
}

static void
sort_rows(json_t *rows, const char *member)
{
	size_t count = json_array_size(rows);
	struct sort_key *keys = count > 0 ? calloc(count, sizeof *keys) : NULL;

	if (!keys)
		return;
	for (size_t i = 0; i < count; i++) {
		json_t *row = json_incref(json_array_get(rows, i));

		keys[i] = (struct sort_key){ member_of(row, member), row, i };
	}
	qsort(keys, count, sizeof *keys, by_value);
	for (size_t i = 0; i < count; i++)
		json_array_set_new(rows, i, keys[i].row);
	free(keys);
}

bool
admin_view_sort(const struct admin_view *view, json_t *document, const char *member)
{
	const struct admin_column *column = view->sections[0].columns;

	while (column->title && strcmp(column->member, member) != 0)
		column++;
	if (!column->title)
		return false;
	sort_rows(json_object_get(document, view->sections[0].member), member);
	return true;
}

/* ---- rates ---- */

static json_int_t
count_of(const struct admin_view *view, const json_t *row)
{
	return json_integer_value(json_object_get(row, view->counters[0])) +
	    json_integer_value(json_object_get(row, view->counters[1]));
}

json_t *
admin_view_counts(const struct admin_view *view, const json_t *document)
{
	json_t *counts = view->id ? json_object() : NULL, *row;
	size_t i;

	if (counts)
		json_array_foreach(json_object_get(document, view->sections[0].member), i, row)
		    json_object_set_new(counts, json_string_value(json_object_get(row, view->id)),
			json_integer(count_of(view, row)));
	return counts;
}

/* What has begun since then has counted from its beginning on. */
static json_int_t
rate_of(const struct admin_view *view, const json_t *row, const json_t *counts, uint64_t elapsed_ms)
{
	const json_t *before =
	    json_object_get(counts, json_string_value(json_object_get(row, view->id)));
	json_int_t age_ms = json_integer_value(json_object_get(row, view->age));
	json_int_t gained = count_of(view, row) - json_integer_value(before);
	json_int_t ms =
	    !before && age_ms < (json_int_t)elapsed_ms ? age_ms : (json_int_t)elapsed_ms;

	return gained > 0 ? gained * 1000 / (ms > 0 ? ms : 1) : 0;
}

void
admin_view_rate(
    const struct admin_view *view, json_t *document, const json_t *counts, uint64_t elapsed_ms)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(document, view->sections[0].member), i, row)
	    json_object_set_new(row, "rate", json_integer(rate_of(view, row, counts, elapsed_ms)));
}
