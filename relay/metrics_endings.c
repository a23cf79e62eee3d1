/* The ends of the relay's certificate, and of the CAs and CRLs by which it judges agents. */
#include "relay/metrics_endings.h"

#include <stdio.h>
#include "relay/reload.h"
#include "relay/rules.h"
#include "relay/shared.h"
#include "relay/trustwatch.h"

struct endings {
	struct ending *at;
	size_t count;
};

static void
add(struct endings *endings, const char *name, const struct ending *ending)
{
	struct ending *copy = &endings->at[endings->count];

	if (endings->count == RELAY_ENDINGS_MOST)
		return;
	*copy = *ending;
	snprintf(copy->name, ENDING_NAME, "%s", name);
	endings->count++;
}

static void
add_end(void *arg, const struct trust_end *end)
{
	add(arg, end->name,
	    &(struct ending){ .what = end->is_crl ? "connect.agent_crls" : "connect.agent_cas",
		.begins_s = end->begins_s,
		.ends_s = end->ends_s,
		.is_crl = end->is_crl });
}

size_t
relay_metrics_endings(const struct reload *reload, struct ending out[RELAY_ENDINGS_MOST])
{
	const struct settings *settings = &reload->rules->settings;
	struct trust *trust = trustwatch_trust(reload->shared->trustwatch);
	struct endings endings = { .at = out };

	if (settings->connect_name && reload->certificate_ends_s != 0)
		add(&endings, settings->certificate,
		    &(struct ending){ .what = "connect.certificate",
			.begins_s = reload->certificate_begins_s,
			.ends_s = reload->certificate_ends_s });
	if (trust) {
		trust_each_end(trust, add_end, &endings);
		trust_release(trust);
	}
	return endings.count;
}
