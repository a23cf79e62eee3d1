/* What an agent needs of a join, and its first configuration. */
#include "agent/agent_join.h"

#include "base/paths.h"
#include "enrol/join.h"

static void
write_relay(FILE *out, const char *relay)
{
	if (relay)
		fprintf(out, "  connect_url: [\"%s\"]\n", relay);
	else
		fputs("  # Where the relay is; the invitation did not say it:\n"
		      "  #connect_url: [connect.example.net:443]\n",
		    out);
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

	write_relay(out, facts->relay);
	join_write_row(out, "  connect_cas", files->paths[JOIN_PEER_CAS]);
	join_write_row(out, "  connect_crl_url", facts->peer_crl_url);
	join_write_row(out, "  certificate", files->paths[JOIN_CERTIFICATE]);
	join_write_row(out, "  private_key", files->paths[JOIN_KEY]);
	if (facts->state_dir)
		join_write_row(out, "  state_dir", facts->state_dir);
	if (facts->proxy)
		write_proxy(out, facts->proxy);
	join_write_renew(out, facts);
}

static void
write_endpoint(FILE *out, const struct cert_facts *certificate)
{
	char url[512];

	snprintf(url, sizeof url, "tls://%s", certificate->sans[0]);
	fputs("\n"
	      "endpoints:\n"
	      "  # Names that the certificate covers:",
	    out);
	for (size_t i = 0; i < certificate->san_count; i++)
		fprintf(out, " %s", certificate->sans[i]);
	fputs("\n"
	      "  - name: first\n",
	    out);
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
	    "# Configuration of valise-agent, written by `valise-agent join` for %s.\n"
	    "# Every key is explained in valise-agent.yml(5); after a change: valise-agent check\n"
	    "version: 1\n"
	    "\n"
	    "agent:\n",
	    facts->certificate->subject);
	write_identity(out, facts);
	write_endpoint(out, facts->certificate);
	fputs("\n"
	      "log: {level: info, format: auto}\n",
	    out);
}

int
agent_join_run(int count, char **arguments)
{
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

	return join_run(&program, count, arguments);
}
