/*
 * What the files of the configuration reader share: the document (conf_yaml), values
 * from text (conf_value) and from the environment (conf_variable), suggestions (conf_hint),
 * messages (conf_report), and the walk over document and table together (conf).  Nobody else includes this.
 */
#ifndef BASE_CONF_PRIVATE_H
#define BASE_CONF_PRIVATE_H

#include <yaml.h>
#include "base/conf.h"

enum {
	CONF_FILE_MOST = 64 << 20,
	CONF_DEPTH_MOST = 16, /* mappings and lists within each other */
	CONF_ERRORS_MOST = 50,
	CONF_SENTENCE = 512, /* storage for a sentence without its place */
	CONF_SHOWN = 81,     /* storage for an offending value as it is shown */
	CONF_KEY = 96,       /* storage for a dotted path */
};

/* Loads the one document of `text`; it is the caller's to yaml_document_delete().
 * False after the errors are reported. */
bool conf_document_load(yaml_document_t *, const void *text, size_t bytes, struct conf_report *);

/* Converts one scalar to the row's kind (TEXT, NUMBER, BOOL, DURATION, SIZE, WORD) at `value`.
 * False with a sentence that quotes the text and says what would be valid. */
bool conf_value_set(
    const struct conf_row *, void *value, const char *text, char error[CONF_SENTENCE]);
/* The row's own check on one text. */
bool conf_value_check(const struct conf_row *, const char *text, char error[CONF_SENTENCE]);
/* The text as it may be shown: escaped, and cut. */
const char *conf_shown(char out[CONF_SHOWN], const char *text);

/* The key that was probably meant by `word` under `prefix` ("" or "limits."), in `out`;
 * false when none is near. */
bool conf_hint_key(
    char out[CONF_KEY], const struct conf_row *table, const char *prefix, const char *word);
/* The same among words; NULL when none is near. */
const char *conf_hint_word(const char *const *words, const char *word);

/* What a variable of the environment says in the place of this row, and how it is called; NULL: nothing. */
const char *conf_variable(const struct conf_row *, char name[CONF_KEY]);

#endif
