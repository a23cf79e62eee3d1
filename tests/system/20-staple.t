#!/usr/bin/env -S python3 -B
"""OCSP responses from a file: shown to those who ask, while they are good, and never else."""
import os

from lib import *

NAME = "stapled.example.com"


class Issuer:
	"""A CA by openssl, with its responder."""

	def __init__(self, scene):
		self.dir = f"{scene.dir}/issuer"
		os.mkdir(self.dir)
		self.root = self.make("root", "/CN=Stapling root", "basicConstraints=critical,CA:TRUE", ["-x509", "-days", "30"])
		self.index = f"{self.dir}/index.txt"
		self.lines = []

	def openssl(self, *arguments):
		status, out, err = run("openssl", *arguments)
		check(status == 0, f"openssl {arguments}: {err}")
		return out

	def make(self, label, subject, extension, options):
		path = f"{self.dir}/{label}"
		self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", subject,
			"-addext", extension, *options, "-keyout", path + ".key", "-out", path + ".crt")
		os.chmod(path + ".key", 0o600)
		return path

	def issue(self, label, *, must_staple=False, purpose="serverAuth"):
		path = f"{self.dir}/{label}"
		with open(path + ".ext", "w") as file:
			file.write(f"subjectAltName=DNS:{NAME}\nextendedKeyUsage={purpose}\nkeyUsage=digitalSignature\n")
			file.write("tlsfeature=status_request\n" if must_staple else "")
		self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", f"/CN={label}",
			"-keyout", path + ".key", "-out", path + ".csr")
		self.openssl("x509", "-req", "-in", path + ".csr", "-CA", self.root + ".crt", "-CAkey", self.root + ".key",
			"-days", "20", "-extfile", path + ".ext", "-out", path + ".crt")
		os.chmod(path + ".key", 0o600)
		serial = self.openssl("x509", "-noout", "-serial", "-in", path + ".crt").decode().strip().split("=")[1]
		self.lines.append(["V", "400101000000Z", "", serial, "unknown", f"/CN={label}"])
		with open(path + ".chain", "wb") as chain:
			for part in (path, self.root):
				with open(part + ".crt", "rb") as file:
					chain.write(file.read())
		return path

	def revoke(self, label):
		for line in self.lines:
			if line[5] == f"/CN={label}":
				line[0], line[2] = "R", "260101000000Z"

	def respond(self, path, out, *, signer=None, days=("-ndays", "2")):
		"""Writes the response about this certificate, whole at once."""
		signer = signer or self.root
		with open(self.index, "w") as file:
			file.writelines("\t".join(line) + "\n" for line in self.lines)
		self.openssl("ocsp", "-sha256", "-issuer", self.root + ".crt", "-cert", path + ".crt", "-no_nonce", "-reqout", path + ".req")
		self.openssl("ocsp", "-index", self.index, "-CA", self.root + ".crt", "-rsigner", signer + ".crt", "-rkey", signer + ".key",
			"-rmd", "sha256", *days, "-reqin", path + ".req", "-respout", out + ".new")
		os.replace(out + ".new", out)


def stapled(scene, issuer, path, response):
	relay = scene.relay()
	termination = {"server_certificate": path + ".chain", "server_private_key": path + ".key", "server_ocsp_response": response}
	if response is None:
		del termination["server_ocsp_response"]
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(http), agent_tls_termination=termination)],
		authority().agent("stapled-agent", NAME))
	return relay, agent


def told(relay, issuer, *arguments):
	"""What openssl hears of the certificate's state: 'good', or 'nothing'."""
	status, out, err = run("openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-servername", NAME, "-CAfile",
		issuer.root + ".crt", "-verify_return_error", "-status", *arguments, data=b"")
	check(status == 0, f"{status} {err}")
	return "good" if b"Cert Status: good" in out else "nothing" if b"no response sent" in out else out.decode()


def judged(agent):
	"""(exit code, messages) of `check`."""
	status, out, err = run(agent.program, "check", "-c", agent.config_path)
	return status, out.decode() + err


@test
def a_good_response_is_shown_to_those_who_ask(scene):
	issuer = Issuer(scene)
	path, response = issuer.issue("good"), f"{scene.dir}/response"
	issuer.respond(path, response)
	relay, agent = stapled(scene, issuer, path, response)
	for version in ("-tls1_2", "-tls1_3"):
		equal(told(relay, issuer, version), "good", version)
		status, out, err = run("openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-servername", NAME, "-CAfile",
			issuer.root + ".crt", "-verify_return_error", version, data=b"")
		check(status == 0 and b"OCSP" not in out, f"{version}, not asked for: {status} {out} {err}")
	for priority in ("NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3"):
		_, out, err = run("gnutls-cli", "--port", relay.port, "--x509cafile", issuer.root + ".crt", "--sni-hostname", NAME,
			"--verify-hostname", NAME, "--priority", priority, "--logfile", f"{scene.dir}/gnutls.log", "127.0.0.1",
			data=b"GET / HTTP/1.0\r\n\r\n")
		check(b"hello" in out, f"gnutls-cli: {out} {err}")
		with open(f"{scene.dir}/gnutls.log", encoding="utf-8") as log:
			check("OCSP status request" in log.read(), f"gnutls-cli {priority} is shown it")
	equal(judged(agent)[0], 0, "exit code of check")
	equal(agent.events("ocsp-missing"), [])


@test
def a_delegated_responder_is_believed(scene):
	issuer = Issuer(scene)
	path, response = issuer.issue("delegated"), f"{scene.dir}/response"
	issuer.respond(path, response, signer=issuer.issue("responder", purpose="OCSPSigning"))
	relay, _ = stapled(scene, issuer, path, response)
	equal(told(relay, issuer), "good")


@test
def what_is_wrong_is_never_shown(scene):
	issuer = Issuer(scene)
	path, other = issuer.issue("right"), issuer.issue("other")
	response = f"{scene.dir}/response"
	issuer.respond(path, response, signer=issuer.issue("impostor"))
	relay, agent = stapled(scene, issuer, path, response)
	issuer.revoke("right")

	def about_another():
		issuer.respond(other, response)

	def revoked():
		issuer.respond(path, response)

	def endless():
		issuer.respond(path, response, days=())

	def garbage():
		with open(response, "w") as file:
			file.write("not found")

	# The first refusal is told as missing, since there has never been a good one.
	agent.wait_event("ocsp-missing", endpoint=f"sealed-{NAME}")
	equal(told(relay, issuer), "nothing", "of an impostor")
	for count, (change, words) in enumerate(((about_another, "another certificate"), (revoked, "revoked"),
			(endless, "revoked"), (garbage, "something else")), 2):
		change()
		said = agent.wait_event("ocsp-missing", count=count)[-1]["message"]
		check(words in said, said)
		equal(told(relay, issuer), "nothing", change.__name__)
		status, messages = judged(agent)
		check(status == 0 and words in messages, f"check: {status} {messages}")


@test
def a_refused_one_leaves_the_one_before_and_a_renewed_one_takes_its_place(scene):
	issuer = Issuer(scene)
	path, response = issuer.issue("renewed"), f"{scene.dir}/response"
	issuer.respond(path, response)
	relay, agent = stapled(scene, issuer, path, response)
	with open(response + ".new", "w") as file:
		file.write("<html>")
	os.replace(response + ".new", response)
	agent.wait_event("ocsp-refused")
	equal(told(relay, issuer), "good", "the one before")
	before = len(agent.events("files-reloaded"))
	issuer.respond(path, response, days=("-ndays", "9"))
	agent.wait_event("files-reloaded", count=before + 1)
	equal(told(relay, issuer), "good", "the renewed one")
	equal(len(agent.events("ocsp-refused")), 1)


@test
def a_certificate_that_demands_one_is_a_mistake_to_check_without(scene):
	issuer = Issuer(scene)
	path, response = issuer.issue("demanding", must_staple=True), f"{scene.dir}/response"
	relay, agent = stapled(scene, issuer, path, None)
	said = agent.wait_event("ocsp-missing")[0]
	equal(said["level"], "error", said)
	status, messages = judged(agent)
	check(status == 78 and "server_ocsp_response" in messages and "wrong" in messages, f"{status} {messages}")
	equal(told(relay, issuer), "nothing", "it is served nevertheless")
	issuer.respond(path, response)
	agent.settings["endpoints"][0]["agent_tls_termination"]["server_ocsp_response"] = response
	agent.write(agent.settings)
	equal(judged(agent)[0], 0, "with one")
	agent.reload()
	agent.wait_event("reloaded")
	equal(told(relay, issuer), "good")


main()
