/*
 * `valise-agent join` and `valise-relay join`: one command turns a fresh host and the line of an
 * invitation (valise-pki invite) into a daemon's key, certificate, CAs, CRLs and configuration.
 *
 *	the line is read -> nothing is in the way -> the key is made and kept -> CAs and CRLs come and
 *	are judged -> the invitation is used -> the certificate is judged -> the files are written
 *
 * What the daemons have in common is here; each says in a struct join_program how it differs.
 */
#ifndef ENROL_JOIN_H
#define ENROL_JOIN_H

#include <stdbool.h>
#include <stdio.h>

#include "base/program.h"
#include "enrol/join_files.h"
#include "pki/cert.h"
#include "pki/verdict.h"

/* Of the keys `proxy` (base/fetch_proxy.h), as given. */
struct join_proxy {
	const char *url, *username, *password_file;
};

/* What a configuration is written from; borrowed. */
struct join_facts {
	const char *url;                /* of the authority */
	const char *address;            /* where it was reached instead, or NULL */
	const char *relay;              /* host:port, or NULL: nobody said */
	const struct join_proxy *proxy; /* NULL: none */
	const char *peer_crl_url;
	const struct cert_facts *certificate;
	const struct join_files *files;
	const char *state_dir; /* NULL: the usual one */
};

struct join_program {
	const char *program; /* "valise-agent"; by this name runs its service, too */
	const char *kind;    /* of certificate: "agent" */
	const char *peers;   /* whose CAs and CRLs it judges by: "relays" */
	enum role role;
	bool is_inside;                 /* behind a firewall: it has --relay and --proxy */
	const char *state_dir, *config; /* the usual ones */
	void (*write_config)(FILE *, const struct join_facts *);
	const char *todo; /* what is to be filled in, or NULL: for people */
};

/* arguments[0] is the word itself.  0, or the exit code after one line on standard error: 64 usage, 65 the
 * line is not one, 66 it cannot be read, 67 no such user, 69 the authority cannot be reached or is not
 * believed, 70 the library fails, 71 memory is short, 73 something is there already or cannot be made, 75
 * not now, 76 what came is wrong, 77 refused. */
int join_run(const struct join_program *, int count, char **arguments);

/* The options, for the table of commands: of what is not inside, and of what is. */
extern const struct program_option join_rows[], join_inside_rows[];

/* What both configurations are written with: a value of YAML, in quotes where it needs them; a line
 * with a key (and the spaces before it); and the key `renew`. */
void join_write_value(FILE *, const char *text);
void join_write_row(FILE *, const char *key, const char *value);
void join_write_renew(FILE *, const struct join_facts *);

#endif
