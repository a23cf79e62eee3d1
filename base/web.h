/*
 * The HTTP of a daemon, for its administrators and their machines: `admin.http`, which says all and
 * listens at loopback addresses only, and `admin.health`, which says little and may listen anywhere.
 * Everything is only read (GET, HEAD).  libmicrohttpd does HTTP, on a thread and a loop of the web's own,
 * so that whoever asks takes nothing from the daemon's loops.
 *
 * What is told comes from snapshots: the main thread makes one when somebody asks, at most one in
 * WEB_SNAPSHOT_MS, and all who ask meanwhile share it.  If none has come after WEB_PATIENCE_MS, the
 * answers are made without: then the main loop or a worker does not turn.
 *
 *	main thread: web_new --> web_listen ... --> web_start --> take() ... web_give()
 *	             --> web_stop --> (its loop has run what other threads called) --> web_free
 *
 * A stream is an answer that does not end (text/event-stream): whoever reads one gets what web_publish()
 * gives.
 *
 * On admin.http a request is answered only if its Host is localhost, a loopback literal or one of
 * `hosts`, and on both only if its Origin and Sec-Fetch-Site say that no page of others asks
 * (base/web_guard.h).  No answer may be kept, framed or guessed at, and its Content-Security-Policy lets
 * nothing be loaded unless its file says otherwise.
 *
 * Shared by:     whoever can reach the place.
 * Bound:         WEB_CONNECTIONS each, and of one address of admin.health a quarter; WEB_STREAMS of
 *                admin.http; WEB_BEHIND_MOST bytes that a stream has not taken.
 * Who leaves:    who has not asked for 30 s, or is not through with an answer by then; when all places
 *                are taken, who has been idle for 5 s, while newcomers wait in the kernel.  A stream that
 *                is too far behind is reset; one more than WEB_STREAMS is refused.
 */
#ifndef BASE_WEB_H
#define BASE_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/address.h"

struct conf_texts;
struct loop;
struct web;
struct web_question;
struct web_text;

enum {
	WEB_CONNECTIONS = 64,
	WEB_STREAMS = 16,
	WEB_EVENTS = 8,
	WEB_BEHIND_MOST = 256 * 1024,
	WEB_SNAPSHOT_MS = 1000,
	WEB_PATIENCE_MS = 2000,
	WEB_ERROR = 512,
};

/* Of bits. */
enum web_place { WEB_HTTP = 1, WEB_HEALTH = 2 };

/* The same bytes for everybody, borrowed for ever; with an ETag. */
struct web_file {
	const char *type;
	const void *data;
	size_t bytes;
	const char *policy; /* its Content-Security-Policy; NULL: nothing is loaded */
};

/* What is found where; one of file, answer and is_stream. */
struct web_path {
	const char *path;
	unsigned places;
	const struct web_file *file;
	/* In the web's thread; answers before it returns.  The snapshot is NULL if none has come in time. */
	void (*answer)(struct web_question *, void *snapshot);
	bool is_stream;
};

struct web_options {
	struct loop *main;
	const struct web_path *paths;   /* ends with {0}; borrowed for ever */
	const struct conf_texts *hosts; /* copied */
	/* In the main loop's thread: make a snapshot and give it, now or later, once. */
	void (*take)(void *arg);
	/* In the web's thread, or in the main thread after web_stop(). */
	void (*free_snapshot)(void *snapshot);
	/* In the main loop's thread: there are streams, and there were none. */
	void (*on_reader)(void *arg);
	void *arg;
};

/* NULL when memory is short.  All of these take a NULL web. */
struct web *web_new(const struct web_options *);
/* Listens there; once for each place.  False with a sentence. */
bool web_listen(struct web *, enum web_place, const struct address *, char error[WEB_ERROR]);
/* The same with a socket that listens there already, which is taken. */
bool web_adopt(struct web *, enum web_place, int fd, char error[WEB_ERROR]);
/* Borrowed, to be passed on; -1: there is none. */
int web_descriptor(const struct web *, enum web_place);
/* The thread begins.  False: the system refuses one. */
bool web_start(struct web *);
/* Another process listens there from now on: nobody new is heard. */
void web_give_away(struct web *);
/* Ends the thread and with it all connections; take() is not called any more. */
void web_stop(struct web *);
void web_free(struct web *);

/* In the main loop's thread, after take(): the snapshot is the web's.  NULL: there is none, as memory is
 * short. */
void web_give(struct web *, void *snapshot);
/* In the main loop's thread: an event of this word (borrowed for ever, one of WEB_EVENTS) and one line of
 * text (copied) for each stream; a newcomer first gets the newest of each word. */
void web_publish(struct web *, const char *event, const char *text, size_t bytes);
/* Whether there are streams.  Any thread. */
bool web_has_readers(const struct web *);

/* ---- in the web's thread: what is asked, and the answer ---- */

enum web_place web_question_place(const struct web_question *);
/* The value of ?NAME=VALUE, decoded; NULL: it is not there. */
const char *web_question_value(const struct web_question *, const char *name);
/* The first parameter that is none of these names (which end with NULL), or has no value; NULL: there is
 * none. */
const char *web_question_stray(const struct web_question *, const char *const *names);
/* NULL: the request has none. */
const char *web_question_header(const struct web_question *, const char *name);

/* Text of this type (borrowed for ever) for any number of answers: takes `data`, which malloc() gave.
 * NULL when memory is short, or data is NULL. */
struct web_text *web_text_new(const char *type, char *data, size_t bytes);
struct web_text *web_text_hold(struct web_text *);
/* NULL is fine. */
void web_text_release(struct web_text *);

/* Once for each question.  Borrows the text; NULL: 503, memory is short. */
void web_answer(struct web_question *, unsigned status, struct web_text *);
/* The same with a short sentence of plain text. */
void web_answer_sentence(struct web_question *, unsigned status, const char *sentence);

#endif
