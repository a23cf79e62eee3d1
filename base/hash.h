/*
 * Hash tables whose keys strangers choose, so the hash is keyed (SipHash-2-4,
 * Aumasson and Bernstein 2012).  Intrusive chains: the owner embeds the link.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const uint8_t key[16], const void *data, size_t bytes);

/* A link in a chain; embed it and come back with container_of(). */
struct hash_link {
	struct hash_link *next;
	uint64_t hash;
};

/* Grows by itself; of {0}, which is also what table_init() leaves when it fails, only table_each() and
 * table_wipe() may be asked. */
struct table {
	struct hash_link **slots;
	size_t slot_count; /* a power of two */
	size_t count;
	uint8_t key[16];
};

/* false when memory is short. */
_Bool table_init(struct table *);
void table_wipe(struct table *); /* frees the slots, never the entries */
uint64_t table_hash(const struct table *, const void *data, size_t bytes);
/* The entry of this key, or NULL.  `is` compares an entry with the key. */
struct hash_link *table_find(const struct table *, uint64_t hash,
    _Bool (*is)(const struct hash_link *, const void *key), const void *key);
/* Where one key may have several entries: the first one with this hash, and then with
 * table_next() the others.  The caller compares keys. */
struct hash_link *table_first(const struct table *, uint64_t hash);
struct hash_link *table_next(struct hash_link *);
void table_add(struct table *, struct hash_link *, uint64_t hash);
void table_remove(struct table *, struct hash_link *);
/* Calls `each` for every entry; it may remove the one at hand. */
void table_each(struct table *, void (*each)(struct hash_link *, void *), void *arg);

/* clang-format 14 would take (pointer) for a cast of what is subtracted. */
/* clang-format off */
#define container_of(pointer, type, member) \
	((type *)(void *)((char *)(pointer) - offsetof(type, member)))
/* clang-format on */

#endif
