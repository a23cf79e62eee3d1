/*
 * Prints what there is to say of one stream: a JSON object on one line, or lines
 * for people. Written to standard output, whose errors are the caller's to look for
 * at the end.
 */
#ifndef SNI_TOOL_REPORT_H
#define SNI_TOOL_REPORT_H

#include <stdint.h>

struct clienthello;

struct report {
	const char *file;            /* NULL: not to be named */
	const char *client, *server; /* NULL: the stream is not from a capture */
	const struct clienthello *hello;
	const uint8_t *wire;
};

void report_json(const struct report *report);
void report_text(const struct report *report);

#endif
