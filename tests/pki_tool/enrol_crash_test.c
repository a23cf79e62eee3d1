/*
 * A signer that dies before any of the calls by which it changes a file: certificate and invitation are
 * settled both or not at all, and the same key gets its certificate from the next one.
 */
#include "pki/tool/enrolment.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>

#include "pki_tool/enrol_kit.h"

/* ---- the calls, of SQLite's, too ---- */

static long calls_left; /* 0: nobody dies */

static void
count(void)
{
	if (calls_left > 0 && --calls_left == 0)
		kill(getpid(), SIGKILL);
}

#define STAND_BEFORE(type, name, parameters, ...) \
	type name parameters; \
	type name parameters \
	{ \
		type(*next) parameters; \
		*(void **)&next = dlsym(RTLD_NEXT, #name); \
		count(); \
		return next(__VA_ARGS__); \
	}

STAND_BEFORE(int, rename, (const char *from, const char *to), from, to)
STAND_BEFORE(int, fsync, (int fd), fd)
STAND_BEFORE(int, fdatasync, (int fd), fd)
STAND_BEFORE(int, fchmod, (int fd, mode_t mode), fd, mode)
STAND_BEFORE(ssize_t, write, (int fd, const void *data, size_t bytes), fd, data, bytes)
STAND_BEFORE(ssize_t, pwrite64, (int fd, const void *data, size_t bytes, off_t at), fd, data, bytes,
    at)

/* ---- the deaths ---- */

/* In a process of its own, which dies before this call; 0: it does not, and exits with the answer's code. */
static bool
dies(long at, const struct machine *host, enum enrol_code (*asks)(const struct machine *, void *), void *arg)
{
	int status;
	pid_t child;

	enrolment_close(enrolment); /* SQLite's must not be open in two processes */
	enrolment = NULL;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (enrolment_open(&enrolment, &common, &options))
			_exit(70);
		calls_left = at;
		_exit((int)asks(host, arg));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(enrolment_open(&enrolment, &common, &options), 0);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), ENROL_ISSUED);
	return WIFSIGNALED(status);
}

static enum enrol_code
ask_first(const struct machine *host, void *invited)
{
	return first(host, invited);
}

static enum enrol_code
ask_again(const struct machine *next, void *host)
{
	return again(host, next);
}

static void
settles_an_invitation_as_a_whole_wherever_it_dies(void **state)
{
	bool dead = true;
	long deaths = 0;

	(void)state;
	for (long at = 1; dead; at++) {
		struct machine host = new_machine();
		char name[16], site[64];
		struct invited invited;
		int64_t used, issued;

		snprintf(name, sizeof name, "site%ld", at);
		snprintf(site, sizeof site, "%s.example.com", name);
		invited = invite("agent", name, site, NULL);
		dead = dies(at, &host, ask_first, &invited);
		deaths += dead;
		used = ask("SELECT count(*) FROM invitation WHERE used_at IS NOT NULL");
		issued = ask("SELECT count(*) FROM certificate WHERE kind = 'agent'");
		assert_int_equal(used, issued);
		assert_int_equal(first(&host, &invited), ENROL_ISSUED);
		assert_int_equal(
		    ask("SELECT count(*) FROM certificate WHERE kind = 'agent'"), at);
		free_machines(&host, 1);
	}
	assert_in_range(deaths, 8, 200);
	assert_int_equal(run(&command_check, NULL), 0);
}

static void
renews_once_wherever_it_dies(void **state)
{
	struct machine old = new_agent();
	bool dead = true;
	long deaths = 0;

	(void)state;
	options.signatures_per_hour = 100000; /* one name has a hundredth */
	for (long at = 1; dead; at++) {
		struct machine next = new_machine();

		dead = dies(at, &next, ask_again, &old);
		deaths += dead;
		assert_int_equal(again(&old, &next), ENROL_ISSUED);
		keep(&next);
		assert_int_equal(
		    ask("SELECT count(*) FROM certificate WHERE kind = 'agent'"), at + 1);
		free_machines(&old, 1);
		old = next;
	}
	free_machines(&old, 1);
	assert_in_range(deaths, 8, 200);
	assert_int_equal(run(&command_check, NULL), 0);
}

int
main(void)
{
#define WITH_AUTHORITY(test) \
	cmocka_unit_test_setup_teardown(test, make_authority, remove_authority)
	const struct CMUnitTest tests[] = {
		WITH_AUTHORITY(settles_an_invitation_as_a_whole_wherever_it_dies),
		WITH_AUTHORITY(renews_once_wherever_it_dies),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
