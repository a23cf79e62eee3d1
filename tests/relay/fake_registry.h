/* A registry in a test's hand: it answers what, when and how often the test says. */
#ifndef TESTS_RELAY_FAKE_REGISTRY_H
#define TESTS_RELAY_FAKE_REGISTRY_H

#include <stdio.h>
#include "relay/registry.h"
#include "relay/route.h"

struct fake_registry {
	struct registry *registry;
	unsigned asked, cancelled, released;	/* released: also without a ticket */
	uint64_t ticket;			/* of the last question */
	enum registry_verb verb;
	char name[NAME_SIZE];
	bool is_exact, is_shared;
};

static void
fake_ask(void *arg, uint64_t ticket, const struct registry_question *question)
{
	struct fake_registry *fake = arg;

	fake->asked++;
	fake->released += question->verb == REGISTRY_RELEASE;
	fake->ticket = ticket;
	fake->verb = question->verb;
	fake->is_exact = question->is_exact;
	fake->is_shared = question->is_shared;
	snprintf(fake->name, sizeof fake->name, "%s", question->name);
}

static void
fake_cancel(void *arg, uint64_t ticket)
{
	struct fake_registry *fake = arg;

	(void)ticket;
	fake->cancelled++;
}

static const struct registry_ops fake_registry = { fake_ask, fake_cancel };

static inline void
fake_found(struct fake_registry *fake, enum registry_found found)
{
	struct registry_answer answer = { .found = found };

	if (found == REGISTRY_RELAY)
		answer.relay = (struct registry_relay){ "relay-b", "relay-b.example:443", 7 };
	registry_answer(fake->registry, fake->ticket, &answer);
}

static inline void
fake_claimed(struct fake_registry *fake, enum code code, const char *sentence)
{
	struct registry_answer answer = { .code = code };

	snprintf(answer.sentence, sizeof answer.sentence, "%s", sentence);
	registry_answer(fake->registry, fake->ticket, &answer);
}

#endif
