/* Answers that do not end: whoever reads one gets each event, or none at all. */
#include "base/web_private.h"

#include <stdlib.h>
#include <string.h>
#include "base/numbers.h"

enum { BLOCK_BYTES = 8 * 1024, COMMENT_MS = 15000 };

/* A text that is on its way. */
struct piece {
	STAILQ_ENTRY(piece) link;
	struct web_text *text;
};

struct web_stream {
	LIST_ENTRY(web_stream) link;
	struct web *web;
	struct web_question *question;
	STAILQ_HEAD(, piece) pieces;
	size_t done;   /* of the first */
	size_t behind; /* bytes that were not taken */
};

static const char greeting[] = "retry: 2000\n\n", comment[] = ":\n\n";

static void
drop_first(struct web_stream *stream)
{
	struct piece *piece = STAILQ_FIRST(&stream->pieces);

	STAILQ_REMOVE_HEAD(&stream->pieces, link);
	web_text_release(piece->text);
	free(piece);
	stream->done = 0;
}

static size_t
move_bytes(struct web_stream *stream, char *out, size_t most)
{
	struct piece *piece;
	size_t moved = 0;

	while (moved < most && (piece = STAILQ_FIRST(&stream->pieces))) {
		size_t bytes, part;
		const char *data = web_text_data(piece->text, &bytes);

		part = smaller_of(bytes - stream->done, most - moved);
		memcpy(out + moved, data + stream->done, part);
		moved += part;
		stream->done += part;
		if (stream->done == bytes)
			drop_first(stream);
	}
	stream->behind -= moved;
	return moved;
}

/* The library asks for more. */
static ssize_t
on_room(void *arg, uint64_t at, char *out, size_t most)
{
	struct web_stream *stream = arg;
	size_t moved = move_bytes(stream, out, most);

	(void)at;
	if (moved > 0)
		return (ssize_t)moved;
	if (stream->web->is_over)
		return MHD_CONTENT_READER_END_OF_STREAM;
	web_question_sleep(stream->question);
	return 0;
}

/* Who is too far behind will not catch up, and comes again for the newest event. */
static void
push(struct web_stream *stream, struct web_text *text)
{
	size_t bytes;
	struct piece *piece = malloc(sizeof *piece);

	web_text_data(text, &bytes);
	if (!piece || stream->behind + bytes > WEB_BEHIND_MOST) {
		free(piece);
		web_question_cut(stream->question);
		return;
	}
	piece->text = web_text_hold(text);
	STAILQ_INSERT_TAIL(&stream->pieces, piece, link);
	stream->behind += bytes;
	web_question_wake(stream->question);
}

void
web_stream_push(struct web *web, struct web_text *text)
{
	struct web_stream *stream;

	LIST_FOREACH(stream, &web->streams, link)
		push(stream, text);
	if (!LIST_EMPTY(&web->streams))
		timer_set(&web->comment, COMMENT_MS);
}

static void
push_words(struct web_stream *stream, const char *words)
{
	struct web_text *text = web_text_new(NULL, strdup(words), strlen(words));

	if (text)
		push(stream, text);
	web_text_release(text);
}

/* So that who has gone is noticed, and whoever is between does not take it for dead. */
void
web_stream_on_comment(void *arg)
{
	struct web *web = arg;
	struct web_stream *stream;

	LIST_FOREACH(stream, &web->streams, link)
		push_words(stream, comment);
	timer_set(&web->comment, COMMENT_MS);
}

/* ---- readers ---- */

/* In the main loop. */
static void
deliver_reader(void *data)
{
	struct web *web = data;

	atomic_store(&web->is_reader_told, false);
	if (!web->is_stopped && web->options.on_reader)
		web->options.on_reader(web->options.arg);
}

static void
note_first(struct web *web)
{
	if (!web->comment.armed)
		timer_set(&web->comment, COMMENT_MS);
	if (!atomic_exchange(&web->is_reader_told, true))
		loop_call(web->options.main, &web->reader, deliver_reader, web);
}

static struct web_stream *
new_stream(struct web_question *question)
{
	struct web *web = web_server_web(question->server);
	struct web_stream *stream = calloc(1, sizeof *stream);

	if (!stream)
		return NULL;
	stream->web = web;
	stream->question = question;
	STAILQ_INIT(&stream->pieces);
	LIST_INSERT_HEAD(&web->streams, stream, link);
	atomic_fetch_add(&web->reader_count, 1);
	return stream;
}

void
web_stream_free(struct web_stream *stream)
{
	if (!stream)
		return;
	while (!STAILQ_EMPTY(&stream->pieces))
		drop_first(stream);
	LIST_REMOVE(stream, link);
	if (atomic_fetch_sub(&stream->web->reader_count, 1) == 1)
		timer_clear(&stream->web->comment);
	free(stream);
}

void
web_stream_begin(struct web_question *question)
{
	struct web *web = web_server_web(question->server);
	struct MHD_Response *response;

	if (atomic_load(&web->reader_count) >= WEB_STREAMS) {
		web_answer_sentence(question, MHD_HTTP_SERVICE_UNAVAILABLE,
		    "Too many pages are open: close one.\n");
		return;
	}
	question->stream = new_stream(question);
	response = question->stream ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN,
					  BLOCK_BYTES, on_room, question->stream, NULL)
				    : NULL;
	web_answer_stream(question, response);
	if (!response)
		return;
	push_words(question->stream, greeting);
	for (size_t i = 0; i < WEB_EVENTS && web->newest[i].text; i++)
		push(question->stream, web->newest[i].text);
	if (atomic_load(&web->reader_count) == 1)
		note_first(web);
}

void
web_stream_end_all(struct web *web)
{
	struct web_stream *stream;

	LIST_FOREACH(stream, &web->streams, link)
		web_question_wake(stream->question);
}
