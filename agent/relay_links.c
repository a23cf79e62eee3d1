/*
 * The links to all relays of the list, kept as the list changes.
 */
#include "agent/relay_links.h"

#include <stdlib.h>
#include <string.h>

#include "base/conf.h"

void
relay_links_init(struct relay_links *links, const struct agent_context *context,
    void (*on_event)(void *arg, enum relay_event), void *arg)
{
	*links = (struct relay_links){ .context = context, .on_event = on_event, .arg = arg };
}

void
relay_links_wipe(struct relay_links *links)
{
	for (size_t i = 0; i < links->count; i++)
		relay_link_free(links->links[i]);
	free(links->links);
	links->links = NULL;
	links->count = 0;
}

static struct relay_link *
find(const struct relay_links *links, const char *target)
{
	for (size_t i = 0; i < links->count; i++)
		if (strcmp(relay_link_target(links->links[i]), target) == 0)
			return links->links[i];
	return NULL;
}

/* Frees the links of `old` that are not in `kept`. */
static void
free_others(const struct relay_links *old, const struct relay_links *kept)
{
	for (size_t i = 0; i < old->count; i++)
		if (find(kept, relay_link_target(old->links[i])) != old->links[i])
			relay_link_free(old->links[i]);
}

static bool
has_owner(const struct relay_links *links, unsigned owner)
{
	for (size_t i = 0; i < links->count; i++)
		if (relay_link_owner(links->links[i]) == owner)
			return true;
	return false;
}

/* The next number after the last one that neither the old links nor the new ones have.  Should there
 * ever be more relays than numbers, some share one. */
static uint8_t
next_owner(const struct relay_links *old, const struct relay_links *fresh)
{
	unsigned owner = fresh->last_owner;

	for (unsigned i = 0; i < UINT8_MAX; i++) {
		owner = owner % UINT8_MAX + 1;
		if (!has_owner(old, owner) && !has_owner(fresh, owner))
			break;
	}
	return (uint8_t)owner;
}

static struct relay_link *
new_link(const struct relay_links *links, struct relay_links *fresh, const char *target)
{
	struct relay_link *link;

	fresh->last_owner = next_owner(links, fresh);
	link =
	    relay_link_new(links->context, target, fresh->last_owner, links->on_event, links->arg);
	if (link && !links->has_begun)
		relay_link_wait(link, fresh->count * RELAY_LINKS_APART_MS);
	return link;
}

bool
relay_links_set(struct relay_links *links, const struct conf_texts *targets)
{
	struct relay_links fresh = *links;

	fresh.count = 0;
	fresh.links = calloc(targets->count + 1, sizeof(struct relay_link *));
	if (!fresh.links)
		return false;
	for (; fresh.count < targets->count; fresh.count++) {
		const char *target = targets->items[fresh.count];
		struct relay_link *link = find(links, target);

		if (!link)
			link = new_link(links, &fresh, target);
		if (!link) {
			free_others(&fresh, links);
			free(fresh.links);
			return false;
		}
		fresh.links[fresh.count] = link;
	}
	free_others(links, &fresh);
	free(links->links);
	fresh.has_begun = true;
	*links = fresh;
	return true;
}

size_t
relay_links_up_count(const struct relay_links *links)
{
	size_t up = 0;

	for (size_t i = 0; i < links->count; i++)
		up += relay_link_is_up(links->links[i]);
	return up;
}

bool
relay_links_serve_all(const struct relay_links *links)
{
	for (size_t i = 0; i < links->count; i++)
		if (relay_link_serves_all(links->links[i]))
			return true;
	return false;
}

void
relay_links_renew(struct relay_links *links, bool all)
{
	for (size_t i = 0; i < links->count; i++)
		if (all || !relay_link_is_up(links->links[i]))
			relay_link_renew(links->links[i]);
}

void
relay_links_refresh(struct relay_links *links, int64_t now_s)
{
	for (size_t i = 0; i < links->count; i++)
		relay_link_refresh(links->links[i], now_s);
}

void
relay_links_judge_again(struct relay_links *links, int64_t now_s)
{
	for (size_t i = 0; i < links->count; i++)
		relay_link_judge_again(links->links[i], now_s);
}

void
relay_links_move_over(struct relay_links *links, int64_t now_s)
{
	for (size_t i = 0; i < links->count; i++)
		relay_link_move_over(links->links[i], now_s);
}

void
relay_links_drain(struct relay_links *links, uint32_t deadline_ms)
{
	for (size_t i = 0; i < links->count; i++)
		relay_link_drain(links->links[i], deadline_ms);
}

void
relay_links_goodbye(struct relay_links *links)
{
	for (size_t i = 0; i < links->count; i++)
		relay_link_goodbye(links->links[i]);
}
