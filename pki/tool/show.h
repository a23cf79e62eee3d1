/*
 * Files of every kind that an authority deals with, recognised by what is in
 * them.  Of private keys only the public half is ever told.
 */
#ifndef PKI_TOOL_SHOW_H
#define PKI_TOOL_SHOW_H

#include <jansson.h>

#include "base/secret.h"
#include "pki/tool/options.h"

/* Adds an object for each thing in the file. An encrypted one is opened only if a
 * passphrase is given. */
int show_file(const struct common *, const char *path, const struct secret *file, json_t *list);

#endif
