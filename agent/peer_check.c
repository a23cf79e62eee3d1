/*
 * The judgement of a peer's certificate.
 */
#include "agent/peer_check.h"

#include <string.h>

#include "base/clock.h"
#include "pki/x509.h"

static void
note_presented(struct peer_check *judge, struct der leaf)
{
	struct x509 x509;
	const char *why;

	x509_fingerprint(leaf, judge->fingerprint);
	if (!x509_parse(&x509, leaf, &why))
		return;
	x509_name_text(x509.subject, judge->subject, sizeof judge->subject);
	x509_name_text(x509.issuer, judge->issuer, sizeof judge->issuer);
}

unsigned
peer_check_chain(void *arg, const struct tls_certificate *chain, size_t count)
{
	struct peer_check *judge = arg;
	struct der ders[VERIFY_CHAIN];

	if (count == 0 && judge->is_optional)
		return 0;
	if (count > VERIFY_CHAIN)
		count = VERIFY_CHAIN;
	for (size_t i = 0; i < count; i++)
		ders[i] = (struct der){ chain[i].data, chain[i].bytes };
	peer_check_wipe(judge);
	judge->identity = verify_chain(judge->trust, judge->role, ders, count, judge->host,
	    clock_wall_s(), &judge->verdict);
	judge->has_refused = judge->identity == NULL;
	if (judge->has_refused && count > 0)
		note_presented(judge, ders[0]);
	return judge->has_refused ? judge->verdict.alert : 0;
}

void
peer_check_wipe(struct peer_check *judge)
{
	if (judge->identity)
		identity_release(judge->identity);
	judge->identity = NULL;
}
