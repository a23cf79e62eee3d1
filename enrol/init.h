/*
 * `valise-agent init` and `valise-relay init`: a first configuration, for who brings keys and certificates
 * himself.  It is the one that `join` writes, with the usual names of files beside it.
 */
#ifndef ENROL_INIT_H
#define ENROL_INIT_H

#include "enrol/join.h"

struct init_facts {
	const char *path;  /* of the configuration */
	const char *name;  /* the relay's, or the first endpoint's: what the certificate is for */
	const char *relay; /* host:port, or NULL: nobody said */
};

/* Writes it, and says what comes next.  0, or the exit code after a line on standard error: 73 it is there
 * already, or cannot be made. */
int init_write(const struct join_program *, const struct init_facts *);

#endif
