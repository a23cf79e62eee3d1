/* The configuration reader over a table with a row of every kind: no message may break, nothing may
 * leak. */
#include <stdlib.h>
#include <string.h>
#include "base/conf.h"

struct fuzzed_upstream {
	char *url;
	uint64_t version;
};

struct fuzzed_route {
	char *server_name;
	struct fuzzed_upstream upstream;
	struct conf_mark upstream_mark;
	struct conf_texts tags;
};

struct fuzzed_settings {
	uint64_t version, hello_ms, hello_bytes;
	bool fast;
	int mode;
	struct conf_texts cas;
	struct conf_items routes;
};

static const char *const modes[] = {"off", "request", "require", NULL};

static const struct conf_row upstream_rows[] = {
	{"url", CONF_TEXT, offsetof(struct fuzzed_upstream, url), .required = true},
	{"proxy_protocol", CONF_NUMBER, offsetof(struct fuzzed_upstream, version), .least = 1, .most = 2},
	{0},
};

static const struct conf_row route_rows[] = {
    {"server_name", CONF_TEXT, offsetof(struct fuzzed_route, server_name), .required = true},
    {"upstream", CONF_MAPPING, offsetof(struct fuzzed_route, upstream), .table = upstream_rows,
	.scalar = "url", .mark_offset = offsetof(struct fuzzed_route, upstream_mark)},
    {"tags", CONF_TEXTS, offsetof(struct fuzzed_route, tags), .fallback = "any"},
    {0},
};

static const struct conf_row rows[] = {
    {"version", CONF_NUMBER, offsetof(struct fuzzed_settings, version), .required = true, .least = 1,
	.most = 1},
    {"limits.hello_timeout", CONF_DURATION, offsetof(struct fuzzed_settings, hello_ms), .fallback = "3s",
	.least = 100, .most = 60000},
    {"limits.hello_bytes", CONF_SIZE, offsetof(struct fuzzed_settings, hello_bytes), .fallback = "16KiB"},
    {"fast", CONF_BOOL, offsetof(struct fuzzed_settings, fast), .fallback = "no"},
    {"mode", CONF_WORD, offsetof(struct fuzzed_settings, mode), .words = modes},
    {"cas", CONF_TEXTS, offsetof(struct fuzzed_settings, cas), .fallback = "/a"},
    {"routes", CONF_MAPPINGS, offsetof(struct fuzzed_settings, routes), .table = route_rows,
	.item_bytes = sizeof(struct fuzzed_route)},
    {0},
};

/* Each message is one line of printable text that names the file first. */
static void
judge_messages(const char *said)
{
	while (*said != '\0') {
		size_t length = strcspn(said, "\n");

		if (strncmp(said, "f:", 2) != 0 || said[length] != '\n')
			abort();
		for (size_t i = 0; i < length; i++) {
			if (said[i] < ' ' || said[i] > '~')
				abort();
		}
		said += length + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_report report = {.path = "f"};
	struct fuzzed_settings settings = {0};
	char *said = NULL;
	size_t said_bytes;
	bool fine;

	report.out = open_memstream(&said, &said_bytes);
	if (!report.out)
		return 0;
	fine = conf_read_bytes(&settings, rows, data, size, &report);
	fclose(report.out);
	if (fine != (report.errors == 0) || fine != (said_bytes == 0) ||
	    (fine && settings.version != 1))
		abort();
	judge_messages(said);
	conf_wipe(&settings, rows);
	free(said);
	return 0;
}
