/*
 * A hostile agent with a good certificate against a relay: sessions, channels with
 * and without their key, clients of its own for the names that it serves.
 */
#include "tests/fuzz/hostile.h"

enum { WELCOME_ID_AT = FRAME_HEADER + 5 };

static struct tls_config *session_config, *channel_config;

/* The session whose channels a channel wants to be of; its id stands in its welcome. */
static struct peer *
some_session(void)
{
	for (int i = 0; i < PEERS; i++)
		if (peers[i].is_open && !peers[i].is_channel && peers[i].read_bytes >= WELCOME_ID_AT + SESSION_ID_BYTES &&
		    peers[i].read[2] == FRAME_WELCOME)
			return &peers[i];
	return NULL;
}

static void
set_key(struct peer *peer)
{
	struct peer *session = some_session();
	char identity[CHANNEL_IDENTITY] = "v1.0";
	uint8_t bytes[32] = { 0 };
	struct secret key = { 0 };

	if (session) {
		channel_identity(session->read + WELCOME_ID_AT, identity);
		tls_export(session->tls, "EXPERIMENTAL valise channel 1", session->read + WELCOME_ID_AT,
		    SESSION_ID_BYTES, bytes, sizeof bytes);
	}
	secret_init(&key, bytes, sizeof bytes);
	tls_set_key(peer->tls, identity, &key);
	secret_wipe(&key);
}

static bool
begin_tls(struct peer *peer)
{
	struct stream *stream = stream_socket(peer->fd);

	peer->fd = -1;
	peer->tls =
	    tls_client(peer->is_channel ? channel_config : session_config, stream, "relay0.sim", NULL);
	if (peer->is_channel)
		set_key(peer);
	return true;
}

static void
dial(struct peer *peer, bool is_channel)
{
	sim_self = hostile_process;
	drop(peer, false);
	peer->fd = kernel_connect(relay_target[0], &peer->ready_us);
	peer->is_channel = is_channel;
}

static void
do_session(struct peer *peer)
{
	dial(peer, false);
}

static void
do_channel(struct peer *peer)
{
	dial(peer, true);
}

/* Clients of the names that this agent serves. */
enum { GUESTS = 8 };
static struct guest {
	int fd;
	uint64_t ready_us;
	uint8_t hello[SIM_HELLO_MOST];
	size_t bytes;
} guests[GUESTS];

static void
end_guest(struct guest *guest)
{
	if (guest->fd >= 0)
		kernel_close(guest->fd);
	*guest = (struct guest){ .fd = -1 };
}

static void
do_guest(struct peer *peer)
{
	struct guest *guest = &guests[take_u8() % GUESTS];

	(void)peer;
	sim_self = CLIENT_PROCESS;
	end_guest(guest);
	guest->fd = kernel_connect(relay_target[0], &guest->ready_us);
	guest->bytes = guest_hello(guest->hello, take_name());
}

static bool
step_guest(struct guest *guest)
{
	uint8_t waste[512];
	ssize_t got;

	sim_self = CLIENT_PROCESS;
	if (guest->fd < 0 || clock_us() < guest->ready_us)
		return false;
	if (guest->bytes > 0) {
		kernel_send(guest->fd, guest->hello, guest->bytes);
		guest->bytes = 0;
		return true;
	}
	if (!kernel_readable(guest->fd))
		return false;
	got = kernel_recv(guest->fd, waste, sizeof waste);
	if (got <= 0)
		end_guest(guest);
	return true;
}

static bool
step_all(void)
{
	bool moved = hostile_step();

	for (int i = 0; i < GUESTS; i++)
		moved |= step_guest(&guests[i]);
	return moved;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const operations[])(struct peer *) = { do_session, do_frame, do_turn, do_channel, do_repeat,
		do_guest, do_wait, do_client, do_deaf, do_finish, do_drop };
	const struct tls_settings session = { .purpose = TLS_SESSION_AGENT };
	const struct tls_settings channel = { .purpose = TLS_CHANNEL_AGENT };

	hostile_process = GUEST_PROCESS;
	for (int i = 0; i < GUESTS; i++)
		guests[i] = (struct guest){ .fd = -1 };
	if (daemons_load_once())
		world_open(RELAYS);
	session_config = tls_config_new(&session, NULL);
	channel_config = tls_config_new(&channel, NULL);
	hostile_run(data, size, step_all, operations, sizeof operations / sizeof *operations);
	sim_self = CLIENT_PROCESS;
	for (int i = 0; i < GUESTS; i++)
		end_guest(&guests[i]);
	tls_config_release(session_config);
	tls_config_release(channel_config);
	world_close();
	return 0;
}
