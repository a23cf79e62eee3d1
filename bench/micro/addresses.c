/*
 * What lists of addresses cost a flow: one question to rules of as many prefixes as there may be, of either
 * family, beside a look at each of them, in processor's time; and that no question takes memory.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/address_rules.h"

enum { QUESTIONS = 1000000, CLIENTS = 4096, HOLD_NS = 500 };

static struct address clients[CLIENTS];

static double
now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void
must(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "bench/addresses: %s\n", what);
	exit(1);
}

/* 10.0.0.0/8 in parts, or 2001:db8::/32. */
static struct prefix
prefix_at(bool is_v6, size_t number)
{
	const uint8_t v4[4] = { 10, (uint8_t)number, 0, 0 };
	const uint8_t v6[16] = { 0x20, 1, 0x0d, 0xb8, 0, (uint8_t)number };
	struct prefix prefix;

	must(is_v6 ? prefix_from(&prefix, v6, 16, 64) : prefix_from(&prefix, v4, 4, 24),
	    "a prefix is not valid");
	return prefix;
}

/* Half of them in some prefix. */
static void
make_clients(bool is_v6)
{
	for (size_t i = 0; i < CLIENTS; i++) {
		struct address *at = &clients[i];
		const struct prefix in = prefix_at(is_v6, arc4random_uniform(ADDRESS_RULES_MOST));

		memset(at, 0, sizeof *at);
		at->bytes = is_v6 ? sizeof at->as.v6 : sizeof at->as.v4;
		at->as.any.sa_family = is_v6 ? AF_INET6 : AF_INET;
		if (is_v6)
			memcpy(&at->as.v6.sin6_addr, in.bytes, 16);
		else
			memcpy(&at->as.v4.sin_addr, in.bytes, 4);
		if (arc4random_uniform(2))
			continue;
		if (is_v6)
			at->as.v6.sin6_addr.s6_addr[6] = 1;
		else
			at->as.v4.sin_addr.s_addr |= htonl(0x100);
	}
}

static bool
look_at_each(const struct prefix *prefixes, size_t count, const struct address *client)
{
	for (size_t i = 0; i < count; i++)
		if (prefix_holds(&prefixes[i], client))
			return true;
	return false;
}

/* One row: false if a question took too long, or memory. */
static bool
measure(const char *name, bool is_v6, size_t allowed, size_t denied)
{
	struct prefix prefixes[ADDRESS_RULES_MOST];
	struct address_rules *rules;
	size_t let_in = 0, held, asked = 0;
	double began, took, plain;

	for (size_t i = 0; i < ADDRESS_RULES_MOST; i++)
		prefixes[i] = prefix_at(is_v6, i);
	rules = address_rules_new((struct address_list){ prefixes, allowed },
	    (struct address_list){ prefixes + allowed, denied });
	must(rules != NULL, "memory is short");
	make_clients(is_v6);
	held = mallinfo2().uordblks;
	began = now_ns();
	for (size_t i = 0; i < QUESTIONS; i++)
		let_in += address_rules_admit(rules, &clients[i % CLIENTS]);
	took = (now_ns() - began) / QUESTIONS;
	held = mallinfo2().uordblks - held;
	began = now_ns();
	for (size_t i = 0; i < QUESTIONS / 100; i++)
		asked += look_at_each(prefixes, allowed + denied, &clients[i % CLIENTS]);
	plain = (now_ns() - began) / (QUESTIONS / 100);
	printf("%-24s %7.0f ns a question, %7.0f ns one by one, %zu bytes kept, %zu of %d let in (%zu)\n", name,
	    took, plain, held, let_in, QUESTIONS, asked);
	address_rules_release(rules);
	return took <= HOLD_NS && held == 0;
}

int
main(void)
{
	bool holds = measure("256 of IPv4 allowed", false, ADDRESS_RULES_MOST, 0);

	holds &= measure("256 of IPv4 denied", false, 0, ADDRESS_RULES_MOST);
	holds &= measure("256 of IPv6 allowed", true, ADDRESS_RULES_MOST, 0);
	holds &= measure("128 of IPv6, 128 denied", true, ADDRESS_RULES_MOST / 2, ADDRESS_RULES_MOST / 2);
	printf("held (at most %d ns, and 0 bytes): %s\n", HOLD_NS, holds ? "yes" : "no");
	return !holds;
}
