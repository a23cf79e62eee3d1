/* Requests for one name each, composed where the key is. */
#include "acme/csr.h"

#include <string.h>

#include "base/cursor.h"
#include "keys/key_ask.h"
#include "keys/key_names.h"

bool
csr_make(const char *key, const char *name, struct secret *der, char error[CSR_ERROR])
{
	uint8_t storage[512];
	struct writer names = writer_over(storage, sizeof storage);

	key_names_begin(&names, "", "");
	key_names_add(&names, GNUTLS_SAN_DNSNAME, name, strlen(name));
	return key_ask_request(key, storage, names.bytes, der, error);
}
