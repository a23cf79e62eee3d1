/* From the name towards the root, which is not asked. */
#include "acme/caa_lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/record_lookup.h"

enum { TYPE_CAA = 257 };

struct caa_lookup {
	struct record_lookups *lookups;
	struct record_query query;
	struct record_lookup *asked;
	struct caa_set set;
	void (*on_done)(void *arg, const struct caa_set *);
	void *arg;
};

static void on_records(void *, enum record_outcome, const uint8_t *, size_t);

static bool
ask(struct caa_lookup *lookup)
{
	lookup->asked = record_lookup_start(lookup->lookups, &lookup->query, on_records, lookup);
	return lookup->asked != NULL;
}

static void
end(struct caa_lookup *lookup, bool has_answer)
{
	lookup->on_done(lookup->arg, has_answer ? &lookup->set : NULL);
	free(lookup);
}

/* False: there is none, or it is the root. */
static bool
climb(struct caa_lookup *lookup)
{
	char *name = lookup->query.name, *above = strchr(name, '.');

	if (!above || above[1] == '\0')
		return false;
	memmove(name, above + 1, strlen(above + 1) + 1);
	return true;
}

static void
on_records(void *arg, enum record_outcome outcome, const uint8_t *message, size_t bytes)
{
	struct caa_lookup *lookup = arg;
	bool has_answer = outcome == RECORDS_NONE ||
	    (outcome == RECORDS_FOUND && caa_decode(&lookup->set, message, bytes));

	lookup->asked = NULL;
	if (outcome != RECORDS_FOUND)
		lookup->set.count = 0;
	if (!has_answer || lookup->set.count > 0 || !climb(lookup))
		end(lookup, has_answer);
	else if (!ask(lookup))
		end(lookup, false);
}

struct caa_lookup *
caa_lookup_start(struct record_lookups *lookups, const char *name, const struct address *server,
    void (*on_done)(void *arg, const struct caa_set *), void *arg)
{
	struct caa_lookup *lookup = calloc(1, sizeof *lookup);

	if (!lookup)
		return NULL;
	lookup->lookups = lookups;
	lookup->query.type = TYPE_CAA;
	snprintf(lookup->query.name, sizeof lookup->query.name, "%s", name);
	if (server)
		lookup->query.server = *server;
	lookup->on_done = on_done;
	lookup->arg = arg;
	if (ask(lookup))
		return lookup;
	free(lookup);
	return NULL;
}

void
caa_lookup_cancel(struct caa_lookup *lookup)
{
	if (!lookup)
		return;
	record_lookup_cancel(lookup->asked);
	free(lookup);
}
