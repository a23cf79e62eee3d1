/*
 * Texts that may stand once in a list, however long it is: where one stands already.
 */
#ifndef BASE_CONF_ONCE_H
#define BASE_CONF_ONCE_H

#include <stddef.h>

#include "base/conf.h"

struct conf_once;

/* With room for so many texts.  NULL when memory is short. */
struct conf_once *conf_once_new(size_t most);
void conf_once_free(struct conf_once *);
/* The place of the same text before; line 0: there is none, and from now on it is this one.  The text is
 * borrowed until conf_once_free(). */
struct conf_mark conf_once_note(struct conf_once *, const char *text, struct conf_mark);
/* Likewise for what is not text. */
struct conf_mark conf_once_note_bytes(
    struct conf_once *, const void *, size_t bytes, struct conf_mark);

#endif
