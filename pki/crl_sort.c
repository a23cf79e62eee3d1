#include "pki/crl_sort.h"

#include <endian.h>
#include <string.h>

/* The first eight octets as a number tell nearly all serials apart. */
static uint64_t
head_of(const struct serial *serial)
{
	uint64_t head;
	memcpy(&head, serial->data, sizeof head);
	return be64toh(head);
}

static bool
is_before(const struct serial *a, const struct serial *b)
{
	uint64_t x = head_of(a), y = head_of(b);
	return x != y ? x < y : serial_compare(a, b) < 0;
}

static void
insertion_sort(struct crl_entry *entries, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (!is_before(&entries[i].serial, &entries[i - 1].serial))
			continue;
		struct crl_entry entry = entries[i];
		size_t k = i;
		for (; k > 0 && is_before(&entry.serial, &entries[k - 1].serial); k--)
			entries[k] = entries[k - 1];
		entries[k] = entry;
	}
}

static uint8_t
octet_of(const struct crl_entry *entry, size_t index)
{
	return ((const uint8_t *)&entry->serial)[index];
}

/* In place, by octet `index` and those behind it (American flag sort). */
static void
radix_sort(struct crl_entry *entries, size_t count, size_t index)
{
	size_t end[256] = {0}, next[256], at = 0;
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
		crl_sort_entries(entries + start, end[value] - start, index + 1);
}

/* Depth is bounded by the size of a serial. */
void
crl_sort_entries(struct crl_entry *entries, size_t count, size_t index)
{
	if (count < 32)
		insertion_sort(entries, count);
	else if (index < sizeof(struct serial))
		radix_sort(entries, count, index);
}
