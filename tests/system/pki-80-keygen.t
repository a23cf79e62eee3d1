#!/usr/bin/env -S python3 -B
"""valise-agent keygen: an agent whose key was made on its own host and never left it."""
import os
import re
import resource
import shlex
import subprocess
import sys
import tarfile

sys.path.insert(0, "tests/pki_tool")
from lib import *
from kit import *

NAME = "shop.example.com"


def keygen(*argv, **keys):
	status, out, err = tool(PROGRAMS["agent"], "keygen", *argv, **keys)
	check("Sanitizer" not in err and "runtime error" not in err, err)
	return status, out, err


def told_commands(out, ca):
	"""The commands that keygen tells the operator, as argument lists for the authority `ca`."""
	for line in re.findall(r"^  valise-pki (.*)$", out, re.M):
		word, *rest = shlex.split(line)
		yield [PROGRAMS["pki"], word, "--ca", ca.dir, *rest]


def digest_of(csr):
	"""As valise-agent(8) tells the operator to find it."""
	out = succeeds("sh", "-c", 'openssl req -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum', "sh", csr)
	return out.split()[0]


def p256(scene):
	enrols_and_serves(scene, "p256")


def ed25519(scene):
	enrols_and_serves(scene, "ed25519")


def rsa2048(scene):
	enrols_and_serves(scene, "rsa2048")


def enrols_and_serves(scene, kind):
	ca = Ca(f"{scene.dir}/ca")
	ca("issue", "relay", "relay", "--host", "localhost")
	etc, office = f"{scene.dir}/etc", f"{scene.dir}/office"
	os.mkdir(etc)
	os.mkdir(office)
	status, out, err = keygen("--key-type", kind, "--host", NAME, "--host", f"*.{NAME}", "site1", cwd=etc)
	equal((status, err), (0, ""))
	equal((mode(f"{etc}/agent.key"), mode(f"{etc}/agent.csr")), (0o600, 0o644))
	told = re.search(r"telephone:\n((?:  (?:[0-9a-f]{4} ?){8}\n){2})", out)
	check(told, out)

	os.rename(f"{etc}/agent.csr", f"{office}/agent.csr")		# all that travels
	equal("".join(told[1].split()), digest_of(f"{office}/agent.csr"))
	for command in told_commands(out, ca):
		succeeds(*command, cwd=office)
	with tarfile.open(f"{office}/site1-agent.tar") as tar:
		check("agent.key" not in tar.getnames(), "the authority has no key to give")
	unpack(f"{office}/site1-agent.tar", etc)

	key = open(f"{etc}/agent.key", "rb").read().split(b"\n")[1]
	for top, _, names in [*os.walk(ca.dir), *os.walk(office)]:
		for name in names:
			check(key not in open(os.path.join(top, name), "rb").read(), f"{name} has the agent's key")
	serves(scene, ca, etc)


def serves(scene, ca, etc):
	relay = scene.relay(connect={"certificate": ca.crt("relay"), "private_key": ca.key("relay"),
		"agent_cas": [ca.path("agents-ca.crt")], "agent_crls": [ca.path("agents.crl")]})
	upstream = scene.tls_upstream(http, NAME)
	agent = scene.agent(relay, [passthrough(NAME, upstream), passthrough(f"www.{NAME}", upstream)],
		(f"{etc}/agent.crt", f"{etc}/agent.key"),
		agent={"connect_cas": f"{etc}/relays-ca.crt", "connect_crls": f"{etc}/relays.crl"})
	equal(curl(relay.port, NAME, authority().root)[:2], (0, b"hello"))
	status, out, err = tool(PROGRAMS["agent"], "check", "-c", agent.config_path)
	equal(status, 0, f"check: {out}{err}")


@test_over(p256, ed25519, rsa2048)
def a_key_that_never_left_its_host_serves(scene, way):
	way(scene)


@test
def the_authority_may_take_the_names_from_the_request(scene):
	ca = Ca(f"{scene.dir}/ca")
	equal(keygen("--host", NAME, "site1", cwd=scene.dir)[0], 0)
	equal(ca.json("sign", f"{scene.dir}/agent.csr", "agent", "site1", "--allow", "subjectAltName")["hosts"], [NAME])
	succeeds("openssl", "req", "-in", f"{scene.dir}/agent.csr", "-noout", "-verify")
	succeeds("certtool", "--crq-info", "--infile", f"{scene.dir}/agent.csr")
	succeeds("openssl", "pkey", "-in", f"{scene.dir}/agent.key", "-noout", "-check")


@test
def everybody_tells_the_same_digest(scene):
	"""keygen, show of request, key and certificate, sign: what is compared over the telephone is one number."""
	ca = Ca(f"{scene.dir}/ca")
	ca("sub", "acme", "--permit", "dns:example.com", "--no-password")
	_, out, _ = keygen("--host", NAME, "--issuer", "acme", "site1", cwd=scene.dir)
	told = "".join(re.search(r"telephone:\n((?:  (?:[0-9a-f]{4} ?){8}\n){2})", out)[1].split())
	equal(told, digest_of(f"{scene.dir}/agent.csr"), "openssl")
	for name in ("agent.csr", "agent.key"):
		equal(json.loads(succeeds(PROGRAMS["pki"], "show", "--json", f"{scene.dir}/{name}"))[0]["spki_sha256"], told, name)
	signing = next(told_commands(out, ca))
	equal(json.loads(succeeds(*signing, "--json", cwd=scene.dir))["spki_sha256"], told, "sign")
	equal(ca.json("show", ca.crt("site1"))[0]["spki_sha256"], told, "the certificate")
	equal(ca.json("show", "site1")["issuer"], ca.json("show", "acme")["subject"], "who signed")


@test
def a_request_that_cannot_be_written_leaves_no_key(scene):
	"""Files end after 300 bytes: room for a key of P-256, not for its request with names."""
	limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
	os.mkdir(f"{scene.dir}/etc")
	hosts = [option for i in range(8) for option in ("--host", f"h{i}.example.com")]
	status, out, err = keygen(*hosts, "site1", cwd=f"{scene.dir}/etc", preexec_fn=limit,
		restore_signals=False)	# as here, where SIGXFSZ is ignored
	equal((status, out), (73, ""), err)
	check("agent.csr: cannot write" in err, err)
	equal(os.listdir(f"{scene.dir}/etc"), [])


@test
def what_cannot_be_told_is_an_error(scene):
	with open("/dev/full", "w") as full:
		done = subprocess.run([PROGRAMS["agent"], "keygen", "site1"], cwd=scene.dir, stdout=full,
			stderr=subprocess.PIPE, text=True, timeout=60)
	equal(done.returncode, 74)
	check("both files were" in done.stderr, done.stderr)


main()
