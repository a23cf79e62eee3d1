#!/usr/bin/env -S python3 -B
"""What clients notice where connections are lost in silence, and where more of them come than channels are parked."""
import os
import random
import socket
import sys
import threading
import time
from datetime import datetime

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
from lib import *
from lib.lab import Lab, want_lab

want_lab()

NAME = "app.example.com"
AGENTS, CLIENTS, SECONDS = 20, 200, 10
BACK_WITHIN = 5
POOL, DELAY_MS, SLACK = 4, 25, 0.3	# seconds of a busy machine


class Client(threading.Thread):
	"""Comes once, with a hello, and wants its echo.  `took`: seconds; None: it has failed, and `why` says how."""

	def __init__(self, place, relay, name):
		super().__init__(daemon=True)
		self.place, self.relay, self.name, self.took, self.why = place, relay, name, None, "it hangs"
		self.came = time.monotonic()
		self.start()

	def run(self):
		wire = hello(self.name)
		try:
			with self.place:
				stream = dial(self.relay.port, wire, host=self.place.lab.places[0].address, timeout=30)
			with stream:
				first = stream.recv(1, socket.MSG_PEEK)
				got = read_exactly(stream, len(wire)) if first == wire[:1] else stream.recv(100)
			self.why = "" if got == wire else f"it reads {got[:20]!r}"
		except (OSError, EOFError) as error:
			self.why = repr(error)
		if not self.why:
			self.took = time.monotonic() - self.came


def laboratory(scene, slow=False):
	lab = Lab(scene)
	street = lab.place("street")
	home, anywhere = lab.place("home", slow=slow, relay=street), lab.place("anywhere")
	with home:
		upstream = scene.upstream(echo)
	return street, home, anywhere, upstream


def seconds_of(event):
	return datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()


def served(clients):
	for client in clients:
		client.join(60)
	return [client.took for client in clients if client.took is not None]


def figures(times):
	times = sorted(times)
	return f"median {times[len(times) // 2]:.2f} s, 95 % {times[len(times) * 95 // 100]:.2f} s, longest {times[-1]:.2f} s"


@test
def a_nat_that_forgets_everything_costs_an_agent_a_client_at_most(scene):
	street, home, anywhere, upstream = laboratory(scene)
	relay = scene.relay(place=street, workers=2)
	names = [f"a{number}.example.com" for number in range(AGENTS)]
	for name in names:
		scene.agent(relay, [passthrough(name, upstream)], authority().agent(f"agent-of-{name}", name), name, place=home)
	equal(len(served([Client(anywhere, relay, name) for name in names])), AGENTS, "clients that are served before")
	lost = home.forget()
	began, clock = time.monotonic(), time.time()
	coming = [names[number % AGENTS] for number in range(CLIENTS)]
	random.shuffle(coming)
	clients = []
	for number, name in enumerate(coming):
		time.sleep(max(0, began + number * SECONDS / CLIENTS - time.monotonic()))
		clients.append(Client(anywhere, relay, name))
	times = served(clients)
	back = [seconds_of(event) - clock for event in relay.events("session-up") if seconds_of(event) > clock]
	failed = [client for client in clients if client.took is None]
	print(f"# {lost} connections of {AGENTS} agents are forgotten; the agents are back after {min(back):.1f} to {max(back):.1f} s")
	print(f"# of {CLIENTS} clients in {SECONDS} s {len(failed)} fail; the others are answered after: {figures(times)}")
	for client in failed:
		print(f"# a client of {client.name} that came after {client.came - began:.1f} s: {client.why}")
	equal(len(back), AGENTS, "agents that are back")
	check(max(back) <= BACK_WITHIN, f"the last agent is back after {max(back):.1f} s")
	for name in names:
		count = sum(client.name == name for client in failed)
		check(count <= 1, f"{count} clients of {name} have failed")


@test
def a_burst_of_ten_times_the_pool_costs_time_and_no_client(scene):
	street, home, anywhere, upstream = laboratory(scene, slow=True)
	relay = scene.relay(place=street, workers=2, pool={"least": POOL})
	scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("agent", NAME), place=home)
	home.delay(DELAY_MS)
	single = []
	for _ in range(5):
		single += served([Client(anywhere, relay, NAME)])
		relay.wait_parked(POOL + len(single))
	times = served([Client(anywhere, relay, NAME) for _ in range(10 * POOL)])
	alone = sorted(single)[len(single) // 2]
	print(f"# with a round trip of {2 * DELAY_MS} ms a client alone is answered after {alone * 1000:.0f} ms,"
		f" {10 * POOL} at once with {POOL} channels parked after: {figures(times)}")
	equal(len(times), 10 * POOL, "clients that are served")
	# To a dial belong half a round trip of `need`, one of TCP, and one and a half of TLS; 32 are under way at once.
	dial_s = 3 * 2 * DELAY_MS / 1000
	check(max(times) <= alone + 2 * dial_s + SLACK, f"the last one was answered after {max(times):.2f} s")


main()
