/* The ends of the relay's certificate and of the CRLs by which it judges agents. */
#include "relay/metrics_endings.h"

#include <stdio.h>
#include "relay/reload.h"
#include "relay/rules.h"
#include "relay/shared.h"
#include "relay/trustwatch.h"

static size_t
add_crls(const struct reload *reload, struct ending *ending)
{
	struct trust *trust = trustwatch_trust(reload->shared->trustwatch);
	int64_t ends_s = trust ? trust_next_update(trust) : INT64_MAX;

	if (trust)
		trust_release(trust);
	*ending = (struct ending){ .what = "connect.agent_cas", .ends_s = ends_s, .is_crl = true };
	return ends_s != INT64_MAX;
}

size_t
relay_metrics_endings(const struct reload *reload, struct ending endings[RELAY_ENDINGS_MOST])
{
	const struct settings *settings = &reload->rules->settings;
	size_t count = 0;

	if (!settings->connect_name)
		return 0;
	if (reload->certificate_ends_s != 0) {
		endings[count] = (struct ending){ .what = "connect.certificate",
			.begins_s = reload->certificate_begins_s,
			.ends_s = reload->certificate_ends_s };
		snprintf(endings[count++].name, ENDING_NAME, "%s", settings->certificate);
	}
	return count + add_crls(reload, &endings[count]);
}
