/* What the page is told: documents, each no longer than it may be, and only when they have changed. */
#include "base/page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/admin.h"
#include "base/log_recent.h"
#include "base/reload_faults.h"
#include "base/units.h"
#include "base/upstream_group.h"

enum {
	DAY_S = 86400,
	ATTENTION_MOST = 20,
	ENDINGS_MOST = 40,
	SENTENCE = 600,
	DIGITS = 9, /* of a real number */
};

static char *
text_of(const json_t *document)
{
	return json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS));
}

/* What may be cut, and in which order. */
static const char *const lists[] = { "rows", "certificates", "relays", "attention" };

static json_t *
list_to_cut(const json_t *document)
{
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		json_t *list = json_object_get(document, lists[i]);

		if (json_array_size(list) > 0)
			return list;
	}
	return NULL;
}

/* As many as are likely to fit, and fewer than before. */
static bool
drop_rows(json_t *document, size_t bytes, size_t most)
{
	json_t *rows = list_to_cut(document);
	size_t count = json_array_size(rows), keep = count * most / bytes;

	if (count == 0)
		return false;
	for (keep = keep < count ? keep : count - 1; count > keep; count--)
		json_array_remove(rows, count - 1);
	return true;
}

/* NULL when memory is short, or nothing of it fits. */
static char *
fitting_text(json_t *document, size_t most)
{
	char *text = text_of(document);

	while (text && strlen(text) > most) {
		bool has_rows = drop_rows(document, strlen(text), most);

		free(text);
		text = has_rows ? text_of(document) : NULL;
	}
	return text;
}

void
page_tell(struct page_part *part, struct web *web, json_t *document)
{
	char *text = document ? fitting_text(document, part->most) : NULL;

	json_decref(document);
	if (!text || (part->text && strcmp(text, part->text) == 0)) {
		free(text);
		return;
	}
	web_publish(web, part->word, text, strlen(text));
	free(part->text);
	part->text = text;
}

void
page_part_wipe(struct page_part *part)
{
	free(part->text);
	part->text = NULL;
}

static json_t *
describe_events(const struct log_recent *events, size_t count)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(rows,
		    json_pack("{s:I, s:s, s:s, s:s, s:s}", "at", (json_int_t)events[i].at_s,
			"level", log_level_name(events[i].level), "event", events[i].event, "text",
			events[i].text, "fields", events[i].fields));
	return json_pack("{s:o?}", "rows", rows);
}

void
page_tell_events(struct page_events *told, struct web *web)
{
	uint64_t version = log_recent_version();
	struct log_recent *events;

	if (told->part.text && version == told->version)
		return;
	events = calloc(LOG_RECENT_MOST, sizeof *events);
	if (!events)
		return;
	told->version = version;
	page_tell(&told->part, web, describe_events(events, log_recent_copy(events)));
	free(events);
}

/* ---- what both daemons tell ---- */

void
page_attend(json_t *attention, const char *level, const char *sentence)
{
	if (sentence && json_array_size(attention) < ATTENTION_MOST)
		json_array_append_new(attention,
		    json_pack("{s:s, s:o?}", "level", level, "text", admin_text(sentence)));
}

static const char *
member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

void
page_attend_reload(json_t *attention, const struct reload_faults *faults)
{
	json_t *document = reload_faults_describe(faults);
	const json_t *list = json_object_get(document, "reload_faults");
	char sentence[SENTENCE];

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		snprintf(sentence, sizeof sentence, "%s is not taken up since %s: %s",
		    member(one, "part"), member(one, "since"), member(one, "error"));
		page_attend(attention, "error", sentence);
	}
	json_decref(document);
}

void
page_attend_upstreams(json_t *attention, const char *whose, struct upstream_group *group)
{
	char error[UPSTREAM_ERROR_TEXT], sentence[SENTENCE];

	for (unsigned i = 0; group && i < upstream_group_count(group); i++) {
		if (upstream_group_state(group, i) != UPSTREAM_DOWN)
			continue;
		snprintf(sentence, sizeof sentence, "the upstream %s of %s is down: %s",
		    upstream_group_target(group, i), whose, upstream_group_error(group, i, error));
		page_attend(
		    attention, upstream_group_is_down(group) ? "error" : "warning", sentence);
	}
}

bool
page_endings_begin(struct page_endings *endings, uint64_t now_ms)
{
	if (endings->gathered_ms > 0 && now_ms - endings->gathered_ms < PAGE_ENDINGS_MS)
		return false;
	endings->gathered_ms = now_ms;
	endings->count = 0;
	return true;
}

void
page_endings_add(struct page_endings *endings, const struct ending *ending)
{
	if (endings->count < PAGE_ENDINGS_MOST)
		endings->list[endings->count++] = *ending;
}

/* As the log judges, where the life is known: its last third is soon, its last tenth is late. */
const char *
page_end_level(int64_t begins_s, int64_t ends_s, int64_t now_s)
{
	int64_t life_s = begins_s > 0 ? ends_s - begins_s : 30 * DAY_S, left_s = ends_s - now_s;

	if (left_s <= 0 || (left_s < life_s / 10 && left_s < 7 * DAY_S))
		return "error";
	return left_s < life_s / 3 && left_s < 30 * DAY_S ? "warning" : "";
}

static void
attend_ending(json_t *attention, const struct ending *ending, const char *level, int64_t now_s)
{
	char sentence[SENTENCE], when[TIME_TEXT];

	snprintf(sentence, sizeof sentence, "%s (%s) %s on %s", ending->what, ending->name,
	    ending->ends_s <= now_s ? "has ended" : "ends", time_text(ending->ends_s, when));
	page_attend(attention, level, sentence);
}

static int
soonest_first(const void *a, const void *b)
{
	const struct ending *left = a, *right = b;

	return left->ends_s < right->ends_s ? -1 : left->ends_s > right->ends_s;
}

json_t *
page_endings_describe(struct page_endings *endings, int64_t now_s, json_t *attention)
{
	json_t *list = json_array();

	qsort(endings->list, endings->count, sizeof endings->list[0], soonest_first);
	for (size_t i = 0; list && i < endings->count && i < ENDINGS_MOST; i++) {
		const struct ending *one = &endings->list[i];
		const char *level = page_end_level(one->begins_s, one->ends_s, now_s);

		if (level[0] != '\0')
			attend_ending(attention, one, level, now_s);
		json_array_append_new(list,
		    json_pack("{s:s, s:o?, s:I, s:s}", "what", one->what, "name",
			admin_text(one->name), "ends", (json_int_t)one->ends_s, "level", level));
	}
	return list;
}

void
page_limit(json_t *limits, const char *what, enum page_unit unit, uint64_t used, uint64_t bound,
    json_t *attention)
{
	char sentence[128];

	json_array_append_new(limits,
	    json_pack("{s:s, s:b, s:I, s:I}", "what", what, "is_bytes", unit == PAGE_BYTES, "used",
		(json_int_t)used, "bound", (json_int_t)bound));
	if (bound == 0 || used < bound - bound / 10)
		return;
	snprintf(sentence, sizeof sentence,
	    "%s: nine tenths of what there may be at once are in use", what);
	page_attend(attention, "warning", sentence);
}

double
page_median(struct page_median *median, enum histogram_kind kind, const struct histogram_sum *now)
{
	struct histogram_sum fresh = { .count = now->count - median->before.count };

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		fresh.bucket[i] = now->bucket[i] - median->before.bucket[i];
	if (fresh.count > 0) {
		median->before = *now;
		median->us = (double)histogram_quantile(&fresh, kind, 0.5);
		median->has_any = true;
	}
	return median->has_any ? median->us : NAN;
}
