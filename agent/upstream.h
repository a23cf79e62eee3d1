/*
 * Where an endpoint's bytes go, ready for use: one target or several, PROXY version, and
 * for tls:// the TLS configurations, with the agent's own certificate if it has one there,
 * and whom to believe.  Lives inside its endpoint.
 */
#ifndef AGENT_UPSTREAM_H
#define AGENT_UPSTREAM_H

#include "agent/settings.h"
#include "base/file.h"
#include "base/upstream_group.h"
#include "pki/spki_pin.h"
#include "pki/trust.h"
#include "tunnel/tls.h"

enum { UPSTREAM_ERROR = 768 };

struct upstream_target {
	struct upstream_url url;
	char server_name[NAME_SIZE]; /* tls: the name or address that the certificate must be for */
	bool sends_sni;              /* it is a name, not an address */
};

struct upstream {
	/* Which of the targets gets a flow; a reload that leaves them as they were leaves it, too. */
	struct upstream_group *group;
	struct upstream_target *targets; /* by the group's indices */
	enum upstream_kind kind;         /* UPSTREAM_TLS: all of them, else none */
	int proxy_version;               /* 0: no header */
	bool has_proxy_tlvs;             /* version 2: more than the addresses */
	bool proxy_certificate;          /* and the client's whole certificate */
	size_t proxy_header_bytes;       /* what the upstream takes */
	bool asks_for_tls;               /* as PostgreSQL wants it */
	uint64_t connect_ms;             /* what a dial may take, the handshake included */
	struct trust *trust;             /* tls; NULL: nobody asks who issued the certificate */
	struct spki_pin *pins;           /* tls: it must have one of these keys; none: any */
	size_t pin_count;
	const char *warning; /* what people must be told of it again and again; NULL: nothing */
	/* tls: one for each protocol that the endpoint may agree on with its client and then, last,
	 * one for no protocol, so that both sides of a flow speak the same. */
	struct {
		char *alpn; /* NULL: none */
		struct tls_config *config;
	} tls[SETTINGS_ALPN + 1];
	size_t tls_count;
};

/* False with a sentence; wipe it in any case.  name: of its endpoint, on the wire.  previous (may be NULL):
 * hands on what its trust set remembers of CRLs, and what is known of the targets.  lender (may be NULL):
 * whose TLS configurations are taken, with the agent's certificate, instead of loaded ones. */
bool upstream_init(struct upstream *, const struct upstream_settings *, const char *name,
    const struct conf_texts *alpn, const struct agent_settings *, const struct upstream *previous,
    const struct upstream *lender, char error[UPSTREAM_ERROR]);
void upstream_wipe(struct upstream *);

/* For the protocol that the endpoint and its client have agreed on ("" if none). Borrowed. */
struct tls_config *upstream_tls(const struct upstream *, const char *alpn);

/* The state of the files that one was loaded from. */
struct upstream_stamp {
	struct file_stamp certificate, private_key;
	struct trust_stamp trust;
};
/* True once for each state of the files that differs from the one last seen. */
bool upstream_files_changed(
    const struct upstream_settings *, const struct agent_settings *, struct upstream_stamp *seen);
/* Whether two stamps differ in files of CAs and CRLs. */
bool upstream_trust_changed(const struct upstream_stamp *, const struct upstream_stamp *);

#endif
