/*
 * The agent's settings: valise-agent.yml(5) as one plain struct.  The one-shot
 * command fills the same struct from its command line (oneshot.h).
 */
#ifndef AGENT_SETTINGS_H
#define AGENT_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/acme_settings.h"
#include "agent/client_rules.h"
#include "agent/url.h"
#include "base/address.h"
#include "base/address_rows.h"
#include "base/conf.h"
#include "base/conf_changes.h"
#include "base/daemon_rows.h"
#include "enrol/renewal_rows.h"
#include "base/fetch_proxy.h"
#include "base/web_rows.h"
#include "pki/trust_rows.h"

enum mutual_tls { MUTUAL_OFF, MUTUAL_REQUEST, MUTUAL_REQUIRE };
/* tls_min and tls_max; the defaults are 0. */
enum termination_oldest { OLDEST_TLS12, OLDEST_TLS13 };
enum termination_newest { NEWEST_TLS13, NEWEST_TLS12 };
enum eof_policy { EOF_RESET, EOF_FIN };
enum settings_tls { SETTINGS_TLS_1_2, SETTINGS_TLS_1_3 };
enum {
	SETTINGS_ALPN = 8,           /* protocols of one endpoint */
	SETTINGS_CERTIFICATES = 256, /* certificates of one */
	SETTINGS_CONNECT_MS = 4000,  /* most and default: relays wait no longer for an answer */
};

/* Of a forward, unless something else is said. */
enum { FORWARD_FLOWS = 1000, FORWARD_CONNECT_MS = 10000, FORWARD_HALF_CLOSED_MS = 60000 };

struct upstream_settings {
	struct conf_texts url; /* all of one kind */
	struct conf_mark url_mark;
	uint64_t proxy_protocol; /* 0 none, 1, 2 */
	int proxy_tlvs;          /* enum daemon_proxy_tlvs */
	bool proxy_client_certificate;
	uint64_t proxy_header_bytes;
	struct conf_mark proxy_tlvs_mark, proxy_client_certificate_mark, proxy_header_bytes_mark;
	int starttls; /* enum daemon_starttls */
	struct conf_texts cas, crls, crl_url;
	const char *cas_key; /* what messages call them; NULL: upstream.cas */
	char *server_name;
	struct conf_mark server_name_mark;
	char *certificate, *private_key; /* the agent's own, to the upstream */
	struct conf_mark certificate_mark, private_key_mark;
	struct conf_texts spki;
	int tls_min; /* enum settings_tls */
	struct conf_mark tls_min_mark;
	bool is_unverified;
	struct conf_mark is_unverified_mark;
	uint64_t connect_ms;
	struct health_settings health;
	struct conf_mark health_mark;
	enum upstream_kind kind;    /* filled by the checks */
	struct upstream_url parsed; /* likewise; of a forward, which has no url above */
};

/* One certificate of an endpoint, and its key. */
struct certificate_settings {
	char *certificate, *private_key;
	char *staple; /* an OCSP response; NULL: none */
	bool is_acme; /* the file comes by ACME, and may not be there yet; filled by the checks */
	struct conf_mark certificate_mark, private_key_mark, staple_mark;
};

struct termination_settings {
	struct certificate_settings first; /* empty: those of the list only */
	struct conf_items more;            /* struct certificate_settings */
	struct acme_settings acme;         /* then the checks fill `first`, and there is no other */
	int oldest, newest;                /* enum termination_oldest, enum termination_newest */
	struct conf_mark newest_mark;
	int mutual_tls; /* enum mutual_tls, settled by the checks */
	struct conf_mark mutual_tls_mark;
	struct conf_texts cas, crls, crl_url;
	struct crl_policy_settings crl;
	struct conf_items clients;     /* of struct client_entry_settings */
	struct conf_mark clients_mark; /* line 0: not given, and every good certificate will do */
	bool tells_ca_names;
	struct conf_texts alpn;
};

struct endpoint_settings {
	char *name;
	struct conf_mark name_mark;
	char *url;
	struct conf_mark url_mark;
	struct termination_settings termination;
	struct conf_mark termination_mark;
	bool terminates;             /* filled by the checks */
	char server_name[NAME_SIZE]; /* normalised; filled by the checks */
	struct upstream_settings upstream;
	struct address_settings addresses;
	uint64_t weight;
	int balance; /* enum balance */
	uint64_t priority;
	int carrier; /* enum carrier: the most that relays may choose */
	struct conf_mark carrier_mark;
	bool trusts_unsealed_address;
	struct conf_mark trusts_unsealed_mark;
	int eof_without_close_notify; /* enum eof_policy */
	uint64_t idle_ms, half_closed_ms, stall_ms;
};

/* One item of `forwards:`: a plain listener of this host, and the public name that it leads to. */
struct forward_settings {
	char *name;
	struct conf_mark name_mark;
	char *listen;
	struct conf_mark listen_mark;
	char *url;
	struct conf_mark url_mark;
	char *address; /* where the name is reached; NULL: where the system's resolver says */
	/* The server: certificates, times; .parsed is filled by the checks, other members are empty. */
	struct upstream_settings upstream;
	char *alpn;
	uint64_t flows;
	int eof_without_close_notify; /* enum eof_policy */
	uint64_t idle_ms, half_closed_ms, stall_ms;
	/* Filled by the checks. */
	struct address listener;
	char server_name[NAME_SIZE];
};

/* How the agent looks at its public names from outside. */
struct probe_settings {
	uint64_t interval_ms;   /* 0: not at all */
	char *address;          /* NULL: where the system's resolver says, port 443 */
	struct conf_texts spki; /* of other agents with the same names */
	struct conf_mark mark;
};

enum { RELAY_TARGET = 300, RELAY_LABEL = 600 };

/* One item of agent.connect_url. */
struct relay_settings {
	char *dial; /* host:port */
	struct conf_mark dial_mark;
	char *name; /* that its certificate must be for; NULL: the host that is dialled */
	struct fetch_proxy_settings proxy; /* without a url: that of the agent */
	char label[RELAY_LABEL]; /* "host:port" or "name@host:port"; filled by the checks */
};

struct agent_settings_limits {
	uint64_t flows; /* 0: as many as the descriptors allow */
	uint64_t handshakes;
	char *memory; /* daemon_rows_memory() */
};

struct agent_settings {
	uint64_t version;
	char *workers; /* "auto" or a number */
	struct conf_mark workers_mark;
	bool has_key_process;
	struct conf_items connect_url; /* struct relay_settings */
	struct conf_texts connect_cas, connect_crls, connect_crl_url;
	struct crl_policy_settings connect_crl;
	char *certificate, *private_key;
	struct conf_mark certificate_mark, private_key_mark;
	struct renewal_settings renew; /* of that certificate */
	uint64_t heartbeat_ms, tolerance_ms;
	struct conf_texts sources; /* as connect_source_add() takes them */
	struct fetch_proxy_settings proxy;
	char *region;
	struct conf_texts labels; /* "key=value" */
	char *state_dir;          /* NULL: nothing is kept, and nobody can ask (one-shot) */
	char *acme_dir;           /* where ACME keeps what it has; NULL: state_dir (one-shot) */
	bool keeps_nothing;       /* state_dir is only read: a check */
	bool waits_for_clock;     /* what the clock forbids is waited for: a start */
	/* What stands in the CRL files of all keys; NULL: nobody has looked.  See sources_catalogue(). */
	struct crl_catalogue *catalogue;
	/* What `proxy` leads to, once it is loaded, for all that is not a relay; held.  NULL: directly. */
	struct egress *egress;
	char *admin_socket; /* NULL: in state_dir */
	struct web_settings web;
	char *admin_group; /* NULL: none */
	struct conf_mark admin_group_mark;
	uint64_t pool_least, pool_most;
	struct conf_mark pool_mark;
	struct conf_items endpoints;
	struct conf_items forwards;
	struct probe_settings probe;
	struct agent_settings_limits limits;
	struct log_settings log;
};

/* Reads, checks, and reports every error on `messages`.  0, or the exit code: 66 when the file
 * cannot be read, 78 when what it says is wrong.  Wipe in any case. */
int agent_settings_read(struct agent_settings *, const char *path, FILE *messages);
void agent_settings_wipe(struct agent_settings *);
/* What differs between two, by keys. */
void agent_settings_compare(
    const struct agent_settings *before, const struct agent_settings *after, struct conf_changes *);
/* The rows of struct admin_place: where this agent listens to its operator. */
extern const struct conf_row agent_settings_admin_rows[];

static inline struct endpoint_settings *
agent_settings_endpoint(const struct agent_settings *settings, size_t index)
{
	return (struct endpoint_settings *)settings->endpoints.items + index;
}

/* The certificates of an endpoint that terminates, in the order in which they are written. */
static inline size_t
agent_settings_certificate_count(const struct termination_settings *termination)
{
	return (termination->first.certificate ? 1 : 0) + termination->more.count;
}

static inline const struct certificate_settings *
agent_settings_certificate(const struct termination_settings *termination, size_t index)
{
	const struct certificate_settings *more = termination->more.items;

	if (!termination->first.certificate)
		return &more[index];
	return index == 0 ? &termination->first : &more[index - 1];
}

static inline struct relay_settings *
agent_settings_relay(const struct agent_settings *settings, size_t index)
{
	return (struct relay_settings *)settings->connect_url.items + index;
}

static inline struct forward_settings *
agent_settings_forward(const struct agent_settings *settings, size_t index)
{
	return (struct forward_settings *)settings->forwards.items + index;
}

/* Checks what spans keys, and fills what follows from it.  agent_settings_read() calls it. */
void agent_settings_check(struct agent_settings *, struct conf_report *);

/* A sentence if the endpoint was told to trust an address that nothing protects on its way from the
 * relay, else NULL. */
const char *agent_settings_unsealed_warning(const struct endpoint_settings *);

/* The same if the PROXY header of its upstream leaves this host, where nothing protects it. */
const char *agent_settings_header_warning(const struct endpoint_settings *);

/* A sentence if it was told not to judge the upstream's certificate, else NULL. */
const char *agent_settings_unverified_warning(const struct upstream_settings *);

/* Whom a forward at the loopback lends its certificate to, as a sentence; NULL for a unix socket. */
const char *agent_settings_lent_warning(const struct forward_settings *);
/* Whether this may be the value of the key of a forward; else the rest of a sentence that begins with it. */
bool agent_settings_is_forward_value(const char *key, const char *text, char error[256]);

/* The number of worker threads; for "auto", one for each core. */
unsigned agent_settings_workers(const struct agent_settings *);

#endif
