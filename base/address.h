/*
 * Socket addresses as values: text to address and back, prefixes and lists.
 * IPv4-mapped IPv6 addresses become IPv4 here, once, before anyone logs, limits or lists them.
 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address {
	socklen_t bytes; /* 0: none */
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	} as;
};

/* An address that is no path, in a quarter of the room: for what there are many of. */
struct ip_address {
	socklen_t bytes; /* 0: none */
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} as;
};

/* A path becomes "none". */
struct ip_address ip_address_of(const struct address *);
struct address address_of_ip(const struct ip_address *);

enum { ADDRESS_TEXT = 128 };

/* From the kernel; IPv4-mapped becomes IPv4. */
void address_from(struct address *, const struct sockaddr *, socklen_t);
/* "192.0.2.1:443", "[2001:db8::1]:443", "unix:/path" or "-"; `out` has ADDRESS_TEXT bytes. */
const char *address_text(const struct address *, char *out);
/* The same without the port. */
const char *address_host_text(const struct address *, char *out);
uint16_t address_port(const struct address *);
/* The same address and port. */
bool address_equals(const struct address *, const struct address *);
/* Whether it is 0.0.0.0 or [::], any of this host's addresses. */
bool address_is_any(const struct address *);
/* 0.0.0.0 with this port. */
struct address address_any_v4(uint16_t port);
/* A literal "192.0.2.1:443", "[::]:443", "unix:/path"; no names. */
bool address_parse(struct address *, const char *text);

/* Splits "host:port" or "[v6]:port"; host has 254 bytes, brackets off. Port 1..65535 in
 * up to five digits, so that the text has no more than 261 bytes. */
bool host_port_split(const char *text, char host[254], uint16_t *port);

/*
 * A prefix is a set of addresses that begin alike.  However it is made, it is
 * normal: IPv4-mapped is IPv4, and bits beyond the prefix are zero, so that
 * equal prefixes are equal bytes.  IPv4 and IPv6 have no address in common
 * (::/0 holds no IPv4 address).
 */
struct prefix {
	int family;        /* AF_INET or AF_INET6; AF_UNSPEC holds nothing */
	uint8_t bits;      /* 0..32 or 0..128 */
	uint8_t bytes[16]; /* network order */
};

enum { PREFIX_TEXT = 52 };

/* "192.0.2.0/24", "2001:db8::/32", or one address. */
bool prefix_parse(struct prefix *, const char *text);
/* The same, but refuses a text with bits beyond the prefix ("192.0.2.1/24"): where somebody
 * means an address and writes a network, guessing would allow more than he meant. */
bool prefix_parse_exact(struct prefix *, const char *text);
/* From 4 or 16 octets in network order; false when there are others, or more bits than these
 * have. */
bool prefix_from(struct prefix *, const void *octets, size_t count, unsigned bits);
/* "192.0.2.0/24"; `out` has PREFIX_TEXT bytes. */
const char *prefix_text(const struct prefix *, char *out);
bool prefix_holds(const struct prefix *, const struct address *);
/* Whether every address of `inner` is one of `outer`.  Two prefixes are nested or have nothing
 * in common. */
bool prefix_covers(const struct prefix *outer, const struct prefix *inner);
/* The first v4_bits or v6_bits bits of `address`. */
struct prefix prefix_of(const struct address *, uint8_t v4_bits, uint8_t v6_bits);
bool prefix_equals(const struct prefix *, const struct prefix *);

/* Which addresses a limit or a queue counts as one client.  Whoever gets one address of a block has the
 * others for nothing. */
enum prefix_block {
	BLOCK_HOST,    /* /32 and /64: one customer's line */
	BLOCK_SITE,    /* /32 and /48: one customer */
	BLOCK_NETWORK, /* /24 and /48: the smallest that is routed */
};
struct prefix prefix_block(const struct address *, enum prefix_block);
/* Keyed hash of a prefix, for tables that strangers fill. */
uint64_t prefix_hash(const struct prefix *, const uint8_t key[16]);

#endif
