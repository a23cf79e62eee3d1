/*
 * What the relay's `open` must be.  The relay routed by its own reading of the
 * hello; this is ours, by the same parser, so that a relay in error (or in bad
 * faith) cannot make an endpoint serve another name.
 */
#include <stdio.h>
#include <string.h>

#include "agent/flow_private.h"
#include "base/clock.h"
#include "sni/clienthello.h"
#include "sni/name.h"

static bool
says_the_same(const struct frame_open *open, const struct endpoint *endpoint, const uint8_t *hello,
    char *sentence)
{
	struct clienthello read;

	clienthello_init(&read, CLIENTHELLO_MOST_BYTES);
	if (clienthello_read(&read, hello, open->hello_bytes) != CLIENTHELLO_COMPLETE)
		snprintf(sentence, SENTENCE_TEXT, "what came as the hello is %s",
		    clienthello_verdict_name(read.verdict));
	else if (read.wire_bytes != open->hello_bytes)
		snprintf(sentence, SENTENCE_TEXT, "the hello ends after %u bytes, not %u",
		    (unsigned)read.wire_bytes, (unsigned)open->hello_bytes);
	else if (strcmp(read.server_name, open->server_name) != 0)
		snprintf(sentence, SENTENCE_TEXT,
		    "the hello asks for '%.200s', the relay says '%.200s'", read.server_name,
		    open->server_name);
	else if (!name_matches(endpoint->server_name, open->server_name, false))
		snprintf(sentence, SENTENCE_TEXT, "endpoint %s serves %.200s, not '%.200s'",
		    endpoint->name, endpoint->server_name, open->server_name);
	else
		return true;
	return false;
}

enum code
flow_check_open(struct flow *flow, const uint8_t *hello, char sentence[SENTENCE_TEXT])
{
	const struct frame_open *open = &flow->open;
	const struct endpoint *endpoint = flow->endpoint;

	sentence[0] = '\0';
	if (flow->context->is_draining) {
		snprintf(sentence, SENTENCE_TEXT, "the agent is stopping");
		return CODE_AGENT_DRAINING;
	}
	if (!endpoint) {
		snprintf(sentence, SENTENCE_TEXT, "no endpoint has the number %u",
		    (unsigned)open->endpoint);
		return CODE_ENDPOINT_UNKNOWN;
	}
	if ((unsigned)open->carrier > CARRIER_HANDOFF ||
	    !(endpoint->carriers & 1u << open->carrier)) {
		snprintf(sentence, SENTENCE_TEXT, "endpoint %s does not allow this carrier",
		    endpoint->name);
		return CODE_CARRIER_REFUSED;
	}
	if (!says_the_same(open, endpoint, hello, sentence))
		return CODE_HELLO_MISMATCH;
	if (endpoint->terminates && endpoint_is_down(endpoint, clock_ms())) {
		snprintf(sentence, SENTENCE_TEXT,
		    "the upstream of endpoint %s refused a moment ago", endpoint->name);
		return CODE_UPSTREAM_DOWN;
	}
	return CODE_NONE;
}
