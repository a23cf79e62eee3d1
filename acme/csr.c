/* Requests for one name each, made by GnuTLS. */
#include "acme/csr.h"

#include <string.h>

#include <gnutls/x509.h>

#include "pki/key_pem.h"

static int
fill(gnutls_x509_crq_t request, const char *name)
{
	int problem = gnutls_x509_crq_set_version(request, 1);

	return problem < 0 ? problem
			   : gnutls_x509_crq_set_subject_alt_name(request, GNUTLS_SAN_DNSNAME, name,
				 (unsigned)strlen(name), GNUTLS_FSAN_SET);
}

bool
csr_make(const struct secret *key_pem, const char *name, struct secret *der)
{
	gnutls_x509_crq_t request = NULL;
	bool is_fine;

	*der = (struct secret){ 0 };
	is_fine = gnutls_x509_crq_init(&request) >= 0 && fill(request, name) >= 0 &&
	    key_pem_sign(key_pem, request, der) >= 0;
	gnutls_x509_crq_deinit(request);
	return is_fine;
}
