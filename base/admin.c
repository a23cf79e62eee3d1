/*
 * Questions at a local socket.  A question is its connection:
 *
 *	READING --> ASKED --> TELLING --> OVER
 *
 * and may leave for OVER from everywhere.  A deadline ends READING and TELLING;
 * ASKED goes on to TELLING with a refusal when the handler does not answer in
 * time.  The handler's hold is counted apart: the storage lives until the
 * question is over and the handler has answered.
 */
#include "base/admin.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/log.h"
#include "base/memory.h"
#include "base/pass.h"
#include "base/ready.h"
#include "base/socket.h"
#include "base/units.h"

enum { READING_MS = 5000, ASKED_MS = 60000, TELLING_MS = 10000, BACKLOG = 64 };

enum question_state { READING, ASKED, TELLING, OVER };

static const unsigned may_move[] = {
	[READING] = 1u << ASKED | 1u << TELLING | 1u << OVER,
	[ASKED] = 1u << TELLING | 1u << OVER,
	[TELLING] = 1u << OVER,
	[OVER] = 0,
};
static const char *const state_name[] = {
	[READING] = "reading",
	[ASKED] = "asked",
	[TELLING] = "telling",
	[OVER] = "over",
};

struct admin_question {
	LIST_ENTRY(admin_question) link;
	struct admin *admin; /* NULL once that is gone */
	struct loop *loop;
	enum question_state state;
	bool is_with_handler;
	int fd;
	int passed; /* goes with the first byte of the answer; -1: none */
	struct watch watch;
	struct timer deadline;
	struct task reap;
	size_t in_bytes;
	char in[ADMIN_QUESTION_BYTES];
	char *out;
	size_t out_bytes, out_done;
};

LIST_HEAD(admin_questions, admin_question);

struct admin {
	struct loop *loop;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct listener *listener;
	const struct admin_word *words;
	void *arg;
	struct admin_questions questions;
	unsigned question_count;
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

/* A question that is over is freed at the end of the turn, unless the handler still has it. */
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
}

static void
move(struct admin_question *question, enum question_state to)
{
	static const uint64_t patience_ms[] = {
		[READING] = READING_MS, [ASKED] = ASKED_MS, [TELLING] = TELLING_MS
	};
	static const unsigned wanted[] = {
		[READING] = WATCH_READ, [ASKED] = WATCH_NOTHING, [TELLING] = WATCH_WRITE
	};

	assert((may_move[question->state] & 1u << to) != 0);
	log_move("question", log_object("question", question), state_name[question->state],
	    state_name[to]);
	question->state = to;
	if (to == OVER) {
		end_of_life(question);
		return;
	}
	watch_want(&question->watch, wanted[to]);
	timer_set(&question->deadline, patience_ms[to]);
}

/* ---- telling ---- */

static void
go_on_telling(struct admin_question *question)
{
	while (question->out_done < question->out_bytes) {
		ssize_t sent = pass_send(question->fd, question->out + question->out_done,
		    question->out_bytes - question->out_done,
		    question->out_done == 0 ? question->passed : -1);

		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0)
			break;
		question->out_done += (size_t)sent;
	}
	move(question, OVER);
}

static json_t *
refusal(const char *code, const char *message, json_t *details)
{
	json_t *error = json_pack("{s:s, s:s}", "code", code, "message", message);

	if (error && details && json_object_update_missing(error, details) < 0) {
		json_decref(error);
		error = NULL;
	}
	json_decref(details);
	return error ? json_pack("{s:o}", "error", error) : NULL;
}

/* The document as one line; NULL when that cannot be made. */
static char *
line_of(json_t *document, size_t *bytes)
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

static void
tell(struct admin_question *question, json_t *document)
{
	static const char impossible[] =
	    "{\"error\":{\"code\":\""
	    "admin-answer-impossible"
	    "\",\"message\":\"the answer is too long, or memory is short\"}}\n";

	question->out = line_of(document, &question->out_bytes);
	if (!question->out) {
		question->out = strdup(impossible);
		question->out_bytes = question->out ? strlen(impossible) : 0;
	}
	move(question, TELLING);
	go_on_telling(question);
}

/* An answer that comes too late, or after its asker has left, is not told. */
void
admin_answer(struct admin_question *question, json_t *document)
{
	assert(question->is_with_handler);
	question->is_with_handler = false;
	if (question->state == ASKED) {
		tell(question, document);
		return;
	}
	json_decref(document);
	if (question->state == OVER)
		loop_later(question->loop, &question->reap);
}

void
admin_refuse(
    struct admin_question *question, const char *code, const char *message, json_t *details)
{
	admin_answer(question, refusal(code, message, details));
}

void
admin_answer_with(struct admin_question *question, json_t *document, int fd)
{
	question->passed = fd;
	admin_answer(question, document);
}

pid_t
admin_asker(const struct admin_question *question)
{
	struct ucred peer;

	return question->fd >= 0 && pass_peer(question->fd, &peer) ? peer.pid : 0;
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

static void
ask(struct admin_question *question, const struct admin_word *word, const json_t *document)
{
	log_event(LOG_DEBUG, "admin-question", NULL, log_str("command", word->word));
	move(question, ASKED);
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
		tell(question,
		    refusal(
			"admin-command-unknown", "this program does not know this command", NULL));
	else
		tell(question,
		    refusal("admin-question-malformed",
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
		move(question, OVER);
		return;
	}
	question->in_bytes += (size_t)got;
	end = memchr(question->in, '\n', question->in_bytes);
	if (end)
		judge(question, (size_t)(end - question->in));
	else if (question->in_bytes == sizeof question->in)
		tell(question,
		    refusal("admin-question-malformed", "the question is too long", NULL));
}

static void
on_ready(void *arg, unsigned ready)
{
	struct admin_question *question = arg;

	(void)ready;
	if (question->state == READING)
		hear(question);
	else if (question->state == TELLING)
		go_on_telling(question);
}

static void
on_deadline(void *arg)
{
	struct admin_question *question = arg;

	if (question->state == ASKED)
		tell(question, refusal("admin-no-answer", "the answer takes too long", NULL));
	else
		move(question, OVER);
}

/* ---- who comes ---- */

static bool
is_permitted(int fd)
{
	struct ucred peer;

	if (!pass_peer(fd, &peer))
		return false;
	if (pass_is_ours(&peer))
		return true;
	log_limited(LOG_WARNING, "admin-refused", NULL,
	    "only root and the program's own user may ask", log_u64("uid", peer.uid),
	    log_i64("pid", peer.pid));
	return false;
}

/* The refusal has no place of its own: what the socket's buffer does not take is lost. */
static void
turn_away(int fd, const char *code, const char *message)
{
	size_t bytes;
	char *line = line_of(refusal(code, message, NULL), &bytes);

	if (line && send(fd, line, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_event(LOG_DEBUG, "admin-question", "the refused one has left already");
	free(line);
	close(fd);
}

static void
on_accept(void *arg, int fd, const struct address *peer)
{
	struct admin *admin = arg;
	struct admin_question *question;

	(void)peer;
	if (!is_permitted(fd)) {
		turn_away(
		    fd, "admin-not-permitted", "only root and the program's own user may ask");
		return;
	}
	question =
	    admin->question_count < ADMIN_QUESTIONS_MOST ? calloc(1, sizeof *question) : NULL;
	if (!question) {
		turn_away(fd, "admin-busy", "too many questions at a time; ask again");
		return;
	}
	question->admin = admin;
	question->loop = admin->loop;
	question->fd = fd;
	question->passed = -1;
	LIST_INSERT_HEAD(&admin->questions, question, link);
	admin->question_count++;
	watch_init(&question->watch, admin->loop, fd, on_ready, question);
	timer_init(&question->deadline, admin->loop, on_deadline, question);
	task_init(&question->reap, reap, question);
	watch_want(&question->watch, WATCH_READ);
	timer_set(&question->deadline, READING_MS);
}

/* ---- the socket ---- */

static int
fail(int code, char error[ADMIN_ERROR], const char *path, const char *what, const char *cure)
{
	snprintf(error, ADMIN_ERROR, "%.200s: %s; %s", path, what, cure);
	return code;
}

static int
judge_directory(const char *path, char error[ADMIN_ERROR])
{
	char directory[ADMIN_PATH], *slash;
	struct stat st;

	snprintf(directory, sizeof directory, "%s", path);
	slash = strrchr(directory, '/');
	if (!slash)
		return fail(EX_CANTCREAT, error, path, "is not an absolute path",
		    "write admin.socket as /run/...");
	slash[slash == directory] = '\0';
	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return fail(EX_CANTCREAT, error, directory, strerror(errno),
		    "make it for the program's user, or change admin.socket");
	if (stat(directory, &st) < 0)
		return fail(EX_CANTCREAT, error, directory, strerror(errno), "change admin.socket");
	if ((st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0)
		return fail(EX_CANTCREAT, error, directory,
		    "anybody could replace the admin socket there",
		    "take the right to write from the others");
	return 0;
}

int
admin_lock(const char *path, char error[ADMIN_ERROR])
{
	char lock[ADMIN_PATH];
	long holder;
	int code = judge_directory(path, error);

	if (code != 0)
		return code;
	snprintf(lock, sizeof lock, "%s.lock", path);
	if (ready_lock(lock, &holder, error))
		return 0;
	return holder != 0 ? EX_UNAVAILABLE : EX_CANTCREAT;
}

/* The mode is the socket's before it has a name, so that there is no moment in which others could come. */
static int
listen_at(const char *path, char error[ADMIN_ERROR])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	if (strlen(path) >= sizeof address.sun_path) {
		fail(0, error, path, "is too long for a socket (107 bytes at most)",
		    "choose a shorter admin.socket");
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && fchmod(fd, 0600) == 0 &&
	    bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	fail(0, error, path, strerror(errno),
	    errno == EADDRINUSE
		? "remove what is there, because it is not a socket, or change admin.socket"
		: "let the program's user write the directory, or change admin.socket");
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool
listens_at(int fd, const char *path)
{
	struct sockaddr_un local = { 0 };
	socklen_t bytes = sizeof local;
	int kind = 0, listens = 0;
	socklen_t kind_bytes = sizeof kind, listens_bytes = sizeof listens;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &kind_bytes) == 0 &&
	    kind == SOCK_STREAM &&
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_bytes) == 0 && listens &&
	    getsockname(fd, (struct sockaddr *)&local, &bytes) == 0 &&
	    local.sun_family == AF_UNIX &&
	    strncmp(local.sun_path, path, sizeof local.sun_path) == 0;
}

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
		fail(0, error, path, "memory is short", "try again");
		return NULL;
	}
	admin->loop = loop;
	admin->words = words;
	admin->arg = arg;
	LIST_INIT(&admin->questions);
	snprintf(admin->path, sizeof admin->path, "%s", path);
	admin->listener = listener_new(loop, fd, on_accept, admin);
	if (!admin->listener) {
		fail(0, error, path, "memory is short", "try again");
		free(admin);
		return NULL;
	}
	return admin;
}

struct admin *
admin_new(struct loop *loop, const char *path, const struct admin_word *words, void *arg,
    char error[ADMIN_ERROR])
{
	return new_at(loop, listen_at(path, error), path, words, arg, error);
}

/* Listening again is what makes it ours for those who ask who listens there (SO_PEERCRED). */
struct admin *
admin_adopt(struct loop *loop, int fd, const char *path, const struct admin_word *words, void *arg,
    char error[ADMIN_ERROR])
{
	if (listens_at(fd, path) && listen(fd, BACKLOG) == 0)
		return new_at(loop, fd, path, words, arg, error);
	close(fd);
	fail(0, error, path, "this is not what was passed", "check admin.socket on both sides");
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
		if (question->state != OVER)
			move(question, OVER);
	}
	if (admin->listener)
		unlink(admin->path);
	listener_free(admin->listener);
	free(admin);
}
