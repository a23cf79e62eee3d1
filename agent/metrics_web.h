/*
 * The HTTP of an agent: what is found where (base/web.h), and how snapshots are taken.
 *
 *	agent_web_open --> web_start(web.web) --> web_stop --> (the main loop is freed) --> web_free
 */
#ifndef AGENT_METRICS_WEB_H
#define AGENT_METRICS_WEB_H

#include <stdbool.h>
#include "agent/metrics.h"
#include "base/web.h"

struct agent_live;
struct agent_page_view;

/* Embedded in the agent; {0} serves nothing. */
struct agent_web {
	struct web *web;              /* NULL: nothing is served */
	struct agent_page_view *page; /* NULL: there is no page */
	struct agent_session_metrics sessions;
	const struct agent_live *live;
	int64_t since_s;
	const char *obstacle; /* why the agent does not serve, by its state; NULL: it does */
	struct agent_snapshot *snapshot; /* waits for the workers */
};

/* Listens where the settings say.  0, or the exit code with a sentence. */
int agent_web_open(struct agent_web *, const struct agent_live *, char error[WEB_ERROR]);

#endif
