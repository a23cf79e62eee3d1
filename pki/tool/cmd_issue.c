/* valise-pki issue: a new key and its certificate. */
#include "pki/tool/command.h"
#include "pki/tool/leaf_key.h"
#include "pki/tool/request.h"

struct issue_options {
	struct common common;
	struct request_options request;
	struct leaf_key_options key;
};

static const struct option_row rows[] = { REQUEST_OPTION_ROWS(struct issue_options, request),
	LEAF_KEY_OPTION_ROWS(struct issue_options, key), { 0 } };

static const struct synopsis usage = {
	"issue",
	"relay|agent|server|client NAME",
	2,
	2,
	"Makes a key and a certificate: issued/NAME.key and issued/NAME.crt.",
	rows,
};

static int
run(int argc, char **argv)
{
	struct issue_options options = { 0 };
	struct authority authority = { 0 };
	struct signer signer = { 0 };
	struct leaf_key key = { 0 };
	struct leaf leaf = { 0 };
	struct operands operands;
	struct record record;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	code = request_read(&leaf, &options.request, operands.at[0], operands.at[1]);
	if (!code)
		code = authority_open(&authority, &options.common);
	if (!code)
		code = request_judge(&authority, &options.request, &leaf, &signer);
	if (!code)
		code = leaf_key_make(&authority, &options.key, &leaf, &key);
	if (!code)
		code = leaf_issue(&authority, &signer, &leaf, &record);
	if (!code)
		code = leaf_print(&authority, &record);
	leaf_key_wipe(&key);
	signer_wipe(&signer);
	authority_close(&authority);
	return code;
}

const struct command command_issue = { &usage, run };
