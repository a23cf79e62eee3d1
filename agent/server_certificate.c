/* Loads the certificates of an endpoint, and chooses among them. */
#include "agent/server_certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/sha2.h>

#include "base/clock.h"
#include "base/log.h"
#include "pki/cert.h"
#include "pki/identity.h"
#include "keys/key_pair.h"
#include "sni/clienthello.h"
#include "sni/name.h"

/* ---- what a client can verify ---- */

/* The signature schemes of RFC 8446, 4.2.3, that we sign with; their bits in an offer. */
static const uint16_t schemes[] = {
	0x0403,                 /* ecdsa_secp256r1_sha256 */
	0x0503,                 /* ecdsa_secp384r1_sha384 */
	0x0603,                 /* ecdsa_secp521r1_sha512 */
	0x0807,                 /* ed25519 */
	0x0808,                 /* ed448 */
	0x0804, 0x0805, 0x0806, /* rsa_pss_rsae */
	0x0809, 0x080a, 0x080b, /* rsa_pss_pss */
	0x0401, 0x0501, 0x0601, /* rsa_pkcs1, before TLS 1.3 only */
};
enum {
	P256 = 1u << 0,
	P384 = 1u << 1,
	P521 = 1u << 2,
	ECDSA = P256 | P384 | P521,
	ED25519 = 1u << 3,
	ED448 = 1u << 4,
	RSAE = 7u << 5,
	PSS = 7u << 8,
	PKCS1 = 7u << 11,
};

/* Any of these schemes; in TLS 1.3 a scheme of ECDSA names the curve, too.  In this order they are
 * preferred. */
struct key_demand {
	const char *type; /* as in struct cert_facts */
	unsigned bits;    /* 0: any */
	bool is_rsa;      /* the cipher suites of TLS 1.2 */
	uint16_t in13, in12;
};

static const struct key_demand demands[] = {
	{ "ecdsa", 256, false, P256, ECDSA },
	{ "ecdsa", 384, false, P384, ECDSA },
	{ "ecdsa", 521, false, P521, ECDSA },
	{ "ed25519", 0, false, ED25519, ED25519 },
	{ "ed448", 0, false, ED448, ED448 },
	{ "rsa-pss", 0, true, PSS, PSS },
	{ "rsa", 0, true, RSAE, RSAE | PKCS1 },
};

static const struct key_demand *
demand_of(const struct cert_facts *facts)
{
	for (size_t i = 0; i < sizeof demands / sizeof *demands; i++)
		if (strcmp(demands[i].type, facts->key_type) == 0 &&
		    (demands[i].bits == 0 || demands[i].bits == facts->bits))
			return &demands[i];
	return NULL;
}

static uint16_t
schemes_in(const struct clienthello *hello, const uint8_t *wire)
{
	struct clienthello_vector list = hello->signature_algorithms;
	uint16_t value, found = 0;

	while (clienthello_next_u16(&list, wire, &value))
		for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
			if (schemes[i] == value)
				found |= (uint16_t)(1u << i);
	return found;
}

static void
note_suites(struct key_offer *offer, const struct clienthello *hello, const uint8_t *wire)
{
	/* ECDHE with AES-128-GCM, AES-256-GCM and ChaCha20-Poly1305. */
	static const uint16_t ecdsa[] = { 0xc02b, 0xc02c, 0xcca9 },
			      rsa[] = { 0xc02f, 0xc030, 0xcca8 };
	struct clienthello_vector list = hello->cipher_suites;
	uint16_t value;

	while (clienthello_next_u16(&list, wire, &value))
		for (size_t i = 0; i < sizeof ecdsa / sizeof *ecdsa; i++) {
			offer->ecdsa |= value == ecdsa[i];
			offer->rsa |= value == rsa[i];
		}
}

struct key_offer
server_certificate_offer(const uint8_t *wire, size_t bytes, bool has_tls13)
{
	struct key_offer offer = { 0 };
	struct clienthello hello;

	clienthello_init(&hello, CLIENTHELLO_MOST_BYTES);
	if (clienthello_read(&hello, wire, bytes) != CLIENTHELLO_COMPLETE)
		return offer;
	offer.tls13 = has_tls13 && hello.tls13;
	offer.schemes = schemes_in(&hello, wire);
	note_suites(&offer, &hello, wire);
	return offer;
}

static bool
suits(const struct key_demand *demand, const struct key_offer *offer)
{
	if (offer->tls13)
		return demand->in13 & offer->schemes;
	return demand->in12 & offer->schemes && (demand->is_rsa ? offer->rsa : offer->ecdsa);
}

/* ---- the choice ---- */

static enum cover
cover_of(const struct server_certificate *certificate, const char *name)
{
	enum cover best = COVER_NONE;

	for (size_t i = 0; i < certificate->name_count && best != COVER_EXACT; i++)
		if (strcmp(certificate->names[i], name) == 0)
			best = COVER_EXACT;
		else if (name_matches(certificate->names[i], name, false))
			best = COVER_WILDCARD;
	return best;
}

struct fitness {
	bool is_usable;
	enum cover cover;
	const struct key_demand *demand;
};

static bool
is_better(const struct fitness *a, const struct fitness *b)
{
	if (a->is_usable != b->is_usable)
		return a->is_usable;
	return a->cover != b->cover ? a->cover > b->cover : a->demand < b->demand;
}

const struct server_certificate *
server_certificate_choose(const struct server_certificate *all, size_t count, const char *name,
    const struct key_offer *offer)
{
	const struct server_certificate *best = NULL;
	struct fitness best_fitness = { 0 };

	for (size_t i = 0; i < count; i++) {
		struct fitness fitness = { suits(all[i].demand, offer), cover_of(&all[i], name),
			all[i].demand };

		if (fitness.cover == COVER_NONE || (best && !is_better(&fitness, &best_fitness)))
			continue;
		best = &all[i];
		best_fitness = fitness;
	}
	return best;
}

/* ---- loading ---- */

/* A name of the certificate that the endpoint may have to show it for, whichever of the two is the
 * wildcard. */
static bool
is_relevant(const char *san, const char *endpoint)
{
	return name_matches(endpoint, san, false) || name_matches(san, endpoint, false);
}

/* False when memory is short. */
static bool
take_names(struct server_certificate *out, const struct cert_facts *facts, const char *endpoint)
{
	char name[NAME_SIZE];

	out->names = calloc(facts->san_count + 1, sizeof *out->names);
	for (size_t i = 0; out->names && i < facts->san_count; i++) {
		if (!name_normalise_pattern(name, facts->sans[i], strlen(facts->sans[i])) ||
		    !is_relevant(name, endpoint))
			continue;
		out->names[out->name_count] = strdup(name);
		if (!out->names[out->name_count])
			return false;
		out->name_count++;
	}
	return out->names != NULL;
}

static bool
take_facts(struct server_certificate *out, const struct key_pair *pair, const char *path,
    const char *endpoint, char *error)
{
	struct cert_facts facts;
	bool fine = cert_read(&facts, &pair->certificate, path, error);

	if (fine) {
		out->key = facts.key;
		out->not_before = facts.not_before;
		out->not_after = facts.not_after;
		memcpy(out->fingerprint, facts.fingerprint, sizeof out->fingerprint);
		out->demand = demand_of(&facts);
		fine = out->demand && take_names(out, &facts, endpoint);
		if (!out->demand)
			snprintf(error, SERVER_CERTIFICATE_ERROR,
			    "%.300s: its key (%s, %u bits) is of a type that TLS servers do not use; "
			    "make one on P-256",
			    path, facts.key_type, facts.bits);
		else if (!fine)
			snprintf(error, SERVER_CERTIFICATE_ERROR, "memory is short");
	}
	cert_wipe(&facts);
	return fine;
}

/* NULL: there was none of this certificate. */
static const struct ocsp_staple *
find_staple_before(
    const struct server_certificate *now, const struct server_certificate_scope *scope)
{
	for (size_t i = 0; i < scope->before_count; i++)
		if (strcmp(scope->before[i].fingerprint, now->fingerprint) == 0 &&
		    scope->before[i].staple.data)
			return &scope->before[i].staple;
	return NULL;
}

/* Keeps what it had instead of what is not good now.  False when memory is short. */
static bool
keep_staple(struct server_certificate *out, const struct ocsp_staple *before, const char *why)
{
	ocsp_staple_wipe(&out->staple);
	out->staple_refused = strdup(why);
	return out->staple_refused && (!before || ocsp_staple_copy(&out->staple, before));
}

/* False when memory is short, or the certificate's demand cannot be read. */
static bool
take_staple(struct server_certificate *out, const struct key_pair *pair, const char *path,
    const struct server_certificate_scope *scope)
{
	const struct ocsp_staple *before = find_staple_before(out, scope);
	int64_t now_s = clock_wall_s();
	char why[OCSP_ERROR];

	if (!ocsp_must_staple(&pair->certificate, &out->must_staple))
		return false;
	out->wants_staple = path || out->must_staple;
	if (!path)
		return true;
	if (!ocsp_staple_load(&out->staple, path, &pair->certificate, now_s, why))
		return keep_staple(out, before, why);
	if (ocsp_staple_is_current(&out->staple, now_s) || !before ||
	    !ocsp_staple_is_current(before, now_s))
		return true;
	return keep_staple(out, before, ocsp_staple_untimely(&out->staple, now_s, why));
}

static bool
take_pair(struct server_certificate *out, const struct key_pair *pair,
    const struct certificate_settings *settings, const struct tls_settings *shared, char *error)
{
	struct tls_settings tls = *shared;
	char why[TLS_ERROR];

	tls.certificate = &pair->certificate;
	tls.private_key = &pair->key;
	tls.staple = (struct tls_staple){ out->staple.data, out->staple.bytes, out->staple.from_s,
		out->staple.until_s };
	out->tls = tls_config_new(&tls, why);
	if (!out->tls)
		snprintf(error, SERVER_CERTIFICATE_ERROR, "%.200s, %.200s: %s",
		    settings->certificate, settings->private_key, why);
	return out->tls != NULL;
}

static void
digest_file(struct server_certificate *out, const struct secret *file)
{
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, file->bytes, file->data);
	sha256_digest(&sha, sizeof out->digest, out->digest);
}

static bool
take(struct server_certificate *out, const struct key_pair *pair,
    const struct certificate_settings *settings, const struct server_certificate_scope *scope,
    char *error)
{
	digest_file(out, &pair->certificate);
	if (!take_facts(out, pair, settings->certificate, scope->endpoint, error))
		return false;
	if (take_staple(out, pair, settings->staple, scope))
		return take_pair(out, pair, settings, scope->tls, error);
	snprintf(error, SERVER_CERTIFICATE_ERROR,
	    "%.300s: memory is short, or its TLS features (RFC 7633) cannot be read",
	    settings->certificate);
	return false;
}

bool
server_certificate_load(struct server_certificate *out, const struct certificate_settings *settings,
    const struct server_certificate_scope *scope, char error[SERVER_CERTIFICATE_ERROR])
{
	struct key_pair pair;
	char why[KEY_PAIR_ERROR];
	bool fine = key_pair_load(&pair, settings->certificate, settings->private_key, why) ==
	    KEY_PAIR_FINE;

	*out = (struct server_certificate){ 0 };
	if (fine)
		fine = take(out, &pair, settings, scope, error);
	else
		snprintf(error, SERVER_CERTIFICATE_ERROR, "%s", why);
	key_pair_wipe(&pair);
	return fine;
}

void
server_certificate_wipe(struct server_certificate *certificate)
{
	tls_config_release(certificate->tls);
	for (size_t i = 0; i < certificate->name_count; i++)
		free(certificate->names[i]);
	free(certificate->names);
	ocsp_staple_wipe(&certificate->staple);
	free(certificate->staple_refused);
	*certificate = (struct server_certificate){ 0 };
}

/* ---- OCSP responses ---- */

const char *
server_certificate_unstapled(
    const struct server_certificate *certificate, int64_t now_s, char error[OCSP_ERROR])
{
	if (!certificate->wants_staple || ocsp_staple_is_current(&certificate->staple, now_s))
		return NULL;
	if (certificate->staple_refused)
		return certificate->staple_refused;
	if (certificate->staple.data)
		return ocsp_staple_untimely(&certificate->staple, now_s, error);
	return "the certificate demands an OCSP response, and none is given; add "
	       "server_ocsp_response";
}

void
server_certificate_watch(
    struct server_certificate *certificate, const char *endpoint, int64_t now_s)
{
	char error[OCSP_ERROR];
	const char *missing = server_certificate_unstapled(certificate, now_s, error);
	enum staple_fault fault = missing ? STAPLE_MISSING
	    : certificate->staple_refused ? STAPLE_REFUSED
					  : STAPLE_FINE;

	if (fault > certificate->staple_told && fault == STAPLE_MISSING)
		log_event(certificate->must_staple ? LOG_ERROR : LOG_WARNING, "ocsp-missing",
		    missing, log_str("endpoint", endpoint),
		    log_str("sha256", certificate->fingerprint));
	else if (fault > certificate->staple_told)
		log_event(LOG_WARNING, "ocsp-refused", certificate->staple_refused,
		    log_str("endpoint", endpoint), log_str("kept", "the response from before"));
	certificate->staple_told = fault;
}
