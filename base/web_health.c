/* Says whether a daemon lives, and whether it is ready. */
#include "base/web_health.h"

#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "base/web.h"

enum { LINE = 512, TEXT = 4 * LINE, OK = 200, BAD_REQUEST = 400, UNAVAILABLE = 503 };

static const char not_turning[] =
    "not alive: the main loop or a worker has not answered for two seconds\n";

void
web_health_answer_live(struct web_question *question, bool is_alive)
{
	web_answer_sentence(
	    question, is_alive ? OK : UNAVAILABLE, is_alive ? "alive\n" : not_turning);
}

static void
add(char text[TEXT], const char *line)
{
	size_t at = strlen(text);

	snprintf(text + at, TEXT - at, "%s", line);
}

/* What was asked for is a stranger's text. */
static void
add_about(char text[TEXT], const char *what, const char *asked, const char *sentence)
{
	char line[LINE], quoted[256];

	log_quote(quoted, sizeof quoted, asked, (unsigned)strlen(asked));
	snprintf(line, sizeof line, "not ready: %s '%s': %s\n", what, quoted, sentence);
	add(text, line);
}

/* A health check with a slip of the pen in it must not hear "ready". */
static void
refuse_stray(struct web_question *question, const char *stray)
{
	char line[LINE], quoted[256];

	log_quote(quoted, sizeof quoted, stray, (unsigned)strlen(stray));
	snprintf(
	    line, sizeof line, "'%s' cannot be asked; ask ?region=REGION, ?name=NAME\n", quoted);
	web_answer_sentence(question, BAD_REQUEST, line);
}

void
web_health_answer_ready(
    struct web_question *question, const struct web_health *health, const char *missing)
{
	static const char *const names[] = { "region", "name", NULL };
	const char *stray = web_question_stray(question, names);
	const char *region = web_question_value(question, "region");
	const char *name = web_question_value(question, "name");
	char text[TEXT] = "", line[LINE];

	if (stray) {
		refuse_stray(question, stray);
		return;
	}
	if (!health->has_snapshot) {
		web_answer_sentence(question, UNAVAILABLE, not_turning);
		return;
	}
	if (health->obstacle) {
		snprintf(line, sizeof line, "not ready: %s\n", health->obstacle);
		add(text, line);
	}
	if (region && (!health->region || strcmp(region, health->region) != 0))
		add_about(text, "region", region,
		    health->region ? "this one is in another" : "none is configured here");
	if (name && health->is_name_missing)
		add_about(text, "name", name, missing);
	if (text[0] == '\0')
		web_answer_sentence(question, OK, "ready\n");
	else
		web_answer_sentence(question, UNAVAILABLE, text);
}
