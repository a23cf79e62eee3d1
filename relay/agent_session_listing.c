/* Makes rows of sessions, and ends those that are kicked. */
#include "relay/agent_session_listing.h"

#include "base/admin.h"
#include "base/clock.h"
#include "base/listing.h"
#include "base/units.h"
#include "pki/identity.h"
#include "relay/agent_session_private.h"
#include "relay/listing_filter.h"
#include "relay/pool.h"
#include "relay/session_ref.h"

static void *
next_session(void *session)
{
	return LIST_NEXT((struct agent_session *)session, link);
}

static bool
fits(const struct listing_filter *filter, const struct agent_session *self)
{
	return self->session_ref && self->state == AGENT_SESSION_SERVING && !self->is_dry_run &&
	    listing_filter_fits_agent(filter, self->session_ref);
}

static const char *
state_of(const struct agent_session *self)
{
	if (self->is_succeeded)
		return "leaving";
	if (self->is_draining)
		return "draining";
	return session_ref_is_suspect(self->session_ref) ? "suspect" : "up";
}

static json_t *
describe_identity(const struct identity *identity)
{
	char until[TIME_TEXT];

	return json_pack("{s:s, s:o?, s:s, s:s, s:s}", "agent", identity_name(identity), "issuer",
	    admin_text(identity_issuer(identity)), "issuer_key", identity_issuer_key(identity),
	    "serial", identity_serial(identity), "not_after",
	    time_text(identity_not_after(identity), until));
}

static json_t *
describe(const struct agent_session *self)
{
	struct pool *pool = session_ref_pool(self->session_ref);
	char session[CHANNEL_IDENTITY], client[ADDRESS_TEXT];
	json_t *row;

	channel_identity(session_ref_session_id(self->session_ref), session);
	row = json_pack("{s:s, s:s, s:o?, s:o?, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "session",
	    session, "client", address_text(&self->client, client), "software",
	    admin_text(self->software), "region", admin_text(self->region), "version",
	    (int)session_ref_version(self->session_ref), "state", state_of(self), "age_ms",
	    (json_int_t)(clock_ms() - self->up_ms), "rtt_us",
	    (json_int_t)session_rtt_us(self->session), "endpoints",
	    (json_int_t)self->endpoints.count, "channels", (json_int_t)pool_parked(pool), "waiting",
	    (json_int_t)pool_waiting(pool), "flows",
	    (json_int_t)session_ref_flows(self->session_ref));
	json_object_update_new(row, describe_identity(self->identity));
	return row;
}

bool
agent_session_list(void *context, struct listing_step *step)
{
	struct worker_context *worker = context;
	struct agent_session *self;

	if (!listing_enter(step, &worker->walks, LIST_FIRST(&worker->sessions)))
		return true;
	while ((self = listing_next(step, next_session)))
		if (fits(step->what, self))
			json_array_append_new(step->rows, describe(self));
	return listing_leave(step);
}

bool
agent_session_list_kick(void *context, struct listing_step *step)
{
	struct worker_context *worker = context;
	struct agent_session *self;

	if (!listing_enter(step, &worker->walks, LIST_FIRST(&worker->sessions)))
		return true;
	while ((self = listing_next(step, next_session))) {
		if (!fits(step->what, self))
			continue;
		agent_session_end(self, CODE_KICKED, "the relay's operator has ended this session");
		step->count[1]++;
	}
	return listing_leave(step);
}
