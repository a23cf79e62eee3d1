/*
 * The configuration rows of a daemon's HTTP (base/web.h), the same in both daemons.
 */
#ifndef BASE_WEB_ROWS_H
#define BASE_WEB_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/conf.h"

struct web_settings {
	char *http, *health; /* NULL: not served */
	struct conf_texts http_hosts;
	struct conf_mark http_mark, health_mark, http_hosts_mark;
};

/* clang-format off */
#define WEB_ROWS(type, member) \
	{ "admin.http", CONF_TEXT, offsetof(type, member.http), .check = web_rows_is_http, \
	    .mark_offset = offsetof(type, member.http_mark) }, \
	{ "admin.http_hosts", CONF_TEXTS, offsetof(type, member.http_hosts), .least = 1, \
	    .check = web_rows_is_host, .mark_offset = offsetof(type, member.http_hosts_mark) }, \
	{ "admin.health", CONF_TEXT, offsetof(type, member.health), .check = web_rows_is_health, \
	    .mark_offset = offsetof(type, member.health_mark) }
/* clang-format on */

/* Each a conf_row.check. */
bool web_rows_is_http(const char *text, char error[256]);
bool web_rows_is_health(const char *text, char error[256]);
bool web_rows_is_host(const char *text, char error[256]);

struct conf_report;
/* What spans the keys. */
void web_rows_check(const struct web_settings *, struct conf_report *);
/* Whether both serve the same at the same places. */
bool web_rows_equal(const struct web_settings *, const struct web_settings *);

#endif
