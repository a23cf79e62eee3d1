/*
 * What a peer can send to the verifier: a role's octet, then certificates, each with two
 * octets of length before it.  Besides the whole judgement, which few inputs pass beyond
 * their signatures, the parts behind are called as if those were good.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cursor.h"
#include "pki/constraint.h"
#include "pki/crl_points.h"
#include "pki/identity_private.h"
#include "pki/policy.h"
#include "pki/trust.h"
#include "pki/verify.h"
#include "tests/fuzz/verify_trust.h"

enum { NOW = 1800000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
hold(bool claim)
{
	if (!claim)
		abort();
}

static struct trust *
trust_of(const char *pem)
{
	char path[] = "/tmp/valise-fuzz.XXXXXX", error[TRUST_ERROR];
	int file = mkstemp(path);
	const char *const files[] = { path };
	hold(file >= 0 && write(file, pem, strlen(pem)) == (ssize_t)strlen(pem) && close(file) == 0);
	struct trust_sources sources = { .ca_files = files, .ca_count = 1, .crl_files = files,
		.crl_count = 1, .crls_configured = true, .label = "cas", .now = NOW };
	struct trust *trust = trust_load(&sources, NULL, error, sizeof error);
	unlink(path);
	if (!trust)
		fprintf(stderr, "%s\n", error);
	hold(trust != NULL);
	return trust;
}

/* As if the chain were signed as it stands. */
static void
take_at_its_word(const struct peer_chain *sent, struct trust *trust)
{
	struct path path = {0};
	char why[200];
	const char *san;
	struct grant grant;
	struct verdict verdict;
	struct der uris[4];
	for (size_t i = 0; i < sent->count; i++)
		path.links[path.count++] = &sent->links[i];
	for (size_t i = 0; i < sent->count; i++)
		hold(crl_points(&sent->links[i].facts, uris, 4) <= 4);
	for (size_t i = 0; i + 1 < path.count; i++)
		constraint_allows(&path.links[i + 1]->facts, &path.links[i]->facts, why, sizeof why);
	if (path.count > 1)
		policy_allows(&path, &(size_t){ 0 }, &(const char *){ NULL });
	const struct der *der = &path.links[0]->facts.grant;
	bool has_grant = der->bytes > 0 && grant_decode(&grant, der->data, der->bytes, &(const char *){ NULL });
	if (path.count < 2)
		return;
	struct identity *identity = identity_new(&path, ROLE_AGENT, has_grant ? &grant : NULL);
	hold(identity && identity_name(identity));
	for (size_t i = 0; identity_san(identity, i); i++)
		hold(identity_covers(identity, identity_san(identity, i), &san) == COVER_EXACT);
	identity_covers(identity, "*.a.example", NULL);
	identity_judge_again(identity, trust, NOW, &verdict);
	identity_release(identity);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct trust *trust;
	struct der chain[VERIFY_CHAIN + 2];
	struct cursor in = cursor_over(data, size);
	struct verdict verdict;
	struct peer_chain sent;
	const char *why;
	size_t count = 0;
	if (!trust)
		trust = trust_of(verify_trust);
	enum role role = (enum role)(cursor_u8(&in) % ROLES);
	while (in.left > 0 && count < sizeof chain / sizeof *chain) {
		size_t bytes = cursor_u16(&in);
		bytes = bytes < in.left ? bytes : in.left;
		chain[count++] = (struct der){ cursor_bytes(&in, bytes), bytes };
	}
	struct identity *identity = verify_chain(trust, role, chain, count, "a.example", NOW, &verdict);
	hold((identity != NULL) == (verdict.code == VERIFY_OK));
	hold((verdict.alert == 0) == (identity != NULL));
	hold((verdict.sentence[0] == '\0') == (identity != NULL));
	identity_release(identity);
	if (peer_chain_read(&sent, chain, count, &why) && sent.count > 0)
		take_at_its_word(&sent, trust);
	peer_chain_wipe(&sent);
	return 0;
}
