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

/* Whether it is a tab, of which libyaml only says that it "cannot start any token". Its index
 * counts characters. */
static bool
is_tab(const char *text, size_t bytes, yaml_mark_t mark)
{
	size_t characters = 0;

	for (size_t i = 0; i < bytes; i++)
		if ((text[i] & 0xc0) != 0x80 && characters++ == mark.index)
			return text[i] == '\t';
	return false;
}

static void
report_problem(
    const yaml_parser_t *parser, const char *text, size_t bytes, struct conf_report *report)
{
	const char *problem = parser->problem ? parser->problem : "not understood";

	if (parser->error == YAML_READER_ERROR)
		conf_error(report, mark_at(text, bytes, parser->problem_offset),
		    "not valid YAML text: %s; save the file as UTF-8", problem);
	else if (parser->error == YAML_MEMORY_ERROR)
		conf_error(report, (struct conf_mark){ 1, 1 }, "cannot be read: memory is short");
	else if (is_tab(text, bytes, parser->problem_mark))
		conf_error(report, mark_of(parser->problem_mark),
		    "not valid YAML: a tab; indent with spaces");
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
