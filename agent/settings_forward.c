/* The rows of `forwards:`, and the rules that span its keys. */

#include "agent/settings_private.h"

#include <netinet/in.h>
#include <string.h>

#include "agent/alpn.h"
#include "base/conf_once.h"
#include "base/fetch.h"
#include "pki/spki_pin.h"

enum { CONNECT_MOST_MS = 60000 };

#define AT(member) offsetof(struct forward_settings, member)

/* ---- one value ---- */

static bool
is_loopback(const struct address *address)
{
	enum { LOOPBACK_NET = 127 };

	if (address->as.any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&address->as.v6.sin6_addr);
	return address->as.any.sa_family == AF_INET &&
	    ntohl(address->as.v4.sin_addr.s_addr) >> 24 == LOOPBACK_NET;
}

/* Nobody of another host may come. */
static bool
is_listener(const char *text, char error[256])
{
	struct address address;
	bool is_whole = address_parse(&address, text) &&
	    (address.as.any.sa_family == AF_UNIX ? address.as.local.sun_path[0] == '/'
						 : address_port(&address) > 0);

	if (!is_whole) {
		snprintf(error, 256,
		    "is not a valid listener; write unix:/PATH, 127.0.0.1:PORT or [::1]:PORT");
		return false;
	}
	if (address.as.any.sa_family == AF_UNIX || is_loopback(&address))
		return true;
	snprintf(error, 256,
	    "could be reached from other hosts, which would have the certificate, too; write "
	    "unix:/PATH or 127.0.0.1:PORT");
	return false;
}

static bool
is_public(const char *text, char error[256])
{
	struct url_public url;

	return url_public(&url, text, error);
}

bool
agent_settings_is_address(const char *text, char error[256])
{
	char host[254];
	uint16_t port;

	if (host_port_split(text, host, &port))
		return true;
	snprintf(error, 256, "is not a valid address; write HOST:PORT");
	return false;
}

const struct conf_row agent_settings_forward_rows[] = {
	{ "name", CONF_TEXT, AT(name), .required = true, .check = agent_settings_is_name,
	    .mark_offset = AT(name_mark) },
	{ "listen", CONF_TEXT, AT(listen), .required = true, .check = is_listener,
	    .mark_offset = AT(listen_mark) },
	{ "url", CONF_TEXT, AT(url), .required = true, .check = is_public,
	    .mark_offset = AT(url_mark) },
	{ "address", CONF_TEXT, AT(address), .check = agent_settings_is_address },
	{ "certificate", CONF_TEXT, AT(upstream.certificate), .required = true,
	    .mark_offset = AT(upstream.certificate_mark) },
	{ "private_key", CONF_TEXT, AT(upstream.private_key), .required = true,
	    .mark_offset = AT(upstream.private_key_mark) },
	{ "cas", CONF_TEXTS, AT(upstream.cas), .required = true },
	{ "crls", CONF_TEXTS, AT(upstream.crls), .check = daemon_rows_is_path },
	{ "crl_url", CONF_TEXTS, AT(upstream.crl_url), .check = fetch_is_url },
	{ "spki", CONF_TEXTS, AT(upstream.spki), .check = spki_pin_is },
	{ "starttls", CONF_WORD, AT(upstream.starttls), .words = daemon_rows_starttls },
	{ "connect_timeout", CONF_DURATION, AT(upstream.connect_ms), .fallback = "10s",
	    .least = 100, .most = CONNECT_MOST_MS },
	{ "alpn", CONF_TEXT, AT(alpn), .check = alpn_is_sensible },
	{ "flows", CONF_NUMBER, AT(flows), .fallback = "1000", .least = 1, .most = 65535 },
	{ "eof_without_close_notify", CONF_WORD, AT(eof_without_close_notify),
	    .words = agent_settings_eof_words },
	SETTINGS_PATIENCE_ROWS(struct forward_settings),
	{ 0 },
};

bool
agent_settings_is_forward_value(const char *key, const char *text, char error[256])
{
	const struct conf_row *row = agent_settings_forward_rows;

	while (strcmp(row->key, key) != 0)
		row++;
	return row->check(text, error);
}

/* ---- what they must be together ---- */

static void
fill(struct forward_settings *forward)
{
	struct upstream_url *url = &forward->upstream.parsed;
	struct url_public public;
	char error[URL_ERROR];

	if (forward->listen)
		address_parse(&forward->listener, forward->listen);
	if (!forward->url || !url_public(&public, forward->url, error))
		return; /* its row has reported this already */
	memcpy(forward->server_name, public.name, sizeof forward->server_name);
	forward->upstream.kind = url->kind = UPSTREAM_TLS;
	snprintf(url->host, sizeof url->host, "%s", public.name);
	snprintf(url->target, sizeof url->target, "%s",
	    forward->address ? forward->address : public.target);
	forward->upstream.cas_key = "forwards.cas";
}

static void
check_unlike(const struct forward_settings *here, struct conf_once *listeners,
    struct conf_once *names, struct conf_report *report)
{
	struct conf_mark listener = { 0 }, name = { 0 };

	if (here->listen)
		listener = conf_once_note_bytes(
		    listeners, &here->listener.as, here->listener.bytes, here->listen_mark);
	if (here->name)
		name = conf_once_note(names, here->name, here->name_mark);
	if (listener.line > 0)
		conf_error(report, here->listen_mark,
		    "%s stands at line %u too; give each forward its own", here->listen,
		    listener.line);
	if (name.line > 0)
		conf_error(report, here->name_mark,
		    "the name '%s' stands at line %u too; give each forward its own", here->name,
		    name.line);
}

void
agent_settings_check_forwards(const struct agent_settings *settings, struct conf_report *report)
{
	struct conf_once *listeners = conf_once_new(settings->forwards.count);
	struct conf_once *names = conf_once_new(settings->forwards.count);

	if (!listeners || !names)
		conf_error(report, (struct conf_mark){ 1, 1 }, "cannot be judged: memory is short");
	for (size_t i = 0; listeners && names && i < settings->forwards.count; i++) {
		fill(agent_settings_forward(settings, i));
		check_unlike(agent_settings_forward(settings, i), listeners, names, report);
	}
	conf_once_free(listeners);
	conf_once_free(names);
}

const char *
agent_settings_lent_warning(const struct forward_settings *forward)
{
	if (forward->listener.as.any.sa_family == AF_UNIX)
		return NULL;
	return "every user and every program of this host may connect there, and comes to the "
	       "server with this certificate; unix:/PATH is for one user alone";
}
