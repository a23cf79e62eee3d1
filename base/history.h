/*
 * The last minutes of some numbers, for a picture of each: samples in equal steps, of which the oldest go.
 * A plain value that belongs to one thread.
 *
 *	history_init(&history, series, count)
 *	every second: history_add(&history, clock_ms(), values)     takes a sample where one is due
 *	json_object_set_new(view, "history", history_describe(&history))
 */
#ifndef BASE_HISTORY_H
#define BASE_HISTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HISTORY_SERIES = 8, HISTORY_SAMPLES = 150, HISTORY_STEP_MS = 2000 };

struct history_series {
	const char *key;
	bool is_rate; /* the values only grow, and what is kept is by how much in a second */
};

struct history {
	const struct history_series *series; /* borrowed */
	size_t series_count, sample_count, newest;
	uint64_t taken_ms; /* 0: never */
	double before[HISTORY_SERIES];
	double samples[HISTORY_SERIES][HISTORY_SAMPLES]; /* NAN: not known */
};

/* HISTORY_SERIES at most. */
void history_init(struct history *, const struct history_series *, size_t count);
/* One value a series; NAN where it is not known.  Steps in which nobody added are not known. */
void history_add(struct history *, uint64_t now_ms, const double *values);
/* {"step_s": 2, KEY: [...], ...}, the newest last, null where it is not known.  NULL when memory is short. */
json_t *history_describe(const struct history *);

/*
 * How much counters have grown within the last five minutes, in steps of ten seconds.
 *
 *	growth_add(&growth, clock_ms(), counts, count)     every second
 *	growth_of(&growth, i)
 */
enum { GROWTH_COUNTERS = 40, GROWTH_STEPS = 31, GROWTH_STEP_MS = 10000 };

struct growth {
	size_t newest, step_count, counter_count;
	uint64_t taken_ms;
	uint64_t now[GROWTH_COUNTERS];
	uint64_t before[GROWTH_STEPS][GROWTH_COUNTERS];
};

/* Begins as {0}, which counts from 0; a counter beyond GROWTH_COUNTERS is left out. */
void growth_add(struct growth *, uint64_t now_ms, const uint64_t *counts, size_t count);
uint64_t growth_of(const struct growth *, size_t counter);

#endif
