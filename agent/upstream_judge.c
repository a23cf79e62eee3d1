/* Judges the certificate of a tls:// upstream. */
#include "agent/upstream_judge.h"

#include <stdio.h>
#include <string.h>

#include "agent/upstream.h"

enum { ALERT_BAD_CERTIFICATE = 42 };

void
upstream_judge_init(struct upstream_judge *judge, const struct upstream *upstream, unsigned target)
{
	judge->upstream = upstream;
	judge->chain.trust = upstream->trust;
	judge->chain.role = ROLE_SERVER;
	judge->chain.host = upstream->targets[target].server_name;
}

void
upstream_judge_wipe(struct upstream_judge *judge)
{
	peer_check_wipe(&judge->chain);
}

bool
upstream_judge_takes(const struct upstream *upstream, const struct spki_pin *key)
{
	for (size_t i = 0; i < upstream->pin_count; i++)
		if (spki_pin_equals(&upstream->pins[i], key))
			return true;
	return upstream->pin_count == 0;
}

static unsigned
judge_key(struct upstream_judge *judge)
{
	char text[SPKI_PIN_TEXT];

	if (!judge->has_key)
		snprintf(judge->refusal, sizeof judge->refusal,
		    "the upstream's certificate cannot be read, so its key is not one of "
		    "upstream.spki");
	else if (upstream_judge_takes(judge->upstream, &judge->key))
		return 0;
	else
		snprintf(judge->refusal, sizeof judge->refusal,
		    "the upstream's key is not one of upstream.spki: it has %s; add that if the "
		    "upstream was given a new key, else something else answers there",
		    spki_pin_text(&judge->key, text));
	return ALERT_BAD_CERTIFICATE;
}

unsigned
upstream_judge_chain(void *arg, const struct tls_certificate *chain, size_t count)
{
	struct upstream_judge *judge = arg;
	unsigned alert = judge->upstream->trust ? peer_check_chain(&judge->chain, chain, count) : 0;

	judge->has_key =
	    count > 0 && spki_pin_of(&judge->key, (struct der){ chain[0].data, chain[0].bytes });
	if (alert != 0)
		snprintf(
		    judge->refusal, sizeof judge->refusal, "%s", judge->chain.verdict.sentence);
	else if (judge->upstream->pin_count > 0)
		alert = judge_key(judge);
	return alert;
}
