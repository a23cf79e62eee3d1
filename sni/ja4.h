/*
 * JA4, FoxIO's TLS client fingerprint (technical_details/JA4.md of their
 * repository): what kind of client sent a hello, whatever the order in which it
 * shuffles its extensions.  For logs and filters; it proves nothing.
 *
 * Where the first or last byte of the first ALPN name is no ASCII letter or
 * digit, the text of the specification (hex digits) is followed, not the "99" of
 * older tools.
 *
 * The one file of sni/ that needs a library: nettle, for SHA-256.
 */
#ifndef SNI_JA4_H
#define SNI_JA4_H

#include <stdint.h>

struct clienthello;

enum { JA4_SIZE = 37 }; /* t13d1516h2_8daaf6152771_e5627efa2ab1 and the NUL */

/* hello is complete, wire the bytes that it was read from.  Uses 64 KiB of stack. */
void ja4_compute(char out[JA4_SIZE], const struct clienthello *hello, const uint8_t *wire);

#endif
