/* Documents by jansson, their members by small readers of one kind each. */
#include "acme/document.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static json_t *
load(const void *data, size_t bytes)
{
	json_t *document =
	    bytes <= ACME_BODY_BYTES ? json_loadb(data, bytes, JSON_REJECT_DUPLICATES, NULL) : NULL;

	if (json_is_object(document))
		return document;
	json_decref(document);
	return NULL;
}

/* ---- members ---- */

/* "" where there is none.  False if it is no text, too long, or has a NUL in it. */
static bool
get_text(const json_t *object, const char *key, char *out, size_t out_bytes)
{
	const json_t *value = json_object_get(object, key);

	out[0] = '\0';
	if (!value || json_is_null(value))
		return true;
	if (!json_is_string(value) || json_string_length(value) >= out_bytes ||
	    strlen(json_string_value(value)) != json_string_length(value))
		return false;
	memcpy(out, json_string_value(value), json_string_length(value) + 1);
	return true;
}

/* Cut where it is too long: it is only for people. */
static void
get_sentence(const json_t *object, const char *key, char out[ACME_SENTENCE])
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(out, ACME_SENTENCE, "%.*s", ACME_SENTENCE - 1, text ? text : "");
}

bool
document_url_is(const char *text)
{
	static const char scheme[] = "https://";
	size_t length = strlen(text);

	if (length >= ACME_URL || strncasecmp(text, scheme, strlen(scheme)) != 0 ||
	    length == strlen(scheme))
		return false;
	for (size_t i = 0; i < length; i++)
		if (text[i] <= 0x20 || text[i] > 0x7e || strchr("\"<>\\^`{|}", text[i]))
			return false;
	return true;
}

static bool
get_url(const json_t *object, const char *key, char out[ACME_URL])
{
	return get_text(object, key, out, ACME_URL) && (out[0] == '\0' || document_url_is(out));
}

static bool
get_status(const json_t *object, enum acme_status *out)
{
	static const char *const words[ACME_STATUSES] = { "", "pending", "processing", "ready",
		"valid", "invalid", "deactivated", "expired", "revoked" };
	char word[ACME_WORD];

	*out = ACME_STATUS_UNKNOWN;
	if (!get_text(object, "status", word, sizeof word))
		return false;
	for (enum acme_status i = 1; i < ACME_STATUSES; i++)
		if (strcmp(word, words[i]) == 0)
			*out = i;
	return *out != ACME_STATUS_UNKNOWN;
}

static void
get_problem(const json_t *problem, struct acme_problem *out)
{
	static const char prefix[] = "urn:ietf:params:acme:error:";
	const char *type = json_string_value(json_object_get(problem, "type"));

	memset(out, 0, sizeof *out);
	if (!json_is_object(problem))
		return;
	if (type && strncmp(type, prefix, strlen(prefix)) == 0)
		type += strlen(prefix);
	snprintf(out->type, sizeof out->type, "%s", type ? type : "unknown");
	get_sentence(problem, "detail", out->detail);
}

/* ---- documents ---- */

static bool
read_meta(struct acme_directory *out, const json_t *meta)
{
	const json_t *identities = json_object_get(meta, "caaIdentities"),
		     *first = json_array_get(identities, 0);
	const char *identity = json_string_value(first);

	out->wants_binding = json_is_true(json_object_get(meta, "externalAccountRequired"));
	if (identity &&
	    strspn(identity, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") ==
		strlen(identity))
		snprintf(out->caa_identity, sizeof out->caa_identity, "%s", identity);
	return get_text(meta, "termsOfService", out->terms, sizeof out->terms);
}

bool
acme_directory_decode(struct acme_directory *out, const void *data, size_t bytes)
{
	json_t *document = load(data, bytes);
	bool is_fine = document && get_url(document, "newNonce", out->new_nonce) &&
	    get_url(document, "newAccount", out->new_account) &&
	    get_url(document, "newOrder", out->new_order) &&
	    get_url(document, "keyChange", out->key_change) &&
	    get_url(document, "renewalInfo", out->renewal_info);

	out->caa_identity[0] = '\0';
	if (is_fine)
		is_fine = read_meta(out, json_object_get(document, "meta")) &&
		    out->new_nonce[0] != '\0' && out->new_account[0] != '\0' &&
		    out->new_order[0] != '\0';
	json_decref(document);
	return is_fine;
}

bool
acme_problem_decode(struct acme_problem *out, const void *data, size_t bytes)
{
	json_t *document = load(data, bytes);

	get_problem(document, out);
	json_decref(document);
	return out->type[0] != '\0';
}

bool
acme_problem_is(const struct acme_problem *problem, const char *type)
{
	return strcmp(problem->type, type) == 0;
}

static bool
are_contacts(const json_t *list, const char *const *contacts, size_t count)
{
	bool are = json_array_size(list) == count;

	for (size_t i = 0; are && i < count; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		are = text && strcmp(text, contacts[i]) == 0;
	}
	return are;
}

bool
acme_account_decode(struct acme_account *out, const char *const *contacts, size_t contact_count,
    const void *data, size_t bytes)
{
	json_t *document = load(data, bytes);
	bool is_fine = document && get_status(document, &out->status);

	out->has_contacts =
	    are_contacts(json_object_get(document, "contact"), contacts, contact_count);
	json_decref(document);
	return is_fine;
}

static bool
read_authorisations(struct acme_order *out, const json_t *list)
{
	const char *first = json_string_value(json_array_get(list, 0));

	out->authorisation[0] = '\0';
	if (!json_is_array(list) || json_array_size(list) > 1)
		return false;
	if (json_array_size(list) == 0)
		return true;
	if (!first || !document_url_is(first))
		return false;
	snprintf(out->authorisation, sizeof out->authorisation, "%s", first);
	return true;
}

bool
acme_order_decode(struct acme_order *out, const void *data, size_t bytes)
{
	json_t *document = load(data, bytes);
	bool is_fine = document && get_status(document, &out->status) &&
	    get_url(document, "finalize", out->finalise) && out->finalise[0] != '\0' &&
	    get_url(document, "certificate", out->certificate) &&
	    read_authorisations(out, json_object_get(document, "authorizations")) &&
	    (out->status != ACME_STATUS_VALID || out->certificate[0] != '\0');

	get_problem(json_object_get(document, "error"), &out->problem);
	json_decref(document);
	return is_fine;
}

/* What travels in a key authorisation and may not mean anything else (RFC 8555, 8.3). */
static bool
is_token(const char *text)
{
	return text[0] != '\0' &&
	    strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
	    strlen(text);
}

static bool
read_challenge(struct acme_authorisation *out, const json_t *challenge)
{
	get_problem(json_object_get(challenge, "error"), &out->problem);
	return get_url(challenge, "url", out->url) && out->url[0] != '\0' &&
	    get_text(challenge, "token", out->token, sizeof out->token) && is_token(out->token) &&
	    get_status(challenge, &out->challenge_status);
}

static bool
read_challenges(struct acme_authorisation *out, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *challenge = json_array_get(list, i);
		const char *type = json_string_value(json_object_get(challenge, "type"));

		if (type && strcmp(type, "tls-alpn-01") == 0)
			return read_challenge(out, challenge);
	}
	return json_is_array(list);
}

static bool
is_for(const json_t *identifier, const char *name)
{
	const char *type = json_string_value(json_object_get(identifier, "type")),
		   *value = json_string_value(json_object_get(identifier, "value"));

	return type && value && strcmp(type, "dns") == 0 && strcasecmp(value, name) == 0;
}

bool
acme_authorisation_decode(
    struct acme_authorisation *out, const char *name, const void *data, size_t bytes)
{
	json_t *document = load(data, bytes);
	bool is_fine;

	memset(out, 0, sizeof *out);
	is_fine = document && get_status(document, &out->status) &&
	    is_for(json_object_get(document, "identifier"), name) &&
	    !json_is_true(json_object_get(document, "wildcard")) &&
	    read_challenges(out, json_object_get(document, "challenges"));
	json_decref(document);
	return is_fine;
}

bool
document_time_parse(const char *text, int64_t *wall_s)
{
	struct tm parts = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
	int hours, minutes, used = 0;
	char sign;

	if (!rest)
		return false;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	*wall_s = timegm(&parts);
	if (strcasecmp(rest, "Z") == 0)
		return true;
	if (sscanf(rest, "%c%2d:%2d%n", &sign, &hours, &minutes, &used) != 3 ||
	    rest[used] != '\0' || !strchr("+-", sign) || hours < 0 || minutes < 0)
		return false;
	*wall_s += (sign == '+' ? -1 : 1) * (hours * 3600 + minutes * 60);
	return true;
}

bool
acme_window_decode(struct acme_window *out, const void *data, size_t bytes)
{
	json_t *document = load(data, bytes);
	const json_t *window = json_object_get(document, "suggestedWindow");
	const char *from = json_string_value(json_object_get(window, "start")),
		   *until = json_string_value(json_object_get(window, "end"));
	bool is_fine = from && until && document_time_parse(from, &out->from_s) &&
	    document_time_parse(until, &out->until_s) && out->until_s >= out->from_s;

	if (!get_url(document, "explanationURL", out->explanation))
		out->explanation[0] = '\0'; /* it is for people, and nothing depends on it */
	json_decref(document);
	return is_fine;
}
