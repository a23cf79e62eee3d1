#!/usr/bin/env -S python3 -B
"""Descriptors are shared out: agents cannot take those of clients, nor clients those of agents."""
import os
import re
import resource
import struct

from lib import *
from lib.session import REFUSED, WELCOME, Session

STATIC, MANY = "static.example.com", "many.example.com"
SESSION_LIMIT = 9


def tight(scene):
	"""A relay with room for some 15 sessions and 47 flows."""
	relay = scene.relay(start=False, routes=[route(STATIC, scene.upstream(echo))],
		limits={"handshakes": 16, "channel_handshakes": 16, "flows_per_client": 1000})
	relay.most_files = 256
	return relay.start()


def bounds(relay):
	return relay.wait_event("relay-up")[0]


def echoes(relay):
	wire = hello(STATIC)
	with dial(relay.port, wire) as client:
		return read_exactly(client, len(wire)) == wire


def fill_sessions(scene, relay):
	"""Until one is refused: (how many came in, the code)."""
	certificate = authority().agent("many", MANY)
	for count in range(1000):
		session = Session(relay, certificate)
		session.hello()
		if (last := session.next())[0] == WELCOME:
			scene.keep(session)
			continue
		session.close()
		equal(last[0], REFUSED)
		return count, struct.unpack_from(">H", last[1], 4)[0]


def fill_flows(scene, relay, count):
	wire = hello(STATIC)
	for _ in range(count):
		read_exactly(scene.keep(dial(relay.port, wire)), len(wire))


@test
def check_and_the_start_say_how_many_each_may_have(scene):
	relay = tight(scene)
	status, out, err = run("prlimit", "--nofile=256:256", PROGRAMS["relay"], "check", "-c", relay.config_path)
	equal(status, 0, err)
	told = bounds(relay)
	said = re.search(r"descriptors: (\d+), of these (\d+) for agents, (\d+) for clients, (\d+) for the relay",
		out.decode())
	whole, agents, clients, own = map(int, said.groups())
	equal(whole, 256)
	equal(agents + clients + own, 256)
	equal((told["agent_descriptors"], told["client_descriptors"]), (agents, clients))
	check(f"limits.flows: {told['flows']}, not 100000: there are too few descriptors" in out.decode(), out)
	check(f"limits.sessions: {told['sessions']}, not 10000: " in out.decode(), out)
	check(told["flows"] * 2 < clients and told["sessions"] + told["channels"] < agents, told)


@test
def sessions_leave_clients_alone(scene):
	relay = tight(scene)
	most = bounds(relay)["sessions"]
	count, code = fill_sessions(scene, relay)
	check(most * 3 // 4 <= count <= most, f"{count} of {most} sessions")	# one tenant gets nearly all
	equal(code, SESSION_LIMIT)
	equal(relay.wait_event("session-refused")[0]["code"], "session-limit")
	fill_flows(scene, relay, bounds(relay)["flows"] - 1)
	check(echoes(relay), "a client is served")
	scene.streams.pop(0).close()
	until(lambda: relay.events("session-down"), what="a session has ended")
	equal(fill_sessions(scene, relay), (1, SESSION_LIMIT))
	equal(relay.events("accept-paused"), [])


@test
def clients_leave_agents_alone(scene):
	relay = tight(scene)
	fill_flows(scene, relay, bounds(relay)["flows"])
	with dial(relay.port, hello(STATIC)) as client:
		equal(alert_of(client), 80)
	for _ in range(60):	# hellos that never come
		scene.keep(dial(relay.port))
	served = "served.example.com"
	scene.agent(relay, [terminate(served, scene.upstream(http))], authority().agent("agent", served))
	scene.streams.pop(0).close()
	until(lambda: curl(relay.port, served, authority().root)[:2] == (0, b"hello"), 10, "the agent's client is served")


LINGERING = 100


def descriptors_grown(scene, **keys):
	"""By sessions one after the other, none of which lets go of its connection."""
	relay = scene.relay(start=False, limits={"handshakes": 16, "sessions_per_identity": 1})
	relay.most_files = 256
	relay.start()
	certificate = authority().agent("many", MANY)
	scene.keep(Session(relay, certificate)).up(**keys)
	before = most = relay.descriptors()
	for _ in range(LINGERING):
		session = scene.keep(Session(relay, certificate))
		session.hello(**keys)
		check(session.next()[0] in (WELCOME, REFUSED), "an answer")
		most = max(most, relay.descriptors())
	equal(relay.events("accept-paused"), [])
	return most - before


@test
def a_refused_session_that_stays_counts_until_it_is_closed(scene):
	check(descriptors_grown(scene) <= 20, "as many as there may be lingering refusals")


@test
def a_replaced_session_that_stays_counts_until_it_is_closed(scene):
	check(descriptors_grown(scene, instance=bytes(16)) <= 20, "as many as there may be lingering refusals")


@test
def surplus_channels_are_closed_and_the_others_serve(scene):
	served = "served.example.com"
	relay = scene.relay(start=False, limits={"agent_descriptors": 200, "sessions": 2},
		pool={"least": 200})
	relay.start()
	most = bounds(relay)["channels"]
	equal(most, 148)
	scene.agent(relay, [terminate(served, scene.upstream(http))], authority().agent("agent", served))
	relay.wait_event("channel-refused", code="pool-full")
	for _ in range(60):
		equal(curl(relay.port, served, authority().root)[:2], (0, b"hello"))


@test
def a_client_beside_an_agent_is_no_worse_off_than_others(scene):
	relay = scene.relay(routes=[route(STATIC, scene.upstream(echo))], limits={"agent_descriptors": 200, "sessions": 2})
	session = scene.keep(Session(relay, authority().agent("many", MANY)))
	session.up()
	wire = hello(STATIC)
	slow = relay.wait_hello(lambda: scene.keep(dial(relay.port, wire[:10])))
	for _ in range(30):	# as an agent's channels, before their hellos come; there are 25 places for them
		relay.wait_hello(lambda: scene.keep(dial(relay.port)))
	slow.sendall(wire[10:])
	equal(read_exactly(slow, len(wire)), wire, "what the client hears that came first")
	equal(relay.events("hello-refused"), [], "refused hellos")


@test
def a_reload_changes_how_many_sessions_there_may_be(scene):
	relay = scene.relay(limits={"agent_descriptors": 40, "channel_handshakes": 4})
	before, _ = fill_sessions(scene, relay)
	relay.settings["limits"]["agent_descriptors"] = 80
	relay.write(relay.settings)
	relay.reload()
	relay.wait_event("reloaded")
	more, code = fill_sessions(scene, relay)
	equal(code, SESSION_LIMIT)
	check(10 <= before <= 18 and 10 <= more <= 20, f"{before} sessions, and {more} more")


# ---- the system takes some back, as an operator may, or another program that uses up the host's ----

CROWD = 19


def numbers(daemon):
	return {int(fd) for fd in os.listdir(f"/proc/{daemon.pid}/fd")}


def allow(daemon, count):
	"""From now on it may have so many; returns how many there were."""
	soft, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
	resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (count, hard))
	return soft


def allow_none(daemon):
	"""Not one descriptor more than it has, once it has come to rest."""
	most = [0, 1]
	until(lambda: (most.append(len(numbers(daemon))), most[-1] == most[-2])[1], what="it opens nothing more")
	return allow(daemon, min(set(range(most[-1] + 1)) - numbers(daemon)))


@test
def whoever_comes_when_descriptors_are_used_up_hears_so(scene):
	relay = scene.relay(routes=[route(STATIC, scene.upstream(echo))])
	check(echoes(relay), "a client is served")
	whole = allow_none(relay)
	crowd = [scene.keep(dial(relay.port, hello(STATIC))) for _ in range(CROWD)]
	for client in crowd:
		equal(alert_of(client), 80)
	equal(len(relay.events("accept-paused")), 1, "lines, for all of them")
	allow(relay, whole)
	until(lambda: fine(echoes, relay) and relay.events("accept-resumed"), what="clients are served again")
	resumed, = relay.events("accept-resumed")
	check(resumed["refused"] >= CROWD, resumed)
	equal(len(relay.events("accept-paused")), 1, "lines, until it is over")


def fine(question, *arguments):
	"""False, too, where the client hears an alert or a reset."""
	try:
		return question(*arguments)
	except (OSError, EOFError):
		return False


@test
def what_is_left_then_is_for_agents(scene):
	relay = scene.relay(routes=[route(STATIC, scene.upstream(echo))])
	fill_flows(scene, relay, 20)
	holes = set(range(max(numbers(relay)) + 1)) - numbers(relay)
	for _ in holes:
		relay.wait_hello(lambda: scene.keep(dial(relay.port)))
	allow(relay, max(numbers(relay)) + 4)	# of which two are for handshakes
	relay.wait_event("descriptors-changed")
	with dial(relay.port, hello(STATIC), source="127.0.7.1") as client:	# who would else displace somebody
		equal(alert_of(client), 80)
	refused, = relay.wait_event("flow-refused")
	check("kept for agents" in refused["error"], refused)
	scene.keep(Session(relay, authority().agent("many", MANY))).up()
	equal(relay.events("accept-paused"), [])


SERVED = "served.example.com"


@test
def an_agents_want_of_descriptors_is_not_its_upstreams(scene):
	relay = scene.relay()
	upstream = scene.tls_upstream(http, SERVED)
	agent = scene.agent(relay, [passthrough(SERVED, {"url": upstream.url, "health": {"check": "tcp"}})],
		authority().agent("agent", SERVED))
	relay.wait_parked()

	def is_served():
		return curl(relay.port, SERVED, authority().root)[:2] == (0, b"hello")

	check(is_served(), "a client is served")
	relay.wait_parked(5)
	whole = allow_none(agent)
	for count in (1, 2):
		equal(curl(relay.port, SERVED, authority().root)[0], 35, "what curl says to an alert")
		agent.wait_event("flow-closed", reason="connect-short", count=count)
	equal(len(agent.events("connect-short")), 1, "lines, for all of them")
	equal(agent.events("flow-closed", reason="upstream-down"), [])
	allow(agent, whole)
	until(lambda: is_served() and agent.events("connect-resumed"), what="clients are served again")
	equal(agent.events("upstream-unhealthy"), [])


@test
def nobody_waits_for_an_agent_that_cannot_dial(scene):
	relay = scene.relay()
	identity, upstream = authority().agent("agent", SERVED), scene.upstream(echo)
	short = scene.agent(relay, [passthrough(SERVED, upstream)], identity, "short")
	relay.wait_parked()
	whole, wire = allow(short, 1), hello(SERVED)
	for _ in range(5):	# the first four use what is parked
		with dial(relay.port, wire) as client:
			equal(alert_of(client), 80)
	refused = relay.wait_event("flow-refused", count=5)[-1]
	check("the agent lacks descriptors" in refused["error"] and refused["attempts"] == 1, refused)
	other = scene.agent(relay, [passthrough(SERVED, upstream)], identity, "other")
	for _ in range(5):
		with dial(relay.port, wire) as client:
			equal(read_exactly(client, len(wire)), wire, "what the other one sends")
	allow(short, whole)
	other.stop()
	with dial(relay.port, wire) as client:
		equal(read_exactly(client, len(wire)), wire, "once it can dial again")


main()
