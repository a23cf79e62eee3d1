/*
 * Runs schedules: SEED=n replays one and tells its story; else SCHEDULES of them,
 * from FIRST on.  Then SHORT of them again and again, each time with another
 * allocation that fails: samples of them, or with VALISE_FAULTS=full every one;
 * FAIL_AT=m (BURST=b) with SEED=n replays that.  Two processes share the work.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemons.h"
#include "memory.h"
#include "sim.h"
#include "world.h"

static uint64_t
number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

enum { PROCESSES = 2, SCHEDULES = SIM_SCHEDULES, SHORT = SIM_SCHEDULES / 1000, SAMPLES = 20 };

static _Atomic uint64_t *failures;	/* of both processes */

static void
run_once(uint64_t seed)
{
	world_run(seed, 0, 0);
}

static bool
is_thorough(void)
{
	const char *faults = getenv("VALISE_FAULTS");

	return faults && strcmp(faults, "full") == 0;
}

static void
run_failing(uint64_t seed, uint64_t n, unsigned burst)
{
	world_run(seed, n, burst);
	if (memory_failed() > 0)
		atomic_fetch_add(failures, 1);
}

/* Each allocation alone, and with the two that follow it. */
static void
run_short_of_memory(uint64_t seed)
{
	uint64_t made, step;

	world_run(seed, 0, 0);
	made = memory_made();
	step = is_thorough() ? 1 : 1 + made / SAMPLES;
	for (uint64_t n = 1 + seed % step; n <= made; n += step) {
		run_failing(seed, n, 1);
		run_failing(seed, n, 3);
	}
}

static bool
share(uint64_t first, uint64_t count, void (*run)(uint64_t seed))
{
	bool fine = true;
	int status;

	for (int i = 0; i < PROCESSES; i++) {
		if (fork() != 0)
			continue;
		for (uint64_t seed = first + (uint64_t)i; seed < first + count; seed += PROCESSES)
			run(seed);
		exit(0);
	}
	for (int i = 0; i < PROCESSES; i++)
		fine &= wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	return fine;
}

static bool
run_all(void)
{
	uint64_t first = number_of("FIRST", 0), count = number_of("SCHEDULES", SCHEDULES);
	uint64_t short_count = number_of("SHORT", SHORT);
	bool fine, fine_when_short;

	failures = mmap(NULL, sizeof *failures, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fine = share(first, count, run_once);
	printf("%s 1 - %" PRIu64 "_schedules_keep_what_the_headers_promise\n", fine ? "ok" : "not ok", count);
	fine_when_short = failures != MAP_FAILED && share(first, short_count, run_short_of_memory);
	printf("# %" PRIu64 " schedules, short of memory in %" PRIu64 " ways\n", short_count,
	    fine_when_short ? (uint64_t)*failures : 0);
	printf("%s 2 - and_so_does_who_is_short_of_memory\n1..2\n", fine_when_short ? "ok" : "not ok");
	return fine && fine_when_short;
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!daemons_load())
		return 1;
	if (!getenv("SEED"))
		return run_all() ? 0 : 1;
	sim_tell_all();
	world_run(number_of("SEED", 0), number_of("FAIL_AT", 0), (unsigned)number_of("BURST", 1));
	printf("# %" PRIu64 " allocations, %u failed\nok 1 - this_schedule\n1..1\n", memory_made(), memory_failed());
	return 0;
}
