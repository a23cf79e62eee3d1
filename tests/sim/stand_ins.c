/*
 * What the state machines ask of the world and get from the simulation: system
 * calls, connecting, threads, random numbers, certificates, settings, the log.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "agent/challenge_certificate.h"
#include "agent/credentials.h"
#include "agent/endpoint_table.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/resolver.h"
#include "base/socket.h"
#include "base/thread.h"
#include "pki/trust.h"
#include "pki/verify.h"
#include "relay/grace.h"
#include "relay/rules.h"
#include "relay/trustwatch.h"
#include "tunnel/pipes.h"
#include "memory.h"
#include "arena.h"
#include "sim.h"
#include "world.h"

/* ---- system calls (the program is linked with --wrap for each) ---- */

ssize_t __wrap_recv(int fd, void *data, size_t bytes, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t bytes, int flags);
int __wrap_shutdown(int fd, int how);
int __wrap_close(int fd);
int __real_close(int fd);
int __wrap_poll(struct pollfd *, nfds_t, int);
uint32_t __wrap_arc4random_uniform(uint32_t bound);
void __wrap_arc4random_buf(void *data, size_t bytes);

ssize_t
__wrap_recv(int fd, void *data, size_t bytes, int flags)
{
	(void)flags;
	return kernel_recv(fd, data, bytes);
}

ssize_t
__wrap_send(int fd, const void *data, size_t bytes, int flags)
{
	(void)flags;
	return kernel_send(fd, data, bytes);
}

int
__wrap_shutdown(int fd, int how)
{
	(void)how;
	return kernel_shutdown(fd);
}

int
__wrap_close(int fd)
{
	return fd >= SIM_FIRST_FD ? kernel_close(fd) : __real_close(fd);
}

int
__wrap_poll(struct pollfd *entries, nfds_t count, int timeout)
{
	(void)timeout;
	entries->revents = kernel_is_broken(entries->fd) ? POLLERR : 0;
	return count == 1 && entries->revents != 0;
}

uint32_t
__wrap_arc4random_uniform(uint32_t bound)
{
	return bound < 2 ? 0 : sim_below(bound);
}

void
__wrap_arc4random_buf(void *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		((uint8_t *)data)[i] = (uint8_t)sim_random();
}

/* ---- sockets ---- */

void
socket_keep_alive(int fd)
{
	(void)fd;
}

void
socket_allow_no_pauses(int fd)
{
	(void)fd;
}

/* The kernel's own timeout ends what has died. */
enum socket_health
socket_health(int fd, uint64_t silent_ms)
{
	(void)fd;
	(void)silent_ms;
	return SOCKET_QUIET;
}

uint64_t
socket_queued(int fd)
{
	(void)fd;
	return 0;
}

uint64_t
socket_receive_most(int fd)
{
	(void)fd;
	return 0;
}

uint64_t
socket_memory(int fd)
{
	(void)fd;
	return 0;
}

void
socket_set_fast(int fd, bool is_fast)
{
	(void)fd, (void)is_fast;
}

/* There are no pipes between simulated sockets: pumps copy. */
void
pipes_init(struct pipes *pipes, struct loop *loop, void (*claim)(void *borrower))
{
	(void)pipes, (void)loop, (void)claim;
}

void
pipes_wipe(struct pipes *pipes)
{
	(void)pipes;
}

unsigned
pipes_part(void)
{
	return 0;
}

uint64_t
pipes_descriptors(uint64_t loops)
{
	(void)loops;
	return 0;
}

struct pipe *
pipes_take(struct pipes *pipes, void *borrower)
{
	(void)pipes, (void)borrower;
	return NULL;
}

void
pipes_return(struct pipes *pipes, struct pipe *pipe)
{
	(void)pipes, (void)pipe;
}

void
socket_reset_on_close(int fd)
{
	kernel_reset_on_close(fd);
}

struct address
socket_local(int fd)
{
	struct address address;

	(void)fd;
	address_parse(&address, "10.0.0.1:443");
	return address;
}

struct address
socket_peer(int fd)
{
	return kernel_peer(fd);
}

struct connector {
	struct loop *loop;
	int fd;
	uint64_t established_us;
	struct timer timer;
	void (*on_done)(void *arg, int fd, const char *error);
	void *arg;
};

static void
on_connect_time(void *arg)
{
	struct connector *connector = arg;
	int fd = connector->fd;
	bool came = fd >= 0 && connector->established_us != UINT64_MAX && !kernel_is_broken(fd);

	if (fd >= 0 && !came)
		kernel_close(fd);
	connector->on_done(connector->arg, came ? fd : -1, came ? NULL : fd < 0 ? "refused" : "timed out");
	free(connector);
}

struct connector *
connector_new(struct loop *loop, struct resolver *resolver, const char *target, uint64_t timeout_ms,
    void (*on_done)(void *arg, int fd, const char *error), void *arg)
{
	struct connector *connector = calloc(1, sizeof *connector);
	uint64_t ms = 1;

	(void)resolver;
	if (!connector)
		return NULL;
	*connector = (struct connector){ .loop = loop, .on_done = on_done, .arg = arg };
	connector->fd = kernel_connect(target, &connector->established_us);
	if (connector->fd >= 0)
		ms = connector->established_us == UINT64_MAX ? timeout_ms :
		    (connector->established_us - clock_us() + 999) / 1000;
	if (ms > timeout_ms) {
		ms = timeout_ms;
		connector->established_us = UINT64_MAX;
	}
	timer_init(&connector->timer, loop, on_connect_time, connector);
	timer_set(&connector->timer, ms);
	return connector;
}

/* Strangers' targets have no part in the simulation. */
struct connector *
connector_new_fenced(struct loop *loop, struct resolver *resolver, const char *target, uint64_t timeout_ms,
    const struct connector_fence *fence, void (*on_done)(void *arg, int fd, const char *error), void *arg)
{
	assert(!fence->allows);
	return connector_new(loop, resolver, target, timeout_ms, on_done, arg);
}

void
connector_set_source(struct connector *connector, const struct connect_source *source)
{
	(void)connector;
	(void)source;
}

void
connector_free(struct connector *connector)
{
	if (!connector)
		return;
	timer_clear(&connector->timer);
	if (connector->fd >= 0)
		kernel_close(connector->fd);
	free(connector);
}

/* ---- threads: a loop that the simulation turns ---- */

struct thread {
	struct loop *loop;
};

struct thread *
thread_start(const char *name, void (*run)(void *arg, struct loop *), void *arg)
{
	struct thread *thread = arena_take_zeroed(1, sizeof *thread);

	(void)name;
	thread->loop = loop_new();
	run(arg, thread->loop);
	return thread;
}

struct loop *
thread_loop(struct thread *thread)
{
	return thread->loop;
}

void
thread_join(struct thread *thread)
{
	if (!thread)
		return;
	loop_settle(thread->loop);
	loop_free(thread->loop);
	free(thread);
}

unsigned
thread_cores(void)
{
	return 1;
}

/* ---- readers without a lock: one thread, so a grace period is over when no reader is within ---- */

static struct grace *retired;
static unsigned readers;

void
grace_start(void)
{
}

static void
release_retired(void)
{
	while (readers == 0 && retired) {
		struct grace *first = retired;

		retired = first->words[0];
		first->release(first);
	}
}

void
grace_enter(void)
{
	readers++;
}

void
grace_leave(void)
{
	readers--;
	release_retired();
}

void
grace_retire(struct grace *grace, void (*release)(struct grace *))
{
	grace->words[0] = retired;
	grace->release = release;
	retired = grace;
	release_retired();
}

void
grace_wait(void)
{
	release_retired();
}

/* ---- certificates: a process is who it is ---- */

struct identity {
	unsigned holders;
	uint8_t key[IDENTITY_KEY_BYTES];
	struct grant grant;
	char name[16];
	bool is_agent;
};

struct identity *
verify_chain(struct trust *trust, enum role role, const struct der *chain, size_t count, const char *host,
    int64_t now, struct verdict *verdict)
{
	struct identity *identity = calloc(1, sizeof *identity);

	(void)trust;
	(void)host;
	(void)now;
	(void)count;
	if (!identity) {
		verdict->code = VERIFY_INTERNAL;
		verdict->alert = 80;
		snprintf(verdict->sentence, sizeof verdict->sentence, "memory is short");
		return NULL;
	}
	identity->holders = 1;
	identity->is_agent = role == ROLE_AGENT;
	/* Two agents may share one identity: world.c says who is who. */
	snprintf(identity->name, sizeof identity->name, "%s",
	    identity->is_agent ? world_identity_of(chain[0].data[0]) : "relay");
	memcpy(identity->key, identity->name, sizeof identity->name);
	return identity;
}

bool
identity_judge_again(const struct identity *identity, struct trust *trust, int64_t now, struct verdict *verdict)
{
	(void)identity;
	(void)trust;
	(void)now;
	(void)verdict;
	return true;
}

struct identity *
identity_hold(struct identity *identity)
{
	identity->holders++;
	return identity;
}

void
identity_release(struct identity *identity)
{
	if (identity && --identity->holders == 0)
		free(identity);
}

const struct grant *
identity_grant(const struct identity *identity)
{
	return identity->is_agent ? &identity->grant : NULL;
}

const char *
identity_name(const struct identity *identity)
{
	return identity->name;
}

const uint8_t *
identity_key(const struct identity *identity)
{
	return identity->key;
}

int64_t
identity_not_after(const struct identity *identity)
{
	(void)identity;
	return clock_wall_s() + 1000000;
}

const char *
identity_subject(const struct identity *identity)
{
	return identity->name;
}

const char *
identity_issuer(const struct identity *identity)
{
	(void)identity;
	return "CN=simulated";
}

const char *
identity_issuer_key(const struct identity *identity)
{
	(void)identity;
	return "0011223344556677";
}

bool
identity_level(const struct identity *identity, size_t level, struct identity_level *out)
{
	*out = (struct identity_level){ .key = identity->key, .has_grant = true };
	return level == 0;
}

const char *
identity_level_name(const struct identity *identity, size_t level, char out[IDENTITY_LEVEL_NAME])
{
	(void)level;
	snprintf(out, IDENTITY_LEVEL_NAME, "%s", identity->name);
	return out;
}

const char *
identity_serial(const struct identity *identity)
{
	(void)identity;
	return "01";
}

const char *
identity_fingerprint(const struct identity *identity)
{
	(void)identity;
	return "00";
}

const uint8_t *
identity_spki(const struct identity *identity, size_t level)
{
	return level < 2 ? identity->key : NULL;
}

/* Of a client, and here is none. */
struct der
identity_subject_name(const struct identity *identity)
{
	(void)identity;
	return (struct der){ 0 };
}

/* No endpoint of the simulation has rules on clients. */
uint64_t
client_rules_id(const struct client_rules *rules)
{
	(void)rules;
	return 1;
}

size_t
client_rules_find(const struct client_rules *rules, const struct identity *identity)
{
	(void)rules;
	(void)identity;
	return 0;
}

enum cover
identity_covers(const struct identity *identity, const char *pattern, const char **san)
{
	(void)identity;
	(void)pattern;
	(void)san;
	return COVER_EXACT;
}

bool
identity_allows_source(const struct identity *identity, const struct sockaddr *source)
{
	(void)identity;
	(void)source;
	return true;
}

bool
identity_allows_region(const struct identity *identity, const char *region)
{
	(void)identity;
	(void)region;
	return true;
}

/* Something that is not NULL; nobody looks inside. */
static int some_trust;

struct trust *
trustwatch_trust(struct trustwatch *watch)
{
	(void)watch;
	return (struct trust *)(void *)&some_trust;
}

struct trust *
trust_hold(struct trust *trust)
{
	return trust;
}

void
trust_release(struct trust *trust)
{
	(void)trust;
}

/* Only a proxy would want one, and there is none here. */
struct trust *
trust_load(const struct trust_sources *sources, const struct trust *previous, char *error, size_t error_bytes)
{
	(void)sources;
	(void)previous;
	(void)error;
	(void)error_bytes;
	sim_violated("a trust is loaded");
}

/* ---- settings ---- */

struct rules *
rules_hold(struct rules *rules)
{
	world_count_rules(1);
	return rules;
}

void
rules_release(struct rules *rules)
{
	if (rules)
		world_count_rules(-1);
}

struct tls_config *
rules_session_tls(struct rules *rules)
{
	(void)rules;
	return tls_config_hold(world_session_tls());
}

/* ---- what the agent serves ---- */

/* Of one that is passed through here, the upstream answers as it answers all. */
bool
endpoint_answers_challenges(const struct endpoint *endpoint)
{
	(void)endpoint;
	return true;
}

struct tls_config *
challenge_certificate_new(
    const char *name, const uint8_t digest[CHALLENGE_DIGEST], char error[CHALLENGE_ERROR])
{
	const struct tls_settings settings = { .purpose = TLS_ENDPOINT };

	(void)name;
	(void)digest;
	(void)error;
	return tls_config_new(&settings, NULL);
}

struct endpoint_table *
endpoint_table_hold(struct endpoint_table *table)
{
	table->references++;
	return table;
}

void
endpoint_table_release(struct endpoint_table *table)
{
	if (table)
		table->references--;
}

struct endpoint *
endpoint_table_find(const struct endpoint_table *table, uint32_t number)
{
	for (size_t i = 0; i < table->count; i++) {
		if (table->endpoints[i]->number == number)
			return table->endpoints[i];
	}
	return NULL;
}

struct endpoint *
endpoint_table_find_name(const struct endpoint_table *table, const char *server_name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->endpoints[i]->server_name, server_name) == 0)
			return table->endpoints[i];
	return NULL;
}

struct endpoint *
endpoint_table_find_opened(const struct endpoint_table *table, uint32_t number)
{
	return endpoint_table_find(table, number);
}

struct endpoint *
endpoint_table_find_again(const struct endpoint_table *table, const struct endpoint *before)
{
	return endpoint_table_find(table, before->number);
}

struct endpoint *
endpoint_hold(struct endpoint *endpoint)
{
	endpoint->references++;
	return endpoint;
}

void
endpoint_release(struct endpoint *endpoint)
{
	if (endpoint)
		endpoint->references--;
}

struct tls_config *
endpoint_tls(
    const struct endpoint *endpoint, const char *server_name, const uint8_t *hello, size_t bytes)
{
	(void)endpoint;
	(void)server_name;
	(void)hello;
	(void)bytes;
	return NULL;
}

struct credentials *
credentials_hold(struct credentials *credentials)
{
	credentials->references++;
	return credentials;
}

void
credentials_release(struct credentials *credentials)
{
	if (credentials)
		credentials->references--;
}

struct tls_config *
upstream_tls(const struct upstream *upstream, const char *alpn)
{
	(void)upstream;
	(void)alpn;
	return NULL;
}

/* ---- the log ---- */

bool __wrap_log_enabled(enum log_level);
void __wrap_log_write(enum log_level, const char *, const char *, const struct log_field *);
void __wrap_log_write_audit(enum log_level, const char *, const char *, const struct log_field *);
void __wrap_log_write_limited(enum log_level, const char *, const struct address *, const char *,
    const struct log_field *);
void __wrap_log_write_judged(enum log_level, const char *, const struct address *, uint64_t, const char *,
    const struct log_field *);

bool
__wrap_log_enabled(enum log_level level)
{
	return sim_is_telling() || level <= LOG_INFO;
}

static const char *
string_of(const struct log_field *fields, const char *key)
{
	for (; fields->key; fields++) {
		if (fields->kind == LOG_KIND_STRING && strcmp(fields->key, key) == 0)
			return fields->value.string;
	}
	return NULL;
}

/* In whatever it says, where an operator sees it without asking for more. */
static bool
mentions_memory(enum log_level level, const char *sentence, const struct log_field *fields)
{
	if (level > LOG_INFO)
		return false;
	for (; fields->key; fields++) {
		if (fields->kind == LOG_KIND_STRING && fields->value.string &&
		    strstr(fields->value.string, "memory"))
			return true;
	}
	return sentence && strstr(sentence, "memory");
}

void
__wrap_log_write(enum log_level level, const char *event, const char *sentence, const struct log_field *fields)
{
	const char *reason = string_of(fields, "reason"), *code = string_of(fields, "code");
	const char *error = string_of(fields, "error");

	sim_tell("%s: %s%s%s%s%s%s%s%s%s", sim_processes[sim_self].name, event, sentence ? ": " : "",
	    sentence ? sentence : "", reason ? " reason=" : "", reason ? reason : "",
	    code ? " code=" : "", code ? code : "", error ? " error=" : "", error ? error : "");
	if (mentions_memory(level, sentence, fields))
		memory_told();
	world_on_log(event, code ? code : reason, string_of(fields, "client"));
}

void
__wrap_log_write_audit(enum log_level level, const char *event, const char *sentence, const struct log_field *fields)
{
	__wrap_log_write(level, event, sentence, fields);
}

void
__wrap_log_write_limited(enum log_level level, const char *event, const struct address *client, const char *sentence,
    const struct log_field *fields)
{
	(void)client;
	__wrap_log_write(level, event, sentence, fields);
}

void
__wrap_log_write_judged(enum log_level level, const char *event, const struct address *client, uint64_t who,
    const char *sentence, const struct log_field *fields)
{
	(void)client, (void)who;
	__wrap_log_write(level, event, sentence, fields);
}
