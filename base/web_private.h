/*
 * What the files of base/web.h share: web.c (the thread and its snapshots), web_server.c (a place: its
 * connections and questions), web_stream.c (what does not end) and web_answer.c (what is sent).
 */
#ifndef BASE_WEB_PRIVATE_H
#define BASE_WEB_PRIVATE_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include "base/conf.h"
#include "base/http_turns.h"
#include "base/web.h"

struct thread;
struct web_server;
struct web_stream;

struct web_connection {
	TAILQ_ENTRY(web_connection) link;
	int fd;            /* the library's */
	uint64_t since_ms; /* it was accepted, or its last answer was over */
	bool is_cut;
	struct address client;
	struct web_question *question; /* the one under way; NULL: none is */
};

struct web_question {
	TAILQ_ENTRY(web_question) link; /* among those that wait for a snapshot */
	struct web_server *server;
	struct web_connection *connection;
	struct MHD_Connection *mhd;
	const struct web_path *path; /* NULL: there is nothing */
	bool has_asked, is_suspended, is_waiting, is_read_only;
	unsigned status;
	struct MHD_Response *response; /* NULL: not answered yet, or the library has it */
	struct web_stream *stream;     /* of an answer that does not end */
};

TAILQ_HEAD(web_connections, web_connection);
TAILQ_HEAD(web_questions, web_question);
LIST_HEAD(web_streams, web_stream);

/* The last of its word that was published. */
struct web_event {
	const char *word;
	struct web_text *text;
};

struct web {
	struct web_options options;
	struct conf_texts hosts;       /* ours */
	struct web_server *servers[2]; /* admin.http, admin.health; NULL: not served */
	struct thread *thread;
	bool is_stopped; /* the main thread's */

	/* The library's own while they are on their way. */
	struct call take, given, away, reader;
	void *fresh; /* what is given */
	_Atomic unsigned reader_count;
	_Atomic bool is_reader_told; /* `reader` is on its way */

	/* The thread's own. */
	struct loop *loop;
	bool is_over;
	void *snapshot;
	uint64_t given_ms;
	bool is_asked; /* take() is to give one */
	struct web_questions waiting;
	struct timer patience, comment;
	struct web_streams streams;
	struct web_event newest[WEB_EVENTS]; /* those without a word are free */
};

/* web.c: the answer comes from a snapshot. */
void web_ask(struct web *, struct web_question *);

/* ---- web_server.c ---- */

struct web_server *web_server_new(struct web *, enum web_place, int fd, char error[WEB_ERROR]);
int web_server_descriptor(const struct web_server *);
/* In the web's thread, up to the end. */
bool web_server_begin(struct web_server *, struct loop *);
void web_server_stop_listening(struct web_server *);
/* Nothing sleeps any more. */
void web_server_end(struct web_server *);
void web_server_free(struct web_server *);
struct web *web_server_web(const struct web_server *);
/* It has an answer, or its stream has more. */
void web_question_wake(struct web_question *);
void web_question_sleep(struct web_question *);
/* The library notices the end. */
void web_question_cut(struct web_question *);

/* ---- web_answer.c ---- */

const char *web_text_data(const struct web_text *, size_t *bytes);
void web_answer_file(struct web_question *, const struct web_file *);
void web_answer_stream(struct web_question *, struct MHD_Response *);
/* 405 */
void web_answer_read_only(struct web_question *);
/* Gives the answer to the library. */
enum MHD_Result web_answer_tell(struct web_question *);

/* ---- web_stream.c ---- */

void web_stream_begin(struct web_question *);
/* NULL is fine. */
void web_stream_free(struct web_stream *);
/* To all of them. */
void web_stream_push(struct web *, struct web_text *);
void web_stream_end_all(struct web *);
void web_stream_on_comment(void *web);

#endif
