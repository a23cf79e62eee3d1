/*
 * What a diagnosis finds, one thing after the other: shown to people as it comes, or
 * kept as one JSON document for a ticket.
 *
 * A plain value of one thread; findings_end() frees what it holds.
 */
#ifndef AGENT_FINDINGS_H
#define AGENT_FINDINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum finding {
	FINDING_OK,
	FINDING_WARNING, /* it works, or cannot be told, but somebody should know */
	FINDING_FAILED,
	FINDINGS_KINDS,
};

struct diagnosis_findings {
	FILE *out;
	bool as_json;
	unsigned counts[FINDINGS_KINDS];
	json_t *list; /* as_json */
	const char *kind, *name;
};

void findings_begin(struct diagnosis_findings *, FILE *out, bool as_json);
/* What follows is about this: "relay" and "connect.example.net:8443".  Borrowed until the next one. */
void findings_about(struct diagnosis_findings *, const char *kind, const char *name);
/* `step` is a word for programs.  details (an object, taken; may be NULL) go into the document only. */
void findings_add(struct diagnosis_findings *, enum finding, const char *step, json_t *details,
    const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Writes the last line, or the document.  False when memory was short for it. */
bool findings_end(struct diagnosis_findings *, const char *path);

#endif
