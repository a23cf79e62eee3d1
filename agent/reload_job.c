/*
 * A reload of the configuration while the agent goes on:
 *
 *	the thread loads --> the loop puts it in force --> the thread warns and frees the old --> over
 *
 * In all that time nobody else replaces what is in force.  The old is freed a little later, when the workers
 * have let go of it, so that not one of them is the last.
 */
#include "agent/reload_private.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"

enum { LET_GO_MS = 100 };

struct agent_reload_job {
	struct question question;
	struct timer let_go;
	struct agent_live *live;
	struct agent_loaded loaded;
	struct agent_reload_requests requests;
	bool is_fine;
};

static void start(struct agent_live *);

void
agent_reload_init(
    struct agent_live *live, void (*on_reload)(void *arg, bool is_over), void *on_reload_arg)
{
	STAILQ_INIT(&live->requests);
	live->on_reload = on_reload;
	live->on_reload_arg = on_reload_arg;
}

/* ---- who has asked ---- */

static void
tell_each(void *arg, const char *sentence)
{
	const struct agent_reload_requests *requests = arg;
	struct agent_reload_request *request;

	STAILQ_FOREACH(request, requests, link)
		if (request->asker)
			request->asker->on_mistake(request->asker->arg, sentence);
}

static void
answer(struct agent_reload_requests *requests, bool is_fine)
{
	struct agent_reload_request *first;

	while ((first = STAILQ_FIRST(requests))) {
		STAILQ_REMOVE_HEAD(requests, link);
		first->on_done(first->arg, is_fine);
	}
}

/* ---- the thread ---- */

static void
run(void *arg, struct loop *loop)
{
	(void)arg;
	loop_run(loop);
}

static void
load(void *data)
{
	struct agent_reload_job *job = data;

	agent_reload_load(job->live, &job->loaded);
}

static void
tidy(void *data)
{
	struct agent_reload_job *job = data;

	if (job->is_fine)
		agent_reload_warn_endpoints(&job->live->settings);
	agent_reload_wipe(&job->loaded);
}

/* ---- the loop ---- */

static void
on_tidied(void *data)
{
	struct agent_reload_job *job = data;
	struct agent_live *live = job->live;

	free(job);
	live->job = NULL;
	if (live->loader && (live->is_signalled || !STAILQ_EMPTY(&live->requests)))
		start(live);
}

static void
on_let_go(void *arg)
{
	struct agent_reload_job *job = arg;

	loop_ask(thread_loop(job->live->loader), &job->question, tidy, job, job->live->context.loop,
	    on_tidied);
}

static void
on_loaded(void *data)
{
	struct agent_reload_job *job = data;
	struct agent_live *live = job->live;
	const struct reload_asker each = { tell_each, &job->requests };

	if (live->is_draining)
		agent_reload_drop(&job->loaded);
	else
		job->is_fine = agent_reload_take(live, &job->loaded, &each);
	answer(&job->requests, job->is_fine);
	if (!live->loader) {
		agent_reload_wipe(&job->loaded);
		on_tidied(job);
		return;
	}
	live->on_reload(live->on_reload_arg, true);
	timer_init(&job->let_go, live->context.loop, on_let_go, job);
	timer_set(&job->let_go, LET_GO_MS);
}

/* Memory is short, or a thread: so the loop does it. */
static void
reload_here(struct agent_live *live, struct agent_reload_requests *requests)
{
	const struct reload_asker each = { tell_each, requests };
	bool is_fine = agent_reload_settings(live, &each);

	answer(requests, is_fine);
	live->on_reload(live->on_reload_arg, true);
}

static void
start(struct agent_live *live)
{
	struct agent_reload_requests requests = STAILQ_HEAD_INITIALIZER(requests);
	struct agent_reload_job *job = live->config_path ? calloc(1, sizeof *job) : NULL;

	STAILQ_CONCAT(&requests, &live->requests);
	live->is_signalled = false;
	live->on_reload(live->on_reload_arg, false);
	if (job && !live->loader)
		live->loader = thread_start("reload", run, NULL);
	if (!job || !live->loader) {
		free(job);
		reload_here(live, &requests);
		return;
	}
	STAILQ_INIT(&job->requests);
	STAILQ_CONCAT(&job->requests, &requests);
	job->live = live;
	live->job = job;
	loop_ask(
	    thread_loop(live->loader), &job->question, load, job, live->context.loop, on_loaded);
}

void
agent_reload_begin(struct agent_live *live, struct agent_reload_request *request)
{
	if (request)
		STAILQ_INSERT_TAIL(&live->requests, request, link);
	else
		live->is_signalled = true;
	if (!live->job)
		start(live);
}

void
agent_reload_stop(struct agent_live *live)
{
	struct thread *loader = live->loader;

	if (!loader)
		return;
	live->is_draining = true;
	live->loader = NULL;
	loop_stop(thread_loop(loader));
	thread_join(loader);
	if (live->job && live->job->let_go.armed) {
		timer_clear(&live->job->let_go);
		agent_reload_wipe(&live->job->loaded);
		on_tidied(live->job);
	}
	answer(&live->requests, false);
}
