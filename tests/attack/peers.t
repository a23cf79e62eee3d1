#!/usr/bin/env -S python3 -B
"""Tenants and relays against those who share with them: harm without the bound, none with it."""
import struct

from victims import *
from lib.session import *

SOURCES = sources(200)


def served_p99_ms(relay, samples=100):
	wire, times = hello(SERVED), []
	for _ in range(samples):
		began = time.monotonic()
		try:
			with dial(relay.port, wire, timeout=3, source=HONEST) as stream:
				served = stream.recv(5)[:1] == b"\x16"
		except OSError:
			served = False
		times.append((time.monotonic() - began) * 1000 if served else 3000)
		if times.count(3000) > 5:
			break
	return sorted(times)[int(len(times) * 0.99) - 1]


def beside_a_relay_that_opens_without_end(scene, label, is_own_relay):
	"""p99 of an honest relay's clients, undisturbed and while a relay has opened all flows that there may be."""
	relays = [scene.relay(f"{label}-{n}", log={"level": "info"}) for n in ("honest", "hostile")]
	scene.agent(relays, [passthrough(SERVED, scene.upstream(echo))], authority().agent("honest", SERVED),
		label=f"{label}-agent", limits={"flows": 60}, log={"level": "info"})
	before = served_p99_ms(relays[0])
	with Attackers("idle", relays[0 if is_own_relay else 1].port, SERVED, 200, *SOURCES):
		during = served_p99_ms(relays[0])
	print(f"# {label}: p99 {before:.1f} ms undisturbed, {during:.1f} ms under attack")
	return before, during


@test
def a_relay_that_opens_flows_without_end_leaves_the_others_alone(scene):
	_, harm = beside_a_relay_that_opens_without_end(scene, "off", True)
	equal(harm, 3000, "counted as one with the honest relay's flows, they take everything")
	before, during = beside_a_relay_that_opens_without_end(scene, "defaults", False)
	check(during < 3000, "with a share for each relay all are served")
	check(not IS_FULL or during <= FLOWS_RATIO * before + FLOWS_SLACK_MS, "and as soon as ever")


def sessions_of_minted(scene, label, tenant, *ceiling):
	authority().pki("sub", tenant, "--permit", f"dns:{tenant}.example", "--no-password", *ceiling)
	relay = scene.relay(label, log={"level": "info"})
	up = 0
	for n in range(20):
		certificate = authority().agent(f"{tenant}-{n}", f"n{n}.{tenant}.example", options=("--issuer", tenant))
		session = scene.keep(Session(relay, certificate))
		session.hello()
		up += session.next()[0] == WELCOME
	return up


@test
def minting_names_buys_no_sessions(scene):
	free = sessions_of_minted(scene, "off", "free")
	bound = sessions_of_minted(scene, "ceiling", "tight", "--max-sessions", "1")
	print(f"# 20 minted agents have {free} sessions without a ceiling, {bound} below one of 1")
	equal((free, bound), (20, 1), "sessions")


SESSIONS_LIMITS = {"handshakes": 16, "channel_handshakes": 16}


def clients_beside_sessions(scene, label, **limits):
	"""How many of 20 clients at a time are served while an agent has as many sessions as it can get."""
	relay = scene.relay(label, start=False, routes=[route(PLAIN, scene.upstream(echo))], log={"level": "info"},
		limits=dict(SESSIONS_LIMITS, **limits))
	relay.most_files = 256
	relay.start()
	certificate = authority().agent("many", "many.example.com")
	sessions = 0
	for _ in range(300):
		try:
			session = scene.keep(Session(relay, certificate, timeout=2))
			session.hello()
			if session.next()[0] != WELCOME:
				break
		except (OSError, TypeError):
			break
		sessions += 1
	wire, served = hello(PLAIN), 0
	for _ in range(20):
		try:
			stream = scene.keep(dial(relay.port, wire, timeout=2, source=HONEST))
			served += stream.recv(5)[:1] == b"\x16"
		except OSError:
			pass
	print(f"# {label}: {sessions} sessions, {served} of 20 clients served")
	return served


@test
def sessions_leave_clients_their_descriptors(scene):
	off = clients_beside_sessions(scene, "off", agent_descriptors=100000, sessions=1000, sessions_per_identity=1000)
	check(off < 20, "without shares clients are turned away")
	equal(clients_beside_sessions(scene, "defaults"), 20, "clients served")


ROUNDS = 3000
LINES_MOST = 60 + 2 * 2 + 10	# a minute has 60, two for each endpoint, and what is said once


@measured_test
def announcing_and_withdrawing_without_end_costs_the_session_its_own_time(scene):
	"""The budget of frames cannot be switched off; what was sent tells what would be without it."""
	town = Town(scene, "defaults")
	session = scene.keep(Session(town.relay, authority().agent("loop", "loop.example.com")))
	session.up()
	before = town.tell("undisturbed", town.measured())
	size = os.path.getsize(town.relay.log_path)
	session.stream.settimeout(0.2)
	sent, began = 0, time.monotonic()
	try:
		for n in range(ROUNDS):
			session.send(frame(ANNOUNCE, announcement(1, "loop.example.com")), frame(WITHDRAW, struct.pack(">I", 1)),
				frame(PING, bytes(12)), frame(DRAIN, bytes(4)), frame(ANNOUNCE, announcement(2, "other.example.com")))
			sent += 5
	except OSError:
		pass	# the relay does not read any faster
	during = town.tell("under attack", town.measured())
	grown = os.path.getsize(town.relay.log_path) - size
	lines = [e for e in town.relay.events() if e.get("agent") == "loop"]
	print(f"# {sent} frames sent in {time.monotonic() - began:.1f} s, {len(lines)} lines about it, {grown / 1e3:.0f} KB of log")
	equal(during.troubles(before), [], "what suffers")
	check(len(lines) <= LINES_MOST, "most of a loop is told as a number")
	check(sent > 1000, "the loop was long enough to show it")


main()
