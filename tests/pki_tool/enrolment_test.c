/* Who gets what: every case of enrolment.h, with a real inventory and real keys. */
#include "pki/tool/enrolment.h"

#include <sys/wait.h>

#include "pki_tool/enrol_kit.h"

#include "base/file.h"
#include "pki/x509.h"

/* ---- by an invitation ---- */

static void
gives_what_the_invitation_says_whatever_is_not_asked_for(void **state)
{
	struct invited invited = invite("agent", "site", "app.example.com", NULL);
	struct machine host = new_machine();
	struct cursor names;
	struct der value;
	struct x509 leaf;
	const char *why;

	(void)state;
	assert_int_equal(first(&host, &invited), ENROL_ISSUED);
	assert_string_equal(answer.name, "site");
	assert_string_equal(answer.kind, "agent");
	assert_int_equal(answer.count, 2);
	assert_true(x509_parse(&leaf, answer.certificates[0], &why));
	names = der_over(leaf.names);
	assert_true(x509_next_name_of(&names, NAME_DNS, &value));
	assert_memory_equal(value.data, "app.example.com", value.bytes);
	assert_true(leaf.has_grant);
	assert_int_equal(leaf.not_after, answer.not_after);
	assert_int_equal(leaf.not_after, now_s + 90 * DAY);
	assert_int_equal(run(&command_check, NULL), 0);
	free_machines(&host, 1);
}

static void
gives_the_same_key_the_same_certificate_while_the_invitation_lasts(void **state)
{
	struct invited invited = invite("agent", "site", "app.example.com", NULL);
	struct machine host = new_machine();
	int64_t count;

	(void)state;
	assert_int_equal(first(&host, &invited), ENROL_ISSUED);
	keep(&host);
	count = count_certificates();
	set_clock(now_s + DAY - 1);
	assert_int_equal(first(&host, &invited), ENROL_ISSUED);
	assert_true(has(&host));
	set_clock(now_s + 1);
	assert_int_equal(first(&host, &invited), ENROL_UNAUTHORISED);
	assert_says("the invitation was over");
	assert_int_equal(count_certificates(), count);
	free_machines(&host, 1);
}

static void
takes_another_key_for_a_used_invitation_as_theft(void **state)
{
	struct invited invited = invite("agent", "site", "app.example.com", NULL);
	struct machine hosts[] = { new_machine(), new_machine() };

	(void)state;
	assert_int_equal(first(&hosts[0], &invited), ENROL_ISSUED);
	keep(&hosts[0]);
	assert_int_equal(first(&hosts[1], &invited), ENROL_REFUSED);
	assert_says("the invitation was used already, with another key");
	assert_int_equal(answer.count, 0);
	set_clock(now_s + 2 * DAY);
	assert_int_equal(first(&hosts[1], &invited), ENROL_REFUSED);
	assert_says("another key");
	free_machines(hosts, 2);
}

static void
stamp_inventory(struct file_stamp stamps[2])
{
	char path[128];

	snprintf(path, sizeof path, "%s/inventory.db", directory);
	stamps[0] = file_stamp_of(path);
	snprintf(path, sizeof path, "%s/inventory.db-wal", directory);
	stamps[1] = file_stamp_of(path);
	assert_true(stamps[0].exists && stamps[1].exists);
}

static void
tells_strangers_nothing_and_changes_nothing_for_them(void **state)
{
	struct invited invited = invite("agent", "site", "app.example.com", NULL), wrong = invited;
	struct machine host = new_machine();
	char sentence[ENROL_SENTENCE];
	struct file_stamp before[2], after[2];

	(void)state;
	stamp_inventory(before);
	wrong.secret[5] = wrong.secret[5] == '0' ? '1' : '0';
	assert_int_equal(first(&host, &wrong), ENROL_UNAUTHORISED);
	memcpy(sentence, answer.sentence, sizeof sentence);
	wrong = invited;
	wrong.handle[5] = wrong.handle[5] == '0' ? '1' : '0';
	assert_int_equal(first(&host, &wrong), ENROL_UNAUTHORISED);
	assert_string_equal(answer.sentence, sentence);
	assert_int_equal(first(&host, &(struct invited){ "", "" }), ENROL_UNAUTHORISED);
	assert_string_equal(answer.sentence, sentence);
	assert_string_equal(answer.name, "");
	stamp_inventory(after);
	assert_true(file_stamp_equals(&before[0], &after[0]));
	assert_true(file_stamp_equals(&before[1], &after[1]));
	assert_int_equal(first(&host, &invited), ENROL_ISSUED);
	free_machines(&host, 1);
}

static void
withdraw(const struct invited *invited)
{
	assert_int_equal(
	    run(&command_invite, "--revoke", (char *)(uintptr_t)invited->handle, NULL), 0);
}

static void
refuses_what_was_withdrawn_or_is_over(void **state)
{
	struct invited gone = invite("agent", "gone", "gone.example.com", NULL);
	struct invited late = invite("agent", "late", "late.example.com", NULL);
	struct machine host = new_machine();

	(void)state;
	withdraw(&gone);
	assert_int_equal(first(&host, &gone), ENROL_UNAUTHORISED);
	assert_says("withdrawn");
	assert_int_not_equal(run(&command_invite, "--revoke", gone.handle, NULL), 0);
	set_clock(now_s + DAY);
	assert_int_equal(first(&host, &late), ENROL_UNAUTHORISED);
	assert_says("over");
	assert_int_equal(ask("SELECT count(*) FROM certificate WHERE kind = 'agent'"), 0);
	free_machines(&host, 1);
}

static void
takes_a_request_that_asks_for_what_it_gets_and_no_other(void **state)
{
	static const struct {
		struct csr_contents asked;
		enum enrol_code code;
		const char *words;
	} cases[] = {
		{ { .subject = "other" }, ENROL_REFUSED, "for the subject 'CN=other'" },
		{ { .subject = "site", .organisation = "x" }, ENROL_REFUSED, "for the subject" },
		{ { .organisation = "site" }, ENROL_REFUSED, "for the subject" },
		{ { .hosts = { "other.example.com" } }, ENROL_REFUSED, "not exactly those" },
		{ { .hosts = { "app.example.com", "other.example.com" } }, ENROL_REFUSED,
		    "not exactly those" },
		{ { .hosts = { "app.example.com" }, .uri = "urn:x" }, ENROL_REFUSED,
		    "not exactly those" },
		{ { .uri = "app.example.com" }, ENROL_REFUSED, "not exactly those" },
		{ { .foreign_attribute = true }, ENROL_REFUSED,
		    "attribute 1.3.6.1.4.1.311.13.2.3" },
		{ { .purpose = true }, ENROL_REFUSED, "extension 2.5.29.37" },
		{ { .subject = "site", .hosts = { "App.Example.com." }, .challenge = true },
		    ENROL_ISSUED, "issued" },
	};
	struct invited invited = invite("agent", "site", "app.example.com", NULL);
	struct machine host = new_machine();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(first_asking(&host, &invited, &cases[i].asked), cases[i].code);
		assert_says(cases[i].words);
	}
	free_machines(&host, 1);
}

static void
refuses_a_request_that_is_broken_or_not_its_key_s(void **state)
{
	struct invited invited = invite("agent", "site", "app.example.com", NULL);
	struct machine host = new_machine();
	struct csr csr = request_of(&host, &(struct csr_contents){ .subject = "site" });
	struct enrol_question question = { .kind = ENROL_FIRST };

	(void)state;
	snprintf(question.user, sizeof question.user, "%s", invited.handle);
	snprintf(question.password, sizeof question.password, "%s", invited.secret);
	for (size_t bytes = 0; bytes < csr.bytes; bytes++) {
		question.csr = (struct der){ csr.data, bytes };
		enrolment_answer(enrolment, &question, &answer);
		assert_int_equal(answer.code, ENROL_MALFORMED);
	}
	csr.data[csr.bytes - 1] ^= 1;
	question.csr = (struct der){ csr.data, csr.bytes };
	enrolment_answer(enrolment, &question, &answer);
	assert_int_equal(answer.code, ENROL_MALFORMED);
	assert_says("does not prove");
	free_machines(&host, 1);
}

static void
refuses_a_key_that_was_another_s_or_was_revoked(void **state)
{
	struct machine site = new_agent(), fresh = new_machine();
	struct invited other = invite("agent", "other", "other.example.com", NULL);
	struct invited same = invite("agent", "site", "app.example.com", set_replaces);

	(void)state;
	assert_int_equal(first(&site, &other), ENROL_REFUSED);
	assert_says("certified for somebody else");
	assert_int_equal(run(&command_revoke, "site", NULL), 0);
	assert_int_equal(first(&site, &other), ENROL_REFUSED);
	assert_says("was revoked");
	set_clock(now_s + 1);
	same = invite("agent", "site", "app.example.com", NULL);
	assert_int_equal(first(&site, &same), ENROL_REFUSED);
	assert_says("was revoked");
	assert_int_equal(first(&fresh, &same), ENROL_ISSUED);
	free_machines(&site, 1);
	free_machines(&fresh, 1);
}

static void
takes_the_place_of_a_living_certificate_only_if_that_was_said(void **state)
{
	struct machine site = new_agent(), next = new_machine();
	struct invited invited = invite("agent", "site", "app.example.com", NULL);

	(void)state;
	assert_int_equal(first(&next, &invited), ENROL_REFUSED);
	assert_says("exists already");
	invited = invite("agent", "site", "app.example.com", set_replaces);
	assert_int_equal(first(&next, &invited), ENROL_ISSUED);
	assert_int_equal(again(&site, &site), ENROL_REFUSED);
	assert_says("another key");
	invited = invite("client", "site", NULL, set_replaces);
	assert_int_equal(first(&next, &invited), ENROL_REFUSED);
	assert_says("another kind here (agent)");
	free_machines(&site, 1);
	free_machines(&next, 1);
}

static void
refuses_an_invitation_that_something_came_in_between(void **state)
{
	struct invited early = invite("agent", "site", "app.example.com", set_replaces);
	struct machine site = new_agent(), next = new_machine();
	struct invited late = invite("agent", "site", "app.example.com", set_replaces);

	(void)state;
	assert_int_equal(first(&next, &early), ENROL_REFUSED);
	assert_says("got a certificate after");
	set_clock(now_s + 1);
	assert_int_equal(run(&command_revoke, "site", NULL), 0);
	assert_int_equal(first(&next, &late), ENROL_REFUSED);
	assert_says("revoked after");
	free_machines(&site, 1);
	free_machines(&next, 1);
}

/* A wildcard of a server or relay would pass for the reserved name; an agent's is no server's. */
static void
never_gives_its_own_name_or_a_relay_s(void **state)
{
	static const struct {
		const char *kind, *name, *host;
		bool refused;
	} cases[] = {
		{ "server", "a", "pki.example.net", true },
		{ "server", "b", "*.example.net", true },
		{ "relay", "c", "*.example.net", true },
		{ "agent", "d", "pki.example.net", true },
		{ "agent", "pki.example.net", "e.example.com", true },
		{ "client", "pki.example.net", NULL, true },
		{ "agent", "f", "connect.example.org", true },
		{ "server", "g", "*.example.org", true },
		{ "agent", "h", "*.example.net", false },
		{ "agent", "i", "*.example.org", false },
		{ "relay", "j", "connect.example.org", false },
		{ "server", "k", "k.example.net", false },
	};

	(void)state;
	assert_int_equal(run(&command_issue, "relay", "connect.example.org", NULL), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct invited invited =
		    invite(cases[i].kind, cases[i].name, cases[i].host, NULL);
		struct machine host = new_machine();

		assert_int_equal(
		    first(&host, &invited), cases[i].refused ? ENROL_REFUSED : ENROL_ISSUED);
		if (cases[i].refused)
			assert_non_null(strstr(answer.sentence, "itself")
				? strstr(answer.sentence, "itself")
				: strstr(answer.sentence, "a relay"));
		free_machines(&host, 1);
	}
}

static int64_t acme;

static void
set_acme(struct invitation *invitation)
{
	invitation->issuer = acme;
	invitation->grant.max_flows = 7;
}

static void
gives_the_whole_chain_below_a_customer_s_ca(void **state)
{
	struct machine host = new_machine();
	struct invited invited;
	struct x509 leaf, issuer;
	const char *why;

	(void)state;
	assert_int_equal(run(&command_sub, "acme", "--permit", "dns:acme.example", "--max-flows",
			     "7", "--no-password", NULL),
	    0);
	acme = ask("SELECT id FROM ca WHERE name = 'acme'");
	invited = invite("agent", "site", "app.acme.example", set_acme);
	assert_int_equal(first(&host, &invited), ENROL_ISSUED);
	keep(&host);
	assert_int_equal(answer.count, 3);
	assert_true(x509_parse(&leaf, answer.certificates[0], &why));
	assert_true(x509_parse(&issuer, answer.certificates[1], &why));
	assert_true(x509_names_issuer(&leaf, &issuer));
	assert_int_equal(again_asking(&host, &host,
			     &(struct csr_contents){
				 .subject = "site", .hosts = { "app.acme.example" } }),
	    ENROL_ISSUED);
	invited = invite("agent", "other", "app.example.com", set_acme);
	assert_int_equal(first(&host, &invited), ENROL_REFUSED);
	assert_says("outside of what the CA 'acme'");
	free_machines(&host, 1);
}

/* ---- by a certificate ---- */

static void
renews_for_a_new_key_and_for_the_old_one(void **state)
{
	struct machine old = new_agent(), new = new_machine();

	(void)state;
	assert_int_equal(again(&old, &new), ENROL_ISSUED);
	keep(&new);
	assert_false(has(&old));
	set_clock(now_s + 60 * DAY);
	assert_int_equal(again(&new, &new), ENROL_ISSUED);
	assert_false(has(&new));
	assert_int_equal(answer.not_after, now_s + 90 * DAY);
	assert_int_equal(ask("SELECT count(*) FROM certificate WHERE revoked_at IS NOT NULL"), 0);
	free_machines(&old, 1);
	free_machines(&new, 1);
}

static void
gives_the_same_key_the_same_successor_and_takes_another_as_theft(void **state)
{
	struct machine old = new_agent(), new = new_machine(), thief = new_machine();
	int64_t count;

	(void)state;
	assert_int_equal(again(&old, &new), ENROL_ISSUED);
	keep(&new);
	count = count_certificates();
	set_clock(now_s + 89 * DAY);
	assert_int_equal(again(&old, &new), ENROL_ISSUED);
	assert_true(has(&new));
	assert_int_equal(again(&old, &thief), ENROL_REFUSED);
	assert_says("the certificate was used already, with another key");
	assert_int_equal(again(&old, &old), ENROL_REFUSED);
	assert_int_equal(count_certificates(), count);
	free_machines(&old, 1);
	free_machines(&new, 1);
	free_machines(&thief, 1);
}

/* The command line's renew leads to the same place as the network's. */
static void
gives_what_the_operator_renewed(void **state)
{
	struct machine site = new_agent(), other = new_machine();

	(void)state;
	assert_int_equal(run(&command_renew, "site", NULL), 0);
	assert_int_equal(again(&site, &other), ENROL_REFUSED);
	assert_says("another key");
	assert_int_equal(again(&site, &site), ENROL_ISSUED);
	assert_false(has(&site));
	free_machines(&site, 1);
	free_machines(&other, 1);
}

static void
asks_for_subject_and_names_of_the_old_certificate(void **state)
{
	static const struct {
		struct csr_contents asked;
		const char *words;
	} cases[] = {
		{ { 0 }, "for the subject" },
		{ { .subject = "site" }, "not exactly those" },
		{ { .hosts = { "app.example.com" } }, "for the subject" },
		{ { .subject = "site", .hosts = { "*.example.com" } }, "not exactly those" },
	};
	struct machine site = new_agent();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(again_asking(&site, &site, &cases[i].asked), ENROL_REFUSED);
		assert_says(cases[i].words);
	}
	free_machines(&site, 1);
}

static void
never_renews_what_is_revoked_held_or_over(void **state)
{
	struct machine site = new_agent(), next = new_machine();

	(void)state;
	assert_int_equal(run(&command_hold, "site", NULL), 0);
	assert_int_equal(again(&site, &next), ENROL_REFUSED);
	assert_says("is held");
	assert_int_equal(run(&command_unhold, "site", NULL), 0);
	set_clock(now_s + 90 * DAY);
	assert_int_equal(again(&site, &next), ENROL_REFUSED);
	assert_says("ended");
	set_clock(now_s - 1);
	assert_int_equal(run(&command_revoke, "site", NULL), 0);
	assert_int_equal(again(&site, &next), ENROL_REFUSED);
	assert_says("is revoked");
	free_machines(&site, 1);
	free_machines(&next, 1);
}

static void
renews_for_no_key_of_another_s_or_a_revoked_one(void **state)
{
	struct invited invited = invite("client", "other", NULL, NULL);
	struct machine site = new_agent(), other = new_machine(), next = new_machine();

	(void)state;
	assert_int_equal(first(&other, &invited), ENROL_ISSUED);
	assert_int_equal(again(&site, &other), ENROL_REFUSED);
	assert_says("certified for somebody else");
	assert_int_equal(run(&command_revoke, "other", NULL), 0);
	assert_int_equal(again(&site, &other), ENROL_REFUSED);
	assert_says("was revoked");
	assert_int_equal(again(&site, &next), ENROL_ISSUED);
	free_machines(&site, 1);
	free_machines(&other, 1);
	free_machines(&next, 1);
}

/* The certificate that followed was revoked: who lost the answer does not get it, either. */
static void
never_gives_a_revoked_successor(void **state)
{
	struct machine old = new_agent(), new = new_machine();

	(void)state;
	assert_int_equal(again(&old, &new), ENROL_ISSUED);
	assert_int_equal(run(&command_revoke, "site", NULL), 0);
	assert_int_equal(again(&old, &new), ENROL_REFUSED);
	assert_says("revoked");
	free_machines(&old, 1);
	free_machines(&new, 1);
}

static void
load_file(struct machine *host, const char *name)
{
	char path[128];
	gnutls_datum_t pem, der;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	assert_true(gnutls_load_file(path, &pem) >= 0);
	assert_true(gnutls_pem_base64_decode2("CERTIFICATE", &pem, &der) >= 0);
	assert_true(der.size <= sizeof host->certificate);
	memcpy(host->certificate, der.data, der.size);
	host->bytes = der.size;
	gnutls_free(pem.data);
	gnutls_free(der.data);
}

static void
renews_no_ca_and_nothing_that_is_not_in_the_inventory(void **state)
{
	struct machine site = new_agent(), stranger = site;

	(void)state;
	load_file(&stranger, "cas/agents.crt");
	assert_int_equal(again(&stranger, &stranger), ENROL_REFUSED);
	assert_says("a CA is never renewed");
	stranger = site;
	stranger.certificate[stranger.bytes - 1] ^= 1;
	assert_int_equal(again(&stranger, &stranger), ENROL_REFUSED);
	assert_says("not one of this authority's");
	assert_string_equal(answer.name, "");
	stranger.bytes = 0;
	assert_int_equal(again(&stranger, &stranger), ENROL_REFUSED);
	free_machines(&site, 1);
}

static void
does_not_renew_below_a_ca_that_is_revoked(void **state)
{
	struct machine site = new_agent();

	(void)state;
	assert_int_equal(run(&command_revoke, "agents", NULL), 0);
	assert_int_equal(again(&site, &site), ENROL_REFUSED);
	assert_says("the CA 'agents' is revoked");
	free_machines(&site, 1);
}

/* A life that the CA's end had cut short is whole again when the CA was renewed. */
static void
renews_for_the_life_that_was_meant(void **state)
{
	struct machine site;

	(void)state;
	set_clock(now_s + 3650 * DAY - 30 * DAY);
	site = new_agent();
	assert_int_equal(answer.not_after, now_s + 30 * DAY);
	set_clock(now_s + 20 * DAY);
	assert_int_equal(run(&command_renew, "root", NULL), 0);
	assert_int_equal(run(&command_renew, "agents", NULL), 0);
	assert_int_equal(again(&site, &site), ENROL_ISSUED);
	assert_int_equal(answer.not_after, now_s + 90 * DAY);
	free_machines(&site, 1);
}

static void
set_week(struct invitation *invitation)
{
	invitation->seconds = 7 * DAY;
}

static void
keeps_a_lifetime_that_was_chosen(void **state)
{
	struct invited invited = invite("agent", "site", "app.example.com", set_week);
	struct machine site = new_machine();

	(void)state;
	assert_int_equal(first(&site, &invited), ENROL_ISSUED);
	keep(&site);
	assert_int_equal(answer.not_after, now_s + 7 * DAY);
	set_clock(now_s + 5 * DAY);
	assert_int_equal(again(&site, &site), ENROL_ISSUED);
	assert_int_equal(answer.not_after, now_s + 7 * DAY);
	free_machines(&site, 1);
}

/* ---- bounds ---- */

static void
signs_no_more_in_an_hour_than_it_may(void **state)
{
	struct machine site = new_agent(), next = new_machine();

	(void)state;
	options.signatures_per_hour = 3;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(again(&site, &site), ENROL_ISSUED);
		keep(&site);
		set_clock(now_s + 60);
	}
	assert_int_equal(again(&site, &next), ENROL_LATER);
	assert_in_range(answer.retry_after_s, HOUR - 120, HOUR - 120 + 61);
	/* what was signed already costs no signature */
	assert_int_equal(ask("SELECT count(*) FROM certificate WHERE enrolled_at IS NOT NULL"), 3);
	/* and a new process does not begin anew */
	enrolment_close(enrolment);
	assert_int_equal(enrolment_open(&enrolment, &common, &options), 0);
	assert_int_equal(again(&site, &next), ENROL_LATER);
	set_clock(now_s + HOUR - 120);
	assert_int_equal(again(&site, &next), ENROL_ISSUED);
	free_machines(&site, 1);
	free_machines(&next, 1);
}

/* A host that was taken over renews its certificate for ever new keys. */
static void
lets_no_host_use_up_what_all_may_have_signed(void **state)
{
	struct csr_contents asked = { .subject = "other", .hosts = { "other.example.com" } };
	struct invited invited = invite("agent", "other", "other.example.com", NULL);
	struct machine site = new_agent(), next = new_machine(), other = new_machine();

	(void)state;
	options.signatures_per_hour = 30;
	assert_int_equal(first(&other, &invited), ENROL_ISSUED);
	keep(&other);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(again(&site, &site), ENROL_ISSUED);
		keep(&site);
		set_clock(now_s + 60);
	}
	assert_int_equal(again(&site, &next), ENROL_LATER);
	assert_says("its share");
	assert_int_equal(answer.retry_after_s, HOUR - 600 + 1);
	assert_int_equal(again_asking(&other, &other, &asked), ENROL_ISSUED);
	set_clock(now_s + HOUR - 600 + 1);
	assert_int_equal(again(&site, &next), ENROL_ISSUED);
	free_machines(&site, 1);
	free_machines(&next, 1);
	free_machines(&other, 1);
}

/* ---- two at once, and the end in the middle ---- */

enum { RACERS = 4 };

static int
race_once(const struct invited *invited)
{
	struct machine host = new_machine();
	struct enrolment *mine = NULL;
	int code = 70;

	if (enrolment_open(&mine, &common, &options) == 0) {
		enrolment = mine;
		code = (int)first(&host, invited);
		if (code == ENROL_REFUSED && !strstr(answer.sentence, "used already"))
			code = 71;
	}
	enrolment_close(mine);
	return code;
}

static void
lets_one_of_several_win_who_come_at_once(void **state)
{
	struct invited invited = invite("agent", "site", "app.example.com", NULL);
	int won = 0, refused = 0, status;
	pid_t racers[RACERS];

	(void)state;
	enrolment_close(enrolment); /* SQLite's must not be open in two processes */
	enrolment = NULL;
	for (size_t i = 0; i < RACERS; i++) {
		racers[i] = fork();
		assert_true(racers[i] >= 0);
		if (racers[i] == 0)
			_exit(race_once(&invited));
	}
	for (size_t i = 0; i < RACERS; i++) {
		assert_int_equal(waitpid(racers[i], &status, 0), racers[i]);
		assert_true(WIFEXITED(status));
		won += WEXITSTATUS(status) == ENROL_ISSUED;
		refused += WEXITSTATUS(status) == ENROL_REFUSED;
	}
	assert_int_equal(won, 1);
	assert_int_equal(refused, RACERS - 1);
	assert_int_equal(ask("SELECT count(*) FROM certificate WHERE name = 'site'"), 1);
	assert_int_equal(run(&command_check, NULL), 0);
}

int
main(void)
{
#define WITH_AUTHORITY(test) \
	cmocka_unit_test_setup_teardown(test, make_authority, remove_authority)
	const struct CMUnitTest tests[] = {
		WITH_AUTHORITY(gives_what_the_invitation_says_whatever_is_not_asked_for),
		WITH_AUTHORITY(gives_the_same_key_the_same_certificate_while_the_invitation_lasts),
		WITH_AUTHORITY(takes_another_key_for_a_used_invitation_as_theft),
		WITH_AUTHORITY(tells_strangers_nothing_and_changes_nothing_for_them),
		WITH_AUTHORITY(refuses_what_was_withdrawn_or_is_over),
		WITH_AUTHORITY(takes_a_request_that_asks_for_what_it_gets_and_no_other),
		WITH_AUTHORITY(refuses_a_request_that_is_broken_or_not_its_key_s),
		WITH_AUTHORITY(refuses_a_key_that_was_another_s_or_was_revoked),
		WITH_AUTHORITY(takes_the_place_of_a_living_certificate_only_if_that_was_said),
		WITH_AUTHORITY(refuses_an_invitation_that_something_came_in_between),
		WITH_AUTHORITY(never_gives_its_own_name_or_a_relay_s),
		WITH_AUTHORITY(gives_the_whole_chain_below_a_customer_s_ca),
		WITH_AUTHORITY(renews_for_a_new_key_and_for_the_old_one),
		WITH_AUTHORITY(gives_the_same_key_the_same_successor_and_takes_another_as_theft),
		WITH_AUTHORITY(gives_what_the_operator_renewed),
		WITH_AUTHORITY(asks_for_subject_and_names_of_the_old_certificate),
		WITH_AUTHORITY(never_renews_what_is_revoked_held_or_over),
		WITH_AUTHORITY(renews_for_no_key_of_another_s_or_a_revoked_one),
		WITH_AUTHORITY(never_gives_a_revoked_successor),
		WITH_AUTHORITY(renews_no_ca_and_nothing_that_is_not_in_the_inventory),
		WITH_AUTHORITY(does_not_renew_below_a_ca_that_is_revoked),
		WITH_AUTHORITY(renews_for_the_life_that_was_meant),
		WITH_AUTHORITY(keeps_a_lifetime_that_was_chosen),
		WITH_AUTHORITY(signs_no_more_in_an_hour_than_it_may),
		WITH_AUTHORITY(lets_no_host_use_up_what_all_may_have_signed),
		WITH_AUTHORITY(lets_one_of_several_win_who_come_at_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
