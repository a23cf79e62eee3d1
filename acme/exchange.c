/* Nonces, signatures, and answers as plain values. */
#include "acme/exchange.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "acme/jws.h"
#include "acme/transport.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"

enum {
	NONCES = 4,
	NONCE = 256,
	TRIES = 10, /* of one request: a server may find a fifth of all nonces bad */
	RETRY_MOST_S = 7 * 86400,
};

enum state { RESTING, FETCHING_NONCE, ASKING, STATES };

struct acme_exchange {
	struct acme_transport transport;
	enum state state;
	char nonces[NONCES][NONCE];
	size_t nonce_count;
	unsigned tries;
	bool is_signed;
	struct acme_signer signer;
	char url[ACME_URL], new_nonce_url[ACME_URL];
	char *payload;
	void (*on_answer)(void *arg, const struct acme_answer *);
	void *arg;
	void *started; /* by the transport */
};

static bool ask(struct acme_exchange *);

/* The only writer of ->state. */
static void
move(struct acme_exchange *exchange, enum state to)
{
	static const unsigned may_move[STATES] = {
		[RESTING] = 1u << FETCHING_NONCE | 1u << ASKING,
		[FETCHING_NONCE] = 1u << ASKING | 1u << RESTING,
		[ASKING] = 1u << ASKING | 1u << FETCHING_NONCE | 1u << RESTING,
	};
	static const char *const state_name[STATES] = { "resting", "fetching-nonce", "asking" };

	assert(may_move[exchange->state] & 1u << to);
	log_move("acme-exchange", log_object("exchange", exchange), state_name[exchange->state],
	    state_name[to]);
	exchange->state = to;
}

struct acme_exchange *
acme_exchange_new(const struct acme_transport *transport)
{
	struct acme_exchange *exchange = calloc(1, sizeof *exchange);

	if (exchange)
		exchange->transport = *transport;
	return exchange;
}

static void
rest(struct acme_exchange *exchange)
{
	move(exchange, RESTING);
	free(exchange->payload);
	exchange->payload = NULL;
	exchange->started = NULL;
}

void
acme_exchange_cancel(struct acme_exchange *exchange)
{
	if (exchange->state == RESTING)
		return;
	exchange->transport.cancel(exchange->transport.arg, exchange->started);
	rest(exchange);
}

void
acme_exchange_free(struct acme_exchange *exchange)
{
	if (!exchange)
		return;
	acme_exchange_cancel(exchange);
	free(exchange);
}

/* ---- answers ---- */

/* RFC 9110, 5.6.7, in the one form that is still sent. */
static bool
parse_date(const char *text, int64_t *wall_s)
{
	struct tm parts = { 0 };
	const char *rest = text ? strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &parts) : NULL;

	*wall_s = rest && *rest == '\0' ? timegm(&parts) : 0;
	return *wall_s > 0;
}

/* A number of seconds or a date, which counts by the server's clock. */
static uint64_t
retry_after(const char *text, int64_t server_s)
{
	uint64_t seconds = 0;
	int64_t at_s;

	if (!text)
		return 0;
	if (parse_date(text, &at_s)) {
		int64_t now_s = server_s ? server_s : clock_wall_s();

		seconds = at_s > now_s ? (uint64_t)(at_s - now_s) : 0;
	} else if (!number_parse(text, &seconds))
		return 0;
	return seconds < RETRY_MOST_S ? seconds : RETRY_MOST_S;
}

static void
keep_nonce(struct acme_exchange *exchange, const char *nonce)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	if (!nonce || nonce[0] == '\0' || strlen(nonce) >= NONCE ||
	    strspn(nonce, letters) != strlen(nonce))
		return;
	if (exchange->nonce_count == NONCES) { /* the oldest leaves */
		exchange->nonce_count--;
		memmove(exchange->nonces[0], exchange->nonces[1], exchange->nonce_count * NONCE);
	}
	snprintf(exchange->nonces[exchange->nonce_count++], NONCE, "%s", nonce);
}

static void
tell(struct acme_exchange *exchange, const struct acme_answer *answer)
{
	rest(exchange);
	exchange->on_answer(exchange->arg, answer);
}

static void
tell_error(struct acme_exchange *exchange, const char *sentence)
{
	tell(exchange, &(struct acme_answer){ .error = sentence, .location = "" });
}

static void
read_reply(struct acme_answer *answer, const struct acme_reply *reply)
{
	*answer = (struct acme_answer){ .status = reply->status,
		.location =
		    reply->location && document_url_is(reply->location) ? reply->location : "",
		.body = reply->body,
		.bytes = reply->bytes };
	parse_date(reply->date, &answer->date_s);
	answer->retry_after_s = retry_after(reply->retry_after, answer->date_s);
	if (reply->status >= 400)
		acme_problem_decode(&answer->problem, reply->body, reply->bytes);
}

static void
on_reply(void *who, const struct acme_reply *reply)
{
	struct acme_exchange *exchange = who;
	struct acme_answer answer;

	exchange->started = NULL;
	if (reply->error) {
		tell_error(exchange, reply->error);
		return;
	}
	keep_nonce(exchange, reply->nonce);
	read_reply(&answer, reply);
	if (exchange->is_signed && acme_problem_is(&answer.problem, "badNonce") &&
	    exchange->tries < TRIES) {
		if (!ask(exchange))
			tell_error(exchange, "memory is short");
		return;
	}
	tell(exchange, &answer);
}

/* ---- requests ---- */

static bool
start(struct acme_exchange *exchange, enum state to, const struct acme_request *request,
    void (*on_done)(void *, const struct acme_reply *))
{
	exchange->started =
	    exchange->transport.start(exchange->transport.arg, request, on_done, exchange);
	if (exchange->started)
		move(exchange, to);
	return exchange->started != NULL;
}

static bool
send_signed(struct acme_exchange *exchange)
{
	const struct jws_head head = { .url = exchange->url,
		.nonce = exchange->nonces[--exchange->nonce_count],
		.account = exchange->signer.account };
	char *body = jws_sign(exchange->signer.key, &head, exchange->payload);
	const struct acme_request request = { "POST", exchange->url, body };
	bool is_sent = body && start(exchange, ASKING, &request, on_reply);

	exchange->tries++;
	free(body);
	return is_sent;
}

static void
on_nonce(void *who, const struct acme_reply *reply)
{
	struct acme_exchange *exchange = who;

	exchange->started = NULL;
	if (reply->error) {
		tell_error(exchange, reply->error);
		return;
	}
	keep_nonce(exchange, reply->nonce);
	if (exchange->nonce_count == 0)
		tell_error(
		    exchange, "the server gives no nonce (Replay-Nonce), as an ACME server does");
	else if (!send_signed(exchange))
		tell_error(exchange, "memory is short");
}

static bool
ask(struct acme_exchange *exchange)
{
	const struct acme_request nonce = { "HEAD", exchange->new_nonce_url, NULL };

	return exchange->nonce_count > 0 ? send_signed(exchange)
					 : start(exchange, FETCHING_NONCE, &nonce, on_nonce);
}

static void
prepare(struct acme_exchange *exchange, const char *url,
    void (*on_answer)(void *, const struct acme_answer *), void *arg)
{
	assert(exchange->state == RESTING);
	snprintf(exchange->url, sizeof exchange->url, "%s", url);
	exchange->on_answer = on_answer;
	exchange->arg = arg;
	exchange->tries = 0;
}

bool
acme_exchange_get(struct acme_exchange *exchange, const char *url,
    void (*on_answer)(void *arg, const struct acme_answer *), void *arg)
{
	const struct acme_request request = { "GET", url, NULL };

	prepare(exchange, url, on_answer, arg);
	exchange->is_signed = false;
	return start(exchange, ASKING, &request, on_reply);
}

bool
acme_exchange_post(struct acme_exchange *exchange, const struct acme_signer *signer,
    const char *new_nonce_url, const char *url, const char *payload,
    void (*on_answer)(void *arg, const struct acme_answer *), void *arg)
{
	prepare(exchange, url, on_answer, arg);
	snprintf(exchange->new_nonce_url, sizeof exchange->new_nonce_url, "%s", new_nonce_url);
	exchange->is_signed = true;
	exchange->signer = *signer;
	exchange->payload = strdup(payload);
	if (exchange->payload && ask(exchange))
		return true;
	free(exchange->payload);
	exchange->payload = NULL;
	return false;
}
