#!/usr/bin/env -S python3 -B
"""The life of a certificate: sub-CAs, requests, renewal, revocation, and every way out of the house."""
import base64
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import time

sys.path.insert(0, "tests/pki_tool")
from lib import *
from lib.clock import DAY, Clock
from lib.memory import FAILING
from kit import *

REASONS = {"unspecified": None, "keyCompromise": "Key Compromise", "CACompromise": "CA Compromise",
	"affiliationChanged": "Affiliation Changed", "superseded": "Superseded",
	"cessationOfOperation": "Cessation Of Operation", "certificateHold": "Certificate Hold",
	"privilegeWithdrawn": "Privilege Withdrawn", "aACompromise": "AA Compromise"}


def with_agent(scene, *options):
	ca = Ca(f"{scene.dir}/ca")
	ca("issue", "agent", "shop", "--host", "app.example.com", *options)
	return ca


def request(scene, *extensions, key="ec", name="csr"):
	new = {"ec": ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), "rsa1024": ("rsa:1024",)}[key]
	succeeds("openssl", "req", "-new", "-newkey", *new, "-nodes", "-subj", "/CN=x", "-keyout", f"{scene.dir}/{name}.key",
		"-out", f"{scene.dir}/{name}.csr", *[o for e in extensions for o in ("-addext", e)])
	return f"{scene.dir}/{name}.csr"


# ---- sub-CAs ----

@test
def a_sub_ca_is_bounded_in_names_depth_and_grant(scene):
	ca = Ca(f"{scene.dir}/ca")
	made = ca.json("sub", "acme", "--permit", "dns:Acme.Example", "--permit", "dns:acme.test", "--max-flows", "100",
		"--from", "192.0.2.0/24", "--no-password")
	equal(made["permitted_hosts"], ["acme.example", "acme.test"])
	equal((made["path_length"], made["grant"]["max_flows"], made["grant"]["name"]), (0, 100, "acme"))
	text = text_of(ca.path("cas/acme.crt"))
	check("X509v3 Name Constraints: critical\n                Permitted:" in text and "Excluded" not in text, text)
	leaf = ca.json("issue", "agent", "one", "--issuer", "acme", "--host", "a.acme.example", "--host", "*.acme.test")
	equal((leaf["grant"]["max_flows"], leaf["grant"]["sources"]), (100, ["192.0.2.0/24"]), "gaps take the ceiling's values")
	status, out, err = ca.openssl_verify("one", "agent")
	check(status == 0 and ca.believed("one", "agent", "--serve", "a.acme.example"), out + err)
	for options, words in {("--host", "a.example"): "outside of what the CA 'acme'", ("--host", "xacme.example"): "outside",
			("--host", "*.example"): "outside", ("--host", "a.acme.example", "--max-flows", "101"): "--max-flows 101",
			("--host", "a.acme.example", "--from", "192.0.0.0/16"): "--from", ("--host", "a.acme.example", "--any-depth"): "--any-depth",
			("--host", "a.acme.example", "--shared"): "--shared"}.items():
		ca.refuses(65, words, "issue", "agent", "two", "--issuer", "acme", *options)
	ca.refuses(64, "'acme' issues agents", "issue", "server", "two", "--issuer", "acme", "--host", "a.acme.example")
	ca.refuses(66, "there are: root, agents", "issue", "agent", "two", "--issuer", "nobody", "--host", "a.acme.example")


@test
def two_customers_cannot_have_the_same_names_by_accident(scene):
	ca = Ca(f"{scene.dir}/ca")
	ca("sub", "acme", "--permit", "dns:acme.example", "--no-password")
	for permit in ("dns:acme.example", "dns:deep.acme.example", "dns:example"):
		ca.refuses(65, ["overlaps dns:acme.example", "--shared"], "sub", "other", "--permit", permit, "--no-password")
	ca("sub", "other", "--permit", "dns:acme.example", "--shared", "--no-password")
	for permit in ("acme.example", "dns:*.acme.example", "email:a@b.example", "dns:"):
		ca.refuses(64, "--permit", "sub", "third", "--permit", permit, "--no-password")
	ca.refuses(64, "--permit", "sub", "third", "--no-password")
	ca.refuses(73, "exists already", "sub", "acme", "--permit", "dns:other.example", "--no-password")


@test
def the_names_of_a_customer_are_the_sub_ca_s_to_certify(scene):
	ca = Ca(f"{scene.dir}/ca")
	ca("issue", "agent", "old", "--host", "old.acme.example")
	ca("sub", "acme", "--permit", "dns:acme.example", "--no-password")
	for host in ("acme.example", "a.acme.example", "*.acme.example", "*.example"):
		ca.refuses(65, ["acme.example of the sub-CA 'acme'", "--issuer acme"], "issue", "agent", "one", "--host", host)
	ca("issue", "agent", "one", "--host", "a.acme.example", "--shared")
	ca("issue", "agent", "two", "--host", "xacme.example")
	ca("renew", "old")


@test
def the_bundle_of_a_sub_ca_narrows_to_it(scene):
	ca = Ca(f"{scene.dir}/ca")
	for name in ("acme", "brio"):
		ca("sub", name, "--permit", f"dns:{name}.example", "--no-password")
		ca("issue", "agent", f"{name}-1", "--issuer", name, "--host", f"{name}.example")
	ca("issue", "agent", "mine", "--host", "mine.example")
	files = ("--cas", ca.path("acme-ca.crt"), "--crls", ca.path("acme.crl"))
	check(ca.believed("acme-1", "agent", *files), "the customer's own")
	check(not ca.believed("brio-1", "agent", *files) and not ca.believed("mine", "agent", *files), "others")


@test
def a_revoked_sub_ca_ends_all_that_it_issued(scene):
	ca = Ca(f"{scene.dir}/ca")
	ca("sub", "acme", "--permit", "dns:acme.example", "--no-password")
	ca("issue", "agent", "one", "--issuer", "acme", "--host", "a.acme.example")
	ca("issue", "agent", "two", "--host", "b.example")
	ca("revoke", "acme", "--reason", "CACompromise")
	check(not ca.believed("one", "agent") and ca.believed("two", "agent"), "ours")
	check(ca.openssl_verify("one", "agent")[0] != 0 and ca.openssl_verify("two", "agent")[0] == 0, "openssl")
	ca.refuses(65, "'acme' is revoked", "issue", "agent", "three", "--issuer", "acme", "--host", "c.acme.example")


OWN_CRL = """[ca]
default_ca=x
[x]
database={at}.index
crlnumber={at}.number
default_md=sha256
crl_extensions=e
[e]
authorityKeyIdentifier=keyid
"""


def own_crl(scene, ca, number, begin, end):
	"""A CRL by a customer who uses openssl; times as openssl ca takes them."""
	at = f"{scene.dir}/own"
	for suffix, text in (("cnf", OWN_CRL.format(at=at)), ("index", ""), ("number", number)):
		with open(f"{at}.{suffix}", "w") as file:
			file.write(text)
	succeeds("openssl", "ca", "-config", f"{at}.cnf", "-gencrl", "-cert", ca.path("cas/acme.crt"), "-keyfile", f"{scene.dir}/csr.key",
		"-crl_lastupdate", begin, "-crl_nextupdate", end, "-out", f"{at}.crl")
	return f"{at}.crl"


def of_time(offset):
	return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + offset))


def own_agent(scene, ca):
	"""A certificate that the customer issues, with its own key and openssl."""
	at = f"{scene.dir}/agent"
	with open(f"{at}.ext", "w") as file:
		file.write("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nsubjectAltName=DNS:a.acme.example\n"
			"extendedKeyUsage=clientAuth,2.25.3095706525491951389.1\n2.25.3095706525491951389.2=DER:30:06:0c:04:73:68:6f:70\n"
			"subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
	request(scene, name="agent")
	succeeds("openssl", "x509", "-req", "-in", f"{at}.csr", "-CA", ca.path("cas/acme.crt"), "-CAkey", f"{scene.dir}/csr.key", "-set_serial",
		f"0x4{os.urandom(15).hex()}", "-days", "10", "-sha256", "-extfile", f"{at}.ext", "-out", f"{at}.crt")
	with open(f"{at}.chain", "w") as file:
		file.write(open(f"{at}.crt").read() + open(ca.path("cas/acme.crt")).read() + open(ca.path("cas/agents.crt")).read())
	return f"{at}.chain"


@test
def a_sub_ca_may_have_a_key_of_its_customer_s(scene):
	ca = Ca(f"{scene.dir}/ca")
	csr = request(scene, "subjectAltName=DNS:ignored.example")
	made = ca.json("sub", "acme", "--permit", "dns:acme.example", "--max-flows", "100", "--csr", csr)
	equal((made["permitted_hosts"], made["path_length"], made["grant"]["max_flows"]), (["acme.example"], 0, 100))
	equal(made["spki_sha256"], json.loads(pki("show", "--json", csr)[1])[0]["spki_sha256"])
	check(not os.path.exists(ca.path("private/acme.key")) and not os.path.exists(ca.path("crls/acme.crl")), "a key or a CRL appeared")
	ca.refuses(64, "is not here", "issue", "agent", "one", "--issuer", "acme", "--host", "a.acme.example")
	ca.refuses(64, "is not here", "crl", "acme")
	ca("crl", "--all")
	ca.refuses(73, "exists already", "sub", "acme", "--permit", "dns:b.example", "--csr", csr)
	for option in (("--key-type", "p256"), ("--no-password",), ("--token", "pkcs11:token=x")):
		ca.refuses(64, "--csr brings a key", "sub", "other", "--permit", "dns:b.example", "--csr", csr, *option)
	equal(ca("lint", "--all"), "fine\n")
	status, out, _ = ca.any("check")
	check(status == 2 and "the CRL of 'acme' is not here" in out and "--import" in out, out)
	chain = own_agent(scene, ca)
	verify = lambda: ca.any("verify", chain, "--as", "agent", "--serve", "a.acme.example")
	check(verify()[0] == 1 and "crl-missing" in verify()[1], verify())

	ca.refuses(65, "no CRL that the CA 'acme' has signed", "crl", "acme", "--import", ca.path("agents.crl"))
	for begin, end, words in ((7200, 86400, "is the clock right?"), (-86400, -3600, "the CRL ended")):
		ca.refuses(65, words, "crl", "acme", "--import", own_crl(scene, ca, "01", of_time(begin), of_time(end)))
	good = own_crl(scene, ca, "07", of_time(-60), of_time(86400))
	equal(ca.json("crl", "acme", "--import", good)[0]["crl_number"], 7)
	equal(open(ca.path("crls/acme.crl")).read().split(), open(good).read().split())
	check(verify()[0] == 0, verify())
	equal(ca("check"), "fine\n")
	ca.refuses(65, "it is not newer", "crl", "acme", "--import", good)
	ca.refuses(64, "are issued here", "crl", "agents", "--import", good)
	ca.refuses(64, "alone", "crl", "--all", "--import", good)
	ca.refuses(66, "nowhere", "crl", "acme", "--import", f"{scene.dir}/nowhere")

	ca("renew", "acme")
	check(verify()[0] == 0, "after the renewal: its chain holds the older certificate, which is good")
	ca("backup", f"{scene.dir}/backup.tar")
	equal(pki("restore", f"{scene.dir}/backup.tar", "--ca", f"{scene.dir}/again")[0], 0)
	newer = own_crl(scene, ca, "08", of_time(-60), of_time(86400))
	equal(pki("crl", "acme", "--import", newer, "--ca", f"{scene.dir}/again")[0], 0)
	ca("revoke", "acme")
	check(verify()[0] == 1, "revoked and believed")


# ---- requests ----

@test
def takes_only_the_key_from_a_request(scene):
	ca = Ca(f"{scene.dir}/ca")
	csr = request(scene, "subjectAltName=DNS:csr.example.com", "basicConstraints=critical,CA:TRUE", "extendedKeyUsage=serverAuth")
	status, out, err = ca.any("sign", csr, "agent", "csr", "--host", "app.example.com", "--json")
	check(status == 0 and "subjectAltName is ignored" in err and "basicConstraints is ignored" in err, err)
	equal(json.loads(out)["hosts"], ["app.example.com"])
	text = text_of(ca.crt("csr"))
	check("CA:FALSE" in text and "Server Authentication" not in text, text)
	equal(succeeds("openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in", ca.crt("csr")), "subject=CN=csr\n")
	check(not os.path.exists(ca.key("csr")), "a key appeared")
	check(ca.believed("csr", "agent"), "ours")
	equal(succeeds("openssl", "x509", "-noout", "-pubkey", "-in", ca.crt("csr")),
		succeeds("openssl", "pkey", "-pubout", "-in", f"{scene.dir}/csr.key"))


@test
def allowed_names_of_a_request_are_judged_like_others(scene):
	ca = Ca(f"{scene.dir}/ca")
	good = request(scene, "subjectAltName=DNS:Csr.Example.com", name="good")
	equal(ca.json("sign", good, "agent", "good", "--allow", "subjectAltName")["hosts"], ["csr.example.com"])
	ca("sub", "acme", "--permit", "dns:acme.example", "--no-password")
	ca.refuses(65, "outside", "sign", good, "agent", "x", "--issuer", "acme", "--allow", "subjectAltName")
	for extension in ("subjectAltName=IP:192.0.2.1", "subjectAltName=email:a@b.example", "subjectAltName=DNS:a..b",
			"subjectAltName=otherName:1.2.3;UTF8:x"):
		ca.refuses(65, "", "sign", request(scene, extension), "agent", "x", "--allow", "subjectAltName")
	for word in ("basicConstraints", "grant", "extendedKeyUsage", "nonsense"):
		ca.refuses(64, "only subjectAltName", "sign", good, "agent", "x", "--host", "a.example", "--allow", word)


@test
def a_request_must_prove_possession_of_a_strong_key(scene):
	ca = Ca(f"{scene.dir}/ca")
	der = bytearray(base64.b64decode("".join(open(request(scene)).read().splitlines()[1:-1])))
	der[-1] ^= 1
	with open(f"{scene.dir}/forged.csr", "wb") as file:
		file.write(der)
	ca.refuses(65, "prove", "sign", f"{scene.dir}/forged.csr", "agent", "x", "--host", "a.example")
	ca.refuses(65, "too weak", "sign", request(scene, key="rsa1024"), "agent", "x", "--host", "a.example")
	ca.refuses(65, "not a certificate signing request", "sign", ca.path("root.crt"), "agent", "x", "--host", "a.example")
	ca.refuses(66, "nowhere", "sign", f"{scene.dir}/nowhere", "agent", "x", "--host", "a.example")


@test
def signs_requests_of_openssl_and_certtool(scene):
	ca = Ca(f"{scene.dir}/ca")
	with open(f"{scene.dir}/template", "w") as file:
		file.write("cn = x\ndns_name = csr.example.com\nsigning_key\n")
	for kind in ("--ecdsa", "--rsa", "--key-type=ed25519"):
		name = kind.strip("-").replace("=", "-")
		succeeds("certtool", "--generate-privkey", kind, "--outfile", f"{scene.dir}/{name}.key")
		succeeds("certtool", "--generate-request", "--load-privkey", f"{scene.dir}/{name}.key", "--template",
			f"{scene.dir}/template", "--outfile", f"{scene.dir}/{name}.csr")
		ca("sign", f"{scene.dir}/{name}.csr", "server", name, "--allow", "subjectAltName")
		status, out, err = ca.openssl_verify(name, "server")
		check(status == 0, f"{name}: {out}{err}")
	succeeds("openssl", "req", "-new", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x", "-keyout", f"{scene.dir}/o.key",
		"-outform", "DER", "-out", f"{scene.dir}/o.der")
	ca("sign", f"{scene.dir}/o.der", "client", "of-der")


# ---- renew and rekey ----

@test
def renew_keeps_the_key_and_rekey_does_not(scene):
	ca = with_agent(scene, "--max-flows", "7", "--host", "*.x.example")
	first, key = ca.json("show", "shop"), open(ca.key("shop")).read()
	renewed = ca.json("renew", "shop", "--days", "30")
	equal(open(ca.key("shop")).read(), key)
	check(renewed["serial"] != first["serial"], "the same serial")
	for member in ("hosts", "grant", "purposes", "subject", "issuer"):
		equal(renewed[member], first[member], member)
	rekeyed = ca.json("rekey", "shop")
	check(open(ca.key("shop")).read() != key, "the same key")
	equal(rekeyed["grant"], first["grant"])
	check(ca.believed("shop", "agent"), "ours")
	equal([one["state"] for one in ca.json("list", "shop")], ["replaced", "replaced", "valid"])
	ca("revoke", first["serial"], "--reason", "superseded")
	check(ca.believed("shop", "agent"), "the new one fell with the old")
	equal(serials(ca.path("crls/agents.crl")), {first["serial"]: "Superseded"})


@test
def what_is_revoked_is_not_renewed_but_rekeyed(scene):
	ca = with_agent(scene)
	ca("revoke", "shop", "--reason", "keyCompromise")
	ca.refuses(65, ["revoked", "rekey"], "renew", "shop")
	ca("rekey", "shop")
	check(ca.believed("shop", "agent"), "ours")
	equal(len(serials(ca.path("crls/agents.crl"))), 1)


@test
def a_name_is_revoked_with_all_its_living_certificates(scene):
	ca = with_agent(scene)
	ca("renew", "shop")
	ca("revoke", "shop")
	equal(len(serials(ca.path("crls/agents.crl"))), 2)


@test
def a_key_that_is_elsewhere_is_not_rekeyed_without_a_request(scene):
	ca = Ca(f"{scene.dir}/ca")
	ca("sign", request(scene), "agent", "csr", "--host", "a.example")
	ca("renew", "csr")
	ca.refuses(64, "--csr", "rekey", "csr")
	ca("rekey", "csr", "--csr", request(scene, name="second"))
	equal(succeeds("openssl", "x509", "-noout", "-pubkey", "-in", ca.crt("csr")),
		succeeds("openssl", "pkey", "-pubout", "-in", f"{scene.dir}/second.key"))


@test
def renewing_a_ca_leaves_all_that_it_issued_believed(scene):
	ca = with_agent(scene)
	ca("sub", "acme", "--permit", "dns:acme.example", "--no-password")
	ca("issue", "agent", "one", "--issuer", "acme", "--host", "a.acme.example")
	before = open(ca.crt("one")).read()
	for name in ("root", "agents", "acme"):
		old = ca.json("show", name)
		new = ca.json("renew", name)
		for member in ("subject", "permitted_hosts", "grant", "purposes", "path_length", "key"):
			equal(new.get(member), old.get(member), f"{member} of {name}")
		equal(json.loads(ca("check", "--json")), [], name)
		for leaf in ("shop", "one"):
			status, out, err = ca.openssl_verify(leaf, "agent")
			check(status == 0 and ca.believed(leaf, "agent"), f"{leaf} after the renewal of {name}: {out}{err}")
	check(open(ca.crt("one")).read() != before, "the chain holds the old CA")
	ca.refuses(64, "not changed in place", "rekey", "agents")


# ---- revocation ----

@test
def every_reason_of_rfc_5280_is_written(scene):
	ca = Ca(f"{scene.dir}/ca")
	wanted = {}
	for reason, theirs in REASONS.items():
		wanted[ca.json("issue", "client", reason)["serial"]] = theirs
		ca("revoke", reason, "--reason", reason)
	equal(serials(ca.path("crls/clients.crl")), wanted)
	shown = {one["serial"]: one["reason"] for one in ca.json("show", ca.path("crls/clients.crl"))[0]["revoked"]}
	equal(sorted(r.lower() for r in shown.values()), sorted(r.lower() for r in REASONS), "ours")
	ca("issue", "client", "x")
	ca.refuses(64, "unhold", "revoke", "x", "--reason", "removeFromCRL")
	ca.refuses(64, "keyCompromise, cACompromise", "revoke", "x", "--reason", "dislike")
	ca.refuses(65, "revoked already", "revoke", "superseded")
	ca.refuses(66, "valise-pki list", "revoke", "nobody")
	ca.refuses(64, "a root cannot be revoked", "revoke", "root")


@test
def a_hold_can_be_taken_back_and_made_final(scene):
	ca = with_agent(scene)
	ca("hold", "shop")
	check(not ca.believed("shop", "agent"), "held and believed")
	equal(list(serials(ca.path("crls/agents.crl")).values()), ["Certificate Hold"])
	ca.refuses(65, "revoked already", "hold", "shop")
	ca.refuses(65, ["held", "unhold"], "renew", "shop")
	ca("unhold", "shop")
	check(ca.believed("shop", "agent"), "let go and not believed")
	equal(serials(ca.path("crls/agents.crl")), {})
	ca.refuses(65, "not held", "unhold", "shop")
	ca("hold", "shop")
	ca("revoke", "shop", "--reason", "keyCompromise")
	equal(list(serials(ca.path("crls/agents.crl")).values()), ["Key Compromise"])
	ca.refuses(65, "not held", "unhold", "shop")


@test
def one_that_has_ended_can_still_be_revoked(scene):
	ca = with_agent(scene, "--valid-for", "2s")
	time.sleep(3)
	ca("crl", "agents")			# behind its end
	time.sleep(1.1)
	ca("revoke", "shop")
	equal(len(serials(ca.path("crls/agents.crl"))), 1, "entries of the CRL that revokes it")
	time.sleep(1.1)
	ca("crl", "agents")			# lists it once more: seconds are coarse
	ca("crl", "agents")
	equal(len(serials(ca.path("crls/agents.crl"))), 0, "entries of a later one")


@test
def crl_numbers_rise_and_dates_follow(scene):
	ca = with_agent(scene)
	number = lambda: int(succeeds("openssl", "crl", "-noout", "-crlnumber", "-in", ca.path("crls/agents.crl")).split("=")[1], 16)
	equal(number(), 1)
	ca("crl", "--all")
	ca("revoke", "shop")
	equal(number(), 3)
	ca("crl", "agents", "--days", "30")
	times = dict(line.split("=") for line in succeeds("openssl", "crl", "-noout", "-lastupdate", "-nextupdate", "-in",
		ca.path("crls/agents.crl")).splitlines())
	begin, end = (int(succeeds("date", "-d", times[k], "+%s")) for k in ("lastUpdate", "nextUpdate"))
	equal(end - begin, 30 * 86400 + 3600, "its life, backdated")
	ca("crl", "agents")
	equal(ca.json("crl", "agents")[0]["crl_number"], 6)
	_, _, out = tool("openssl", "crl", "-noout", "-verify", "-CAfile", ca.path("agents-ca.crt"), "-in", ca.path("crls/agents.crl"))
	check("verify OK" in out, out)
	ca.refuses(64, "--all", "crl")
	ca.refuses(66, "no such CA", "crl", "nobody")


@test
def what_is_due_are_crls_below_half_of_their_life(scene):
	ca, clock = Ca(f"{scene.dir}/ca"), Clock(scene.dir)

	def renewed(day, *cas):
		clock.set(day * DAY)
		said = succeeds(FAILING["pki"], "crl", "--json", "--ca", ca.dir, *cas, env=dict(os.environ, **clock.environment))
		return sorted(one["ca"] for one in json.loads(said))

	equal(renewed(6, "--due", "--all"), [])
	equal(renewed(6, "agents"), ["agents"])
	equal(renewed(8, "--due", "--all"), ["clients", "relays", "root", "servers"])
	equal(renewed(8, "--due", "--all"), [])
	equal(renewed(14, "--due", "agents", "relays"), ["agents"])
	equal(len(succeeds("openssl", "storeutl", "-noout", "-crls", ca.path("agents.crl")).splitlines()), 3, "two, and a sum")


@test
def hooks_run_one_after_the_other_and_each_time(scene):
	hooks, seen = f"{scene.dir}/publish.d", f"{scene.dir}/seen"
	os.mkdir(hooks)

	def hook(name, text, permissions=0o755):
		with open(os.open(f"{hooks}/{name}", os.O_WRONLY | os.O_CREAT, permissions), "w") as file:
			file.write(f"#!/bin/sh\n{text}\n")

	hook("20-second", f"echo second $VALISE_CA >> {seen}")
	hook("10-first", f"echo first >> {seen}; exit 3")
	hook("rsync.example", f"echo example >> {seen}")
	hook("30-not-yet", f"echo not yet >> {seen}", 0o644)
	run = lambda: tool("packaging/publish", hooks, env=dict(os.environ, VALISE_CA="there"))
	status, _, err = run()
	equal((status, open(seen).read().split("\n")), (1, ["first", "second there", ""]))
	check("10-first has failed (3)" in err, err)
	os.unlink(f"{hooks}/10-first")
	equal((run()[0], open(seen).read().count("second")), (0, 2))
	equal(tool("packaging/publish", f"{hooks}/nothing")[0], 64)
	succeeds("sh", "-n", "packaging/rsync.example")


@test
def an_entry_leaves_the_crl_only_after_one_crl_behind_its_end(scene):
	ca = Ca(f"{scene.dir}/ca")
	ca("issue", "client", "short", "--valid-for", "4s")	# so that it is revoked before its end
	ca("revoke", "short")
	time.sleep(5.1)
	ca("crl", "clients")
	equal(len(serials(ca.path("crls/clients.crl"))), 1, "the first CRL behind the end")
	ca("crl", "clients")
	equal(len(serials(ca.path("crls/clients.crl"))), 0, "the second")


@test
def a_crl_below_a_third_of_its_life_is_warned_of_by_every_command(scene):
	ca = with_agent(scene)
	equal(ca.any("list")[2], "")
	ca("crl", "agents", "--valid-for", "3s")
	time.sleep(2.1)
	for word in (("list",), ("show", "shop"), ("issue", "client", "x")):
		status, _, err = ca.any(*word)
		check(status == 0 and "the CRL of 'agents'" in err and "valise-pki crl --all" in err, err)


# ---- looking ----

@test
def list_tells_states_and_chooses(scene):
	ca = with_agent(scene)
	ca("issue", "client", "c1", "--valid-for", "1s")
	ca("issue", "client", "c2", "--days", "20")
	ca("issue", "client", "c3")
	ca("revoke", "c3")
	time.sleep(1.1)
	states = {one["name"]: one["state"] for one in ca.json("list")}
	equal({n: states[n] for n in ("shop", "c1", "c2", "c3", "root")},
		{"shop": "valid", "c1": "expired", "c2": "valid", "c3": "revoked", "root": "valid"})
	equal([one["name"] for one in ca.json("list", "--expiring", "30d")], ["c1", "c2"])
	equal([one["name"] for one in ca.json("list", "--revoked")], ["c3"])
	line = [l for l in ca("list").splitlines() if " shop " in l][0]
	check(line.startswith("valid") and line.endswith("app.example.com"), line)


@test
def a_long_list_is_cut_for_people_and_whole_for_programs(scene):
	ca = Ca(f"{scene.dir}/ca")
	ca("issue", "client", "c0")
	succeeds("sqlite3", ca.path("inventory.db"), "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) "
		"INSERT INTO certificate(issuer, serial, name, kind, hosts, not_before, not_after, current) "
		"SELECT issuer, randomblob(16), 'c' || i, kind, hosts, not_before, not_after, 1 FROM certificate, n WHERE name = 'c0'")
	status, out, err = ca.any("list")
	check(status == 0 and len(out.splitlines()) == 250 and " c300 " in out.splitlines()[-1] and "older ones" in err, err)
	equal(len(ca("list", "--all").splitlines()), 306)
	equal(len(ca.json("list")), 306)


@test
def shows_every_kind_of_file(scene):
	ca = with_agent(scene)
	types = lambda path, *more: [one["type"] for one in ca.json("show", path, *more)]
	equal(types(ca.crt("shop")), ["certificate", "certificate"])
	equal(types(ca.path("agents.crl")), ["crl", "crl"])
	equal(types(ca.key("shop")), ["private key"])
	csr = ca.json("show", request(scene, "subjectAltName=DNS:csr.example.com"))[0]
	equal((csr["type"], csr["hosts"], csr["proves_possession"]), ("request", ["csr.example.com"], True))
	succeeds("openssl", "x509", "-in", ca.path("root.crt"), "-outform", "DER", "-out", f"{scene.dir}/root.der")
	equal(types(f"{scene.dir}/root.der"), ["certificate"])
	succeeds("openssl", "crl", "-in", ca.path("crls/root.crl"), "-outform", "DER", "-out", f"{scene.dir}/crl.der")
	equal(types(f"{scene.dir}/crl.der"), ["crl"])
	passphrase(scene)
	ca("export", "shop", "--p12", "--p12-passphrase-file", f"{scene.dir}/pw", "--out", f"{scene.dir}/shop.p12")
	equal(types(f"{scene.dir}/shop.p12", "--passphrase-file", f"{scene.dir}/pw"), ["private key"] + 3 * ["certificate"])
	private = "".join(open(ca.key("shop")).read().splitlines()[1:-1])
	check(private[40:80] not in ca("show", ca.key("shop")), "the private key is shown")
	with open(f"{scene.dir}/nothing", "w") as file:
		file.write("nothing")
	ca.refuses(65, "neither certificate, request", "show", f"{scene.dir}/nothing")


@test
def a_directory_is_not_taken_for_the_certificate_of_its_name(scene):
	ca = with_agent(scene)
	os.mkdir(f"{scene.dir}/shop")
	equal(ca.json("show", "shop", cwd=scene.dir)["subject"], "CN=shop")
	ca.refuses(66, "no certificate of this name", "show", scene.dir)


# ---- leaving the house ----

def passphrase(scene):
	path = f"{scene.dir}/pw"
	with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
		file.write("correct horse\n")
	return path


@test
def exports_what_openssl_opens(scene):
	ca, pw = with_agent(scene), passphrase(scene)
	for legacy in ((), ("--legacy",)):
		path = f"{scene.dir}/{'legacy' if legacy else 'modern'}.p12"
		ca("export", "shop", "--p12", *legacy, "--p12-passphrase-file", pw, "--out", path)
		equal(mode(path), 0o600, path)
		status, out, err = tool("openssl", "pkcs12", *[f"-{l[2:]}" for l in legacy], "-in", path, "-passin", f"file:{pw}", "-nodes", "-info")
		check(status == 0 and out.count("BEGIN CERTIFICATE") == 3 and "BEGIN PRIVATE KEY" in out, out + err)
		wanted = "pbeWithSHA1And3-KeyTripleDES-CBC" if legacy else "AES-256-CBC, Iteration 600000, PRF hmacWithSHA256"
		check(wanted in err and ("MAC: sha1" if legacy else "MAC: sha256") in err, err)
		ca.refuses(73, path, "export", "shop", "--p12", "--p12-passphrase-file", pw, "--out", path)
	ca("export", "shop", "--pem-bundle", "--out", f"{scene.dir}/shop.pem")
	text = open(f"{scene.dir}/shop.pem").read()
	check(text.startswith("-----BEGIN PRIVATE KEY") and text.count("BEGIN CERTIFICATE") == 2, "the PEM bundle")
	equal(mode(f"{scene.dir}/shop.pem"), 0o600)
	ca.refuses(64, "one of --p12", "export", "shop")
	ca.refuses(64, "go with --p12", "export", "shop", "--pem-bundle", "--legacy")
	ca.refuses(64, "is a CA", "export", "agents", "--pem-bundle")


@test
def a_pkcs12_costs_its_reader_what_was_asked_for(scene):
	ca, pw, out, made = with_agent(scene), passphrase(scene), f"{scene.dir}/out.p12", f"{scene.dir}/made"
	given, generated = ("--p12-passphrase-file", pw), ("--generate-passphrase", made)
	with open(os.open(f"{scene.dir}/wide", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
		file.write("sch\u00f6n\U0001f511" * 20 + "\n")
	for options, rounds in (((*generated, "--iterations", "1000"), 1000), (generated, 100000),
			(("--p12-passphrase-file", f"{scene.dir}/wide", "--iterations", "600001"), 600001)):
		ca("export", "shop", "--p12", *options, "--out", out)
		file = options[1]
		status, text, err = tool("openssl", "pkcs12", "-in", out, "-passin", f"file:{file}", "-nodes", "-info")
		check(status == 0 and text.count("BEGIN CERTIFICATE") == 3 and "BEGIN PRIVATE KEY" in text, text + err)
		equal(err.count(f"AES-256-CBC, Iteration {rounds}, PRF hmacWithSHA256"), 2, err)
		check(f"MAC: sha256, Iteration {rounds}" in err and "friendlyName: shop" in text, err)
		equal(succeeds("openssl", "pkey", data=text), succeeds("openssl", "pkey", "-in", ca.key("shop")), "the key")
		if rounds == 1000:	# more cost each of these readers as much
			equal(tool("openssl", "pkcs12", "-in", out, "-passin", "pass:wrong", "-noout")[0], 1)
			equal(tool("certtool", "--p12-info", "--inder", "--infile", out, "--password", open(file).read().strip())[0], 0, "certtool")
			equal([one["type"] for one in ca.json("show", out, "--passphrase-file", file)], ["private key"] + 3 * ["certificate"])
			check(re.fullmatch("[0-9a-z]{20}\n", open(made).read()) and mode(made) == 0o600, "the passphrase that was made")
			ca.refuses(73, made, "export", "shop", "--p12", "--generate-passphrase", made, "--out", f"{scene.dir}/other.p12")
			ca("export", "shop", "--p12", *options, "--out", out, "--replace")
			os.unlink(made)
			ca.refuses(73, out, "export", "shop", "--p12", *options, "--out", out)
			check(not os.path.exists(made), "a passphrase of nothing is left")
		os.unlink(out)
	for options, words in (((*given, "--iterations", "599999"), "at least 600000; fewer only with --generate-passphrase"),
			((*generated, "--iterations", "999"), "at least 1000"), ((*given, *generated), "exclude each other"),
			((*given, "--legacy", "--iterations", "700000"), "--legacy"), ((*given, "--iterations", "10000001"), "--iterations")):
		ca.refuses(64, words, "export", "shop", "--p12", *options, "--out", out)
	with open(pw, "wb") as file:
		file.write(b"sch\xf6n\n")
	ca.refuses(65, "not UTF-8", "export", "shop", "--p12", *given, "--out", out)


@test
def exports_a_kubernetes_secret(scene):
	ca = Ca(f"{scene.dir}/ca")
	ca("issue", "server", "My_API.example.com")
	ca("export", "My_API.example.com", "--k8s-secret", "--out", f"{scene.dir}/secret.yaml")
	lines = dict(line.strip().split(": ", 1) for line in open(f"{scene.dir}/secret.yaml") if ": " in line)
	equal((lines["kind"], lines["type"], lines["name"]), ("Secret", "kubernetes.io/tls", "my-api.example.com"))
	equal(base64.b64decode(lines["tls.key"]).decode(), open(ca.key("My_API.example.com")).read())
	equal(base64.b64decode(lines["tls.crt"]).decode(), open(ca.crt("My_API.example.com")).read())
	equal(base64.b64decode(lines["ca.crt"]).decode(), open(ca.path("root.crt")).read())


@test
def a_bundle_is_all_that_an_agent_needs(scene):
	ca = with_agent(scene)
	ca("issue", "relay", "connect.example.net")
	made = ca.json("bundle", "agent", "shop", "--out", f"{scene.dir}/shop.tar")
	equal(made["sha256"], hashlib.sha256(open(f"{scene.dir}/shop.tar", "rb").read()).hexdigest())
	equal(mode(f"{scene.dir}/shop.tar"), 0o600)
	with tarfile.open(f"{scene.dir}/shop.tar") as tar:
		equal({m.name: m.mode for m in tar.getmembers()},
			{"agent.crt": 0o644, "agent.key": 0o600, "relays-ca.crt": 0o644, "relays.crl": 0o644})
	unpack(f"{scene.dir}/shop.tar", f"{scene.dir}/etc")
	status, out, err = pki("verify", ca.crt("connect.example.net"), "--as", "relay", "--serve", "connect.example.net",
		"--cas", f"{scene.dir}/etc/relays-ca.crt", "--crls", f"{scene.dir}/etc/relays.crl")
	check(status == 0, out + err)
	ca.refuses(73, "is there already", "bundle", "agent", "shop", "--out", f"{scene.dir}/shop.tar")
	ca("sign", request(scene), "agent", "csr", "--host", "a.example")
	ca("bundle", "agent", "csr", "--out", f"{scene.dir}/csr.tar")
	with tarfile.open(f"{scene.dir}/csr.tar") as tar:
		equal(tar.getnames(), ["agent.crt", "relays-ca.crt", "relays.crl"])
	ca.refuses(64, "certificate for an agent", "bundle", "relay", "shop", "--out", f"{scene.dir}/r.tar")
	ca("bundle", "relay", "connect.example.net", "--out", f"{scene.dir}/relay.tar")


@test
def what_a_timer_writes_replaces_the_older_one(scene):
	"""Only when it is told to, only a plain file, and only once the new one is complete."""
	ca, out = with_agent(scene), f"{scene.dir}/out"
	for word in (("bundle", "agent", "shop", "--out", out), ("backup", out), ("export", "shop", "--pem-bundle", "--out", out)):
		with open(out, "w") as file:
			file.write("older")
		os.chmod(out, 0o644)
		ca.refuses(73, out, *word)
		ca(*word, "--replace")
		check(open(out, "rb").read() != b"older" and mode(out) == 0o600, f"{word[0]}: mode {mode(out):o}")
		os.unlink(out)
		ca(*word, "--replace")			# nothing is there yet
		os.unlink(out)
	for word in (("bundle", "agent", "shop", "--out"), ("backup",)):
		os.symlink(ca.path("root.crt"), out)
		ca.refuses(73, "is not a plain file", *word, out, "--replace")
		os.unlink(out)
		ca.refuses(73, "is not a plain file", *word, scene.dir, "--replace")
	equal([name for name in os.listdir(scene.dir) if "out" in name], [], "left over")


@test
def options_may_stand_before_the_command(scene):
	ca, program = with_agent(scene), PROGRAMS["pki"]
	listed = ca("list")
	for argv in (("--ca", ca.dir, "list"), (f"--ca={ca.dir}", "list"), ("--ca", "/nowhere", "list", "--ca", ca.dir)):
		equal(tool(program, *argv), (0, listed, ""), argv)
	equal(json.loads(succeeds(program, "--json", "--ca", ca.dir, "list", "shop")), ca.json("list", "shop"))
	pw = passphrase(scene)
	succeeds(program, "--passphrase-file", pw, "--ca", f"{scene.dir}/other", "init", "--name", "Other")
	succeeds(program, "--ca", f"{scene.dir}/other", "--passphrase-file", pw, "issue", "client", "list")
	for argv, words in {("--name", "x", "init"): "'--name' before the command", ("--ca",): "no value follows '--ca'",
			("--ca", ca.dir): "what to do?", (): "what to do?", ("--ca", ca.dir, "frob"): "'frob' is not a command"}.items():
		status, out, err = tool(program, *argv)
		check((status, out) == (64, "") and words in err, f"{argv}: {status} {err}")
	for word in ("--help", "--version"):
		equal(tool(program, "--ca", "x", word), tool(program, word), word)


@test
def a_backup_restores_everything(scene):
	ca = with_agent(scene)
	ca("sub", "acme", "--permit", "dns:acme.example", "--no-password")
	ca("issue", "client", "c1")
	ca("issue", "client", "two..dots")
	ca("revoke", "c1")
	ca("backup", f"{scene.dir}/backup.tar")
	equal(mode(f"{scene.dir}/backup.tar"), 0o600)
	status, out, err = pki("restore", f"{scene.dir}/backup.tar", "--ca", f"{scene.dir}/again")
	check(status == 0, err)
	strip = lambda files, top: {path[len(top):]: data for path, data in files.items()}
	again = Ca.__new__(Ca)
	again.dir = f"{scene.dir}/again"
	equal(strip(again.files(), again.dir), strip(ca.files(), ca.dir))
	equal(again.json("list", "--all"), ca.json("list", "--all"))
	equal(again.json("check"), [])
	equal({n: mode(again.path(n)) for n in ("", "private", "tmp", "issued", "inventory.db", "issued/shop.key")},
		{"": 0o755, "private": 0o700, "tmp": 0o700, "issued": 0o755, "inventory.db": 0o600, "issued/shop.key": 0o600})
	again("issue", "agent", "new", "--host", "b.example")
	for i in range(3):	# the relays may have seen these
		number = ca.json("crl", "clients")[0]["crl_number"]
	check(again.json("crl", "clients")[0]["crl_number"] > number, "a relay would refuse the CRL as a rollback")
	ca.refuses(73, "is there already", "backup", f"{scene.dir}/backup.tar")
	equal(pki("restore", f"{scene.dir}/backup.tar", "--ca", ca.dir)[0], 73)


def archive(path, *members, format=tarfile.USTAR_FORMAT):
	"""Members are (name, contents or None, what else a TarInfo is to say)."""
	with tarfile.open(path, "w", format=format) as tar:
		for name, data, facts in members:
			info = tarfile.TarInfo(name)
			info.size = len(data or b"")
			for key, value in facts.items():
				setattr(info, key, value)
			tar.addfile(info, io.BytesIO(data or b""))
	return open(path, "rb").read()


def sized(data, size):
	"""The archive with another size in its first header, and the sum to fit."""
	header = bytearray(data[:512])
	header[124:136] = size
	header[148:156] = b" " * 8
	header[148:156] = b"%06o\0 " % sum(header)
	return bytes(header) + data[512:]


@test
def a_damaged_or_hostile_backup_restores_nothing(scene):
	"""Of each kind it is said what it is, and nothing is left over."""
	ca = with_agent(scene)
	ca("backup", f"{scene.dir}/backup.tar")
	whole = open(f"{scene.dir}/backup.tar", "rb").read()
	with tarfile.open(f"{scene.dir}/backup.tar") as tar:
		last = tar.getmembers()[-1]
	made = f"{scene.dir}/made.tar"
	link = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}
	one = archive(made, ("inventory.db", b"x", {}))
	below, plain, damaged = "is not a name below the directory", "is not a plain file", "not a backup"
	cases = {
		"cut": (whole[:len(whole) // 2], "cut off"),
		"cut in a header": (whole[:512 * 3 + 100], "cut off"),
		"cut behind its last file": (whole[:last.offset_data + (last.size + 511) // 512 * 512], "cut off"),
		"flipped": (whole[:100] + b"x" + whole[101:], damaged),
		"empty": (b"", damaged),
		"zeroes": (b"\0" * 1024, "empty archive"),
		"text": (b"-----BEGIN CERTIFICATE-----\n" * 100, damaged),
		"climbs": (archive(made, ("../climbed", b"x", {})), below),
		"climbs inside": (archive(made, ("issued/../../climbed", b"x", {})), below),
		"climbs by pax": (archive(made, ("x", b"x", {"pax_headers": {"path": "../climbed"}}), format=tarfile.PAX_FORMAT), below),
		"absolute": (archive(made, (f"{scene.dir}/climbed", b"x", {})), below),
		"empty part": (archive(made, ("issued//x", b"x", {})), below),
		"link": (archive(made, ("inventory.db", None, link)), plain),
		"link, then a file by it": (archive(made, ("issued", None, {**link, "linkname": scene.dir}), ("issued/climbed", b"x", {})), plain),
		"hard link": (archive(made, ("a", b"x", {}), ("b", None, {"type": tarfile.LNKTYPE, "linkname": "a"})), plain),
		"directory": (archive(made, ("issued", None, {"type": tarfile.DIRTYPE})), plain),
		"pipe": (archive(made, ("a", None, {"type": tarfile.FIFOTYPE})), plain),
		"device": (archive(made, ("a", None, {"type": tarfile.CHRTYPE})), plain),
		"twice": (archive(made, ("a", b"x", {}), ("a", b"y", {})), "'a' twice"),
		"huge": (sized(one, b"77777777777\0"), "would be larger than the archive"),
		"huge in base 256": (sized(one, b"\x80" + b"\0" * 3 + b"\x7f" * 8), "would be larger than the archive"),
		"negative": (sized(one, b"\xff" * 12), ""),
		"longer than it is": (sized(one, b"%011o\0" % 9800), "cut off"),
	}
	for name, (data, words) in cases.items():
		path = f"{scene.dir}/hostile.tar"
		open(path, "wb").write(data)
		status, _, err = pki("restore", path, "--ca", f"{scene.dir}/again")
		check(status == 65 and words in err and path in err, f"{name}: {status} {err}")
		equal([n for n in os.listdir(scene.dir) if n.startswith(("again", "climbed"))], [], name)


# ---- judging ----

@test
def verify_says_why_not_in_a_sentence(scene):
	ca = with_agent(scene)
	ca("issue", "relay", "connect.example.net")
	answer = lambda *argv: (lambda s, o, e: (s, json.loads(o)))(*ca.any("verify", "--json", *argv))
	status, said = answer(ca.crt("shop"), "--as", "agent", "--serve", "App.Example.com")
	equal((status, said["believed"], said["grant"]["name"]), (0, True, "shop"))
	status, said = answer(ca.crt("shop"), "--as", "agent", "--serve", "other.example.com")
	equal((status, said["code"], said["position"]), (1, "name-mismatch", 0))
	check("other.example.com" in said["why"], said)
	status, said = answer(ca.crt("connect.example.net"), "--as", "relay", "--serve", "x.example.net")
	equal((status, said["code"]), (1, "name-mismatch"))
	ca("revoke", "shop", "--reason", "keyCompromise")
	status, said = answer(ca.crt("shop"), "--as", "agent")
	equal((status, said["code"]), (1, "certificate-revoked"))
	check("keyCompromise" in said["why"], said)
	ca.refuses(64, "--as", "verify", ca.crt("shop"))
	ca.refuses(64, "--serve", "verify", ca.crt("shop"), "--as", "client", "--serve", "x.example")
	ca.refuses(66, "nowhere", "verify", ca.path("nowhere"), "--as", "agent")


@test
def check_tells_fine_soon_and_expired(scene):
	ca = with_agent(scene)
	equal(ca("check"), "fine\n")
	ca("issue", "client", "c1", "--valid-for", "20m")
	equal(ca.any("check")[0], 0, "more than a third is left")
	equal(ca.any("check", "--within", "1h")[0], 2)
	ca("crl", "clients", "--valid-for", "1s")
	time.sleep(1.1)
	status, out, _ = ca.any("check")
	check(status == 1 and "the CRL of 'clients' ended" in out, out)
	ca("crl", "clients", "--days", "14")
	ca("issue", "client", "c2", "--valid-for", "1s")
	time.sleep(1.1)
	status, out, _ = ca.any("check")
	check(status == 1 and "client 'c2' ended" in out and "renew c2" in out, out)
	ca("revoke", "c2")
	equal(ca.any("check")[0], 0)


@test
def check_compares_files_with_the_inventory(scene):
	ca = with_agent(scene)
	ca("issue", "client", "c1")
	for name, damage, words in (
			("root.crt", lambda p: open(p, "a").write("\n"), "root.crt is not what"),
			("agents.crl", os.unlink, "agents.crl: No such file"),
			("crls/root.crl", lambda p: os.truncate(p, 20), "crls/root.crl is not what"),
			("servers-ca.crt", lambda p: os.chmod(p, 0o666), "may be written by others"),
			("issued/shop.crt", os.unlink, "issued/shop.crt: No such file"),
			("issued/shop.key", lambda p: os.chmod(p, 0o644), "chmod 600"),
			("issued/shop.key", lambda p: open(p, "w").write(open(ca.key("c1")).read()), "is not the key of issued/shop.crt"),
			("private/agents.key", os.unlink, "private/agents.key"),
			("private", lambda p: os.chmod(p, 0o755), "open to others"),
			("issued/stray.crt", lambda p: open(p, "w").write("x"), "not in the inventory")):
		ca("backup", f"{scene.dir}/b.tar")
		damage(ca.path(name))
		status, out, _ = ca.any("check")
		check(status == 1 and words in out, f"{name}: {status} {out}")
		succeeds("rm", "-rf", ca.dir)
		equal(pki("restore", f"{scene.dir}/b.tar", "--ca", ca.dir)[0], 0)
		os.unlink(f"{scene.dir}/b.tar")
		equal(ca("check"), "fine\n", name)


@test
def a_root_can_be_kept_elsewhere(scene):
	ca = with_agent(scene)
	os.rename(ca.path("private/root.key"), f"{scene.dir}/root.key")
	equal(ca.any("check")[0], 1)
	equal(ca.any("check", "--offline", "root")[:2], (0, "fine\n"))
	ca("issue", "agent", "more", "--host", "b.example")
	ca("revoke", "shop")
	ca("crl", "agents", "relays", "servers", "clients")
	ca.refuses(66, "private/root.key", "crl", "root")


@test
def an_older_inventory_is_brought_up_to_date_by_whoever_opens_it(scene):
	ca = with_agent(scene)
	sql = lambda text: succeeds("sqlite3", ca.path("inventory.db"), text).strip()
	version = sql("PRAGMA user_version")
	ca("rekey", "shop")
	listed, new = ca.json("list", "shop"), ("spki", "seconds", "successor", "enrolled_at")
	values = "SELECT id, hex(spki), seconds, successor FROM certificate WHERE kind != 'ca' ORDER BY id"
	before = sql(values)
	sql("DROP INDEX certificate_current; DROP INDEX certificate_spki; DROP INDEX certificate_enrolled;"
		"DROP TABLE invitation_name; DROP TABLE invitation; DROP TABLE setting;" +
		"".join(f"ALTER TABLE certificate DROP COLUMN {column};" for column in new) + "PRAGMA user_version = 1")
	processes = [subprocess.Popen([PROGRAMS["pki"], "list", "--ca", ca.dir], stdout=subprocess.DEVNULL) for _ in range(8)]
	equal([process.wait(60) for process in processes], 8 * [0])
	equal((sql("PRAGMA user_version"), sql("SELECT count(*) FROM sqlite_schema WHERE name = 'certificate_current'")), (version, "1"))
	equal((ca.json("list", "shop"), sql(values)), (listed, before), "all columns are filled as if they had been there")
	equal(ca("check"), "fine\n")


@test
def a_newer_or_damaged_inventory_is_refused(scene):
	ca = with_agent(scene)
	succeeds("sqlite3", ca.path("inventory.db"), "PRAGMA user_version = 99")
	ca.refuses(65, ["schema 99", "newer valise-pki"], "list")
	os.unlink(ca.path("inventory.db"))
	for name in ("inventory.db-wal", "inventory.db-shm"):
		if os.path.exists(ca.path(name)):
			os.unlink(ca.path(name))
	with open(ca.path("inventory.db"), "w") as file:
		file.write("no database at all, but long enough to be looked at by somebody " * 100)
	ca.refuses(65, "restore a backup", "list")


main()
