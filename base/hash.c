/* SipHash-2-4 and a chained table over it. */
#include "base/hash.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 16 };

struct sip {
	uint64_t a, b, c, d;
};

static uint64_t
load_le64(const uint8_t *at, size_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, bytes);
	return le64toh(value);
}

static inline uint64_t
rotate(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static inline struct sip
sip_rounds(struct sip s, int rounds)
{
	while (rounds-- > 0) {
		s.a += s.b;
		s.c += s.d;
		s.b = rotate(s.b, 13) ^ s.a;
		s.d = rotate(s.d, 16) ^ s.c;
		s.a = rotate(s.a, 32) + s.d;
		s.c += s.b;
		s.d = rotate(s.d, 21) ^ s.a;
		s.b = rotate(s.b, 17) ^ s.c;
		s.c = rotate(s.c, 32);
	}
	return s;
}

static inline struct sip
sip_word(struct sip s, uint64_t word)
{
	s.d ^= word;
	s = sip_rounds(s, 2);
	s.a ^= word;
	return s;
}

uint64_t
hash_bytes(const uint8_t key[16], const void *data, size_t bytes)
{
	const uint64_t k0 = load_le64(key, 8), k1 = load_le64(key + 8, 8);
	struct sip s = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
		k1 ^ 0x7465646279746573 };
	const uint8_t *at = data;
	size_t left = bytes;

	for (; left >= 8; at += 8, left -= 8)
		s = sip_word(s, load_le64(at, 8));
	s = sip_word(s, load_le64(at, left) | (uint64_t)bytes << 56);
	s.c ^= 0xff;
	s = sip_rounds(s, 4);
	return s.a ^ s.b ^ s.c ^ s.d;
}

_Bool
table_init(struct table *table)
{
	*table = (struct table){ .slot_count = FIRST_SLOTS };
	arc4random_buf(table->key, sizeof table->key);
	table->slots = calloc(table->slot_count, sizeof(struct hash_link *));
	if (!table->slots)
		*table = (struct table){ 0 };
	return table->slots != NULL;
}

void
table_wipe(struct table *table)
{
	free(table->slots);
	*table = (struct table){ 0 };
}

uint64_t
table_hash(const struct table *table, const void *data, size_t bytes)
{
	return hash_bytes(table->key, data, bytes);
}

static struct hash_link **
slot_of(const struct table *table, uint64_t hash)
{
	return &table->slots[hash & (table->slot_count - 1)];
}

static struct hash_link *
same_hash(struct hash_link *link, uint64_t hash)
{
	while (link && link->hash != hash)
		link = link->next;
	return link;
}

struct hash_link *
table_first(const struct table *table, uint64_t hash)
{
	return same_hash(*slot_of(table, hash), hash);
}

struct hash_link *
table_next(struct hash_link *link)
{
	return same_hash(link->next, link->hash);
}

struct hash_link *
table_find(const struct table *table, uint64_t hash,
    _Bool (*is)(const struct hash_link *, const void *), const void *key)
{
	struct hash_link *link = table_first(table, hash);

	while (link && !is(link, key))
		link = table_next(link);
	return link;
}

/* Without memory the chains grow instead, which is slower but never wrong. */
static void
grow(struct table *table)
{
	struct table bigger = *table;

	bigger.slot_count = table->slot_count * 2;
	bigger.slots = calloc(bigger.slot_count, sizeof(struct hash_link *));
	if (!bigger.slots)
		return;
	for (size_t i = 0; i < table->slot_count; i++) {
		while (table->slots[i]) {
			struct hash_link *link = table->slots[i];
			struct hash_link **slot = slot_of(&bigger, link->hash);

			table->slots[i] = link->next;
			link->next = *slot;
			*slot = link;
		}
	}
	free(table->slots);
	*table = bigger;
}

void
table_add(struct table *table, struct hash_link *link, uint64_t hash)
{
	struct hash_link **slot;

	if (table->count >= table->slot_count)
		grow(table);
	slot = slot_of(table, hash);
	link->hash = hash;
	link->next = *slot;
	*slot = link;
	table->count++;
}

void
table_remove(struct table *table, struct hash_link *link)
{
	struct hash_link **at = slot_of(table, link->hash);

	while (*at && *at != link)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = link->next;
	link->next = NULL;
	table->count--;
}

void
table_each(struct table *table, void (*each)(struct hash_link *, void *), void *arg)
{
	for (size_t i = 0; i < table->slot_count; i++) {
		struct hash_link *next;

		for (struct hash_link *link = table->slots[i]; link; link = next) {
			next = link->next;
			each(link, arg);
		}
	}
}
