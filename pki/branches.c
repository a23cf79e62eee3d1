/* Counts the listed CAs at which a chain may enter a trust, up to two. */
#include "pki/branches.h"

#include <string.h>

#include "pki/ca_list.h"
#include "pki/trust_private.h"

bool
branches_are_several(const struct trust *trust)
{
	const struct ca_list *list = trust_ca_list(trust);
	const uint8_t *first = NULL;
	for (size_t i = 0; i < list->count; i++) {
		const struct listed_ca *ca = list->cas[i];
		const uint8_t *id = ca->link.issuer.id;
		if (ca->narrowed)
			continue;
		if (first && memcmp(first, id, ISSUER_ID) != 0)
			return true;
		first = id;
	}
	return false;
}
