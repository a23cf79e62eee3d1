/* The steps of a client: what each asks, and what becomes of the answer. */
#include "acme/client.h"

#include <assert.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acme/account_key.h"
#include "acme/base64url.h"
#include "acme/client_private.h"
#include "acme/exchange.h"
#include "acme/jws.h"
#include "acme/transport.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/numbers.h"

enum { POLL_MOST_MS = 15000 };

static void on_answer(void *arg, const struct acme_answer *);

/* The only writer of ->state. */
static void
move(struct acme_client *client, enum client_state to)
{
	static const unsigned may_move[STATES] = {
		[IDLE] = 1u << DIRECTORY,
		[DIRECTORY] = 1u << WINDOW | 1u << GREETING | 1u << REGISTERING |
		    1u << CHANGING_KEY | 1u << ORDERING | 1u << IDLE,
		[WINDOW] = 1u << IDLE,
		[GREETING] = 1u << GREETING | 1u << REGISTERING | 1u << CHANGING_KEY |
		    1u << ORDERING | 1u << IDLE,
		[REGISTERING] = 1u << CHANGING_KEY | 1u << ORDERING | 1u << IDLE,
		[CHANGING_KEY] = 1u << IDLE,
		[ORDERING] = 1u << ORDERING | 1u << REGISTERING | 1u << AUTHORISING |
		    1u << FINALISING | 1u << CHECKING | 1u << DOWNLOADING | 1u << IDLE,
		[AUTHORISING] = 1u << PRESENTING | 1u << CHECKING | 1u << ORDERING | 1u << IDLE,
		[PRESENTING] = 1u << ANSWERING | 1u << VALIDATING | 1u << IDLE,
		[ANSWERING] = 1u << VALIDATING | 1u << IDLE,
		[VALIDATING] = 1u << CHECKING | 1u << ORDERING | 1u << IDLE,
		[CHECKING] = 1u << FINALISING | 1u << DOWNLOADING | 1u << IDLE,
		[FINALISING] = 1u << CHECKING | 1u << DOWNLOADING | 1u << IDLE,
		[DOWNLOADING] = 1u << IDLE,
	};
	static const char *const state_name[STATES] = { "idle", "directory", "window", "greeting",
		"registering", "changing-key", "ordering", "authorising", "presenting", "answering",
		"validating", "checking", "finalising", "downloading" };

	assert(may_move[client->state] & 1u << to);
	log_move("acme-client", log_str("directory", client->options->directory),
	    state_name[client->state], state_name[to]);
	client->state = to;
}

/* Asks at the next turn, so that no event comes inside a call of our owner. */
void
acme_client_enter(struct acme_client *client, enum client_state to)
{
	move(client, to);
	client->poll_ms = 0;
	timer_set(&client->timer, 0);
}

/* The same, where it may take several questions until the CA is ready. */
void
acme_client_enter_polling(
    struct acme_client *client, enum client_state to, uint64_t most_ms, uint64_t first_ms)
{
	move(client, to);
	client->poll_ms = first_ms;
	client->until_ms = clock_ms() + most_ms;
	timer_set(&client->timer, smaller_of(first_ms, most_ms));
}

/* ---- the end of a goal ---- */

void
acme_client_withdraw(struct acme_client *client)
{
	const struct acme_event event = { .kind = ACME_WITHDRAW };

	if (!client->is_presenting)
		return;
	client->is_presenting = false;
	client->on_event(client->arg, &event);
}

static void
end(struct acme_client *client)
{
	acme_client_withdraw(client);
	timer_clear(&client->timer);
	acme_exchange_cancel(client->exchange);
	free(client->request);
	client->request = NULL;
	account_key_free(client->fresh_key);
	client->fresh_key = NULL;
	client->goal = NO_GOAL;
	if (client->state != IDLE)
		move(client, IDLE);
}

void
acme_client_finish(struct acme_client *client, const struct acme_event *event)
{
	end(client);
	client->on_event(client->arg, event);
}

void
acme_client_fail(struct acme_client *client, enum acme_failure failure, const char *code,
    uint64_t retry_after_s, const char *format, ...)
{
	char sentence[CLIENT_SENTENCE];
	struct acme_event event = { .kind = ACME_FAILED,
		.failure = failure,
		.code = code,
		.sentence = sentence,
		.retry_after_s = retry_after_s };
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof sentence, format, arguments);
	va_end(arguments);
	acme_client_finish(client, &event);
}

static void
fail_short(struct acme_client *client)
{
	acme_client_fail(client, ACME_FAILURE_LATER, "memory-short", 0, "memory is short");
}

void
acme_client_fail_document(struct acme_client *client, const char *what)
{
	acme_client_fail(client, ACME_FAILURE_UNREACHABLE, "acme-malformed", 0,
	    "%s from %s is not as RFC 8555 has it; is this address an ACME directory?", what,
	    client->options->directory);
}

/* What the CA says of a request of ours; types that are not here are refusals. */
static enum acme_failure
failure_of(const struct acme_answer *answer)
{
	static const struct {
		const char *type;
		enum acme_failure failure;
	} types[] = {
		{ "rateLimited", ACME_FAILURE_LATER },
		{ "serverInternal", ACME_FAILURE_LATER },
		{ "badNonce", ACME_FAILURE_LATER },
		{ "orderNotReady", ACME_FAILURE_LATER },
		{ "caa", ACME_FAILURE_INVALID },
		{ "dns", ACME_FAILURE_INVALID },
		{ "connection", ACME_FAILURE_INVALID },
		{ "tls", ACME_FAILURE_INVALID },
		{ "incorrectResponse", ACME_FAILURE_INVALID },
	};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (acme_problem_is(&answer->problem, types[i].type))
			return types[i].failure;
	return answer->status >= 500 || answer->status == 429 ? ACME_FAILURE_LATER
							      : ACME_FAILURE_REFUSED;
}

void
acme_client_fail_answer(
    struct acme_client *client, const char *what, const struct acme_answer *answer)
{
	if (answer->error)
		acme_client_fail(client, ACME_FAILURE_UNREACHABLE, "acme-unreachable", 0, "%s: %s",
		    what, answer->error);
	else if (answer->problem.type[0] != '\0')
		acme_client_fail(client, failure_of(answer), answer->problem.type,
		    answer->retry_after_s, "%s: the CA says: %s", what,
		    answer->problem.detail[0] ? answer->problem.detail : answer->problem.type);
	else
		acme_client_fail(client,
		    answer->status < 400 ? ACME_FAILURE_UNREACHABLE : failure_of(answer),
		    "acme-status", answer->retry_after_s,
		    "%s: the CA answers with status %u and says no reason", what, answer->status);
}

/* ---- asking ---- */

/* False when memory is short. */
bool
acme_client_post_text(struct acme_client *client, const char *url, const char *payload)
{
	const struct acme_signer signer = { client->key,
		client->state == REGISTERING ? NULL : client->account };

	return acme_exchange_post(client->exchange, &signer, client->directory.new_nonce, url,
	    payload, on_answer, client);
}

/* Takes the payload, which may be NULL: memory. */
bool
acme_client_post(struct acme_client *client, const char *url, json_t *payload)
{
	char *text = payload ? json_dumps(payload, JSON_COMPACT) : NULL;
	bool is_sent = text && acme_client_post_text(client, url, text);

	json_decref(payload);
	free(text);
	return is_sent;
}

/* The CA is not ready: after what it says, or after twice as long as the last time. */
void
acme_client_poll_later(
    struct acme_client *client, const char *what, const struct acme_answer *answer)
{
	uint64_t wait_ms = answer->retry_after_s * 1000;

	if (wait_ms == 0)
		wait_ms = client->poll_ms == 0 ? CLIENT_POLL_FIRST_MS : 2 * client->poll_ms;
	if (answer->retry_after_s == 0 && wait_ms > POLL_MOST_MS)
		wait_ms = POLL_MOST_MS;
	client->poll_ms = wait_ms;
	if (clock_ms() + wait_ms > client->until_ms)
		acme_client_fail(client, ACME_FAILURE_LATER, "acme-slow", answer->retry_after_s,
		    "%s: the CA is not done yet, and we wait no longer", what);
	else
		timer_set(&client->timer, wait_ms);
}

/* ---- the account ---- */

static void
next_with_account(struct acme_client *client)
{
	const struct acme_event event = { .kind = ACME_REGISTERED,
		.account = client->account,
		.caa_identity = client->directory.caa_identity };

	client->on_event(client->arg, &event);
	acme_client_enter(client, client->goal == CHANGE_KEY ? CHANGING_KEY : ORDERING);
}

static bool
ask_directory(struct acme_client *client)
{
	return acme_exchange_get(client->exchange, client->options->directory, on_answer, client);
}

static bool
is_clock_right(struct acme_client *client, const struct acme_answer *answer)
{
	int64_t apart_s = answer->date_s - clock_wall_s();

	if (answer->date_s == 0 ||
	    (apart_s <= ACME_CLOCK_APART_S && apart_s >= -ACME_CLOCK_APART_S))
		return true;
	acme_client_fail(client, ACME_FAILURE_CLOCK, "acme-clock", 0,
	    "the CA's clock is %lld minutes %s ours, and certificates are not ordered by a clock that is wrong; "
	    "is the clock of this host right?",
	    (long long)(apart_s > 0 ? apart_s : -apart_s) / 60,
	    apart_s > 0 ? "ahead of" : "behind");
	return false;
}

static void
take_directory(struct acme_client *client, const struct acme_answer *answer)
{
	const struct acme_event nothing = { .kind = ACME_WINDOW };

	if (answer->status != 200)
		acme_client_fail_answer(client, "the directory", answer);
	else if (!acme_directory_decode(&client->directory, answer->body, answer->bytes))
		acme_client_fail_document(client, "the directory");
	else if (!is_clock_right(client, answer))
		return;
	else if (client->goal == ASK_WINDOW && client->directory.renewal_info[0] == '\0')
		acme_client_finish(client, &nothing);
	else if (client->goal == ASK_WINDOW)
		acme_client_enter(client, WINDOW);
	else if (client->account[0] == '\0')
		acme_client_enter(client, REGISTERING);
	else if (!client->is_greeted)
		acme_client_enter(client, GREETING);
	else
		next_with_account(client);
}

/* NULL when memory is short. */
static json_t *
contacts(const struct acme_client *client)
{
	json_t *list = json_array();

	for (size_t i = 0; i < client->options->contact_count; i++)
		if (json_array_append_new(list, json_string(client->options->contacts[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static bool
ask_registration(struct acme_client *client)
{
	const struct acme_client_options *options = client->options;
	json_t *payload = json_pack(
	    "{s:b, s:o}", "termsOfServiceAgreed", options->has_agreed, "contact", contacts(client));
	char *bound = options->key_id ? jws_bind(client->key, options->key_id, options->mac_key,
					    client->directory.new_account)
				      : NULL;
	bool is_complete = payload &&
	    (!options->key_id ||
		(bound &&
		    json_object_set_new(
			payload, "externalAccountBinding", json_loads(bound, 0, NULL)) == 0));

	free(bound);
	if (is_complete)
		return acme_client_post(client, client->directory.new_account, payload);
	json_decref(payload);
	return false;
}

static bool
ask_account(struct acme_client *client)
{
	if (client->directory.terms[0] != '\0' && !client->options->has_agreed)
		acme_client_fail(client, ACME_FAILURE_REFUSED, "terms-not-agreed", 0,
		    "the CA has terms of service, %s; read them, and write terms_agreed: true if you "
		    "agree",
		    client->directory.terms);
	else if (client->directory.wants_binding && !client->options->key_id)
		acme_client_fail(client, ACME_FAILURE_REFUSED, "externalAccountRequired", 0,
		    "the CA takes only those that have an account with it already; ask it for a key and "
		    "write eab: {key_id, hmac_key_file}");
	else
		return ask_registration(client);
	return true;
}

static void
take_account(struct acme_client *client, const struct acme_answer *answer)
{
	if (answer->status != 200 && answer->status != 201)
		acme_client_fail_answer(client, "the account", answer);
	else if (answer->location[0] == '\0')
		acme_client_fail_document(client, "the account");
	else {
		snprintf(client->account, sizeof client->account, "%s", answer->location);
		/* A new one has our contacts; one that was there is told them at the next goal. */
		client->is_greeted = answer->status == 201;
		next_with_account(client);
	}
}

/* RFC 8555, 7.3.2: the contacts are what we say now. */
static bool
ask_greeting(struct acme_client *client)
{
	json_t *list = contacts(client);

	return list &&
	    acme_client_post(client, client->account, json_pack("{s:o}", "contact", list));
}

/* The CA has forgotten it, or never knew it: once for each goal. */
bool
acme_client_registers_again(struct acme_client *client, const struct acme_answer *answer)
{
	if (!acme_problem_is(&answer->problem, "accountDoesNotExist") ||
	    client->has_registered_again)
		return false;
	client->has_registered_again = true;
	client->account[0] = '\0';
	acme_client_enter(client, REGISTERING);
	return true;
}

/* The change of the key was cut off, and it is the other one that the CA knows. */
static bool
swaps_keys(struct acme_client *client, const struct acme_answer *answer)
{
	struct account_key *other = client->spare_key;

	if (!other || client->has_swapped || answer->status < 400 || answer->status >= 500 ||
	    answer->status == 429)
		return false;
	client->spare_key = client->key;
	client->key = other;
	client->has_swapped = true;
	acme_client_enter(client, GREETING);
	return true;
}

/* The one that the CA has taken stays. */
static void
settle_keys(struct acme_client *client)
{
	const struct acme_event event = { .kind = ACME_KEY_SETTLED,
		.is_fresh = client->has_swapped };

	if (!client->spare_key)
		return;
	account_key_free(client->spare_key);
	client->spare_key = NULL;
	client->on_event(client->arg, &event);
}

static void
take_greeting(struct acme_client *client, const struct acme_answer *answer)
{
	struct acme_account account;

	if (swaps_keys(client, answer) || acme_client_registers_again(client, answer))
		return;
	if (answer->status != 200)
		acme_client_fail_answer(client, "the account", answer);
	else if (!acme_account_decode(&account, client->options->contacts,
		     client->options->contact_count, answer->body, answer->bytes))
		acme_client_fail_document(client, "the account");
	else if (account.status != ACME_STATUS_VALID)
		acme_client_fail(client, ACME_FAILURE_REFUSED, "acme-account-closed", 0,
		    "the account %s was deactivated or revoked; remove its files from state_dir to make a new one",
		    client->account);
	else {
		client->is_greeted = true;
		settle_keys(client);
		next_with_account(client);
	}
}

static bool
ask_key_change(struct acme_client *client)
{
	char *inner;
	bool is_sent;

	if (client->directory.key_change[0] == '\0') {
		acme_client_fail(client, ACME_FAILURE_REFUSED, "key-change-not-offered", 0,
		    "the CA does not change keys of accounts");
		return true;
	}
	inner = jws_change_key(
	    client->key, client->fresh_key, client->account, client->directory.key_change);
	is_sent = inner && acme_client_post_text(client, client->directory.key_change, inner);
	free(inner);
	return is_sent;
}

static void
take_key_change(struct acme_client *client, const struct acme_answer *answer)
{
	const struct acme_event event = { .kind = ACME_KEY_CHANGED };

	if (answer->status != 200) {
		acme_client_fail_answer(client, "the change of the account's key", answer);
		return;
	}
	account_key_free(client->key);
	client->key = client->fresh_key;
	client->fresh_key = NULL;
	acme_client_finish(client, &event);
}

/* ---- when to renew ---- */

static bool
ask_window(struct acme_client *client)
{
	char url[ACME_URL + CLIENT_ID];
	const char *base = client->directory.renewal_info;
	size_t length = strlen(base);

	snprintf(url, sizeof url, "%s%s%s", base, length > 0 && base[length - 1] == '/' ? "" : "/",
	    client->replaces);
	return acme_exchange_get(client->exchange, url, on_answer, client);
}

static void
take_window(struct acme_client *client, const struct acme_answer *answer)
{
	struct acme_window window;
	const struct acme_event event = {
		.kind = ACME_WINDOW, .window = &window, .retry_after_s = answer->retry_after_s
	};

	if (answer->status != 200)
		acme_client_fail_answer(client, "when to renew (ARI)", answer);
	else if (!acme_window_decode(&window, answer->body, answer->bytes))
		acme_client_fail_document(client, "when to renew (ARI)");
	else
		acme_client_finish(client, &event);
}

/* ---- the table ---- */

/* ask: false when memory is short. */
static const struct {
	bool (*ask)(struct acme_client *);
	void (*take)(struct acme_client *, const struct acme_answer *);
} steps[STATES] = {
	[DIRECTORY] = { ask_directory, take_directory },
	[WINDOW] = { ask_window, take_window },
	[GREETING] = { ask_greeting, take_greeting },
	[REGISTERING] = { ask_account, take_account },
	[CHANGING_KEY] = { ask_key_change, take_key_change },
	[ORDERING] = { acme_client_ask_order, acme_client_take_order },
	[AUTHORISING] = { acme_client_ask_authorisation, acme_client_take_authorisation },
	[PRESENTING] = { acme_client_present, NULL },
	[ANSWERING] = { acme_client_ask_challenge, acme_client_take_challenge },
	[VALIDATING] = { acme_client_ask_authorisation, acme_client_take_validation },
	[CHECKING] = { acme_client_ask_order_again, acme_client_take_order_document },
	[FINALISING] = { acme_client_ask_finalisation, acme_client_take_finalisation },
	[DOWNLOADING] = { acme_client_ask_certificate, acme_client_take_certificate },
};

static void
on_answer(void *arg, const struct acme_answer *answer)
{
	struct acme_client *client = arg;

	steps[client->state].take(client, answer);
}

static void
on_time(void *arg)
{
	struct acme_client *client = arg;

	if (!steps[client->state].ask(client))
		fail_short(client);
}

/* ---- what the owner calls ---- */

struct acme_client *
acme_client_new(struct loop *loop, const struct acme_transport *transport,
    const struct acme_client_options *options, struct account_key *key, const char *account,
    void (*on_event)(void *arg, const struct acme_event *), void *arg)
{
	struct acme_client *client = calloc(1, sizeof *client);

	if (client)
		client->exchange = acme_exchange_new(transport);
	if (!client || !client->exchange) {
		free(client);
		account_key_free(key);
		return NULL;
	}
	client->loop = loop;
	client->options = options;
	client->key = key;
	client->on_event = on_event;
	client->arg = arg;
	if (account)
		snprintf(client->account, sizeof client->account, "%s", account);
	timer_init(&client->timer, loop, on_time, client);
	return client;
}

void
acme_client_free(struct acme_client *client)
{
	if (!client)
		return;
	client->is_presenting = false;
	end(client);
	acme_exchange_free(client->exchange);
	account_key_free(client->spare_key);
	account_key_free(client->key);
	free(client);
}

void
acme_client_set_spare_key(struct acme_client *client, struct account_key *spare)
{
	account_key_free(client->spare_key);
	client->spare_key = spare;
}

bool
acme_client_is_idle(const struct acme_client *client)
{
	return client->state == IDLE;
}

const char *
acme_client_account(const struct acme_client *client)
{
	return client->account;
}

static void
begin(struct acme_client *client, enum client_goal goal)
{
	assert(client->goal == NO_GOAL);
	client->goal = goal;
	client->has_registered_again = client->has_ordered_again = false;
	client->finalisations = 0;
	acme_client_enter(client, DIRECTORY);
}

bool
acme_client_issue(
    struct acme_client *client, const char *name, struct der request, const char *replaces)
{
	client->request = base64url_encode(request.data, request.bytes);
	if (!client->request)
		return false;
	snprintf(client->name, sizeof client->name, "%s", name);
	snprintf(client->replaces, sizeof client->replaces, "%s", replaces ? replaces : "");
	begin(client, ISSUE);
	return true;
}

bool
acme_client_ask_window(struct acme_client *client, const char *certificate_id)
{
	snprintf(client->replaces, sizeof client->replaces, "%s", certificate_id);
	begin(client, ASK_WINDOW);
	return true;
}

bool
acme_client_change_key(struct acme_client *client, struct account_key *fresh)
{
	client->fresh_key = fresh;
	begin(client, CHANGE_KEY);
	return true;
}
