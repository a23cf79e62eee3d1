/* A client's order: its authorisation, and the certificate. */
#include "acme/client_private.h"

#include <jansson.h>
#include <stdio.h>

#include "acme/exchange.h"
#include "acme/jws.h"
#include "base/loop.h"

/* ---- the order ---- */

static void
fail_validation(struct acme_client *client, const struct acme_problem *problem)
{
	acme_client_fail(client,
	    acme_problem_is(problem, "rateLimited") ? ACME_FAILURE_LATER : ACME_FAILURE_INVALID,
	    problem->type[0] ? problem->type : "acme-invalid", 0,
	    "the CA could not validate %s: %s", client->name,
	    problem->detail[0] ? problem->detail : "it says no reason");
}

static bool
read_again(struct acme_client *client, const char *url)
{
	return acme_client_post_text(client, url, "");
}

bool
acme_client_ask_order(struct acme_client *client)
{
	const char *replaces =
	    client->replaces[0] != '\0' && client->directory.renewal_info[0] != '\0'
	    ? client->replaces
	    : NULL;

	return acme_client_post(client, client->directory.new_order,
	    json_pack("{s:[{s:s, s:s}], s:s*}", "identifiers", "type", "dns", "value", client->name,
		"replaces", replaces));
}

/* A CA that goes on calling for the request is not asked for ever. */
static void
finalise(struct acme_client *client)
{
	enum { FINALISATIONS = 3 };

	if (client->state == FINALISING || client->finalisations++ == FINALISATIONS)
		acme_client_fail_document(client, "the order");
	else
		acme_client_enter(client, FINALISING);
}

static void
wait_for_order(struct acme_client *client, const struct acme_answer *answer)
{
	if (client->order.status == ACME_STATUS_PENDING && client->state == ORDERING &&
	    client->order.authorisation[0] != '\0')
		acme_client_enter(client, AUTHORISING);
	else if (client->state == CHECKING)
		acme_client_poll_later(client, "the order", answer);
	else
		acme_client_enter_polling(client, CHECKING, ACME_PROCESS_MS, CLIENT_POLL_FIRST_MS);
}

/* What comes next depends on the order's status. */
static void
follow_order(struct acme_client *client, const struct acme_answer *answer)
{
	switch (client->order.status) {
	case ACME_STATUS_READY:
		finalise(client);
		return;
	case ACME_STATUS_VALID:
		acme_client_enter(client, DOWNLOADING);
		return;
	case ACME_STATUS_INVALID:
		fail_validation(client, &client->order.problem);
		return;
	case ACME_STATUS_PENDING:
	case ACME_STATUS_PROCESSING:
		wait_for_order(client, answer);
		return;
	case ACME_STATUS_UNKNOWN:
	case ACME_STATUS_DEACTIVATED:
	case ACME_STATUS_EXPIRED:
	case ACME_STATUS_REVOKED:
	case ACME_STATUSES:
		break;
	}
	acme_client_fail_document(client, "the order");
}

void
acme_client_take_order_document(struct acme_client *client, const struct acme_answer *answer)
{
	if (answer->status != 200 && answer->status != 201)
		acme_client_fail_answer(client, "the order", answer);
	else if (!acme_order_decode(&client->order, answer->body, answer->bytes))
		acme_client_fail_document(client, "the order");
	else
		follow_order(client, answer);
}

/* RFC 9773, 5: what may be wrong about the certificate to be replaced is no reason not to have a
 * new one. */
static bool
orders_without_replacing(struct acme_client *client, const struct acme_answer *answer)
{
	if (client->replaces[0] == '\0' || client->directory.renewal_info[0] == '\0' ||
	    !(acme_problem_is(&answer->problem, "alreadyReplaced") ||
		acme_problem_is(&answer->problem, "malformed") ||
		acme_problem_is(&answer->problem, "unauthorized") || answer->status == 409))
		return false;
	client->replaces[0] = '\0';
	acme_client_enter(client, ORDERING);
	return true;
}

void
acme_client_take_order(struct acme_client *client, const struct acme_answer *answer)
{
	if (acme_client_registers_again(client, answer) || orders_without_replacing(client, answer))
		return;
	if (answer->status == 201 && answer->location[0] == '\0') {
		acme_client_fail_document(client, "the order");
		return;
	}
	snprintf(client->order_url, sizeof client->order_url, "%s", answer->location);
	acme_client_take_order_document(client, answer);
}

bool
acme_client_ask_order_again(struct acme_client *client)
{
	return read_again(client, client->order_url);
}

/* ---- the authorisation ---- */

bool
acme_client_ask_authorisation(struct acme_client *client)
{
	return read_again(client, client->order.authorisation);
}

static bool
orders_again(struct acme_client *client)
{
	if (client->has_ordered_again)
		return false;
	client->has_ordered_again = true;
	acme_client_withdraw(client);
	acme_client_enter(client, ORDERING);
	return true;
}

/* False, and it has failed: what it says can be understood, but leads nowhere. */
static bool
is_open(struct acme_client *client)
{
	const struct acme_authorisation *authorisation = &client->authorisation;

	switch (authorisation->status) {
	case ACME_STATUS_PENDING:
	case ACME_STATUS_VALID:
		return true;
	case ACME_STATUS_INVALID:
		fail_validation(client, &authorisation->problem);
		return false;
	case ACME_STATUS_EXPIRED:
	case ACME_STATUS_DEACTIVATED:
	case ACME_STATUS_REVOKED:
		if (!orders_again(client))
			acme_client_fail(client, ACME_FAILURE_LATER, "acme-authorisation-over", 0,
			    "the CA's authorisation of %s has expired or was taken back, and so has the next one",
			    client->name);
		return false;
	case ACME_STATUS_UNKNOWN:
	case ACME_STATUS_PROCESSING:
	case ACME_STATUS_READY:
	case ACME_STATUSES:
		break;
	}
	acme_client_fail_document(client, "the authorisation");
	return false;
}

static bool
read_authorisation(struct acme_client *client, const struct acme_answer *answer)
{
	if (answer->status != 200)
		acme_client_fail_answer(client, "the authorisation", answer);
	else if (!acme_authorisation_decode(
		     &client->authorisation, client->name, answer->body, answer->bytes))
		acme_client_fail_document(client, "the authorisation");
	else
		return is_open(client);
	return false;
}

void
acme_client_take_authorisation(struct acme_client *client, const struct acme_answer *answer)
{
	if (!read_authorisation(client, answer))
		return;
	if (client->authorisation.status == ACME_STATUS_VALID)
		acme_client_enter_polling(client, CHECKING, ACME_PROCESS_MS, 0);
	else if (client->authorisation.url[0] == '\0')
		acme_client_fail(client, ACME_FAILURE_REFUSED, "acme-no-challenge", 0,
		    "the CA does not offer tls-alpn-01 for %s, and there is no other way through a relay; ask "
		    "another CA",
		    client->name);
	else
		acme_client_enter(client, PRESENTING);
}

/* The time is up, or the owner has said why. */
static void
fail_presenting(struct acme_client *client)
{
	if (client->busy[0] != '\0')
		acme_client_fail(client, ACME_FAILURE_BUSY, "acme-busy", 0, "%s", client->busy);
	else
		acme_client_fail(client, ACME_FAILURE_BUSY, "acme-not-ready", 0,
		    "not every relay has accepted the challenge for %s within %d seconds",
		    client->name, ACME_PRESENT_MS / 1000);
}

/* Its deadline begins when the owner is asked. */
bool
acme_client_present(struct acme_client *client)
{
	uint8_t digest[32];
	const struct acme_event event = { .kind = ACME_PRESENT, .digest = digest };

	if (client->is_presenting) {
		fail_presenting(client);
		return true;
	}
	if (!jws_authorise(client->key, client->authorisation.token, digest))
		return false;
	client->is_presenting = true;
	client->busy[0] = '\0';
	timer_set(&client->timer, ACME_PRESENT_MS);
	client->on_event(client->arg, &event);
	return true;
}

void
acme_client_presented(struct acme_client *client, const char *error)
{
	if (client->state != PRESENTING || !client->is_presenting)
		return;
	if (error) {
		snprintf(client->busy, sizeof client->busy, "%s", error);
		timer_set(&client->timer, 0);
	} else if (client->authorisation.challenge_status == ACME_STATUS_PENDING)
		acme_client_enter(client, ANSWERING);
	else /* asked for before, and the CA is still looking */
		acme_client_enter_polling(client, VALIDATING, ACME_VALIDATE_MS, 0);
}

bool
acme_client_ask_challenge(struct acme_client *client)
{
	return acme_client_post_text(client, client->authorisation.url, "{}");
}

void
acme_client_take_challenge(struct acme_client *client, const struct acme_answer *answer)
{
	if (answer->status != 200)
		acme_client_fail_answer(client, "the challenge", answer);
	else
		acme_client_enter_polling(client, VALIDATING, ACME_VALIDATE_MS,
		    answer->retry_after_s ? answer->retry_after_s * 1000 : CLIENT_POLL_FIRST_MS);
}

void
acme_client_take_validation(struct acme_client *client, const struct acme_answer *answer)
{
	if (!read_authorisation(client, answer))
		return;
	if (client->authorisation.status == ACME_STATUS_PENDING) {
		acme_client_poll_later(client, "the authorisation", answer);
		return;
	}
	acme_client_withdraw(client);
	acme_client_enter_polling(client, CHECKING, ACME_PROCESS_MS, 0);
}

/* ---- the certificate ---- */

bool
acme_client_ask_finalisation(struct acme_client *client)
{
	return acme_client_post(
	    client, client->order.finalise, json_pack("{s:s}", "csr", client->request));
}

void
acme_client_take_finalisation(struct acme_client *client, const struct acme_answer *answer)
{
	if (acme_problem_is(&answer->problem, "orderNotReady"))
		acme_client_enter_polling(client, CHECKING, ACME_PROCESS_MS, CLIENT_POLL_FIRST_MS);
	else
		acme_client_take_order_document(client, answer);
}

bool
acme_client_ask_certificate(struct acme_client *client)
{
	return read_again(client, client->order.certificate);
}

void
acme_client_take_certificate(struct acme_client *client, const struct acme_answer *answer)
{
	const struct acme_event event = { .kind = ACME_ISSUED,
		.chain = { answer->body, answer->bytes } };

	if (answer->status != 200)
		acme_client_fail_answer(client, "the certificate", answer);
	else
		acme_client_finish(client, &event);
}
