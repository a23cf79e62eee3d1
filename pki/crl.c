/*
 * CertificateList, walked twice: crl_parse() sees that it is whole and of a kind
 * that can be judged, and counts; crl_index() takes the entries out.  Between
 * the two the signature is checked, so nothing is sorted for a forger.
 */
#include "pki/crl.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "pki/signature.h"

struct crl {
	atomic_uint refs;
	uint8_t *kept; /* a copy of the DER, if we were told to keep one */
	struct der whole;
	struct der signed_part, algorithm, signature,
	    revoked;                              /* in whole; gone after crl_index() */
	struct der issuer, authority_key, number; /* in `facts` */
	uint8_t *facts;
	int64_t this_update, next_update;
	size_t count;
	uint32_t *begins; /* where the entries of each bucket begin; until crl_index() */
	struct crl_entry *entries;
	bool indexed;
};

/* Entries are put into buckets by the first two octets of their serials as they are read.
 * Serials are random in most CRLs, so that a bucket gets a handful, which one walk over all
 * the entries puts in order; qsort() sorts each bucket that is larger.  The buckets are
 * counted before: to read the serials twice takes less time than to move the entries twice,
 * and no more memory than the entries themselves. */
enum { BUCKETS = 1 << 16, HANDFUL = 16 };

const char *
crl_reason_word(unsigned reason)
{
	static const char *const words[CRL_REASONS] = {
		"unspecified",
		"keyCompromise",
		"cACompromise",
		"affiliationChanged",
		"superseded",
		"cessationOfOperation",
		"certificateHold",
		NULL,
		"removeFromCRL",
		"privilegeWithdrawn",
		"aACompromise",
	};
	return reason < CRL_REASONS && words[reason] ? words[reason] : words[0];
}

/* ---- extensions ---- */

static bool
is_ce(struct der oid, uint8_t last) /* 2.5.29.x */
{
	return oid.bytes == 3 && oid.data[0] == 0x55 && oid.data[1] == 0x1d && oid.data[2] == last;
}

static const char *
read_number(struct crl *crl, struct cursor value)
{
	struct serial number;
	bool good = serial_of(&number, der_read(&value, DER_INTEGER)) && cursor_end(&value) &&
	    !(number.data[0] & 0x80);
	if (!good)
		return "has a number that is not a valid one";
	crl->number = (struct der){ value.at - number.bytes, number.bytes };
	return NULL;
}

static const char *
read_authority_key(struct crl *crl, struct cursor value)
{
	struct cursor inside = der_enter(&value, DER_SEQUENCE);
	der_optional(&inside, DER_CONTEXT, &crl->authority_key);
	return inside.failed || !cursor_end(&value) ? "has a malformed authorityKeyIdentifier"
						    : NULL;
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
	return cursor_end(&inside) && cursor_end(&value)
	    ? NULL
	    : "has a malformed issuingDistributionPoint";
}

static const char *
read_list_extensions(struct crl *crl, struct cursor list)
{
	enum { AUTHORITY_KEY = 35, NUMBER = 20, DELTA = 27, DISTRIBUTION_POINT = 28 };
	const char *fault = NULL;
	uint8_t seen[256] = { 0 };
	while (!fault && list.left > 0 && !list.failed) {
		struct der oid;
		bool critical;
		struct cursor value = der_extension(&list, &oid, &critical);
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
	return fault ? fault : list.failed ? "has malformed extensions" : NULL;
}

/* ---- entries ---- */

/* The one extension that nearly every entry has, a reason and nothing else, without its value. */
static bool
is_lone_reason(struct der list)
{
	static const uint8_t lone[] = { 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a,
		0x01 };
	return list.bytes == sizeof lone + 1 && memcmp(list.data, lone, sizeof lone) == 0 &&
	    list.data[sizeof lone] < CRL_REASONS;
}

/* False for what makes the entry mean something else than its serial says. */
static bool
read_entry_extensions(struct der extensions, uint8_t *reason)
{
	enum { REASON = 21, HOLD_INSTRUCTION = 23, INVALIDITY = 24 };
	struct cursor list = der_over(extensions);
	if (is_lone_reason(extensions)) {
		*reason = extensions.data[extensions.bytes - 1];
		return true;
	}
	while (list.left > 0 && !list.failed) {
		struct der oid;
		bool critical;
		struct cursor value = der_extension(&list, &oid, &critical);
		if (is_ce(oid, REASON)) {
			*reason = (uint8_t)der_unsigned(&value, DER_ENUMERATED, CRL_REASONS - 1);
			list.failed = list.failed || !cursor_end(&value);
		} else if (critical && !is_ce(oid, HOLD_INSTRUCTION) && !is_ce(oid, INVALIDITY)) {
			return false;
		}
	}
	return !list.failed;
}

/* An entry without its serial, which is behind it. */
static bool
read_entry(struct cursor *in, struct crl_entry *entry)
{
	struct der extensions;
	int64_t revoked_at = der_time(in);
	entry->revoked_at = revoked_at < 0 ? 0
	    : revoked_at > UINT32_MAX      ? UINT32_MAX
					   : (uint32_t)revoked_at;
	entry->reason = CRL_UNSPECIFIED;
	bool good = !der_optional(in, DER_SEQUENCE, &extensions) ||
	    read_entry_extensions(extensions, &entry->reason);
	return good && cursor_end(in);
}

/* A certificate whose serial is longer than SERIAL_BYTES is refused anyway, so
 * an entry for one counts for nothing. */
static bool
fits(struct der serial)
{
	return serial.bytes <= SERIAL_BYTES;
}

static size_t
bucket_of(struct der serial)
{
	return (size_t)serial.data[0] << 8 | (serial.bytes > 1 ? serial.data[1] : 0);
}

static bool
count_entries(struct crl *crl)
{
	struct cursor list = der_over(crl->revoked);
	while (list.left > 0) {
		struct cursor in = der_over(der_read(&list, DER_SEQUENCE));
		struct der serial = der_shortest(der_read(&in, DER_INTEGER));
		if (list.failed || serial.bytes == 0)
			return false;
		if (!fits(serial))
			continue;
		crl->begins[bucket_of(serial)]++;
		crl->count++;
	}
	return crl->count < UINT32_MAX;
}

/* Sees how many there are for each bucket. */
static const char *
sort_out(struct crl *crl)
{
	crl->count = 0;
	crl->begins = calloc(BUCKETS, sizeof *crl->begins);
	if (!crl->begins)
		return "cannot be read: memory is short";
	return count_entries(crl) ? NULL : "has an entry that is malformed";
}

/* Puts every entry into its bucket; begins[] ends up at the buckets' ends. */
static bool
read_entries(struct crl *crl)
{
	struct cursor list = der_over(crl->revoked);
	uint32_t at = 0;
	for (size_t i = 0; i < BUCKETS; i++) {
		uint32_t count = crl->begins[i];
		crl->begins[i] = at;
		at += count;
	}
	while (list.left > 0) {
		struct cursor in = der_over(der_read(&list, DER_SEQUENCE));
		struct der serial = der_shortest(der_read(&in, DER_INTEGER));
		struct crl_entry entry;
		bool counts = serial_of(&entry.serial, serial);
		if (!read_entry(&in, &entry))
			return false;
		if (counts)
			crl->entries[crl->begins[bucket_of(serial)]++] = entry;
	}
	return true;
}

/* ---- the list ---- */

static const char *
read_signed_part(struct crl *crl)
{
	struct cursor outer = der_over(crl->signed_part), in = der_enter(&outer, DER_SEQUENCE);
	bool version_2 = der_peek(&in) == DER_INTEGER;
	if (version_2 && der_unsigned(&in, DER_INTEGER, 1) != 1)
		return "is of a version that is not known here";
	struct der algorithm = der_whole(&in, DER_SEQUENCE), extensions = { 0 };
	crl->issuer = der_whole(&in, DER_SEQUENCE);
	crl->this_update = der_time(&in);
	if (der_peek(&in) != DER_UTC_TIME && der_peek(&in) != DER_GENERALIZED_TIME)
		return in.failed ? "is malformed" : "has no nextUpdate";
	crl->next_update = der_time(&in);
	der_optional(&in, DER_SEQUENCE, &crl->revoked);
	bool extended = der_optional(&in, DER_CONTEXT_SEQUENCE, &extensions);
	if (!cursor_end(&in) || (extended && !version_2))
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
	if (!fault && crl->next_update < crl->this_update)
		return "ends before it begins";
	if (!fault && !signature_is_strong(crl->algorithm))
		return signature_has_sha1(crl->algorithm)
		    ? "is signed with SHA-1, which is not accepted"
		    : "is signed with an algorithm that is not accepted";
	return fault || crl->revoked.bytes == 0 ? fault : sort_out(crl);
}

struct der
crl_issuer_in(struct der whole)
{
	struct cursor outer = der_over(whole), in = der_enter(&outer, DER_SEQUENCE),
		      part = der_enter(&in, DER_SEQUENCE);
	if (der_peek(&part) == DER_INTEGER)
		der_read(&part, DER_INTEGER);
	der_read(&part, DER_SEQUENCE);
	return der_whole(&part, DER_SEQUENCE);
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
	if (!crl->facts)
		return "cannot be read: memory is short";
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
	*why = "cannot be read: memory is short";
	if (!crl)
		return NULL;
	atomic_init(&crl->refs, 1);
	crl->whole = (struct der){ der, bytes };
	*why = read_list(crl);
	if (!*why)
		*why = copy_facts(crl);
	if (!*why)
		return crl;
	crl_free(crl);
	return NULL;
}

struct crl *
crl_hold(struct crl *crl)
{
	atomic_fetch_add(&crl->refs, 1);
	return crl;
}

void
crl_free(struct crl *crl)
{
	if (!crl || atomic_fetch_sub(&crl->refs, 1) != 1)
		return;
	free(crl->kept);
	free(crl->facts);
	free(crl->begins);
	free(crl->entries);
	free(crl);
}

static void
rebase(struct der *part, const uint8_t *from, const uint8_t *to)
{
	if (part->data)
		part->data = to + (part->data - from);
}

bool
crl_keep(struct crl *crl)
{
	uint8_t *copy = crl->kept ? NULL : malloc(crl->whole.bytes);
	if (!copy)
		return crl->kept != NULL;
	const uint8_t *from = crl->whole.data;
	memcpy(copy, from, crl->whole.bytes);
	struct der *const parts[] = { &crl->whole, &crl->signed_part, &crl->algorithm,
		&crl->signature, &crl->revoked };
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		rebase(parts[i], from, copy);
	crl->kept = copy;
	/* It is large, and thousands of CRLs may wait, so it is given back; crl_index() counts again. */
	free(crl->begins);
	crl->begins = NULL;
	return true;
}

bool
crl_is_signed_by(const struct crl *crl, struct der spki)
{
	return signature_verifies(spki, crl->algorithm, crl->signed_part, crl->signature);
}

/* ---- look-up ---- */

static int
compare_entries(const void *a, const void *b)
{
	return serial_compare(
	    &((const struct crl_entry *)a)->serial, &((const struct crl_entry *)b)->serial);
}

/* Many issuers list their serials in order, and half of all pairs are in order by chance. */
static bool
is_in_order(const struct crl_entry *entries, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (compare_entries(&entries[i - 1], &entries[i]) > 0)
			return false;
	return true;
}

static void
sort_large_buckets(struct crl *crl)
{
	for (size_t i = 0, start = 0; i < BUCKETS; start = crl->begins[i++]) {
		struct crl_entry *bucket = crl->entries + start;
		size_t count = crl->begins[i] - start;
		if (count > HANDFUL && !is_in_order(bucket, count))
			qsort(bucket, count, sizeof *bucket, compare_entries);
	}
}

/* Moves each entry to its place, which is less than a handful away. */
static void
sort_neighbours(struct crl_entry *entries, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		size_t at = i;
		if (compare_entries(&entries[i - 1], &entries[i]) <= 0)
			continue;
		struct crl_entry entry = entries[i];
		do
			entries[at] = entries[at - 1];
		while (--at > 0 && compare_entries(&entries[at - 1], &entry) > 0);
		entries[at] = entry;
	}
}

static void
let_go(struct crl *crl)
{
	free(crl->kept);
	free(crl->begins);
	crl->kept = NULL;
	crl->begins = NULL;
	crl->whole = crl->signed_part = crl->algorithm = crl->signature = crl->revoked =
	    (struct der){ 0 };
}

bool
crl_index(struct crl *crl, const char **why)
{
	if (crl->indexed)
		return true;
	if (!crl->begins && crl->revoked.bytes > 0 && (*why = sort_out(crl)))
		return false;
	crl->entries = malloc(crl->count * sizeof *crl->entries + 1);
	*why = "cannot be read: memory is short";
	if (!crl->entries)
		return false;
	*why = "has an entry that is malformed, or critical and not known here";
	if (crl->begins) {
		if (!read_entries(crl))
			return false;
		sort_large_buckets(crl);
		sort_neighbours(crl->entries, crl->count);
	}
	let_go(crl);
	crl->indexed = true;
	return true;
}

struct der
crl_kept(const struct crl *crl)
{
	return crl->whole;
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
	while (low < high && !found) {
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
	if (comparisons)
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
