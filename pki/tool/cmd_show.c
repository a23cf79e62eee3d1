/* valise-pki show: what a certificate says. */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "pki/tool/authority.h"
#include "pki/tool/command.h"
#include "pki/tool/describe.h"
#include "pki/tool/output.h"
#include "pki/tool/say.h"

enum { FILE_MOST = 16 * 1024 * 1024 };

struct show_options {
	struct common common;
};

static const struct usage usage = {
	"show", "FILE|NAME|SERIAL", 1, 1, "Shows a certificate: of the inventory, or every one in a file.", NULL, false,
};

static int
show_file(const struct common *common, const char *path)
{
	char error[FILE_ERROR];
	struct secret file = { 0 };
	gnutls_x509_crt_t *certificates = NULL;
	unsigned count = 0;
	json_t *list = json_array();
	int problem;

	if (!file_read(&file, path, FILE_MOST, error)) {
		json_decref(list);
		return say_fail(EX_NOINPUT, "%s", error);
	}
	problem = gnutls_x509_crt_list_import2(&certificates, &count,
	    &(gnutls_datum_t){ file.data, (unsigned)file.bytes }, GNUTLS_X509_FMT_PEM, 0);
	secret_wipe(&file);
	for (unsigned i = 0; problem >= 0 && i < count; i++) {
		json_array_append_new(list, describe_certificate(certificates[i]));
		gnutls_x509_crt_deinit(certificates[i]);
	}
	gnutls_free(certificates);
	if (problem >= 0)
		return output_print(common, list);
	json_decref(list);
	return say_fail(EX_DATAERR, "%s: no certificate in PEM: %s", path, gnutls_strerror(problem));
}

static int
show_record(const struct common *common, const char *name)
{
	struct authority authority = { 0 };
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

static int
run(int argc, char **argv)
{
	struct show_options options = { 0 };
	struct operands operands;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	return access(operands.at[0], F_OK) == 0 ? show_file(&options.common, operands.at[0]) :
	    show_record(&options.common, operands.at[0]);
}

const struct command command_show = { &usage, run };
