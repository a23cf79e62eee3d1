#!/usr/bin/env -S python3 -B
"""Chains, CRLs and requests that other CAs make: what is right about them is believed, and a
refusal names its reason.  OpenSSL makes them, or Python, where OpenSSL is too well-behaved.
"""
import base64
import json
import os
import ssl
import subprocess
import sys

sys.path.insert(0, "tests/pki_tool")
from lib import *
from lib import foreign
from lib.foreign import CA, SERVER, Workshop
from kit import *
import asn1
from asn1 import tlv

CLIENT = dict(foreign.CLIENT, certificatePolicies="1.2.3.4,1.2.3.5")


# ---- certificates ----

def chain(shop, *names):
	return shop.bundle("chain.pem", *[f"{name}.crt" for name in names])


def verdict(chain, role, *options):
	"""(believed, what is said of it)"""
	status, out, err = pki("verify", chain, "--as", role, *options)
	check(status in (0, 1), f"verify: {status} {out}{err}")
	return status == 0, out + err


# what the issuing CA has beside the usual: (whether OpenSSL believes the chain, part of our sentence; "" if we do)
ISSUING = {
	"requireExplicitPolicy": ({"policyConstraints": "critical,requireExplicitPolicy:0"}, True, ""),
	"inhibitAnyPolicy": ({"inhibitAnyPolicy": "critical,0"}, True, ""),
	"policyMappings": ({"policyMappings": "critical,1.2.3.4:1.2.3.5"}, True, ""),
	"a mapping that is demanded": ({"policyMappings": "critical,1.2.3.4:1.2.3.5",
		"policyConstraints": "critical,requireExplicitPolicy:0"}, True, ""),
	"inhibitPolicyMapping": ({"policyConstraints": "critical,inhibitPolicyMapping:0"}, True, ""),
	"a critical CRL distribution point": ({"crlDistributionPoints": "critical,URI:http://crl.example/x.crl"}, True, ""),
	"a policy that the leaf lacks": ({"certificatePolicies": "1.2.3.6", "policyConstraints":
		"critical,requireExplicitPolicy:0"}, False, "policy-missing"),
	"no policy where one is demanded": ({"certificatePolicies": None, "policyConstraints":
		"critical,requireExplicitPolicy:0"}, False, "certificate 2 of 3"),
	"an extension that nobody knows": ({"1.2.3.4": "critical,DER:05:00"}, False,
		"has a critical extension that is not known here"),
}


@test_over(*ISSUING)
def a_chain_with_what_rfc_5280_wants_critical(scene, what):
	extensions, openssl_believes, words = ISSUING[what]
	shop = Workshop(scene.dir)
	shop.make("root", "/CN=Root", None, CA)
	shop.make("issuing", "/CN=Issuing", "root", dict(CA, certificatePolicies="1.2.3.4", **extensions)
		if "certificatePolicies" not in extensions else dict(CA, **extensions))
	shop.make("leaf", "/CN=leaf", "issuing", CLIENT)
	status, out, err = tool("openssl", "verify", "-policy", "anyPolicy", "-policy_check", "-CAfile", shop.at("root.crt"), "-untrusted", shop.at("issuing.crt"),
		shop.at("leaf.crt"))
	equal(status == 0, openssl_believes, f"OpenSSL: {out}{err}")
	believed, said = verdict(chain(shop, "leaf", "issuing"), "client", "--cas", shop.at("root.crt"))
	equal(believed, not words, said)
	check(words in said, said)


@test
def a_ca_that_changed_its_key_does_not_count_against_a_path_length(scene):
	shop = Workshop(scene.dir)
	narrow = dict(CA, basicConstraints="critical,CA:TRUE,pathlen:0")
	shop.make("root", "/CN=Root", None, CA)
	shop.make("old", "/CN=Issuing", "root", narrow)
	shop.make("new", "/CN=Issuing", "old", narrow)
	shop.make("leaf", "/CN=a.example", "new", SERVER)
	believed, said = verdict(chain(shop, "leaf", "new", "old"), "server", "--serve", "a.example", "--cas", shop.at("root.crt"))
	check(believed, said)
	shop.make("other", "/CN=Other", "old", narrow)
	shop.make("leaf", "/CN=a.example", "other", SERVER)
	believed, said = verdict(chain(shop, "leaf", "other", "old"), "server", "--cas", shop.at("root.crt"))
	check(not believed and "allows 0 CAs below it, the chain has 1" in said, said)


# ---- CRLs ----

def of_clients(scene):
	"""A root, its CA for clients, and a client."""
	shop = Workshop(scene.dir)
	shop.make("root", "/CN=Root", None, CA)
	shop.make("clients", "/CN=Clients", "root", CA)
	shop.make("leaf", "/CN=leaf", "clients", CLIENT)
	return shop


def verify_with(shop, crls):
	return pki("verify", chain(shop, "leaf", "clients"), "--as", "client", "--cas", shop.at("root.crt"), "--crls", crls)


@test
def a_crl_signed_with_sha_1_is_refused_for_that(scene):
	shop = of_clients(scene)
	shop.crl("root.crl", "root"), shop.crl("clients.crl", "clients"), shop.crl("sha1.crl", "clients", "sha1")
	good = shop.bundle("good.crl", "root.crl", "clients.crl")
	equal(verify_with(shop, good)[0], 0, "with SHA-256")
	equal(pki("lint", good)[1], "fine\n")
	bad = shop.bundle("bad.crl", "root.crl", "sha1.crl")
	status, _, err = verify_with(shop, bad)
	check(status == 65 and "the CRL of CN=Clients is signed with SHA-1, which is not accepted" in err, f"{status} {err}")
	status, out, _ = pki("lint", bad)
	check(status == 1 and "CRL 2: crl-refused: the CRL is signed with SHA-1" in out, f"{status} {out}")


@test
def a_crl_of_another_key_of_the_ca_is_named(scene):
	shop = of_clients(scene)
	shop.make("again", "/CN=Clients", "root", CA)
	shop.crl("root.crl", "root"), shop.crl("again.crl", "again")
	believed, said = verdict(chain(shop, "leaf", "clients"), "client", "--cas", shop.at("root.crt"), "--crls",
		shop.bundle("other.crl", "root.crl", "again.crl"))
	check(not believed and "other.crl names another key identifier" in said, said)
	check(f"other.crl: the CRL of CN=Clients names another key identifier" in pki("verify", shop.at("leaf.crt"), "--as", "client",
		"--cas", shop.bundle("cas.pem", "root.crt", "clients.crt"), "--crls", shop.at("other.crl"))[2], "the warning")


def in_der(shop, kind):
	"""A file of this kind in DER."""
	key = shop.at("leaf.key")
	argv = {"certificate": ("x509", "-in", shop.at("leaf.crt")), "crl": ("crl", "-in", shop.crl("clients.crl", "clients")),
		"request": ("req", "-in", shop.at("leaf.csr")), "key": ("pkcs8", "-topk8", "-nocrypt", "-in", key),
		"public key": ("pkey", "-in", key, "-pubout"), "pkcs7": ("crl2pkcs7", "-nocrl", "-certfile", shop.at("leaf.crt"))}
	out = shop.at("in.der")
	if kind == "pkcs12":
		succeeds("openssl", "pkcs12", "-export", "-in", shop.at("leaf.crt"), "-inkey", key, "-passout", "pass:x", "-out", out)
	else:
		succeeds("openssl", *argv[kind], "-outform", "DER", "-out", out)
	return out


# kind: (what lint says, exit and words of show)
IN_DER = {
	"certificate": ("fine", 0, "type:              certificate"),
	"crl": ("fine", 0, "type:              crl"),
	"request": ("it holds a certificate signing request in DER", 0, "type:              request"),
	"key": ("it holds a private key in DER", 0, "type:              private key"),
	"public key": ("it holds a public key in DER", 65, "it holds a public key in DER"),
	"pkcs7": ("it holds PKCS#7 in DER", 65, "it holds PKCS#7 in DER"),
	"pkcs12": ("it holds PKCS#12", 66, "passphrase"),
}


@test_over(*IN_DER)
def what_is_in_der_is_told_apart_by_its_structure(scene, kind):
	shop, (linted, status, shown) = of_clients(scene), IN_DER[kind]
	path = in_der(shop, kind)
	got, out, err = pki("lint", path)
	check(linted in out + err, f"lint: {got} {out}{err}")
	check((got == 65) == ("it holds" in linted), f"lint exits {got}")
	got, out, err = pki("show", path)
	check(got == status and shown in out + err, f"show: {got} {out}{err}")


# label: (kind, of which in_der() makes one; what lint says; exit and words of show)
IN_PEM = {
	"CERTIFICATE": ("certificate", "fine", 0, "certificate"),
	"X509 CERTIFICATE": ("certificate", "fine", 0, "certificate"),
	"TRUSTED CERTIFICATE": ("certificate", "fine", 0, "certificate"),
	"X509 CRL": ("crl", "fine", 0, "crl"),
	"CERTIFICATE REQUEST": ("request", "a certificate signing request", 0, "request"),
	"NEW CERTIFICATE REQUEST": ("request", "a certificate signing request", 0, "request"),
	"PRIVATE KEY": ("key", "a private key", 0, "private key"),
	"PUBLIC KEY": ("public key", "a public key", 65, "a public key"),
	"PKCS7": ("pkcs7", "PKCS#7", 65, "PKCS#7"),
	"PKCS12": ("pkcs12", "PKCS#12", 66, "passphrase"),
}


def block(label, der):
	return asn1.pem(label, der)


@test_over(*IN_PEM)
def what_is_in_pem_is_told_apart_by_its_structure_too(scene, label):
	shop, (kind, linted, status, shown) = of_clients(scene), IN_PEM[label]
	der = open(in_der(shop, kind), "rb").read()
	path = shop.write("one.pem", block(label, der))
	got, out, err = pki("lint", path)
	check(linted in out + err and got == (0 if linted == "fine" else 65), f"lint: {got} {out}{err}")
	got, out, err = pki("show", path)
	check(got == status and shown in out + err, f"show: {got} {out}{err}")
	for other in ("CERTIFICATE", "X509 CRL", "CERTIFICATE REQUEST", "PRIVATE KEY", "PKCS12"):
		if IN_PEM[other][0] == kind:
			continue
		wrong = shop.write("wrong.pem", block(other, der))
		got, out, err = pki("show", wrong)
		check(got == 65 and f"what it calls {other} is " in err, f"show of {kind} as {other}: {got} {out}{err}")
		got, out, err = pki("lint", wrong)
		check(got in (1, 65) and out.count("\n") <= 1, f"lint of {kind} as {other}: {got} {out}{err}")


@test
def a_pkcs7_without_lengths_is_told(scene):
	shop = of_clients(scene)
	shop.write("text", "hello")
	succeeds("openssl", "cms", "-sign", "-stream", "-nodetach", "-binary", "-signer", shop.at("leaf.crt"), "-inkey", shop.at("leaf.key"),
		"-in", shop.at("text"), "-outform", "DER", "-out", shop.at("stream"))
	equal(shop.read("stream")[:2], b"\x30\x80")
	for word in ("lint", "show"):
		check("it holds PKCS#7" in pki(word, shop.at("stream"))[2], pki(word, shop.at("stream")))


@test
def a_request_without_attributes_is_one(scene):
	shop = Workshop(scene.dir)
	path = request(shop)
	made = asn1.Signed(asn1.der_of(path))
	made.fields.pop()
	check("a certificate signing request in DER" in pki("lint", shop.write("bare.der", made.der()))[2], "not told")


def certificate_text(shop):
	return "".join(line for line in shop.read("leaf.crt").decode().splitlines(True))


@test
def a_label_counts_at_the_start_of_a_line(scene):
	shop = of_clients(scene)
	one = certificate_text(shop)
	shown = lambda text: (lambda s, o, e: (s, o.count("type:  "), e))(*pki("show", shop.write("x.pem", text)))
	for text in (f"once it was -----BEGIN CERTIFICATE-----\nand more\n{one}", f"  -----BEGIN CERTIFICATE-----\n{one}", f"\ufeff{one}",
			one.replace("\n", "\r\n"), one.replace("\n", "\r"), one.replace("-----\n", "----- \t\n"), one.rstrip("\n"),
			f"-----BEGIN half a label\n{one}"):
		equal(shown(text)[:2], (0, 1), text)
		equal(pki("lint", shop.at("x.pem"))[1], "fine\n", text)
	equal(shown(one + one)[:2], (0, 2))
	for text, words in ((one.rstrip("\n") + one, "on the same line"), (one.replace("END CERTIFICATE", "END X509 CRL"), "another label"),
			(one[:-40], "without an end"), (one.replace("\n-----END", " -----END"), "without an end")):
		for argv in (("show",), ("lint",), ("verify", "--as", "client", "--cas", shop.at("root.crt")), ("verify", "--as", "client", "--cas")):
			files = [shop.write("x.pem", text)] if argv[-1] != "--cas" else [shop.write("x.pem", text), shop.at("leaf.crt")]
			status, out, err = pki(argv[0], *argv[1:], *files)
			check(status in (65, 66) and words in err, f"{argv}: {status} {out}{err}")
	status, _, err = shown(f"text {one.splitlines()[0]} and no certificate\n")
	check(status == 65 and "something else" in err, err)


@test
def der_that_holds_a_label_is_der(scene):
	"""Only a reader that looks for labels first is misled."""
	shop = Workshop(scene.dir)
	shop.make("leaf", "/CN=leaf", None, dict(CLIENT, subjectAltName="DNS:a.example", nsComment="x"))
	made = asn1.Signed(asn1.der_of(shop.at("leaf.crt")))
	made.extensions().append([0x30, asn1.parse(asn1.oid("1.2.3.4") + tlv(asn1.OCTETS, b"\n" + shop.read("leaf.crt")))])
	path = shop.write("x.der", made.der())
	equal(json.loads(pki("show", "--json", path)[1])[0]["type"], "certificate")
	equal(pki("lint", path)[:2], (0, "fine\n"))


@test
def settings_of_a_trusted_certificate_are_cut_off_and_never_passed_over(scene):
	shop = of_clients(scene)
	for option, trusted in (("-setalias=root", True), ("-addtrust=emailProtection", False), ("-addreject=clientAuth", False)):
		path = shop.at("trusted.pem")
		succeeds("openssl", "x509", "-trustout", *option.split("="), "-in", shop.at("root.crt"), "-out", path)
		check("BEGIN TRUSTED CERTIFICATE" in open(path).read(), "openssl")
		equal(json.loads(pki("show", "--json", path)[1])[0]["subject"], "CN=Root")
		equal(pki("lint", path)[1], pki("lint", shop.at("root.crt"))[1].replace("root.crt", "trusted.pem"))
		status, out, err = pki("verify", chain(shop, "leaf", "clients"), "--as", "client", "--cas", path)
		equal(status, 0 if trusted else 65, out + err)
		check(trusted or "settings of OpenSSL's" in err, err)


@test
def lint_says_of_an_unreadable_certificate_nothing_else(scene):
	shop = of_clients(scene)
	der = ssl.PEM_cert_to_DER_cert(shop.read("leaf.crt").decode())
	crl = base64.encodebytes(open(in_der(shop, "crl"), "rb").read()).decode()
	version_2 = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01", 1)
	for name, pem, why in (("version", ssl.DER_cert_to_PEM_cert(version_2), "is not of version 3"),
			("label", f"-----BEGIN CERTIFICATE-----\n{crl}-----END CERTIFICATE-----\n", "unreadable")):
		status, out, _ = pki("lint", shop.write(f"{name}.pem", pem))
		check(status == 1 and out.count("\n") == 1 and why in out, f"{name}: {status} {out}")


@test_over("secp224r1", "secp256k1", "brainpoolP256r1")
def lint_finds_a_curve_that_is_refused(scene, curve):
	shop = Workshop(scene.dir)
	path = shop.make("leaf", "/CN=leaf", None, CLIENT, key=("ec", "-pkeyopt", f"ec_paramgen_curve:{curve}"))
	check("key-weak" in pki("lint", path)[1], pki("lint", path)[1:])


@test
def lint_looks_at_all_of_a_file(scene):
	shop = of_clients(scene)
	shop.crl("sha1.crl", "clients", "sha1")
	out = pki("lint", shop.bundle("both.pem", "root.crt", "sha1.crl"))[1]
	check("CRL 1: crl-refused" in out, out)


# ---- requests ----

EXTENSION_REQUEST = bytes.fromhex("06092a864886f70d01090e")
MICROSOFT_EXTENSIONS = bytes.fromhex("060a2b06010401823702010e")
CHALLENGE = tlv(0x30, bytes.fromhex("06092a864886f70d010907"), tlv(0x31, tlv(0x0c, b"secret")))
ECDSA_SHA256 = tlv(0x30, bytes.fromhex("06082a8648ce3d040302"))
ECDSA_SHA1 = tlv(0x30, bytes.fromhex("06072a8648ce3d0401"))


def extension(host):
	return tlv(0x30, bytes.fromhex("0603551d11"), tlv(0x04, tlv(0x30, tlv(0x82, host.encode()))))


def asks(*lists, by=EXTENSION_REQUEST):
	"""An attribute that asks for these lists of extensions."""
	return tlv(0x30, by, tlv(0x31, *[tlv(0x30, *one) for one in lists]))


def number(value):
	return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def rsa_key(modulus, exponent):
	return tlv(0x30, tlv(0x30, bytes.fromhex("06092a864886f70d010101"), b"\5\0"),
		tlv(0x03, b"\0", tlv(0x30, number(modulus), number(exponent))))


def request(shop, *attributes, algorithm=ECDSA_SHA256, digest="-sha256", signer=None, curve="P-256", encoding="named_curve",
		spki=None):
	"""A request in PEM with these attributes, in this order."""
	for name in ("csr", "stranger"):
		succeeds("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-pkeyopt",
			f"ec_param_enc:{encoding}", "-out", shop.at(f"{name}.key"))
	spki = spki or subprocess.run(["openssl", "pkey", "-in", shop.at("csr.key"), "-pubout", "-outform", "DER"],
		capture_output=True).stdout
	subject = tlv(0x30, tlv(0x31, tlv(0x30, bytes.fromhex("0603550403"), tlv(0x0c, b"host"))))
	info = tlv(0x30, b"\x02\x01\x00", subject, spki, tlv(0xa0, *attributes))
	shop.write("info", info)
	signature = subprocess.run(["openssl", "dgst", digest, "-sign", shop.at(f"{signer or 'csr'}.key"), shop.at("info")],
		capture_output=True).stdout
	der = tlv(0x30, info, algorithm, tlv(0x03, b"\0", signature))
	return shop.write("in.csr", b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(der) +
		b"-----END CERTIFICATE REQUEST-----\n")


A, B = extension("a.example"), extension("b.example")
# (how to make it, part of the refusal; "" if it is signed)
REQUESTS = {
	"attributes in the order of DER": ((CHALLENGE, asks([A])), {}, ""),
	"attributes in another order": ((asks([A]), CHALLENGE), {}, ""),
	"two attributes that ask for extensions": ((asks([A]), asks([B])), {}, "asks for extensions in more than one place"),
	"two lists in one attribute": ((asks([A], [B]),), {}, "asks for extensions in more than one place"),
	"one extension twice": ((asks([A, B]),), {}, "or for one of them twice"),
	"two lists, one of them in Microsoft's attribute": ((asks([A]), asks([B], by=MICROSOFT_EXTENSIONS)), {},
		"asks for extensions in more than one place"),
	"a list in Microsoft's attribute": ((asks([A], by=MICROSOFT_EXTENSIONS),), {}, "by an attribute of Microsoft's"),
	"a list behind an attribute that is malformed": ((tlv(0x30, CHALLENGE[2:], b"\5\0"), asks([A])), {}, "malformed"),
	"a key on secp256k1": ((asks([A]),), {"curve": "secp256k1"}, "it has a key on secp256k1"),
	"a curve that is spelled out": ((asks([A]),), {"encoding": "explicit"}, "it has a key on a curve given by explicit parameters"),
	"a brainpool curve": ((asks([A]),), {"curve": "brainpoolP256r1"}, "it has a key on brainpoolP256r1"),
	"a curve that is not known": ((asks([A]),), {"curve": "prime239v1"}, "it has a key on the unknown curve 1.2.840.10045.3.1.4"),
	"P-224": ((asks([A]),), {"curve": "secp224r1"}, "it has a key on P-224"),
	"a long exponent": ((asks([A]),), {"spki": rsa_key((1 << 2047) | 1, (1 << 2000) | 1)},
		"the public exponent of its RSA key has more than 64 bits"),
	"SHA-1": ((asks([A]),), {"algorithm": ECDSA_SHA1, "digest": "-sha1"}, "it is signed with ECDSA with SHA-1"),
	"another key's signature": ((asks([A]),), {"signer": "stranger"}, "does not prove that whoever asks holds the key"),
}


@test_over(*REQUESTS)
def a_request_with(scene, what):
	attributes, how, words = REQUESTS[what]
	shop, ca = Workshop(scene.dir), Ca(f"{scene.dir}/ca")
	path = request(shop, *attributes, **how)
	if words:
		ca.refuses(65, words, "sign", path, "server", "host", "--host", "a.example")
		return
	ca("sign", path, "server", "host", "--allow", "subjectAltName")
	check("DNS:a.example" in text_of(ca.crt("host")), text_of(ca.crt("host")))
	check("proves possession: yes" in pki("show", path)[1], pki("show", path)[1])


@test
def show_says_when_it_cannot_show_all_that_a_request_asks_for(scene):
	shop = Workshop(scene.dir)
	for attributes in ((asks([A]), asks([B])), (asks([A], [B]),), (asks([A, B]),), (asks([A], by=MICROSOFT_EXTENSIONS),)):
		check("not all that it asks for is shown" in pki("show", request(shop, *attributes))[2], "no warning")
	equal(pki("show", request(shop, CHALLENGE, asks([A])))[2], "")


@test
def a_malformed_request_is_told_from_another_thing(scene):
	shop, ca = Workshop(scene.dir), Ca(f"{scene.dir}/ca")
	body = "\n".join(open(request(shop, asks([A]))).read().splitlines()[1:-1])
	for name, text, words in (("cut", body[:100], "a malformed certificate signing request"),
			("key", shop.read("csr.key").decode(), "it holds a private key")):
		pem = text if "BEGIN" in text else f"-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n"
		ca.refuses(65, words, "sign", shop.write(f"{name}.csr", pem), "server", "host", "--host", "a.example")


# ---- names ----

NAMES = {"Latin-1": b"K\xd6ln", "a newline": b"Ko\nln", "a change of direction": "K\u202eln".encode(), "nothing": b""}


@test_over(*NAMES)
def an_authority_gets_no_name_that_others_cannot_read(scene, what):
	argv = [PROGRAMS["pki"], "init", "--ca", f"{scene.dir}/ca", "--no-password", "--name"]
	done = subprocess.run([*map(os.fsencode, argv), NAMES[what]], stdin=subprocess.DEVNULL, capture_output=True)
	equal(done.returncode, 64, done.stderr)
	check(b"--name" in done.stderr, done.stderr)
	check(not os.path.exists(f"{scene.dir}/ca"), "the directory is there")


@test
def what_another_version_called_badly_is_not_repeated(scene):
	"""An authority whose name is in Latin-1: what it is called goes into no further subject."""
	ca = Ca(f"{scene.dir}/ca", "--no-password", "--name", "K-ln")
	rows = succeeds("sqlite3", ca.path("inventory.db"), "SELECT c.id, hex(der) FROM certificate c JOIN body ON c.id = certificate "
		"WHERE name IN ('root', 'agents')").split()
	for row, der in (line.split("|") for line in rows):
		succeeds("sqlite3", ca.path("inventory.db"), f"UPDATE body SET der = x'{bytes.fromhex(der).replace(b'K-ln', b'K' + bytes([0xd6]) + b'ln').hex()}' WHERE certificate = {row}")
	for argv in (("renew", "root"), ("renew", "agents"), ("sub", "acme", "--permit", "dns:acme.example", "--no-password")):
		ca.refuses(65, "is not UTF-8", *argv)
	ca("issue", "client", "c1")
	check("K?ln" in ca("show", "root"), ca("show", "root"))


@test
def an_authority_may_have_a_name_in_any_script(scene):
	ca = Ca(f"{scene.dir}/ca", "--no-password", "--name", "K\u00f6ln \u6771\u4eac")
	equal(ca("lint", "--all"), "fine\n")
	equal(ca.json("show", "root")["subject"], "CN=K\u00f6ln \u6771\u4eac root,O=K\u00f6ln \u6771\u4eac")
	check("K\u00f6ln \u6771\u4eac root" in succeeds("openssl", "x509", "-noout", "-subject", "-nameopt", "utf8", "-in", ca.path("root.crt")), "OpenSSL")


main()
