/* Facts are a list in order of their types, so that each has one place. */
#include "tunnel/facts.h"

#include <string.h>

static const struct fact_row *
find_fact(const struct fact_row *rows, unsigned type)
{
	while (rows->is_well_formed && rows->type != type)
		rows++;
	return rows->is_well_formed ? rows : NULL;
}

bool
facts_read(struct cursor *in, const struct fact_row *rows, struct facts *out, bool *is_understood)
{
	int32_t before = -1;
	*out = (struct facts){ in->at, in->left };
	*is_understood = true;
	while (in->left > 0 && !in->failed) {
		unsigned type = cursor_u16(in);
		struct cursor value = cursor_sub(in, cursor_u16(in));
		const struct fact_row *row = find_fact(rows, type);
		if ((int32_t)type <= before || (row && !row->is_well_formed(value)))
			return false;
		*is_understood &= row || type >= FACT_OPTIONAL;
		before = (int32_t)type;
	}
	return cursor_end(in);
}

/* Where a fact of this type stands or would stand. */
static size_t
place_of(struct facts facts, enum fact_type type)
{
	struct cursor in = cursor_over(facts.at, facts.bytes);
	size_t place = 0;
	while (in.left > 0 && cursor_u16(&in) < type) {
		cursor_sub(&in, cursor_u16(&in));
		place = facts.bytes - in.left;
	}
	return place;
}

struct facts
facts_of(const struct writer *w)
{
	return (struct facts){ w->start, w->bytes };
}

bool
facts_find(struct facts facts, enum fact_type type, struct cursor *value)
{
	size_t place = place_of(facts, type);
	if (place == facts.bytes)
		return false;
	struct cursor in = cursor_over(facts.at + place, facts.bytes - place);
	unsigned found = cursor_u16(&in);
	*value = cursor_sub(&in, cursor_u16(&in));
	return found == type && !in.failed;
}

void
facts_put(struct writer *w, enum fact_type type, const void *value, size_t bytes)
{
	enum { HEADER = 4 };
	struct cursor there;
	size_t place = place_of(facts_of(w), type), behind = w->bytes - place;
	if (facts_find(facts_of(w), type, &there))
		return;
	w->failed |= bytes > UINT16_MAX || w->capacity - w->bytes < HEADER + bytes;
	if (w->failed)
		return;
	memmove(w->start + place + HEADER + bytes, w->start + place, behind);
	w->bytes = place;
	writer_u16(w, (uint16_t)type);
	writer_u16(w, (uint16_t)bytes);
	writer_bytes(w, value, bytes);
	w->bytes += behind;
}

bool
facts_octet_is_well_formed(struct cursor value)
{
	return value.left == 1;
}

uint8_t
facts_octet(struct facts facts, enum fact_type type)
{
	struct cursor value;

	return facts_find(facts, type, &value) ? cursor_u8(&value) : 0;
}

void
facts_put_octet(struct writer *w, enum fact_type type, uint8_t value)
{
	if (value != 0)
		facts_put(w, type, &value, sizeof value);
}
