/*
 * The files of a host that joins.  What the daemon renews by itself (its certificate and key, the
 * CRLs) goes into its state directory and belongs to the user that it runs as; the configuration
 * and the CAs go where the configuration is, and belong to whoever joins.
 *
 * Nothing is overwritten.  The key, which others make (keys/key_ask.h), is there before anything is
 * asked for, and it alone stays behind when joining fails: the authority gives the same key the same
 * certificate again.  The order of writing is such that after a crash a second join either goes on
 * or says what is in its way.
 */
#ifndef ENROL_JOIN_FILES_H
#define ENROL_JOIN_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/file.h"
#include "base/secret.h"

enum join_file {
	JOIN_KEY,
	JOIN_PEER_CRLS,
	JOIN_SERVER_CRLS,
	JOIN_PEER_CAS,
	JOIN_SERVER_CAS,
	JOIN_CONFIG,
	JOIN_CERTIFICATE,
	JOIN_FILES, /* in the order of writing */
};

struct join_files {
	bool drops; /* root works on the state directory as this user */
	uid_t user;
	gid_t group;
	char state_dir[PATH_MAX], config_dir[PATH_MAX];
	char paths[JOIN_FILES][PATH_MAX];
	bool key_is_old; /* of a join that did not finish */
};

struct join_places {
	const char *state_dir, *config; /* as given */
	const char *kind;               /* "agent": the name of certificate and key */
	const char *peers;              /* "relays": the name of their CAs */
	const char *peer_crl_url, *server_crl_url;
	const char *user; /* whom the state belongs to if root joins; NULL: whoever joins */
};

enum { JOIN_FILES_ERROR = 2048 };

/* Finds the user, makes the directories, and looks what is in the way.  0, or with a sentence 67 no such
 * user, 73 something exists, or cannot be made. */
int join_files_plan(struct join_files *, const struct join_places *, char error[JOIN_FILES_ERROR]);
/* Whether these CAs can be put there: nothing is, or the same. */
bool join_files_have_place(const struct join_files *, enum join_file, const struct secret *contents,
    char error[JOIN_FILES_ERROR]);
/* All but the key; contents[JOIN_KEY] is not looked at.  False with a sentence, and then what this
 * call has made is gone again. */
bool join_files_write(const struct join_files *, const struct secret contents[JOIN_FILES],
    char error[JOIN_FILES_ERROR]);

#endif
