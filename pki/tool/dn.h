/*
 * Whether the strings of distinguished names are what they say that they are (X.520, RFC 5280
 * 4.1.2.4): other libraries refuse a certificate, or show nothing, where one is not.
 */
#ifndef PKI_TOOL_DN_H
#define PKI_TOOL_DN_H

#include <stdbool.h>
#include <stddef.h>

#include "pki/der.h"

/* UTF-8 without control characters and others that cannot be seen: what we put into names. */
bool dn_is_text(const char *text, size_t bytes);
/* Every value in this Name is a string of a type that OpenSSL and Go both read, in the characters of
 * that type, and has no control characters; its type is an OID in good form. */
bool dn_is_sound(struct der name);

#endif
