#!/usr/bin/env -S python3 -B
"""valise-pki lint: each rule is broken by one certificate of openssl's, and by none of ours."""
import os
import ssl
import sys

sys.path.insert(0, "tests/pki_tool")
from lib import *
from kit import *

AGENT = "2.25.3095706525491951389.1"
GRANT = "2.25.3095706525491951389.2"
SHOP = "DER:30:06:0c:04:73:68:6f:70"
LEAF = {"basicConstraints": "critical,CA:FALSE", "keyUsage": "critical,digitalSignature", "extendedKeyUsage": "serverAuth",
	"subjectAltName": "DNS:a.example", "subjectKeyIdentifier": "hash", "authorityKeyIdentifier": "keyid"}
CA = {"basicConstraints": "critical,CA:TRUE,pathlen:0", "keyUsage": "critical,keyCertSign,cRLSign",
	"subjectKeyIdentifier": "hash", "authorityKeyIdentifier": "keyid"}
AGENT_LEAF = dict(LEAF, extendedKeyUsage=f"clientAuth,{AGENT}", **{GRANT: SHOP})

# rule: (kind of exit, extensions, more) - more: key, days or dates, serial, digest, subject, under (the CA's extensions)
WRONG, UNWISE = 1, 2
BROKEN = {
	"serial-negative": (WRONG, LEAF, {"serial": "-81985529216486895"}),
	"serial-short": (UNWISE, LEAF, {"serial": "7"}),
	"signature-weak": (WRONG, LEAF, {"digest": "sha1"}),
	"key-weak": (WRONG, LEAF, {"key": ("rsa:1024",)}),
	"key-rsa": (UNWISE, LEAF, {"key": ("rsa:2048",)}),
	"key-ed25519-client": (UNWISE, dict(LEAF, extendedKeyUsage="clientAuth"), {"key": ("ed25519",)}),
	"ca-cannot-sign": (WRONG, dict(CA, keyUsage="critical,cRLSign"), {}),
	"ca-cannot-sign-crls": (UNWISE, dict(CA, keyUsage="critical,keyCertSign"), {}),
	"leaf-signs": (WRONG, dict(LEAF, keyUsage="critical,digitalSignature,keyCertSign"), {}),
	"leaf-cannot-sign-handshakes": (WRONG, dict(LEAF, keyUsage="critical,keyEncipherment"), {}),
	"basic-constraints-absent": (UNWISE, dict(LEAF, basicConstraints=None), {}),
	"basic-constraints-not-critical": (UNWISE, dict(CA, basicConstraints="CA:TRUE,pathlen:0"), {}),
	"path-length-absent": (UNWISE, dict(CA, basicConstraints="critical,CA:TRUE"), {}),
	"purpose-absent": (WRONG, dict(LEAF, extendedKeyUsage=None), {}),
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
	"name-not-normal": (WRONG, dict(LEAF, subjectAltName="DNS:a..example"), {}),
	"wildcard-broad": (UNWISE, dict(LEAF, subjectAltName="DNS:*.example"), {}),
	"server-long": (UNWISE, LEAF, {"days": 900}),
	"client-long": (UNWISE, dict(LEAF, extendedKeyUsage="clientAuth"), {"days": 500}),
	"ended": (WRONG, LEAF, {"dates": ("20240101000000Z", "20240201000000Z")}),
	"key-id-absent": (UNWISE, dict(LEAF, authorityKeyIdentifier="none"), {}),
	"excluded-names": (WRONG, dict(CA, nameConstraints="critical,excluded;DNS:b.example"), {}),
	"uri-constraint": (UNWISE, dict(CA, nameConstraints="critical,permitted;URI:b.example"), {}),
	"ceiling-without-names": (UNWISE, dict(CA, extendedKeyUsage=f"clientAuth,{AGENT}", **{GRANT: SHOP}), {}),
	"names-without-ceiling": (UNWISE, dict(CA, extendedKeyUsage=f"clientAuth,{AGENT}", nameConstraints="critical,permitted;DNS:b.example"), {}),
	"critical-unknown": (WRONG, dict(LEAF, **{"1.2.3.4": "critical,DER:05:00"}), {}),
	"subject-not-text": (WRONG, LEAF, {"subject": "/O=K-ln/CN=x", "patch": (b"K-ln", b"K\xf6ln")}),
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
		digest="sha256", subject="/CN=x", dates=None, patch=None):
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
	if patch:		# its signature is wrong then, which is nothing for lint
		with open(at("crt")) as file:
			der = ssl.PEM_cert_to_DER_cert(file.read())
		with open(at("crt"), "w") as file:
			file.write(ssl.DER_cert_to_PEM_cert(der.replace(*patch)))
	return at("crt")


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
def every_rule_of_the_table_has_its_certificate(scene):
	import re
	rules = set(re.findall(r'^\t\{ "([a-z0-9-]+)", FINDING_', open("pki/tool/lint_rule.c").read(), re.M))
	equal(rules - set(BROKEN), {"not-begun"}, "rules without a test")


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
	with open(at("nothing"), "w") as file:
		file.write("nothing")
	equal(pki("lint", at("nothing"))[0], 65)
	equal(pki("lint", at("nowhere"))[0], 66)
	equal(pki("lint")[0], 64)


main()
