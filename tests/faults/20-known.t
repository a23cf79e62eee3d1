#!/usr/bin/env -S python3 -B
"""Names whose agents are away: the relay stands still, is killed, and is asked by more clients than may wait."""
import collections
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
from lib import *

AGENTS, NAMES_EACH = 20, 2
STILL = 30		# seconds


def name_of(agent, number):
	return f"n{number}.a{agent}.example.com"


def names():
	return [name_of(agent, number) for agent in range(AGENTS) for number in range(NAMES_EACH)]


def serve_all(scene, relay):
	upstream = scene.upstream(echo)
	agents = [scene.agent(relay, [passthrough(name_of(i, number), upstream) for number in range(NAMES_EACH)],
		authority().agent(f"agent{i}", f"*.a{i}.example.com"), label=f"agent{i}") for i in range(AGENTS)]
	for agent in agents:
		agent.wait_parked(2)
	return agents


class Crowd:
	"""Clients that come at a steady rate, each from an address of its own and for the next name: what each of them heard,
	and after how long."""

	def __init__(self, port, rate, patience):
		self.port, self.patience, self.results, self.threads = port, patience, [], []
		self.over = threading.Event()
		self.clock = threading.Thread(target=self._come, args=(1 / rate,))
		self.clock.start()

	def _come(self, pause):
		wires = [hello(name) for name in names()]
		began, number = time.monotonic(), 0
		while not self.over.is_set():
			thread = threading.Thread(target=self._one, args=(wires[number % len(wires)],
				f"127.1.{number // 200}.{number % 200 + 1}"))
			thread.start()
			self.threads.append(thread)
			number += 1
			self.over.wait(max(0, began + number * pause - time.monotonic()))

	def _one(self, wire, source):
		came = time.monotonic()
		try:
			with dial(self.port, wire, timeout=self.patience, source=source) as stream:
				first = stream.recv(7)
				heard = "served" if first[:1] == b"\x16" else f"alert {first[6]}" if len(first) == 7 else "closed"
		except ConnectionRefusedError:
			heard = "refused"
		except ConnectionResetError:
			heard = "reset"
		except TimeoutError:
			heard = "nothing"
		self.results.append((came, time.monotonic(), heard))

	def leave(self):
		self.over.set()
		self.clock.join()
		for thread in self.threads:
			thread.join()
		return collections.Counter(heard for _, _, heard in self.results)


def tell(counts, results, since, what):
	good = [end - came for came, end, heard in results if heard == "served" and came >= since]
	last = max((came for came, _, heard in results if heard != "served"), default=since)
	print(f"# {what}: {dict(counts)}; nobody who came {max(0, last - since):.1f} s after that or later was refused; "
		f"the longest wait was {max(good, default=0):.1f} s", flush=True)
	return last - since


@test
def a_relay_that_stood_still_tells_nobody_that_a_name_is_unknown(scene):
	relay = scene.relay()
	serve_all(scene, relay)
	crowd = Crowd(relay.port, 20, STILL + 30)
	relay.freeze()
	time.sleep(STILL)	# the fault itself: the agents take it for dead, and their sessions end
	relay.thaw()
	thawed = time.monotonic()
	time.sleep(15)
	counts = crowd.leave()
	last = tell(counts, crowd.results, thawed, f"stopped for {STILL} s")
	equal(counts["alert 112"], 0, "clients who heard that nobody has their name")
	equal(counts["nothing"] + counts["reset"], 0, "clients who heard nothing")
	check(last < 6, f"a client that came {last:.1f} s after the relay went on was refused")


@test
def a_relay_that_was_killed_knows_its_names_again(scene):
	relay = scene.relay()
	serve_all(scene, relay)
	known = f"{scene.state('relay')}/known-names"
	until(lambda: os.path.exists(known) and all(f"\n{name}\n" in open(known).read() for name in names()),
		what="all names are in the file")
	crowd = Crowd(relay.port, 20, 30)
	relay.kill()
	time.sleep(1)
	relay.start()
	back = time.monotonic()
	time.sleep(15)
	counts = crowd.leave()
	last = tell(counts, crowd.results, back, "killed, and back after a second")
	equal(counts["alert 112"], 0, "clients who heard that nobody has their name")
	equal(counts["nothing"], 0, "clients who heard nothing")
	check(last < 6, f"a client that came {last:.1f} s after the relay was back was refused")


@test
def no_more_than_1024_wait_and_others_are_refused_at_once(scene):
	relay = scene.relay(limits={"hello_timeout": "60s"})
	upstream = scene.upstream(echo)
	away = [f"n{i}.away.example.com" for i in range(8)]
	gone = scene.agent(relay, [passthrough(name, upstream) for name in away],
		authority().agent("gone", "*.away.example.com"), label="gone")
	here = scene.agent(relay, [passthrough("app.example.com", upstream)], authority().agent("here", "app.example.com"),
		label="here")
	here.wait_parked()
	gone.kill()
	relay.wait_event("session-down")
	wires, streams, began = [hello(name) for name in away], [], time.monotonic()
	for number in range(1100):
		streams.append(scene.keep(dial(relay.port, wires[number % 8], source=f"127.0.{number // 11}.1")))
	refused = until(lambda: len(relay.events("flow-refused")) >= 76 and relay.events("flow-refused"), 4,
		"those beyond 1024 are refused before the others' 5 s are over")
	took = time.monotonic() - began
	with dial(relay.port, hello("app.example.com")) as stream:
		check(stream.recv(1) == b"\x16", "another name is served meanwhile")
	equal([event["alert"] for event in refused[:76]], [80] * 76, "alerts")
	print(f"# {len(refused)} of 1100 were refused within {took:.1f} s", flush=True)
	heard = collections.Counter(alert_of(stream) for stream in streams)
	equal(heard, {80: 1100}, "what they have heard in the end")


main()
