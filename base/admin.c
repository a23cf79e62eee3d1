/* Questions at a local socket: who may come, and what is asked. */
#include "base/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/admin_private.h"
#include "base/log.h"
#include "base/pass.h"
#include "base/socket.h"

/* ---- hearing ---- */

static const struct admin_word *
find_word(const struct admin *admin, const json_t *question)
{
	const char *command = json_string_value(json_object_get(question, "command"));
	const struct admin_word *word = admin->words;

	while (command && word->word && strcmp(word->word, command) != 0)
		word++;
	return command && word->word ? word : NULL;
}

/* What was asked for beside the word, for the log; NULL: nothing. */
static char *
arguments_of(const json_t *document)
{
	json_t *rest = json_object_size(document) > 1 ? json_copy((json_t *)document) : NULL;
	char *text = NULL;

	if (rest && json_object_del(rest, "command") == 0)
		text = json_dumps(rest, JSON_COMPACT);
	json_decref(rest);
	return text;
}

/* Who may only look is told so. */
static bool
may_ask(struct admin_question *question, const struct admin_word *word)
{
	static const char sentence[] =
	    "who is in admin.group may look; this is for root and the program's own user";

	if (question->may_change || word->right == ADMIN_LOOKS)
		return true;
	log_limited(LOG_WARNING, "admin-refused", NULL, sentence,
	    log_u64("uid", question->peer.uid), log_i64("pid", question->peer.pid),
	    log_str("command", word->word));
	admin_tell(question, admin_refusal("admin-not-permitted", sentence, NULL));
	return false;
}

static void
note(const struct admin_question *question, const struct admin_word *word, const json_t *document)
{
	char *arguments;

	if (word->right == ADMIN_LOOKS) {
		log_event(LOG_DEBUG, "admin-question", NULL, log_str("command", word->word));
		return;
	}
	arguments = arguments_of(document);
	log_audit(LOG_INFO, "admin-command", NULL, log_str("command", word->word),
	    log_str("arguments", arguments), log_u64("uid", question->peer.uid),
	    log_i64("pid", question->peer.pid));
	free(arguments);
}

static void
ask(struct admin_question *question, const struct admin_word *word, const json_t *document)
{
	if (!may_ask(question, word))
		return;
	note(question, word, document);
	admin_move(question, ADMIN_ASKED);
	question->is_with_handler = true;
	word->on_question(question->admin->arg, question, document);
}

static void
judge(struct admin_question *question, size_t bytes)
{
	json_error_t error;
	json_t *document = json_loadb(question->in, bytes, JSON_REJECT_DUPLICATES, &error);
	const struct admin_word *word = find_word(question->admin, document);

	if (word)
		ask(question, word, document);
	else if (json_is_string(json_object_get(document, "command")))
		admin_tell(question,
		    admin_refusal(
			"admin-command-unknown", "this program does not know this command", NULL));
	else
		admin_tell(question,
		    admin_refusal("admin-question-malformed",
			"a question is one JSON object on one line with a \"command\"", NULL));
	json_decref(document);
}

static void
hear(struct admin_question *question)
{
	char *end;
	ssize_t got = recv(question->fd, question->in + question->in_bytes,
	    sizeof question->in - question->in_bytes, MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		admin_move(question, ADMIN_OVER);
		return;
	}
	question->in_bytes += (size_t)got;
	end = memchr(question->in, '\n', question->in_bytes);
	if (end)
		judge(question, (size_t)(end - question->in));
	else if (question->in_bytes == sizeof question->in)
		admin_tell(question,
		    admin_refusal("admin-question-malformed", "the question is too long", NULL));
}

static void
on_ready(void *arg, unsigned ready)
{
	struct admin_question *question = arg;

	(void)ready;
	if (question->state == ADMIN_READING)
		hear(question);
	else if (question->state == ADMIN_PIECES || question->state == ADMIN_TELLING)
		admin_on_writable(question);
}

/* ---- who comes ---- */

enum admin_caller { STRANGER, LOOKER, OWNER };

static enum admin_caller
caller_of(const struct admin *admin, int fd, const struct ucred *peer)
{
	if (pass_is_ours(peer))
		return OWNER;
	return admin->group.is_given && pass_is_in_group(fd, peer, admin->group.id) ? LOOKER
										    : STRANGER;
}

/* Some places are for who may change something, however many look. */
static bool
has_place(const struct admin *admin, enum admin_caller caller)
{
	return admin->question_count <
	    (caller == OWNER ? ADMIN_QUESTIONS_MOST : ADMIN_QUESTIONS_MOST - ADMIN_PLACES_KEPT);
}

/* The refusal has no place of its own: what the socket's buffer does not take is lost. */
static void
turn_away(int fd, const char *code, const char *message)
{
	size_t bytes;
	char *line = admin_line(admin_refusal(code, message, NULL), &bytes);

	if (line && send(fd, line, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_event(LOG_DEBUG, "admin-question", "the refused one has left already");
	free(line);
	close(fd);
}

static void
refuse_stranger(int fd, const struct ucred *peer)
{
	static const char sentence[] = "only root and the program's own user may ask";

	log_limited(LOG_WARNING, "admin-refused", NULL, sentence, log_u64("uid", peer->uid),
	    log_i64("pid", peer->pid));
	turn_away(fd, "admin-not-permitted", sentence);
}

static void
on_accept(void *arg, int fd, const struct address *address)
{
	struct admin *admin = arg;
	struct admin_question *question = NULL;
	struct ucred peer = { .uid = (uid_t)-1, .gid = (gid_t)-1 };
	enum admin_caller caller;

	(void)address;
	caller = pass_peer(fd, &peer) ? caller_of(admin, fd, &peer) : STRANGER;
	if (caller == STRANGER) {
		refuse_stranger(fd, &peer);
		return;
	}
	if (has_place(admin, caller))
		question = calloc(1, sizeof *question);
	if (!question) {
		turn_away(fd, "admin-busy", "too many questions at a time; ask again");
		return;
	}
	question->peer = peer;
	question->may_change = caller == OWNER;
	watch_init(&question->watch, admin->loop, fd, on_ready, question);
	admin_question_init(question, admin, fd);
}

/* ---- the whole ---- */

/* Takes fd; -1 is one that could not be had, and the sentence is there. */
static struct admin *
new_at(struct loop *loop, int fd, const char *path, const struct admin_word *words, void *arg,
    char error[ADMIN_ERROR])
{
	struct admin *admin = fd >= 0 ? calloc(1, sizeof *admin) : NULL;

	if (fd < 0)
		return NULL;
	if (!admin) {
		close(fd);
		admin_fail(0, error, path, "memory is short", "try again");
		return NULL;
	}
	admin->loop = loop;
	admin->words = words;
	admin->arg = arg;
	LIST_INIT(&admin->questions);
	snprintf(admin->path, sizeof admin->path, "%s", path);
	admin->listener = listener_new(loop, fd, on_accept, admin);
	if (!admin->listener) {
		admin_fail(0, error, path, "memory is short", "try again");
		free(admin);
		return NULL;
	}
	return admin;
}

struct admin *
admin_new(struct loop *loop, const char *path, const struct admin_word *words, void *arg,
    char error[ADMIN_ERROR])
{
	return new_at(loop, admin_listen_at(path, error), path, words, arg, error);
}

/* Listening again is what makes it ours for those who ask who listens there (SO_PEERCRED). */
struct admin *
admin_adopt(struct loop *loop, int fd, const char *path, const struct admin_word *words, void *arg,
    char error[ADMIN_ERROR])
{
	if (admin_listens_at(fd, path) && listen(fd, ADMIN_BACKLOG) == 0)
		return new_at(loop, fd, path, words, arg, error);
	close(fd);
	admin_fail(
	    0, error, path, "this is not what was passed", "check admin.socket on both sides");
	return NULL;
}

int
admin_descriptor(const struct admin *admin)
{
	return admin && admin->listener ? listener_descriptor(admin->listener) : -1;
}

void
admin_give_away(struct admin *admin)
{
	listener_free(admin->listener);
	admin->listener = NULL;
}

void
admin_free(struct admin *admin)
{
	struct admin_question *question, *next;

	if (!admin)
		return;
	for (question = LIST_FIRST(&admin->questions); question; question = next) {
		next = LIST_NEXT(question, link);
		LIST_REMOVE(question, link);
		question->admin = NULL;
		if (question->state != ADMIN_OVER)
			admin_move(question, ADMIN_OVER);
	}
	if (admin->listener)
		unlink(admin->path);
	listener_free(admin->listener);
	free(admin);
}
