/* The places of agents in a turn of returning. */
#include "relay/return_places.h"

enum { PLACE_BITS = 16, FIRST_PLACE = 1 << PLACE_BITS >> 3 };

uint16_t
return_places_next(struct return_places *places)
{
	uint32_t number = atomic_fetch_add(&places->taken, 1), reversed = 0;

	for (int i = 0; i < PLACE_BITS; i++)
		reversed |= (number >> i & 1) << (PLACE_BITS - 1 - i);
	return (uint16_t)(reversed + FIRST_PLACE);
}
