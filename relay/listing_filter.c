/* Reads what commands pick things by, and compares. */
#include "relay/listing_filter.h"

#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "relay/session_ref.h"

static bool
read_flow(struct listing_filter *filter, const char *text)
{
	filter->has_flow = hex_decode(filter->flow, sizeof filter->flow, text);
	return filter->has_flow;
}

static bool
read_client(struct listing_filter *filter, const char *text)
{
	filter->has_client = prefix_parse_exact(&filter->client, text);
	return filter->has_client;
}

static bool
read_name(struct listing_filter *filter, const char *text)
{
	return name_normalise_served(filter->name, text, strlen(text));
}

/* Any text that has room. */
static bool
keep(char *out, size_t room, const char *text)
{
	return *text && strlen(text) < room && snprintf(out, room, "%s", text) > 0;
}

static bool
read_session(struct listing_filter *filter, const char *text)
{
	return keep(filter->session, sizeof filter->session, text);
}

static bool
read_agent(struct listing_filter *filter, const char *text)
{
	return keep(filter->agent, sizeof filter->agent, text);
}

static bool
read_issuer_key(struct listing_filter *filter, const char *text)
{
	return keep(filter->issuer_key, sizeof filter->issuer_key, text);
}

static const struct {
	const char *member, *what;
	bool (*read)(struct listing_filter *, const char *text);
} members[] = {
	{ "flow", "the id of a flow: 32 hexadecimal digits", read_flow },
	{ "client", "an address, or a network as 192.0.2.0/24", read_client },
	{ "name", "a server name", read_name },
	{ "session", "the id of a session, as `agents` says it", read_session },
	{ "agent", "the name of an agent: 64 bytes at most", read_agent },
	{ "issuer-key", "the key of an issuer, 16 hexadecimal digits", read_issuer_key },
};

bool
listing_filter_read(
    struct listing_filter *filter, const json_t *question, char error[LISTING_FILTER_ERROR])
{
	*filter = (struct listing_filter){ 0 };
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		const json_t *value = json_object_get(question, members[i].member);
		const char *text = json_string_value(value);

		if (!value || (text && members[i].read(filter, text)))
			continue;
		snprintf(error, LISTING_FILTER_ERROR, "--%s '%.200s' is not %s", members[i].member,
		    text ? text : "", members[i].what);
		return false;
	}
	return true;
}

bool
listing_filter_is_about_flows(const struct listing_filter *filter)
{
	return filter->has_flow || filter->has_client || filter->name[0];
}

static bool
is_about_agents(const struct listing_filter *filter)
{
	return filter->session[0] || filter->agent[0] || filter->issuer_key[0];
}

bool
listing_filter_is_empty(const struct listing_filter *filter)
{
	return !listing_filter_is_about_flows(filter) && !is_about_agents(filter);
}

bool
listing_filter_fits_agent(const struct listing_filter *filter, const struct session_ref *ref)
{
	char session[CHANNEL_IDENTITY];

	if (!is_about_agents(filter))
		return true;
	if (!ref)
		return false;
	channel_identity(session_ref_session_id(ref), session);
	return (!filter->session[0] || strcmp(filter->session, session) == 0) &&
	    (!filter->agent[0] || strcmp(filter->agent, session_ref_agent(ref)) == 0) &&
	    (!filter->issuer_key[0] ||
		strcmp(filter->issuer_key, identity_issuer_key(session_ref_identity(ref))) == 0);
}
