#!/usr/bin/env -S python3 -B
"""Private keys: encrypted at rest, passphrases that never pass by argv, PKCS#11 tokens."""
import os
import pty
import select
import sys
import time

sys.path.insert(0, "tests/pki_tool")
from lib import *
from kit import *

PASSPHRASE = "correct horse battery staple"
MODULE = "/usr/lib/softhsm/libsofthsm2.so"


def secret_file(scene, text=PASSPHRASE, name="passphrase"):
	path = f"{scene.dir}/{name}"
	with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
		file.write(text + "\n")
	return path


def at_terminal(argv, answers, seconds=20, end="\n"):
	"""Runs a program on a terminal and types an answer at each prompt: (status, all that was seen)."""
	pid, fd = pty.fork()
	if pid == 0:
		os.execv(argv[0], argv)
	seen, waiting, deadline = "", list(answers), time.monotonic() + seconds
	answered = 0
	while time.monotonic() < deadline:
		ready, _, _ = select.select([fd], [], [], 0.2)
		if ready:
			try:
				data = os.read(fd, 4096)
			except OSError:
				break
			if not data:
				break
			seen += data.decode(errors="replace")
		if waiting and seen[answered:].rstrip(" ").endswith(":"):
			answered = len(seen)
			os.write(fd, (waiting.pop(0) + end).encode())
	os.close(fd)
	return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen


@test
def ca_keys_are_encrypted_unless_told_otherwise(scene):
	pw = secret_file(scene)
	ca = Ca(f"{scene.dir}/ca", "--passphrase-file", pw)
	ca("sub", "acme", "--permit", "dns:acme.example", "--passphrase-file", pw)
	for name in ("root", "agents", "relays", "servers", "clients", "acme"):
		key = ca.path(f"private/{name}.key")
		check("BEGIN ENCRYPTED PRIVATE KEY" in open(key).read(), name)
		equal(mode(key), 0o600)
		text = succeeds("openssl", "asn1parse", "-in", key)
		for wanted in (":PBES2", ":PBKDF2", ":0927C0", ":hmacWithSHA256", ":aes-256-cbc"):
			check(wanted in text, f"{name} lacks {wanted}: {text}")
		succeeds("openssl", "pkey", "-noout", "-in", key, "-passin", f"file:{pw}")
		check(tool("openssl", "pkey", "-noout", "-in", key, "-passin", "pass:wrong")[0] != 0, "opens with another passphrase")
	ca("issue", "server", "a.example.com", "--passphrase-file", pw)
	check("BEGIN PRIVATE KEY" in open(ca.key("a.example.com")).read(), "a daemon's key is in clear")
	ca("issue", "server", "b.example.com", "--encrypt-key", "--passphrase-file", pw)
	check("BEGIN ENCRYPTED" in open(ca.key("b.example.com")).read(), "--encrypt-key")
	for word in (("crl", "--all"), ("revoke", "a.example.com"), ("renew", "agents"), ("renew", "acme")):
		ca(*word, "--passphrase-file", pw)
	equal(ca.any("check")[0:2], (0, "fine\n"))


@test
def a_passphrase_comes_from_file_descriptor_or_credential(scene):
	pw = secret_file(scene)
	ca = Ca(f"{scene.dir}/ca", "--passphrase-file", pw)
	with open(pw) as file:
		ca("issue", "client", "by-descriptor", "--passphrase-fd", "0", stdin=file)
	os.makedirs(f"{scene.dir}/credentials")
	secret_file(scene, name="credentials/valise-pki")
	ca("issue", "client", "by-credential", env=dict(os.environ, CREDENTIALS_DIRECTORY=f"{scene.dir}/credentials"))
	ca("list")
	ca("show", "root")


@test
def a_missing_wrong_or_empty_passphrase_is_refused(scene):
	pw = secret_file(scene)
	ca = Ca(f"{scene.dir}/ca", "--passphrase-file", pw)
	ca.refuses(66, ["private/clients.key", "--passphrase-file"], "issue", "client", "x")
	ca.refuses(77, "not its passphrase", "issue", "client", "x", "--passphrase-file", secret_file(scene, "wrong", "wrong"))
	for text in ("", "\0x"):
		ca.refuses(65, "--no-password", "issue", "client", "x", "--passphrase-file", secret_file(scene, text, "empty"))
	os.chmod(pw, 0o644)
	ca.refuses(66, "chmod 600", "issue", "client", "x", "--passphrase-file", pw)
	ca.refuses(66, "nowhere", "issue", "client", "x", "--passphrase-file", f"{scene.dir}/nowhere")
	status, _, err = pki("init", "--ca", f"{scene.dir}/other")
	check(status == 66 and "--no-password" in err, err)
	check(not os.path.exists(f"{scene.dir}/other"), "half an authority is left")
	status, _, err = pki("init", "--ca", f"{scene.dir}/other", "--passphrase-file", secret_file(scene, "", "empty"))
	equal(status, 65, err)


@test
def a_terminal_is_asked_twice_and_shows_nothing(scene):
	program, ca = PROGRAMS["pki"], f"{scene.dir}/ca"
	status, seen = at_terminal([program, "init", "--ca", ca], [PASSPHRASE, PASSPHRASE + "x"])
	check(status == 65 and "differ" in seen and PASSPHRASE not in seen, seen)
	status, seen = at_terminal([program, "init", "--ca", ca], [""])
	check(status == 65 and not os.path.exists(ca), seen)
	status, seen = at_terminal([program, "init", "--ca", ca], [PASSPHRASE, PASSPHRASE])
	check(status == 0 and PASSPHRASE not in seen and "once more" in seen, seen)
	status, seen = at_terminal([program, "issue", "client", "x", "--ca", ca], [PASSPHRASE])
	check(status == 0 and PASSPHRASE not in seen and "once more" not in seen, seen)
	status, seen = at_terminal([program, "issue", "client", "y", "--ca", ca], ["\x03"], end="")	# ^C, and no end of a line
	check(status == 66 and "interrupted" in seen, seen)


@test
def nothing_secret_is_printed_or_logged(scene):
	pw = secret_file(scene)
	ca = Ca(f"{scene.dir}/ca", "--passphrase-file", pw)
	said = ""
	for word in (("issue", "server", "a.example.com"), ("rekey", "a.example.com"), ("renew", "a.example.com"), ("show", "a.example.com"),
			("revoke", "a.example.com"), ("crl", "--all"), ("check",), ("list",)):
		for form in ((), ("--json",)):
			status, out, err = ca.any(*word, *form, "--passphrase-file", pw)
			said += out + err
	check("PRIVATE" not in said and PASSPHRASE not in said, said)
	for name in ("a.example.com",):
		body = "".join(open(ca.key(name)).read().splitlines()[1:-1])
		check(body[30:60] not in said, "a private key was printed")
	for top, _, names in os.walk(ca.dir):
		for name in names:
			data = open(os.path.join(top, name), "rb").read()
			check(PASSPHRASE.encode() not in data, f"{name} holds the passphrase")
			check(b"PRIVATE KEY" not in data or name.endswith(".key"), f"{name} holds a private key")


def token(scene, label):
	os.makedirs(f"{scene.dir}/tokens", exist_ok=True)
	with open(f"{scene.dir}/softhsm2.conf", "w") as file:
		file.write(f"directories.tokendir = {scene.dir}/tokens\nobjectstore.backend = file\n")
	os.environ["SOFTHSM2_CONF"] = f"{scene.dir}/softhsm2.conf"
	succeeds("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", "123456")
	return f"pkcs11:token={label}"


@test
def ca_and_leaf_keys_live_on_a_token(scene):
	uri, pin = token(scene, "valise"), secret_file(scene, "123456", "pin")
	ca = Ca(f"{scene.dir}/ca", "--token", uri, "--passphrase-file", pin)
	equal(os.listdir(ca.path("private")), [], "keys in files")
	made = ca.json("issue", "agent", "shop", "--host", "app.example.com", "--token", uri, "--passphrase-file", pin)
	check(made["private_key"].startswith(uri + ";id="), made)
	check(not os.path.exists(ca.key("shop")), "a key in a file")
	ca("issue", "server", "a.example.com", "--passphrase-file", pin)
	ca("sub", "acme", "--permit", "dns:acme.example", "--token", uri, "--passphrase-file", pin)
	ca("issue", "agent", "one", "--issuer", "acme", "--host", "x.acme.example", "--passphrase-file", pin)
	ca("revoke", "a.example.com", "--passphrase-file", pin)
	ca("crl", "--all", "--passphrase-file", pin)
	ca("renew", "agents", "--passphrase-file", pin)
	for name in ("shop", "one"):
		status, out, err = ca.openssl_verify(name, "agent")
		check(status == 0 and ca.believed(name, "agent"), out + err)
	check(not ca.believed("a.example.com", "server"), "revoked and believed")
	equal(ca.any("check")[1], "fine\n")
	rekeyed = ca.json("rekey", "shop", "--token", uri, "--passphrase-file", pin)
	check(rekeyed["private_key"] != made["private_key"], "the same key")
	again = ca.json("issue", "agent", "again", "--host", "b.example.com", "--key", rekeyed["private_key"], "--passphrase-file", pin)
	equal(again["private_key"], rekeyed["private_key"])


@test
def hosts_are_enrolled_with_keys_on_a_token(scene):
	uri, pin = token(scene, "serving"), secret_file(scene, "123456", "pin")
	ca = Ca(f"{scene.dir}/ca", "--token", uri, "--passphrase-file", pin)
	scene.serve(ca.dir, passphrase_file=pin)	# its own certificate is signed there, too
	line = ca("invite", "agent", "shop", "--host", "app.example.com")
	status, out, err = tool(PROGRAMS["agent"], "join", "-c", f"{scene.dir}/host/agent.yml", "--dir", f"{scene.dir}/state",
		"--user", "root", data=line)
	equal((status, err), (0, ""), out)
	check(ca.believed("shop", "agent"), "not believed")
	equal(os.listdir(ca.path("private")), [], "keys in files")


@test
def a_token_without_or_with_a_wrong_pin_is_refused(scene):
	uri, pin = token(scene, "valise"), secret_file(scene, "123456", "pin")
	ca = Ca(f"{scene.dir}/ca", "--token", uri, "--passphrase-file", pin)
	ca.refuses(66, "PIN", "issue", "client", "x", "--passphrase-file", secret_file(scene, "654321", "wrong"))
	status, _, err = pki("init", "--ca", f"{scene.dir}/b", "--token", "pkcs11:token=nobody", "--passphrase-file", pin)
	check(status == 69 and "token" in err, err)
	status, _, err = pki("init", "--ca", f"{scene.dir}/b", "--token", uri + "?pin-value=123456")
	check(status == 64 and "does not belong on the command line" in err, err)
	status, _, err = pki("init", "--ca", f"{scene.dir}/b", "--token", "softhsm", "--passphrase-file", pin)
	check(status == 64 and "p11tool" in err, err)
	check(not os.path.exists(f"{scene.dir}/b"), "half an authority is left")


@test
def existing_keys_in_files_are_used_where_they_are(scene):
	ca = Ca(f"{scene.dir}/ca")
	succeeds("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{scene.dir}/own.key")
	os.chmod(f"{scene.dir}/own.key", 0o600)
	made = ca.json("issue", "server", "a.example.com", "--key", f"{scene.dir}/own.key")
	equal(made["private_key"], os.path.realpath(f"{scene.dir}/own.key"))
	check(not os.path.exists(ca.key("a.example.com")), "a copy was made")
	equal(ca.any("check")[1], "fine\n")
	os.chmod(f"{scene.dir}/own.key", 0o644)
	ca.refuses(66, "chmod 600", "issue", "server", "b.example.com", "--key", f"{scene.dir}/own.key")
	ca.refuses(64, "exclude each other", "issue", "server", "b.example.com", "--key", "x", "--encrypt-key")


@test
def what_stands_before_a_key_does_not_make_it_encrypted(scene):
	ca = Ca(f"{scene.dir}/ca")

	def put_key():
		pem = succeeds("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
		return secret_file(scene, "friendlyName: once ENCRYPTED\n" + pem, "own.key")

	path = put_key()
	equal(ca.json("issue", "server", "a.example.com", "--key", path)["private_key"], os.path.realpath(path))
	equal(ca.any("check")[1], "fine\n")
	put_key()
	found = ca.any("check")[1]
	check("own.key" in found and "not the key" in found, f"another key in the file: {found}")


main()
