/*
 * A proxy for what a daemon fetches (fetch.h): the configuration's keys, and the proxy that follows
 * from them.
 *
 *	static const struct conf_row rows[] = {
 *		{ "agent.proxy", CONF_MAPPING, offsetof(struct settings, proxy), .scalar = "url",
 *		    .table = fetch_proxy_rows, .mark_offset = offsetof(struct settings, proxy.mark) },
 */
#ifndef BASE_FETCH_PROXY_H
#define BASE_FETCH_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/file.h"
#include "base/secret.h"

struct prefix;

struct fetch_proxy_settings {
	struct conf_mark mark; /* line 0: not given */
	char *url;
	struct conf_mark url_mark;
	char *username, *password_file;
	struct conf_mark username_mark, password_file_mark;
	struct conf_texts no_proxy;
};

extern const struct conf_row fetch_proxy_rows[];

/* What spans its keys. */
void fetch_proxy_check(const struct fetch_proxy_settings *, struct conf_report *);
/* A sentence if the password goes to the proxy in clear, else NULL. */
const char *fetch_proxy_warning(const struct fetch_proxy_settings *);

struct fetch_proxy {
	char *url; /* http://, https:// or socks5:// host:port */
	char host[254];
	uint16_t port;
	char *username;         /* NULL: none is told */
	struct secret password; /* a NUL is behind it */
	char **names;           /* hosts that are reached without it, and all below them */
	size_t name_count;
	struct prefix *blocks; /* and addresses */
	size_t block_count;
};

/* Of settings that were checked; reads the file.  *out is NULL if no proxy is given.  False with a
 * sentence. */
bool fetch_proxy_load(
    const struct fetch_proxy_settings *, struct fetch_proxy **out, char error[FILE_ERROR]);
void fetch_proxy_free(struct fetch_proxy *);
/* Whether this host (a name, or an address without brackets) is reached by it. */
bool fetch_proxy_is_for(const struct fetch_proxy *, const char *host);

#endif
