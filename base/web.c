/* The thread of a daemon's HTTP, and the snapshots that its answers are made from. */
#include "base/web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/socket.h"
#include "base/thread.h"
#include "base/web_private.h"

/* ---- snapshots ---- */

static void
drop_snapshot(struct web *web)
{
	if (web->snapshot)
		web->options.free_snapshot(web->snapshot);
	web->snapshot = NULL;
}

/* In the main loop. */
static void
deliver_take(void *data)
{
	struct web *web = data;

	if (!web->is_stopped)
		web->options.take(web->options.arg);
}

static void
answer_all(struct web *web)
{
	struct web_question *question;

	timer_clear(&web->patience);
	while ((question = TAILQ_FIRST(&web->waiting))) {
		TAILQ_REMOVE(&web->waiting, question, link);
		question->is_waiting = false;
		question->path->answer(question, web->snapshot);
		web_question_wake(question);
	}
}

static void
on_given(void *data)
{
	struct web *web = data;

	drop_snapshot(web);
	web->snapshot = web->fresh;
	web->fresh = NULL;
	web->given_ms = clock_ms();
	web->is_asked = false;
	if (!web->is_over)
		answer_all(web);
}

void
web_give(struct web *web, void *snapshot)
{
	if (!web)
		return;
	if (web->is_stopped && snapshot) {
		web->options.free_snapshot(snapshot);
	} else if (!web->is_stopped) {
		web->fresh = snapshot;
		loop_call(thread_loop(web->thread), &web->given, on_given, web);
	}
}

/* What is old says nothing of now. */
static void
on_patience(void *arg)
{
	struct web *web = arg;

	drop_snapshot(web);
	answer_all(web);
}

void
web_ask(struct web *web, struct web_question *question)
{
	bool is_fresh = web->snapshot && clock_ms() - web->given_ms < WEB_SNAPSHOT_MS;

	if (is_fresh || web->is_over) {
		question->path->answer(question, web->snapshot);
		return;
	}
	question->is_waiting = true;
	TAILQ_INSERT_TAIL(&web->waiting, question, link);
	if (!web->is_asked) {
		web->is_asked = true;
		loop_call(web->options.main, &web->take, deliver_take, web);
	}
	if (!web->patience.armed)
		timer_set(&web->patience, WEB_PATIENCE_MS);
}

/* ---- events ---- */

struct web_publication {
	struct call call;
	struct web *web;
	const char *word;
	struct web_text *text;
};

static void
keep_newest(struct web *web, const char *word, struct web_text *text)
{
	size_t at = 0;

	while (
	    at < WEB_EVENTS - 1 && web->newest[at].word && strcmp(web->newest[at].word, word) != 0)
		at++;
	web_text_release(web->newest[at].text);
	web->newest[at] = (struct web_event){ word, text };
}

static void
deliver_publication(void *data)
{
	struct web_publication *publication = data;
	struct web *web = publication->web;

	keep_newest(web, publication->word, publication->text);
	if (!web->is_over)
		web_stream_push(web, publication->text);
	free(publication);
}

static struct web_text *
event_text(const char *event, const char *text, size_t bytes)
{
	size_t room = bytes + strlen(event) + 32;
	char *data = malloc(room);
	int front = data ? snprintf(data, room, "event: %s\ndata: ", event) : 0;

	if (!data)
		return NULL;
	memcpy(data + front, text, bytes);
	memcpy(data + front + bytes, "\n\n", 2);
	return web_text_new(NULL, data, (size_t)front + bytes + 2);
}

void
web_publish(struct web *web, const char *event, const char *text, size_t bytes)
{
	struct web_publication *publication =
	    web && web->thread && !web->is_stopped ? malloc(sizeof *publication) : NULL;

	if (!publication)
		return; /* the next one comes in a second */
	publication->web = web;
	publication->word = event;
	publication->text = event_text(event, text, bytes);
	if (publication->text)
		loop_call(
		    thread_loop(web->thread), &publication->call, deliver_publication, publication);
	else
		free(publication);
}

bool
web_has_readers(const struct web *web)
{
	return web && atomic_load(&web->reader_count) > 0;
}

/* ---- the thread ---- */

static void
begin(struct web *web, struct loop *loop)
{
	web->loop = loop;
	timer_init(&web->patience, loop, on_patience, web);
	timer_init(&web->comment, loop, web_stream_on_comment, web);
	for (size_t i = 0; i < 2; i++)
		if (web->servers[i] && !web_server_begin(web->servers[i], loop))
			memory_short("admin.http or admin.health");
}

static void
end(struct web *web)
{
	web->is_over = true;
	drop_snapshot(web);
	answer_all(web);
	web_stream_end_all(web);
	for (size_t i = 0; i < 2; i++)
		if (web->servers[i])
			web_server_end(web->servers[i]);
	timer_clear(&web->patience);
	timer_clear(&web->comment);
}

static void
run(void *arg, struct loop *loop)
{
	struct web *web = arg;

	begin(web, loop);
	loop_run(loop);
	end(web);
}

/* ---- from outside ---- */

static bool
copy_hosts(struct conf_texts *out, const struct conf_texts *from)
{
	out->items = calloc(from->count + 1, sizeof *out->items);
	while (out->items && out->count < from->count &&
	    (out->items[out->count] = strdup(from->items[out->count])))
		out->count++;
	return out->items && out->count == from->count;
}

struct web *
web_new(const struct web_options *options)
{
	struct web *web = calloc(1, sizeof *web);

	if (!web)
		return NULL;
	web->options = *options;
	TAILQ_INIT(&web->waiting);
	LIST_INIT(&web->streams);
	if (copy_hosts(&web->hosts, options->hosts))
		return web;
	web_free(web);
	return NULL;
}

static struct web_server **
server_at(struct web *web, enum web_place place)
{
	return &web->servers[place == WEB_HEALTH];
}

bool
web_adopt(struct web *web, enum web_place place, int fd, char error[WEB_ERROR])
{
	struct web_server *server = web_server_new(web, place, fd, error);
	struct address address;
	char text[ADDRESS_TEXT];

	if (!server)
		return false;
	*server_at(web, place) = server;
	address = socket_local(fd);
	log_event(LOG_INFO, "http-listening", NULL,
	    log_str("address", address_text(&address, text)),
	    log_str("see", place == WEB_HTTP ? "admin.http" : "admin.health"));
	return true;
}

bool
web_listen(
    struct web *web, enum web_place place, const struct address *address, char error[WEB_ERROR])
{
	int fd = socket_listen(address, LISTEN_ALONE, error);

	return fd >= 0 && web_adopt(web, place, fd, error);
}

int
web_descriptor(const struct web *web, enum web_place place)
{
	const struct web_server *server = web ? web->servers[place == WEB_HEALTH] : NULL;

	return server ? web_server_descriptor(server) : -1;
}

bool
web_start(struct web *web)
{
	if (web)
		web->thread = thread_start("http", run, web);
	return !web || web->thread;
}

static void
stop_listening(void *data)
{
	struct web *web = data;

	for (size_t i = 0; i < 2; i++)
		if (web->servers[i])
			web_server_stop_listening(web->servers[i]);
}

void
web_give_away(struct web *web)
{
	if (web && web->thread && !web->is_stopped)
		loop_call(thread_loop(web->thread), &web->away, stop_listening, web);
}

void
web_stop(struct web *web)
{
	if (!web || web->is_stopped)
		return;
	web->is_stopped = true;
	if (web->thread) {
		loop_stop(thread_loop(web->thread));
		thread_join(web->thread);
	}
}

void
web_free(struct web *web)
{
	if (!web)
		return;
	web_stop(web);
	drop_snapshot(web);
	for (size_t i = 0; i < WEB_EVENTS; i++)
		web_text_release(web->newest[i].text);
	for (size_t i = 0; i < 2; i++)
		web_server_free(web->servers[i]);
	for (size_t i = 0; i < web->hosts.count; i++)
		free(web->hosts.items[i]);
	free(web->hosts.items);
	free(web);
}
