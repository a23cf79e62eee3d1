/* Which endpoint of a set gets a flow: route.h has the order. */
#include "relay/route.h"

#include <stdlib.h>
#include "base/address_rules.h"
#include "relay/rendezvous.h"
#include "relay/route_private.h"
#include "relay/session_ref.h"

/* Whether the agent's lists of addresses let this client in, as far as it has told them. */
bool
route_claim_admits(const struct route_claim *claim, const struct route_question *question)
{
	struct address client;

	if (!claim->addresses)
		return true;
	client = address_of_ip(&question->client);
	return address_rules_admit(claim->addresses, &client);
}

/* How well an endpoint stands for this flow; the worst first. */
enum standing {
	EXCLUDED, /* it has failed this flow for good, or lets this client not in, or takes no flows */
	DOUBTFUL, /* it has failed this flow once, or may be dead */
	HELD_BACK,
	GOOD,
};

static enum standing
standing_of(const struct route_claim *claim, const struct route_question *question)
{
	if (!session_ref_is_usable(claim->session_ref) || !route_claim_admits(claim, question))
		return EXCLUDED;
	for (unsigned i = 0; i < question->tried_count; i++) {
		if (question->tried[i] == claim->session_ref)
			return question->excluded[i] ? EXCLUDED : DOUBTFUL;
	}
	if (session_ref_is_suspect(claim->session_ref))
		return DOUBTFUL;
	return route_claim_is_held_back(claim) ? HELD_BACK : GOOD;
}

bool
route_claim_may_serve(const struct route_claim *claim, const struct route_question *question)
{
	return standing_of(claim, question) != EXCLUDED;
}

/* The higher one goes first; 0 not at all. */
static unsigned
rank_of(const struct route_claim *claim, const struct route_question *question)
{
	enum standing standing = standing_of(claim, question);

	return standing == EXCLUDED ? 0 : ((unsigned)standing << 8 | UINT8_MAX) - claim->priority;
}

static bool
is_less_busy(const struct route_claim *a, const struct route_claim *b)
{
	return (session_ref_flows(a->session_ref) + 1) * (b->weight ? b->weight : 1u) <
	    (session_ref_flows(b->session_ref) + 1) * (a->weight ? a->weight : 1u);
}

/* Numbers for one look-up, which asks the kernel for randomness once: below `count`, by the upper half of a
 * linear congruential generator (Knuth's MMIX). */
static size_t
next_lot(uint64_t *lots, size_t count)
{
	*lots = *lots * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (size_t)((*lots >> 32) * count >> 32);
}

/* What a search has found so far: of the highest rank two that are drawn, and the one that the client's block
 * is led to. */
struct choice {
	uint64_t lots, client_hash;
	bool has_client; /* with a hash; else nobody is led anywhere */
	unsigned rank;
	size_t count;
	const struct route_claim *drawn[2];
	bool is_by_source;
	struct rendezvous best;
	const struct route_claim *led_to;
};

/* Each of those that were seen has the same chance to be one of the two. */
static void
draw(struct choice *choice, const struct route_claim *claim)
{
	size_t place = choice->count++;

	if (place >= 2)
		place = next_lot(&choice->lots, choice->count);
	if (place < 2)
		choice->drawn[place] = claim;
}

/* Copies of one agent draw the same: the less busy one of them is taken. */
static void
lead(struct choice *choice, const struct route_claim *claim)
{
	struct rendezvous now = rendezvous_draw(
	    session_ref_agent_hash(claim->session_ref), choice->client_hash, claim->weight);

	choice->is_by_source |= claim->balance == BALANCE_SOURCE;
	if (choice->led_to && !rendezvous_beats(&now, &choice->best) &&
	    (rendezvous_beats(&choice->best, &now) || !is_less_busy(claim, choice->led_to)))
		return;
	choice->best = now;
	choice->led_to = claim;
}

static void
consider(struct choice *choice, const struct route_claim *claim, unsigned rank)
{
	if (rank == 0 || rank < choice->rank)
		return;
	if (rank > choice->rank) {
		choice->rank = rank;
		choice->count = 0;
		choice->is_by_source = false;
		choice->led_to = NULL;
	}
	draw(choice, claim);
	if (choice->has_client)
		lead(choice, claim);
}

/* Where both are equally busy each has the same chance: whoever was seen first would win otherwise. */
static const struct route_claim *
choice_of(struct choice *choice)
{
	size_t first = choice->count > 1 ? next_lot(&choice->lots, 2) : 0;

	if (choice->count == 0 || choice->is_by_source)
		return choice->led_to;
	if (choice->count > 1 && is_less_busy(choice->drawn[!first], choice->drawn[first]))
		return choice->drawn[!first];
	return choice->drawn[first];
}

/* Unkeyed: all relays must agree.  A client without an address is led nowhere. */
static void
note_client(struct choice *choice, const struct route_question *question)
{
	static const uint8_t no_key[16];
	const struct address client = address_of_ip(&question->client);
	const struct prefix block = prefix_block(&client, BLOCK_HOST);

	choice->has_client = block.family != 0;
	choice->client_hash = prefix_hash(&block, no_key);
}

static const struct route_claim *
search_all(
    struct route_set *set, size_t count, const struct route_question *question, uint64_t lots)
{
	struct choice choice = { .lots = lots };

	note_client(&choice, question);
	for (size_t i = 0; i < count; i++) {
		const struct route_claim *claim = route_claim_at(set, i);

		consider(&choice, claim, rank_of(claim, question));
	}
	return choice_of(&choice);
}

/* The short way, for sets in which nobody goes before others: the less busy one of two that are drawn. NULL:
 * one of these will not do. */
static const struct route_claim *
draw_two(struct route_set *set, size_t count, const struct route_question *question, uint64_t *lots)
{
	size_t first = next_lot(lots, count), second;
	const struct route_claim *a = route_claim_at(set, first), *b = a;

	if (count > 1) {
		second = next_lot(lots, count - 1);
		b = route_claim_at(set, second + (second >= first));
	}
	if (standing_of(a, question) != GOOD || standing_of(b, question) != GOOD)
		return NULL;
	return is_less_busy(b, a) ? b : a;
}

static const struct route_claim *
choose_once(struct route_pattern *pattern, struct route_set *set, size_t count,
    const struct route_question *question)
{
	const struct route_claim *claim = NULL;
	uint64_t lots;

	arc4random_buf(&lots, sizeof lots);
	if (atomic_load(&pattern->choosy) == 0)
		claim = draw_two(set, count, question, &lots);
	return claim ? claim : search_all(set, count, question, lots);
}

/* When a claim leaves, the last one moves into its place, which a search may have passed already;
 * then the search begins again. `departures` is odd while that happens. */
const struct route_claim *
route_choose(struct route_pattern *pattern, struct route_set *set, size_t count,
    const struct route_question *question)
{
	const struct route_claim *claim = NULL;
	unsigned before;

	for (int looks = 0; looks < ROUTE_LOOKS_MOST && count > 0; looks++) {
		before = atomic_load(&pattern->departures);
		claim = choose_once(pattern, set, count, question);
		if (claim || (before % 2 == 0 && before == atomic_load(&pattern->departures)))
			break;
		count = atomic_load_explicit(&set->count, memory_order_acquire);
	}
	return claim;
}
