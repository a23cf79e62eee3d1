/*
 * Entries and their mappings: from settings to rules, and what the rules say of a client.
 */
#include "agent/client_rules.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pki/x509.h"

enum { SHOWN = 96 };

struct client_rule {
	struct client_value values[CLIENT_KEYS];
};

struct client_entry {
	struct client_rule own;
	struct client_rule *any, *all;
	size_t any_count, all_count;
};

struct client_rules {
	uint64_t id;
	size_t count;
	struct client_entry entries[];
};

/* ---- the rows ---- */

#define VALUE(word, type, values, marks, key) \
	{ \
		word, CONF_TEXT, offsetof(struct type, values[key]), \
		    .mark_offset = offsetof(struct type, marks[key]) \
	}
#define VALUES(type, values, marks) \
	VALUE("dns", type, values, marks, CLIENT_DNS), \
	    VALUE("email", type, values, marks, CLIENT_EMAIL), \
	    VALUE("uri", type, values, marks, CLIENT_URI), \
	    VALUE("cn", type, values, marks, CLIENT_CN), \
	    VALUE("ou", type, values, marks, CLIENT_OU), \
	    VALUE("spki", type, values, marks, CLIENT_SPKI), \
	    VALUE("serial", type, values, marks, CLIENT_SERIAL), \
	    VALUE("issuer", type, values, marks, CLIENT_ISSUER)

static const struct conf_row rule_rows[] = {
	VALUES(client_rule_settings, values, marks),
	{ 0 },
};

const struct conf_row client_entry_rows[] = {
	VALUES(client_entry_settings, own.values, own.marks),
	{ "any", CONF_MAPPINGS, offsetof(struct client_entry_settings, any), .table = rule_rows,
	    .item_bytes = sizeof(struct client_rule_settings),
	    .mark_offset = offsetof(struct client_entry_settings, any_mark) },
	{ "all", CONF_MAPPINGS, offsetof(struct client_entry_settings, all), .table = rule_rows,
	    .item_bytes = sizeof(struct client_rule_settings),
	    .mark_offset = offsetof(struct client_entry_settings, all_mark) },
	{ 0 },
};

/* ---- the settings ---- */

static const struct client_entry_settings *
entry_at(const struct conf_items *entries, size_t index)
{
	return (const struct client_entry_settings *)entries->items + index;
}

static const struct client_rule_settings *
rule_at(const struct conf_items *rules, size_t index)
{
	return (const struct client_rule_settings *)rules->items + index;
}

/* Of two values that which stands first; line 0: there is none. */
static struct conf_mark
earlier_of(struct conf_mark a, struct conf_mark b)
{
	bool is_b = b.line < a.line || (b.line == a.line && b.column < a.column);

	if (a.line == 0 || b.line == 0)
		return a.line == 0 ? b : a;
	return is_b ? b : a;
}

struct conf_mark
client_rules_mark(const struct conf_items *entries, size_t number)
{
	const struct client_entry_settings *entry;
	struct conf_mark mark = { 0, 0 };

	if (number == 0 || number > entries->count)
		return mark;
	entry = entry_at(entries, number - 1);
	for (size_t key = 0; key < CLIENT_KEYS; key++)
		mark = earlier_of(mark, entry->own.marks[key]);
	return earlier_of(mark, earlier_of(entry->any_mark, entry->all_mark));
}

static void
wipe_rule(struct client_rule *rule)
{
	for (size_t key = 0; key < CLIENT_KEYS; key++)
		free(rule->values[key].text);
}

static void
check_values(const struct client_rule_settings *settings, struct conf_report *report)
{
	struct client_rule rule = { 0 };
	char shown[SHOWN];
	const char *why;

	for (size_t key = 0; key < CLIENT_KEYS; key++) {
		const char *text = settings->values[key];

		if (!text || client_key_rows[key].parse(&rule.values[key], text, &why))
			continue;
		log_quote(shown, sizeof shown, text, (unsigned)strnlen(text, sizeof shown));
		conf_error(report, settings->marks[key], "clients: %s: \"%s\" %s",
		    client_key_rows[key].name, shown, why);
	}
	wipe_rule(&rule);
}

static bool
is_empty(const struct client_rule_settings *rule)
{
	for (size_t key = 0; key < CLIENT_KEYS; key++)
		if (rule->values[key])
			return false;
	return true;
}

/* Each issuer counts its own serial numbers. */
static void
check_serial(
    const struct client_rule_settings *rule, const char *issuer, struct conf_report *report)
{
	if (rule->values[CLIENT_SERIAL] && (!issuer || strcmp(issuer, "any") == 0))
		conf_error(report, rule->marks[CLIENT_SERIAL],
		    "clients: serial is unique for one issuer only; write issuer: and the SHA-256 of "
		    "that CA's public key beside it");
}

/* One mapping of an entry, or in a list of it. */
static void
check_rule(const struct client_rule_settings *rule, const char *issuer_of_entry,
    struct conf_report *report)
{
	const char *issuer = rule->values[CLIENT_ISSUER];

	check_values(rule, report);
	check_serial(rule, issuer ? issuer : issuer_of_entry, report);
}

static void
check_list(const struct conf_items *rules, struct conf_mark mark, const char *issuer,
    struct conf_report *report)
{
	if (mark.line > 0 && rules->count == 0)
		conf_error(report, mark,
		    "clients: the list is empty, and says nothing; remove it, or write what to "
		    "compare with");
	for (size_t i = 0; i < rules->count; i++) {
		if (is_empty(rule_at(rules, i)))
			conf_error(report, mark,
			    "clients: mapping %zu of this list has no key, and would hold for "
			    "everybody; write what to compare with",
			    i + 1);
		check_rule(rule_at(rules, i), issuer, report);
	}
}

void
client_rules_check(
    const struct conf_items *entries, struct conf_mark mark, struct conf_report *report)
{
	size_t mappings = entries->count;

	for (size_t i = 0; i < entries->count; i++) {
		const struct client_entry_settings *entry = entry_at(entries, i);
		const char *issuer = entry->own.values[CLIENT_ISSUER];

		if (is_empty(&entry->own) && entry->any_mark.line == 0 && entry->all_mark.line == 0)
			conf_error(report, mark,
			    "clients: entry %zu has no key, and would let in everybody; write what "
			    "to compare with, or issuer: any if that is meant",
			    i + 1);
		check_rule(&entry->own, NULL, report);
		check_list(&entry->any, entry->any_mark, issuer, report);
		check_list(&entry->all, entry->all_mark, issuer, report);
		mappings += entry->any.count + entry->all.count;
	}
	if (mappings > CLIENT_RULES_MOST)
		conf_error(report, mark,
		    "clients: %zu mappings are more than the %d that an endpoint may have; let an "
		    "issuer, an ou or a wildcard stand for several",
		    mappings, CLIENT_RULES_MOST);
}

static bool
rules_are_alike(const struct client_rule_settings *a, const struct client_rule_settings *b)
{
	for (size_t key = 0; key < CLIENT_KEYS; key++) {
		const char *left = a->values[key], *right = b->values[key];

		if (!left != !right || (left && strcmp(left, right) != 0))
			return false;
	}
	return true;
}

static bool
lists_are_alike(const struct conf_items *a, const struct conf_items *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (!rules_are_alike(rule_at(a, i), rule_at(b, i)))
			return false;
	return a->count == b->count;
}

bool
client_rules_are_alike(const struct conf_items *a, const struct conf_items *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++) {
		const struct client_entry_settings *left = entry_at(a, i), *right = entry_at(b, i);

		if (!rules_are_alike(&left->own, &right->own) ||
		    !lists_are_alike(&left->any, &right->any) ||
		    !lists_are_alike(&left->all, &right->all))
			return false;
	}
	return a->count == b->count;
}

/* ---- the rules ---- */

static void
wipe_list(struct client_rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++)
		wipe_rule(&rules[i]);
	free(rules);
}

void
client_rules_free(struct client_rules *rules)
{
	for (size_t i = 0; rules && i < rules->count; i++) {
		struct client_entry *entry = &rules->entries[i];

		wipe_rule(&entry->own);
		wipe_list(entry->any, entry->any_count);
		wipe_list(entry->all, entry->all_count);
	}
	free(rules);
}

/* What has no issuer gets that of its entry.  False: memory. */
static bool
take_rule(struct client_rule *rule, const struct client_rule_settings *settings,
    const struct client_rule_settings *entry)
{
	const char *why;

	for (size_t key = 0; key < CLIENT_KEYS; key++) {
		const char *text = settings->values[key];

		if (!text && key == CLIENT_ISSUER && !is_empty(settings))
			text = entry->values[key];
		if (text && !client_key_rows[key].parse(&rule->values[key], text, &why))
			return false;
	}
	rule->values[CLIENT_ISSUER].is_direct = settings->values[CLIENT_SERIAL] != NULL;
	return true;
}

static bool
take_list(struct client_rule **rules, size_t *count, const struct conf_items *settings,
    const struct client_rule_settings *entry)
{
	*rules = calloc(settings->count + 1, sizeof **rules);
	*count = *rules ? settings->count : 0;
	for (size_t i = 0; i < *count; i++)
		if (!take_rule(&(*rules)[i], rule_at(settings, i), entry))
			return false;
	return *rules != NULL;
}

static bool
take_entry(struct client_entry *entry, const struct client_entry_settings *settings)
{
	return take_rule(&entry->own, &settings->own, &settings->own) &&
	    take_list(&entry->any, &entry->any_count, &settings->any, &settings->own) &&
	    take_list(&entry->all, &entry->all_count, &settings->all, &settings->own);
}

/* False only if it compares something and leaves open who has issued that. */
static bool
names_issuer(const struct client_rule *rule)
{
	for (size_t key = 0; key < CLIENT_KEYS; key++)
		if (rule->values[key].text)
			return rule->values[CLIENT_ISSUER].text != NULL;
	return true;
}

static bool
entry_names_issuer(const struct client_entry *entry)
{
	bool is_named = names_issuer(&entry->own);

	for (size_t i = 0; i < entry->any_count; i++)
		is_named &= names_issuer(&entry->any[i]);
	for (size_t i = 0; i < entry->all_count; i++)
		is_named &= names_issuer(&entry->all[i]);
	return is_named;
}

struct client_rules *
client_rules_new(
    const struct conf_items *entries, bool needs_issuer, char error[CLIENT_RULES_ERROR])
{
	static _Atomic uint64_t last_id;
	struct client_rules *rules =
	    calloc(1, sizeof *rules + entries->count * sizeof rules->entries[0]);
	bool is_taken = rules != NULL, is_fine = true;

	snprintf(error, CLIENT_RULES_ERROR, "memory is short");
	for (size_t i = 0; is_taken && is_fine && i < entries->count; i++) {
		rules->count++;
		is_taken = take_entry(&rules->entries[i], entry_at(entries, i));
		is_fine = !is_taken || !needs_issuer || entry_names_issuer(&rules->entries[i]);
		if (!is_fine)
			snprintf(error, CLIENT_RULES_ERROR,
			    "clients, entry %zu: several CAs are listed, and each could issue what "
			    "another means to be its own; write issuer: and the SHA-256 of the CA's "
			    "public key in each mapping, or issuer: any",
			    i + 1);
	}
	if (is_taken && is_fine) {
		rules->id = atomic_fetch_add(&last_id, 1) + 1;
		return rules;
	}
	client_rules_free(rules);
	return NULL;
}

size_t
client_rules_count(const struct client_rules *rules)
{
	return rules->count;
}

uint64_t
client_rules_id(const struct client_rules *rules)
{
	return rules->id;
}

/* ---- a certificate ---- */

static bool
holds(const struct client_rule *rule, size_t key, const struct identity *identity)
{
	const struct client_value *value = &rule->values[key];

	return !value->text || client_key_rows[key].matches(value, identity);
}

static bool
rule_holds(const struct client_rule *rule, const struct identity *identity)
{
	for (size_t key = 0; key < CLIENT_KEYS; key++)
		if (!holds(rule, key, identity))
			return false;
	return true;
}

static size_t
count_holding(const struct client_rule *rules, size_t count, const struct identity *identity)
{
	size_t holding = 0;

	for (size_t i = 0; i < count; i++)
		holding += rule_holds(&rules[i], identity);
	return holding;
}

static bool
entry_holds(const struct client_entry *entry, const struct identity *identity)
{
	return rule_holds(&entry->own, identity) &&
	    (entry->any_count == 0 || count_holding(entry->any, entry->any_count, identity) > 0) &&
	    count_holding(entry->all, entry->all_count, identity) == entry->all_count;
}

/* So that nobody's names make a judgement long. */
static bool
has_few_names(const struct identity *identity)
{
	struct cursor names = der_over(identity_alternative_names(identity));
	struct der name;
	unsigned tag, count = 0;

	while (count <= CLIENT_NAMES_MOST && x509_next_name(&names, &tag, &name))
		count++;
	return count <= CLIENT_NAMES_MOST;
}

size_t
client_rules_find(const struct client_rules *rules, const struct identity *identity)
{
	if (!identity || !has_few_names(identity))
		return 0;
	for (size_t i = 0; i < rules->count; i++)
		if (entry_holds(&rules->entries[i], identity))
			return i + 1;
	return 0;
}

static void
explain_rule(const struct client_rule *rule, const struct identity *identity, const char *head,
    const char *where, FILE *out)
{
	char shown[SHOWN];

	for (size_t key = 0; key < CLIENT_KEYS; key++) {
		const char *text = rule->values[key].text;

		if (holds(rule, key, identity))
			continue;
		log_quote(shown, sizeof shown, text, (unsigned)strnlen(text, sizeof shown));
		fprintf(out, "%s%s%s \"%s\" %s\n", head, where, client_key_rows[key].name, shown,
		    client_key_rows[key].miss);
	}
}

static void
explain_list(const struct client_rule *rules, size_t count, const char *word,
    const struct identity *identity, const char *head, FILE *out)
{
	char where[48];

	for (size_t i = 0; i < count; i++) {
		snprintf(where, sizeof where, "%s, mapping %zu: ", word, i + 1);
		explain_rule(&rules[i], identity, head, where, out);
	}
}

void
client_rules_explain(const struct client_rules *rules, size_t number,
    const struct identity *identity, const char *head, FILE *out)
{
	const struct client_entry *entry;

	assert(number > 0 && number <= rules->count);
	entry = &rules->entries[number - 1];
	if (!has_few_names(identity)) {
		fprintf(out, "%sit has more than %d alternative names\n", head, CLIENT_NAMES_MOST);
		return;
	}
	explain_rule(&entry->own, identity, head, "", out);
	if (count_holding(entry->any, entry->any_count, identity) == 0)
		explain_list(entry->any, entry->any_count, "any", identity, head, out);
	explain_list(entry->all, entry->all_count, "all", identity, head, out);
}
