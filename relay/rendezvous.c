/*
 * With u drawn evenly from (0, 1), -log(u) / weight is an exponential time whose rate is the weight; of
 * several such times the earliest is that of an agent with a chance in the ratio of its weight.
 */
#include "relay/rendezvous.h"

enum { FRACTION_BITS = 24 };

/* The last steps of splitmix64 (Steele, Lea and Flood 2014): each bit of it depends on all. */
static uint64_t
mix(uint64_t bits)
{
	bits = (bits ^ bits >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	bits = (bits ^ bits >> 27) * UINT64_C(0x94d049bb133111eb);
	return bits ^ bits >> 31;
}

struct rendezvous
rendezvous_draw(uint64_t agent_hash, uint64_t client_hash, uint16_t weight)
{
	return (struct rendezvous){ mix(agent_hash ^ mix(client_hash)) | 1, weight ? weight : 1 };
}

/* -log2(drawn / 2^64), in units of 2^-FRACTION_BITS.  Squaring a number doubles its logarithm, so that each
 * square shows one bit more of the fraction. */
static uint64_t
time_of(uint64_t drawn)
{
	unsigned zeros = (unsigned)__builtin_clzll(drawn);
	uint64_t square = drawn << zeros >> 32, fraction = 0;

	for (int i = 0; i < FRACTION_BITS; i++) {
		square = square * square >> 31;
		fraction = fraction << 1 | square >> 32;
		square >>= square >> 32;
	}
	return ((UINT64_C(1) + zeros) << FRACTION_BITS) - fraction;
}

bool
rendezvous_beats(const struct rendezvous *a, const struct rendezvous *b)
{
	if (a->weight == b->weight)
		return a->drawn > b->drawn;
	return time_of(a->drawn) * b->weight < time_of(b->drawn) * a->weight;
}
