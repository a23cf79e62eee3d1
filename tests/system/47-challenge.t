#!/usr/bin/env -S python3 -B
"""Proofs to ACME servers (tls-alpn-01) through a relay: who is asked, what he shows, and who is not let near."""
import hashlib
import os
import re
import ssl
import struct
import threading

from lib import *
from lib.process import BUILD
from lib.session import Session, fact

NAME = "app.example.com"
ACME = "acme-tls/1"
PENDING = 16
NAME_INVALID, ENDPOINT_LIMIT, ACME_BUSY, ENDPOINT_UNKNOWN = 23, 24, 26, 41
MARK = 1 << 31
NO_AGENT, DENIED, NO_PROTOCOL = 80, 49, 120
# id-pe-acmeIdentifier, critical, an OCTET STRING of 32 octets
IDENTIFIER = bytes.fromhex("06082b0601050507011f0101ff04220420")
DIGEST = hashlib.sha256(b"token.thumbprint").hexdigest()


def challenged(scene, relays, endpoints, certificate, label="agent", **settings):
	"""An agent whose challenges are those that challenge() writes down for it."""
	agent = scene.agent(relays, endpoints, certificate, label, start=False, **settings)
	agent.argv = [f"{BUILD}/challenge/valise-agent"] + agent.argv[1:]
	agent.challenges = f"{scene.dir}/{label}.challenges"
	agent.environment = {"VALISE_CHALLENGES": agent.challenges}
	challenge(agent)
	agent.start()
	scene.wait_serving(agent, len(endpoints) * (len(relays) if isinstance(relays, list) else 1))
	return agent


def challenge(agent, *names):
	with open(agent.challenges + ".new", "w") as file:
		file.writelines(f"{name} {DIGEST}\n" for name in names)
	os.replace(agent.challenges + ".new", agent.challenges)


def validate(port, name=NAME, *arguments, alpn=ACME):
	"""As an ACME server looks: the certificate as text and in DER, and what openssl says of the handshake."""
	status, out, err = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", name, "-alpn", alpn,
		*arguments, data=b"")
	text, der = ((run("openssl", "x509", *form, data=out)[1] if b"BEGIN CERTIFICATE" in out else b"")
		for form in (("-noout", "-text"), ("-outform", "DER")))
	return text.decode(), der, out.decode(errors="replace") + err


def is_proof(shown, der, said, name=NAME):
	"""Whether it is what RFC 8737, section 3 has the server look for."""
	issuer, subject = (re.search(rf"{field}: ?(.*)", shown) for field in ("Issuer", "Subject"))
	return IDENTIFIER + bytes.fromhex(DIGEST) in der and re.findall(r"DNS:([^,\s]+)", shown) == [name] and \
		issuer.group(1) == subject.group(1) and "ALPN protocol: " + ACME in said


def alert(port, name=NAME, alpn=(ACME,), source=None):
	with dial(port, hello(name, alpn=list(alpn)), source=source) as client:
		return alert_of(client)


@test
def a_server_sees_the_proof_and_the_upstream_hears_nothing(scene):
	upstream = scene.upstream(http)
	relay = scene.relay()
	agent = challenged(scene, relay, [terminate(NAME, upstream)], authority().agent("agent", NAME))
	equal(alert(relay.port), NO_PROTOCOL, "the alert before there is a challenge")
	challenge(agent, NAME)
	agent.wait_event("challenge-ready", server_name=NAME)
	relay.wait_event("challenge-pending", server_name=NAME)
	for version in ("-tls1_2", "-tls1_3"):
		seen = validate(relay.port, NAME, version)
		check(is_proof(*seen), f"{version}: {seen}")
	equal(upstream.seen, 0, "connections of the upstream")
	equal(curl(relay.port, NAME, authority().root)[:2], (0, b"hello"), "a client like all, meanwhile")
	challenge(agent)
	agent.wait_event("flow-closed", count=2, reason="acme-challenge")
	until(lambda: "no application protocol" in validate(relay.port)[2], 15, "the challenge has ended")


@test
def servers_look_from_many_places_at_once(scene):
	relay = scene.relay(workers=2)
	agent = challenged(scene, relay, [terminate(NAME, "tcp://127.0.0.1:9")], authority().agent("agent", NAME), workers=2)
	challenge(agent, NAME)
	agent.wait_event("challenge-ready")
	seen = []

	def look():
		seen.append(is_proof(*validate(relay.port)))

	threads = [threading.Thread(target=look) for _ in range(12)]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join()
	equal(seen, [True] * 12, "proofs")


@test
def neither_lists_nor_client_certificates_stand_in_its_way(scene):
	relay = scene.relay()
	endpoint = terminate(NAME, "tcp://127.0.0.1:9", {"mutual_tls_certificate_authorities": [authority().cas("client")],
		"mutual_tls_crls": [authority().crls("client")]}, allow="127.0.0.2")
	agent = challenged(scene, relay, [endpoint], authority().agent("agent", NAME))
	equal(alert(relay.port, source="127.0.0.1"), DENIED, "the lists hold before there is a challenge")
	challenge(agent, NAME)
	agent.wait_event("challenge-ready")
	seen = validate(relay.port)
	check(is_proof(*seen), f"from an address that is on no list: {seen}")
	equal(alert(relay.port, alpn=(ACME, "h2"), source="127.0.0.1"), DENIED, "for who offers others, too, they hold on")
	equal(alert(relay.port, alpn=("h2",), source="127.0.0.1"), DENIED, "and for all others")


@test
def an_upstream_that_is_passed_through_to_gives_its_own_proof(scene):
	upstream = scene.upstream(lambda stream: (skip_hello(stream), stream.sendall(b"mine")))
	relay = scene.relay(routes=[route("static.example.com", upstream)])
	agent = challenged(scene, relay, [passthrough(NAME, upstream)], authority().agent("agent", NAME))
	challenge(agent, NAME)
	for name in NAME, "static.example.com":
		with dial(relay.port, hello(name, alpn=[ACME])) as client:
			equal(read_exactly(client, 4), b"mine", name)
	equal(agent.events("challenge-accepted"), [], "marks")


@test
def the_agent_that_asked_is_asked(scene):
	"""Of two hosts that serve a name only one has the order."""
	relays = [scene.relay("relay0", workers=2), scene.relay("relay1")]
	certificate = authority().agent("agent", NAME)
	one, two = [challenged(scene, relays, [terminate(NAME, "tcp://127.0.0.1:9")], certificate, label)
		for label in ("one", "two")]
	challenge(one, NAME)
	one.wait_event("challenge-ready")
	for _ in range(8):
		for relay in relays:
			seen = validate(relay.port)
			check(is_proof(*seen), f"{relay.label}: {seen}")
	challenge(two, NAME)
	two.wait_event("challenge-refused", code="acme-busy")
	equal(two.events("challenge-ready"), [], "while the other one has it")
	challenge(one)
	two.wait_event("challenge-ready", 40)
	equal(two.events("flow-closed", reason="acme-challenge"), [], "flows before")
	check(is_proof(*validate(relays[0].port)), "now it is the other one's")
	two.wait_event("flow-closed", reason="acme-challenge")


@test
def a_session_that_takes_over_takes_the_mark_along(scene):
	relay = scene.relay()
	agent = challenged(scene, relay, [terminate(NAME, "tcp://127.0.0.1:9")], authority().agent("agent", NAME))
	challenge(agent, NAME)
	agent.wait_event("challenge-ready")
	agent.kill()
	relay.wait_event("session-down")
	agent.start()
	agent.wait_event("challenge-accepted")
	check(is_proof(*validate(relay.port)), "after a crash")


# ---- the protocol, and those who do not keep to it ----

def raw(scene, relay, *names, certificate=None):
	session = scene.keep(Session(relay, certificate or authority().agent("raw", *names)))
	session.up()
	for number, name in enumerate(names, 1):
		equal(session.announce(number, name), 0, name)
	return session


def mark(session, number, name, endpoint):
	return session.announce(MARK + number, name, fact(PENDING, struct.pack(">I", endpoint)))


@test
def a_mark_is_at_an_accepted_endpoint_of_this_very_name(scene):
	relay = scene.relay()
	session = raw(scene, relay, NAME, "*.any.example.com")
	for what, name, endpoint, code in (
			("an endpoint that is not there", NAME, 9, ENDPOINT_UNKNOWN), ("another name", "b.example.com", 1, NAME_INVALID),
			("a wildcard", "*.any.example.com", 2, NAME_INVALID), ("a name below it", "a.any.example.com", 2, NAME_INVALID),
			("its own", NAME, 1, 0)):
		equal(mark(session, 1, name, endpoint), code, what)
	equal([mark(session, number, NAME, 1) for number in range(2, 66)], [0] * 63 + [ENDPOINT_LIMIT], "many at the same")
	equal(mark(raw(scene, relay, NAME), 1, NAME, 1), ACME_BUSY, "that of another host")
	equal(session.announce(2, "b.example.com"), 20, "a refusal of an endpoint leaves the others alone")
	session.send(b"\0\5\4" + struct.pack(">I", 1))
	equal(session.answers(64), {MARK + number: ENDPOINT_UNKNOWN for number in range(1, 65)}, "when their endpoint is withdrawn")


@test
def no_agent_answers_for_a_name_of_another_one(scene):
	"""He may be granted it by a wildcard, or at all; while its own agent serves it he is not asked."""
	relay = scene.relay()
	agent = challenged(scene, relay, [terminate(NAME, "tcp://127.0.0.1:9")], authority().agent("agent", NAME))
	thief = scene.keep(Session(relay, authority().agent("thief", "*.example.com")))
	thief.up()
	equal(thief.announce(1, NAME), 21, "the endpoint")
	equal(mark(thief, 1, NAME, 1), ENDPOINT_UNKNOWN, "the mark without it")
	equal(thief.announce(2, "*.example.com"), 0, "what is his")
	equal(mark(thief, 1, NAME, 2), NAME_INVALID, "the mark by the wildcard")
	challenge(agent, NAME)
	agent.wait_event("challenge-ready")
	check(is_proof(*validate(relay.port)), "the agent of the name is asked")


@test
def who_loses_the_name_loses_the_mark(scene):
	relay = scene.relay()
	first = scene.keep(Session(relay, authority().agent("first", "*.example.com")))
	first.up()
	equal(first.announce(1, NAME), 0, "a name by a wildcard")
	equal(mark(first, 1, NAME, 1), 0, "and its mark")
	agent = challenged(scene, relay, [terminate(NAME, "tcp://127.0.0.1:9")], authority().agent("agent", NAME))
	equal(first.answers(2), {1: 21, MARK + 1: ENDPOINT_UNKNOWN}, "when the agent of this very name has come")
	challenge(agent, NAME)
	agent.wait_event("challenge-ready")
	check(is_proof(*validate(relay.port)), "the new one is asked")


@test
def who_is_asked_and_does_not_answer_keeps_nobody_else_busy(scene):
	"""Another agent of the name cannot answer in his place, and all other clients go on."""
	relay = scene.relay()
	certificate = authority().agent("agent", NAME)
	upstream = scene.upstream(http)
	agent = scene.agent(relay, [terminate(NAME, upstream)], certificate)
	silent = raw(scene, relay, NAME, certificate=certificate)
	equal(mark(silent, 1, NAME, 1), 0, "the mark")
	scene.keep(dial(relay.port, hello(NAME, alpn=[ACME])))
	relay.wait_event("move", machine="flow", to="taking")
	equal(curl(relay.port, NAME, authority().root)[:2], (0, b"hello"), "a client like all")
	equal(agent.events("flow-closed", reason="client-handshake-failed"), [], "flows that the other one was asked for")
	waiting = scene.keep(dial(relay.port, hello(NAME, alpn=[ACME])))
	relay.wait_event("move", machine="flow", to="taking", count=3)
	silent.close()
	equal(alert_of(waiting), NO_PROTOCOL, "without the mark it is routed as all are")


main()
