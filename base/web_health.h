/*
 * /healthz and /readyz, the same in both daemons.  A program that is alive and not ready is to be left alone
 * and not to be asked for anything.
 */
#ifndef BASE_WEB_HEALTH_H
#define BASE_WEB_HEALTH_H

#include <stdbool.h>

struct web_question;

struct web_health {
	bool has_snapshot;    /* its loops turn */
	const char *obstacle; /* why it is not ready, in words; NULL: it is */
	const char *region;   /* its own; NULL: none */
	bool is_name_missing; /* of ?name= */
};

/* 200, or 503 where the loops do not turn. */
void web_health_answer_live(struct web_question *, bool is_alive);
/* 200, or 503 and one line for each thing that is missing; ?region= and ?name= are asked for, too, and 400
 * answers what else is asked so.  `missing` says what is wrong with a name that is missing. */
void web_health_answer_ready(struct web_question *, const struct web_health *, const char *missing);

#endif
