/* One subject for each key pair that may have URLs. */
#include "agent/crl_urls.h"

#include <stdlib.h>

#include "agent/settings.h"
#include "agent/sources.h"
#include "enrol/crl_advice.h"
#include "enrol/crl_refresh.h"

struct crl_subjects {
	struct crl_refresh_subject *items;
	const char **keys; /* of the URLs of each */
	size_t count;
	const struct renewal_settings *renew;
	struct renewal_crl authority;
};

static void
add(struct crl_subjects *subjects, const char *label, const struct conf_texts *cas, const char *key,
    const struct conf_texts *urls)
{
	static char *files[] = { SOURCES_SYSTEM_CAS };
	static const struct conf_texts system_cas = { .items = files, .count = 1 };

	if (cas->count == 0 && urls->count == 0)
		return;
	subjects->keys[subjects->count] = key;
	subjects->items[subjects->count++] =
	    (struct crl_refresh_subject){ label, cas->count > 0 ? cas : &system_cas, urls,
		    renewal_rows_dial(subjects->renew, urls) };
}

static void
add_endpoint(struct crl_subjects *subjects, const struct endpoint_settings *endpoint)
{
	add(subjects, "mutual_tls_certificate_authorities", &endpoint->termination.cas,
	    "mutual_tls_crl_url", &endpoint->termination.crl_url);
	add(subjects, "upstream.cas", &endpoint->upstream.cas, "upstream.crl_url",
	    &endpoint->upstream.crl_url);
}

/* Of whom the agent's certificate is renewed by. */
static void
add_authority(struct crl_subjects *subjects)
{
	if (subjects->renew->url)
		add(subjects, "agent.renew.cas", &subjects->renew->cas, "agent.renew.url",
		    renewal_rows_crl(&subjects->authority, subjects->renew->url));
}

static void
wipe(struct crl_subjects *subjects)
{
	free(subjects->items);
	free(subjects->keys);
}

/* False when memory is short. */
static bool
collect(struct crl_subjects *subjects, const struct agent_settings *settings)
{
	size_t most = 2 + 2 * settings->endpoints.count + settings->forwards.count;

	*subjects = (struct crl_subjects){ .items = calloc(most, sizeof *subjects->items),
		.keys = calloc(most, sizeof *subjects->keys),
		.renew = &settings->renew };
	if (!subjects->items || !subjects->keys) {
		wipe(subjects);
		return false;
	}
	add(subjects, "agent.connect_cas", &settings->connect_cas, "agent.connect_crl_url",
	    &settings->connect_crl_url);
	for (size_t i = 0; i < settings->endpoints.count; i++)
		add_endpoint(subjects, agent_settings_endpoint(settings, i));
	for (size_t i = 0; i < settings->forwards.count; i++) {
		const struct upstream_settings *server =
		    &agent_settings_forward(settings, i)->upstream;

		add(subjects, "forwards.cas", &server->cas, "forwards.crl_url", &server->crl_url);
	}
	add_authority(subjects);
	return true;
}

bool
crl_urls_refresh(struct crl_refresh *refresh, const struct agent_settings *settings,
    const struct fetch_proxy *proxy)
{
	struct crl_subjects subjects;
	bool is_set;

	if (!collect(&subjects, settings))
		return false;
	is_set = crl_refresh_set(refresh, subjects.items, subjects.count, proxy);
	wipe(&subjects);
	return is_set;
}

bool
crl_urls_advise(const struct agent_settings *settings, FILE *out)
{
	struct crl_subjects subjects;

	if (!collect(&subjects, settings))
		return false;
	for (size_t i = 0; i < subjects.count; i++)
		crl_advice_print(&subjects.items[i], subjects.keys[i], out);
	wipe(&subjects);
	return true;
}
