/* valise-pki show: what is in a file, or in the inventory. */
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "pki/tool/authority.h"
#include "pki/tool/command.h"
#include "pki/tool/describe.h"
#include "pki/tool/output.h"
#include "pki/tool/message.h"
#include "pki/tool/show.h"

enum { FILE_MOST = 256 * 1024 * 1024 };

static const struct synopsis usage = {
	"show",
	"FILE|NAME|SERIAL",
	1,
	1,
	"Shows a certificate of the inventory, or a file: certificates, request, CRL, key "
	"or PKCS#12.",
	NULL,
};

static int
show_path(const struct common *common, const char *path)
{
	char error[FILE_ERROR];
	struct secret file = { 0 };
	json_t *list = json_array();
	int code;

	if (!file_read(&file, path, FILE_MOST, error))
		code = message_fail(EX_NOINPUT, "%s", error);
	else
		code = show_file(common, path, &file, list);
	secret_wipe(&file);
	if (!code)
		return output_print(common, list);
	json_decref(list);
	return code;
}

static int
show_record(const struct common *common, const char *name)
{
	struct authority authority = { .reads = true };
	gnutls_x509_crt_t certificate = NULL;
	struct record record;
	int code = authority_open(&authority, common);

	if (!code)
		code = record_find(&authority.store, name, &record);
	if (!code)
		code = record_certificate(&authority.store, record.id, &certificate);
	if (!code)
		code = output_print(common, describe_certificate(certificate));
	gnutls_x509_crt_deinit(certificate);
	authority_close(&authority);
	return code;
}

/* A directory may have the name of a certificate. */
static bool
is_file(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && !S_ISDIR(status.st_mode);
}

static int
run(int argc, char **argv)
{
	struct common options = { 0 };
	struct operands operands;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	return is_file(operands.at[0]) ? show_path(&options, operands.at[0])
				       : show_record(&options, operands.at[0]);
}

const struct command command_show = { &usage, run };
