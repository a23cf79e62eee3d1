/* Metrics in the two forms of Prometheus, and what is counted for them. */
#include "base/metrics_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/metrics_daemon.h"
#include "base/name_counts.h"
#include "base/word_counts.h"
#include "helpers.h"

static struct metrics_text text;

static void
expect(const char *wanted)
{
	size_t bytes;
	char *got = metrics_text_end(&text, &bytes);
	char *whole = strndup(got, bytes);

	assert_string_equal(whole, wanted);
	free(whole);
	free(got);
}

static void
put_all(enum metrics_format format)
{
	metrics_text_begin(&text, format);
	metrics_family(&text, "valise_x_bytes", METRICS_COUNTER, "bytes", "Bytes.");
	metrics_number(&text, 12, METRICS_LABELS({ "direction", "in" }, { "none", NULL }));
	metrics_family(&text, "valise_x_left_seconds", METRICS_GAUGE, "seconds", "What is left.");
	metrics_signed(&text, -5, NULL);
	metrics_signed(&text, INT64_MIN, NULL);
	metrics_seconds(&text, 1500000, NULL);
	metrics_seconds(&text, 7, NULL);
}

static void
prometheus_has_its_form(void **state)
{
	(void)state;
	put_all(METRICS_PROMETHEUS);
	expect("# HELP valise_x_bytes_total Bytes.\n"
	       "# TYPE valise_x_bytes_total counter\n"
	       "valise_x_bytes_total{direction=\"in\"} 12\n"
	       "# HELP valise_x_left_seconds What is left.\n"
	       "# TYPE valise_x_left_seconds gauge\n"
	       "valise_x_left_seconds -5\n"
	       "valise_x_left_seconds -9223372036854775808\n"
	       "valise_x_left_seconds 1.5\n"
	       "valise_x_left_seconds 0.000007\n");
}

static void
openmetrics_has_units_and_an_end(void **state)
{
	(void)state;
	put_all(METRICS_OPENMETRICS);
	expect("# HELP valise_x_bytes Bytes.\n"
	       "# TYPE valise_x_bytes counter\n"
	       "# UNIT valise_x_bytes bytes\n"
	       "valise_x_bytes_total{direction=\"in\"} 12\n"
	       "# HELP valise_x_left_seconds What is left.\n"
	       "# TYPE valise_x_left_seconds gauge\n"
	       "# UNIT valise_x_left_seconds seconds\n"
	       "valise_x_left_seconds -5\n"
	       "valise_x_left_seconds -9223372036854775808\n"
	       "valise_x_left_seconds 1.5\n"
	       "valise_x_left_seconds 0.000007\n"
	       "# EOF\n");
}

static void
hostile_values_stay_within_their_quotes(void **state)
{
	(void)state;
	metrics_text_begin(&text, METRICS_PROMETHEUS);
	metrics_family(&text, "valise_x", METRICS_GAUGE, NULL, "X.");
	metrics_number(&text, 1, METRICS_LABELS({ "name", "a\"} 1\nb\\\xff\xc3\xa4\xc3" }));
	expect("# HELP valise_x X.\n# TYPE valise_x gauge\n"
	       "valise_x{name=\"a\\\"} 1\\nb\\\\?\xc3\xa4?\"} 1\n");
}

static void
histograms_count_up_to_their_bounds(void **state)
{
	struct histogram histogram = { 0 };
	struct histogram_sum sum = { 0 };
	size_t bytes;
	char *got;

	(void)state;
	histogram_add(&histogram, HISTOGRAM_SHORT, 0);
	histogram_add(&histogram, HISTOGRAM_SHORT, 250);
	histogram_add(&histogram, HISTOGRAM_SHORT, 251);
	histogram_add(&histogram, HISTOGRAM_SHORT, 10000000);
	histogram_add(&histogram, HISTOGRAM_SHORT, 10000001);
	histogram_sum(&sum, &histogram);
	histogram_sum(&sum, &histogram);
	assert_int_equal(sum.count, 10);
	metrics_text_begin(&text, METRICS_OPENMETRICS);
	metrics_family(&text, "valise_x_seconds", METRICS_HISTOGRAM, "seconds", "X.");
	metrics_histogram(&text, HISTOGRAM_SHORT, &sum, METRICS_LABELS({ "way", "static" }));
	got = metrics_text_end(&text, &bytes);
	got[bytes - 1] = '\0';
	assert_non_null(strstr(got, "valise_x_seconds_bucket{way=\"static\",le=\"0.00025\"} 4\n"));
	assert_non_null(strstr(got, "valise_x_seconds_bucket{way=\"static\",le=\"0.0005\"} 6\n"));
	assert_non_null(strstr(got, "valise_x_seconds_bucket{way=\"static\",le=\"1.0\"} 6\n"));
	assert_non_null(strstr(got, "valise_x_seconds_bucket{way=\"static\",le=\"10.0\"} 8\n"));
	assert_non_null(strstr(got, "valise_x_seconds_bucket{way=\"static\",le=\"+Inf\"} 10\n"));
	assert_non_null(strstr(got, "valise_x_seconds_sum{way=\"static\"} 40.001004\n"));
	assert_non_null(strstr(got, "valise_x_seconds_count{way=\"static\"} 10\n"));
	free(got);
}

static void
bounds_rise(void **state)
{
	(void)state;
	for (int kind = 0; kind < HISTOGRAM_KINDS; kind++)
		for (int i = 1; i < HISTOGRAM_BUCKETS - 1; i++)
			assert_true(
			    histogram_bounds_us[kind][i] > histogram_bounds_us[kind][i - 1]);
}

static void
quantiles_lie_where_their_part_is(void **state)
{
	struct histogram_sum none = { 0 }, sum = { 0 };

	(void)state;
	assert_int_equal(histogram_quantile(&none, HISTOGRAM_SHORT, 0.5), 0);
	sum.bucket[1] = 50; /* 250 to 500 us */
	sum.bucket[5] = 50; /* 5 to 10 ms */
	sum.count = 100;
	assert_int_equal(histogram_quantile(&sum, HISTOGRAM_SHORT, 0.25), 375);
	assert_int_equal(histogram_quantile(&sum, HISTOGRAM_SHORT, 0.5), 500);
	assert_int_equal(histogram_quantile(&sum, HISTOGRAM_SHORT, 0.75), 7500);
	sum = (struct histogram_sum){ .bucket[HISTOGRAM_BUCKETS - 1] = 1, .count = 1 };
	assert_int_equal(histogram_quantile(&sum, HISTOGRAM_SHORT, 0.5), 10000000);
}

static void
accept_chooses_the_form(void **state)
{
	(void)state;
	assert_int_equal(metrics_format_of(NULL), METRICS_PROMETHEUS);
	assert_int_equal(metrics_format_of("*/*"), METRICS_PROMETHEUS);
	assert_int_equal(metrics_format_of("text/html,*/*;q=0.8"), METRICS_PROMETHEUS);
	assert_int_equal(
	    metrics_format_of("application/openmetrics-text;version=1.0.0;q=0.75,text/plain"),
	    METRICS_OPENMETRICS);
}

/* ---- words ---- */

static void
words_of_several_threads_are_added(void **state)
{
	static struct word_counts a, b;
	struct word_sums sums = { 0 };
	char copy[] = "reset";

	(void)state;
	word_counts_add(&a, "finished");
	word_counts_add(&a, "reset");
	word_counts_add(&b, copy); /* the same word from elsewhere */
	word_counts_add(&b, "idle");
	word_counts_sum(&sums, &a);
	word_counts_sum(&sums, &b);
	assert_int_equal(sums.words, 3);
	assert_string_equal(sums.word[1], "reset");
	assert_int_equal(sums.count[1], 2);
	assert_string_equal(sums.word[2], "idle");
}

static void
too_many_words_are_others(void **state)
{
	static struct word_counts counts[2];
	static char words[2 * WORD_COUNTS_MOST + 6][8];
	struct word_sums sums = { 0 };
	uint64_t all = 0;

	(void)state;
	for (int i = 0; i < 2 * WORD_COUNTS_MOST + 6; i++) {
		snprintf(words[i], sizeof words[i], "w%d", i);
		word_counts_add(&counts[i % 2], words[i]);
	}
	word_counts_sum(&sums, &counts[0]);
	word_counts_sum(&sums, &counts[1]);
	assert_int_equal(sums.words, WORD_COUNTS_MOST + 1);
	for (size_t i = 0; i < sums.words; i++)
		all += sums.count[i];
	assert_int_equal(all, 2 * WORD_COUNTS_MOST + 6);
}

/* ---- names ---- */

static void
count(struct name_counts *counts, const char *name)
{
	name_counts_add(
	    counts, &(struct name_count){ .name = name, .flows = 1, .bytes_in = 3, .bytes_out = 5 });
}

static void
the_name_longest_unused_leaves(void **state)
{
	struct name_counts *counts = name_counts_new();
	struct name_count *all;
	char name[16];
	size_t n;

	(void)state;
	count(counts, "first");
	count(counts, "second");
	for (int i = 2; i < NAME_COUNTS_MOST; i++) {
		snprintf(name, sizeof name, "name-%d", i);
		count(counts, name);
	}
	count(counts, "first");
	count(counts, "one more");
	all = name_counts_copy(counts, &n);
	assert_int_equal(n, NAME_COUNTS_MOST);
	assert_string_equal(all[0].name, "one more");
	assert_string_equal(all[1].name, "first");
	assert_int_equal(all[1].flows, 2);
	assert_int_equal(all[1].bytes_in, 6);
	assert_int_equal(all[1].bytes_out, 10);
	for (size_t i = 0; i < n; i++)
		assert_string_not_equal(all[i].name, "second");
	free(all);
	name_counts_free(counts);
}

/* ---- what all daemons have ---- */

static void
without_details_each_key_has_its_first_end(void **state)
{
	const struct ending endings[] = {
		{ .what = "cert", .name = "a.crt", .ends_s = 300 },
		{ .what = "cert", .name = "b.crt", .ends_s = 150 },
		{ .what = "cas", .ends_s = 90, .is_crl = true },
	};

	(void)state;
	metrics_text_begin(&text, METRICS_PROMETHEUS);
	metrics_endings(&text, endings, COUNT(endings), 100, false);
	expect("# HELP valise_certificate_left_seconds Until a certificate ends; negative when it has.\n"
	       "# TYPE valise_certificate_left_seconds gauge\n"
	       "valise_certificate_left_seconds{key=\"cert\"} 50\n"
	       "# HELP valise_crl_left_seconds Until the nextUpdate of a CRL; negative when it is over.\n"
	       "# TYPE valise_crl_left_seconds gauge\n"
	       "valise_crl_left_seconds{key=\"cas\"} -10\n");
	metrics_text_begin(&text, METRICS_PROMETHEUS);
	metrics_endings(&text, endings, 2, 100, true);
	expect("# HELP valise_certificate_left_seconds Until a certificate ends; negative when it has.\n"
	       "# TYPE valise_certificate_left_seconds gauge\n"
	       "valise_certificate_left_seconds{key=\"cert\",name=\"a.crt\"} 200\n"
	       "valise_certificate_left_seconds{key=\"cert\",name=\"b.crt\"} 50\n"
	       "# HELP valise_crl_left_seconds Until the nextUpdate of a CRL; negative when it is over.\n"
	       "# TYPE valise_crl_left_seconds gauge\n");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(prometheus_has_its_form),
	cmocka_unit_test(openmetrics_has_units_and_an_end),
	cmocka_unit_test(hostile_values_stay_within_their_quotes),
	cmocka_unit_test(histograms_count_up_to_their_bounds),
	cmocka_unit_test(bounds_rise),
	cmocka_unit_test(quantiles_lie_where_their_part_is),
	cmocka_unit_test(accept_chooses_the_form),
	cmocka_unit_test(words_of_several_threads_are_added),
	cmocka_unit_test(too_many_words_are_others),
	cmocka_unit_test(the_name_longest_unused_leaves),
	cmocka_unit_test(without_details_each_key_has_its_first_end),
};

RUN_TESTS("metrics_text", tests)
