/*
 * The matrix: chains that are sound but for one thing, as data.  Each row forges
 * root <- middle <- (sub <-) leaf with their CRLs, loads the trust from files and
 * says what the verifier must answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki/forge.h"
#include "pki/trust.h"
#include "pki/verify.h"

enum cas { ROOT_AND_MIDDLE, ROOT_ONLY, MIDDLE_ONLY, STRANGER_ONLY, ROOT_AND_STRANGER, ALL_THREE, LEAF_TOO };
enum sent { SEND_ALL, SEND_LEAF, SEND_ROOT_TOO, SEND_REVERSED, SEND_NOTHING, SEND_DAMAGED, SEND_TOO_MANY };

struct matrix_row {
	const char *claim;
	enum role role;
	const char *purposes;		/* default: the role's own */
	bool with_sub;
	struct recipe root, middle, sub, leaf;
	struct crl_recipe root_crl, middle_crl, sub_crl;
	enum cas cas;
	enum sent sent;
	bool no_crls;
	enum crl_missing missing;
	enum crl_expired expired;
	const char *host;
	enum verify_code want;
	const char *refused;		/* trust_load() says this instead */
	const char *sentence;		/* part of the verdict's */
};

static const char *const role_purposes[ROLES] = {
	[ROLE_AGENT] = "agent,client", [ROLE_RELAY] = "server",
	[ROLE_SERVER] = "server", [ROLE_CLIENT] = "client",
};

static const struct grant ten = { .name = "shop", .max_flows = 10 };
static const struct grant berlin = { .name = "shop", .region_count = 1, .regions = { "berlin" } };
static const struct grant tokyo = { .name = "all", .region_count = 1, .regions = { "tokyo" } };
static const struct grant home = { .name = "shop", .source_count = 1,
	.sources = { { AF_INET, 8, { 10 } } } };
static const struct grant away = { .name = "shop", .source_count = 1,
	.sources = { { AF_INET, 8, { 11 } } } };

#define OK VERIFY_OK

/* The policy 1.2.3.4 to 72 others. */
#define MAP(n) "1.2.3.4,1.2.4." #n
#define MAPS(n) MAP(1##n) "," MAP(2##n) "," MAP(3##n) "," MAP(4##n) "," MAP(5##n) "," MAP(6##n) "," MAP(7##n) "," MAP(8##n)
#define MANY_MAPPINGS MAPS(1) "," MAPS(2) "," MAPS(3) "," MAPS(4) "," MAPS(5) "," MAPS(6) "," MAPS(7) "," MAPS(8) "," MAPS(9)

static const struct matrix_row rows[] = {
	/* ---- what is sound ---- */
	{ "accepts an agent", ROLE_AGENT, .want = OK },
	{ "accepts a relay", ROLE_RELAY, .host = "a.example", .want = OK },
	{ "accepts a server", ROLE_SERVER, .host = "A.Example.", .want = OK },
	{ "accepts a client", ROLE_CLIENT, .want = OK },
	{ "accepts a client without names", ROLE_CLIENT, .leaf = { .names = "" }, .want = OK },
	{ "accepts a chain that comes with its root", ROLE_AGENT, .sent = SEND_ROOT_TOO, .want = OK },
	{ "accepts a chain in any order", ROLE_AGENT, .with_sub = true, .sent = SEND_REVERSED, .want = OK },
	{ "takes a missing intermediate from the files", ROLE_AGENT, .sent = SEND_LEAF, .want = OK },
	{ "takes an intermediate from the peer", ROLE_AGENT, .cas = ROOT_ONLY, .want = OK },
	{ "accepts a sub-CA of the peer's below a listed one", ROLE_AGENT, .with_sub = true, .want = OK },
	{ "accepts an Ed25519 key", ROLE_AGENT, .leaf = { .key = KEY_ED25519 }, .want = OK },
	{ "accepts an RSA key of 2048 bits", ROLE_SERVER, .leaf = { .key = KEY_RSA }, .want = OK },
	{ "accepts a leaf without a key identifier of its issuer", ROLE_AGENT, .leaf = { .wrong_key_id = "" }, .want = OK },
	{ "accepts an underscore in a name", ROLE_AGENT, .leaf = { .names = "dns:_acme.a.example" }, .want = OK },
	{ "accepts an A-label", ROLE_AGENT, .leaf = { .names = "dns:xn--mnchen-3ya.example" }, .want = OK },
	{ "accepts a serial of 20 octets and a sign", ROLE_AGENT,
		.leaf = { .serial = "00ff00000000000000000000000000000000000001" }, .want = OK },
	{ "accepts a negative serial", ROLE_AGENT, .leaf = { .serial = "8f" }, .want = OK },

	/* ---- signatures and form ---- */
	{ "refuses an empty chain", ROLE_AGENT, .sent = SEND_NOTHING, .want = VERIFY_NO_CERTIFICATE,
		.sentence = "no certificate was presented; configure one issued for the role agent" },
	{ "refuses what is not a certificate", ROLE_AGENT, .sent = SEND_DAMAGED, .want = VERIFY_BAD_CERTIFICATE,
		.sentence = "certificate 1 of the 2 sent" },
	{ "refuses more certificates than anyone needs", ROLE_AGENT, .sent = SEND_TOO_MANY, .want = VERIFY_BAD_CERTIFICATE,
		.sentence = "too many" },
	{ "refuses a forged leaf", ROLE_AGENT, .leaf = { .damage = true },
		.want = VERIFY_BAD_CERTIFICATE, .sentence = "certificate 1 of 3" },
	{ "refuses a leaf signed by a stranger's key", ROLE_AGENT, .leaf = { .signer = KEY_STRANGER, .wrong_key_id = "" },
		.want = VERIFY_BAD_CERTIFICATE,
		.sentence = "is not signed by the key of its issuer" },
	{ "refuses a forged intermediate of the peer's", ROLE_AGENT, .with_sub = true, .sub = { .damage = true },
		.want = VERIFY_BAD_CERTIFICATE, .sentence = "certificate 2 of 4" },
	{ "blames the upper one of two forgeries", ROLE_AGENT, .with_sub = true, .sub = { .damage = true },
		.leaf = { .damage = true }, .want = VERIFY_BAD_CERTIFICATE, .sentence = "certificate 2 of 4" },
	{ "refuses a leaf of version 1", ROLE_CLIENT, .leaf = { .version_1 = true }, .want = VERIFY_BAD_CERTIFICATE,
		.sentence = "is not of version 3" },
	{ "refuses an unknown critical extension in the leaf", ROLE_AGENT, .leaf = { .critical = true },
		.want = VERIFY_BAD_CERTIFICATE,
		.sentence = "certificate 1 of 3" },
	{ "refuses an unknown critical extension in an intermediate", ROLE_AGENT, .with_sub = true,
		.sub = { .critical = true }, .want = VERIFY_BAD_CERTIFICATE },
	{ "refuses an extension that stands there twice", ROLE_AGENT, .leaf = { .twice = true },
		.want = VERIFY_BAD_CERTIFICATE,
		.sentence = "has an extension twice" },
	{ "refuses a serial of 22 octets", ROLE_AGENT, .leaf = { .serial = "01000000000000000000000000000000000000000000" },
		.want = VERIFY_BAD_CERTIFICATE,
		.sentence = "has a serial number of more than 20 octets" },
	{ "refuses a signature with SHA-1", ROLE_AGENT, .leaf = { .sha1 = true }, .want = VERIFY_WEAK_KEY },
	{ "refuses an intermediate signed with SHA-1", ROLE_AGENT, .with_sub = true, .sub = { .sha1 = true },
		.want = VERIFY_WEAK_KEY },
	{ "refuses an RSA key of 1024 bits", ROLE_SERVER, .leaf = { .key = KEY_RSA_1024 }, .want = VERIFY_WEAK_KEY },
	{ "refuses an RSA key that would take hours", ROLE_SERVER, .leaf = { .key = KEY_RSA_HUGE },
		.want = VERIFY_WEAK_KEY, .sentence = "16384" },
	{ "refuses an intermediate whose RSA key would take hours", ROLE_SERVER, .with_sub = true,
		.sub = { .key = KEY_RSA_HUGE }, .leaf = { .wrong_key_id = "" }, .want = VERIFY_WEAK_KEY,
		.sentence = "has an RSA key of 16448 bits, which is too long" },
	{ "refuses a curve of 192 bits", ROLE_SERVER, .leaf = { .key = KEY_P192 }, .want = VERIFY_WEAK_KEY,
		.sentence = "has a key on P-192" },
	{ "refuses a curve that is spelled out", ROLE_SERVER, .leaf = { .key = KEY_EXPLICIT }, .want = VERIFY_WEAK_KEY,
		.sentence = "has a key on a curve given by explicit parameters" },
	{ "refuses secp256k1", ROLE_SERVER, .leaf = { .key = KEY_SECP256K1 }, .want = VERIFY_WEAK_KEY,
		.sentence = "has a key on secp256k1" },
	{ "refuses a curve that nobody knows", ROLE_SERVER, .leaf = { .key = KEY_UNKNOWN_CURVE }, .want = VERIFY_WEAK_KEY,
		.sentence = "has a key on the unknown curve 1.2.3.4.5" },
	{ "refuses a key of an unknown kind", ROLE_SERVER, .leaf = { .key = KEY_UNKNOWN_KIND }, .want = VERIFY_WEAK_KEY,
		.sentence = "has a key that is malformed or of a kind that is not accepted" },
	{ "names the size of an RSA key", ROLE_SERVER, .leaf = { .key = KEY_RSA_1024 }, .want = VERIFY_WEAK_KEY,
		.sentence = "has an RSA key of 1024 bits, which is too weak" },
	{ "names the algorithm of a weak signature", ROLE_AGENT, .leaf = { .sha1 = true }, .want = VERIFY_WEAK_KEY,
		.sentence = "is signed with ECDSA with SHA-1" },

	/* ---- the chain ---- */
	{ "refuses an unknown CA and names its issuer", ROLE_AGENT, .cas = STRANGER_ONLY, .no_crls = true,
		.want = VERIFY_UNKNOWN_CA, .sentence = "issued by CN=root" },
	{ "refuses a leaf whose intermediate nobody has", ROLE_AGENT, .cas = ROOT_ONLY, .sent = SEND_LEAF,
		.want = VERIFY_UNKNOWN_CA, .sentence = "issued by CN=middle" },
	{ "tells a CA of another key identifier from an unknown one", ROLE_AGENT, .leaf = { .wrong_key_id = "0102" },
		.want = VERIFY_UNKNOWN_CA, .sentence = "a CA of its issuer's name is there, but has another key identifier" },
	{ "refuses a chain past the sub-CA that narrows", ROLE_AGENT, .leaf = { .issuer = "root" }, .want = VERIFY_UNKNOWN_CA,
		.sentence = "passes through no sub-CA that is listed in agent_cas" },
	{ "refuses another sub-CA than the listed one", ROLE_AGENT, .with_sub = true,
		.sub = { .issuer = "root", .wrong_key_id = "" }, .want = VERIFY_UNKNOWN_CA },
	{ "accepts a chain by a sub-CA listed beside its issuer", ROLE_AGENT, .with_sub = true, .cas = ALL_THREE,
		.want = OK },
	{ "refuses a chain past a sub-CA listed beside its issuer", ROLE_AGENT, .cas = ALL_THREE,
		.want = VERIFY_UNKNOWN_CA },
	{ "refuses an issuer that is not a CA", ROLE_AGENT, .with_sub = true, .sub = { .ca = NO }, .want = VERIFY_BAD_CHAIN },
	{ "refuses an issuer without basicConstraints", ROLE_AGENT, .with_sub = true, .sub = { .ca = ABSENT },
		.want = VERIFY_BAD_CHAIN },
	{ "refuses an issuer without keyCertSign", ROLE_AGENT, .with_sub = true, .sub = { .usage = 0x80 },
		.want = VERIFY_BAD_CHAIN,
		.sentence = "may not issue certificates, yet did" },
	{ "refuses a chain longer than a path length", ROLE_AGENT, .with_sub = true, .middle = { .path = 1 },
		.want = VERIFY_BAD_CHAIN },
	{ "accepts a chain as long as the path length", ROLE_AGENT, .with_sub = true, .middle = { .path = 2 }, .want = OK },
	{ "refuses a chain longer than the root's path length", ROLE_AGENT, .root = { .path = 1 },
		.want = VERIFY_BAD_CHAIN },
	{ "does not count a self-issued CA against a path length", ROLE_AGENT, .with_sub = true, .middle = { .path = 1 },
		.sub = { .subject = "middle", .path = 1 }, .leaf = { .issuer = "middle" }, .sub_crl = { .issuer = "middle" },
		.want = OK },
	{ "counts the CAs above and below a self-issued one", ROLE_AGENT, .with_sub = true, .root = { .path = 1 },
		.sub = { .subject = "middle" }, .leaf = { .issuer = "middle" }, .sub_crl = { .issuer = "middle" },
		.want = VERIFY_BAD_CHAIN, .sentence = "certificate 4 of 4" },
	{ "tells of a chain that is too long by its length", ROLE_SERVER, .with_sub = true, .middle = { .path = 1 },
		.want = VERIFY_BAD_CHAIN, .sentence = "allows 0 CAs below it, the chain has 1" },
	{ "refuses a CA as a peer", ROLE_AGENT, .leaf = { .ca = YES, .usage = 0x86 }, .want = VERIFY_WRONG_PURPOSE,
		.sentence = "is a CA; present one" },
	{ "refuses a listed sub-CA without its root", ROLE_AGENT, .cas = MIDDLE_ONLY, .refused = "without its root" },
	{ "refuses a listed sub-CA that its root did not sign", ROLE_AGENT, .middle = { .damage = true },
		.refused = "not signed by CN=root" },
	{ "refuses a listed sub-CA signed with SHA-1", ROLE_AGENT, .middle = { .sha1 = true }, .refused = "weak algorithm" },
	{ "refuses a damaged root", ROLE_AGENT, .root = { .damage = true }, .refused = "damaged" },
	{ "does not mind a root that signed itself with SHA-1", ROLE_AGENT, .root = { .sha1 = true }, .want = OK },
	{ "refuses a leaf listed among the CAs", ROLE_AGENT, .cas = LEAF_TOO, .refused = "is not a CA certificate" },

	/* ---- times ---- */
	{ "refuses an expired leaf", ROLE_AGENT, .leaf = { .from = -90, .to = -1 }, .want = VERIFY_EXPIRED,
		.sentence = "certificate 1 of 3" },
	{ "refuses a leaf from the future", ROLE_AGENT, .leaf = { .from = 1 }, .want = VERIFY_NOT_YET_VALID,
		.sentence = "certificate 1 of 3" },
	{ "refuses an expired intermediate", ROLE_AGENT, .middle = { .from = -90, .to = -1 }, .want = VERIFY_EXPIRED,
		.sentence = "certificate 2 of 3" },
	{ "refuses an expired root", ROLE_AGENT, .root = { .from = -90, .to = -1 }, .want = VERIFY_EXPIRED },
	{ "refuses an intermediate from the future", ROLE_AGENT, .middle = { .from = 5 }, .want = VERIFY_NOT_YET_VALID },
	{ "accepts a leaf that outlives its CA while both live", ROLE_AGENT, .leaf = { .to = 4000 }, .want = OK },
	{ "accepts a notAfter in 2100", ROLE_AGENT, .leaf = { .to = 30000 }, .want = OK },

	/* ---- roles and purposes ---- */
	{ "refuses an agent as a relay", ROLE_RELAY, "agent,client", .want = VERIFY_WRONG_PURPOSE,
		.sentence = "does not have serverAuth in its extKeyUsage" },
	{ "refuses an agent as a server", ROLE_SERVER, "agent,client", .want = VERIFY_WRONG_PURPOSE },
	{ "refuses an agent as a client", ROLE_CLIENT, "agent,client", .want = VERIFY_WRONG_PURPOSE },
	{ "refuses a client as an agent", ROLE_AGENT, "client", .want = VERIFY_WRONG_PURPOSE },
	{ "refuses a client as a relay", ROLE_RELAY, "client", .want = VERIFY_WRONG_PURPOSE },
	{ "refuses a client as a server", ROLE_SERVER, "client", .want = VERIFY_WRONG_PURPOSE },
	{ "refuses a server as an agent", ROLE_AGENT, "server", .want = VERIFY_WRONG_PURPOSE },
	{ "refuses a server as a client", ROLE_CLIENT, "server", .want = VERIFY_WRONG_PURPOSE },
	{ "refuses a server with the agent purpose as an agent", ROLE_AGENT, "agent,client,server",
		.want = VERIFY_WRONG_PURPOSE,
		.sentence = "has serverAuth in its extKeyUsage, which no agent may" },
	{ "refuses a server with the agent purpose as a server", ROLE_SERVER, "agent,server", .leaf = { .no_grant = true },
		.want = VERIFY_WRONG_PURPOSE },
	{ "refuses an agent without clientAuth", ROLE_AGENT, "agent", .want = VERIFY_WRONG_PURPOSE },
	{ "refuses a client with a grant", ROLE_CLIENT, .leaf = { .grant = &ten }, .want = VERIFY_WRONG_PURPOSE,
		.sentence = "carries an agent's grant" },
	{ "refuses a server with a grant", ROLE_SERVER, .leaf = { .grant = &ten }, .want = VERIFY_WRONG_PURPOSE },
	{ "refuses a relay with a grant", ROLE_RELAY, .leaf = { .grant = &ten }, .want = VERIFY_WRONG_PURPOSE },
	{ "refuses a client without extKeyUsage", ROLE_CLIENT, .leaf = { .purposes = "" }, .want = VERIFY_WRONG_PURPOSE },
	{ "refuses a server without extKeyUsage", ROLE_SERVER, .leaf = { .purposes = "" }, .want = VERIFY_WRONG_PURPOSE },
	{ "refuses an agent without extKeyUsage", ROLE_AGENT, .leaf = { .purposes = "" }, .want = VERIFY_WRONG_PURPOSE },
	{ "takes anyExtendedKeyUsage for nothing", ROLE_CLIENT, "any", .want = VERIFY_WRONG_PURPOSE },
	{ "takes anyExtendedKeyUsage in a server for nothing", ROLE_SERVER, "any", .want = VERIFY_WRONG_PURPOSE },
	{ "refuses an intermediate for other purposes", ROLE_CLIENT, .middle = { .purposes = "server" },
		.want = VERIFY_WRONG_PURPOSE, .sentence = "certificate 2 of 3" },
	{ "refuses an intermediate with anyExtendedKeyUsage only", ROLE_CLIENT, .middle = { .purposes = "any" },
		.want = VERIFY_WRONG_PURPOSE },
	{ "refuses an agent below a CA for clients", ROLE_AGENT, .middle = { .purposes = "client" },
		.want = VERIFY_WRONG_PURPOSE,
		.sentence = "may not issue for the role agent: its extKeyUsage lacks the agent purpose" },
	{ "accepts an agent below a CA for agents", ROLE_AGENT, .middle = { .purposes = "agent,client" }, .want = OK },
	{ "refuses nested purposes that shrink further up", ROLE_CLIENT, .with_sub = true,
		.middle = { .purposes = "server" }, .sub = { .purposes = "client" }, .want = VERIFY_WRONG_PURPOSE },
	{ "refuses a client of a CA with an agent's ceiling", ROLE_CLIENT, .middle = { .grant = &ten },
		.want = VERIFY_WRONG_PURPOSE, .sentence = "certificate 2 of 3" },
	{ "refuses a server of a CA with an agent's ceiling", ROLE_SERVER, .middle = { .grant = &ten },
		.want = VERIFY_WRONG_PURPOSE,
		.sentence = "so it may issue for agents only" },
	{ "refuses a leaf that may not sign", ROLE_CLIENT, .leaf = { .usage = 0x20 }, .want = VERIFY_WRONG_PURPOSE,
		.sentence = "lacks digitalSignature in its keyUsage" },
	{ "is not deceived by a purpose with an arc of 2^64 and more", ROLE_AGENT,
		"client,2.25.^64+3095706525491951389.1", .want = VERIFY_WRONG_PURPOSE },
	{ "is not deceived by a purpose with a saturated arc", ROLE_AGENT, "client,2.25.^63.1", .want = VERIFY_WRONG_PURPOSE },
	{ "is not deceived by a longer purpose", ROLE_AGENT, "client," OID_AGENT_PURPOSE ".1",
		.want = VERIFY_WRONG_PURPOSE },

	/* ---- grants ---- */
	{ "refuses an agent without a grant", ROLE_AGENT, .leaf = { .no_grant = true }, .want = VERIFY_GRANT_MISSING,
		.sentence = "has no grant; have it issued for an agent" },
	{ "refuses a grant that is not DER", ROLE_AGENT, .leaf = { .grant_hex = "0102" }, .want = VERIFY_GRANT_REFUSED,
		.sentence = "is refused, as its grant" },
	{ "refuses a grant with trailing octets", ROLE_AGENT, .leaf = { .grant_hex = "30060c0473686f700000" },
		.want = VERIFY_GRANT_REFUSED },
	{ "refuses a grant that spells out a default", ROLE_AGENT, .leaf = { .grant_hex = "30090c0473686f70800100" },
		.want = VERIFY_GRANT_REFUSED },
	{ "refuses a grant with a long length", ROLE_AGENT, .leaf = { .grant_hex = "3081060c0473686f70" },
		.want = VERIFY_GRANT_REFUSED },
	{ "refuses a grant with a limit of 2^32", ROLE_AGENT, .leaf = { .grant_hex = "300d0c0473686f7082050100000000" },
		.want = VERIFY_GRANT_REFUSED },
	{ "refuses a grant with a negative limit", ROLE_AGENT, .leaf = { .grant_hex = "30090c0473686f708201ff" },
		.want = VERIFY_GRANT_REFUSED },
	{ "refuses a grant with an empty name", ROLE_AGENT, .leaf = { .grant_hex = "30020c00" },
		.want = VERIFY_GRANT_REFUSED },
	{ "refuses a broken grant in a CA", ROLE_AGENT, .middle = { .grant_hex = "30020c00" },
		.want = VERIFY_GRANT_REFUSED, .sentence = "certificate 2 of 3" },
	{ "refuses regions that the ceiling does not have", ROLE_AGENT, .leaf = { .grant = &berlin },
		.middle = { .grant = &tokyo }, .want = VERIFY_GRANT_REFUSED,
		.sentence = "sets a ceiling that leaves the agent no address or no region" },
	{ "refuses sources that the ceiling does not have", ROLE_AGENT, .leaf = { .grant = &home },
		.middle = { .grant = &away }, .want = VERIFY_GRANT_REFUSED },
	{ "accepts a grant under a ceiling", ROLE_AGENT, .middle = { .grant = &ten }, .want = OK },

	/* ---- names and constraints ---- */
	{ "refuses a relay of another name", ROLE_RELAY, .host = "b.example", .want = VERIFY_NAME_MISMATCH,
		.sentence = "is not for \"b.example\"" },
	{ "never takes the CN for a name", ROLE_SERVER, .leaf = { .subject = "b.example" }, .host = "b.example",
		.want = VERIFY_NAME_MISMATCH },
	{ "never takes a server without SAN", ROLE_SERVER, .leaf = { .subject = "a.example", .names = "" },
		.host = "a.example", .want = VERIFY_NAME_MISMATCH },
	{ "takes a wildcard for one label", ROLE_SERVER, .leaf = { .names = "dns:*.example" }, .host = "a.example", .want = OK },
	{ "takes a wildcard for one label only", ROLE_SERVER, .leaf = { .names = "dns:*.example" }, .host = "a.b.example",
		.want = VERIFY_NAME_MISMATCH },
	{ "takes an address for an address", ROLE_SERVER, .leaf = { .names = "ip:10.0.0.1" }, .host = "10.0.0.1", .want = OK },
	{ "takes no dNSName for an address", ROLE_SERVER, .leaf = { .names = "dns:10.0.0.1" }, .host = "10.0.0.1",
		.want = VERIFY_NAME_MISMATCH },
	{ "is not deceived by a NUL in a name", ROLE_SERVER, .leaf = { .names = "dns:a.example%00.evil" },
		.host = "a.example", .want = VERIFY_NAME_MISMATCH },
	{ "refuses an agent with a NUL in a name", ROLE_AGENT, .leaf = { .names = "dns:a.example%00.evil" },
		.want = VERIFY_BAD_CERTIFICATE,
		.sentence = "has a dNSName that is not a host name" },
	{ "refuses an agent with a U-label", ROLE_AGENT, .leaf = { .names = "dns:m%c3%bcnchen.example" },
		.want = VERIFY_BAD_CERTIFICATE },
	{ "refuses an agent with a wildcard inside", ROLE_AGENT, .leaf = { .names = "dns:a.*.example" },
		.want = VERIFY_BAD_CERTIFICATE },
	{ "accepts a permitted name", ROLE_AGENT, .middle = { .permit = "dns:example" }, .want = OK },
	{ "refuses a name that is not permitted", ROLE_AGENT, .middle = { .permit = "dns:other" },
		.want = VERIFY_NAME_NOT_PERMITTED, .sentence = "a.example" },
	{ "refuses a client's name that is not permitted", ROLE_CLIENT, .middle = { .permit = "dns:other" },
		.want = VERIFY_NAME_NOT_PERMITTED },
	{ "is not deceived by a name that only ends alike", ROLE_AGENT, .leaf = { .names = "dns:evilexample" },
		.middle = { .permit = "dns:example" }, .want = VERIFY_NAME_NOT_PERMITTED },
	{ "refuses one bad name among good ones", ROLE_AGENT, .leaf = { .names = "dns:a.example,dns:b.other" },
		.middle = { .permit = "dns:example" }, .want = VERIFY_NAME_NOT_PERMITTED, .sentence = "b.other" },
	{ "accepts a wildcard within what is permitted", ROLE_AGENT, .leaf = { .names = "dns:*.example" },
		.middle = { .permit = "dns:example" }, .want = OK },
	{ "refuses a wildcard above what is permitted", ROLE_AGENT, .leaf = { .names = "dns:*.example" },
		.middle = { .permit = "dns:a.example" }, .want = VERIFY_NAME_NOT_PERMITTED },
	{ "refuses an excluded name", ROLE_AGENT, .middle = { .exclude = "dns:a.example" },
		.want = VERIFY_NAME_NOT_PERMITTED },
	{ "refuses a wildcard that reaches an excluded name", ROLE_AGENT, .leaf = { .names = "dns:*.example" },
		.middle = { .exclude = "dns:secret.example" }, .want = VERIFY_NAME_NOT_PERMITTED },
	{ "accepts a wildcard beside an excluded name", ROLE_AGENT, .leaf = { .names = "dns:*.b.example" },
		.middle = { .exclude = "dns:secret.example" }, .want = OK },
	{ "holds the constraints of every CA in the chain", ROLE_AGENT, .with_sub = true, .root = { .permit = "dns:other" },
		.sub = { .permit = "dns:example" }, .want = VERIFY_NAME_NOT_PERMITTED },
	{ "does not let a sub-CA widen", ROLE_AGENT, .with_sub = true, .middle = { .permit = "dns:b.example" },
		.sub = { .permit = "dns:example" }, .want = VERIFY_NAME_NOT_PERMITTED },
	{ "folds case in constraints", ROLE_AGENT, .leaf = { .names = "dns:A.EXAMPLE" },
		.middle = { .permit = "dns:Example" }, .want = OK },
	{ "refuses a URI that is not permitted", ROLE_CLIENT, .leaf = { .names = "uri:https://evil.other/x" },
		.middle = { .permit = "uri:good.example" }, .want = VERIFY_NAME_NOT_PERMITTED },
	{ "refuses a URI that hides its host", ROLE_CLIENT, .leaf = { .names = "uri:https://good.example@evil.other/x" },
		.middle = { .permit = "uri:good.example" }, .want = VERIFY_NAME_NOT_PERMITTED },
	{ "refuses a URI without a host where URIs are constrained", ROLE_CLIENT, .leaf = { .names = "uri:urn:x" },
		.middle = { .permit = "uri:good.example" }, .want = VERIFY_NAME_NOT_PERMITTED },
	{ "refuses a URI that shows a good host behind no scheme", ROLE_CLIENT,
		.leaf = { .names = "uri:urn:evil?://good.example/" }, .middle = { .permit = "uri:good.example" },
		.want = VERIFY_NAME_NOT_PERMITTED },
	{ "refuses a URI whose host others read on behind a NUL", ROLE_CLIENT,
		.leaf = { .names = "uri:https://good.example%00.evil.other/x" }, .middle = { .permit = "uri:good.example" },
		.want = VERIFY_NAME_NOT_PERMITTED },
	{ "refuses a URI whose host others end at a backslash", ROLE_CLIENT,
		.leaf = { .names = "uri:https://evil.other\\@good.example/x" }, .middle = { .permit = "uri:good.example" },
		.want = VERIFY_NAME_NOT_PERMITTED },
	{ "refuses a mailbox that others end at a NUL", ROLE_CLIENT,
		.leaf = { .names = "email:a@evil.other%00@good.example" }, .middle = { .permit = "email:good.example" },
		.want = VERIFY_NAME_NOT_PERMITTED },
	{ "refuses a mailbox whose host others find behind the first @", ROLE_CLIENT,
		.leaf = { .names = "email:a@evil.other@good.example" }, .middle = { .permit = "email:good.example" },
		.want = VERIFY_NAME_NOT_PERMITTED },
	{ "accepts a URI that is permitted", ROLE_CLIENT, .leaf = { .names = "uri:https://u@good.example:1/x" },
		.middle = { .permit = "uri:good.example" }, .want = OK },
	{ "refuses an address that is not permitted", ROLE_CLIENT, .leaf = { .names = "ip:11.0.0.1" },
		.middle = { .permit = "ip:10.0.0.0/255.0.0.0" }, .want = VERIFY_NAME_NOT_PERMITTED },
	{ "accepts an address that is permitted", ROLE_CLIENT, .leaf = { .names = "ip:10.1.0.1" },
		.middle = { .permit = "ip:10.0.0.0/255.0.0.0" }, .want = OK },
	{ "refuses a mailbox that is not permitted", ROLE_CLIENT, .leaf = { .names = "email:a@other" },
		.middle = { .permit = "email:example" }, .want = VERIFY_NAME_NOT_PERMITTED },
	{ "heeds GnuTLS, which takes the CN of a server without names for one", ROLE_SERVER,
		.leaf = { .subject = "b.other", .names = "" }, .middle = { .permit = "dns:example" },
		.want = VERIFY_NAME_NOT_PERMITTED, .sentence = "has a name beyond the name constraints of a CA above it" },
	{ "refuses a subject that is not permitted", ROLE_CLIENT, .leaf = { .subject = "other/leaf" },
		.middle = { .permit = "dn:example/leaf" }, .want = VERIFY_NAME_NOT_PERMITTED },

	/* ---- extensions that others know, and policies ---- */
	{ "accepts a critical place of CRLs", ROLE_CLIENT, .middle = { .points = true }, .want = OK },
	{ "accepts a policy that a CA demands", ROLE_CLIENT, .middle = { .policies = "1.2.3.4", .require_policy = 1 },
		.leaf = { .policies = "1.2.3.5,1.2.3.4" }, .want = OK },
	{ "asks for no policy where no CA does", ROLE_CLIENT, .middle = { .policies = "1.2.3.4", .inhibit_any = 1,
		.mappings = "1.2.3.4,1.2.3.5" }, .want = OK },
	{ "refuses a chain without the policy that a CA demands", ROLE_CLIENT,
		.middle = { .policies = "1.2.3.4", .require_policy = 1 }, .leaf = { .policies = "1.2.3.5" },
		.want = VERIFY_NO_POLICY, .sentence = "certificate 1 of 3" },
	{ "refuses a leaf without policies where a CA demands one", ROLE_CLIENT,
		.middle = { .policies = "1.2.3.4", .require_policy = 1 }, .want = VERIFY_NO_POLICY,
		.sentence = "leaves the chain without a policy" },
	{ "blames the CA with which the last policy goes", ROLE_CLIENT, .with_sub = true,
		.middle = { .policies = "1.2.3.4", .require_policy = 1 }, .sub = { .policies = "1.2.3.6" },
		.leaf = { .policies = "1.2.3.4" }, .want = VERIFY_NO_POLICY, .sentence = "certificate 2 of 4" },
	{ "obeys a leaf that demands a policy", ROLE_CLIENT, .leaf = { .require_policy = 1 }, .want = VERIFY_NO_POLICY },
	{ "does not obey the root's demand, which is an anchor", ROLE_CLIENT, .root = { .require_policy = 1 }, .want = OK },
	{ "waits for as many certificates as the demand says", ROLE_CLIENT, .middle = { .require_policy = 3 }, .want = OK },
	{ "counts the certificates of a demand", ROLE_CLIENT, .middle = { .require_policy = 2 }, .want = VERIFY_NO_POLICY },
	{ "does not count a self-issued CA towards a demand", ROLE_CLIENT, .with_sub = true, .middle = { .require_policy = 3 },
		.sub = { .subject = "middle" }, .leaf = { .issuer = "middle" }, .sub_crl = { .issuer = "middle" }, .want = OK },
	{ "counts another CA towards a demand", ROLE_CLIENT, .with_sub = true, .middle = { .require_policy = 3 },
		.want = VERIFY_NO_POLICY },
	{ "takes anyPolicy of a CA for each", ROLE_CLIENT, .middle = { .policies = "2.5.29.32.0", .require_policy = 1 },
		.leaf = { .policies = "1.2.3.5" }, .want = OK },
	{ "takes anyPolicy of a leaf for its CA's", ROLE_CLIENT, .middle = { .policies = "1.2.3.4", .require_policy = 1 },
		.leaf = { .policies = "2.5.29.32.0" }, .want = OK },
	{ "takes anyPolicy for nothing where a CA inhibits it", ROLE_CLIENT,
		.middle = { .policies = "1.2.3.4", .require_policy = 1, .inhibit_any = 1 },
		.leaf = { .policies = "2.5.29.32.0" }, .want = VERIFY_NO_POLICY },
	{ "counts the certificates that may have anyPolicy", ROLE_CLIENT,
		.middle = { .policies = "1.2.3.4", .require_policy = 1, .inhibit_any = 2 },
		.leaf = { .policies = "2.5.29.32.0" }, .want = OK },
	{ "counts the CAs below one that inhibits anyPolicy", ROLE_CLIENT, .with_sub = true,
		.middle = { .policies = "1.2.3.4", .require_policy = 1, .inhibit_any = 2 }, .sub = { .policies = "1.2.3.4" },
		.leaf = { .policies = "2.5.29.32.0" }, .want = VERIFY_NO_POLICY },
	{ "lets a self-issued CA have anyPolicy all the same", ROLE_CLIENT, .with_sub = true,
		.middle = { .policies = "1.2.3.4", .require_policy = 1, .inhibit_any = 1 },
		.sub = { .subject = "middle", .policies = "2.5.29.32.0" },
		.leaf = { .issuer = "middle", .policies = "1.2.3.4" }, .sub_crl = { .issuer = "middle" }, .want = OK },
	{ "follows a mapping", ROLE_CLIENT, .middle = { .policies = "1.2.3.4", .require_policy = 1,
		.mappings = "1.2.3.4,1.2.3.5" }, .leaf = { .policies = "1.2.3.5" }, .want = OK },
	{ "takes a policy that is mapped away for nothing", ROLE_CLIENT, .middle = { .policies = "1.2.3.4",
		.require_policy = 1, .mappings = "1.2.3.4,1.2.3.5" }, .leaf = { .policies = "1.2.3.4" },
		.want = VERIFY_NO_POLICY },
	{ "maps what anyPolicy stands for", ROLE_CLIENT, .middle = { .policies = "2.5.29.32.0", .require_policy = 1,
		.mappings = "1.2.3.4,1.2.3.5" }, .leaf = { .policies = "1.2.3.5" }, .want = OK },
	{ "follows no mapping where a CA above inhibits them", ROLE_CLIENT, .with_sub = true,
		.middle = { .policies = "1.2.3.4", .require_policy = 1, .inhibit_mapping = 1 },
		.sub = { .policies = "1.2.3.4", .mappings = "1.2.3.4,1.2.3.5" }, .leaf = { .policies = "1.2.3.5" },
		.want = VERIFY_NO_POLICY },
	{ "refuses a CA that maps anyPolicy", ROLE_CLIENT, .middle = { .policies = "1.2.3.4",
		.mappings = "2.5.29.32.0,1.2.3.5" }, .want = VERIFY_NO_POLICY, .sentence = "maps anyPolicy" },
	{ "refuses a CA that maps to anyPolicy", ROLE_CLIENT, .middle = { .policies = "1.2.3.4",
		.mappings = "1.2.3.4,2.5.29.32.0" }, .want = VERIFY_NO_POLICY, .sentence = "maps anyPolicy" },
	{ "refuses more policies than it looks at", ROLE_CLIENT, .middle = { .policies = "1.2.3.4", .require_policy = 1,
		.mappings = MANY_MAPPINGS }, .leaf = { .policies = "1.2.3.5" }, .want = VERIFY_NO_POLICY,
		.sentence = "has more policies than are looked at here" },
	{ "counts no policies where no CA demands one", ROLE_CLIENT, .middle = { .policies = "1.2.3.4",
		.mappings = MANY_MAPPINGS }, .want = OK },
	{ "refuses malformed basic constraints", ROLE_CLIENT, .leaf = { .ca = ABSENT, .odd_extension = "2.5.29.19" },
		.want = VERIFY_BAD_CERTIFICATE, .sentence = "has malformed basicConstraints" },
	{ "refuses a malformed key usage", ROLE_CLIENT, .leaf = { .usage = -1, .odd_extension = "2.5.29.15" },
		.want = VERIFY_BAD_CERTIFICATE, .sentence = "has a malformed keyUsage" },
	{ "refuses malformed purposes", ROLE_CLIENT, .leaf = { .purposes = "", .odd_extension = "2.5.29.37" },
		.want = VERIFY_BAD_CERTIFICATE, .sentence = "has a malformed extKeyUsage" },
	{ "refuses malformed names", ROLE_CLIENT, .leaf = { .names = "", .odd_extension = "2.5.29.17" },
		.want = VERIFY_BAD_CERTIFICATE, .sentence = "has a malformed subjectAltName" },
	{ "refuses malformed name constraints", ROLE_CLIENT, .leaf = { .odd_extension = "2.5.29.30" },
		.want = VERIFY_BAD_CERTIFICATE, .sentence = "has malformed nameConstraints" },
	{ "refuses a malformed key identifier", ROLE_CLIENT, .leaf = { .odd_extension = "2.5.29.14" },
		.want = VERIFY_BAD_CERTIFICATE, .sentence = "has a malformed subjectKeyIdentifier" },
	{ "refuses a malformed key identifier of the issuer's", ROLE_CLIENT, .leaf = { .odd_extension = "2.5.29.35" },
		.want = VERIFY_BAD_CERTIFICATE, .sentence = "has a malformed authorityKeyIdentifier" },
	{ "refuses an empty place of CRLs", ROLE_CLIENT, .leaf = { .odd_extension = "2.5.29.31", .spoilt = SPOILT_EMPTY },
		.want = VERIFY_BAD_CERTIFICATE, .sentence = "has empty cRLDistributionPoints" },
	{ "refuses an empty grant", ROLE_AGENT, .leaf = { .no_grant = true, .odd_extension = OID_GRANT,
		.spoilt = SPOILT_EMPTY }, .want = VERIFY_BAD_CERTIFICATE, .sentence = "has an empty grant" },
	{ "refuses malformed extensions", ROLE_CLIENT, .leaf = { .odd_extension = "1.2.3.4", .spoilt = SPOILT_EXTENSION },
		.want = VERIFY_BAD_CERTIFICATE, .sentence = "has malformed extensions" },
	{ "refuses two algorithms of one signature", ROLE_CLIENT, .leaf = { .two_algorithms = true },
		.want = VERIFY_BAD_CERTIFICATE, .sentence = "names two signature algorithms" },
	{ "refuses malformed policies", ROLE_CLIENT, .leaf = { .odd_extension = "2.5.29.32" },
		.want = VERIFY_BAD_CERTIFICATE, .sentence = "has malformed certificatePolicies" },
	{ "refuses malformed mappings", ROLE_CLIENT, .leaf = { .odd_extension = "2.5.29.33" },
		.want = VERIFY_BAD_CERTIFICATE, .sentence = "has malformed policyMappings" },
	{ "refuses malformed policy constraints", ROLE_CLIENT, .leaf = { .odd_extension = "2.5.29.36" },
		.want = VERIFY_BAD_CERTIFICATE, .sentence = "has malformed policyConstraints" },
	{ "refuses a malformed inhibitAnyPolicy", ROLE_CLIENT, .leaf = { .odd_extension = "2.5.29.54" },
		.want = VERIFY_BAD_CERTIFICATE, .sentence = "has a malformed inhibitAnyPolicy" },

	/* ---- CRLs ---- */
	{ "refuses a revoked leaf", ROLE_AGENT, .middle_crl = { .serials = "13" }, .want = VERIFY_REVOKED,
		.sentence = "was revoked on" },
	{ "tells the reason of a revocation", ROLE_AGENT, .middle_crl = { .serials = "13", .reason = 2 },
		.want = VERIFY_REVOKED, .sentence = "keyCompromise" },
	{ "refuses a leaf on hold", ROLE_AGENT, .middle_crl = { .serials = "13", .reason = 7 }, .want = VERIFY_REVOKED },
	{ "refuses a leaf listed as removed from a CRL", ROLE_AGENT, .middle_crl = { .serials = "13", .reason = 9 },
		.want = VERIFY_REVOKED },
	{ "refuses a revoked intermediate", ROLE_AGENT, .root_crl = { .serials = "11" }, .want = VERIFY_REVOKED,
		.sentence = "certificate 2 of 3" },
	{ "refuses a revoked sub-CA of the peer's", ROLE_AGENT, .with_sub = true, .middle_crl = { .serials = "12" },
		.want = VERIFY_REVOKED },
	{ "refuses by the CRL of a sub-CA that the peer brings", ROLE_AGENT, .with_sub = true,
		.sub_crl = { .serials = "13" }, .want = VERIFY_REVOKED },
	{ "does not mix up issuers", ROLE_AGENT, .root_crl = { .serials = "13" }, .want = OK },
	{ "finds a serial among many", ROLE_AGENT, .middle_crl = { .serials = "7f,13,01,00ff,8f,0100,02" },
		.want = VERIFY_REVOKED },
	{ "finds a negative serial", ROLE_AGENT, .leaf = { .serial = "8f" }, .middle_crl = { .serials = "8f" },
		.want = VERIFY_REVOKED },
	{ "tells a negative serial from a positive one", ROLE_AGENT, .leaf = { .serial = "8f" },
		.middle_crl = { .serials = "008f" }, .want = OK },
	{ "finds a serial that is written with leading zeroes", ROLE_AGENT, .leaf = { .serial = "000013" },
		.middle_crl = { .serials = "13" }, .want = VERIFY_REVOKED },
	{ "refuses a chain with an issuer without a CRL", ROLE_AGENT, .middle_crl = { .absent = true },
		.want = VERIFY_CRL_MISSING, .sentence = "CN=middle" },
	{ "refuses a chain whose root has no CRL", ROLE_AGENT, .root_crl = { .absent = true },
		.want = VERIFY_CRL_MISSING, .sentence = "CN=root" },
	{ "refuses a sub-CA of the peer's without a CRL", ROLE_AGENT, .with_sub = true, .sub_crl = { .absent = true },
		.want = VERIFY_CRL_MISSING },
	{ "allows a missing CRL if told to", ROLE_AGENT, .middle_crl = { .absent = true },
		.missing = CRL_MISSING_ALLOW, .want = OK },
	{ "checks nothing without CRLs configured", ROLE_AGENT, .middle_crl = { .serials = "13" }, .no_crls = true,
		.want = OK },
	{ "refuses an expired CRL", ROLE_AGENT, .middle_crl = { .from = -20, .to = -2 }, .want = VERIFY_CRL_EXPIRED,
		.sentence = "CN=middle" },
	{ "gives an expired CRL its grace", ROLE_AGENT, .middle_crl = { .from = -20, .to = -2 },
		.expired = CRL_EXPIRED_GRACE, .want = OK },
	{ "ends the grace", ROLE_AGENT, .middle_crl = { .from = -20, .to = -4 }, .expired = CRL_EXPIRED_GRACE,
		.want = VERIFY_CRL_EXPIRED },
	{ "allows an expired CRL if told to", ROLE_AGENT, .middle_crl = { .from = -20, .to = -4 },
		.expired = CRL_EXPIRED_ALLOW, .want = OK },
	{ "believes what an expired CRL lists", ROLE_AGENT, .middle_crl = { .from = -20, .to = -4, .serials = "13" },
		.expired = CRL_EXPIRED_ALLOW, .want = VERIFY_REVOKED },
	{ "refuses to load a CRL from the future", ROLE_AGENT, .middle_crl = { .from = 1 }, .refused = "future" },
	{ "refuses to load a forged CRL", ROLE_AGENT, .middle_crl = { .damage = true }, .refused = "forged" },
	{ "refuses to load a CRL signed by another key", ROLE_AGENT, .middle_crl = { .signer = KEY_STRANGER,
		.pretends = true }, .refused = "forged" },
	{ "takes no CRL of a stranger for the issuer's", ROLE_AGENT, .middle_crl = { .signer = KEY_STRANGER },
		.want = VERIFY_CRL_MISSING,
		.sentence = "crls.pem names another key identifier" },
	{ "refuses to load a CRL signed with SHA-1", ROLE_AGENT, .middle_crl = { .sha1 = true },
		.refused = "is signed with SHA-1, which is not accepted" },
	{ "refuses to load a CRL signed by an algorithm that nobody knows", ROLE_AGENT, .middle_crl = { .odd = ODD_ALGORITHM },
		.refused = "is signed with an algorithm that is not accepted" },
	{ "refuses to load a CRL of a CA that may not sign them", ROLE_AGENT, .middle = { .usage = 0x04 },
		.refused = "sign CRLs" },
	{ "refuses to load a delta CRL", ROLE_AGENT, .middle_crl = { .odd = ODD_DELTA }, .refused = "delta" },
	{ "refuses to load a delta CRL that is quiet about it", ROLE_AGENT, .middle_crl = { .odd = ODD_DELTA_QUIET },
		.refused = "delta" },
	{ "refuses to load a CRL with an unknown critical extension", ROLE_AGENT, .middle_crl = { .odd = ODD_CRITICAL },
		.refused = "critical extension" },
	{ "refuses to load a CRL for user certificates only", ROLE_AGENT, .middle_crl = { .odd = ODD_IDP_USERS },
		.refused = "only a part" },
	{ "refuses to load an indirect CRL", ROLE_AGENT, .middle_crl = { .odd = ODD_IDP_INDIRECT }, .refused = "only a part" },
	{ "accepts a CRL that says where it is published", ROLE_AGENT, .middle_crl = { .odd = ODD_IDP_PLACE }, .want = OK },
	{ "refuses to load a CRL without an end", ROLE_AGENT, .middle_crl = { .odd = ODD_NO_NEXT_UPDATE },
		.refused = "nextUpdate" },
	{ "refuses to load a CRL with a critical entry", ROLE_AGENT,
		.middle_crl = { .odd = ODD_ENTRY_CRITICAL, .serials = "55" }, .refused = "entry" },
	{ "refuses to load a CRL with entries of other issuers", ROLE_AGENT,
		.middle_crl = { .odd = ODD_ENTRY_ISSUER, .serials = "55" }, .refused = "entry" },
	{ "refuses to load a CRL with trailing octets", ROLE_AGENT, .middle_crl = { .odd = ODD_TRAILING },
		.refused = "malformed" },
	{ "refuses to load a CRL with an extension twice", ROLE_AGENT, .middle_crl = { .odd = ODD_TWICE }, .refused = "twice" },
	{ "refuses to load a CRL with a lying length", ROLE_AGENT, .middle_crl = { .odd = ODD_LONG_LENGTH },
		.refused = "malformed" },
	{ "refuses to load a CRL that ends before it begins", ROLE_AGENT, .middle_crl = { .from = -1, .to = -2 },
		.refused = "ends before it begins" },
	{ "refuses to load a CRL with a malformed number", ROLE_AGENT, .middle_crl = { .odd = ODD_NUMBER },
		.refused = "has a number that is not a valid one" },
	{ "refuses to load a CRL with a malformed key identifier", ROLE_AGENT, .middle_crl = { .odd = ODD_KEY_ID },
		.refused = "has a malformed authorityKeyIdentifier" },
	{ "refuses to load a CRL with a malformed scope", ROLE_AGENT, .middle_crl = { .odd = ODD_IDP_MALFORMED },
		.refused = "has a malformed issuingDistributionPoint" },
	{ "refuses to load a CRL with malformed extensions", ROLE_AGENT, .middle_crl = { .odd = ODD_EXTENSIONS },
		.refused = "has malformed extensions" },
	{ "refuses to load a CRL with a malformed entry", ROLE_AGENT, .middle_crl = { .odd = ODD_ENTRY, .serials = "55" },
		.refused = "has an entry that is malformed" },
	{ "refuses to load a CRL of a version that nobody knows", ROLE_AGENT, .middle_crl = { .odd = ODD_VERSION },
		.refused = "is of a version that is not known here" },
	{ "refuses to load a CRL with two algorithms of one signature", ROLE_AGENT,
		.middle_crl = { .odd = ODD_TWO_ALGORITHMS }, .refused = "names two signature algorithms" },
	{ "accepts a CRL without a number", ROLE_AGENT, .middle_crl = { .number = -1 }, .want = OK },
	{ "refuses by a forged CRL of a sub-CA that the peer brings", ROLE_AGENT, .with_sub = true,
		.sub_crl = { .damage = true }, .want = VERIFY_CRL_REFUSED,
		.sentence = "crls.pem is not signed by the key of its issuer" },
};
enum { ROWS = sizeof rows / sizeof *rows };

/* ---- one row ---- */

struct stage {
	struct forged root, middle, sub, leaf, stranger;
	struct der chain[VERIFY_CHAIN + 2];
	size_t count;
};

static void
forge_chain(struct stage *stage, const struct matrix_row *row)
{
	static const struct recipe stranger = { .subject = "stranger", .issuer = "stranger", .key = KEY_STRANGER,
		.signer = KEY_STRANGER };
	const char *purposes = row->purposes ? row->purposes : role_purposes[row->role];
	enum level above = row->with_sub ? LEVEL_SUB : LEVEL_MIDDLE;
	bool by_root = row->leaf.issuer && strcmp(row->leaf.issuer, "root") == 0;
	bool sub_by_root = row->sub.issuer && strcmp(row->sub.issuer, "root") == 0;
	forge_certificate(&stage->root, &row->root, LEVEL_ROOT, LEVEL_ROOT, purposes);
	forge_certificate(&stage->middle, &row->middle, LEVEL_MIDDLE, LEVEL_ROOT, purposes);
	forge_certificate(&stage->sub, &row->sub, LEVEL_SUB, sub_by_root ? LEVEL_ROOT : LEVEL_MIDDLE, purposes);
	forge_certificate(&stage->leaf, &row->leaf, LEVEL_LEAF, by_root ? LEVEL_ROOT : above, purposes);
	forge_certificate(&stage->stranger, &stranger, LEVEL_ROOT, LEVEL_ROOT, purposes);
}

static void
send_chain(struct stage *stage, const struct matrix_row *row)
{
	struct der leaf = forged_der(&stage->leaf), middle = forged_der(&stage->middle), sub = forged_der(&stage->sub);
	static const struct der rubbish = { (const uint8_t *)"0\x03rub", 5 };
	stage->count = 0;
	if (row->sent == SEND_NOTHING)
		return;
	stage->chain[stage->count++] = row->sent == SEND_DAMAGED ? rubbish : leaf;
	if (row->sent == SEND_REVERSED)
		stage->chain[stage->count++] = middle;
	if (row->with_sub)
		stage->chain[stage->count++] = sub;
	if (row->sent != SEND_LEAF && row->sent != SEND_REVERSED)
		stage->chain[stage->count++] = middle;
	if (row->sent == SEND_ROOT_TOO)
		stage->chain[stage->count++] = forged_der(&stage->root);
	while (row->sent == SEND_TOO_MANY && stage->count < VERIFY_CHAIN + 1)
		stage->chain[stage->count++] = sub;
}

static void
write_cas(const struct stage *stage, enum cas cas)
{
	unlink(forge_path("cas.pem"));
	if (cas != MIDDLE_ONLY && cas != STRANGER_ONLY)
		forge_append_pem("cas.pem", "CERTIFICATE", &stage->root);
	if (cas == ROOT_AND_MIDDLE || cas == MIDDLE_ONLY || cas == ALL_THREE || cas == LEAF_TOO)
		forge_append_pem("cas.pem", "CERTIFICATE", &stage->middle);
	if (cas == ALL_THREE)
		forge_append_pem("cas.pem", "CERTIFICATE", &stage->sub);
	if (cas == STRANGER_ONLY || cas == ROOT_AND_STRANGER)
		forge_append_pem("cas.pem", "CERTIFICATE", &stage->stranger);
	if (cas == LEAF_TOO)
		forge_append_pem("cas.pem", "CERTIFICATE", &stage->leaf);
}

static void
write_crls(const struct matrix_row *row)
{
	const struct crl_recipe *recipes[3] = { &row->root_crl, &row->middle_crl, &row->sub_crl };
	forge_write("crls.pem", "a bundle\n", 9);
	for (int i = 0; i < (row->with_sub ? 3 : 2); i++) {
		struct forged crl;
		forge_crl(&crl, recipes[i], (enum level)i);
		if (!recipes[i]->absent)
			forge_append_pem("crls.pem", "X509 CRL", &crl);
	}
}

static struct trust *
load(const struct matrix_row *row, char error[TRUST_ERROR])
{
	const char *ca_files[] = { forge_path("cas.pem") }, *crl_files[] = { forge_path("crls.pem") };
	struct trust_sources sources = {
		.ca_files = ca_files, .ca_count = 1, .crl_files = crl_files, .crl_count = !row->no_crls,
		.crls_configured = !row->no_crls, .missing = row->missing, .expired = row->expired,
		.grace_s = 3 * DAY, .label = "agent_cas", .now = NOW,
	};
	return trust_load(&sources, NULL, error, TRUST_ERROR);
}

/* Codes of which some verdicts come before the signatures are judged and some after say nothing. */
static void
check_vouched(const struct verdict *verdict)
{
	static const bool before[VERIFY_CODES] = { [VERIFY_NO_CERTIFICATE] = true, [VERIFY_BAD_CHAIN] = true,
		[VERIFY_WEAK_KEY] = true };
	static const bool after[VERIFY_CODES] = { [VERIFY_OK] = true, [VERIFY_EXPIRED] = true,
		[VERIFY_NOT_YET_VALID] = true, [VERIFY_GRANT_MISSING] = true, [VERIFY_GRANT_REFUSED] = true,
		[VERIFY_NAME_MISMATCH] = true, [VERIFY_NAME_NOT_PERMITTED] = true, [VERIFY_REVOKED] = true,
		[VERIFY_CRL_MISSING] = true, [VERIFY_CRL_EXPIRED] = true, [VERIFY_CRL_REFUSED] = true,
		[VERIFY_NO_POLICY] = true };
	if (before[verdict->code] || strstr(verdict->sentence, "leads to no root") ||
	    strstr(verdict->sentence, "is not signed by the key of its issuer: forged, damaged or of another key"))
		assert_false(verdict->is_vouched);
	if (after[verdict->code])
		assert_true(verdict->is_vouched && (verdict->party != 0 || verdict->code == VERIFY_OK));
}

static void
judge(const struct matrix_row *row, const struct stage *stage, struct trust *trust)
{
	struct verdict verdict;
	struct identity *identity = verify_chain(trust, row->role, stage->chain, stage->count, row->host,
	    NOW, &verdict);
	if (verdict.code != row->want)
		print_message("# %s: %s\n", verify_code_word(verdict.code), verdict.sentence);
	assert_string_equal(verify_code_word(verdict.code), verify_code_word(row->want));
	assert_int_equal(identity != NULL, row->want == OK);
	assert_int_equal(verdict.alert != 0, row->want != OK);
	assert_int_equal(verdict.sentence[0] != '\0', row->want != OK);
	check_vouched(&verdict);
	if (row->sentence && !strstr(verdict.sentence, row->sentence))
		fail_msg("\"%s\" is not in: %s", row->sentence, verdict.sentence);
	if (row->sentence)
		forge_note(verdict.sentence);
	if (identity) {
		assert_true(identity_judge_again(identity, trust, NOW, &verdict));
		assert_true((identity_grant(identity) != NULL) == (row->role == ROLE_AGENT));
	}
	identity_release(identity);
}

static void
run_row(void **state)
{
	const struct matrix_row *row = *state;
	char error[TRUST_ERROR] = "";
	struct stage *stage = calloc(1, sizeof *stage);
	forge_chain(stage, row);
	send_chain(stage, row);
	write_cas(stage, row->cas);
	write_crls(row);
	struct trust *trust = load(row, error);
	if (row->refused) {
		assert_null(trust);
		if (!strstr(error, row->refused) || !strstr(error, "s.pem"))
			fail_msg("\"%s\" is not in: %s", row->refused, error);
		forge_note(error);
	} else {
		if (!trust)
			fail_msg("%s", error);
		judge(row, stage, trust);
	}
	trust_release(trust);
	free(stage);
}

int
main(void)
{
	static struct CMUnitTest tests[ROWS];
	cmocka_set_message_output(CM_OUTPUT_TAP);
	for (size_t i = 0; i < ROWS; i++)
		tests[i] = (struct CMUnitTest){ rows[i].claim, run_row, NULL, NULL, (void *)(uintptr_t)&rows[i] };
	int failed = _cmocka_run_group_tests("matrix", tests, ROWS, NULL, NULL);
	forge_clean();
	return failed;
}
