/* The front: one loop, the HTTP server, the queue to the process that signs, and a minute's timer. */
#include "pki/tool/serve_front.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/rate.h"
#include "base/ready.h"
#include "base/sandbox.h"
#include "base/socket.h"
#include "base/units.h"
#include "keys/key_channel.h"
#include "keys/key_url.h"
#include "pki/tool/enrolment.h"
#include "pki/tool/http_server.h"
#include "pki/tool/message.h"
#include "pki/tool/publication.h"
#include "pki/tool/serve_confine.h"
#include "pki/tool/serve_est.h"
#include "pki/tool/serve_judge.h"
#include "pki/tool/serve_queue.h"

enum {
	LOOK_MS = 2000,
	UPKEEP_S = 60,
	FAREWELL_MS = 5000,
	FAREWELL_STEP_MS = 50,
	OTHER_DESCRIPTORS = 64, /* that are no connections */
};

struct front {
	const struct front_options *options;
	struct loop *loop;
	struct http_server *server;
	struct serve_est est;
	struct timer look, farewell;
	int64_t kept_up_s;  /* when, by the wall clock; 0: at once */
	struct secret leaf; /* DER of what is shown */
	bool is_open, is_stopping;
	uint64_t stop_by_ms;
	int code;
};

static void
end(struct front *front, int code)
{
	front->code = code;
	loop_stop(front->loop);
}

/* ---- the own certificate ---- */

/* The first one opens the doors. */
static void
open_doors(struct front *front)
{
	char status[160];

	front->is_open = true;
	for (size_t i = 0; i < front->options->listener_count; i++)
		if (!http_server_listen(front->server, front->options->listeners[i])) {
			end(front, message_no_memory());
			return;
		}
	log_audit(LOG_INFO, "serve-up", NULL, log_str("server_name", front->options->name),
	    log_str("version", VALISE_VERSION), log_i64("pid", getpid()));
	snprintf(status, sizeof status, "serving enrolment as %s", front->options->name);
	ready_tell("READY=1", status);
}

static bool
set_credentials(struct front *front, const struct enrol_answer *answer)
{
	char error[KEY_URL_ERROR];
	struct secret key;
	bool is_set = key_url_make(&key, ENROL_OWN_KEY, error) &&
	    http_server_set_credentials(front->server, answer->certificates, answer->count, &key);

	secret_wipe(&key);
	return is_set;
}

static void
show(struct front *front, const struct enrol_answer *answer)
{
	struct der leaf = answer->certificates[0];
	char until[TIME_TEXT];

	if (secret_equals(&front->leaf, leaf.data, leaf.bytes))
		return;
	secret_wipe(&front->leaf);
	if (!set_credentials(front, answer)) {
		log_event(LOG_ERROR, "own-certificate-unusable",
		    "the server's own certificate or key cannot be used, and memory may be short");
		if (!front->is_open)
			end(front, EX_UNAVAILABLE);
		return;
	}
	secret_init(&front->leaf, leaf.data, leaf.bytes); /* else it is shown anew in a minute */
	log_audit(LOG_INFO, "own-certificate", "this certificate is shown from now on",
	    log_str("not_after", time_text(answer->not_after, until)));
	if (!front->is_open)
		open_doors(front);
}

/* Without any there is nothing to serve with; with one that is not over yet we go on. */
static void
on_own(void *arg, const struct enrol_answer *answer)
{
	struct front *front = arg;

	if (!answer || front->is_stopping)
		return;
	if (answer->code == ENROL_ISSUED && answer->count > 0) {
		show(front, answer);
		return;
	}
	log_event(LOG_ERROR, "own-certificate-refused",
	    "there is no new certificate for this server", log_str("error", answer->sentence));
	if (front->is_open)
		return;
	if (answer->code == ENROL_LATER)
		front->kept_up_s = 0;
	else
		end(front, EX_UNAVAILABLE);
}

static void
on_kept_up(void *arg, const struct enrol_answer *answer)
{
	(void)arg;
	if (answer && answer->code != ENROL_ISSUED)
		log_event(LOG_WARNING, "upkeep-failed",
		    "what is due of the authority's CRLs could not be written",
		    log_str("error", answer->sentence));
}

static void
keep_up(struct front *front)
{
	front->kept_up_s = clock_wall_s();
	serve_queue_ask(
	    front->est.queue, &(struct enrol_question){ .kind = ENROL_OWN }, on_own, front);
	serve_queue_ask(
	    front->est.queue, &(struct enrol_question){ .kind = ENROL_UPKEEP }, on_kept_up, front);
}

/* Certificates and CRLs end by the wall clock, which may be set. */
static void
look_at_clock(void *arg)
{
	struct front *front = arg;
	int64_t now = clock_wall_s();

	timer_set(&front->look, LOOK_MS);
	if (now < front->kept_up_s || now - front->kept_up_s >= UPKEEP_S)
		keep_up(front);
}

/* ---- the end ---- */

static void
on_lost(void *arg)
{
	struct front *front = arg;

	/* Before it is ready it has said itself why. */
	if (front->is_open && !front->is_stopping)
		log_event(LOG_ERROR, "signer-lost", "the process that signs has ended");
	end(front, front->is_stopping ? EX_OK : EX_SOFTWARE);
}

static void
look_whether_all_is_answered(void *arg)
{
	struct front *front = arg;

	if (http_server_unanswered(front->server) == 0 || clock_ms() >= front->stop_by_ms)
		end(front, EX_OK);
	else
		timer_set(&front->farewell, FAREWELL_STEP_MS);
}

/* The minute's work now: somebody has replaced our certificate, say. */
static void
on_reload(void *arg, int signal)
{
	(void)signal;
	keep_up(arg);
}

/* What is under way is answered, for a while; a second signal does not wait. */
static void
on_stop(void *arg, int signal)
{
	struct front *front = arg;

	(void)signal;
	if (front->is_stopping) {
		end(front, EX_OK);
		return;
	}
	front->is_stopping = true;
	ready_tell("STOPPING=1", "stopping");
	http_server_stop(front->server);
	front->stop_by_ms = clock_ms() + FAREWELL_MS;
	timer_set(&front->farewell, FAREWELL_STEP_MS);
}

/* ---- the beginning ---- */

/* As many as were asked for, if there are descriptors for them. */
static size_t
most_connections(const struct front_options *options)
{
	uint64_t descriptors = socket_raise_limit();
	uint64_t most = descriptors > 2 * OTHER_DESCRIPTORS ? descriptors - OTHER_DESCRIPTORS
							    : OTHER_DESCRIPTORS;

	return (size_t)(options->connections < most ? options->connections : most);
}

static int
open_all(struct front *front)
{
	const struct front_options *options = front->options;
	const struct http_options http = { .connections = most_connections(options),
		.loop = front->loop,
		.on_request = serve_est_on_request,
		.arg = &front->est };
	int code;

	key_channel_start(options->keys);
	front->est.queue = serve_queue_new(front->loop, options->signer, on_lost, front);
	front->est.publications = publications_new(options->directory);
	front->est.rates = rate_table_new();
	if (!front->est.queue || !front->est.publications || !front->est.rates)
		return message_no_memory();
	serve_est_bound(&front->est, options->requests, options->requests_per_identity);
	code = serve_judge_open(&front->est.judge, front->loop, options->directory);
	if (code)
		return code;
	front->server = http_server_new(&http);
	if (!front->server)
		return message_fail(EX_UNAVAILABLE, "the HTTP server cannot be started");
	if (!loop_on_signal(front->loop, SIGTERM, on_stop, front) ||
	    !loop_on_signal(front->loop, SIGINT, on_stop, front) ||
	    !loop_on_signal(front->loop, SIGHUP, on_reload, front))
		return message_fail(EX_OSERR, "signals cannot be heard");
	timer_init(&front->look, front->loop, look_at_clock, front);
	timer_init(&front->farewell, front->loop, look_whether_all_is_answered, front);
	if (options->has_sandbox)
		return serve_confine(options->directory);
	sandbox_tell_off();
	return 0;
}

/* The queue first: it tells those that still wait. */
static void
close_all(struct front *front)
{
	timer_clear(&front->look);
	timer_clear(&front->farewell);
	serve_queue_free(front->est.queue);
	http_server_free(front->server);
	serve_judge_close(front->est.judge);
	publications_free(front->est.publications);
	rate_table_free(front->est.rates);
	secret_wipe(&front->leaf);
}

int
serve_front_run(const struct front_options *options)
{
	struct front front = { .options = options, .loop = loop_new() };

	if (!front.loop)
		return message_no_memory();
	front.code = open_all(&front);
	if (!front.code) {
		log_start();
		look_at_clock(&front);
		loop_run(front.loop);
		if (front.is_open)
			log_audit(
			    LOG_INFO, "serve-down", NULL, log_u64("issued", front.est.issued));
	}
	close_all(&front);
	loop_free(front.loop);
	log_stop();
	return front.code;
}
