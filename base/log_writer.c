/*
 * The ring that threads put their lines into, and the thread that writes them to standard error.
 *
 * The ring holds lines, each behind its head.  Producers copy a finished line in, the writer copies
 * lines out, both under the lock; it writes them outside it, so nobody waits for standard error but
 * the writer.  As many lines as are whole in PIPE_BUF bytes go with one write(), which a pipe takes
 * without mixing them with those of other processes.
 *
 * Waking the writer costs more than building a line, so it rests after it has written: the lines of
 * that time go together, and their producers wake nobody.  An audit event, and a line that comes
 * after a rest in which there was none, are written at once.
 *
 * What cannot be written, because a disk is full as a rule, stays in the ring and is tried again each second;
 * a ring that is full drops what comes, as where nobody reads.  A line of which a part has gone out is
 * written once more, behind an end of that part.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/log_private.h"
#include "base/process.h"

enum {
	TELL_MS = 1000,       /* how often the number of dropped lines is told */
	LIMIT_MS = 1000,      /* how often windows of the limit are looked at */
	RETRY_MS = 1000,      /* after a write that has failed */
	REST_MS = 10,         /* between two writes, while ordinary lines gather */
	REST_BYTES = 1 << 20, /* in the ring: the rest is over */
	STOP_MS = 1000,
	CRASH_STEPS = 100,
	CRASH_STEP_MS = STOP_MS / CRASH_STEPS,
};

/* DIRECT: each line is written by who has it. HELD: lines wait in the ring for a writer to start.
 * STUCK: given up for ever, lines are dropped. */
enum mode { DIRECT, HELD, RUNNING, STUCK };

struct losses {
	uint64_t lines, audit_lines;
};

static struct log_thread {
	pthread_mutex_t lock;
	pthread_cond_t work, over;
	pthread_t thread;
	enum mode mode;
	bool is_stopping, is_over;
	bool has_written; /* since it rested */
	bool is_resting;  /* until its time is over; what is urgent wakes it */
	bool is_idle;     /* whoever has a line wakes it */
	atomic_bool has_new_footer;
	char footer[LOG_FOOTER];
	struct losses losses; /* not told yet */
	uint64_t tell_ms;     /* not before */
	uint64_t limit_ms;    /* when windows of the limit are looked at next */
	uint64_t retry_ms;    /* no write before; 0: the last one was fine */
	struct log_ring ring;
} writer = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.work = PTHREAD_COND_INITIALIZER,
	.over = PTHREAD_COND_INITIALIZER };

/* For a thread that may not take the lock, because it crashes. */
static atomic_bool has_work;
static atomic_int writer_tid;
/* log_lost() */
static _Atomic uint64_t dropped, dropped_audit, suppressed_lines;

/* This is not the time of base/clock, which tests may stop: the kernel is told to wait until
 * then. */
static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* False when somebody else has ended the wait before that. */
static bool
wait_until(pthread_cond_t *condition, uint64_t ms)
{
	const struct timespec at = { .tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000) * 1000000 };

	return pthread_cond_clockwait(condition, &writer.lock, CLOCK_MONOTONIC, &at) == ETIMEDOUT;
}

/* ---- lines in and out of the ring, under the lock ---- */

static void
count_loss(struct losses *losses, bool is_audit)
{
	(*(is_audit ? &losses->audit_lines : &losses->lines))++;
	atomic_fetch_add(is_audit ? &dropped_audit : &dropped, 1);
}

/* Nobody can have what is in the ring. */
static void
drop_all(void)
{
	while (writer.ring.used > 0)
		count_loss(&writer.losses, log_ring_drop_first(&writer.ring));
}

static void
add_losses(const struct losses *losses)
{
	writer.losses.lines += losses->lines;
	writer.losses.audit_lines += losses->audit_lines;
}

/* Whether the writer is to be woken for a line that was put; true once, and it is awake. */
static bool
must_wake(bool is_audit)
{
	bool is_urgent = is_audit || writer.ring.used >= REST_BYTES;

	if (!writer.is_idle && !(writer.is_resting && is_urgent))
		return false;
	writer.is_idle = writer.is_resting = false;
	return true;
}

/* True: the writer is to be woken. */
static bool
put_line(const char *text, uint16_t bytes, bool is_audit)
{
	if (!log_ring_put(&writer.ring, text, bytes, is_audit)) {
		count_loss(&writer.losses, is_audit);
		return false;
	}
	atomic_store(&has_work, true);
	return must_wake(is_audit);
}

/* ---- the writer ---- */

static bool
has_losses(void)
{
	return writer.losses.lines > 0 || writer.losses.audit_lines > 0;
}

/* What is left when we stop has had its last try. */
static void
note_failure(void)
{
	writer.retry_ms = now_ms() + RETRY_MS;
	if (writer.is_stopping)
		drop_all();
}

/* It is put back when there is nothing more to write. */
static size_t
write_above_footer(const struct log_line *line)
{
	if (log_output_take_footer())
		writer.has_new_footer = true;
	return log_output_write(line->text, line->bytes);
}

/* These unlock for the time of the write. */
static void
write_lines(struct log_line *out)
{
	size_t done;

	log_ring_copy(&writer.ring, out);
	pthread_mutex_unlock(&writer.lock);
	done = write_above_footer(out);
	pthread_mutex_lock(&writer.lock);
	writer.has_written = true;
	writer.retry_ms = 0;
	log_ring_drop(&writer.ring, done);
	if (done < out->bytes)
		note_failure();
}

static void
show_footer(void)
{
	char footer[LOG_FOOTER];

	memcpy(footer, writer.footer, sizeof footer);
	writer.has_new_footer = false;
	pthread_mutex_unlock(&writer.lock);
	log_output_take_footer();
	log_output_put_footer(footer);
	pthread_mutex_lock(&writer.lock);
}

static void
tell_losses(struct log_line *out)
{
	struct losses losses = writer.losses;
	bool is_written;

	writer.losses = (struct losses){ 0 };
	writer.tell_ms = now_ms() + TELL_MS;
	pthread_mutex_unlock(&writer.lock);
	log_build(out, LOG_WARNING, "log-lines-dropped",
	    "nobody reads the log fast enough, or its disk is full",
	    (const struct log_field[]){ log_u64("lines", losses.lines + losses.audit_lines),
		log_u64("audit_lines", losses.audit_lines), { 0 } });
	is_written = write_above_footer(out) == out->bytes;
	pthread_mutex_lock(&writer.lock);
	if (!is_written)
		add_losses(&losses);
}

static void
tell_limit(void)
{
	writer.limit_ms = now_ms() + LIMIT_MS;
	pthread_mutex_unlock(&writer.lock);
	log_tell_suppressed(LOG_LIMIT_WINDOWS, false);
	pthread_mutex_lock(&writer.lock);
}

static bool
is_limit_due(void)
{
	return log_limit_is_open() && now_ms() >= writer.limit_ms;
}

/* Until the next try, or until we stop. */
static void
wait_for_room(void)
{
	while (!writer.is_stopping && !wait_until(&writer.work, writer.retry_ms))
		;
	writer.retry_ms = 0;
}

/* The ring is empty. */
static void
rest(void)
{
	uint64_t until_ms = now_ms() + REST_MS;

	atomic_store(&has_work, false);
	writer.is_resting = true;
	while (writer.is_resting && !writer.is_stopping && !wait_until(&writer.work, until_ms))
		;
	writer.is_resting = writer.has_written = false;
}

static void
wait_for_work(void)
{
	uint64_t until_ms = UINT64_MAX;

	atomic_store(&has_work, false);
	writer.is_idle = true;
	if (has_losses())
		until_ms = writer.tell_ms;
	if (log_limit_is_open() && writer.limit_ms < until_ms)
		until_ms = writer.limit_ms;
	if (until_ms != UINT64_MAX)
		wait_until(&writer.work, until_ms);
	else
		pthread_cond_wait(&writer.work, &writer.lock);
	writer.is_idle = false;
}

static void *
run(void *unused)
{
	struct log_line out;
	bool was_told = false;

	pthread_setname_np(pthread_self(), "log"); /* for another thread it would open a file */
	atomic_store(&writer_tid, gettid());
	pthread_mutex_lock(&writer.lock);
	while (!writer.is_stopping || writer.ring.used > 0 || writer.has_new_footer ||
	    (has_losses() && !was_told)) {
		bool is_last = writer.is_stopping && writer.ring.used == 0;

		if (has_losses() && (is_last || now_ms() >= writer.tell_ms)) {
			tell_losses(&out);
			was_told = is_last;
		} else if (is_limit_due()) {
			tell_limit();
		} else if (writer.ring.used > 0 && writer.retry_ms > 0) {
			wait_for_room();
		} else if (writer.ring.used > 0) {
			write_lines(&out);
		} else if (writer.has_new_footer) {
			show_footer();
		} else if (writer.has_written) {
			rest();
		} else {
			wait_for_work();
		}
	}
	atomic_store(&has_work, false);
	writer.is_over = true;
	pthread_cond_signal(&writer.over);
	pthread_mutex_unlock(&writer.lock);
	return unused;
}

/* ---- crashes and forks ---- */

/* Without a writer: what is in the ring, as long as standard error takes it within the time (-1:
 * whenever it does), and each line from now on. */
static void
write_held(int patience_ms)
{
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };
	struct log_line out;

	while (writer.ring.used > 0 && poll(&room, 1, patience_ms) > 0) {
		log_ring_copy(&writer.ring, &out);
		log_output_write(out.text, out.bytes);
		log_ring_drop(&writer.ring, out.bytes);
	}
	atomic_store(&has_work, false);
	writer.mode = DIRECT;
}

/* The writer is another thread and goes on; it gets a second for what was said before the end.  Where it
 * has not started there is no other thread. */
static void
on_crash(int number)
{
	const struct timespec step = { .tv_nsec = CRASH_STEP_MS * 1000000L };

	if (writer.mode == HELD)
		write_held(STOP_MS);
	for (int i = 0; i < CRASH_STEPS && atomic_load(&has_work); i++) {
		if (gettid() == atomic_load(&writer_tid))
			break;
		nanosleep(&step, NULL);
	}
	raise(number);
}

/* Each signal is handled once: one that comes meanwhile ends the process. The handlers of
 * sanitizers stay. */
static void
watch_crashes(void)
{
	struct sigaction before,
	    action = { .sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND | SA_NODEFER };

	for (int i = 0; i < PROCESS_FAULTS; i++) {
		if (sigaction(process_faults[i], NULL, &before) == 0 &&
		    before.sa_handler == SIG_DFL)
			sigaction(process_faults[i], &action, NULL);
	}
}

/* What assert(3) calls in the C library, for our asserts and for those of libraries: its own would
 * write to standard error itself, and a program with a fault would hang where nobody reads that. */
void
__assert_fail(const char *claim, const char *file, unsigned line, const char *function)
{
	struct log_line out;
	char sentence[512];

	snprintf(sentence, sizeof sentence, "%s:%u: %s: Assertion `%s' failed", file, line,
	    function ? function : "?", claim);
	log_build(&out, LOG_ERROR, "assertion-failed", sentence, &(const struct log_field){ 0 });
	log_put(out.text, out.bytes, false);
	abort();
}

static void
lock_for_fork(void)
{
	log_limit_lock();
	log_recent_lock();
	pthread_mutex_lock(&writer.lock);
}

static void
unlock_after_fork(void)
{
	pthread_mutex_unlock(&writer.lock);
	log_recent_unlock();
	log_limit_unlock();
}

/* A child has no writer, and the lines of its parent are not its own. */
static void
leave_parent(void)
{
	writer.mode = DIRECT;
	writer.work = writer.over = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	writer.has_written = writer.is_resting = writer.is_idle = false;
	log_ring_clear(&writer.ring);
	writer.losses = (struct losses){ 0 };
	atomic_store(&has_work, false);
	pthread_mutex_unlock(&writer.lock);
	log_recent_unlock();
	log_limit_leave_parent();
}

static void
watch_process(void)
{
	pthread_atfork(lock_for_fork, unlock_after_fork, leave_parent);
}

/* ---- from outside ---- */

static bool
start_thread(void)
{
	sigset_t before;
	bool is_made;

	process_block_signals(&before);
	is_made = pthread_create(&writer.thread, NULL, run, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return is_made;
}

static void
watch(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch_process);
	watch_crashes();
}

void
log_hold(void)
{
	watch();
	pthread_mutex_lock(&writer.lock);
	if (writer.mode == DIRECT)
		writer.mode = HELD;
	pthread_mutex_unlock(&writer.lock);
}

bool
log_start(void)
{
	bool is_running;

	watch();
	pthread_mutex_lock(&writer.lock);
	writer.is_stopping = writer.is_over = false;
	writer.retry_ms = 0;
	if ((writer.mode == DIRECT || writer.mode == HELD) && start_thread())
		writer.mode = RUNNING;
	else if (writer.mode == HELD)
		write_held(-1);
	is_running = writer.mode == RUNNING;
	pthread_mutex_unlock(&writer.lock);
	return is_running;
}

void
log_stop(void)
{
	uint64_t deadline_ms = now_ms() + STOP_MS;
	bool is_late = false, is_over;

	log_tell_suppressed(2 * LOG_LIMIT_WINDOWS, true); /* what ends may open a shared one */
	if (writer.mode == HELD)
		log_start(); /* the program ends before it has started */
	pthread_mutex_lock(&writer.lock);
	if (writer.mode != RUNNING) {
		pthread_mutex_unlock(&writer.lock);
		return;
	}
	writer.is_stopping = true;
	pthread_cond_signal(&writer.work);
	while (!writer.is_over && !is_late)
		is_late = wait_until(&writer.over, deadline_ms);
	is_over = writer.is_over;
	writer.mode = is_over ? DIRECT : STUCK;
	pthread_mutex_unlock(&writer.lock);
	if (is_over)
		pthread_join(writer.thread, NULL);
	else
		pthread_detach(writer.thread);
}

void
log_put(const char *text, size_t bytes, bool is_audit)
{
	bool wakes = false;
	enum mode mode;

	pthread_mutex_lock(&writer.lock);
	mode = writer.mode;
	if (mode == RUNNING || mode == HELD)
		wakes = put_line(text, (uint16_t)bytes, is_audit);
	pthread_mutex_unlock(&writer.lock);
	if (wakes)
		pthread_cond_signal(&writer.work);
	/* Nobody is left to be told when standard error is gone. */
	if (mode == DIRECT)
		log_output_write(text, bytes);
}

void
log_footer(const char *text)
{
	bool wakes = false;

	pthread_mutex_lock(&writer.lock);
	if (writer.mode == RUNNING && log_columns() > 0 && strcmp(writer.footer, text) != 0) {
		snprintf(writer.footer, sizeof writer.footer, "%s", text);
		writer.has_new_footer = wakes = true;
		writer.is_idle = writer.is_resting = false;
	}
	pthread_mutex_unlock(&writer.lock);
	if (wakes)
		pthread_cond_signal(&writer.work);
}

void
log_put_suppressed(const struct log_suppressed *suppressed)
{
	bool is_of_all = suppressed->block.family == AF_UNSPEC;
	char sentence[64], block[PREFIX_TEXT];
	struct log_line line;

	if (suppressed->lines == 0)
		return;
	atomic_fetch_add(&suppressed_lines, suppressed->lines);
	snprintf(sentence, sizeof sentence, "%" PRIu64 " suppressed", suppressed->lines);
	log_build(&line, suppressed->level, "log-lines-suppressed", sentence,
	    (const struct log_field[]){ log_str("of", suppressed->event),
		log_str("clients", is_of_all ? NULL : prefix_text(&suppressed->block, block)),
		log_u64("lines", suppressed->lines), { 0 } });
	log_put(line.text, line.bytes, false);
}

void
log_tell_suppressed(unsigned most, bool all)
{
	struct log_suppressed suppressed;

	for (unsigned i = 0; i < most && log_limit_end_first(all, &suppressed); i++)
		log_put_suppressed(&suppressed);
}

struct log_lost
log_lost(void)
{
	return (struct log_lost){ .dropped = atomic_load(&dropped),
		.dropped_audit = atomic_load(&dropped_audit),
		.suppressed = atomic_load(&suppressed_lines) };
}
