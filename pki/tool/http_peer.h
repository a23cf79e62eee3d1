/*
 * A look at a client's certificate before GnuTLS uses it.  GnuTLS checks the signature by the
 * leaf's key during the handshake, before anybody is asked about the chain, and takes minutes for
 * a key that is long enough; and it takes half a second to read a name of a few thousand parts.
 * All of that a stranger may send.
 */
#ifndef PKI_TOOL_HTTP_PEER_H
#define PKI_TOOL_HTTP_PEER_H

#include <stdbool.h>

#include "pki/der.h"

enum { HTTP_PEER_BYTES = 32 * 1024 /* of all certificates */ };

/* Whether GnuTLS may read this Certificate message (RFC 8446, 4.4.2; before TLS 1.3 RFC 5246, 7.4.6,
 * without context and extensions): not too long, and if there is a leaf, with a key of a usable length. */
bool http_peer_is_fit(struct der message, bool is_13);

#endif
