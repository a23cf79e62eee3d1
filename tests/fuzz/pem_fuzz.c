/*
 * Files of anybody's: the blocks that are found lie in the text and end as they began, what is decoded is
 * kept in order, and each thing is of one kind.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pki/content.h"
#include "pki/pem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
hold(bool claim)
{
	if (!claim)
		abort();
}

static void
walk(const uint8_t *data, size_t size)
{
	struct pem_text text = pem_over(data, size);
	struct pem_part part;
	const char *why;
	const uint8_t *last = data;
	while (pem_next(&text, &part, &why)) {
		const uint8_t *label = (const uint8_t *)part.label;
		hold(label > last && label + part.label_bytes < part.body.data);
		hold(part.body.data + part.body.bytes < data + size);
		hold(memcmp(part.body.data + part.body.bytes + strlen("-----END "), label,
			 part.label_bytes) == 0);
		hold(content_of_part(&part) != CONTENT_EMPTY);
		last = part.body.data + part.body.bytes;
	}
}

static void
decode(const uint8_t *data, size_t size, enum pem_kind kind)
{
	struct pem_file file = { 0 };
	const char *why;
	size_t behind = 0;
	if (!secret_init(&file.storage, data, size))
		return;
	if (!pem_decode(&file, kind, &why))
		hold(why != NULL);
	else
		for (size_t i = 0; i < file.count; i++) {
			struct der block = pem_block(&file, i);
			hold(file.places[i].at >= behind && block.bytes <= size);
			behind = file.places[i].at + block.bytes;
			content_of_der(block);
		}
	hold(behind <= file.storage.bytes);
	pem_wipe(&file);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[CONTENT_TEXT];
	struct content_facts facts = content_of(data, size);
	hold(!facts.is_pem || pem_is_text(data, size));
	hold(content_text(facts, text)[0] != '\0');
	content_of_key_file(data, size);
	walk(data, size);
	decode(data, size, PEM_CERTIFICATE);
	decode(data, size, PEM_CRL);
	return 0;
}
