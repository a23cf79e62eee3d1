/*
 * What a proxy is told, and what it answers, until it carries our bytes: HTTP CONNECT with Basic
 * (http_connect.h), and SOCKS5 (RFC 1928) with user and password (RFC 1929), in which the proxy resolves
 * the name.  Pure: no socket, no clock, and nothing that came is kept.
 *
 *	http:	head ------------------------> over
 *	socks5:	method --> password --> reply --> over
 *	              `---------------->
 *
 *	proxy_talk_init(&talk, proxy, "relay.example.net:443");
 *	bytes = proxy_talk_say(&talk, out)	to be sent before anything is heard
 *	proxy_talk_hear(&talk, data, bytes, &used)	all that came and was not used yet
 *
 * A proxy is believed nothing: its answers are bounded, its words are quoted in printable bytes alone, and
 * our password stands in none of the sentences.
 */
#ifndef BASE_PROXY_TALK_H
#define BASE_PROXY_TALK_H

#include <stddef.h>
#include <stdint.h>

#include "base/http_connect.h"

struct fetch_proxy;

enum {
	PROXY_TALK_SAID = HTTP_CONNECT_REQUEST,
	PROXY_TALK_HEARD = 16 << 10, /* bytes of all that it answers */
	PROXY_TALK_ERROR = 320,
};

/* What the proxy is to say next. */
enum proxy_talk_answer { TALK_HEAD, TALK_METHOD, TALK_PASSWORD, TALK_REPLY, TALK_OVER };

/* A plain value.  Proxy and target are borrowed. */
struct proxy_talk {
	enum proxy_talk_answer expected;
	const struct fetch_proxy *proxy;
	const char *target; /* "host:port" */
	/* Of TALK_FAILED: the rest of a sentence that begins with the proxy. */
	char error[PROXY_TALK_ERROR];
};

void proxy_talk_init(struct proxy_talk *, const struct fetch_proxy *, const char *target);
/* What has to be said before the next answer.  It may hold a secret, and is the caller's to wipe.  0: memory
 * is short. */
size_t proxy_talk_say(const struct proxy_talk *, uint8_t out[PROXY_TALK_SAID]);

enum proxy_talk_verdict {
	TALK_MORE,    /* not whole yet; nothing was used */
	TALK_GOES_ON, /* *used bytes were used, and it has something to say again */
	TALK_DONE,    /* so many were used, and all behind them are the target's */
	TALK_FAILED,
};
enum proxy_talk_verdict proxy_talk_hear(
    struct proxy_talk *, const uint8_t *data, size_t bytes, size_t *used);

#endif
