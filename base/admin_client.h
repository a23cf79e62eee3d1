/*
 * The other end of the admin socket: a command asks the running daemon and
 * prints what it says.  It waits, so it is for programs that do nothing else.
 */
#ifndef BASE_ADMIN_CLIENT_H
#define BASE_ADMIN_CLIENT_H

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
 * Sends {"command": word} and prints the answer: a document as JSON on stdout,
 * one that has nothing but a "message" as that sentence; an error on stderr, with
 * its "mistakes" (lines as of conf.h) before it.
 *
 * Returns the exit code: 0; 66 no configuration, 69 nobody listens or no answer
 * came, 77 not permitted, 78 an error with mistakes, 70 any other error.
 */
int admin_client_run(const struct admin_program *, const char *config_path, const char *word);

#endif
