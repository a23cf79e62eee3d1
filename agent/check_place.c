/* Where in the configuration a mistake stands that a load of files has found. */
#include "agent/check.h"

#include <stdio.h>
#include <string.h>

#include "agent/client_rules.h"
#include "agent/endpoint.h"
#include "agent/settings.h"

/* The sentence is about this file.  What follows is looked at, too: one path may begin another. */
static bool
is_about(const char *sentence, const char *path)
{
	const char *found = path ? strstr(sentence, path) : NULL;

	return found && strchr(":, ", found[strlen(path)]);
}

static void
match(struct conf_mark *mark, const char *sentence, const char *path, struct conf_mark here)
{
	if (mark->line == 0 && is_about(sentence, path))
		*mark = here;
}

static void
match_any(struct conf_mark *mark, const char *sentence, const struct conf_texts *paths)
{
	for (size_t i = 0; i < paths->count; i++)
		match(mark, sentence, paths->items[i], paths->marks[i]);
}

static void
match_entries(struct conf_mark *mark, const char *sentence, const struct conf_items *entries)
{
	char head[32];

	for (size_t i = 1; i <= entries->count; i++) {
		snprintf(head, sizeof head, "clients, entry %zu", i);
		match(mark, sentence, head, client_rules_mark(entries, i));
	}
}

static void
match_endpoint(
    struct conf_mark *mark, const char *sentence, const struct endpoint_settings *endpoint)
{
	const struct termination_settings *termination = &endpoint->termination;
	char head[ENDPOINT_ERROR];

	snprintf(head, sizeof head, "endpoint %s: ", endpoint->name);
	if (strncmp(sentence, head, strlen(head)) != 0)
		return;
	for (size_t i = 0; i < agent_settings_certificate_count(termination); i++) {
		const struct certificate_settings *one = agent_settings_certificate(termination, i);

		match(mark, sentence, one->certificate, one->certificate_mark);
		match(mark, sentence, one->private_key, one->private_key_mark);
	}
	match_any(mark, sentence, &termination->cas);
	match_any(mark, sentence, &termination->crls);
	match_entries(mark, sentence, &termination->clients);
	match_any(mark, sentence, &endpoint->upstream.cas);
	match_any(mark, sentence, &endpoint->upstream.crls);
	match(mark, sentence, endpoint->upstream.certificate, endpoint->upstream.certificate_mark);
	match(mark, sentence, endpoint->upstream.private_key, endpoint->upstream.private_key_mark);
	match(mark, sentence, endpoint->name, endpoint->name_mark);
}

static void
match_forward(struct conf_mark *mark, const char *sentence, const struct forward_settings *forward)
{
	char head[ENDPOINT_ERROR];

	snprintf(head, sizeof head, "forward %s: ", forward->name);
	if (strncmp(sentence, head, strlen(head)) != 0)
		return;
	match(mark, sentence, forward->upstream.certificate, forward->upstream.certificate_mark);
	match(mark, sentence, forward->upstream.private_key, forward->upstream.private_key_mark);
	match_any(mark, sentence, &forward->upstream.cas);
	match_any(mark, sentence, &forward->upstream.crls);
	if (mark->line == 0)
		*mark = forward->name_mark;
}

static void
match_proxy(struct conf_mark *mark, const char *sentence, const struct fetch_proxy_settings *proxy)
{
	match(mark, sentence, proxy->password_file, proxy->password_file_mark);
	match_any(mark, sentence, &proxy->cas);
}

/* The functions that load files know nothing of the configuration, but their sentences name the
 * file. */
static struct conf_mark
place_of(const struct agent_settings *settings, const char *sentence)
{
	struct conf_mark mark = { 0, 0 };

	for (size_t i = 0; i < settings->endpoints.count; i++)
		match_endpoint(&mark, sentence, agent_settings_endpoint(settings, i));
	for (size_t i = 0; i < settings->forwards.count; i++)
		match_forward(&mark, sentence, agent_settings_forward(settings, i));
	match(&mark, sentence, settings->certificate, settings->certificate_mark);
	match(&mark, sentence, settings->private_key, settings->private_key_mark);
	match_any(&mark, sentence, &settings->connect_cas);
	match_any(&mark, sentence, &settings->connect_crls);
	match_proxy(&mark, sentence, &settings->proxy);
	for (size_t i = 0; i < settings->connect_url.count; i++)
		match_proxy(&mark, sentence, &agent_settings_relay(settings, i)->proxy);
	return mark;
}

void
agent_check_tell(const char *config_path, const struct agent_settings *settings, const char *error)
{
	struct conf_report report = { .out = stderr, .path = config_path };

	conf_error(&report, place_of(settings, error), "%s", error);
}
