/* The points one after the other, each for its full names. */
#include "pki/crl_points.h"

#include "pki/x509.h"

enum { POINT_NAME = DER_CONTEXT_SEQUENCE, FULL_NAME = DER_CONTEXT_SEQUENCE };

static size_t
take_names(struct cursor names, struct der *uris, size_t most)
{
	size_t count = 0;
	while (count < most && x509_next_name_of(&names, NAME_URI, &uris[count]))
		count++;
	return count;
}

size_t
crl_points(const struct x509 *certificate, struct der *uris, size_t most)
{
	struct cursor points = der_over(certificate->crl_points);
	size_t count = 0;
	while (points.left > 0 && !points.failed && count < most) {
		struct cursor point = der_enter(&points, DER_SEQUENCE);
		struct der name;
		if (!der_optional(&point, POINT_NAME, &name))
			continue; /* that of an issuer of its own, which is an indirect CRL's */
		struct cursor inside = der_over(name);
		if (der_peek(&inside) == FULL_NAME)
			count +=
			    take_names(der_enter(&inside, FULL_NAME), uris + count, most - count);
	}
	return count;
}
