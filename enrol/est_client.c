/* Looks at a server, has it judged, and asks it. */
#include "enrol/est_client.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fetch.h"
#include "base/log.h"
#include "enrol/est_chain.h"
#include "enrol/est_trust.h"
#include "keys/key_channel.h"
#include "keys/key_url.h"
#include "pki/certs_only.h"
#include "pki/join_line.h"
#include "pki/pem.h"
#include "pki/spki_pin.h"
#include "pki/transfer.h"
#include "pki/trust.h"
#include "pki/verify.h"

enum {
	DEADLINE_MS = 20000,
	URL_MOST = 1024,
	HOST_MOST = 254,
	FIRST_CRL_BYTES = 16 << 20, /* from a server that nobody has judged yet */
	SAID_MOST = 240,            /* of a sentence that a server sends */
};

#define CACERTS "/.well-known/est/cacerts"
#define SERVER_CRLS "/crl/servers.pem"

enum state { IDLE, LOOK, CRLS, ASK, STATES };

static const char *const state_name[STATES] = {
	[IDLE] = "idle",
	[LOOK] = "look",
	[CRLS] = "crls",
	[ASK] = "ask",
};

static const unsigned may_move[STATES] = {
	[IDLE] = 1u << LOOK | 1u << ASK,
	[LOOK] = 1u << CRLS | 1u << ASK | 1u << IDLE,
	[CRLS] = 1u << ASK | 1u << IDLE,
	[ASK] = 1u << IDLE,
};

/* What the owner wants to know. */
struct est_question {
	const char *path;
	size_t most;
	struct der request; /* empty: a file is fetched */
	struct secret body; /* that in base64 */
	const char *user, *password, *certificate, *key;
	est_function *on_done;
	void *arg;
};

struct est {
	struct fetcher *fetcher;
	char *url, *dial;
	const struct fetch_proxy *proxy;
	char host[HOST_MOST];
	bool has_root;
	struct spki_pin root;
	struct trust *trust;   /* NULL until the CRLs are there, where a root is given */
	struct secret roots;   /* PEM */
	struct certs_only cas; /* what /cacerts has sent */
	struct secret chain;   /* that the server has presented, PEM */
	bool is_judged;
	struct spki_pin leaf; /* the key of the server that was judged */
	enum state state;
	struct fetch *fetch;
	struct est_question question;
};

/* ---- the answer ---- */

static void
move(struct est *est, enum state to)
{
	assert(may_move[est->state] & 1u << to);
	log_move("est", log_object("est", est), state_name[est->state], state_name[to]);
	est->state = to;
}

/* The owner may free the client in its callback, so nothing is touched after it. */
static void
answer(struct est *est, const struct est_answer *answer)
{
	est_function *on_done = est->question.on_done;
	void *arg = est->question.arg;

	secret_wipe(&est->question.body);
	est->question = (struct est_question){ 0 };
	move(est, IDLE);
	on_done(arg, answer);
}

__attribute__((format(printf, 4, 5))) static void
fail(struct est *est, enum est_outcome outcome, uint64_t retry_after_s, const char *format, ...)
{
	char sentence[EST_SENTENCE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof sentence, format, arguments);
	va_end(arguments);
	answer(est,
	    &(struct est_answer){
		.outcome = outcome,
		.retry_after_s =
		    retry_after_s < EST_LATER_MOST_S ? retry_after_s : EST_LATER_MOST_S,
		.sentence = sentence,
	    });
}

static void
succeed(struct est *est, const struct secret *body)
{
	answer(est, &(struct est_answer){ .outcome = EST_DONE, .sentence = "", .body = body });
}

/* ---- what a server says when it does not do what it was asked ---- */

static bool
is_later(unsigned status)
{
	return status == 202 || status == 429 || status >= 500;
}

/* The first line of a text, without anything that a terminal would obey. */
static const char *
said(const struct fetch_answer *got, char out[SAID_MOST])
{
	const char *type = fetch_answer_header(got, "Content-Type"), *text = got->body;
	size_t bytes = 0;

	if (type && strncmp(type, "text/plain", 10) == 0)
		for (; bytes < got->body_bytes && bytes + 1 < SAID_MOST && text[bytes] != '\n' &&
		     text[bytes] != '\r';
		     bytes++)
			out[bytes] = isprint((unsigned char)text[bytes]) ? text[bytes] : '?';
	out[bytes] = '\0';
	return bytes > 0 ? out : "it does not say why";
}

/* False after it has failed; `believed` is whether the server was judged. */
static bool
expect_success(struct est *est, const struct fetch_answer *got, const char *path, bool believed)
{
	char words[SAID_MOST];

	if (got->outcome != FETCH_ANSWERED) {
		fail(est, EST_UNREACHABLE, 0, "%s", got->error);
		return false;
	}
	if (got->status == 200)
		return true;
	if (is_later(got->status))
		fail(est, EST_LATER, believed ? fetch_answer_retry_after_s(got, clock_wall_s()) : 0,
		    "%.200s%s: not now (status %u): %s", est->url, path, got->status,
		    said(got, words));
	else if (!believed)
		fail(est, EST_UNREACHABLE, 0,
		    "%.200s%s: status %u; is it the URL of the authority's EST service?", est->url,
		    path, got->status);
	else
		fail(est, EST_REFUSED, 0, "%.200s%s: refused (status %u): %s", est->url, path,
		    got->status, said(got, words));
	return false;
}

/* ---- asking ---- */

/* False when memory is short. */
static bool
start(struct est *est, struct fetch_request *request, const char *path,
    void (*on_done)(void *, const struct fetch_answer *))
{
	char url[URL_MOST];

	snprintf(url, sizeof url, "%s%s", est->url, path);
	request->url = url;
	request->dial = est->dial;
	request->proxy = est->proxy;
	request->deadline_ms = DEADLINE_MS;
	est->fetch = fetch_start(est->fetcher, request, on_done, est);
	return est->fetch != NULL;
}

static bool
read_certificates(const struct fetch_answer *got, struct certs_only *out, const char **why)
{
	struct secret message = { 0 };
	bool done;

	*why = "is not base64";
	done = transfer_decode(got->body, got->body_bytes, &message) &&
	    certs_only_decode(out, (struct der){ message.data, message.bytes }, why);
	secret_wipe(&message);
	return done;
}

static void
on_certificate(struct est *est, const struct fetch_answer *got)
{
	const struct der key = est_chain_request_key(est->question.request);
	struct certs_only issued = { 0 };
	struct secret pem = { 0 };
	const char *why;
	bool done = read_certificates(got, &issued, &why) &&
	    est_chain_build(&issued, &est->cas, key, &pem, &why);

	if (done)
		succeed(est, &pem);
	else
		fail(est, EST_REFUSED, 0,
		    "%.200s%s: what was sent as a certificate cannot be used: the message %s",
		    est->url, est->question.path, why);
	certs_only_wipe(&issued);
	secret_wipe(&pem);
}

static void
on_asked(void *arg, const struct fetch_answer *got)
{
	struct est *est = arg;

	est->fetch = NULL;
	if (!expect_success(est, got, est->question.path, true))
		return;
	if (est->question.request.bytes > 0)
		on_certificate(est, got);
	else /* the body is only lent */
		succeed(est, &(struct secret){ (uint8_t *)(uintptr_t)got->body, got->body_bytes });
}

/* For who speaks TLS in our place; -1: the key is at hand there, or none is needed. */
static int
way_to_key(const char *key)
{
	bool is_elsewhere = key && strncmp(key, KEY_URL, strlen(KEY_URL)) == 0;

	return is_elsewhere ? key_channel_new_for(key + strlen(KEY_URL)) : -1;
}

static bool
ask(struct est *est)
{
	const struct est_question *question = &est->question;
	struct fetch_request request = {
		.method = question->request.bytes > 0 ? FETCH_POST : FETCH_GET,
		.content_type = question->request.bytes > 0 ? "application/pkcs10" : NULL,
		.body = question->body.data,
		.body_bytes = question->body.bytes,
		.trust = FETCH_TRUST_PIN,
		.pin = est->leaf.digest,
		.user = question->user,
		.password = question->password,
		.certificate = question->certificate,
		.private_key = question->key,
		.answer_most = question->most,
	};
	int way = way_to_key(question->key);
	bool is_started;

	if (way >= 0)
		request.key_way = way;
	move(est, ASK);
	is_started = start(est, &request, question->path, on_asked);
	if (way >= 0)
		close(way);
	return is_started;
}

/* ---- the first look ---- */

static void
fail_short(struct est *est)
{
	fail(est, EST_LATER, 0, "%.200s cannot be asked: memory is short", est->url);
}

static bool
is_believed(struct est *est, const struct pem_file *chain, struct verdict *verdict)
{
	struct der ders[VERIFY_CHAIN];
	size_t count = chain->count < VERIFY_CHAIN ? chain->count : VERIFY_CHAIN;
	struct identity *identity;

	for (size_t i = 0; i < count; i++)
		ders[i] = pem_block(chain, i);
	identity =
	    verify_chain(est->trust, ROLE_SERVER, ders, count, est->host, clock_wall_s(), verdict);
	if (!identity)
		return false;
	identity_release(identity);
	return spki_pin_of(&est->leaf, ders[0]);
}

/* Decoding overwrites the chain, which is not needed afterwards. */
static void
judge(struct est *est)
{
	struct pem_file chain = { .storage = est->chain };
	struct verdict verdict = { .sentence = "no certificate was presented" };
	const char *ignored;

	est->chain = (struct secret){ 0 };
	est->is_judged =
	    pem_decode(&chain, PEM_CERTIFICATE, &ignored) && is_believed(est, &chain, &verdict);
	pem_wipe(&chain);
	if (!est->is_judged)
		fail(est, EST_UNREACHABLE, 0, "what answers at %.200s is not believed: %s",
		    est->url, verdict.sentence);
	else if (!ask(est))
		fail_short(est);
}

static void
on_crls(void *arg, const struct fetch_answer *got)
{
	struct est *est = arg;
	char from[URL_MOST], error[EST_TRUST_ERROR];
	struct secret crls;

	est->fetch = NULL;
	if (!expect_success(est, got, SERVER_CRLS, false))
		return;
	snprintf(from, sizeof from, "%s" SERVER_CRLS, est->url);
	crls = (struct secret){ (uint8_t *)(uintptr_t)got->body, got->body_bytes };
	trust_release(est->trust);
	est->trust = est_trust_load(&(struct est_trust_sources){ .cas = &est->roots,
					.crls = &crls,
					.cas_from = est->url,
					.crls_from = from,
					.label = "the authority's roots" },
	    error);
	if (est->trust)
		judge(est);
	else
		fail(est, EST_UNREACHABLE, 0, "what answers at %.200s is not believed: %s",
		    est->url, error);
}

static bool
take_cas(struct est *est, const struct fetch_answer *got)
{
	const char *why;

	certs_only_wipe(&est->cas);
	if (read_certificates(got, &est->cas, &why))
		return true;
	fail(est, EST_UNREACHABLE, 0,
	    "%.200s" CACERTS ": what was sent as CA certificates cannot be used: the message %s",
	    est->url, why);
	return false;
}

static bool
take_roots(struct est *est)
{
	char text[SPKI_PIN_TEXT];

	secret_wipe(&est->roots);
	if (est_chain_roots(&est->cas, &est->root, &est->roots))
		return true;
	fail(est, EST_UNREACHABLE, 0,
	    "what answers at %.200s is not believed: none of its CAs is the root whose key has the "
	    "SHA-256 %s; it belongs to another authority, or somebody stands in between",
	    est->url, spki_pin_text(&est->root, text));
	return false;
}

static bool
ask_for_crls(struct est *est)
{
	struct fetch_request request = { .trust = FETCH_TRUST_NOBODY,
		.answer_most = FIRST_CRL_BYTES };

	move(est, CRLS);
	return start(est, &request, SERVER_CRLS, on_crls);
}

static void
on_looked(void *arg, const struct fetch_answer *got)
{
	struct est *est = arg;

	est->fetch = NULL;
	if (!expect_success(est, got, CACERTS, false) || !take_cas(est, got))
		return;
	secret_wipe(&est->chain);
	if (got->chain && !secret_init(&est->chain, got->chain, strlen(got->chain)))
		fail_short(est);
	else if (!est->has_root)
		judge(est);
	else if (take_roots(est) && !ask_for_crls(est))
		fail_short(est);
}

static bool
look(struct est *est)
{
	struct fetch_request request = {
		.trust = FETCH_TRUST_NOBODY, .wants_chain = true, .answer_most = EST_ANSWER_BYTES
	};

	move(est, LOOK);
	return start(est, &request, CACERTS, on_looked);
}

/* ---- the owner's side ---- */

static bool
begin(struct est *est, const struct est_question *question)
{
	assert(est->state == IDLE);
	est->question = *question;
	if ((question->request.bytes == 0 ||
		transfer_encode(question->request, &est->question.body)) &&
	    (est->is_judged ? ask(est) : look(est)))
		return true;
	secret_wipe(&est->question.body);
	est->question = (struct est_question){ 0 };
	if (est->state != IDLE)
		move(est, IDLE);
	return false;
}

bool
est_enroll(struct est *est, struct der request, const char *user, const char *password,
    est_function *on_done, void *arg)
{
	return begin(est,
	    &(struct est_question){ .path = "/.well-known/est/simpleenroll",
		.most = EST_ANSWER_BYTES,
		.request = request,
		.user = user,
		.password = password,
		.on_done = on_done,
		.arg = arg });
}

bool
est_reenroll(struct est *est, struct der request, const char *certificate_pem, const char *key_pem,
    est_function *on_done, void *arg)
{
	return begin(est,
	    &(struct est_question){ .path = "/.well-known/est/simplereenroll",
		.most = EST_ANSWER_BYTES,
		.request = request,
		.certificate = certificate_pem,
		.key = key_pem,
		.on_done = on_done,
		.arg = arg });
}

bool
est_fetch(struct est *est, const char *path, size_t most, est_function *on_done, void *arg)
{
	return begin(est,
	    &(struct est_question){ .path = path, .most = most, .on_done = on_done, .arg = arg });
}

const struct secret *
est_roots(const struct est *est)
{
	return &est->roots;
}

struct est *
est_new(struct fetcher *fetcher, const struct est_server *server)
{
	struct est *est = calloc(1, sizeof *est);
	uint16_t port;

	if (!est)
		return NULL;
	est->fetcher = fetcher;
	est->proxy = server->proxy;
	est->has_root = server->root != NULL;
	if (server->root)
		est->root = *server->root;
	else
		est->trust = trust_hold(server->trust);
	est->url = strdup(server->url);
	est->dial = server->dial ? strdup(server->dial) : NULL;
	if (est->url && (est->dial || !server->dial) && join_url_parse(est->url, est->host, &port))
		return est;
	est_free(est);
	return NULL;
}

void
est_free(struct est *est)
{
	if (!est)
		return;
	fetch_cancel(est->fetch);
	trust_release(est->trust);
	secret_wipe(&est->question.body);
	certs_only_wipe(&est->cas);
	secret_wipe(&est->roots);
	secret_wipe(&est->chain);
	free(est->url);
	free(est->dial);
	free(est);
}
