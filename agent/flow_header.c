/* The PROXY header that tells an upstream whose flow it gets. */
#include "agent/flow_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/endpoint.h"
#include "base/memory.h"
#include "base/proxy.h"
#include "base/units.h"
#include "pki/attribute.h"

static const char too_large[] = "proxy-header-too-large";

enum { VERSION_TEXT = 16 };

/* "TLS1.3" is what GnuTLS says, and "TLSv1.3" what those who send this header do. */
static const char *
version_text(const struct tls *tls, char out[VERSION_TEXT])
{
	snprintf(out, VERSION_TEXT, "TLSv%s", tls_version(tls) + strlen("TLS"));
	return out;
}

/* Only of the handshake that was done here: of another one nobody could vouch. */
static struct proxy_tls
facts_of_tls(const struct agent_flow *flow, char version[VERSION_TEXT])
{
	const struct tls *tls = flow->setup->client;
	struct proxy_tls told = { .version = version_text(tls, version),
		.cipher = tls_cipher(tls),
		.has_certificate = flow->identity != NULL };

	if (flow->identity) {
		struct der name = attribute_common_name(identity_subject_name(flow->identity));

		told.common_name = name.data;
		told.common_name_bytes = name.bytes;
	}
	if (flow->identity && flow->endpoint->upstream.proxy_certificate) {
		struct tls_certificate certificate = tls_peer_certificate(tls);

		told.certificate = certificate.data;
		told.certificate_bytes = certificate.bytes;
	}
	return told;
}

/* Ends the flow, which nobody has seen yet but the client. */
static void
refuse(struct agent_flow *flow, const char *reason, const char *sentence)
{
	if (flow->setup->client)
		agent_flow_refuse_client(flow, ALERT_INTERNAL_ERROR, reason, sentence);
	else
		agent_flow_fail_as(flow, CODE_INTERNAL, reason, sentence);
}

static bool
fits(struct agent_flow *flow, size_t bytes)
{
	size_t most = flow->endpoint->upstream.proxy_header_bytes;
	char sentence[DETAIL_TEXT];

	if (bytes <= most)
		return true;
	snprintf(sentence, sizeof sentence,
	    "the PROXY header would have %zu bytes, and upstream.proxy_header_bytes allows %zu: "
	    "raise it if the upstream takes as much, or tell the upstream less",
	    bytes, most);
	refuse(flow, too_large, sentence);
	return false;
}

static bool
encode(struct agent_flow *flow, const struct proxy_header *told, struct agent_flow_header *out)
{
	out->bytes = proxy_encode(NULL, 0, told);
	if (!fits(flow, out->bytes))
		return false;
	out->data = malloc(out->bytes);
	if (!out->data) {
		memory_short("a flow that was to be told to its upstream");
		refuse(flow, code_word(CODE_INTERNAL), "memory is short");
		return false;
	}
	proxy_encode(out->data, out->bytes, told);
	return true;
}

bool
agent_flow_make_header(struct agent_flow *flow, struct agent_flow_header *out)
{
	const struct agent_flow_setup *setup = flow->setup;
	const struct upstream *upstream = &flow->endpoint->upstream;
	struct proxy_header told = { .version = upstream->proxy_version,
		.source = &setup->open.client,
		.destination = &setup->open.listener };
	char id[2 * FLOW_ID_BYTES + 1], version[VERSION_TEXT];
	struct proxy_tls tls;

	*out = (struct agent_flow_header){ 0 };
	if (upstream->proxy_version == 0)
		return true;
	if (upstream->has_proxy_tlvs) {
		told.authority = flow->server_name;
		told.unique_id = hex_encode(id, flow->id, sizeof flow->id);
		told.has_checksum = true;
	}
	if (upstream->has_proxy_tlvs && setup->client) {
		told.alpn = tls_alpn(setup->client);
		tls = facts_of_tls(flow, version);
		told.tls = &tls;
	}
	return encode(flow, &told, out);
}
