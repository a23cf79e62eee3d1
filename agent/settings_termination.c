/* What stands in agent_tls_termination, and what must be so together. */
#include "agent/settings_private.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "acme/store.h"
#include "agent/alpn.h"
#include "base/conf_once.h"
#include "base/fetch.h"

#define AT(type, member) offsetof(struct type, member)

static const char *const mutual_words[] = { "off", "request", "require", NULL };
static const char *const oldest_words[] = { "1.2", "1.3", NULL };
static const char *const newest_words[] = { "1.3", "1.2", NULL };

static const struct conf_row certificate_rows[] = {
	{ "server_certificate", CONF_TEXT, AT(certificate_settings, certificate), .required = true,
	    .check = daemon_rows_is_path,
	    .mark_offset = AT(certificate_settings, certificate_mark) },
	{ "server_private_key", CONF_TEXT, AT(certificate_settings, private_key), .required = true,
	    .check = daemon_rows_is_path,
	    .mark_offset = AT(certificate_settings, private_key_mark) },
	{ "server_ocsp_response", CONF_TEXT, AT(certificate_settings, staple),
	    .check = daemon_rows_is_path, .mark_offset = AT(certificate_settings, staple_mark) },
	{ 0 },
};

const struct conf_row agent_settings_termination_rows[] = {
	{ "server_certificate", CONF_TEXT, AT(termination_settings, first.certificate),
	    .check = daemon_rows_is_path,
	    .mark_offset = AT(termination_settings, first.certificate_mark) },
	{ "server_private_key", CONF_TEXT, AT(termination_settings, first.private_key),
	    .check = daemon_rows_is_path,
	    .mark_offset = AT(termination_settings, first.private_key_mark) },
	{ "server_ocsp_response", CONF_TEXT, AT(termination_settings, first.staple),
	    .check = daemon_rows_is_path,
	    .mark_offset = AT(termination_settings, first.staple_mark) },
	{ "server_certificates", CONF_MAPPINGS, AT(termination_settings, more),
	    .table = certificate_rows, .item_bytes = sizeof(struct certificate_settings) },
	{ "acme", CONF_MAPPING, AT(termination_settings, acme), .table = acme_settings_rows,
	    .mark_offset = AT(termination_settings, acme.mark) },
	{ "tls_min", CONF_WORD, AT(termination_settings, oldest), .words = oldest_words },
	{ "tls_max", CONF_WORD, AT(termination_settings, newest), .words = newest_words,
	    .mark_offset = AT(termination_settings, newest_mark) },
	{ "mutual_tls", CONF_WORD, AT(termination_settings, mutual_tls), .words = mutual_words,
	    .mark_offset = AT(termination_settings, mutual_tls_mark) },
	{ "mutual_tls_certificate_authorities", CONF_TEXTS, AT(termination_settings, cas),
	    .check = daemon_rows_is_path },
	{ "mutual_tls_crls", CONF_TEXTS, AT(termination_settings, crls),
	    .check = daemon_rows_is_path },
	{ "mutual_tls_crl_url", CONF_TEXTS, AT(termination_settings, crl_url),
	    .check = fetch_is_url },
	TRUST_CRL_ROWS("crl", struct termination_settings, crl),
	{ "clients", CONF_MAPPINGS, AT(termination_settings, clients), .table = client_entry_rows,
	    .item_bytes = sizeof(struct client_entry_settings),
	    .mark_offset = AT(termination_settings, clients_mark) },
	{ "client_ca_names", CONF_BOOL, AT(termination_settings, tells_ca_names),
	    .fallback = "on" },
	{ "alpn", CONF_TEXTS, AT(termination_settings, alpn), .check = alpn_is_sensible }, { 0 }
};

/* Where mutual_tls is not given it is "require" with CAs, and "off" without. */
static void
check_mutual_tls(
    struct termination_settings *t, struct conf_mark context, struct conf_report *report)
{
	bool is_given = t->mutual_tls_mark.line != 0;

	if (!is_given)
		t->mutual_tls = t->cas.count > 0 ? MUTUAL_REQUIRE : MUTUAL_OFF;
	if (is_given)
		context = t->mutual_tls_mark;
	if (t->mutual_tls != MUTUAL_OFF && t->cas.count == 0)
		conf_error(report, context,
		    "mutual_tls without CAs would accept nobody; give "
		    "mutual_tls_certificate_authorities");
	if (t->crls.count > 0 && t->cas.count == 0)
		conf_error(report, t->crls.marks ? t->crls.marks[0] : context,
		    "mutual_tls_crls without mutual_tls_certificate_authorities; give those too");
	if (t->crl_url.count > 0 && t->cas.count == 0)
		conf_error(report, t->crl_url.marks ? t->crl_url.marks[0] : context,
		    "mutual_tls_crl_url without mutual_tls_certificate_authorities; give those too");
	if (is_given && t->mutual_tls == MUTUAL_OFF && t->cas.count > 0)
		conf_error(report, context,
		    "mutual_tls is off but CAs are given: client certificates would not be asked "
		    "for; take one of the two away");
}

/* Who shows no certificate is let in by no rule, so it would be misleading to ask for one only. */
static void
check_clients(const struct termination_settings *t, struct conf_report *report)
{
	if (t->clients_mark.line == 0)
		return;
	client_rules_check(&t->clients, t->clients_mark, report);
	if (t->mutual_tls != MUTUAL_REQUIRE)
		conf_error(report, t->clients_mark,
		    "clients lets in nobody without a certificate, and none is required here; give "
		    "mutual_tls_certificate_authorities, and mutual_tls: require or no mutual_tls");
}

/* Those of the list have both files by their rows. */
static void
check_first_certificate(const struct endpoint_settings *endpoint, struct conf_report *report)
{
	const struct certificate_settings *first = &endpoint->termination.first;

	if (first->certificate && !first->private_key)
		conf_error(report, first->certificate_mark,
		    "server_certificate without server_private_key; add the key of %s",
		    first->certificate);
	if (first->private_key && !first->certificate)
		conf_error(report, first->private_key_mark,
		    "server_private_key without server_certificate; add the certificate of %s",
		    first->private_key);
	if (first->staple && !first->certificate)
		conf_error(report, first->staple_mark,
		    "server_ocsp_response without server_certificate; in a list it stands beside its "
		    "certificate");
	if (!first->private_key && endpoint->termination.acme.mark.line == 0 &&
	    agent_settings_certificate_count(&endpoint->termination) == 0)
		conf_error(report, endpoint->termination_mark,
		    "agent_tls_termination without a certificate; give server_certificate and "
		    "server_private_key, or several of them in a list server_certificates, or acme");
}

static void
check_certificates(const struct endpoint_settings *endpoint, struct conf_report *report)
{
	const struct termination_settings *termination = &endpoint->termination;
	size_t count = agent_settings_certificate_count(termination);

	check_first_certificate(endpoint, report);
	if (count > SETTINGS_CERTIFICATES)
		conf_error(report, endpoint->termination_mark,
		    "more than %d certificates; take some away, or make several endpoints of it",
		    SETTINGS_CERTIFICATES);
	for (size_t i = 1; i < count && count <= SETTINGS_CERTIFICATES; i++) {
		const struct certificate_settings *here =
		    agent_settings_certificate(termination, i);

		for (size_t j = 0; j < i; j++)
			if (strcmp(agent_settings_certificate(termination, j)->certificate,
				here->certificate) == 0)
				conf_error(report, here->certificate_mark,
				    "%s is listed twice; once is enough", here->certificate);
	}
}

static void
check_account(
    const struct acme_settings *first, const struct acme_settings *here, struct conf_report *report)
{
	if (!acme_settings_agree(first, here))
		conf_error(report, here->mark,
		    "this account at %s is that of line %u, too, and contact, terms_agreed, eab and "
		    "cas belong to the account; write them alike",
		    here->directory, first->mark.line);
}

/* One account at a CA is one client, whichever endpoint it works for: each is compared with the first of its
 * account. */
void
agent_settings_check_accounts(const struct agent_settings *settings, struct conf_report *report)
{
	size_t count = settings->endpoints.count;
	char(*ids)[STORE_ID] = calloc(count + 1, sizeof *ids);
	struct conf_once *once = conf_once_new(count);

	if (!ids || !once)
		conf_error(report, (struct conf_mark){ 1, 1 }, "cannot be judged: memory is short");
	for (size_t i = 0; ids && once && i < count; i++) {
		const struct acme_settings *here =
		    &agent_settings_endpoint(settings, i)->termination.acme;
		const struct conf_mark place = { .line = (unsigned)i + 1 };
		unsigned first;

		if (here->mark.line == 0 || !here->directory)
			continue;
		store_account_id(here->directory, here->key_id, ids[i]);
		first = conf_once_note(once, ids[i], place).line;
		if (first > 0)
			check_account(
			    &agent_settings_endpoint(settings, first - 1)->termination.acme, here,
			    report);
	}
	conf_once_free(once);
	free(ids);
}

void
agent_settings_check_acme(const struct agent_settings *settings, struct endpoint_settings *endpoint,
    struct conf_report *report)
{
	struct termination_settings *termination = &endpoint->termination;
	const struct acme_settings *acme = &termination->acme;
	const char *dir = settings->acme_dir ? settings->acme_dir : settings->state_dir;
	char path[PATH_MAX], key[PATH_MAX];

	if (acme->mark.line == 0)
		return;
	acme_settings_check(acme, report);
	if (name_is_wildcard(endpoint->server_name))
		conf_error(report, acme->mark,
		    "%s is a wildcard, and tls-alpn-01 proves exact names only; make an endpoint for each "
		    "name, or give a certificate",
		    endpoint->server_name);
	if (agent_settings_certificate_count(termination) > 0 || termination->first.staple) {
		conf_error(report, acme->mark,
		    "acme beside a certificate that is given; take one of the two away");
		return;
	}
	store_certificate_path(dir ? dir : "", endpoint->server_name, path);
	store_key_path(dir ? dir : "", endpoint->server_name, key);
	termination->first.certificate = strdup(path);
	termination->first.private_key = strdup(key);
	termination->first.certificate_mark = termination->first.private_key_mark = acme->mark;
	termination->first.is_acme = true;
	if (!termination->first.certificate || !termination->first.private_key)
		conf_error(report, acme->mark, "cannot be kept: memory is short");
}

static void
check_protocols(const struct endpoint_settings *endpoint, struct conf_report *report)
{
	const struct conf_texts *alpn = &endpoint->termination.alpn;

	if (alpn->count > SETTINGS_ALPN)
		conf_error(report, alpn->marks[SETTINGS_ALPN],
		    "more than %d protocols in alpn; take some away", SETTINGS_ALPN);
	for (size_t i = 1; i < alpn->count && i < SETTINGS_ALPN; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(alpn->items[i], alpn->items[j]) == 0)
				conf_error(report, alpn->marks[i],
				    "%s is listed twice; once is enough", alpn->items[i]);
}

static void
check_versions(const struct termination_settings *t, struct conf_report *report)
{
	if (t->oldest == OLDEST_TLS13 && t->newest == NEWEST_TLS12)
		conf_error(report, t->newest_mark,
		    "tls_max 1.2 is below tls_min 1.3: no version would be left; take one of the "
		    "two away");
}

void
agent_settings_check_termination(struct endpoint_settings *endpoint, struct conf_report *report)
{
	struct termination_settings *termination = &endpoint->termination;

	check_mutual_tls(termination, endpoint->termination_mark, report);
	check_certificates(endpoint, report);
	check_clients(termination, report);
	check_versions(termination, report);
	check_protocols(endpoint, report);
	if (strchr(endpoint->server_name, '_'))
		conf_error(report, endpoint->url_mark,
		    "'%s' has a '_', which no TLS endpoint here accepts in a name; pass it "
		    "through (no agent_tls_termination) or rename it",
		    endpoint->server_name);
}
