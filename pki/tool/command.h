/*
 * The words of valise-pki: one small file each, which exports one of these.
 */
#ifndef PKI_TOOL_COMMAND_H
#define PKI_TOOL_COMMAND_H

#include "pki/tool/options.h"

struct command {
	const struct synopsis *usage;
	int (*run)(int argc, char **argv); /* argv[0] is the word; the exit code is returned */
};

extern const struct command command_init, command_sub, command_serve;
extern const struct command command_issue, command_sign, command_renew, command_rekey;
extern const struct command command_invite;
extern const struct command command_revoke, command_hold, command_unhold, command_crl;
extern const struct command command_list, command_show, command_verify, command_check, command_lint;
extern const struct command command_export, command_bundle, command_backup, command_restore;

#endif
