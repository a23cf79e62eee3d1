/* valise-pki sign: a certificate for a key that stays where it is. */
#include "pki/tool/command.h"
#include "pki/tool/csr.h"
#include "pki/tool/request.h"

struct sign_options {
	struct common common;
	struct request_options request;
	struct texts allow;
};

static const struct option_row rows[] = { { "allow", OPTION_TEXTS,
					      offsetof(struct sign_options, allow), "EXTENSION",
					      "take this from the request: subjectAltName", 0 },
	REQUEST_OPTION_ROWS(struct sign_options, request), { 0 } };

static const struct synopsis usage = {
	"sign",
	"CSR relay|agent|server|client NAME",
	3,
	3,
	"Signs a request: issued/NAME.crt. What the request asks for is ignored unless "
	"allowed.",
	rows,
};

static int
sign(const struct sign_options *options, struct leaf *leaf, gnutls_x509_crq_t request)
{
	struct authority authority = { 0 };
	struct signer signer = { 0 };
	struct record record;
	int code = csr_take_names(request, &options->allow, leaf->profile, &leaf->names);

	if (!code)
		code = csr_public(request, &leaf->key);
	if (!code)
		code = authority_open(&authority, &options->common);
	if (!code)
		code = request_judge(&authority, &options->request, leaf, &signer);
	if (!code)
		code = leaf_issue(&authority, &signer, leaf, &record);
	if (!code)
		code = leaf_print(&authority, &record);
	signer_wipe(&signer);
	authority_close(&authority);
	return code;
}

static int
run(int argc, char **argv)
{
	struct sign_options options = { 0 };
	struct leaf leaf = { 0 };
	gnutls_x509_crq_t request = NULL;
	struct operands operands;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	code = request_read(&leaf, &options.request, operands.at[1], operands.at[2]);
	if (!code)
		code = csr_load(operands.at[0], &request);
	if (!code)
		code = sign(&options, &leaf, request);
	gnutls_pubkey_deinit(leaf.key);
	gnutls_x509_crq_deinit(request);
	return code;
}

const struct command command_sign = { &usage, run };
