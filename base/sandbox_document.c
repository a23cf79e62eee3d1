/* An entered sandbox as a document, and back. */
#include <stdlib.h>
#include <string.h>
#include "base/sandbox_private.h"

static const struct {
	const char *word;
	unsigned right;
} rights[] = {
	{ "read", SANDBOX_READ },
	{ "change", SANDBOX_CHANGE },
	{ "move", SANDBOX_MOVE },
	{ "socket", SANDBOX_SOCKET },
};

enum { RIGHTS = sizeof rights / sizeof rights[0] };

static json_t *
words_of(unsigned set)
{
	json_t *words = json_array();

	for (size_t i = 0; words && i < RIGHTS; i++)
		if (set & rights[i].right)
			json_array_append_new(words, json_string(rights[i].word));
	return words;
}

/* 0: it is none of them. */
static unsigned
right_of(const json_t *word)
{
	for (size_t i = 0; json_is_string(word) && i < RIGHTS; i++)
		if (strcmp(json_string_value(word), rights[i].word) == 0)
			return rights[i].right;
	return 0;
}

static unsigned
set_of(const json_t *words)
{
	unsigned set = 0;

	for (size_t i = 0; i < json_array_size(words); i++)
		set |= right_of(json_array_get(words, i));
	return set;
}

json_t *
sandbox_document(const struct sandbox *sandbox)
{
	json_t *folders = json_array();

	for (size_t i = 0; folders && i < sandbox->count; i++)
		json_array_append_new(folders,
		    json_pack("{s:s, s:o}", "path", sandbox->rules[i].path, "rights",
			words_of(sandbox->rules[i].rights)));
	return json_pack("{s:i, s:b, s:b, s:o}", "landlock", sandbox->landlock, "seccomp",
	    sandbox->is_sealed, "listens", sandbox->listening_key != NULL, "folders", folders);
}

/* Its rules come in their order. */
static bool
take_folders(struct sandbox *sandbox, const json_t *folders)
{
	size_t count = json_array_size(folders), index;
	json_t *folder;

	sandbox->rules = calloc(count + 1, sizeof *sandbox->rules);
	if (!sandbox->rules)
		return false;
	json_array_foreach(folders, index, folder)
	{
		const char *path = json_string_value(json_object_get(folder, "path"));
		struct sandbox_rule *rule = &sandbox->rules[sandbox->count];

		rule->path = path ? strdup(path) : NULL;
		if (!rule->path)
			return false;
		rule->rights = set_of(json_object_get(folder, "rights"));
		sandbox->count++;
	}
	return true;
}

struct sandbox *
sandbox_of_document(const json_t *document)
{
	struct sandbox *sandbox = calloc(1, sizeof *sandbox);

	if (!sandbox)
		return NULL;
	sandbox->landlock = (int)json_integer_value(json_object_get(document, "landlock"));
	sandbox->is_sealed = json_is_true(json_object_get(document, "seccomp"));
	sandbox->listening_key = json_is_true(json_object_get(document, "listens")) ? "" : NULL;
	if (take_folders(sandbox, json_object_get(document, "folders")))
		return sandbox;
	sandbox_free(sandbox);
	return NULL;
}
