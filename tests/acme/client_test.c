/* Tests of acme/client: goals from their beginning to their end, against a server that goes by a
 * script. */
#include "acme/client.h"

#include "account_keys.h"
#include "base/clock.h"
#include "base/clock_fake.h"
#include "base/loop_advance.h"
#include "lines.h"

static struct loop *loop;
static struct acme_script script;
static struct acme_client *client;
static struct acme_client_options options;
static const char *const contacts[] = { "mailto:a@example.com" };
static char story[512], code[64], sentence[1024], account[256], identity[64], chain[64];
static enum acme_failure failure;
static uint64_t retry_after_s;
static struct acme_window window;
static bool has_window, is_fresh, holds_challenge;

static int
set_up(void **state)
{
	(void)state;
	clock_fake(1000000, NOW_S * INT64_C(1000000));
	loop = loop_new();
	client = NULL;
	options = (struct acme_client_options){ CA "/directory", contacts, 1, true, NULL, NULL };
	story[0] = '\0';
	holds_challenge = false;
	return !loop;
}

static int
tear_down(void **state)
{
	(void)state;
	acme_client_free(client);
	loop_free(loop);
	clock_fake(0, 0);
	return 0;
}

static void
on_event(void *arg, const struct acme_event *event)
{
	static const char *const words[ACME_EVENTS] = { "registered ", "settled ", "present ",
		"withdraw ", "issued ", "window ", "changed ", "failed " };
	size_t used = strlen(story);

	assert_null(arg);
	snprintf(story + used, sizeof story - used, "%s", words[event->kind]);
	if (event->kind == ACME_REGISTERED) {
		snprintf(account, sizeof account, "%s", event->account);
		snprintf(identity, sizeof identity, "%s", event->caa_identity);
	} else if (event->kind == ACME_PRESENT && !holds_challenge)
		acme_client_presented(client, NULL);
	else if (event->kind == ACME_ISSUED)
		snprintf(chain, sizeof chain, "%.*s", (int)event->chain.bytes, event->chain.data);
	else if (event->kind == ACME_KEY_SETTLED)
		is_fresh = event->is_fresh;
	else if (event->kind == ACME_FAILED) {
		failure = event->failure;
		snprintf(code, sizeof code, "%s", event->code);
		snprintf(sentence, sizeof sentence, "%s", event->sentence);
	}
	retry_after_s = event->retry_after_s;
	has_window = event->kind == ACME_WINDOW && event->window;
	if (has_window)
		window = *event->window;
}

static void
begin(const struct acme_script_line *lines, size_t count, const char *known_account)
{
	struct acme_transport transport = script_begin(&script, loop, lines, count);

	client = acme_client_new(
	    loop, &transport, &options, new_account_key(), known_account, on_event, NULL);
	assert_non_null(client);
}

static void
order(const char *replaces)
{
	assert_true(acme_client_issue(
	    client, "app.example.com", (struct der){ (const uint8_t *)"REQUEST", 7 }, replaces));
	assert_string_equal(story, "");
}

/* The whole of a goal, with the account known. */
static void
play(const struct acme_script_line *lines, size_t count, const char *expected)
{
	begin(lines, count, ACCOUNT);
	order(NULL);
	assert_true(loop_advance(loop, 3600000));
	assert_string_equal(story, expected);
	assert_true(acme_client_is_idle(client));
	script_end(&script);
}

/* ---- what goes well ---- */

static void
registers_proves_the_name_and_has_the_certificate(void **state)
{
	static const struct acme_script_line lines[] = { ASK_DIRECTORY, ASK_NONCE,
		{ "POST /register", 201, .body = "{\"status\":\"valid\"}", .location = ACCOUNT },
		ORDER_NEW, AUTHORISE, ANSWER, AUTHORISE, VALID, READY, FINALISE, DOWNLOAD };

	(void)state;
	begin(lines, COUNT(lines), NULL);
	order(NULL);
	assert_true(loop_advance(loop, 60000));
	assert_string_equal(story, "registered present withdraw issued ");
	assert_string_equal(account, ACCOUNT);
	assert_string_equal(identity, "ca.example");
	assert_string_equal(chain, "CHAIN");
	assert_string_equal(acme_client_account(client), ACCOUNT);
	script_end(&script);
}

static void
says_who_it_is_what_it_wants_and_proves(void **state)
{
	static const struct acme_script_line lines[] = { ASK_DIRECTORY, ASK_NONCE,
		{ "POST /register", 201, .location = ACCOUNT }, ORDER_NEW, AUTHORISE, ANSWER, VALID,
		READY, FINALISE, DOWNLOAD };
	static const char *const payloads[COUNT(lines)] = {
		[2] = "{\"termsOfServiceAgreed\":true,\"contact\":[\"mailto:a@example.com\"]}",
		[3] = "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"app.example.com\"}]}",
		[5] = "{}",
		[8] = "{\"csr\":\"UkVRVUVTVA\"}",
	};

	(void)state;
	begin(lines, COUNT(lines), NULL);
	order(NULL);
	script.hold = 1;
	for (size_t i = 0; i < COUNT(lines); i++) {
		json_t *expected = payloads[i] ? json_loads(payloads[i], 0, NULL) : NULL;

		assert_true(loop_advance(loop, 1000));
		assert_int_equal(script.at, i);
		assert_true(script.is_asked);
		assert_true(expected ? json_equal(script.payload, expected) : !script.payload);
		if (script.protected)
			assert_int_equal(!json_object_get(script.protected, "kid"), i == 2);
		json_decref(expected);
		script_release(&script);
	}
	assert_true(loop_advance(loop, 0));
	script_end(&script);
}

static void
a_known_account_is_greeted_once(void **state)
{
	static const struct acme_script_line lines[] = { BEGIN, ORDER_NEW, AUTHORISE, ANSWER, VALID,
		READY, FINALISE, DOWNLOAD, ASK_DIRECTORY, ORDER_NEW, AUTHORISE, ANSWER, VALID,
		READY, FINALISE, DOWNLOAD };

	(void)state;
	begin(lines, COUNT(lines), ACCOUNT);
	for (int i = 0; i < 2; i++) {
		story[0] = '\0';
		order(NULL);
		assert_true(loop_advance(loop, 60000));
		assert_string_equal(story, "registered present withdraw issued ");
	}
	script_end(&script);
}

static void
what_is_proven_already_is_not_proven_again(void **state)
{
	static const struct acme_script_line ready[] = { BEGIN,
		{ "POST /order", 201, .body = ORDER("ready", ""), .location = CA "/order/1" },
		FINALISE, DOWNLOAD },
					     valid[] = { BEGIN, ORDER_NEW, VALID, READY, FINALISE,
						     DOWNLOAD };

	(void)state;
	play(ready, COUNT(ready), "registered issued ");
	acme_client_free(client);
	story[0] = '\0';
	play(valid, COUNT(valid), "registered issued ");
}

static void
a_challenge_that_the_ca_looks_at_is_shown_and_not_answered_again(void **state)
{
	static const struct acme_script_line lines[] = { BEGIN, ORDER_NEW,
		{ "POST /authz", 200,
		    .body = AUTHORISATION("pending", CHALLENGE("processing", "")) },
		VALID, READY, FINALISE, DOWNLOAD };

	(void)state;
	play(lines, COUNT(lines), "registered present withdraw issued ");
}

static void
waits_as_long_as_the_ca_says(void **state)
{
	static const struct acme_script_line lines[] = { BEGIN, ORDER_NEW, AUTHORISE, ANSWER, VALID,
		READY, { "POST /finalise", 200, .body = ORDER("processing", "") },
		{ "POST /order/1", 200, .body = ORDER("processing", ""), .retry_after = "40" },
		{ "POST /order/1", 200, .body = ORDER("valid", CERTIFICATE) }, DOWNLOAD };

	(void)state;
	begin(lines, COUNT(lines), ACCOUNT);
	order(NULL);
	assert_true(loop_advance(loop, 39000));
	assert_int_equal(script.at, COUNT(lines) - 2);
	assert_true(loop_advance(loop, 5000));
	script_end(&script);
	assert_string_equal(story, "registered present withdraw issued ");
}

static void
an_order_that_is_not_ready_is_waited_for(void **state)
{
	static const struct acme_script_line lines[] = { BEGIN, ORDER_NEW, AUTHORISE, ANSWER, VALID,
		{ "POST /order/1", 200, .body = ORDER("pending", "") }, READY,
		{ "POST /finalise", 403, .type = "orderNotReady" }, READY, FINALISE, DOWNLOAD };

	(void)state;
	play(lines, COUNT(lines), "registered present withdraw issued ");
}

/* ---- what the CA has lost is tried once more ---- */

static void
an_expired_authorisation_is_ordered_anew(void **state)
{
	static const struct acme_script_line lines[] = { BEGIN, ORDER_NEW, AUTHORISE, ANSWER,
		{ "POST /authz", 200, .body = AUTHORISATION("expired", CHALLENGE("pending", "")) },
		ORDER_NEW, AUTHORISE, ANSWER, VALID, READY, FINALISE, DOWNLOAD };

	(void)state;
	play(lines, COUNT(lines), "registered present withdraw present withdraw issued ");
}

static void
but_only_once(void **state)
{
	static const struct acme_script_line lines[] = { BEGIN, ORDER_NEW,
		{ "POST /authz", 200, .body = AUTHORISATION("deactivated", "") }, ORDER_NEW,
		{ "POST /authz", 200, .body = AUTHORISATION("revoked", "") } };

	(void)state;
	play(lines, COUNT(lines), "registered failed ");
	assert_int_equal(failure, ACME_FAILURE_LATER);
	assert_string_equal(code, "acme-authorisation-over");
}

static void
a_forgotten_account_is_registered_again(void **state)
{
	static const struct acme_script_line lines[] = { ASK_DIRECTORY, ASK_NONCE,
		{ "POST /account/7", 400, .type = "accountDoesNotExist" },
		{ "POST /register", 201, .location = CA "/account/8" },
		{ "POST /order", 400, .type = "accountDoesNotExist" } };

	(void)state;
	play(lines, COUNT(lines), "registered failed ");
	assert_string_equal(account, CA "/account/8");
	assert_string_equal(code, "accountDoesNotExist");
	assert_int_equal(failure, ACME_FAILURE_REFUSED);
}

static void
replaces_a_certificate_unless_the_ca_will_not(void **state)
{
	static const struct acme_script_line lines[] = { ASK_ARI_DIRECTORY, ASK_NONCE, GREET,
		{ "POST /order", 409, .type = "alreadyReplaced" }, ORDER_NEW, VALID, READY,
		FINALISE, DOWNLOAD };

	(void)state;
	begin(lines, COUNT(lines), ACCOUNT);
	order("aki.serial");
	while (script.at < 4)
		assert_true(loop_advance(loop, 0));
	assert_true(loop_advance(loop, 60000));
	assert_string_equal(story, "registered issued ");
	script_end(&script);
}

static void
replaces_nothing_at_a_ca_without_ari(void **state)
{
	static const struct acme_script_line lines[] = { BEGIN,
		{ "POST /order", 403, .type = "rejectedIdentifier" } };

	(void)state;
	begin(lines, COUNT(lines), ACCOUNT);
	order("aki.serial");
	assert_true(loop_advance(loop, 1000));
	assert_null(json_object_get(script.payload, "replaces"));
	script_end(&script);
	assert_string_equal(code, "rejectedIdentifier");
}

/* ---- what fails ---- */

static void
each_failure_has_its_class(void **state)
{
	static const struct {
		struct acme_script_line line;
		enum acme_failure failure;
		const char *code;
		uint64_t retry_after_s;
	} cases[] = {
		{ { "POST /order", 429, .type = "rateLimited", .retry_after = "3600" },
		    ACME_FAILURE_LATER, "rateLimited", 3600 },
		{ { "POST /order", 503, .retry_after = "30" }, ACME_FAILURE_LATER, "acme-status",
		    30 },
		{ { "POST /order", 500, .type = "serverInternal" }, ACME_FAILURE_LATER,
		    "serverInternal", 0 },
		{ { "POST /order", 403, .type = "rejectedIdentifier" }, ACME_FAILURE_REFUSED,
		    "rejectedIdentifier", 0 },
		{ { "POST /order", 403, .type = "caa" }, ACME_FAILURE_INVALID, "caa", 0 },
		{ { "POST /order", 403, .type = "userActionRequired" }, ACME_FAILURE_REFUSED,
		    "userActionRequired", 0 },
		{ { "POST /order", 404, .body = "<html>" }, ACME_FAILURE_REFUSED, "acme-status",
		    0 },
		{ { "POST /order", 302, .location = CA "/x" }, ACME_FAILURE_UNREACHABLE,
		    "acme-status", 0 },
		{ { "POST /order", 0, .error = "no route to host" }, ACME_FAILURE_UNREACHABLE,
		    "acme-unreachable", 0 },
		{ { "POST /order", 201, .body = "{}", .location = CA "/order/1" },
		    ACME_FAILURE_UNREACHABLE, "acme-malformed", 0 },
		{ { "POST /order", 201, .body = ORDER("pending", "") }, ACME_FAILURE_UNREACHABLE,
		    "acme-malformed", 0 },
		{ { "POST /order", 201, .body = ORDER("expired", ""), .location = CA "/order/1" },
		    ACME_FAILURE_UNREACHABLE, "acme-malformed", 0 },
		{ { "POST /order", 201,
		      .body = ORDER("invalid",
			  ",\"error\":{\"type\":\"urn:ietf:params:acme:error:dns\",\"detail\":\"no A\"}"),
		      .location = CA "/order/1" },
		    ACME_FAILURE_INVALID, "dns", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct acme_script_line lines[] = { BEGIN, cases[i].line };

		story[0] = '\0';
		play(lines, COUNT(lines), "registered failed ");
		assert_int_equal(failure, cases[i].failure);
		assert_string_equal(code, cases[i].code);
		assert_int_equal(retry_after_s, cases[i].retry_after_s);
		acme_client_free(client);
		client = NULL;
	}
}

static void
what_the_ca_found_instead_is_told(void **state)
{
	static const struct acme_script_line lines[] = { BEGIN, ORDER_NEW, AUTHORISE, ANSWER,
		{ "POST /authz", 200,
		    .body = AUTHORISATION("invalid",
			CHALLENGE("invalid",
			    ",\"error\":{\"type\":\"urn:ietf:params:acme:error:tls\",\"detail\":\"wrong "
			    "certificate\"}")) } };

	(void)state;
	play(lines, COUNT(lines), "registered present withdraw failed ");
	assert_int_equal(failure, ACME_FAILURE_INVALID);
	assert_string_equal(code, "tls");
	assert_non_null(strstr(sentence, "app.example.com: wrong certificate"));
}

static void
a_validation_that_never_ends_is_given_up(void **state)
{
	struct acme_script_line lines[80] = { BEGIN, ORDER_NEW, AUTHORISE, ANSWER };
	size_t asked;

	(void)state;
	for (size_t i = 6; i < COUNT(lines); i++)
		lines[i] = (struct acme_script_line)AUTHORISE;
	begin(lines, COUNT(lines), ACCOUNT);
	order(NULL);
	assert_true(loop_advance(loop, ACME_VALIDATE_MS));
	assert_string_equal(story, "registered present withdraw failed ");
	assert_string_equal(code, "acme-slow");
	asked = script.at - 6;
	assert_true(asked > 10 && asked < 40);
	script.at = script.count;
	script_end(&script);
}

static void
no_order_goes_in_circles(void **state)
{
	static const struct acme_script_line
	    again[] = { BEGIN, ORDER_NEW, VALID, READY,
		    { "POST /finalise", 200, .body = ORDER("ready", "") } },
	    pending[] = { BEGIN, ORDER_NEW, VALID, READY,
		    { "POST /finalise", 200, .body = ORDER("pending", "") }, READY,
		    { "POST /finalise", 200, .body = ORDER("pending", "") }, READY,
		    { "POST /finalise", 200, .body = ORDER("pending", "") }, READY };

	(void)state;
	play(again, COUNT(again), "registered failed ");
	assert_string_equal(code, "acme-malformed");
	acme_client_free(client);
	story[0] = '\0';
	play(pending, COUNT(pending), "registered failed ");
	assert_string_equal(code, "acme-malformed");
}

static void
a_wrong_clock_orders_nothing(void **state)
{
	static const struct {
		const char *date, *says;
	} cases[] = { { "Thu, 01 Jan 2026 01:00:10 GMT", "60 minutes ahead of ours" },
		/* An hour has passed by then. */
		{ "Wed, 31 Dec 2025 22:00:00 GMT", "180 minutes behind ours" } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct acme_script_line line = ASK_DIRECTORY;

		line.date = cases[i].date;
		story[0] = '\0';
		play(&line, 1, "failed ");
		assert_int_equal(failure, ACME_FAILURE_CLOCK);
		assert_non_null(strstr(sentence, cases[i].says));
		assert_non_null(strstr(sentence, "is the clock of this host right?"));
		acme_client_free(client);
		client = NULL;
	}
}

static void
terms_must_be_agreed_to(void **state)
{
	static const struct acme_script_line lines[] = { ASK_DIRECTORY };

	(void)state;
	options.has_agreed = false;
	begin(lines, COUNT(lines), NULL);
	order(NULL);
	assert_true(loop_advance(loop, 1000));
	assert_string_equal(story, "failed ");
	assert_string_equal(code, "terms-not-agreed");
	assert_non_null(strstr(sentence, CA "/terms"));
	script_end(&script);
}

static void
a_ca_for_its_customers_wants_their_key(void **state)
{
	static const struct acme_script_line lines[] = { { "GET /directory", 200,
	    .body = "{" ADDRESSES ",\"meta\":{\"externalAccountRequired\":true}}" } };

	(void)state;
	begin(lines, COUNT(lines), NULL);
	order(NULL);
	assert_true(loop_advance(loop, 1000));
	assert_string_equal(story, "failed ");
	assert_string_equal(code, "externalAccountRequired");
	assert_non_null(strstr(sentence, "eab"));
	script_end(&script);
}

static void
a_key_of_the_ca_binds_the_account(void **state)
{
	static const struct acme_script_line lines[] = { ASK_DIRECTORY, ASK_NONCE,
		{ "POST /register", 400, .type = "unauthorized" } };
	struct secret mac_key = { (uint8_t *)"key", 3 };
	const json_t *binding;
	json_t *protected;

	(void)state;
	options.key_id = "kid-1";
	options.mac_key = &mac_key;
	begin(lines, COUNT(lines), NULL);
	order(NULL);
	assert_true(loop_advance(loop, 1000));
	binding = json_object_get(script.payload, "externalAccountBinding");
	protected = script_member(binding, "protected");
	assert_string_equal(json_string_value(json_object_get(protected, "kid")), "kid-1");
	assert_string_equal(json_string_value(json_object_get(protected, "url")), CA "/register");
	json_decref(protected);
	assert_string_equal(story, "failed ");
	assert_int_equal(failure, ACME_FAILURE_REFUSED);
	script_end(&script);
}

static void
a_closed_account_is_told(void **state)
{
	static const struct acme_script_line lines[] = { ASK_DIRECTORY, ASK_NONCE,
		{ "POST /account/7", 200, .body = "{\"status\":\"deactivated\"}" } };

	(void)state;
	play(lines, COUNT(lines), "failed ");
	assert_string_equal(code, "acme-account-closed");
}

static void
a_ca_without_the_challenge_is_of_no_use(void **state)
{
	static const struct acme_script_line lines[] = { BEGIN, ORDER_NEW,
		{ "POST /authz", 200, .body = AUTHORISATION("pending", "{\"type\":\"dns-01\"}") } };

	(void)state;
	play(lines, COUNT(lines), "registered failed ");
	assert_string_equal(code, "acme-no-challenge");
	assert_int_equal(failure, ACME_FAILURE_REFUSED);
}

/* ---- the challenge ---- */

static void
nothing_is_asked_before_the_challenge_is_shown(void **state)
{
	static const struct acme_script_line lines[] = { BEGIN, ORDER_NEW, AUTHORISE, ANSWER, VALID,
		READY, FINALISE, DOWNLOAD };

	(void)state;
	holds_challenge = true;
	begin(lines, COUNT(lines), ACCOUNT);
	order(NULL);
	assert_true(loop_advance(loop, ACME_PRESENT_MS - 1));
	assert_int_equal(script.at, 5);
	acme_client_presented(client, NULL);
	acme_client_presented(client, NULL); /* twice is once */
	assert_true(loop_advance(loop, 60000));
	assert_string_equal(story, "registered present withdraw issued ");
	script_end(&script);
}

static void
a_challenge_that_nobody_shows_is_given_up(void **state)
{
	static const struct acme_script_line lines[] = { BEGIN, ORDER_NEW, AUTHORISE };

	(void)state;
	holds_challenge = true;
	play(lines, COUNT(lines), "registered present withdraw failed ");
	assert_int_equal(failure, ACME_FAILURE_BUSY);
	assert_string_equal(code, "acme-not-ready");
}

static void
why_it_cannot_be_shown_is_told(void **state)
{
	static const struct acme_script_line lines[] = { BEGIN, ORDER_NEW, AUTHORISE };

	(void)state;
	holds_challenge = true;
	begin(lines, COUNT(lines), ACCOUNT);
	order(NULL);
	assert_true(loop_advance(loop, 1000));
	acme_client_presented(client, "relay r: acme-busy");
	assert_string_equal(story, "registered present ");
	assert_true(loop_advance(loop, 0));
	assert_string_equal(story, "registered present withdraw failed ");
	assert_string_equal(sentence, "relay r: acme-busy");
	assert_int_equal(failure, ACME_FAILURE_BUSY);
	script_end(&script);
}

/* ---- the other goals ---- */

static void
asks_when_to_renew(void **state)
{
	static const struct acme_script_line lines[] = { ASK_ARI_DIRECTORY,
		{ "GET /ari/aki.serial", 200, .retry_after = "21600",
		    .body =
			"{\"suggestedWindow\":{\"start\":\"2026-01-02T04:00:00Z\",\"end\":\"2026-01-03T04:00:"
			"00Z\"}}" } };

	(void)state;
	begin(lines, COUNT(lines), NULL);
	assert_true(acme_client_ask_window(client, "aki.serial"));
	assert_true(loop_advance(loop, 1000));
	assert_string_equal(story, "window ");
	assert_true(has_window);
	assert_int_equal(window.from_s, 1767326400);
	assert_int_equal(retry_after_s, 21600);
	script_end(&script);
}

static void
a_ca_that_suggests_nothing_is_no_failure(void **state)
{
	static const struct acme_script_line lines[] = { ASK_DIRECTORY };

	(void)state;
	begin(lines, COUNT(lines), NULL);
	assert_true(acme_client_ask_window(client, "aki.serial"));
	assert_true(loop_advance(loop, 1000));
	assert_string_equal(story, "window ");
	assert_false(has_window);
	script_end(&script);
}

static void
changes_the_key_of_the_account(void **state)
{
	static const struct acme_script_line lines[] = { BEGIN, { "POST /key", .status = 200 },
		ASK_DIRECTORY, ORDER_NEW, VALID, READY, FINALISE, DOWNLOAD };
	struct account_key *fresh = new_account_key();
	json_t *public = account_key_public(fresh), *inner;

	(void)state;
	begin(lines, COUNT(lines), ACCOUNT);
	assert_true(acme_client_change_key(client, fresh));
	assert_true(loop_advance(loop, 1000));
	assert_string_equal(story, "registered changed ");
	inner = script_member(script.payload, "protected");
	assert_true(json_equal(json_object_get(inner, "jwk"), public));
	json_decref(inner);
	json_decref(public);
	story[0] = '\0';
	order(NULL);
	assert_true(loop_advance(loop, 60000));
	assert_string_equal(story, "registered issued ");
	script_end(&script);
}

static void
a_change_of_keys_that_was_cut_off_is_found_out_about(void **state)
{
	static const struct acme_script_line
	    taken[] = { ASK_DIRECTORY, ASK_NONCE,
		    { "POST /account/7", 403, .type = "unauthorized" }, GREET,
		    { "POST /order", 403, .type = "rejectedIdentifier" } },
	    lost[] = { BEGIN, { "POST /order", 403, .type = "rejectedIdentifier" } },
	    neither[] = { ASK_DIRECTORY, ASK_NONCE,
		    { "POST /account/7", 403, .type = "unauthorized" },
		    { "POST /account/7", 403, .type = "unauthorized" } };
	static const struct {
		const struct acme_script_line *lines;
		size_t count;
		const char *story;
		bool is_fresh;
	} cases[] = {
		{ taken, COUNT(taken), "settled registered failed ", true },
		{ lost, COUNT(lost), "settled registered failed ", false },
		{ neither, COUNT(neither), "failed ", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		story[0] = '\0';
		is_fresh = false;
		begin(cases[i].lines, cases[i].count, ACCOUNT);
		acme_client_set_spare_key(client, new_account_key());
		order(NULL);
		assert_true(loop_advance(loop, 1000));
		assert_string_equal(story, cases[i].story);
		assert_int_equal(is_fresh, cases[i].is_fresh);
		script_end(&script);
		acme_client_free(client);
		client = NULL;
	}
}

static void
is_freed_at_any_moment(void **state)
{
	static const struct acme_script_line lines[] = { ASK_DIRECTORY, ASK_NONCE,
		{ "POST /register", 201, .location = ACCOUNT }, ORDER_NEW, AUTHORISE, ANSWER, VALID,
		READY, FINALISE, DOWNLOAD };

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		begin(lines, COUNT(lines), NULL);
		script.hold = i + 1;
		order(NULL);
		assert_true(loop_advance(loop, 60000));
		assert_int_equal(script.at, i);
		acme_client_free(client);
		client = NULL;
		assert_true(loop_advance(loop, 60000));
		assert_int_equal(script.at, i);
		script_note_body(&script, NULL);
		story[0] = '\0';
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registers_proves_the_name_and_has_the_certificate),
		TEST(says_who_it_is_what_it_wants_and_proves),
		TEST(a_known_account_is_greeted_once),
		TEST(what_is_proven_already_is_not_proven_again),
		TEST(a_challenge_that_the_ca_looks_at_is_shown_and_not_answered_again),
		TEST(waits_as_long_as_the_ca_says),
		TEST(an_order_that_is_not_ready_is_waited_for),
		TEST(an_expired_authorisation_is_ordered_anew),
		TEST(but_only_once),
		TEST(a_forgotten_account_is_registered_again),
		TEST(replaces_a_certificate_unless_the_ca_will_not),
		TEST(replaces_nothing_at_a_ca_without_ari),
		TEST(each_failure_has_its_class),
		TEST(what_the_ca_found_instead_is_told),
		TEST(a_validation_that_never_ends_is_given_up),
		TEST(no_order_goes_in_circles),
		TEST(a_wrong_clock_orders_nothing),
		TEST(terms_must_be_agreed_to),
		TEST(a_ca_for_its_customers_wants_their_key),
		TEST(a_key_of_the_ca_binds_the_account),
		TEST(a_closed_account_is_told),
		TEST(a_ca_without_the_challenge_is_of_no_use),
		TEST(nothing_is_asked_before_the_challenge_is_shown),
		TEST(a_challenge_that_nobody_shows_is_given_up),
		TEST(why_it_cannot_be_shown_is_told),
		TEST(asks_when_to_renew),
		TEST(a_ca_that_suggests_nothing_is_no_failure),
		TEST(changes_the_key_of_the_account),
		TEST(a_change_of_keys_that_was_cut_off_is_found_out_about),
		TEST(is_freed_at_any_moment),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("acme/client", tests, NULL, NULL);
}
