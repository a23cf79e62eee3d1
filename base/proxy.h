/*
 * The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt): the
 * header before a connection's bytes that says whose connection it is.
 *
 * Version 2 has TLVs behind the addresses.  Those that are written are facts of ours, each of them
 * given by the caller; those that are received are judged and thrown away, since nobody vouches for
 * what a proxy in front says of a TLS that we have not seen.
 */
#ifndef BASE_PROXY_H
#define BASE_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/address.h"

enum {
	PROXY_V1_MOST = 107, /* all of version 1 */
	/* Version 2 with an authority, an unique id of 32 and a checksum, and without ALPN and TLS. */
	PROXY_PLAIN_MOST = 536,
	PROXY_USUAL_MOST = 4096, /* what nginx takes */
	PROXY_MOST = 64 * 1024,  /* no header is longer that is written here */
};
enum proxy_verdict { PROXY_INCOMPLETE, PROXY_COMPLETE, PROXY_MALFORMED };

/* What our own handshake with the client has found (PP2_TYPE_SSL).  Borrowed. */
struct proxy_tls {
	const char *version;                   /* "TLSv1.3" */
	const char *cipher;                    /* as OpenSSL calls it */
	bool has_certificate;                  /* the client showed one, and it was judged good */
	const void *common_name, *certificate; /* UTF-8; DER; told if they have bytes */
	size_t common_name_bytes, certificate_bytes;
};

/* What is told, borrowed; NULL and "": not.  Version 1 has room for the addresses only. */
struct proxy_header {
	int version; /* 1 or 2 */
	const struct address *source, *destination;
	const char *alpn;      /* that was agreed on with the client */
	const char *authority; /* the name that the connection was routed by */
	const char *unique_id; /* at most 128 bytes */
	const struct proxy_tls *tls;
	bool has_checksum;
};

/* Returns how long the header is, and writes it to `out` if that is not more than `room`, of which
 * not more than PROXY_MOST count.  Addresses of unlike families become UNKNOWN; in version 2 LOCAL,
 * or UNSPEC if there are TLVs. */
size_t proxy_encode(uint8_t *out, size_t room, const struct proxy_header *);

struct proxy_facts {
	size_t header_bytes;
	bool has_addresses; /* not if it says UNKNOWN or LOCAL, or names no TCP addresses */
	struct address source, destination;
	const char *fault; /* of a malformed one: a sentence; else NULL */
};

/* Reads either version from the first byte on.  A TLV that comes twice (but for padding), that does
 * not fit its length or is of a wrong one, and a wrong CRC32c make a header malformed.  Of an
 * incomplete one nothing is known; TLVs may make a header up to 65551 bytes long, and the caller
 * bounds what it waits for. */
enum proxy_verdict proxy_decode(const uint8_t *data, size_t bytes, struct proxy_facts *);

#endif
