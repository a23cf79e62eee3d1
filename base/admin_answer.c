/* Questions from state to state, and what is told: an answer as a whole, or in pieces. */
#include "base/admin_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/pass.h"
#include "base/units.h"

enum { READING_MS = 5000, ASKED_MS = 60000, TELLING_MS = 10000 };

static const unsigned may_move[ADMIN_QUESTION_STATES] = {
	[ADMIN_READING] = 1u << ADMIN_ASKED | 1u << ADMIN_TELLING | 1u << ADMIN_OVER,
	[ADMIN_ASKED] = 1u << ADMIN_PIECES | 1u << ADMIN_TELLING | 1u << ADMIN_OVER,
	[ADMIN_PIECES] = 1u << ADMIN_TELLING | 1u << ADMIN_OVER,
	[ADMIN_TELLING] = 1u << ADMIN_OVER,
	[ADMIN_OVER] = 0,
};
static const char *const state_name[ADMIN_QUESTION_STATES] = {
	[ADMIN_READING] = "reading",
	[ADMIN_ASKED] = "asked",
	[ADMIN_PIECES] = "pieces",
	[ADMIN_TELLING] = "telling",
	[ADMIN_OVER] = "over",
};

/* ---- states ---- */

static void
reap(void *arg)
{
	struct admin_question *question = arg;

	if (question->admin) {
		LIST_REMOVE(question, link);
		question->admin->question_count--;
	}
	if (question->passed >= 0)
		close(question->passed);
	free(question->out);
	free(question);
}

static void
on_left(void *arg)
{
	struct admin_question *question = arg;

	question->on_room(question->arg);
}

/* A question that is over is freed at the end of the turn, unless the handler still has it.  One who tells
 * in pieces may be waiting for room. */
static void
end_of_life(struct admin_question *question)
{
	timer_clear(&question->deadline);
	watch_wipe(&question->watch);
	if (question->fd >= 0)
		close(question->fd);
	question->fd = -1;
	if (!question->is_with_handler)
		loop_later(question->loop, &question->reap);
	else if (question->on_room)
		loop_later(question->loop, &question->left);
}

void
admin_question_init(struct admin_question *question, struct admin *admin, int fd)
{
	question->admin = admin;
	question->loop = admin->loop;
	question->fd = fd;
	question->passed = -1;
	LIST_INSERT_HEAD(&admin->questions, question, link);
	admin->question_count++;
	timer_init(&question->deadline, admin->loop, admin_on_deadline, question);
	task_init(&question->reap, reap, question);
	task_init(&question->left, on_left, question);
	watch_want(&question->watch, WATCH_READ);
	timer_set(&question->deadline, READING_MS);
}

void
admin_move(struct admin_question *question, enum admin_question_state to)
{
	static const uint64_t patience_ms[ADMIN_QUESTION_STATES] = {
		[ADMIN_READING] = READING_MS,
		[ADMIN_ASKED] = ASKED_MS,
		[ADMIN_PIECES] = ASKED_MS,
		[ADMIN_TELLING] = TELLING_MS,
	};
	static const unsigned wanted[ADMIN_QUESTION_STATES] = {
		[ADMIN_READING] = WATCH_READ,
		[ADMIN_TELLING] = WATCH_WRITE,
	};

	assert((may_move[question->state] & 1u << to) != 0);
	log_move("question", log_object("question", question), state_name[question->state],
	    state_name[to]);
	question->state = to;
	if (to == ADMIN_OVER) {
		end_of_life(question);
		return;
	}
	watch_want(&question->watch, wanted[to]);
	timer_set(&question->deadline, patience_ms[to]);
}

void
admin_on_deadline(void *arg)
{
	struct admin_question *question = arg;

	if (question->state == ADMIN_ASKED)
		admin_tell(
		    question, admin_refusal("admin-no-answer", "the answer takes too long", NULL));
	else
		admin_move(question, ADMIN_OVER);
}

/* ---- telling ---- */

enum sent { SENT_ALL, SENT_SOME, SENT_NOT };

static enum sent
send_out(struct admin_question *question)
{
	while (question->out_done < question->out_bytes) {
		ssize_t sent = pass_send(question->fd, question->out + question->out_done,
		    question->out_bytes - question->out_done,
		    question->out_done == 0 ? question->passed : -1);

		if (sent < 0)
			return errno == EAGAIN ? SENT_SOME : SENT_NOT;
		question->out_done += (size_t)sent;
	}
	return SENT_ALL;
}

static void
go_on_telling(struct admin_question *question)
{
	if (send_out(question) != SENT_SOME)
		admin_move(question, ADMIN_OVER);
}

/* The message may quote what was asked, cut in the midst of a character. */
json_t *
admin_refusal(const char *code, const char *message, json_t *details)
{
	json_t *error = json_pack("{s:s, s:o}", "code", code, "message", admin_text(message));

	if (error && details && json_object_update_missing(error, details) < 0) {
		json_decref(error);
		error = NULL;
	}
	json_decref(details);
	return error ? json_pack("{s:o}", "error", error) : NULL;
}

char *
admin_line(json_t *document, size_t *bytes)
{
	char *line = NULL;

	*bytes = document ? json_dumpb(document, NULL, 0, JSON_COMPACT) : 0;
	if (*bytes > 0 && *bytes < ADMIN_ANSWER_BYTES && (line = malloc(*bytes + 1))) {
		json_dumpb(document, line, *bytes, JSON_COMPACT);
		line[(*bytes)++] = '\n';
	}
	json_decref(document);
	return line;
}

void
admin_tell(struct admin_question *question, json_t *document)
{
	static const char impossible[] =
	    "{\"error\":{\"code\":\""
	    "admin-answer-impossible"
	    "\",\"message\":\"the answer is too long, or memory is short\"}}\n";

	question->out = admin_line(document, &question->out_bytes);
	if (!question->out) {
		question->out = strdup(impossible);
		question->out_bytes = question->out ? strlen(impossible) : 0;
	}
	admin_move(question, ADMIN_TELLING);
	go_on_telling(question);
}

/* An answer that comes too late, or after its asker has left, is not told. */
void
admin_answer(struct admin_question *question, json_t *document)
{
	assert(question->is_with_handler);
	question->is_with_handler = false;
	if (question->state == ADMIN_ASKED) {
		admin_tell(question, document);
		return;
	}
	json_decref(document);
	if (question->state == ADMIN_OVER)
		loop_later(question->loop, &question->reap);
}

void
admin_refuse(
    struct admin_question *question, const char *code, const char *message, json_t *details)
{
	admin_answer(question, admin_refusal(code, message, details));
}

void
admin_answer_with(struct admin_question *question, json_t *document, int fd)
{
	question->passed = fd;
	admin_answer(question, document);
}

/* ---- in pieces ---- */

void
admin_begin(struct admin_question *question, void (*on_room)(void *arg), void *arg)
{
	assert(question->is_with_handler);
	question->on_room = on_room;
	question->arg = arg;
	if (question->state == ADMIN_ASKED)
		admin_move(question, ADMIN_PIECES);
	else if (question->state == ADMIN_OVER)
		loop_later(question->loop, &question->left);
}

static size_t
unsent(const struct admin_question *question)
{
	return question->out_bytes - question->out_done;
}

bool
admin_has_room(const struct admin_question *question)
{
	return question->state == ADMIN_PIECES && unsent(question) < ADMIN_ROOM;
}

/* What was sent makes room first. */
static bool
append(struct admin_question *question, const char *text, size_t bytes)
{
	size_t wanted = unsent(question) + bytes;
	char *out = question->out;

	if (question->out_done > 0)
		memmove(out, out + question->out_done, unsent(question));
	question->out_bytes = unsent(question);
	question->out_done = 0;
	if (wanted > question->out_room) {
		out = realloc(out, wanted + ADMIN_ROOM);
		if (!out)
			return false;
		question->out = out;
		question->out_room = wanted + ADMIN_ROOM;
	}
	memcpy(out + question->out_bytes, text, bytes);
	question->out_bytes += bytes;
	return true;
}

/* The reader has ten seconds for each step, the handler a minute. */
static void
wait_for_either(struct admin_question *question, enum sent sent)
{
	if (sent == SENT_NOT) {
		admin_move(question, ADMIN_OVER);
		return;
	}
	watch_want(&question->watch, sent == SENT_SOME ? WATCH_WRITE : WATCH_NOTHING);
	timer_set(&question->deadline, sent == SENT_SOME ? TELLING_MS : ASKED_MS);
}

bool
admin_add(struct admin_question *question, const char *text, size_t bytes)
{
	if (question->state != ADMIN_PIECES)
		return false;
	if (append(question, text, bytes))
		wait_for_either(question, send_out(question));
	else
		admin_move(question, ADMIN_OVER);
	return question->state == ADMIN_PIECES;
}

void
admin_end(struct admin_question *question)
{
	assert(question->is_with_handler);
	question->is_with_handler = false;
	loop_forget(question->loop, &question->left);
	if (question->state == ADMIN_PIECES) {
		admin_move(question, ADMIN_TELLING);
		go_on_telling(question);
	} else if (question->state == ADMIN_OVER) {
		loop_later(question->loop, &question->reap);
	}
}

void
admin_on_writable(struct admin_question *question)
{
	if (question->state == ADMIN_TELLING) {
		go_on_telling(question);
		return;
	}
	wait_for_either(question, send_out(question));
	if (admin_has_room(question))
		question->on_room(question->arg);
}

/* ---- what handlers and answers need ---- */

pid_t
admin_asker(const struct admin_question *question)
{
	return question->fd >= 0 ? question->peer.pid : 0;
}

uid_t
admin_asker_uid(const struct admin_question *question)
{
	return question->peer.uid;
}

json_t *
admin_text(const char *text)
{
	json_t *string = json_string(text);
	char *plain = !string && text ? strdup(text) : NULL;

	if (!plain)
		return string;
	for (char *at = plain; *at != '\0'; at++) {
		if ((*at & 0x80) != 0)
			*at = '?';
	}
	string = json_string(plain);
	free(plain);
	return string;
}

json_t *
admin_program_facts(const char *program, int64_t since_s, const char *state)
{
	char since[TIME_TEXT];

	return json_pack("{s:s, s:s, s:i, s:s, s:s, s:I}", "program", program, "version",
	    VALISE_VERSION, "pid", (int)getpid(), "since", time_text(since_s, since), "state",
	    state, "memory", (json_int_t)memory_used());
}
