/*
 * What stands in `acme` of agent_tls_termination (valise-agent.yml(5)): the account at a CA through
 * which an endpoint's certificate is had and renewed.  Endpoints with one directory and one key_id
 * share an account.
 */
#ifndef AGENT_ACME_SETTINGS_H
#define AGENT_ACME_SETTINGS_H

#include <stdbool.h>

#include "base/conf.h"
#include "pki/key_type.h"

#define ACME_USUAL_DIRECTORY "https://acme-v02.api.letsencrypt.org/directory"

struct acme_settings {
	struct conf_mark mark; /* line 0: not given */
	char *directory;
	struct conf_mark directory_mark;
	struct conf_texts contact; /* addresses of mail, with or without mailto: */
	bool has_agreed;
	int key;                     /* index into the words; acme_settings_key_type() */
	char *key_id, *mac_key_file; /* NULL both: the CA wants no account of its own */
	struct conf_mark key_id_mark, mac_key_file_mark;
	struct conf_texts cas;
	char *caa_resolver;
};

extern const struct conf_row acme_settings_rows[];

/* conf_row.check of two of them. */
bool acme_settings_is_directory(const char *text, char error[256]);
bool acme_settings_is_contact(const char *text, char error[256]);

enum key_type acme_settings_key_type(const struct acme_settings *);
/* Whether the two are one account. */
bool acme_settings_share(const struct acme_settings *, const struct acme_settings *);
/* Whether what belongs to the account is the same in both. */
bool acme_settings_agree(const struct acme_settings *, const struct acme_settings *);
/* Sixteen digits that are others if anything is that a CA may have refused. */
enum { ACME_SETTINGS_DIGEST = 17 };
void acme_settings_digest(const struct acme_settings *, char out[ACME_SETTINGS_DIGEST]);
/* What must be so within it. */
void acme_settings_check(const struct acme_settings *, struct conf_report *);

#endif
