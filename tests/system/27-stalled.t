#!/usr/bin/env -S python3 -B
"""Readers that do not read: what they hold, what they cost others, and who ends them."""
import time

from lib import *

NAME = "app.example.com"
WIRE = hello(NAME)
READERS = 20
# Of what is sent. Without a bound on what is unsent it is 4 MB.
KERNEL_MOST = 250 * 1000


@test
def a_stalled_reader_holds_little_of_the_kernel(scene):
	upstream = scene.upstream(pour)
	relay = scene.relay(routes=[route(NAME, upstream)])
	for _ in range(READERS):
		scene.keep(stalled_reader(relay.port, WIRE))
	until(lambda: takes_no_more(relay, upstream.port, READERS), 60, "the readers are stalled")
	count, near = kernel_bytes("sport", "=", f":{relay.port}")
	_, far = kernel_bytes("dport", "=", f":{upstream.port}")
	print(f"# a stalled reader holds {near / count / 1000:.0f} KB on its own side,"
		f" {far / count / 1000:.0f} KB on the upstream's")
	equal(count, READERS, "connections")
	check(near <= KERNEL_MOST * READERS, f"{near / count:.0f} bytes each")


def served(scene, relay, name, serve):
	scene.agent(relay, [terminate(name, scene.upstream(serve))], authority().agent("agent", name))


@test
def a_reader_that_pauses_gets_all_of_it_through_tls(scene):
	relay = scene.relay()
	served(scene, relay, NAME, http)
	with TlsClient(relay.port, NAME, authority().root) as client:
		client.sendall(b"GET /bytes/20000000 HTTP/1.0\r\n\r\n")
		got = len(client.recv(1000))
		time.sleep(2)
		while part := client.recv():
			got += len(part)
	check(got > 20000000, f"{got} bytes")


def ended(daemon, reason):
	return daemon.wait_event("flow-closed", 20, reason=reason)[0]


@test
def a_route_and_an_endpoint_may_bound_a_standstill(scene):
	"""And nobody else is ended for one."""
	agents, patient = "served.example.com", "patient.example.com"
	pouring = scene.upstream(pour)
	relay = scene.relay(routes=[dict(route(NAME, pouring), stall_timeout="3s"), route(patient, pouring)])
	scene.agent(relay, [passthrough(agents, pouring, stall_timeout="3s")], authority().agent("other", agents))
	alive = scene.keep(stalled_reader(relay.port, hello(patient)))
	began = time.monotonic()
	scene.keep(stalled_reader(relay.port, WIRE))
	equal(ended(relay, "stalled")["route"], NAME)
	check(3 <= time.monotonic() - began < 10, f"after {time.monotonic() - began:.1f} s")
	scene.keep(stalled_reader(relay.port, hello(agents)))
	agent = scene.daemons[-1]
	equal(ended(agent, "stalled")["server_name"], agents)
	equal(ended(relay, "upstream-reset")["server_name"], agents)
	check(len(relay.events("flow-closed")) == 2, "the patient route's flow lives")
	check(read_exactly(alive, 1 << 20), "and goes on")


@test
def the_relay_may_bound_flows_over_agents(scene):
	relay = scene.relay(stall_timeout="3s")
	scene.agent(relay, [passthrough(NAME, scene.upstream(pour))], authority().agent("agent", NAME))
	scene.keep(stalled_reader(relay.port, WIRE))
	equal(ended(relay, "stalled")["server_name"], NAME)
	ended(scene.daemons[-1], "client-reset")


ATTACKER = "127.0.66.6"	# in another /24 than everybody else here
ATTACKERS = 160


def attack(scene, relay):
	for _ in range(ATTACKERS):
		scene.keep(stalled_reader(relay.port, WIRE, source=ATTACKER))


def evicted(relay):
	return relay.events("flow-closed", reason="stalled-memory")


def takes_on(stream):
	"""A pause is over: bytes come without an end."""
	return len(read_exactly(stream, 4 << 20)) == 4 << 20


@test
def when_memory_is_short_the_heaviest_blocks_readers_go(scene):
	pouring = scene.upstream(pour)
	relay = scene.relay(routes=[route(NAME, pouring), route("idle.example.com", scene.upstream(echo))],
		limits={"memory": "48MiB"})
	paused = [scene.keep(stalled_reader(relay.port, WIRE)) for _ in range(3)]
	wire = hello("idle.example.com")
	idle = scene.keep(dial(relay.port, wire))
	read_exactly(idle, len(wire))
	time.sleep(3)	# they have waited longest of all
	equal(evicted(relay), [], "while memory is fine")
	attack(scene, relay)
	until(lambda: len(evicted(relay)) >= ATTACKERS // 4, 20, "flows are ended")
	time.sleep(2)
	gone = evicted(relay)
	equal([flow["client"] for flow in gone if not flow["client"].startswith(ATTACKER)], [], "others that are gone")
	held = sum(kernel_bytes(side, "=", f":{port}")[1] for side, port in (("sport", relay.port), ("dport", pouring.port)))
	print(f"# {len(gone)} of {ATTACKERS} are gone, the others hold {held >> 20} MiB of the kernel's memory")
	check(held > 12 << 20, "no more are gone than had to: a third of what they may hold is held")
	check(relay.events("memory-pressure"), "it is told")
	for stream in paused:
		check(takes_on(stream), "a paused download goes on")
	idle.sendall(b"still here")
	equal(read_exactly(idle, 10), b"still here")


@test
def a_reload_sets_or_takes_off_the_bound(scene):
	relay = scene.relay(routes=[route(NAME, scene.upstream(pour))], limits={"memory": "off"})
	attack(scene, relay)
	time.sleep(4)
	equal(evicted(relay), [], "without a bound")
	relay.settings["limits"]["memory"] = "16MiB"
	relay.write(relay.settings)
	relay.reload()
	until(lambda: evicted(relay), 10, "flows are ended")


@test
def a_bound_says_what_it_may_be(scene):
	relay = scene.relay(start=False, routes=[route(NAME, "tcp://127.0.0.1:9")], limits={"memory": "1MiB"})
	status, _, err = run(PROGRAMS["relay"], "check", "-c", relay.config_path)
	check(status == 78 and "write auto, off or a size of 16MiB or more" in err, err)
	for said, told in (("off", "off"), ("64MiB", "64 MiB")):
		relay.settings["limits"]["memory"] = said
		relay.write(relay.settings)
		out = run(PROGRAMS["relay"], "check", "-c", relay.config_path)[1].decode()
		check(f"limits.memory: {told}\n" in out, out)


main()
