/* One question each, and what is said of its answer. */
#include "keys/key_ask.h"

#include <stdio.h>
#include <string.h>

#include "keys/key_channel.h"

void
key_ask_explain(const struct key_answer *answer, const char *path, char error[KEY_ASK_ERROR])
{
	int bytes = answer->bytes < KEY_ASK_ERROR ? (int)answer->bytes : KEY_ASK_ERROR - 1;

	if (bytes > 0)
		snprintf(error, KEY_ASK_ERROR, "%.*s", bytes, (const char *)answer->data);
	else
		snprintf(error, KEY_ASK_ERROR, "%.300s: %s", path,
		    answer->code == KEY_LATE
			? "the key process does not answer"
			: "the key process has ended; it begins again in a second");
}

/* Which key it is, unless digest is NULL. */
static bool
ask(struct key_question *question, const char *path, struct key_answer *answer,
    uint8_t digest[KEY_DIGEST], char error[KEY_ASK_ERROR])
{
	if (strlen(path) >= sizeof question->path) {
		snprintf(error, KEY_ASK_ERROR, "%.300s...: the path is too long", path);
		return false;
	}
	snprintf(question->path, sizeof question->path, "%s", path);
	if (key_channel_ask(question, answer) != KEY_DONE) {
		key_ask_explain(answer, path, error);
		return false;
	}
	if (digest)
		memcpy(digest, answer->digest, KEY_DIGEST);
	return true;
}

bool
key_ask_look(const char *path, uint8_t digest[KEY_DIGEST], char error[KEY_ASK_ERROR])
{
	struct key_question question = { .verb = KEY_LOOK };
	struct key_answer answer;

	return ask(&question, path, &answer, digest, error);
}

bool
key_ask_make(
    const char *path, enum key_type type, uint8_t digest[KEY_DIGEST], char error[KEY_ASK_ERROR])
{
	struct key_question question = { .verb = KEY_MAKE, .type = (uint8_t)type };
	struct key_answer answer;

	return ask(&question, path, &answer, digest, error);
}

bool
key_ask_make_next(const char *path, uint8_t digest[KEY_DIGEST], char error[KEY_ASK_ERROR])
{
	struct key_question question = { .verb = KEY_MAKE_NEXT };
	struct key_answer answer;

	return ask(&question, path, &answer, digest, error);
}

bool
key_ask_request(const char *path, const void *names, size_t bytes, struct secret *request,
    char error[KEY_ASK_ERROR])
{
	struct key_question question = { .verb = KEY_REQUEST, .data = names, .bytes = bytes };
	struct key_answer answer;

	*request = (struct secret){ 0 };
	if (!ask(&question, path, &answer, NULL, error))
		return false;
	if (secret_init(request, answer.data, answer.bytes))
		return true;
	snprintf(error, KEY_ASK_ERROR, "memory is short");
	return false;
}

bool
key_ask_may_replace(const char *path, char error[KEY_ASK_ERROR])
{
	struct key_question question = { .verb = KEY_MAY_REPLACE };
	struct key_answer answer;

	return ask(&question, path, &answer, NULL, error);
}

bool
key_ask_drop_next(const char *path, char error[KEY_ASK_ERROR])
{
	struct key_question question = { .verb = KEY_DROP_NEXT };
	struct key_answer answer;

	return ask(&question, path, &answer, NULL, error);
}

bool
key_ask_adopt(const char *path, const char *old, struct secret *around, char error[KEY_ASK_ERROR])
{
	struct key_question question = {
		.verb = KEY_ADOPT, .data = (const uint8_t *)old, .bytes = strlen(old)
	};
	struct key_answer answer;

	*around = (struct secret){ 0 };
	if (!ask(&question, path, &answer, NULL, error))
		return false;
	if (answer.bytes == 0 || secret_init(around, answer.data, answer.bytes))
		return true;
	snprintf(error, KEY_ASK_ERROR, "memory is short");
	return false;
}

bool
key_ask_put_next(const char *path, char error[KEY_ASK_ERROR])
{
	struct key_question question = { .verb = KEY_PUT_NEXT };
	struct key_answer answer;

	return ask(&question, path, &answer, NULL, error);
}
