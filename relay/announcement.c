/* Packs what an agent has announced, and unpacks it. */
#include "relay/announcement.h"

#include <stdlib.h>
#include <string.h>
#include "tunnel/frame.h"

struct announcement *
announcement_new(const struct frame_announce *frame)
{
	size_t server_name_size = strlen(frame->server_name) + 1;
	size_t name_size = strlen(frame->name) + 1;
	struct announcement *made = malloc(offsetof(struct announcement, texts) + server_name_size +
	    name_size + frame->facts.bytes);

	if (!made)
		return NULL;
	made->endpoint = frame->endpoint;
	made->weight = frame->weight;
	made->carriers = frame->carriers;
	made->is_resumed = false;
	made->facts_bytes = (uint16_t)frame->facts.bytes;
	memcpy(made->texts, frame->server_name, server_name_size);
	memcpy(made->texts + server_name_size, frame->name, name_size);
	if (frame->facts.bytes > 0)
		memcpy(made->texts + server_name_size + name_size, frame->facts.at,
		    frame->facts.bytes);
	return made;
}

const char *
announcement_server_name(const struct announcement *announcement)
{
	return announcement->texts;
}

const char *
announcement_name(const struct announcement *announcement)
{
	return announcement->texts + strlen(announcement->texts) + 1;
}

size_t
announcement_bytes(const struct announcement *announcement)
{
	enum { OF_ALLOCATOR = 16 };

	return sizeof *announcement + OF_ALLOCATOR + strlen(announcement->texts) + 1 +
	    strlen(announcement_name(announcement)) + 1 + announcement->facts_bytes;
}

void
announcement_frame(const struct announcement *announcement, struct frame_announce *out)
{
	const char *server_name = announcement_server_name(announcement);
	const char *name = announcement_name(announcement);

	*out = (struct frame_announce){ .endpoint = announcement->endpoint,
		.weight = announcement->weight,
		.carriers = announcement->carriers,
		.facts = { (const uint8_t *)name + strlen(name) + 1, announcement->facts_bytes } };
	memcpy(out->server_name, server_name, strlen(server_name) + 1);
	memcpy(out->name, name, strlen(name) + 1);
}
