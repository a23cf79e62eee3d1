/* One call of EST for each attempt. */
#include "enrol/renewal_est.h"

#include <stdio.h>
#include <stdlib.h>

#include "enrol/est_client.h"
#include "pki/der.h"
#include "pki/trust.h"
#include "pki/trust_rows.h"

/* One attempt; what est_reenroll() borrows lives here. */
struct renewal_call {
	struct est *est;
	struct secret certificate, key, request;
	void (*on_answer)(void *asker, const struct renewal_answer *);
	void *asker;
};

static void
call_free(struct renewal_call *call)
{
	if (!call)
		return;
	est_free(call->est);
	secret_wipe(&call->certificate);
	secret_wipe(&call->key);
	secret_wipe(&call->request);
	free(call);
}

/* ---- the answer ---- */

static void
on_done(void *arg, const struct est_answer *got)
{
	static const enum renewal_outcome outcomes[] = {
		[EST_DONE] = RENEWAL_ISSUED,
		[EST_LATER] = RENEWAL_LATER,
		[EST_REFUSED] = RENEWAL_REFUSED,
		[EST_UNREACHABLE] = RENEWAL_UNREACHABLE,
	};
	struct renewal_call *call = arg;
	struct renewal_answer answer = {
		.outcome = outcomes[got->outcome],
		.retry_ms = got->retry_after_s * 1000,
		.sentence = got->sentence,
	};

	if (got->outcome == EST_DONE)
		answer.chain = *got->body;
	call->on_answer(call->asker, &answer);
	call_free(call);
}

/* ---- the question ---- */

/* Whom to believe as the authority; NULL with a sentence. */
static struct trust *
load_trust(const struct renewal_est *est, const struct renewal_question *question, char *error)
{
	struct renewal_crl crl;
	struct trust_sources sources;
	char why[TRUST_ERROR];
	struct trust *trust;

	trust_rows_fill(&sources, question->cas, &(struct conf_texts){ 0 },
	    renewal_rows_crl(&crl, question->url), NULL);
	sources.label = "renew.cas";
	sources.state_dir = est->state_dir;
	trust = trust_load(&sources, NULL, why, sizeof why);
	if (!trust)
		snprintf(error, RENEWAL_ERROR, "renew.cas: %s", why);
	return trust;
}

/* With a NUL behind it, as secret_init() does. */
static bool
copy(struct secret *to, const struct secret *from)
{
	return secret_init(to, from->data, from->bytes);
}

static bool
fill(struct renewal_call *call, const struct renewal_est *est,
    const struct renewal_question *question, struct trust *trust)
{
	const struct est_server server = {
		.url = question->url,
		.dial = question->address,
		.proxy = est->proxy,
		.trust = trust,
	};

	return copy(&call->certificate, question->certificate) && copy(&call->key, question->key) &&
	    copy(&call->request, question->request) &&
	    (call->est = est_new(est->fetcher, &server)) &&
	    est_reenroll(call->est, (struct der){ call->request.data, call->request.bytes },
		(const char *)call->certificate.data, (const char *)call->key.data, on_done, call);
}

static void *
ask(void *arg, const struct renewal_question *question,
    void (*on_answer)(void *asker, const struct renewal_answer *), void *asker,
    char error[RENEWAL_ERROR])
{
	const struct renewal_est *est = arg;
	struct trust *trust = load_trust(est, question, error);
	struct renewal_call *call = trust ? calloc(1, sizeof *call) : NULL;

	if (!trust)
		return NULL;
	snprintf(error, RENEWAL_ERROR, "memory is short");
	if (call) {
		call->on_answer = on_answer;
		call->asker = asker;
	}
	if (call && !fill(call, est, question, trust)) {
		call_free(call);
		call = NULL;
	}
	trust_release(trust);
	return call;
}

static void
cancel(void *arg, void *handle)
{
	(void)arg;
	call_free(handle);
}

void
renewal_est_init(struct renewal_est *est, struct fetcher *fetcher)
{
	*est = (struct renewal_est){ .fetcher = fetcher,
		.authority = { .ask = ask, .cancel = cancel, .arg = est } };
}
