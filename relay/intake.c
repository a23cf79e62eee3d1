/* Reads a new connection up to the end of its hello and decides what becomes of it. */
#include "relay/intake.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/proxy.h"
#include "base/shares.h"
#include "relay/agent_channel.h"
#include "relay/arrival.h"
#include "relay/agent_session.h"
#include "relay/recent_peers.h"
#include "relay/refuse.h"
#include "relay/flow.h"
#include "relay/handover.h"
#include "base/postgres.h"
#include "relay/session_ref.h"
#include "relay/session_table.h"
#include "relay/shared.h"
#include "relay/rules.h"
#include "relay/worker_context.h"
#include "relay/conn.h"
#include "tunnel/session.h"

enum { PROXY_WAIT_MOST = 4096, LAST_READS = 4 };

enum state { PROXY, PREFACE, HELLO, GONE, STATES };
static const char *const state_name[STATES] = { "proxy", "preface", "hello", "gone" };
static const unsigned may_move[STATES] = {
	[PROXY] = 1u << PREFACE | 1u << HELLO | 1u << GONE,
	[PREFACE] = 1u << HELLO | 1u << GONE,
	[HELLO] = 1u << GONE,
};

struct intake {
	LIST_ENTRY(intake) link;
	struct worker_context *worker;
	enum state state;
	bool speaks_postgres;
	bool has_said_no;    /* to GSSENCRequest */
	const char *why;     /* it is refused, where the hello does not say it */
	const char *trouble; /* a sentence about the same; NULL: the word says it */
	union {
		struct conn conn;
		struct task reap; /* once the connection is somebody else's */
	};
	uint32_t units;       /* of the buffer, as it is weighed */
	bool is_among_agents; /* its places are */
	struct shares_place *place, *bytes_place;
	struct watch watch;
	struct timer deadline;
};

static void
reap(void *arg)
{
	free(arg);
}

static void
move(struct intake *intake, enum state to)
{
	assert(may_move[intake->state] & 1u << to);
	log_move("intake", log_object("intake", intake), state_name[intake->state], state_name[to]);
	intake->state = to;
}

static void
leave_places(struct intake *intake)
{
	shares_leave(intake->place);
	shares_leave(intake->bytes_place);
	intake->place = intake->bytes_place = NULL;
}

/* Takes the intake out of the loop and the lists; the connection is left to the caller. */
static struct conn
leave(struct intake *intake)
{
	struct conn conn = intake->conn;
	struct worker_context *worker = intake->worker;

	move(intake, GONE);
	LIST_REMOVE(intake, link);
	watch_hand_on(&intake->watch);
	timer_clear(&intake->deadline);
	leave_places(intake);
	task_init(&intake->reap, reap, intake);
	loop_later(worker->loop, &intake->reap);
	return conn;
}

static void
cut(struct intake *intake)
{
	struct worker_context *worker = intake->worker;
	struct conn conn = leave(intake);

	conn_wipe(&conn);
	worker_shrank(worker);
}

void
intake_cut_all(struct worker_context *worker)
{
	while (!LIST_EMPTY(&worker->intakes))
		cut(LIST_FIRST(&worker->intakes));
}

static void
log_quiet_end(const struct intake *intake, const char *why)
{
	const struct address from = conn_client(&intake->conn);
	char client[ADDRESS_TEXT];

	log_limited(LOG_DEBUG, "hello-abandoned", &from, why,
	    log_str("client", address_text(&from, client)), log_u64("bytes", intake->conn.bytes),
	    log_str("state", state_name[intake->state]));
}

static void
lose(struct intake *intake)
{
	memory_short("a connection whose hello was being read");
	log_quiet_end(intake, "memory is short");
	cut(intake);
}

static const char *
cure_of(enum refusal reason)
{
	switch (reason) {
	case REFUSE_NO_NAME:
		return "the client sent no server name: connect by name, not by address";
	case REFUSE_MALFORMED:
		return "no endpoint would accept this ClientHello: see valise-sni(1)";
	case REFUSE_DENIED:
		return "a trusted proxy must send a PROXY header, and a right one: turn it on there, or take it off trusted_proxies";
	case REFUSE_FOREIGN_ALPN:
		return "the connect name is only for agents: connect to the name of an endpoint";
	case REFUSE_NOT_TLS:
		return "what came is not TLS: speak TLS to this port";
	case REFUSE_TIMEOUT:
		return "no whole ClientHello came in time: see limits.hello_timeout";
	case REFUSE_OVER_LIMIT:
		return "too many hellos are in progress, or too large ones, and most of that comes from here: see limits.hellos, limits.hello_memory";
	case REFUSE_UNKNOWN_NAME:
	case REFUSE_NO_AGENT:
	case REFUSALS:
		break; /* a flow has these */
	}
	return NULL;
}

static void
refuse(struct intake *intake, enum refusal reason, uint8_t alert)
{
	struct worker_context *worker = intake->worker;
	char client[ADDRESS_TEXT];
	const char *said = intake->why, *trouble = intake->trouble;
	bool is_proxy = intake->state == PROXY;
	struct conn conn = leave(intake);
	const struct address from = conn_client(&conn);
	const struct refuse_rule *rule = &worker->rules->settings.rules[reason];
	const char *why = said ? said : clienthello_reason(&conn.hello);

	counter_add(&worker->metrics.refused[reason], 1);
	log_limited(LOG_INFO, "hello-refused", &from, cure_of(reason),
	    log_str("code", refuse_word(reason)), log_str("client", address_text(&from, client)),
	    log_str("server_name",
		conn.hello.verdict == CLIENTHELLO_COMPLETE ? conn.hello.server_name : NULL),
	    log_str("reason", why[0] != '\0' ? why : NULL), log_str("error", trouble),
	    log_u64("bytes", conn.bytes), log_u64("alert", alert));
	/* What a proxy has sent instead of a right header is no upstream's to believe. */
	conn.is_second_choice |= is_proxy;
	if (!refuse_conn(&worker->lingers, &conn, rule, alert))
		flow_start(worker, &conn, rule->route);
	worker_shrank(worker);
}

/* ---- verdicts ---- */

static bool
is_connect_name(const struct intake *intake)
{
	const struct settings *settings = &intake->worker->rules->settings;

	return settings->connect_name &&
	    strcmp(intake->conn.hello.server_name, settings->connect_pattern) == 0;
}

/* Before any TLS is done for it.  It gets no time to read the alert: all that it has sent was read, so
 * that the alert arrives nevertheless, and nobody who comes too fast holds a descriptor. */
static void
turn_away(struct intake *intake, bool is_session, const char *why)
{
	struct worker_context *worker = intake->worker;
	char client[ADDRESS_TEXT];
	struct conn conn = leave(intake);
	const struct address from = conn_client(&conn);

	log_limited(is_session ? LOG_INFO : LOG_DEBUG,
	    is_session ? "session-failed" : "channel-refused", &from, why,
	    log_str("code", refuse_word(REFUSE_OVER_LIMIT)),
	    log_str("client", address_text(&from, client)));
	counter_add(&worker->metrics.agents_too_fast, 1);
	refuse_at_once(&conn, refuse_alert(REFUSE_OVER_LIMIT));
	worker_shrank(worker);
}

/* To the process that takes over. */
static bool
pass_on(struct intake *intake)
{
	struct worker_context *worker = intake->worker;
	struct conn conn;

	if (!handover_send(worker->shared->handover, &intake->conn))
		return false;
	conn = leave(intake);
	handover_let_go(worker->loop, &conn);
	worker_shrank(worker);
	return true;
}

/* Sessions are made with the process that takes over, and so are the channels of those. */
static bool
belongs_elsewhere(struct worker_context *worker, const struct conn *conn, bool is_session)
{
	char identity[CHANNEL_IDENTITY];
	struct session_ref *session_ref;

	if (!handover_is_on(worker->shared->handover))
		return false;
	if (is_session)
		return true;
	if (!clienthello_psk_identity(&conn->hello, conn->wire, identity, sizeof identity))
		return false;
	session_ref = session_table_find_channel(worker->shared->session_table, identity);
	if (session_ref)
		session_ref_release(session_ref);
	return !session_ref;
}

static void
take_agent(struct intake *intake)
{
	struct conn *here = &intake->conn;
	const struct address from = conn_client(here);
	bool session = clienthello_offers_alpn(&here->hello, here->wire, "valise/1");
	bool channel = clienthello_offers_alpn(&here->hello, here->wire, "valise-data/1");
	struct worker_context *worker = intake->worker;
	const char *trouble;
	struct conn conn;

	if (!session && !channel) {
		refuse(intake, REFUSE_FOREIGN_ALPN, refuse_alert(REFUSE_FOREIGN_ALPN));
		return;
	}
	here->is_known_peer = recent_peers_know(worker->shared->recent_peers, &from);
	trouble = arrival_of_agent(worker->shared->rates, &from, session, here->is_known_peer);
	if (trouble) {
		turn_away(intake, session, trouble);
		return;
	}
	if (belongs_elsewhere(worker, here, session) && pass_on(intake))
		return;
	conn = leave(intake);
	if (session)
		agent_session_start(worker, &conn);
	else
		agent_channel_start(worker, &conn);
	worker_shrank(worker);
}

static void
take_client(struct intake *intake)
{
	struct worker_context *worker = intake->worker;
	struct conn conn = leave(intake);

	histogram_add(&worker->metrics.hello, HISTOGRAM_SHORT, clock_us() - conn.accepted_us);
	flow_start(worker, &conn, conn.hello.server_name);
	worker_shrank(worker);
}

static void
judge_hello(struct intake *intake)
{
	struct conn *conn = &intake->conn;

	switch (clienthello_read(&conn->hello, conn->wire, conn->bytes)) {
	case CLIENTHELLO_INCOMPLETE:
		break;
	case CLIENTHELLO_NOT_TLS:
		refuse(intake, REFUSE_NOT_TLS, 0);
		break;
	case CLIENTHELLO_MALFORMED:
		refuse(intake, REFUSE_MALFORMED, clienthello_alert(&conn->hello));
		break;
	case CLIENTHELLO_COMPLETE:
		if (!conn->hello.has_name)
			refuse(intake, REFUSE_NO_NAME, refuse_alert(REFUSE_NO_NAME));
		else if (is_connect_name(intake))
			take_agent(intake);
		else
			take_client(intake);
		break;
	}
}

/* ---- PostgreSQL ---- */

static void
drop_front(struct conn *conn, size_t bytes)
{
	conn->bytes -= bytes;
	memmove(conn->wire, conn->wire + bytes, conn->bytes);
}

/* Whether anything has come behind the request, here or in the kernel. */
static bool
is_followed(const struct conn *conn)
{
	uint8_t byte;

	return conn->bytes > POSTGRES_REQUEST_BYTES ||
	    recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* One letter into an empty socket. */
static bool
say(struct conn *conn, char letter)
{
	drop_front(conn, POSTGRES_REQUEST_BYTES);
	return send(conn->fd, &letter, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

static void
refuse_postgres(struct intake *intake, const char *why)
{
	intake->why = why;
	refuse(intake, REFUSE_NOT_TLS, 0);
}

static void
answer_request(struct intake *intake, enum postgres_request request)
{
	bool is_ssl = request == POSTGRES_SSL;

	if (is_followed(&intake->conn)) {
		refuse_postgres(intake, "bytes before the answer to its request for TLS");
	} else if (!is_ssl && intake->has_said_no) {
		refuse_postgres(intake, "GSSENCRequest, again");
	} else if (!say(&intake->conn, is_ssl ? 'S' : 'N')) {
		log_quiet_end(intake, "the client went away before it was told that TLS is spoken");
		cut(intake);
	} else if (is_ssl) {
		move(intake, HELLO);
	} else {
		intake->has_said_no = true;
	}
}

static void
judge_preface(struct intake *intake)
{
	enum postgres_request request =
	    postgres_request_read(intake->conn.wire, intake->conn.bytes);

	switch (request) {
	case POSTGRES_INCOMPLETE:
		break;
	case POSTGRES_SSL:
	case POSTGRES_GSSENC:
		answer_request(intake, request);
		break;
	case POSTGRES_CANCEL:
		refuse_postgres(intake, "CancelRequest without TLS, which has no name to route by");
		break;
	case POSTGRES_PLAIN:
		refuse_postgres(
		    intake, "PostgreSQL without TLS: sslmode=require or better is needed");
		break;
	case POSTGRES_NONE:
		move(intake, HELLO);
		judge_hello(intake);
		break;
	}
}

/* ---- reading ---- */

static void on_evicted(void *arg);
static void on_ready(void *arg, unsigned ready);
static void on_bytes(struct intake *);

static bool
is_in_progress(const struct intake *intake)
{
	return intake->state != GONE;
}

static void
weigh_bytes(struct intake *intake)
{
	uint64_t units = units_for(intake->conn.capacity, SHARED_UNIT_BYTES);

	if (!intake->bytes_place || units <= intake->units)
		return;
	intake->units = (uint32_t)units;
	shares_weigh(intake->bytes_place, intake->units);
}

static bool
enter(struct intake *intake, struct shares *hellos, struct shares *bytes)
{
	const struct address from = conn_client(&intake->conn);
	struct shares_entrant entrant = { intake->worker->loop, &from, 0, on_evicted, intake };
	enum shares_verdict verdict;

	intake->units = 1;
	intake->place = shares_enter(hellos, &entrant, &verdict);
	if (intake->place)
		intake->bytes_place = shares_enter(bytes, &entrant, &verdict);
	weigh_bytes(intake);
	return intake->bytes_place != NULL;
}

static bool
enter_among_agents(struct intake *intake)
{
	struct shared *shared = intake->worker->shared;

	intake->is_among_agents = true;
	return enter(intake, shared->agent_hellos, shared->agent_hello_bytes);
}

static bool
enter_among_clients(struct intake *intake)
{
	struct shared *shared = intake->worker->shared;

	intake->is_among_agents = false;
	return enter(intake, shared->hellos, shared->hello_bytes);
}

/* Before its hello is read, a channel of an agent looks like a client, and agents dial many
 * channels at a time.  So hellos that come from where agents are have places of their own, outside
 * of hellos_per_client. */
static bool
enter_admission(struct intake *intake)
{
	const struct address from = conn_client(&intake->conn);

	return recent_peers_know(intake->worker->shared->recent_peers, &from)
	    ? enter_among_agents(intake)
	    : enter_among_clients(intake);
}

/* Those places are few.  Who loses his is no worse off than those who come from where no agent is: he
 * may be a client beside an agent that dials. */
static bool
enter_again(struct intake *intake)
{
	return intake->is_among_agents && enter_among_clients(intake);
}

/* Reads first what is in the socket already: most hellos are whole then, and a burst of
 * connections, which are accepted faster than they are read, does not count as that many hellos in
 * progress. */
static void
begin_hello(struct intake *intake)
{
	move(intake, intake->speaks_postgres ? PREFACE : HELLO);
	if (intake->conn.bytes > 0)
		on_bytes(intake);
	if (is_in_progress(intake))
		on_ready(intake, WATCH_READ);
	if (is_in_progress(intake) && !enter_admission(intake))
		lose(intake);
}

static void
judge_proxy(struct intake *intake)
{
	struct conn *conn = &intake->conn;
	struct proxy_facts facts;

	switch (proxy_decode(conn->wire, conn->bytes, &facts)) {
	case PROXY_INCOMPLETE:
		if (conn->bytes < PROXY_WAIT_MOST)
			break;
		intake->trouble = "the PROXY header is longer than 4096 bytes";
		refuse(intake, REFUSE_DENIED, 0);
		break;
	case PROXY_MALFORMED:
		intake->trouble = facts.fault;
		refuse(intake, REFUSE_DENIED, refuse_alert(REFUSE_DENIED));
		break;
	case PROXY_COMPLETE:
		if (facts.has_addresses && !conn_set_listener(conn, &facts.destination)) {
			lose(intake);
			break;
		}
		if (facts.has_addresses)
			conn->client = ip_address_of(&facts.source);
		drop_front(conn, facts.header_bytes);
		leave_places(intake); /* which are the proxy's */
		begin_hello(intake);
		break;
	}
}

/* The same for a header: most proxies send it at once.  Until it has come the proxy is the client. */
static void
begin_proxy(struct intake *intake)
{
	on_ready(intake, WATCH_READ);
	if (intake->state == PROXY && !enter_among_clients(intake))
		lose(intake);
}

static void
on_bytes(struct intake *intake)
{
	weigh_bytes(intake);
	if (intake->state == PROXY)
		judge_proxy(intake);
	else if (intake->state == PREFACE)
		judge_preface(intake);
	else
		judge_hello(intake);
}

/* False: nothing more has come, or the intake is over. */
static bool
read_once(struct intake *intake)
{
	size_t most = intake->worker->rules->settings.limits.hello_bytes * CLIENTHELLO_WIRE_FACTOR;
	bool is_dry;

	switch (conn_read(&intake->conn, intake->state == PROXY ? PROXY_WAIT_MOST : most)) {
	case CONN_GOT:
		is_dry = intake->conn.is_dry;
		on_bytes(intake);
		return !is_dry && intake->state != GONE;
	case CONN_WAIT:
		break;
	case CONN_END:
	case CONN_RESET:
		log_quiet_end(intake, "the client went away before its hello was whole");
		cut(intake);
		break;
	case CONN_MEMORY:
		lose(intake);
		break;
	case CONN_FULL: /* the parser says so before that, unless the bound was lowered meanwhile */
		log_quiet_end(intake, "no room for more of this hello");
		cut(intake);
		break;
	}
	return false;
}

/* An edge is told once, so all that has come is read. */
static void
on_ready(void *arg, unsigned ready)
{
	(void)ready;
	while (read_once(arg))
		;
}

/* A hello that has become whole meanwhile is no longer in progress, so it is read and not
 * refused. */
static void
on_evicted(void *arg)
{
	struct intake *intake = arg;

	leave_places(intake);
	for (int i = 0; i < LAST_READS && is_in_progress(intake); i++)
		on_ready(intake, WATCH_READ);
	if (is_in_progress(intake) && !intake->place && !enter_again(intake))
		refuse(intake, REFUSE_OVER_LIMIT, refuse_alert(REFUSE_OVER_LIMIT));
}

static void
on_deadline(void *arg)
{
	refuse(arg, REFUSE_TIMEOUT, 0);
}

static struct intake *
new_intake(struct worker_context *worker, const struct conn *conn)
{
	struct intake *intake = calloc(1, sizeof *intake);

	if (!intake) {
		memory_short("a connection that was just accepted");
		return NULL;
	}
	intake->worker = worker;
	intake->conn = *conn;
	clienthello_init(&intake->conn.hello, worker->rules->settings.limits.hello_bytes);
	LIST_INSERT_HEAD(&worker->intakes, intake, link);
	watch_init(&intake->watch, worker->loop, conn->fd, on_ready, intake);
	watch_set_edge(&intake->watch);
	timer_init(&intake->deadline, worker->loop, on_deadline, intake);
	return intake;
}

static void
wait_for_more(struct intake *intake)
{
	if (intake->state == GONE)
		return;
	timer_set(&intake->deadline, intake->worker->rules->settings.limits.hello_ms);
	watch_want(&intake->watch, WATCH_READ);
}

void
intake_start(struct worker_context *worker, int fd, const struct address *peer, bool is_proxied,
    bool speaks_postgres, const struct ip_address *listener)
{
	const struct conn conn = { .fd = fd,
		.client = ip_address_of(peer),
		.listener = listener,
		.accepted_us = clock_us() };
	struct intake *intake = new_intake(worker, &conn);

	counter_add(&worker->metrics.accepted, 1);
	if (!intake) {
		close(fd);
		return;
	}
	intake->speaks_postgres = speaks_postgres;
	if (is_proxied)
		begin_proxy(intake);
	else
		begin_hello(intake);
	wait_for_more(intake);
}

/* Whatever came before the hello is done with. */
void
intake_go_on(struct worker_context *worker, struct conn *conn)
{
	struct intake *intake = new_intake(worker, conn);

	if (!intake) {
		conn_wipe(conn);
		return;
	}
	*conn = (struct conn){ .fd = -1 };
	begin_hello(intake);
	wait_for_more(intake);
}
