/* valise-pki lint: what is unwise about certificates and CRLs. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "pki/content.h"
#include "pki/pem.h"
#include "pki/tool/authority.h"
#include "pki/tool/command.h"
#include "pki/tool/lint.h"
#include "pki/tool/message.h"

struct lint_options {
	struct common common;
	bool all;
};

static const struct option_row rows[] = {
	{ "all", OPTION_FLAG, offsetof(struct lint_options, all), NULL,
	    "every current certificate and CRL of the authority", 0 },
	{ 0 }
};

static const struct synopsis usage = {
	"lint",
	"[FILE...]",
	0,
	-1,
	"Tells what is unwise (exits 2) or wrong (exits 1) about certificates and CRLs.",
	rows,
};

static struct der
block_or_nothing(const struct pem_file *file, size_t index)
{
	return index < file->count ? pem_block(file, index) : (struct der){ 0 };
}

/* A library reads a CRL as a certificate, so that the structure is looked at first. */
static bool
is_another(struct der der, enum content called)
{
	enum content kind = content_of_der(der);

	return kind != called && kind != CONTENT_OTHER;
}

static int
tell_another(struct findings *findings, const char *label, struct der der)
{
	struct content_facts facts = { content_of_der(der), true };
	char text[CONTENT_TEXT];

	return findings_add(
	    findings, FINDING_WRONG, "%s: unreadable: it is %s", label, content_text(facts, text));
}

static int
lint_certificates(
    struct findings *findings, const char *path, const struct pem_file *file, int64_t now)
{
	char label[512];
	int code = 0;

	for (size_t i = 0; !code && i < file->count; i++) {
		snprintf(label, sizeof label, "%s, certificate %zu", path, i + 1);
		struct der der = pem_block(file, i);
		code = is_another(der, CONTENT_CERTIFICATE)
		    ? tell_another(findings, label, der)
		    : lint_certificate(findings, label, der, block_or_nothing(file, i + 1), now);
	}
	return code;
}

static int
lint_crls(struct findings *findings, const char *path, const struct pem_file *file, int64_t now)
{
	char label[512];
	int code = 0;

	for (size_t i = 0; !code && i < file->count; i++) {
		snprintf(label, sizeof label, "%s, CRL %zu", path, i + 1);
		struct der der = pem_block(file, i);
		code = is_another(der, CONTENT_CRL) ? tell_another(findings, label, der)
						    : lint_crl(findings, label, der, now);
	}
	return code;
}

static const struct {
	enum content content;
	enum pem_kind kind;
	int (*lint)(struct findings *, const char *, const struct pem_file *, int64_t);
} lintable[] = {
	{ CONTENT_CERTIFICATE, PEM_CERTIFICATE, lint_certificates },
	{ CONTENT_CRL, PEM_CRL, lint_crls },
};

/* A file in PEM may hold both; one in DER is what its structure says. */
static int
lint_data(struct findings *findings, const char *path, struct content_facts content, int64_t now)
{
	char error[PEM_ERROR] = "", text[CONTENT_TEXT];
	struct pem_file file;
	bool found = false;
	int code = 0;

	for (size_t i = 0; !code && i < sizeof lintable / sizeof *lintable; i++) {
		if (!content.is_pem && content.kind != lintable[i].content)
			continue;
		if (!pem_load(&file, path, lintable[i].kind, error)) {
			if (content.kind == lintable[i].content)
				return message_fail(EX_DATAERR, "%s", error);
			continue;
		}
		found = true;
		code = lintable[i].lint(findings, path, &file, now);
		pem_wipe(&file);
	}
	return found || code
	    ? code
	    : message_fail(EX_DATAERR,
		  "%s: neither certificates nor CRLs that can be read: it holds %s", path,
		  content_text(content, text));
}

static int
lint_file(struct findings *findings, const char *path, int64_t now)
{
	char error[FILE_ERROR];
	struct secret file = { 0 };
	struct content_facts content;

	if (!file_read(&file, path, PEM_CRL_BYTES, error))
		return message_fail(EX_NOINPUT, "%s", error);
	content = content_of(file.data, file.bytes);
	secret_wipe(&file);
	return lint_data(findings, path, content, now);
}

struct linting {
	struct findings *findings;
	struct authority *authority;
};

static int
lint_record(void *arg, const struct record *record)
{
	struct linting *linting = arg;
	char path[PATH_MAX], name[CA_NAME + 16];

	if (record->revoked_at)
		return 0;
	snprintf(name, sizeof name, "%s/%s.crt", strcmp(record->kind, "ca") == 0 ? "cas" : "issued",
	    record->name);
	return lint_file(linting->findings, store_path(&linting->authority->store, name, path),
	    linting->authority->now);
}

static int
lint_ca_crl(void *arg, const struct ca *ca)
{
	struct linting *linting = arg;
	char path[PATH_MAX], name[CA_NAME + 16];

	if (!ca->crl_next) /* its owner has given none yet */
		return 0;
	snprintf(name, sizeof name, "crls/%s.crl", ca->name);
	return lint_file(linting->findings, store_path(&linting->authority->store, name, path),
	    linting->authority->now);
}

static int
lint_all(struct findings *findings, const struct common *common)
{
	struct authority authority = { .reads = true, .silent = true };
	struct linting linting = { findings, &authority };
	int code = authority_open(&authority, common);

	if (!code)
		code = record_each(
		    &authority.store, lint_record, &linting, "WHERE current = 1 ORDER BY id", "");
	if (!code)
		code = ca_each(&authority.store, lint_ca_crl, &linting);
	authority_close(&authority);
	return code;
}

static int
run(int argc, char **argv)
{
	struct lint_options options = { 0 };
	struct findings findings = { 0 };
	struct operands operands;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	if (options.all == (operands.count > 0))
		return message_fail(EX_USAGE, "lint: name files, or say --all");
	code = options.all ? lint_all(&findings, &options.common) : 0;
	for (int i = 0; !code && i < operands.count; i++)
		code = lint_file(&findings, operands.at[i], clock_wall_s());
	code = code ? code : findings_print(&findings, &options.common);
	findings_wipe(&findings);
	return code;
}

const struct command command_lint = { &usage, run };
