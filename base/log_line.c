/* Builds each line in one buffer on the stack of the thread that logs. */
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/log_private.h"
#include "base/units.h"
#include "base/utf8.h"

enum { TAIL_BYTES = 4, STRING_MOST = 1024 };

static const char *const level_names[LOG_LEVELS] = { "error", "warning", "info", "debug" };
static const char *_Atomic program_name = "valise";
static atomic_bool writes_json, writes_journal;
static uint8_t object_key[16];

void
log_line_format(const char *program, bool json, bool journal)
{
	atomic_store(&program_name, program);
	atomic_store(&writes_json, json);
	atomic_store(&writes_journal, journal);
}

const char *
log_level_name(enum log_level level)
{
	return level_names[level];
}

static void
put(struct log_line *line, const char *text, size_t bytes)
{
	if (line->full || sizeof line->text - TAIL_BYTES - line->bytes < bytes) {
		line->full = true;
		return;
	}
	memcpy(line->text + line->bytes, text, bytes);
	line->bytes += bytes;
}

static void
put_text(struct log_line *line, const char *text)
{
	put(line, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static void
put_format(struct log_line *line, const char *format, ...)
{
	char text[96];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	put_text(line, text);
}

static void
put_number(struct log_line *line, uint64_t number)
{
	char digits[NUMBER_DIGITS];

	put(line, digits, number_encode(digits, number));
}

/* The same with a sign. */
static void
put_integer(struct log_line *line, int64_t number)
{
	if (number < 0)
		put(line, "-", 1);
	put_number(line, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

/* Where to cut a long string, not inside a UTF-8 sequence. */
static size_t
cut_at(const char *text, size_t most)
{
	size_t bytes = strnlen(text, most + 1);

	if (bytes <= most)
		return bytes;
	for (bytes = most; bytes > most - 4 && ((unsigned char)text[bytes] & 0xc0) == 0x80; bytes--)
		;
	return bytes;
}

/* RFC 8259, section 7: what lies beyond 16 bits is written as a pair of surrogates. */
static void
put_json_escape(struct log_line *line, uint32_t point)
{
	if (point <= 0xffff)
		put_format(line, "\\u%04" PRIx32, point);
	else
		put_format(line, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd7c0 + (point >> 10),
		    0xdc00 + (point & 0x3ff));
}

/* Printable ASCII that ends no string: what stands for itself everywhere. */
static const bool is_plain_byte[256] = {
	[' ' ... '!'] = true, ['#' ... '['] = true, [']' ... '~'] = true
};

/* How many such bytes the text begins with. */
static size_t
plain_bytes(const char *text, size_t most)
{
	size_t bytes = 0;

	while (bytes < most && is_plain_byte[(unsigned char)text[bytes]])
		bytes++;
	return bytes;
}

/* Puts one character, or one byte that is no part of any, and gives the bytes that it took. */
static unsigned
put_json_character(struct log_line *line, const char *at, size_t left)
{
	uint32_t point;
	unsigned bytes = utf8_decode(at, left, &point);

	if (bytes == 0) {
		put_json_escape(line, (unsigned char)*at);
		return 1;
	}
	if (point == '"' || point == '\\')
		put_format(line, "\\%c", *at);
	else if (utf8_is_invisible(point))
		put_json_escape(line, point);
	else
		put(line, at, bytes);
	return bytes;
}

static void
put_json_string(struct log_line *line, const char *text)
{
	const char *end = text + cut_at(text, STRING_MOST);

	put(line, "\"", 1);
	while (text < end) {
		size_t plain = plain_bytes(text, (size_t)(end - text));

		put(line, text, plain);
		text += plain;
		if (text < end)
			text += put_json_character(line, text, (size_t)(end - text));
	}
	put(line, "\"", 1);
}

/* How one byte looks in a terminal: itself or an escape, at most four characters. */
static unsigned
quote_byte(char out[5], unsigned char byte)
{
	if (byte == '"' || byte == '\\')
		return (unsigned)snprintf(out, 5, "\\%c", byte);
	if (byte < 0x20 || byte > 0x7e)
		return (unsigned)snprintf(out, 5, "\\x%02x", byte);
	out[0] = (char)byte;
	out[1] = '\0';
	return 1;
}

void
log_quote(char *out, unsigned out_size, const char *text, unsigned bytes)
{
	unsigned used = 0;

	for (unsigned i = 0; i < bytes; i++) {
		char escape[5];
		unsigned length = quote_byte(escape, (unsigned char)text[i]);

		if (used + length >= out_size)
			break;
		memcpy(out + used, escape, length);
		used += length;
	}
	if (out_size > 0)
		out[used] = '\0';
}

/* A word needs no quotes if it is not empty and nothing in it could end it or begin a field. */
static bool
is_plain(const char *text, char first)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text < first || *text == '=' || plain_bytes(text, 1) == 0)
			return false;
	}
	return true;
}

static void
put_quoted(struct log_line *line, const char *text, bool is_plain_text)
{
	char quoted[4 * STRING_MOST + 1];
	size_t bytes = cut_at(text, STRING_MOST);

	if (is_plain_text) {
		put(line, text, bytes);
		return;
	}
	log_quote(quoted, sizeof quoted, text, (unsigned)bytes);
	put(line, "\"", 1);
	put_text(line, quoted);
	put(line, "\"", 1);
}

static void
put_text_string(struct log_line *line, const char *text)
{
	put_quoted(line, text, is_plain(text, '!'));
}

/* Sentences are ours, but may carry words of others; those with an equals sign, a quote or anything
 * but plain text are quoted as a whole, so that no field can be forged in one. */
static void
put_sentence(struct log_line *line, const char *sentence)
{
	put_quoted(line, sentence, is_plain(sentence, ' '));
}

static void
put_hex(struct log_line *line, const void *data, size_t size)
{
	char text[2 * 32 + 1];

	for (const uint8_t *at = data; size > 0;) {
		size_t some = size < sizeof text / 2 ? size : sizeof text / 2;

		put(line, hex_encode(text, at, some), 2 * some);
		at += some;
		size -= some;
	}
}

static void
make_object_key(void)
{
	arc4random_buf(object_key, sizeof object_key);
}

static void
put_object(struct log_line *line, const void *object)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_object_key);
	put_format(line, "%08" PRIx32, (uint32_t)hash_bytes(object_key, &object, sizeof object));
}

static void
put_value(struct log_line *line, const struct log_field *field, bool json)
{
	switch (field->kind) {
	case LOG_KIND_STRING:
		if (json)
			put_json_string(line, field->value.string);
		else
			put_text_string(line, field->value.string);
		break;
	case LOG_KIND_UNSIGNED:
		put_number(line, field->value.number);
		break;
	case LOG_KIND_SIGNED:
		put_integer(line, field->value.integer);
		break;
	case LOG_KIND_BOOL:
		put_text(line, field->value.truth ? "true" : "false");
		break;
	case LOG_KIND_BYTES:
		put_text(line, json ? "\"" : "");
		put_hex(line, field->value.bytes.data, field->value.bytes.size);
		put_text(line, json ? "\"" : "");
		break;
	case LOG_KIND_OBJECT:
		put_text(line, json ? "\"" : "");
		put_object(line, field->value.object);
		put_text(line, json ? "\"" : "");
		break;
	case LOG_KIND_END:
		break;
	}
}

static void
put_fields(struct log_line *line, const struct log_field *field, bool json)
{
	for (; field->key; field++) {
		size_t before = line->bytes;

		if (field->kind == LOG_KIND_STRING && !field->value.string)
			continue;
		put_text(line, json ? ",\"" : " ");
		put_text(line, field->key);
		put_text(line, json ? "\":" : "=");
		put_value(line, field, json);
		if (line->full) {
			line->bytes = before;
			line->full = false;
		}
	}
}

/* RFC 3339 in UTC, without what is less than a second.  A thread's lines are many in one second. */
static const char *
second_text(int64_t second)
{
	static thread_local char text[TIME_TEXT];
	static thread_local int64_t told;

	if (text[0] != '\0' && told == second)
		return text;
	time_text(second, text);
	text[strcspn(text, "Z")] = '\0';
	told = second;
	return text;
}

static void
put_time(struct log_line *line, bool with_micros)
{
	int64_t now_us = clock_wall_us();

	put_text(line, second_text(now_us / 1000000));
	if (with_micros) {
		put(line, ".", 1);
		for (int64_t unit = 100000; unit > 0; unit /= 10)
			put(line, &"0123456789"[now_us / unit % 10], 1);
	}
	put(line, "Z", 1);
}

void
log_build_fields(struct log_line *line, const struct log_field *fields)
{
	line->bytes = 0;
	line->full = false;
	put_fields(line, fields, false);
	line->text[line->bytes] = '\0'; /* TAIL_BYTES keeps the room */
}

static void
build_json(struct log_line *line, enum log_level level, const char *event, const char *sentence,
    const struct log_field *fields)
{
	put_text(line, "{\"time\":\"");
	put_time(line, true);
	put_text(line, "\",\"level\":\"");
	put_text(line, level_names[level]);
	put_text(line, "\",\"program\":");
	put_json_string(line, atomic_load(&program_name));
	put_text(line, ",\"event\":");
	put_json_string(line, event);
	if (sentence) {
		put_text(line, ",\"message\":");
		put_json_string(line, sentence);
	}
	put_fields(line, fields, true);
	memcpy(line->text + line->bytes, "}\n", 2); /* TAIL_BYTES keeps the room */
	line->bytes += 2;
}

static void
build_text(struct log_line *line, enum log_level level, const char *event, const char *sentence,
    const struct log_field *fields)
{
	put_time(line, false);
	put(line, " ", 1);
	put_text(line, level_names[level]);
	put(line, " ", 1);
	put_text(line, event);
	if (sentence) {
		put_text(line, ": ");
		put_sentence(line, sentence);
	}
	put_fields(line, fields, false);
	line->text[line->bytes++] = '\n';
}

void
log_build(struct log_line *line, enum log_level level, const char *event, const char *sentence,
    const struct log_field *fields)
{
	static const unsigned char priority[LOG_LEVELS] = { 3, 4, 6, 7 }; /* sd-daemon(3) */

	line->bytes = 0;
	line->full = false;
	if (atomic_load_explicit(&writes_journal, memory_order_relaxed))
		put_format(line, "<%u>", priority[level]);
	if (atomic_load_explicit(&writes_json, memory_order_relaxed))
		build_json(line, level, event, sentence, fields);
	else
		build_text(line, level, event, sentence, fields);
}
