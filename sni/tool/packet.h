/*
 * From a captured packet to the TCP segment in it.  Pure: no state, no
 * allocation; any bytes may come in.
 */
#ifndef SNI_TOOL_PACKET_H
#define SNI_TOOL_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One end of a connection; IPv4 addresses fill the first four bytes. */
struct packet_end {
	uint8_t address[16];
	uint16_t port;
};

struct packet_segment {
	bool ipv6;
	struct packet_end from, to;
	uint32_t sequence; /* of the first byte of data (behind a SYN) */
	bool syn, ack;
	const uint8_t *data; /* inside the packet */
	size_t bytes;        /* as far as they were captured */
};

/* Whether packet_decode knows that libpcap link type (DLT_...). */
bool packet_knows(int link_type);

/*
 * False if it holds no whole TCP header: another protocol, a fragment behind
 * the first, or cut short by the capture.
 */
bool packet_decode(struct packet_segment *out, int link_type, const uint8_t *packet, size_t bytes);

#endif
