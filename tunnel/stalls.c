/* A list that is kept in order by adding at its end only, and a timer while it is not empty. */
#include "tunnel/stalls.h"

#include <stddef.h>

#include "base/clock.h"

enum { SOON_MS = 10 };

/* Goes on where the last turn has stopped; those behind the first that has moved lately have, too. */
static void
on_time(void *arg)
{
	struct stalls *stalls = arg;
	uint64_t now = clock_ms();

	if (!stalls->next)
		stalls->next = TAILQ_FIRST(&stalls->list);
	for (int i = 0; i < STALLS_AT_ONCE && stalls->next; i++) {
		struct stall *stall = stalls->next;

		if (now - stall->since_ms < STALLS_LOOK_MS) {
			stalls->next = NULL;
			break;
		}
		stalls->next = TAILQ_NEXT(stall, link);
		stalls->look(stall, now - stall->since_ms);
	}
	if (!TAILQ_EMPTY(&stalls->list))
		timer_set(&stalls->timer, stalls->next ? SOON_MS : STALLS_EVERY_MS);
}

void
stalls_init(
    struct stalls *stalls, struct loop *loop, void (*look)(struct stall *, uint64_t waited_ms))
{
	*stalls = (struct stalls){ .loop = loop, .look = look };
	TAILQ_INIT(&stalls->list);
	timer_init(&stalls->timer, loop, on_time, stalls);
}

void
stalls_wipe(struct stalls *stalls)
{
	timer_clear(&stalls->timer);
	pipes_wipe(&stalls->pipes);
}

static void
add(struct stalls *stalls, struct stall *stall)
{
	stall->since_ms = clock_ms();
	TAILQ_INSERT_TAIL(&stalls->list, stall, link);
}

static void
take_out(struct stalls *stalls, struct stall *stall)
{
	if (stalls->next == stall)
		stalls->next = TAILQ_NEXT(stall, link);
	TAILQ_REMOVE(&stalls->list, stall, link);
}

void
stall_enter(struct stalls *stalls, struct stall *stall)
{
	add(stalls, stall);
	if (!stalls->timer.armed)
		timer_set(&stalls->timer, STALLS_EVERY_MS);
}

void
stall_move(struct stalls *stalls, struct stall *stall)
{
	take_out(stalls, stall);
	add(stalls, stall);
}

void
stall_leave(struct stalls *stalls, struct stall *stall)
{
	if (stall->since_ms == 0)
		return;
	take_out(stalls, stall);
	stall->since_ms = stall->queued = 0;
}
