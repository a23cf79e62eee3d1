#!/usr/bin/env -S python3 -B
"""valise-pki lint: each rule is broken by one certificate of openssl's, and by none of ours."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, "tests/pki_tool")
from lib import *
from kit import *
import asn1
from asn1 import Signed, tlv

AGENT = "2.25.3095706525491951389.1"
GRANT = "2.25.3095706525491951389.2"
SHOP = "DER:30:06:0c:04:73:68:6f:70"
LEAF = {"basicConstraints": "critical,CA:FALSE", "keyUsage": "critical,digitalSignature", "extendedKeyUsage": "serverAuth",
	"subjectAltName": "DNS:a.example", "subjectKeyIdentifier": "hash", "authorityKeyIdentifier": "keyid"}
CA = {"basicConstraints": "critical,CA:TRUE,pathlen:0", "keyUsage": "critical,keyCertSign,cRLSign",
	"subjectKeyIdentifier": "hash", "authorityKeyIdentifier": "keyid"}
AGENT_LEAF = dict(LEAF, extendedKeyUsage=f"clientAuth,{AGENT}", **{GRANT: SHOP})



# ---- what no tool makes: changes of a certificate's tree ----

def times(begin, end):
	"""Both as (tag, text)."""
	def change(certificate):
		certificate.field("validity")[1] = [[tag, text.encode()] for tag, text in (begin, end)]
	return change


def extension_again(certificate):
	certificate.extensions().append([asn1.SEQUENCE, asn1.parse(asn1.oid("1.2.3.4") + tlv(asn1.OCTETS, b"\5\0"))])
	certificate.extensions().append(certificate.extensions()[-1])


def subject_string(tag, text):
	def change(certificate):
		certificate.field("subject")[1] = asn1.parse(tlv(asn1.SET, tlv(asn1.SEQUENCE, asn1.oid("2.5.4.3") + tlv(tag, text))))
	return change


def without_issuer(certificate):
	certificate.field("issuer")[1] = []


def damaged_key(certificate):
	key = certificate.field("key")[1]
	key[1][1] = key[1][1][:-1] + bytes([key[1][1][-1] ^ 1])


BEGUN, ENDS = (asn1.UTC, "260101000000Z"), (asn1.UTC, "280101000000Z")

# rule: (kind of exit, extensions, more) - more: key, days or dates, serial, digest, subject, under (the CA's extensions), patch or edit
WRONG, UNWISE = 1, 2
BROKEN = {
	"serial-negative": (WRONG, LEAF, {"serial": "-81985529216486895"}),
	"serial-zero": (WRONG, LEAF, {"serial": "0"}),
	"serial-short": (UNWISE, LEAF, {"serial": "7"}),
	"signature-weak": (WRONG, LEAF, {"digest": "sha1"}),
	"key-weak": (WRONG, LEAF, {"key": ("rsa:1024",)}),
	"key-unreadable": (WRONG, LEAF, {"edit": damaged_key}),
	"key-rsa": (UNWISE, LEAF, {"key": ("rsa:2048",)}),
	"key-ed25519-client": (UNWISE, dict(LEAF, extendedKeyUsage="clientAuth"), {"key": ("ed25519",)}),
	"ca-cannot-sign": (WRONG, dict(CA, keyUsage="critical,cRLSign"), {}),
	"ca-cannot-sign-crls": (UNWISE, dict(CA, keyUsage="critical,keyCertSign"), {}),
	"leaf-signs": (WRONG, dict(LEAF, keyUsage="critical,digitalSignature,keyCertSign"), {}),
	"leaf-cannot-sign-handshakes": (WRONG, dict(LEAF, keyUsage="critical,keyEncipherment"), {}),
	"basic-constraints-absent": (UNWISE, dict(LEAF, basicConstraints=None), {}),
	"basic-constraints-not-critical": (UNWISE, dict(CA, basicConstraints="CA:TRUE,pathlen:0"), {}),
	"path-length-absent": (UNWISE, dict(CA, basicConstraints="critical,CA:TRUE"), {}),
	"path-length-misplaced": (WRONG, dict(LEAF, basicConstraints="critical,CA:FALSE,pathlen:0"), {}),
	"purpose-absent": (WRONG, dict(LEAF, extendedKeyUsage=None), {}),
	"purpose-malformed": (WRONG, LEAF, {"patch": (bytes.fromhex("06082b06010505070301"), bytes.fromhex("06082b06010505070381"))}),
	"purpose-any": (WRONG, dict(LEAF, extendedKeyUsage="serverAuth,anyExtendedKeyUsage"), {}),
	"agent-is-server": (WRONG, dict(AGENT_LEAF, extendedKeyUsage=f"clientAuth,serverAuth,{AGENT}"), {}),
	"agent-no-client": (WRONG, dict(AGENT_LEAF, extendedKeyUsage=AGENT), {}),
	"agent-without-grant": (WRONG, dict(AGENT_LEAF, **{GRANT: None}), {}),
	"grant-without-purpose": (WRONG, dict(LEAF, **{GRANT: SHOP}), {}),
	"grant-unreadable": (WRONG, dict(AGENT_LEAF, **{GRANT: "DER:01:02"}), {}),
	"grant-critical": (WRONG, dict(AGENT_LEAF, **{GRANT: "critical," + SHOP}), {}),
	"host-absent": (WRONG, dict(LEAF, subjectAltName="email:a@b.example"), {}),
	"common-name-only": (UNWISE, LEAF, {"subject": "/CN=b.example"}),
	"agent-other-names": (UNWISE, dict(AGENT_LEAF, subjectAltName="DNS:a.example,IP:192.0.2.1"), {}),
	"underscore": (UNWISE, dict(LEAF, subjectAltName="DNS:_a.example"), {}),
	"name-malformed": (WRONG, dict(LEAF, subjectAltName="DNS:a.example,email:jurg@b.example"),
		{"patch": (b"jurg@", b"j\xfcrg@")}),
	"name-not-normal": (WRONG, dict(LEAF, subjectAltName="DNS:a..example"), {}),
	"wildcard-broad": (UNWISE, dict(LEAF, subjectAltName="DNS:*.example"), {}),
	"server-long": (UNWISE, LEAF, {"days": 900}),
	"client-long": (UNWISE, dict(LEAF, extendedKeyUsage="clientAuth"), {"days": 500}),
	"time-form": (WRONG, LEAF, {"edit": times(BEGUN, (asn1.GENERALIZED, "20280101000000Z"))}),
	"never-valid": (WRONG, LEAF, {"edit": times(BEGUN, (asn1.UTC, "250101000000Z"))}),
	"ended": (WRONG, LEAF, {"dates": ("20240101000000Z", "20240201000000Z")}),
	"key-id-absent": (UNWISE, dict(LEAF, authorityKeyIdentifier="none"), {}),
	"key-id-critical": (UNWISE, dict(LEAF, subjectKeyIdentifier="critical,hash"), {}),
	"excluded-names": (WRONG, dict(CA, nameConstraints="critical,excluded;DNS:b.example"), {}),
	"uri-constraint": (UNWISE, dict(CA, nameConstraints="critical,permitted;URI:b.example"), {}),
	"constraint-malformed": (WRONG, dict(CA, nameConstraints="critical,permitted;IP:10.0.0.0/255.0.0.0"),
		{"patch": (b"\x0a\0\0\0\xff\0\0\0", b"\x0a\0\0\0\xff\0\xff\0")}),
	"ceiling-without-names": (UNWISE, dict(CA, extendedKeyUsage=f"clientAuth,{AGENT}", **{GRANT: SHOP}), {}),
	"names-without-ceiling": (UNWISE, dict(CA, extendedKeyUsage=f"clientAuth,{AGENT}", nameConstraints="critical,permitted;DNS:b.example"), {}),
	"critical-unknown": (WRONG, dict(LEAF, **{"1.2.3.4": "critical,DER:05:00"}), {}),
	"subject-not-text": (WRONG, LEAF, {"subject": "/O=K-ln/CN=x", "patch": (b"K-ln", b"K\xf6ln")}),
	"issuer-empty": (WRONG, LEAF, {"edit": without_issuer}),
	"subject-empty": (WRONG, CA, {"subject": "/"}),
	"names-not-critical": (UNWISE, LEAF, {"subject": "/"}),
	"issuer-purpose": (WRONG, LEAF, {"under": dict(CA, extendedKeyUsage="clientAuth")}),
	"outlives-issuer": (UNWISE, LEAF, {"ca_days": 100, "days": 300}),
}


def sign_between(scene, name, issuer, begin, end):
	"""By openssl ca, since openssl x509 can only begin now, and from 3.4 on refuses to end before."""
	at = lambda suffix: f"{scene.dir}/{name}.{suffix}"
	with open(at("cnf"), "w") as file:
		file.write(f"[ca]\ndefault_ca=x\n[x]\ndatabase={at('index')}\nrand_serial=yes\npolicy=any\n[any]\ncommonName=supplied\n")
	open(at("index"), "w").close()
	succeeds("openssl", "ca", "-batch", "-notext", "-config", at("cnf"), "-md", "sha256", "-outdir", scene.dir,
		"-cert", f"{scene.dir}/{issuer}.crt", "-keyfile", f"{scene.dir}/{issuer}.key", "-startdate", begin, "-enddate", end,
		"-extfile", at("ext"), "-in", at("csr"), "-out", at("crt"))


def make(scene, name, extensions, issuer=None, key=("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), days=30, serial=None,
		digest="sha256", subject="/CN=x", dates=None, patch=None, edit=None):
	at = lambda suffix: f"{scene.dir}/{name}.{suffix}"
	with open(at("ext"), "w") as file:
		file.write("".join(f"{k}={v}\n" for k, v in extensions.items() if v))
	succeeds("openssl", "req", "-new", "-newkey", *key, "-nodes", "-keyout", at("key"), "-out", at("csr"), "-subj", subject)
	if dates:
		sign_between(scene, name, issuer, *dates)
		return at("crt")
	by = ("-CA", f"{scene.dir}/{issuer}.crt", "-CAkey", f"{scene.dir}/{issuer}.key") if issuer else ("-signkey", at("key"))
	digest = () if key == ("ed25519",) and not issuer else (f"-{digest}",)
	succeeds("openssl", "x509", "-req", "-in", at("csr"), *by, "-set_serial", serial or f"0x4{os.urandom(15).hex()}", "-days", days,
		*digest, "-extfile", at("ext"), "-out", at("crt"))
	if patch:
		change(scene, name, issuer, lambda der: der.replace(*patch))
	if edit:
		change(scene, name, issuer, lambda der: edited(der, edit))
	return at("crt")


def edited(der, edit):
	certificate = Signed(der)
	edit(certificate)
	return certificate.der()


def change(scene, name, issuer, how):
	"""... and signs it again with the issuer's key, which is on P-256."""
	path, tbs = f"{scene.dir}/{name}.crt", f"{scene.dir}/{name}.tbs"
	certificate = Signed(how(asn1.der_of(path)))
	with open(tbs, "wb") as file:
		file.write(asn1.build([certificate.whole[1][0]]))
	signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", f"{scene.dir}/{issuer}.key", tbs], capture_output=True,
		check=True).stdout
	certificate.whole[1][2][1] = b"\0" + signature
	with open(path, "w") as file:
		file.write(asn1.pem("CERTIFICATE", certificate.der()))


def chain(scene, name, *certificates):
	path = f"{scene.dir}/{name}.pem"
	with open(path, "w") as file:
		for certificate in certificates:
			file.write(open(certificate).read())
	return path


@test
def each_rule_is_broken_by_the_certificate_made_for_it(scene):
	for word, (status, extensions, more) in BROKEN.items():
		more = dict(more)
		ca = make(scene, "ca", more.pop("under", CA), subject="/CN=ca", days=more.pop("ca_days", 3000))
		leaf = make(scene, "leaf", extensions, issuer="ca", **more)
		path = chain(scene, "chain", leaf, ca)
		got, out, err = pki("lint", path)
		check(f"certificate 1: {word}: " in out, f"{word}: {got} {out}{err}")
		# A weightier finding may come with it, never a lighter exit.
		check(got == status or (status == UNWISE and got == WRONG), f"{word}: exit {got}\n{out}")
		others = [line for line in out.splitlines() if "certificate 1: " in line and f": {word}: " not in line]
		check(len(others) <= 1, f"{word} brings others along:\n{out}")


@test
def an_extension_that_stands_there_twice_is_told(scene):
	make(scene, "ca", CA, subject="/CN=ca", days=3000)
	status, out, _ = pki("lint", make(scene, "leaf", LEAF, issuer="ca", edit=extension_again))
	check(status == 1 and "unreadable: it has an extension twice" in out, out)


@test
def every_rule_of_the_table_has_its_certificate(scene):
	rules = set(re.findall(r'^\t\{ "([a-z0-9-]+)", FINDING_', open("pki/tool/lint_rule.c").read(), re.M))
	equal(rules - set(BROKEN), {"not-begun"}, "rules without a test")


# What a name may be of, and whether OpenSSL and Go both read it.
STRINGS = {"UTF-8": (asn1.UTF8, "K\u00f6ln".encode(), True), "Latin-1 as UTF-8": (asn1.UTF8, b"K\xf6ln", False),
	"an overlong form": (asn1.UTF8, b"\xc0\xaf", False), "a newline": (asn1.UTF8, b"Ko\nln", False),
	"a star": (asn1.PRINTABLE, b"*.example", False), "an accent in IA5": (asn1.IA5, b"K\xf6ln", False),
	"half a character": (asn1.BMP, b"\0K\0", False), "BMP": (asn1.BMP, b"\0K\0\xf6", True),
	"UniversalString": (asn1.UNIVERSAL, b"\0\0\0K", False), "VisibleString": (asn1.VISIBLE, b"Koeln", False),
	"Teletex": (asn1.TELETEX, b"K\xf6ln", True), "a number": (asn1.INTEGER, b"\7", False)}


@test_over(*STRINGS)
def a_subject_is_text_that_others_can_read(scene, what):
	tag, text, good = STRINGS[what]
	make(scene, "ca", CA, subject="/CN=ca", days=3000)
	out = pki("lint", make(scene, "leaf", LEAF, issuer="ca", edit=subject_string(tag, text)))[1]
	equal("subject-not-text" not in out, good, out)


GO = """
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

func main() {
	for _, name := range os.Args[1:] {
		text, _ := os.ReadFile(name)
		block, _ := pem.Decode(text)
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			fmt.Println(name, err)
		}
	}
}
"""


def places(nodes, path=()):
	"""Of every element below these: the list that it stands in, and its index."""
	for i, (tag, body) in enumerate(nodes):
		yield nodes, i, path + (i,)
		if isinstance(body, list):
			yield from places(body, path + (i,))


def renamed(tag):
	return {asn1.UTC: asn1.GENERALIZED, asn1.UTF8: asn1.PRINTABLE, asn1.PRINTABLE: asn1.BMP, asn1.BOOLEAN: asn1.INTEGER}.get(tag, asn1.NULL)


def flipped(body):
	return body[:-1] + bytes([body[-1] ^ 0x81])


HOW = {	# to change the element at nodes[i]
	"without": lambda nodes, i: nodes.pop(i), "twice": lambda nodes, i: nodes.insert(i, nodes[i]),
	"empty": lambda nodes, i: nodes.__setitem__(i, [nodes[i][0], b""]),
	"of another type": lambda nodes, i: nodes.__setitem__(i, [renamed(nodes[i][0]), nodes[i][1]]),
	"flipped": lambda nodes, i: isinstance(nodes[i][1], bytes) and nodes[i][1] and nodes.__setitem__(i, [nodes[i][0], flipped(nodes[i][1])]),
}


def variants(der):
	"""One change each, at every element of what is signed.  The signature is not made again."""
	count = len(list(places(Signed(der).fields)))
	for n in range(count):
		for word, change in HOW.items():
			certificate = Signed(der)
			nodes, i, path = list(places(certificate.fields))[n]
			change(nodes, i)
			if certificate.der() != der:
				yield f"{word}-{'.'.join(map(str, path))}".replace(" ", "-"), certificate.der()


def refused_by_go(scene, paths):
	with open(f"{scene.dir}/parse.go", "w") as file:
		file.write(GO)
	out = succeeds("go", "run", f"{scene.dir}/parse.go", *paths, timeout=600)
	return {line.split()[0]: line for line in out.splitlines()}


def refused_by_openssl(scene, paths):
	"""That the signature is wrong is found at last, when nothing else is; and another issuer may be right."""
	_, _, err = tool("openssl", "verify", "-x509_strict", "-purpose", "any", "-CAfile", f"{scene.dir}/ca.crt", *paths)
	refused, reasons = {}, ""
	for line in err.splitlines():
		reasons += line + "; "
		found = re.fullmatch("error (.*): verification failed|Could not read certificate file from (.*)", line)
		if found and not re.search("certificate signature failure|unable to get local issuer certificate", reasons):
			refused[found[1] or found[2]] = reasons
		reasons = "" if found else reasons
	return refused


@test_over(refused_by_openssl, refused_by_go)
def lint_is_at_least_as_strict_as(scene, others):
	"""A good certificate with each of its elements missing, twice, empty, of another type or changed: what they
	refuse, for whatever reason, is not fine."""
	if others is refused_by_go and not (os.environ.get("VALISE_GO") and shutil.which("go")):
		skip("VALISE_GO=1 asks Go, which compiles its own library first")
	make(scene, "ca", CA, subject="/CN=ca", days=3000)
	good = make(scene, "good", dict(LEAF, subjectAltName="DNS:a.example,email:a@b.example,IP:192.0.2.1,URI:https://a.example/"),
		issuer="ca")
	equal(pki("lint", good)[:2], (0, "fine\n"))
	paths = []
	for what, der in variants(asn1.der_of(good)):
		paths.append(f"{scene.dir}/{what}.pem")
		with open(paths[-1], "w") as file:
			file.write(asn1.pem("CERTIFICATE", der))
	refused = others(scene, [*paths, good])
	check(len(refused) > 50 and good not in refused, f"what is tried is refused too seldom: {len(refused)}")
	_, out, err = pki("lint", *paths)
	missed = {path: why for path, why in refused.items() if f" {path}, certificate " not in out}
	check(not missed, f"{len(missed)} of {len(refused)} refused ones of {len(paths)} are fine for lint: {missed} {err}")


@test
def a_certificate_of_the_future_is_told_of(scene):
	with open(f"{scene.dir}/template", "w") as file:	# openssl x509 always begins today
		file.write('cn = x\nactivation_date = "2040-01-01"\nexpiration_date = "2040-02-01"\ntls_www_client\nsigning_key\n')
	succeeds("certtool", "--generate-privkey", "--ecdsa", "--outfile", f"{scene.dir}/x.key")
	succeeds("certtool", "--generate-self-signed", "--load-privkey", f"{scene.dir}/x.key", "--template", f"{scene.dir}/template",
		"--outfile", f"{scene.dir}/x.crt")
	check("not-begun" in pki("lint", f"{scene.dir}/x.crt")[1], "not told")


@test
def nothing_of_ours_breaks_a_rule(scene):
	ca = Ca(f"{scene.dir}/ca")
	ca("sub", "acme", "--permit", "dns:acme.example", "--no-password")
	ca("issue", "agent", "a", "--host", "a.example", "--host", "*.x.example")
	ca("issue", "agent", "b", "--issuer", "acme", "--host", "b.acme.example")
	ca("issue", "relay", "connect.example.net")
	ca("issue", "server", "s.example")
	ca("issue", "client", "c")
	equal(ca("lint", "--all"), "fine\n")
	for name in ("a", "b", "connect.example.net", "s.example", "c"):
		equal(ca("lint", ca.crt(name)), "fine\n", name)
	equal(ca("lint", ca.path("agents.crl"), ca.path("agents-ca.crt")), "fine\n")


@test
def crls_are_looked_at_too(scene):
	at = lambda name: f"{scene.dir}/{name}"
	make(scene, "ca", CA, subject="/CN=ca", days=3000)
	with open(at("ca.cnf"), "w") as file:
		file.write(f"[ca]\ndefault_ca=x\n[x]\ndatabase={at('index')}\ndefault_md=sha256\ndefault_crl_days=400\n")
	open(at("index"), "w").close()
	succeeds("openssl", "ca", "-config", at("ca.cnf"), "-gencrl", "-cert", at("ca.crt"), "-keyfile", at("ca.key"), "-out", at("x.crl"),
		"-crl_lastupdate", "20240101000000Z", "-crl_nextupdate", "20250101000000Z")
	status, out, _ = pki("lint", at("x.crl"))
	equal(status, 1)
	for word in ("crl-ended", "crl-number-absent", "crl-key-id-absent", "crl-long"):
		check(word in out, f"{word}: {out}")
	check("crl-version-1" in out, out)
	with open(at("nothing"), "w") as file:
		file.write("nothing")
	equal(pki("lint", at("nothing"))[0], 65)
	equal(pki("lint", at("nowhere"))[0], 66)
	equal(pki("lint")[0], 64)


def odd_time(crl):
	crl.fields[4] = [asn1.GENERALIZED, b"20" + crl.fields[4][1]]


def odd_entry(crl):
	crl.fields[5:5] = asn1.parse(tlv(asn1.SEQUENCE, tlv(asn1.SEQUENCE, tlv(asn1.INTEGER, b"\7"), tlv(asn1.GENERALIZED, b"20260101000000Z"))))


def latin_1(crl):
	crl.fields[2][1] = asn1.parse(tlv(asn1.SET, tlv(asn1.SEQUENCE, asn1.oid("2.5.4.3") + tlv(asn1.UTF8, b"K\xf6ln"))))


def nobody(crl):
	crl.fields[2][1] = []


# what is changed in a CRL whose fields are version, algorithm, issuer, thisUpdate, nextUpdate, extensions
CRLS = {"a GeneralizedTime": (odd_time, "crl-time-form"), "a GeneralizedTime in an entry": (odd_entry, "crl-time-form"),
	"an issuer in Latin-1": (latin_1, "crl-issuer-not-text"), "no issuer": (nobody, "crl-issuer-not-text")}


@test_over(*CRLS)
def a_crl_with(scene, what):
	edit, word = CRLS[what]
	ca, changed = Ca(f"{scene.dir}/ca"), f"{scene.dir}/changed.crl"
	crl = Signed(asn1.der_of(ca.path("crls/root.crl")))
	with open(changed, "w") as file:
		file.write(asn1.pem("X509 CRL", crl.der()))
	equal(pki("lint", changed)[:2], (0, "fine\n"))
	edit(crl)
	with open(changed, "w") as file:
		file.write(asn1.pem("X509 CRL", crl.der()))
	status, out, _ = pki("lint", changed)
	check(status == 1 and f": {word}: " in out, f"{status} {out}")


@test
def every_rule_for_crls_is_broken_above(scene):
	rules = set(re.findall(r'^\t\{ "([a-z0-9-]+)", FINDING_', open("pki/tool/lint_crl.c").read(), re.M))
	told = {word for _, word in CRLS.values()} | {"crl-version-1", "crl-ended", "crl-number-absent", "crl-key-id-absent", "crl-long"}
	equal(rules - told, {"crl-not-begun"}, "rules without a test")


main()
