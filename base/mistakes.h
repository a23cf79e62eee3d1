/*
 * What is wrong with what a reload has read.  Each mistake is an event of its own
 * (reload-refused), because alarms count mistakes, and whoever asked for the
 * reload hears it, too.
 *
 * A reader of files writes sentences, one to a line, into `out`:
 *
 *	struct mistakes mistakes;
 *
 *	mistakes_open(&mistakes);
 *	is_fine = read(path, mistakes.out);
 *	mistakes_close(&mistakes, is_fine, "the old configuration", asker);
 */
#ifndef BASE_MISTAKES_H
#define BASE_MISTAKES_H

#include <stdbool.h>
#include <stdio.h>

/* Wants to hear each mistake that is logged. */
struct reload_asker {
	void (*on_mistake)(void *arg, const char *sentence);
	void *arg;
};

struct mistakes {
	FILE *out; /* NULL when memory is short: readers count their mistakes all the same */
	char *text;
	size_t bytes;
};

void mistakes_open(struct mistakes *);
/* Tells each line, unless all is fine, and frees what was opened.  A reader that fails without a
 * sentence was short of memory.  `kept` says what stays in force; asker may be NULL. */
void mistakes_close(struct mistakes *, bool is_fine, const char *kept, const struct reload_asker *);
/* Tells one that a program has found by itself. */
void mistakes_tell(const char *sentence, const char *kept, const struct reload_asker *);

#endif
