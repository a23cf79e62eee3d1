/* From a scalar's text to a value in the row's unit, or a sentence that says what would be
 * valid. */
#include "base/conf_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/units.h"

struct shown_unit {
	const char *name;
	uint64_t factor;
};

/* Largest first: a bound is told in the largest unit of which it is a whole number. */
static const struct shown_unit durations[] = { { "h", 3600000 }, { "m", 60000 }, { "s", 1000 },
	{ "ms", 1 }, { NULL, 1 } };
static const struct shown_unit sizes[] = { { "GiB", 1 << 30 }, { "MiB", 1 << 20 },
	{ "KiB", 1 << 10 }, { "B", 1 }, { NULL, 1 } };
static const struct shown_unit plain[] = { { "", 1 }, { NULL, 1 } };

const char *
conf_shown(char out[CONF_SHOWN], const char *text)
{
	size_t bytes = strlen(text);

	log_quote(out, CONF_SHOWN, text, bytes < CONF_SHOWN ? (unsigned)bytes : CONF_SHOWN);
	return out;
}

__attribute__((format(printf, 3, 4))) static bool
fail(char error[CONF_SENTENCE], const char *text, const char *format, ...)
{
	char shown[CONF_SHOWN];
	size_t used = (size_t)snprintf(error, CONF_SENTENCE, "\"%s\" ", conf_shown(shown, text));
	va_list args;

	va_start(args, format);
	vsnprintf(error + used, CONF_SENTENCE - used, format, args);
	va_end(args);
	return false;
}

static void
amount_text(char out[32], uint64_t amount, const struct shown_unit *unit)
{
	while (amount % unit->factor != 0 || (amount == 0 && unit->factor != 1))
		unit++;
	snprintf(out, 32, "%" PRIu64 "%s", amount / unit->factor, unit->name);
}

static bool
set_amount(const struct conf_row *row, void *value, uint64_t amount, const char *text,
    const struct shown_unit *units, char error[CONF_SENTENCE])
{
	char least[32], most[32];

	if (row->most != 0 && (amount < row->least || amount > row->most)) {
		amount_text(least, row->least, units);
		amount_text(most, row->most, units);
		return row->least == row->most
		    ? fail(error, text, "is not known; give %s", least)
		    : fail(error, text, "is out of range; give %s to %s", least, most);
	}
	memcpy(value, &amount, sizeof amount);
	return true;
}

static bool
set_number(const struct conf_row *row, void *value, const char *text, char error[CONF_SENTENCE])
{
	uint64_t amount;

	if (!number_parse(text, &amount))
		return fail(error, text, "is not a whole number; write digits only");
	return set_amount(row, value, amount, text, plain, error);
}

static bool
set_duration(const struct conf_row *row, void *value, const char *text, char error[CONF_SENTENCE])
{
	uint64_t amount;

	if (!duration_parse(text, &amount))
		return fail(error, text,
		    "is not a duration; write a number with its unit "
		    "(ms, s, m, h, d), as in 500ms, 10s or 1m30s");
	return set_amount(row, value, amount, text, durations, error);
}

static bool
set_size(const struct conf_row *row, void *value, const char *text, char error[CONF_SENTENCE])
{
	uint64_t amount;

	if (!size_parse(text, &amount))
		return fail(error, text,
		    "is not a size; write a number of bytes or one with its unit "
		    "(KiB, MiB, GiB, KB, MB, GB), as in 16KiB");
	return set_amount(row, value, amount, text, sizes, error);
}

static bool
set_bool(const struct conf_row *row, void *value, const char *text, char error[CONF_SENTENCE])
{
	static const struct {
		const char *word;
		bool truth;
	} words[] = {
		{ "true", true },
		{ "yes", true },
		{ "on", true },
		{ "false", false },
		{ "no", false },
		{ "off", false },
	};

	(void)row;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(text, words[i].word) == 0) {
			memcpy(value, &words[i].truth, sizeof(bool));
			return true;
		}
	}
	return fail(error, text, "is neither true nor false; write one of them");
}

static bool
set_word(const struct conf_row *row, void *value, const char *text, char error[CONF_SENTENCE])
{
	char list[256] = "";
	const char *hint;

	for (int i = 0; row->words[i]; i++) {
		size_t used = strlen(list);

		if (strcmp(text, row->words[i]) == 0) {
			memcpy(value, &i, sizeof i);
			return true;
		}
		snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "", row->words[i]);
	}
	hint = conf_hint_word(row->words, text);
	return hint
	    ? fail(error, text, "is not known here; did you mean \"%s\"? (one of: %s)", hint, list)
	    : fail(error, text, "is not known here; write one of: %s", list);
}

static bool
set_text(const struct conf_row *row, void *value, const char *text, char error[CONF_SENTENCE])
{
	char *copy, *old;

	if (!conf_value_check(row, text, error))
		return false;
	copy = strdup(text);
	if (!copy)
		return fail(error, text, "cannot be kept: memory is short");
	memcpy(&old, value, sizeof old);
	free(old);
	memcpy(value, &copy, sizeof copy);
	return true;
}

bool
conf_value_check(const struct conf_row *row, const char *text, char error[CONF_SENTENCE])
{
	char why[256] = "is not allowed here";

	if (!row->check || row->check(text, why))
		return true;
	return fail(error, text, "%s", why);
}

bool
conf_value_set(const struct conf_row *row, void *value, const char *text, char error[CONF_SENTENCE])
{
	static bool (*const setters[])(const struct conf_row *, void *, const char *, char *) = {
		[CONF_TEXT] = set_text,
		[CONF_NUMBER] = set_number,
		[CONF_BOOL] = set_bool,
		[CONF_DURATION] = set_duration,
		[CONF_SIZE] = set_size,
		[CONF_WORD] = set_word,
	};

	return setters[row->kind](row, value, text, error);
}
