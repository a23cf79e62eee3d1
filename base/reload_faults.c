/* A list of parts with a sentence each. */
#include "base/reload_faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/admin.h"
#include "base/clock.h"
#include "base/units.h"

enum { PART_TEXT = 160, SENTENCE_TEXT = 1024 };

struct reload_fault {
	char part[PART_TEXT], sentence[SENTENCE_TEXT];
	int64_t since_s;
};

void
reload_faults_wipe(struct reload_faults *faults)
{
	free(faults->list);
	*faults = (struct reload_faults){ 0 };
}

static struct reload_fault *
find(const struct reload_faults *faults, const char *part)
{
	for (size_t i = 0; i < faults->count; i++)
		if (strncmp(faults->list[i].part, part, PART_TEXT - 1) == 0)
			return &faults->list[i];
	return NULL;
}

/* NULL when memory is short: then only the log tells. */
static struct reload_fault *
add(struct reload_faults *faults, const char *part, int64_t now_s)
{
	struct reload_fault *more =
	    realloc(faults->list, (faults->count + 1) * sizeof *faults->list);

	if (!more)
		return NULL;
	faults->list = more;
	more += faults->count++;
	*more = (struct reload_fault){ .since_s = now_s };
	snprintf(more->part, sizeof more->part, "%s", part);
	return more;
}

void
reload_faults_note(
    struct reload_faults *faults, const char *part, const char *sentence, int64_t now_s)
{
	struct reload_fault *fault = find(faults, part);

	if (!fault)
		fault = add(faults, part, now_s);
	if (!fault)
		return;
	snprintf(fault->sentence, sizeof fault->sentence, "%s", sentence);
	faults->changes++;
}

void
reload_faults_mend(struct reload_faults *faults, const char *part)
{
	struct reload_fault *fault = part ? find(faults, part) : faults->list;
	size_t behind, gone = part ? 1 : faults->count;

	if (!fault || gone == 0)
		return;
	behind = faults->count - (size_t)(fault - faults->list) - gone;
	memmove(fault, fault + gone, behind * sizeof *fault);
	faults->count -= gone;
	faults->changes++;
}

bool
reload_faults_have(const struct reload_faults *faults, const char *part)
{
	return find(faults, part) != NULL;
}

/* ---- telling ---- */

const char *
reload_faults_text(const struct reload_faults *faults, char out[RELOAD_FAULTS_TEXT])
{
	char since[TIME_TEXT], more[48] = "";

	out[0] = '\0';
	if (faults->count == 0)
		return out;
	if (faults->count > 1)
		snprintf(more, sizeof more, " (and %zu more)", faults->count - 1);
	snprintf(out, RELOAD_FAULTS_TEXT, "; not taken up since %s: %.80s: %.220s%s",
	    time_text(faults->list->since_s, since), faults->list->part, faults->list->sentence,
	    more);
	return out;
}

json_t *
reload_faults_describe(const struct reload_faults *faults)
{
	json_t *list = json_array();
	char since[TIME_TEXT];

	for (size_t i = 0; i < faults->count; i++) {
		const struct reload_fault *fault = &faults->list[i];

		json_array_append_new(list,
		    json_pack("{s:o, s:s, s:o}", "part", admin_text(fault->part), "since",
			time_text(fault->since_s, since), "error", admin_text(fault->sentence)));
	}
	return json_pack(
	    "{s:I, s:o}", "reload_refused", (json_int_t)faults->count, "reload_faults", list);
}

/* ---- listening ---- */

static void
on_mistake(void *arg, const char *sentence)
{
	struct reload_fault_listener *listener = arg;

	if (!listener->has_noted)
		reload_faults_note(listener->faults, listener->part, sentence, clock_wall_s());
	listener->has_noted = true;
	if (listener->next)
		listener->next->on_mistake(listener->next->arg, sentence);
}

void
reload_faults_listen(struct reload_fault_listener *listener, struct reload_faults *faults,
    const char *part, const struct reload_asker *next)
{
	*listener = (struct reload_fault_listener){
		.asker = { on_mistake, listener }, .next = next, .faults = faults, .part = part
	};
}
