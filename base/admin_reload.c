/* Collects the mistakes of a reload for the answer. */
#include "base/admin_reload.h"

#include <jansson.h>
#include <stdio.h>

#include "base/admin.h"
#include "base/mistakes.h"

static void
add_mistake(void *mistakes, const char *sentence)
{
	json_array_append_new(mistakes, admin_text(sentence));
}

void
admin_reload(struct admin_question *question,
    bool (*reload)(void *arg, const struct reload_asker *), void *arg)
{
	json_t *mistakes = json_array();

	if (reload(arg, &(struct reload_asker){ add_mistake, mistakes }))
		admin_answer(
		    question, json_pack("{s:s}", "message", "the new configuration is in force"));
	else
		admin_refuse(question, "reload-refused", "the old configuration stays in force",
		    json_pack("{s:O}", "mistakes", mistakes));
	json_decref(mistakes);
}

void
admin_reload_refuse(struct admin_question *question, const char *program)
{
	char sentence[80];

	snprintf(
	    sentence, sizeof sentence, "the %s is stopping; nothing is reloaded any more", program);
	admin_refuse(question, "draining", sentence, NULL);
}
