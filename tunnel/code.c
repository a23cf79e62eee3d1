/* The table of codes: each one's word, and whether trying again is of no use. */
#include "tunnel/code.h"

#include <stddef.h>

static const struct word {
	enum code code;
	bool permanent;
	const char *word;
} words[] = {
	{ CODE_NONE, false, "none" },
	{ CODE_PROTOCOL_ERROR, false, "protocol-error" },
	{ CODE_VERSION, true, "version" },
	{ CODE_CERTIFICATE_REFUSED, true, "certificate-refused" },
	{ CODE_CERTIFICATE_REVOKED, true, "certificate-revoked" },
	{ CODE_CERTIFICATE_EXPIRED, true, "certificate-expired" },
	{ CODE_BUSY, false, "busy" },
	{ CODE_DRAINING, false, "draining" },
	{ CODE_REPLACED, false, "replaced" },
	{ CODE_SESSION_LIMIT, false, "session-limit" },
	{ CODE_HEARTBEAT_LOST, false, "heartbeat-lost" },
	{ CODE_SHUTDOWN, false, "shutdown" },
	{ CODE_SOURCE_REFUSED, true, "source-refused" },
	{ CODE_KICKED, false, "kicked" },
	{ CODE_NAME_NOT_GRANTED, true, "name-not-granted" },
	{ CODE_NAME_TAKEN, false, "name-taken" },
	{ CODE_NAME_RESERVED, true, "name-reserved" },
	{ CODE_NAME_INVALID, true, "name-invalid" },
	{ CODE_ENDPOINT_LIMIT, false, "endpoint-limit" },
	{ CODE_NAME_DUPLICATE, true, "name-duplicate" },
	{ CODE_ACME_BUSY, false, "acme-busy" },
	{ CODE_HELLO_MISMATCH, false, "hello-mismatch" },
	{ CODE_ENDPOINT_UNKNOWN, false, "endpoint-unknown" },
	{ CODE_CARRIER_REFUSED, false, "carrier-refused" },
	{ CODE_UPSTREAM_DOWN, false, "upstream-down" },
	{ CODE_FLOW_LIMIT, false, "flow-limit" },
	{ CODE_NO_CERTIFICATE, false, "no-certificate" },
	{ CODE_AGENT_DRAINING, false, "agent-draining" },
	{ CODE_CLIENT_DENIED, false, "client-denied" },
	{ CODE_INTERNAL, false, "internal" },
	{ CODE_NOT_UNDERSTOOD, true, "not-understood" },
};
enum { WORDS = sizeof words / sizeof *words };

static const struct word *
find(enum code code)
{
	for (size_t i = 0; i < WORDS; i++)
		if (words[i].code == code)
			return &words[i];
	return NULL;
}

const char *
code_word(enum code code)
{
	const struct word *word = find(code);
	return word ? word->word : "unknown-code";
}

bool
code_is_permanent(enum code code)
{
	const struct word *word = find(code);
	return word && word->permanent;
}

const char *
code_word_at(unsigned index)
{
	return index < WORDS ? words[index].word : NULL;
}
