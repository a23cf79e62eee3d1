/* Asks, looks twice where there are rates, and shows. */
#include "base/admin_command.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"

enum { LOOKS_APART_MS = 1000, WATCH_MOST_S = 86400, NOT_FOUND = 1 };

/* What is about the answer, and no part of the question. */
static const char *const own_options[] = { "config", "json", "table", "watch", "sort" };

struct admin_order {
	const struct admin_program *program;
	const struct admin_view *view;
	const char *config, *sort;
	json_t *question;
	uint64_t watch_s; /* 0: once */
	bool as_json, is_json_asked;
	json_t *counts; /* of the look before */
	uint64_t counted_ms;
};

/* ---- the command line ---- */

static bool
is_own(const char *name)
{
	for (size_t i = 0; i < sizeof own_options / sizeof *own_options; i++)
		if (strcmp(own_options[i], name) == 0)
			return true;
	return false;
}

static json_t *
question_of(const struct program_command *command, const char *const *values)
{
	json_t *question = json_pack("{s:s}", "command", command->word);

	for (int i = 0; question && command->options[i].name; i++) {
		const struct program_option *option = &command->options[i];

		if (values[i] && !is_own(option->name))
			json_object_set_new(question, option->name,
			    option->value ? json_string(values[i]) : json_true());
	}
	return question;
}

static int
read_watch(const char *text, uint64_t *seconds)
{
	if (!text || (number_parse(text, seconds) && *seconds >= 1 && *seconds <= WATCH_MOST_S))
		return EX_OK;
	return program_usage("--watch wants seconds, from 1 to %d, and not %s", WATCH_MOST_S, text);
}

static int
read_order(
    struct admin_order *order, const struct program_command *command, int count, char **arguments)
{
	const char *values[PROGRAM_OPTIONS_MOST] = { 0 }, *config, *json, *table;
	int code = program_read(command, count, arguments, values, NULL, NULL);

	if (code != EX_OK)
		return code;
	config = program_value(command, values, "config");
	json = program_value(command, values, "json");
	table = program_value(command, values, "table");
	if (json && table)
		return program_usage("--json or --table, and not both");
	if (config)
		order->config = config;
	order->is_json_asked = json != NULL;
	order->as_json = json || (!table && !isatty(STDOUT_FILENO));
	order->sort = program_value(command, values, "sort");
	order->question = question_of(command, values);
	if (!order->question)
		return program_usage("what is asked for is not UTF-8");
	return read_watch(program_value(command, values, "watch"), &order->watch_s);
}

/* ---- asking ---- */

/* The document has its rates and its order. */
static int
look(struct admin_order *order, json_t **document)
{
	int code = admin_client_ask(order->program, order->config, order->question, document);
	uint64_t now = clock_ms();
	json_t *counts;

	if (code != EX_OK || !order->view)
		return code;
	counts = admin_view_counts(order->view, *document);
	if (order->counts)
		admin_view_rate(order->view, *document, order->counts, now - order->counted_ms);
	json_decref(order->counts);
	order->counts = counts;
	order->counted_ms = now;
	if (order->sort)
		admin_view_sort(order->view, *document, order->sort);
	return EX_OK;
}

/* Rates need a look before the first that is shown. */
static int
look_ahead(struct admin_order *order)
{
	json_t *document = NULL;
	int code = EX_OK;

	if (order->view && order->view->id) {
		code = look(order, &document);
		json_decref(document);
		if (code == EX_OK)
			usleep(LOOKS_APART_MS * 1000);
	}
	return code;
}

/* ---- showing ---- */

/* In ASCII: terminals obey more characters than JSON escapes, and some of this is others' words. */
static void
show_json(const struct admin_order *order, const json_t *document)
{
	json_dumpf(document, stdout,
	    JSON_ENSURE_ASCII | (order->watch_s > 0 ? JSON_COMPACT : JSON_INDENT(2)));
	putchar('\n');
}

/* Line by line over what stood there, so that nothing flickers. */
static void
show_on_screen(
    const struct admin_order *order, const json_t *document, const struct winsize *screen)
{
	const struct text_table_bounds bounds = { screen->ws_col, screen->ws_row - 1u };
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return;
	admin_view_print(order->view, document, &bounds, out);
	if (fclose(out) == 0) {
		fputs("\033[H", stdout);
		for (const char *at = text, *end; (end = strchr(at, '\n')); at = end + 1)
			printf("%.*s\033[K\n", (int)(end - at), at);
		fputs("\033[J", stdout);
	}
	free(text);
}

static void
show_table(const struct admin_order *order, const json_t *document)
{
	const struct text_table_bounds all = { 0 };
	struct winsize screen = { 0 };

	if (order->watch_s > 0 && isatty(STDOUT_FILENO) &&
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &screen) == 0 && screen.ws_row > 2)
		show_on_screen(order, document, &screen);
	else
		admin_view_print(order->view, document, &all, stdout);
}

static int
show(const struct admin_order *order, const json_t *document)
{
	const char *message =
	    order->view ? NULL : json_string_value(json_object_get(document, "message"));

	if (message && !order->is_json_asked)
		puts(message);
	else if (order->as_json || !order->view)
		show_json(order, document);
	else
		show_table(order, document);
	if (fflush(stdout) != 0)
		return EX_IOERR;
	return json_is_false(json_object_get(document, "found")) ? NOT_FOUND : EX_OK;
}

static int
run(struct admin_order *order)
{
	int code = look_ahead(order);

	while (code == EX_OK) {
		json_t *document = NULL;

		code = look(order, &document);
		if (code == EX_OK)
			code = show(order, document);
		json_decref(document);
		if (order->watch_s == 0)
			break;
		sleep((unsigned)order->watch_s);
	}
	return code;
}

int
admin_command_run(const struct admin_program *program, const char *default_config,
    const struct admin_view *views, const struct program_command *command, int count,
    char **arguments)
{
	struct admin_order order = { .program = program,
		.view = admin_view_find(views, command->word),
		.config = default_config };
	int code = read_order(&order, command, count, arguments);

	if (code == EX_OK)
		code = run(&order);
	json_decref(order.question);
	json_decref(order.counts);
	return code;
}
