/*
 * Internal to the admin socket: the server and its questions, for admin.c (who comes, and what is asked),
 * admin_answer.c (what is told) and admin_socket.c (the socket itself).
 *
 * A question is its connection:
 *
 *	READING --> ASKED --> TELLING --> OVER
 *	              `--> PIECES --^
 *
 * and may leave for OVER from everywhere.  A deadline ends READING, PIECES and TELLING;
 * ASKED goes on to TELLING with a refusal when the handler does not answer in
 * time.  The handler's hold is counted apart: the storage lives until the
 * question is over and the handler has answered.
 */
#ifndef BASE_ADMIN_PRIVATE_H
#define BASE_ADMIN_PRIVATE_H

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/admin.h"

enum { ADMIN_BACKLOG = 64 };

enum admin_question_state {
	ADMIN_READING,
	ADMIN_ASKED,
	ADMIN_PIECES,
	ADMIN_TELLING,
	ADMIN_OVER,
	ADMIN_QUESTION_STATES
};

struct admin_question {
	LIST_ENTRY(admin_question) link;
	struct admin *admin; /* NULL once that is gone */
	struct loop *loop;
	enum admin_question_state state;
	bool is_with_handler;
	bool may_change; /* who asks; else he may only look */
	struct ucred peer;
	int fd;
	int passed; /* goes with the first byte of the answer; -1: none */
	struct watch watch;
	struct timer deadline;
	struct task reap;
	size_t in_bytes;
	char in[ADMIN_QUESTION_BYTES];
	char *out;
	size_t out_bytes, out_done;
	/* Of an answer that is told in pieces. */
	void (*on_room)(void *arg);
	void *arg;
	size_t out_room;
	struct task left; /* tells the handler that nobody listens any more */
};

LIST_HEAD(admin_questions, admin_question);

struct admin {
	struct loop *loop;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct listener *listener;
	const struct admin_word *words;
	void *arg;
	struct admin_group group; /* who may look */
	struct admin_questions questions;
	unsigned question_count;
};

/* admin_answer.c; the first is the only writer of ->state. */
void admin_move(struct admin_question *, enum admin_question_state);
void admin_tell(struct admin_question *, json_t *document);
json_t *admin_refusal(const char *code, const char *message, json_t *details);
/* The document, taken, as one line; NULL when that cannot be made. */
char *admin_line(json_t *document, size_t *bytes);
void admin_on_writable(struct admin_question *);
void admin_on_deadline(void *question);
void admin_question_init(struct admin_question *, struct admin *, int fd);

/* admin_socket.c */
/* Returns the code. */
int admin_fail(
    int code, char error[ADMIN_ERROR], const char *path, const char *what, const char *cure);
/* -1 with a sentence. */
int admin_listen_at(const char *path, char error[ADMIN_ERROR]);
bool admin_listens_at(int fd, const char *path);

#endif
