/* Reads one extension of a certificate by a walk over all of them. */
#include "pki/tool/extension.h"

#include <string.h>

#include "pki/tool/message.h"

int
extension_read(gnutls_x509_crt_t certificate, const char *oid, gnutls_datum_t *out)
{
	char found[128];
	size_t bytes = sizeof found;

	*out = (gnutls_datum_t){ 0 };
	for (unsigned i = 0;
	     gnutls_x509_crt_get_extension_info(certificate, i, found, &bytes, NULL) >= 0;
	     i++, bytes = sizeof found) {
		if (strcmp(found, oid) != 0)
			continue;
		return gnutls_x509_crt_get_extension_data2(certificate, i, out) < 0
		    ? message_no_memory()
		    : 0;
	}
	return 0;
}

bool
extension_list_read(struct der contents, bool *twins)
{
	struct der oid, other;
	struct cursor list = der_over(contents);
	bool critical;

	while (list.left && !list.failed) {
		der_extension(&list, &oid, &critical);
		for (struct cursor rest = list; rest.left && !rest.failed;) {
			der_extension(&rest, &other, &critical);
			*twins = *twins || (!rest.failed && der_equal(oid, other));
		}
	}
	return !list.failed;
}

bool
extension_find(struct der contents, const char *oid, bool *critical)
{
	struct cursor list = der_over(contents);
	struct der found;

	while (list.left && !list.failed) {
		der_extension(&list, &found, critical);
		if (!list.failed && der_oid_is(found, oid))
			return true;
	}
	return *critical = false;
}
