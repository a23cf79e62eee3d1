/*
 * Captures may come from anywhere: packets of any bytes, of every link type
 * that is known.  The input: a byte that chooses the link type, then packets, each
 * behind two bytes of length.  What is held of a connection stays within its bound.
 */
#include <pcap/dlt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sni/clienthello.h"
#include "sni/tool/flight.h"
#include "sni/tool/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HELLO_MOST = 600 };

/* Each packet in a block of its own, so that a sanitizer sees its end. */
static void
add_packet(struct flights *flights, int link_type, const uint8_t *data, size_t bytes)
{
	struct packet_segment segment;
	uint8_t *packet = malloc(bytes ? bytes : 1);

	if (!packet)
		return;
	memcpy(packet, data, bytes);
	if (packet_decode(&segment, link_type, packet, bytes)) {
		if (segment.data < packet || segment.data + segment.bytes > packet + bytes)
			abort();
		flights_add(flights, &segment);
	}
	free(packet);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int link_types[] = { DLT_EN10MB, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_NULL,
		DLT_RAW, DLT_IPV4, 9999 };
	struct flights *flights;
	int link_type;

	if (size < 1)
		return 0;
	link_type = link_types[data[0] % (sizeof link_types / sizeof *link_types)];
	flights = flights_new(HELLO_MOST);
	for (size_t at = 1; size - at >= 2;) {
		size_t bytes = (size_t)(data[at] << 8 | data[at + 1]);

		at += 2;
		if (bytes > size - at)
			bytes = size - at;
		add_packet(flights, link_type, data + at, bytes);
		at += bytes;
	}
	for (const struct flight *f = flights_first(flights); f; f = f->next)
		if (f->bytes > HELLO_MOST * CLIENTHELLO_WIRE_FACTOR)
			abort();
	flights_free(flights);
	return 0;
}
