/* The status document in a few lines for a terminal. */
#include "agent/live_block.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/numbers.h"

enum { RELAYS_SHOWN = 3, LINE_MOST = 512 };

struct block {
	char *out;
	size_t bytes;
	unsigned columns, lines;
};

/* What others have said may stand in it, so that only plain characters reach the terminal. */
static void
clean(char *line, unsigned columns)
{
	for (char *at = line; *at; at++)
		if ((unsigned char)*at < ' ' || (unsigned char)*at > '~')
			*at = '?';
	if (strlen(line) >= columns)
		line[columns - 1] = '\0';
}

__attribute__((format(printf, 2, 3))) static void
add(struct block *block, const char *format, ...)
{
	char line[LINE_MOST];
	va_list arguments;
	int length;

	if (block->lines == LIVE_BLOCK_LINES)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	clean(line, block->columns);
	length = snprintf(block->out + block->bytes, LOG_FOOTER - block->bytes, "%s\n", line);
	if (length < 0 || (size_t)length >= LOG_FOOTER - block->bytes) {
		block->out[block->bytes] = '\0';
		return;
	}
	block->bytes += (size_t)length;
	block->lines++;
}

static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void
add_relay(struct block *block, const json_t *relay)
{
	const char *error = text_of(relay, "error");
	json_int_t rtt_us = json_integer_value(json_object_get(relay, "rtt_us"));

	if (*error)
		add(block, "relay    %s  %s: %s", text_of(relay, "relay"), text_of(relay, "state"),
		    error);
	else if (rtt_us > 0)
		add(block, "relay    %s  %s, %.1f ms", text_of(relay, "relay"),
		    text_of(relay, "state"), (double)rtt_us / 1000);
	else
		add(block, "relay    %s  %s", text_of(relay, "relay"), text_of(relay, "state"));
}

/* How it is known that nobody else answers. */
static void
describe_probe(const json_t *probe, char *out, size_t bytes)
{
	const char *result = text_of(probe, "result"), *at = text_of(probe, "at");

	*out = '\0';
	if (*at)
		snprintf(out, bytes, "; asked from outside at %s: %s", at, result);
}

static void
add_endpoint(struct block *block, const json_t *endpoint)
{
	const json_t *upstreams = json_object_get(endpoint, "upstreams");
	const json_t *first = json_array_get(upstreams, 0);
	size_t more = difference(json_array_size(upstreams), 1);
	char probe[128], others[32] = "";

	describe_probe(json_object_get(endpoint, "probe"), probe, sizeof probe);
	if (more > 0)
		snprintf(others, sizeof others, " and %zu more", more);
	add(block, "endpoint tls://%s -> %s%s%s", text_of(endpoint, "server_name"),
	    text_of(first, "upstream"), others,
	    strcmp(text_of(first, "health"), "down") == 0 ? ", which is down" : "");
	add(block, "         the relay holds no key of this endpoint%s", probe);
}

static void
add_rest(struct block *block, const json_t *list, size_t shown, const char *what)
{
	if (json_array_size(list) > shown)
		add(block, "         and %zu more %s: valise-agent status",
		    json_array_size(list) - shown, what);
}

void
live_block_text(char out[LOG_FOOTER], unsigned columns, const json_t *status, uint64_t flows)
{
	struct block block = { .out = out, .columns = columns };
	const json_t *relays = json_object_get(status, "relays");
	const json_t *endpoints = json_object_get(status, "endpoints");

	*out = '\0';
	if (columns < 2)
		return;
	add(&block, "valise-agent %s  %s; flows: %lld open, %llu in all",
	    text_of(status, "version"), text_of(status, "state"),
	    (long long)json_integer_value(json_object_get(status, "flows")),
	    (unsigned long long)flows);
	for (size_t i = 0; i < smaller_of(json_array_size(relays), RELAYS_SHOWN); i++)
		add_relay(&block, json_array_get(relays, i));
	add_rest(&block, relays, RELAYS_SHOWN, "relays");
	for (size_t i = 0; i < json_array_size(endpoints) && block.lines + 3 <= LIVE_BLOCK_LINES;
	     i++) {
		add_endpoint(&block, json_array_get(endpoints, i));
		if (block.lines + 3 > LIVE_BLOCK_LINES)
			add_rest(&block, endpoints, i + 1, "endpoints");
	}
}
