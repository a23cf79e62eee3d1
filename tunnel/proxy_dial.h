/*
 * Dials a target, directly or by a proxy (base/fetch_proxy.h): connects to the proxy, does TLS with it if
 * it is one of https://, and has it connect to the target (base/proxy_talk.h), which it resolves itself.
 *
 *	connecting --> shaking (https:// only) --> talking --> on_done
 *	     `-----------------------------------------------> on_done (no proxy)
 *
 * One deadline bounds all of it.  What a proxy sends behind its answer is the target's, and stands in
 * the stream.
 */
#ifndef TUNNEL_PROXY_DIAL_H
#define TUNNEL_PROXY_DIAL_H

#include <stddef.h>
#include <stdint.h>

#include "tunnel/tls.h"

struct connect_source;
struct fetch_proxy;
struct loop;
struct proxy_dial;
struct resolver;

enum { PROXY_DIAL_ERROR = 1024 };

/* Borrowed while the dial lives, but for the struct itself. */
struct proxy_dial_options {
	const char *target; /* as connector_new() wants it */
	uint64_t timeout_ms;
	const struct connect_source *source; /* NULL: the system chooses */
	const struct fetch_proxy *proxy;     /* NULL: none; it says itself for which hosts it is */
	struct tls_config *tls;              /* to one of https:// */
	/* Judges that one's certificate: 0, or the alert, with a sentence in `why`. */
	unsigned (*judge)(void *arg, const char *host, const struct tls_certificate *chain,
	    size_t count, char why[PROXY_DIAL_ERROR]);
	void *judge_arg;
};

/* on_done is called once, never inside this call, with a stream that the owner takes, or with NULL and a
 * sentence (borrowed), in which the proxy is named if it was one's.  NULL when memory is short. */
struct proxy_dial *proxy_dial_new(struct loop *, struct resolver *,
    const struct proxy_dial_options *,
    void (*on_done)(void *arg, struct stream *, const char *error), void *arg);
/* Gives up silently; after on_done has been called the dial is gone by itself and must not be freed.
 * NULL is fine. */
void proxy_dial_free(struct proxy_dial *);

/* In on_done, of a failure: this host lacks what a dial wants (CONNECT_SHORT), and nobody else is to
 * blame. */
bool proxy_dial_is_short(const struct proxy_dial *);

/* Whether these options lead by the proxy. */
bool proxy_dial_is_by_proxy(const struct proxy_dial_options *);

#endif
