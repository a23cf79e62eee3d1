/* Tests of pki/identity: who a chain says that somebody is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "pki/forge.h"
#include "pki/trust.h"
#include "pki/verify.h"
#include "pki/x509.h"

static struct trust *trust;
static struct forged root, middle, clients;
static const struct grant ceiling = { .name = "agents", .max_flows = 100, .any_depth = true,
	.region_count = 2, .regions = { "berlin", "paris" } };

static int
set_up(void **state)
{
	static const struct recipe plain, ceilinged = { .grant = &ceiling };
	const char *files[1];
	char error[TRUST_ERROR];
	(void)state;
	forge_certificate(&root, &plain, LEVEL_ROOT, LEVEL_ROOT, "");
	forge_certificate(&middle, &ceilinged, LEVEL_MIDDLE, LEVEL_ROOT, "");
	forge_append_pem("cas.pem", "CERTIFICATE", &root);
	forge_append_pem("cas.pem", "CERTIFICATE", &middle);
	forge_certificate(&clients, &plain, LEVEL_SUB, LEVEL_ROOT, "");	/* one with a ceiling is for agents */
	forge_append_pem("cas.pem", "CERTIFICATE", &clients);
	files[0] = forge_path("cas.pem");
	trust = trust_load(&(struct trust_sources){ .ca_files = files, .ca_count = 1, .label = "agent_cas",
		.now = NOW }, NULL, error, sizeof error);
	return !trust ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	trust_release(trust);
	forge_clean();
	return 0;
}

static struct identity *
identity_at(const struct recipe *recipe, const char *purposes, enum role role, int64_t now)
{
	struct forged leaf;
	struct verdict verdict;
	forge_certificate(&leaf, recipe, LEVEL_LEAF, role == ROLE_AGENT ? LEVEL_MIDDLE : LEVEL_SUB, purposes);
	struct der chain = forged_der(&leaf);
	return verify_chain(trust, role, &chain, 1, NULL, now, &verdict);
}

static struct identity *
agent(const struct recipe *recipe)
{
	struct identity *identity = identity_at(recipe, "agent,client", ROLE_AGENT, NOW);
	assert_non_null(identity);
	return identity;
}

static const char *
level_name(const struct identity *identity, size_t level)
{
	static char name[IDENTITY_LEVEL_NAME];
	return identity_level_name(identity, level, name);
}

static void
has_the_numbers_of_every_level(void **state)
{
	static const struct grant grant = { .name = "shop", .max_sessions = 3 }, same = { .name = "shop", .max_flows = 7 };
	struct identity *identity = agent(&(struct recipe){ .grant = &grant });
	struct identity *other = agent(&(struct recipe){ .grant = &same });
	struct identity_level leaf, ca, top, of_other, none;
	(void)state;
	assert_true(identity_level(identity, 0, &leaf));
	assert_true(identity_level(identity, 1, &ca));
	assert_true(identity_level(identity, 2, &top));
	assert_false(identity_level(identity, 3, &none));
	assert_true(leaf.has_grant && ca.has_grant && !top.has_grant);
	assert_int_equal(leaf.max_sessions, 3);
	assert_int_equal(leaf.max_flows, 0);	/* its own, where the effective grant has its CA's */
	assert_int_equal(identity_grant(identity)->max_flows, 100);
	assert_int_equal(ca.max_flows, 100);
	assert_int_equal(ca.max_sessions, 0);
	assert_memory_equal(leaf.key, identity_key(identity), IDENTITY_KEY_BYTES);
	assert_memory_not_equal(ca.key, top.key, IDENTITY_KEY_BYTES);
	assert_true(identity_level(other, 1, &of_other));
	assert_memory_equal(ca.key, of_other.key, IDENTITY_KEY_BYTES);
	assert_string_equal(level_name(identity, 0), "shop");
	assert_string_equal(level_name(identity, 1), "CN=middle");
	assert_string_equal(level_name(identity, 2), "CN=root");
	assert_int_equal(strlen(identity_issuer_key(identity)), 16);
	assert_string_equal(identity_issuer_key(identity), identity_issuer_key(other));
	identity_release(identity);
	identity_release(other);
}

static void
says_who_it_is(void **state)
{
	static const struct grant grant = { .name = "shop-berlin", .max_flows = 500, .max_sessions = 3 };
	static const struct recipe recipe = { .subject = "Acme/shop", .grant = &grant, .serial = "00a1b2",
		.names = "dns:Shop.Example,dns:*.shop.example,uri:urn:x" };
	struct identity *identity = agent(&recipe);
	(void)state;
	assert_string_equal(identity_name(identity), "shop-berlin");
	assert_string_equal(identity_subject(identity), "CN=shop,O=Acme");
	assert_string_equal(identity_issuer(identity), "CN=middle");
	assert_string_equal(identity_serial(identity), "A1B2");
	assert_int_equal(strlen(identity_fingerprint(identity)), 64);
	assert_int_equal(identity_not_after(identity), NOW + 90 * DAY);
	assert_string_equal(identity_san(identity, 0), "shop.example");
	assert_string_equal(identity_san(identity, 1), "*.shop.example");
	assert_null(identity_san(identity, 2));
	assert_int_equal(identity_grant(identity)->max_flows, 100);	/* the ceiling */
	assert_int_equal(identity_grant(identity)->max_sessions, 3);
	identity_release(identity);
}

static void
keeps_of_a_client_what_rules_compare(void **state)
{
	static const struct recipe recipe = { .subject = "Acme/ann", .serial = "00a1b2", .names = "dns:a.example,uri:urn:x" };
	struct identity *client = identity_at(&recipe, "client", ROLE_CLIENT, NOW), *other = agent(&(struct recipe){ 0 });
	struct cursor names;
	struct der name, subject;
	(void)state;
	assert_non_null(client);
	subject = identity_subject_name(client);
	assert_int_equal(subject.data[0], DER_SEQUENCE);
	assert_int_equal(subject.bytes, 2 + subject.data[1]);
	names = der_over(identity_alternative_names(client));
	assert_true(x509_next_name_of(&names, NAME_URI, &name));
	assert_true(der_equal(name, (struct der){ (const uint8_t *)"urn:x", 5 }));
	assert_int_equal(identity_serial_number(client)->bytes, 3);
	assert_memory_equal(identity_serial_number(client)->data, "\0\xa1\xb2", 3);
	/* its own key, the sub-CA's and the root's */
	assert_memory_not_equal(identity_spki(client, 0), identity_spki(client, 1), IDENTITY_KEY_BYTES);
	assert_memory_equal(identity_spki(client, 2), identity_spki(other, 2), IDENTITY_KEY_BYTES);
	assert_memory_not_equal(identity_spki(client, 1), identity_spki(other, 1), IDENTITY_KEY_BYTES);
	assert_null(identity_spki(client, 3));
	assert_int_equal(identity_subject_name(other).bytes, 0);
	assert_int_equal(identity_alternative_names(other).bytes, 0);
	identity_release(client);
	identity_release(other);
}

static void
is_the_issuers_key_and_the_grants_name(void **state)
{
	static const struct grant shop = { .name = "shop" }, other = { .name = "other" };
	static const struct recipe recipes[] = { { .grant = &shop }, { .grant = &shop, .serial = "77", .key = KEY_STRANGER,
		.subject = "renamed" }, { .grant = &other } };
	struct identity *a = agent(&recipes[0]), *b = agent(&recipes[1]), *c = agent(&recipes[2]);
	(void)state;
	assert_memory_equal(identity_key(a), identity_key(b), IDENTITY_KEY_BYTES);
	assert_memory_not_equal(identity_key(a), identity_key(c), IDENTITY_KEY_BYTES);
	identity_release(a);
	identity_release(b);
	identity_release(c);
}

static void
covers_what_its_sans_say(void **state)
{
	static const struct {
		const char *pattern;
		enum cover plain, deep;
		const char *san;
	} rows[] = {
		{ "a.example", COVER_EXACT, COVER_EXACT, "a.example" },
		{ "*.b.example", COVER_EXACT, COVER_EXACT, "*.b.example" },
		{ "x.b.example", COVER_WILDCARD, COVER_WILDCARD, "*.b.example" },
		{ "y.b.example", COVER_EXACT, COVER_EXACT, "y.b.example" },
		{ "x.y.b.example", COVER_NONE, COVER_WILDCARD, "*.b.example" },
		{ "*.y.b.example", COVER_NONE, COVER_WILDCARD, "*.b.example" },
		{ "b.example", COVER_NONE, COVER_NONE, NULL },
		{ "*.example", COVER_NONE, COVER_NONE, NULL },
		{ "*.a.example", COVER_NONE, COVER_NONE, NULL },
		{ "evilb.example", COVER_NONE, COVER_NONE, NULL },
		{ "1.2.3.4", COVER_NONE, COVER_NONE, NULL },
		{ "leaf", COVER_NONE, COVER_NONE, NULL },
	};
	static const struct grant flat = { .name = "x" }, deep = { .name = "x", .any_depth = true };
	struct recipe recipe = { .names = "dns:a.example,dns:*.b.example,dns:y.b.example,ip:1.2.3.4", .grant = &flat };
	struct identity *plain = agent(&recipe);
	(void)state;
	recipe.grant = &deep;
	struct identity *any = agent(&recipe);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *san;
		assert_int_equal(identity_covers(plain, rows[i].pattern, NULL), rows[i].plain);
		assert_int_equal(identity_covers(any, rows[i].pattern, &san), rows[i].deep);
		if (!rows[i].san)
			assert_null(san);
		else
			assert_string_equal(san, rows[i].san);
	}
	identity_release(plain);
	identity_release(any);
}

static bool
allows(const struct identity *identity, const char *address)
{
	struct sockaddr_storage storage = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)&storage;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&storage;
	if (inet_pton(AF_INET, address, &in->sin_addr) == 1)
		storage.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, address, &in6->sin6_addr) == 1)
		storage.ss_family = AF_INET6;
	return identity_allows_source(identity, (struct sockaddr *)&storage);
}

static void
allows_the_addresses_and_regions_of_its_grant(void **state)
{
	struct grant grant = { .name = "x", .source_count = 2, .region_count = 2, .regions = { "tokyo", "paris" } };
	(void)state;
	assert_true(prefix_parse_exact(&grant.sources[0], "192.0.2.0/24"));
	assert_true(prefix_parse_exact(&grant.sources[1], "2001:db8::/32"));
	struct recipe recipe = { .grant = &grant };
	struct identity *identity = agent(&recipe);
	assert_true(allows(identity, "192.0.2.7"));
	assert_true(allows(identity, "::ffff:192.0.2.7"));
	assert_true(allows(identity, "2001:db8::1"));
	assert_false(allows(identity, "192.0.3.7"));
	assert_false(allows(identity, "2001:db9::1"));
	assert_false(allows(identity, "a unix socket"));
	assert_true(identity_allows_region(identity, "paris"));
	assert_false(identity_allows_region(identity, "tokyo"));	/* not under the ceiling */
	identity_release(identity);
	recipe.grant = NULL;
	identity = agent(&recipe);
	assert_true(allows(identity, "192.0.3.7"));
	assert_false(identity_allows_region(identity, "tokyo"));	/* the ceiling's own list */
	identity_release(identity);
}

static void
begins_five_minutes_early_and_ends_in_time(void **state)
{
	static const struct recipe recipe;
	static const struct {
		int64_t now;
		bool good;
	} rows[] = { { NOW - DAY - 301, false }, { NOW - DAY - 300, true }, { NOW - DAY, true },
		{ NOW + 90 * DAY, true }, { NOW + 90 * DAY + 1, false } };
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct identity *identity = identity_at(&recipe, "client", ROLE_CLIENT, rows[i].now);
		assert_int_equal(identity != NULL, rows[i].good);
		identity_release(identity);
	}
}

static void
ends_with_the_first_certificate_of_its_chain(void **state)
{
	static const struct recipe recipe = { .to = 4000 };
	struct identity *identity = agent(&recipe);
	(void)state;
	assert_int_equal(identity_not_after(identity), NOW + (int64_t)3650 * DAY);
	identity_release(identity);
}

static void
escapes_a_hostile_subject(void **state)
{
	static const struct recipe recipe = { .subject = "x\n\x1b[31m\xff" };
	struct identity *identity = agent(&recipe);
	(void)state;
	for (const char *at = identity_subject(identity); *at != '\0'; at++)
		assert_true(*at >= 0x20 && *at < 0x7f);
	identity_release(identity);
}

static void
lives_until_its_last_reference(void **state)
{
	static const struct recipe recipe;
	struct identity *identity = identity_at(&recipe, "client", ROLE_CLIENT, NOW);
	(void)state;
	assert_ptr_equal(identity_hold(identity), identity);
	identity_release(identity);
	assert_string_equal(identity_name(identity), "CN=leaf");
	assert_null(identity_grant(identity));
	assert_true(allows(identity, "192.0.2.1"));
	identity_release(identity);
	identity_release(NULL);
}

static void
gives_each_code_a_word_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < VERIFY_CODES; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(verify_code_word((enum verify_code)i), verify_code_word((enum verify_code)k));
	assert_string_equal(verify_code_word(VERIFY_REVOKED), "certificate-revoked");
	assert_string_equal(role_word(ROLE_RELAY), "relay");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_who_it_is),
		cmocka_unit_test(keeps_of_a_client_what_rules_compare),
		cmocka_unit_test(has_the_numbers_of_every_level),
		cmocka_unit_test(is_the_issuers_key_and_the_grants_name),
		cmocka_unit_test(covers_what_its_sans_say),
		cmocka_unit_test(allows_the_addresses_and_regions_of_its_grant),
		cmocka_unit_test(begins_five_minutes_early_and_ends_in_time),
		cmocka_unit_test(ends_with_the_first_certificate_of_its_chain),
		cmocka_unit_test(escapes_a_hostile_subject),
		cmocka_unit_test(lives_until_its_last_reference),
		cmocka_unit_test(gives_each_code_a_word_of_its_own),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("identity", tests, set_up, tear_down);
}
