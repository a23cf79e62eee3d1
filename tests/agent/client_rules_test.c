/*
 * Tests of agent/client_rules and agent/client_key: every sentence of the manual about
 * who comes in, with certificates that are verified first, and odd on purpose.
 */
#include "agent/client_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/units.h"
#include "pki/forge.h"
#include "pki/trust.h"
#include "pki/verify.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct trust *trust;
static struct forged root, sub;

/* ---- certificates ---- */

enum { UTF8 = 0x0c, PRINTABLE = 0x13, TELETEX = 0x14, IA5 = 0x16, BMP = 0x1e };

/* Text with %00 and the like. */
static size_t
unescape(const char *text, size_t bytes, uint8_t *out)
{
	size_t n = 0;
	unsigned octet;

	for (size_t i = 0; i < bytes; i++, n++) {
		out[n] = (uint8_t)text[i];
		if (text[i] != '%')
			continue;
		assert_int_equal(sscanf(text + i + 1, "%2x", &octet), 1);
		out[n] = (uint8_t)octet;
		i += 2;
	}
	return n;
}

/* "CN=a" or "OU=b", with "CN!1e=..." of that type instead of UTF8String. */
static void
put_attribute(struct forged *out, const char *text, size_t bytes)
{
	const char *equals = memchr(text, '=', bytes);
	unsigned tag = UTF8;
	uint8_t value[512];
	size_t pair = open_tag(out, DER_SEQUENCE);

	assert_non_null(equals);
	put_oid(out, text[0] == 'C' ? "2.5.4.3" : text[1] == 'U' ? "2.5.4.11" : "2.5.4.10");
	if (text[2] == '!')
		assert_int_equal(sscanf(text + 3, "%2x", &tag), 1);
	put_tlv(out, tag, value, unescape(equals + 1, bytes - (size_t)(equals + 1 - text), value));
	close_tag(out, pair);
}

/* "CN=a,OU=b+OU=c": a + keeps two in one relative name; ! is one that has none, as no Name may. */
static void
put_subject(struct forged *out, const char *text)
{
	size_t whole = open_tag(out, DER_SEQUENCE);

	for (; *text == '!'; text++)
		put_tlv(out, DER_SET, "", 0);
	while (*text) {
		size_t set = open_tag(out, DER_SET), bytes;

		for (bool more = true; more; text += bytes + (text[bytes] != '\0')) {
			bytes = strcspn(text, ",+");
			put_attribute(out, text, bytes);
			more = text[bytes] == '+';
		}
		close_tag(out, set);
	}
	close_tag(out, whole);
}

static struct identity *
client(const char *subject, const char *names, const char *serial)
{
	struct forged name = { 0 }, leaf, chain_sub = sub;
	struct recipe recipe = { .name = &name, .names = names, .serial = serial };
	struct der chain[2];
	struct verdict verdict;
	struct identity *identity;

	put_subject(&name, subject);
	forge_certificate(&leaf, &recipe, LEVEL_LEAF, LEVEL_SUB, "client");
	chain[0] = forged_der(&leaf);
	chain[1] = forged_der(&chain_sub);
	identity = verify_chain(trust, ROLE_CLIENT, chain, 2, NULL, NOW, &verdict);
	if (!identity)
		fail_msg("%s, %s: %s", subject, names, verdict.sentence);
	return identity;
}

static int
set_up(void **state)
{
	static const struct recipe plain;
	const char *files[1];
	char error[TRUST_ERROR];

	(void)state;
	forge_certificate(&root, &plain, LEVEL_ROOT, LEVEL_ROOT, "");
	forge_certificate(&sub, &plain, LEVEL_SUB, LEVEL_ROOT, "");
	forge_append_pem("root.pem", "CERTIFICATE", &root);
	files[0] = forge_path("root.pem");
	trust = trust_load(
	    &(struct trust_sources){ .ca_files = files, .ca_count = 1, .label = "cas", .now = NOW },
	    NULL, error, sizeof error);
	return trust ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	trust_release(trust);
	forge_clean();
	return 0;
}

/* ---- rules ---- */

struct rule_text {
	struct conf_items entries;
	struct conf_mark mark;
};

static const struct conf_row rows[] = {
	{ "clients", CONF_MAPPINGS, offsetof(struct rule_text, entries), .table = client_entry_rows,
	    .item_bytes = sizeof(struct client_entry_settings),
	    .mark_offset = offsetof(struct rule_text, mark) },
	{ 0 },
};

/* Each $ROOT, $SUB, $LEAF becomes the SHA-256 of that key. */
static void
expand(char *out, size_t room, const char *text)
{
	static const struct {
		const char *word;
		size_t level;
	} words[] = { { "$LEAF", 0 }, { "$SUB", 1 }, { "$ROOT", 2 } };
	struct identity *identity = client("CN=a", "", NULL);
	size_t used = (size_t)snprintf(out, room, "clients: ");

	while (*text) {
		size_t skipped = 1;

		out[used] = *text;
		for (size_t i = 0; i < COUNT(words); i++)
			if (strncmp(text, words[i].word, strlen(words[i].word)) == 0) {
				hex_encode(out + used, identity_spki(identity, words[i].level), 32);
				used += 63;
				skipped = strlen(words[i].word);
			}
		used++;
		text += skipped;
		assert_true(used + 70 < room);
	}
	out[used] = '\0';
	identity_release(identity);
}

/* What is wrong with it goes to *told (to free()). */
static unsigned
read_rules(struct rule_text *scene, const char *text, char **told)
{
	static char yaml[40000];
	size_t bytes;
	struct conf_report report = { .out = open_memstream(told, &bytes), .path = "c" };

	*scene = (struct rule_text){ 0 };
	expand(yaml, sizeof yaml, text);
	if (conf_read_bytes(scene, rows, yaml, strlen(yaml), &report))
		client_rules_check(&scene->entries, scene->mark, &report);
	fclose(report.out);
	return report.errors;
}

static struct client_rules *
make_rules(const char *text, bool needs_issuer, char error[CLIENT_RULES_ERROR])
{
	struct rule_text scene;
	struct client_rules *rules;
	char *told;

	if (read_rules(&scene, text, &told) > 0)
		fail_msg("%s: %s", text, told);
	free(told);
	rules = client_rules_new(&scene.entries, needs_issuer, error);
	conf_wipe(&scene, rows);
	return rules;
}

/* ---- who comes in ---- */

struct admission {
	const char *rules, *subject, *names;
	size_t entry; /* 0: none */
	const char *serial;
};

static void
judge(const struct admission *rows_of, size_t count)
{
	char error[CLIENT_RULES_ERROR];

	for (size_t i = 0; i < count; i++) {
		const struct admission *row = &rows_of[i];
		struct client_rules *rules = make_rules(row->rules, false, error);
		struct identity *identity = client(row->subject, row->names, row->serial);

		assert_non_null(rules);
		if (client_rules_find(rules, identity) != row->entry)
			fail_msg("%s with %s, %s: entry %zu", row->rules, row->subject, row->names,
			    client_rules_find(rules, identity));
		identity_release(identity);
		client_rules_free(rules);
	}
}

static void
a_dns_name_is_one_of_the_certificates(void **state)
{
	static const struct admission cases[] = {
		{ "{dns: a.example}", "CN=x", "dns:a.example", 1, NULL },
		{ "{dns: A.Example.}", "CN=x", "dns:b.example,dns:a.EXAMPLE", 1, NULL },
		{ "{dns: a.example}", "CN=x", "dns:b.example", 0, NULL },
		{ "{dns: a.example}", "CN=x", "", 0, NULL },
		/* a common name never counts, nor do other kinds of names */
		{ "{dns: a.example}", "CN=a.example", "", 0, NULL },
		{ "{dns: a.example}", "CN=a.example", "dns:b.example", 0, NULL },
		{ "{dns: a.example}", "CN=x", "uri:a.example,email:a.example", 0, NULL },
		/* the whole name, whatever is in it */
		{ "{dns: a.example}", "CN=x", "dns:a.example%00.evil.example", 0, NULL },
		{ "{dns: a.example}", "CN=x", "dns:a.example%00", 0, NULL },
		{ "{dns: '*.example'}", "CN=x", "dns:a%00.example", 0, NULL },
		{ "{dns: a.example}", "CN=x", "dns:a.example ", 0, NULL },
		/* *. is one label */
		{ "{dns: '*.a.example'}", "CN=x", "dns:b.a.example", 1, NULL },
		{ "{dns: '*.a.example'}", "CN=x", "dns:c.b.a.example", 0, NULL },
		{ "{dns: '*.a.example'}", "CN=x", "dns:a.example", 0, NULL },
		{ "{dns: '*.a.example'}", "CN=x", "dns:ba.example", 0, NULL },
		/* wildcards stand in rules and never in certificates */
		{ "{dns: b.a.example}", "CN=x", "dns:*.a.example", 0, NULL },
		{ "{dns: '*.a.example'}", "CN=x", "dns:*.a.example", 0, NULL },
		{ "{dns: '*.a.example'}", "CN=x", "dns:*.b.a.example", 0, NULL },
	};

	(void)state;
	judge(cases, COUNT(cases));
}

static void
an_email_address_is_one_of_the_certificates(void **state)
{
	static const struct admission cases[] = {
		{ "{email: ann@a.example}", "CN=x", "email:bob@a.example,email:ann@a.example", 1,
		    NULL },
		/* the host in any case, and what is in front of it alike */
		{ "{email: ann@A.example}", "CN=x", "email:ann@a.EXAMPLE", 1, NULL },
		{ "{email: ann@a.example}", "CN=x", "email:Ann@a.example", 0, NULL },
		{ "{email: ann@a.example}", "CN=x", "email:ann@b.example", 0, NULL },
		{ "{email: ann@a.example}", "CN=ann@a.example", "dns:a.example", 0, NULL },
		{ "{email: ann@a.example}", "CN=x", "email:ann@a.example@b.example", 0, NULL },
		{ "{email: ann@a.example}", "CN=x", "email:bob@ann@a.example", 0, NULL },
		{ "{email: ann@a.example}", "CN=x", "email:ann@a.example%00", 0, NULL },
		{ "{email: ann@a.example}", "CN=x", "email:ann@a.example%00.evil.example", 0,
		    NULL },
		{ "{email: ann@a.example}", "CN=x", "email:*@a.example", 0, NULL },
	};

	(void)state;
	judge(cases, COUNT(cases));
}

#define SPIFFE(path) "uri:spiffe://prod.example" path

static void
a_uri_is_the_only_one_and_has_the_form_of_a_spiffe_id(void **state)
{
	static const struct admission cases[] = {
		{ "{uri: 'spiffe://prod.example/ns/a'}", "CN=x", SPIFFE("/ns/a"), 1, NULL },
		{ "{uri: 'spiffe://prod.example/ns/a'}", "CN=x", "dns:x.example," SPIFFE("/ns/a"),
		    1, NULL },
		{ "{uri: 'spiffe://prod.example/ns/a'}", "CN=x", SPIFFE("/ns/A"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/ns/a'}", "CN=x", SPIFFE("/ns"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/ns/a'}", "CN=x", SPIFFE("/ns/a/b"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/ns/a'}", "CN=x", "dns:prod.example", 0, NULL },
		/* exactly one URI, whatever the others are */
		{ "{uri: 'spiffe://prod.example/a'}", "CN=x", SPIFFE("/a") "," SPIFFE("/a"), 0,
		    NULL },
		{ "{uri: 'spiffe://prod.example/a'}", "CN=x", SPIFFE("/a") ",uri:urn:x", 0, NULL },
		{ "{uri: 'spiffe://prod.example/a'}", "CN=x", "uri:urn:x," SPIFFE("/a"), 0, NULL },
		/* * is one whole segment */
		{ "{uri: 'spiffe://prod.example/*'}", "CN=x", SPIFFE("/a"), 1, NULL },
		{ "{uri: 'spiffe://prod.example/*/b/*'}", "CN=x", SPIFFE("/a.1/b/c_-2"), 1, NULL },
		{ "{uri: 'spiffe://prod.example/*'}", "CN=x", SPIFFE("/a/b"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/*/b'}", "CN=x", SPIFFE("/b"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/a/*'}", "CN=x", SPIFFE("/a"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/*'}", "CN=x", SPIFFE("/*"), 0, NULL },
		/* the domain and the scheme are what they are */
		{ "{uri: 'spiffe://prod.example/*'}", "CN=x", "uri:spiffe://test.example/a", 0,
		    NULL },
		{ "{uri: 'spiffe://prod.example/a'}", "CN=x", "uri:spiffe://PROD.example/a", 0,
		    NULL },
		{ "{uri: 'spiffe://prod.example/a'}", "CN=x", "uri:SPIFFE://prod.example/a", 0,
		    NULL },
		{ "{uri: 'spiffe://prod.example/a'}", "CN=x", "uri:https://prod.example/a", 0,
		    NULL },
		/* no %, no empty, . or .. segment, no query, fragment, user or port */
		{ "{uri: 'spiffe://prod.example/*'}", "CN=x", SPIFFE("/%2561"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/*'}", "CN=x", SPIFFE("/a/"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/*'}", "CN=x", SPIFFE("/"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/*'}", "CN=x", SPIFFE("//a"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/*/a'}", "CN=x", SPIFFE("//a"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/*'}", "CN=x", SPIFFE("/."), 0, NULL },
		{ "{uri: 'spiffe://prod.example/*'}", "CN=x", SPIFFE("/.."), 0, NULL },
		{ "{uri: 'spiffe://prod.example/*/*'}", "CN=x", SPIFFE("/../a"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/*'}", "CN=x", SPIFFE("/..."), 1, NULL },
		{ "{uri: 'spiffe://prod.example/*'}", "CN=x", SPIFFE("/a?b"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/*'}", "CN=x", SPIFFE("/a#b"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/a'}", "CN=x", "uri:spiffe://u@prod.example/a", 0,
		    NULL },
		{ "{uri: 'spiffe://prod.example/a'}", "CN=x", SPIFFE(":1/a"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/*'}", "CN=x", SPIFFE("/a%20b"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/a'}", "CN=x", SPIFFE("/a%00"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/*'}", "CN=x", SPIFFE("/a%00b"), 0, NULL },
		{ "{uri: 'spiffe://prod.example/*'}", "CN=x", SPIFFE("/%c3%a9"), 0, NULL },
	};

	(void)state;
	judge(cases, COUNT(cases));
}

static void
a_common_name_is_the_only_one_octet_by_octet(void **state)
{
	static const struct admission cases[] = {
		{ "{cn: billing}", "CN=billing", "", 1, NULL },
		{ "{cn: billing}", "OU=a,CN=billing,OU=b", "", 1, NULL },
		{ "{cn: billing}", "OU=a+CN=billing", "", 1, NULL },
		{ "{cn: billing}", "CN!13=billing", "", 1, NULL },
		{ "{cn: billing}", "CN!16=billing", "", 1, NULL },
		{ "{cn: Café}", "CN=Caf%c3%a9", "", 1, NULL },
		{ "{cn: billing}", "CN=Billing", "", 0, NULL },
		{ "{cn: billing}", "CN=billing ", "", 0, NULL },
		{ "{cn: billing}", "CN=bill", "", 0, NULL },
		{ "{cn: billing}", "OU=billing,O_=billing", "dns:billing", 0, NULL },
		{ "{cn: billing}", "CN=billing%00", "", 0, NULL },
		{ "{cn: billing}", "CN=billing%00.evil", "", 0, NULL },
		{ "{cn: billing}", "CN=%00billing", "", 0, NULL },
		/* several match nothing, wherever they stand */
		{ "{cn: billing}", "CN=billing,CN=other", "", 0, NULL },
		{ "{cn: billing}", "CN=other,CN=billing", "", 0, NULL },
		{ "{cn: billing}", "CN=billing,CN=billing", "", 0, NULL },
		{ "{cn: billing}", "CN=billing+CN=other", "", 0, NULL },
		{ "{cn: billing}", "CN=billing,OU=x,CN!1e=%00x", "", 0, NULL },
		/* nothing is in a malformed subject */
		{ "{cn: billing}", "!CN=billing", "", 0, NULL },
		/* other types have other octets, whatever these say */
		{ "{cn: Ab}", "CN!1e=%00A%00b", "", 0, NULL },
		{ "{cn: Ab}", "CN!1e=Ab", "", 0, NULL },
		{ "{cn: Ab}", "CN!14=Ab", "", 0, NULL },
	};

	(void)state;
	judge(cases, COUNT(cases));
}

static void
an_organizational_unit_is_one_of_the_subjects(void **state)
{
	static const struct admission cases[] = {
		{ "{ou: Finance}", "OU=Finance,CN=x", "", 1, NULL },
		{ "{ou: Finance}", "OU=Sales,OU=Finance,CN=x", "", 1, NULL },
		{ "{ou: Finance}", "CN=x+OU=Finance", "", 1, NULL },
		{ "{ou: Finance}", "CN=Finance", "", 0, NULL },
		{ "{ou: Finance}", "OU=finance,CN=x", "", 0, NULL },
		{ "{ou: Finance}", "OU=Finance%00,CN=x", "", 0, NULL },
		{ "{ou: Finance}", "CN=x", "", 0, NULL },
	};

	(void)state;
	judge(cases, COUNT(cases));
}

static void
numbers_are_of_the_certificate_and_of_the_cas_above_it(void **state)
{
	static const struct admission cases[] = {
		{ "{spki: $LEAF}", "CN=x", "", 1, NULL },
		{ "{spki: $SUB}", "CN=x", "", 0, NULL },
		{ "{issuer: $SUB}", "CN=x", "", 1, NULL },
		{ "{issuer: $ROOT}", "CN=x", "", 1, NULL },
		{ "{issuer: $LEAF}", "CN=x", "", 0, NULL },
		{ "{issuer: any}", "CN=x", "", 1, NULL },
		{ "{serial: a1B2, issuer: $SUB}", "CN=x", "", 1, "00a1b2" },
		{ "{serial: '00a1b2', issuer: $SUB}", "CN=x", "", 1, "00a1b2" },
		{ "{serial: '7', issuer: $SUB}", "CN=x", "", 1, "07" },
		{ "{serial: a1b3, issuer: $SUB}", "CN=x", "", 0, "00a1b2" },
		{ "{serial: ff, issuer: $SUB}", "CN=x", "", 1, "00ff" },
		/* each CA counts its own */
		{ "{serial: a1b2, issuer: $ROOT}", "CN=x", "", 0, "00a1b2" },
		{ "{all: {serial: a1b2}, issuer: $SUB}", "CN=x", "", 1, "00a1b2" },
		{ "{all: {serial: a1b2}, issuer: $ROOT}", "CN=x", "", 0, "00a1b2" },
	};

	(void)state;
	judge(cases, COUNT(cases));
}

static void
an_entry_needs_all_of_its_keys_and_a_list_one_entry(void **state)
{
	static const struct admission cases[] = {
		{ "{cn: a, ou: b, dns: c.example}", "CN=a,OU=b", "dns:c.example", 1, NULL },
		{ "{cn: a, ou: b, dns: c.example}", "CN=a,OU=b", "dns:d.example", 0, NULL },
		{ "{cn: a, ou: b, dns: c.example}", "CN=a,OU=c", "dns:c.example", 0, NULL },
		{ "[{cn: a}, {cn: b}, {cn: c}]", "CN=c", "", 3, NULL },
		{ "[{cn: a}, {cn: b}, {cn: c}]", "CN=d", "", 0, NULL },
		{ "[{cn: a}, {cn: a, ou: b}]", "CN=a", "", 1, NULL },
		{ "[{cn: a, ou: b}, {cn: a}]", "CN=a", "", 2, NULL },
		/* nobody by default */
		{ "[]", "CN=a", "dns:a.example", 0, NULL },
		{ "", "CN=a", "dns:a.example", 0, NULL },
		/* any and all, beside the entry's own keys and beside each other */
		{ "{any: [{cn: a}, {cn: b}]}", "CN=b", "", 1, NULL },
		{ "{any: [{cn: a}, {cn: b}]}", "CN=c", "", 0, NULL },
		{ "{any: [{cn: a}, {cn: b}], ou: c}", "CN=b", "", 0, NULL },
		{ "{any: [{cn: a}, {cn: b}], ou: c}", "CN=b,OU=c", "", 1, NULL },
		{ "{any: {cn: a, ou: c}}", "CN=a", "", 0, NULL },
		{ "{all: [{ou: a}, {ou: b}]}", "CN=x,OU=a,OU=b", "", 1, NULL },
		{ "{all: [{ou: a}, {ou: b}]}", "CN=x,OU=a", "", 0, NULL },
		{ "{all: [{ou: a}, {ou: b}], any: [{cn: y}, {cn: x}]}", "CN=x,OU=a,OU=b", "", 1,
		    NULL },
		{ "{all: [{ou: a}, {ou: b}], any: [{cn: y}, {cn: z}]}", "CN=x,OU=a,OU=b", "", 0,
		    NULL },
		/* a mapping has the issuer of its entry, if it names none */
		{ "{any: {cn: a}, issuer: $LEAF}", "CN=a", "", 0, NULL },
		{ "{any: {cn: a}, issuer: $ROOT}", "CN=a", "", 1, NULL },
		{ "{any: {cn: a, issuer: $LEAF}, issuer: $ROOT}", "CN=a", "", 0, NULL },
		{ "{any: {cn: a, issuer: $SUB}, issuer: $ROOT}", "CN=a", "", 1, NULL },
	};

	(void)state;
	judge(cases, COUNT(cases));
}

static void
no_certificate_and_one_of_too_many_names_are_let_in_by_nobody(void **state)
{
	char error[CLIENT_RULES_ERROR], names[1000] = "dns:a";
	struct client_rules *rules = make_rules("{issuer: any}", false, error);
	struct identity *identity;

	(void)state;
	assert_int_equal(client_rules_find(rules, NULL), 0);
	for (int i = 1; i < CLIENT_NAMES_MOST; i++)
		strcat(names, ",dns:a");
	identity = client("CN=x", names, NULL);
	assert_int_equal(client_rules_find(rules, identity), 1);
	identity_release(identity);
	strcat(names, ",uri:a");
	identity = client("CN=x", names, NULL);
	assert_int_equal(client_rules_find(rules, identity), 0);
	identity_release(identity);
	client_rules_free(rules);
}

/* ---- mistakes ---- */

static void
says_what_is_wrong_with_a_rule(void **state)
{
	static const struct {
		const char *rules, *place, *said;
	} cases[] = {
		{ "{}", "c:1:10:", "entry 1 has no key" },
		{ "[{cn: a}, {}]", "c:1:10:", "entry 2 has no key" },
		{ "{any: [{cn: a}, {}]}", "c:1:16:", "mapping 2 of this list has no key" },
		{ "{any: []}", "c:1:16:", "the list is empty" },
		{ "{all: , cn: a}", "c:1:16:", "the list is empty" },
		{ "{any: {any: {cn: a}}}", "c:1:17:", "unknown key \"any\"" },
		{ "{common_name: a}", "c:1:11:", "unknown key \"common_name\"" },
		{ "a", "c:1:10:", "list of mappings" },
		{ "{cn: a, cn: b}", "c:1:18:", "given twice" },
		{ "{cn: }", "c:1:15:", "no value" },
		{ "{cn: [a, b]}", "c:1:15:", "single value" },
		{ "{cn: \"a\\0b\"}", "c:1:15:", "NUL" },
		{ "{cn: ''}", "c:1:15:", "not a text" },
		{ "{cn: 'bill*'}", "c:1:15:", "no wildcard" },
		{ "{ou: \"a\\tb\"}", "c:1:15:", "not a text" },
		{ "{ou: \"a\\x7f\"}", "c:1:15:", "not a text" },
		{ "{dns: '*'}", "c:1:16:", "not a host name" },
		{ "{dns: 'a.*.example'}", "c:1:16:", "not a host name" },
		{ "{dns: '192.0.2.1'}", "c:1:16:", "not a host name" },
		{ "{dns: 'a b'}", "c:1:16:", "not a host name" },
		{ "{email: '*@a.example'}", "c:1:18:", "not an e-mail" },
		{ "{email: a.example}", "c:1:18:", "not an e-mail" },
		{ "{email: '@a.example'}", "c:1:18:", "not an e-mail" },
		{ "{uri: 'spiffe://*/a'}", "c:1:16:", "not a URI" },
		{ "{uri: 'spiffe:///a'}", "c:1:16:", "not a URI" },
		{ "{uri: '://a.example/a'}", "c:1:16:", "not a URI" },
		{ "{uri: '/a'}", "c:1:16:", "not a URI" },
		{ "{uri: 'spiffe://*.example/a'}", "c:1:16:", "not a URI" },
		{ "{uri: 'spiffe://a.example'}", "c:1:16:", "not a URI" },
		{ "{uri: 'spiffe://a.example/'}", "c:1:16:", "not a URI" },
		{ "{uri: 'spiffe://a.example/b*'}", "c:1:16:", "not a URI" },
		{ "{uri: 'spiffe://a.example/**'}", "c:1:16:", "not a URI" },
		{ "{uri: 'spiffe://a.example/b/../c'}", "c:1:16:", "not a URI" },
		{ "{uri: 'spiffe://a.example//c'}", "c:1:16:", "not a URI" },
		{ "{uri: 'spiffe://a.example/%61'}", "c:1:16:", "not a URI" },
		{ "{uri: 'spiffe://A.example/a'}", "c:1:16:", "not a URI" },
		{ "{uri: 'urn:x'}", "c:1:16:", "not a URI" },
		{ "{spki: abc}", "c:1:17:", "64 hexadecimal digits" },
		{ "{issuer: all}", "c:1:19:", "the word any" },
		{ "{serial: '', issuer: $SUB}", "c:1:19:", "not a serial number" },
		{ "{serial: 0x12, issuer: $SUB}", "c:1:19:", "not a serial number" },
		/* serial always needs the issuer */
		{ "{serial: '12'}", "c:1:19:", "unique for one issuer" },
		{ "{serial: '12', issuer: any}", "c:1:19:", "unique for one issuer" },
		{ "{any: [{serial: '12'}]}", "c:1:26:", "unique for one issuer" },
		{ "{any: [{serial: '12', issuer: any}], issuer: $SUB}",
		    "c:1:26:", "unique for one" },
	};
	struct rule_text scene;
	char *told;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (read_rules(&scene, cases[i].rules, &told) == 0 ||
		    !strstr(told, cases[i].place) || !strstr(told, cases[i].said))
			fail_msg("%s: not %s %s but: %s", cases[i].rules, cases[i].place,
			    cases[i].said, told);
		free(told);
		conf_wipe(&scene, rows);
	}
}

/* One vendor's CA could issue what another means to be its own. */
static void
with_several_cas_each_entry_says_whose(void **state)
{
	static const struct {
		const char *rules, *said; /* NULL: fine */
	} cases[] = {
		{ "{cn: a}", "clients, entry 1: several CAs are listed" },
		{ "{spki: $LEAF}", "clients, entry 1: " },
		{ "[{cn: a, issuer: any}, {cn: b}]", "clients, entry 2: " },
		{ "{any: [{cn: a}]}", "clients, entry 1: " },
		{ "{any: [{cn: a, issuer: any}, {cn: b}]}", "clients, entry 1: " },
		{ "{all: [{cn: a, issuer: any}], ou: x}", "clients, entry 1: " },
		{ "{cn: a, issuer: any}", NULL },
		{ "{cn: a, issuer: $SUB}", NULL },
		{ "{any: [{cn: a}, {cn: b}], issuer: $ROOT}", NULL },
		{ "{any: [{cn: a, issuer: any}, {cn: b, issuer: $SUB}]}", NULL },
		{ "[]", NULL },
	};
	char error[CLIENT_RULES_ERROR];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct client_rules *rules = make_rules(cases[i].rules, true, error);

		if (!rules != (cases[i].said != NULL) ||
		    (!rules && strncmp(error, cases[i].said, strlen(cases[i].said)) != 0))
			fail_msg("%s: %s", cases[i].rules, rules ? "fine" : error);
		client_rules_free(rules);
	}
}

static void
has_a_bound_of_mappings(void **state)
{
	static char text[16 * CLIENT_RULES_MOST] = "[{any: [{cn: a}]}";
	struct rule_text scene;
	char *told;

	(void)state;
	for (int i = 2; i < CLIENT_RULES_MOST; i++)
		strcat(text, ", {cn: a}");
	strcat(text, "]");
	assert_int_equal(read_rules(&scene, text, &told), 0);
	free(told);
	conf_wipe(&scene, rows);
	strcpy(strrchr(text, ']'), ", {cn: a}]");
	assert_int_equal(read_rules(&scene, text, &told), 1);
	assert_non_null(strstr(told, "257 mappings are more than the 256"));
	free(told);
	conf_wipe(&scene, rows);
}

/* ---- the rest ---- */

static void
tells_why_not(void **state)
{
	static const struct {
		const char *rules, *said;
	} cases[] = {
		{ "{cn: a, ou: b, issuer: any}",
		    "> cn \"a\" is not its one common name\n"
		    "> ou \"b\" matches none of its organizational units\n" },
		{ "{any: [{cn: a}, {dns: c.example}], cn: x}",
		    "> any, mapping 1: cn \"a\" is not its one common name\n"
		    "> any, mapping 2: dns \"c.example\" matches none of its DNS names\n" },
		{ "{all: [{cn: a}, {cn: x}], any: [{cn: a}, {cn: x}]}",
		    "> all, mapping 1: cn \"a\" is not its one common name\n" },
	};
	char error[CLIENT_RULES_ERROR], *told;
	struct identity *identity = client("CN=x", "dns:a.example", NULL);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct client_rules *rules = make_rules(cases[i].rules, false, error);
		size_t bytes;
		FILE *out = open_memstream(&told, &bytes);

		client_rules_explain(rules, 1, identity, "> ", out);
		fclose(out);
		assert_string_equal(told, cases[i].said);
		free(told);
		client_rules_free(rules);
	}
	identity_release(identity);
}

static void
each_set_has_a_number_of_its_own(void **state)
{
	char error[CLIENT_RULES_ERROR];
	struct client_rules *a = make_rules("[]", false, error),
			    *b = make_rules("[]", false, error);

	(void)state;
	assert_int_not_equal(client_rules_id(a), 0);
	assert_int_not_equal(client_rules_id(a), client_rules_id(b));
	assert_int_equal(client_rules_count(a), 0);
	client_rules_free(a);
	client_rules_free(b);
	client_rules_free(NULL);
}

static void
knows_lists_that_are_alike(void **state)
{
	static const struct {
		const char *a, *b;
		bool are_alike;
	} cases[] = {
		{ "[]", "[]", true },
		{ "{cn: a, any: [{ou: b}, {ou: c}]}", "[{any: [{ou: b}, {ou: c}], cn: a}]", true },
		{ "{cn: a}", "{cn: b}", false },
		{ "{cn: a}", "{ou: a}", false },
		{ "{cn: a}", "[{cn: a}, {cn: b}]", false },
		{ "{any: {cn: a}}", "{all: {cn: a}}", false },
		{ "{any: {cn: a}}", "{any: [{cn: a}, {cn: b}]}", false },
	};
	struct rule_text a, b;
	char *told;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(read_rules(&a, cases[i].a, &told), 0);
		free(told);
		assert_int_equal(read_rules(&b, cases[i].b, &told), 0);
		free(told);
		assert_int_equal(
		    client_rules_are_alike(&a.entries, &b.entries), cases[i].are_alike);
		assert_int_equal(
		    client_rules_are_alike(&b.entries, &a.entries), cases[i].are_alike);
		conf_wipe(&a, rows);
		conf_wipe(&b, rows);
	}
}

static void
an_entry_stands_where_its_first_value_does(void **state)
{
	static const struct {
		const char *rules;
		unsigned line, column;
	} cases[] = {
		{ "[{cn: a}]", 1, 16 },
		{ "[{cn: a, dns: b.example}]", 1, 16 },
		{ "\n  - cn: a\n    dns: b.example\n", 2, 9 },
		{ "\n  - any: [{cn: a}]\n    issuer: any\n", 2, 10 },
		{ "[{all: [{cn: a}], any: [{cn: b}]}]", 1, 17 },
	};
	struct rule_text scene;
	struct conf_mark mark;
	char *told;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(read_rules(&scene, cases[i].rules, &told), 0);
		free(told);
		mark = client_rules_mark(&scene.entries, 1);
		if (mark.line != cases[i].line || mark.column != cases[i].column)
			fail_msg("%s: %u:%u", cases[i].rules, mark.line, mark.column);
		assert_int_equal(client_rules_mark(&scene.entries, 0).line, 0);
		assert_int_equal(client_rules_mark(&scene.entries, 2).line, 0);
		conf_wipe(&scene, rows);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dns_name_is_one_of_the_certificates),
		cmocka_unit_test(an_email_address_is_one_of_the_certificates),
		cmocka_unit_test(a_uri_is_the_only_one_and_has_the_form_of_a_spiffe_id),
		cmocka_unit_test(a_common_name_is_the_only_one_octet_by_octet),
		cmocka_unit_test(an_organizational_unit_is_one_of_the_subjects),
		cmocka_unit_test(numbers_are_of_the_certificate_and_of_the_cas_above_it),
		cmocka_unit_test(an_entry_needs_all_of_its_keys_and_a_list_one_entry),
		cmocka_unit_test(no_certificate_and_one_of_too_many_names_are_let_in_by_nobody),
		cmocka_unit_test(says_what_is_wrong_with_a_rule),
		cmocka_unit_test(with_several_cas_each_entry_says_whose),
		cmocka_unit_test(has_a_bound_of_mappings),
		cmocka_unit_test(tells_why_not),
		cmocka_unit_test(each_set_has_a_number_of_its_own),
		cmocka_unit_test(knows_lists_that_are_alike),
		cmocka_unit_test(an_entry_stands_where_its_first_value_does),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent/client_rules", tests, set_up, tear_down);
}
