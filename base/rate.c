/*
 * Token buckets for client blocks, for all of them together and for names.
 *
 * A bucket is kept as what was taken from it: an amount that fades with a time
 * constant of one second.  Whether a token is left is asked half a token early,
 * because what fades never reaches nothing: so a bucket that is kept empty gives
 * the bound's tokens a second also where the bound is small.
 */
#include "base/rate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/address.h"
#include "base/clock.h"
#include "base/hash.h"

enum { SETS = RATE_BUCKETS / RATE_WAYS, FADED_S = 16 };

/* An amount below which a bucket counts as full. */
static const double nothing = 1.0 / 64, half = 0.5;

struct bucket {
	uint64_t tag; /* the keyed hash of whose it is */
	uint64_t at_us;
	double taken; /* at that time */
};

struct rate_kind {
	struct rate_bounds bounds;
	struct bucket all;
};

struct rate_table {
	pthread_mutex_t lock;
	uint8_t key[16];
	struct rate_kind kinds[RATE_KINDS_MOST];
	struct bucket buckets[SETS][RATE_WAYS];
};

struct rate_table *
rate_table_new(void)
{
	struct rate_table *rates = calloc(1, sizeof *rates);

	if (!rates)
		return NULL;
	pthread_mutex_init(&rates->lock, NULL);
	arc4random_buf(rates->key, sizeof rates->key);
	return rates;
}

void
rate_table_free(struct rate_table *rates)
{
	if (!rates)
		return;
	pthread_mutex_destroy(&rates->lock);
	free(rates);
}

void
rate_set(struct rate_table *rates, unsigned kind, const struct rate_bounds *bounds)
{
	pthread_mutex_lock(&rates->lock);
	rates->kinds[kind].bounds = *bounds;
	pthread_mutex_unlock(&rates->lock);
}

/* ---- one bucket ---- */

/* What is left of 1 after x seconds: e to the power of -x, within a hundredth while it matters. */
static double
fade(double x)
{
	if (x >= FADED_S)
		return 0;
	return 1 / (1 + x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5)))));
}

static double
taken_from(const struct bucket *bucket, uint64_t now_us)
{
	if (bucket->taken <= 0)
		return 0;
	return bucket->taken * fade((double)(now_us - bucket->at_us) / 1e6);
}

static void
take(struct bucket *bucket, uint64_t now_us)
{
	bucket->taken = taken_from(bucket, now_us) + 1;
	bucket->at_us = now_us;
}

static bool
has_token(const struct bucket *bucket, uint64_t bound, uint64_t now_us)
{
	return bound == 0 || taken_from(bucket, now_us) + half <= (double)bound;
}

/* ---- the table ---- */

/* The bucket of this tag; a new one gets its place from a full one, else from the fullest. */
static struct bucket *
bucket_of(struct rate_table *rates, uint64_t tag, uint64_t now_us)
{
	struct bucket *set = rates->buckets[tag % SETS], *fullest = set;

	for (struct bucket *at = set; at < set + RATE_WAYS; at++) {
		if (at->tag == tag)
			return at;
		if (taken_from(at, now_us) < taken_from(fullest, now_us))
			fullest = at;
	}
	return fullest;
}

/* The bucket as it is, or a full one if it has no place. */
static struct bucket
look(struct rate_table *rates, uint64_t tag, uint64_t now_us)
{
	const struct bucket *at = bucket_of(rates, tag, now_us);

	if (at->tag == tag && taken_from(at, now_us) >= nothing)
		return *at;
	return (struct bucket){ .tag = tag, .at_us = now_us };
}

static void
take_in_table(struct rate_table *rates, const struct bucket *bucket, uint64_t now_us)
{
	struct bucket *at = bucket_of(rates, bucket->tag, now_us);

	*at = *bucket;
	take(at, now_us);
}

static uint64_t
tag_of(const struct rate_table *rates, unsigned kind, const struct prefix *prefix)
{
	uint8_t data[2 + sizeof prefix->bytes + 1] = { (uint8_t)kind, prefix->bits };

	memcpy(data + 2, prefix->bytes, sizeof prefix->bytes);
	data[sizeof data - 1] = (uint8_t)prefix->family;
	return hash_bytes(rates->key, data, sizeof data);
}

/* ---- the verdict ---- */

/* Whether this block has taken no more than its share of what is left for all. */
static bool
is_fair(const struct bucket *bucket, double left, uint64_t now_us)
{
	return taken_from(bucket, now_us) <= RATE_FAIR * left;
}

static enum rate_verdict
judge_all(const struct rate_kind *kind, const struct bucket *host, const struct bucket *network,
    uint64_t now_us)
{
	double left = (double)kind->bounds.in_all - taken_from(&kind->all, now_us);

	if (kind->bounds.in_all == 0)
		return RATE_OK;
	if (left < half)
		return RATE_ALL;
	return is_fair(host, left, now_us) && is_fair(network, left, now_us) ? RATE_OK : RATE_SHARE;
}

static enum rate_verdict
judge(const struct rate_kind *kind, const struct bucket *host, const struct bucket *network,
    uint64_t now_us)
{
	if (!has_token(host, kind->bounds.per_host, now_us))
		return RATE_HOST;
	if (!has_token(network, kind->bounds.per_network, now_us))
		return RATE_NETWORK;
	return judge_all(kind, host, network, now_us);
}

/* The lock is held. */
static enum rate_verdict
take_all(struct rate_table *rates, struct rate_kind *kind, uint64_t host_tag, uint64_t network_tag)
{
	uint64_t now_us = clock_us();
	struct bucket host = look(rates, host_tag, now_us);
	struct bucket network = look(rates, network_tag, now_us);
	enum rate_verdict verdict = judge(kind, &host, &network, now_us);

	if (verdict != RATE_OK)
		return verdict;
	take_in_table(rates, &host, now_us);
	take_in_table(rates, &network, now_us);
	take(&kind->all, now_us);
	return RATE_OK;
}

enum rate_verdict
rate_take(struct rate_table *rates, unsigned kind, const struct address *client)
{
	struct prefix host = prefix_block(client, BLOCK_HOST);
	struct prefix network = prefix_block(client, BLOCK_NETWORK);
	uint64_t host_tag = tag_of(rates, kind, &host);
	uint64_t network_tag = tag_of(rates, kind, &network);
	enum rate_verdict verdict;

	pthread_mutex_lock(&rates->lock);
	verdict = take_all(rates, &rates->kinds[kind], host_tag, network_tag);
	pthread_mutex_unlock(&rates->lock);
	return verdict;
}

bool
rate_take_name(struct rate_table *rates, unsigned kind, const char *name)
{
	uint64_t tag = hash_bytes(rates->key, name, strlen(name)) + kind;
	uint64_t now_us = clock_us();
	struct bucket bucket;
	bool has;

	pthread_mutex_lock(&rates->lock);
	bucket = look(rates, tag, now_us);
	has = has_token(&bucket, rates->kinds[kind].bounds.per_name, now_us);
	if (has)
		take_in_table(rates, &bucket, now_us);
	pthread_mutex_unlock(&rates->lock);
	return has;
}
