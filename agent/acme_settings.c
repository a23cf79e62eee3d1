/* The rows of `acme`, and what spans them. */
#include "agent/acme_settings.h"

#include <stdio.h>
#include <string.h>

#include <nettle/sha2.h>

#include "acme/document.h"
#include "base/address.h"
#include "base/daemon_rows.h"
#include "base/units.h"

#define AT(member) offsetof(struct acme_settings, member)

bool
acme_settings_is_directory(const char *text, char error[256])
{
	if (document_url_is(text))
		return true;
	snprintf(error, 256, "is not the directory of an ACME server; write https://HOST/PATH");
	return false;
}

/* Printable and of one address: RFC 8555, 7.3 wants no more than one, and no header fields. */
bool
acme_settings_is_contact(const char *text, char error[256])
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	    "!#$%&'*+-/=^_`{|}~.@";
	const char *address = strncmp(text, "mailto:", 7) == 0 ? text + 7 : text;
	const char *at = strchr(address, '@');

	if (at && at > address && at[1] != '\0' && !strchr(at + 1, '@') &&
	    strspn(address, letters) == strlen(address) && strlen(address) < 256)
		return true;
	snprintf(error, 256, "is not an address of mail; write you@example.com");
	return false;
}

static bool
is_key_id(const char *text, char error[256])
{
	size_t bytes = strlen(text);

	for (size_t i = 0; i < strlen(text); i++)
		if (text[i] <= 0x20 || text[i] > 0x7e)
			bytes = 0;
	if (bytes > 0 && bytes < 256)
		return true;
	snprintf(error, 256,
	    "is not a key identifier; it has up to 255 printable characters, and no space");
	return false;
}

static bool
is_resolver(const char *text, char error[256])
{
	struct address address;

	if (address_parse(&address, text) && address.as.any.sa_family == AF_INET)
		return true;
	snprintf(
	    error, 256, "is not the IPv4 address of a resolver with its port; write 127.0.0.1:53");
	return false;
}

static const char *const key_words[] = { "p256", "rsa2048", "rsa3072", NULL };

const struct conf_row acme_settings_rows[] = {
	{ "directory", CONF_TEXT, AT(directory), .fallback = ACME_USUAL_DIRECTORY,
	    .check = acme_settings_is_directory, .mark_offset = AT(directory_mark) },
	{ "contact", CONF_TEXTS, AT(contact), .check = acme_settings_is_contact },
	{ "terms_agreed", CONF_BOOL, AT(has_agreed), .required = false },
	{ "key", CONF_WORD, AT(key), .words = key_words },
	{ "eab.key_id", CONF_TEXT, AT(key_id), .check = is_key_id, .mark_offset = AT(key_id_mark) },
	{ "eab.hmac_key_file", CONF_TEXT, AT(mac_key_file), .check = daemon_rows_is_path,
	    .mark_offset = AT(mac_key_file_mark) },
	{ "cas", CONF_TEXTS, AT(cas), .check = daemon_rows_is_path },
	{ "caa_resolver", CONF_TEXT, AT(caa_resolver), .check = is_resolver },
	{ 0 },
};

enum key_type
acme_settings_key_type(const struct acme_settings *settings)
{
	enum key_type type = KEY_P256;

	key_type_parse(key_words[settings->key], &type);
	return type;
}

static bool
are_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool
are_lists_equal(const struct conf_texts *a, const struct conf_texts *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

bool
acme_settings_share(const struct acme_settings *a, const struct acme_settings *b)
{
	return are_equal(a->directory, b->directory) && are_equal(a->key_id, b->key_id);
}

bool
acme_settings_agree(const struct acme_settings *a, const struct acme_settings *b)
{
	return a->has_agreed == b->has_agreed && are_equal(a->mac_key_file, b->mac_key_file) &&
	    are_lists_equal(&a->contact, &b->contact) && are_lists_equal(&a->cas, &b->cas);
}

static void
add_text(struct sha256_ctx *sha, const char *text)
{
	text = text ? text : "";
	sha256_update(sha, strlen(text) + 1, (const uint8_t *)text);
}

void
acme_settings_digest(const struct acme_settings *settings, char out[ACME_SETTINGS_DIGEST])
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha;

	sha256_init(&sha);
	add_text(&sha, settings->directory);
	add_text(&sha, settings->has_agreed ? "agreed" : NULL);
	add_text(&sha, key_words[settings->key]);
	add_text(&sha, settings->key_id);
	add_text(&sha, settings->mac_key_file);
	for (size_t i = 0; i < settings->contact.count; i++)
		add_text(&sha, settings->contact.items[i]);
	for (size_t i = 0; i < settings->cas.count; i++)
		add_text(&sha, settings->cas.items[i]);
	sha256_digest(&sha, sizeof digest, digest);
	hex_encode(out, digest, (ACME_SETTINGS_DIGEST - 1) / 2);
}

void
acme_settings_check(const struct acme_settings *settings, struct conf_report *report)
{
	if (settings->key_id && !settings->mac_key_file)
		conf_error(report, settings->key_id_mark,
		    "eab.key_id without eab.hmac_key_file: give the file of its key, too");
	if (settings->mac_key_file && !settings->key_id)
		conf_error(report, settings->mac_key_file_mark,
		    "eab.hmac_key_file without eab.key_id: give the identifier that the CA told with it");
}
