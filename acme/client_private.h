/*
 * Internal to the client: what client.c (the goals, the account) and client_order.c (an order)
 * share.
 */
#ifndef ACME_CLIENT_PRIVATE_H
#define ACME_CLIENT_PRIVATE_H

#include <jansson.h>

#include "acme/client.h"
#include "base/loop.h"

struct acme_answer;
struct acme_exchange;

enum { CLIENT_POLL_FIRST_MS = 500, CLIENT_SENTENCE = 2 * ACME_SENTENCE, CLIENT_ID = 256 };

enum client_goal { NO_GOAL, ISSUE, ASK_WINDOW, CHANGE_KEY };

enum client_state {
	IDLE,
	DIRECTORY,
	WINDOW,
	GREETING,
	REGISTERING,
	CHANGING_KEY,
	ORDERING,
	AUTHORISING,
	PRESENTING,
	ANSWERING,
	VALIDATING,
	CHECKING,
	FINALISING,
	DOWNLOADING,
	STATES
};

struct acme_client {
	struct loop *loop;
	const struct acme_client_options *options;
	struct acme_exchange *exchange;
	struct account_key *key, *fresh_key;
	struct account_key *spare_key; /* until it is known which one the CA has */
	bool has_swapped;
	char account[ACME_URL]; /* "": not registered */
	bool is_greeted;        /* the account was there, and has our contacts */
	void (*on_event)(void *arg, const struct acme_event *);
	void *arg;
	enum client_state state;
	struct timer timer;
	uint64_t poll_ms, until_ms;
	/* Of the goal. */
	enum client_goal goal;
	char name[256], replaces[CLIENT_ID];
	char *request; /* of the certificate, in base64 */
	bool has_registered_again, has_ordered_again, is_presenting;
	struct acme_directory directory;
	struct acme_order order;
	struct acme_authorisation authorisation;
	char order_url[ACME_URL];
	unsigned finalisations;
	char busy[ACME_SENTENCE]; /* why the challenge cannot be shown */
};

/* Goes on with this step at the next turn, so that no event comes inside a call of our owner. */
void acme_client_enter(struct acme_client *, enum client_state to);
/* The same, where it may take several questions until the CA is ready. */
void acme_client_enter_polling(
    struct acme_client *, enum client_state to, uint64_t most_ms, uint64_t first_ms);
/* The CA is not ready: asks again after what it says, or after twice as long as the last time. */
void acme_client_poll_later(struct acme_client *, const char *what, const struct acme_answer *);

/* The challenge is not shown any more, if it was. */
void acme_client_withdraw(struct acme_client *);
/* Ends the goal with this event. */
void acme_client_finish(struct acme_client *, const struct acme_event *);
__attribute__((format(printf, 5, 6))) void acme_client_fail(struct acme_client *, enum acme_failure,
    const char *code, uint64_t retry_after_s, const char *format, ...);
void acme_client_fail_document(struct acme_client *, const char *what);
void acme_client_fail_answer(struct acme_client *, const char *what, const struct acme_answer *);

/* False when memory is short; the payload is taken in any case, and may be NULL: memory. */
bool acme_client_post(struct acme_client *, const char *url, json_t *payload);
bool acme_client_post_text(struct acme_client *, const char *url, const char *payload);

/* The CA does not know the account: registers again and goes on from there, once for each goal. */
bool acme_client_registers_again(struct acme_client *, const struct acme_answer *);

/* The steps of an order, for the table of all steps. */
bool acme_client_ask_order(struct acme_client *);
void acme_client_take_order(struct acme_client *, const struct acme_answer *);
bool acme_client_ask_order_again(struct acme_client *);
void acme_client_take_order_document(struct acme_client *, const struct acme_answer *);
bool acme_client_ask_authorisation(struct acme_client *);
void acme_client_take_authorisation(struct acme_client *, const struct acme_answer *);
bool acme_client_present(struct acme_client *);
bool acme_client_ask_challenge(struct acme_client *);
void acme_client_take_challenge(struct acme_client *, const struct acme_answer *);
void acme_client_take_validation(struct acme_client *, const struct acme_answer *);
bool acme_client_ask_finalisation(struct acme_client *);
void acme_client_take_finalisation(struct acme_client *, const struct acme_answer *);
bool acme_client_ask_certificate(struct acme_client *);
void acme_client_take_certificate(struct acme_client *, const struct acme_answer *);

#endif
