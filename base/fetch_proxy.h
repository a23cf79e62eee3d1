/*
 * A proxy by which this host gets out, for what a daemon fetches (fetch.h) and for what it dials
 * (tunnel/proxy_dial.h): the configuration's keys, and the proxy that follows from them.
 *
 * `environment` in the place of a URL means what https_proxy or all_proxy (HTTPS_PROXY, ALL_PROXY) say at
 * that moment, whatever is reached by it, and no_proxy (NO_PROXY): there a name stands for all names below
 * it, `*` for everything, and what is neither a name, an address nor a block is passed over.  User and
 * password stand in the URL then.
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
	char *url;             /* or "environment" */
	struct conf_mark url_mark;
	char *username, *password_file;
	struct conf_mark username_mark, password_file_mark;
	struct conf_texts cas;
	struct conf_texts no_proxy;
};

extern const struct conf_row fetch_proxy_rows[];

/* Whether this may be the value of one of its keys; else the rest of a sentence that begins with it. */
bool fetch_proxy_is_value(const char *key, const char *text, char error[256]);
/* What spans its keys. */
void fetch_proxy_check(const struct fetch_proxy_settings *, struct conf_report *);

enum fetch_proxy_kind { FETCH_PROXY_HTTP, FETCH_PROXY_HTTPS, FETCH_PROXY_SOCKS5 };

struct fetch_proxy {
	enum fetch_proxy_kind kind;
	char *url; /* http://, https:// or socks5:// host:port; never a user or a password */
	char host[254];
	uint16_t port;
	struct secret cas; /* PEM, by which one of https:// is believed; empty: the system's CAs */
	char *username;    /* NULL: none is told */
	struct secret password; /* a NUL is behind it */
	char **names;           /* hosts that are reached without it, and all below them */
	size_t name_count;
	struct prefix *blocks; /* and addresses */
	size_t block_count;
};

/* Of settings that were checked; reads the files, or the environment.  *out is NULL if no proxy is given.
 * False with a sentence, in which no password stands. */
bool fetch_proxy_load(
    const struct fetch_proxy_settings *, struct fetch_proxy **out, char error[FILE_ERROR]);
/* NULL is fine. */
void fetch_proxy_free(struct fetch_proxy *);
/* Whether this host (a name, or an address without brackets) is reached by it. */
bool fetch_proxy_is_for(const struct fetch_proxy *, const char *host);
/* Whether they are reached, and reach others, in the same way.  NULL is one, too. */
bool fetch_proxy_equals(const struct fetch_proxy *, const struct fetch_proxy *);
enum { FETCH_PROXY_IGNORED = 256 };
/* Whether the environment names a proxy and the settings none, so that nobody goes by it; with a sentence. */
bool fetch_proxy_is_ignored(
    const struct fetch_proxy_settings *, char sentence[FETCH_PROXY_IGNORED]);
/* A sentence if its password goes to it in clear, else NULL; NULL has none. */
const char *fetch_proxy_warning(const struct fetch_proxy *);

#endif
