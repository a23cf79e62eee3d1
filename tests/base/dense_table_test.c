/* The dense table and the array below it, against plain arrays that are searched from end to end. */
#include "base/dense_table.h"

#include <stdlib.h>
#include <string.h>
#include "helpers.h"

struct dense_item {
	struct dense_link link;
	uint32_t name; /* one of NAMES, each in the table once at most */
};

enum { NAMES = 3000, KEYS = 700, STEPS = 60000 };

static uint32_t where[NAMES]; /* by name: its index, 0 when it is out */
static struct dense_table table;

/* Several names have the same key. */
static uint64_t
key_of(uint32_t name)
{
	return (uint64_t)(name % KEYS) * UINT64_C(0x100000001);
}

static void
add(uint32_t name)
{
	assert_true(dense_table_reserve(&table));
	where[name] = dense_table_add(&table, key_of(name));
	((struct dense_item *)dense_table_at(&table, where[name]))->name = name;
}

static void
take_out(uint32_t name)
{
	uint32_t from = dense_table_remove(&table, where[name]);

	if (from != 0) {
		const struct dense_item *moved = dense_table_at(&table, where[name]);

		assert_int_equal(where[moved->name], from);
		where[moved->name] = where[name];
	}
	where[name] = 0;
}

/* All that have this key are found, each once, and nothing else. */
static void
check_key(uint32_t name)
{
	uint64_t key = key_of(name);
	unsigned found = 0, wanted = 0;

	for (uint32_t i = name % KEYS; i < NAMES; i += KEYS)
		wanted += where[i] != 0;
	for (uint32_t at = dense_table_first(&table, key); at != 0; at = dense_table_next(&table, at)) {
		const struct dense_item *item = dense_table_at(&table, at);

		assert_int_equal(where[item->name], at);
		assert_true(dense_table_key(&item->link) == key);
		found++;
	}
	assert_int_equal(found, wanted);
}

static void
finds_what_a_naive_model_finds(void **state)
{
	size_t most = 0, empty;

	(void)state;
	srand(3);
	dense_table_init(&table, sizeof(struct dense_item));
	assert_int_equal(dense_table_first(&table, 1), 0);
	empty = dense_table_bytes(&table);
	assert_int_equal(empty, 0);
	for (int step = 0; step < STEPS; step++) {
		uint32_t name = (uint32_t)rand() % NAMES;
		bool grows = step % 20000 < 12000;

		if (where[name] == 0 && (grows || rand() % 8 == 0))
			add(name);
		else if (where[name] != 0 && (!grows || rand() % 8 == 0))
			take_out(name);
		check_key((uint32_t)rand() % NAMES);
		if (dense_table_bytes(&table) > most)
			most = dense_table_bytes(&table);
	}
	for (uint32_t name = 0; name < NAMES; name++) {
		if (where[name] != 0)
			take_out(name);
	}
	assert_int_equal(table.count, 0);
	assert_true(most > 40000 && dense_table_bytes(&table) < most / 2);
	dense_table_wipe(&table);
	assert_int_equal(dense_table_bytes(&table), 0);
}

static void
an_array_keeps_its_items_where_they_are(void **state)
{
	struct array array;
	int *first;

	(void)state;
	array_init(&array, sizeof(int));
	assert_true(array_reserve(&array, 1));
	first = array_at(&array, 0);
	assert_int_equal(*first, 0);
	*first = 7;
	assert_true(array_reserve(&array, 100000));
	assert_ptr_equal(array_at(&array, 0), first);
	assert_int_equal(*(int *)array_at(&array, 99999), 0);
	assert_true(array_bytes(&array) >= 400000 && array_bytes(&array) < 420000);
	array_trim(&array, 1);
	assert_ptr_equal(array_at(&array, 0), first);
	assert_int_equal(*first, 7);
	assert_true(array_bytes(&array) < 10000);
	array_wipe(&array);
	assert_int_equal(array_bytes(&array), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(finds_what_a_naive_model_finds),
	cmocka_unit_test(an_array_keeps_its_items_where_they_are),
};

RUN_TESTS("base/dense_table", tests)
