/* Judges a peer's certificate and keeps what people must be told about it. */
#include "agent/peer_check.h"

#include <string.h>

#include "base/clock.h"
#include "pki/x509.h"

static void
note_presented(struct peer_check *check, struct der leaf)
{
	struct x509 x509;
	const char *why;

	x509_fingerprint(leaf, check->fingerprint);
	if (!x509_parse(&x509, leaf, &why))
		return;
	x509_name_text(x509.subject, check->subject, sizeof check->subject);
	x509_name_text(x509.issuer, check->issuer, sizeof check->issuer);
}

unsigned
peer_check_chain(void *arg, const struct tls_certificate *chain, size_t count)
{
	struct peer_check *check = arg;
	struct der ders[VERIFY_CHAIN];

	if (count == 0 && check->is_optional)
		return 0;
	if (count > VERIFY_CHAIN)
		count = VERIFY_CHAIN;
	for (size_t i = 0; i < count; i++)
		ders[i] = (struct der){ chain[i].data, chain[i].bytes };
	peer_check_wipe(check);
	check->identity = verify_chain(
	    check->trust, check->role, ders, count, check->host, clock_wall_s(), &check->verdict);
	check->has_refused = !check->identity;
	if (check->has_refused && count > 0)
		note_presented(check, ders[0]);
	return check->has_refused ? check->verdict.alert : 0;
}

void
peer_check_wipe(struct peer_check *check)
{
	if (check->identity)
		identity_release(check->identity);
	check->identity = NULL;
}
