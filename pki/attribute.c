/* The walk over a Name: a SEQUENCE of SETs of pairs of type and value. */
#include "pki/attribute.h"

#include <string.h>

#include "base/utf8.h"

enum { UTF8_STRING = 0x0c, PRINTABLE_STRING = 0x13, IA5_STRING = 0x16 };

struct attributes
attributes_of(struct der name)
{
	struct cursor whole = der_over(name);
	struct attributes all = { .rdns = der_enter(&whole, DER_SEQUENCE) };
	all.rdns.failed = all.rdns.failed || !cursor_end(&whole);
	return all;
}

/* A SET of none is no relative name (X.501, 9.3). */
static void
enter_rdn(struct attributes *all)
{
	all->rdn = der_enter(&all->rdns, DER_SET);
	if (all->rdn.left == 0)
		all->rdns.failed = true;
}

bool
attributes_next(struct attributes *all, struct attribute *out)
{
	if (all->rdn.left == 0 && all->rdns.left > 0)
		enter_rdn(all);
	if (all->rdns.failed || all->rdn.left == 0)
		return false;
	struct cursor pair = der_enter(&all->rdn, DER_SEQUENCE);
	out->oid = der_read(&pair, DER_OID);
	out->value = der_any(&pair, &out->tag);
	if (!cursor_end(&pair))
		all->rdns.failed = true;
	return !all->rdns.failed;
}

bool
attributes_end(const struct attributes *all)
{
	return cursor_end(&all->rdns) && all->rdn.left == 0;
}

static bool
is_readable(const struct attribute *attribute)
{
	return attribute->tag == UTF8_STRING || attribute->tag == PRINTABLE_STRING ||
	    attribute->tag == IA5_STRING;
}

struct der
attribute_text(const struct attribute *attribute)
{
	struct der text = attribute->value;
	uint32_t point;
	for (size_t at = 0, step; at < text.bytes; at += step) {
		step = utf8_decode(text.data + at, text.bytes - at, &point);
		if (step == 0 || point < 0x20 || (point >= 0x7f && point < 0xa0))
			return (struct der){ 0 };
	}
	return is_readable(attribute) ? text : (struct der){ 0 };
}

struct der
attribute_common_name(struct der name)
{
	struct attributes all = attributes_of(name);
	struct attribute attribute;
	struct der text = { 0 };
	size_t count = 0;
	while (attributes_next(&all, &attribute)) {
		if (!der_oid_is(attribute.oid, OID_COMMON_NAME))
			continue;
		text = attribute_text(&attribute);
		count++;
	}
	return count == 1 && attributes_end(&all) ? text : (struct der){ 0 };
}

bool
attribute_is(const struct attribute *attribute, const char *text)
{
	return is_readable(attribute) &&
	    der_equal(attribute->value, (struct der){ (const uint8_t *)text, strlen(text) });
}
