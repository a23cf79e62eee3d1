/* libpcap reads the file, packet.c the packets. */
#include "sni/tool/capture.h"

#include <pcap/pcap.h>
#include <string.h>

#include "sni/tool/flight.h"
#include "sni/tool/packet.h"

bool
capture_begins(const unsigned char magic[CAPTURE_MAGIC])
{
	static const char *const known[] = {
		"\xa1\xb2\xc3\xd4", "\xd4\xc3\xb2\xa1", /* pcap */
		"\xa1\xb2\x3c\x4d", "\x4d\x3c\xb2\xa1", /* with nanoseconds */
		"\x0a\x0d\x0d\x0a",                     /* pcapng */
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (memcmp(magic, known[i], CAPTURE_MAGIC) == 0)
			return true;
	return false;
}

static bool
add_packets(struct flights *flights, pcap_t *capture, char error[CAPTURE_ERROR])
{
	struct pcap_pkthdr *header;
	const unsigned char *packet;
	int link_type = pcap_datalink(capture), got;

	if (!packet_knows(link_type)) {
		snprintf(error, CAPTURE_ERROR,
		    "cannot read packets of link type %d (%s); "
		    "capture on Ethernet, loopback or \"any\"",
		    link_type, pcap_datalink_val_to_description_or_dlt(link_type));
		return false;
	}
	while ((got = pcap_next_ex(capture, &header, &packet)) == 1) {
		struct packet_segment segment;

		if (packet_decode(&segment, link_type, packet, header->caplen))
			flights_add(flights, &segment);
	}
	if (got == PCAP_ERROR)
		snprintf(error, CAPTURE_ERROR, "%s", pcap_geterr(capture));
	return got != PCAP_ERROR;
}

bool
capture_read(struct flights *flights, FILE *file, char error[CAPTURE_ERROR])
{
	char text[PCAP_ERRBUF_SIZE] = "";
	pcap_t *capture = pcap_fopen_offline(file, text);
	bool read;

	if (!capture) {
		snprintf(error, CAPTURE_ERROR, "%s", text);
		fclose(file);
		return false;
	}
	read = add_packets(flights, capture, error);
	pcap_close(capture);
	return read;
}
