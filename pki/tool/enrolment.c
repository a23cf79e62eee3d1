/* The life of an enrolment, the keys that it keeps open, and what its questions have in common. */
#include "pki/tool/enrolment.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "pki/join_line.h"
#include "pki/tool/enrolment_private.h"
#include "pki/tool/key.h"
#include "pki/tool/message.h"
#include "pki/tool/profile.h"
#include "pki/tool/setting.h"
#include "pki/tool/token.h"

enum { BUSY_MS = 5000 /* hosts wait; a command line may wait longer */, HOUR_S = 3600 };

/* ---- the life ---- */

/* The host of the URL is one of ours, too, where a relay or a proxy forwards it. */
static int
join_own_hosts(const struct enrolment_options *options, char out[HOSTS_TEXT])
{
	struct names names = { 0 };
	char host[254];
	uint16_t port;
	int code = 0;

	for (size_t i = 0; !code && i < options->hosts.count; i++)
		code = names_add_host(&names, profile_of_kind("server"), options->hosts.at[i]);
	if (!code && !join_url_parse(options->url, host, &port))
		code = message_fail(EX_CONFIG,
		    "the URL '%s' is not https://HOST or https://HOST:PORT", options->url);
	if (!code)
		code = names_add_host(&names, profile_of_kind("server"), host);
	names_join(&names, out, HOSTS_TEXT);
	return code;
}

static int
keep_settings(struct enrolment *enrolment)
{
	struct store *store = &enrolment->authority.store;
	char hosts[HOSTS_TEXT];
	int code = join_own_hosts(enrolment->options, hosts);

	if (!code)
		code = setting_write(store, SETTING_URL, enrolment->options->url);
	if (!code)
		code = setting_write(store, SETTING_OWN_NAME, enrolment->options->name);
	return code ? code : setting_write(store, SETTING_OWN_HOSTS, hosts);
}

static int
open_role_keys(struct enrolment *enrolment)
{
	gnutls_privkey_t key;
	struct ca ca;
	int code = 0;

	for (size_t i = 0; !code && i < PROFILES; i++) {
		code = ca_find(&enrolment->authority.store, profile_all[i].role, &ca);
		if (!code)
			code = enrolment_key(enrolment, &ca, &key);
	}
	return code;
}

int
enrolment_open(
    struct enrolment **out, const struct common *common, const struct enrolment_options *options)
{
	struct enrolment *enrolment = *out = calloc(1, sizeof *enrolment);
	int code;

	if (!enrolment)
		return message_no_memory();
	enrolment->options = options;
	enrolment->authority.silent = true;
	code = authority_open(&enrolment->authority, common);
	if (!code)
		code = names_check_label(options->name);
	if (!code)
		code = keep_settings(enrolment);
	if (!code)
		code = open_role_keys(enrolment);
	if (!code)
		sqlite3_busy_timeout(enrolment->authority.store.db, BUSY_MS);
	return code;
}

void
enrolment_close(struct enrolment *enrolment)
{
	if (!enrolment)
		return;
	for (size_t i = 0; i < ENROL_KEYS; i++)
		gnutls_privkey_deinit(enrolment->keys[i].key);
	authority_close(&enrolment->authority);
	bytes_wipe(enrolment->octets, sizeof enrolment->octets);
	free(enrolment);
}

static int
note_token(void *arg, const struct ca *ca)
{
	bool *has_token = arg;

	*has_token = *has_token || token_is_uri(ca->key);
	return 0;
}

bool
enrolment_has_token(struct enrolment *enrolment)
{
	bool has_token = false;

	return ca_each(&enrolment->authority.store, note_token, &has_token) != 0 || has_token;
}

/* ---- keys ---- */

/* The place of this CA's key, or one for it. */
static struct enrol_key *
place_of(struct enrolment *enrolment, int64_t ca)
{
	struct enrol_key *place = NULL;

	for (size_t i = 0; i < ENROL_KEYS; i++)
		if (enrolment->keys[i].ca == ca)
			return &enrolment->keys[i];
	for (size_t i = 0; !place && i < ENROL_KEYS; i++)
		if (!enrolment->keys[i].ca)
			place = &enrolment->keys[i];
	if (!place)
		place = &enrolment->keys[enrolment->next_key++ % ENROL_KEYS];
	gnutls_privkey_deinit(place->key);
	*place = (struct enrol_key){ .ca = ca };
	return place;
}

int
enrolment_key(struct enrolment *enrolment, const struct ca *ca, gnutls_privkey_t *out)
{
	struct enrol_key *place = place_of(enrolment, ca->id);
	int64_t now = enrolment->authority.now;
	struct signer signer = { 0 };
	int code = 0;

	if (!place->key && place->tried_at && now - place->tried_at < ENROL_KEY_RETRY_S)
		return message_fail(EX_NOINPUT, "the key of the CA '%s' is not at hand", ca->name);
	place->tried_at = now;
	if (!place->key)
		code = signer_open(&enrolment->authority.store, ca->name,
		    &enrolment->authority.passphrase, &signer);
	if (!code && !place->key) {
		place->key = signer.key;
		signer.key = NULL;
	}
	signer_wipe(&signer);
	*out = place->key;
	return code;
}

void
enrolment_forget_key(struct enrolment *enrolment, const struct ca *ca)
{
	struct enrol_key *place = place_of(enrolment, ca->id);

	gnutls_privkey_deinit(place->key);
	*place = (struct enrol_key){ 0 };
}

bool
enrolment_may_tell(struct enrolment *enrolment, const struct ca *ca)
{
	struct enrol_key *place = place_of(enrolment, ca->id);
	int64_t now = enrolment->authority.now;

	if (place->told_at && now - place->told_at < DAY_S)
		return false;
	place->told_at = now;
	return true;
}

/* ---- answers ---- */

/* A field without a value is left out. */
static const char *
text_or_null(const char *text)
{
	return *text ? text : NULL;
}

/* What an audit line says of who asks, of the certificate that it is about, and of the key that was shown
 * or certified; both may be NULL. */
struct audit {
	char serial[SERIAL_HEX], former[SERIAL_HEX], key[SPKI_PIN_TEXT];
	struct address client;
	bool has_address;
	struct log_field fields[8];
};

static void
fill_audit(struct audit *audit, const struct enrolling *enrolling, const struct record *given,
    const struct spki_pin *pin)
{
	const struct enrol_answer *answer = enrolling->answer;
	const char *from = enrolling->question->from;
	const struct record *former = &enrolling->former;

	audit->has_address = address_parse(&audit->client, from);
	audit->fields[0] = log_str("name", text_or_null(answer->name));
	audit->fields[1] = log_str("kind", text_or_null(answer->kind));
	audit->fields[2] = log_str("handle", text_or_null(enrolling->handle));
	audit->fields[3] = log_str("client", text_or_null(from));
	audit->fields[4] = log_str("serial", given ? record_serial(given, audit->serial) : NULL);
	audit->fields[5] =
	    log_str("former_serial", former->id ? record_serial(former, audit->former) : NULL);
	audit->fields[6] = log_str("spki", pin ? spki_pin_text(pin, audit->key) : NULL);
	audit->fields[7] = (struct log_field){ 0 };
}

/* given: what is to be looked at, if it may be theft. */
static void
tell_refusal(const struct enrolling *enrolling, const struct record *given)
{
	struct audit audit;

	fill_audit(
	    &audit, enrolling, given, enrolling->request.key ? &enrolling->request.pin : NULL);
	log_write_judged(LOG_WARNING, given ? "enrolment-theft" : "enrolment-refused",
	    audit.has_address ? &audit.client : NULL, (uint64_t)enrolling->party,
	    enrolling->answer->sentence, audit.fields);
}

static void
tell_given(const struct enrolling *enrolling, const struct record *given)
{
	struct audit audit;

	fill_audit(&audit, enrolling, given, &given->key_pin);
	log_write_judged(LOG_INFO, "enrolled", audit.has_address ? &audit.client : NULL,
	    (uint64_t)enrolling->party, enrolling->answer->sentence, audit.fields);
}

static void __attribute__((format(printf, 3, 0)))
set_answer(struct enrol_answer *answer, enum enrol_code code, const char *format, va_list arguments)
{
	answer->code = code;
	vsnprintf(answer->sentence, sizeof answer->sentence, format, arguments);
}

bool
enrolling_refuse(struct enrolling *enrolling, enum enrol_code code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set_answer(enrolling->answer, code, format, arguments);
	va_end(arguments);
	if (enrolling->party)
		tell_refusal(enrolling, NULL);
	return false;
}

bool
enrolling_suspect(struct enrolling *enrolling, const struct record *given)
{
	struct enrol_answer *answer = enrolling->answer;

	answer->code = ENROL_REFUSED;
	snprintf(answer->sentence, sizeof answer->sentence,
	    "the %s was used already, with another key; if that was not this host, somebody has "
	    "taken its place: tell who runs the authority",
	    enrolling->former.id ? "certificate" : "invitation");
	tell_refusal(enrolling, given);
	return false;
}

/* The disk, or what is on it: no fault of who asks. */
static bool
is_inventory_broken(const struct enrolment *enrolment)
{
	switch (sqlite3_errcode(enrolment->authority.store.db) & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return true;
	}
	return false;
}

/* What is wrong is the operator's to know, not everybody's. */
static bool
answer_broken(struct enrolling *enrolling)
{
	log_limited(LOG_ERROR, "enrolment-failed", NULL, enrolling->enrolment->said,
	    log_str("name", text_or_null(enrolling->answer->name)));
	enrolling->answer->code = ENROL_BROKEN;
	snprintf(enrolling->answer->sentence, sizeof enrolling->answer->sentence,
	    "the authority cannot sign at the moment; its log says why");
	return false;
}

bool
enrolling_passes(struct enrolling *enrolling, int code, enum enrol_code otherwise)
{
	if (code == 0)
		return true;
	if (code == EX_TEMPFAIL) {
		enrolling->answer->retry_after_s = 10;
		return enrolling_refuse(enrolling, ENROL_LATER, "the authority is busy");
	}
	if (is_inventory_broken(enrolling->enrolment))
		return answer_broken(enrolling);
	if (code == EX_NOPERM)
		return enrolling_refuse(enrolling, ENROL_REFUSED, "%s", enrolling->enrolment->said);
	if (code == EX_DATAERR || code == EX_USAGE)
		return enrolling_refuse(enrolling, otherwise, "%s", enrolling->enrolment->said);
	return answer_broken(enrolling);
}

static int
put_certificate(void *arg, sqlite3_stmt *row)
{
	struct enrolling *enrolling = arg;
	struct enrolment *enrolment = enrolling->enrolment;
	struct enrol_answer *answer = enrolling->answer;
	size_t bytes = (size_t)sqlite3_column_bytes(row, 0);
	uint8_t *at = enrolment->octets + enrolment->octets_used;

	if (answer->count == ENROL_CHAIN || bytes > ENROL_CERTIFICATE_BYTES ||
	    bytes > sizeof enrolment->octets / 2 - enrolment->octets_used)
		return message_fail(EX_UNAVAILABLE, "a chain is too long to be handed out");
	memcpy(at, sqlite3_column_blob(row, 0), bytes);
	enrolment->octets_used += bytes;
	answer->certificates[answer->count++] = (struct der){ at, bytes };
	return 0;
}

static int
put_chain(struct enrolling *enrolling, const struct record *record)
{
	struct store *store = &enrolling->enrolment->authority.store;
	struct ca ca;
	int code = store_each(store, put_certificate, enrolling,
	    "SELECT der FROM body WHERE certificate = ?", "i", record->id);

	if (!code)
		code = ca_by_id(store, record->issuer, &ca);
	while (!code && ca.parent != ca.id) {
		code = store_each(store, put_certificate, enrolling,
		    "SELECT der FROM body JOIN certificate ON id = certificate "
		    "WHERE name = ? AND current = 1",
		    "t", ca.name);
		if (!code)
			code = ca_by_id(store, ca.parent, &ca);
	}
	return code;
}

void
enrolling_give(struct enrolling *enrolling, const struct record *record, bool again)
{
	struct enrol_answer *answer = enrolling->answer;

	if (!enrolling_passes(enrolling, put_chain(enrolling, record), ENROL_BROKEN))
		return;
	answer->code = ENROL_ISSUED;
	answer->not_after = record->not_after;
	snprintf(answer->sentence, sizeof answer->sentence, "%s",
	    again ? "the certificate that was issued before" : "a certificate was issued");
	/* The process in front asks for its own certificate every minute. */
	if (!again || enrolling->question->kind != ENROL_OWN)
		tell_given(enrolling, record);
}

/* ---- judgements in common ---- */

bool
enrolling_read_request(struct enrolling *enrolling)
{
	int code = enrol_request_read(enrolling->question->csr, &enrolling->request);

	enrolling->leaf.key = enrolling->request.key;
	return enrolling_passes(enrolling, code, ENROL_MALFORMED);
}

static int
refuse_key(void *arg, sqlite3_stmt *row)
{
	(void)arg;
	if (sqlite3_column_int(row, 0))
		return message_fail(
		    EX_NOPERM, "the key is that of a certificate that was revoked; make a new one");
	return message_fail(
	    EX_NOPERM, "the key was certified for somebody else before; every host makes its own");
}

/* Revoked ones first.  A host may have had thousands of certificates for one key, so all that is asked
 * for stands in the index. */
bool
enrolling_judge_key(struct enrolling *enrolling, const char *kind, const char *name, int64_t issuer)
{
	const struct spki_pin *pin = &enrolling->request.pin;
	int code = store_each(&enrolling->enrolment->authority.store, refuse_key, NULL,
	    "SELECT revoked_at IS NOT NULL FROM certificate WHERE spki = ? AND "
	    "(revoked_at IS NOT NULL OR name != ? OR kind != ? OR issuer != ?) "
	    "ORDER BY revoked_at IS NULL LIMIT 1",
	    "btti", pin->digest, sizeof pin->digest, name, kind, issuer);

	return enrolling_passes(enrolling, code, ENROL_REFUSED);
}

struct hour_usage {
	int64_t count, first;
};

static int
take_usage(void *arg, sqlite3_stmt *row)
{
	*(struct hour_usage *)arg =
	    (struct hour_usage){ sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1) };
	return 0;
}

bool
enrolling_judge_limit(struct enrolling *enrolling)
{
	const struct enrolment_options *options = enrolling->enrolment->options;
	int64_t most =
	    options->signatures_per_hour ? options->signatures_per_hour : ENROL_SIGNATURES;
	int64_t now = enrolling->enrolment->authority.now;
	struct hour_usage usage = { 0 };
	int code = store_each(&enrolling->enrolment->authority.store, take_usage, &usage,
	    "SELECT count(*), min(enrolled_at) FROM certificate "
	    "WHERE enrolled_at IS NOT NULL AND enrolled_at > ? AND enrolled_at <= ?",
	    "ii", now - HOUR_S, now);

	if (!enrolling_passes(enrolling, code, ENROL_BROKEN))
		return false;
	if (usage.count < most)
		return true;
	/* Many are told this at once, and must not come back at once. */
	enrolling->answer->retry_after_s =
	    (uint32_t)(usage.first + HOUR_S - now) + 1 + arc4random_uniform(60);
	return enrolling_refuse(enrolling, ENROL_LATER,
	    "the authority has signed %lld certificates within an hour, as many as it may",
	    (long long)usage.count);
}

static int
judge_issuers(struct enrolment *enrolment, const struct ca *issuer)
{
	struct store *store = &enrolment->authority.store;
	struct ca ca = *issuer;
	struct record record;
	bool found, is_root = false;
	int code = 0;

	while (!code && !is_root) {
		is_root = ca.parent == ca.id;
		code = record_look_up(store, ca.name, &record, &found);
		if (!code && record.revoked_at)
			code = message_fail(EX_NOPERM,
			    "the CA '%s' is revoked; nobody would believe what it issues", ca.name);
		if (!code && record.not_after <= enrolment->authority.now)
			code = message_fail(EX_UNAVAILABLE,
			    "the CA '%s' has ended; `valise-pki renew %s` first", ca.name, ca.name);
		if (!code && !is_root)
			code = ca_by_id(store, ca.parent, &ca);
	}
	return code;
}

bool
enrolling_open_signer(struct enrolling *enrolling, int64_t id)
{
	struct enrolment *enrolment = enrolling->enrolment;
	struct signer *signer = &enrolling->signer;
	int code = ca_by_id(&enrolment->authority.store, id, &signer->ca);

	if (!code)
		code = judge_issuers(enrolment, &signer->ca);
	if (!code)
		code = enrolment_key(enrolment, &signer->ca, &signer->key);
	if (!code)
		code = record_ca_certificate(
		    &enrolment->authority.store, &signer->ca, &signer->certificate);
	return enrolling_passes(enrolling, code, ENROL_BROKEN);
}

int
enrolling_enter(struct enrolling *enrolling)
{
	struct authority *authority = &enrolling->enrolment->authority;
	int code = leaf_enter(authority, &enrolling->signer, &enrolling->leaf, &enrolling->record);

	return code
	    ? code
	    : store_do(&authority->store, "UPDATE certificate SET enrolled_at = ? WHERE id = ?",
		  "ii", authority->now, enrolling->record.id);
}

/* Once the inventory has it, it is issued, whatever becomes of the files beside it. */
bool
enrolling_commit(struct enrolling *enrolling)
{
	struct store *store = &enrolling->enrolment->authority.store;
	int code = store_commit(store);

	if (code && !store->changing) {
		log_event(LOG_WARNING, "enrolment-warning", enrolling->enrolment->said,
		    log_str("name", enrolling->record.name));
		return true;
	}
	return enrolling_passes(enrolling, code, ENROL_BROKEN);
}

/* ---- questions ---- */

static void
on_message(void *arg, bool failure, const char *line)
{
	struct enrolment *enrolment = arg;

	if (failure)
		snprintf(enrolment->said, sizeof enrolment->said, "%s", line);
	else
		log_limited(LOG_WARNING, "enrolment-warning", NULL, line, { 0 });
}

/* The key belongs to the enrolment. */
static void
wipe(struct enrolling *enrolling)
{
	enrolling->signer.key = NULL;
	signer_wipe(&enrolling->signer);
	enrol_request_wipe(&enrolling->request);
}

void
enrolment_answer(
    struct enrolment *enrolment, const struct enrol_question *question, struct enrol_answer *answer)
{
	static void (*const by_kind[ENROL_KINDS])(struct enrolling *) = {
		[ENROL_FIRST] = enrol_first,
		[ENROL_AGAIN] = enrol_again,
		[ENROL_OWN] = enrol_own,
		[ENROL_UPKEEP] = enrol_upkeep,
	};
	struct enrolling enrolling = {
		.enrolment = enrolment, .question = question, .answer = answer
	};

	*answer = (struct enrol_answer){ .code = ENROL_BROKEN };
	bytes_wipe(enrolment->octets, enrolment->octets_used);
	enrolment->octets_used = 0;
	*enrolment->said = '\0';
	enrolment->authority.now = clock_wall_s();
	message_divert(on_message, enrolment);
	by_kind[question->kind](&enrolling);
	store_rollback(&enrolment->authority.store);
	message_divert(NULL, NULL);
	wipe(&enrolling);
}
