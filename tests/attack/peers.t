#!/usr/bin/env -S python3 -B
"""Tenants and relays against those who share with them: harm without the bound, none with it."""
import json
import ssl
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
	scene.agent(relays, [passthrough(SERVED, {"url": scene.keep(UpstreamProgram("echo")).url})], authority().agent("honest", SERVED),
		label=f"{label}-agent", limits={"flows": 60}, log={"level": "info"})
	hostile(relays[1])
	before = served_p99_ms(relays[0])
	with Attackers("idle", relays[0 if is_own_relay else 1].port, SERVED, 200, *SOURCES):
		during = served_p99_ms(relays[0])
	print(f"# {label}: p99 {before:.1f} ms undisturbed, {during:.1f} ms under attack")
	return before, during


@test
def a_relay_that_opens_flows_without_end_leaves_the_others_alone(scene):
	_, harm = beside_a_relay_that_opens_without_end(scene, "off", True)
	equal(harm, 3000, "counted as one with the honest relay's flows, they take everything")
	rounds = [beside_a_relay_that_opens_without_end(scene, f"defaults-{i}", False) for i in range(5 if IS_FULL else 1)]
	check(all(during < 3000 for _, during in rounds), "with a share for each relay all are served")
	over = sorted(during - FLOWS_RATIO * before - FLOWS_SLACK_MS for before, during in rounds)
	check(not IS_FULL or over[len(over) // 2] <= 0, "and as soon as ever")


def town_beside_a_relay(scene, label):
	hostile = scene.relay(f"{label}-hostile", log={"level": "info"})
	return Town(scene, label, agents_limits={"flows": 60}, agents_relays=[hostile]), hostile


@measured_test
def such_a_relay_costs_the_others_nothing(scene):
	town, _ = town_beside_a_relay(scene, "off")
	harmful(town, "new flows", Attackers("idle", town.relay.port, SERVED, 200, *SOURCES))
	town, hostile = town_beside_a_relay(scene, "defaults")
	harmless(town, Attackers("idle", hostile.port, SERVED, 200, *SOURCES))


OPEN, POURED = "open.example.com", "poured.example.com"


def two_relays(scene, label, endpoint, name, **limits):
	"""(the honest relay, the other one, their agent)"""
	relays = [scene.relay(f"{label}-{n}", log={"level": "info"}, limits={"memory": "off"}) for n in ("honest", "hostile")]
	agent = scene.agent(relays, [endpoint], authority().agent(f"agent-of-{name}", name), label=f"{label}-agent", limits=limits,
		log={"level": "info"})
	return *relays, agent


def is_served_in_spite_of_handshakes(scene, label, is_own_relay):
	"""A client that is in the middle of its handshake while a relay brings more of them than there may be."""
	honest, hostile, agent = two_relays(scene, label, terminate(OPEN, scene.upstream(echo)), OPEN, handshakes=4)
	attackers = Attackers("idle", (honest if is_own_relay else hostile).port, OPEN, 12, *SOURCES)

	def flood():
		attackers.__enter__()
		agent.wait_event("flow-closed", 60, 8, reason="displaced")
	try:
		with TlsClient(honest.port, OPEN, authority().root, meanwhile=flood) as client:
			client.sendall(b"in")
			return client.recv() == b"in"
	except (OSError, EOFError, ssl.SSLError):
		return False
	finally:
		attackers.__exit__()


@test
def a_relay_that_brings_handshakes_without_end_leaves_the_others_alone(scene):
	off, on = is_served_in_spite_of_handshakes(scene, "off", True), is_served_in_spite_of_handshakes(scene, "defaults", False)
	print(f"# 12 handshakes that stand still, of 4 that may: who is in one is served: counted together {off}, by relay {on}")
	equal((off, on), (False, True), "served")


PAUSED = 3


def served_in_spite_of_stalled_readers(scene, label, is_own_relay):
	"""How many of PAUSED clients in one network go on when the agent's memory is short."""
	pouring = scene.keep(AttackedUpstream("pour"))
	honest, hostile, agent = two_relays(scene, label, passthrough(POURED, pouring.url), POURED, memory="40MiB")
	paused = [scene.keep(stalled_reader(honest.port, hello(POURED), source=f"127.200.0.{n + 1}")) for n in range(PAUSED)]
	for client in paused:
		read_exactly(client, 1000)
	with Attackers("stalled", (honest if is_own_relay else hostile).port, POURED, 160, *SOURCES):
		agent.wait_event("flow-closed", 60, 20, reason="stalled-memory")
		return sum(goes_on(client) for client in paused)


def goes_on(client):
	try:
		read_exactly(client, 4 << 20)
	except (OSError, EOFError, Failed):
		return False
	return True


@test
def a_relay_whose_clients_read_nothing_leaves_the_others_alone(scene):
	off = served_in_spite_of_stalled_readers(scene, "off", True)
	on = served_in_spite_of_stalled_readers(scene, "defaults", False)
	print(f"# 160 stalled readers: {off} of {PAUSED} who have paused go on where all count together, {on} where relays do")
	check(off < PAUSED, "counted together, who is two in a network pays for many who are one in theirs")
	equal(on, PAUSED, "with a share for each relay all go on")


def flows_of_minted(scene, label, tenant, *ceiling):
	authority().pki("sub", tenant, "--permit", f"dns:{tenant}.example", "--no-password", *ceiling)
	relay, upstream = scene.relay(label, log={"level": "info"}), scene.upstream(echo)
	names, served = [f"n{n}.{tenant}.example" for n in range(3)], 0
	for n, name in enumerate(names):
		certificate = authority().agent(f"{tenant}-{n}", name, options=("--issuer", tenant))
		scene.agent(relay, [passthrough(name, upstream)], certificate, label=f"{label}-{n}", log={"level": "info"})
	for name in 4 * names:
		served += scene.keep(dial(relay.port, hello(name))).recv(5)[:1] == b"\x16"
	return served


@test
def minting_names_buys_no_flows(scene):
	free = flows_of_minted(scene, "off", "wide")
	bound = flows_of_minted(scene, "ceiling", "narrow", "--max-flows", "2")
	print(f"# 3 minted agents have {free} of 12 flows without a ceiling, {bound} below one of 2")
	equal((free, bound), (12, 2), "flows")


ENDPOINTS, WANTED = 12, 4


def endpoints_beside(scene, label, crowd):
	"""How many of WANTED an agent gets when so many others have all that there are, one each."""
	relay = scene.relay(label, log={"level": "info"}, limits={"endpoints": ENDPOINTS})
	for name, certificate in crowd:
		session = scene.keep(Session(relay, certificate))
		session.up()
		session.announce(1, name)
	session = scene.keep(Session(relay, authority().agent("few", "*.few.example.com")))
	session.up()
	return sum(session.announce(n, f"n{n}.few.example.com") == 0 for n in range(1, WANTED + 1))


@test
def minting_names_buys_no_endpoints(scene):
	names = [f"n{n}.mint.example" for n in range(ENDPOINTS)]
	off = endpoints_beside(scene, "off", [(name, authority().agent(f"lone-{name}", name)) for name in names])
	authority().pki("sub", "mint", "--permit", "dns:mint.example", "--no-password")
	on = endpoints_beside(scene, "defaults",
		[(name, authority().agent(f"of-{name}", name, options=("--issuer", "mint"))) for name in names])
	print(f"# beside {ENDPOINTS} agents who have all endpoints another gets {off} of {WANTED} where each counts alone, {on} where they "
		"are of one CA")
	check(off < WANTED, "counted by identity, many with one each keep others out")
	equal(on, WANTED, "endpoints")


CROWD = 8


def is_served_beside_parked(scene, label, crowd):
	"""Whether an agent finds a channel when so many others have parked all that there may be, one each."""
	relay = scene.relay(label, log={"level": "info"}, limits={"channels": CROWD}, pool={"least": 1, "ping_interval": "1h"})
	upstream = scene.upstream(echo)
	for n, (name, certificate) in enumerate(crowd):
		scene.agent(relay, [passthrough(name, upstream)], certificate, label=f"{label}-{n}", log={"level": "info"})
	until(lambda: len(relay.events("endpoint-up")) == CROWD and channels(relay) == CROWD, 60, "all channels are parked")
	scene.agent(relay, [passthrough(SERVED, upstream)], authority().agent("honest", SERVED), label=f"{label}-honest",
		log={"level": "info"})
	with dial(relay.port, hello(SERVED), source=HONEST) as client:
		return client.recv(5)[:1] == b"\x16"


def channels(relay):
	return json.loads(run(relay.program, "status", "-c", relay.config_path)[1])["channels"]


@test
def minting_names_buys_no_channels(scene):
	names = [f"n{n}.park.example" for n in range(CROWD)]
	off = is_served_beside_parked(scene, "off", [(name, authority().agent(f"lone-{name}", name)) for name in names])
	authority().pki("sub", "park", "--permit", "dns:park.example", "--no-password")
	on = is_served_beside_parked(scene, "defaults",
		[(name, authority().agent(f"of-{name}", name, options=("--issuer", "park"))) for name in names])
	print(f"# beside {CROWD} agents who have parked all channels another's client is served: {off} where each counts alone, {on} "
		"where they are of one CA")
	equal((off, on), (False, True), "served")


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


MINTED = 30


@measured_test
def minting_costs_the_others_nothing(scene):
	"""Who mints takes all sessions and endpoints that there are, and a new agent finds room beside him."""
	authority().pki("sub", "swarm", "--permit", "dns:swarm.example", "--no-password")
	names = [f"n{n}.swarm.example" for n in range(MINTED)]
	certificates = [authority().agent(f"of-{name}", name, options=("--issuer", "swarm")) for name in names]
	town = Town(scene, "defaults", limits={"sessions": MINTED // 2, "endpoints": MINTED // 2})

	def swarm():
		for name, certificate in zip(names, certificates):
			session = scene.keep(Session(town.relay, certificate))
			session.hello()
			if session.next()[0] == WELCOME:
				session.announce(1, name)
	harmless(town, Begun(swarm))


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
