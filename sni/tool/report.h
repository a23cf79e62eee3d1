/*
 * What is said of one stream: a JSON object on one line, or lines for people.
 */
#ifndef SNI_TOOL_REPORT_H
#define SNI_TOOL_REPORT_H

#include <stdbool.h>
#include <stdint.h>

struct clienthello;

struct report {
	const char *file;	/* NULL: not to be named */
	const char *client, *server;	/* NULL: the stream is not from a capture */
	const struct clienthello *hello;
	const uint8_t *wire;
};

/* False if standard output cannot be written. */
bool report_json(const struct report *report);
bool report_text(const struct report *report);

#endif
