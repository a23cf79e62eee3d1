/*
 * What the tests of enrolment share: an authority in a directory of its own, made by valise-pki's own
 * init, hosts with keys and requests, and invitations.  The clock stands still at `now_s`.
 */
#ifndef TESTS_PKI_TOOL_ENROL_KIT_H
#define TESTS_PKI_TOOL_ENROL_KIT_H

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/clock_fake.h"
#include "base/log.h"
#include "keys/key_store.h"
#include "pki/key_type.h"
#include "pki/tool/command.h"
#include "pki/tool/enrolment.h"
#include "pki/tool/invitation.h"
#include "pki/tool/profile.h"
#include "pki/tool/store.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

enum { HOUR = 3600, DAY = 86400, CSR_BYTES = 4096, WORDS = 16 };

static int64_t now_s;
static char directory[64];
static struct common common = { .ca = directory };
static struct enrolment_options options = { .url = "https://pki.example.net",
	.name = "pki.example.net" };
static struct enrolment *enrolment;
static struct enrol_answer answer;

static void
set_clock(int64_t seconds)
{
	now_s = seconds;
	clock_fake(1, seconds * 1000000);
}

/* A command of valise-pki, whose standard output would not be TAP. */
static int
run(const struct command *command, ...)
{
	char *argv[WORDS] = { (char *)(uintptr_t)command->usage->word, "--ca", directory };
	int argc = 3, kept = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY), code;
	va_list words;

	va_start(words, command);
	while (argc < WORDS - 1 && (argv[argc] = va_arg(words, char *)))
		argc++;
	va_end(words);
	fflush(stdout);
	dup2(null, STDOUT_FILENO);
	code = command->run(argc, argv);
	fflush(stdout);
	dup2(kept, STDOUT_FILENO);
	close(kept);
	close(null);
	return code;
}

static int
remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int
make_authority(void **state)
{
	(void)state;
	log_init("enrol-test", LOG_ERROR, LOG_TEXT);
	set_clock(1800000000);
	snprintf(directory, sizeof directory, "/tmp/enrol-XXXXXX");
	options.signatures_per_hour = 0;
	options.hosts = (struct texts){ { "pki.example.net" }, 1 };
	options.keys = key_store_new_closed();
	return !options.keys || !mkdtemp(directory) || run(&command_init, "--no-password", NULL) ||
	    enrolment_open(&enrolment, &common, &options);
}

static int
remove_authority(void **state)
{
	(void)state;
	enrolment_close(enrolment);
	enrolment = NULL;
	key_store_free(options.keys);
	return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- the inventory, by another process's eyes ---- */

static int
take_number(void *arg, sqlite3_stmt *row)
{
	*(int64_t *)arg = sqlite3_column_int64(row, 0);
	return 0;
}

static int64_t
ask(const char *sql)
{
	struct store store = { 0 };
	int64_t number = 0;

	assert_int_equal(store_open(&store, directory), 0);
	assert_int_equal(store_each(&store, take_number, &number, sql, ""), 0);
	store_close(&store);
	return number;
}

static int64_t
count_certificates(void)
{
	return ask("SELECT count(*) FROM certificate");
}

/* ---- invitations ---- */

struct invited {
	char handle[JOIN_HANDLE], secret[JOIN_SECRET];
};

/* An agent's or a server's; changed before it is entered, if asked. */
static struct invited
invite(const char *kind, const char *name, const char *host, void (*change)(struct invitation *))
{
	const struct profile *profile = profile_of_kind(kind);
	struct invitation *invitation = test_calloc(1, sizeof *invitation);
	struct store store = { 0 };
	struct invited invited;
	struct record former;
	struct ca ca;
	bool found;

	assert_int_equal(store_open(&store, directory), 0);
	assert_int_equal(store_begin(&store), 0);
	assert_int_equal(ca_find(&store, profile->role, &ca), 0);
	assert_int_equal(record_look_up(&store, name, &former, &found), 0);
	snprintf(invitation->kind, sizeof invitation->kind, "%s", kind);
	snprintf(invitation->name, sizeof invitation->name, "%s", name);
	if (profile->granted)
		snprintf(invitation->grant.name, sizeof invitation->grant.name, "%s", name);
	if (host)
		assert_int_equal(names_add_host(&invitation->names, profile, host), 0);
	invitation->issuer = ca.id;
	invitation->former = former.id;
	invitation->made_at = now_s;
	invitation->ends_at = now_s + DAY;
	invitation_make_secret(invitation, invited.secret);
	if (change)
		change(invitation);
	assert_int_equal(invitation_add(&store, invitation), 0);
	assert_int_equal(store_commit(&store), 0);
	store_close(&store);
	snprintf(invited.handle, sizeof invited.handle, "%s", invitation->handle);
	test_free(invitation);
	return invited;
}

static void
set_replaces(struct invitation *invitation)
{
	invitation->replaces = true;
}

/* ---- hosts ---- */

struct machine {
	gnutls_x509_privkey_t key;
	uint8_t certificate[4096];
	size_t bytes;
};

static struct machine
new_machine(void)
{
	struct machine host = { 0 };

	assert_true(key_type_generate(KEY_P256, &host.key) >= 0);
	return host;
}

/* What a request asks for; all of it may be left out. */
struct csr_contents {
	const char *subject, *organisation;
	const char *hosts[4];
	const char *uri;
	bool challenge, foreign_attribute, purpose;
};

struct csr {
	uint8_t data[CSR_BYTES];
	size_t bytes;
};

static struct csr
request_of(const struct machine *host, const struct csr_contents *asked)
{
	struct csr csr = { .bytes = sizeof csr.data };
	gnutls_x509_crq_t request;

	gnutls_x509_crq_init(&request);
	gnutls_x509_crq_set_version(request, 1);
	if (asked->subject)
		gnutls_x509_crq_set_dn_by_oid(request, GNUTLS_OID_X520_COMMON_NAME, 0,
		    asked->subject, (unsigned)strlen(asked->subject));
	if (asked->organisation)
		gnutls_x509_crq_set_dn_by_oid(request, GNUTLS_OID_X520_ORGANIZATION_NAME, 0,
		    asked->organisation, (unsigned)strlen(asked->organisation));
	for (size_t i = 0; i < 4 && asked->hosts[i]; i++)
		gnutls_x509_crq_set_subject_alt_name(request, GNUTLS_SAN_DNSNAME, asked->hosts[i],
		    (unsigned)strlen(asked->hosts[i]), i ? GNUTLS_FSAN_APPEND : GNUTLS_FSAN_SET);
	if (asked->uri)
		gnutls_x509_crq_set_subject_alt_name(request, GNUTLS_SAN_URI, asked->uri,
		    (unsigned)strlen(asked->uri), GNUTLS_FSAN_APPEND);
	if (asked->challenge)
		gnutls_x509_crq_set_challenge_password(request, "not looked at");
	if (asked->foreign_attribute)
		gnutls_x509_crq_set_attribute_by_oid(
		    request, "1.3.6.1.4.1.311.13.2.3", (void *)(uintptr_t)"\x0c\x01x", 3);
	if (asked->purpose)
		gnutls_x509_crq_set_key_purpose_oid(request, GNUTLS_KP_TLS_WWW_SERVER, 0);
	assert_true(gnutls_x509_crq_set_key(request, host->key) >= 0);
	assert_true(gnutls_x509_crq_sign2(request, host->key, GNUTLS_DIG_SHA256, 0) >= 0);
	assert_true(gnutls_x509_crq_export(request, GNUTLS_X509_FMT_DER, csr.data, &csr.bytes) >= 0);
	gnutls_x509_crq_deinit(request);
	return csr;
}

static void
keep(struct machine *host)
{
	assert_true(answer.count >= 2 && answer.certificates[0].bytes <= sizeof host->certificate);
	memcpy(host->certificate, answer.certificates[0].data, answer.certificates[0].bytes);
	host->bytes = answer.certificates[0].bytes;
}

static bool
has(const struct machine *host)
{
	return answer.count && answer.certificates[0].bytes == host->bytes &&
	    memcmp(answer.certificates[0].data, host->certificate, host->bytes) == 0;
}

static enum enrol_code
first_asking(const struct machine *host, const struct invited *invited, const struct csr_contents *asked)
{
	struct csr csr = request_of(host, asked);
	struct enrol_question question = { .kind = ENROL_FIRST,
		.csr = { csr.data, csr.bytes },
		.from = "192.0.2.1:4711" };

	snprintf(question.user, sizeof question.user, "%s", invited->handle);
	snprintf(question.password, sizeof question.password, "%s", invited->secret);
	enrolment_answer(enrolment, &question, &answer);
	return answer.code;
}

static enum enrol_code
first(const struct machine *host, const struct invited *invited)
{
	return first_asking(host, invited, &(struct csr_contents){ 0 });
}

/* `host` shows its certificate and asks for the key of `next`. */
static enum enrol_code
again_asking(const struct machine *host, const struct machine *next, const struct csr_contents *asked)
{
	struct csr csr = request_of(next, asked);
	struct enrol_question question = { .kind = ENROL_AGAIN,
		.csr = { csr.data, csr.bytes },
		.certificate = { host->certificate, host->bytes },
		.from = "[2001:db8::1]:4711" };

	enrolment_answer(enrolment, &question, &answer);
	return answer.code;
}

/* As the agent "site" with app.example.com. */
static enum enrol_code
again(const struct machine *host, const struct machine *next)
{
	return again_asking(host, next,
	    &(struct csr_contents){ .subject = "site", .hosts = { "app.example.com" } });
}

/* An agent that has enrolled. */
static struct machine
new_agent(void)
{
	struct invited invited = invite("agent", "site", "app.example.com", NULL);
	struct machine host = new_machine();

	assert_int_equal(first(&host, &invited), ENROL_ISSUED);
	keep(&host);
	return host;
}

static void
assert_says(const char *words)
{
	if (!strstr(answer.sentence, words))
		fail_msg("'%s' does not say '%s'", answer.sentence, words);
}

static void
free_machines(struct machine *hosts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		gnutls_x509_privkey_deinit(hosts[i].key);
}

#pragma GCC diagnostic pop

#endif
