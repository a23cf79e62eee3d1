/* The upstreams of a group as a JSON document. */
#include "base/upstream_status.h"

#include "base/admin.h"
#include "base/upstream_group.h"

json_t *
upstream_status(struct upstream_group *group)
{
	json_t *upstreams = json_array();
	char error[UPSTREAM_ERROR_TEXT];

	for (unsigned i = 0; upstreams && i < upstream_group_count(group); i++) {
		upstream_group_error(group, i, error);
		json_array_append_new(upstreams,
		    json_pack("{s:s, s:s, s:I, s:o?}", "upstream", upstream_group_target(group, i),
			"health", upstream_health_word(upstream_group_state(group, i)), "flows",
			(json_int_t)upstream_group_flows(group, i), "error",
			admin_text(error[0] ? error : NULL)));
	}
	return upstreams;
}
