/*
 * UTF-8 (RFC 3629), and which characters of Unicode a reader cannot see.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The length of the well-formed sequence at `at`, which has `left` bytes (at least 1), and the code
 * point that it stands for; 0 if there is none: overlong, a surrogate, cut off, beyond U+10FFFF. */
unsigned utf8_decode(const void *at, size_t left, uint32_t *point);

/* Whether a text that holds this character may look like another text: it has no shape of its own,
 * or it changes the order or the joining of its neighbours.  Control characters, format characters
 * (bidirectional overrides, joiners, tags), line and paragraph separators, spaces other than U+0020,
 * variation selectors and fillers. */
bool utf8_is_invisible(uint32_t point);

/* Words of others for a terminal: with a question mark for each character that cannot be seen, and for
 * each byte that is part of none. */
void utf8_put_visibly(const char *text, FILE *out);

#endif
