/*
 * The agent with challenges that a test asks for, instead of an ACME client: linked into
 * $B/challenge/valise-agent in front of challenges_new().  VALISE_CHALLENGES names a file; each of its lines
 * has a server name and, in hexadecimal, a digest.  What comes into the file begins, what goes from it ends,
 * within some 20 ms; the log has challenge-ready when a server could be told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/challenge.h"
#include "base/log.h"
#include "base/loop.h"

enum { LOOK_MS = 20, MOST = 8, NAME = 256 };

struct challenges *__wrap_challenges_new(struct loop *);
struct challenges *__real_challenges_new(struct loop *);
void __wrap_challenges_free(struct challenges *);
void __real_challenges_free(struct challenges *);

static struct asked {
	struct challenge *challenge; /* NULL: the place is free */
	char name[NAME];
	bool is_in_file;
} asked[MOST];
static struct challenges *challenges;
static struct timer look;

static void
on_ready(void *arg)
{
	const struct asked *one = arg;

	log_event(LOG_INFO, "challenge-ready", NULL, log_str("server_name", one->name));
}

static void
begin(const char *name, const char *hex)
{
	struct asked *one = asked;
	uint8_t digest[CHALLENGE_DIGEST];
	char error[CHALLENGE_ERROR];

	while (one->challenge)
		one++;
	for (size_t i = 0; i < sizeof digest; i++)
		sscanf(hex + 2 * i, "%2hhx", &digest[i]);
	snprintf(one->name, sizeof one->name, "%s", name);
	one->is_in_file = true;
	one->challenge = challenge_start(challenges, name, digest, on_ready, one, error);
	if (!one->challenge)
		log_event(LOG_ERROR, "challenge-impossible", error, log_str("server_name", name));
}

static bool
is_known(const char *name)
{
	for (int i = 0; i < MOST; i++)
		if (asked[i].challenge && strcmp(asked[i].name, name) == 0)
			return asked[i].is_in_file = true;
	return false;
}

static void
end_others(void)
{
	for (int i = 0; i < MOST; i++) {
		if (!asked[i].is_in_file) {
			challenge_end(asked[i].challenge);
			asked[i].challenge = NULL;
		}
		asked[i].is_in_file = false;
	}
}

static void
on_look(void *arg)
{
	const char *path = getenv("VALISE_CHALLENGES");
	FILE *file = path ? fopen(path, "re") : NULL;
	char name[NAME], hex[65];

	(void)arg;
	while (file && fscanf(file, "%255s %64s", name, hex) == 2)
		if (!is_known(name))
			begin(name, hex);
	if (file)
		fclose(file);
	end_others();
	timer_set(&look, LOOK_MS);
}

struct challenges *
__wrap_challenges_new(struct loop *loop)
{
	challenges = __real_challenges_new(loop);
	timer_init(&look, loop, on_look, NULL);
	timer_set(&look, LOOK_MS);
	return challenges;
}

void
__wrap_challenges_free(struct challenges *all)
{
	end_others();
	__real_challenges_free(all);
}
