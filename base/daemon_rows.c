/* Words and checks of the rows that daemons share. */
#include "base/daemon_rows.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/thread.h"
#include "base/units.h"

enum { MEMORY_LEAST = 16 << 20 };

const char *const daemon_rows_log_levels[] = { "error", "warning", "info", "debug", NULL };
const char *const daemon_rows_starttls[] = { "none", "postgres", NULL };
const char *const daemon_rows_proxy_tlvs[] = { "all", "none", NULL };
const char *const daemon_rows_log_formats[] = { "auto", "text", "json", NULL };

static const char *const health_words[] = { "none", "tcp", "tls", NULL }; /* enum health_kind */

/* clang-format off */
const struct conf_row daemon_rows_health[] = {
	{ "check", CONF_WORD, offsetof(struct health_settings, check), .required = true,
	    .words = health_words },
	{ "interval", CONF_DURATION, offsetof(struct health_settings, interval_ms), .fallback = "10s",
	    .least = 1000, .most = 3600000 },
	{ "timeout", CONF_DURATION, offsetof(struct health_settings, timeout_ms), .fallback = "2s",
	    .least = 100, .most = 10000 },
	{ "rise", CONF_NUMBER, offsetof(struct health_settings, rise), .fallback = "2", .least = 1,
	    .most = 100 },
	{ "fall", CONF_NUMBER, offsetof(struct health_settings, fall), .fallback = "3", .least = 1,
	    .most = 100 },
	{ 0 }
};
/* clang-format on */

_Static_assert(LOG_ERROR == 0 && LOG_DEBUG == 3, "daemon_rows_log_levels follows enum log_level");
_Static_assert(LOG_AUTO == 0 && LOG_JSON == 2, "daemon_rows_log_formats follows enum log_format");

void
daemon_rows_check_proxy_tlvs(
    uint64_t proxy_protocol, struct conf_mark mark, struct conf_report *report)
{
	if (mark.line > 0 && proxy_protocol != 2)
		conf_error(report, mark,
		    "proxy_tlvs is for proxy_protocol: 2, the only version that has them; remove it");
}

bool
daemon_rows_is_path(const char *text, char error[256])
{
	bool is_for_a_shell = text[0] == '~' || strchr(text, '$');

	if (text[0] == '\0' || strlen(text) >= PATH_MAX)
		snprintf(error, 256, "is not a valid path; it has 1 to %d bytes", PATH_MAX - 1);
	else if (is_for_a_shell && access(text, F_OK) < 0)
		snprintf(error, 256,
		    "is not expanded, since no shell reads this; write the path as it is on the disk");
	else
		return true;
	return false;
}

bool
daemon_rows_is_workers(const char *text, char error[256])
{
	uint64_t count;

	if (strcmp(text, "auto") == 0 ||
	    (number_parse(text, &count) && count > 0 && count <= DAEMON_WORKERS_MOST))
		return true;
	snprintf(
	    error, 256, "is not a number of workers; write auto or 1 to %d", DAEMON_WORKERS_MOST);
	return false;
}

unsigned
daemon_rows_workers(const char *text)
{
	uint64_t count;

	return text && number_parse(text, &count) ? (unsigned)count : thread_cores();
}

bool
daemon_rows_is_memory(const char *text, char error[256])
{
	uint64_t bytes;

	if (strcmp(text, "auto") == 0 || strcmp(text, "off") == 0 ||
	    (size_parse(text, &bytes) && bytes >= MEMORY_LEAST))
		return true;
	snprintf(error, 256, "is not a valid bound; write auto, off or a size of 16MiB or more");
	return false;
}

uint64_t
daemon_rows_memory(const char *text, uint64_t host)
{
	uint64_t bytes;

	if (!text || strcmp(text, "auto") == 0)
		return host < UINT64_MAX ? host / 2 : 0;
	return size_parse(text, &bytes) ? bytes : 0;
}

void
daemon_rows_print_memory(const char *key, uint64_t bytes, FILE *out)
{
	if (bytes == 0)
		fprintf(out, "%s: off\n", key);
	else if (bytes % (1 << 20) == 0)
		fprintf(out, "%s: %" PRIu64 " MiB\n", key, bytes >> 20);
	else
		fprintf(out, "%s: %" PRIu64 " KiB\n", key, bytes >> 10);
}

void
daemon_rows_print_limit(const char *key, uint64_t value, uint64_t asked, FILE *out)
{
	fprintf(out, "%s: %" PRIu64, key, value);
	if (asked > value)
		fprintf(out,
		    ", not %" PRIu64 ": there are too few descriptors; raise LimitNOFILE= of the "
		    "service, or ulimit -Hn",
		    asked);
	fputc('\n', out);
}

void
daemon_rows_check_upstreams(const struct conf_texts *urls, struct conf_report *report)
{
	if (urls->count > UPSTREAMS_MOST)
		conf_error(report, urls->marks[UPSTREAMS_MOST],
		    "more than %d upstreams; take some away", UPSTREAMS_MOST);
	for (size_t i = 0; i < urls->count && i < UPSTREAMS_MOST; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(urls->items[i], urls->items[j]) == 0)
				conf_error(report, urls->marks[i],
				    "%s is listed twice; once is enough", urls->items[i]);
}
