/*
 * The CRL reader, and PEM around it: whatever is accepted can be sorted, and each
 * entry is found again in the comparisons that its number allows.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pki/crl.h"
#include "pki/pem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
hold(bool claim)
{
	if (!claim)
		abort();
}

static void
hold_sorted(const struct crl *crl)
{
	unsigned most = 1;
	while (crl_count(crl) >> most != 0)
		most++;
	for (size_t i = 0; i < crl_count(crl); i++) {
		const struct crl_entry *entry = crl_entry(crl, i);
		unsigned comparisons;
		const struct crl_entry *found = crl_find(crl, &entry->serial, &comparisons);
		hold(found && serial_compare(&found->serial, &entry->serial) == 0);
		hold(comparisons <= most);
		hold(i == 0 || serial_compare(&crl_entry(crl, i - 1)->serial, &entry->serial) <= 0);
		hold(crl_reason_word(entry->reason) != NULL);
	}
}

static void
read_crl(struct der der)
{
	static const uint8_t key[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00, [43] = 1 };
	const char *why = NULL;
	struct crl *crl = crl_parse(der.data, der.bytes, &why);
	hold(crl || why);
	if (!crl)
		return;
	crl_is_signed_by(crl, (struct der){ key, sizeof key });
	hold(crl_next_update(crl) >= crl_this_update(crl));
	hold(crl_keep(crl));
	if (crl_index(crl, &why))
		hold_sorted(crl);
	crl_free(crl);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pem_file file = {0};
	const char *why;
	read_crl((struct der){ data, size });
	if (!secret_init(&file.storage, data, size))
		return 0;
	if (pem_decode(&file, PEM_CRL, &why))
		for (size_t i = 0; i < file.count; i++)
			read_crl(pem_block(&file, i));
	pem_wipe(&file);
	return 0;
}
