#!/usr/bin/env -S python3 -B
"""Who gets in with which certificate and which CRLs, by real clients in TLS 1.2 and 1.3: each refusal
with its own verdict in the log and its own alert to the client, and the upstream hears of none.

All clients of a file go to one relay and one agent, whose endpoints differ in what they demand.
"""
import os
import shutil
import ssl
import tempfile
import time

from lib import *
from lib.foreign import CA, CLIENT, Workshop
from lib.scene import Scene
from lib.talker import LANGUAGES, Talker

GET = b"GET / HTTP/1.0\r\n\r\n"
VERSIONS = ("1.2", "1.3")

# ---- certificates of clients, and the endpoints that judge them ----

CAS = {"issuing": CA, "gone": CA, "late": CA, "old": CA, "bare": CA, "servers": dict(CA, extendedKeyUsage="serverAuth"),
	"narrow": dict(CA, nameConstraints="critical,permitted;DNS:acme.example"),
	"last": dict(CA, basicConstraints="critical,CA:TRUE,pathlen:0"),
	"demanding": dict(CA, certificatePolicies="1.2.3.4", policyConstraints="critical,requireExplicitPolicy:0")}

# client: (CAs above it below the root, lowest first; extensions unlike the usual; days)
LEAVES = {
	"ann": (("issuing",), {}), "revoked": (("issuing",), {}), "of-gone": (("gone",), {}), "of-stranger": ((), {}),
	"expired": (("issuing",), {}, (-30, -1)), "early": (("issuing",), {}, (2, 30)),
	"server": (("issuing",), {"extendedKeyUsage": "serverAuth"}), "purposeless": (("issuing",), {"extendedKeyUsage": None}),
	"any-purpose": (("issuing",), {"extendedKeyUsage": "anyExtendedKeyUsage"}), "of-servers": (("servers",), {}),
	"within": (("narrow",), {"subjectAltName": "DNS:job.acme.example"}), "beyond": (("narrow",), {}),
	"deep": (("lower", "last"), {}), "critical": (("issuing",), {"1.2.3.4": "critical,DER:05:00"}),
	"with-policy": (("demanding",), {"certificatePolicies": "1.2.3.4"}), "without-policy": (("demanding",), {}),
	"of-late": (("late",), {}), "of-old": (("old",), {}), "revoked-of-old": (("old",), {}), "of-bare": (("bare",), {}),
	"of-odd": ((), {}),
}


def forge(shop):
	"""Two roots; below the first a CA for each way that a chain can go wrong, and its clients."""
	shop.make("root", "/CN=Root", None, CA)
	shop.make("stranger", "/CN=Stranger", None, CA)
	shop.make("odd-root", "/CN=Odd", None, dict(CA, **{"1.2.3.4": "critical,DER:05:00"}))
	shop.bundle("roots.pem", "odd-root.crt", "root.crt")
	for name, extensions in CAS.items():
		shop.make(name, f"/CN={name}", "root", extensions)
	shop.make("lower", "/CN=lower", "last", CA)
	for name, (issuers, extensions, *days) in LEAVES.items():
		issuer = issuers[0] if issuers else "odd-root" if name == "of-odd" else "stranger"
		shop.make(name, f"/CN={name}", issuer, dict(CLIENT, **extensions),
			days=days[0] if days else (-1, 300))
		shop.bundle(f"{name}.pem", *[f"{one}.crt" for one in (name, *issuers)])
	shop.make("selfish", "/CN=selfish", None, CLIENT)
	shop.bundle("selfish.pem", "selfish.crt")
	shop.revoke("revoked", "issuing"), shop.revoke("revoked-of-old", "old"), shop.revoke("gone", "root")


def publish(shop):
	"""One file of CRLs: of `late` and `old` one that has ended, of `bare` none."""
	days = {"late": (-12, -0.5), "old": (-12, -2)}
	names = [name for name in ("root", *CAS, "lower") if name != "bare"]
	for name in names:
		shop.crl(f"{name}.crl", name, days=days.get(name, (-1, 10)))
	shop.bundle("crls.pem", *[f"{name}.crl" for name in names])


# endpoint: what it demands beside a CA
DAY_OF_GRACE, NONE = {}, None
ENDPOINTS = {
	"crls": DAY_OF_GRACE,
	"strict": {"expired": "reject"},
	"lenient": {"expired": "allow", "missing": "allow"},
	"unchecked": NONE,
	"request": DAY_OF_GRACE,
	"open": NONE,	# and it asks for no certificate
}

# The alert of each verdict (RFC 8446, 6.2).
ALERTS = {"certificate-missing": 116, "bad-certificate": 42, "bad-chain": 42, "unknown-ca": 48, "certificate-expired": 45,
	"certificate-not-yet-valid": 45, "wrong-purpose": 43, "name-not-permitted": 42, "policy-missing": 46,
	"certificate-revoked": 44, "crl-missing": 46, "crl-expired": 46}

IN = None
# what happens: (endpoint, client's certificate or None, verdict)
SCENARIOS = {
	"a good certificate": ("crls", "ann", IN),
	"no certificate": ("crls", None, "certificate-missing"),
	"no certificate where one is only asked for": ("request", None, IN),
	"a bad certificate where one is only asked for": ("request", "expired", "certificate-expired"),
	"another CA": ("crls", "of-stranger", "unknown-ca"),
	"a root that is listed and cannot be used": ("crls", "of-odd", "unknown-ca"),
	"a certificate signed by itself": ("crls", "selfish", "unknown-ca"),
	"an expired certificate": ("crls", "expired", "certificate-expired"),
	"one from the future": ("crls", "early", "certificate-not-yet-valid"),
	"a revoked leaf": ("crls", "revoked", "certificate-revoked"),
	"a revoked intermediate": ("crls", "of-gone", "certificate-revoked"),
	"a revoked leaf where no CRLs are given": ("unchecked", "revoked", IN),
	"a server's certificate": ("crls", "server", "wrong-purpose"),
	"no purpose": ("crls", "purposeless", "wrong-purpose"),
	"any purpose": ("crls", "any-purpose", "wrong-purpose"),
	"a CA for servers": ("crls", "of-servers", "wrong-purpose"),
	"a name within constraints": ("crls", "within", IN),
	"a name beyond constraints": ("crls", "beyond", "name-not-permitted"),
	"a CA too many": ("crls", "deep", "bad-chain"),
	"an unknown critical extension": ("crls", "critical", "bad-certificate"),
	"a policy that a CA demands": ("crls", "with-policy", IN),
	"no policy though a CA demands one": ("crls", "without-policy", "policy-missing"),
	"a missing CRL": ("crls", "of-bare", "crl-missing"),
	"a missing CRL, allowed": ("lenient", "of-bare", IN),
	"a CRL that has just expired, rejected": ("strict", "of-late", "crl-expired"),
	"a CRL that has just expired, in its grace": ("crls", "of-late", IN),
	"a CRL beyond its grace": ("crls", "of-old", "crl-expired"),
	"a CRL beyond its grace, allowed": ("lenient", "of-old", IN),
	"a serial that an expired CRL lists, allowed": ("lenient", "revoked-of-old", "certificate-revoked"),
	"a revoked intermediate where all is allowed": ("lenient", "of-gone", "certificate-revoked"),
}

# ---- clients: each gives what it got and what it says ----


def by_openssl(stage, name, version, pair):
	own = ("-cert_chain", pair[0], "-cert", pair[0], "-key", pair[1]) if pair else ()
	_, out, err = s_client(stage.relay.port, name, authority().root, "-tls" + version.replace(".", "_"), *own, data=GET)
	return out, err


def by_gnutls(stage, name, version, pair):
	own = ("--x509certfile", pair[0], "--x509keyfile", pair[1]) if pair else ()
	_, out, err = run("gnutls-cli", "--port", stage.relay.port, "--x509cafile", authority().root, "--sni-hostname", name,
		"--verify-hostname", name, "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}", *own, "127.0.0.1", data=GET)
	return out, out.decode(errors="replace") + err


def by_curl(stage, name, version, pair):
	own = ("--cert", pair[0], "--key", pair[1]) if pair else ()
	_, out, err = curl(stage.relay.port, name, authority().root, "--tlsv" + version, "--tls-max", version, *own)
	return out, err


def by_python(stage, name, version, pair):
	limit = ssl.TLSVersion.TLSv1_2 if version == "1.2" else ssl.TLSVersion.TLSv1_3
	try:
		with TlsClient(stage.relay.port, name, authority().root, version=limit, certificate=pair) as client:
			client.sendall(GET)
			return client.recv(), ""
	except (ssl.SSLError, OSError, EOFError) as error:
		return b"", str(error)


CLIENTS = (by_openssl, by_gnutls, by_curl, by_python)

# How those that tell an alert by its number say it; in TLS 1.2 a missing certificate is handshake_failure.
NUMBERS = {by_openssl: "SSL alert number {}", by_gnutls: "Received alert [{}]"}


def number_of(verdict, version):
	return 40 if verdict == "certificate-missing" and version == "1.2" else ALERTS[verdict]


# ---- the stage ----

class Stage:
	"""Once for all tests of the file."""

	def __init__(self):
		self.scene = Scene()
		self.shop = Workshop(tempfile.mkdtemp(prefix="valise-mtls."))
		forge(self.shop), publish(self.shop)
		self.upstream = self.scene.upstream(http)
		self.relay = self.scene.relay()
		self.agent = self.scene.agent(self.relay, [self.endpoint(name) for name in ENDPOINTS],
			authority().agent("doorman", "*.example.com"))

	def endpoint(self, name):
		tls, knobs = {"mutual_tls_certificate_authorities": [self.shop.at("roots.pem")]}, ENDPOINTS[name]
		if knobs is not NONE:
			tls.update(mutual_tls_crls=[self.shop.at("crls.pem")], crl=knobs)
		if name == "open":
			tls = {}
		if name == "request":
			tls["mutual_tls"] = "request"
		return terminate(f"{name}.example.com", self.upstream, tls)

	def pair(self, certificate):
		return certificate and (self.shop.at(f"{certificate}.pem"), self.shop.at(f"{certificate}.key"))

	def ends(self, name):
		"""Of the flows to this name, in the agent's log: each is there, where lines about refusals are limited."""
		return [event["reason"] for event in self.agent.events("flow-closed", server_name=name)]

	def close(self):
		trouble = self.scene.close()
		self.scene.remove()
		shutil.rmtree(self.shop.dir, ignore_errors=True)
		return trouble


_stage = None


def stage():
	global _stage
	_stage = _stage or Stage()
	return _stage


LINES_A_SECOND = 20	# of refusals, less than the log allows to all whom nobody vouches for
refused_at = []


def await_a_line():
	"""Until the log has room for one more refusal: those in other languages come fast."""
	until(lambda: sum(then > time.monotonic() - 1 for then in refused_at) < LINES_A_SECOND)
	refused_at[:] = refused_at[-LINES_A_SECOND:] + [time.monotonic()]


def play(client, version, scenario):
	endpoint, certificate, verdict = SCENARIOS[scenario]
	name, what = f"{endpoint}.example.com", f"{scenario}, TLS {version}, {client.__name__}"
	if verdict is not IN:
		await_a_line()
	there, ends = stage().upstream.seen, len(stage().ends(name))
	got, said = client(stage(), name, version, stage().pair(certificate))
	until(lambda: len(stage().ends(name)) > ends, what=f"{what}: the end of the flow in the log")
	equal(b"hello" in got, verdict is IN, f"{what}: is let in ({said})")
	equal(stage().upstream.seen - there, int(verdict is IN), f"{what}: connections that the upstream saw")
	if verdict is IN:
		return
	equal(stage().ends(name)[-1], verdict, what)
	if client in NUMBERS:
		wanted = NUMBERS[client].format(number_of(verdict, version))
		check(wanted in said, f"{what}: {wanted} is not in {said}")


@test_over(*SCENARIOS)
def everybody_is_told(_, scenario):
	for client in CLIENTS:
		for version in VERSIONS:
			play(client, version, scenario)


@test_over(*LANGUAGES)
def everybody_else_is_told(scene, language):
	talker = scene.keep(Talker(language))

	def by_talker(stage, name, version, pair):
		certificate, key = pair or (None, None)
		return talker(name, stage.relay.port, version, authority().root, certificate=certificate, key=key)
	by_talker.__name__ = language
	for scenario in SCENARIOS:
		for version in VERSIONS:
			play(by_talker, version, scenario)


def resumes(version, endpoint, certificate, ticket):
	"""Whether a second connection of openssl's is a resumed one."""
	pair = stage().pair(certificate)
	own = ("-cert_chain", pair[0], "-cert", pair[0], "-key", pair[1]) if pair else ()
	ask = ("openssl", "s_client", "-connect", f"127.0.0.1:{stage().relay.port}", "-servername", f"{endpoint}.example.com",
		"-CAfile", authority().root, "-ign_eof", "-tls" + version.replace(".", "_"), *own)
	check(b"hello" in run(*ask, "-sess_out", ticket, data=GET)[1], "the first is let in")
	if not os.path.exists(ticket):
		return False
	again = run(*ask, "-sess_in", ticket, data=GET)[1]
	check(b"hello" in again, f"the second is let in: {again}")
	return b"Reused, " in again


@test
def a_root_that_cannot_be_used_is_named_and_the_others_are_used(_):
	"""All of this file has it beside the good one."""
	odd = "roots.pem: certificate 1 (CN=Odd) has a critical extension that is not known here; it is passed over"
	stage().agent.wait_text(odd)
	status, out, err = run(PROGRAMS["agent"], "check", "-c", stage().agent.config_path)
	check(odd in out.decode() + err, f"check: {status} {out} {err}")
	got, said = by_openssl(stage(), "crls.example.com", "1.3", stage().pair("of-odd"))
	check(b"hello" not in got, said)
	stage().agent.wait_text("its issuer stands there, but is passed over")


# Keys that GnuTLS cannot read, or that nobody should use: what is told of them.
KEYS = {"secp256k1": "has a key on secp256k1", "brainpoolP256r1": "has a key on brainpoolP256r1",
	"explicit": "has a key on a curve given by explicit parameters", "secp224r1": "has a key on P-224",
	"rsa:1024": "has an RSA key of 1024 bits, which is too weak"}


@test_over(*KEYS)
def a_key_that_is_not_accepted_is_named(_, key):
	"""In TLS 1.2: from 1.3 on a client cannot even offer most of these."""
	curve = "P-256" if key == "explicit" else key
	more = ("-pkeyopt", "ec_param_enc:explicit") if key == "explicit" else ()
	shop, name = stage().shop, "odd-key"
	shop.make(name, "/CN=odd", "issuing", CLIENT,
		key=(key,) if ":" in key else ("ec", "-pkeyopt", f"ec_paramgen_curve:{curve}", *more))
	shop.bundle(f"{name}.pem", f"{name}.crt", "issuing.crt")
	pair, there = stage().pair(name), len(stage().ends("crls.example.com"))
	_, out, err = s_client(stage().relay.port, "crls.example.com", authority().root, "-tls1_2", "-cipher", "ALL:@SECLEVEL=0",
		"-cert_chain", pair[0], "-cert", pair[0], "-key", pair[1], data=GET)
	check(b"hello" not in out and NUMBERS[by_openssl].format(ALERTS["bad-certificate"]) in err, err)
	until(lambda: len(stage().ends("crls.example.com")) > there, what="the end of the flow")
	last = stage().agent.events("flow-closed", server_name="crls.example.com")[-1]
	equal(last["reason"], "weak-key", last["message"])
	check(KEYS[key] in last["message"], last["message"])


@test
def no_session_is_resumed_where_a_certificate_is_asked_for(scene):
	"""It would bring the chain of the first along, unjudged."""
	for endpoint, certificate in (("open", None), ("crls", "ann"), ("request", "ann"), ("request", None)):
		for version in VERSIONS:
			resumed = resumes(version, endpoint, certificate, f"{scene.dir}/{endpoint}-{certificate}-{version}")
			equal(resumed, endpoint == "open" and version == "1.3", f"{endpoint}, {certificate}, TLS {version}: resumed")


@test
def the_same_holds_after_the_agent_has_come_back(_):
	up = len(stage().agent.events("endpoint-up"))
	stage().relay.kill()
	stage().relay.start()
	stage().agent.wait_event("endpoint-up", count=up + len(ENDPOINTS))
	for scenario in ("a good certificate", "no certificate", "another CA", "a revoked leaf", "a missing CRL"):
		for version in VERSIONS:
			play(by_openssl, version, scenario)


@test
def nothing_has_broken_meanwhile(_):
	check(stage().agent.alive() and stage().relay.alive(), "relay and agent live")
	equal(stage().close(), "", "what they left")


main()
