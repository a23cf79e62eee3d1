/*
 * What check and lint find: a line each, and the worst decides how the command
 * exits.
 */
#ifndef PKI_TOOL_FINDING_H
#define PKI_TOOL_FINDING_H

#include <jansson.h>
#include <stdbool.h>

#include "pki/tool/options.h"

enum finding_weight { FINDING_SOON, FINDING_WARNING, FINDING_EXPIRED, FINDING_WRONG };

/* {0} is empty. */
struct findings {
	json_t *list;
	bool soon, wrong;
};

int findings_add(struct findings *, enum finding_weight, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Prints all; 1 if something ended or is wrong, 2 if something ends soon or is to be
 * thought about, else 0. */
int findings_print(struct findings *, const struct common *);
void findings_wipe(struct findings *);

#endif
