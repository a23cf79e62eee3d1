/*
 * The admin socket: a local socket at which a running daemon is asked questions, by root and the
 * daemon's own user, who may change something, and by a group, if there is one, which may look.
 * One connection carries one question, a JSON object on one line, {"command": WORD, ...}, and one
 * answer, a JSON document on one line; then it is closed.
 *
 * A refusal is an answer, too: {"error": {"code": ..., "message": ...}}.  The
 * codes of this module: admin-not-permitted, admin-busy, admin-question-malformed,
 * admin-command-unknown, admin-no-answer, admin-answer-impossible.  What changes something is told in
 * the log with who asked for it (admin-command).
 *
 * Whoever may connect shares ADMIN_QUESTIONS_MOST places, of which ADMIN_PLACES_KEPT are for root and the
 * daemon's user; when all are taken, the newcomer is told so and goes.  A client has 5 s to ask and 10 s to
 * read the answer, or each step of one that is told in pieces.  If its handler has not answered within 60 s,
 * the client is told admin-no-answer and goes, but the place stays taken until the handler answers.
 * Nothing here waits: all of it happens in the loop's own thread.
 *
 *	admin_lock --> admin_new --> on_question ... admin_answer or admin_refuse --> admin_free
 *	                                   `--> admin_begin, admin_add ..., admin_end
 */
#ifndef BASE_ADMIN_H
#define BASE_ADMIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/loop.h"

struct admin;
struct admin_question;

enum {
	ADMIN_ERROR = 512,
	ADMIN_QUESTION_BYTES = 4096, /* the line's end included */
	ADMIN_ANSWER_BYTES = 16 << 20,
	ADMIN_QUESTIONS_MOST = 16,
	ADMIN_PLACES_KEPT = 4,
	ADMIN_ROOM = 64 << 10, /* of pieces, before they are read */
	ADMIN_PATH = 4096,
};

/* Where the socket is, in `path`: as configured or, when that is NULL, "admin.sock" in the state directory,
 * which belongs to one instance and to the program's user anyway. */
const char *admin_path(const char *socket, const char *state_dir, char path[ADMIN_PATH]);
/* A conf_row.check: is this a path that a socket can have? */
bool admin_is_path(const char *text, char error[256]);

/* Who may ask: root and the daemon's user, or the group, too. */
enum admin_right { ADMIN_CHANGES, ADMIN_LOOKS };

/* A word that the daemon answers to. */
struct admin_word {
	const char *word;
	/* Answers now or later, once, in the loop's thread.  `question` is the whole object, borrowed for
	 * the time of the call. */
	void (*on_question)(void *arg, struct admin_question *, const json_t *question);
	enum admin_right right;
};

/*
 * Keeps other instances away from this path, for the life of the process, by a
 * lock in PATH.lock.  The directory is made (mode 0755) if only it is missing;
 * one in which anybody may replace the socket is refused.  Before anything is
 * taken that a second instance could disturb.  0, or the exit code with a
 * sentence: 69 another instance has it, 73 the directory cannot be used.
 */
int admin_lock(const char *path, char error[ADMIN_ERROR]);
/*
 * Listens at the path; what a dead instance left there is replaced, since the
 * lock says that no other lives.  Mode 0600.  `words` ends with {0} and must
 * live as long.  NULL with a sentence.
 */
struct admin *admin_new(struct loop *, const char *path, const struct admin_word *words, void *arg,
    char error[ADMIN_ERROR]);
/* The same with a socket that another process has listened at until now.  It is taken, and must listen at
 * this very path. */
struct admin *admin_adopt(struct loop *, int fd, const char *path, const struct admin_word *words,
    void *arg, char error[ADMIN_ERROR]);
/* A conf_row.check: may a group have this name or number? */
bool admin_is_group_name(const char *text, char error[256]);
/* The group that may look, if there is one. */
struct admin_group {
	bool is_given;
	gid_t id;
};
/* Finds it by its name or number (NULL: none), which reads the host's files.  False with a sentence. */
bool admin_group_find(struct admin_group *, const char *name, char error[ADMIN_ERROR]);
/* Right after admin_new() or admin_adopt(): the group may look from now on, and the socket has mode 0660.
 * False with a sentence. */
bool admin_let_look(struct admin *, const struct admin_group *, char error[ADMIN_ERROR]);
/* Borrowed, to be passed to another process; -1: it has none (any more). */
int admin_descriptor(const struct admin *);
/* Another process listens there from now on: nobody new is heard, those that have come are answered. */
void admin_give_away(struct admin *);
/* Closes everything and removes the socket, if it is still ours.  Questions that are with a handler must
 * still be answered: nobody hears it, but it frees them. */
void admin_free(struct admin *);

/* A JSON string of any text, others' included: what is not UTF-8 becomes '?'. NULL of NULL. */
json_t *admin_text(const char *text);
/* What every program says of itself, to be filled up: {"program", "version", "pid", "since",
 * "state", "memory"}. */
json_t *admin_program_facts(const char *program, int64_t since_s, const char *state);

/* The process that asks (0: that cannot be told), and its user. */
pid_t admin_asker(const struct admin_question *);
uid_t admin_asker_uid(const struct admin_question *);

/* These end the handler's hold on the question.  admin_answer() takes the document, an object or an array;
 * NULL stands for one that could not be made. */
void admin_answer(struct admin_question *, json_t *document);
/* The same, and with it goes a copy of the descriptor (taken; base/pass.h). */
void admin_answer_with(struct admin_question *, json_t *document, int fd);
/* `details` (taken; may be NULL) are further members of the error. */
void admin_refuse(struct admin_question *, const char *code, const char *message, json_t *details);

/*
 * Or the answer comes in pieces of text, for what may be long: they are one JSON document on one line, its
 * end included.  on_room is called when there is room again after there was none, and when nobody listens
 * any more; never within these functions.  Memory is bounded by what is added although there is no room.
 */
void admin_begin(struct admin_question *, void (*on_room)(void *arg), void *arg);
bool admin_has_room(const struct admin_question *);
/* False: nobody listens any more; then nothing is left but admin_end(). */
bool admin_add(struct admin_question *, const char *text, size_t bytes);
/* Ends the hold on the question, in any case. */
void admin_end(struct admin_question *);

#endif
