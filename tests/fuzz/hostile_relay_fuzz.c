/*
 * A hostile relay with a good certificate against agents, which have a session with
 * an honest one, too: welcomes, opens with hellos of its own, drains, lies.
 */
#include "tests/fuzz/hostile.h"

enum { RECORD = 5 };

static struct tls_config *session_config, *channel_config;

/* As a session's own export says it: the id in its welcome is that of its peer's place. */
static bool
find_key(void *arg, const char *identity, struct secret *key)
{
	(void)arg;
	for (int i = 0; i < PEERS; i++) {
		uint8_t id[SESSION_ID_BYTES] = { (uint8_t)i }, bytes[32];
		char text[CHANNEL_IDENTITY];

		channel_identity(id, text);
		if (!peers[i].is_open || peers[i].is_channel || strcmp(text, identity) != 0)
			continue;
		tls_export(peers[i].tls, "EXPERIMENTAL valise channel 1", id, sizeof id, bytes, sizeof bytes);
		return secret_init(key, bytes, sizeof bytes);
	}
	return false;
}

/* An agent's hello says what it has come for; it is read and put back. */
static bool
begin_tls(struct peer *peer)
{
	uint8_t hello[SIM_HELLO_MOST];
	ssize_t got = kernel_readable(peer->fd) ? kernel_recv(peer->fd, hello, sizeof hello) : -1;
	struct stream *stream;

	if (got < 0)
		return false;
	if (got <= RECORD) {
		drop(peer, false);
		return true;
	}
	peer->is_channel = memmem(hello, (size_t)got, "valise-data/1", 13) != NULL;
	stream = stream_socket(peer->fd);
	peer->fd = -1;
	stream_unread(stream, hello, (size_t)got);
	peer->tls = tls_server(peer->is_channel ? channel_config : session_config, stream, NULL);
	return true;
}

static void
on_accept(void *arg, int fd, const struct address *from)
{
	(void)arg;
	(void)from;
	sim_self = hostile_process;
	for (int i = 0; i < PEERS; i++) {
		if (peers[i].fd < 0 && !peers[i].tls) {
			peers[i] = (struct peer){ .fd = fd };
			return;
		}
	}
	kernel_close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const operations[])(struct peer *) = { do_turn, do_frame, do_wait, do_repeat, do_client,
		do_deaf, do_finish, do_drop };
	const struct tls_settings session = { .purpose = TLS_SESSION_RELAY };
	const struct tls_settings channel = { .purpose = TLS_CHANNEL_RELAY, .find_key = find_key };

	hostile_process = 1;
	for (int i = 0; i < PEERS; i++)
		peers[i] = (struct peer){ .fd = -1 };
	if (daemons_load_once())
		world_open(1);
	session_config = tls_config_new(&session, NULL);
	channel_config = tls_config_new(&channel, NULL);
	sim_processes[hostile_process].alive = true;
	kernel_listen(relay_target[1], hostile_process, on_accept, NULL);
	hostile_run(data, size, hostile_step, operations, sizeof operations / sizeof *operations);
	kernel_listen(relay_target[1], hostile_process, NULL, NULL);
	tls_config_release(session_config);
	tls_config_release(channel_config);
	world_close();
	return 0;
}
