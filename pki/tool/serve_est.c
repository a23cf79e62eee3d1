/* Paths to handlers, and answers of the process that signs to statuses. */
#include "pki/tool/serve_est.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/rate.h"
#include "base/units.h"
#include "pki/identity.h"
#include "pki/tool/basic.h"
#include "pki/tool/http_server.h"
#include "pki/tool/publication.h"
#include "pki/tool/serve_judge.h"
#include "pki/tool/serve_queue.h"
#include "pki/transfer.h"

enum { RATE_REQUESTS, RATE_RENEWALS }; /* kinds of base/rate.h */

/* A question that is with the process that signs. */
struct enrol_call {
	struct serve_est *est;
	struct http_request *request;
};

/* ---- answers ---- */

static void
answer(struct http_request *request, unsigned status, struct http_page *page)
{
	http_answer(request, status, page);
	http_page_release(page);
}

static struct http_page *
sentence_page(const char *sentence)
{
	char line[ENROL_SENTENCE + 2];

	snprintf(line, sizeof line, "%s\n", sentence);
	return http_page_new("text/plain; charset=utf-8", line, strlen(line));
}

static void
refuse(struct http_request *request, unsigned status, const char *sentence)
{
	answer(request, status, sentence_page(sentence));
}

/* With a header; without it (memory is short) nothing is answered. */
static void
refuse_with(struct http_request *request, unsigned status, const char *sentence, const char *header,
    const char *value)
{
	struct http_page *page = sentence_page(sentence);

	if (page && !http_page_add(page, header, value)) {
		http_page_release(page);
		page = NULL;
	}
	answer(request, status, page);
}

/* Spread, so that those who were refused together do not come back together. */
static void
refuse_for_now(
    struct http_request *request, unsigned status, const char *sentence, uint32_t least_s)
{
	uint32_t seconds = least_s + 1 + arc4random_uniform(10 + least_s / 4);
	char text[16];

	snprintf(text, sizeof text, "%u", seconds);
	refuse_with(request, status, sentence, "Retry-After", text);
}

static void
refuse_stranger(struct http_request *request, const char *sentence)
{
	log_limited(LOG_INFO, "enrol-unauthorised", http_request_client(request), sentence);
	refuse_with(request, 401, sentence, "WWW-Authenticate", "Basic realm=\"valise\"");
}

/* ---- what was issued ---- */

/* The leaf, and what is between it and the CA of the role, which everybody gets by cacerts. */
static struct http_page *
issued_page(const struct enrol_answer *issued)
{
	return publication_certificates("application/pkcs7-mime; smime-type=certs-only",
	    issued->certificates, issued->count > 2 ? issued->count - 1 : 1);
}

static void
on_signed(void *arg, const struct enrol_answer *signed_answer)
{
	struct enrol_call *call = arg;
	struct http_request *request = call->request;

	if (!signed_answer) {
		refuse_for_now(request, 503, "The server stops; come back later.", 0);
	} else {
		switch (signed_answer->code) {
		case ENROL_ISSUED:
			call->est->issued++;
			answer(request, 200, issued_page(signed_answer));
			break;
		case ENROL_MALFORMED:
			refuse(request, 400, signed_answer->sentence);
			break;
		case ENROL_UNAUTHORISED:
			refuse_stranger(request, signed_answer->sentence);
			break;
		case ENROL_REFUSED:
			refuse(request, 403, signed_answer->sentence);
			break;
		case ENROL_LATER:
			refuse_for_now(
			    request, 503, signed_answer->sentence, signed_answer->retry_after_s);
			break;
		case ENROL_BROKEN:
		case ENROL_CODES:
			refuse(request, 500, signed_answer->sentence);
			break;
		}
	}
	free(call);
}

/* Puts the body as the request into the question, and asks. */
static void
ask(struct serve_est *est, struct http_request *request, struct enrol_question *question)
{
	struct der body = http_request_body(request);
	struct enrol_call *call = NULL;
	char from[ADDRESS_TEXT];
	struct secret csr;

	if (!transfer_decode(body.data, body.bytes, &csr)) {
		refuse(request, 400,
		    "The body is not base64 of a certificate signing request in DER; leave out lines "
		    "with BEGIN and END.");
		return;
	}
	question->csr = (struct der){ csr.data, csr.bytes };
	snprintf(question->from, sizeof question->from, "%.63s",
	    address_host_text(http_request_client(request), from));
	if (csr.bytes > ENROL_CSR_BYTES)
		refuse(request, 400, "The certificate signing request is too long.");
	else if (!(call = calloc(1, sizeof *call)))
		answer(request, 503, NULL);
	else {
		*call = (struct enrol_call){ est, request };
		if (!serve_queue_ask(est->queue, question, on_signed, call)) {
			refuse_for_now(
			    request, 503, "Too many requests wait already; come back later.", 5);
			free(call);
		}
	}
	secret_wipe(&csr);
}

/* ---- handlers ---- */

static void
cacerts(struct serve_est *est, struct http_request *request)
{
	const char *why;
	struct http_page *page = publication_cacerts(est->publications, &why);

	if (page) {
		http_answer(request, 200, page);
		return;
	}
	log_limited(LOG_ERROR, "authority-unreadable", NULL, why);
	refuse(request, 500, "The authority's certificates cannot be read.");
}

static void
csrattrs(struct serve_est *est, struct http_request *request)
{
	(void)est;
	answer(request, 204, http_page_new(NULL, "", 0));
}

/* What is proven in a connection without it may be proven of another one (RFC 7627, 1). */
static bool
is_bound(struct http_request *request)
{
	if (http_request_is_bound(request))
		return true;
	refuse(request, 403,
	    "This needs TLS 1.3, or TLS 1.2 with the extended master secret (RFC 7627).");
	return false;
}

static void
simpleenroll(struct serve_est *est, struct http_request *request)
{
	struct enrol_question question = { .kind = ENROL_FIRST };
	struct basic basic;

	if (!is_bound(request))
		return;
	if (!basic_read(&basic, http_request_header(request, "Authorization"))) {
		refuse_stranger(request,
		    "Give the invitation's handle and secret as user name and password (Basic).");
		return;
	}
	snprintf(question.user, sizeof question.user, "%.64s", basic.user);
	snprintf(question.password, sizeof question.password, "%.64s", basic.password);
	basic_wipe(&basic);
	ask(est, request, &question);
	bytes_wipe(&question, sizeof question);
}

/* Strangers are limited together, and each party whose certificate is known by itself. */
static void
refuse_certificate(struct http_request *request, const struct verdict *verdict)
{
	log_write_judged(LOG_WARNING, "renewal-refused", http_request_client(request),
	    verdict->is_vouched ? verdict->party : 0, verdict->sentence,
	    (const struct log_field[]){ log_str("code", verify_code_word(verdict->code)), { 0 } });
	refuse(request, 403, verdict->sentence);
}

static bool
may_come_as_often(struct serve_est *est, const struct identity *identity)
{
	char key[2 * IDENTITY_KEY_BYTES + 1];

	hex_encode(key, identity_key(identity), IDENTITY_KEY_BYTES);
	return rate_take_name(est->rates, RATE_RENEWALS, key);
}

static void
simplereenroll(struct serve_est *est, struct http_request *request)
{
	struct enrol_question question = { .kind = ENROL_AGAIN };
	struct der chain[HTTP_CHAIN_MOST];
	struct verdict verdict;
	struct identity *identity;
	size_t count;

	if (!is_bound(request))
		return;
	count = http_request_chain(request, chain);
	if (count == 0) {
		refuse(request, 403,
		    "Show the certificate that is to be renewed as TLS' client certificate.");
		return;
	}
	identity = serve_judge_ask(est->judge, chain, count, &verdict);
	if (!identity) {
		refuse_certificate(request, &verdict);
		return;
	}
	question.certificate = chain[0];
	if (may_come_as_often(est, identity))
		ask(est, request, &question);
	else
		refuse_for_now(request, 429, "This identity asks too often; come back later.", 5);
	identity_release(identity);
}

static void
publication(struct serve_est *est, struct http_request *request)
{
	publication_answer(est->publications, request);
}

/* ---- dispatch ---- */

static const struct est_route {
	const char *path, *method;
	void (*handle)(struct serve_est *, struct http_request *);
} routes[] = {
	{ "/.well-known/est/cacerts", "GET", cacerts },
	{ "/.well-known/est/csrattrs", "GET", csrattrs },
	{ "/.well-known/est/simpleenroll", "POST", simpleenroll },
	{ "/.well-known/est/simplereenroll", "POST", simplereenroll },
};

static const struct est_route *
find_route(const char *path)
{
	static const struct est_route files = { NULL, "GET", publication };

	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
		if (strcmp(routes[i].path, path) == 0)
			return &routes[i];
	return publication_is_path(path) ? &files : NULL;
}

void
serve_est_bound(struct serve_est *est, uint64_t requests, uint64_t requests_per_identity)
{
	rate_set(est->rates, RATE_REQUESTS, &(struct rate_bounds){ .in_all = requests });
	rate_set(
	    est->rates, RATE_RENEWALS, &(struct rate_bounds){ .per_name = requests_per_identity });
}

void
serve_est_on_request(void *arg, struct http_request *request)
{
	struct serve_est *est = arg;
	const struct est_route *route = find_route(http_request_path(request));

	log_event(LOG_DEBUG, "http-request", NULL, log_str("method", http_request_method(request)),
	    log_str("path", http_request_path(request)));
	if (rate_take(est->rates, RATE_REQUESTS, http_request_client(request)) != RATE_OK)
		refuse_for_now(request, 429, "Too many requests; come back later.", 1);
	else if (!route)
		refuse(request, 404, "There is nothing at this path; see valise-pki(1), serve.");
	else if (strcmp(route->method, http_request_method(request)) != 0)
		refuse_with(
		    request, 405, "This path takes another method.", "Allow", route->method);
	else
		route->handle(est, request);
}
