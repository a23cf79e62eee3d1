/* ngrok's keys of the agent, and the file as a whole. */
#include "agent/import_ngrok.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/command.h"
#include "agent/import_ngrok_private.h"
#include "base/paths.h"
#include "base/units.h"
#include "base/utf8.h"
#include "enrol/join.h"

enum { KEY_PATH = 128 };

/* ---- the walk ---- */

void
import_tell(const struct import_walk *walk, const struct conf_node *node, const char *key,
    const char *format, ...)
{
	const struct conf_mark mark = conf_node_mark(node);
	char *sentence = NULL;
	va_list arguments;

	fprintf(stderr, "%s:%u:%u: ", walk->path, mark.line, mark.column);
	utf8_put_visibly(key, stderr);
	va_start(arguments, format);
	if (vasprintf(&sentence, format, arguments) < 0)
		sentence = NULL;
	va_end(arguments);
	fputs(": ", stderr);
	utf8_put_visibly(sentence ? sentence : "memory is short", stderr);
	putc('\n', stderr);
	free(sentence);
}

static const struct import_row *
find_row(const struct import_row *table, const char *key)
{
	for (; table->key; table++)
		if (strcmp(table->key, key) == 0)
			return table;
	return table->table ? find_row(table->table, key) : NULL;
}

static void
take_pair(struct import_walk *walk, const struct conf_node *value, const struct import_row *row,
    const char *path, void *out)
{
	char *place = (char *)out + row->offset, prefix[KEY_PATH + 1];

	switch (row->kind) {
	case IMPORT_TEXT:
		*(const char **)(void *)place = conf_node_text(value);
		if (!conf_node_text(value))
			import_tell(walk, value, path, "is not a single value; left out");
		break;
	case IMPORT_NODE:
		*(const struct conf_node **)(void *)place = value;
		break;
	case IMPORT_MAPPING:
		snprintf(prefix, sizeof prefix, "%s.", path);
		import_walk(walk, value, row->table, prefix, out);
		break;
	case IMPORT_LEFT:
		import_tell(walk, value, path, "%s", row->reason);
		break;
	case IMPORT_QUIET:
		break;
	}
}

void
import_walk(struct import_walk *walk, const struct conf_node *mapping,
    const struct import_row *table, const char *prefix, void *out)
{
	for (size_t i = 0; i < conf_node_count(mapping); i++) {
		const struct conf_node *key = conf_node_key(walk->tree, mapping, i);
		const char *word = key ? conf_node_text(key) : NULL;
		const struct import_row *row = word ? find_row(table, word) : NULL;
		char path[KEY_PATH];

		snprintf(path, sizeof path, "%s%.60s", prefix, word ? word : "?");
		if (row)
			take_pair(walk, conf_node_item(walk->tree, mapping, i), row, path, out);
		else
			import_tell(walk, key ? key : mapping, path,
			    "not a key of ngrok's agent that is known here; left out");
	}
}

/* ---- the keys of the agent ---- */

struct imported_agent {
	const char *version, *interval, *tolerance, *proxy_url, *log_level, *log_format, *web;
	const struct conf_node *agent, *endpoints, *tunnels;
};

#define AT(member) offsetof(struct imported_agent, member)
#define NGROKS_OWN \
	"leads to ngrok; say where your relay is in agent.connect_url, which valise-agent join writes"
#define UPDATES "the package manager of this host brings new versions"

static const struct import_row agent_rows[] = {
	{ "authtoken", IMPORT_LEFT, 0,
	    "an agent shows a certificate, and has no token: see valise-agent join and keygen",
	    NULL },
	{ "api_key", IMPORT_LEFT, 0, "there is no account and nobody in the middle to manage",
	    NULL },
	{ "connect_timeout", IMPORT_LEFT, 0, "a relay has 10 seconds to answer, and is tried again",
	    NULL },
	{ "connect_url", IMPORT_LEFT, 0, NGROKS_OWN, NULL },
	{ "server_addr", IMPORT_LEFT, 0, NGROKS_OWN, NULL },
	{ "connect_cas", IMPORT_LEFT, 0,
	    "give the CAs of your relay in agent.connect_cas, which valise-agent join writes",
	    NULL },
	{ "root_cas", IMPORT_LEFT, 0,
	    "give the CAs of your relay in agent.connect_cas, which valise-agent join writes",
	    NULL },
	{ "console_ui", IMPORT_LEFT, 0, "ask with valise-agent status", NULL },
	{ "console_ui_color", IMPORT_LEFT, 0, "ask with valise-agent status", NULL },
	{ "crl_noverify", IMPORT_LEFT, 0,
	    "CRLs are checked where they are given (agent.connect_crls, agent.connect_crl_url), and only there",
	    NULL },
	{ "dns_resolver_ips", IMPORT_LEFT, 0, "names are resolved as this host resolves them",
	    NULL },
	{ "heartbeat_interval", IMPORT_TEXT, AT(interval), NULL, NULL },
	{ "heartbeat_tolerance", IMPORT_TEXT, AT(tolerance), NULL, NULL },
	{ "inspect_db_size", IMPORT_LEFT, 0,
	    "nothing is inspected; who speaks HTTP is the upstream", NULL },
	{ "log", IMPORT_LEFT, 0, "the log goes to standard error, and so to the journal", NULL },
	{ "log_format", IMPORT_TEXT, AT(log_format), NULL, NULL },
	{ "log_level", IMPORT_TEXT, AT(log_level), NULL, NULL },
	{ "metadata", IMPORT_LEFT, 0, "agent.labels takes a list of key=value", NULL },
	{ "proxy_url", IMPORT_TEXT, AT(proxy_url), NULL, NULL },
	{ "region", IMPORT_LEFT, 0, "relays are where you put them; list them in agent.connect_url",
	    NULL },
	{ "remote_management", IMPORT_LEFT, 0, "nobody manages an agent from afar", NULL },
	{ "update", IMPORT_LEFT, 0, UPDATES, NULL },
	{ "update_channel", IMPORT_LEFT, 0, UPDATES, NULL },
	{ "update_check", IMPORT_LEFT, 0, UPDATES, NULL },
	{ "web_addr", IMPORT_TEXT, AT(web), NULL, NULL },
	{ "web_allow_hosts", IMPORT_LEFT, 0, "the page is for this host only", NULL },
	{ 0 },
};

/* Of the file: in version 2 the agent's keys stand here, too, and not in a mapping of their own. */
static const struct import_row file_rows[] = {
	{ "version", IMPORT_TEXT, AT(version), NULL, NULL },
	{ "agent", IMPORT_NODE, AT(agent), NULL, NULL },
	{ "endpoints", IMPORT_NODE, AT(endpoints), NULL, NULL },
	{ "tunnels", IMPORT_NODE, AT(tunnels), NULL, NULL },
	{ .table = agent_rows },
};

static void
read_file(struct import_walk *walk, const struct conf_node *root, struct imported_agent *agent)
{
	import_walk(walk, root, file_rows, "", agent);
	if (agent->agent)
		import_walk(walk, agent->agent, agent_rows, "agent.", agent);
}

/* ---- what is written ---- */

static void
complain(const char *key, const char *value, const char *reason)
{
	fprintf(stderr, "%s: '", key);
	utf8_put_visibly(value, stderr);
	fprintf(stderr, "' %s\n", reason);
}

static void
write_duration(FILE *out, const char *key, const char *value)
{
	uint64_t ms;

	if (!value)
		return;
	if (duration_parse(value, &ms))
		fprintf(out, "  %s: %s\n", key, value);
	else
		complain(key, value, "is not a time with its unit, as 10s; left out");
}

/* The page of the agent is for its own host. */
static void
write_page(FILE *out, const char *value)
{
	static const char *const loopback[] = { "localhost", "127.0.0.1", "[::1]" };
	const char *port = value ? strrchr(value, ':') : NULL;

	if (!value || strcmp(value, "false") == 0)
		return;
	for (size_t i = 0; port && i < sizeof loopback / sizeof *loopback; i++)
		if ((size_t)(port - value) == strlen(loopback[i]) &&
		    strncmp(value, loopback[i], strlen(loopback[i])) == 0 &&
		    strspn(port + 1, "0123456789") == strlen(port + 1)) {
			fprintf(out, "\nadmin: {http: 127.0.0.1%s}\n", port);
			return;
		}
	complain("web_addr", value, "is not of this host only; admin.http takes 127.0.0.1:PORT");
}

struct word_pair {
	const char *theirs, *ours;
};

static const char *
translate(const struct word_pair *pairs, const char *word, const char *fallback)
{
	for (; word && pairs->theirs; pairs++)
		if (strcasecmp(pairs->theirs, word) == 0)
			return pairs->ours;
	return fallback;
}

static void
write_log(FILE *out, const struct imported_agent *agent)
{
	static const struct word_pair levels[] = { { "debug", "debug" }, { "info", "info" },
		{ "warn", "warning" }, { "error", "error" }, { "crit", "error" }, { 0 } };
	static const struct word_pair formats[] = { { "json", "json" }, { "logfmt", "text" },
		{ "term", "text" }, { 0 } };

	fprintf(out, "\nlog: {level: %s, format: %s}\n",
	    translate(levels, agent->log_level, "info"),
	    translate(formats, agent->log_format, "auto"));
}

static void
write_all(FILE *out, const struct import_walk *walk, const struct imported_agent *agent,
    const char *endpoints)
{
	fputs("# Made of ", out);
	utf8_put_visibly(walk->path, out);
	fprintf(out,
	    " by valise-agent import-ngrok.\n"
	    "# Every key is explained in valise-agent.yml(5); after a change: valise-agent check\n"
	    "version: 1\n"
	    "\n"
	    "agent:\n"
	    "  # Who this agent is and where its relay is; `valise-agent join` has them in the\n"
	    "  # configuration that it writes.\n"
	    "  connect_url: [connect.example.net:443]\n"
	    "  connect_cas: %s/relays-ca.crt\n"
	    "  certificate: %s/agent.crt\n"
	    "  private_key: %s/agent.key\n",
	    paths_sysconfdir, paths_sysconfdir, paths_sysconfdir);
	write_duration(out, "heartbeat_interval", agent->interval);
	write_duration(out, "heartbeat_tolerance", agent->tolerance);
	if (agent->proxy_url) {
		fputs("  proxy: {url: ", out);
		join_write_value(out, agent->proxy_url);
		fputs("}\n", out);
	}
	fprintf(out, "\nendpoints:\n%s", endpoints);
	write_page(out, agent->web);
	write_log(out, agent);
}

/* ---- the command ---- */

static void
read_endpoints(struct import_walk *walk, const struct imported_agent *agent)
{
	const struct conf_node *list = agent->endpoints, *tunnels = agent->tunnels;

	for (size_t i = 0; list && i < conf_node_count(list); i++)
		import_endpoint(walk, conf_node_item(walk->tree, list, i));
	for (size_t i = 0; tunnels && i < conf_node_count(tunnels); i++) {
		const struct conf_node *key = conf_node_key(walk->tree, tunnels, i);

		import_tunnel(walk, key && conf_node_text(key) ? conf_node_text(key) : "?",
		    conf_node_item(walk->tree, tunnels, i));
	}
}

static int
write_to(const char *path, const struct import_walk *walk, const struct imported_agent *agent,
    const char *endpoints)
{
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644) : STDOUT_FILENO;
	FILE *out = fd < 0 ? NULL : path ? fdopen(fd, "w") : stdout;
	bool is_written;

	if (!out)
		return command_fail("import-ngrok", EX_CANTCREAT, "%s: %s%s", path, strerror(errno),
		    errno == EEXIST ? "; nothing is overwritten" : "");
	write_all(out, walk, agent, endpoints);
	is_written = !ferror(out) && (path ? fclose(out) == 0 : fflush(out) == 0);
	return is_written ? 0
			  : command_fail("import-ngrok", EX_IOERR, "%s: %s",
				path ? path : "standard output", strerror(errno));
}

static int
judge(const struct import_walk *walk, const struct imported_agent *agent)
{
	if (!agent->version ||
	    (strcmp(agent->version, "2") != 0 && strcmp(agent->version, "3") != 0))
		return command_fail("import-ngrok", EX_CONFIG,
		    "%s says version %s; versions 2 and 3 of ngrok's agent configuration are read",
		    walk->path, agent->version ? agent->version : "nothing");
	if (walk->endpoint_count == 0)
		return command_fail("import-ngrok", EX_DATAERR,
		    "%s has no endpoint or tunnel that could be carried over", walk->path);
	return 0;
}

static int
import(struct import_walk *walk, const char *output)
{
	const struct conf_node *root = conf_tree_root(walk->tree);
	struct imported_agent agent = { 0 };
	char *endpoints = NULL;
	size_t bytes;
	int code;

	walk->endpoints = open_memstream(&endpoints, &bytes);
	if (!walk->endpoints)
		return command_fail("import-ngrok", EX_OSERR, "memory is short");
	if (root && conf_node_kind(root) == CONF_NODE_MAPPING)
		read_file(walk, root, &agent);
	read_endpoints(walk, &agent);
	fclose(walk->endpoints);
	code = judge(walk, &agent);
	if (code == 0)
		code = write_to(output, walk, &agent, endpoints);
	free(endpoints);
	return code;
}

const struct program_option import_ngrok_options[] = {
	{ "output", 'o', "FILE", "write there, where no file is yet, instead of standard output",
	    NULL, false, false },
	{ 0 }
};

int
import_ngrok_run(const struct program_command *command, int count, char **arguments)
{
	static const char *const wanted[] = { "the FILE, for example ~/.config/ngrok/ngrok.yml",
		NULL };
	struct conf_report report = { .out = stderr };
	struct import_walk walk = { 0 };
	const char *output = NULL;
	int code = program_read(command, count, arguments, &output, wanted, &walk.path);

	if (code != 0)
		return code;
	walk.tree = conf_tree_read(walk.path, &report);
	if (!walk.tree)
		return report.unreadable ? EX_NOINPUT : EX_CONFIG;
	code = import(&walk, output);
	conf_tree_free(walk.tree);
	return code;
}
