/*
 * The relay's settings: valise-relay.yml(5) as one plain struct.  It is
 * read once, with all that is derived from its texts, and then only looked at.
 */
#ifndef RELAY_SETTINGS_H
#define RELAY_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/address.h"
#include "base/address_rows.h"
#include "base/conf.h"
#include "base/conf_changes.h"
#include "base/daemon_rows.h"
#include "base/upstream_url.h"
#include "base/web_rows.h"
#include "enrol/renewal_rows.h"
#include "pki/trust_rows.h"
#include "relay/refuse.h"
#include "sni/name.h"

struct settings_listener {
	char *address;
	struct conf_mark address_mark;
	struct conf_texts trusted_proxies, protocols;
	struct conf_mark protocols_mark;
	struct address parsed;  /* derived */
	struct prefix *proxies; /* derived, trusted_proxies.count of them */
	bool speaks_postgres;   /* derived */
};

struct settings_upstream {
	struct conf_texts url;
	struct conf_mark url_mark;
	uint64_t connect_ms;
	struct health_settings health;
	struct conf_mark health_mark;
	uint64_t proxy_protocol; /* 0 none, 1, 2 */
	int proxy_tlvs;          /* enum daemon_proxy_tlvs */
	int starttls;            /* enum daemon_starttls */
	struct conf_mark proxy_tlvs_mark;
	struct conf_texts fence;
	struct conf_mark fence_mark;
};

/* There may be very many: what is derived from an url is derived where it is used. */
struct settings_route {
	char *server_name; /* normalised */
	struct conf_mark server_name_mark;
	int any_depth;
	struct conf_mark depth_mark;
	struct conf_texts alpn, sources, listeners; /* conditions */
	struct conf_mark alpn_mark, sources_mark, listeners_mark;
	struct address_settings addresses;
	struct settings_upstream upstream;
	uint64_t idle_ms, stall_ms;
};

struct settings_limits {
	uint64_t flows, flows_per_client;
	uint64_t hello_ms, hello_bytes;
	uint64_t hellos, hellos_per_client, hello_memory;
	uint64_t handshakes, channel_handshakes, handshake_ms;
	uint64_t sessions, sessions_per_identity, channels, channels_per_identity;
	uint64_t flows_per_identity; /* derived where it is 0: flows */
	uint64_t endpoints, endpoints_per_session;
	/* 0: no bound.  The first and the last are derived where they are not given. */
	uint64_t flows_per_second, flows_per_client_per_second;
	uint64_t flows_per_name, flows_per_name_per_second, sessions_per_second;
	struct conf_mark flows_per_second_mark, sessions_per_second_mark;
	uint64_t agent_descriptors; /* 0: as limits.h derives it */
	char *memory;               /* daemon_rows_memory() */
};

struct settings {
	uint64_t version;
	char *workers; /* "auto" or a number */
	struct conf_mark workers_mark;
	bool has_key_process;
	struct conf_items listeners;
	char *connect_name; /* NULL: no agents, static routes only */
	struct conf_mark connect_name_mark;
	char connect_pattern[NAME_SIZE]; /* derived */
	char *certificate, *private_key;
	struct conf_mark certificate_mark, private_key_mark;
	struct renewal_settings renew; /* of that certificate */
	struct conf_texts agent_cas, agent_crls, agent_crl_url;
	struct conf_mark agent_cas_mark, agent_crls_mark, agent_crl_url_mark;
	struct crl_policy_settings agent_crl;
	char *region;
	struct conf_items routes;
	char *refuse[REFUSALS];
	struct conf_mark refuse_mark[REFUSALS];
	struct refuse_rule rules[REFUSALS]; /* derived */
	struct settings_limits limits;
	uint64_t pool_least, pool_most, pool_ping_ms;
	uint64_t tolerance_ms, half_closed_ms, stall_ms, drain_ms;
	char *state_dir;
	char *admin_socket, *admin_group;
	struct conf_mark admin_group_mark;
	struct web_settings web;
	struct log_settings log;
};

/* Reads, checks, and tells every error on `messages`.  Wipe in any case.
 * *unreadable (may be NULL): there is no such file, or we may not read it. */
bool settings_read(struct settings *, const char *path, FILE *messages, bool *unreadable);
void settings_wipe(struct settings *);
/* Frees the routes, once they are made ready for use (rules.c): of 100 000 they are most of it. */
void settings_drop_routes(struct settings *);
/* The same for the same routes, as long as they are there. */
uint64_t settings_routes_digest(const struct settings *);
/* What differs between two, by keys, the routes aside. */
void settings_compare(
    const struct settings *before, const struct settings *after, struct conf_changes *);
/* Where the upstream of this index is; of one that the client's name decides only the target, with its
 * {1}. */
void settings_parse_upstream(const struct settings_route *, size_t index, struct upstream_url *);
/* Its url that the client's name decides, or NULL. */
const char *settings_route_template(const struct settings_route *);
/* Whether it is for everybody who asks for its name. */
bool settings_route_takes_all(const struct settings_route *);
/* The rows of struct admin_place: where this relay listens to its operator. */
extern const struct conf_row settings_admin_rows[];

struct settings_listener *settings_listener_at(const struct settings *, size_t index);
struct settings_route *settings_route_at(const struct settings *, size_t index);
/* The number of workers; "auto" means one for each core. */
unsigned settings_worker_count(const struct settings *);

#endif
