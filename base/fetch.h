/*
 * One HTTP request and its answer, by libcurl in a process of its own (the program valise-fetch),
 * so that no loop waits, and so that no daemon has libcurl, or what that links, in its memory.
 *
 *	helper = fetch_helper_start(NULL)	first of all (helper.h)
 *	fetcher = fetcher_new(loop, resolver, helper)
 *
 *	fetch_start --the name is resolved--> on the way --> fn(arg, answer), once, on the loop
 *	     |                                    |
 *	     +---------- fetch_cancel ------------+-->  nothing
 *
 * http and https only, HTTP/1.1, TLS 1.2 or later.  Nothing of the environment, of netrc, cookies,
 * compression, remembered connections or TLS sessions.  Names are resolved by resolver.h, for
 * whichever host is connected to: the URL's, the one to dial instead, or the proxy's, which then
 * resolves the URL's. Redirects are followed for a GET or HEAD that carries nothing of the caller's
 * (no user, certificate, header, or address to dial): at most three, to the same host, never from
 * https to http.
 *
 * libcurl's GnuTLS judges a chain but no purpose: a certificate for clients passes for a server's.
 * Who has a secret to send says whom to believe by FETCH_TRUST_PIN, after pki/ has judged the chain
 * that an earlier fetch with FETCH_TRUST_NOBODY told.
 *
 * If the process dies, what was under way is unreachable.  It ends by itself when there is nothing
 * to do.
 *
 * Shared by:     all that one daemon fetches: CRLs, its own certificates, those of its endpoints.
 * Bound:         FETCH_MOST under way; each has its deadline and its most of bytes, headers FETCH_HEADERS.
 * Who leaves:    nobody; a newcomer is refused, and its owner tries later.
 */
#ifndef BASE_FETCH_H
#define BASE_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fetch;
struct fetch_proxy;
struct fetcher;
struct helper;
struct loop;
struct resolver;

/* The CAs that this system believes, PEM. */
#define FETCH_SYSTEM_CAS "/etc/ssl/certs/ca-certificates.crt"

enum {
	FETCH_MOST = 64,
	FETCH_HEADERS =
	    64 << 10,     /* bytes of all headers of an answer, those of redirects included */
	FETCH_URL = 2048, /* with the NUL */
	FETCH_REDIRECTS = 3,
	FETCH_PIN = 32,
};

enum fetch_method { FETCH_GET, FETCH_HEAD, FETCH_POST };

/* Whom an https server is believed by; the URL's host is checked with all but the last. */
enum fetch_trust {
	FETCH_TRUST_SYSTEM, /* the system's CAs, and those of `cas`, if given */
	FETCH_TRUST_GIVEN,  /* those of `cas` only */
	FETCH_TRUST_PIN,    /* the key `pin`, whoever certified it */
	FETCH_TRUST_NOBODY, /* it is not judged: nothing secret may go along */
};

/* Borrowed for the call.  What is not given is NULL or 0. */
struct fetch_request {
	enum fetch_method method;
	const char *url; /* fetch_is_url() */
	const char *content_type;
	const void *body;
	size_t body_bytes;
	const char *const *headers; /* "Name: value" without an end of line; NULL behind the last */
	enum fetch_trust trust;
	const char *cas;    /* PEM */
	const uint8_t *pin; /* SHA-256 of the server's SubjectPublicKeyInfo, FETCH_PIN bytes */
	bool wants_chain;   /* to be told what the server presented */
	/* The client's, PEM; of the key a URL will do (keys/key_url.h). */
	const char *certificate, *private_key;
	int key_way; /* the other end answers for that key; only for the call; 0: none */
	const char *user, *password;      /* Basic; only by https */
	const struct fetch_proxy *proxy;  /* it says itself which hosts it is not for */
	const char *dial;                 /* "host:port" to connect to instead of the URL's */
	const char *etag, *last_modified; /* as an earlier answer had them: 304 if nothing is new */
	size_t answer_most;               /* bytes of the body; 0: 1 MiB */
	uint64_t deadline_ms;             /* in all; 0: 30 s */
};

enum fetch_outcome {
	FETCH_ANSWERED,    /* there is a status, whichever */
	FETCH_UNREACHABLE, /* name, network, proxy, TLS, time, memory: another time it may work */
	FETCH_UNTRUSTED,   /* the server's certificate is not one that is believed */
	FETCH_REFUSED,     /* too long, a redirect that is not followed, no HTTP */
};

/* Borrowed for the call that tells it. */
struct fetch_answer {
	enum fetch_outcome outcome;
	const char *error; /* a sentence that begins with the URL; NULL if answered */
	unsigned status;   /* 0 unless answered */
	const char *url;   /* that gave the answer, after redirects */
	const char *headers;
	const void *body; /* a NUL is behind it */
	size_t body_bytes;
	/* What the server presented, PEM, its own first.  NULL: not asked for, or none. */
	const char *chain;
};

/* The process of a fetcher; `program` is borrowed for the call, NULL: fetch_program_find().
 * NULL with errno. */
struct helper *fetch_helper_start(const char *program);
enum { FETCH_PROGRAM_PATH = 4096 };
/* Where the program is: beside this one, where nothing is installed, else in libexecdir.  False
 * with a sentence, if it cannot be executed. */
bool fetch_program_find(char path[FETCH_PROGRAM_PATH], char error[512]);

/* All are borrowed, and the helper has no other fetcher.  It belongs to the loop's thread.  NULL
 * when memory is short. */
struct fetcher *fetcher_new(struct loop *, struct resolver *, struct helper *);
/* Everything must have been answered or cancelled. */
void fetcher_free(struct fetcher *);

/* fn is never called inside this call.  NULL: memory is short, or FETCH_MOST are under way. */
struct fetch *fetch_start(struct fetcher *, const struct fetch_request *,
    void (*fn)(void *arg, const struct fetch_answer *), void *arg);
/* Until fn has begun: it is never called.  NULL is fine. */
void fetch_cancel(struct fetch *);

/* The value of the first header of this name, or NULL. */
const char *fetch_answer_header(const struct fetch_answer *, const char *name);
/* What Retry-After says, as seconds from now; 0: nothing that is in the future. */
uint64_t fetch_answer_retry_after_s(const struct fetch_answer *, int64_t now_s);

/* http:// or https://, a host, perhaps a port and a path; no user and no fragment.  Else false with the
 * rest of a sentence that begins with the value. */
bool fetch_is_url(const char *text, char error[256]);
/* Its host, without brackets; false if it is not a URL. */
bool fetch_url_host(const char *url, char host[254]);
/* Whether it is https:// */
bool fetch_is_secure(const char *url);

#endif
