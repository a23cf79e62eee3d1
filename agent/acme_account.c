/* Accounts at CAs: their files, and what happens at them. */
#include "agent/acme_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acme/account_key.h"
#include "acme/base64url.h"
#include "acme/csr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "pki/pem.h"

enum { KEY_MOST = 4096, PRESENTING_S = 60 };

static const char *
dir_of(const struct acme_registration *registration)
{
	return acme_dir_of(registration->acme->settings);
}

/* ---- what it is made of ---- */

static char *
contact_url(const char *text)
{
	char *url;

	if (strncmp(text, "mailto:", 7) == 0)
		return strdup(text);
	return asprintf(&url, "mailto:%s", text) < 0 ? NULL : url;
}

static bool
fill_contacts(struct acme_registration *registration)
{
	const struct conf_texts *texts = &registration->settings->contact;

	registration->contacts = calloc(texts->count + 1, sizeof *registration->contacts);
	for (size_t i = 0; registration->contacts && i < texts->count; i++) {
		registration->contacts[i] = contact_url(texts->items[i]);
		if (!registration->contacts[i])
			return false;
	}
	return registration->contacts != NULL;
}

struct acme_registration *
acme_registration_new(struct agent_acme *acme, const struct acme_settings *settings)
{
	struct acme_registration *registration = calloc(1, sizeof *registration);

	if (!registration)
		return NULL;
	registration->acme = acme;
	registration->settings = settings;
	store_account_id(settings->directory, settings->key_id, registration->id);
	store_account_url(
	    dir_of(registration), registration->id, registration->account, registration->identity);
	if (fill_contacts(registration))
		return registration;
	acme_registration_free(registration);
	return NULL;
}

static void
give_up(struct acme_registration *registration)
{
	challenge_end(registration->challenge);
	registration->challenge = NULL;
	registration->current = NULL;
	registration->is_window = false;
}

void
acme_registration_free(struct acme_registration *registration)
{
	if (!registration)
		return;
	give_up(registration);
	acme_client_free(registration->client);
	for (size_t i = 0; registration->contacts && registration->contacts[i]; i++)
		free(registration->contacts[i]);
	free(registration->contacts);
	secret_wipe(&registration->mac_key);
	secret_wipe(&registration->cas);
	free(registration);
}

/* ---- its files, read when it is first needed ---- */

/* As CAs hand them out: one line of base64 for URLs. */
static bool
read_mac_key(struct acme_registration *registration, char error[FILE_ERROR])
{
	const char *path = registration->settings->mac_key_file;
	struct secret text = { 0 };
	bool is_fine;

	secret_wipe(&registration->mac_key);
	if (!path)
		return true;
	if (!file_read_key(&text, path, KEY_MOST, error))
		return false;
	text.data[strcspn((const char *)text.data, " \t\r\n")] = '\0';
	is_fine = base64url_decode(&registration->mac_key, (const char *)text.data) &&
	    registration->mac_key.bytes > 0;
	secret_wipe(&text);
	if (!is_fine)
		snprintf(error, FILE_ERROR,
		    "%.300s: not a key as CAs hand them out for eab, one line of base64 (A-Z a-z 0-9 - _)",
		    path);
	return is_fine;
}

/* All files one behind the other. */
static bool
add_cas(struct secret *all, const char *path, char error[FILE_ERROR])
{
	struct secret one = { 0 };
	uint8_t *both;

	if (!file_read(&one, path, PEM_CERTIFICATE_BYTES, error))
		return false;
	both = realloc(all->data, all->bytes + one.bytes + 2);
	if (both) {
		memcpy(both + all->bytes, one.data, one.bytes);
		all->data = both;
		all->bytes += one.bytes;
		both[all->bytes++] = '\n';
		both[all->bytes] = '\0';
	} else
		snprintf(error, FILE_ERROR, "memory is short");
	secret_wipe(&one);
	return both != NULL;
}

static bool
read_cas(struct acme_registration *registration, char error[FILE_ERROR])
{
	secret_wipe(&registration->cas);
	for (size_t i = 0; i < registration->settings->cas.count; i++)
		if (!add_cas(&registration->cas, registration->settings->cas.items[i], error))
			return false;
	return true;
}

/* ---- events ---- */

static void
keep_account(struct acme_registration *registration)
{
	char error[FILE_ERROR] = "";
	bool is_kept = store_keep_account_url(dir_of(registration), registration->id,
	    registration->account, registration->identity, error);

	state_file_note(&registration->file, is_kept, error);
}

void
acme_registration_keep(struct acme_registration *registration)
{
	if (state_file_is_behind(&registration->file))
		keep_account(registration);
}

static void
note_account(struct acme_registration *registration, const struct acme_event *event)
{
	char record[CAA_SENTENCE];
	struct acme_name *name;

	if (registration->has_told_account && strcmp(registration->account, event->account) == 0)
		return;
	registration->has_told_account = true;
	snprintf(registration->account, sizeof registration->account, "%s", event->account);
	snprintf(registration->identity, sizeof registration->identity, "%s", event->caa_identity);
	keep_account(registration);
	TAILQ_FOREACH(name, &registration->acme->names, link) {
		if (name->registration != registration)
			continue;
		name->pin_asked_s = 0; /* the records may name this account */
		log_audit(LOG_INFO, "acme-account",
		    "the CA knows the account; this CAA record lets nobody else have a certificate for the name",
		    log_str("endpoint", name->endpoint), log_str("server_name", name->server_name),
		    log_str("account", event->account),
		    log_str("record",
			caa_record_text(name->server_name, registration->identity,
			    registration->account, record)));
	}
}

static void
fail(struct acme_registration *registration, enum acme_failure failure, const char *code,
    const char *sentence, uint64_t retry_after_s)
{
	struct acme_name *name = registration->current;
	bool is_window = registration->is_window;

	give_up(registration);
	if (name && is_window) {
		/* Without an answer the usual third of the life holds. */
		schedule_take_window(&name->schedule, NULL, retry_after_s, clock_wall_s());
		log_event(LOG_WARNING, "acme-window-unknown", sentence,
		    log_str("endpoint", name->endpoint), log_str("server_name", name->server_name),
		    log_str("code", code));
	} else if (name)
		acme_name_fail(name, failure, code, sentence, retry_after_s);
	else {
		registration->is_stale = true;
		log_audit(LOG_ERROR, "acme-key-unchanged", sentence,
		    log_str("directory", registration->settings->directory), log_str("code", code));
	}
}

static void
on_ready(void *arg)
{
	struct acme_registration *registration = arg;

	registration->presented_s = 0;
	acme_client_presented(registration->client, NULL);
}

static void
present(struct acme_registration *registration, const uint8_t *digest)
{
	char error[CHALLENGE_ERROR];

	registration->presented_s = clock_wall_s();
	registration->challenge = challenge_start(registration->acme->context->challenges,
	    registration->current->server_name, digest, on_ready, registration, error);
	if (!registration->challenge)
		acme_client_presented(registration->client, error);
}

void
acme_registration_tick(struct acme_registration *registration, int64_t now_s)
{
	char why[CHALLENGE_ERROR];

	if (!registration->challenge || registration->presented_s == 0 ||
	    (now_s >= registration->presented_s &&
		now_s - registration->presented_s < PRESENTING_S))
		return;
	registration->presented_s = 0;
	if (challenge_obstacle(registration->challenge, why))
		acme_client_presented(registration->client, why);
}

static void
tell_issued(const struct acme_name *name, struct der chain)
{
	struct chain_facts facts;
	char ends[TIME_TEXT];

	if (!chain_read(&facts, chain))
		return;
	log_audit(LOG_INFO, "acme-issued", "the CA has issued the certificate of the endpoint",
	    log_str("endpoint", name->endpoint), log_str("server_name", name->server_name),
	    log_str("issuer", facts.issuer),
	    log_str("not_after", time_text(facts.not_after_s, ends)));
}

/* Judged, and put where the endpoint finds it. */
static void
take_chain(struct acme_registration *registration, struct der chain)
{
	struct acme_name *name = registration->current;
	int64_t now_s = clock_wall_s();
	char why[CHAIN_ERROR], error[FILE_ERROR];
	struct secret clean = { 0 };
	bool is_kept;
	enum chain_fault fault =
	    chain_judge(chain, name->server_name, registration->order_key, now_s, why);

	if (fault == CHAIN_FINE && !chain_write(&clean, chain, why))
		fault = CHAIN_WRONG;
	if (fault != CHAIN_FINE) {
		fail(registration, fault == CHAIN_CLOCK ? ACME_FAILURE_CLOCK : ACME_FAILURE_INVALID,
		    fault == CHAIN_CLOCK ? "acme-clock" : "acme-wrong-certificate", why, 0);
		return;
	}
	is_kept = store_certificate(dir_of(registration), name->server_name, registration->id,
	    name->key_type, (struct der){ clean.data, clean.bytes }, error);
	secret_wipe(&clean);
	if (!is_kept) {
		fail(registration, ACME_FAILURE_LATER, "acme-state", error, 0);
		return;
	}
	schedule_take_issued(&name->schedule, now_s);
	tell_issued(name, chain);
	give_up(registration);
}

static void
settle_key(struct acme_registration *registration, bool is_fresh)
{
	char error[FILE_ERROR];

	registration->wants_key_change = false;
	if (!store_settle_key(dir_of(registration), registration->id, is_fresh, error))
		log_event(LOG_ERROR, "acme-state", error);
	registration->is_stale = true; /* its file has another name now */
	if (is_fresh)
		log_audit(LOG_INFO, "acme-key-changed", "the account has a new key",
		    log_str("directory", registration->settings->directory),
		    log_str("account", registration->account));
}

static void
on_event(void *arg, const struct acme_event *event)
{
	struct acme_registration *registration = arg;
	struct acme_name *name = registration->current;

	switch (event->kind) {
	case ACME_REGISTERED:
		note_account(registration, event);
		break;
	case ACME_KEY_SETTLED:
		settle_key(registration, event->is_fresh);
		break;
	case ACME_PRESENT:
		present(registration, event->digest);
		break;
	case ACME_WITHDRAW:
		challenge_end(registration->challenge);
		registration->challenge = NULL;
		break;
	case ACME_ISSUED:
		take_chain(registration, event->chain);
		break;
	case ACME_WINDOW:
		give_up(registration);
		schedule_take_window(
		    &name->schedule, event->window, event->retry_after_s, clock_wall_s());
		break;
	case ACME_KEY_CHANGED:
		give_up(registration);
		settle_key(registration, true);
		break;
	case ACME_FAILED:
		fail(registration, event->failure, event->code, event->sentence,
		    event->retry_after_s);
		break;
	case ACME_EVENTS:
		break;
	}
}

/* ---- what begins ---- */

/* A change of the key that was cut off is found out about at the next greeting. */
static void
add_spare_key(struct acme_registration *registration)
{
	char error[FILE_ERROR];
	struct account_key *spare =
	    store_fresh_key(dir_of(registration), registration->id, true, error);

	if (spare && registration->account[0] != '\0')
		acme_client_set_spare_key(registration->client, spare);
	else
		account_key_free(spare);
}

/* False with a sentence. */
static bool
make_client(struct acme_registration *registration, char error[FILE_ERROR])
{
	struct agent_context *context = registration->acme->context;
	struct acme_transport transport = fetch_transport_of(&registration->fetch);
	struct account_key *key;

	if (!read_mac_key(registration, error) || !read_cas(registration, error))
		return false;
	registration->fetch = (struct fetch_transport){ context->fetcher,
		(const char *)registration->cas.data, context->proxy };
	registration->options = (struct acme_client_options){ registration->settings->directory,
		(const char *const *)registration->contacts, registration->settings->contact.count,
		registration->settings->has_agreed, registration->settings->key_id,
		&registration->mac_key };
	key = store_account_key(dir_of(registration), registration->id, error);
	if (!key)
		return false;
	snprintf(error, FILE_ERROR, "memory is short");
	registration->client = acme_client_new(context->loop, &transport, &registration->options,
	    key, registration->account[0] ? registration->account : NULL, on_event, registration);
	if (!registration->client)
		return false;
	add_spare_key(registration);
	return true;
}

bool
acme_registration_is_free(const struct acme_registration *registration)
{
	return !registration->client || acme_client_is_idle(registration->client);
}

/* False, and it was noted as a failure. */
static bool
prepare(struct acme_registration *registration)
{
	char error[FILE_ERROR];

	if (registration->is_stale) {
		acme_client_free(registration->client);
		registration->client = NULL;
		registration->is_stale = false;
	}
	if (registration->client || make_client(registration, error))
		return true;
	registration->wants_key_change = false;
	fail(registration, ACME_FAILURE_BUSY, "acme-state", error, 0);
	return false;
}

/* In DER, of the key that waits for its certificate.  False with a sentence. */
static bool
make_request(struct acme_registration *registration, struct secret *request, char error[FILE_ERROR])
{
	const struct acme_name *name = registration->current;
	char path[PATH_MAX], why[CSR_ERROR];

	if (!store_has_room(dir_of(registration), name->server_name, error) ||
	    !store_order_key(dir_of(registration), name->server_name, name->key_type, path,
		registration->order_key, error))
		return false;
	if (csr_make(path, name->server_name, request, why))
		return true;
	snprintf(error, FILE_ERROR, "%.511s", why);
	return false;
}

void
acme_registration_order(struct acme_registration *registration, struct acme_name *name)
{
	struct secret request = { 0 };
	char error[FILE_ERROR];
	bool is_begun;

	registration->current = name;
	if (!prepare(registration))
		return;
	is_begun = make_request(registration, &request, error);
	if (is_begun) {
		snprintf(error, sizeof error, "memory is short");
		is_begun = acme_client_issue(registration->client, name->server_name,
		    (struct der){ request.data, request.bytes }, name->id);
	}
	secret_wipe(&request);
	if (!is_begun) {
		fail(registration, ACME_FAILURE_LATER, "acme-state", error, 0);
		return;
	}
	log_event(LOG_INFO, "acme-order", "a certificate is ordered for the endpoint",
	    log_str("endpoint", name->endpoint), log_str("server_name", name->server_name),
	    log_str("directory", registration->settings->directory));
}

void
acme_registration_ask_window(struct acme_registration *registration, struct acme_name *name)
{
	registration->current = name;
	registration->is_window = true;
	if (prepare(registration))
		acme_client_ask_window(registration->client, name->id);
}

void
acme_registration_change_key(struct acme_registration *registration)
{
	char error[FILE_ERROR];
	struct account_key *fresh;

	if (!prepare(registration))
		return;
	registration->wants_key_change = false;
	fresh = store_fresh_key(dir_of(registration), registration->id, false, error);
	if (fresh)
		acme_client_change_key(registration->client, fresh);
	else
		fail(registration, ACME_FAILURE_LATER, "acme-state", error, 0);
}
