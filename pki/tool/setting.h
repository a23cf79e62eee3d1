/*
 * Words that the inventory keeps for all commands: where `valise-pki serve` is reached, and the names
 * of its own certificate.  serve writes them at its start.
 */
#ifndef PKI_TOOL_SETTING_H
#define PKI_TOOL_SETTING_H

#include <stddef.h>

#include "pki/tool/store_statement.h"

#define SETTING_URL "url"             /* "https://pki.example.net" */
#define SETTING_OWN_NAME "own_name"   /* NAME of the certificate */
#define SETTING_OWN_HOSTS "own_hosts" /* as names_join() writes them */

/* Empty if there is none. */
int setting_read(struct store *, const char *word, char *out, size_t out_size);
/* In a change of its own, and only if it was another value. */
int setting_write(struct store *, const char *word, const char *value);

#endif
