/*
 * What the settings must be together.
 */
#include <string.h>

#include "agent/settings.h"
#include "tunnel/frame.h"

/* "require" unless said otherwise, once there are CAs to judge by. */
static void
check_mutual_tls(
    struct termination_settings *t, struct conf_mark context, struct conf_report *report)
{
	bool said = t->mutual_tls_mark.line != 0;

	if (!said)
		t->mutual_tls = t->cas.count > 0 ? MUTUAL_REQUIRE : MUTUAL_OFF;
	if (said)
		context = t->mutual_tls_mark;
	if (t->mutual_tls != MUTUAL_OFF && t->cas.count == 0)
		conf_error(report, context, "mutual_tls without CAs would accept nobody; give"
		    " mutual_tls_certificate_authorities");
	if (t->crls.count > 0 && t->cas.count == 0)
		conf_error(report, t->crls.marks ? t->crls.marks[0] : context,
		    "mutual_tls_crls without mutual_tls_certificate_authorities; give those too");
	if (said && t->mutual_tls == MUTUAL_OFF && t->cas.count > 0)
		conf_error(report, context,
		    "mutual_tls is off but CAs are given: client certificates"
		    " would not be asked for; take one of the two away");
}

static void
check_upstream(struct endpoint_settings *endpoint, struct conf_report *report)
{
	struct upstream_settings *upstream = &endpoint->upstream;
	char error[URL_ERROR];

	if (!upstream->url || !url_upstream(&upstream->parsed, upstream->url, error))
		return;	/* told already, at its row */
	if (upstream->parsed.kind == UPSTREAM_TLS) {
		if (!endpoint->terminates)
			conf_error(report, upstream->url_mark,
			    "%s without agent_tls_termination would"
			    " wrap sealed bytes in TLS again; write tcp:// (the upstream holds the "
			    "key) or"
			    " terminate",
			    upstream->url);
		return;
	}
	if (upstream->cas.count > 0)
		conf_error(report, upstream->cas.marks[0],
		    "cas is only for a tls:// upstream, and this"
		    " is %s",
		    upstream->url);
	if (upstream->crls.count > 0)
		conf_error(report, upstream->crls.marks[0],
		    "crls is only for a tls:// upstream, and"
		    " this is %s",
		    upstream->url);
	if (upstream->server_name)
		conf_error(report, upstream->server_name_mark, "server_name is only for a tls://"
		    " upstream, and this is %s", upstream->url);
}

static void
check_endpoint(struct endpoint_settings *endpoint, struct conf_report *report)
{
	char error[URL_ERROR];

	endpoint->terminates = endpoint->termination.certificate != NULL;
	if (endpoint->url)
		url_endpoint(endpoint->server_name, endpoint->url, error);
	check_upstream(endpoint, report);
	if (!endpoint->terminates)
		return;
	check_mutual_tls(&endpoint->termination, endpoint->termination_mark, report);
	if (endpoint->termination.alpn.count > SETTINGS_ALPN)
		conf_error(report, endpoint->termination_mark,
		    "more than %d protocols in alpn; take"
		    " some away",
		    SETTINGS_ALPN);
	if (strchr(endpoint->server_name, '_'))
		conf_error(report, endpoint->url_mark, "'%s' has a '_', which no TLS endpoint here"
		    " accepts in a name; pass it through (no agent_tls_termination) or rename it",
		    endpoint->server_name);
}

/* Few enough endpoints for pairs: a configuration is read seldom. */
static void
check_unlike(const struct settings *settings, size_t index, struct conf_report *report)
{
	const struct endpoint_settings *here = settings_endpoint(settings, index);

	for (size_t i = 0; i < index; i++) {
		const struct endpoint_settings *before = settings_endpoint(settings, i);

		if (here->url && strcmp(here->server_name, before->server_name) == 0)
			conf_error(report, here->url_mark,
			    "%s stands at line %u too; one agent serves"
			    " a name once",
			    here->url, before->url_mark.line);
		if (here->name && before->name && strcmp(here->name, before->name) == 0)
			conf_error(report, here->name_mark,
			    "the name '%s' stands at line %u too; give"
			    " each endpoint its own",
			    here->name, before->name_mark.line);
	}
}

static void
check_relays(const struct settings *settings, struct conf_report *report)
{
	for (size_t i = 0; i < settings->connect_url.count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcasecmp(settings->connect_url.items[i],
				settings->connect_url.items[j]) == 0)
				conf_error(report, settings->connect_url.marks[i],
				    "%s is listed twice; once is enough",
				    settings->connect_url.items[i]);
	if (settings->labels.count > LABELS_MOST)
		conf_error(report, settings->labels.marks[LABELS_MOST],
		    "more than %d labels; take some away", LABELS_MOST);
}

void
settings_check(struct settings *settings, struct conf_report *report)
{
	check_relays(settings, report);
	for (size_t i = 0; i < settings->endpoints.count; i++) {
		check_endpoint(settings_endpoint(settings, i), report);
		check_unlike(settings, i, report);
	}
	if (settings->pool_least > settings->pool_most)
		conf_error(report, settings->pool_mark, "agent.pool.least %llu is above"
		    " agent.pool.most %llu", (unsigned long long)settings->pool_least,
		    (unsigned long long)settings->pool_most);
}
