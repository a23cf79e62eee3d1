/*
 * What is known of one accepted connection before it has become anything: its
 * descriptor, both addresses, the bytes read so far and what they say.  A plain
 * value with one owner; it is moved by assignment, and the giver forgets it.
 */
#ifndef RELAY_CONN_H
#define RELAY_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/address.h"
#include "sni/clienthello.h"

struct conn {
	int fd; /* -1: none */
	struct ip_address client;
	const struct ip_address *listener; /* it came in by; lives as long as its worker */
	struct address *told; /* owned: the listener of a PROXY header; NULL: the socket knows */
	uint64_t accepted_us;
	uint8_t *wire; /* all that was read, and not used up */
	size_t bytes, capacity;
	struct clienthello hello;
	bool is_second_choice; /* a refusal has routed it here, and must not again */
	bool is_counted;       /* as a new flow, by arrival_of_flow() */
	/* What the last read gave was all that had come: the next one would say CONN_WAIT. */
	bool is_dry;
	bool is_known_peer; /* an agent's: it comes from where agents are (relay/recent_peers.h) */
};

enum conn_io { CONN_GOT, CONN_WAIT, CONN_FULL, CONN_END, CONN_RESET, CONN_MEMORY };

/* One read into the growing buffer, which holds `most` bytes at most. */
enum conn_io conn_read(struct conn *, size_t most);
struct address conn_client(const struct conn *);
/* Where the client thinks it has connected to. */
struct address conn_listener(const struct conn *);
/* As a PROXY header says; false when memory is short. */
bool conn_set_listener(struct conn *, const struct address *);
/* Frees the bytes; what is said of the client stays. */
void conn_forget_bytes(struct conn *);
/* Closes and frees. */
void conn_wipe(struct conn *);

#endif
