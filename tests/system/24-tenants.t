#!/usr/bin/env -S python3 -B
"""Tenants share a relay: ceilings hold for all that is minted below them, and nobody starves the others."""
import os
import signal
import ssl
import threading
import time

from lib import *
from lib.process import SANITIZED
from lib.session import *


def tenant(name, *ceiling):
	"""Who has a sub-CA of his own: a function that mints agents, as many as he likes."""
	authority().pki("sub", name, "--permit", f"dns:{name}.example", "--no-password", *ceiling)

	def mint(agent, *hosts):
		return authority().agent(f"{name}-{agent}", *(hosts or (f"{agent}.{name}.example",)), options=("--issuer", name))
	return mint


def connect(scene, relay, certificate, **keys):
	"""(session, 0 or the code of its refusal)."""
	peer = scene.keep(Session(relay, certificate))
	peer.hello(**keys)
	kind, body = peer.next()
	return peer, 0 if kind == WELCOME else struct.unpack_from(">H", body, 4)[0]


@test
def minted_names_do_not_raise_a_ceiling_of_sessions(scene):
	mint = tenant("acme", "--max-sessions", "1")
	relay = scene.relay()
	codes = [connect(scene, relay, mint(f"n{i}"))[1] for i in range(5)]
	equal(codes, [0, 9, 9, 9, 9], "session-limit")
	refusal = relay.wait_event("session-refused", code="session-limit")[0]
	check("maxSessions of the CA 'CN=Test acme,O=Test' is 1" in refusal["message"], refusal["message"])
	equal(connect(scene, relay, authority().agent("other", "other.example.com"))[1], 0, "another tenant")


@test
def minted_names_do_not_raise_a_ceiling_of_flows(scene):
	mint = tenant("brio", "--max-flows", "2")
	relay = scene.relay(workers=2)
	upstream = scene.upstream(lambda s: (skip_hello(s), echo(s)))
	names = [f"n{i}.brio.example" for i in range(3)]
	for i, name in enumerate(names):
		scene.agent(relay, [passthrough(name, upstream)], mint(f"n{i}"), label=f"agent{i}")
	served = 0
	for name in names * 2:
		client = scene.keep(dial(relay.port, hello(name) + b"in"))
		served += read_exactly(client, 2) == b"in"
	equal(served, 2, "flows")
	refusal = relay.wait_event("flow-refused")[0]
	check("maxFlows of the CA 'CN=Test brio,O=Test' is 2" in refusal["error"], refusal["error"])


@test
def a_session_that_replaces_its_predecessor_counts_once(scene):
	certificate = tenant("corp", "--max-sessions", "1")("host")
	relay = scene.relay(workers=2)
	instance, start = os.urandom(16), os.urandom(8)
	peer, code = connect(scene, relay, certificate, instance=instance, start=start)
	equal(code, 0, "the first")
	for again in range(3):
		after, code = connect(scene, relay, certificate, instance=instance, start=start)
		equal(code, 0, f"the same process, {again}")
		equal(peer.goodbye(), (GOODBYE, 8), "replaced")
		peer = after
	for again in range(3):	# the machine is restarted again and again, and its old sessions are silent
		peer, code = connect(scene, relay, certificate, instance=instance)
		equal(code, 0, f"a process after the other, {again}")
	equal(connect(scene, relay, certificate)[1], 9, "another instance")


@test
def a_copy_beside_a_living_agent_must_have_room(scene):
	certificate = tenant("dual", "--max-sessions", "1")("host")
	relay = scene.relay()
	instance = os.urandom(16)
	first, code = connect(scene, relay, certificate, instance=instance)
	equal(code, 0, "the first")
	reader = threading.Thread(target=first.next, daemon=True)	# it answers pings
	reader.start()
	copy, code = connect(scene, relay, certificate, instance=instance)
	equal(code, 0, "until it is known")
	equal(copy.goodbye(), (GOODBYE, 9), "session-limit")
	equal(connect(scene, relay, certificate)[1], 9, "the first one has its place again")
	check(reader.is_alive(), "the first one lives")


@test
def limits_without_a_number_are_the_relays_and_obey_a_reload(scene):
	relay = scene.relay(limits={"sessions_per_identity": 2})
	certificate = authority().agent("free", "free.example.com")
	equal([connect(scene, relay, certificate)[1] for _ in range(3)], [0, 0, 9], "the default")
	relay.write({**relay.settings, "limits": {"sessions_per_identity": 3}})
	relay.reload()
	relay.wait_event("reloaded")
	equal([connect(scene, relay, certificate)[1] for _ in range(2)], [0, 9], "after the reload")
	refusal = relay.wait_event("session-refused", count=2)[1]
	check("limits.sessions_per_identity of the relay is 3, and 'free' of 'CN=Test agents,O=Test' has" in refusal["message"], refusal["message"])


@test
def who_has_most_is_refused_first(scene):
	mint = tenant("heavy")
	relay = scene.relay(limits={"sessions": 40, "endpoints": 40})
	codes = [connect(scene, relay, mint(f"n{i % 3}"))[1] for i in range(40)]
	had = codes.count(0)
	check(36 <= had < 40 and set(codes[had:]) == {9}, f"the heavy tenant has {had}")
	for i in range(40 - had):
		equal(connect(scene, relay, authority().agent(f"light{i}", f"l{i}.example.com"))[1], 0, "a light one")
	equal(len(relay.events("session-down")), 0, "sessions lost")


@test
def a_tenant_whose_clients_want_all_flows_leaves_some(scene):
	"""They come from so many networks that none of these has more than anybody else's."""
	relay = scene.relay(workers=2, limits={"flows": 34})
	upstream = scene.upstream(lambda s: (skip_hello(s), echo(s)))
	for name in ("busy", "calm"):
		scene.agent(relay, [passthrough(f"{name}.example.com", upstream)],
			authority().agent(name, f"{name}.example.com"), label=name)

	def is_served(name, network):
		client = scene.keep(dial(relay.port, hello(f"{name}.example.com") + b"in", source=f"127.1.{network}.1"))
		return read_exactly(client, 2) == b"in"

	equal(sum(is_served("busy", network) for network in range(40)), 32, "sixteen times the two that are left")
	check("limits.flows of the relay is 34" in relay.wait_event("flow-refused")[0]["error"], "the sentence")
	check(is_served("calm", 50) and is_served("calm", 51), "another tenant's clients")


@test
def who_has_most_channels_idle_makes_room_for_others(scene):
	"""Channels that were needed once stay parked; they must not keep anybody out for ever."""
	relay = scene.relay(limits={"channels": 40}, pool={"ping_interval": "1s"})
	upstream = scene.upstream(lambda s: (skip_hello(s), echo(s)))
	scene.agent(relay, [passthrough("fat.example.com", upstream)], authority().agent("fat", "fat.example.com"),
		label="fat", agent={"pool": {"least": 40}})
	relay.wait_event("channel-refused", code="pool-full", agent="fat")

	def is_served(name):
		with dial(relay.port, hello(name) + b"in") as client:
			return client.recv(1) == b"i"

	for name in [f"thin{n}.example.com" for n in range(6)]:
		scene.agent(relay, [passthrough(name, upstream)], authority().agent(name, name), label=name)
		until(lambda: is_served(name), 40, f"{name} is served beside idle channels")
	check(is_served("fat.example.com"), "who has made room is served, too")


@test
def the_last_session_is_had_by_who_has_none(scene):
	"""Many with one session each have all of them, and a CA in common."""
	mint = tenant("crowd")
	relay = scene.relay(workers=2, limits={"sessions": 6})
	peers = [connect(scene, relay, mint(f"n{i}")) for i in range(6)]
	equal([code for _, code in peers], [0] * 6, "the crowd")
	equal(connect(scene, relay, mint("n6"))[1], 9, "one more name of the crowd")
	certificate, instance, start = authority().agent("alone", "alone.example.com"), os.urandom(16), os.urandom(8)
	alone, code = connect(scene, relay, certificate, instance=instance, start=start)
	equal(code, 0, "who has none")
	equal(peers[5][0].goodbye(), (GOODBYE, 9), "the newest of the crowd: session-limit")
	down = relay.wait_event("session-down", code="session-limit")[0]
	equal(down["agent"], "crowd-n5")
	equal(connect(scene, relay, mint("n5"))[1], 9, "it is not let in at the cost of others")
	for again in range(3):
		after, code = connect(scene, relay, certificate, instance=instance, start=start)
		equal(code, 0, f"who replaces its predecessor, {again}")
		equal(alone.goodbye(), (GOODBYE, 8), "replaced")
		alone = after
	equal(len(relay.events("session-down", code="session-limit")), 1, "sessions that made room")


@test
def the_last_endpoint_is_had_by_who_has_none(scene):
	relay = scene.relay(workers=2, limits={"endpoints": 4})
	many, _ = connect(scene, relay, authority().agent("many", *(f"m{i}.example.com" for i in range(1, 6))))
	equal([many.announce(i, f"m{i}.example.com") for i in range(1, 6)], [0, 0, 0, 0, 24], "all there are")
	few, _ = connect(scene, relay, authority().agent("few", "few.example.com"))
	equal(few.announce(1, "few.example.com"), 0, "who has none")
	equal(many.answers(1), {4: 24}, "its newest: endpoint-limit")
	equal(many.announce(4, "m4.example.com"), 24, "and once more")
	refused = relay.wait_event("endpoint-refused", agent="many", code="endpoint-limit", count=2)
	check("limits.endpoints of the relay is 4" in refused[1]["message"], refused[1]["message"])


@test
def the_last_channel_is_had_by_who_has_none(scene):
	relay = scene.relay(workers=2, limits={"channels": 16}, pool={"ping_interval": "1h"})
	upstream = scene.upstream(lambda s: (skip_hello(s), echo(s)))
	scene.agent(relay, [passthrough("fat.example.com", upstream)], authority().agent("fat", "fat.example.com"),
		label="fat", agent={"pool": {"least": 17}})
	relay.wait_event("channel-refused", code="pool-full", agent="fat")
	scene.agent(relay, [passthrough("thin.example.com", upstream)], authority().agent("thin", "thin.example.com"),
		label="thin")
	for name in ("thin", "fat"):
		with dial(relay.port, hello(f"{name}.example.com") + b"in") as client:
			equal(read_exactly(client, 2), b"in", name)


@test
def two_agents_of_one_name_are_told_apart_in_the_log(scene):
	tenants = ("aone", "atwo")
	for name in tenants:
		authority().pki("sub", name, "--permit", f"dns:{name}.example", "--no-password")
		authority().pki("issue", "agent", f"{name}-good", "--identity", "good", "--host", f"www.{name}.example",
			"--issuer", name)
	relay = scene.relay()
	upstream = scene.upstream(lambda s: (skip_hello(s), echo(s)))
	for name in tenants:
		issued = f"{authority().dir}/issued/{name}-good"
		scene.agent(relay, [passthrough(f"www.{name}.example", upstream)], (issued + ".crt", issued + ".key"), label=name)
		with dial(relay.port, hello(f"www.{name}.example") + b"in") as client:
			equal(read_exactly(client, 2), b"in")
	issuers = [f"CN=Test {name},O=Test" for name in tenants]
	closed = relay.wait_event("flow-closed", count=2)
	equal([event["issuer"] for event in closed], issuers, "issuers of the flows")
	equal(len({event["issuer_key"] for event in closed}), 2, "keys of the issuers")
	for daemon in scene.daemons[1:]:
		daemon.stop()
	for event in ("session-up", "endpoint-up", "session-down"):
		lines = relay.wait_event(event, count=2)
		equal({line["agent"] for line in lines}, {"good"}, event)
		equal({line["issuer"] for line in lines}, set(issuers), event)


@test_over(*[type(word, (), {"__name__": word, "bodies": bodies, "most": most}) for word, bodies, most in (
	("refusals of one name", lambda i: [frame(ANNOUNCE, announcement(1, "not.granted.example"))], 1),
	("refusals of ever new names", lambda i: [frame(ANNOUNCE, announcement(i, f"n{i}.example"))], 32),
	("one endpoint up and down", lambda i: [frame(ANNOUNCE, announcement(1, "loop.example.com")),
		frame(WITHDRAW, struct.pack(">I", 1))], 62),
	("drains", lambda i: [frame(DRAIN, struct.pack(">I", 30000))], 1),
	("pings", lambda i: [frame(PING, struct.pack(">QQ", i, 0))], 0))])
def what_an_agent_does_in_a_loop_fills_no_log(scene, way):
	relay = scene.relay(log={"level": "info"})
	peer, code = connect(scene, relay, authority().agent("loop", "loop.example.com"))
	equal(code, 0)
	relay.wait_event("session-up")
	before = len(relay.events())
	frames = [f for i in range(1, 301) for f in way.bodies(i)]
	reader = threading.Thread(target=lambda: [None for _ in iter(peer.next, None)], daemon=True)
	reader.start()
	started = time.monotonic()
	peer.send(*frames)
	peer.send(frame(GOODBYE, struct.pack(">H", 11) + b"\0\4over"))
	relay.wait_event("session-down", 20)
	seconds = time.monotonic() - started
	check(seconds > len(frames) / 200 - 2, f"{len(frames)} frames were taken in {seconds:.1f} s")
	lines = [e["event"] for e in relay.events()[before:] if e["event"] not in ("session-down", "endpoint-lines-suppressed")]
	equal(len(lines), way.most, f"lines: {lines[:70]}")
	told = lambda: sum(e["refusals"] + e["changes"] for e in relay.events("endpoint-lines-suppressed"))
	wanted = {1: 299, 32: 268, 62: 538}[way.most] if way.bodies(1)[0][2] == ANNOUNCE else 0
	until(lambda: told() >= wanted, what="the number is told behind the session's end")
	relay.signal(signal.SIGTERM)
	equal(relay.wait(), 0, "exit status")	# and all of the log is there
	equal(told(), wanted, "what is told as a number")


@test
def who_connects_again_and_again_fills_no_log(scene):
	certificate = authority().agent("again", "again.example.com")
	relay = scene.relay(log={"level": "info"})
	for _ in range(100):
		peer = Session(relay, certificate)
		peer.up()
		equal(peer.announce(1, "not.granted.example"), 20, "name-not-granted")
		peer.close()
	relay.signal(signal.SIGTERM)
	equal(relay.wait(), 0)
	told = len(relay.events("session-up"))
	check(60 <= told <= 70, f"{told} sessions are told of")
	equal(sum(event["sessions"] for event in relay.events("session-lines-suppressed")), 100 - told, "and the others counted")
	equal(len(relay.events("endpoint-refused")), told, "refusals")
	equal(len(relay.events("session-down")), told, "ends")


def is_refused(peer):
	"""By an alert in place of an answer."""
	try:
		peer.hello()
		check(peer.next() is None, "admitted")
	except (ssl.SSLError, OSError):
		pass
	peer.close()


@test
def refused_certificates_that_a_tenant_mints_fill_no_log(scene):
	mint = tenant("gone")
	certificates = [mint(f"n{i}") for i in range(4)]
	authority().revoke("gone")
	relay = scene.relay(limits={"sessions_per_second": 0})
	for certificate in certificates * 20:
		peer = Session(relay, certificate)
		is_refused(peer)
	relay.wait_event("log-lines-suppressed", of="agent-refused")
	told = relay.events("agent-refused", code="certificate-revoked")
	check(60 <= len(told) < 80, f"{len(told)} lines for 80 refusals")
	is_refused(Session(relay, authority().client("no-agent")))
	relay.wait_event("agent-refused", code="unknown-ca")


JUNK = fact(40000, b"x" * 3400)		# a fact that may be skipped, and fills a frame


@test
def what_an_announcement_brings_counts_by_its_size(scene):
	"""It is kept for as long as the endpoint, whether its relay knows what it means or not."""
	mint = tenant("bulky")
	relay = scene.relay(limits={"endpoints": 100})
	fat, _ = connect(scene, relay, mint("many", "*.many.bulky.example"))
	codes = [fat.announce(n, f"n{n}.many.bulky.example", JUNK) for n in range(1, 11)]
	check(codes.count(0) <= 7 and set(codes[7:]) == {24}, f"answers to announcements of 3.4 KB: {codes}")
	lean, _ = connect(scene, relay, mint("lean"))
	equal(lean.announce(1, "lean.bulky.example"), 0, "one of 40 bytes")


DRY = fact(17)
DRY_SESSIONS, DRY_NAMES = 16, 250


@test
def dry_runs_keep_nothing_on_the_relay(scene):
	"""They count towards no limit, so whatever they left there would be bounded by none."""
	if SANITIZED:
		skip("a sanitizer keeps what was freed")
	mint = tenant("rehearsal")
	relay = scene.relay(limits={"endpoints_per_session": DRY_NAMES, "sessions_per_second": 0})
	certificate = mint("many", "*.many.rehearsal.example")
	peers = [connect(scene, relay, certificate, oldest=2, facts=DRY)[0] for _ in range(DRY_SESSIONS)]
	before = relay.memory_kib()
	for at in range(1, DRY_NAMES, 50):
		for peer in peers:
			peer.send(*(frame(ANNOUNCE, announcement(n, f"n{n}.many.rehearsal.example", JUNK)) for n in range(at, at + 50)))
		for peer in peers:
			equal(set(peer.answers(50).values()), {0}, "answers")
	grew = relay.memory_kib() - before
	sent = DRY_SESSIONS * DRY_NAMES * len(JUNK) // 1024
	check(grew < sent // 4, f"{grew} KiB kept of {sent} KiB that were rehearsed")
	equal(peers[0].announce(DRY_NAMES + 1, "last.many.rehearsal.example"), 24, "one more than a session may announce")


main()
