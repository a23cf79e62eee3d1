/* Everything that may come to an admin socket, by a clock that the test holds. */
#include "base/admin.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/clock_fake.h"
#include "base/log.h"
#include "base/loop_advance.h"
#include "base/pass.h"
#include "helpers.h"
#include "skip.h"

static struct loop *loop;
static struct admin *admin;
static char directory[64], path[96], answer[(16 << 20) + 1], error[ADMIN_ERROR];
static struct admin_question *held;
static unsigned questions;

/* ---- the daemon ---- */

static void
on_status(void *arg, struct admin_question *question, const json_t *document)
{
	assert_string_equal(arg, "the daemon");
	questions++;
	admin_answer(question, json_pack("{s:s, s:O?}", "state", "running", "said", json_object_get(document, "say")));
}

static void
on_slow(void *arg, struct admin_question *question, const json_t *document)
{
	(void)arg;
	(void)document;
	questions++;
	held = question;
}

static void
on_refuse(void *arg, struct admin_question *question, const json_t *document)
{
	(void)arg;
	(void)document;
	admin_refuse(question, "too-bad", "it is not so", json_pack("{s:[s]}", "mistakes", "a:1:2: b"));
}

static void
on_cut(void *arg, struct admin_question *question, const json_t *document)
{
	(void)arg;
	(void)document;
	admin_refuse(question, "too-bad", "'caf\xc3' is none", NULL);
}

static void
on_large(void *arg, struct admin_question *question, const json_t *document)
{
	size_t bytes = (size_t)json_integer_value(json_object_get(document, "bytes"));
	char *text = malloc(bytes + 1);

	(void)arg;
	assert_non_null(text);
	memset(text, 'x', bytes);
	text[bytes] = '\0';
	admin_answer(question, json_pack("[s]", text));
	free(text);
}

/* An answer in pieces, of which there is one more each time that there is room. */
enum { PIECES = 40, PIECE_BYTES = 50000 };
static unsigned pieces, rooms;
static bool has_left;

static void
on_room(void *arg)
{
	static char piece[PIECE_BYTES];

	(void)arg;
	rooms++;
	memset(piece, 'x', sizeof piece);
	while (pieces < PIECES && admin_has_room(held)) {
		pieces++;
		if (!admin_add(held, piece, sizeof piece))
			break;
	}
	has_left = pieces < PIECES && !admin_has_room(held) && !admin_add(held, "", 0);
	if (pieces == PIECES || has_left) {
		admin_end(held);
		held = NULL;
	}
}

static void
on_pieces(void *arg, struct admin_question *question, const json_t *document)
{
	(void)arg;
	(void)document;
	questions++;
	pieces = rooms = 0;
	has_left = false;
	held = question;
	admin_begin(question, on_room, NULL);
	assert_int_equal(rooms, 0);
	on_room(NULL);
}

static const struct admin_word words[] = { { "status", on_status, ADMIN_LOOKS }, { "slow", on_slow, ADMIN_CHANGES },
	{ "refuse", on_refuse, ADMIN_CHANGES }, { "cut", on_cut, ADMIN_LOOKS }, { "large", on_large, ADMIN_LOOKS }, { "pieces", on_pieces, ADMIN_LOOKS },
	{ 0 } };

static int
set_up(void **state)
{
	(void)state;
	log_init("test", LOG_ERROR, LOG_TEXT);
	clock_fake(1000000000, 1767225600000000);
	snprintf(directory, sizeof directory, "/tmp/admin_test.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof path, "%s/x.sock", directory);
	loop = loop_new();
	admin = admin_new(loop, path, words, "the daemon", error);
	questions = 0;
	held = NULL;
	return !admin;
}

static int
tear_down(void **state)
{
	char lock[128];

	(void)state;
	admin_free(admin);
	loop_free(loop);
	snprintf(lock, sizeof lock, "%s.lock", path);
	unlink(lock);
	clock_fake(0, 0);
	return rmdir(directory);
}

/* ---- who asks ---- */

static int
connected(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
say(int fd, const void *text, size_t bytes)
{
	assert_int_equal(send(fd, text, bytes, MSG_NOSIGNAL), bytes);
	assert_true(loop_advance(loop, 0));
}

/* All that has come: its length, or -1 while the connection is open and nothing has come. */
static ssize_t
heard(int fd)
{
	size_t all = 0;
	ssize_t got;

	while ((got = recv(fd, answer + all, sizeof answer - 1 - all, MSG_DONTWAIT)) > 0) {
		all += (size_t)got;
		assert_true(loop_advance(loop, 0));
	}
	answer[all] = '\0';
	return got < 0 && errno == EAGAIN && all == 0 ? -1 : (ssize_t)all;
}

static void
expect(int fd, const char *wanted)
{
	assert_true(heard(fd) >= 0);
	assert_string_equal(answer, wanted);
	assert_int_equal(recv(fd, answer, 1, MSG_DONTWAIT), 0);
	close(fd);
}

static void
expect_refusal(int fd, const char *code)
{
	json_t *document;

	assert_true(heard(fd) > 0);
	document = json_loads(answer, 0, NULL);
	assert_non_null(document);
	assert_string_equal(json_string_value(json_object_get(json_object_get(document, "error"), "code")), code);
	assert_int_equal(answer[strlen(answer) - 1], '\n');
	json_decref(document);
	close(fd);
}

#define SAY(fd, text) say(fd, text, strlen(text))

static void
a_question_gets_its_answer_and_the_connection_ends(void **state)
{
	int fd = connected();

	(void)state;
	SAY(fd, "{\"command\": \"status\", \"say\": [1, \"\\u00e9\"]}\n");
	expect(fd, "{\"state\":\"running\",\"said\":[1,\"\xc3\xa9\"]}\n");
}

static void
a_question_may_come_byte_by_byte(void **state)
{
	static const char question[] = "{\"command\":\"status\"}\n";
	int fd = connected();

	(void)state;
	for (size_t i = 0; i < strlen(question); i++) {
		assert_int_equal(heard(fd), -1);
		say(fd, question + i, 1);
	}
	expect(fd, "{\"state\":\"running\",\"said\":null}\n");
}

static void
an_answer_may_come_later(void **state)
{
	int fd = connected();

	(void)state;
	SAY(fd, "{\"command\":\"slow\"}\n");
	assert_non_null(held);
	assert_true(loop_advance(loop, 59999));
	assert_int_equal(heard(fd), -1);
	admin_answer(held, json_pack("[i]", 7));
	assert_true(loop_advance(loop, 0));
	expect(fd, "[7]\n");
}

static void
a_refusal_says_why_with_its_details(void **state)
{
	int fd = connected();

	(void)state;
	SAY(fd, "{\"command\":\"refuse\"}\n");
	expect(fd, "{\"error\":{\"code\":\"too-bad\",\"message\":\"it is not so\",\"mistakes\":[\"a:1:2: b\"]}}\n");
}

static void
a_refusal_is_heard_whatever_it_quotes(void **state)
{
	int fd = connected();

	(void)state;
	SAY(fd, "{\"command\":\"cut\"}\n");
	expect(fd, "{\"error\":{\"code\":\"too-bad\",\"message\":\"'caf?' is none\"}}\n");
}

static void
who_never_asks_or_asks_too_slowly_is_dropped(void **state)
{
	int silent = connected(), slow = connected();

	(void)state;
	for (int i = 0; i < 6; i++) {
		assert_int_equal(send(slow, "{", 1, MSG_NOSIGNAL), 1);
		assert_true(loop_advance(loop, 800));
	}
	assert_int_equal(heard(silent), -1);
	assert_true(loop_advance(loop, 200));
	assert_int_equal(heard(silent), 0);
	assert_int_equal(heard(slow), 0);
	close(silent);
	close(slow);
}

static void
a_handler_that_does_not_answer_is_not_waited_for(void **state)
{
	int fd = connected();

	(void)state;
	SAY(fd, "{\"command\":\"slow\"}\n");
	assert_true(loop_advance(loop, 60000));
	expect_refusal(fd, "admin-no-answer");
	assert_true(loop_advance(loop, 20000));
	admin_answer(held, json_true());
	assert_true(loop_advance(loop, 0));
}

static void
who_leaves_before_the_answer_takes_nothing_with_him(void **state)
{
	(void)state;
	for (int i = 0; i < 3 * ADMIN_QUESTIONS_MOST; i++) {
		int fd = connected();

		SAY(fd, "{\"command\":\"slow\"}\n");
		close(fd);
		assert_true(loop_advance(loop, 10));
		admin_answer(held, json_object());
		assert_true(loop_advance(loop, 0));
	}
	assert_int_equal(questions, 3 * ADMIN_QUESTIONS_MOST);
}

static void
a_large_answer_is_read_in_pieces(void **state)
{
	int fd = connected();

	(void)state;
	SAY(fd, "{\"command\":\"large\", \"bytes\": 3000000}\n");
	assert_int_equal(heard(fd), 3000005);
	assert_memory_equal(answer, "[\"xx", 4);
	assert_string_equal(answer + 3000000, "xx\"]\n");
	close(fd);
}

static void
an_answer_beyond_the_bound_is_refused(void **state)
{
	int fd = connected();

	(void)state;
	SAY(fd, "{\"command\":\"large\", \"bytes\": 16777212}\n");
	expect_refusal(fd, "admin-answer-impossible");
	fd = connected();
	SAY(fd, "{\"command\":\"large\", \"bytes\": 16777211}\n");
	assert_int_equal(heard(fd), 16777216);
	close(fd);
}

static void
who_does_not_read_is_dropped(void **state)
{
	int fd = connected();
	char byte;
	size_t got = 0;

	(void)state;
	SAY(fd, "{\"command\":\"large\", \"bytes\": 3000000}\n");
	assert_true(loop_advance(loop, 10000));
	while (recv(fd, &byte, 1, MSG_DONTWAIT) == 1)
		got++;
	assert_in_range(got, 1, 2999999);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
	close(fd);
}

static void
the_places_are_few_and_come_back(void **state)
{
	int fds[ADMIN_QUESTIONS_MOST], one_more;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < ADMIN_QUESTIONS_MOST; i++) {
			fds[i] = connected();
			assert_true(loop_advance(loop, 0));
		}
		one_more = connected();
		assert_true(loop_advance(loop, 0));
		expect_refusal(one_more, "admin-busy");
		SAY(fds[3], "{\"command\":\"status\"}\n");
		expect(fds[3], "{\"state\":\"running\",\"said\":null}\n");
		fds[3] = connected();
		SAY(fds[3], "{\"command\":\"status\"}\n");
		expect(fds[3], "{\"state\":\"running\",\"said\":null}\n");
		for (int i = 0; i < ADMIN_QUESTIONS_MOST; i++) {
			if (i != 3)
				close(fds[i]);
		}
		assert_true(loop_advance(loop, 0));
	}
}

static const struct hostile {
	const char *text;
	size_t bytes;
	const char *code;
} hostile[] = {
#define HOSTILE(text, code) { text, sizeof text - 1, code }
	HOSTILE("\n", "admin-question-malformed"),
	HOSTILE("status\n", "admin-question-malformed"),
	HOSTILE("\"status\"\n", "admin-question-malformed"),
	HOSTILE("[\"status\"]\n", "admin-question-malformed"),
	HOSTILE("{}\n", "admin-question-malformed"),
	HOSTILE("{\"command\": 1}\n", "admin-question-malformed"),
	HOSTILE("{\"command\": null}\n", "admin-question-malformed"),
	HOSTILE("{\"command\": \"status\"} {}\n", "admin-question-malformed"),
	HOSTILE("{\"command\": \"status\", \"command\": \"slow\"}\n", "admin-question-malformed"),
	HOSTILE("{\"command\": \"sta\0tus\"}\n", "admin-question-malformed"),
	HOSTILE("{\"command\": \"status\\u0000\"}\n", "admin-question-malformed"),
	HOSTILE("{\"command\": \"\xff\xfe\"}\n", "admin-question-malformed"),
	HOSTILE("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "admin-question-malformed"),
	HOSTILE("{\"command\": \"\"}\n", "admin-command-unknown"),
	HOSTILE("{\"command\": \"Status\"}\n", "admin-command-unknown"),
	HOSTILE("{\"command\": \"statu\"}\n", "admin-command-unknown"),
	HOSTILE("{\"command\": \"statuses\"}\n", "admin-command-unknown"),
};

static void
what_is_no_question_is_refused_and_the_next_one_answered(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hostile); i++) {
		int fd = connected();

		say(fd, hostile[i].text, hostile[i].bytes);
		expect_refusal(fd, hostile[i].code);
	}
	assert_int_equal(questions, 0);
	a_question_gets_its_answer_and_the_connection_ends(state);
}

static void
a_question_without_end_is_refused_at_its_bound(void **state)
{
	char long_line[ADMIN_QUESTION_BYTES];
	int fd = connected();

	(void)state;
	memset(long_line, '[', sizeof long_line);
	say(fd, long_line, sizeof long_line - 1);
	assert_int_equal(heard(fd), -1);
	say(fd, "[", 1);
	expect_refusal(fd, "admin-question-malformed");
	fd = connected();
	long_line[sizeof long_line - 1] = '\n';	/* deep, and just within the bound */
	say(fd, long_line, sizeof long_line);
	expect_refusal(fd, "admin-question-malformed");
}

static void
random_bytes_are_answered_or_waited_for(void **state)
{
	(void)state;
	srandom(11);
	for (int i = 0; i < 2000; i++) {
		static const char letters[] = "{}[]\":,\\command status\n\0\xff";
		char text[40];
		int fd = connected();

		for (size_t k = 0; k < sizeof text; k++)
			text[k] = letters[(size_t)random() % (sizeof letters - 1)];
		say(fd, text, sizeof text);
		if (memchr(text, '\n', sizeof text)) {
			assert_true(heard(fd) > 0);
			assert_memory_equal(answer, "{\"error\":", 9);
		} else {
			assert_int_equal(heard(fd), -1);
		}
		close(fd);
		assert_true(loop_advance(loop, 0));
	}
}

static void
a_foreign_user_is_told_no_and_asks_nothing(void **state)
{
	int fd;

	(void)state;
	if (geteuid() != 0)
		SKIP("only root can become a foreign user");
	assert_int_equal(chmod(directory, 0755), 0);
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(connected(), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(path, 0666), 0);	/* as a careless operator would */
	assert_int_equal(seteuid(65534), 0);
	fd = connected();
	assert_int_equal(seteuid(0), 0);
	SAY(fd, "{\"command\":\"status\"}\n");
	expect_refusal(fd, "admin-not-permitted");
	assert_int_equal(questions, 0);
	assert_int_equal(chmod(directory, 0700), 0);
}

/* ---- in pieces ---- */

static void
an_answer_in_pieces_waits_for_its_reader(void **state)
{
	int fd = connected();
	unsigned before;

	(void)state;
	SAY(fd, "{\"command\":\"pieces\"}\n");
	assert_true(loop_advance(loop, 9000));
	before = pieces;
	assert_in_range(before, 2, PIECES / 2);
	assert_non_null(held);
	assert_int_equal(heard(fd), PIECES * PIECE_BYTES);
	assert_null(held);
	assert_int_equal(pieces, PIECES);
	close(fd);
}

static void
who_leaves_in_the_middle_is_not_told_the_rest(void **state)
{
	int fd = connected();

	(void)state;
	SAY(fd, "{\"command\":\"pieces\"}\n");
	assert_non_null(held);
	close(fd);
	assert_true(loop_advance(loop, 0));
	assert_true(loop_advance(loop, 0));
	assert_null(held);
	assert_true(has_left);
}

static void
who_does_not_read_a_piece_is_dropped(void **state)
{
	int fd = connected();

	(void)state;
	SAY(fd, "{\"command\":\"pieces\"}\n");
	assert_true(loop_advance(loop, 10000));
	assert_true(loop_advance(loop, 0));
	assert_null(held);
	assert_true(has_left);
	close(fd);
}

static void
what_is_not_told_within_its_time_is_cut_short(void **state)
{
	int fd = connected();

	(void)state;
	SAY(fd, "{\"command\":\"slow\"}\n");
	admin_begin(held, on_room, NULL);
	assert_true(admin_add(held, "[1", 2));
	pieces = PIECES; /* what it does when it hears that there is nobody any more */
	assert_true(loop_advance(loop, 60000));
	assert_int_equal(heard(fd), 2);
	assert_true(loop_advance(loop, 0));
	assert_null(held);
	close(fd);
}

/* ---- who may look ---- */

enum { LOOKERS = 60123, NOBODY = 65534 };

/* As a user who is in this group beside another one. */
static int
connected_as(uid_t uid, gid_t first, gid_t other)
{
	int fd;

	assert_int_equal(setgroups(1, &other), 0);
	assert_int_equal(setegid(first), 0);
	assert_int_equal(seteuid(uid), 0);
	fd = connected();
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
	assert_int_equal(setgroups(0, NULL), 0);
	return fd;
}

static void
let_lookers_in(void)
{
	struct admin_group group;
	struct stat st;
	char name[16];

	snprintf(name, sizeof name, "%d", LOOKERS);
	assert_int_equal(chmod(directory, 0755), 0);
	assert_true(admin_group_find(&group, name, error));
	assert_true(admin_let_look(admin, &group, error));
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(st.st_gid, LOOKERS);
}

static void
a_group_may_look_and_change_nothing(void **state)
{
	static const struct {
		gid_t first, other;
	} members[] = { { LOOKERS, NOBODY }, { NOBODY, LOOKERS } };

	(void)state;
	if (geteuid() != 0)
		SKIP("only root can become somebody else");
	let_lookers_in();
	for (size_t i = 0; i < COUNT(members); i++) {
		int fd = connected_as(NOBODY, members[i].first, members[i].other);

		assert_true(fd >= 0);
		SAY(fd, "{\"command\":\"status\"}\n");
		expect(fd, "{\"state\":\"running\",\"said\":null}\n");
		fd = connected_as(NOBODY, members[i].first, members[i].other);
		SAY(fd, "{\"command\":\"slow\"}\n");
		expect_refusal(fd, "admin-not-permitted");
		assert_null(held);
	}
	assert_int_equal(connected_as(NOBODY, NOBODY, NOBODY), -1);
	assert_int_equal(chmod(path, 0666), 0); /* as a careless operator would */
	{
		int fd = connected_as(NOBODY, NOBODY, NOBODY);

		SAY(fd, "{\"command\":\"status\"}\n");
		expect_refusal(fd, "admin-not-permitted");
	}
	assert_int_equal(questions, (int)COUNT(members));
}

static void
however_many_look_the_owner_finds_a_place(void **state)
{
	int fds[ADMIN_QUESTIONS_MOST], fd, count = ADMIN_QUESTIONS_MOST - ADMIN_PLACES_KEPT;

	(void)state;
	if (geteuid() != 0)
		SKIP("only root can become somebody else");
	let_lookers_in();
	for (int i = 0; i < count; i++) {
		fds[i] = connected_as(NOBODY, LOOKERS, LOOKERS);
		assert_true(loop_advance(loop, 0));
	}
	fd = connected_as(NOBODY, LOOKERS, LOOKERS);
	assert_true(loop_advance(loop, 0));
	expect_refusal(fd, "admin-busy");
	fd = connected();
	SAY(fd, "{\"command\":\"status\"}\n");
	expect(fd, "{\"state\":\"running\",\"said\":null}\n");
	for (int i = 0; i < count; i++)
		close(fds[i]);
	assert_true(loop_advance(loop, 0));
}

static void
a_group_that_is_not_there_is_told(void **state)
{
	struct admin_group group;
	char why[256];

	(void)state;
	assert_false(admin_group_find(&group, "no-such-group", error));
	assert_non_null(strstr(error, "no-such-group"));
	assert_true(admin_group_find(&group, NULL, error));
	assert_false(group.is_given);
	assert_true(admin_group_find(&group, "root", error));
	assert_true(group.is_given && group.id == 0);
	assert_true(admin_is_group_name("valise-admins", why));
	assert_true(admin_is_group_name("60123", why));
	assert_false(admin_is_group_name("", why));
	assert_false(admin_is_group_name("a b", why));
	assert_false(admin_is_group_name("-a", why));
}

static void
the_socket_is_its_owners_alone(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void
what_a_dead_instance_left_is_replaced_but_no_file(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct admin *other;
	struct stat st;
	int fd;

	(void)state;
	snprintf(address.sun_path, sizeof address.sun_path, "%s/y.sock", directory);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	close(fd);
	other = admin_new(loop, address.sun_path, words, "the daemon", error);
	assert_non_null(other);
	admin_free(other);
	assert_int_equal(lstat(address.sun_path, &st), -1);
	assert_int_equal(mkdir(address.sun_path, 0700), 0);
	assert_null(admin_new(loop, address.sun_path, words, "the daemon", error));
	assert_non_null(strstr(error, "y.sock: Address already in use; "));
	assert_int_equal(rmdir(address.sun_path), 0);
}

static void
a_path_that_cannot_be_is_refused_with_a_sentence(void **state)
{
	char long_path[200], open_path[128];

	(void)state;
	snprintf(long_path, sizeof long_path, "%s/%0110d", directory, 0);
	assert_null(admin_new(loop, long_path, words, NULL, error));
	assert_non_null(strstr(error, "too long for a socket"));
	assert_int_equal(admin_lock("x.sock", error), EX_CANTCREAT);
	assert_non_null(strstr(error, "not an absolute path"));
	assert_int_equal(admin_lock("/nowhere/at/all/x.sock", error), EX_CANTCREAT);
	assert_non_null(strstr(error, "/nowhere/at/all: No such file"));
	snprintf(open_path, sizeof open_path, "%s/open/x.sock", directory);
	assert_int_equal(admin_lock(open_path, error), 0);	/* makes the directory */
	snprintf(open_path, sizeof open_path, "%s/open/x.sock.lock", directory);
	assert_int_equal(unlink(open_path), 0);
	*strrchr(open_path, '/') = '\0';
	assert_int_equal(chmod(open_path, 0777), 0);
	strcat(open_path, "/x.sock");
	assert_int_equal(admin_lock(open_path, error), EX_CANTCREAT);
	assert_non_null(strstr(error, "anybody could replace"));
	*strrchr(open_path, '/') = '\0';
	assert_int_equal(rmdir(open_path), 0);
}

static void
a_second_instance_is_told_the_pid_of_the_first(void **state)
{
	char holder[64];
	int status;
	pid_t child;

	(void)state;
	assert_int_equal(admin_lock(path, error), 0);
	snprintf(holder, sizeof holder, "pid %ld", (long)getpid());
	child = fork();
	if (child == 0)
		_exit(admin_lock(path, error) == EX_UNAVAILABLE && strstr(error, holder) ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
an_answer_may_have_a_descriptor_with_it(void **state)
{
	int asked = connected(), ends[2], fd;
	char text[64] = "", byte;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	SAY(asked, "{\"command\":\"slow\"}\n");
	assert_true(loop_advance(loop, 0));
	assert_int_equal(admin_asker(held), getpid());
	admin_answer_with(held, json_pack("{s:i}", "yes", 1), ends[1]);
	assert_true(loop_advance(loop, 0));
	assert_int_equal(pass_receive(asked, text, sizeof text, &fd), 10);
	assert_string_equal(text, "{\"yes\":1}\n");
	assert_true(fd >= 0);
	close(fd);	/* the last one: nothing stays open here */
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	close(asked);
}

static void
another_process_may_go_on_listening(void **state)
{
	struct admin *other;
	int asked = connected(), fd = dup(admin_descriptor(admin)), late;
	struct stat st;

	(void)state;
	SAY(asked, "{\"command\":\"slow\"}\n");
	assert_true(loop_advance(loop, 0));
	admin_give_away(admin);
	assert_int_equal(admin_descriptor(admin), -1);
	late = connected();	/* nobody hears it yet, and nobody refuses it */
	assert_true(late >= 0);
	assert_true(loop_advance(loop, 0));
	admin_answer(held, json_pack("{s:i}", "late", 1));
	assert_true(loop_advance(loop, 0));
	assert_true(heard(asked) > 0);
	assert_null(admin_adopt(loop, dup(STDERR_FILENO), path, words, NULL, error));
	assert_null(admin_adopt(loop, dup(fd), "/somewhere/else", words, NULL, error));
	assert_non_null(strstr(error, "not what was passed"));
	other = admin_adopt(loop, fd, path, words, "the daemon", error);
	assert_non_null(other);
	admin_free(admin);
	admin = NULL;
	assert_int_equal(lstat(path, &st), 0);	/* it is the other's */
	SAY(late, "{\"command\":\"status\"}\n");
	assert_true(loop_advance(loop, 0));
	assert_true(heard(late) > 0);
	admin_free(other);
	assert_int_equal(lstat(path, &st), -1);
	close(asked);
	close(late);
}

static void
the_end_of_the_socket_frees_what_handlers_still_hold(void **state)
{
	int asked = connected(), speaking = connected();

	(void)state;
	SAY(asked, "{\"command\":\"slow\"}\n");
	SAY(speaking, "{");
	admin_free(admin);
	admin = NULL;
	assert_true(loop_advance(loop, 100000));
	assert_int_equal(heard(asked), 0);
	admin_refuse(held, "stopping", "the daemon stops", NULL);
	assert_int_equal(connected(), -1);
	close(asked);
	close(speaking);
}

#define ADMIN_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	ADMIN_TEST(a_question_gets_its_answer_and_the_connection_ends),
	ADMIN_TEST(a_question_may_come_byte_by_byte),
	ADMIN_TEST(an_answer_may_come_later),
	ADMIN_TEST(a_refusal_says_why_with_its_details),
	ADMIN_TEST(a_refusal_is_heard_whatever_it_quotes),
	ADMIN_TEST(who_never_asks_or_asks_too_slowly_is_dropped),
	ADMIN_TEST(a_handler_that_does_not_answer_is_not_waited_for),
	ADMIN_TEST(who_leaves_before_the_answer_takes_nothing_with_him),
	ADMIN_TEST(a_large_answer_is_read_in_pieces),
	ADMIN_TEST(an_answer_beyond_the_bound_is_refused),
	ADMIN_TEST(who_does_not_read_is_dropped),
	ADMIN_TEST(the_places_are_few_and_come_back),
	ADMIN_TEST(what_is_no_question_is_refused_and_the_next_one_answered),
	ADMIN_TEST(a_question_without_end_is_refused_at_its_bound),
	ADMIN_TEST(random_bytes_are_answered_or_waited_for),
	ADMIN_TEST(a_foreign_user_is_told_no_and_asks_nothing),
	ADMIN_TEST(an_answer_in_pieces_waits_for_its_reader),
	ADMIN_TEST(who_leaves_in_the_middle_is_not_told_the_rest),
	ADMIN_TEST(who_does_not_read_a_piece_is_dropped),
	ADMIN_TEST(what_is_not_told_within_its_time_is_cut_short),
	ADMIN_TEST(a_group_may_look_and_change_nothing),
	ADMIN_TEST(however_many_look_the_owner_finds_a_place),
	ADMIN_TEST(a_group_that_is_not_there_is_told),
	ADMIN_TEST(the_socket_is_its_owners_alone),
	ADMIN_TEST(what_a_dead_instance_left_is_replaced_but_no_file),
	ADMIN_TEST(a_path_that_cannot_be_is_refused_with_a_sentence),
	ADMIN_TEST(a_second_instance_is_told_the_pid_of_the_first),
	ADMIN_TEST(an_answer_may_have_a_descriptor_with_it),
	ADMIN_TEST(another_process_may_go_on_listening),
	ADMIN_TEST(the_end_of_the_socket_frees_what_handlers_still_hold),
};

RUN_TESTS("admin", tests)
