/*
 * Who may read a page that asks for no password: a browser that was led to it by its own user, and no page of
 * somebody else's in that browser.  Names that lead to this host by another's DNS (rebinding) stand in Host,
 * pages of others in Origin (RFC 6454) and Sec-Fetch-Site (W3C Fetch Metadata).  Pure functions of the
 * request's header.
 */
#ifndef BASE_WEB_GUARD_H
#define BASE_WEB_GUARD_H

#include <stdbool.h>
#include <stddef.h>

struct conf_texts;

/* Each NULL where the header does not have it. */
struct web_guard_header {
	const char *host, *origin, *fetch_site;
};

/* NULL, or a sentence why the request is refused.  `hosts` are names that Host may have beside localhost and
 * the literals of loopback addresses; NULL: it may be anything. */
const char *web_guard_refusal(const struct web_guard_header *, const struct conf_texts *hosts);

/* The host of Host, without port and without brackets, in lower case and without a dot at its end.  False
 * where that is none, or longer than 253 bytes. */
enum { WEB_GUARD_HOST = 254 };
bool web_guard_host(const char *header, char host[WEB_GUARD_HOST]);
/* Whether it is localhost or the literal of a loopback address. */
bool web_guard_is_local(const char *host);

#endif
