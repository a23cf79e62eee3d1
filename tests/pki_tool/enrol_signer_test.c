/* The signer as the process in front sees it: its readiness, own certificate, CRLs, and how it ends. */
#include "pki/tool/enrol_signer.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "base/pass.h"
#include "keys/key_store.h"
#include "pki/spki_pin.h"
#include "pki_tool/enrol_kit.h"

/* ---- its own certificate ---- */

static enum enrol_code
own(void)
{
	enrolment_answer(enrolment, &(struct enrol_question){ .kind = ENROL_OWN }, &answer);
	return answer.code;
}

static void
reopen(const char *host)
{
	enrolment_close(enrolment);
	options.hosts = (struct texts){ { host }, 1 };
	assert_int_equal(enrolment_open(&enrolment, &common, &options), 0);
}

static struct key_answer
ask_keys(enum key_verb verb, const char *path)
{
	static uint8_t storage[KEY_DATA_MOST];
	struct key_question question = { .verb = verb };
	struct key_answer from_keys;

	snprintf(question.path, sizeof question.path, "%s", path);
	key_store_answer(options.keys, &question, &from_keys, storage);
	return from_keys;
}

/* The key is not in the answer: the process in front has signatures made with it, and with no other. */
static bool
signs_for(struct der certificate)
{
	struct key_answer from_keys = ask_keys(KEY_OPEN, ENROL_OWN_KEY);
	char root[128];
	struct spki_pin pin;

	snprintf(root, sizeof root, "%s/private/root.key", directory);
	assert_int_equal(ask_keys(KEY_OPEN, root).code, KEY_FORBIDDEN);
	assert_int_equal(ask_keys(KEY_LOOK, root).code, KEY_FORBIDDEN);
	assert_int_equal(ask_keys(KEY_REQUEST, root).code, KEY_FORBIDDEN);
	return from_keys.code == KEY_DONE && spki_pin_of(&pin, certificate) &&
	    memcmp(from_keys.digest, pin.digest, KEY_DIGEST) == 0;
}

static void
gives_its_own_certificate_and_renews_it_in_its_last_third(void **state)
{
	struct machine mine = { 0 };

	(void)state;
	assert_int_equal(own(), ENROL_ISSUED);
	assert_string_equal(answer.name, "pki.example.net");
	assert_string_equal(answer.kind, "server");
	assert_int_equal(answer.count, 2);
	assert_true(signs_for(answer.certificates[0]));
	keep(&mine);
	set_clock(now_s + 264 * DAY);
	assert_int_equal(own(), ENROL_ISSUED);
	assert_true(has(&mine));
	set_clock(now_s + DAY);
	assert_int_equal(own(), ENROL_ISSUED);
	assert_false(has(&mine));
	assert_true(signs_for(answer.certificates[0]));
	assert_int_equal(answer.not_after, now_s + 397 * DAY);
	assert_int_equal(
	    ask("SELECT count(*) FROM certificate WHERE revoked_at IS NOT NULL"), 0);
}

static void
takes_another_own_certificate_when_it_must(void **state)
{
	struct machine mine = { 0 };

	(void)state;
	assert_int_equal(own(), ENROL_ISSUED);
	keep(&mine);
	reopen("other.example.net");
	assert_int_equal(own(), ENROL_ISSUED);
	assert_false(has(&mine));
	keep(&mine);
	assert_int_equal(run(&command_revoke, "pki.example.net", NULL), 0);
	assert_int_equal(own(), ENROL_ISSUED);
	assert_false(has(&mine));
}

static void
makes_no_more_than_ten_own_certificates_in_an_hour(void **state)
{
	static const char *const hosts[] = { "a.example.net", "b.example.net", "c.example.net" };
	int issued = 0;

	(void)state;
	for (int i = 0; i < 12; i++) {
		reopen(hosts[i % 3]);
		issued += own() == ENROL_ISSUED;
	}
	assert_int_equal(issued, 10);
	assert_int_equal(answer.code, ENROL_BROKEN);
	assert_int_equal(answer.count, 0);
	set_clock(now_s + HOUR + 1);
	assert_int_equal(own(), ENROL_ISSUED);
}

static void
gives_no_certificate_of_another_kind_for_its_own(void **state)
{
	(void)state;
	assert_int_equal(run(&command_issue, "client", "pki.example.net", NULL), 0);
	assert_int_equal(own(), ENROL_BROKEN);
	assert_int_equal(answer.count, 0);
}

/* ---- CRLs ---- */

static enum enrol_code
upkeep(void)
{
	enrolment_answer(enrolment, &(struct enrol_question){ .kind = ENROL_UPKEEP }, &answer);
	return answer.code;
}

static void
issues_crls_again_below_half_of_their_life(void **state)
{
	(void)state;
	set_clock(now_s + 7 * DAY - 1);
	assert_int_equal(upkeep(), ENROL_ISSUED);
	assert_int_equal(ask("SELECT sum(crl_number) FROM ca"), 5);
	set_clock(now_s + 1);
	assert_int_equal(upkeep(), ENROL_ISSUED);
	assert_int_equal(ask("SELECT sum(crl_number) FROM ca"), 10);
	assert_int_equal(upkeep(), ENROL_ISSUED);
	assert_int_equal(ask("SELECT sum(crl_number) FROM ca"), 10);
	assert_int_equal(run(&command_check, NULL), 0);
}

static void
does_without_the_key_of_the_root(void **state)
{
	struct machine site = new_agent();
	char path[128], elsewhere[128];

	(void)state;
	snprintf(path, sizeof path, "%s/private/root.key", directory);
	snprintf(elsewhere, sizeof elsewhere, "%s/away", directory);
	assert_int_equal(rename(path, elsewhere), 0);
	set_clock(now_s + 8 * DAY);
	assert_int_equal(upkeep(), ENROL_ISSUED);
	assert_int_equal(ask("SELECT sum(crl_number) FROM ca"), 9);
	assert_int_equal(again(&site, &site), ENROL_ISSUED);
	assert_int_equal(rename(elsewhere, path), 0);
	set_clock(now_s + HOUR);
	assert_int_equal(upkeep(), ENROL_ISSUED);
	assert_int_equal(ask("SELECT sum(crl_number) FROM ca"), 10);
	free_machines(&site, 1);
}

/* ---- the process ---- */

struct child {
	pid_t pid;
	int fd;
};

static struct child
start(void)
{
	struct child child;
	int pair[2], keys[2];

	enrolment_close(enrolment); /* SQLite's must not be open in two processes */
	enrolment = NULL;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_true(pass_pair(keys));
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		close(pair[0]);
		close(keys[0]);
		_exit(enrol_signer_run(pair[1], keys[1], &common, &options));
	}
	close(pair[1]);
	close(keys[0]);
	close(keys[1]);
	child.fd = pair[0];
	return child;
}

static bool
hear(const struct child *child)
{
	static uint8_t packet[ENROL_MESSAGE_BYTES];
	ssize_t got = recv(child->fd, packet, sizeof packet, 0);

	return got > 0 && enrol_answer_decode(cursor_over(packet, (size_t)got), &answer);
}

static void
send_question(const struct child *child, const struct enrol_question *question)
{
	static uint8_t packet[ENROL_MESSAGE_BYTES];
	struct writer out = writer_over(packet, sizeof packet);

	assert_true(enrol_question_encode(question, &out));
	assert_int_equal(send(child->fd, packet, out.bytes, MSG_NOSIGNAL), out.bytes);
}

static int
end_of(struct child *child)
{
	int status;

	close(child->fd);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static struct enrol_question
question_of(const struct invited *invited, const struct csr *csr)
{
	struct enrol_question question = { .kind = ENROL_FIRST,
		.csr = { csr->data, csr->bytes },
		.from = "192.0.2.1:4711" };

	snprintf(question.user, sizeof question.user, "%s", invited->handle);
	snprintf(question.password, sizeof question.password, "%s", invited->secret);
	return question;
}

static void
says_that_it_is_ready_answers_and_ends_with_the_front(void **state)
{
	struct invited invited = invite("agent", "site", "app.example.com", NULL);
	struct machine host = new_machine();
	struct csr csr = request_of(&host, &(struct csr_contents){ 0 });
	struct enrol_question question = question_of(&invited, &csr);
	struct child child = start();

	(void)state;
	assert_true(hear(&child));
	assert_int_equal(answer.code, ENROL_ISSUED);
	assert_int_equal(answer.count, 0);
	send_question(&child, &question);
	assert_true(hear(&child));
	assert_int_equal(answer.code, ENROL_ISSUED);
	assert_int_equal(answer.count, 2);
	assert_int_equal(end_of(&child), 0);
	free_machines(&host, 1);
}

static void
ends_at_what_is_no_question(void **state)
{
	static const uint8_t junk[64] = { 9 };
	struct child child = start();

	(void)state;
	assert_true(hear(&child));
	assert_int_equal(send(child.fd, junk, sizeof junk, 0), sizeof junk);
	assert_false(hear(&child));
	assert_int_equal(end_of(&child), EX_PROTOCOL);
}

static void
says_nothing_where_it_cannot_start(void **state)
{
	struct child child;
	char path[128];

	(void)state;
	snprintf(path, sizeof path, "%s/private/agents.key", directory);
	assert_int_equal(unlink(path), 0);
	child = start();
	assert_false(hear(&child));
	assert_int_equal(end_of(&child), EX_NOINPUT);
}

int
main(void)
{
#define WITH_AUTHORITY(test) \
	cmocka_unit_test_setup_teardown(test, make_authority, remove_authority)
	const struct CMUnitTest tests[] = {
		WITH_AUTHORITY(gives_its_own_certificate_and_renews_it_in_its_last_third),
		WITH_AUTHORITY(takes_another_own_certificate_when_it_must),
		WITH_AUTHORITY(makes_no_more_than_ten_own_certificates_in_an_hour),
		WITH_AUTHORITY(gives_no_certificate_of_another_kind_for_its_own),
		WITH_AUTHORITY(issues_crls_again_below_half_of_their_life),
		WITH_AUTHORITY(does_without_the_key_of_the_root),
		WITH_AUTHORITY(says_that_it_is_ready_answers_and_ends_with_the_front),
		WITH_AUTHORITY(ends_at_what_is_no_question),
		WITH_AUTHORITY(says_nothing_where_it_cannot_start),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
