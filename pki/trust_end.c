/* When a trust's CAs and CRLs end, and which of the latter first, asked again as time goes by. */
#include "pki/trust.h"

#include <stdio.h>

#include "base/units.h"
#include "pki/ca_list.h"
#include "pki/crl.h"
#include "pki/revocation.h"
#include "pki/trust_private.h"
#include "pki/x509.h"

const char *
trust_crl_warning(const struct trust *trust, int64_t now, char sentence[TRUST_ERROR])
{
	struct revocation *revocation = trust_revocation(trust);
	const struct crl *crl, *first = NULL;
	const char *file, *first_file = NULL;
	char issuer[100], when[TIME_TEXT];
	for (size_t i = 0; revocation && (crl = revocation_crl(revocation, i, &file)); i++)
		if (!first || crl_next_update(crl) < crl_next_update(first)) {
			first = crl;
			first_file = file;
		}
	if (!first)
		return NULL;
	int64_t end = crl_next_update(first);
	if (end - now >= (end - crl_this_update(first)) / 3)
		return NULL;
	snprintf(sentence, TRUST_ERROR, "%.120s: the CRL of %s %s on %s; issue a new one",
	    first_file, x509_name_text(crl_issuer(first), issuer, sizeof issuer),
	    now > end ? "has ended" : "ends", time_text(end, when));
	return sentence;
}

enum { END_NAME = 160 };

static void
each_ca(const struct ca_list *list, void (*take)(void *, const struct trust_end *), void *arg)
{
	char name[END_NAME];
	for (size_t i = 0; i < list->count; i++) {
		const struct x509 *facts = &list->cas[i]->link.facts;
		take(arg,
		    &(const struct trust_end){
			.name = x509_name_text(facts->subject, name, sizeof name),
			.begins_s = facts->not_before,
			.ends_s = facts->not_after,
		    });
	}
}

void
trust_each_end(const struct trust *trust, void (*take)(void *, const struct trust_end *), void *arg)
{
	struct revocation *revocation = trust_revocation(trust);
	const struct crl *crl;
	const char *file;
	char name[END_NAME];
	each_ca(trust_ca_list(trust), take, arg);
	for (size_t i = 0; revocation && (crl = revocation_crl(revocation, i, &file)); i++)
		take(arg,
		    &(const struct trust_end){
			.is_crl = true,
			.name = x509_name_text(crl_issuer(crl), name, sizeof name),
			.begins_s = crl_this_update(crl),
			.ends_s = crl_next_update(crl),
		    });
}
