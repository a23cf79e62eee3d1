#!/usr/bin/env -S python3 -B
"""Memory of thousands of flows goes back to the system within a minute of their end."""
import os
import resource
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
from lib import *
from lib.costs import status

STATIC, SEALED, OPEN = "static.example.com", "sealed.example.com", "open.example.com"
FLOWS, SECONDS, FACTOR = 2500, 60, 1.5


def memory(daemons):
	"""What each has allocated, and what is resident of it."""
	return {daemon.label: (status(daemon)["memory"] // 1024, daemon.memory_kib()) for daemon in daemons}


def settled(daemons, seconds=SECONDS):
	"""The same so long after now."""
	time.sleep(seconds)
	return memory(daemons)


def raw(relay, name):
	wire = hello(name)

	def one():
		client = dial(relay.port, wire, timeout=60)
		read_exactly(client, len(wire))
		return client
	return one


def through_tls(relay, name):
	def one():
		client = TlsClient(relay.port, name, authority().root, timeout=60)
		client.sendall(bytes(1000))
		got = 0
		while got < 1000:
			got += len(client.recv())
		return client
	return one


def is_used(when, now, before):
	"""Most of what is resident is what is held."""
	for who in now:
		there = now[who][0] - before[who][0] + before[who][1]
		check(now[who][1] <= FACTOR * there, f"{who}, {when}: {now[who][1]} KiB resident, of which {there} are used")


def wave(label, daemons, one, count, before, stay=0):
	"""So many flows at a time, each of which has carried something, and then so many of them for a minute."""
	began = time.monotonic()
	held = [one() for _ in range(count)]
	most = memory(daemons)
	print(f"# {count} flows, {label}: held after {time.monotonic() - began:.0f} s; KiB allocated and resident: {most}")
	is_used(label, most, before)
	for client in held[stay:]:
		client.close()
	if stay > 0:
		now = settled(daemons)
		print(f"# {stay} of them {SECONDS} s later: {now}")
		is_used("with some of them left", now, before)
	for client in held[:stay]:
		client.close()


@test
def what_flows_have_taken_is_given_back(scene):
	resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
	upstream = scene.upstream(echo)
	relay = scene.relay(start=False, routes=[route(STATIC, upstream)], log={"level": "info"},
		limits={"flows_per_client": 0}, pool={"most": 256})
	relay.most_files = 65536
	relay.start()
	agent = scene.agent(relay, [passthrough(SEALED, upstream), terminate(OPEN, upstream)],
		authority().agent("agent", SEALED, OPEN), start=False, log={"level": "info"})
	agent.most_files = 65536
	agent.start()
	scene.wait_serving(agent, 2)
	daemons = [relay, agent]
	for name in (raw(relay, STATIC), raw(relay, SEALED), through_tls(relay, OPEN)):
		name().close()
	before = settled(daemons, 5)
	print(f"# before: KiB allocated and resident: {before}")
	wave("static", daemons, raw(relay, STATIC), FLOWS, before)
	wave("sealed, passed through", daemons, raw(relay, SEALED), FLOWS, before, stay=FLOWS * 2 // 3 - 1)
	wave("sealed, terminated", daemons, through_tls(relay, OPEN), FLOWS // 2, before)
	after = settled(daemons)
	print(f"# {SECONDS} s after: KiB allocated and resident: {after}")
	for label in before:
		check(after[label][1] <= FACTOR * before[label][1], f"{label}: {after[label]} KiB, before {before[label]}")


main()
