/*
 * What no single row of valise-relay.yml(5) can know: the rules between keys, and
 * all members of struct settings that are marked as derived.  Every row has been
 * read and checked by itself before.
 */
#ifndef RELAY_SETTINGS_CHECK_H
#define RELAY_SETTINGS_CHECK_H

struct conf_report;
struct settings;

/* Tells every mistake; the report counts them.  What is derived in vain is left for settings_wipe(). */
void settings_check(struct settings *, struct conf_report *);

#endif
