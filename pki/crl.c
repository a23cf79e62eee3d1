/*
 * CertificateList, walked twice: crl_parse() sees that it is whole and of a kind
 * that can be judged, and counts; crl_index() takes the entries out.  Between
 * the two the signature is checked, so nothing is sorted for a forger.
 */
#include "pki/crl.h"

#include <stdlib.h>
#include <string.h>

#include "pki/signature.h"

struct crl {
	uint8_t *kept;			/* a copy of the DER, if we were told to keep one */
	struct der whole;
	struct der signed_part, algorithm, signature, revoked;	/* in whole; gone after crl_index() */
	struct der issuer, authority_key, number;		/* in `facts` */
	uint8_t *facts;
	int64_t this_update, next_update;
	size_t count;
	struct crl_entry *entries;
	bool indexed;
};

const char *
crl_reason_word(unsigned reason)
{
	static const char *const words[CRL_REASONS] = {
		"unspecified", "keyCompromise", "cACompromise", "affiliationChanged",
		"superseded", "cessationOfOperation", "certificateHold", NULL,
		"removeFromCRL", "privilegeWithdrawn", "aACompromise",
	};
	return reason < CRL_REASONS && words[reason] != NULL ? words[reason] : words[0];
}

/* ---- extensions ---- */

static bool
is_ce(struct der oid, uint8_t last)	/* 2.5.29.x */
{
	return oid.bytes == 3 && oid.data[0] == 0x55 && oid.data[1] == 0x1d && oid.data[2] == last;
}

/* Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue }. */
static struct cursor
read_extension(struct cursor *list, struct der *oid, bool *critical)
{
	struct cursor extension = der_enter(list, DER_SEQUENCE);
	*oid = der_read(&extension, DER_OID);
	*critical = der_default_false(&extension, DER_BOOLEAN);
	struct cursor value = der_over(der_read(&extension, DER_OCTET_STRING));
	if (!cursor_end(&extension))
		list->failed = true;
	return value;
}

static const char *
read_number(struct crl *crl, struct cursor value)
{
	struct serial number;
	bool good = serial_of(&number, der_read(&value, DER_INTEGER)) && cursor_end(&value) &&
	    !(number.data[0] & 0x80);
	if (!good)
		return "has a number that is none";
	crl->number = (struct der){ value.at - number.bytes, number.bytes };
	return NULL;
}

static const char *
read_authority_key(struct crl *crl, struct cursor value)
{
	struct cursor inside = der_enter(&value, DER_SEQUENCE);
	der_optional(&inside, DER_CONTEXT, &crl->authority_key);
	return inside.failed || !cursor_end(&value) ? "has a malformed authorityKeyIdentifier" : NULL;
}

/* step-ca and others write one that names only the place where the CRL is published. */
static const char *
read_distribution_point(struct cursor value)
{
	struct der place;
	struct cursor inside = der_enter(&value, DER_SEQUENCE);
	der_optional(&inside, DER_CONTEXT_SEQUENCE, &place);
	if (!inside.failed && inside.left > 0)
		return "covers only a part of what its issuer signed (issuingDistributionPoint)";
	return cursor_end(&inside) && cursor_end(&value) ? NULL : "has a malformed issuingDistributionPoint";
}

static const char *
read_list_extensions(struct crl *crl, struct cursor list)
{
	enum { AUTHORITY_KEY = 35, NUMBER = 20, DELTA = 27, DISTRIBUTION_POINT = 28 };
	const char *fault = NULL;
	uint8_t seen[256] = {0};
	while (fault == NULL && list.left > 0 && !list.failed) {
		struct der oid;
		bool critical;
		struct cursor value = read_extension(&list, &oid, &critical);
		if (list.failed)
			break;
		if (oid.bytes == 3 && is_ce(oid, oid.data[2]) && seen[oid.data[2]]++)
			fault = "has an extension twice";
		else if (is_ce(oid, NUMBER))
			fault = read_number(crl, value);
		else if (is_ce(oid, AUTHORITY_KEY))
			fault = read_authority_key(crl, value);
		else if (is_ce(oid, DELTA))
			fault = "is a delta CRL; a complete one is needed";
		else if (is_ce(oid, DISTRIBUTION_POINT))
			fault = read_distribution_point(value);
		else if (critical)
			fault = "has a critical extension that is not known here";
	}
	return fault != NULL ? fault : list.failed ? "has malformed extensions" : NULL;
}

/* ---- entries ---- */

/* False for what makes the entry mean something else than its serial says. */
static bool
read_entry_extensions(struct cursor list, uint8_t *reason)
{
	enum { REASON = 21, HOLD_INSTRUCTION = 23, INVALIDITY = 24 };
	while (list.left > 0 && !list.failed) {
		struct der oid;
		bool critical;
		struct cursor value = read_extension(&list, &oid, &critical);
		if (is_ce(oid, REASON)) {
			*reason = (uint8_t)der_unsigned(&value, DER_ENUMERATED, CRL_REASONS - 1);
			list.failed = list.failed || !cursor_end(&value);
		} else if (critical && !is_ce(oid, HOLD_INSTRUCTION) && !is_ce(oid, INVALIDITY)) {
			return false;
		}
	}
	return !list.failed;
}

/* A certificate whose serial is longer than SERIAL_BYTES is refused anyway, so
 * an entry for one is left out: *fits. */
static bool
read_entry(struct cursor *list, struct crl_entry *entry, bool *fits)
{
	struct cursor in = der_enter(list, DER_SEQUENCE);
	struct der serial = der_read(&in, DER_INTEGER);
	*fits = serial_of(&entry->serial, serial);
	int64_t revoked_at = der_time(&in);
	entry->revoked_at = revoked_at < 0 ? 0 : revoked_at > UINT32_MAX ? UINT32_MAX : (uint32_t)revoked_at;
	entry->reason = CRL_UNSPECIFIED;
	bool good = in.left == 0 || read_entry_extensions(der_enter(&in, DER_SEQUENCE), &entry->reason);
	return good && serial.bytes > 0 && cursor_end(&in);
}

static bool
read_entries(struct crl *crl)
{
	struct cursor list = der_over(crl->revoked);
	size_t count = 0;
	while (list.left > 0) {
		bool fits;
		if (count == crl->count || !read_entry(&list, &crl->entries[count], &fits))
			return false;
		count += fits;
	}
	crl->count = count;
	return true;
}

static bool
count_entries(struct crl *crl)
{
	struct cursor list = der_over(crl->revoked);
	while (list.left > 0 && !list.failed) {
		der_read(&list, DER_SEQUENCE);
		crl->count++;
	}
	return !list.failed;
}

/* ---- the list ---- */

static const char *
read_signed_part(struct crl *crl)
{
	struct cursor outer = der_over(crl->signed_part), in = der_enter(&outer, DER_SEQUENCE);
	bool version_2 = der_peek(&in) == DER_INTEGER;
	if (version_2 && der_unsigned(&in, DER_INTEGER, 1) != 1)
		return "is of a version that is not known here";
	struct der algorithm = der_whole(&in, DER_SEQUENCE), extensions = {0};
	crl->issuer = der_whole(&in, DER_SEQUENCE);
	crl->this_update = der_time(&in);
	if (der_peek(&in) != DER_UTC_TIME && der_peek(&in) != DER_GENERALIZED_TIME)
		return in.failed ? "is malformed" : "has no nextUpdate";
	crl->next_update = der_time(&in);
	der_optional(&in, DER_SEQUENCE, &crl->revoked);
	bool extended = der_optional(&in, DER_CONTEXT_SEQUENCE, &extensions);
	if (!cursor_end(&in) || !count_entries(crl) || (extended && !version_2))
		return "is malformed";
	if (!der_equal(algorithm, crl->algorithm))
		return "names two signature algorithms";
	struct cursor wrapped = der_over(extensions);
	struct cursor list = extended ? der_enter(&wrapped, DER_SEQUENCE) : wrapped;
	return cursor_end(&wrapped) ? read_list_extensions(crl, list) : "is malformed";
}

static const char *
read_list(struct crl *crl)
{
	struct cursor outer = der_over(crl->whole), in = der_enter(&outer, DER_SEQUENCE);
	crl->signed_part = der_whole(&in, DER_SEQUENCE);
	crl->algorithm = der_whole(&in, DER_SEQUENCE);
	crl->signature = der_bits(&in);
	if (!cursor_end(&in) || !cursor_end(&outer))
		return "is malformed";
	const char *fault = read_signed_part(crl);
	if (fault == NULL && crl->next_update < crl->this_update)
		return "ends before it begins";
	return fault;
}

static void
move_fact(struct der *fact, uint8_t **to)
{
	if (fact->bytes > 0)
		memcpy(*to, fact->data, fact->bytes);
	fact->data = *to;
	*to += fact->bytes;
}

/* The few facts that outlive the DER. */
static const char *
copy_facts(struct crl *crl)
{
	crl->facts = malloc(crl->issuer.bytes + crl->authority_key.bytes + crl->number.bytes + 1);
	if (crl->facts == NULL)
		return "cannot be read for want of memory";
	uint8_t *to = crl->facts;
	move_fact(&crl->issuer, &to);
	move_fact(&crl->authority_key, &to);
	move_fact(&crl->number, &to);
	return NULL;
}

struct crl *
crl_parse(const uint8_t *der, size_t bytes, const char **why)
{
	struct crl *crl = calloc(1, sizeof *crl);
	*why = "cannot be read for want of memory";
	if (crl == NULL)
		return NULL;
	crl->whole = (struct der){ der, bytes };
	*why = read_list(crl);
	if (*why == NULL)
		*why = copy_facts(crl);
	if (*why == NULL)
		return crl;
	crl_free(crl);
	return NULL;
}

void
crl_free(struct crl *crl)
{
	if (crl == NULL)
		return;
	free(crl->kept);
	free(crl->facts);
	free(crl->entries);
	free(crl);
}

static void
rebase(struct der *part, const uint8_t *from, const uint8_t *to)
{
	if (part->data != NULL)
		part->data = to + (part->data - from);
}

bool
crl_keep(struct crl *crl)
{
	uint8_t *copy = crl->kept != NULL ? NULL : malloc(crl->whole.bytes);
	if (copy == NULL)
		return crl->kept != NULL;
	const uint8_t *from = crl->whole.data;
	memcpy(copy, from, crl->whole.bytes);
	struct der *const parts[] = { &crl->whole, &crl->signed_part, &crl->algorithm,
		&crl->signature, &crl->revoked };
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		rebase(parts[i], from, copy);
	crl->kept = copy;
	return true;
}

bool
crl_is_signed_by(const struct crl *crl, struct der spki)
{
	return signature_verifies(spki, crl->algorithm, crl->signed_part, crl->signature);
}

/* ---- look-up ---- */

static void
insertion_sort(struct crl_entry *entries, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct crl_entry entry = entries[i];
		size_t k = i;
		for (; k > 0 && serial_compare(&entries[k - 1].serial, &entry.serial) > 0; k--)
			entries[k] = entries[k - 1];
		entries[k] = entry;
	}
}

static uint8_t
octet_of(const struct crl_entry *entry, size_t index)
{
	return ((const uint8_t *)&entry->serial)[index];
}

/*
 * In-place radix sort from octet `index` on (American flag sort): linear whatever an
 * issuer chose as serials, and without the second array that qsort() would take.
 * Depth is bounded by the size of a serial.
 */
static void
radix_sort(struct crl_entry *entries, size_t count, size_t index)
{
	size_t end[256] = {0}, next[256], at = 0;
	if (count < 32 || index == sizeof(struct serial)) {
		insertion_sort(entries, index == sizeof(struct serial) ? 0 : count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		end[octet_of(&entries[i], index)]++;
	for (size_t value = 0; value < 256; value++) {
		next[value] = at;
		at = end[value] += at;
	}
	for (size_t value = 0; value < 256; value++)
		while (next[value] < end[value]) {	/* every swap puts one entry where it belongs */
			struct crl_entry *entry = &entries[next[value]];
			uint8_t home = octet_of(entry, index);
			struct crl_entry other = entries[next[home]];
			entries[next[home]++] = *entry;
			if (home != value)
				*entry = other;
		}
	for (size_t value = 0, start = 0; value < 256; start = end[value++])
		if (end[value] - start > 1)
			radix_sort(entries + start, end[value] - start, index + 1);
}

static bool
is_sorted(const struct crl *crl)
{
	for (size_t i = 1; i < crl->count; i++)
		if (serial_compare(&crl->entries[i - 1].serial, &crl->entries[i].serial) > 0)
			return false;
	return true;
}

bool
crl_index(struct crl *crl, const char **why)
{
	if (crl->indexed)
		return true;
	crl->entries = crl->count > 0 ? malloc(crl->count * sizeof *crl->entries) : NULL;
	*why = "cannot be read for want of memory";
	if (crl->count > 0 && crl->entries == NULL)
		return false;
	*why = "has an entry that is malformed, or critical and not known here";
	if (!read_entries(crl))
		return false;
	if (!is_sorted(crl))
		radix_sort(crl->entries, crl->count, 0);
	free(crl->kept);
	crl->kept = NULL;
	crl->whole = crl->signed_part = crl->algorithm = crl->signature = crl->revoked = (struct der){0};
	crl->indexed = true;
	return true;
}

bool
crl_is_indexed(const struct crl *crl)
{
	return crl->indexed;
}

const struct crl_entry *
crl_find(const struct crl *crl, const struct serial *serial, unsigned *comparisons)
{
	size_t low = 0, high = crl->count;
	unsigned compared = 0;
	const struct crl_entry *found = NULL;
	while (low < high && found == NULL) {
		size_t middle = low + (high - low) / 2;
		int order = serial_compare(serial, &crl->entries[middle].serial);
		compared++;
		if (order < 0)
			high = middle;
		else if (order > 0)
			low = middle + 1;
		else
			found = &crl->entries[middle];
	}
	if (comparisons != NULL)
		*comparisons = compared;
	return found;
}

const struct crl_entry *
crl_entry(const struct crl *crl, size_t index)
{
	return index < crl->count ? &crl->entries[index] : NULL;
}

struct der
crl_issuer(const struct crl *crl)
{
	return crl->issuer;
}

struct der
crl_authority_key(const struct crl *crl)
{
	return crl->authority_key;
}

struct der
crl_number(const struct crl *crl)
{
	return crl->number;
}

int64_t
crl_this_update(const struct crl *crl)
{
	return crl->this_update;
}

int64_t
crl_next_update(const struct crl *crl)
{
	return crl->next_update;
}

size_t
crl_count(const struct crl *crl)
{
	return crl->count;
}
