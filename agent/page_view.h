/*
 * The agent as its page shows it (base/page.h): which relays it has, what it serves and whose key answers
 * there, and the numbers of the last five minutes, which are gathered each second whether or not somebody
 * looks.  All else is made only while somebody does.
 *
 * Belongs to the main thread.
 */
#ifndef AGENT_PAGE_VIEW_H
#define AGENT_PAGE_VIEW_H

#include <stdint.h>

struct agent_live;
struct agent_page_view;
struct web;

struct agent_page_options {
	const struct agent_live *live;
	struct web *web;
	int64_t since_s;
};

/* What the options point at is borrowed.  NULL when memory is short. */
struct agent_page_view *agent_page_view_new(const struct agent_page_options *);
/* NULL is fine. */
void agent_page_view_free(struct agent_page_view *);
/* Somebody has begun to look, and wants to see something at once. */
void agent_page_view_show(struct agent_page_view *);

#endif
