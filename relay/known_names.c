/*
 * The file of names:
 *
 *	valise-known-names 1
 *	agent IDENTITY TENANT		both in hexadecimal; the names below are theirs
 *	NAME				for each
 *	end
 */
#include "relay/known_names.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/state_file.h"
#include "base/thread.h"
#include "base/units.h"
#include "pki/identity.h"
#include "relay/route.h"
#include "relay/tenant_lists.h"

enum {
	LOOK_MS = 1000,
	/* The longest names, each of an identity of its own. */
	FILE_MOST = ROUTE_KNOWN_MOST * (NAME_SIZE + 4 * IDENTITY_KEY_BYTES + 16),
};

static const char head[] = "valise-known-names 1", agent_word[] = "agent ", end_word[] = "end";

struct known_names {
	struct routes *routes;
	atomic_uint_fast64_t most_of_identity;
	struct thread *thread; /* NULL: not started, or over */
	struct timer look;
	uint64_t written_version; /* of the names in the file */
	uint64_t rests_until_ms;
	bool has_given_up;
	struct state_file file;
	char path[PATH_MAX];
};

/* ---- reading ---- */

struct names_reader {
	struct known_names *self;
	uint8_t identity[IDENTITY_KEY_BYTES], tenant[IDENTITY_KEY_BYTES];
	uint64_t of_identity; /* so far */
	uint64_t count;
	bool has_agent;
};

static bool
take_agent(struct names_reader *reader, const char *line)
{
	char identity[2 * IDENTITY_KEY_BYTES + 1], tenant[2 * IDENTITY_KEY_BYTES + 1];
	int end = 0;

	static_assert(IDENTITY_KEY_BYTES == 32, "two digits for each byte");
	reader->of_identity = 0;
	reader->has_agent = sscanf(line, "%64s %64s%n", identity, tenant, &end) == 2 &&
	    line[end] == '\0' && hex_decode(reader->identity, sizeof reader->identity, identity) &&
	    hex_decode(reader->tenant, sizeof reader->tenant, tenant);
	return reader->has_agent;
}

static bool
take_name(struct names_reader *reader, const char *line)
{
	struct known_names *self = reader->self;
	struct route_name name = {
		.name = line, .identity_key = reader->identity, .tenant_key = reader->tenant
	};
	char normalised[NAME_SIZE];

	if (!reader->has_agent || !name_normalise_served(normalised, line, strlen(line)) ||
	    strcmp(normalised, line) != 0)
		return false;
	if (reader->of_identity++ >= atomic_load(&self->most_of_identity))
		return true;
	reader->count++;
	route_names_remember(self->routes, &name);
	return true;
}

static bool
take_line(struct names_reader *reader, const char *line)
{
	size_t word = sizeof agent_word - 1;

	return strncmp(line, agent_word, word) == 0 ? take_agent(reader, line + word)
						    : take_name(reader, line);
}

/* Takes what can be read.  True if that was all of it. */
static bool
take_lines(struct names_reader *reader, char *text)
{
	char *rest = text, *line = strsep(&rest, "\n");
	bool is_whole = strcmp(line, head) == 0;

	while (is_whole && (line = strsep(&rest, "\n")) && strcmp(line, end_word) != 0)
		is_whole = take_line(reader, line);
	return is_whole && line && rest && *rest == '\0';
}

static void
read_file(struct known_names *self)
{
	struct names_reader reader = { .self = self };
	struct secret text = { 0 };
	char error[FILE_ERROR];

	if (access(self->path, F_OK) != 0 && errno == ENOENT)
		return;
	if (!file_read(&text, self->path, FILE_MOST, error)) {
		log_event(LOG_WARNING, "known-names-unread", error);
		return;
	}
	if (!take_lines(&reader, (char *)text.data))
		log_event(LOG_WARNING, "known-names-unread",
		    "the file is damaged: what stands behind is not known, until agents announce it",
		    log_str("file", self->path));
	secret_wipe(&text);
	log_event(LOG_INFO, "known-names",
	    "clients of these names wait for agents that come back within the next minute",
	    log_u64("names", reader.count));
}

/* ---- gathering what there is ---- */

struct known_name {
	struct tenant_item item;
	uint8_t identity[IDENTITY_KEY_BYTES], tenant[IDENTITY_KEY_BYTES];
	char name[];
};

struct gathering {
	struct tenant_lists names; /* the fairness of it */
	bool has_failed;           /* memory was short */
};

static struct known_name *
name_at(struct tenant_item *item)
{
	return container_of(item, struct known_name, item);
}

static void
drop(struct gathering *gathering, struct tenant_item *item)
{
	tenant_lists_remove(&gathering->names, item);
	free(name_at(item));
}

static struct known_name *
copy_of(const struct route_name *from)
{
	size_t bytes = strlen(from->name) + 1;
	struct known_name *name = calloc(1, sizeof *name + bytes);

	if (!name)
		return NULL;
	memcpy(name->identity, from->identity_key, sizeof name->identity);
	memcpy(name->tenant, from->tenant_key, sizeof name->tenant);
	memcpy(name->name, from->name, bytes);
	return name;
}

static void
take(void *arg, const struct route_name *from)
{
	struct gathering *gathering = arg;
	struct known_name *name = copy_of(from);
	struct tenant_item *surplus;

	if (!name || !tenant_lists_add(&gathering->names, &name->item, name->tenant)) {
		free(name);
		gathering->has_failed = true;
		return;
	}
	surplus = tenant_lists_surplus(&gathering->names, ROUTE_KNOWN_MOST);
	if (surplus)
		drop(gathering, surplus);
}

static void
drop_all(struct gathering *gathering)
{
	struct tenant_item *item;

	while ((item = tenant_lists_oldest(&gathering->names)))
		drop(gathering, item);
	tenant_lists_wipe(&gathering->names);
}

/* ---- writing ---- */

static int
by_agent_and_name(const void *a, const void *b)
{
	const struct known_name *one = *(struct known_name *const *)a,
				*other = *(struct known_name *const *)b;
	int order = memcmp(one->identity, other->identity, sizeof one->identity);

	if (order == 0)
		order = memcmp(one->tenant, other->tenant, sizeof one->tenant);
	return order != 0 ? order : strcmp(one->name, other->name);
}

/* NULL when memory is short; to be freed, not what it points at. */
static struct known_name **
sorted(struct gathering *gathering)
{
	struct known_name **names = calloc(gathering->names.count + 1, sizeof(struct known_name *));
	struct tenant_item *item;
	size_t count = 0;

	if (!names)
		return NULL;
	TAILQ_FOREACH(item, &gathering->names.items, of_all)
		names[count++] = name_at(item);
	qsort(names, count, sizeof(struct known_name *), by_agent_and_name);
	return names;
}

static bool
is_of_one_agent(const struct known_name *one, const struct known_name *other)
{
	return one && memcmp(one->identity, other->identity, sizeof one->identity) == 0 &&
	    memcmp(one->tenant, other->tenant, sizeof one->tenant) == 0;
}

static void
put_agent(const struct known_name *name, FILE *out)
{
	char identity[2 * IDENTITY_KEY_BYTES + 1], tenant[2 * IDENTITY_KEY_BYTES + 1];

	hex_encode(identity, name->identity, sizeof name->identity);
	hex_encode(tenant, name->tenant, sizeof name->tenant);
	fprintf(out, "%s%s %s\n", agent_word, identity, tenant);
}

/* The list ends with NULL. A name may stand there twice, if it came and went meanwhile. */
static void
put_names(struct known_name *const *names, uint64_t most_of_identity, FILE *out)
{
	const struct known_name *before = NULL;
	uint64_t of_agent = 0;

	for (; *names; before = *names++) {
		if (!is_of_one_agent(before, *names)) {
			put_agent(*names, out);
			of_agent = 0;
		}
		if (of_agent++ < most_of_identity)
			fprintf(out, "%s\n", (*names)->name);
	}
}

/* The whole file; NULL when memory is short. */
static char *
text_of(struct gathering *gathering, uint64_t most_of_identity, size_t *bytes)
{
	struct known_name **names = sorted(gathering);
	char *text = NULL;
	FILE *out = names ? open_memstream(&text, bytes) : NULL;
	bool is_whole;

	if (!out) {
		free(names);
		return NULL;
	}
	fprintf(out, "%s\n", head);
	put_names(names, most_of_identity, out);
	fprintf(out, "%s\n", end_word);
	free(names);
	is_whole = !ferror(out);
	if (fclose(out) == 0 && is_whole)
		return text;
	free(text);
	return NULL;
}

static char *
gather(struct known_names *self, size_t *bytes)
{
	struct gathering gathering = { 0 };
	char *text = NULL;

	if (!tenant_lists_init(&gathering.names))
		return NULL;
	route_names_each(self->routes, take, &gathering);
	if (!gathering.has_failed)
		text = text_of(&gathering, atomic_load(&self->most_of_identity), bytes);
	drop_all(&gathering);
	return text;
}

/* What changes while it is written is written the next time. */
static void
write_file(struct known_names *self)
{
	uint64_t version = route_names_version(self->routes);
	char error[FILE_ERROR];
	size_t bytes = 0;
	char *text = gather(self, &bytes);
	bool is_written;

	self->rests_until_ms = clock_ms() + KNOWN_NAMES_PAUSE_MS;
	if (!text) {
		memory_short("the names that would be known after a restart, for now");
		return;
	}
	is_written = file_write(self->path, 0600, text, bytes, error);
	free(text);
	if (is_written)
		self->written_version = version;
	state_file_note(&self->file, is_written, error);
}

static bool
has_news(struct known_names *self)
{
	route_names_tidy(self->routes);
	return route_names_version(self->routes) != self->written_version;
}

void
known_names_look(struct known_names *self)
{
	if (clock_ms() >= self->rests_until_ms && has_news(self))
		write_file(self);
}

/* ---- the thread ---- */

static void
on_look(void *arg)
{
	struct known_names *self = arg;

	known_names_look(self);
	timer_set(&self->look, LOOK_MS);
}

static void
run(void *arg, struct loop *loop)
{
	struct known_names *self = arg;

	timer_init(&self->look, loop, on_look, self);
	timer_set(&self->look, LOOK_MS);
	loop_run(loop);
	timer_clear(&self->look);
}

struct known_names *
known_names_new(struct routes *routes, const char *state_dir, uint64_t most_of_identity)
{
	struct known_names *self = calloc(1, sizeof *self);

	if (!self)
		return NULL;
	self->routes = routes;
	atomic_init(&self->most_of_identity, most_of_identity);
	snprintf(self->path, sizeof self->path, "%s/known-names", state_dir);
	read_file(self);
	self->written_version = route_names_version(routes);
	return self;
}

bool
known_names_start(struct known_names *self)
{
	return (self->thread = thread_start("known-names", run, self)) != NULL;
}

void
known_names_set_bound(struct known_names *self, uint64_t most_of_identity)
{
	if (self)
		atomic_store(&self->most_of_identity, most_of_identity);
}

void
known_names_give_up(struct known_names *self)
{
	if (!self || self->has_given_up)
		return;
	self->has_given_up = true;
	if (self->thread) {
		loop_stop(thread_loop(self->thread));
		thread_join(self->thread);
		self->thread = NULL;
	}
	if (has_news(self))
		write_file(self);
}

void
known_names_free(struct known_names *self)
{
	known_names_give_up(self);
	free(self);
}
