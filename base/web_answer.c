/* What is sent, with what browsers are told about it. */
#include "base/web_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/crc32c.h"

struct web_text {
	unsigned holders;
	const char *type; /* NULL: a part of a stream */
	char *data;
	size_t bytes;
};

/* ---- texts ---- */

struct web_text *
web_text_new(const char *type, char *data, size_t bytes)
{
	struct web_text *text = data ? malloc(sizeof *text) : NULL;

	if (text)
		*text =
		    (struct web_text){ .holders = 1, .type = type, .data = data, .bytes = bytes };
	else
		free(data);
	return text;
}

struct web_text *
web_text_hold(struct web_text *text)
{
	text->holders++;
	return text;
}

void
web_text_release(struct web_text *text)
{
	if (!text || --text->holders > 0)
		return;
	free(text->data);
	free(text);
}

const char *
web_text_data(const struct web_text *text, size_t *bytes)
{
	*bytes = text->bytes;
	return text->data;
}

/* ---- headers ---- */

static const char nothing_loaded[] = "default-src 'none'; frame-ancestors 'none'";

struct header {
	const char *name, *value;
};

static bool
add(struct MHD_Response *response, const struct header *headers, size_t count)
{
	bool is_whole = true;

	for (size_t i = 0; i < count; i++)
		is_whole &=
		    MHD_add_response_header(response, headers[i].name, headers[i].value) == MHD_YES;
	return is_whole;
}

/* Takes the response; NULL, or one whose header is not whole, is no answer, and the connection is closed. */
static void
answer(struct web_question *question, unsigned status, struct MHD_Response *response,
    const char *type, const char *cache, const char *policy)
{
	const struct header headers[] = {
		{ "Content-Type", type },
		{ "Cache-Control", cache },
		{ "Content-Security-Policy", policy },
		{ "X-Content-Type-Options", "nosniff" },
		{ "X-Frame-Options", "DENY" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
	};

	assert(!question->response && question->status == 0);
	question->status = status;
	if (response && !add(response, headers, sizeof headers / sizeof *headers)) {
		MHD_destroy_response(response);
		response = NULL;
	}
	question->response = response;
}

/* ---- answers ---- */

void
web_answer_sentence(struct web_question *question, unsigned status, const char *sentence)
{
	answer(question, status,
	    MHD_create_response_from_buffer(
		strlen(sentence), (void *)(uintptr_t)sentence, MHD_RESPMEM_MUST_COPY),
	    "text/plain; charset=utf-8", "no-store", nothing_loaded);
}

static void
release_text(void *text)
{
	web_text_release(text);
}

void
web_answer(struct web_question *question, unsigned status, struct web_text *text)
{
	struct MHD_Response *response;

	if (!text) {
		web_answer_sentence(
		    question, MHD_HTTP_SERVICE_UNAVAILABLE, "Memory is short; ask again.\n");
		return;
	}
	response = MHD_create_response_from_buffer_with_free_callback_cls(
	    text->bytes, text->data, release_text, text);
	if (response)
		web_text_hold(text);
	answer(question, status, response, text->type, "no-store", nothing_loaded);
}

void
web_answer_read_only(struct web_question *question)
{
	static const struct header allow = { "Allow", "GET, HEAD" };

	web_answer_sentence(
	    question, MHD_HTTP_METHOD_NOT_ALLOWED, "Everything here can only be read.\n");
	if (question->response)
		add(question->response, &allow, 1);
}

/* It changes with the program only, whose version it need not tell apart. */
static void
make_tag(const struct web_file *file, char tag[32])
{
	snprintf(tag, 32, "\"%08x-%zx\"", crc32c(0, file->data, file->bytes), file->bytes);
}

void
web_answer_file(struct web_question *question, const struct web_file *file)
{
	const char *known = web_question_header(question, "If-None-Match");
	char tag[32];
	struct header etag = { "ETag", tag };
	bool is_known;

	make_tag(file, tag);
	is_known = known && strcmp(known, tag) == 0;
	answer(question, is_known ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK,
	    MHD_create_response_from_buffer(
		is_known ? 0 : file->bytes, (void *)(uintptr_t)file->data, MHD_RESPMEM_PERSISTENT),
	    file->type, "no-cache", file->policy ? file->policy : nothing_loaded);
	if (question->response)
		add(question->response, &etag, 1);
}

void
web_answer_stream(struct web_question *question, struct MHD_Response *response)
{
	answer(question, MHD_HTTP_OK, response, "text/event-stream", "no-store", nothing_loaded);
}

enum MHD_Result
web_answer_tell(struct web_question *question)
{
	enum MHD_Result result;

	if (!question->response)
		return MHD_NO;
	result = MHD_queue_response(question->mhd, question->status, question->response);
	MHD_destroy_response(question->response);
	question->response = NULL;
	return result;
}
