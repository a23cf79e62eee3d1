/*
 * A line is built in one buffer on the stack and written with one write().
 * What does not fit is left out field by field, so that a line is always whole.
 */
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"

enum { LINE_BYTES = 16384, TAIL_BYTES = 4, STRING_MOST = 1024 };

struct line {
	char text[LINE_BYTES];
	size_t bytes;
	bool full;
};

static const char *const level_names[LOG_LEVELS] = {"error", "warning", "info", "debug"};
static const char *_Atomic program_name = "valise";
static atomic_int most_level = LOG_INFO;
static atomic_bool writes_json;

void
log_init(const char *program, enum log_level level, enum log_format format)
{
	atomic_store(&program_name, program);
	atomic_store(&most_level, (int)level);
	atomic_store(
	    &writes_json, format == LOG_AUTO ? !isatty(STDERR_FILENO) : format == LOG_JSON);
}

bool
log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&most_level, memory_order_relaxed);
}

const char *
log_level_name(enum log_level level)
{
	return level_names[level];
}

static void
put(struct line *line, const char *text, size_t bytes)
{
	if (line->full || sizeof(line->text) - TAIL_BYTES - line->bytes < bytes) {
		line->full = true;
		return;
	}
	memcpy(line->text + line->bytes, text, bytes);
	line->bytes += bytes;
}

static void
put_text(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static void
put_format(struct line *line, const char *format, ...)
{
	char text[96];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	put_text(line, text);
}

/* The length of the well-formed UTF-8 sequence at `at` (RFC 3629), 0 if there is none. */
static unsigned
utf8_bytes(const unsigned char *at, size_t left)
{
	static const struct {
		unsigned char first, last, low, high, bytes;
	} forms[] = {
	    {0x00, 0x7f, 0x80, 0xbf, 1},
	    {0xc2, 0xdf, 0x80, 0xbf, 2},
	    {0xe0, 0xe0, 0xa0, 0xbf, 3},
	    {0xe1, 0xec, 0x80, 0xbf, 3},
	    {0xed, 0xed, 0x80, 0x9f, 3},
	    {0xee, 0xef, 0x80, 0xbf, 3},
	    {0xf0, 0xf0, 0x90, 0xbf, 4},
	    {0xf1, 0xf3, 0x80, 0xbf, 4},
	    {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (at[0] < forms[i].first || at[0] > forms[i].last)
			continue;
		if (left < forms[i].bytes)
			return 0;
		for (unsigned n = 1; n < forms[i].bytes; n++) {
			unsigned char low = n == 1 ? forms[i].low : 0x80,
				      high = n == 1 ? forms[i].high : 0xbf;

			if (at[n] < low || at[n] > high)
				return 0;
		}
		return forms[i].bytes;
	}
	return 0;
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

static void
put_json_string(struct line *line, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t left = cut_at(text, STRING_MOST);

	put_text(line, "\"");
	while (left > 0) {
		unsigned bytes = utf8_bytes(at, left);

		if (*at == '"' || *at == '\\')
			put_format(line, "\\%c", *at);
		else if (bytes == 0 || *at < 0x20 || *at == 0x7f)
			put_format(line, "\\u%04x", *at);
		else
			put(line, (const char *)at, bytes);
		bytes = bytes == 0 ? 1 : bytes;
		at += bytes;
		left -= bytes;
	}
	put_text(line, "\"");
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

static bool
is_plain(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text <= ' ' || *text > '~' || strchr("\"\\=", *text) != NULL)
			return false;
	}
	return true;
}

static void
put_text_string(struct line *line, const char *text)
{
	char quoted[4 * STRING_MOST + 1];
	bool plain = is_plain(text);

	log_quote(quoted, sizeof(quoted), text, (unsigned)cut_at(text, STRING_MOST));
	put_text(line, plain ? "" : "\"");
	put_text(line, quoted);
	put_text(line, plain ? "" : "\"");
}

/* Sentences are ours, but may carry words of others: control characters go, quotes stay. */
static void
put_sentence(struct line *line, const char *sentence)
{
	for (size_t left = cut_at(sentence, STRING_MOST); left > 0; left--, sentence++) {
		if ((unsigned char)*sentence < 0x20 || (unsigned char)*sentence > 0x7e)
			put_format(line, "\\x%02x", (unsigned char)*sentence);
		else
			put(line, sentence, 1);
	}
}

static void
put_value(struct line *line, const struct log_field *field, bool json)
{
	switch (field->kind) {
	case LOG_KIND_STRING:
		if (json)
			put_json_string(line, field->value.string);
		else
			put_text_string(line, field->value.string);
		break;
	case LOG_KIND_UNSIGNED:
		put_format(line, "%" PRIu64, field->value.number);
		break;
	case LOG_KIND_SIGNED:
		put_format(line, "%" PRId64, field->value.integer);
		break;
	case LOG_KIND_BOOL:
		put_text(line, field->value.truth ? "true" : "false");
		break;
	case LOG_KIND_END:
		break;
	}
}

static void
put_fields(struct line *line, const struct log_field *field, bool json)
{
	for (; field->key != NULL; field++) {
		size_t before = line->bytes;

		if (field->kind == LOG_KIND_STRING && field->value.string == NULL)
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

/* RFC 3339 in UTC. */
static void
put_time(struct line *line, bool with_micros)
{
	int64_t now_us = clock_wall_us();
	time_t now = (time_t)(now_us / 1000000);
	char text[32];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	put_text(line, text);
	if (with_micros)
		put_format(line, ".%06" PRId64, now_us % 1000000);
	put_text(line, "Z");
}

static void
build_json(struct line *line, enum log_level level, const char *event, const char *sentence,
    const struct log_field *fields)
{
	put_text(line, "{\"time\":\"");
	put_time(line, true);
	put_format(line, "\",\"level\":\"%s\",\"program\":", level_names[level]);
	put_json_string(line, atomic_load(&program_name));
	put_text(line, ",\"event\":");
	put_json_string(line, event);
	if (sentence != NULL) {
		put_text(line, ",\"message\":");
		put_json_string(line, sentence);
	}
	put_fields(line, fields, true);
	memcpy(line->text + line->bytes, "}\n", 2);	/* TAIL_BYTES keeps the room */
	line->bytes += 2;
}

static void
build_text(struct line *line, enum log_level level, const char *event, const char *sentence,
    const struct log_field *fields)
{
	put_time(line, false);
	put_format(line, " %s ", level_names[level]);
	put_text(line, event);
	if (sentence != NULL) {
		put_text(line, ": ");
		put_sentence(line, sentence);
	}
	put_fields(line, fields, false);
	line->text[line->bytes++] = '\n';
}

void
log_write(
    enum log_level level, const char *event, const char *sentence, const struct log_field *fields)
{
	struct line line;

	if (!log_enabled(level))
		return;
	line.bytes = 0;
	line.full = false;
	if (atomic_load_explicit(&writes_json, memory_order_relaxed))
		build_json(&line, level, event, sentence, fields);
	else
		build_text(&line, level, event, sentence, fields);
	/* Nobody is left to be told when standard error is gone. */
	if (write(STDERR_FILENO, line.text, line.bytes) < 0)
		return;
}
