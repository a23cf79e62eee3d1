/*
 * tls.h without cryptography.  The ClientHello is a real one, so that the relay's
 * parser routes it; behind it stand records of our own:
 *
 *	client: hello                      F certificate or key ...
 *	server:         S random
 *	both:   D data, C close_notify, A alert
 *
 * What TLS promises is kept: a stream that ends without C was cut, a wrong key
 * does not come through, the exporter gives both sides the same bytes.
 */
#include "tunnel/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "memory.h"
#include "arena.h"
#include "sim.h"
#include "tunnel/buffer.h"

enum { HEADER = 3, RECORD_MOST = 4096, IDENTITY = 36, KEY = 32, ALERT_DECRYPT = 51, ALERT_HANDSHAKE = 40 };

struct tls_config {
	unsigned holders;
	struct tls_settings settings;
};

struct tls {
	struct stream stream;
	struct stream *under;
	struct tls_config *config;
	struct tls_hooks hooks;
	enum { SEND_HELLO, READ_HELLO, READ_SERVER, READ_FINISH, OPEN, BROKEN } state;
	enum { WRITING, BYE_SAID, FINISHED } closing;
	char server_name[256];
	char identity[IDENTITY];
	uint8_t key[KEY], random[SIM_RANDOM_BYTES];
	struct buffer in, out;
	size_t record_left;		/* of the D record at the front of `in` */
	size_t accepted;
	enum io read_end, write_end;
	struct heavy_party party;
	unsigned alert_sent, alert_received;
	bool is_forgiving;
	char error[64];
};

static const struct stream_kind kind;

static bool
uses_key(const struct tls *tls)
{
	enum tls_purpose purpose = tls->config->settings.purpose;

	return purpose == TLS_CHANNEL_RELAY || purpose == TLS_CHANNEL_AGENT;
}

/* ---- configurations ---- */

struct tls_config *
tls_config_new(const struct tls_settings *settings, char error[TLS_ERROR])
{
	struct tls_config *config = arena_take_zeroed(1, sizeof *config);

	(void)error;
	config->holders = 1;
	config->settings = *settings;
	return config;
}

struct tls_config *
tls_config_hold(struct tls_config *config)
{
	config->holders++;
	return config;
}

void
tls_config_release(struct tls_config *config)
{
	if (config && --config->holders == 0)
		free(config);
}

static struct tls *
new_tls(struct tls_config *config, struct stream *under, const struct tls_hooks *hooks)
{
	struct tls *tls = calloc(1, sizeof *tls);

	if (!tls) {
		stream_free(under);
		return NULL;
	}
	tls->stream.kind = &kind;
	tls->stream.fd = under->fd;
	tls->under = under;
	tls->config = tls_config_hold(config);
	if (hooks)
		tls->hooks = *hooks;
	return tls;
}

struct tls *
tls_server(struct tls_config *config, struct stream *under, const struct tls_hooks *hooks)
{
	struct tls *tls = new_tls(config, under, hooks);

	if (tls)
		tls->state = READ_HELLO;
	return tls;
}

struct tls *
tls_client(struct tls_config *config, struct stream *under, const char *server_name, const struct tls_hooks *hooks)
{
	struct tls *tls = new_tls(config, under, hooks);

	if (tls)
		snprintf(tls->server_name, sizeof tls->server_name, "%s", server_name ? server_name : "");
	return tls;
}

bool
tls_set_key(struct tls *tls, const char *identity, const struct secret *key)
{
	snprintf(tls->identity, sizeof tls->identity, "%s", identity);
	memcpy(tls->key, key->data, KEY);
	return true;
}

/* What a library keeps for itself never fails here. */
static void
keep(struct buffer *buffer, const void *data, size_t bytes)
{
	memory_hold();
	buffer_add(buffer, data, bytes);
	memory_let_go();
}

/* ---- bytes below ---- */

static enum io
flush(struct tls *tls)
{
	size_t done;

	while (buffer_left(&tls->out) > 0 && tls->write_end == IO_OK) {
		enum io io = stream_write(tls->under, buffer_front(&tls->out), buffer_left(&tls->out), &done);

		if (io_must_wait(io))
			return io;
		if (io == IO_OK)
			buffer_take(&tls->out, done);
		else
			tls->write_end = io;
	}
	if (tls->write_end != IO_OK)
		buffer_drop(&tls->out);
	return tls->write_end;
}

static void
put_record(struct tls *tls, char type, const void *data, size_t bytes)
{
	const uint8_t header[HEADER] = { (uint8_t)type, (uint8_t)(bytes >> 8), (uint8_t)bytes };

	keep(&tls->out, header, HEADER);
	keep(&tls->out, data, bytes);
}

/* Until `least` bytes are there, and never more than `total`: GnuTLS reads exact sizes, too. IO_OK: they are. */
static enum io
fill(struct tls *tls, size_t least, size_t total)
{
	uint8_t chunk[RECORD_MOST];
	size_t done;

	while (buffer_left(&tls->in) < least) {
		size_t most = total - buffer_left(&tls->in);
		enum io io = stream_read(tls->under, chunk, most < sizeof chunk ? most : sizeof chunk, &done);

		if (io != IO_OK)
			return io;
		keep(&tls->in, chunk, done);
	}
	return IO_OK;
}

/* A whole record other than data; *type and its payload, which the caller takes with take_record(). */
static enum io
next_record(struct tls *tls, char *type, const uint8_t **payload, size_t *bytes)
{
	enum io io = fill(tls, HEADER, HEADER);
	const uint8_t *header;

	if (io != IO_OK)
		return io;
	header = buffer_front(&tls->in);
	*type = (char)header[0];
	*bytes = (size_t)header[1] << 8 | header[2];
	if (!strchr("SFDCA", *type))
		sim_violated("a byte that is none of ours stands between the records of a connection");
	io = fill(tls, HEADER + *bytes, HEADER + *bytes);
	if (io == IO_OK)
		*payload = buffer_front(&tls->in) + HEADER;
	return io;
}

static void
take_record(struct tls *tls, size_t bytes)
{
	buffer_take(&tls->in, HEADER + bytes);
}

/* ---- the handshake ---- */

static enum io
fail(struct tls *tls, unsigned alert, const char *why)
{
	const uint8_t code = (uint8_t)alert;

	tls->state = BROKEN;
	snprintf(tls->error, sizeof tls->error, "%s", why);
	if (alert != 0) {
		tls->alert_sent = alert;
		put_record(tls, 'A', &code, 1);
		flush(tls);
	}
	return tls->read_end = IO_FAILED;
}

static enum io
cut_short(struct tls *tls, enum io io)
{
	if (io_must_wait(io))
		return io;
	tls->state = BROKEN;
	return tls->read_end = io == IO_EOF ? IO_RESET : io;
}

static enum io
heard_alert(struct tls *tls, const uint8_t *payload)
{
	tls->alert_received = payload[0];
	tls->state = BROKEN;
	snprintf(tls->error, sizeof tls->error, "alert %u", payload[0]);
	return tls->read_end = IO_FAILED;
}

static void
send_hello(struct tls *tls)
{
	uint8_t wire[SIM_HELLO_MOST], random[SIM_RANDOM_BYTES];
	size_t bytes;

	for (size_t i = 0; i < sizeof random; i++)
		random[i] = (uint8_t)sim_random();
	bytes = sim_hello(wire, tls->server_name, uses_key(tls) ? "valise-data/1" : "valise/1", random, false);
	keep(&tls->out, wire, bytes);
	tls->state = READ_SERVER;
}

static enum io
read_hello(struct tls *tls)
{
	const uint8_t *header;
	enum io io = fill(tls, 5, 5);
	size_t bytes;

	if (io != IO_OK)
		return io;
	header = buffer_front(&tls->in);
	bytes = 5 + ((size_t)header[3] << 8 | header[4]);
	if (header[0] != 0x16)
		sim_violated("a server is handed something that is no hello");
	io = fill(tls, bytes, bytes);
	if (io != IO_OK)
		return io;
	buffer_take(&tls->in, bytes);
	for (size_t i = 0; i < sizeof tls->random; i++)
		tls->random[i] = (uint8_t)sim_random();
	put_record(tls, 'S', tls->random, sizeof tls->random);
	tls->state = READ_FINISH;
	return IO_OK;
}

/* The certificate of a process is its number. */
static unsigned
judge(struct tls *tls, const uint8_t *data, size_t bytes)
{
	struct tls_certificate certificate = { data, bytes };

	return tls->hooks.judge ? tls->hooks.judge(tls->hooks.arg, &certificate, 1) : 0;
}

static enum io
read_server(struct tls *tls)
{
	uint8_t finish[IDENTITY + KEY] = { 0 };
	const uint8_t *payload;
	size_t bytes;
	char type;
	unsigned alert;
	enum io io = next_record(tls, &type, &payload, &bytes);

	if (io != IO_OK)
		return io;
	if (type == 'A')
		return heard_alert(tls, payload);
	memcpy(tls->random, payload, sizeof tls->random);
	take_record(tls, bytes);
	alert = uses_key(tls) ? 0 : judge(tls, (const uint8_t *)"relay", 5);
	if (alert != 0)
		return fail(tls, alert, "the peer's certificate is refused");
	if (uses_key(tls)) {
		memcpy(finish, tls->identity, IDENTITY);
		memcpy(finish + IDENTITY, tls->key, KEY);
		put_record(tls, 'F', finish, sizeof finish);
	} else {
		finish[0] = (uint8_t)sim_self;
		put_record(tls, 'F', finish, 1);
	}
	tls->state = OPEN;
	return IO_OK;
}

static bool
key_is_right(struct tls *tls, const uint8_t *payload)
{
	const struct tls_settings *settings = &tls->config->settings;
	struct secret key = { 0 };
	bool right;

	memcpy(tls->identity, payload, IDENTITY);
	tls->identity[IDENTITY - 1] = '\0';
	right = settings->find_key(settings->find_key_arg, tls->identity, &key) &&
	    memcmp(key.data, payload + IDENTITY, KEY) == 0;
	secret_wipe(&key);
	if (!right)
		tls->identity[0] = '\0';
	return right;
}

static enum io
read_finish(struct tls *tls)
{
	const uint8_t *payload;
	size_t bytes;
	char type;
	unsigned alert;
	enum io io = next_record(tls, &type, &payload, &bytes);

	if (io != IO_OK)
		return io;
	if (type == 'A')
		return heard_alert(tls, payload);
	alert = !uses_key(tls) ? judge(tls, payload, bytes) : key_is_right(tls, payload) ? 0 : ALERT_DECRYPT;
	if (alert != 0)
		return fail(tls, alert, "refused");
	take_record(tls, bytes);
	tls->state = OPEN;
	return IO_OK;
}

void
tls_set_party(struct tls *tls, const struct heavy_party *party)
{
	tls->party = *party;
}

const struct heavy_party *
tls_party(const struct tls *tls)
{
	return &tls->party;
}

enum io
tls_handshake(struct tls *tls)
{
	enum io io = IO_OK;

	while (io == IO_OK && tls->state != OPEN && tls->state != BROKEN) {
		if (tls->state == SEND_HELLO)
			send_hello(tls);
		else if (tls->state == READ_HELLO)
			io = read_hello(tls);
		else if (tls->state == READ_SERVER)
			io = read_server(tls);
		else
			io = read_finish(tls);
		if (io != IO_OK && io != IO_READ && io != IO_WRITE && tls->state != BROKEN)
			return cut_short(tls, io);
		if (flush(tls) != IO_OK && tls->write_end != IO_OK && tls->state != BROKEN)
			return cut_short(tls, tls->write_end);
	}
	if (tls->state == BROKEN)
		return tls->read_end;
	return tls->state == OPEN && buffer_left(&tls->out) > 0 ? IO_WRITE : io;
}

/* ---- what is asked afterwards ---- */

const char *
tls_error(const struct tls *tls)
{
	return tls->error;
}

unsigned
tls_alert_sent(const struct tls *tls)
{
	return tls->alert_sent;
}

unsigned
tls_alert_received(const struct tls *tls)
{
	return tls->alert_received;
}

bool
tls_heard_no_tls(const struct tls *tls)
{
	(void)tls;
	return false;
}

void
tls_alert(struct tls *tls, unsigned alert)
{
	fail(tls, alert, "refused");
}

enum io
tls_linger(struct tls *tls)
{
	uint8_t waste[512];
	size_t done;
	enum io io = flush(tls);

	if (io == IO_WRITE)
		return io;
	stream_finish(tls->under);
	do
		io = stream_read(tls->under, waste, sizeof waste, &done);
	while (io == IO_OK);
	return io;
}

const char *
tls_alpn(const struct tls *tls)
{
	return uses_key(tls) ? "valise-data/1" : "valise/1";
}

bool
tls_export(struct tls *tls, const char *label, const void *context, size_t context_bytes, void *out,
    size_t out_bytes)
{
	uint8_t *to = out;

	for (size_t i = 0; i < out_bytes; i++)
		to[i] = (uint8_t)(tls->random[i % SIM_RANDOM_BYTES] ^ label[i % strlen(label)] ^
		    ((const uint8_t *)context)[i % context_bytes]);
	return true;
}

const char *
tls_version(const struct tls *tls)
{
	(void)tls;
	return "TLS1.3";
}

const char *
tls_cipher(const struct tls *tls)
{
	(void)tls;
	return "TLS_AES_128_GCM_SHA256";
}

/* Nobody ends TLS for a client here. */
struct tls_certificate
tls_peer_certificate(const struct tls *tls)
{
	(void)tls;
	return (struct tls_certificate){ 0 };
}

const char *
tls_identity(const struct tls *tls)
{
	return tls->identity;
}

bool
tls_is_resumed(const struct tls *tls)
{
	(void)tls;
	return false;
}

bool
tls_peer_has_certificate(const struct tls *tls)
{
	return !uses_key(tls);
}

void
tls_forgive_truncation(struct tls *tls)
{
	tls->is_forgiving = true;
}

bool
tls_update_key(struct tls *tls)
{
	(void)tls;
	return true;
}

bool
tls_write_behind(struct tls *tls, const void *data, size_t bytes)
{
	const uint8_t *from = data;

	from += tls->accepted;
	bytes -= tls->accepted;
	tls->accepted = 0;
	put_record(tls, 'D', from, bytes);
	flush(tls);
	return true;
}

struct stream *
tls_stream(struct tls *tls)
{
	return &tls->stream;
}

bool
tls_start(void)
{
	return true;
}

/* ---- as a stream ---- */

static enum io
end_reading(struct tls *tls, enum io io)
{
	if (io == IO_EOF && !tls->is_forgiving)
		io = IO_RESET;
	return tls->read_end = io;
}

/* Data of the record at the front. */
static enum io
take_data(struct tls *tls, void *data, size_t bytes, size_t *done)
{
	enum io io = fill(tls, 1, tls->record_left);

	if (io_must_wait(io))
		return io;
	if (io != IO_OK)
		return end_reading(tls, io);
	*done = buffer_left(&tls->in);
	if (*done > bytes)
		*done = bytes;
	if (*done > tls->record_left)
		*done = tls->record_left;
	memcpy(data, buffer_front(&tls->in), *done);
	buffer_take(&tls->in, *done);
	tls->record_left -= *done;
	return IO_OK;
}

static enum io
read_on(struct stream *stream, void *data, size_t bytes, size_t *done)
{
	struct tls *tls = (struct tls *)stream;
	const uint8_t *header;
	enum io io;

	while (tls->read_end == IO_OK && tls->record_left == 0) {
		io = fill(tls, HEADER, HEADER);
		if (io_must_wait(io))
			return io;
		if (io != IO_OK)
			return end_reading(tls, io);
		header = buffer_front(&tls->in);
		if (!strchr("DCA", header[0]) || header[0] == '\0')
			sim_violated("a byte that is none of ours stands between the records of a connection");
		if (header[0] == 'C')
			return tls->read_end = IO_EOF;
		if (header[0] == 'A')
			return end_reading(tls, IO_FAILED);
		tls->record_left = (size_t)header[1] << 8 | header[2];
		buffer_take(&tls->in, HEADER);
	}
	return tls->read_end != IO_OK ? tls->read_end : take_data(tls, data, bytes, done);
}

static enum io
write_on(struct stream *stream, const void *data, size_t bytes, size_t *done)
{
	struct tls *tls = (struct tls *)stream;
	enum io io;

	if (tls->state != OPEN || tls->closing != WRITING)
		return IO_FAILED;
	io = flush(tls);
	if (io == IO_OK && tls->accepted == 0 && bytes > 0) {
		tls->accepted = bytes < RECORD_MOST ? bytes : RECORD_MOST;
		put_record(tls, 'D', data, tls->accepted);
		io = flush(tls);
	}
	if (io != IO_OK)
		return io;
	*done = tls->accepted;
	tls->accepted = 0;
	return IO_OK;
}

static enum io
finish(struct stream *stream)
{
	struct tls *tls = (struct tls *)stream;
	enum io io;

	if (tls->closing == FINISHED)
		return IO_OK;
	if (tls->closing == WRITING && tls->state == OPEN && tls->write_end == IO_OK)
		put_record(tls, 'C', NULL, 0);
	tls->closing = BYE_SAID;
	tls->accepted = 0;
	io = flush(tls);
	if (io == IO_OK)
		io = stream_finish(tls->under);
	if (io == IO_OK)
		tls->closing = FINISHED;
	return io;
}

static enum io
settle(struct stream *stream)
{
	return stream_settle(((struct tls *)stream)->under);
}

static enum io
linger(struct stream *stream)
{
	struct tls *tls = (struct tls *)stream;

	return tls->alert_sent != 0 && tls->write_end == IO_OK ? tls_linger(tls) : IO_FAILED;
}

static bool
is_broken(const struct stream *stream)
{
	const struct tls *tls = (const struct tls *)stream;

	return tls->write_end == IO_RESET || stream_is_broken(tls->under);
}

static void
reset(struct stream *stream)
{
	stream_reset(((struct tls *)stream)->under);
}

static void
free_all(struct stream *stream)
{
	struct tls *tls = (struct tls *)stream;

	stream_free(tls->under);
	tls_config_release(tls->config);
	buffer_drop(&tls->in);
	buffer_drop(&tls->out);
	free(tls);
}

void
tls_hush(struct tls *tls)
{
	tls->closing = FINISHED;
}

bool
tls_is_at_border(const struct tls *tls)
{
	return tls->state == OPEN && tls->read_end == IO_OK && tls->record_left == 0 &&
	    stream_unread_left(&tls->stream) == 0 && buffer_left(&tls->in) == 0;
}

enum io
tls_await_bare(struct tls *tls)
{
	uint8_t byte;
	size_t done;
	enum io io = stream_read(tls->under, &byte, sizeof byte, &done);

	return io == IO_OK ? IO_FAILED : io;
}

struct stream *
tls_unwrap(struct tls *tls)
{
	struct stream *under = tls->under;

	if (!tls_is_at_border(tls) ||
	    !stream_queue(under, buffer_front(&tls->out), buffer_left(&tls->out)))
		return NULL;
	tls->under = NULL;
	stream_free(&tls->stream);
	return under;
}

static const struct stream_kind kind = { read_on, write_on, finish, settle, linger, is_broken, reset, free_all, NULL, NULL,
	NULL };
