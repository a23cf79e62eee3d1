/* A ring for each series; all have the same times. */
#include "base/history.h"

#include <assert.h>
#include <math.h>
#include <string.h>

void
history_init(struct history *history, const struct history_series *series, size_t count)
{
	assert(count <= HISTORY_SERIES);
	memset(history, 0, sizeof *history);
	history->series = series;
	history->series_count = count;
}

static void
begin_sample(struct history *history)
{
	history->newest = (history->newest + 1) % HISTORY_SAMPLES;
	if (history->sample_count < HISTORY_SAMPLES)
		history->sample_count++;
	for (size_t i = 0; i < history->series_count; i++)
		history->samples[i][history->newest] = NAN;
}

static double
sample_of(const struct history *history, size_t series, double value, double seconds)
{
	if (!history->series[series].is_rate)
		return value;
	if (seconds <= 0 || isnan(value) || value < history->before[series])
		return NAN;
	return (value - history->before[series]) / seconds;
}

/* How many steps have gone by, and the first one of all. */
static uint64_t
steps_since(const struct history *history, uint64_t now_ms)
{
	/* A timer of a second is never quite one. */
	uint64_t steps = (now_ms - history->taken_ms + HISTORY_STEP_MS / 4) / HISTORY_STEP_MS;

	if (history->taken_ms == 0)
		return 1;
	return steps < HISTORY_SAMPLES ? steps : HISTORY_SAMPLES;
}

void
history_add(struct history *history, uint64_t now_ms, const double *values)
{
	uint64_t steps = steps_since(history, now_ms);
	double seconds = history->taken_ms > 0 ? (double)(now_ms - history->taken_ms) / 1000 : 0;

	if (steps == 0)
		return;
	for (uint64_t i = 0; i < steps; i++)
		begin_sample(history);
	for (size_t i = 0; i < history->series_count; i++) {
		history->samples[i][history->newest] = sample_of(history, i, values[i], seconds);
		history->before[i] = values[i];
	}
	history->taken_ms = now_ms;
}

/* Of what is never below 0: nobody sees more than a hundredth, and what is whole is shorter. */
static json_t *
number(double value)
{
	json_int_t whole;

	if (isnan(value))
		return json_null();
	whole = (json_int_t)(value + 0.5);
	if (value >= 100 || value == (double)whole)
		return json_integer(whole);
	return json_real((double)(json_int_t)(value * 100 + 0.5) / 100);
}

static json_t *
describe_series(const struct history *history, size_t series)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < history->sample_count; i++) {
		size_t at = (history->newest + HISTORY_SAMPLES + 1 - history->sample_count + i) %
		    HISTORY_SAMPLES;

		json_array_append_new(list, number(history->samples[series][at]));
	}
	return list;
}

json_t *
history_describe(const struct history *history)
{
	json_t *all = json_pack("{s:i}", "step_s", HISTORY_STEP_MS / 1000);

	for (size_t i = 0; all && i < history->series_count; i++)
		json_object_set_new(all, history->series[i].key, describe_series(history, i));
	return all;
}

/* ---- growth ---- */

void
growth_add(struct growth *growth, uint64_t now_ms, const uint64_t *counts, size_t count)
{
	growth->counter_count = count < GROWTH_COUNTERS ? count : GROWTH_COUNTERS;
	memcpy(growth->now, counts, growth->counter_count * sizeof counts[0]);
	if (growth->step_count > 0 && now_ms - growth->taken_ms < GROWTH_STEP_MS)
		return;
	growth->newest = (growth->newest + 1) % GROWTH_STEPS;
	if (growth->step_count < GROWTH_STEPS)
		growth->step_count++;
	memcpy(growth->before[growth->newest], growth->now, sizeof growth->now);
	growth->taken_ms = now_ms;
}

/* As long as it has not been watched for five minutes, all of it is new. */
uint64_t
growth_of(const struct growth *growth, size_t counter)
{
	size_t oldest = (growth->newest + 1) % GROWTH_STEPS;

	if (counter >= growth->counter_count)
		return 0;
	if (growth->step_count < GROWTH_STEPS)
		return growth->now[counter];
	return growth->now[counter] - growth->before[oldest][counter];
}
