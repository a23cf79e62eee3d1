/*
 * Where bytes are sent to, as people write it in a configuration.  A pure function.
 */
#ifndef BASE_UPSTREAM_URL_H
#define BASE_UPSTREAM_URL_H

#include <stdbool.h>

enum { UPSTREAM_URL_ERROR = 256, UPSTREAM_URL_TARGET = 300 };

enum upstream_kind { UPSTREAM_TCP, UPSTREAM_TLS, UPSTREAM_UNIX };

struct upstream_url {
	enum upstream_kind kind;
	bool is_short; /* without a scheme, or a port alone */
	/* As connector_new() wants it: "host:port" or "unix:/path". */
	char target[UPSTREAM_URL_TARGET];
	char host[254]; /* without brackets; "" for unix */
};

/* "tcp://host:port", "tls://host:port", "unix:/path"; "host:port" and a lone port (of this host)
 * mean tcp.  A caller that does not take all of these forms looks at kind and is_short.
 *
 * False with a sentence to be put behind the value.  It names the cure, for which `forms` says what
 * the caller takes: "tcp://HOST:PORT or unix:/PATH". */
bool upstream_url_parse(
    struct upstream_url *, const char *text, const char *forms, char error[UPSTREAM_URL_ERROR]);
/* Whether what is sent to this target stays on this host: a path, a loopback address, or localhost.
 * Of other names nobody knows. */
bool upstream_url_is_local(const char *target);
/* That sentence for a form that the caller does not take; always false. */
bool upstream_url_refuse(const char *forms, char error[UPSTREAM_URL_ERROR]);

#endif
