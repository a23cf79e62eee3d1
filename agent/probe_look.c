/* A dial whose server may be anybody, and the key that it shows. */
#include "agent/probe_look.h"

#include <stdlib.h>
#include <string.h>

#include "agent/egress.h"
#include "agent/upstream.h"
#include "agent/upstream_dial.h"
#include "agent/upstream_judge.h"
#include "base/proxy.h"
#include "base/socket.h"
#include "pki/cert.h"

struct probe_look {
	struct egress *egress;
	struct upstream upstream;
	struct upstream_dial *dial;
	bool is_for_name;
	struct address peer;
	void (*on_done)(void *arg, const struct spki_pin *key, const char *error);
	void *arg;
};

static bool
shows_name(const struct probe_look *look)
{
	const struct tls_certificate shown = tls_peer_certificate(upstream_dial_tls(look->dial));

	return cert_is_for(shown.data, shown.bytes, look->upstream.targets[0].server_name);
}

/* The handshake is done, so the key is proven: a certificate alone is no secret. */
static void
on_dialled(void *arg, struct stream *stream, const char *error)
{
	struct probe_look *look = arg;
	const struct upstream_judge *judge = upstream_dial_judge(look->dial);
	const struct spki_pin key = judge->key;
	bool has_key = judge->has_key;

	if (stream) {
		look->is_for_name = shows_name(look);
		if (!egress_proxy(look->egress))
			look->peer = socket_peer(stream->fd);
	}
	stream_free(stream);
	if (stream && has_key)
		look->on_done(look->arg, &key, NULL);
	else
		look->on_done(
		    look->arg, NULL, error ? error : "the certificate that answers cannot be read");
}

static bool
begin(struct probe_look *look, struct loop *loop, struct resolver *resolver,
    const struct upstream_settings *from, unsigned target, const char *name)
{
	static const struct address nowhere = { 0 };
	const struct conf_texts no_alpn = { 0 };
	uint8_t header[PROXY_PLAIN_MOST];
	const struct proxy_header facts = {
		.version = (int)from->proxy_protocol, .source = &nowhere, .destination = &nowhere
	};
	const struct upstream_dial_options options = {
		.upstream = &look->upstream,
		.target = target,
		.egress = look->egress,
		.timeout_ms = PROBE_LOOK_MS,
		.header = header,
		.header_bytes = facts.version > 0 ? proxy_encode(header, sizeof header, &facts) : 0,
		.alpn = "",
	};
	const struct upstream_settings settings = {
		.starttls = from->starttls,
		.server_name = (char *)(uintptr_t)name,
		.is_unverified = true,
		.url = from->url,
		.parsed = from->parsed,
		.kind = UPSTREAM_TLS,
	};
	char error[UPSTREAM_ERROR];

	if (!upstream_init(&look->upstream, &settings, name, &no_alpn, NULL, NULL, NULL, error))
		return false;
	look->dial = upstream_dial_new(loop, resolver, &options, on_dialled, look);
	return look->dial != NULL;
}

struct probe_look *
probe_look_new(struct loop *loop, struct resolver *resolver, struct egress *egress,
    const struct upstream_settings *from, unsigned target, const char *name,
    void (*on_done)(void *arg, const struct spki_pin *key, const char *error), void *arg)
{
	struct probe_look *look = calloc(1, sizeof *look);

	if (!look)
		return NULL;
	look->on_done = on_done;
	look->arg = arg;
	look->egress = egress_hold(egress);
	if (begin(look, loop, resolver, from, target, name))
		return look;
	probe_look_free(look);
	return NULL;
}

bool
probe_look_is_for_name(const struct probe_look *look)
{
	return look->is_for_name;
}

struct address
probe_look_peer(const struct probe_look *look)
{
	return look->peer;
}

void
probe_look_free(struct probe_look *look)
{
	if (!look)
		return;
	upstream_dial_free(look->dial);
	upstream_wipe(&look->upstream);
	egress_release(look->egress);
	free(look);
}
