/*
 * Messages of certificates: what is read lies within the message, and comes back when it is
 * written again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pki/certs_only.h"
#include "pki/transfer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
hold(bool claim)
{
	if (!claim)
		abort();
}

static void
hold_round_trip(const struct certs_only *certs)
{
	struct secret message;
	struct certs_only again;
	const char *why;

	hold(certs_only_encode(certs->certificates, certs->count, &message));
	hold(certs_only_decode(&again, (struct der){ message.data, message.bytes }, &why));
	hold(again.count == certs->count);
	certs_only_wipe(&again);
	secret_wipe(&message);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certs_only certs;
	struct secret decoded;
	const char *why = NULL;

	if (transfer_decode(data, size, &decoded))
		secret_wipe(&decoded);
	if (certs_only_decode(&certs, (struct der){ data, size }, &why)) {
		for (size_t i = 0; i < certs.count; i++) {
			const struct der *one = &certs.certificates[i];

			hold(one->data >= certs.message.data && one->bytes > 0 &&
			    one->data + one->bytes <= certs.message.data + certs.message.bytes);
		}
		hold_round_trip(&certs);
	} else {
		hold(why != NULL);
	}
	certs_only_wipe(&certs);
	return 0;
}
