/* One request of base/fetch for one of an ACME client. */
#include "acme/fetch_transport.h"

#include <stdlib.h>
#include <string.h>

#include "acme/document.h"
#include "base/fetch.h"
#include "pki/cert.h"

/* RFC 8555, 6.1 wants to know who asks. */
static const char *const headers[] = { "User-Agent: valise-agent/" VALISE_VERSION,
	"Accept: application/json, application/pem-certificate-chain, application/problem+json",
	NULL };

struct fetching {
	struct fetch *fetch;
	void (*on_reply)(void *who, const struct acme_reply *);
	void *who;
};

static void
on_fetched(void *arg, const struct fetch_answer *answer)
{
	struct fetching fetching = *(struct fetching *)arg;
	bool may_serve = answer->outcome != FETCH_ANSWERED || cert_may_serve(answer->chain);
	const struct acme_reply reply = { .error = may_serve ? answer->error : cert_may_not_serve,
		.status = answer->status,
		.location = fetch_answer_header(answer, "Location"),
		.nonce = fetch_answer_header(answer, "Replay-Nonce"),
		.retry_after = fetch_answer_header(answer, "Retry-After"),
		.date = fetch_answer_header(answer, "Date"),
		.body = answer->body ? answer->body : "",
		.bytes = answer->body_bytes };

	free(arg);
	fetching.on_reply(fetching.who, &reply);
}

static enum fetch_method
method_of(const char *word)
{
	return strcmp(word, "POST") == 0 ? FETCH_POST
	    : strcmp(word, "HEAD") == 0  ? FETCH_HEAD
					 : FETCH_GET;
}

static void *
start(void *arg, const struct acme_request *request,
    void (*on_reply)(void *who, const struct acme_reply *), void *who)
{
	const struct fetch_transport *transport = arg;
	struct fetching *fetching = calloc(1, sizeof *fetching);
	const struct fetch_request wanted = { .method = method_of(request->method),
		.url = request->url,
		.content_type = request->body ? "application/jose+json" : NULL,
		.body = request->body,
		.body_bytes = request->body ? strlen(request->body) : 0,
		.headers = headers,
		.trust = transport->cas ? FETCH_TRUST_GIVEN : FETCH_TRUST_SYSTEM,
		.cas = transport->cas,
		.wants_chain = true,
		.proxy = transport->proxy,
		.answer_most = ACME_BODY_BYTES };

	if (!fetching)
		return NULL;
	fetching->on_reply = on_reply;
	fetching->who = who;
	fetching->fetch = fetch_start(transport->fetcher, &wanted, on_fetched, fetching);
	if (fetching->fetch)
		return fetching;
	free(fetching);
	return NULL;
}

static void
cancel(void *arg, void *started)
{
	struct fetching *fetching = started;

	(void)arg;
	fetch_cancel(fetching->fetch);
	free(fetching);
}

struct acme_transport
fetch_transport_of(struct fetch_transport *transport)
{
	return (struct acme_transport){ start, cancel, transport };
}
