/*
 * From settings to what relays are told.
 */
#include "agent/context.h"

#include <stdio.h>
#include <string.h>

static void
fill_labels(struct frame_hello *hello, const struct conf_texts *labels)
{
	for (size_t i = 0; i < labels->count && i < LABELS_MOST; i++) {
		const char *equals = strchr(labels->items[i], '=');
		struct label *label = &hello->labels[hello->label_count++];

		snprintf(label->key, sizeof label->key, "%.*s", (int)(equals - labels->items[i]),
		    labels->items[i]);
		snprintf(label->value, sizeof label->value, "%s", equals + 1);
	}
}

void
agent_context_configure(struct agent_context *context, const struct agent_settings *settings,
    const struct agent_state *state)
{
	struct frame_hello *hello = &context->hello;

	memset(hello, 0, sizeof *hello);
	hello->oldest = PROTOCOL_OLDEST;
	hello->newest = PROTOCOL_NEWEST;
	hello->features = FEATURE_HANDOFF | FEATURE_MOVE;
	snprintf(hello->software, sizeof hello->software, "valise-agent %s", VALISE_VERSION);
	memcpy(hello->instance, state->instance, sizeof hello->instance);
	memcpy(hello->start, state->start, sizeof hello->start);
	if (settings->region)
		snprintf(hello->region, sizeof hello->region, "%s", settings->region);
	hello->heartbeat_ms = (uint32_t)settings->heartbeat_ms;
	fill_labels(hello, &settings->labels);
	context->pool_least = (unsigned)settings->pool_least;
	context->pool_most = (unsigned)settings->pool_most;
	context->tolerance_ms = settings->tolerance_ms;
}
