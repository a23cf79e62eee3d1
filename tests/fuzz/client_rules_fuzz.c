/*
 * What a client's certificate can say of its owner: a subject, with two octets of length
 * before it, and GeneralNames.  Whatever they are, an entry of rules lets in no more than
 * it says.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/client_rules.h"
#include "base/cursor.h"
#include "pki/identity_private.h"
#include "pki/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
hold(bool claim)
{
	if (!claim)
		abort();
}

struct rules_text {
	struct conf_items entries;
};

static const struct conf_row rows[] = {
	{ "clients", CONF_MAPPINGS, offsetof(struct rules_text, entries), .table = client_entry_rows,
	    .item_bytes = sizeof(struct client_entry_settings) },
	{ 0 },
};

enum { CN_A = 1, CN_B, OU_A, DNS_ONE, DNS_ANY, EMAIL, URI_ANY, URIS };

static struct client_rules *
rules_of(const char *entries)
{
	char text[8192], error[CLIENT_RULES_ERROR];
	struct rules_text scene = { 0 };
	struct conf_report report = { .path = "c" };
	struct client_rules *rules = NULL;

	snprintf(text, sizeof text, "clients: %s", entries);
	if (conf_read_bytes(&scene, rows, text, strlen(text), &report))
		client_rules_check(&scene.entries, (struct conf_mark){ 1, 1 }, &report);
	if (report.errors == 0)
		rules = client_rules_new(&scene.entries, false, error);
	conf_wipe(&scene, rows);
	return rules;
}

/* As if it had been verified. */
static struct identity *
identity_of(struct der subject, struct der names)
{
	static const uint8_t nothing[2] = { DER_SEQUENCE, 0 };
	struct chain_link leaf = { .facts = { .subject = subject, .names = names,
		.issuer = { nothing, sizeof nothing } } }, ca = leaf;
	struct path path = { .count = 2, .links = { &leaf, &ca } };
	struct identity *identity = identity_new(&path, ROLE_CLIENT, NULL);

	hold(identity != NULL);
	return identity;
}

/* The first URI as a rule of its own; a text that YAML would read otherwise is no URI of ours. */
static bool
is_let_in_by_its_own_uri(const struct identity *identity)
{
	struct cursor names = der_over(identity_alternative_names(identity));
	struct der uri;
	char entry[4096];
	struct client_rules *rules;
	bool is_in;

	hold(x509_next_name_of(&names, NAME_URI, &uri));
	hold(uri.bytes < sizeof entry - 16 && !memchr(uri.data, '\0', uri.bytes));
	hold(!memchr(uri.data, '%', uri.bytes) && !memchr(uri.data, '*', uri.bytes));
	snprintf(entry, sizeof entry, "{uri: '%.*s'}", (int)uri.bytes, (const char *)uri.data);
	rules = rules_of(entry);
	hold(rules != NULL);
	is_in = client_rules_find(rules, identity) == 1;
	client_rules_free(rules);
	return is_in;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const entries[URIS] = { [CN_A] = "{cn: a}", [CN_B] = "{cn: b}",
		[OU_A] = "{ou: a}", [DNS_ONE] = "{dns: a.example}", [DNS_ANY] = "{dns: '*.example'}",
		[EMAIL] = "{email: a@a.example}", [URI_ANY] = "{uri: 'spiffe://a.example/*'}" };
	static struct client_rules *single[URIS];
	struct cursor in = cursor_over(data, size);
	size_t bytes = cursor_u16(&in);
	bool holds[URIS];

	for (int i = 1; i < URIS && !single[i]; i++)
		hold((single[i] = rules_of(entries[i])) != NULL);
	bytes = bytes < in.left ? bytes : in.left;
	struct der subject = { cursor_bytes(&in, bytes), bytes }, names = { in.at, in.left };
	struct identity *identity = identity_of(subject, names);
	for (int i = 1; i < URIS; i++)
		holds[i] = client_rules_find(single[i], identity) == 1;
	hold(!(holds[CN_A] && holds[CN_B]));
	hold(!holds[DNS_ONE] || holds[DNS_ANY]);
	hold(!holds[URI_ANY] || is_let_in_by_its_own_uri(identity));
	identity_release(identity);
	return 0;
}
