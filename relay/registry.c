/* Tickets: a request is in the table until it is answered or cancelled, whichever takes it out first. */
#include "relay/registry.h"

#include <pthread.h>
#include <stdlib.h>

struct registry {
	const struct registry_ops *ops;
	void *arg;
	pthread_mutex_t lock;
	struct table pending;
	uint64_t tickets; /* given so far */
};

struct registry *
registry_new(const struct registry_ops *ops, void *arg)
{
	struct registry *registry = calloc(1, sizeof *registry);

	if (!registry || !table_init(&registry->pending)) {
		free(registry);
		return NULL;
	}
	registry->ops = ops;
	registry->arg = arg;
	pthread_mutex_init(&registry->lock, NULL);
	return registry;
}

void
registry_free(struct registry *registry)
{
	if (!registry)
		return;
	table_wipe(&registry->pending);
	pthread_mutex_destroy(&registry->lock);
	free(registry);
}

static bool
has_ticket(const struct hash_link *at, const void *ticket)
{
	return container_of(at, const struct registry_request, link)->ticket ==
	    *(const uint64_t *)ticket;
}

/* Takes the request out of the table, under the lock; NULL when it is not there. */
static struct registry_request *
take(struct registry *registry, uint64_t ticket)
{
	uint64_t hash = table_hash(&registry->pending, &ticket, sizeof ticket);
	struct hash_link *at = table_find(&registry->pending, hash, has_ticket, &ticket);

	if (!at)
		return NULL;
	table_remove(&registry->pending, at);
	return container_of(at, struct registry_request, link);
}

void
registry_ask(struct registry *registry, struct registry_request *request,
    const struct registry_question *question)
{
	uint64_t ticket;

	request->registry = registry;
	pthread_mutex_lock(&registry->lock);
	request->ticket = ticket = ++registry->tickets;
	table_add(&registry->pending, &request->link,
	    table_hash(&registry->pending, &ticket, sizeof ticket));
	pthread_mutex_unlock(&registry->lock);
	registry->ops->ask(registry->arg, ticket, question);
}

void
registry_release(struct registry *registry, const struct registry_question *question)
{
	registry->ops->ask(registry->arg, 0, question);
}

bool
registry_cancel(struct registry_request *request)
{
	struct registry *registry = request->registry;
	bool was_pending;

	pthread_mutex_lock(&registry->lock);
	was_pending = take(registry, request->ticket) != NULL;
	pthread_mutex_unlock(&registry->lock);
	if (was_pending)
		registry->ops->cancel(registry->arg, request->ticket);
	return was_pending;
}

static void
deliver(void *data)
{
	struct registry_request *request = data;

	request->on_answer(request->arg, &request->answer);
}

void
registry_answer(struct registry *registry, uint64_t ticket, const struct registry_answer *answer)
{
	struct registry_request *request;

	pthread_mutex_lock(&registry->lock);
	request = take(registry, ticket);
	pthread_mutex_unlock(&registry->lock);
	if (!request)
		return;
	request->answer = *answer;
	loop_call(request->loop, &request->call, deliver, request);
}
