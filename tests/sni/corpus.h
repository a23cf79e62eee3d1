/*
 * The ClientHello corpus for tests: tests/corpus/clienthello/manifest.tsv, read
 * by column name, and what each row accepts as an answer.
 */
#ifndef TESTS_SNI_CORPUS_H
#define TESTS_SNI_CORPUS_H

#include <ctype.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sni/clienthello.h"

#define CORPUS "tests/corpus/clienthello/"

enum { CORPUS_ROWS = 400, CORPUS_ANSWER = 20000 };

enum column { FILE_NAME, VERDICT, SNI, ALPN, RECORD_COUNT, HELLO_BYTES, WIRE_BYTES, HAS_ECH,
	TLS13, STRICT, ALSO, SPLITS, COLUMNS };

static const char *const column_name[COLUMNS] = { "file", "verdict", "sni", "alpn",
	"record-count", "hello-bytes", "wire-bytes", "has_ech", "tls13", "strict", "also",
	"splits" };

struct corpus_row {
	char *column[COLUMNS];
	uint8_t *wire;
	size_t bytes;
};

struct corpus {
	struct corpus_row rows[CORPUS_ROWS];
	size_t count;
	char *text;	/* the manifest, that the columns point into */
};

/* The whole file and a NUL behind it, to be freed. */
static inline char *
corpus_slurp(const char *path, size_t *bytes)
{
	FILE *file = fopen(path, "rb");
	char *text = malloc(1 << 20);

	if (!file || !text)
		fail_msg("%s cannot be read", path);
	*bytes = fread(text, 1, (1 << 20) - 1, file);
	text[*bytes] = 0;
	fclose(file);
	return text;
}

/* The wire bytes of one file, in a block of just that size. */
static inline uint8_t *
corpus_wire(const char *name, size_t *bytes)
{
	char path[200];
	char *text;
	uint8_t *wire;

	snprintf(path, sizeof path, CORPUS "%s", name);
	text = corpus_slurp(path, bytes);
	wire = malloc(*bytes ? *bytes : 1);
	if (wire)
		memcpy(wire, text, *bytes);
	free(text);
	return wire;
}

static inline struct corpus *
corpus_open(void)
{
	struct corpus *corpus = calloc(1, sizeof *corpus);
	size_t bytes, at[COLUMNS] = { 0 }, field;
	char *lines, *line, *cell;

	corpus->text = lines = corpus_slurp(CORPUS "manifest.tsv", &bytes);
	line = strsep(&lines, "\n");
	for (field = 0; (cell = strsep(&line, "\t")); field++)
		for (int c = 0; c < COLUMNS; c++)
			if (strcmp(cell, column_name[c]) == 0)
				at[c] = field;
	while ((line = strsep(&lines, "\n")) && *line) {
		struct corpus_row *row = &corpus->rows[corpus->count++];

		for (field = 0; (cell = strsep(&line, "\t")); field++)
			for (int c = 0; c < COLUMNS; c++)
				if (at[c] == field)
					row->column[c] = cell;
		row->wire = corpus_wire(row->column[FILE_NAME], &row->bytes);
	}
	return corpus;
}

static inline void
corpus_close(struct corpus *corpus)
{
	for (size_t i = 0; i < corpus->count; i++)
		free(corpus->rows[i].wire);
	free(corpus->text);
	free(corpus);
}

/* Bytes as the manifest writes them, appended. */
static inline void
corpus_escape(char *out, const char *bytes, size_t count)
{
	out += strlen(out);
	for (size_t i = 0; i < count; i++) {
		unsigned char c = (unsigned char)bytes[i];

		out += c > 0x20 && c < 0x7f && c != '\\' && c != ',' ? sprintf(out, "%c", c) :
		    sprintf(out, "\\x%02x", c);
	}
	*out = 0;
}

/* Our answer in one column, written as in the manifest. */
static inline void
corpus_answer(char out[CORPUS_ANSWER], const struct clienthello *hello, const uint8_t *wire,
    const char *column)
{
	struct clienthello_vector names = hello->alpn;
	char name[256];
	size_t bytes;

	strcpy(out, "");
	if (strcmp(column, "sni") == 0 && hello->has_name) {
		bytes = clienthello_copy(&hello->sent_name, wire, name, sizeof name);
		for (size_t i = 0; i < bytes; i++)
			name[i] = (char)tolower(name[i]);
		corpus_escape(out, name, bytes);
	} else if (strcmp(column, "alpn") == 0 && hello->has_alpn) {
		while (clienthello_next_string(&names, wire, name, &bytes)) {
			strcat(out, *out ? "," : "");
			corpus_escape(out, name, bytes);
		}
	} else if (strcmp(column, "record-count") == 0) {
		sprintf(out, "%u", hello->record_count);
	} else if (strcmp(column, "hello-bytes") == 0) {
		sprintf(out, "%u", hello->hello_bytes);
	} else if (strcmp(column, "wire-bytes") == 0) {
		sprintf(out, "%u", hello->wire_bytes);
	} else if (strcmp(column, "has_ech") == 0) {
		sprintf(out, "%d", hello->ech);
	} else if (strcmp(column, "tls13") == 0) {
		sprintf(out, "%d", hello->tls13);
	} else {
		strcpy(out, "-");
	}
}

static inline bool
corpus_same(const struct clienthello *hello, const uint8_t *wire, const char *column,
    const char *wanted)
{
	char answer[CORPUS_ANSWER];

	corpus_answer(answer, hello, wire, column);
	return strcmp(answer, wanted) == 0;
}

/* "VERDICT column=value ...": one alternative of the column `also`. */
static inline bool
corpus_accepts_alternative(const char *alternative, const struct clienthello *hello,
    const uint8_t *wire)
{
	char text[1000], *rest = text, *pair, *value;

	snprintf(text, sizeof text, "%s", alternative);
	if (strcmp(strsep(&rest, " "), clienthello_verdict_name(hello->verdict)) != 0)
		return false;
	while ((value = strsep(&rest, " "))) {
		pair = strsep(&value, "=");
		if (!corpus_same(hello, wire, pair, value))
			return false;
	}
	return true;
}

/* Whether this is the row's answer or, if strict is `either`, one of the others. */
static inline bool
corpus_accepts(const struct corpus_row *row, const struct clienthello *hello, const uint8_t *wire)
{
	bool right = strcmp(row->column[VERDICT], clienthello_verdict_name(hello->verdict)) == 0;
	char also[1000], *rest = also, *alternative;

	for (int c = SNI; right && hello->verdict == CLIENTHELLO_COMPLETE && c <= TLS13; c++)
		right = corpus_same(hello, wire, column_name[c], row->column[c]);
	if (right || strcmp(row->column[STRICT], "either") != 0)
		return right;
	snprintf(also, sizeof also, "%s", row->column[ALSO]);
	while ((alternative = strsep(&rest, ";")))
		if (corpus_accepts_alternative(alternative, hello, wire))
			return true;
	return false;
}

#endif
