/* One stream's answer, for programs and for people. */
#include "sni/tool/report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sni/clienthello.h"
#include "sni/ja4.h"

enum { STRING_MOST = 4096 }; /* a path; names and protocols are shorter */

/*
 * Names and protocols may hold any byte.  What is not printable ASCII, a
 * backslash and a comma are written \xNN, so that a terminal, JSON and a
 * comma-separated list all stand it.
 */
static json_t *
escaped(const char *bytes, size_t count)
{
	char text[4 * STRING_MOST + 1], *at = text;

	if (count > STRING_MOST)
		count = STRING_MOST;
	for (size_t i = 0; i < count; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c > 0x20 && c < 0x7f && c != '\\' && c != ',')
			*at++ = (char)c;
		else
			at += snprintf(at, 5, "\\x%02x", c);
	}
	return json_stringn(text, (size_t)(at - text));
}

static json_t *
protocols(const struct report *report)
{
	struct clienthello_vector names = report->hello->alpn;
	json_t *list = json_array();
	char name[256];
	size_t bytes;

	while (clienthello_next_string(&names, report->wire, name, &bytes))
		json_array_append_new(list, escaped(name, bytes));
	return list;
}

static json_t *
sent_name(const struct report *report)
{
	char name[NAME_SIZE];
	size_t bytes;

	if (!report->hello->has_name)
		return json_null();
	bytes = clienthello_copy(&report->hello->sent_name, report->wire, name, sizeof name);
	return escaped(name, bytes);
}

/* A file's name as it is, unless it is no UTF-8. */
static json_t *
file_name(const char *name)
{
	json_t *text = json_string(name);

	return text ? text : escaped(name, strlen(name));
}

static json_t *
fingerprint(const struct report *report)
{
	char ja4[JA4_SIZE];

	ja4_compute(ja4, report->hello, report->wire);
	return json_string(ja4);
}

static void
put(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

/* Writes every key always, with null where nothing is known. */
static void
put_facts(json_t *object, const struct report *report)
{
	const struct clienthello *hello = report->hello;

	if (hello->verdict != CLIENTHELLO_COMPLETE) {
		static const char *const unknown[] = { "server_name", "server_name_sent", "alpn",
			"record_count", "hello_bytes", "wire_bytes", "ech", "tls13", "early_data",
			"post_quantum", "ja4" };

		for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
			put(object, unknown[i], json_null());
		put(object, "alpn", json_array());
		return;
	}
	put(object, "server_name", hello->has_name ? json_string(hello->server_name) : json_null());
	put(object, "server_name_sent", sent_name(report));
	put(object, "alpn", protocols(report));
	put(object, "record_count", json_integer(hello->record_count));
	put(object, "hello_bytes", json_integer(hello->hello_bytes));
	put(object, "wire_bytes", json_integer(hello->wire_bytes));
	put(object, "ech", json_boolean(hello->ech));
	put(object, "tls13", json_boolean(hello->tls13));
	put(object, "early_data", json_boolean(hello->early_data));
	put(object, "post_quantum", json_boolean(hello->post_quantum));
	put(object, "ja4", fingerprint(report));
}

static json_t *
describe(const struct report *report)
{
	const struct clienthello *hello = report->hello;
	json_t *object = json_object();
	uint8_t alert = clienthello_alert(hello);

	if (report->file)
		put(object, "file", file_name(report->file));
	if (report->client) {
		put(object, "client", json_string(report->client));
		put(object, "server", json_string(report->server));
	}
	put(object, "verdict", json_string(clienthello_verdict_name(hello->verdict)));
	put_facts(object, report);
	if (*clienthello_reason(hello)) {
		put(object, "reason", json_string(clienthello_reason(hello)));
		put(object, "alert", alert ? json_integer(alert) : json_null());
	}
	return object;
}

void
report_json(const struct report *report)
{
	json_t *object = describe(report);

	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

/* ---- for people ---- */

static void
print_value(const char *label, json_t *value)
{
	size_t i;
	json_t *item;

	printf("  %-14s", label);
	switch (json_typeof(value)) {
	case JSON_ARRAY:
		json_array_foreach(value, i, item)
		    printf("%s%s", i > 0 ? ", " : "", json_string_value(item));
		break;
	case JSON_INTEGER:
		printf("%lld", (long long)json_integer_value(value));
		break;
	case JSON_STRING:
		printf("%s", json_string_value(value));
		break;
	default:
		printf("%s", json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "none");
	}
	putchar('\n');
}

void
report_text(const struct report *report)
{
	static const char *const rows[][2] = {
		{ "reason", "reason" },
		{ "alert", "alert" },
		{ "server name", "server_name" },
		{ "sent as", "server_name_sent" },
		{ "ALPN", "alpn" },
		{ "JA4", "ja4" },
		{ "TLS 1.3", "tls13" },
		{ "ECH", "ech" },
		{ "early data", "early_data" },
		{ "post-quantum", "post_quantum" },
		{ "hello bytes", "hello_bytes" },
		{ "records", "record_count" },
		{ "wire bytes", "wire_bytes" },
	};
	bool complete = report->hello->verdict == CLIENTHELLO_COMPLETE;
	json_t *object = describe(report), *file = json_object_get(object, "file");

	if (file)
		printf("%s: ", json_string_value(file));
	if (report->client)
		printf("%s to %s: ", report->client, report->server);
	printf("%s\n", clienthello_verdict_name(report->hello->verdict));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *value = json_object_get(object, rows[i][1]);

		if (value && (complete || i < 2))
			print_value(rows[i][0], value);
	}
	json_decref(object);
}
