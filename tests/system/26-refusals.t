#!/usr/bin/env -S python3 -B
"""Every refusal of a client ends in the alert that says why, in TLS 1.2 and 1.3, as openssl, gnutls-cli, Go, Java
and NSS hear it; those of client certificates have a file of their own, 41-mtls-scenarios.t."""
import os
import shutil
import ssl
import time

from lib import *
from lib.scene import Scene
from lib.talker import Talker

GET = b"GET / HTTP/1.0\r\n\r\n"
VERSIONS = ("1.2", "1.3")

# ---- endpoints, and what their clients offer ----

HTTP = ["h2", "http/1.1"]
ENDPOINTS = {"plain.example.com": {}, "new.example.com": {"tls_min": "1.3"}, "old.example.com": {"tls_max": "1.2"},
	"http.example.com": {"alpn": HTTP}, "down.example.com": {}, "asks.example.com": {"mutual_tls": "require"},
	"*.bare.example.com": {}}

# what happens: (name, what the client offers beside its version, {version: alert; None: it is let in})
REFUSALS = {
	"nothing": ("plain.example.com", {}, {"1.2": None, "1.3": None}),
	"a version below the oldest": ("new.example.com", {}, {"1.2": 70, "1.3": None}),
	"a version above the newest": ("old.example.com", {}, {"1.2": None, "1.3": 70}),
	"no cipher suite in common": ("plain.example.com", {"ciphers": "odd"}, {"1.2": 40, "1.3": 40}),
	"no protocol in common": ("http.example.com", {"alpn": "irc"}, {"1.2": 120, "1.3": 120}),
	"a protocol in common": ("http.example.com", {"alpn": "http/1.1"}, {"1.2": None, "1.3": None}),
	"no certificate though one is required": ("asks.example.com", {}, {"1.2": 40, "1.3": 116}),
	"an upstream that is down": ("down.example.com", {}, {"1.2": 80, "1.3": 80}),
	"a name that nobody serves": ("nobody.example.com", {}, {"1.2": 112, "1.3": 112}),
	"a name without a certificate": ("a.bare.example.com", {}, {"1.2": 80, "1.3": 80}),
}

# ---- clients: each gives what it got and what it says ----

# Suites that we do not speak.
ODD = {"openssl": {"1.2": "AES128-SHA256", "1.3": "TLS_AES_128_CCM_SHA256"},
	"gnutls": {"1.2": "-CIPHER-ALL:+AES-128-CBC", "1.3": "-CIPHER-ALL:+AES-128-CCM"},
	"java": {"1.2": "TLS_RSA_WITH_AES_128_CBC_SHA256", "1.3": ""}, "go": {"1.2": "003c", "1.3": ""},
	"nss": {"1.2": ":003C", "1.3": ""}}


def by_openssl(stage, name, version, offer):
	odd = ODD["openssl"][version] if "ciphers" in offer else None
	more = ("-ciphersuites" if version == "1.3" else "-cipher", odd) if odd else ()
	more += ("-alpn", offer["alpn"]) if "alpn" in offer else ()
	_, out, err = s_client(stage.relay.port, name, authority().root, "-tls" + version.replace(".", "_"), *more, data=GET)
	return out, err


def by_gnutls(stage, name, version, offer):
	odd = ":" + ODD["gnutls"][version] if "ciphers" in offer else ""
	more = ("--alpn", offer["alpn"]) if "alpn" in offer else ()
	_, out, err = run("gnutls-cli", "--port", stage.relay.port, "--x509cafile", authority().root, "--sni-hostname", name,
		"--verify-hostname", name, "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}{odd}", *more, "127.0.0.1", data=GET)
	return out, out.decode(errors="replace") + err


def by_language(language):
	talker = stage().scene.keep(Talker(language))

	def client(stage, name, version, offer):
		suite = ODD[language][version] if "ciphers" in offer else None
		return talker(name, stage.relay.port, version, authority().root, alpn=offer.get("alpn"), suite=suite)
	return client


def by_nss(stage, name, version, offer):
	odd = ("-c", ODD["nss"][version]) if "ciphers" in offer else ()
	limit = f"tls{version}:tls{version}"
	_, out, err = run("tstclnt", "-h", "127.0.0.1", "-p", stage.relay.port, "-a", name, "-d", stage.nss, "-V", limit, *odd,
		"-A", stage.request)
	return out, err


# What each says of an alert; NSS has its own idea of the reason if it has heard nothing yet.
WORDS = {
	"openssl": "SSL alert number {}",
	"gnutls": "Received alert [{}]",
	"go": {40: "handshake failure", 70: "protocol version not supported", 80: "internal error", 112: "unrecognized name",
		116: "certificate required", 120: "no application protocol"},
	"java": {40: "handshake_failure", 70: "protocol_version", 80: "internal_error", 112: "unrecognized_name",
		116: "certificate_required", 120: "no_application_protocol"},
	"nss": {40: "NO_CYPHER_OVERLAP|HANDSHAKE_FAILURE_ALERT", 70: "PROTOCOL_VERSION_ALERT", 80: "INTERNAL_ERROR_ALERT",
		112: "UNRECOGNIZED_NAME_ALERT", 116: "CERTIFICATE_REQUIRED_ALERT"},
}
# What a client cannot be told to offer.
CANNOT = {"go": {("ciphers", "1.3")}, "java": {("ciphers", "1.3")},
	"nss": {("ciphers", "1.3"), ("alpn", "1.2"), ("alpn", "1.3")}}

class Stage:
	"""Once for all tests of the file."""

	def __init__(self):
		self.scene = Scene()
		gone = self.scene.upstream(echo)
		gone.close()
		serving = self.scene.upstream(http)
		ENDPOINTS["asks.example.com"].update(mutual_tls_certificate_authorities=[authority().cas("client")],
			mutual_tls_crls=[authority().crls("client")])
		other = dict(zip(("server_certificate", "server_private_key"), authority().server("b.bare.example.com")))
		ENDPOINTS["*.bare.example.com"].update(other)
		self.relay = self.scene.relay()
		self.agent = self.scene.agent(self.relay, [terminate(name, gone if name.startswith("down") else serving, tls)
			for name, tls in ENDPOINTS.items()], authority().agent("refusing", *ENDPOINTS))
		self.nss = self.request = None

	def make_nss(self):
		if not shutil.which("tstclnt"):
			skip("there is no tstclnt here (libnss3-tools)")
		self.nss, self.request = f"{self.scene.dir}/nss", f"{self.scene.dir}/request"
		with open(self.request, "wb") as file:
			file.write(GET)
		os.mkdir(self.nss)
		for arguments in (("-N", "-d", self.nss, "--empty-password"),
				("-A", "-d", self.nss, "-n", "root", "-t", "C,,", "-i", authority().root)):
			status, _, err = run("certutil", *arguments)
			check(status == 0, err)


_stage = []


def stage():
	if not _stage:
		_stage.append(Stage())
	return _stage[0]


def says(words, alert, said):
	"""By its number, or by one of its names."""
	if isinstance(words, str):
		return words.format(alert) in said
	return any(name in said for name in words[alert].split("|"))


def play(client, label):
	wrong = []
	for what, (name, offer, alerts) in REFUSALS.items():
		for version in VERSIONS:
			if any((key, version) in CANNOT.get(label, ()) for key in offer):
				continue
			out, said = client(stage(), name, version, offer)
			alert, words = alerts[version], WORDS[label]
			if alert is None:
				fine = b"hello" in out
			else:
				fine = b"hello" not in out and says(words, alert, said)
			if not fine:
				wrong.append(f"{what}, TLS {version}: not alert {alert} but {out} {said[-400:]}")
	check(not wrong, "\n".join(wrong))


@test
def openssl_hears_why(_):
	play(by_openssl, "openssl")


@test
def gnutls_hears_why(_):
	play(by_gnutls, "gnutls")


@test_over("go", "java")
def another_language_hears_why(_, language):
	play(by_language(language), language)


@test
def nss_hears_why(_):
	stage().make_nss()
	play(by_nss, "nss")


@test
def who_does_not_finish_the_handshake_is_given_up_after_ten_seconds(_):
	began, quiet = time.monotonic(), []
	for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
		quiet.append(dial(stage().relay.port, hello("plain.example.com", version=version), timeout=60))
	for stream in quiet:
		while closed_how(stream) not in ("fin", "reset"):
			pass	# the server's answer
		stream.close()
	check(time.monotonic() - began > 9, "before its time")
	stage().agent.wait_event("flow-closed", count=2, reason="client-handshake-timeout")


@test
def nothing_has_broken_meanwhile(_):
	check(stage().agent.alive() and stage().relay.alive(), "relay and agent live")
	trouble = stage().scene.close()
	stage().scene.remove()
	equal(trouble, "", "what they left")


main()
