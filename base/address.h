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
	socklen_t bytes;	/* 0: none */
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	} as;
};

enum { ADDRESS_TEXT = 128 };

/* From the kernel; IPv4-mapped becomes IPv4. */
void address_from(struct address *, const struct sockaddr *, socklen_t);
/* "192.0.2.1:443", "[2001:db8::1]:443", "unix:/path" or "-"; `out` has ADDRESS_TEXT bytes. */
const char *address_text(const struct address *, char *out);
/* The same without the port. */
const char *address_host_text(const struct address *, char *out);
uint16_t address_port(const struct address *);
/* A literal "192.0.2.1:443", "[::]:443", "unix:/path"; no names. */
bool address_parse(struct address *, const char *text);

/* Splits "host:port" or "[v6]:port"; host has 254 bytes, brackets off. Port 1..65535. */
bool host_port_split(const char *text, char host[254], uint16_t *port);

/* A block of addresses. */
struct prefix {
	int family;		/* AF_INET or AF_INET6 */
	uint8_t bits;
	uint8_t bytes[16];	/* bits beyond the prefix are zero */
};

/* "192.0.2.0/24", "2001:db8::/32", or one address. */
bool prefix_parse(struct prefix *, const char *text);
bool prefix_holds(const struct prefix *, const struct address *);
/* The block that `address` is limited by: its first v4_bits or v6_bits bits. */
struct prefix prefix_of(const struct address *, uint8_t v4_bits, uint8_t v6_bits);
bool prefix_equals(const struct prefix *, const struct prefix *);
/* Keyed hash of a prefix, for tables that strangers fill. */
uint64_t prefix_hash(const struct prefix *, const uint8_t key[16]);

#endif
