/*
 * What pki.yml says, valise-pki.yml(5): the file of `valise-pki serve`.  The command line says the
 * same by options, which win.
 */
#ifndef PKI_TOOL_SERVE_SETTINGS_H
#define PKI_TOOL_SERVE_SETTINGS_H

#include <stdint.h>

#include "base/conf.h"
#include "base/daemon_rows.h"

struct serve_settings {
	uint64_t version;
	char *authority;               /* its directory; NULL: as --ca */
	struct conf_texts server_name; /* the first is the certificate's NAME */
	struct conf_texts listen;
	char *url; /* NULL: https:// and the first name */
	char *passphrase_file;
	uint64_t connections;           /* at once */
	uint64_t requests;              /* a second, all together; 0: no bound */
	uint64_t requests_per_identity; /* a second, of renewals; 0: no bound */
	uint64_t signatures_per_hour;
	struct log_settings log;
};

/* 0, or an exit code after messages.  Path NULL: the default one, and if there is none, the defaults of
 * all keys.  Wipe in any case. */
int serve_settings_read(struct serve_settings *, const char *path);
void serve_settings_wipe(struct serve_settings *);

/* Checks as conf_row.check, also for options. */
bool serve_settings_is_listener(const char *text, char error[256]);
bool serve_settings_is_name(const char *text, char error[256]);

#endif
