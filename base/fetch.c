/* A fetch on its way: from a loop by the resolver to the thread that libcurl works in, and back. */
#include "base/fetch.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/fetch_private.h"
#include "base/log.h"
#include "base/resolver.h"
#include "base/secret.h"
#include "base/thread.h"
#include "base/units.h"

enum { IDLE_MS = 60000 }; /* libcurl's own times come before that */

struct fetcher {
	struct resolver *resolver;
	CURLM *multi;
	struct thread *thread; /* NULL: nothing was fetched yet */
	pthread_mutex_t lock;  /* for what follows, and the fetches' stages */
	struct fetch_list arriving;
	unsigned count; /* that are not answered yet */
	bool is_ending;
	struct fetch_list travelling; /* the thread's own */
};

/* Under the lock, or where nobody else knows the fetch. */
static void
move(struct fetch *fetch, enum fetch_stage to)
{
	static const unsigned may_move[FETCH_STAGES] = {
		[FETCH_RESOLVING] = 1u << FETCH_TRAVELLING | 1u << FETCH_DONE,
		[FETCH_TRAVELLING] = 1u << FETCH_DONE,
		[FETCH_DONE] = 1u << FETCH_OVER,
	};
	static const char *const stage_name[FETCH_STAGES] = { "resolving", "travelling", "answered",
		"over" };

	assert(may_move[fetch->stage] & 1u << to);
	log_move("fetch", log_object("fetch", fetch), stage_name[fetch->stage], stage_name[to]);
	fetch->stage = to;
}

void
fetch_fail(struct fetch *fetch, enum fetch_outcome outcome, const char *format, ...)
{
	char text[FETCH_ERROR], url[FETCH_URL];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	log_quote(url, sizeof url, fetch->url ? fetch->url : "",
	    fetch->url ? (unsigned)strnlen(fetch->url, sizeof url) : 0);
	snprintf(fetch->error, sizeof fetch->error, "%.300s: %.600s", url, text);
	fetch->outcome = outcome;
}

/* ---- the answer, on the loop ---- */

/* Nobody else knows it any more. */
static void
fetch_free(struct fetch *fetch)
{
	fetch_request_wipe(fetch);
	fetch_buffer_wipe(&fetch->headers);
	fetch_buffer_wipe(&fetch->body);
	fetch_buffer_wipe(&fetch->chain);
	free(fetch);
}

static void
tell(struct fetch *fetch)
{
	bool is_answered = fetch->outcome == FETCH_ANSWERED;
	const struct fetch_answer answer = {
		.outcome = fetch->outcome,
		.error = is_answered ? NULL : fetch->error,
		.status = is_answered ? fetch->status : 0,
		.url = fetch->url,
		.headers = fetch->headers.data,
		.body = fetch->body.data ? fetch->body.data : "",
		.body_bytes = fetch->body.bytes,
		.chain = fetch->chain.data,
	};

	fetch->fn(fetch->arg, &answer);
}

/* The fetcher may be gone. */
static void
deliver(void *data)
{
	struct fetch *fetch = data;

	if (!fetch->is_cancelled) {
		move(fetch, FETCH_OVER);
		tell(fetch);
	}
	fetch_free(fetch);
}

static void
leave(struct fetcher *fetcher)
{
	pthread_mutex_lock(&fetcher->lock);
	fetcher->count--;
	pthread_mutex_unlock(&fetcher->lock);
}

/* What has failed before the thread knew of it. */
static void
deliver_here(struct fetch *fetch)
{
	leave(fetch->fetcher);
	move(fetch, FETCH_DONE);
	deliver(fetch);
}

/* ---- the thread ---- */

/* It is in no list any more.  The answer goes to the loop under the lock, because who cancels may free the
 * loop next. */
static void
finish(struct fetcher *fetcher, struct fetch *fetch)
{
	bool is_cancelled;

	fetch_transfer_wipe(fetch, fetcher->multi);
	pthread_mutex_lock(&fetcher->lock);
	fetcher->count--;
	is_cancelled = fetch->is_cancelled;
	if (!is_cancelled) {
		move(fetch, FETCH_DONE);
		loop_call(fetch->loop, &fetch->call, deliver, fetch);
	}
	pthread_mutex_unlock(&fetcher->lock);
	if (is_cancelled)
		fetch_free(fetch);
}

/* False: it is the end. */
static bool
look(struct fetcher *fetcher, struct fetch_list *fresh, struct fetch_list *gone)
{
	struct fetch *fetch, *next;
	bool is_ending;

	pthread_mutex_lock(&fetcher->lock);
	is_ending = fetcher->is_ending;
	for (fetch = TAILQ_FIRST(&fetcher->travelling); fetch; fetch = next) {
		next = TAILQ_NEXT(fetch, link);
		if (!fetch->is_cancelled)
			continue;
		TAILQ_REMOVE(&fetcher->travelling, fetch, link);
		TAILQ_INSERT_TAIL(gone, fetch, link);
	}
	TAILQ_CONCAT(fresh, &fetcher->arriving, link);
	pthread_mutex_unlock(&fetcher->lock);
	return !is_ending;
}

/* Drops those that were cancelled, and takes in those that have come. */
static bool
take(struct fetcher *fetcher)
{
	struct fetch_list fresh = TAILQ_HEAD_INITIALIZER(fresh),
			  gone = TAILQ_HEAD_INITIALIZER(gone);
	bool goes_on = look(fetcher, &fresh, &gone);
	struct fetch *fetch;

	while ((fetch = TAILQ_FIRST(&gone))) {
		TAILQ_REMOVE(&gone, fetch, link);
		finish(fetcher, fetch);
	}
	while ((fetch = TAILQ_FIRST(&fresh))) {
		TAILQ_REMOVE(&fresh, fetch, link);
		if (fetch_transfer_begin(fetch, fetcher->multi))
			TAILQ_INSERT_TAIL(&fetcher->travelling, fetch, link);
		else
			finish(fetcher, fetch);
	}
	return goes_on;
}

static void
end_some(struct fetcher *fetcher)
{
	struct fetch *fetch;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(fetcher->multi, &left))) {
		char *private = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		fetch = (void *)private;
		if (!fetch_transfer_end(fetch, fetcher->multi, (int)message->data.result))
			continue;
		TAILQ_REMOVE(&fetcher->travelling, fetch, link);
		finish(fetcher, fetch);
	}
}

static void
run(void *arg, struct loop *loop)
{
	struct fetcher *fetcher = arg;
	int ignored;

	(void)loop;
	while (take(fetcher)) {
		curl_multi_perform(fetcher->multi, &ignored);
		end_some(fetcher);
		curl_multi_poll(fetcher->multi, NULL, 0, IDLE_MS, NULL);
	}
}

/* ---- from the loop to the thread ---- */

static bool
start_thread(struct fetcher *fetcher)
{
	if (fetcher->thread)
		return true;
	if (!fetcher->multi && (!fetch_transfer_init() || !(fetcher->multi = curl_multi_init())))
		return false;
	fetcher->thread = thread_start("fetch", run, fetcher);
	return fetcher->thread != NULL;
}

static void
send_off(struct fetch *fetch)
{
	struct fetcher *fetcher = fetch->fetcher;

	if (!start_thread(fetcher)) {
		fetch_fail(fetch, FETCH_UNREACHABLE, "the system refuses a thread or memory");
		deliver_here(fetch);
		return;
	}
	pthread_mutex_lock(&fetcher->lock);
	move(fetch, FETCH_TRAVELLING);
	TAILQ_INSERT_TAIL(&fetcher->arriving, fetch, link);
	pthread_mutex_unlock(&fetcher->lock);
	curl_multi_wakeup(fetcher->multi);
}

static void
on_resolved(void *arg, const struct address *addresses, size_t count, const char *error)
{
	struct fetch *fetch = arg;

	fetch->resolution = NULL;
	if (error) {
		fetch_fail(fetch, FETCH_UNREACHABLE, "%s", error);
		deliver_here(fetch);
		return;
	}
	memcpy(fetch->addresses, addresses, count * sizeof *addresses);
	fetch->address_count = count;
	send_off(fetch);
}

/* Nothing is to be resolved, or something is wrong with the request already. */
static void
on_begin(void *arg)
{
	struct fetch *fetch = arg;

	if (fetch->error[0] != '\0')
		deliver_here(fetch);
	else
		send_off(fetch);
}

static void
set_out(struct fetch *fetch)
{
	const struct fetch_target *contact = &fetch->contact;

	if (fetch->error[0] == '\0' && !contact->is_literal) {
		fetch->resolution = resolver_ask(fetch->fetcher->resolver, fetch->loop,
		    contact->host, contact->port, on_resolved, fetch);
		if (fetch->resolution)
			return;
		fetch_fail(fetch, FETCH_UNREACHABLE, "memory is short");
	}
	loop_later(fetch->loop, &fetch->begin);
}

static bool
enter(struct fetcher *fetcher)
{
	bool has_room;

	pthread_mutex_lock(&fetcher->lock);
	has_room = fetcher->count < FETCH_MOST;
	fetcher->count += has_room;
	pthread_mutex_unlock(&fetcher->lock);
	return has_room;
}

struct fetch *
fetch_start(struct fetcher *fetcher, struct loop *loop, const struct fetch_request *request,
    void (*fn)(void *, const struct fetch_answer *), void *arg)
{
	struct fetch *fetch;

	if (!enter(fetcher))
		return NULL;
	fetch = calloc(1, sizeof *fetch);
	if (!fetch || !fetch_request_take(fetch, request)) {
		if (fetch)
			fetch_free(fetch);
		leave(fetcher);
		return NULL;
	}
	fetch->fetcher = fetcher;
	fetch->loop = loop;
	fetch->fn = fn;
	fetch->arg = arg;
	task_init(&fetch->begin, on_begin, fetch);
	set_out(fetch);
	return fetch;
}

/* The loop still has it. */
static void
drop(struct fetch *fetch)
{
	resolution_forget(fetch->resolution);
	loop_forget(fetch->loop, &fetch->begin);
	leave(fetch->fetcher);
	fetch_free(fetch);
}

void
fetch_cancel(struct fetch *fetch)
{
	struct fetcher *fetcher = fetch ? fetch->fetcher : NULL;
	enum fetch_stage stage;

	if (!fetch)
		return;
	pthread_mutex_lock(&fetcher->lock);
	fetch->is_cancelled = true;
	stage = fetch->stage;
	if (stage == FETCH_TRAVELLING)
		curl_multi_wakeup(fetcher->multi); /* the thread frees it, with the lock */
	pthread_mutex_unlock(&fetcher->lock);
	if (stage == FETCH_RESOLVING)
		drop(fetch);
}

/* ---- the fetcher ---- */

struct fetcher *
fetcher_new(struct resolver *resolver)
{
	struct fetcher *fetcher = calloc(1, sizeof *fetcher);

	if (!fetcher)
		return NULL;
	fetcher->resolver = resolver;
	pthread_mutex_init(&fetcher->lock, NULL);
	TAILQ_INIT(&fetcher->arriving);
	TAILQ_INIT(&fetcher->travelling);
	return fetcher;
}

/* The thread is gone: what was cancelled last. */
static void
drop_all(struct fetcher *fetcher, struct fetch_list *list)
{
	struct fetch *fetch;

	while ((fetch = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, fetch, link);
		fetch_transfer_wipe(fetch, fetcher->multi);
		fetch_free(fetch);
	}
}

void
fetcher_free(struct fetcher *fetcher)
{
	if (!fetcher)
		return;
	if (fetcher->thread) {
		pthread_mutex_lock(&fetcher->lock);
		fetcher->is_ending = true;
		pthread_mutex_unlock(&fetcher->lock);
		curl_multi_wakeup(fetcher->multi);
		thread_join(fetcher->thread);
	}
	drop_all(fetcher, &fetcher->arriving);
	drop_all(fetcher, &fetcher->travelling);
	curl_multi_cleanup(fetcher->multi);
	pthread_mutex_destroy(&fetcher->lock);
	free(fetcher);
}

/* ---- what an answer says ---- */

/* Lines with a NUL behind each, and one more behind the last. */
const char *
fetch_answer_header(const struct fetch_answer *answer, const char *name)
{
	size_t length = strlen(name);
	const char *line = answer->headers;

	for (; line && line[0] != '\0'; line += strlen(line) + 1)
		if (strncasecmp(line, name, length) == 0 && line[length] == ':')
			return line + length + 1 + strspn(line + length + 1, " \t");
	return NULL;
}

uint64_t
fetch_answer_retry_after_s(const struct fetch_answer *answer, int64_t now_s)
{
	const char *text = fetch_answer_header(answer, "Retry-After");
	uint64_t seconds;
	int64_t when;

	if (!text)
		return 0;
	if (number_parse(text, &seconds))
		return seconds;
	when = (int64_t)curl_getdate(text, NULL);
	return when > now_s ? (uint64_t)(when - now_s) : 0;
}
