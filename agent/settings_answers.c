/* What is said of keys that people bring along: those of ngrok's agent (its versions 2 and 3), and those of
 * a relay's configuration, given to the wrong program. */
#include "agent/settings_private.h"

static const char relays[] =
    "this looks like a relay's configuration (valise-relay.yml(5)), and valise-agent "
    "has one of its own: give that with -c";
static const char no_http[] =
    "what flows carry is sealed or goes on as it is, so there is nothing of HTTP to "
    "set; the upstream does that; remove it";
static const char no_token[] =
    "there are no tokens: agent.certificate says who the agent is and what it may "
    "serve; remove it";
static const char no_inspection[] =
    "nobody looks into flows, so there is nothing to show; \"valise-agent "
    "status\" tells the rest; remove it";
static const char terminated[] = "write agent_tls_termination: {server_certificate: FILE, "
				 "server_private_key: FILE}";

const struct conf_answer agent_settings_answers[] = {
	{ "listeners", relays, true },
	{ "connect", relays, true },
	{ "routes", relays, true },
	{ "refuse", relays, true },
	{ "addr", "what it stands for in ngrok is \"upstream: tcp://HOST:PORT\" here", false },
	{ "hostname", "write \"url: tls://NAME\"", false },
	{ "domain", "write \"url: tls://NAME\"", false },
	{ "subdomain",
	    "a relay lends no names; write \"url: tls://NAME\" with a name that your certificate has",
	    false },
	{ "proto", "what a relay carries is TLS; write \"url: tls://NAME\"", false },
	{ "schemes", "what a relay carries is TLS; write \"url: tls://NAME\"", false },
	{ "remote_addr", "a relay carries TLS, by its server name; write \"url: tls://NAME\"",
	    false },
	{ "tunnels", "write \"endpoints\", a list of {name, url, upstream}", false },
	{ "authtoken", no_token, false },
	{ "api_key", no_token, false },
	{ "server_addr", "write \"agent: {connect_url: HOST:PORT}\"", false },
	{ "root_cas", "write \"agent: {connect_cas: FILE}\", the CA of the relays", false },
	{ "crl_noverify", "write \"agent: {connect_crls: FILE}\"; without it no CRL is looked at",
	    false },
	{ "proxy_url", "write \"agent: {proxy: URL}\"", false },
	{ "dns_resolver_ips", "names are resolved as this host does; remove it", false },
	{ "metadata", "write \"agent: {labels: [key=value]}\"", false },
	{ "crt", terminated, false },
	{ "key", terminated, false },
	{ "terminate_at",
	    "give agent_tls_termination to end TLS here, and leave it out to pass TLS through",
	    false },
	{ "mutual_tls_cas",
	    "write agent_tls_termination: {mutual_tls_certificate_authorities: FILE}", false },
	{ "client_cas", "write agent_tls_termination: {mutual_tls_certificate_authorities: FILE}",
	    false },
	{ "log_level", "write \"log: {level: WORD}\"", false },
	{ "log_format", "write \"log: {format: WORD}\"", false },
	{ "cidr_allow", "write \"allow\"", false },
	{ "cidr_deny", "write \"deny\"", false },
	{ "ip_restriction", "write \"allow\" and \"deny\", lists of addresses", false },
	{ "pooling_enabled", "agents that serve one name share it by themselves; remove it",
	    false },
	{ "bindings", "who may come in say \"allow\", \"deny\" and \"clients\"; remove it", false },
	{ "inspect", no_inspection, false },
	{ "inspect_db_size", no_inspection, false },
	{ "web_addr", no_inspection, false },
	{ "web_allow_hosts", no_inspection, false },
	{ "console_ui", no_inspection, false },
	{ "console_ui_color", no_inspection, false },
	{ "host_header", no_http, false },
	{ "request_header", no_http, false },
	{ "response_header", no_http, false },
	{ "basic_auth", no_http, false },
	{ "auth", no_http, false },
	{ "oauth", no_http, false },
	{ "oidc", no_http, false },
	{ "compression", no_http, false },
	{ "circuit_breaker", no_http, false },
	{ "websocket_tcp_converter", no_http, false },
	{ "verify_webhook", no_http, false },
	{ "traffic_policy", no_http, false },
	{ "policy", no_http, false },
	{ "update_channel", "it is updated by your system's packages; remove it", false },
	{ "update_check", "it is updated by your system's packages; remove it", false },
	{ 0 },
};
