/* What a relay needs of a join, and its first configuration. */
#include "relay/relay_join.h"

#include <string.h>

#include "base/admin_command.h"
#include "base/paths.h"
#include "enrol/init.h"
#include "enrol/join.h"
#include "pki/join_line.h"
#include "pki/name_fault.h"
#include "sni/name.h"

static void
write_identity(FILE *out, const struct join_facts *facts)
{
	const struct join_files *files = facts->files;

	join_write_row(out, "  server_name", facts->certificate->sans[0]);
	join_write_row(out, "  certificate", files->paths[JOIN_CERTIFICATE]);
	join_write_row(out, "  private_key", files->paths[JOIN_KEY]);
	join_write_row(out, "  agent_cas", files->paths[JOIN_PEER_CAS]);
	if (!facts->url) {
		join_write_row(out, "  agent_crls", files->paths[JOIN_PEER_CRLS]);
		return;
	}
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
	bool is_behind =
	    facts->url && join_url_parse(facts->url, host, &port) && port == 443 && facts->address;
	const char *mark = is_behind ? "" : "#";

	if (!facts->url) {
		fputs(
		    "\n"
		    "# Names that no agent serves: sealed bytes for a server that the relay reaches itself.\n"
		    "#routes:\n"
		    "#  - server_name: \"*.legacy.example.org\"\n"
		    "#    upstream: \"tcp://192.0.2.1:8443\"\n",
		    out);
		return;
	}
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
	    "# Configuration of valise-relay, written by `valise-relay %s` for %s.\n"
	    "# Every key is explained in valise-relay.yml(5); after a change: valise-relay check\n"
	    "version: 1\n"
	    "\n"
	    "listeners:\n"
	    "  - address: \"[::]:443\"                 # both address families\n"
	    "\n"
	    "# The one name for which the relay itself holds a certificate: agents arrive here.\n"
	    "connect:\n",
	    facts->url ? "join" : "init",
	    facts->url ? facts->certificate->subject : facts->certificate->sans[0]);
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

static const struct join_program program = {
	.program = "valise-relay",
	.kind = "relay",
	.peers = "agents",
	.role = ROLE_RELAY,
	.state_dir = paths_relay_state,
	.config = paths_relay_config,
	.write_config = write_config,
};

int
relay_join_run(int count, char **arguments)
{
	return join_run(&program, count, arguments);
}

/* ---- init ---- */

const struct program_option relay_init_options[] = { ADMIN_CONFIG_OPTION(paths_relay_config_help),
	{ 0 } };

int
relay_init_run(const struct program_command *command, int count, char **arguments)
{
	static const char *const wanted[] = {
		"the relay's NAME, at which agents arrive, for example connect.example.net", NULL
	};
	const char *config = NULL, *given;
	char name[NAME_SIZE];
	int code = program_read(command, count, arguments, &config, wanted, &given);

	if (code != 0)
		return code;
	if (name_is_address(given) || !name_normalise(name, given, strlen(given)))
		return program_usage(
		    "init wants the name of a host, as connect.example.net, and not '%s'", given);
	return init_write(&program,
	    &(struct init_facts){ .path = config ? config : paths_relay_config, .name = name });
}
