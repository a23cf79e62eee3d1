/* Reading labels. */
#include "relay/intake.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/proxy.h"
#include "relay/agent_channel.h"
#include "relay/agent_session.h"
#include "relay/crowd.h"
#include "relay/lingering.h"
#include "relay/flow.h"
#include "relay/relay.h"
#include "relay/rules.h"
#include "relay/station.h"
#include "relay/visit.h"

enum { PROXY_WAIT_MOST = 4096, LAST_READS = 4 };

enum state { PROXY, HELLO, GONE, STATES };
static const char *const state_name[STATES] = { "proxy", "hello", "gone" };

struct intake {
	LIST_ENTRY(intake) link;
	struct station *station;
	enum state state;
	struct visit visit;
	size_t counted_bytes;		/* of the buffer, in the crowd */
	struct crowd_place *place;
	struct watch watch;
	struct timer deadline;
	struct task reap;
};

static void
reap(void *arg)
{
	free(arg);
}

/* Out of the loop and the lists; what it had is given to the caller. */
static struct visit
leave(struct intake *intake)
{
	struct visit visit = intake->visit;
	struct station *station = intake->station;

	intake->visit = (struct visit){ .fd = -1 };
	intake->state = GONE;
	LIST_REMOVE(intake, link);
	watch_wipe(&intake->watch);
	timer_clear(&intake->deadline);
	crowd_leave(intake->place);
	intake->place = NULL;
	loop_later(station->loop, &intake->reap);
	return visit;
}

static void
cut(struct intake *intake)
{
	struct station *station = intake->station;
	struct visit visit = leave(intake);

	visit_wipe(&visit);
	station_check(station);
}

void
intake_cut_all(struct station *station)
{
	while (!LIST_EMPTY(&station->intakes))
		cut(LIST_FIRST(&station->intakes));
}

static void
log_quiet_end(const struct intake *intake, const char *why)
{
	char client[ADDRESS_TEXT];

	log_event(LOG_DEBUG, "hello-abandoned", why, log_str("client", address_text(&intake->visit.client, client)),
	    log_u64("bytes", intake->visit.bytes), log_str("state", state_name[intake->state]));
}

static const char *
cure_of(enum refusal reason)
{
	switch (reason) {
	case REFUSE_NO_NAME:
		return "the client sent no server name: connect by name, not by address";
	case REFUSE_MALFORMED:
		return "what came is no ClientHello that an endpoint would accept: see valise-sni(1)";
	case REFUSE_DENIED:
		return "a trusted proxy must send a PROXY header: turn it on there, or take it off trusted_proxies";
	case REFUSE_FOREIGN_ALPN:
		return "only agents have business at the connect name: connect to an endpoint's name";
	case REFUSE_NOT_TLS:
		return "what came is not TLS: speak TLS to this port";
	case REFUSE_TIMEOUT:
		return "no whole ClientHello came in time: see limits.hello_timeout";
	case REFUSE_OVER_LIMIT:
		return "too many hellos are in progress, and most of them come from here: see limits.hellos";
	case REFUSE_UNKNOWN_NAME:
	case REFUSE_NO_AGENT:
	case REFUSALS:
		break;	/* a flow's */
	}
	return NULL;
}

static void
refuse(struct intake *intake, enum refusal reason, uint8_t alert)
{
	struct station *station = intake->station;
	char client[ADDRESS_TEXT];
	struct visit visit = leave(intake);
	const char *why = clienthello_reason(&visit.hello);

	log_event(LOG_INFO, "hello-refused", cure_of(reason),
	    log_str("code", refuse_word(reason)),
	    log_str("client", address_text(&visit.client, client)),
	    log_str("server_name", visit.hello.verdict == CLIENTHELLO_COMPLETE ? visit.hello.server_name : NULL),
	    log_str("reason", why[0] != '\0' ? why : NULL),
	    log_u64("bytes", visit.bytes),
	    log_u64("alert", alert));
	lingering_refuse(station, &visit, reason, alert);
	station_check(station);
}

/* ---- verdicts ---- */

static bool
is_connect_name(const struct intake *intake)
{
	const struct settings *settings = &intake->station->rules->settings;

	return settings->connect_name != NULL &&
	    strcmp(intake->visit.hello.server_name, settings->connect_pattern) == 0;
}

static void
take_agent(struct intake *intake)
{
	const struct visit *here = &intake->visit;
	bool session = clienthello_offers_alpn(&here->hello, here->wire, "valise/1");
	bool channel = clienthello_offers_alpn(&here->hello, here->wire, "valise-data/1");
	struct station *station = intake->station;
	struct visit visit;

	if (!session && !channel) {
		refuse(intake, REFUSE_FOREIGN_ALPN, refuse_alert(REFUSE_FOREIGN_ALPN));
		return;
	}
	visit = leave(intake);
	if (session)
		agent_session_start(station, &visit);
	else
		agent_channel_start(station, &visit);
	station_check(station);
}

static void
take_client(struct intake *intake)
{
	struct station *station = intake->station;
	struct visit visit = leave(intake);

	flow_start(station, &visit, visit.hello.server_name);
}

static void
judge_hello(struct intake *intake)
{
	struct visit *visit = &intake->visit;

	switch (clienthello_read(&visit->hello, visit->wire, visit->bytes)) {
	case CLIENTHELLO_INCOMPLETE:
		break;
	case CLIENTHELLO_NOT_TLS:
		refuse(intake, REFUSE_NOT_TLS, 0);
		break;
	case CLIENTHELLO_MALFORMED:
		refuse(intake, REFUSE_MALFORMED, clienthello_alert(&visit->hello));
		break;
	case CLIENTHELLO_COMPLETE:
		if (!visit->hello.has_name)
			refuse(intake, REFUSE_NO_NAME, refuse_alert(REFUSE_NO_NAME));
		else if (is_connect_name(intake))
			take_agent(intake);
		else
			take_client(intake);
		break;
	}
}

/* ---- reading ---- */

static void on_evicted(void *arg);
static void on_ready(void *arg, unsigned ready);

static void
count_bytes(struct intake *intake)
{
	struct visit *visit = &intake->visit;

	if (intake->place == NULL || visit->capacity <= intake->counted_bytes)
		return;
	crowd_grow(intake->place, visit->capacity - intake->counted_bytes);
	intake->counted_bytes = visit->capacity;
}

static bool
enter_crowd(struct intake *intake)
{
	struct station *station = intake->station;
	struct prefix block = prefix_block(&intake->visit.client, BLOCK_HOST);

	intake->place = crowd_enter(station->relay->hellos, station->loop, &block, on_evicted, intake);
	count_bytes(intake);
	return intake->place != NULL;
}

/* What is in the socket already is read first: most hellos are whole then, and a burst of connections,
 * which is accepted faster than it is read, does not count as that many hellos in progress. */
static void
begin_hello(struct intake *intake)
{
	intake->state = HELLO;
	if (intake->visit.bytes > 0)
		judge_hello(intake);
	if (intake->state == HELLO)
		on_ready(intake, WATCH_READ);
	if (intake->state == HELLO && !enter_crowd(intake))
		cut(intake);
}

static void
drop_header(struct visit *visit, size_t bytes)
{
	visit->bytes -= bytes;
	memmove(visit->wire, visit->wire + bytes, visit->bytes);
}

static void
judge_proxy(struct intake *intake)
{
	struct visit *visit = &intake->visit;
	struct address source, destination;
	size_t header_bytes;
	bool has_addresses;

	switch (proxy_decode(visit->wire, visit->bytes, &header_bytes, &has_addresses, &source, &destination)) {
	case PROXY_INCOMPLETE:
		if (visit->bytes >= PROXY_WAIT_MOST)
			refuse(intake, REFUSE_DENIED, 0);
		break;
	case PROXY_MALFORMED:
		refuse(intake, REFUSE_DENIED, refuse_alert(REFUSE_DENIED));
		break;
	case PROXY_COMPLETE:
		if (has_addresses) {
			visit->client = source;
			visit->listener = destination;
		}
		drop_header(visit, header_bytes);
		begin_hello(intake);
		break;
	}
}

static void
on_bytes(struct intake *intake)
{
	if (intake->state == PROXY) {
		judge_proxy(intake);
		return;
	}
	count_bytes(intake);
	judge_hello(intake);
}

static void
on_ready(void *arg, unsigned ready)
{
	struct intake *intake = arg;
	size_t most = intake->station->rules->settings.limits.hello_bytes * CLIENTHELLO_WIRE_FACTOR;

	(void)ready;
	switch (visit_read(&intake->visit, intake->state == PROXY ? PROXY_WAIT_MOST : most)) {
	case VISIT_GOT:
		on_bytes(intake);
		break;
	case VISIT_WAIT:
		break;
	case VISIT_END:
	case VISIT_RESET:
		log_quiet_end(intake, "the client went away before its hello was whole");
		cut(intake);
		break;
	case VISIT_FULL:	/* the parser says so before that, unless the bound was lowered meanwhile */
	case VISIT_MEMORY:
		log_quiet_end(intake, "no room for more of this hello");
		cut(intake);
		break;
	}
}

/* What has come meanwhile is no hello in progress any more. */
static void
on_evicted(void *arg)
{
	struct intake *intake = arg;

	crowd_leave(intake->place);
	intake->place = NULL;
	for (int i = 0; i < LAST_READS && intake->state == HELLO; i++)
		on_ready(intake, WATCH_READ);
	if (intake->state == HELLO)
		refuse(intake, REFUSE_OVER_LIMIT, refuse_alert(REFUSE_OVER_LIMIT));
}

static void
on_deadline(void *arg)
{
	refuse(arg, REFUSE_TIMEOUT, 0);
}

void
intake_start(struct station *station, int fd, const struct address *peer, bool is_proxied)
{
	struct intake *intake = calloc(1, sizeof(*intake));
	const struct settings_limits *limits = &station->rules->settings.limits;

	if (intake == NULL) {
		close(fd);
		return;
	}
	intake->station = station;
	intake->visit = (struct visit){ .fd = fd, .client = *peer, .accepted_us = clock_us() };
	clienthello_init(&intake->visit.hello, limits->hello_bytes);
	LIST_INSERT_HEAD(&station->intakes, intake, link);
	task_init(&intake->reap, reap, intake);
	watch_init(&intake->watch, station->loop, fd, on_ready, intake);
	timer_init(&intake->deadline, station->loop, on_deadline, intake);
	timer_set(&intake->deadline, limits->hello_ms);
	watch_want(&intake->watch, WATCH_READ);
	if (!is_proxied)
		begin_hello(intake);
}
