/* What a relay needs of a join, and its first configuration. */
#include "relay/relay_join.h"

#include "base/paths.h"
#include "enrol/join.h"
#include "pki/join_line.h"

static void
write_identity(FILE *out, const struct join_facts *facts)
{
	const struct join_files *files = facts->files;

	join_write_row(out, "  server_name", facts->certificate->sans[0]);
	join_write_row(out, "  certificate", files->paths[JOIN_CERTIFICATE]);
	join_write_row(out, "  private_key", files->paths[JOIN_KEY]);
	join_write_row(out, "  agent_cas", files->paths[JOIN_PEER_CAS]);
	join_write_row(out, "  agent_crl_url", facts->peer_crl_url);
	join_write_renew(out, facts);
}

/* The authority behind this relay, so that one public port is enough for all; an address that was given
 * says that it is not reached by its name yet. */
static void
write_routes(FILE *out, const struct join_facts *facts)
{
	char host[254];
	uint16_t port = 0;
	bool is_behind = join_url_parse(facts->url, host, &port) && port == 443 && facts->address;
	const char *mark = is_behind ? "" : "#";

	fprintf(out,
	    "\n"
	    "# %s\n"
	    "%sroutes:\n"
	    "%s  - server_name: \"%s\"\n"
	    "%s    upstream: \"tcp://%s\"\n",
	    is_behind ? "The authority, which all others reach through this relay:"
		      : "To have the authority reached through this relay, too:",
	    mark, mark, host, mark, facts->address ? facts->address : "192.0.2.1:8443");
}

static void
write_config(FILE *out, const struct join_facts *facts)
{
	fprintf(out,
	    "# Configuration of valise-relay, written by `valise-relay join` for %s.\n"
	    "# Every key is explained in valise-relay.yml(5); after a change: valise-relay check\n"
	    "version: 1\n"
	    "\n"
	    "listeners:\n"
	    "  - address: \"[::]:443\"                 # both address families\n"
	    "\n"
	    "# The one name for which the relay itself holds a certificate: agents arrive here.\n"
	    "connect:\n",
	    facts->certificate->subject);
	write_identity(out, facts);
	write_routes(out, facts);
	if (facts->state_dir) {
		putc('\n', out);
		join_write_row(out, "state_dir", facts->state_dir);
	}
	fputs("\n"
	      "log: {level: info, format: auto}\n",
	    out);
}

int
relay_join_run(int count, char **arguments)
{
	static const struct join_program program = {
		.program = "valise-relay",
		.kind = "relay",
		.peers = "agents",
		.role = ROLE_RELAY,
		.state_dir = paths_relay_state,
		.config = paths_relay_config,
		.write_config = write_config,
	};

	return join_run(&program, count, arguments);
}
