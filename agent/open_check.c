/* Judges a relay's `open` by reading the hello a second time. */
#include "agent/open_check.h"

#include <stdio.h>
#include <string.h>

#include "agent/challenge.h"
#include "agent/endpoint.h"
#include "base/clock.h"
#include "sni/clienthello.h"
#include "sni/name.h"

bool
open_is_for_challenge(const struct frame_open *open, const uint8_t *bytes)
{
	struct clienthello hello;

	clienthello_init(&hello, CLIENTHELLO_MOST_BYTES);
	return clienthello_read(&hello, bytes, open->hello_bytes) == CLIENTHELLO_COMPLETE &&
	    clienthello_offers_only_alpn(&hello, bytes, CHALLENGE_PROTOCOL);
}

/* The hello is whole, and it, the frame and the endpoint agree on the server name. */
static bool
hello_agrees(const struct frame_open *open, const struct endpoint *endpoint, const uint8_t *bytes,
    char *sentence)
{
	struct clienthello hello;

	clienthello_init(&hello, CLIENTHELLO_MOST_BYTES);
	if (clienthello_read(&hello, bytes, open->hello_bytes) != CLIENTHELLO_COMPLETE)
		snprintf(sentence, SENTENCE_TEXT, "what came as the hello is %s",
		    clienthello_verdict_name(hello.verdict));
	else if (hello.wire_bytes != open->hello_bytes)
		snprintf(sentence, SENTENCE_TEXT, "the hello ends after %u bytes, not %u",
		    (unsigned)hello.wire_bytes, (unsigned)open->hello_bytes);
	else if (strcmp(hello.server_name, open->server_name) != 0)
		snprintf(sentence, SENTENCE_TEXT,
		    "the hello asks for '%.200s', the relay says '%.200s'", hello.server_name,
		    open->server_name);
	else if (!name_matches(endpoint->server_name, open->server_name, false))
		snprintf(sentence, SENTENCE_TEXT, "endpoint %s serves %.200s, not '%.200s'",
		    endpoint->name, endpoint->server_name, open->server_name);
	else
		return true;
	return false;
}

/* What is passed through may still try what refused a moment ago: nobody has been told yet. */
static bool
upstream_answers(const struct endpoint *endpoint, char *sentence)
{
	struct upstream_group *group = endpoint->upstream.group;
	char why[UPSTREAM_DOWN_TEXT];

	if (upstream_group_is_down(group))
		snprintf(sentence, SENTENCE_TEXT, "endpoint %s: %.150s", endpoint->name,
		    upstream_group_why_down(group, why));
	else if (endpoint->terminates && upstream_group_is_refusing(group, clock_ms()))
		snprintf(sentence, SENTENCE_TEXT,
		    "the upstream of endpoint %s refused a moment ago", endpoint->name);
	else
		return true;
	return false;
}

enum code
open_check(const struct frame_open *open, const struct endpoint *endpoint, const uint8_t *hello,
    bool is_challenge, char sentence[SENTENCE_TEXT])
{
	sentence[0] = '\0';
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
	if (!is_challenge && !address_rules_admit(endpoint->addresses, &open->client)) {
		char client[ADDRESS_TEXT];

		snprintf(sentence, SENTENCE_TEXT, "allow and deny of endpoint %s do not let %s in",
		    endpoint->name, address_host_text(&open->client, client));
		return CODE_CLIENT_DENIED;
	}
	if (!hello_agrees(open, endpoint, hello, sentence))
		return CODE_HELLO_MISMATCH;
	if (!is_challenge && !upstream_answers(endpoint, sentence))
		return CODE_UPSTREAM_DOWN;
	return CODE_NONE;
}
