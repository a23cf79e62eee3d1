/*
 * valise-pki serve: binds the sockets, starts the process that signs and the one that speaks HTTP,
 * and waits.  When one ends, so does the other, and the service manager starts both anew.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/address.h"
#include "base/log.h"
#include "base/pass.h"
#include "base/paths.h"
#include "base/process.h"
#include "base/ready.h"
#include "base/socket.h"
#include "pki/join_line.h"
#include "pki/tool/authority.h"
#include "pki/tool/command.h"
#include "pki/tool/enrol_signer.h"
#include "pki/tool/message.h"
#include "pki/tool/serve_front.h"
#include "pki/tool/serve_settings.h"
#include "sni/name.h"

enum { LISTENERS_MOST = 16, PATIENCE_S = 15 };

struct serve_options {
	struct common common;
	const char *config, *url;
	struct texts names, listen;
	bool check, has_no_sandbox;
};

static const struct option_row rows[] = { { "config", OPTION_TEXT,
					      offsetof(struct serve_options, config), "FILE",
					      "settings, see valise-pki.yml(5)", 0 },
	{ "server-name", OPTION_TEXTS, offsetof(struct serve_options, names), "NAME",
	    "its own host name (repeat; the first names the certificate)", 0 },
	{ "listen", OPTION_TEXTS, offsetof(struct serve_options, listen), "ADDRESS",
	    "where (repeat; default: [::]:8443)", 0 },
	{ "url", OPTION_TEXT, offsetof(struct serve_options, url), "URL",
	    "where hosts reach it (default: https://NAME)", 0 },
	{ "check", OPTION_FLAG, offsetof(struct serve_options, check), NULL,
	    "say whether settings and authority are right, and end", 0 },
	{ "no-sandbox", OPTION_FLAG, offsetof(struct serve_options, has_no_sandbox), NULL,
	    "give up nothing after the start, not even capabilities", 0 },
	{ 0 } };

static const struct synopsis usage = {
	"serve",
	"",
	0,
	0,
	"Serves enrolment and renewal by EST, CRLs and CA certificates over HTTPS.",
	rows,
};

/* Everything that was asked for, options before settings. */
struct serve_plan {
	struct serve_options options;
	struct serve_settings settings;
	const char *directory;
	struct texts names, listen;
	char url[JOIN_URL];
	int listeners[LISTENERS_MOST];
	size_t listener_count;
};

/* 0: not there (any more); then the code that it has ended with. */
struct serve_child {
	pid_t pid;
	int code;
};

struct serve_children {
	struct serve_child signer, front;
};

/* ---- what is asked for ---- */

static int
choose(const struct texts *given, const struct conf_texts *configured,
    bool (*is_valid)(const char *, char[256]), struct texts *out)
{
	char error[256];

	*out = *given;
	for (size_t i = 0; given->count == 0 && i < configured->count; i++) {
		if (out->count == TEXTS_MOST)
			return message_fail(EX_CONFIG, "serve: more than %d values", TEXTS_MOST);
		out->at[out->count++] = configured->items[i];
	}
	for (size_t i = 0; i < given->count; i++)
		if (!is_valid(given->at[i], error))
			return message_fail(EX_USAGE, "serve: '%s' %s", given->at[i], error);
	return 0;
}

static int
choose_url(struct serve_plan *plan)
{
	const char *url = plan->options.url ? plan->options.url : plan->settings.url;
	char host[254];
	uint16_t port;

	snprintf(plan->url, sizeof plan->url, "%s%s", url ? "" : "https://",
	    url ? url : plan->names.at[0]);
	return join_url_parse(url ? url : plan->url, host, &port)
	    ? 0
	    : message_fail(EX_USAGE,
		  "serve: the URL '%.300s' is not https://HOST or https://HOST:PORT, with nothing "
		  "behind it",
		  url ? url : plan->url);
}

static int
make_plan(struct serve_plan *plan)
{
	struct serve_settings *settings = &plan->settings;
	int code = choose(
	    &plan->options.names, &settings->server_name, serve_settings_is_name, &plan->names);

	if (!code)
		code = choose(&plan->options.listen, &settings->listen, serve_settings_is_listener,
		    &plan->listen);
	if (code)
		return code;
	if (plan->names.count == 0)
		return message_fail(EX_USAGE,
		    "serve: under which name? give --server-name pki.example.net, or server_name "
		    "in %s",
		    paths_pki_config);
	if (plan->listen.count > LISTENERS_MOST)
		return message_fail(EX_USAGE, "serve: more than %d addresses", LISTENERS_MOST);
	if (!plan->options.common.ca)
		plan->options.common.ca = settings->authority;
	if (!plan->options.common.passphrase_file && !plan->options.common.passphrase_fd)
		plan->options.common.passphrase_file = settings->passphrase_file;
	plan->directory = authority_directory(&plan->options.common);
	return plan->directory ? choose_url(plan) : EX_USAGE;
}

/* ---- sockets ---- */

static int
open_listeners(struct serve_plan *plan)
{
	char text[ADDRESS_TEXT], error[512];

	for (size_t i = 0; i < plan->listen.count; i++) {
		struct address address;
		int fd;

		address_parse(&address, plan->listen.at[i]);
		fd = ready_listener(&address);
		if (fd < 0)
			fd = socket_listen(&address, LISTEN_ALONE, error);
		if (fd < 0)
			return message_fail(EX_UNAVAILABLE, "%s", error);
		plan->listeners[plan->listener_count++] = fd;
		address = socket_local(fd);
		log_event(
		    LOG_INFO, "listening", NULL, log_str("address", address_text(&address, text)));
	}
	return 0;
}

static void
close_listeners(struct serve_plan *plan)
{
	while (plan->listener_count > 0)
		close(plan->listeners[--plan->listener_count]);
}

/* ---- the two processes ---- */

/* It ends when the front has closed its end of the pair, and not before: a service manager may tell all
 * processes at once to stop. */
static int
run_signer(struct serve_plan *plan, const int pair[2], const int keys[2])
{
	const struct enrolment_options options = { .url = plan->url,
		.name = plan->names.at[0],
		.hosts = plan->names,
		.signatures_per_hour = (int64_t)plan->settings.signatures_per_hour,
		.has_sandbox = !plan->options.has_no_sandbox };

	signal(SIGTERM, SIG_IGN);
	/* Where SQLite may sort what is too much for memory. */
	setenv("SQLITE_TMPDIR", plan->directory, 1);
	close(pair[0]);
	close(keys[0]);
	close_listeners(plan);
	return enrol_signer_run(pair[1], keys[1], &plan->options.common, &options);
}

/* It ends with the parent, whatever ends that. */
static int
run_front(const struct serve_plan *plan, const int pair[2], const int keys[2], pid_t parent)
{
	const struct front_options options = { .directory = plan->directory,
		.name = plan->names.at[0],
		.signer = pair[0],
		.keys = keys[0],
		.listeners = plan->listeners,
		.listener_count = plan->listener_count,
		.has_sandbox = !plan->options.has_no_sandbox,
		.connections = plan->settings.connections,
		.requests = plan->settings.requests,
		.requests_per_identity = plan->settings.requests_per_identity };

	close(pair[1]);
	close(keys[1]);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	return getppid() == parent ? serve_front_run(&options) : EX_UNAVAILABLE;
}

static int
start(struct serve_plan *plan, const sigset_t *signals, struct serve_children *children)
{
	pid_t parent = getpid();
	int pair[2], keys[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || !pass_pair(keys))
		return message_fail(EX_OSERR, "serve: %s", strerror(errno));
	children->signer.pid = fork();
	if (children->signer.pid == 0) {
		sigprocmask(SIG_SETMASK, signals, NULL);
		exit(run_signer(plan, pair, keys));
	}
	children->front.pid = children->signer.pid > 0 ? fork() : -1;
	if (children->front.pid == 0) {
		sigprocmask(SIG_SETMASK, signals, NULL);
		exit(run_front(plan, pair, keys, parent));
	}
	close(pair[0]);
	close(pair[1]);
	close(keys[0]);
	close(keys[1]);
	return children->front.pid > 0 ? 0 : message_fail(EX_OSERR, "serve: %s", strerror(errno));
}

static void
note_end(struct serve_child *child, pid_t pid, int status)
{
	if (child->pid != pid)
		return;
	child->pid = 0;
	child->code = WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM) /* which we send */
		log_event(LOG_ERROR, "process-died", "one of the two processes was killed",
		    log_i64("signal", WTERMSIG(status)));
}

static void
reap(struct serve_children *children)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		note_end(&children->signer, pid, status);
		note_end(&children->front, pid, status);
	}
}

/* Only the front is asked to stop: then nobody can ask the signer any more, and it stops, too. */
static void
tell(const struct serve_children *children, int signal)
{
	if (children->front.pid > 0)
		kill(children->front.pid, signal);
	if (children->signer.pid > 0 && signal == SIGKILL)
		kill(children->signer.pid, signal);
}

/* Until both have ended: once one has, or somebody has told us to stop, the other gets some time. */
static int
supervise(const sigset_t *waited_for, struct serve_children *children)
{
	const struct timespec patience = { .tv_sec = PATIENCE_S };
	bool is_ending = false;

	while (children->front.pid > 0 || children->signer.pid > 0) {
		int signal = is_ending ? sigtimedwait(waited_for, NULL, &patience)
				       : sigwaitinfo(waited_for, NULL);

		reap(children);
		if (signal == SIGHUP) {
			tell(children, SIGHUP);
			continue;
		}
		if (signal > 0 && (signal != SIGCHLD || !is_ending))
			tell(children, SIGTERM);
		else if (signal < 0 && errno == EAGAIN)
			tell(children, SIGKILL);
		is_ending = is_ending || signal > 0;
	}
	return children->signer.code ? children->signer.code : children->front.code;
}

static int
run_plan(struct serve_plan *plan)
{
	struct serve_children children = { 0 };
	sigset_t waited_for, before;
	int code = open_listeners(plan);

	if (code)
		return code;
	sigemptyset(&waited_for);
	sigaddset(&waited_for, SIGCHLD);
	sigaddset(&waited_for, SIGTERM);
	sigaddset(&waited_for, SIGINT);
	sigaddset(&waited_for, SIGQUIT);
	sigaddset(&waited_for, SIGHUP);
	sigprocmask(SIG_BLOCK, &waited_for, &before);
	code = start(plan, &before, &children);
	close_listeners(plan);
	if (code)
		tell(&children, SIGKILL);
	return code ? code : supervise(&waited_for, &children);
}

/* What a start would stumble over at once. */
static int
check_plan(struct serve_plan *plan)
{
	struct authority authority = { .reads = true };
	int code = authority_open(&authority, &plan->options.common);

	authority_close(&authority);
	if (!code)
		puts("fine");
	return code;
}

static int
run(int argc, char **argv)
{
	struct serve_plan plan = { 0 };
	struct operands operands;
	int code;

	if (!options_read(&usage, argc, argv, &plan.options, &operands, &code))
		return code;
	process_ignore_signals();
	code = serve_settings_read(&plan.settings, plan.options.config);
	if (!code) {
		log_init("valise-pki", (enum log_level)plan.settings.log.level,
		    (enum log_format)plan.settings.log.format);
		code = make_plan(&plan);
	}
	if (!code)
		code = (plan.options.check ? check_plan : run_plan)(&plan);
	close_listeners(&plan);
	serve_settings_wipe(&plan.settings);
	return code;
}

const struct command command_serve = { &usage, run };
