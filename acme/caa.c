/* Messages of the DNS (RFC 1035, 4.1) as far as CAA records need it, and the grammar of RFC 8659,
 * 4.2. */
#include "acme/caa.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cursor.h"

enum { TYPE_CAA = 257, CLASS_IN = 1, REFUSED_BITS = 0x0f, CUT_OFF = 0x0200, ANSWER = 0x8000 };

const char *const caa_words[CAA_VERDICTS] = { "unknown", "open", "pinned", "foreign" };

/* ---- bytes ---- */

/* Whose name it is does not matter: the answer is what the resolver says of the question, aliases
 * followed. */
static void
skip_name(struct cursor *in)
{
	unsigned length;

	while ((length = cursor_u8(in)) > 0 && !in->failed) {
		if (length >= 0xc0) { /* the rest stands elsewhere */
			cursor_u8(in);
			return;
		}
		if (length >= 0x40)
			in->failed = true;
		cursor_bytes(in, length);
	}
}

static bool
read_record(struct caa_record *out, struct cursor data)
{
	uint8_t flags = cursor_u8(&data), tag_bytes = cursor_u8(&data);
	size_t value_bytes;

	if (data.failed || tag_bytes == 0 || tag_bytes >= CAA_TAG || tag_bytes > data.left)
		return false;
	out->is_critical = flags & 0x80;
	for (size_t i = 0; i < tag_bytes; i++)
		out->tag[i] = (char)tolower(cursor_u8(&data));
	out->tag[tag_bytes] = '\0';
	value_bytes = data.left;
	if (value_bytes >= CAA_VALUE)
		return false;
	cursor_copy(&data, out->value, value_bytes);
	out->value[value_bytes] = '\0';
	return strlen(out->value) == value_bytes;
}

static bool
read_answer(struct caa_set *set, struct cursor *in)
{
	uint16_t type, class;
	struct cursor data;

	skip_name(in);
	type = cursor_u16(in);
	class = cursor_u16(in);
	cursor_u32(in);
	data = cursor_sub(in, cursor_u16(in));
	if (in->failed)
		return false;
	if (type != TYPE_CAA || class != CLASS_IN)
		return true;
	return set->count < CAA_RECORDS && read_record(&set->records[set->count++], data);
}

bool
caa_decode(struct caa_set *set, const uint8_t *message, size_t bytes)
{
	struct cursor in = cursor_over(message, bytes);
	uint16_t flags, questions, answers;

	set->count = 0;
	cursor_u16(&in);
	flags = cursor_u16(&in);
	questions = cursor_u16(&in);
	answers = cursor_u16(&in);
	cursor_u32(&in);
	if (in.failed || !(flags & ANSWER) || flags & CUT_OFF || flags & REFUSED_BITS)
		return false;
	for (unsigned i = 0; i < questions && !in.failed; i++) {
		skip_name(&in);
		cursor_u32(&in);
	}
	for (unsigned i = 0; i < answers; i++)
		if (!read_answer(set, &in))
			return false;
	return !in.failed;
}

/* ---- the grammar ---- */

static const char *
skip_space(const char *at)
{
	return at + strspn(at, " \t");
}

/* The issuer's domain name, and what stands behind it. */
static size_t
issuer_of(const char *value, const char **rest)
{
	size_t length = strcspn(value, " \t;");

	*rest = skip_space(value + length);
	return length;
}

/* Whether the parameters have this one; *is_ours if one of them is the account's. */
static bool
has_account(const char *parameters, const char *account, bool *is_ours)
{
	static const char tag[] = "accounturi";
	bool has = false;

	while (*parameters == ';') {
		const char *name = skip_space(parameters + 1);
		size_t name_bytes = strcspn(name, "=; \t"), value_bytes;
		const char *value = skip_space(name + name_bytes);

		if (*value != '=') {
			parameters = value;
			continue;
		}
		value = skip_space(value + 1);
		value_bytes = strcspn(value, "; \t");
		if (name_bytes == strlen(tag) && strncasecmp(name, tag, name_bytes) == 0) {
			has = true;
			*is_ours |= strlen(account) == value_bytes && value_bytes > 0 &&
			    strncmp(value, account, value_bytes) == 0;
		}
		parameters = skip_space(value + value_bytes);
	}
	return has;
}

/* One that permits nobody (`issue ";"`) takes nothing from what others permit. */
enum caa_verdict
caa_judge(const struct caa_set *set, const char *identity, const char *account)
{
	bool is_restricted = false, is_open = false, is_ours = false;

	for (size_t i = 0; i < set->count; i++) {
		const char *value = skip_space(set->records[i].value), *rest;
		bool is_of_account = false;
		size_t issuer;

		if (strcmp(set->records[i].tag, "issue") != 0)
			continue;
		is_restricted = true;
		issuer = issuer_of(value, &rest);
		if (issuer == 0)
			continue;
		if (!has_account(rest, account, &is_of_account))
			is_open = true;
		is_ours |= is_of_account &&
		    (identity[0] == '\0' ||
			(strlen(identity) == issuer && strncasecmp(value, identity, issuer) == 0));
	}
	if (!is_restricted || is_open)
		return CAA_OPEN;
	if (account[0] == '\0')
		return CAA_UNKNOWN;
	return is_ours ? CAA_PINNED : CAA_FOREIGN;
}

const char *
caa_record_text(const char *name, const char *identity, const char *account, char out[CAA_SENTENCE])
{
	snprintf(out, CAA_SENTENCE,
	    "%s. IN CAA 0 issue \"%s; accounturi=%s; validationmethods=tls-alpn-01\"", name,
	    identity[0] != '\0' ? identity : "the-CA's-domain", account);
	return out;
}
