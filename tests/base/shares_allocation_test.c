/* Each allocation that entering makes fails once: nobody is half in. */
#include "base/shares.h"

#include <stdio.h>
#include <stdlib.h>
#include "allocation.h"
#include "helpers.h"

enum { GUESTS = 3000 };

static void
on_evict(void *arg)
{
	(void)arg;
}

static struct address
address_of(unsigned number)
{
	struct address address = { .bytes = sizeof(struct sockaddr_in), .as.v4.sin_family = AF_INET };

	address.as.v4.sin_addr.s_addr = number * 2654435761u;
	return address;
}

/* Every tenth comes from one address and every third is heavy, so that levels grow, too. */
static unsigned
enter_all(struct shares *shares, struct loop *loop, struct shares_place **places)
{
	unsigned in = 0;

	for (unsigned i = 0; i < GUESTS; i++) {
		struct address from = address_of(i % 10 ? i : 0);
		struct shares_entrant entrant = { loop, &from, (uint8_t)(i % 3), on_evict, NULL };
		enum shares_verdict verdict;

		places[i] = shares_enter(shares, &entrant, &verdict);
		assert_int_equal(verdict, places[i] ? SHARES_IN : SHARES_MEMORY);
		if (places[i] && i % 3 == 0)
			shares_weigh(places[i], i + 1);
		in += places[i] != NULL;
	}
	return in;
}

static void
nobody_is_half_in(void **state)
{
	static struct shares_place *places[GUESTS];
	struct loop *loop = loop_new();
	unsigned n = 0, failures = 0;

	(void)state;
	do {
		struct shares *shares;
		unsigned in;

		/* Each of the first, then steps: most of them are places. */
		allocation_fail(n += n < 60 ? 1 : 211);
		shares = shares_new(SHARES_NEWEST);
		if (!shares)
			continue;
		in = enter_all(shares, loop, places);
		failures += in < GUESTS;
		assert_int_equal(shares_count(shares), in);
		for (unsigned i = 0; i < GUESTS; i++)
			shares_leave(places[i]);
		assert_int_equal(shares_count(shares), 0);
		shares_free(shares);
	} while (allocation_failed());
	allocation_fail(0);
	assert_true(failures > 50);
	loop_free(loop);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(nobody_is_half_in),
};

RUN_TESTS("base/shares, short of memory", tests)
