/* Collects the mistakes of a reload for the answer. */
#include "base/admin_reload.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/admin.h"
#include "base/mistakes.h"

struct admin_reload {
	struct admin_question *question;
	struct reload_asker asker;
	json_t *mistakes;
};

static void
add_mistake(void *mistakes, const char *sentence)
{
	json_array_append_new(mistakes, admin_text(sentence));
}

static void
answer(struct admin_question *question, bool is_fine, json_t *mistakes)
{
	if (is_fine)
		admin_answer(
		    question, json_pack("{s:s}", "message", "the new configuration is in force"));
	else
		admin_refuse(question, "reload-refused", "the old configuration stays in force",
		    json_pack("{s:O}", "mistakes", mistakes));
	json_decref(mistakes);
}

void
admin_reload(struct admin_question *question,
    bool (*reload)(void *arg, const struct reload_asker *), void *arg)
{
	json_t *mistakes = json_array();

	answer(question, reload(arg, &(struct reload_asker){ add_mistake, mistakes }), mistakes);
}

struct admin_reload *
admin_reload_begin(struct admin_question *question)
{
	struct admin_reload *reload = malloc(sizeof *reload);
	json_t *mistakes = json_array();

	if (!reload) {
		admin_answer(question, NULL);
		json_decref(mistakes);
		return NULL;
	}
	*reload = (struct admin_reload){ question, { add_mistake, mistakes }, mistakes };
	return reload;
}

const struct reload_asker *
admin_reload_asker(struct admin_reload *reload)
{
	return &reload->asker;
}

void
admin_reload_end(struct admin_reload *reload, bool is_fine)
{
	answer(reload->question, is_fine, reload->mistakes);
	free(reload);
}

void
admin_reload_refuse(struct admin_question *question, const char *program)
{
	char sentence[80];

	snprintf(
	    sentence, sizeof sentence, "the %s is stopping; nothing is reloaded any more", program);
	admin_refuse(question, "draining", sentence, NULL);
}
