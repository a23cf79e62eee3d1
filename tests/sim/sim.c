/*
 * Runs schedules: SEED=n replays one and tells its story; else SCHEDULES of them,
 * from FIRST on.  Two processes share the work.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "sim.h"
#include "daemons.h"
#include "world.h"

static uint64_t state, seed_now;
static bool is_telling;

/* splitmix64 (Steele, Lea, Flood 2014). */
uint64_t
sim_random(void)
{
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint32_t
sim_below(uint32_t bound)
{
	return (uint32_t)((sim_random() >> 32) * bound >> 32);
}

void
sim_seed(uint64_t seed)
{
	state = seed;
	seed_now = seed;
}

bool
sim_is_telling(void)
{
	return is_telling;
}

static void
tell(const char *format, va_list list)
{
	printf("# %8.3f ", (double)clock_us() / 1e6 - 1);
	vprintf(format, list);
	putchar('\n');
}

void
sim_tell(const char *format, ...)
{
	va_list list;

	if (!is_telling)
		return;
	va_start(list, format);
	tell(format, list);
	va_end(list);
}

void
sim_violated(const char *format, ...)
{
	va_list list;

	printf("# SEED=%" PRIu64 ":\n", seed_now);
	va_start(list, format);
	tell(format, list);
	va_end(list);
	fflush(stdout);
	abort();
}

static uint64_t
number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

enum { PROCESSES = 2, SCHEDULES = SIM_SCHEDULES };

static bool
run_all(void)
{
	uint64_t first = number_of("FIRST", 0), count = number_of("SCHEDULES", SCHEDULES);
	bool fine = true;
	int status;

	for (int i = 0; i < PROCESSES; i++) {
		if (fork() != 0)
			continue;
		for (uint64_t seed = first + (uint64_t)i; seed < first + count; seed += PROCESSES)
			world_run(seed);
		exit(0);
	}
	for (int i = 0; i < PROCESSES; i++)
		fine &= wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	printf("%s 1 - %" PRIu64 "_schedules_keep_what_the_headers_promise\n1..1\n", fine ? "ok" : "not ok", count);
	return fine;
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!daemons_load())
		return 1;
	if (getenv("SEED") == NULL)
		return run_all() ? 0 : 1;
	is_telling = true;
	world_run(number_of("SEED", 0));
	printf("ok 1 - this_schedule\n1..1\n");
	return 0;
}
