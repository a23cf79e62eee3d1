/*
 * What `valise-agent run` and `tls` show on a terminal, under the log: state, relays, endpoints with their
 * upstreams, and what went wrong last.  It is made of the document that `valise-agent status` gets.
 */
#ifndef AGENT_LIVE_BLOCK_H
#define AGENT_LIVE_BLOCK_H

#include <jansson.h>
#include <stdint.h>

#include "base/log.h"

enum { LIVE_BLOCK_LINES = 12 };

/* Lines of less than `columns` characters, LIVE_BLOCK_LINES of them at most; `flows` is how many there
 * have been since the start. */
void live_block_text(char out[LOG_FOOTER], unsigned columns, const json_t *status, uint64_t flows);

#endif
