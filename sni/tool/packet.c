/* Link layer, IP, TCP: only as much of each as leads to the bytes. */
#include "sni/tool/packet.h"

#include <pcap/dlt.h>
#include <string.h>

#include "base/cursor.h"

enum {
	ETHER_VLAN = 0x8100,
	ETHER_QINQ = 0x88a8,
	ETHER_IPV4 = 0x0800,
	ETHER_IPV6 = 0x86dd,
	IP_HOP_BY_HOP = 0,
	IP_TCP = 6,
	IP_ROUTING = 43,
	IP_FRAGMENT = 44,
	IP_OPTIONS = 60,
	TCP_SYN = 0x02,
	TCP_ACK = 0x10,
};

/* What stands before the IP header; where none of it names the protocol, IP's version does. */
static const struct link_layer {
	int type;
	size_t before;     /* bytes to skip, up to the protocol if there is one */
	bool has_protocol; /* an EtherType follows */
	size_t behind;     /* bytes to skip behind that */
} links[] = {
	{ DLT_EN10MB, 12, true, 0 },
	{ DLT_LINUX_SLL, 14, true, 0 },
	{ DLT_LINUX_SLL2, 0, true, 18 },
	{ DLT_NULL, 4, false, 0 },
	{ DLT_LOOP, 4, false, 0 },
	{ DLT_RAW, 0, false, 0 },
	{ 101 /* LINKTYPE_RAW */, 0, false, 0 },
	{ DLT_IPV4, 0, false, 0 },
	{ DLT_IPV6, 0, false, 0 },
};

static const struct link_layer *
find_link(int type)
{
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		if (links[i].type == type)
			return &links[i];
	return NULL;
}

bool
packet_knows(int link_type)
{
	return find_link(link_type) != NULL;
}

/* Up to the IP header. */
static bool
skip_link(struct cursor *c, const struct link_layer *link)
{
	unsigned protocol;

	cursor_bytes(c, link->before);
	if (!link->has_protocol)
		return !c->failed;
	protocol = cursor_u16(c);
	while (protocol == ETHER_VLAN || protocol == ETHER_QINQ) {
		cursor_u16(c);
		protocol = cursor_u16(c);
	}
	cursor_bytes(c, link->behind);
	return !c->failed && (protocol == ETHER_IPV4 || protocol == ETHER_IPV6);
}

/* The packet's own length, which may leave out padding; captures of offloaded packets say 0. */
static void
trim(struct cursor *c, size_t bytes)
{
	if (bytes > 0 && bytes < c->left)
		c->left = bytes;
}

static bool
read_ipv4(struct cursor *c, struct packet_segment *out)
{
	size_t header = (size_t)(cursor_u8(c) & 15) * 4, total;
	unsigned fragment, protocol;

	cursor_u8(c);
	total = cursor_u16(c);
	cursor_u16(c);
	fragment = cursor_u16(c) & 0x3fff; /* the offset, and whether more follow */
	cursor_u8(c);
	protocol = cursor_u8(c);
	cursor_u16(c);
	cursor_copy(c, out->from.address, 4);
	cursor_copy(c, out->to.address, 4);
	if (c->failed || header < 20 || fragment != 0 || protocol != IP_TCP)
		return false;
	trim(c, total > 20 ? total - 20 : 0);
	cursor_bytes(c, header - 20);
	return !c->failed;
}

static bool
read_ipv6(struct cursor *c, struct packet_segment *out)
{
	size_t payload;
	unsigned next;

	cursor_u32(c);
	payload = cursor_u16(c);
	next = cursor_u8(c);
	cursor_u8(c);
	cursor_copy(c, out->from.address, 16);
	cursor_copy(c, out->to.address, 16);
	trim(c, payload);
	while (!c->failed && (next == IP_HOP_BY_HOP || next == IP_ROUTING || next == IP_OPTIONS)) {
		next = cursor_u8(c);
		cursor_bytes(c, (size_t)cursor_u8(c) * 8 + 6);
	}
	return !c->failed && next == IP_TCP;
}

static bool
read_tcp(struct cursor *c, struct packet_segment *out)
{
	size_t header;
	unsigned flags;

	out->from.port = cursor_u16(c);
	out->to.port = cursor_u16(c);
	out->sequence = cursor_u32(c);
	cursor_u32(c);
	header = (size_t)(cursor_u8(c) >> 4) * 4;
	flags = cursor_u8(c);
	cursor_bytes(c, 6);
	if (c->failed || header < 20)
		return false;
	cursor_bytes(c, header - 20);
	out->syn = flags & TCP_SYN;
	out->ack = flags & TCP_ACK;
	if (out->syn)
		out->sequence++;
	out->bytes = c->left;
	out->data = cursor_bytes(c, c->left);
	return !c->failed;
}

bool
packet_decode(struct packet_segment *out, int link_type, const uint8_t *packet, size_t bytes)
{
	const struct link_layer *link = find_link(link_type);
	struct cursor c = cursor_over(packet, bytes);

	memset(out, 0, sizeof *out);
	if (!link || !skip_link(&c, link) || c.left == 0)
		return false;
	out->ipv6 = *c.at >> 4 == 6;
	if (!out->ipv6 && *c.at >> 4 != 4)
		return false;
	return (out->ipv6 ? read_ipv6(&c, out) : read_ipv4(&c, out)) && read_tcp(&c, out);
}
