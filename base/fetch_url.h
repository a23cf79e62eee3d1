/*
 * What a URL of http or https means: one reader for the configuration, for whoever fetches, and for
 * redirects. It is stricter than libcurl, which gets only what it has let pass: of a host, letters,
 * digits, `-`, `_` and `.`, or an address.
 */
#ifndef BASE_FETCH_URL_H
#define BASE_FETCH_URL_H

#include <stdbool.h>
#include <stdint.h>

/* Where something is connected to. */
struct fetch_target {
	bool is_secure;
	bool is_literal; /* the host is an address */
	char host[254];  /* without brackets */
	uint16_t port;
};

/* False with the rest of a sentence that begins with the URL. */
bool fetch_target_parse(struct fetch_target *, const char *url, char error[256]);
/* A host by itself, in brackets or not; false if it cannot be one. */
bool fetch_target_set_host(struct fetch_target *, const char *host);

#endif
