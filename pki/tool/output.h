/*
 * What commands print on standard output: one JSON value, shown as such with
 * --json and as aligned lines for people otherwise.  An underscore in a key is a
 * space there; members that are null or empty are left out.
 */
#ifndef PKI_TOOL_OUTPUT_H
#define PKI_TOOL_OUTPUT_H

#include <jansson.h>
#include <stdint.h>

#include "pki/tool/options.h"

/* Takes the value; NULL is memory exhaustion. */
int output_print(const struct common *, json_t *value);

/* Takes both, and adds the members of the second to the first; NULL if either is NULL. */
json_t *output_join(json_t *first, json_t *second);

/* "2026-11-20T12:00:00Z" */
json_t *output_json_time(int64_t seconds);

#endif
