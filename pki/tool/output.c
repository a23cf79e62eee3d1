/* JSON, or the same as text. */
#include "pki/tool/output.h"

#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "pki/tool/message.h"

enum { LABEL_COLUMN = 18 };

json_t *
output_json_time(int64_t seconds)
{
	char text[TIME_TEXT];

	return json_string(time_text(seconds, text));
}

json_t *
output_join(json_t *first, json_t *second)
{
	if (first && second && json_object_update_new(first, second) == 0)
		return first;
	if (!first)
		json_decref(second);
	json_decref(first);
	return NULL;
}

static void
print_label(const char *key, int indent)
{
	char label[64];

	snprintf(label, sizeof label, "%s%s", key, *key ? ":" : "");
	for (char *at = label; *at; at++)
		if (*at == '_')
			*at = ' ';
	printf("%*s%-*s ", indent, "", LABEL_COLUMN - indent, label);
}

static void
print_scalar(const json_t *value)
{
	if (json_is_string(value))
		puts(json_string_value(value));
	else if (json_is_integer(value))
		printf("%" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
	else
		puts(json_is_true(value) ? "yes" : "no");
}

static bool
is_empty(const json_t *value)
{
	return json_is_null(value) ||
	    ((json_is_array(value) || json_is_object(value)) &&
		json_array_size(value) + json_object_size(value) == 0);
}

static void
print_members(const json_t *object, int indent)
{
	const char *key;
	json_t *value, *item;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		if (is_empty(value))
			continue;
		if (json_is_object(value)) {
			print_label(key, indent);
			putchar('\n');
			print_members(value, indent + 2);
		} else if (json_is_array(value)) {
			json_array_foreach(value, i, item)
			{
				if (json_is_object(item)) {
					print_label(key, indent);
					putchar('\n');
					print_members(item, indent + 2);
					continue;
				}
				print_label(i ? "" : key, indent);
				print_scalar(item);
			}
		} else {
			print_label(key, indent);
			print_scalar(value);
		}
	}
}

static void
print_text(const json_t *value)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(value)) {
		print_members(value, 0);
		return;
	}
	json_array_foreach(value, i, item)
	{
		if (i)
			putchar('\n');
		print_members(item, 0);
	}
}

int
output_print(const struct common *common, json_t *value)
{
	int code = 0;

	if (!value)
		return message_fail(EX_OSERR,
		    "memory is short; the command did its work, but cannot print the result");
	if (common->json) {
		json_dumpf(value, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_text(value);
	}
	if (fflush(stdout) != 0)
		code = message_fail(EX_IOERR, "standard output cannot be written");
	json_decref(value);
	return code;
}
