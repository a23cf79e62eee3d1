/* Fetches, judges, asks for the certificate, judges that. */
#include "enrol/join_ask.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/fetch.h"
#include "base/helper.h"
#include "base/loop.h"
#include "base/resolver.h"
#include "enrol/est_trust.h"
#include "pki/identity.h"
#include "pki/pem.h"
#include "pki/trust.h"
#include "pki/verify.h"
#include "pki/x509.h"

enum step { PEER_CAS, PEER_CRLS, SERVER_CAS, SERVER_CRLS, CERTIFICATE, STEPS };

struct conversation {
	const struct join_request *request;
	struct join_gain *gain;
	struct loop *loop;
	struct est *est;
	enum step step;
	char path[JOIN_PATH];
	char *sentence;
	int code;
};

static bool
is_of_crls(enum step step)
{
	return step == PEER_CRLS || step == SERVER_CRLS;
}

static const char *
path_of(enum step step, const char *whose, char out[JOIN_PATH])
{
	snprintf(out, JOIN_PATH, "/%s/%s.pem", is_of_crls(step) ? "crl" : "ca", whose);
	return out;
}

const char *
join_ask_crl_path(const char *whose, char out[JOIN_PATH])
{
	return path_of(PEER_CRLS, whose, out);
}

static struct secret *
place_of(struct join_gain *gain, enum step step)
{
	struct secret *places[STEPS] = {
		[PEER_CAS] = &gain->peer_cas,
		[PEER_CRLS] = &gain->peer_crls,
		[SERVER_CAS] = &gain->server_cas,
		[SERVER_CRLS] = &gain->server_crls,
		[CERTIFICATE] = &gain->chain,
	};

	return places[step];
}

/* ---- what came is judged ---- */

/* Decoding works in place, so on a copy. */
static bool
read_pem(struct pem_file *file, const struct secret *pem)
{
	const char *ignored;

	*file = (struct pem_file){ 0 };
	if (secret_init(&file->storage, pem->data, pem->bytes) &&
	    pem_decode(file, PEM_CERTIFICATE, &ignored))
		return true;
	pem_wipe(file);
	return false;
}

/* Whether each of these CAs that is a root is the one that the invitation vouches for. */
static bool
have_root(const struct secret *cas, const struct spki_pin *root)
{
	struct pem_file file;
	struct spki_pin key;
	struct x509 facts;
	const char *ignored;
	bool all = read_pem(&file, cas);

	for (size_t i = 0; all && i < file.count; i++)
		all = x509_parse(&facts, pem_block(&file, i), &ignored) &&
		    (!x509_names_issuer(&facts, &facts) ||
			(spki_pin_of(&key, facts.whole) && spki_pin_equals(&key, root)));
	pem_wipe(&file);
	return all;
}

static bool
is_good_set(struct conversation *talk, const char *whose, const struct secret *cas,
    const struct secret *crls)
{
	char from[2][JOIN_PATH], label[JOIN_PATH], error[EST_TRUST_ERROR];
	struct trust *trust;

	snprintf(label, sizeof label, "the CAs of %s", whose);
	if (!have_root(cas, &talk->request->line->root)) {
		snprintf(talk->sentence, EST_SENTENCE,
		    "%.200s%s has another root than the one that the invitation vouches for",
		    talk->request->line->url, path_of(PEER_CAS, whose, from[0]));
		return false;
	}
	trust = est_trust_load(&(struct est_trust_sources){ .cas = cas,
				   .crls = crls,
				   .cas_from = path_of(PEER_CAS, whose, from[0]),
				   .crls_from = path_of(PEER_CRLS, whose, from[1]),
				   .label = label },
	    error);
	if (!trust)
		snprintf(
		    talk->sentence, EST_SENTENCE, "%.200s: %s", talk->request->line->url, error);
	trust_release(trust);
	return trust != NULL;
}

static bool
is_own_certificate_good(struct conversation *talk)
{
	struct der ders[VERIFY_CHAIN];
	struct verdict verdict;
	struct pem_file chain;
	char error[EST_TRUST_ERROR] = "it cannot be read";
	struct trust *trust = est_trust_load(
	    &(struct est_trust_sources){ .cas = est_roots(talk->est), .label = "the invitation" },
	    error);
	struct identity *identity = NULL;
	size_t count = 0;

	if (trust && read_pem(&chain, &talk->gain->chain)) {
		for (; count < chain.count && count < VERIFY_CHAIN; count++)
			ders[count] = pem_block(&chain, count);
		identity = verify_chain(
		    trust, talk->request->role, ders, count, NULL, clock_wall_s(), &verdict);
		snprintf(error, sizeof error, "%s", verdict.sentence);
		pem_wipe(&chain);
	}
	if (!identity)
		snprintf(talk->sentence, EST_SENTENCE,
		    "the certificate that %.200s has issued cannot be used: %s",
		    talk->request->line->url, error);
	else
		identity_release(identity);
	trust_release(trust);
	return identity != NULL;
}

/* ---- the steps ---- */

static void
end(struct conversation *talk, int code)
{
	talk->code = code;
	loop_stop(talk->loop);
}

static void on_answer(void *arg, const struct est_answer *);

static bool
ask(struct conversation *talk)
{
	const struct join_request *request = talk->request;
	const struct der csr = { request->csr->data, request->csr->bytes };
	const char *whose = talk->step <= PEER_CRLS ? request->peers : "servers";

	if (talk->step == CERTIFICATE)
		return est_enroll(
		    talk->est, csr, request->line->handle, request->line->secret, on_answer, talk);
	return est_fetch(talk->est, path_of(talk->step, whose, talk->path),
	    is_of_crls(talk->step) ? EST_CRL_BYTES : EST_ANSWER_BYTES, on_answer, talk);
}

/* What must be true before the invitation is used. */
static bool
is_ready_to_join(struct conversation *talk)
{
	const struct join_gain *gain = talk->gain;

	if (!is_good_set(talk, talk->request->peers, &gain->peer_cas, &gain->peer_crls) ||
	    !is_good_set(talk, "servers", &gain->server_cas, &gain->server_crls)) {
		end(talk, EX_PROTOCOL);
		return false;
	}
	if (talk->request->may_use(
		talk->request->arg, &gain->peer_cas, &gain->server_cas, talk->sentence))
		return true;
	end(talk, EX_CANTCREAT);
	return false;
}

static void
go_on(struct conversation *talk)
{
	talk->step++;
	if (talk->step == STEPS)
		end(talk, is_own_certificate_good(talk) ? 0 : EX_PROTOCOL);
	else if ((talk->step < CERTIFICATE || is_ready_to_join(talk)) && !ask(talk)) {
		snprintf(talk->sentence, EST_SENTENCE, "memory is short");
		end(talk, EX_OSERR);
	}
}

static void
on_answer(void *arg, const struct est_answer *got)
{
	static const int codes[] = {
		[EST_LATER] = EX_TEMPFAIL,
		[EST_REFUSED] = EX_NOPERM,
		[EST_UNREACHABLE] = EX_UNAVAILABLE,
	};
	struct conversation *talk = arg;
	struct secret *place = place_of(talk->gain, talk->step);

	if (got->outcome == EST_DONE && secret_init(place, got->body->data, got->body->bytes)) {
		go_on(talk);
		return;
	}
	snprintf(talk->sentence, EST_SENTENCE, "%s",
	    got->outcome == EST_DONE ? "memory is short" : got->sentence);
	end(talk, got->outcome == EST_DONE ? EX_OSERR : codes[got->outcome]);
}

static int
converse(struct conversation *talk, struct fetcher *fetcher)
{
	const struct est_server server = { .url = talk->request->line->url,
		.dial = talk->request->dial,
		.proxy = talk->request->proxy,
		.root = &talk->request->line->root };

	talk->est = est_new(fetcher, &server);
	if (talk->est && ask(talk))
		loop_run(talk->loop);
	est_free(talk->est);
	return talk->code;
}

int
join_ask(const struct join_request *request, struct join_gain *gain, char sentence[EST_SENTENCE])
{
	struct conversation talk = { .request = request,
		.gain = gain,
		.loop = loop_new(),
		.sentence = sentence,
		.code = EX_OSERR };
	struct helper *helper = fetch_helper_start(NULL);
	struct resolver *resolver = talk.loop && helper ? resolver_new() : NULL;
	struct fetcher *fetcher = resolver ? fetcher_new(talk.loop, resolver, helper) : NULL;
	int code = EX_OSERR;

	snprintf(sentence, EST_SENTENCE, "memory is short");
	*gain = (struct join_gain){ 0 };
	if (fetcher)
		code = converse(&talk, fetcher);
	fetcher_free(fetcher);
	resolver_free(resolver);
	if (talk.loop)
		loop_free(talk.loop);
	helper_end(helper);
	return code;
}

void
join_gain_wipe(struct join_gain *gain)
{
	for (enum step step = 0; step < STEPS; step++)
		secret_wipe(place_of(gain, step));
}
