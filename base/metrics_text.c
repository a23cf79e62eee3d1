/* Writes families and samples in the forms that Prometheus reads. */
#include "base/metrics_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/units.h"
#include "base/utf8.h"

enum { FIRST_ROOM = 16 * 1024 };

static const char *const type_word[] = {
	[METRICS_GAUGE] = "gauge",
	[METRICS_COUNTER] = "counter",
	[METRICS_HISTOGRAM] = "histogram",
};

/* ---- the text ---- */

void
metrics_text_begin(struct metrics_text *text, enum metrics_format format)
{
	*text = (struct metrics_text){ .format = format };
}

static void
grow(struct metrics_text *text, size_t bytes)
{
	size_t room = text->room > 0 ? text->room : FIRST_ROOM;
	char *data;

	while (room < text->bytes + bytes)
		room *= 2;
	data = realloc(text->data, room);
	text->has_failed |= !data;
	if (!data)
		return;
	text->data = data;
	text->room = room;
}

static void
put_bytes(struct metrics_text *text, const char *data, size_t bytes)
{
	if (!text->has_failed && text->room - text->bytes < bytes)
		grow(text, bytes);
	if (text->has_failed)
		return;
	memcpy(text->data + text->bytes, data, bytes);
	text->bytes += bytes;
}

static void
put(struct metrics_text *text, const char *words)
{
	put_bytes(text, words, strlen(words));
}

static void
put_number(struct metrics_text *text, uint64_t number)
{
	char digits[NUMBER_DIGITS];

	put_bytes(text, digits, number_encode(digits, number));
}

/* Without zeros at its end, but for one: whole seconds are "5.0", as OpenMetrics wants bounds. */
static void
put_seconds(struct metrics_text *text, uint64_t us)
{
	char digits[16];
	int end = snprintf(digits, sizeof digits, ".%06u", (unsigned)(us % 1000000));

	while (end > 2 && digits[end - 1] == '0')
		end--;
	put_number(text, us / 1000000);
	put_bytes(text, digits, (size_t)end);
}

char *
metrics_text_end(struct metrics_text *text, size_t *bytes)
{
	if (text->format == METRICS_OPENMETRICS)
		put(text, "# EOF\n");
	if (text->has_failed) {
		free(text->data);
		text->data = NULL;
	}
	*bytes = text->bytes;
	return text->data;
}

/* ---- families ---- */

static void
put_about(struct metrics_text *text, const char *what)
{
	put(text, "# ");
	put(text, what);
	put(text, " ");
	put(text, text->family);
	if (text->type == METRICS_COUNTER && text->format == METRICS_PROMETHEUS)
		put(text, "_total");
	put(text, " ");
}

void
metrics_family(struct metrics_text *text, const char *name, enum metrics_type type,
    const char *unit, const char *help)
{
	text->family = name;
	text->type = type;
	put_about(text, "HELP");
	put(text, help);
	put(text, "\n");
	put_about(text, "TYPE");
	put(text, type_word[type]);
	put(text, "\n");
	if (!unit || text->format != METRICS_OPENMETRICS)
		return;
	put_about(text, "UNIT");
	put(text, unit);
	put(text, "\n");
}

/* ---- samples ---- */

static void
put_value(struct metrics_text *text, const char *value)
{
	size_t left = strlen(value), length;
	uint32_t point;

	for (; left > 0; value += length, left -= length) {
		length = utf8_decode(value, left, &point);
		if (*value == '\\' || *value == '"')
			put(text, "\\");
		if (*value == '\n')
			put(text, "\\n");
		else if (length > 0)
			put_bytes(text, value, length);
		else
			put(text, "?");
		length += length == 0;
	}
}

/* Whether a label was put before. */
static bool
put_label(struct metrics_text *text, const struct metrics_label *label, bool is_later)
{
	if (!label->value)
		return is_later;
	put(text, is_later ? "," : "{");
	put(text, label->name);
	put(text, "=\"");
	put_value(text, label->value);
	put(text, "\"");
	return true;
}

/* Name and labels of a sample, up to where its value stands; a bucket has `bound`. */
static void
put_sample(struct metrics_text *text, const char *suffix, const struct metrics_label *labels,
    const struct metrics_label *bound)
{
	bool is_later = false;

	put(text, text->family);
	put(text, suffix);
	for (; labels && labels->name; labels++)
		is_later = put_label(text, labels, is_later);
	if (bound)
		is_later = put_label(text, bound, is_later);
	put(text, is_later ? "} " : " ");
}

static const char *
suffix_of(const struct metrics_text *text)
{
	return text->type == METRICS_COUNTER ? "_total" : "";
}

void
metrics_number(struct metrics_text *text, uint64_t number, const struct metrics_label *labels)
{
	put_sample(text, suffix_of(text), labels, NULL);
	put_number(text, number);
	put(text, "\n");
}

void
metrics_signed(struct metrics_text *text, int64_t number, const struct metrics_label *labels)
{
	put_sample(text, suffix_of(text), labels, NULL);
	if (number < 0)
		put(text, "-");
	put_number(text, number < 0 ? -(uint64_t)number : (uint64_t)number);
	put(text, "\n");
}

void
metrics_seconds(struct metrics_text *text, uint64_t us, const struct metrics_label *labels)
{
	put_sample(text, suffix_of(text), labels, NULL);
	put_seconds(text, us);
	put(text, "\n");
}

/* A bound as a label wants it. */
static void
bound_text(char out[32], uint64_t us)
{
	char storage[32];
	struct metrics_text text = { .data = storage, .room = sizeof storage };

	put_seconds(&text, us);
	memcpy(out, storage, text.bytes);
	out[text.bytes] = '\0';
}

void
metrics_histogram(struct metrics_text *text, enum histogram_kind kind,
    const struct histogram_sum *sum, const struct metrics_label *labels)
{
	uint64_t count = 0;
	char bound[32];

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (i < HISTOGRAM_BUCKETS - 1)
			bound_text(bound, histogram_bounds_us[kind][i]);
		else
			snprintf(bound, sizeof bound, "+Inf");
		count += sum->bucket[i];
		put_sample(text, "_bucket", labels, &(struct metrics_label){ "le", bound });
		put_number(text, count);
		put(text, "\n");
	}
	put_sample(text, "_sum", labels, NULL);
	put_seconds(text, sum->sum_us);
	put(text, "\n");
	put_sample(text, "_count", labels, NULL);
	put_number(text, count);
	put(text, "\n");
}

/* ---- formats ---- */

/* Who can read OpenMetrics says so; what it would like better does not matter, since both say the same. */
enum metrics_format
metrics_format_of(const char *accept)
{
	return accept && strstr(accept, "application/openmetrics-text") ? METRICS_OPENMETRICS
									: METRICS_PROMETHEUS;
}

const char *
metrics_format_type(enum metrics_format format)
{
	return format == METRICS_OPENMETRICS
	    ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
	    : "text/plain; version=0.0.4; charset=utf-8";
}
