/* Failures told on standard error, and settings made of options. */
#include "agent/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/conf.h"
#include "base/fetch_proxy.h"

int
command_fail(const char *command, int code, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "valise-agent: %s: ", command);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs(code == EX_USAGE ? " (see valise-agent(8))\n" : "\n", stderr);
	return code;
}

char *
command_copy(const char *text)
{
	char *made = text ? strdup(text) : NULL;

	if (text && !made)
		abort(); /* only start-up may do this */
	return made;
}

static size_t
count_parts(const char *text, const char *separators)
{
	size_t count = 1;

	for (; *text; text++)
		count += strchr(separators, *text) != NULL;
	return count;
}

void
command_list(struct conf_texts *out, const char *text, const char *separators)
{
	size_t count = text ? count_parts(text, separators) : 0;

	*out = (struct conf_texts){ 0 };
	if (count == 0)
		return;
	out->items = calloc(count, sizeof *out->items);
	out->marks = calloc(count, sizeof *out->marks);
	if (!out->items || !out->marks)
		abort();
	for (; out->count < count; out->count++) {
		size_t bytes = strcspn(text, separators);

		out->items[out->count] = strndup(text, bytes);
		if (!out->items[out->count])
			abort();
		text += bytes + 1;
	}
}

int
command_check_proxy(const char *command, const struct command_proxy *proxy)
{
	char error[256];

	if (proxy->url && !fetch_proxy_is_value("url", proxy->url, error))
		return command_fail(command, EX_USAGE, "--proxy %s %s", proxy->url, error);
	if (proxy->user && !proxy->url)
		return command_fail(command, EX_USAGE, "--proxy-user needs --proxy beside it");
	if (proxy->user && !fetch_proxy_is_value("username", proxy->user, error))
		return command_fail(command, EX_USAGE, "--proxy-user %s %s", proxy->user, error);
	return 0;
}

void
command_fill_proxy(struct fetch_proxy_settings *settings, const struct command_proxy *proxy)
{
	settings->url = command_copy(proxy->url);
	settings->username = command_copy(proxy->user);
	settings->password_file = command_copy(proxy->password_file);
}
