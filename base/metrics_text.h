/*
 * Metrics as text, in the two forms that Prometheus reads: its own (0.0.4) and OpenMetrics 1.0.0.
 *
 *	metrics_text_begin(&text, METRICS_PROMETHEUS)
 *	metrics_family(&text, "valise_relay_flows", METRICS_COUNTER, NULL, "Flows that have begun.")
 *	metrics_number(&text, 12, labels) ...     each of them once
 *	data = metrics_text_end(&text, &bytes)
 *
 * Families are named without "_total", which the samples of counters get.  Where memory is short, there is no
 * text in the end; nothing before need be looked at.
 */
#ifndef BASE_METRICS_TEXT_H
#define BASE_METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/histogram.h"

enum metrics_format { METRICS_PROMETHEUS, METRICS_OPENMETRICS, METRICS_FORMATS };
enum metrics_type { METRICS_GAUGE, METRICS_COUNTER, METRICS_HISTOGRAM };

struct metrics_text {
	enum metrics_format format;
	enum metrics_type type;
	const char *family;
	char *data;
	size_t bytes, room;
	bool has_failed;
};

/* The value may be anything; what is not UTF-8 becomes '?'.  Of NULL there is no label. */
struct metrics_label {
	const char *name, *value;
};

/* By the header Accept; NULL: the request has none. */
enum metrics_format metrics_format_of(const char *accept);
const char *metrics_format_type(enum metrics_format); /* of the content */

void metrics_text_begin(struct metrics_text *, enum metrics_format);
/* The caller's to free; NULL: memory was short. */
char *metrics_text_end(struct metrics_text *, size_t *bytes);

/* The name (borrowed for the samples) ends with `_unit` where it has one; NULL: it has none.  `help` is one
 * sentence. */
void metrics_family(
    struct metrics_text *, const char *name, enum metrics_type, const char *unit, const char *help);

/* Samples of the family.  The labels end with {0}; NULL: none. */
void metrics_number(struct metrics_text *, uint64_t, const struct metrics_label *labels);
void metrics_signed(struct metrics_text *, int64_t, const struct metrics_label *labels);
/* Microseconds, told in seconds. */
void metrics_seconds(struct metrics_text *, uint64_t us, const struct metrics_label *labels);
void metrics_histogram(struct metrics_text *, enum histogram_kind, const struct histogram_sum *,
    const struct metrics_label *labels);

/* Up to four labels: METRICS_LABELS({ "route", name }, { "direction", "in" }) */
#define METRICS_LABELS(...) ((const struct metrics_label[]){ __VA_ARGS__, { 0 } })

#endif
