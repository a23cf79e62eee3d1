/* Whether the CAs that are listed are those of the role that they are to vouch for. */
#include "pki/trust.h"

#include <stdio.h>

#include "pki/judge.h"
#include "pki/x509.h"

bool
trust_fits(const struct trust *trust, enum role role, char sentence[TRUST_ERROR])
{
	size_t unfit = 0, accepted = 0;
	char subject[200];

	for (size_t i = 0; i < trust_ca_count(trust); i++) {
		struct der ca = trust_accepted_ca(trust, i);
		const char *lacks = NULL, *why;
		struct x509 facts;

		if (ca.bytes == 0 || !x509_parse(&facts, ca, &why))
			continue;
		accepted++;
		lacks = judge_ca_lacks(&facts, role);
		if (lacks && unfit++ == 0)
			snprintf(sentence, TRUST_ERROR,
			    "%s issues for other roles than %s (its extKeyUsage lacks %s), so nobody "
			    "below it is believed here; give the CA of the other side's certificates",
			    x509_name_text(facts.subject, subject, sizeof subject), role_word(role),
			    lacks);
	}
	return accepted == 0 || unfit < accepted;
}
