/* `valise-agent check --client`: puts a certificate before an endpoint as TLS would, and tells the answer. */
#include "agent/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/command.h"
#include "agent/endpoint.h"
#include "agent/settings.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/units.h"
#include "base/utf8.h"
#include "pki/attribute.h"
#include "pki/pem.h"
#include "pki/verify.h"
#include "pki/x509.h"

/* The question, and what of the answer every part of it needs. */
struct client_check {
	const char *config_path, *client_path;
	const struct agent_settings *all;
	const struct endpoint_settings *settings; /* of the endpoint */
	struct endpoint *endpoint;
};

/* ---- what the certificate says ---- */

static void
print_key(const char *word, const uint8_t key[IDENTITY_KEY_BYTES], const char *name)
{
	char digits[2 * IDENTITY_KEY_BYTES + 1];

	printf("  %s: %s%s%s\n", word, hex_encode(digits, key, IDENTITY_KEY_BYTES),
	    name[0] ? "  # " : "", name);
}

static void
print_names(const struct identity *identity, enum general_name kind, const char *word)
{
	struct cursor names = der_over(identity_alternative_names(identity));
	struct der name;
	char shown[256];

	while (x509_next_name_of(&names, kind, &name)) {
		log_quote(shown, sizeof shown, (const char *)name.data, (unsigned)name.bytes);
		printf("  %s: \"%s\"\n", word, shown);
	}
}

/* As YAML reads it again.  attribute_text() vouches for UTF-8 without control characters. */
static void
print_quoted(const char *word, struct der text)
{
	uint32_t point;

	printf("  %s: \"", word);
	for (size_t at = 0, step; at < text.bytes; at += step) {
		step = utf8_decode(text.data + at, text.bytes - at, &point);
		if (utf8_is_invisible(point))
			printf("\\U%08" PRIX32, point);
		else
			printf("%s%.*s", point == '"' || point == '\\' ? "\\" : "", (int)step,
			    (const char *)text.data + at);
	}
	puts("\"");
}

/* Only those that a rule can equal. */
static void
print_texts(const struct identity *identity, const char *oid, const char *word)
{
	struct attributes attributes = attributes_of(identity_subject_name(identity));
	struct attribute attribute;

	while (attributes_next(&attributes, &attribute))
		if (der_oid_is(attribute.oid, oid) && attribute_text(&attribute).bytes > 0)
			print_quoted(word, attribute_text(&attribute));
}

/* In the words of the rules, to be copied. */
static void
print_certificate(const struct client_check *check, const struct identity *identity)
{
	char name[IDENTITY_LEVEL_NAME];
	const uint8_t *key;

	printf("%s: %s\n", check->client_path, identity_subject(identity));
	print_names(identity, NAME_DNS, "dns");
	print_names(identity, NAME_EMAIL, "email");
	print_names(identity, NAME_URI, "uri");
	print_texts(identity, OID_COMMON_NAME, "cn");
	print_texts(identity, OID_ORGANIZATIONAL_UNIT, "ou");
	print_key("spki", identity_spki(identity, 0), "");
	printf("  serial: %s\n", identity_serial(identity));
	for (size_t level = 1; (key = identity_spki(identity, level)); level++)
		print_key("issuer", key, identity_level_name(identity, level, name));
}

/* ---- the answer ---- */

static void
print_entry(const struct client_check *check, size_t number, const char *what)
{
	struct conf_mark mark = client_rules_mark(&check->settings->termination.clients, number);

	printf(
	    "%s:%u:%u: entry %zu %s\n", check->config_path, mark.line, mark.column, number, what);
}

static int
judge_by_rules(const struct client_check *check, const struct identity *identity)
{
	const struct client_rules *rules = check->endpoint->rules;
	size_t found = rules ? client_rules_find(rules, identity) : 0;

	if (found > 0)
		print_entry(check, found, "lets it in");
	for (size_t i = 1; rules && found == 0 && i <= client_rules_count(rules); i++) {
		print_entry(check, i, "does not let it in");
		client_rules_explain(rules, i, identity, "  ", stdout);
	}
	printf("endpoint %s: %s\n", check->settings->name,
	    !rules          ? "let in: there are no rules under clients"
		: found > 0 ? "let in"
			    : "refused: client-denied, TLS alert 49 (access_denied)");
	return rules && found == 0;
}

static int
judge_chain(const struct client_check *check, const struct pem_file *file)
{
	struct der chain[VERIFY_CHAIN];
	struct verdict verdict;
	struct identity *identity;
	size_t count = file->count < VERIFY_CHAIN ? file->count : VERIFY_CHAIN;
	int code = 1;

	for (size_t i = 0; i < count; i++)
		chain[i] = pem_block(file, i);
	identity = verify_chain(
	    check->endpoint->clients, ROLE_CLIENT, chain, count, NULL, clock_wall_s(), &verdict);
	if (!identity && verdict.code == VERIFY_INTERNAL)
		code = command_fail("check", EX_OSERR, "memory is short");
	else if (!identity)
		printf("endpoint %s: refused: %s, TLS alert %u: %s\n", check->settings->name,
		    verify_code_word(verdict.code), verdict.alert, verdict.sentence);
	else {
		print_certificate(check, identity);
		code = judge_by_rules(check, identity);
	}
	identity_release(identity);
	return code;
}

/* Who asks for no certificate lets in this one, too. */
static int
judge(const struct client_check *check)
{
	struct pem_file file;
	char error[PEM_ERROR];
	int code;

	memory_begin();
	if (!pem_load(&file, check->client_path, PEM_CERTIFICATE, error)) {
		code = memory_exit_code(
		    access(check->client_path, R_OK) < 0 ? EX_NOINPUT : EX_DATAERR);
		return command_fail("check", code, "%s", error);
	}
	if (check->endpoint->clients)
		code = judge_chain(check, &file);
	else {
		code = 0;
		printf("endpoint %s: let in: %s\n", check->settings->name,
		    check->endpoint->terminates
			? "no certificate is asked for"
			: "it passes through, and the upstream judges its clients");
	}
	pem_wipe(&file);
	return code;
}

static const struct endpoint_settings *
find_endpoint(const struct agent_settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->endpoints.count; i++)
		if (strcmp(agent_settings_endpoint(settings, i)->name, name) == 0)
			return agent_settings_endpoint(settings, i);
	return NULL;
}

static int
check_endpoint(struct client_check *check)
{
	char error[ENDPOINT_ERROR];
	int code;

	memory_begin();
	check->endpoint = endpoint_new(check->settings, 1, check->all, NULL, error);
	if (!check->endpoint) {
		code = memory_exit_code(EX_CONFIG);
		agent_check_tell(check->config_path, check->all, error);
		return code;
	}
	code = judge(check);
	endpoint_release(check->endpoint);
	return code;
}

int
agent_check_client(const char *config_path, const char *client_path, const char *endpoint_name)
{
	struct agent_settings settings;
	struct client_check check = {
		.config_path = config_path, .client_path = client_path, .all = &settings
	};
	int code = agent_check_read(&settings, config_path);

	if (code == 0) {
		check.settings = find_endpoint(&settings, endpoint_name);
		code = check.settings
		    ? check_endpoint(&check)
		    : command_fail("check", EX_USAGE, "%s has no endpoint with the name \"%s\"",
			  config_path, endpoint_name);
	}
	agent_settings_wipe(&settings);
	return code;
}
