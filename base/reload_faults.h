/*
 * What a reload could not take up, and what is therefore older than the files say, until it is
 * mended.  A line in a log is gone when somebody looks; this is what `status` and the service
 * manager's status go on telling.
 *
 * Each part of what is loaded ("configuration", "agent.certificate", "endpoint shop") has one
 * entry at most.  Belongs to one thread; begins as {0}.
 */
#ifndef BASE_RELOAD_FAULTS_H
#define BASE_RELOAD_FAULTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mistakes.h"

struct reload_faults {
	struct reload_fault *list; /* the oldest first */
	size_t count;
	unsigned changes; /* counts up with each, so that one sees whether people must be told */
};

void reload_faults_wipe(struct reload_faults *);

/* The part is refused, for this reason; since when is kept if it was refused before. */
void reload_faults_note(
    struct reload_faults *, const char *part, const char *sentence, int64_t now_s);
/* The part is in force as the files say, or there is no such part any more.  NULL: all parts are. */
void reload_faults_mend(struct reload_faults *, const char *part);
bool reload_faults_have(const struct reload_faults *, const char *part);

/* "", or what to append to a status for people: "; not taken up since ...: PART: SENTENCE". */
enum { RELOAD_FAULTS_TEXT = 400 };
const char *reload_faults_text(const struct reload_faults *, char out[RELOAD_FAULTS_TEXT]);
/* For a status document: {"reload_refused": COUNT, "reload_faults": [{"part", "since", "error"}]}. */
json_t *reload_faults_describe(const struct reload_faults *);

/* An asker (base/mistakes.h) that notes the first mistake of a reload for a part, and hands all of them
 * on to `next` (may be NULL).  Lives as long as the reload; give out &listener.asker. */
struct reload_fault_listener {
	struct reload_asker asker;
	const struct reload_asker *next;
	struct reload_faults *faults;
	const char *part;
	bool has_noted;
};

void reload_faults_listen(struct reload_fault_listener *, struct reload_faults *, const char *part,
    const struct reload_asker *next);

#endif
