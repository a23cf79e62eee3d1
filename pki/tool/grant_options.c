/* Turns the options of a grant into the extension that carries it. */
#include "pki/tool/grant_options.h"

#include <stdio.h>

#include "pki/tool/message.h"

int
grant_options_read(struct grant *grant, const struct grant_options *options, const char *name)
{
	const char *why = "";

	*grant = (struct grant){ .shared = options->shared,
		.any_depth = options->any_depth,
		.max_flows = options->max_flows ? (uint32_t)(options->max_flows - 1) : 0,
		.max_sessions = options->max_sessions ? (uint32_t)(options->max_sessions - 1) : 0 };
	if ((size_t)snprintf(grant->name, sizeof grant->name, "%s", name) >= sizeof grant->name)
		return message_fail(
		    EX_USAGE, "the identity '%s' has more than %d bytes", name, GRANT_NAME_BYTES);
	for (size_t i = 0; i < options->from.count; i++)
		if (!prefix_parse_exact(
			&grant->sources[grant->source_count++], options->from.at[i]))
			return message_fail(EX_USAGE,
			    "--from '%s' is not a network; give one like 192.0.2.0/24 or "
			    "2001:db8::/32, "
			    "no bit set behind the prefix",
			    options->from.at[i]);
	for (size_t i = 0; i < options->regions.count; i++)
		if ((size_t)snprintf(grant->regions[grant->region_count++],
			sizeof grant->regions[0], "%s",
			options->regions.at[i]) >= sizeof grant->regions[0])
			return message_fail(EX_USAGE, "--region '%s' has more than %d bytes",
			    options->regions.at[i], GRANT_REGION_BYTES);
	return grant_is_valid(grant, &why) ? 0 : message_fail(EX_USAGE, "the grant %s", why);
}
