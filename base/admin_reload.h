/*
 * The admin socket's word "reload", the same for both daemons: whoever asks hears that
 * the new configuration is in force, or each mistake because of which the old one stays.
 */
#ifndef BASE_ADMIN_RELOAD_H
#define BASE_ADMIN_RELOAD_H

#include <stdbool.h>

struct admin_question;
struct admin_reload;
struct reload_asker;

/* Has `reload` called, which tells its mistakes to the asker (borrowed until it returns) and
 * says whether all is fine, and answers the question. */
void admin_reload(
    struct admin_question *, bool (*reload)(void *arg, const struct reload_asker *), void *arg);
/* The same for a reload that is over later: admin_reload_end() answers, in any case.  NULL: memory was short,
 * which is the answer. */
struct admin_reload *admin_reload_begin(struct admin_question *);
const struct reload_asker *admin_reload_asker(struct admin_reload *);
void admin_reload_end(struct admin_reload *, bool is_fine);
/* Refuses it, since the program, "relay" or "agent", is stopping. */
void admin_reload_refuse(struct admin_question *, const char *program);

#endif
