/* One endpoint or tunnel of ngrok's, as an endpoint of ours. */
#include "agent/import_ngrok_private.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#include "agent/url.h"
#include "base/paths.h"
#include "enrol/join.h"

/* Of both versions; what one has not stays NULL. */
struct imported {
	const struct conf_node *node; /* where it stands */
	const char *name, *url, *proto, *host, *domain, *subdomain;
	const char *upstream, *proxy_protocol, *terminate_at;
	const char *certificate, *key;
	const struct conf_node *cas, *allow, *deny, *schemes;
};

#define AT(member) offsetof(struct imported, member)
#define NO_HTTP "nobody on the way can read HTTP, so that only the upstream can do this"
#define BYTES "bytes pass as they are"
#define SIGN_IN \
	"nobody on the way can read HTTP; ask clients for certificates (mutual_tls_certificate_authorities), or do this in the upstream"

static const struct import_row termination_rows[] = {
	{ "server_certificate", IMPORT_TEXT, AT(certificate), NULL, NULL },
	{ "server_private_key", IMPORT_TEXT, AT(key), NULL, NULL },
	{ "mutual_tls_certificate_authorities", IMPORT_NODE, AT(cas), NULL, NULL },
	{ 0 },
};

static const struct import_row upstream_rows[] = {
	{ "url", IMPORT_TEXT, AT(upstream), NULL, NULL },
	{ "protocol", IMPORT_LEFT, 0,
	    BYTES "; agent_tls_termination.alpn says what clients are offered", NULL },
	{ "proxy_protocol", IMPORT_TEXT, AT(proxy_protocol), NULL, NULL },
	{ "tls_verify", IMPORT_LEFT, 0, "the certificate of a tls:// upstream is always verified",
	    NULL },
	{ "tls_verify_cas", IMPORT_LEFT, 0, "give them in upstream.cas", NULL },
	{ 0 },
};

static const struct import_row endpoint_rows[] = {
	{ "name", IMPORT_TEXT, AT(name), NULL, NULL },
	{ "url", IMPORT_TEXT, AT(url), NULL, NULL },
	{ "upstream", IMPORT_MAPPING, 0, NULL, upstream_rows },
	{ "agent_tls_termination", IMPORT_MAPPING, 0, NULL, termination_rows },
	{ "bindings", IMPORT_LEFT, 0,
	    "every endpoint is public; allow lists the addresses of its clients", NULL },
	{ "description", IMPORT_LEFT, 0, "write it as a comment", NULL },
	{ "metadata", IMPORT_LEFT, 0, "agent.labels takes a list of key=value", NULL },
	{ "pooling_enabled", IMPORT_QUIET, 0, NULL, NULL },
	{ "traffic_policy", IMPORT_LEFT, 0, NO_HTTP, NULL },
	{ "traffic_policy_file", IMPORT_LEFT, 0, NO_HTTP, NULL },
	{ 0 },
};

static const struct import_row restriction_rows[] = {
	{ "allow_cidrs", IMPORT_NODE, AT(allow), NULL, NULL },
	{ "deny_cidrs", IMPORT_NODE, AT(deny), NULL, NULL },
	{ 0 },
};

static const struct import_row tunnel_rows[] = {
	{ "addr", IMPORT_TEXT, AT(upstream), NULL, NULL },
	{ "proto", IMPORT_TEXT, AT(proto), NULL, NULL },
	{ "hostname", IMPORT_TEXT, AT(host), NULL, NULL },
	{ "domain", IMPORT_TEXT, AT(domain), NULL, NULL },
	{ "subdomain", IMPORT_TEXT, AT(subdomain), NULL, NULL },
	{ "crt", IMPORT_TEXT, AT(certificate), NULL, NULL },
	{ "key", IMPORT_TEXT, AT(key), NULL, NULL },
	{ "mutual_tls_cas", IMPORT_NODE, AT(cas), NULL, NULL },
	{ "client_cas", IMPORT_NODE, AT(cas), NULL, NULL },
	{ "proxy_proto", IMPORT_TEXT, AT(proxy_protocol), NULL, NULL },
	{ "terminate_at", IMPORT_TEXT, AT(terminate_at), NULL, NULL },
	{ "ip_restriction", IMPORT_MAPPING, 0, NULL, restriction_rows },
	{ "schemes", IMPORT_NODE, AT(schemes), NULL, NULL },
	{ "bind_tls", IMPORT_LEFT, 0, "clients speak TLS, and nothing else is served", NULL },
	{ "inspect", IMPORT_QUIET, 0, NULL, NULL },
	{ "auth", IMPORT_LEFT, 0, SIGN_IN, NULL },
	{ "basic_auth", IMPORT_LEFT, 0, SIGN_IN, NULL },
	{ "oauth", IMPORT_LEFT, 0, SIGN_IN, NULL },
	{ "oidc", IMPORT_LEFT, 0, SIGN_IN, NULL },
	{ "verify_webhook", IMPORT_LEFT, 0, NO_HTTP, NULL },
	{ "circuit_breaker", IMPORT_LEFT, 0, NO_HTTP "; upstream.health looks whether it answers",
	    NULL },
	{ "compression", IMPORT_LEFT, 0, NO_HTTP, NULL },
	{ "host_header", IMPORT_LEFT, 0, NO_HTTP, NULL },
	{ "request_header", IMPORT_LEFT, 0, NO_HTTP, NULL },
	{ "response_header", IMPORT_LEFT, 0, NO_HTTP, NULL },
	{ "user_agent_filter", IMPORT_LEFT, 0, NO_HTTP, NULL },
	{ "policy", IMPORT_LEFT, 0, NO_HTTP, NULL },
	{ "traffic_policy", IMPORT_LEFT, 0, NO_HTTP, NULL },
	{ "traffic_policy_file", IMPORT_LEFT, 0, NO_HTTP, NULL },
	{ "websocket_tcp_converter", IMPORT_LEFT, 0, NO_HTTP, NULL },
	{ "app_protocol", IMPORT_LEFT, 0,
	    BYTES "; agent_tls_termination.alpn says what clients are offered", NULL },
	{ "remote_addr", IMPORT_LEFT, 0, "a bare TCP port has no name to find the agent by", NULL },
	{ "labels", IMPORT_LEFT, 0, "clients come by a name; say which in url", NULL },
	{ "metadata", IMPORT_LEFT, 0, "agent.labels takes a list of key=value", NULL },
	{ 0 },
};

/* ---- where clients come ---- */

/* What is before "://", or `fallback`; *rest is behind it. */
static void
split_scheme(const char *url, const char *fallback, char scheme[16], const char **rest)
{
	const char *end = strstr(url, "://");
	size_t bytes = end ? (size_t)(end - url) : strlen(fallback);

	snprintf(scheme, 16, "%.*s", (int)(bytes < 15 ? bytes : 15), end ? url : fallback);
	*rest = end ? end + 3 : url;
}

/* Names that ngrok lends, and those that only its own network knows. */
static bool
is_of_ngrok(const char *host)
{
	static const char *const ends[] = { ".ngrok.app", ".ngrok.dev", ".ngrok.io", ".ngrok.pizza",
		".ngrok.pro", ".ngrok-free.app", ".ngrok-free.dev", ".ngrok-free.pizza",
		".internal" };
	size_t bytes = strlen(host);

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (bytes > strlen(ends[i]) &&
		    strcasecmp(host + bytes - strlen(ends[i]), ends[i]) == 0)
			return true;
	return false;
}

/* Another name in its place, to be replaced. */
static void
make_up(const struct imported *from, char name[NAME_SIZE])
{
	char label[33];
	size_t bytes = 0;

	for (const char *at = from->name; *at && bytes < sizeof label - 1; at++)
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789", *at | 0x20))
			label[bytes++] = (char)(*at | 0x20);
	label[bytes] = '\0';
	snprintf(name, NAME_SIZE, "%s.example.com", bytes > 0 ? label : "app");
}

static void
find_name(const struct import_walk *walk, const struct imported *from, const char *host,
    char name[NAME_SIZE])
{
	char url[NAME_SIZE + 8], bare[NAME_SIZE], error[URL_ERROR];
	size_t bytes = strcspn(host, ":/");

	snprintf(bare, sizeof bare, "%.*s", (int)(bytes < NAME_SIZE ? bytes : 0), host);
	snprintf(url, sizeof url, "tls://%s", bare);
	if (host[bytes] == ':' && strcmp(host + bytes, ":443") != 0)
		import_tell(walk, from->node, from->name,
		    "clients come to the port of the relay, not to '%.40s'", host + bytes);
	if (*bare && !is_of_ngrok(bare) && url_endpoint(name, url, error))
		return;
	make_up(from, name);
	if (*bare)
		import_tell(walk, from->node, from->name,
		    "the public name '%.80s' is not yours to keep; write one of your own for %s",
		    bare, name);
	else
		import_tell(walk, from->node, from->name,
		    "it has no public name of its own; write one for %s", name);
}

/* ---- where the bytes go ---- */

/* False after the reason. */
static bool
find_upstream(const struct import_walk *walk, const struct imported *from, bool terminates,
    char out[UPSTREAM_URL_TARGET + 16])
{
	char scheme[16], error[URL_ERROR] = "is missing";
	const char *rest, *text = from->upstream ? from->upstream : "";
	struct upstream_url parsed;
	bool is_http, is_tls;

	split_scheme(text, "", scheme, &rest);
	is_http = strcmp(scheme, "http") == 0;
	is_tls = strcmp(scheme, "https") == 0 || strcmp(scheme, "tls") == 0;
	if (is_http || is_tls) {
		size_t bytes = strcspn(rest, "/");

		snprintf(out, UPSTREAM_URL_TARGET + 16, "%s%.*s%s",
		    is_tls && terminates ? "tls://" : "tcp://", (int)bytes, rest,
		    memchr(rest, ':', bytes) ? ""
			: is_http            ? ":80"
					     : ":443");
	} else {
		snprintf(out, UPSTREAM_URL_TARGET + 16, "%s", text);
	}
	if (url_upstream(&parsed, out, error)) {
		if (is_tls && terminates)
			import_tell(walk, from->node, from->name,
			    "the certificate of its upstream is verified here; upstream.cas takes the CAs");
		return true;
	}
	import_tell(walk, from->node, from->name, "left out: its upstream '%.80s' %s", text, error);
	return false;
}

/* ---- what is written ---- */

static void
write_list(const struct import_walk *walk, const char *key, const struct conf_node *node)
{
	size_t count = node ? conf_node_count(node) : 0;

	if (!node)
		return;
	fprintf(walk->endpoints, "%s: [", key);
	if (conf_node_text(node))
		join_write_value(walk->endpoints, conf_node_text(node));
	for (size_t i = 0; i < count; i++) {
		const char *text = conf_node_text(conf_node_item(walk->tree, node, i));

		fputs(i > 0 ? ", " : "", walk->endpoints);
		join_write_value(walk->endpoints, text ? text : "?");
	}
	fputs("]\n", walk->endpoints);
}

/* ngrok takes the text of a file, too. */
static void
write_file(const struct import_walk *walk, const struct imported *from, const char *key,
    const char *value, const char *name)
{
	bool is_text = strstr(value, "-----BEGIN") != NULL;
	char placeholder[PATH_MAX];

	snprintf(placeholder, sizeof placeholder, "%s/%s", paths_sysconfdir, name);
	if (is_text)
		import_tell(walk, from->node, from->name,
		    "the file itself stands there; put it into %s, and only the agent's user should read a key",
		    placeholder);
	join_write_row(walk->endpoints, key, is_text ? placeholder : value);
}

static void
write_termination(const struct import_walk *walk, const struct imported *from)
{
	fputs("    agent_tls_termination:\n", walk->endpoints);
	if (from->certificate && from->key) {
		write_file(walk, from, "      server_certificate", from->certificate, "server.crt");
		write_file(walk, from, "      server_private_key", from->key, "server.key");
	} else {
		fputs(
		    "      # The agent ends TLS, where ngrok's cloud did.  Agree to the terms of the ACME\n"
		    "      # server, or name files: server_certificate and server_private_key.\n"
		    "      acme: {contact: you@example.com, terms_agreed: false}\n",
		    walk->endpoints);
		import_tell(walk, from->node, from->name,
		    "its certificate was ngrok's; agree to the terms of an ACME server (terms_agreed), or "
		    "name files of your own");
	}
	write_list(walk, "      mutual_tls_certificate_authorities", from->cas);
}

static void
write_upstream(const struct import_walk *walk, const struct imported *from, const char *upstream)
{
	fputs("    upstream: ", walk->endpoints);
	if (from->proxy_protocol && strcmp(from->proxy_protocol, "0") != 0 &&
	    *from->proxy_protocol) {
		fputs("{url: ", walk->endpoints);
		join_write_value(walk->endpoints, upstream);
		fprintf(walk->endpoints, ", proxy_protocol: %s}\n",
		    strcmp(from->proxy_protocol, "1") == 0 ? "1" : "2");
		return;
	}
	join_write_value(walk->endpoints, upstream);
	putc('\n', walk->endpoints);
}

static void
write_endpoint(
    struct import_walk *walk, const struct imported *from, const char *scheme, const char *host)
{
	bool ends_at_upstream = strcmp(scheme, "tls") == 0 && !from->certificate &&
	    (!from->terminate_at || strcmp(from->terminate_at, "upstream") == 0);
	char name[NAME_SIZE], url[NAME_SIZE + 8], upstream[UPSTREAM_URL_TARGET + 16];

	if (!find_upstream(walk, from, !ends_at_upstream, upstream))
		return;
	find_name(walk, from, host, name);
	snprintf(url, sizeof url, "tls://%s", name);
	join_write_row(walk->endpoints, "  - name", from->name);
	join_write_row(walk->endpoints, "    url", url);
	write_upstream(walk, from, upstream);
	if (!ends_at_upstream)
		write_termination(walk, from);
	write_list(walk, "    allow", from->allow);
	write_list(walk, "    deny", from->deny);
	walk->endpoint_count++;
}

/* `where` is what ngrok's client asks for: a URL, or a host. */
static void
take(struct import_walk *walk, const struct imported *from, const char *where)
{
	char scheme[16];
	const char *host;

	split_scheme(where, from->proto ? from->proto : "https", scheme, &host);
	if (strcmp(scheme, "tcp") == 0)
		import_tell(walk, from->node, from->name,
		    "left out: a bare TCP port has no name to find the agent by; have the service speak TLS, "
		    "or its clients come by valise-agent forward");
	else if (strcmp(scheme, "tls") == 0 || strcmp(scheme, "https") == 0 ||
	    strcmp(scheme, "http") == 0)
		write_endpoint(walk, from, scheme, host);
	else
		import_tell(walk, from->node, from->name,
		    "left out: '%s' is not a protocol that is known here", scheme);
}

static void
judge_schemes(const struct import_walk *walk, const struct imported *from)
{
	const struct conf_node *schemes = from->schemes;

	for (size_t i = 0; schemes && i < conf_node_count(schemes); i++) {
		const char *text = conf_node_text(conf_node_item(walk->tree, schemes, i));

		if (!text || strcmp(text, "https") != 0)
			import_tell(walk, schemes, "schemes",
			    "clients speak TLS, and nothing else is served");
	}
}

void
import_endpoint(struct import_walk *walk, const struct conf_node *node)
{
	struct imported from = { .node = node };

	import_walk(walk, node, endpoint_rows, "endpoints.", &from);
	if (!from.name)
		from.name = "endpoint";
	take(walk, &from, from.url ? from.url : "");
}

void
import_tunnel(struct import_walk *walk, const char *name, const struct conf_node *node)
{
	struct imported from = { .node = node, .name = name };
	const char *host;
	char prefix[64];

	snprintf(prefix, sizeof prefix, "tunnels.%.48s.", name);
	import_walk(walk, node, tunnel_rows, prefix, &from);
	judge_schemes(walk, &from);
	host = from.host ? from.host : from.domain ? from.domain : "";
	take(walk, &from, host);
}
