/* Sessions end first, so that no new flows come by them; then flows. */
#include "relay/kick.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/admin.h"
#include "base/log.h"
#include "relay/agent_session_listing.h"
#include "relay/flow_listing.h"
#include "relay/listing.h"
#include "relay/listing_filter.h"

struct kicking {
	struct admin_question *question;
	struct listing_filter filter;
};

static bool
on_rows(void *arg, const json_t *rows)
{
	(void)arg;
	(void)rows;
	return true; /* there are none */
}

static void
on_over(void *arg, const struct listing_step *step)
{
	struct kicking *kicking = arg;
	uint64_t flows = step->count[0], sessions = step->count[1];
	char message[128];

	log_audit(LOG_WARNING, "kicked", "the operator has ended them", log_u64("flows", flows),
	    log_u64("sessions", sessions), log_u64("uid", admin_asker_uid(kicking->question)));
	snprintf(message, sizeof message, "ended %" PRIu64 " session%s and %" PRIu64 " flow%s",
	    sessions, sessions == 1 ? "" : "s", flows, flows == 1 ? "" : "s");
	admin_answer(kicking->question,
	    json_pack("{s:s, s:b, s:I, s:I}", "message", message, "found", flows + sessions > 0,
		"flows", (json_int_t)flows, "sessions", (json_int_t)sessions));
	free(kicking);
}

/* False: memory is short. */
static bool
begin(struct kicking *kicking, const struct listing_place *place)
{
	struct listing_source sources[2 * DAEMON_WORKERS_MOST];
	unsigned count = 0;

	if (!listing_filter_is_about_flows(&kicking->filter))
		count = listing_sources(place->shared, agent_session_list_kick, sources);
	count += listing_sources(place->shared, flow_list_kick, sources + count);
	return listing_begin(&(struct listing_options){ .all = place->all,
	    .loop = place->loop,
	    .sources = sources,
	    .source_count = count,
	    .what = &kicking->filter,
	    .on_rows = on_rows,
	    .on_over = on_over,
	    .arg = kicking });
}

void
kick(struct admin_question *question, const struct listing_place *place, const json_t *document)
{
	struct kicking *kicking = calloc(1, sizeof *kicking);
	char error[LISTING_FILTER_ERROR];

	if (!kicking) {
		admin_answer(question, NULL);
		return;
	}
	kicking->question = question;
	if (!listing_filter_read(&kicking->filter, document, error)) {
		admin_refuse(question, "admin-question-malformed", error, NULL);
	} else if (listing_filter_is_empty(&kicking->filter)) {
		admin_refuse(question, "admin-question-malformed",
		    "kick whom? give --flow, --session, --agent, --issuer-key, --name or --client",
		    NULL);
	} else {
		if (begin(kicking, place))
			return;
		admin_answer(question, NULL);
	}
	free(kicking);
}
