/*
 * The configuration rows that every daemon has: workers, the log and the upstreams.  A daemon's
 * settings hold what the rows fill, and its table lists the rows by these macros, so that words,
 * defaults and sentences are the same.
 *
 *	static const struct conf_row rows[] = {
 *		DAEMON_WORKERS_ROW(struct settings, workers, workers_mark),
 *		DAEMON_LOG_ROWS(struct settings, log),
 *		...
 */
#ifndef BASE_DAEMON_ROWS_H
#define BASE_DAEMON_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/log.h"
#include "base/upstream_group.h"

/* Integers, as CONF_WORD fills them. */
struct log_settings {
	int level;  /* enum log_level */
	int format; /* enum log_format */
};

extern const char *const daemon_rows_log_levels[], *const daemon_rows_log_formats[];

/* clang-format 14 takes the braces of these macros for blocks of code, so they are laid out by hand. */
/* clang-format off */

#define DAEMON_LOG_ROWS(type, member) \
	{ "log.level", CONF_WORD, offsetof(type, member.level), .fallback = "info", \
	    .words = daemon_rows_log_levels }, \
	{ "log.format", CONF_WORD, offsetof(type, member.format), .fallback = "auto", \
	    .words = daemon_rows_log_formats }

/* Of a struct health_settings. */
extern const struct conf_row daemon_rows_health[];
/* What spans the keys of several upstreams: too many, one twice. */
void daemon_rows_check_upstreams(const struct conf_texts *urls, struct conf_report *);

/* How an upstream is asked for TLS before it gets any. */
enum daemon_starttls { STARTTLS_NONE, STARTTLS_POSTGRES };
extern const char *const daemon_rows_starttls[];

/* Whether a PROXY header of version 2 has more than the addresses. */
enum daemon_proxy_tlvs { PROXY_TLVS_ALL, PROXY_TLVS_NONE };
extern const char *const daemon_rows_proxy_tlvs[];

/* Of a `type` with the members url (struct conf_texts), url_mark, connect_ms, health, health_mark, starttls,
 * proxy_protocol (0 none, 1, 2), proxy_tlvs and proxy_tlvs_mark; is_valid is the check of the url, by
 * base/upstream_url, and the last two are the default and the most of connect_timeout. */
#define DAEMON_UPSTREAM_ROWS(type, is_valid, usual_connect, most_connect_ms) \
	{ "url", CONF_TEXTS, offsetof(type, url), .required = true, .check = is_valid, \
	    .mark_offset = offsetof(type, url_mark) }, \
	{ "connect_timeout", CONF_DURATION, offsetof(type, connect_ms), \
	    .fallback = usual_connect, .least = 100, .most = most_connect_ms }, \
	{ "health", CONF_MAPPING, offsetof(type, health), .table = daemon_rows_health, \
	    .scalar = "check", .mark_offset = offsetof(type, health_mark) }, \
	{ "starttls", CONF_WORD, offsetof(type, starttls), .words = daemon_rows_starttls }, \
	{ "proxy_protocol", CONF_NUMBER, offsetof(type, proxy_protocol), .least = 1, .most = 2 }, \
	{ "proxy_tlvs", CONF_WORD, offsetof(type, proxy_tlvs), .words = daemon_rows_proxy_tlvs, \
	    .mark_offset = offsetof(type, proxy_tlvs_mark) }

/* "auto" or a number. */
#define DAEMON_WORKERS_ROW(type, member, mark) \
	{ "workers", CONF_TEXT, offsetof(type, member), .fallback = "auto", \
	    .check = daemon_rows_is_workers, .mark_offset = offsetof(type, mark) }

/* "auto", "off" or a size. */
#define DAEMON_MEMORY_ROW(type, member) \
	{ "limits.memory", CONF_TEXT, offsetof(type, member), .fallback = "auto", \
	    .check = daemon_rows_is_memory }

/* clang-format on */

/* A conf_row.check for the name of a file or a directory, whatever is there. */
bool daemon_rows_is_path(const char *text, char error[256]);
/* Reports a proxy_tlvs, if it was given, where there are none. */
void daemon_rows_check_proxy_tlvs(
    uint64_t proxy_protocol, struct conf_mark proxy_tlvs, struct conf_report *);

bool daemon_rows_is_memory(const char *text, char error[256]);
/* How many bytes that is, 0 for no bound; `host` is what the host has (host_memory()), and "auto" (or
 * NULL) is half of it. */
uint64_t daemon_rows_memory(const char *text, uint64_t host);
/* Lines for `check`.  Of memory 0 is no bound; of a limit that descriptors bound, it says what was asked
 * for where that cannot be had. */
void daemon_rows_print_memory(const char *key, uint64_t bytes, FILE *);
void daemon_rows_print_limit(const char *key, uint64_t value, uint64_t asked, FILE *);

enum { DAEMON_WORKERS_MOST = 256 };
bool daemon_rows_is_workers(const char *text, char error[256]);
/* How many that is: of "auto" (or NULL), one per core. */
unsigned daemon_rows_workers(const char *text);

#endif
