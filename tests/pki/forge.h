/*
 * A forger's workshop for the tests: certificates and CRLs octet by octet, so that
 * they can be wrong in every way, signed with GnuTLS' keys.  What a recipe
 * leaves at zero has the value of a sound one.
 */
#ifndef TESTS_PKI_FORGE_H
#define TESTS_PKI_FORGE_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>
#include <unistd.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <nettle/sha1.h>

#include "pki/der.h"
#include "pki/grant.h"
#include "pki/oid.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

enum { NOW = 1800000000, DAY = 86400, FORGED_BYTES = 16384 };

/* ---- DER, written forwards; close() puts the length in ---- */

struct forged {
	size_t bytes;
	uint8_t data[FORGED_BYTES];
};

static void
put(struct forged *out, const void *data, size_t bytes)
{
	if (out->bytes + bytes > FORGED_BYTES)
		abort();
	memcpy(out->data + out->bytes, data, bytes);
	out->bytes += bytes;
}

static size_t
open_tag(struct forged *out, unsigned tag)
{
	uint8_t octet = (uint8_t)tag;
	put(out, &octet, 1);
	return out->bytes;
}

static void
close_tag(struct forged *out, size_t start)
{
	size_t length = out->bytes - start;
	uint8_t header[4];
	size_t bytes = length < 0x80 ? 1 : length < 0x100 ? 2 : 3;
	header[0] = (uint8_t)(bytes == 1 ? length : 0x80 + bytes - 1);
	for (size_t i = 1; i < bytes; i++)
		header[i] = (uint8_t)(length >> 8 * (bytes - 1 - i));
	put(out, header, bytes);
	memmove(out->data + start + bytes, out->data + start, length);
	memcpy(out->data + start, header, bytes);
}

static void
put_tlv(struct forged *out, unsigned tag, const void *data, size_t bytes)
{
	size_t start = open_tag(out, tag);
	put(out, data, bytes);
	close_tag(out, start);
}

static void
put_int(struct forged *out, unsigned tag, int value)
{
	uint8_t octets[2] = { (uint8_t)(value >> 8), (uint8_t)value };
	bool two = value > 127;
	put_tlv(out, tag, two ? octets : octets + 1, two ? 2 : 1);
}

static void
put_true(struct forged *out)
{
	put_tlv(out, DER_BOOLEAN, "\xff", 1);
}

/* An arc may be a power of two beyond 64 bits: "^64" is 2^64 + what the rest says. */
static void
put_arc(struct forged *out, const char *arc, uint64_t add)
{
	unsigned __int128 value = 0;
	const char *at = arc;
	if (*at == '^')
		value = (unsigned __int128)1 << strtoul(at + 1, (char **)&at, 10);
	value += strtoull(*at == '+' ? at + 1 : at, NULL, 10) + add;
	uint8_t octets[20];
	size_t bytes = 0;
	do
		octets[bytes++] = (uint8_t)(value & 0x7f);
	while ((value >>= 7) != 0);
	while (bytes-- > 0) {
		uint8_t octet = octets[bytes] | (bytes > 0 ? 0x80 : 0);
		put(out, &octet, 1);
	}
}

static void
put_oid(struct forged *out, const char *dotted)
{
	char copy[128], *rest = copy;
	size_t start = open_tag(out, DER_OID);
	snprintf(copy, sizeof copy, "%s", dotted);
	uint64_t first = strtoull(strsep(&rest, "."), NULL, 10);
	put_arc(out, strsep(&rest, "."), 40 * first);
	while (rest)
		put_arc(out, strsep(&rest, "."), 0);
	close_tag(out, start);
}

static void
put_time(struct forged *out, int64_t at)
{
	char text[32];
	time_t seconds = (time_t)at;
	struct tm tm;
	gmtime_r(&seconds, &tm);
	bool utc = tm.tm_year < 150;
	strftime(text, sizeof text, "%Y%m%d%H%M%SZ", &tm);
	const char *from = text + (utc ? 2 : 0);
	put_tlv(out, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME, from, strlen(from));
}

/* "CN" only, except that "O/CN" gives both. */
static void
put_name(struct forged *out, const char *text)
{
	const char *slash = strchr(text, '/');
	size_t name = open_tag(out, DER_SEQUENCE);
	for (int part = !slash; part < 2 && text[0] != '\0'; part++) {
		const char *value = part == 0 || !slash ? text : slash + 1;
		size_t bytes = part == 0 ? (size_t)(slash - text) : strlen(value);
		size_t set = open_tag(out, DER_SET), sequence = open_tag(out, DER_SEQUENCE);
		put_oid(out, part == 0 ? "2.5.4.10" : "2.5.4.3");
		put_tlv(out, 0x0c, value, bytes);
		close_tag(out, sequence);
		close_tag(out, set);
	}
	close_tag(out, name);
}

static size_t
unhex(const char *text, uint8_t *out)
{
	size_t bytes = 0;
	for (; text[0] != '\0' && text[1] != '\0'; text += 2)
		sscanf(text, "%2hhx", &out[bytes++]);
	return bytes;
}

static void
put_hex(struct forged *out, unsigned tag, const char *text)
{
	uint8_t octets[256];
	put_tlv(out, tag, octets, unhex(text, octets));
}

static struct der
forged_der(const struct forged *forged)
{
	return (struct der){ forged->data, forged->bytes };
}

/* ---- keys ---- */

enum key {
	KEY_ROOT, KEY_MIDDLE, KEY_SUB, KEY_LEAF, KEY_STRANGER, KEY_RSA, KEY_RSA_1024, KEY_P192, KEY_ED25519,
	KEY_RSA_HUGE,	/* public only, as are the next */
	KEY_EXPLICIT,	/* P-256, spelled out */
	KEY_SECP256K1,
	KEY_UNKNOWN_CURVE,
	KEY_UNKNOWN_KIND,
	KEYS
};

static gnutls_privkey_t
forge_key(enum key which)
{
	static gnutls_privkey_t keys[KEYS];
	if (keys[which])
		return keys[which];
	gnutls_privkey_init(&keys[which]);
	int result = which == KEY_RSA ? gnutls_privkey_generate(keys[which], GNUTLS_PK_RSA, 2048, 0) :
	    which == KEY_RSA_1024 ? gnutls_privkey_generate(keys[which], GNUTLS_PK_RSA, 1024, 0) :
	    which == KEY_ED25519 ? gnutls_privkey_generate(keys[which], GNUTLS_PK_EDDSA_ED25519, 0, 0) :
	    which == KEY_P192 ? gnutls_privkey_generate(keys[which], GNUTLS_PK_ECDSA,
		GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP192R1), 0) :
	    gnutls_privkey_generate(keys[which], GNUTLS_PK_ECDSA,
		GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (result < 0)
		abort();
	return keys[which];
}

/* An RSA key of 16448 bits whose exponent is as long: hours for whoever checks a signature by it. */
static int
import_huge(gnutls_pubkey_t public)
{
	static uint8_t number[2056];
	gnutls_datum_t both = { number, sizeof number };
	memset(number, 0x77, sizeof number);
	number[0] = 0x97;
	return gnutls_pubkey_import_rsa_raw(public, &both, &both);
}

static const char *
odd_curve(enum key which)
{
	return which == KEY_SECP256K1 ? "1.3.132.0.10" : which == KEY_UNKNOWN_CURVE ? "1.2.3.4.5" : NULL;
}

/* A point that stands on no curve, under parameters of any kind. */
static void
put_odd_spki(struct forged *out, enum key which)
{
	static const uint8_t point[66] = { 0, 4, 1 };
	size_t start = open_tag(out, DER_SEQUENCE), algorithm = open_tag(out, DER_SEQUENCE);
	put_oid(out, which == KEY_UNKNOWN_KIND ? "1.2.3.4" : "1.2.840.10045.2.1");
	if (odd_curve(which))
		put_oid(out, odd_curve(which));
	else if (which == KEY_EXPLICIT)
		put_tlv(out, DER_SEQUENCE, "\2\1\1", 3);
	close_tag(out, algorithm);
	put_tlv(out, DER_BIT_STRING, point, sizeof point);
	close_tag(out, start);
}

static void
put_spki(struct forged *out, enum key which)
{
	gnutls_pubkey_t public;
	gnutls_datum_t der;
	if (which >= KEY_EXPLICIT) {
		put_odd_spki(out, which);
		return;
	}
	gnutls_pubkey_init(&public);
	if ((which == KEY_RSA_HUGE ? import_huge(public) :
	    gnutls_pubkey_import_privkey(public, forge_key(which), 0, 0)) < 0 ||
	    gnutls_pubkey_export2(public, GNUTLS_X509_FMT_DER, &der) < 0)
		abort();
	put(out, der.data, der.size);
	gnutls_free(der.data);
	gnutls_pubkey_deinit(public);
}

static void
key_id(enum key which, uint8_t out[20])
{
	struct forged spki = {0};
	struct sha1_ctx sha;
	put_spki(&spki, which);
	sha1_init(&sha);
	sha1_update(&sha, spki.bytes, spki.data);
	sha1_digest(&sha, 20, out);
}

static bool
is_rsa(enum key which)
{
	return which == KEY_RSA || which == KEY_RSA_1024;
}

static void
put_algorithm(struct forged *out, enum key signer, bool sha1)
{
	size_t start = open_tag(out, DER_SEQUENCE);
	put_oid(out, signer == KEY_ED25519 ? "1.3.101.112" :
	    is_rsa(signer) ? (sha1 ? "1.2.840.113549.1.1.5" : "1.2.840.113549.1.1.11") :
	    sha1 ? "1.2.840.10045.4.1" : "1.2.840.10045.4.3.2");
	if (is_rsa(signer))
		put_tlv(out, 0x05, "", 0);
	close_tag(out, start);
}

/* SEQUENCE { to-be-signed, algorithm, signature } around what is there. */
static void
sign(struct forged *out, enum key signer, bool sha1, bool damage)
{
	gnutls_datum_t data = { out->data, (unsigned)out->bytes }, signature;
	if (gnutls_privkey_sign_data2(forge_key(signer),
	    signer == KEY_ED25519 ? GNUTLS_SIGN_EDDSA_ED25519 :
	    is_rsa(signer) ? (sha1 ? GNUTLS_SIGN_RSA_SHA1 : GNUTLS_SIGN_RSA_SHA256) :
	    sha1 ? GNUTLS_SIGN_ECDSA_SHA1 : GNUTLS_SIGN_ECDSA_SHA256, 0, &data, &signature) < 0)
		abort();
	if (damage)
		signature.data[signature.size - 1] ^= 1;
	put_algorithm(out, signer, sha1);
	size_t bits = open_tag(out, DER_BIT_STRING);
	put(out, "", 1);
	put(out, signature.data, signature.size);
	close_tag(out, bits);
	gnutls_free(signature.data);
	struct forged inner = *out;
	out->bytes = 0;
	put_tlv(out, DER_SEQUENCE, inner.data, inner.bytes);
}

/* ---- certificates ---- */

enum level { LEVEL_ROOT, LEVEL_MIDDLE, LEVEL_SUB, LEVEL_LEAF };
enum flag { DEFAULT, NO, YES, ABSENT };

struct recipe {
	const char *subject, *issuer;	/* CN or O/CN */
	const struct forged *name;	/* the subject instead, a whole Name */
	const char *serial;		/* hexadecimal contents */
	int from, to;			/* days from NOW */
	enum flag ca;			/* ABSENT: no basicConstraints at all */
	int path;			/* path length + 1 */
	int usage;			/* -1: absent */
	const char *purposes;		/* "agent,client,server,any" or OIDs; "" none at all */
	const char *names;		/* "dns:a,uri:b,ip:1.2.3.4,email:c"; "" none */
	const char *permit, *exclude;	/* the same, or "dn:O" */
	const struct grant *grant;	/* NULL: a small one in an agent's leaf, else none */
	bool no_grant;
	const char *grant_hex;		/* these octets instead */
	const char *policies;		/* "1.2.3.4,1.2.3.5"; NULL: none */
	const char *mappings;		/* "1.2.3.4,1.2.3.5": the one for the other, and so on */
	int require_policy, inhibit_mapping, inhibit_any;	/* certificates + 1; 0: absent */
	bool points;			/* a critical cRLDistributionPoints */
	const char *odd_extension;	/* an OID, not critical, spoilt so: */
	enum spoilt { SPOILT_VALUE, SPOILT_EMPTY, SPOILT_EXTENSION } spoilt;
	bool two_algorithms;		/* within and without what is signed */
	bool critical;			/* an unknown critical extension */
	bool twice;			/* basicConstraints two times */
	bool version_1;
	bool sha1, damage;
	const char *wrong_key_id;	/* authorityKeyIdentifier in hexadecimal; "" leaves it out */
	enum key key, signer;		/* KEY_ROOT (0) means the level's own */
};

static const char *const forge_purpose_words[][2] = {
	{ "agent", OID_AGENT_PURPOSE }, { "client", OID_CLIENT_AUTH }, { "server", OID_SERVER_AUTH },
	{ "any", "2.5.29.37.0" }, { "email", "1.3.6.1.5.5.7.3.4" },
};

static size_t
open_extension(struct forged *out, const char *oid, bool critical, size_t marks[2])
{
	marks[0] = open_tag(out, DER_SEQUENCE);
	put_oid(out, oid);
	if (critical)
		put_true(out);
	return marks[1] = open_tag(out, DER_OCTET_STRING);
}

static void
close_extension(struct forged *out, const size_t marks[2])
{
	close_tag(out, marks[1]);
	close_tag(out, marks[0]);
}

static void
put_general_name(struct forged *out, const char *name, bool subtree)
{
	const char *value = strchr(name, ':') + 1;
	size_t bytes = strlen(value);
	char unescaped[512];
	size_t n = 0;
	for (size_t i = 0; i < bytes && n < sizeof unescaped; i++)	/* %00 and the like */
		if (value[i] == '%') {
			unsigned octet;
			sscanf(value + i + 1, "%2x", &octet);
			unescaped[n++] = (char)octet;
			i += 2;
		} else
			unescaped[n++] = value[i];
	if (name[0] == 'i') {
		uint8_t address[8];
		char text[64];
		snprintf(text, sizeof text, "%.*s", (int)strcspn(value, "/"), value);
		if (inet_pton(AF_INET, text, address) != 1)
			abort();
		if (subtree && inet_pton(AF_INET, strchr(value, '/') + 1, address + 4) != 1)
			abort();
		put_tlv(out, DER_CONTEXT | 7, address, subtree ? 8 : 4);
	} else if (strncmp(name, "dn:", 3) == 0) {
		size_t start = open_tag(out, DER_CONTEXT_SEQUENCE | 4);
		put_name(out, value);
		/* "O" alone is an O, not a CN */
		close_tag(out, start);
	} else {
		put_tlv(out, DER_CONTEXT | (name[0] == 'd' ? 2 : name[0] == 'u' ? 6 : 1), unescaped, n);
	}
}

static void
put_names(struct forged *out, const char *list, bool subtree)
{
	char copy[1024], *rest = copy;
	snprintf(copy, sizeof copy, "%s", list);
	for (char *name = strsep(&rest, ","); name; name = strsep(&rest, ",")) {
		size_t start = subtree ? open_tag(out, DER_SEQUENCE) : 0;
		put_general_name(out, name, subtree);
		if (subtree)
			close_tag(out, start);
	}
}

static void
put_purposes(struct forged *out, const char *list)
{
	size_t marks[2];
	char copy[256], *rest = copy;
	if (list[0] == '\0')
		return;
	open_extension(out, "2.5.29.37", false, marks);
	size_t start = open_tag(out, DER_SEQUENCE);
	snprintf(copy, sizeof copy, "%s", list);
	for (char *word = strsep(&rest, ","); word; word = strsep(&rest, ",")) {
		const char *oid = word;
		for (size_t i = 0; i < sizeof forge_purpose_words / sizeof *forge_purpose_words; i++)
			if (strcmp(word, forge_purpose_words[i][0]) == 0)
				oid = forge_purpose_words[i][1];
		put_oid(out, oid);
	}
	close_tag(out, start);
	close_extension(out, marks);
}

static void
put_basic_constraints(struct forged *out, bool ca, int path)
{
	size_t marks[2];
	open_extension(out, "2.5.29.19", true, marks);
	size_t start = open_tag(out, DER_SEQUENCE);
	if (ca)
		put_true(out);
	if (path > 0)
		put_int(out, DER_INTEGER, path - 1);
	close_tag(out, start);
	close_extension(out, marks);
}

static void
put_usage(struct forged *out, int usage)
{
	size_t marks[2];
	uint8_t bits[2] = { 0, (uint8_t)usage };
	while (bits[0] < 7 && !(usage >> bits[0] & 1))
		bits[0]++;
	open_extension(out, "2.5.29.15", true, marks);
	put_tlv(out, DER_BIT_STRING, bits, 2);
	close_extension(out, marks);
}

static void
put_key_ids(struct forged *out, enum key own, enum key issuer, const char *wrong)
{
	size_t marks[2];
	uint8_t id[20];
	open_extension(out, "2.5.29.14", false, marks);
	key_id(own, id);
	put_tlv(out, DER_OCTET_STRING, id, sizeof id);
	close_extension(out, marks);
	if (wrong && wrong[0] == '\0')
		return;
	open_extension(out, "2.5.29.35", false, marks);
	size_t start = open_tag(out, DER_SEQUENCE);
	key_id(issuer, id);
	if (wrong)
		put_hex(out, DER_CONTEXT, wrong);
	else
		put_tlv(out, DER_CONTEXT, id, sizeof id);
	close_tag(out, start);
	close_extension(out, marks);
}

static void
put_grant(struct forged *out, const struct recipe *r, bool leaf_of_agent)
{
	static const struct grant small = { .name = "shop" };
	uint8_t der[GRANT_DER_BYTES];
	size_t bytes, marks[2];
	const struct grant *grant = r->grant ? r->grant : leaf_of_agent ? &small : NULL;
	if (r->no_grant || (!grant && !r->grant_hex))
		return;
	if (r->grant_hex)
		bytes = unhex(r->grant_hex, der);
	else if (!grant_encode(grant, der, sizeof der, &bytes))
		abort();
	open_extension(out, OID_GRANT, false, marks);
	put(out, der, bytes);
	close_extension(out, marks);
}

static void
put_constraints(struct forged *out, const struct recipe *r)
{
	size_t marks[2];
	if (!r->permit && !r->exclude)
		return;
	open_extension(out, "2.5.29.30", true, marks);
	size_t all = open_tag(out, DER_SEQUENCE);
	for (int i = 0; i < 2; i++) {
		const char *list = i == 0 ? r->permit : r->exclude;
		if (!list)
			continue;
		size_t start = open_tag(out, DER_CONTEXT_SEQUENCE | (unsigned)i);
		put_names(out, list, true);
		close_tag(out, start);
	}
	close_tag(out, all);
	close_extension(out, marks);
}

/* "a,b,c" in an extension: each one in a SEQUENCE of its own, or two by two. */
static void
put_oids(struct forged *out, const char *oid, const char *list, bool pairs)
{
	size_t marks[2];
	char copy[2048], *rest = copy;
	if (!list)
		return;
	open_extension(out, oid, true, marks);
	size_t start = open_tag(out, DER_SEQUENCE);
	snprintf(copy, sizeof copy, "%s", list);
	while (rest) {
		size_t one = open_tag(out, DER_SEQUENCE);
		put_oid(out, strsep(&rest, ","));
		if (pairs)
			put_oid(out, strsep(&rest, ","));
		close_tag(out, one);
	}
	close_tag(out, start);
	close_extension(out, marks);
}

static void
put_policy_constraints(struct forged *out, const struct recipe *r)
{
	size_t marks[2];
	if (r->require_policy == 0 && r->inhibit_mapping == 0)
		return;
	open_extension(out, "2.5.29.36", true, marks);
	size_t start = open_tag(out, DER_SEQUENCE);
	if (r->require_policy > 0)
		put_int(out, DER_CONTEXT, r->require_policy - 1);
	if (r->inhibit_mapping > 0)
		put_int(out, DER_CONTEXT | 1, r->inhibit_mapping - 1);
	close_tag(out, start);
	close_extension(out, marks);
}

/* Its value is NULL or nothing, or its `critical` is a default that is spelled out. */
static void
put_spoilt(struct forged *out, const char *oid, enum spoilt spoilt)
{
	size_t marks[2];
	if (!oid)
		return;
	marks[0] = open_tag(out, DER_SEQUENCE);
	put_oid(out, oid);
	if (spoilt == SPOILT_EXTENSION)
		put_tlv(out, DER_BOOLEAN, "\0", 1);
	marks[1] = open_tag(out, DER_OCTET_STRING);
	if (spoilt == SPOILT_VALUE)
		put_tlv(out, 0x05, "", 0);
	close_extension(out, marks);
}

static void
put_policies(struct forged *out, const struct recipe *r)
{
	size_t marks[2];
	put_oids(out, "2.5.29.32", r->policies, false);
	put_oids(out, "2.5.29.33", r->mappings, true);
	put_policy_constraints(out, r);
	if (r->inhibit_any > 0) {
		open_extension(out, "2.5.29.54", true, marks);
		put_int(out, DER_INTEGER, r->inhibit_any - 1);
		close_extension(out, marks);
	}
	if (r->points) {
		open_extension(out, "2.5.29.31", true, marks);
		put_tlv(out, DER_SEQUENCE, "", 0);
		close_extension(out, marks);
	}
	put_spoilt(out, r->odd_extension, r->spoilt);
}

static const enum key forge_level_key[] = { KEY_ROOT, KEY_MIDDLE, KEY_SUB, KEY_LEAF };
static const char *const forge_level_name[] = { "root", "middle", "sub", "leaf" };

/* What level of the usual chain this is, under `above`, for the role with `purposes`. */
static void
forge_certificate(struct forged *out, const struct recipe *r, enum level level, enum level above,
	const char *purposes)
{
	bool leaf = level == LEVEL_LEAF;
	enum key own = r->key != 0 ? r->key : forge_level_key[level];
	enum key signer = r->signer != 0 ? r->signer : forge_level_key[above];
	out->bytes = 0;
	size_t tbs = open_tag(out, DER_SEQUENCE), start;
	if (!r->version_1) {
		start = open_tag(out, DER_CONTEXT_SEQUENCE);
		put_int(out, DER_INTEGER, 2);
		close_tag(out, start);
	}
	char serial[3];
	snprintf(serial, sizeof serial, "%02x", 0x10 + (unsigned)level);
	put_hex(out, DER_INTEGER, r->serial ? r->serial : serial);
	put_algorithm(out, signer, r->sha1);
	put_name(out, r->issuer ? r->issuer : forge_level_name[above]);
	start = open_tag(out, DER_SEQUENCE);
	put_time(out, NOW + (int64_t)DAY * (r->from != 0 ? r->from : leaf ? -1 : -30));
	put_time(out, NOW + (int64_t)DAY * (r->to != 0 ? r->to : leaf ? 90 : 3650));
	close_tag(out, start);
	if (r->name)
		put(out, r->name->data, r->name->bytes);
	else
		put_name(out, r->subject ? r->subject : forge_level_name[level]);
	put_spki(out, own);
	if (!r->version_1) {
		start = open_tag(out, DER_CONTEXT_SEQUENCE | 3);
		size_t list = open_tag(out, DER_SEQUENCE), marks[2];
		if (r->ca != ABSENT)
			put_basic_constraints(out, r->ca == YES || (r->ca == DEFAULT && !leaf), r->path);
		if (r->twice)
			put_basic_constraints(out, !leaf, r->path);
		if (r->usage != -1)
			put_usage(out, r->usage != 0 ? r->usage : leaf ? 0x80 : 0x06);
		put_purposes(out, r->purposes ? r->purposes : leaf ? purposes : "");
		const char *names = r->names ? r->names : leaf ? "dns:a.example" : "";
		if (names[0] != '\0') {
			open_extension(out, "2.5.29.17", false, marks);
			size_t san = open_tag(out, DER_SEQUENCE);
			put_names(out, names, false);
			close_tag(out, san);
			close_extension(out, marks);
		}
		put_constraints(out, r);
		put_policies(out, r);
		put_grant(out, r, leaf && strstr(purposes, "agent"));
		if (r->critical) {
			open_extension(out, "1.2.3.4.5", true, marks);
			put_tlv(out, DER_OCTET_STRING, "x", 1);
			close_extension(out, marks);
		}
		put_key_ids(out, own, signer, r->wrong_key_id);
		close_tag(out, list);
		close_tag(out, start);
	}
	close_tag(out, tbs);
	sign(out, signer, r->sha1 != r->two_algorithms, r->damage);
}

/* ---- CRLs ---- */

enum odd {
	ODD_NOTHING, ODD_DELTA, ODD_DELTA_QUIET, ODD_CRITICAL, ODD_IDP_PLACE, ODD_IDP_USERS, ODD_IDP_INDIRECT,
	ODD_NO_NEXT_UPDATE, ODD_ENTRY_CRITICAL, ODD_ENTRY_ISSUER, ODD_TRAILING, ODD_TWICE, ODD_LONG_LENGTH,
	ODD_NUMBER, ODD_KEY_ID, ODD_IDP_MALFORMED, ODD_EXTENSIONS, ODD_ENTRY, ODD_VERSION, ODD_TWO_ALGORITHMS,
	ODD_ALGORITHM,
};

/* What is left out for a spoilt extension of this kind. */
static const char *
odd_oid(enum odd odd)
{
	return odd == ODD_NUMBER ? "2.5.29.20" : odd == ODD_KEY_ID ? "2.5.29.35" :
	    odd == ODD_IDP_MALFORMED ? "2.5.29.28" : odd == ODD_EXTENSIONS ? "1.2.3.4" : NULL;
}

struct crl_recipe {
	bool absent;
	const char *issuer;
	int number;			/* -1: none */
	int from, to;			/* days from NOW */
	const char *serials;		/* "13,8f": hexadecimal contents; NULL: none */
	int reason;			/* + 1; 0: no extension */
	enum odd odd;
	bool damage, sha1;
	bool pretends;			/* names the level's own key as the signer's */
	enum key signer;		/* KEY_ROOT (0): the level's own */
};

static void
put_entry(struct forged *out, const char *serial, const struct crl_recipe *r)
{
	size_t entry = open_tag(out, DER_SEQUENCE), marks[2], list;
	put_hex(out, r->odd == ODD_ENTRY ? DER_ENUMERATED : DER_INTEGER, serial);
	put_time(out, NOW - 3600);
	if (r->reason > 0 || r->odd == ODD_ENTRY_CRITICAL || r->odd == ODD_ENTRY_ISSUER) {
		list = open_tag(out, DER_SEQUENCE);
		if (r->reason > 0) {
			open_extension(out, "2.5.29.21", false, marks);
			put_int(out, DER_ENUMERATED, r->reason - 1);
			close_extension(out, marks);
		} else {
			open_extension(out, r->odd == ODD_ENTRY_ISSUER ? "2.5.29.29" : "1.2.3.4", true, marks);
			put_tlv(out, DER_SEQUENCE, "", 0);
			close_extension(out, marks);
		}
		close_tag(out, list);
	}
	close_tag(out, entry);
}

static void
put_entries(struct forged *out, const struct crl_recipe *r)
{
	char copy[1024], *rest = copy;
	if (!r->serials)
		return;
	size_t start = open_tag(out, DER_SEQUENCE);
	snprintf(copy, sizeof copy, "%s", r->serials);
	for (char *serial = strsep(&rest, ","); serial; serial = strsep(&rest, ","))
		put_entry(out, serial, r);
	close_tag(out, start);
}

static void
put_distribution_point(struct forged *out, enum odd odd)
{
	size_t marks[2], point, full;
	open_extension(out, "2.5.29.28", true, marks);
	size_t start = open_tag(out, DER_SEQUENCE);
	if (odd == ODD_IDP_PLACE) {
		point = open_tag(out, DER_CONTEXT_SEQUENCE);
		full = open_tag(out, DER_CONTEXT_SEQUENCE);
		put_names(out, "uri:http://ca.example/crl", false);
		close_tag(out, full);
		close_tag(out, point);
	} else {
		put_tlv(out, DER_CONTEXT | (odd == ODD_IDP_USERS ? 1 : 4), "\xff", 1);
	}
	close_tag(out, start);
	close_extension(out, marks);
}

static void
put_crl_extensions(struct forged *out, const struct crl_recipe *r, enum key signer)
{
	size_t wrap = open_tag(out, DER_CONTEXT_SEQUENCE), list = open_tag(out, DER_SEQUENCE), marks[2];
	uint8_t id[20];
	put_spoilt(out, odd_oid(r->odd), r->odd == ODD_EXTENSIONS ? SPOILT_EXTENSION : SPOILT_VALUE);
	key_id(signer, id);
	open_extension(out, "2.5.29.35", false, marks);
	size_t start = open_tag(out, DER_SEQUENCE);
	put_tlv(out, DER_CONTEXT, id, sizeof id);
	close_tag(out, start);
	close_extension(out, marks);
	for (int i = 0; i <= (r->odd == ODD_TWICE); i++)
		if (r->number != -1) {
			open_extension(out, "2.5.29.20", false, marks);
			put_int(out, DER_INTEGER, r->number != 0 ? r->number : 7);
			close_extension(out, marks);
		}
	if (r->odd == ODD_DELTA || r->odd == ODD_DELTA_QUIET) {
		open_extension(out, "2.5.29.27", r->odd == ODD_DELTA, marks);
		put_int(out, DER_INTEGER, 1);
		close_extension(out, marks);
	}
	if (r->odd >= ODD_IDP_PLACE && r->odd <= ODD_IDP_INDIRECT)
		put_distribution_point(out, r->odd);
	if (r->odd == ODD_CRITICAL) {
		open_extension(out, "1.2.3.4.5", true, marks);
		put_int(out, DER_INTEGER, 1);
		close_extension(out, marks);
	}
	close_tag(out, list);
	close_tag(out, wrap);
}

/* ecdsa-with-SHA256 becomes one of its neighbours, which nobody has. */
static void
make_algorithm_unknown(struct forged *out)
{
	static const uint8_t oid[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2 };
	for (size_t i = 0; i + sizeof oid <= out->bytes; i++)
		if (memcmp(out->data + i, oid, sizeof oid) == 0)
			out->data[i + sizeof oid - 1] = 9;
}

static void
forge_crl(struct forged *out, const struct crl_recipe *r, enum level level)
{
	enum key signer = r->signer != 0 ? r->signer : forge_level_key[level];
	out->bytes = 0;
	size_t tbs = open_tag(out, DER_SEQUENCE);
	put_int(out, DER_INTEGER, r->odd == ODD_VERSION ? 2 : 1);
	put_algorithm(out, signer, r->sha1);
	put_name(out, r->issuer ? r->issuer : forge_level_name[level]);
	put_time(out, NOW + (int64_t)DAY * (r->from != 0 ? r->from : -1));
	if (r->odd != ODD_NO_NEXT_UPDATE)
		put_time(out, NOW + (int64_t)DAY * (r->to != 0 ? r->to : 13));
	put_entries(out, r);
	put_crl_extensions(out, r, r->pretends ? forge_level_key[level] : signer);
	if (r->odd == ODD_TRAILING)
		put(out, "\x05", 2);
	close_tag(out, tbs);
	sign(out, signer, r->sha1 != (r->odd == ODD_TWO_ALGORITHMS), r->damage);
	if (r->odd == ODD_ALGORITHM)
		make_algorithm_unknown(out);
	if (r->odd == ODD_LONG_LENGTH)
		out->data[1] = 0x84;
}

/* ---- files in a directory of the test's own ---- */

static const char *
forge_directory(void)
{
	static char path[64];
	if (path[0] == '\0') {
		snprintf(path, sizeof path, "/tmp/valise-pki-test.XXXXXX");
		if (!mkdtemp(path))
			abort();
	}
	return path;
}

static void
forge_clean(void)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", forge_directory());
	if (system(command) != 0)
		abort();
}

/* "name" in the directory; lives until the next eight are asked for. */
static const char *
forge_path(const char *name)
{
	static char paths[8][128];
	static unsigned next;
	char *path = paths[next++ % 8];
	snprintf(path, sizeof *paths, "%s/%s", forge_directory(), name);
	return path;
}

static void
forge_write(const char *name, const void *data, size_t bytes)
{
	FILE *file = fopen(forge_path(name), "w");
	if (!file || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0)
		abort();
}

/* Tells tests/lint/verdicts.t of a refusal that a test asked for by its words. */
static void
forge_note(const char *sentence)
{
	const char *path = getenv("VALISE_VERDICTS");
	FILE *file = path ? fopen(path, "a") : NULL;
	if (file) {
		fprintf(file, "%s\n", sentence);
		fclose(file);
	}
}

/* Appends PEM. */
static void
forge_append_pem(const char *name, const char *label, const struct forged *forged)
{
	gnutls_datum_t der = { (unsigned char *)(uintptr_t)forged->data, (unsigned)forged->bytes }, pem;
	FILE *file = fopen(forge_path(name), "a");
	if (!file || gnutls_pem_base64_encode2(label, &der, &pem) < 0 ||
	    fwrite(pem.data, 1, pem.size, file) != pem.size || fclose(file) != 0)
		abort();
	gnutls_free(pem.data);
}

#pragma GCC diagnostic pop
#endif
