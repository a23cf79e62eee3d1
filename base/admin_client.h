/*
 * The other end of the admin socket: a command asks the running daemon.  It waits, so it is for
 * programs that do nothing else.
 */
#ifndef BASE_ADMIN_CLIENT_H
#define BASE_ADMIN_CLIENT_H

#include <jansson.h>

#include "base/conf.h"

/* Where the daemon with this configuration listens. */
struct admin_place {
	char *socket;    /* admin.socket; NULL: not given */
	char *state_dir; /* where the socket is otherwise, see admin_path() */
};

struct admin_program {
	const char *name; /* for messages: "valise-relay" */
	/* The rows of struct admin_place.  The rest of the file is not looked at: when it is wrong, the
	 * daemon is asked all the more. */
	const struct conf_row *place;
};

/*
 * Sends the question, an object with a "command", and has *answer, which is the caller's then.  An answer
 * that is an error is told on standard error, its "mistakes" (lines as of conf.h) before its message, and
 * *answer is NULL.
 *
 * Returns the exit code: 0; 64 what is asked for makes no sense, 66 no configuration, 69 nobody listens or
 * no answer came, 77 not permitted, 78 an error with mistakes, 70 any other error.
 */
int admin_client_ask(
    const struct admin_program *, const char *config_path, const json_t *question, json_t **answer);

#endif
