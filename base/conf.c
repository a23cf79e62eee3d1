/* The walk over document and table together: what stands where it may stand, each thing once. */
#include "base/conf.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/conf_private.h"
#include "base/file.h"

/* One struct being filled from one mapping and the mappings that its dotted keys name. */
struct filling {
	yaml_document_t *document;
	struct conf_report *report;
	const struct conf_row *table;
	char *base;
	bool is_whole; /* the mapping is the file */
	bool *given;   /* of each row */
	/* Of each row: where it stands, or the innermost mapping in which it would. */
	struct conf_mark *home;
};

static void read_table(struct filling *outer, const struct conf_row *table, char *base,
    yaml_node_t *node, const char *scalar);

static struct conf_mark
mark_of(const yaml_node_t *node)
{
	return (struct conf_mark){ (unsigned)node->start_mark.line + 1,
		(unsigned)node->start_mark.column + 1 };
}

/* An error about what stands in a node. */
__attribute__((format(printf, 3, 4))) static void
node_error(struct filling *f, const yaml_node_t *node, const char *format, ...)
{
	char sentence[2 * CONF_SENTENCE];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	conf_error(f->report, mark_of(node), "%s", sentence);
}

/* Whether anything else is worth a message. */
static bool
goes_on(const struct filling *f)
{
	return f->report->errors < CONF_ERRORS_MOST && !f->report->is_of_another;
}

static const char *
what_is(const yaml_node_t *node)
{
	if (node->type == YAML_MAPPING_NODE)
		return "a mapping";
	return node->type == YAML_SEQUENCE_NODE ? "a list" : "a single value";
}

static const char *
text_of(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

/* Whether this is `key:` with nothing behind it, or what YAML calls null. */
static bool
is_empty(const yaml_node_t *node)
{
	const char *text;

	if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	text = text_of(node);
	return text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

/* Whether this is a scalar with a text that C can hold as a string; says so if not. */
static bool
is_text(struct filling *f, const char *key, const yaml_node_t *node)
{
	if (node->type != YAML_SCALAR_NODE)
		node_error(f, node, "\"%s\" takes a single value, not %s", key, what_is(node));
	else if (is_empty(node))
		node_error(f, node, "\"%s\" has no value; give one or remove the key", key);
	else if (strlen(text_of(node)) != node->data.scalar.length)
		node_error(f, node, "\"%s\" has a NUL character in its value; remove it", key);
	else
		return true;
	return false;
}

static void
read_value(struct filling *f, const struct conf_row *row, const yaml_node_t *node)
{
	char error[CONF_SENTENCE];

	if (is_text(f, row->key, node) &&
	    !conf_value_set(row, f->base + row->offset, text_of(node), error))
		node_error(f, node, "%s: %s", row->key, error);
}

static bool
texts_reserve(struct conf_texts *texts, size_t count)
{
	texts->items = calloc(count + 1, sizeof(char *));
	texts->marks = calloc(count + 1, sizeof(struct conf_mark));
	return texts->items && texts->marks;
}

/* Whether this is `key: value` where the text "key=value" is wanted; says so then. */
static bool
is_pair_for_text(struct filling *f, const struct conf_row *row, const yaml_node_t *node)
{
	const yaml_node_t *key, *value;
	char text[CONF_SHOWN], shown[CONF_SHOWN], ignored[256];

	if (node->type != YAML_MAPPING_NODE || !row->check ||
	    node->data.mapping.pairs.start == node->data.mapping.pairs.top)
		return false;
	key = yaml_document_get_node(f->document, node->data.mapping.pairs.start->key);
	value = yaml_document_get_node(f->document, node->data.mapping.pairs.start->value);
	if (key->type != YAML_SCALAR_NODE || value->type != YAML_SCALAR_NODE)
		return false;
	snprintf(text, sizeof text, "%s=%s", text_of(key), text_of(value));
	if (!row->check(text, ignored))
		return false;
	node_error(f, node, "\"%s\" takes a list of texts and not mappings; write [%s]", row->key,
	    conf_shown(shown, text));
	return true;
}

static void
add_text(struct filling *f, const struct conf_row *row, struct conf_texts *texts,
    const yaml_node_t *node)
{
	char error[CONF_SENTENCE];

	if (is_pair_for_text(f, row, node) || !is_text(f, row->key, node))
		return;
	if (!conf_value_check(row, text_of(node), error)) {
		node_error(f, node, "%s: %s", row->key, error);
		return;
	}
	texts->items[texts->count] = strdup(text_of(node));
	texts->marks[texts->count] = mark_of(node);
	if (!texts->items[texts->count])
		node_error(f, node, "cannot be kept: memory is short");
	else
		texts->count++;
}

/* The nodes of a list; any other node is a list of itself, and no node is an empty list. */
static size_t
count_of(const yaml_node_t *node)
{
	if (node->type == YAML_SEQUENCE_NODE)
		return (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
	return is_empty(node) ? 0 : 1;
}

static yaml_node_t *
item_of(struct filling *f, yaml_node_t *node, size_t i)
{
	if (node->type != YAML_SEQUENCE_NODE)
		return node;
	return yaml_document_get_node(f->document, node->data.sequence.items.start[i]);
}

static void
read_texts(struct filling *f, const struct conf_row *row, yaml_node_t *node)
{
	struct conf_texts *texts = (struct conf_texts *)(void *)(f->base + row->offset);
	size_t count = count_of(node);

	if (!texts_reserve(texts, count)) {
		node_error(f, node, "cannot be kept: memory is short");
		return;
	}
	for (size_t i = 0; i < count && goes_on(f); i++)
		add_text(f, row, texts, item_of(f, node, i));
}

static bool
is_item(const struct conf_row *row, const yaml_node_t *item)
{
	return item->type == YAML_MAPPING_NODE ||
	    (row->scalar && item->type == YAML_SCALAR_NODE && !is_empty(item));
}

static void
read_mappings(struct filling *f, const struct conf_row *row, yaml_node_t *node)
{
	struct conf_items *items = (struct conf_items *)(void *)(f->base + row->offset);
	size_t count = count_of(node);

	items->items = calloc(count + 1, row->item_bytes);
	if (!items->items) {
		node_error(f, node, "cannot be kept: memory is short");
		return;
	}
	for (size_t i = 0; i < count && goes_on(f); i++) {
		yaml_node_t *item = item_of(f, node, i);

		if (!is_item(row, item))
			node_error(f, item,
			    "\"%s\" takes a list of mappings (- key: value), not of %s", row->key,
			    what_is(item));
		else
			read_table(f, row->table,
			    (char *)items->items + row->item_bytes * items->count++, item,
			    row->scalar);
	}
}

static const struct conf_row *find_row(const struct conf_row *table, const char *path);

/* What stands there in place of the mapping is the value of one of its keys. */
static bool
is_short_for(const struct conf_row *row, const yaml_node_t *node)
{
	return row->scalar &&
	    (node->type == YAML_SCALAR_NODE ||
		(node->type == YAML_SEQUENCE_NODE &&
		    find_row(row->table, row->scalar)->kind == CONF_TEXTS));
}

static void
read_mapping(struct filling *f, const struct conf_row *row, yaml_node_t *node)
{
	bool fits = node->type == YAML_MAPPING_NODE || is_empty(node) || is_short_for(row, node);

	if (fits)
		read_table(f, row->table, f->base + row->offset, node, row->scalar);
	else
		node_error(f, node, "\"%s\" takes a mapping (key: value), not %s", row->key,
		    what_is(node));
}

static void
read_row(struct filling *f, const struct conf_row *row, yaml_node_t *node)
{
	struct conf_mark mark = mark_of(node);

	if (row->mark_offset != 0)
		memcpy(f->base + row->mark_offset, &mark, sizeof mark);
	switch (row->kind) {
	case CONF_TEXT:
	case CONF_NUMBER:
	case CONF_BOOL:
	case CONF_DURATION:
	case CONF_SIZE:
	case CONF_WORD:
		read_value(f, row, node);
		break;
	case CONF_TEXTS:
		read_texts(f, row, node);
		break;
	case CONF_MAPPING:
		read_mapping(f, row, node);
		break;
	case CONF_MAPPINGS:
		read_mappings(f, row, node);
		break;
	case CONF_END:
		break;
	}
	if ((row->required || row->least > 0) &&
	    (row->kind == CONF_TEXTS || row->kind == CONF_MAPPINGS) && count_of(node) == 0)
		conf_error(f->report, mark, "\"%s\" is empty; give at least one", row->key);
}

static const struct conf_row *
find_row(const struct conf_row *table, const char *path)
{
	for (; table->kind != CONF_END; table++) {
		if (strcmp(table->key, path) == 0)
			return table;
	}
	return NULL;
}

/* NULL: nothing is known of where it comes from. */
static const struct conf_answer *
find_answer(const struct filling *f, const char *prefix, const char *word)
{
	bool is_at_top = f->is_whole && prefix[0] == '\0';
	const struct conf_answer *answer = f->report->answers;

	for (; answer && answer->key; answer++)
		if (strcmp(answer->key, word) == 0 && (is_at_top || !answer->is_of_another))
			return answer;
	return NULL;
}

static void
report_unknown_key(struct filling *f, const yaml_node_t *key, const char *prefix)
{
	const struct conf_answer *answer = find_answer(f, prefix, text_of(key));
	char shown[CONF_SHOWN], hint[CONF_KEY];
	const char *word = conf_shown(shown, text_of(key));

	if (answer) {
		node_error(f, key, "unknown key \"%s%s\"; %s", prefix, word, answer->sentence);
		f->report->is_of_another = answer->is_of_another;
	} else if (conf_hint_key(hint, f->table, prefix, text_of(key)))
		node_error(
		    f, key, "unknown key \"%s%s\"; did you mean \"%s\"?", prefix, word, hint);
	else
		node_error(f, key, "unknown key \"%s%s\"; remove it", prefix, word);
}

/* The same key before this pair in its mapping, or NULL.  Asked for known keys only: the table
 * bounds it. */
static const yaml_node_t *
earlier_key(struct filling *f, const yaml_node_t *mapping, const yaml_node_pair_t *pair)
{
	const char *text = text_of(yaml_document_get_node(f->document, pair->key));

	for (const yaml_node_pair_t *at = mapping->data.mapping.pairs.start; at < pair; at++) {
		const yaml_node_t *key = yaml_document_get_node(f->document, at->key);

		if (key->type == YAML_SCALAR_NODE && strcmp(text_of(key), text) == 0)
			return key;
	}
	return NULL;
}

/* Whether keys of rows begin with `prefix`; those would stand in this node from now on. */
static bool
enter_group(struct filling *f, const char *prefix, const yaml_node_t *node)
{
	bool known = false;

	for (size_t i = 0; f->table[i].kind != CONF_END; i++) {
		if (strncmp(f->table[i].key, prefix, strlen(prefix)) == 0) {
			known = true;
			f->home[i] = mark_of(node);
		}
	}
	return known;
}

static void read_pairs(struct filling *f, const yaml_node_t *mapping, const char *prefix);

static void
read_group(struct filling *f, const yaml_node_t *node, const char *prefix)
{
	if (node->type == YAML_MAPPING_NODE)
		read_pairs(f, node, prefix);
	else if (!is_empty(node))
		node_error(f, node, "\"%.*s\" takes a mapping (key: value), not %s",
		    (int)strlen(prefix) - 1, prefix, what_is(node));
}

/* Dots join nested keys in tables and messages, never in files. */
static bool
is_key(struct filling *f, const yaml_node_t *key)
{
	char shown[CONF_SHOWN];

	if (key->type != YAML_SCALAR_NODE)
		node_error(f, key, "a key must be a word, not %s; write key: value", what_is(key));
	else if (strlen(text_of(key)) != key->data.scalar.length || strchr(text_of(key), '.'))
		node_error(f, key, "\"%s\" is not a key; nest keys instead of joining them by dots",
		    conf_shown(shown, text_of(key)));
	else
		return true;
	return false;
}

static void
read_pair(
    struct filling *f, const yaml_node_t *mapping, const yaml_node_pair_t *pair, const char *prefix)
{
	const yaml_node_t *key = yaml_document_get_node(f->document, pair->key), *earlier;
	yaml_node_t *node = yaml_document_get_node(f->document, pair->value);
	char path[CONF_KEY], group[CONF_KEY + 1];
	const struct conf_row *row;

	if (!is_key(f, key))
		return;
	snprintf(path, sizeof path, "%s%.*s", prefix, CONF_SHOWN, text_of(key));
	snprintf(group, sizeof group, "%s.", path);
	row = find_row(f->table, path);
	if (!row && !enter_group(f, group, node)) {
		report_unknown_key(f, key, prefix);
		return;
	}
	earlier = earlier_key(f, mapping, pair);
	if (earlier) {
		node_error(f, key, "\"%s\" is given twice, first in line %u; keep one", path,
		    mark_of(earlier).line);
	} else if (row) {
		f->given[row - f->table] = true;
		f->home[row - f->table] = mark_of(node);
		read_row(f, row, node);
	} else {
		read_group(f, node, group);
	}
}

static void
read_pairs(struct filling *f, const yaml_node_t *mapping, const char *prefix)
{
	const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;

	for (; pair < mapping->data.mapping.pairs.top && goes_on(f); pair++)
		read_pair(f, mapping, pair, prefix);
}

static void apply_defaults(struct conf_report *report, const struct conf_row *table, char *base);

static void
apply_default(struct conf_report *report, const struct conf_row *row, char *base)
{
	struct conf_texts *texts = (struct conf_texts *)(void *)(base + row->offset);
	char error[CONF_SENTENCE] = "memory is short";
	bool fine = true;

	if (row->kind == CONF_MAPPING) {
		apply_defaults(report, row->table, base + row->offset);
	} else if (row->fallback && row->kind == CONF_TEXTS) {
		fine = texts_reserve(texts, 1) && (texts->items[0] = strdup(row->fallback));
		texts->count = fine;
	} else if (row->fallback && row->kind != CONF_MAPPINGS) {
		fine = conf_value_set(row, base + row->offset, row->fallback, error);
	}
	if (!fine)
		conf_error(report, (struct conf_mark){ 0 }, "default of %s: %s", row->key, error);
}

static void
apply_defaults(struct conf_report *report, const struct conf_row *table, char *base)
{
	for (; table->kind != CONF_END; table++)
		apply_default(report, table, base);
}

/* False: none, and what the row has of its own counts. */
static bool
take_variable(struct filling *f, size_t i)
{
	const struct conf_row *row = &f->table[i];
	char name[CONF_KEY], error[CONF_SENTENCE] = "cannot be kept: memory is short";
	const char *value = conf_variable(row, name);
	struct conf_texts *texts = (struct conf_texts *)(void *)(f->base + row->offset);
	bool is_fine;

	if (!value)
		return false;
	if (f->given[i]) {
		conf_error(f->report, f->home[i],
		    "%s is given here and by the variable %s; keep one of the two", row->key, name);
		return true;
	}
	is_fine = conf_value_check(row, value, error);
	if (is_fine && row->kind == CONF_TEXTS) {
		is_fine = texts_reserve(texts, 1) && (texts->items[0] = strdup(value));
		texts->count = is_fine;
	} else if (is_fine)
		is_fine = conf_value_set(row, f->base + row->offset, value, error);
	if (!is_fine)
		conf_error(f->report, (struct conf_mark){ 0 }, "%s: %s", name, error);
	return true;
}

static void
complete(struct filling *f)
{
	for (size_t i = 0; f->table[i].kind != CONF_END && !f->report->is_of_another; i++) {
		if (take_variable(f, i) || f->given[i])
			continue;
		apply_default(f->report, &f->table[i], f->base);
		if (f->table[i].required)
			conf_error(f->report, f->home[i], "missing key \"%s\"; add it here",
			    f->table[i].key);
	}
}

/* A bare value that stands for one key of the mapping. */
static void
read_scalar(struct filling *f, const char *scalar, yaml_node_t *node)
{
	const struct conf_row *row = find_row(f->table, scalar);

	f->given[row - f->table] = true;
	f->home[row - f->table] = mark_of(node);
	read_row(f, row, node);
}

/* Fills `base` by `table` from a mapping, from a bare value, or from nothing. */
static void
read_table(struct filling *outer, const struct conf_row *table, char *base, yaml_node_t *node,
    const char *scalar)
{
	struct filling f = { .document = outer->document,
		.report = outer->report,
		.table = table,
		.base = base,
		.is_whole = !outer->table };
	size_t rows = 0;

	while (table[rows].kind != CONF_END)
		rows++;
	f.given = calloc(rows + 1, sizeof *f.given);
	f.home = calloc(rows + 1, sizeof *f.home);
	if (!f.given || !f.home) {
		conf_error(f.report, mark_of(node), "cannot be kept: memory is short");
	} else {
		enter_group(&f, "", node);
		if (node->type == YAML_MAPPING_NODE)
			read_pairs(&f, node, "");
		else if (scalar && !is_empty(node))
			read_scalar(&f, scalar, node);
		complete(&f);
	}
	free(f.given);
	free(f.home);
}

bool
conf_read_bytes(void *out, const struct conf_row *table, const void *text, size_t bytes,
    struct conf_report *report)
{
	unsigned before = report->errors;
	yaml_node_t nothing = { .type = YAML_MAPPING_NODE }, *root;
	struct filling outer = { .report = report };
	yaml_document_t document;

	if (!conf_document_load(&document, text, bytes, report))
		return false;
	outer.document = &document;
	root = yaml_document_get_root_node(&document);
	if (root && root->type != YAML_MAPPING_NODE && !is_empty(root))
		conf_error(report, mark_of(root), "the file must be a mapping (key: value), not %s",
		    what_is(root));
	else
		read_table(&outer, table, out, root ? root : &nothing, NULL);
	yaml_document_delete(&document);
	return report->errors == before;
}

bool
conf_read(void *out, const struct conf_row *table, const char *path, struct conf_report *report)
{
	char error[FILE_ERROR];
	struct secret text;
	bool fine;

	report->path = path;
	if (!file_read(&text, path, CONF_FILE_MOST, error)) {
		report->unreadable = true;
		report->errors++;
		if (report->out)
			fprintf(report->out, "%s\n", error);
		return false;
	}
	fine = conf_read_bytes(out, table, text.data, text.bytes, report);
	secret_wipe(&text);
	return fine;
}
