/* TCP reassembly, in one direction and only of the first bytes. */
#include "sni/tool/flight.h"

#include <stdlib.h>
#include <string.h>

#include "sni/tool/xalloc.h"

enum { SLOTS = 4096, PIECES_MOST = 1024 };

/* Bytes from their offset in the client's stream on. */
struct flight_piece {
	size_t at, bytes;
	struct flight_piece *next;
	uint8_t data[];
};

struct flights {
	size_t most_bytes, most_wire;
	struct flight *slots[SLOTS];
	struct flight *first, **last;
};

struct flights *
flights_new(size_t most_bytes)
{
	struct flights *flights = xalloc(sizeof *flights);

	flights->most_bytes = most_bytes;
	flights->most_wire = most_bytes * CLIENTHELLO_WIRE_FACTOR;
	flights->last = &flights->first;
	return flights;
}

static void
flight_free(struct flight *flight)
{
	while (flight->pieces) {
		struct flight_piece *piece = flight->pieces;

		flight->pieces = piece->next;
		free(piece);
	}
	free(flight->wire);
	free(flight);
}

void
flights_free(struct flights *flights)
{
	while (flights->first) {
		struct flight *flight = flights->first;

		flights->first = flight->next;
		flight_free(flight);
	}
	free(flights);
}

struct flight *
flights_first(struct flights *flights)
{
	return flights->first;
}

static bool
same_end(const struct packet_end *a, const struct packet_end *b)
{
	return a->port == b->port && memcmp(a->address, b->address, sizeof a->address) == 0;
}

/* The same slot for both directions. */
static size_t
slot_of(const struct packet_segment *segment)
{
	size_t sum = (size_t)segment->from.port * segment->to.port;

	for (size_t i = 0; i < sizeof segment->from.address; i++)
		sum = sum * 31 + segment->from.address[i] + segment->to.address[i];
	return sum % SLOTS;
}

/* The youngest connection between the two ends; *from_client tells the direction. */
static struct flight *
find(const struct flights *flights, const struct packet_segment *segment, bool *from_client)
{
	struct flight *flight = flights->slots[slot_of(segment)];

	for (; flight; flight = flight->chain) {
		*from_client = same_end(&flight->client, &segment->from) &&
		    same_end(&flight->server, &segment->to);
		if (*from_client ||
		    (same_end(&flight->client, &segment->to) &&
			same_end(&flight->server, &segment->from)))
			return flight;
	}
	return NULL;
}

static struct flight *
open_flight(struct flights *flights, const struct packet_segment *segment)
{
	struct flight *flight = xalloc(sizeof *flight);
	struct flight **slot = &flights->slots[slot_of(segment)];

	flight->client = segment->from;
	flight->server = segment->to;
	flight->ipv6 = segment->ipv6;
	flight->first = segment->sequence;
	clienthello_init(&flight->hello, flights->most_bytes);
	flight->chain = *slot;
	*slot = flight;
	*flights->last = flight;
	flights->last = &flight->next;
	return flight;
}

/* Keeps a piece that came ahead of a gap, in the order of arrival; beyond a bound it is lost. */
static void
keep_piece(struct flight *flight, size_t at, const uint8_t *data, size_t bytes)
{
	struct flight_piece **end = &flight->pieces, *piece;
	size_t count = 0;

	for (; *end; end = &(*end)->next)
		count++;
	if (count == PIECES_MOST)
		return;
	piece = xalloc(sizeof *piece + bytes);
	*piece = (struct flight_piece){ .at = at, .bytes = bytes };
	memcpy(piece->data, data, bytes);
	*end = piece;
}

/* Adds what lies at or before the end of the wire bytes: what is there already stays. */
static void
append(struct flight *flight, size_t at, const uint8_t *data, size_t bytes)
{
	size_t known = flight->bytes - at;

	if (bytes <= known)
		return;
	flight->wire = xalloc_more(flight->wire, at + bytes);
	memcpy(flight->wire + flight->bytes, data + known, bytes - known);
	flight->bytes = at + bytes;
}

/* Appends the kept pieces that the gap no longer holds back. */
static void
append_pieces(struct flight *flight)
{
	struct flight_piece **link = &flight->pieces;

	while (*link) {
		struct flight_piece *piece = *link;

		if (piece->at > flight->bytes) {
			link = &piece->next;
			continue;
		}
		append(flight, piece->at, piece->data, piece->bytes);
		*link = piece->next;
		free(piece);
		link = &flight->pieces; /* an earlier piece may follow on this one */
	}
}

/* The client's bytes from this segment; those far ahead or before the first are not ours. */
static void
take(const struct flights *flights, struct flight *flight, const struct packet_segment *segment)
{
	size_t at = (uint32_t)(segment->sequence - flight->first), bytes = segment->bytes;

	if (bytes == 0 || at >= flights->most_wire ||
	    flight->hello.verdict != CLIENTHELLO_INCOMPLETE)
		return;
	if (bytes > flights->most_wire - at)
		bytes = flights->most_wire - at;
	if (at > flight->bytes) {
		keep_piece(flight, at, segment->data, bytes);
		return;
	}
	append(flight, at, segment->data, bytes);
	append_pieces(flight);
	clienthello_read(&flight->hello, flight->wire, flight->bytes);
}

/*
 * A SYN opens a connection, also between two ends that had one before.  Where
 * the capture began too late for the SYN, whoever sends data first is the client.
 */
void
flights_add(struct flights *flights, const struct packet_segment *segment)
{
	bool from_client = false;
	struct flight *flight = find(flights, segment, &from_client);
	bool first_syn = segment->syn && !segment->ack;
	bool known = flight && (!first_syn || flight->first == segment->sequence);

	if (!known && (first_syn || segment->bytes > 0)) {
		flight = open_flight(flights, segment);
		from_client = true;
	}
	if (from_client)
		take(flights, flight, segment);
}
