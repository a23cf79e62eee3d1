/* The verifier over the files that the authority publishes. */
#include "pki/tool/serve_judge.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "pki/oid.h"
#include "pki/tool/profile.h"
#include "pki/trust.h"
#include "pki/verify.h"
#include "pki/x509.h"

enum { CAS = PROFILES + 1, LOOK_MS = 1000 };

struct serve_judge {
	struct trust *trust;
	struct trust_sources sources;
	struct trust_stamp stamp;
	struct timer timer;
	char ca_paths[CAS][PATH_MAX], crl_paths[CAS][PATH_MAX];
	const char *cas[CAS], *crls[CAS];
};

/* The root and the CA of each role, so that peers need not send it. */
static void
name_files(struct serve_judge *judge, const char *directory)
{
	for (size_t i = 0; i < CAS; i++) {
		const char *ca = i == 0 ? "root" : profile_all[i - 1].role;

		snprintf(judge->ca_paths[i], PATH_MAX, "%s/cas/%s.crt", directory, ca);
		snprintf(judge->crl_paths[i], PATH_MAX, "%s/crls/%s.crl", directory, ca);
		judge->cas[i] = judge->ca_paths[i];
		judge->crls[i] = judge->crl_paths[i];
	}
	judge->sources = (struct trust_sources){ .ca_files = judge->cas,
		.ca_count = CAS,
		.crl_files = judge->crls,
		.crl_count = CAS,
		.crls_configured = true,
		.missing = CRL_MISSING_ALLOW,
		.expired = CRL_EXPIRED_ALLOW,
		.label = "authority" };
}

/* A bad file leaves what was there. */
static void
look_again(void *arg)
{
	struct serve_judge *judge = arg;
	char error[TRUST_ERROR];
	struct trust *trust;

	timer_set(&judge->timer, LOOK_MS);
	if (!trust_files_changed(&judge->sources, &judge->stamp))
		return;
	trust = trust_load(&judge->sources, judge->trust, error, sizeof error);
	if (!trust) {
		log_event(LOG_WARNING, "authority-unreadable",
		    "what the authority publishes cannot be used; what was read before holds",
		    log_str("error", error));
		return;
	}
	trust_release(judge->trust);
	judge->trust = trust;
}

int
serve_judge_open(struct serve_judge **out, struct loop *loop, const char *directory)
{
	struct serve_judge *judge = calloc(1, sizeof *judge);
	char error[TRUST_ERROR];

	*out = judge;
	if (!judge)
		return message_no_memory();
	name_files(judge, directory);
	trust_files_changed(&judge->sources, &judge->stamp);
	judge->trust = trust_load(&judge->sources, NULL, error, sizeof error);
	if (!judge->trust)
		return message_fail(EX_NOINPUT, "%s", error);
	timer_init(&judge->timer, loop, look_again, judge);
	timer_set(&judge->timer, LOOK_MS);
	return 0;
}

void
serve_judge_close(struct serve_judge *judge)
{
	if (!judge)
		return;
	timer_clear(&judge->timer);
	trust_release(judge->trust);
	free(judge);
}

/* What the leaf is for: of what cannot be read the verifier says why. */
static enum role
role_of(struct der leaf)
{
	struct x509 facts;
	const char *why;

	if (!x509_parse(&facts, leaf, &why))
		return ROLE_CLIENT;
	if (x509_has_purpose(&facts, OID_AGENT_PURPOSE))
		return ROLE_AGENT;
	return x509_has_purpose(&facts, OID_SERVER_AUTH) ? ROLE_SERVER : ROLE_CLIENT;
}

struct identity *
serve_judge_ask(
    struct serve_judge *judge, const struct der *chain, size_t count, struct verdict *verdict)
{
	enum role role = count ? role_of(chain[0]) : ROLE_CLIENT;

	return verify_chain(judge->trust, role, chain, count, NULL, clock_wall_s(), verdict);
}
