/*
 * An ACME server of a few lines: it is asked what the lines of a script say, in their order, and
 * answers as they say.  Answers come at the next turn of the loop.
 */
#ifndef TESTS_ACME_SCRIPT_H
#define TESTS_ACME_SCRIPT_H

#include <jansson.h>

#include "acme/base64url.h"
#include "acme/transport.h"
#include "base/loop.h"
#include "helpers.h"

#define CA "https://ca.example"

struct acme_script_line {
	const char *request; /* "POST /order" */
	unsigned status;
	const char *body, *location, *retry_after, *date;
	bool has_no_nonce;
	const char *error; /* nobody answers */
	const char *type;  /* of a problem: the body is made of it */
};

struct acme_script {
	struct loop *loop;
	const struct acme_script_line *lines;
	size_t count, at;
	unsigned nonces;
	char last_nonce[32];
	bool is_asked;
	bool is_blind; /* it does not read what is sent */
	/* The line at which it answers only when it is released, counted from 1; 0: none. */
	size_t hold;
	struct task answer;
	void (*on_reply)(void *who, const struct acme_reply *);
	void *who;
	json_t *protected, *payload; /* of the last POST; NULL: empty, or none */
};

static inline json_t *
script_member(const json_t *jws, const char *name)
{
	struct secret text;
	json_t *made;

	assert_true(base64url_decode(&text, json_string_value(json_object_get(jws, name))));
	made = json_loadb((const char *)text.data, text.bytes, 0, NULL);
	secret_wipe(&text);
	return made;
}

static inline void
script_note_body(struct acme_script *script, const char *body)
{
	json_t *jws;

	json_decref(script->protected);
	json_decref(script->payload);
	script->protected = script->payload = NULL;
	if (!body || script->is_blind)
		return;
	jws = json_loads(body, 0, NULL);
	assert_non_null(jws);
	script->protected = script_member(jws, "protected");
	script->payload = script_member(jws, "payload");
	json_decref(jws);
}

/* Each nonce is good once, and of the answer before. */
static inline void
script_check_nonce(struct acme_script *script, const char *url)
{
	if (!script->protected)
		return;
	assert_string_equal(
	    json_string_value(json_object_get(script->protected, "nonce")), script->last_nonce);
	assert_string_equal(json_string_value(json_object_get(script->protected, "url")), url);
}

static inline void *
script_start(void *arg, const struct acme_request *request,
    void (*on_reply)(void *who, const struct acme_reply *), void *who)
{
	struct acme_script *script = arg;
	char asked[256];

	assert_false(script->is_asked);
	assert_int_equal(strncmp(request->url, CA, strlen(CA)), 0);
	snprintf(asked, sizeof asked, "%s %s", request->method, request->url + strlen(CA));
	if (script->at == script->count)
		fail_msg("it asks for more: %s", asked);
	assert_string_equal(asked, script->lines[script->at].request);
	script_note_body(script, request->body);
	script_check_nonce(script, request->url);
	script->is_asked = true;
	script->on_reply = on_reply;
	script->who = who;
	if (script->at + 1 != script->hold)
		loop_later(script->loop, &script->answer);
	return script;
}

/* The line that is held is answered, and the next one is held. */
static inline void
script_release(struct acme_script *script)
{
	script->hold++;
	loop_later(script->loop, &script->answer);
}

static inline void
script_cancel(void *arg, void *started)
{
	struct acme_script *script = arg;

	assert_ptr_equal(started, script);
	assert_true(script->is_asked);
	script->is_asked = false;
	loop_forget(script->loop, &script->answer);
}

static inline void
script_answer(void *arg)
{
	struct acme_script *script = arg;
	const struct acme_script_line *line = &script->lines[script->at++];
	char problem[256];
	struct acme_reply reply = { .error = line->error,
		.status = line->status,
		.location = line->location,
		.retry_after = line->retry_after,
		.date = line->date,
		.body = line->body ? line->body : "" };

	if (line->type) {
		snprintf(problem, sizeof problem,
		    "{\"type\":\"urn:ietf:params:acme:error:%s\",\"detail\":\"because\"}",
		    line->type);
		reply.body = problem;
	}
	reply.bytes = strlen(reply.body);
	if (!line->has_no_nonce && !line->error && strncmp(line->request, "GET", 3) != 0) {
		snprintf(
		    script->last_nonce, sizeof script->last_nonce, "nonce-%u", ++script->nonces);
		reply.nonce = script->last_nonce;
	}
	script->is_asked = false;
	script->on_reply(script->who, &reply);
}

static inline struct acme_transport
script_begin(struct acme_script *script, struct loop *loop, const struct acme_script_line *lines,
    size_t count)
{
	*script = (struct acme_script){ .loop = loop, .lines = lines, .count = count };
	task_init(&script->answer, script_answer, script);
	return (struct acme_transport){ script_start, script_cancel, script };
}

/* All lines were asked for. */
static inline void
script_end(struct acme_script *script)
{
	assert_int_equal(script->at, script->count);
	script_note_body(script, NULL);
}

#endif
