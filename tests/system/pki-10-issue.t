#!/usr/bin/env -S python3 -B
"""valise-pki init and issue: what is made is what everybody believes, and nothing else is made."""
import os
import re
import sys

sys.path.insert(0, "tests/pki_tool")
from lib import *
from kit import *

AGENT_PURPOSE = "2.25.3095706525491951389.1"
HOSTS = {"agent": ("app.example.com", "*.x.example"), "relay": ("connect.example.net",),
	"server": ("api.example.com", "192.0.2.7", "2001:db8::7"), "client": ()}


def issued(scene, *kinds):
	ca = Ca(f"{scene.dir}/ca")
	for kind in kinds:
		ca("issue", kind, kind + "-1", *[o for h in HOSTS[kind] for o in ("--host", h)])
	return ca


@test
def makes_everything_that_the_configurations_name(scene):
	ca = Ca(f"{scene.dir}/ca")
	for role in ROLES.values():
		check(open(ca.path(f"{role}-ca.crt")).read().count("BEGIN CERTIFICATE") == 2, role)
		check(open(ca.path(f"{role}.crl")).read().count("BEGIN X509 CRL") == 2, role)
	for name, wanted in {"root.crt": 0o644, "agents.crl": 0o644, "private": 0o700, "tmp": 0o700,
			"private/root.key": 0o600, "private/agents.key": 0o600, "inventory.db": 0o600}.items():
		equal(mode(ca.path(name)), wanted, name)
	equal(os.listdir(ca.path("tmp")), [], "tmp")


@test
def prints_the_fingerprints_that_openssl_prints(scene):
	status, out, _ = pki("init", "--json", "--ca", f"{scene.dir}/ca", "--no-password")
	equal(status, 0)
	for one in json.loads(out)["ca"]:
		theirs = succeeds("openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", f"{scene.dir}/ca/cas/{one['name']}.crt")
		equal(one["sha256"], theirs.split("=")[1].strip().replace(":", "").lower(), one["name"])


@test
def shows_the_pin_of_a_public_key_that_openssl_shows(scene):
	ca = issued(scene, "server")
	theirs = succeeds("sh", "-c", 'openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum',
		"sh", ca.crt("server-1"))
	equal(ca.json("show", "server-1")["spki_sha256"], theirs.split()[0])
	equal(ca.json("show", ca.crt("server-1"))[0]["spki_sha256"], theirs.split()[0], "of the file")


@test
def what_it_issues_is_believed_by_all(scene):
	ca = issued(scene, *ROLES)
	for kind in ROLES:
		status, out, err = ca.openssl_verify(f"{kind}-1", kind)
		check(status == 0, f"openssl, {kind}: {out}{err}")
		out = succeeds("certtool", "--verify", "--verify-profile", "medium", "--load-ca-certificate", ca.path("root.crt"),
			"--infile", ca.crt(f"{kind}-1"))
		check("Chain verification output: Verified" in out, f"certtool, {kind}: {out}")
		check(ca.believed(f"{kind}-1", kind), f"ours, {kind}")
		equal(mode(ca.key(f"{kind}-1")), 0o600, "the key's mode")
		equal(mode(ca.crt(f"{kind}-1")), 0o644, "the certificate's mode")
		certificate = succeeds("openssl", "x509", "-noout", "-pubkey", "-in", ca.crt(f"{kind}-1"))
		equal(succeeds("openssl", "pkey", "-pubout", "-in", ca.key(f"{kind}-1")), certificate, "the key")


@test
def no_role_passes_for_another(scene):
	ca = issued(scene, *ROLES)
	for kind in ROLES:
		for other in ROLES:
			equal(ca.believed(f"{kind}-1", other, "--cas", ca.path("root.crt"), "--crls", ca.path(f"{ROLES[kind]}.crl")),
				kind == other or {kind, other} == {"relay", "server"}, f"a {kind} as a {other}, below the root")
			if kind != other:
				check(not ca.believed(f"{kind}-1", other), f"a {kind} as a {other}, below its own CA")


@test
def purposes_usages_and_identifiers_are_set(scene):
	ca = issued(scene, *ROLES)
	purposes = {"agent": f"TLS Web Client Authentication, {AGENT_PURPOSE}", "client": "TLS Web Client Authentication",
		"relay": "TLS Web Server Authentication", "server": "TLS Web Server Authentication"}
	for kind in ROLES:
		text = text_of(ca.crt(f"{kind}-1"))
		for wanted in ("Version: 3", "CA:FALSE", "X509v3 Key Usage: critical\n                Digital Signature\n",
				"X509v3 Subject Key Identifier", "X509v3 Authority Key Identifier",
				f"X509v3 Extended Key Usage: \n                {purposes[kind]}\n"):
			check(wanted in text, f"{kind} lacks {wanted!r}:\n{text}")
		equal(AGENT_PURPOSE[:-1] + "2" in text, kind == "agent", f"{kind} has a grant")
		above = text_of(ca.path(f"cas/{ROLES[kind]}.crt"))
		check(f"X509v3 Extended Key Usage: \n                {purposes[kind]}\n" in above, f"the CA of {kind}:\n{above}")
		check(f"CA:TRUE, pathlen:{1 if kind == 'agent' else 0}" in above, above)


@test
def grant_and_names_are_those_asked_for(scene):
	ca = Ca(f"{scene.dir}/ca")
	made = ca.json("issue", "agent", "shop", "--host", "App.Example.COM.", "--host", "*.x.example", "--host", "app.example.com",
		"--max-flows", "7", "--max-sessions", "2", "--from", "192.0.2.0/24", "--from", "2001:db8::/32",
		"--region", "eu", "--any-depth", "--shared", "--identity", "shops")
	equal(made["hosts"], ["app.example.com", "*.x.example"])
	equal(made["grant"], {"name": "shops", "shared": True, "any_depth": True, "max_flows": 7, "max_sessions": 2,
		"sources": ["192.0.2.0/24", "2001:db8::/32"], "regions": ["eu"]})
	equal(ca.json("show", "shop")["grant"], made["grant"], "show by name")
	equal(ca.json("show", made["serial"])["grant"], made["grant"], "show by serial")
	equal(ca.json("show", ca.crt("shop"))[0]["grant"], made["grant"], "show of the file")


@test
def serials_are_sixteen_positive_random_bytes(scene):
	ca = Ca(f"{scene.dir}/ca")
	found = [ca.json("issue", "client", f"c{i}")["serial"] for i in range(8)] + \
		[one["serial"] for one in ca.json("list")]
	for serial in found:
		equal(len(serial), 32, serial)
		check(0 < int(serial[:2], 16) < 0x80, serial)


@test
def lifetimes_are_the_usual_ones_and_backdated(scene):
	ca = issued(scene, *ROLES)
	days = {"agent": 90, "client": 90, "relay": 397, "server": 397}
	for one in ca.json("list"):
		begin, end = (int(succeeds("date", "-d", one[k], "+%s")) for k in ("not_before", "not_after"))
		equal(end - begin - 3600, days.get(one["kind"], 3650) * 86400, one["name"])
	_, _, err = ca.any("issue", "server", "long", "--host", "a.example", "--days", "826")
	check("825 days" in err, err)


@test
def nothing_outlives_its_ca(scene):
	ca = Ca(f"{scene.dir}/ca", "--no-password", "--days", "30")
	ca.refuses(65, ["'agents' ends", "renew"], "issue", "agent", "a", "--host", "a.example", "--days", "31")
	status, out, err = ca.any("issue", "agent", "a", "--host", "a.example", "--json")
	check(status == 0 and "ends with its CA" in err, err)
	equal(json.loads(out)["not_after"], ca.json("show", "agents")["not_after"])


@test
def nothing_is_overwritten(scene):
	ca = issued(scene, "server")
	ca.refuses(73, ["'server-1' exists already", "rekey"], "issue", "server", "server-1", "--host", "b.example")
	ca.refuses(73, "'agents' exists already", "issue", "client", "agents")
	ca.refuses(73, "holds an authority already", "init", "--no-password")
	with open(ca.key("foreign"), "w") as file:
		file.write("somebody's")
	ca.refuses(73, ["not in the inventory", "move it away"], "issue", "client", "foreign")


@test
def bad_names_are_refused_with_a_cure(scene):
	ca = Ca(f"{scene.dir}/ca")
	for host, words in {"a..b": "not a server name", "*.*.a.example": "not a server name", "a b": "not a server name",
			"bücher.example": "xn--bcher-kva.example", "": "not empty", "a" * 64 + ".example": "not a server name",
			"*": "not a server name", "192.0.2.1": "not addresses"}.items():
		ca.refuses(64 if not host else 65, words, "issue", "agent", "x", "--host", host)
	ca.refuses(64, "--host", "issue", "agent", "x")
	ca.refuses(64, "--host", "issue", "server", "x")
	for name in ("../x", ".x", "-x", "a/b", "a b", "", "x" * 65, "é"):
		ca.refuses(64, "cannot be a file's name", "issue", "client", "--", name)
	ca.refuses(64, "looks like a serial", "issue", "client", "0123456789abcdef")
	ca.refuses(65, "--email", "issue", "client", "x", "--email", "nobody")
	ca.refuses(65, "--uri", "issue", "client", "x", "--uri", "nothing")
	ca.refuses(64, "--from", "issue", "agent", "x", "--host", "a.example", "--from", "192.0.2.1/24")
	ca.refuses(64, "grant", "issue", "agent", "x", "--host", "a.example", "--region", "EU")
	ca.refuses(64, "no grant", "issue", "server", "x", "--host", "a.example", "--max-flows", "1")
	ca.refuses(64, "--email", "issue", "agent", "x", "--host", "a.example", "--email", "a@b.example")
	ca.refuses(64, "not a kind of certificate", "issue", "root", "x")
	ca.refuses(64, "--days", "issue", "client", "x", "--days", "0")
	ca.refuses(64, "--key-type", "issue", "client", "x", "--key-type", "dsa")


@test
def a_server_that_is_called_by_its_name_needs_no_host(scene):
	ca = Ca(f"{scene.dir}/ca")
	equal(ca.json("issue", "relay", "connect.example.net")["hosts"], ["connect.example.net"])


@test
def every_kind_of_key_works(scene):
	ca = Ca(f"{scene.dir}/ca")
	for kind, words in {"p256": "prime256v1", "ed25519": "ED25519", "rsa2048": "2048 bit", "rsa3072": "3072 bit"}.items():
		ca("issue", "server", kind, "--host", "a.example", "--key-type", kind)
		check(words in text_of(ca.crt(kind)), text_of(ca.crt(kind)))
		status, out, err = ca.openssl_verify(kind, "server")
		check(status == 0, out + err)
	for kind in ("ed25519", "rsa2048", "rsa3072"):
		other = Ca(f"{scene.dir}/{kind}", "--no-password", "--key-type", kind)
		other("issue", "agent", "a", "--host", "a.example")
		status, out, err = other.openssl_verify("a", "agent")
		check(status == 0 and other.believed("a", "agent"), f"CA keys of {kind}: {out}{err}")


@test
def two_authorities_never_have_the_same_names(scene):
	one, two = Ca(f"{scene.dir}/one"), Ca(f"{scene.dir}/two")
	check(one.json("show", "root")["subject"] != two.json("show", "root")["subject"], "the same subject")
	one("issue", "agent", "a", "--host", "a.example")
	equal(pki("verify", one.crt("a"), "--as", "agent", "--ca", two.dir)[0], 1, "a stranger's agent")


@test
def bad_command_lines_exit_64_and_point_to_help(scene):
	for argv, word in {(): "--help", ("frobnicate",): "'frobnicate'", ("issue",): "relay|agent|server|client NAME is missing",
			("issue", "client", "a", "b", "--ca", "x"): "'b' is one operand too many",
			("list", "--frobnicate"): "--frobnicate", ("issue", "client", "x", "--days"): "--days",
			("list",): "VALISE_CA"}.items():
		status, _, err = pki(*argv, env={k: v for k, v in os.environ.items() if k != "VALISE_CA"})
		equal(status, 64, argv)
		check(word in err, f"{argv}: {err}")
	status, _, err = pki("list", "--ca", f"{scene.dir}/nowhere")
	check(status == 66 and "valise-pki init" in err, err)


@test
def help_and_version_go_to_standard_output(scene):
	status, out, err = pki("--help")
	check(status == 0 and not err, err)
	words = re.findall(r"^([a-z]+)(?: |$)", out, re.M)
	check({"init", "sub", "issue", "backup", "restore"} <= set(words), words)
	for word in words:
		if word in ("valise", "of"):
			continue
		status, out, err = pki(word, "--help")
		check(status == 0 and f"Usage: valise-pki {word}" in out and not err, f"{word}: {err}")
	status, out, _ = pki("--version")
	check(status == 0 and re.match(r"valise-pki \d+\.\d+\.\d+\n$", out), out)


main()
