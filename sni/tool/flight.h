/*
 * The first flights of the clients in a capture: TCP segments in, in any order
 * and as often as they were sent; out, for each connection, what its client
 * said first, put in order.
 */
#ifndef SNI_TOOL_FLIGHT_H
#define SNI_TOOL_FLIGHT_H

#include <stddef.h>
#include <stdint.h>

#include "sni/clienthello.h"
#include "sni/tool/packet.h"

struct flight {
	struct packet_end client, server;
	bool ipv6;
	uint32_t first; /* sequence number of the client's first byte */
	struct clienthello hello;
	uint8_t *wire; /* what is there without a gap */
	size_t bytes;
	struct flight_piece *pieces; /* what came ahead of a gap */
	struct flight *next;         /* in the order of appearance */
	struct flight *chain;        /* in its slot of the table */
};

struct flights;

/* Each hello is bounded by most_bytes, and so is what is held of a connection. */
struct flights *flights_new(size_t most_bytes);
void flights_free(struct flights *flights);

void flights_add(struct flights *flights, const struct packet_segment *segment);

struct flight *flights_first(struct flights *flights);

#endif
