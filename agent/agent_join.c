/* What an agent needs of a join, and its first configuration. */
#include "agent/agent_join.h"

#include "base/paths.h"
#include <sysexits.h>

#include "agent/command.h"
#include "agent/url.h"
#include "base/admin_command.h"
#include "enrol/init.h"
#include "enrol/join.h"

static void
write_relay(FILE *out, const struct join_facts *facts)
{
	if (facts->relay)
		fprintf(out, "  connect_url: [\"%s\"]\n", facts->relay);
	else
		fprintf(out,
		    "  # Where the relay is%s:\n"
		    "  #connect_url: [connect.example.net:443]\n",
		    facts->url ? "; the invitation did not say it" : "");
}

static void
write_proxy(FILE *out, const struct join_proxy *proxy)
{
	fputs("  proxy: {url: ", out);
	join_write_value(out, proxy->url);
	if (proxy->username) {
		fputs(", username: ", out);
		join_write_value(out, proxy->username);
		fputs(", password_file: ", out);
		join_write_value(out, proxy->password_file);
	}
	fputs("}\n", out);
}

static void
write_identity(FILE *out, const struct join_facts *facts)
{
	const struct join_files *files = facts->files;

	write_relay(out, facts);
	join_write_row(out, "  connect_cas", files->paths[JOIN_PEER_CAS]);
	if (facts->url)
		join_write_row(out, "  connect_crl_url", facts->peer_crl_url);
	else
		join_write_row(out, "  connect_crls", files->paths[JOIN_PEER_CRLS]);
	join_write_row(out, "  certificate", files->paths[JOIN_CERTIFICATE]);
	join_write_row(out, "  private_key", files->paths[JOIN_KEY]);
	if (facts->state_dir)
		join_write_row(out, "  state_dir", facts->state_dir);
	if (facts->proxy)
		write_proxy(out, facts->proxy);
	if (facts->url)
		join_write_renew(out, facts);
}

/* Without a join there is no certificate yet whose names could be told. */
static void
write_names(FILE *out, const struct join_facts *facts)
{
	if (!facts->url) {
		fputs("  # The agent's certificate has to cover each name.\n", out);
		return;
	}
	fputs("  # Names that the certificate covers:", out);
	for (size_t i = 0; i < facts->certificate->san_count; i++)
		fprintf(out, " %s", facts->certificate->sans[i]);
	putc('\n', out);
}

static void
write_endpoint(FILE *out, const struct join_facts *facts)
{
	char url[512];

	snprintf(url, sizeof url, "tls://%s", facts->certificate->sans[0]);
	fputs("\n"
	      "endpoints:\n",
	    out);
	write_names(out, facts);
	fputs("  - name: first\n", out);
	join_write_row(out, "    url", url);
	fputs(
	    "    # Passed through sealed, where the service itself speaks TLS and has the key:\n"
	    "    upstream: tcp://127.0.0.1:8443\n"
	    "    # Or, where it speaks plain text, with a certificate by ACME or with files of your own:\n"
	    "    #agent_tls_termination: {acme: {contact: you@example.com, terms_agreed: true}}\n"
	    "    #agent_tls_termination: {server_certificate: app.crt, server_private_key: app.key}\n"
	    "    #upstream: tcp://127.0.0.1:8080\n",
	    out);
}

static void
write_config(FILE *out, const struct join_facts *facts)
{
	fprintf(out,
	    "# Configuration of valise-agent, written by `valise-agent %s` for %s.\n"
	    "# Every key is explained in valise-agent.yml(5); after a change: valise-agent check\n"
	    "version: 1\n"
	    "\n"
	    "agent:\n",
	    facts->url ? "join" : "init",
	    facts->url ? facts->certificate->subject : facts->certificate->sans[0]);
	write_identity(out, facts);
	write_endpoint(out, facts);
	fputs("\n"
	      "log: {level: info, format: auto}\n",
	    out);
}

static const struct join_program program = {
	.program = "valise-agent",
	.kind = "agent",
	.peers = "relays",
	.role = ROLE_AGENT,
	.is_inside = true,
	.state_dir = paths_agent_state,
	.config = paths_agent_config,
	.write_config = write_config,
	.todo = "Say in it where the service is",
};

int
agent_join_run(int count, char **arguments)
{
	return join_run(&program, count, arguments);
}

/* ---- init ---- */

enum init_option { INIT_RELAY, INIT_URL, INIT_CONFIG, INIT_OPTIONS };

const struct program_option agent_init_options[INIT_OPTIONS + 1] = {
	[INIT_RELAY] = PROGRAM_OPTION("relay", "HOST:PORT", "where the relay is"),
	[INIT_URL] = PROGRAM_OPTION("url", "tls://NAME", "the public name of the first endpoint"),
	[INIT_CONFIG] = ADMIN_CONFIG_OPTION(paths_agent_config_help),
};

int
agent_init_run(const struct program_command *command, int count, char **arguments)
{
	const char *values[INIT_OPTIONS] = { 0 };
	char error[URL_ERROR], host[254], name[NAME_SIZE] = "app.example.com";
	int code = program_read(command, count, arguments, values, NULL, NULL);

	if (code != 0)
		return code;
	if (values[INIT_URL] && !url_endpoint(name, values[INIT_URL], error))
		return command_fail("init", EX_USAGE, "--url %s %s", values[INIT_URL], error);
	if (values[INIT_RELAY] && !url_relay(host, values[INIT_RELAY], error))
		return command_fail("init", EX_USAGE, "--relay %s %s", values[INIT_RELAY], error);
	return init_write(&program,
	    &(struct init_facts){
		.path = values[INIT_CONFIG] ? values[INIT_CONFIG] : paths_agent_config,
		.name = name,
		.relay = values[INIT_RELAY] });
}
