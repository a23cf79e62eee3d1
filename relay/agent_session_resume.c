/*
 * The way from a session to the next one of the same agent: what was announced need not be said again.
 *
 * An agent that is back before the relay has noticed that the old session is dead has its answer a little
 * later, when the old session's endpoints have left.
 */
#include "relay/agent_session.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "pki/identity.h"
#include "relay/agent_session_private.h"
#include "relay/session_ref.h"
#include "relay/shared.h"
#include "relay/usage.h"
#include "tunnel/announce_digest.h"

enum {
	LEAVING_A_TURN = 64,
	HASHED_A_TURN = 256,
	LOOK_MS = 10,          /* how often, */
	TWIN_LEAVES_MS = 2000, /* and for how long, the session before is waited for */
};

static const char said_again[] = "what an agent has announced: it says it again when it is back";

static struct resumption_key
key_of(const struct agent_session *self)
{
	struct resumption_key key;

	memcpy(key.identity, identity_key(self->identity), sizeof key.identity);
	memcpy(key.instance, session_ref_instance(self->session_ref), sizeof key.instance);
	return key;
}

/* ---- coming back ---- */

void
agent_session_hear_offer(struct agent_session *self, const struct frame_hello *hello)
{
	struct cursor digest;

	if (self->is_dry_run || session_version(self->session) < PROTOCOL_FACTS ||
	    !facts_find(hello->facts, FACT_RESUME, &digest))
		return;
	self->resume.is_offered = true;
	cursor_copy(&digest, self->resume.digest, RESUME_BYTES);
}

/* A timer's function. */
static void
look(void *arg)
{
	struct agent_session *self = arg;
	const struct resumption_key key = key_of(self);
	struct resumption_list list;
	size_t count;

	if (self->is_leaving)
		return;
	resumption_list_init(&list);
	if (!resumptions_take(
		self->worker->shared->resumptions, &key, self->resume.digest, &list)) {
		if (clock_ms() < self->resume.until_ms)
			timer_set(&self->resume.look, LOOK_MS);
		else
			session_resumed(self->session, false);
		return;
	}
	count = list.count;
	agent_session_log_resumed(self, count);
	session_resumed(self->session, true);
	agent_session_announce_all(self, &list);
}

void
agent_session_resume(struct agent_session *self, bool awaits_twin)
{
	if (!self->resume.is_offered)
		return;
	self->resume.until_ms = clock_ms() + (awaits_twin ? TWIN_LEAVES_MS : 0);
	look(self);
}

/* ---- leaving ---- */

/* Nobody will ask for what was said; or memory is short, and it is announced again then. */
static void
forget_said(struct agent_session *self)
{
	struct agent_session_resume *resume = &self->resume;

	for (size_t i = resume->hashed; i < resume->said_count; i++)
		free(resume->said[i]);
	free(resume->said);
	resume->said = NULL;
	resume->said_count = resume->hashed = 0;
	announce_digest_free(resume->hash);
	resume->hash = NULL;
	resumption_list_wipe(&resume->list);
	resume->is_offered = false;
}

/* Marks are not a part of it: they end with their session. */
static bool
is_mark(const struct announcement *said)
{
	struct frame_announce frame;
	struct cursor marked;

	announcement_frame(said, &frame);
	return facts_find(frame.facts, FACT_PENDING, &marked);
}

static bool
has_room(struct agent_session_resume *resume)
{
	size_t room = resume->said_room > 0 ? 2 * resume->said_room : LEAVING_A_TURN;
	struct announcement **bigger;

	if (resume->said_count < resume->said_room)
		return true;
	bigger = reallocarray(resume->said, room, sizeof(struct announcement *));
	if (!bigger)
		return false;
	resume->said = bigger;
	resume->said_room = room;
	return true;
}

static void
keep_said(struct agent_session *self, struct announcement *said)
{
	struct agent_session_resume *resume = &self->resume;

	if (!resume->is_offered || is_mark(said)) {
		free(said);
	} else if (has_room(resume)) {
		resume->said[resume->said_count++] = said;
	} else {
		memory_short(said_again);
		free(said);
		forget_said(self);
	}
}

/* Until there is none, or so many have left. False: there is none. */
static bool
drop_some(struct agent_session *self, size_t most)
{
	struct announcement *said;

	while (most-- > 0) {
		said = agent_session_drop_newest(self);
		if (!said)
			return false;
		keep_said(self, said);
	}
	return true;
}

static int
by_number(const void *a, const void *b)
{
	const struct announcement *const *left = a, *const *right = b;

	return ((*left)->endpoint > (*right)->endpoint) - ((*left)->endpoint < (*right)->endpoint);
}

/* False when memory is short, or nothing is to be kept. */
static bool
begin_hash(struct agent_session *self)
{
	struct agent_session_resume *resume = &self->resume;

	if (resume->said_count == 0)
		return false;
	resume->hash = announce_digest_new();
	if (!resume->hash) {
		memory_short(said_again);
		return false;
	}
	qsort(resume->said, resume->said_count, sizeof(struct announcement *), by_number);
	return true;
}

static void
hash_some(struct agent_session_resume *resume)
{
	struct frame_announce frame;

	for (size_t i = 0; i < HASHED_A_TURN && resume->hashed < resume->said_count; i++) {
		struct announcement *said = resume->said[resume->hashed++];

		announcement_frame(said, &frame);
		announce_digest_add(resume->hash, &frame);
		said->is_resumed = true;
		resumption_list_add(&resume->list, said);
	}
}

static void
deposit(struct agent_session *self)
{
	struct agent_session_resume *resume = &self->resume;
	const struct resumption_key key = key_of(self);

	announce_digest_end(resume->hash, resume->list.digest);
	resume->hash = NULL;
	resumptions_put(self->worker->shared->resumptions, &key,
	    usage_tenant_key(session_ref_usage(self->session_ref)), &resume->list);
}

/* A timer's function: the next part.  First the endpoints leave, then what was said of them is hashed. */
static void
leave(void *arg)
{
	struct agent_session *self = arg;
	struct agent_session_resume *resume = &self->resume;
	bool goes_on = !resume->hash && (drop_some(self, LEAVING_A_TURN) || begin_hash(self));

	if (resume->hash && !goes_on)
		hash_some(resume);
	if (goes_on || (resume->hash && resume->hashed < resume->said_count)) {
		timer_set(&resume->leaving, 0);
		return;
	}
	if (resume->hash)
		deposit(self);
	forget_said(self);
	self->is_leaving = false;
	agent_session_departed(self);
}

void
agent_session_depart(struct agent_session *self)
{
	timer_clear(&self->taking);
	timer_clear(&self->resume.look);
	self->range_count = self->accepted_count = 0;
	agent_session_unmark_all(self);
	if (session_ref_is_banished(self->session_ref))
		self->resume.is_offered = false;
	self->is_leaving = true;
	timer_set(&self->resume.leaving, 0);
}

void
agent_session_depart_now(struct agent_session *self)
{
	timer_clear(&self->resume.leaving);
	forget_said(self);
	while (drop_some(self, LEAVING_A_TURN))
		;
	self->is_leaving = false;
	agent_session_departed(self);
}

void
agent_session_resume_init(struct agent_session *self)
{
	resumption_list_init(&self->resume.list);
	timer_init(&self->resume.look, self->worker->loop, look, self);
	timer_init(&self->resume.leaving, self->worker->loop, leave, self);
}
