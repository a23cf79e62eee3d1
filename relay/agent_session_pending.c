/* The marks `pending` of a session: each ends with its term, its endpoint, or the session. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "relay/agent_session_private.h"
#include "relay/pending.h"
#include "relay/session_ref.h"
#include "relay/shared.h"

struct agent_mark {
	LIST_ENTRY(agent_mark) link;
	struct agent_session *session;
	struct pending *pending;
	struct timer term;
	uint32_t number, endpoint;
	char name[];
};

static void
drop_with(struct agent_mark *mark, void (*leave)(struct pending *))
{
	LIST_REMOVE(mark, link);
	mark->session->mark_count--;
	timer_clear(&mark->term);
	leave(mark->pending);
	free(mark);
}

static void
drop(struct agent_mark *mark)
{
	drop_with(mark, pending_leave);
}

/* Tells so when it is gone, for whoever hears it may ask again. */
static void
lose(struct agent_mark *mark, enum code code, const char *sentence)
{
	struct agent_session *self = mark->session;
	uint32_t number = mark->number;
	char name[NAME_SIZE];

	snprintf(name, sizeof name, "%s", mark->name);
	drop(mark);
	agent_session_refuse(self, number, name, code, sentence);
}

static void
on_term_over(void *arg)
{
	lose(arg, CODE_ACME_BUSY,
	    "its term is over: nobody is waited for longer than two minutes; ask again");
}

static struct agent_mark *
mark_new(struct agent_session *self, uint32_t number, uint32_t endpoint, const char *name)
{
	size_t bytes = strlen(name) + 1;
	struct agent_mark *mark = calloc(1, sizeof *mark + bytes);

	if (!mark)
		return NULL;
	mark->session = self;
	mark->number = number;
	mark->endpoint = endpoint;
	memcpy(mark->name, name, bytes);
	timer_init(&mark->term, self->worker->loop, on_term_over, mark);
	return mark;
}

enum code
agent_session_mark(struct agent_session *self, const struct frame_announce *frame,
    uint32_t endpoint, const char *name, char sentence[SENTENCE_TEXT])
{
	const struct pending_asker asker = { .session_ref = self->session_ref,
		.endpoint = endpoint,
		.carriers = agent_session_carriers(self, frame),
		.name = name };
	struct agent_mark *mark;
	enum code code = CODE_INTERNAL;
	uint64_t left_ms;

	if (self->mark_count == AGENT_MARKS_MOST) {
		snprintf(sentence, SENTENCE_TEXT, "a session marks %d endpoints at a time",
		    AGENT_MARKS_MOST);
		return CODE_ENDPOINT_LIMIT;
	}
	snprintf(sentence, SENTENCE_TEXT, "memory is short on the relay");
	mark = mark_new(self, frame->endpoint, endpoint, name);
	if (mark)
		mark->pending = pending_enter(
		    self->worker->shared->pendings, &asker, &left_ms, &code, sentence);
	if (!mark || !mark->pending) {
		free(mark);
		return code;
	}
	LIST_INSERT_HEAD(&self->marks, mark, link);
	self->mark_count++;
	timer_set(&mark->term, left_ms);
	agent_session_log_pending(self, frame->endpoint, name);
	return CODE_NONE;
}

bool
agent_session_unmark(struct agent_session *self, uint32_t number)
{
	struct agent_mark *mark;

	LIST_FOREACH(mark, &self->marks, link)
		if (mark->number == number) {
			drop(mark);
			return true;
		}
	return false;
}

void
agent_session_unmark_endpoint(struct agent_session *self, uint32_t endpoint)
{
	struct agent_mark *mark = LIST_FIRST(&self->marks), *next;

	for (; mark; mark = next) {
		next = LIST_NEXT(mark, link);
		if (mark->endpoint == endpoint)
			lose(mark, CODE_ENDPOINT_UNKNOWN,
			    "the endpoint that it marks is accepted no more");
	}
}

void
agent_session_unmark_all(struct agent_session *self)
{
	struct agent_mark *first;

	while ((first = LIST_FIRST(&self->marks)))
		drop_with(first, pending_lose);
}
