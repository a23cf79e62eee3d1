/* Lists of addresses, from texts to rules. */
#include "base/address_rows.h"

#include <stdio.h>
#include <stdlib.h>

bool
address_rows_is_prefix(const char *text, char error[256])
{
	struct prefix prefix;

	if (prefix_parse_exact(&prefix, text))
		return true;
	snprintf(error, 256, "%s",
	    prefix_parse(&prefix, text)
		? "has bits beyond its length; write the block's first address, or the address alone"
		: "is not a valid block of addresses; write it as 192.0.2.0/24");
	return false;
}

struct prefix *
address_rows_prefixes(const struct conf_texts *texts)
{
	struct prefix *prefixes = calloc(texts->count + 1, sizeof *prefixes);

	for (size_t i = 0; prefixes && i < texts->count; i++)
		prefix_parse(&prefixes[i], texts->items[i]);
	return prefixes;
}

bool
address_rows_are_given(const struct address_settings *settings)
{
	return settings->allow.count + settings->deny.count > 0;
}

/* An empty list might be meant as everybody or as nobody. */
static void
check_empty(const char *key, const struct conf_texts *texts, struct conf_mark mark,
    struct conf_report *report)
{
	if (mark.line > 0 && texts->count == 0)
		conf_error(report, mark,
		    "%s is empty; list at least one block of addresses, or remove the key", key);
}

/* Of the list in which the first one stands that is too many. */
static void
check_count(const struct address_settings *settings, struct conf_report *report)
{
	size_t allowed = settings->allow.count, denied = settings->deny.count;
	bool is_allow = allowed > ADDRESS_RULES_MOST;

	if (allowed + denied > ADDRESS_RULES_MOST)
		conf_error(report,
		    is_allow ? settings->allow.marks[ADDRESS_RULES_MOST]
			     : settings->deny.marks[ADDRESS_RULES_MOST - allowed],
		    "allow and deny have %zu blocks of addresses together, and may have %d; join some to "
		    "wider ones",
		    allowed + denied, ADDRESS_RULES_MOST);
}

/* Who reads a list as a sequence, or takes the most precise block for the one that counts, expects
 * exceptions of `deny` to be let in. */
static void
check_allowed(const struct address_settings *settings, size_t index, const struct prefix *allow,
    const struct prefix *deny, struct conf_report *report)
{
	for (size_t i = 0; i < settings->deny.count; i++) {
		if (!prefix_covers(&deny[i], allow))
			continue;
		conf_error(report, settings->allow.marks[index],
		    "%s lets nobody in, because deny has %s in line %u, and deny wins; remove one of "
		    "the two (with allow, whom it does not list is refused anyway)",
		    settings->allow.items[index], settings->deny.items[i],
		    settings->deny.marks[i].line);
		return;
	}
}

void
address_rows_check(const struct address_settings *settings, struct conf_report *report)
{
	struct prefix *allow = address_rows_prefixes(&settings->allow);
	struct prefix *deny = address_rows_prefixes(&settings->deny);

	check_empty("allow", &settings->allow, settings->allow_mark, report);
	check_empty("deny", &settings->deny, settings->deny_mark, report);
	check_count(settings, report);
	if (!allow || !deny)
		conf_error(report, settings->allow_mark, "cannot be kept: memory is short");
	for (size_t i = 0; allow && deny && i < settings->allow.count; i++)
		check_allowed(settings, i, &allow[i], deny, report);
	free(allow);
	free(deny);
}

bool
address_rows_make(const struct address_settings *settings, struct address_rules **out)
{
	struct prefix *allow, *deny;

	*out = NULL;
	if (!address_rows_are_given(settings))
		return true;
	allow = address_rows_prefixes(&settings->allow);
	deny = address_rows_prefixes(&settings->deny);
	if (allow && deny)
		*out = address_rules_new((struct address_list){ allow, settings->allow.count },
		    (struct address_list){ deny, settings->deny.count });
	free(allow);
	free(deny);
	return *out != NULL;
}
