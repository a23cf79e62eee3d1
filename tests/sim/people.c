/* Clients, upstreams, and what they must see. */
#include "people.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "agent/flow.h"
#include "agent/pooled_channel.h"
#include "base/clock.h"
#include "base/hash.h"
#include "daemons.h"
#include "relay/flow_private.h"
#include "relay/pending.h"
#include "relay/route.h"
#include "relay/session_ref.h"
#include "memory.h"
#include "tunnel/channel.h"
#include "world.h"

enum { UPSTREAMS = 64, OPENS = 64, BYTES_MOST = 60008, CHUNK = 2048, PART = 331 };

struct sim_upstream {
	int fd;
	struct sim_client *client;	/* once its hello has come */
	uint8_t hello[SIM_HELLO_MOST];
	size_t received, sent;		/* the hello included in the first */
	bool fin_sent, saw_end, saw_reset, is_stuck, is_guest;
};

struct open_record {
	const struct channel *channel;
	struct sim_client *client;
};

struct sim_client clients[CLIENTS];
static struct sim_upstream upstreams[UPSTREAMS];
static int upstream_count;		/* the highest that was ever used, and one */
static struct open_record opens[OPENS];
static bool upstream_is_up;
static int led_to;			/* the agent that a client has reached; -1: none has */
/* Nobody had anything to do when the kernel had moved so often; before this time nobody has unless it moves. */
static bool is_quiet;
static uint64_t moves_seen, quiet_until_us;

/* What the relay says of a client; the agent's lines are about the same flow again. */
void
world_on_log(const char *event, const char *word, const char *client)
{
	/* A guest may be a relay that does not know lists of addresses. */
	if (sim_self >= FIRST_AGENT && word && strcmp(word, "client-denied") == 0 && !world_guest)
		sim_violated("an agent is asked for a client whom its lists refuse");
	if (sim_self >= RELAYS || !client)
		return;
	if (strcmp(event, "flow-closed") != 0 && strcmp(event, "flow-refused") != 0 &&
	    strcmp(event, "hello-refused") != 0 && strcmp(event, "hello-abandoned") != 0)
		return;
	for (int i = 0; i < CLIENTS; i++) {
		char address[ADDRESS_TEXT];

		if (!clients[i].has_begun || strcmp(address_text(&clients[i].address, address), client) != 0)
			continue;
		if (!word && strcmp(event, "hello-abandoned") != 0)
			sim_violated("%s of client %d has no reason", event, i);
		if (++clients[i].log_lines > 1)
			sim_violated("client %d has two ends in the log, the second is %s", i, event);
	}
}

/* ---- what the relay does with channels ---- */

bool __wrap_channel_open(struct channel *, const struct frame_open *, const uint8_t *hello);
bool __real_channel_open(struct channel *, const struct frame_open *, const uint8_t *hello);
enum code __wrap_channel_fail_code(const struct channel *);
enum code __real_channel_fail_code(const struct channel *);
void __wrap_channel_free(struct channel *);
void __real_channel_free(struct channel *);

enum { HELLO_RANDOM_AT = 11 };

static bool
is_guest(const uint8_t *hello)
{
	for (int i = 0; i < SIM_GUEST_BYTES; i++) {
		if (hello[HELLO_RANDOM_AT + i] != SIM_GUEST)
			return false;
	}
	return true;
}

/* NULL: it is a guest's. */
static struct sim_client *
client_of(const uint8_t *hello)
{
	if (is_guest(hello))
		return NULL;
	for (int i = 0; i < CLIENTS; i++) {
		if (clients[i].has_begun && memcmp(clients[i].random, hello + HELLO_RANDOM_AT, SIM_RANDOM_BYTES) == 0)
			return &clients[i];
	}
	sim_violated("a hello that no client has sent reaches somebody");
}

static struct open_record *
record_of(const struct channel *channel)
{
	for (int i = 0; i < OPENS; i++) {
		if (opens[i].channel == channel)
			return &opens[i];
	}
	return NULL;
}

bool
__wrap_channel_open(struct channel *channel, const struct frame_open *open, const uint8_t *hello)
{
	struct sim_client *client = client_of(hello);
	struct open_record *record = record_of(channel);

	if (!client)
		return __real_channel_open(channel, open, hello);
	if (record)
		sim_violated("a channel is opened twice, for clients %d and %d", record->client->number,
		    client->number);
	if (client->early_data && client->opens_without_fail > 0)
		sim_violated("client %d offered early data and is opened again without a fail", client->number);
	if (!__real_channel_open(channel, open, hello))
		return false;
	client->opens_without_fail++;
	record = record_of(NULL);
	if (record)
		*record = (struct open_record){ channel, client };
	return true;
}

enum code
__wrap_channel_fail_code(const struct channel *channel)
{
	struct open_record *record = record_of(channel);

	if (record && record->client->opens_without_fail > 0) {
		record->client->opens_without_fail--;
		record->channel = NULL;
	}
	return __real_channel_fail_code(channel);
}

void
__wrap_channel_free(struct channel *channel)
{
	struct open_record *record = channel ? record_of(channel) : NULL;

	if (record)
		record->channel = NULL;
	__real_channel_free(channel);
}

/* ---- who looks for a proof ---- */

bool __wrap_pending_find(struct pendings *, const struct route_question *, struct route_answer *);
bool __real_pending_find(struct pendings *, const struct route_question *, struct route_answer *);
enum route_verdict __wrap_route_find(struct routes *, const struct route_question *, struct route_answer *,
    void (*)(void *, const struct route_answer *), void *, struct route_request **);
enum route_verdict __real_route_find(struct routes *, const struct route_question *, struct route_answer *,
    void (*)(void *, const struct route_answer *), void *, struct route_request **);
struct agent_flow *__wrap_agent_flow_new(
    const struct agent_flow_context *, struct pooled_channel *, struct agent_flow_list *);
struct agent_flow *__real_agent_flow_new(
    const struct agent_flow_context *, struct pooled_channel *, struct agent_flow_list *);

/* NULL: it is a guest's. */
static struct sim_client *
client_at(const struct address *address)
{
	for (int i = 0; i < CLIENTS; i++) {
		if (clients[i].has_begun && address_equals(&clients[i].address, address))
			return &clients[i];
	}
	return NULL;
}

/* Whom the relay at hand may ask for the one who asks.  The instance of an agent is its number, and one. */
static void
lead(const struct route_question *question)
{
	const struct address from = address_of_ip(&question->client);
	struct sim_client *client = client_at(&from);
	struct route_answer answer;

	if (!client || !client->looks_for_proof)
		return;
	if (!__real_pending_find(relays[sim_self].shared.pendings, question, &answer)) {
		client->may_reach = ~0u;
	} else if (answer.verdict == ROUTE_AGENT) {
		client->may_reach |= 1u << (FIRST_AGENT + session_ref_instance(answer.session_ref)[0] - 1);
		session_ref_release(answer.session_ref);
	}
}

bool
__wrap_pending_find(struct pendings *all, const struct route_question *question, struct route_answer *answer)
{
	lead(question);
	return __real_pending_find(all, question, answer);
}

enum { KNOWN_NAMES = 2 };

static uint64_t known_until_us[RELAYS][KNOWN_NAMES];

/* Whoever asks for a name that an agent has served here within a minute does not hear that nobody has it, whatever
 * has become of the agent, and of the relay. */
static void
watch_known(const struct route_question *question, const struct route_answer *answer)
{
	static const char *const names[KNOWN_NAMES] = { "alpha.sim", "beta.sim" };

	for (int i = 0; i < KNOWN_NAMES && !question->only_static; i++) {
		uint64_t *until_us = &known_until_us[sim_self][i];

		if (strcmp(question->name, names[i]) != 0)
			continue;
		if (answer->verdict == ROUTE_AGENT)
			*until_us = clock_us() + ROUTE_KNOWN_MS * UINT64_C(1000);
		else if (answer->verdict == ROUTE_NONE && answer->reason == ROUTE_UNKNOWN &&
		    clock_us() < *until_us && memory_failed() == 0)
			sim_violated("%s does not know %s any more", sim_processes[sim_self].name, names[i]);
	}
}

enum route_verdict
__wrap_route_find(struct routes *routes, const struct route_question *question, struct route_answer *answer,
    void (*on_answer)(void *, const struct route_answer *), void *arg, struct route_request **request)
{
	enum route_verdict verdict;

	lead(question);
	verdict = __real_route_find(routes, question, answer, on_answer, arg, request);
	watch_known(question, answer);
	return verdict;
}

/* Agents 0 and 1 serve one name.  All clients have one address, so that the same one has all of them if either of
 * them wishes it.  The last client comes long after everything was well. */
static void
check_choice(const struct sim_client *client)
{
	const struct endpoint *first = &agents[0].endpoints[0], *second = &agents[1].endpoints[0];
	bool is_by_source = first->balance == BALANCE_SOURCE || second->balance == BALANCE_SOURCE;
	bool is_last = client->number == CLIENTS - 1;

	if (!agents[1].is_up || strcmp(client->name, "alpha.sim") != 0 || client->looks_for_proof ||
	    client->opens_without_fail > 1)	/* its upstream has reset the first attempt */
		return;
	if (second->priority > 0 && sim_self != FIRST_AGENT && (is_last || world_is_calm()))
		sim_violated("client %d reaches %s, which stands by", client->number, sim_processes[sim_self].name);
	if (!is_by_source || !world_is_calm())
		return;
	if (led_to >= 0 && led_to != sim_self)
		sim_violated("client %d reaches %s, and others of its address another one", client->number,
		    sim_processes[sim_self].name);
	led_to = sim_self;
}

struct agent_flow *
__wrap_agent_flow_new(
    const struct agent_flow_context *context, struct pooled_channel *pooled, struct agent_flow_list *list)
{
	const struct frame_open *open = channel_open_frame(pooled_channel_channel(pooled));
	const struct sim_client *client = world_guest ? NULL : client_at(&open->client);

	if (client && client->looks_for_proof && !(client->may_reach & 1u << sim_self))
		sim_violated("client %d looks for a proof, and reaches %s, which has not asked for it", client->number,
		    sim_processes[sim_self].name);
	if (client)
		check_choice(client);
	return __real_agent_flow_new(context, pooled, list);
}

/* ---- who is joined ---- */

void __wrap_flow_join(struct flow *, struct stream *, const void *front, size_t front_bytes, size_t from);
void __real_flow_join(struct flow *, struct stream *, const void *front, size_t front_bytes, size_t from);

void
__wrap_flow_join(struct flow *flow, struct stream *far, const void *front, size_t front_bytes, size_t from)
{
	const struct address address = flow_client(flow);
	struct sim_client *client = client_at(&address);

	if (client)
		client->is_joined = strcmp(client->name, "static.sim") != 0;
	__real_flow_join(flow, far, front, front_bytes, from);
}

void
people_excuse(void)
{
	for (int i = 0; i < CLIENTS; i++) {
		struct sim_client *client = &clients[i];

		if (client->has_begun && !client->is_over)
			client->is_excused |= client->is_joined;
	}
}

/* ---- bytes ---- */

/* Each client, and each direction, has its part of one text. */
static uint8_t text[CLIENTS * 2 * PART + BYTES_MOST];

static void
write_text(void)
{
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i * 131 + (i >> 8) * 13);
}

static const uint8_t *
bytes_of(const struct sim_client *client, bool down, size_t offset, size_t bytes)
{
	if (offset + bytes > BYTES_MOST)
		sim_violated("client %d has %zu bytes, %s", client->number, offset + bytes, down ? "down" : "up");
	return text + (size_t)(client->number * 2 + down) * PART + offset;
}

static void
check_bytes(const struct sim_client *client, bool down, size_t offset, const uint8_t *data, size_t bytes)
{
	const uint8_t *sent = bytes_of(client, down, offset, bytes);
	size_t i = 0;

	if (memcmp(data, sent, bytes) == 0)
		return;
	while (data[i] == sent[i])
		i++;
	sim_violated("byte %zu of client %d, %s, is not the one that was sent", offset + i, client->number,
	    down ? "from its upstream" : "to its upstream");
}

/* ---- upstreams ---- */

static void
on_upstream_accept(void *arg, int fd, const struct address *peer)
{
	(void)arg;
	(void)peer;
	for (int i = 0; i < UPSTREAMS; i++) {
		if (upstreams[i].fd < 0) {
			upstream_count = i >= upstream_count ? i + 1 : upstream_count;
			upstreams[i] = (struct sim_upstream){ .fd = fd, .is_stuck = !upstream_is_up && sim_one_in(2) };
			return;
		}
	}
	kernel_reset_on_close(fd);
	kernel_close(fd);
}

static void
close_upstream(struct sim_upstream *upstream, bool by_reset)
{
	if (by_reset)
		kernel_reset_on_close(upstream->fd);
	kernel_close(upstream->fd);
	upstream->fd = -1;
}

static void
take_upstream_bytes(struct sim_upstream *upstream, const uint8_t *data, size_t bytes)
{
	struct sim_client *client = upstream->client;
	size_t i = 0;

	for (; i < bytes && !upstream->is_guest && (!client || upstream->received < client->hello_bytes); i++) {
		if (upstream->received == SIM_HELLO_MOST)
			sim_violated("an upstream reads something that is no hello");
		upstream->hello[upstream->received++] = data[i];
		if (upstream->received == HELLO_RANDOM_AT + SIM_RANDOM_BYTES) {
			client = upstream->client = client_of(upstream->hello);
			upstream->is_guest = !client;
		}
		if (client && upstream->received == client->hello_bytes &&
		    memcmp(upstream->hello, client->hello, client->hello_bytes) != 0)
			sim_violated("the hello of client %d is changed when it reaches its upstream", client->number);
	}
	if (i == bytes || upstream->is_guest)
		return;
	check_bytes(client, false, upstream->received - client->hello_bytes, data + i, bytes - i);
	upstream->received += bytes - i;
}

static void
see_upstream_end(struct sim_upstream *upstream)
{
	struct sim_client *client = upstream->client;

	upstream->saw_end = true;
	if (!client) {
		if (upstream->received > 0 && !upstream->is_guest)
			sim_violated("an upstream sees an orderly end within a hello");
		return;
	}
	if (!client->fin_sent || upstream->received != client->hello_bytes + client->up_total)
		sim_violated("the upstream of client %d sees an orderly end after %zu of %zu bytes", client->number,
		    upstream->received, client->hello_bytes + client->up_total);
}

static bool
upstream_read(struct sim_upstream *upstream)
{
	uint8_t data[4096];
	ssize_t got;

	if (upstream->saw_end || upstream->saw_reset || !kernel_readable(upstream->fd))
		return false;
	got = kernel_recv(upstream->fd, data, sizeof data);
	if (got > 0)
		take_upstream_bytes(upstream, data, (size_t)got);
	else if (got == 0)
		see_upstream_end(upstream);
	else
		upstream->saw_reset = true;
	return true;
}

static bool
upstream_write(struct sim_upstream *upstream)
{
	struct sim_client *client = upstream->client;
	size_t left;
	ssize_t sent;

	if (!client || upstream->fin_sent || upstream->saw_reset || !kernel_writable(upstream->fd) ||
	    (client->upstream_waits && !upstream->saw_end))
		return false;
	left = client->down_total - upstream->sent;
	if (client->upstream_resets && upstream->sent >= client->reset_at) {
		close_upstream(upstream, true);
		return true;
	}
	if (left == 0) {
		upstream->fin_sent = true;
		return kernel_shutdown(upstream->fd) == 0;
	}
	if (left > CHUNK)
		left = CHUNK;
	sent = kernel_send(upstream->fd, bytes_of(client, true, upstream->sent, left), left);
	if (sent > 0)
		upstream->sent += (size_t)sent;
	else if (errno != EAGAIN)
		upstream->saw_reset = true;
	return sent > 0 || upstream->saw_reset;
}

static bool
upstream_step(struct sim_upstream *upstream)
{
	bool moved = false;

	if (upstream->fd < 0 || upstream->is_stuck)
		return false;
	moved = upstream_read(upstream);
	moved |= upstream_write(upstream);
	if (upstream->fd >= 0 && (upstream->saw_reset || (upstream->saw_end && upstream->fin_sent) ||
	    (upstream->saw_end && !upstream->client))) {
		kernel_close(upstream->fd);
		upstream->fd = -1;
		moved = true;
	}
	return moved;
}

/* ---- clients ---- */

static void
client_start(struct sim_event *event)
{
	struct sim_client *client = container_of(event, struct sim_client, start);

	sim_self = CLIENT_PROCESS;
	client->has_begun = true;
	is_quiet = false;
	client->relay = sim_below(RELAYS);
	if (!relays[client->relay].is_up || relays[client->relay].is_draining)
		client->relay ^= 1;
	client->fd = kernel_connect(relay_target[client->relay], &client->established_us);
	sim_tell("client %d asks %s for %s%s: %zu bytes up, %zu down%s%s", client->number,
	    sim_processes[client->relay].name, client->name, client->early_data ? " with early data" : "",
	    client->up_total, client->down_total, client->resets_itself ? ", resets" : "",
	    client->upstream_resets ? ", its upstream resets" : "");
	if (client->fd >= 0)
		client->address = kernel_local(client->fd);
	/* Refused, or the answer never comes and the client gives up. */
	client->is_over = client->fd < 0 || client->established_us == UINT64_MAX;
	if (client->is_over && client->fd >= 0)
		kernel_close(client->fd);
}

bool
people_is_alert(const struct sim_client *client)
{
	static const uint8_t record[] = { 0x15, 3, 3, 0, 2, 2 };

	return client->received == 7 && memcmp(client->first, record, sizeof record) == 0;
}

static void
take_client_bytes(struct sim_client *client, const uint8_t *data, size_t bytes)
{
	for (size_t i = 0; i < bytes && client->received + i < sizeof client->first; i++)
		client->first[client->received + i] = data[i];
	/* An alert instead of an answer: only as the very first bytes. */
	if (client->first[0] != 0x15 || client->received + bytes > 7)
		check_bytes(client, true, client->received, data, bytes);
	client->received += bytes;
}

static bool
was_answered_whole(const struct sim_client *client)
{
	return client->received == client->down_total && !client->upstream_resets;
}

static void
see_client_end(struct sim_client *client)
{
	client->saw_end = true;
	if (people_is_alert(client) || client->received == 0 || was_answered_whole(client))
		return;
	sim_violated("client %d sees an orderly end after %zu of %zu bytes", client->number, client->received,
	    client->down_total);
}

static bool
client_read(struct sim_client *client)
{
	uint8_t data[4096];
	ssize_t got;

	if (client->saw_end || !kernel_readable(client->fd))
		return false;
	got = kernel_recv(client->fd, data, sizeof data);
	if (got > 0)
		take_client_bytes(client, data, (size_t)got);
	else if (got == 0)
		see_client_end(client);
	else
		client->saw_reset = true;
	return true;
}

static bool
client_write(struct sim_client *client)
{
	const uint8_t *data;
	size_t total = client->hello_bytes + client->up_total, left = total - client->sent;
	ssize_t sent;

	if (client->fin_sent || client->saw_reset || !kernel_writable(client->fd))
		return false;
	if (client->resets_itself && client->sent >= client->reset_at + client->hello_bytes) {
		kernel_reset_on_close(client->fd);
		kernel_close(client->fd);
		client->fd = -1;
		client->is_over = true;
		return true;
	}
	if (left == 0) {
		client->fin_sent = true;
		return kernel_shutdown(client->fd) == 0;
	}
	if (client->sent < client->hello_bytes) {
		data = client->hello + client->sent;
		left = client->hello_bytes - client->sent;
	} else {
		if (left > CHUNK)
			left = CHUNK;
		data = bytes_of(client, false, client->sent - client->hello_bytes, left);
	}
	sent = kernel_send(client->fd, data, left);
	if (sent > 0)
		client->sent += (size_t)sent;
	else if (errno != EAGAIN && !client->saw_end)
		client->saw_reset = errno != EPIPE || client->saw_reset;
	if (sent < 0 && errno == EPIPE)
		client->fin_sent = true;	/* nobody takes more */
	return true;
}

static bool
client_step(struct sim_client *client)
{
	bool moved;

	if (!client->has_begun || client->is_over || clock_us() < client->established_us)
		return false;
	moved = client_read(client);
	if (client->fd >= 0)
		moved |= client_write(client);
	if (client->fd >= 0 && (client->saw_reset || (client->saw_end && (client->fin_sent || people_is_alert(client) ||
	    client->received == 0)))) {
		kernel_close(client->fd);
		client->fd = -1;
		client->is_over = true;
		moved = true;
	}
	return moved;
}

bool
people_step(void)
{
	uint64_t moves = kernel_moves(CLIENT_PROCESS) + kernel_moves(UPSTREAM_PROCESS);
	bool moved = false;

	if (is_quiet && moves == moves_seen && clock_us() < quiet_until_us)
		return false;
	moves_seen = moves;
	sim_self = CLIENT_PROCESS;
	for (int i = 0; i < CLIENTS; i++)
		moved |= client_step(&clients[i]);
	sim_self = UPSTREAM_PROCESS;
	for (int i = 0; i < upstream_count; i++)
		moved |= upstream_step(&upstreams[i]);
	is_quiet = !moved;
	quiet_until_us = people_next_us();
	return moved;
}

uint64_t
people_next_us(void)
{
	uint64_t next = UINT64_MAX;

	for (int i = 0; i < CLIENTS; i++) {
		if (clients[i].has_begun && !clients[i].is_over && clients[i].established_us > clock_us() &&
		    clients[i].established_us < next)
			next = clients[i].established_us;
	}
	return next;
}

void
people_draw(struct sim_client *client, int number, uint64_t start_ms, bool is_last)
{
	static const char *const names[] = { "alpha.sim", "alpha.sim", "alpha.sim", "beta.sim", "static.sim", "none.sim" };

	*client = (struct sim_client){ .number = number, .fd = -1 };
	client->name = is_last ? "alpha.sim" : names[sim_below(6)];
	for (int i = 0; i < SIM_RANDOM_BYTES; i++)
		client->random[i] = (uint8_t)sim_random();
	client->early_data = !is_last && sim_one_in(4);
	client->looks_for_proof = !is_last && sim_one_in(4);
	client->hello_bytes = sim_hello(client->hello, client->name, client->looks_for_proof ? "acme-tls/1" : NULL,
	    client->random, client->early_data);
	/* Where many come at once their bytes fit into what a relay holds of one network until a flow is joined. */
	client->up_total = sim_below(sim_one_in(8) && !world_has_drains_only() ? BYTES_MOST - 8 : 1500);
	client->down_total = 8 + sim_below(sim_one_in(8) ? BYTES_MOST - 8 : 1500);
	client->upstream_waits = sim_one_in(3);
	client->resets_itself = !is_last && sim_one_in(8);
	client->upstream_resets = !is_last && !client->resets_itself && sim_one_in(8);
	client->reset_at = sim_below((uint32_t)(client->resets_itself ? client->up_total : client->down_total) + 1);
	kernel_at(&client->start, clock_us() + start_ms * 1000, client_start);
}

/* ---- all of them ---- */

void
people_switch_upstream(bool is_up)
{
	upstream_is_up = is_up;
	kernel_listen("up:80", UPSTREAM_PROCESS, is_up || sim_one_in(2) ? on_upstream_accept : NULL, NULL);
}

bool
people_upstream_is_up(void)
{
	return upstream_is_up;
}

void
people_close_upstreams(bool all)
{
	for (int i = 0; i < UPSTREAMS; i++) {
		if (upstreams[i].fd >= 0 && (all || upstreams[i].is_stuck))
			close_upstream(&upstreams[i], true);
	}
}

bool
people_are_over(void)
{
	for (int i = 0; i < CLIENTS; i++) {
		if (clients[i].start.happen || (clients[i].has_begun && !clients[i].is_over))
			return false;
	}
	return true;
}

void
people_accepted(const struct address *peer, int relay, unsigned epoch)
{
	for (int i = 0; i < CLIENTS; i++) {
		if (clients[i].has_begun && !clients[i].was_accepted && address_equals(&clients[i].address, peer)) {
			clients[i].was_accepted = true;
			clients[i].relay = (unsigned)relay;
			clients[i].relay_epoch = epoch;
		}
	}
}

void
people_reset(void)
{
	if (text[1] == 0)
		write_text();
	memset(clients, 0, sizeof clients);
	memset(opens, 0, sizeof opens);
	memset(known_until_us, 0, sizeof known_until_us);
	upstream_count = 0;
	led_to = -1;
	is_quiet = false;
	for (int i = 0; i < UPSTREAMS; i++)
		upstreams[i].fd = -1;
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = (struct sim_client){ .number = i, .fd = -1 };
	people_switch_upstream(true);
}
