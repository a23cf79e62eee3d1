/* Every row of the ClientHello corpus, however the stream is cut. */
#include "corpus.h"
#include "hello.h"

enum { CUTTINGS = 200 };

static struct corpus *corpus;
static const size_t bounds[] = { CLIENTHELLO_DEFAULT_BYTES, CLIENTHELLO_MOST_BYTES };

static int
open_corpus(void **state)
{
	(void)state;
	corpus = corpus_open();
	return 0;
}

static int
close_corpus(void **state)
{
	(void)state;
	corpus_close(corpus);
	return 0;
}

static struct clienthello
read_whole(const struct corpus_row *row, size_t most_bytes)
{
	struct clienthello hello;

	clienthello_init(&hello, most_bytes);
	clienthello_read(&hello, row->wire, row->bytes);
	return hello;
}

/*
 * Delivers the row in reads that end at the cuts, which ascend, and at its end.
 * Each read gets a block of its own, so that a sanitizer sees any byte read
 * that is not there yet, and so that nothing can point into an old one.
 */
static struct clienthello
read_cut(const struct corpus_row *row, size_t most_bytes, const size_t *cuts, size_t count)
{
	struct clienthello hello;

	clienthello_init(&hello, most_bytes);
	for (size_t i = 0; i <= count; i++) {
		size_t end = i < count ? cuts[i] : row->bytes;
		uint8_t *block = malloc(end ? end : 1);

		memcpy(block, row->wire, end);
		clienthello_read(&hello, block, end);
		free(block);
	}
	return hello;
}

static void
assert_same(const struct corpus_row *row, const struct clienthello *a, const struct clienthello *b)
{
	if (a->verdict != b->verdict || a->reason != b->reason ||
	    (a->verdict == CLIENTHELLO_COMPLETE && !same_hello(a, b)))
		fail_msg("%s: %s (%s) whole, %s (%s) in pieces", row->column[FILE_NAME],
		    clienthello_verdict_name(a->verdict), clienthello_reason(a),
		    clienthello_verdict_name(b->verdict), clienthello_reason(b));
}

static void
answers_every_row_rightly_from_one_read(void **state)
{
	(void)state;
	assert_int_equal(corpus->count, 270);
	for (size_t i = 0; i < corpus->count; i++)
		for (size_t b = 0; b < 2; b++) {
			struct corpus_row *row = &corpus->rows[i];
			struct clienthello hello = read_whole(row, bounds[b]);

			if (!corpus_accepts(row, &hello, row->wire))
				fail_msg("%s: %s (%s) instead of %s", row->column[FILE_NAME],
				    clienthello_verdict_name(hello.verdict),
				    clienthello_reason(&hello), row->column[VERDICT]);
		}
}

/* Where a row leaves a choice and its first answer is a refusal, we refuse. */
static void
takes_nothing_that_the_corpus_would_rather_refuse(void **state)
{
	(void)state;
	for (size_t i = 0; i < corpus->count; i++) {
		struct corpus_row *row = &corpus->rows[i];
		struct clienthello hello = read_whole(row, CLIENTHELLO_MOST_BYTES);

		if (strcmp(row->column[VERDICT], "complete") != 0)
			assert_int_not_equal(hello.verdict, CLIENTHELLO_COMPLETE);
	}
}

static void
answers_the_same_when_cut_as_the_row_wishes(void **state)
{
	(void)state;
	for (size_t i = 0; i < corpus->count; i++) {
		struct corpus_row *row = &corpus->rows[i];
		struct clienthello whole = read_whole(row, bounds[1]), cut;
		char wanted[200], *rest = wanted, *number;
		size_t cuts[100], count = 0;

		snprintf(wanted, sizeof wanted, "%s", row->column[SPLITS]);
		if (!isdigit((unsigned char)wanted[0]))
			continue;
		while ((number = strsep(&rest, ",")))
			cuts[count++] = strtoul(number, NULL, 10);
		cut = read_cut(row, bounds[1], cuts, count);
		assert_same(row, &whole, &cut);
	}
}

static void
answers_the_same_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < corpus->count; i++)
		for (size_t b = 0; b < 2; b++) {
			struct corpus_row *row = &corpus->rows[i];
			struct clienthello whole = read_whole(row, bounds[b]), cut;

			clienthello_init(&cut, bounds[b]);
			for (size_t n = 0; n <= row->bytes; n++)
				clienthello_read(&cut, row->wire, n);
			assert_same(row, &whole, &cut);
		}
}

static int
ascending(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return x < y ? -1 : x > y;
}

static void
answers_the_same_in_random_cuttings(void **state)
{
	(void)state;
	srandom(1);	/* the same cuttings in every run */
	for (size_t i = 0; i < corpus->count; i++) {
		struct corpus_row *row = &corpus->rows[i];
		struct clienthello whole = read_whole(row, bounds[0]);

		for (int n = 0; n < CUTTINGS; n++) {
			size_t cuts[12], count = 1 + (size_t)random() % 12;
			struct clienthello cut;

			for (size_t c = 0; c < count; c++)
				cuts[c] = (size_t)random() % (row->bytes + 1);
			qsort(cuts, count, sizeof *cuts, ascending);
			cut = read_cut(row, bounds[0], cuts, count);
			assert_same(row, &whole, &cut);
		}
	}
}

static void
waits_for_more_at_every_proper_prefix_of_a_complete_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < corpus->count; i++) {
		struct corpus_row *row = &corpus->rows[i];
		struct clienthello whole = read_whole(row, bounds[1]), part;

		if (whole.verdict != CLIENTHELLO_COMPLETE)
			continue;
		for (size_t n = 0; n <= row->bytes; n++) {
			bool complete = n >= whole.wire_bytes;
			enum clienthello_verdict wanted = complete ?
			    CLIENTHELLO_COMPLETE : CLIENTHELLO_INCOMPLETE;

			clienthello_init(&part, bounds[1]);
			if (clienthello_read(&part, row->wire, n) != wanted)
				fail_msg("%s: %s at %zu", row->column[FILE_NAME],
				    clienthello_verdict_name(part.verdict), n);
			if (complete)
				assert_same(row, &whole, &part);
		}
	}
}

/* The message out of its records, in a block of just its size, without its header. */
static uint8_t *
body_of(const struct corpus_row *row, size_t hello_bytes)
{
	uint8_t *message = malloc(hello_bytes), *body = malloc(hello_bytes - 4 ? hello_bytes - 4 : 1);
	size_t have = 0;

	for (const uint8_t *at = row->wire; have < hello_bytes;) {
		size_t length = (size_t)(at[3] << 8 | at[4]), missing = hello_bytes - have;
		size_t part = length < missing ? length : missing;

		memcpy(message + have, at + 5, part);
		have += part;
		at += 5 + length;
	}
	memcpy(body, message + 4, hello_bytes - 4);
	free(message);
	return body;
}

/* Item by item, each in the bytes that its hello was read from. */
static bool
lists_the_same(const struct clienthello *a, const uint8_t *wire, const struct clienthello *b,
    const uint8_t *body)
{
	struct clienthello_vector of_a[] = { a->cipher_suites, a->supported_versions,
		a->signature_algorithms };
	struct clienthello_vector of_b[] = { b->cipher_suites, b->supported_versions,
		b->signature_algorithms };
	char name[256], other[256];
	size_t bytes, other_bytes;
	uint16_t value, other_value;
	bool is_there, is_same = true;

	for (int i = 0; i < 3; i++)
		do {
			is_there = clienthello_next_u16(&of_a[i], wire, &value);
			is_same &= clienthello_next_u16(&of_b[i], body, &other_value) == is_there &&
			    value == other_value;
		} while (is_there && is_same);
	for (size_t i = 0; (is_there = clienthello_alpn(a, wire, i, name, &bytes)) && is_same; i++)
		is_same = clienthello_alpn(b, body, i, other, &other_bytes) &&
		    bytes == other_bytes && memcmp(name, other, bytes) == 0;
	return is_same;
}

/* Who ends TLS sees messages and no records, and must not understand them otherwise. */
static void
reads_the_same_out_of_a_message_without_its_records(void **state)
{
	size_t compared = 0;

	(void)state;
	for (size_t i = 0; i < corpus->count; i++) {
		struct corpus_row *row = &corpus->rows[i];
		struct clienthello whole = read_whole(row, CLIENTHELLO_MOST_BYTES), alone;
		uint8_t *body;

		/* Not those whose records are wrong. */
		if (whole.wire_bytes == 0 || whole.gathered != whole.hello_bytes)
			continue;
		body = body_of(row, whole.hello_bytes);
		if (clienthello_read_body(&alone, body, whole.hello_bytes - 4) != whole.verdict ||
		    alone.reason != whole.reason || alone.has_name != whole.has_name ||
		    alone.tls13 != whole.tls13 || alone.has_alpn != whole.has_alpn ||
		    strcmp(alone.server_name, whole.server_name) != 0)
			fail_msg("%s: %s (%s) of the message alone", row->column[FILE_NAME],
			    clienthello_verdict_name(alone.verdict), clienthello_reason(&alone));
		if (whole.verdict == CLIENTHELLO_COMPLETE &&
		    !lists_the_same(&whole, row->wire, &alone, body))
			fail_msg("%s: other lists in the message alone", row->column[FILE_NAME]);
		free(body);
		compared++;
	}
	assert_true(compared > 200);
}

static void
agrees_with_the_table_of_prefixes(void **state)
{
	size_t bytes, rows = 0;
	char *text = corpus_slurp(CORPUS "prefix.tsv", &bytes), *lines = text, *line;

	(void)state;
	strsep(&lines, "\n");
	while ((line = strsep(&lines, "\n")) && *line) {
		const char *file = strsep(&line, "\t");
		size_t from = strtoul(strsep(&line, "\t"), NULL, 10);
		size_t to = strtoul(strsep(&line, "\t"), NULL, 10);
		uint8_t *wire = corpus_wire(file, &bytes);

		for (; from <= to && from <= bytes; from++) {
			struct clienthello hello;

			clienthello_init(&hello, CLIENTHELLO_DEFAULT_BYTES);
			assert_string_equal(line, clienthello_verdict_name(
			    clienthello_read(&hello, wire, from)));
		}
		free(wire);
		rows++;
	}
	assert_true(rows > 0);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_every_row_rightly_from_one_read),
		cmocka_unit_test(takes_nothing_that_the_corpus_would_rather_refuse),
		cmocka_unit_test(answers_the_same_when_cut_as_the_row_wishes),
		cmocka_unit_test(answers_the_same_byte_by_byte),
		cmocka_unit_test(answers_the_same_in_random_cuttings),
		cmocka_unit_test(waits_for_more_at_every_proper_prefix_of_a_complete_row),
		cmocka_unit_test(reads_the_same_out_of_a_message_without_its_records),
		cmocka_unit_test(agrees_with_the_table_of_prefixes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("the corpus", tests, open_corpus, close_corpus);
}
