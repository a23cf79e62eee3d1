/*
 * The line with which a host joins, printed by `valise-pki invite` and read by `valise-agent join`
 * and `valise-relay join`:
 *
 *	valise-join:AQF...
 *
 * Behind the colon stands in base64url (RFC 4648, 5, without padding): the version, 1; the kind of
 * certificate; the SHA-256 of the root's SubjectPublicKeyInfo; the invitation's handle and its secret;
 * the URL of `valise-pki serve`, and the relay's address, each with two octets of length before it; a
 * CRC-32C of all this.  Numbers are big-endian.  The checksum is against accidents of copying; what
 * makes the line worth anything is its secret, so whoever has read the line first can take the
 * host's place.
 *
 * Both functions are pure.
 */
#ifndef PKI_JOIN_LINE_H
#define PKI_JOIN_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/spki_pin.h"

enum {
	JOIN_HANDLE = 17,     /* 16 hexadecimal digits: the user's name for HTTP Basic (RFC 7617) */
	JOIN_SECRET = 33,     /* 32 of them, 128 bits: the password */
	JOIN_URL = 272,       /* "https://HOST" or "https://HOST:PORT" */
	JOIN_RELAY = 262,     /* "HOST:PORT", or empty */
	JOIN_LINE_TEXT = 832, /* the whole line with its NUL; no newline is in it */
};

struct join_line {
	const char *kind; /* "agent", "relay", "server" or "client": a constant */
	struct spki_pin root;
	char handle[JOIN_HANDLE], secret[JOIN_SECRET], url[JOIN_URL], relay[JOIN_RELAY];
};

/* False, with the reason in *why (a constant that reads after "the join line "), if a member is not
 * what it should be. */
bool join_line_encode(const struct join_line *, char out[JOIN_LINE_TEXT], const char **why);
/* Any bytes; white space is passed over, since mail programs break lines.  False as above, and *out is
 * wiped.  After use wipe what was read, and the text. */
bool join_line_decode(struct join_line *out, const char *text, size_t bytes, const char **why);
void join_line_wipe(struct join_line *);

/* Takes "https://HOST" or "https://HOST:PORT" apart; nothing may follow.  The host is a name or an
 * address, without brackets; without a port it is 443. */
bool join_url_parse(const char *url, char host[254], uint16_t *port);
/* Whether it is "HOST:PORT". */
bool join_relay_is(const char *text);

#endif
