/* The allocator of our own objects. */
#include "memory.h"

#include <errno.h>
#include <execinfo.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arena.h"
#include "base/hash.h"
#include "sim.h"

enum { FRAMES = 8 };

static char plan_text[64];
static uint64_t made, fail_at;
static unsigned burst_left, failed, held;
static bool was_told;
static void *frames[FRAMES];
static int frame_count, failed_of;

void
memory_plan(uint64_t n, unsigned burst)
{
	made = 0;
	fail_at = n;
	burst_left = n > 0 ? burst : 0;
	failed = held = 0;
	was_told = false;
	plan_text[0] = '\0';
	if (n > 0)
		snprintf(plan_text, sizeof plan_text, " FAIL_AT=%" PRIu64 " BURST=%u", n, burst);
}

const char *
memory_plan_text(void)
{
	return plan_text;
}

uint64_t
memory_made(void)
{
	return made;
}

unsigned
memory_failed(void)
{
	return failed;
}

void
memory_hold(void)
{
	held++;
}

void
memory_let_go(void)
{
	held--;
}

void
memory_told(void)
{
	was_told |= failed > 0;
}

bool
memory_was_told(void)
{
	return was_told;
}

/* The addresses are for addr2line. */
void
memory_describe(char text[1024])
{
	size_t at = (size_t)snprintf(text, 1024, "%s", sim_processes[failed_of].name);
	char **symbols = backtrace_symbols(frames, frame_count);

	for (int i = 2; symbols && i < frame_count && at < 1000; i++) {
		const char *where = strrchr(symbols[i], '(');

		at += (size_t)snprintf(text + at, 1024 - at, " %.*s", (int)strcspn(where + 1, ")"), where + 1);
	}
	free(symbols);
}

static bool
fails(void)
{
	if (held > 0 || ++made < fail_at || burst_left == 0)
		return false;
	burst_left--;
	if (failed++ == 0) {
		frame_count = backtrace(frames, FRAMES);
		failed_of = sim_self;
	}
	errno = ENOMEM;
	return true;
}

static void *
resize_array(void *memory, size_t count, size_t bytes)
{
	size_t all;

	if (!__builtin_mul_overflow(count, bytes, &all))
		return arena_resize(memory, all);
	errno = ENOMEM;
	return NULL;
}

static char *
copy_of(const char *text)
{
	size_t bytes = strlen(text) + 1;

	return memcpy(arena_take(bytes), text, bytes);
}

#define INSTEAD_OF(type, name, parameters, call) \
	type __wrap_##name parameters; \
	type __wrap_##name parameters { return fails() ? NULL : call; }

INSTEAD_OF(void *, malloc, (size_t bytes), arena_take(bytes))
INSTEAD_OF(void *, calloc, (size_t count, size_t bytes), arena_take_zeroed(count, bytes))
INSTEAD_OF(void *, realloc, (void *memory, size_t bytes), arena_resize(memory, bytes))
INSTEAD_OF(void *, reallocarray, (void *memory, size_t count, size_t bytes), resize_array(memory, count, bytes))
/* A table that cannot grow is slower, and nobody need say so. */
void __real_table_add(struct table *, struct hash_link *, uint64_t hash);
void __wrap_table_add(struct table *, struct hash_link *, uint64_t hash);

void
__wrap_table_add(struct table *table, struct hash_link *link, uint64_t hash)
{
	memory_hold();
	__real_table_add(table, link, hash);
	memory_let_go();
}

INSTEAD_OF(char *, strdup, (const char *text), copy_of(text))
