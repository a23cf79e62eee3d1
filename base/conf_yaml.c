/*
 * YAML to one document.  A first pass over the events judges what libyaml's
 * document would hide (anchors, aliases, tags, depth, further documents), so
 * that nothing that grows by reference is ever built.
 */
#include "base/conf_private.h"

#include <string.h>

static struct conf_mark
mark_of(yaml_mark_t mark)
{
	return (struct conf_mark){ (unsigned)mark.line + 1, (unsigned)mark.column + 1 };
}

/* The reader, unlike the parser, tells only an offset. */
static struct conf_mark
mark_at(const char *text, size_t bytes, size_t offset)
{
	struct conf_mark mark = { 1, 1 };

	for (size_t i = 0; i < bytes && i < offset; i++) {
		mark.column++;
		if (text[i] == '\n')
			mark = (struct conf_mark){ mark.line + 1, 1 };
	}
	return mark;
}

/* Where a mark is, whose index counts characters; the end if it is behind it. */
static size_t
offset_of(const char *text, size_t bytes, yaml_mark_t mark)
{
	size_t characters = 0, i;

	for (i = 0; i < bytes; i++)
		if ((text[i] & 0xc0) != 0x80 && characters++ == mark.index)
			break;
	return i;
}

static char
character_at(const char *text, size_t bytes, yaml_mark_t mark)
{
	size_t offset = offset_of(text, bytes, mark);

	return offset < bytes ? text[offset] : '\0';
}

/* A value that means something else without quotes, and why. */
struct unquoted {
	yaml_mark_t mark; /* where it begins */
	const char *why;
};

/* `*.example.com` begins an alias, `@x` and `%x` nothing that libyaml has a word for. */
static bool
begins_oddly(const yaml_parser_t *parser, const char *text, size_t bytes, struct unquoted *unquoted)
{
	static const struct {
		char character;
		const char *why;
	} odd[] = {
		{ '*', "a * begins an alias in YAML" },
		{ '&', "a & begins an anchor in YAML" },
		{ '@', "nothing may begin with a @ in YAML" },
		{ '`', "nothing may begin with a ` in YAML" },
		{ '%', "a % begins a directive in YAML" },
	};
	const yaml_mark_t marks[] = { parser->problem_mark, parser->context_mark };

	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		for (size_t k = 0; k < 2; k++)
			if (character_at(text, bytes, marks[k]) == odd[i].character) {
				*unquoted = (struct unquoted){ marks[k], odd[i].why };
				return true;
			}
	return false;
}

/* `[::]:443` is a list with something in it and behind it. */
static bool
is_address_in_brackets(
    const yaml_parser_t *parser, const char *text, size_t bytes, struct unquoted *unquoted)
{
	size_t at = offset_of(text, bytes, parser->problem_mark), begin = at, end;

	while (begin > 0 && (begin == bytes || (text[begin] != '[' && text[begin] != '\n')))
		begin--;
	end = begin + 1;
	while (end < bytes && text[end] != '\0' && strchr("0123456789abcdefABCDEF:.", text[end]))
		end++;
	if (begin == bytes || text[begin] != '[' || end + 1 >= bytes || text[end] != ']' ||
	    text[end + 1] != ':')
		return false;
	*unquoted = (struct unquoted){ parser->problem_mark, "a [ begins a list in YAML" };
	unquoted->mark.index -= at - begin; /* on this line, in ASCII */
	unquoted->mark.column -= at - begin;
	return true;
}

static void
report_unquoted(
    const struct unquoted *unquoted, const char *text, size_t bytes, struct conf_report *report)
{
	size_t from = offset_of(text, bytes, unquoted->mark), to = from;
	char value[CONF_SHOWN], shown[CONF_SHOWN];

	while (to < bytes && to - from < sizeof value - 1 && !strchr("\r\n\t ,}#", text[to]))
		to++;
	snprintf(value, sizeof value, "%.*s", (int)(to - from), text + from);
	conf_error(report, mark_of(unquoted->mark),
	    "not valid YAML: %s; write it in quotes: \"%s\"", unquoted->why,
	    conf_shown(shown, value));
}

static void
report_problem(
    const yaml_parser_t *parser, const char *text, size_t bytes, struct conf_report *report)
{
	const char *problem = parser->problem ? parser->problem : "not understood";
	struct unquoted unquoted;

	if (parser->error == YAML_READER_ERROR)
		conf_error(report, mark_at(text, bytes, parser->problem_offset),
		    "not valid YAML text: %s; save the file as UTF-8", problem);
	else if (parser->error == YAML_MEMORY_ERROR)
		conf_error(report, (struct conf_mark){ 1, 1 }, "cannot be read: memory is short");
	else if (character_at(text, bytes, parser->problem_mark) == '\t')
		conf_error(report, mark_of(parser->problem_mark),
		    "not valid YAML: a tab; indent with spaces");
	else if (begins_oddly(parser, text, bytes, &unquoted) ||
	    is_address_in_brackets(parser, text, bytes, &unquoted))
		report_unquoted(&unquoted, text, bytes, report);
	else if (parser->context && parser->context_mark.line != parser->problem_mark.line)
		conf_error(report, mark_of(parser->problem_mark),
		    "not valid YAML: %s, %s that began in line %zu; check indentation, colons and "
		    "quotes",
		    problem, parser->context, parser->context_mark.line + 1);
	else
		conf_error(report, mark_of(parser->problem_mark),
		    "not valid YAML: %s; check indentation, colons and quotes", problem);
}

struct scan {
	unsigned depth, documents;
	struct conf_report *report;
};

/* Explicit tags and anchors stand in three kinds of event. */
static bool
is_marked(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor || event->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor || event->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor || event->data.mapping_start.tag;
	default:
		return false;
	}
}

/* False stops the scan. */
static bool
judge_event(struct scan *scan, const yaml_event_t *event)
{
	struct conf_mark mark = mark_of(event->start_mark);

	if (is_marked(event))
		conf_error(scan->report, mark,
		    "anchors (&) and tags (!) are not supported; write the plain value, in quotes "
		    "if it begins so");
	if (event->type == YAML_ALIAS_EVENT)
		conf_error(scan->report, mark,
		    "aliases (*) are not supported; write the value out, or in quotes if it begins "
		    "so");
	if (event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT)
		scan->depth++;
	if (event->type == YAML_MAPPING_END_EVENT || event->type == YAML_SEQUENCE_END_EVENT)
		scan->depth--;
	if (scan->depth > CONF_DEPTH_MOST) {
		conf_error(scan->report, mark,
		    "lists and mappings are nested more than %d deep; check the indentation",
		    CONF_DEPTH_MOST);
		return false;
	}
	if (event->type == YAML_DOCUMENT_START_EVENT && ++scan->documents > 1) {
		conf_error(scan->report, mark,
		    "a second document begins here; keep one, without another '---'");
		return false;
	}
	return scan->report->errors < CONF_ERRORS_MOST;
}

static void
scan_events(const char *text, size_t bytes, struct conf_report *report)
{
	struct scan scan = { .report = report };
	yaml_parser_t parser;
	yaml_event_t event;
	bool more = true;

	if (!yaml_parser_initialize(&parser)) {
		conf_error(report, (struct conf_mark){ 1, 1 }, "cannot be read: memory is short");
		return;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
	while (more) {
		if (!yaml_parser_parse(&parser, &event)) {
			report_problem(&parser, text, bytes, report);
			break;
		}
		more = judge_event(&scan, &event) && event.type != YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
}

bool
conf_document_load(
    yaml_document_t *document, const void *text, size_t bytes, struct conf_report *report)
{
	unsigned before = report->errors;
	yaml_parser_t parser;
	bool fine;

	scan_events(text, bytes, report);
	if (report->errors != before)
		return false;
	if (!yaml_parser_initialize(&parser)) {
		conf_error(report, (struct conf_mark){ 1, 1 }, "cannot be read: memory is short");
		return false;
	}
	yaml_parser_set_input_string(&parser, text, bytes);
	fine = yaml_parser_load(&parser, document) != 0;
	if (!fine)
		report_problem(&parser, text, bytes, report);
	yaml_parser_delete(&parser);
	return fine;
}
