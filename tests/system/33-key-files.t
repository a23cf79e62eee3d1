#!/usr/bin/env -S python3 -B
"""A certificate or key file that holds something else: which of the two, what, and what to do."""
import os
import subprocess

from lib import *
from lib import foreign


def openssl(*argv, data=None):
	done = subprocess.run(["openssl", *argv], input=data, capture_output=True, timeout=60)
	check(done.returncode == 0, f"openssl {argv}: {done.stderr.decode()}")
	return done.stdout


def write(path, data, mode=0o600):
	with open(path, "wb", opener=lambda p, f: os.open(p, f, mode)) as file:
		file.write(data)
	os.chmod(path, mode)
	return path


def read(path):
	with open(path, "rb") as file:
		return file.read()


def mistakes(crt, key):
	"""{what it is: (which file is wrong, its contents, its mode, the words)}"""
	chain, secret = read(crt), read(key)
	leaf, *issuers = [b"-----BEGIN" + part for part in chain.split(b"-----BEGIN")[1:]]
	p12 = openssl("pkcs12", "-export", "-in", crt, "-inkey", key, "-passout", "pass:x")
	curve = lambda name, *more: openssl("ecparam", "-name", name, "-genkey", "-noout", *more)
	pkcs8 = lambda pem: openssl("pkcs8", "-topk8", "-nocrypt", data=pem)
	request = openssl("req", "-new", "-key", key, "-subj", "/CN=x")
	cert, private = "holds {} where a certificate in PEM must be", "holds {} where an unencrypted private key in PEM must be"
	other = curve("prime256v1")
	cases = {
		"an empty certificate": ("crt", b"", cert.format("nothing"), "give the certificate in PEM"),
		"a certificate of blanks": ("crt", b" \n\n", cert.format("nothing")),
		"a certificate in DER": ("crt", openssl("x509", "-in", crt, "-outform", "DER"), cert.format("a certificate in DER"), "openssl x509 -inform DER"),
		"PKCS#12 as certificate": ("crt", p12, cert.format("PKCS#12"), "openssl pkcs12 -nokeys"),
		"PKCS#7 as certificate": ("crt", openssl("crl2pkcs7", "-nocrl", "-certfile", crt), cert.format("PKCS#7")),
		"PKCS#7 in DER": ("crt", openssl("crl2pkcs7", "-nocrl", "-certfile", crt, "-outform", "DER"), cert.format("PKCS#7 in DER")),
		"a request": ("crt", request, cert.format("a certificate signing request"), "have a CA sign it"),
		"a request in DER": ("crt", openssl("req", "-outform", "DER", data=request), cert.format("a certificate signing request in DER")),
		"the key as certificate": ("crt", secret, cert.format("a private key"), "swapped"),
		"a public key": ("crt", openssl("pkey", "-in", key, "-pubout"), cert.format("a public key")),
		"a CRL": ("crt", read(authority().crls("client")), cert.format("a CRL")),
		"text": ("crt", b"hello\n", cert.format("something else")),
		"a damaged certificate": ("crt", leaf.replace(b"\nM", b"\n!", 1), "base64"),
		"a reversed chain": ("crt", b"".join(reversed([leaf, *issuers])), "wrong order", f"number {len(issuers) + 1} of {len(issuers) + 1}"),
		"an empty key": ("key", b"", private.format("nothing")),
		"a key in DER": ("key", openssl("pkey", "-in", key, "-outform", "DER"), private.format("a private key in DER"), "openssl pkey -inform DER"),
		"an RSA key in DER": ("key", openssl("genrsa", "-traditional", "2048") and openssl("rsa", "-traditional", "-outform", "DER",
			data=openssl("genrsa", "2048")), private.format("a private key in DER")),
		"an encrypted key": ("key", openssl("pkey", "-in", key, "-aes128", "-passout", "pass:x"), private.format("an encrypted private key"), "decrypt it"),
		"an encrypted key of the old form": ("key", openssl("ec", "-in", key, "-aes128", "-passout", "pass:x"), private.format("an encrypted private key")),
		"PKCS#12 as key": ("key", p12, private.format("PKCS#12"), "-nocerts"),
		"the certificate as key": ("key", leaf, private.format("a certificate"), "swapped"),
		"a request as key": ("key", request, private.format("a certificate signing request")),
		"a key on secp256k1": ("key", curve("secp256k1"), "secp256k1", "P-256"),
		"a key on secp256k1 in PKCS#8": ("key", pkcs8(curve("secp256k1")), "secp256k1", "P-256"),
		"a key with explicit parameters": ("key", curve("prime256v1", "-param_enc", "explicit"), "explicit parameters", "P-256"),
		"a key with explicit parameters in PKCS#8": ("key", pkcs8(curve("prime256v1", "-param_enc", "explicit")), "explicit parameters"),
		"a damaged key": ("key", secret[:60] + b"!!!!" + secret[64:], "cannot be read"),
		"another key": ("both", other, "does not belong to the certificate", "made together"),
	}
	return cases


def judge(scene, label, case, certificate, key, check_config, places):
	which, data, *words = case
	crt, private = (data, read(key)) if which == "crt" else (read(certificate), data)
	paths = write(f"{scene.dir}/x.crt", crt, 0o644), write(f"{scene.dir}/x.key", private)
	# What is not a key is told as such, not for its mode.
	modes = (0o600, 0o644) if which == "key" and "where an unencrypted" in words[0] else (0o600,)
	for mode in modes:
		os.chmod(paths[1], mode)
		status, err = check_config(*paths)
		wrong = paths[0 if which == "crt" else 1]
		told = [line for line in err.splitlines() if wrong in line]
		check(status == 78 and told, f"{label} ({mode:o}): {status} {err}")
		for word in (*words, f":{places['key' if which == 'key' else 'crt']}:"):
			check(word in told[0], f"{label} ({mode:o}): {told[0]!r} does not say {word!r}")
		check("unusable" not in err, f"{label}: {err}")


def check_relay(scene, crt, private):
	path = f"{scene.dir}/relay.yml"
	write(path, f"""version: 1
listeners: {{address: "127.0.0.1:1"}}
state_dir: {scene.dir}
connect:
  server_name: localhost
  certificate: {crt}
  private_key: {private}
  agent_cas: {authority().cas("agent")}
  agent_crls: {authority().crls("agent")}
""".encode(), 0o644)
	status, _, err = run(PROGRAMS["relay"], "check", "-c", path)
	return status, err


@test
def the_relay_names_the_file_and_what_it_holds(scene):
	certificate, key = authority().relay()
	config = lambda crt, private: check_relay(scene, crt, private)
	equal(config(certificate, key)[0], 0)
	for label, case in mistakes(certificate, key).items():
		judge(scene, label, case, certificate, key, config, {"crt": 6, "key": 7})


# what the certificate of the connect name has beside the usual: words of the refusal; "" if there is none
REFUSED = {"a key of RSA-1024": ({}, {"key": ("rsa:1024",)}, "an RSA key of 1024 bits"),
	"SHA-1": ({}, {"digest": "sha1"}, "is signed with ECDSA with SHA-1"),
	"another purpose": ({"extendedKeyUsage": "clientAuth"}, {}, "is not for servers"),
	"no purpose": ({"extendedKeyUsage": None}, {}, "is not for servers"),
	"the policy of public CAs": ({"certificatePolicies": "2.23.140.1.2.1"}, {}, "is not followed by the certificate of its issuer"),
	"nothing": ({}, {}, "")}


@test_over(*REFUSED)
def the_relay_says_that_agents_refuse_its_certificate_for(scene, what):
	extensions, how, words = REFUSED[what]
	shop = foreign.Workshop(scene.dir)
	shop.make("root", "/CN=Root", None, foreign.CA)
	shop.make("leaf", "/CN=localhost", "root", {**foreign.SERVER, "subjectAltName": "DNS:localhost", **extensions}, **how)
	os.chmod(shop.at("leaf.key"), 0o600)
	status, err = check_relay(scene, shop.at("leaf.crt"), shop.at("leaf.key"))
	equal(status, 1 if words else 0, err)
	check(words in err and ("agents refuse it" in err) == bool(words), err)


@test
def the_agent_names_the_file_that_its_upstream_is_shown(scene):
	certificate, key = authority().client("agent-inside")
	server, agent = authority().server("app.example.com"), authority().agent("agent", "app.example.com")

	def config(crt, private):
		path = f"{scene.dir}/agent.yml"
		write(path, f"""version: 1
agent: {{connect_url: "localhost:1", connect_cas: {authority().cas("relay")}, certificate: {agent[0]}, private_key: {agent[1]}}}
endpoints:
  - name: a
    url: tls://app.example.com
    agent_tls_termination: {{server_certificate: {server[0]}, server_private_key: {server[1]}}}
    upstream:
      url: tls://127.0.0.1:1
      cas: {authority().root}
      certificate: {crt}
      private_key: {private}
""".encode(), 0o644)
		status, _, err = run(PROGRAMS["agent"], "check", "-c", path)
		return status, err

	equal(config(certificate, key)[0], 0)
	for label, case in mistakes(certificate, key).items():
		judge(scene, label, case, certificate, key, config, {"crt": 10, "key": 11})


main()
