#!/usr/bin/env -S python3 -B
"""Strangers against clients: each attack does harm without its bound, and none with the defaults."""

from victims import *
from lib.authority import CONNECT_NAME
from lib.process import SANITIZED

ATTACKER = "127.66.6.6"
NEIGHBOUR = "127.200.0.9"	# of HONEST
STALLED = 60
# Without the bound they hold 2.3 GB of a small host's memory, which is all that its kernel has for TCP (net.ipv4.tcp_mem).
READERS = 900
# A kernel that is short of TCP memory drops what comes, now from this connection and now from that.
DOWNLOADS = 6


def kernel_mb(port):
	"""What the kernel holds for the relay's connections."""
	return kernel_bytes("sport", "=", f":{port}")[1] / 1e6


def shim(scene):
	"""A library that takes TCP_NOTSENT_LOWAT from whoever loads it: the environment for that."""
	if SANITIZED:
		skip("a sanitizer's runtime does not share a program with a library that replaces setsockopt()")
	return {"LD_PRELOAD": compiled(scene, "unbounded", "-shared", "-fPIC")}


def kernel_mb_under_stalled_readers(scene, label, environment, **settings):
	pouring = scene.keep(AttackedUpstream("pour"))
	relay = scene.relay(label, start=False, routes=[route(BULK_NAME, pouring.url)], **settings)
	relay.environment = environment
	relay.start()
	with Attackers("stalled", relay.port, BULK_NAME, STALLED, ATTACKER):
		until(lambda: takes_no_more(relay, pouring.port, STALLED), 120, "the relay takes nothing more from any upstream")
		held = kernel_mb(relay.port)
	relay.stop()
	return held / STALLED


@test
def stalled_readers_hold_little_of_the_kernels_memory(scene):
	off = kernel_mb_under_stalled_readers(scene, "off", shim(scene), limits={"memory": "off"})
	on = kernel_mb_under_stalled_readers(scene, "defaults", {})
	print(f"# one stalled reader holds {off * 1000:.0f} KB of kernel memory without the bound, {on * 1000:.0f} KB with it")
	check(off > 1, "without the bound it is megabytes")
	check(on < 0.25, "with it a quarter of one at most")


@measured_test
def stalled_readers_leave_the_others_alone(scene):
	off = Town(scene, "off", shim(scene), limits={"memory": "off"})
	harmful(off, "bulk", Attackers("stalled", off.relay.port, ATTACKED_BULK, READERS, ATTACKER), downloads=DOWNLOADS)
	town = Town(scene, "defaults")
	harmless(town, Attackers("stalled", town.relay.port, ATTACKED_BULK, READERS, ATTACKER), downloads=DOWNLOADS)
	equal(town.relay.events("flow-closed", reason="stalled-memory"), [], "while there is memory nobody is ended")


@measured_test
def a_replayed_session_hello_buys_no_handshakes(scene):
	# What handshakes take from flows is bounded by the loop's turns, too; the harm that is left is the processor's.
	attack = [CONNECT_NAME, 600, ATTACKER]
	cost_off = cpu_per_connection(Town(scene, "off", limits={"sessions_per_second": 0}), attack)
	town = Town(scene, "defaults")
	harmless(town, *(Attackers("sessions", town.relay.port, *attack) for _ in range(2)))
	cost_on = cpu_per_connection(town, attack)
	print(f"# a session hello costs {cost_off * 1e6:.0f} us of CPU without the bound, {cost_on * 1e6:.0f} us with it")
	check(cost_off > 2 * cost_on, "without the bound each is worth a handshake")


def cpu_per_connection(town, attack):
	with Attackers("sessions", town.relay.port, *attack) as attackers:
		before = town.relay.processor_seconds()
		time.sleep(3)
		used = town.relay.processor_seconds() - before
	return used / max(1, int(attackers.said[0])) * (float(attackers.said[1]) / 3)


def wait_for_a_channel_ms(scene, label, attackers_from, waiting=300):
	"""How long a client waits whose agent has few channels, behind a stranger's many flows for the same name."""
	relay = scene.relay(label, pool={"least": 1, "most": 2}, log={"level": "info"})
	upstream = scene.upstream(slow_echo)
	scene.agent(relay, [passthrough(SERVED, upstream)], authority().agent("honest", SERVED), label=f"{label}-agent",
		agent={"pool": {"most": 2}})
	with Attackers("idle", relay.port, SERVED, waiting, attackers_from):
		began = time.monotonic()
		try:
			with dial(relay.port, hello(SERVED), timeout=15, source=HONEST) as stream:
				served = stream.recv(5)[:1] == b"\x16"
		except OSError:
			served = False
		waited = (time.monotonic() - began) * 1000
	relay.kill()
	return waited if served else 15000


def slow_echo(stream):
	time.sleep(0.02)
	echo(stream)


@test
def flows_that_wait_for_a_channel_wait_by_turns(scene):
	behind = wait_for_a_channel_ms(scene, "same-block", HONEST)
	beside = wait_for_a_channel_ms(scene, "other-block", ATTACKER)
	next_door = wait_for_a_channel_ms(scene, "next-door", NEIGHBOUR)
	print(f"# a client waits {behind:.0f} ms behind 300 flows of its own block, {beside:.0f} ms beside those of another, "
		f"{next_door:.0f} ms beside those of a neighbour")
	check(beside < 1000, "beside a stranger's flows a client waits for one turn")
	check(next_door < 1000, "beside those of one from its own network, too")


FLOWS = 200


@measured_test
def one_network_cannot_have_all_flows(scene):
	off = Town(scene, "off", limits={"flows": FLOWS})
	harmful(off, "new flows", Attackers("idle", off.relay.port, ATTACKED, 2 * FLOWS, *sources(2 * FLOWS)))
	town = Town(scene, "defaults", limits={"flows": FLOWS})
	harmless(town, Attackers("idle", town.relay.port, ATTACKED, 2 * FLOWS, *sources(1, 20)))


def most_descriptors(scene, label, **settings):
	town = Town(scene, label, **settings)
	before, most = town.relay.descriptors(), 0
	with Attackers("refused", town.relay.port, "nobody.example.com", 0, ATTACKER):
		for _ in range(40):
			time.sleep(0.05)
			most = max(most, town.relay.descriptors() - before)
	return most


@measured_test
def lingering_refusals_are_few(scene):
	off = most_descriptors(scene, "off", limits={"hellos": 1000000})
	on = most_descriptors(scene, "bounded", limits={"hellos": 100})
	town = Town(scene, "defaults")
	harmless(town, Attackers("refused", town.relay.port, "nobody.example.com", 1000, ATTACKER))
	print(f"# refusals that linger: {off} without a bound, {on} where 100 may")
	check(off > 200, "without the bound they pile up")
	check(on < 130, "with it no more than may")


JUNK, REFUSALS_A_SECOND, FLOOD_SECONDS = b"GET / HTTP/1.0\r\n\r\n", 10000, 3


def flooded(scene, town, event):
	"""(refusals, lines of the event, bytes of log) a second, beside nothing else."""
	began, size, before = time.monotonic(), os.path.getsize(town.relay.log_path), len(town.relay.events(event))
	with Flood(scene, town.relay.port, JUNK, 0, *sources(250)) as flood:
		time.sleep(FLOOD_SECONDS)
	until(lambda: len(town.relay.events("log-lines-suppressed")) > 0, what="the second is over")
	seconds = time.monotonic() - began
	lines = len(town.relay.events(event)) - before
	written = (os.path.getsize(town.relay.log_path) - size) / seconds
	print(f"# {town.label}: {flood.rate:.0f} refused connections a second, {lines / seconds:.0f} lines and {written / 1e3:.0f} KB "
		"of log a second", flush=True)
	return flood.rate, lines / seconds, written


@measured_test
def refusals_do_not_fill_the_log(scene):
	# No setting takes the bound away, but moves of state machines have none, which are only written at level debug.
	_, harm, written = flooded(scene, Town(scene, "off", log={"level": "debug"}), "move")
	check(harm > 1000 and written > 100000, "without the bound each connection makes lines")
	town = Town(scene, "defaults")
	rate, lines, _ = flooded(scene, town, "hello-refused")
	check(lines <= 100 + 100 / FLOOD_SECONDS, "at most 100 lines a second, in as many seconds as have begun")
	check(rate >= REFUSALS_A_SECOND, f"only {rate:.0f} connections a second were refused")
	harmless(town, Flood(scene, town.relay.port, JUNK, REFUSALS_A_SECOND, *sources(250)))


FLOWS_A_SECOND, FLOOD_A_SECOND = 2000, 4000


class FloodOfFlows(Flood):
	"""It has begun when what may begin in a second is used up: there is a second's worth to begin with."""

	def __init__(self, scene, town, *sources):
		super().__init__(scene, town.relay.port, hello(NOWHERE), FLOOD_A_SECOND, *sources)
		self.relay = town.relay

	def __enter__(self):
		super().__enter__()
		self.relay.wait_event("flow-refused", code="over-limit")


@measured_test
def a_flood_of_flows_costs_the_flood(scene):
	limits = {"flows_per_second": FLOWS_A_SECOND}
	for label, shows, whose in (("one-block", harmful, [HONEST]), ("own-block", harmless, sources(1, 20))):
		town = Town(scene, label, limits=limits)
		flood = FloodOfFlows(scene, town, *whose)
		shows(town, *["new flows"] * (shows == harmful), flood)
		print(f"# {flood.rate:.0f} flows a second have an answer, of {FLOWS_A_SECOND} that may be")
	town = Town(scene, "defaults")
	harmless(town, *(Attackers("churn", town.relay.port, ATTACKED, 1000, *sources(1, 20)) for _ in range(2)))


main()
