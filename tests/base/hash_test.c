/* Tests of base/hash: SipHash by its published vectors, and the table. */
#include "base/hash.h"

#include <stdbool.h>
#include "helpers.h"

enum { ENTRIES = 5000 };

struct hash_entry {
	unsigned number;
	bool visited;
	struct hash_link link;
};

static struct hash_entry entries[ENTRIES];

/* The vectors of the SipHash paper's reference: key 00..0f, input 00..n-1. */
static void
agrees_with_the_published_vectors(void **state)
{
	static const struct { size_t bytes; uint64_t hash;
	} vectors[] = {
	    {0, 0x726fdb47dd0e0e31},
	    {1, 0x74f839c593dc67fd},
	    {7, 0xab0200f58b01d137},
	    {8, 0x93f5f5799a932462},
	    {15, 0xa129ca6149be45e5},
	    {16, 0x3f2acc7f57c29bdb},
	    {63, 0x958a324ceb064572},
	};
	uint8_t key[16], data[64];

	(void)state;
	for (uint8_t i = 0; i < 64; i++)
		data[i] = i;
	for (uint8_t i = 0; i < 16; i++)
		key[i] = i;
	for (size_t i = 0; i < COUNT(vectors); i++)
		assert_true(hash_bytes(key, data, vectors[i].bytes) == vectors[i].hash);
}

static bool
has_number(const struct hash_link *link, const void *number)
{
	return container_of(link, const struct hash_entry, link)->number == *(const unsigned *)number;
}

static struct hash_entry *
find(struct table *table, unsigned number)
{
	struct hash_link *link = table_find(table, table_hash(table, &number, sizeof number),
	    has_number, &number);

	return link ? container_of(link, struct hash_entry, link) : NULL;
}

static void
fill(struct table *table)
{
	assert_true(table_init(table));
	for (unsigned i = 0; i < ENTRIES; i++) {
		entries[i] = (struct hash_entry){.number = i};
		table_add(table, &entries[i].link, table_hash(table, &i, sizeof i));
	}
}

static void
finds_what_was_added_while_it_grows(void **state)
{
	struct table table;

	(void)state;
	fill(&table);
	assert_int_equal(table.count, ENTRIES);
	assert_true(table.slot_count >= ENTRIES);
	for (unsigned i = 0; i < ENTRIES; i++)
		assert_ptr_equal(find(&table, i), &entries[i]);
	assert_null(find(&table, ENTRIES));
	table_wipe(&table);
}

static void
forgets_what_was_removed(void **state)
{
	struct table table;

	(void)state;
	fill(&table);
	for (unsigned i = 0; i < ENTRIES; i += 2)
		table_remove(&table, &entries[i].link);
	table_remove(&table, &entries[0].link);
	assert_int_equal(table.count, ENTRIES / 2);
	for (unsigned i = 0; i < ENTRIES; i++)
		assert_ptr_equal(find(&table, i), i % 2 == 0 ? NULL : &entries[i]);
	table_wipe(&table);
}

static void
keeps_entries_of_one_hash_apart(void **state)
{
	struct hash_link a, b, c, *first;
	struct table table;

	(void)state;
	assert_true(table_init(&table));
	table_add(&table, &a, 5);
	table_add(&table, &b, 5);
	table_add(&table, &c, 5 + 16);	/* the same slot */
	first = table_first(&table, 5);
	assert_ptr_equal(first, &b);
	assert_ptr_equal(table_next(first), &a);
	assert_null(table_next(&a));
	table_wipe(&table);
}

static void
finds_by_comparison_what_has_one_hash(void **state)
{
	struct hash_entry a = {.number = 1}, b = {.number = 2};
	const unsigned one = 1, two = 2, three = 3;
	struct table table;

	(void)state;
	assert_true(table_init(&table));
	table_add(&table, &a.link, 5);
	table_add(&table, &b.link, 5);
	assert_ptr_equal(table_find(&table, 5, has_number, &one), &a.link);
	assert_ptr_equal(table_find(&table, 5, has_number, &two), &b.link);
	assert_null(table_find(&table, 5, has_number, &three));
	assert_null(table_find(&table, 6, has_number, &one));
	table_wipe(&table);
}

static void
remove_it(struct hash_link *link, void *arg)
{
	container_of(link, struct hash_entry, link)->visited = true;
	table_remove(arg, link);
}

static void
visits_each_once_even_if_it_is_removed(void **state)
{
	struct table table;

	(void)state;
	fill(&table);
	table_each(&table, remove_it, &table);
	assert_int_equal(table.count, 0);
	for (unsigned i = 0; i < ENTRIES; i++)
		assert_true(entries[i].visited);
	table_wipe(&table);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(agrees_with_the_published_vectors),
	cmocka_unit_test(finds_what_was_added_while_it_grows),
	cmocka_unit_test(forgets_what_was_removed),
	cmocka_unit_test(finds_by_comparison_what_has_one_hash),
	cmocka_unit_test(keeps_entries_of_one_hash_apart),
	cmocka_unit_test(visits_each_once_even_if_it_is_removed),
};

RUN_TESTS("hash", tests)
