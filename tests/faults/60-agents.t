#!/usr/bin/env -S python3 -B
"""Agents of one name under 500 flows a second: one dies, is silent, stands by, is started anew; and a reader of 1 KB/s beside
100 fast ones."""
import json
import os
import signal
import statistics
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
from lib import *
from lib.attempts import Attempts, LoadUpstream, now_us
from lib.lab import Lab, want_lab
from lib.process import BUILD

NAME = "app.example.com"
RATE = 500
HEARTBEAT_S = 10
HELD_BACK_S = 30
want_lab()


class Stage:
	"""A relay and its clients in one place, and some agents, each in its own with an upstream beside it."""

	def __init__(self, scene):
		self.scene, self.lab, self.pki = scene, Lab(scene), Authority()
		self.where = self.lab.place("relay")
		port = 8443
		self.relay = scene.relay(port=port, place=self.where, listener={"address": f"0.0.0.0:{port}"},
			log={"level": "info"})
		self.certificate = authority().agent("agent", NAME)
		self.servers = {}

	def agent(self, label, **keys):
		place = self.lab.place(label, relay=self.where)
		upstream = self.scene.keep(LoadUpstream(self.scene.dir, place.popen))
		self.servers[label] = self.pki.issue("server", label, "--host", NAME)
		certificate, key = self.servers[label]
		endpoint = {"name": "app", "url": f"tls://{NAME}", "upstream": {"url": upstream.url}, **keys,
			"agent_tls_termination": {"server_certificate": certificate, "server_private_key": key}}
		agent = self.scene.agent(self.relay, [endpoint], self.certificate, label, place=place, log={"level": "info"})
		return agent, place

	def attempts(self, sources=1):
		groups = [f"client{i},{NAME},127.0.1.{i + 1},1" for i in range(sources)]
		return self.scene.keep(Attempts(self.relay.port, self.pki.root, RATE, groups, popen=self.where.popen))


def failed(flows):
	return [flow for flow in flows if not flow[3].startswith("ok ")]


def tell(what, flows, since_us):
	"""Figures of those that have begun since then; those of them that failed."""
	after = [flow for flow in flows if flow[1] >= since_us]
	times = sorted(ended - began for _, began, ended, _ in after)
	slow = sum(t > 1_000_000 for t in times)
	print(f"# {what}: {len(after)} flows began after it, {len(failed(after))} failed, {slow} took more than 1 s, "
		f"the longest {times[-1] / 1e6:.2f} s, half of them at most {statistics.median(times) / 1e3:.1f} ms", flush=True)
	return failed(after)


def none(flows, what):
	check(not flows, f"{what}: {len(flows)}, such as {flows[:3]}")


def serial_of(certificate):
	code, out, err = run("openssl", "x509", "-in", certificate, "-noout", "-serial")
	equal(code, 0, err)
	return int(out.strip().partition(b"=")[2], 16)


def servers_of(flows):
	"""The serial numbers of those who have answered."""
	return {int(flow[3][3:], 16) for flow in flows if flow[3].startswith("ok ")}


def killed(agent, place):
	agent.kill()


def silenced(agent, place):
	"""As if its host had lost its power, or its way: nobody is told."""
	place.cut()


@test_over(killed, silenced)
def one_of_two_agents_dies_and_no_flow_after_it_fails(scene, dies):
	stage = Stage(scene)
	agents = [stage.agent(label) for label in ("one", "two")]
	attempts = stage.attempts()
	attempts.wait_more(2 * RATE)
	dies(*agents[0])
	died = now_us()
	attempts.wait_begun(died, 10 * RATE)
	flows = attempts.end()
	agents[0][1].heal()
	before = failed([flow for flow in flows if flow[1] < died])
	print(f"# {len(before)} of those that were under way failed with it", flush=True)
	none(tell(f"an agent {dies.__name__}", flows, died), "flows that began after it and failed")


@test
def an_agent_that_stands_by_takes_over_and_hands_back(scene):
	stage = Stage(scene)
	first, place = stage.agent("first")
	stage.agent("second", priority=1)
	serials = {label: serial_of(stage.servers[label][0]) for label in ("first", "second")}
	attempts = stage.attempts()
	attempts.wait_more(2 * RATE)
	place.cut()
	gone = now_us()
	attempts.wait_begun(gone + (HELD_BACK_S + 2) * 1_000_000)
	place.heal()
	first.wait_event("endpoint-up", 60, count=2)
	back = now_us()
	attempts.wait_begun(back + (HELD_BACK_S + 3) * 1_000_000, RATE)
	flows = attempts.end()

	def between(from_us, to_us):
		return [flow for flow in flows if from_us <= flow[1] and flow[2] < to_us]

	equal(servers_of(between(0, gone)), {serials["first"]}, "who serves before")
	late = [flow for flow in between(gone + HEARTBEAT_S * 1_000_000, back) if flow[2] - flow[1] > 1_000_000]
	none(tell("the first agent is silent", flows, gone), "flows that failed")
	none(late, "flows that took more than a second, a heartbeat later")
	equal(servers_of(between(gone + 1_000_000, back)), {serials["second"]}, "who serves meanwhile")
	equal(servers_of(between(back, back + (HELD_BACK_S - 2) * 1_000_000)), {serials["second"]}, "who serves while it is held back")
	equal(servers_of(between(back + (HELD_BACK_S + 1) * 1_000_000, flows[-1][2])), {serials["first"]}, "who serves then")


@test
def three_agents_are_started_anew_twice_and_no_flow_is_lost(scene):
	stage = Stage(scene)
	agents = [stage.agent(label)[0] for label in ("one", "two", "three")]
	attempts = stage.attempts()
	for agent in 2 * agents:
		attempts.wait_more(RATE)
		agent.signal(signal.SIGTERM)
		equal(agent.wait(40), 0)
		agent.start()
		scene.wait_serving(agent)
	attempts.wait_more(RATE)
	none(tell("three agents start anew", attempts.end(), 0), "flows that failed")


@test
def a_client_stays_with_its_agent(scene):
	stage = Stage(scene)
	agents = [stage.agent(label, balance="source")[0] for label in ("one", "two", "three")]
	serials = [serial_of(stage.servers[label][0]) for label in ("one", "two", "three")]
	attempts = stage.attempts(sources=60)
	attempts.wait_more(6 * RATE)
	died = now_us()
	agents[0].kill()
	attempts.wait_begun(died, 6 * RATE)
	flows = attempts.end()
	none(tell("an agent is killed", flows, died), "flows that began after it and failed")
	homes = {label: servers_of(flow for flow in flows if flow[0] == label and flow[2] < died) for label in attempts.labels}
	equal({len(home) for home in homes.values()}, {1}, "agents of each client")
	later = {label: servers_of(flow for flow in flows if flow[0] == label and flow[1] > died + 1_000_000) for label in homes}
	for label, home in homes.items():
		if home != {serials[0]}:
			equal(later[label], home, f"the agent of {label}, which lives")
	moved = [later[label] for label in homes if homes[label] == {serials[0]}]
	print(f"# {len(moved)} of {len(homes)} clients had the agent that died; they went to the others", flush=True)
	equal(set.union(*moved), set(serials[1:]), "agents of those that moved")


# ---- a slow reader ----

FAST, ROUNDS, SECONDS = 100, 7, 2
SLOW_BYTES, SLOW_S = 64, 1 / 16	# 1 KB/s
POUR = b"p"	# bench/load/order.h


class SlowReader:
	def __init__(self, relay):
		self.stream = stalled_reader(relay.port, hello(NAME) + POUR)
		self.is_over, self.read = threading.Event(), 0
		self.thread = threading.Thread(target=self._read, daemon=True)
		self.thread.start()

	def _read(self):
		while not self.is_over.wait(SLOW_S):
			self.read += len(self.stream.recv(SLOW_BYTES))

	def close(self):
		self.is_over.set()
		self.thread.join()
		self.stream.close()


def rate_of_fast_ones(scene, relay):
	code, out, err = run(f"{BUILD}/bench/load/load", "down", "--to", str(relay.port), "--name", NAME, "--hello",
		f"{scene.dir}/hello", "--flows", str(FAST), "--warm", "0.5", "--seconds", str(SECONDS))
	equal(code, 0, err)
	result = json.loads(out.splitlines()[-1])
	equal(result["errors"], 0, "flows that failed")
	return result["bytes"] / result["seconds"]


def resident(*daemons):
	return sum(int(line.split()[1]) for daemon in daemons for line in open(f"/proc/{daemon.pid}/status")
		if line.startswith("VmRSS:")) / 1024


@test_over("sealed", "handoff")
def a_slow_reader_takes_nothing_from_fast_ones(scene, carrier):
	relay = scene.relay(log={"level": "info"})
	upstream = scene.keep(LoadUpstream(scene.dir))
	agent = scene.agent(relay, [passthrough(NAME, upstream.url, carrier=carrier)], authority().agent("agent", NAME),
		log={"level": "info"})
	with open(f"{scene.dir}/hello", "wb") as file:
		file.write(hello(NAME))
	rate_of_fast_ones(scene, relay)
	ratios, memory, read = [], [], 0
	for _ in range(ROUNDS):
		alone = rate_of_fast_ones(scene, relay)
		slow = SlowReader(relay)
		beside = rate_of_fast_ones(scene, relay)
		memory.append(resident(relay, agent))
		slow.close()
		read += slow.read
		ratios.append(beside / alone)
	print(f"# {carrier}: beside a slow reader {FAST} fast flows had {100 * statistics.median(ratios):.0f} % of what they had "
		f"alone ({100 * min(ratios):.0f} to {100 * max(ratios):.0f}), {alone / 1e6:.0f} MB/s; it read {read} bytes; relay and "
		f"agent had {memory[0]:.0f} MiB, at the end {memory[-1]:.0f}", flush=True)
	check(read > 0, "the slow reader has read")
	check(statistics.median(ratios) >= 0.9, "fast flows have 90 % at least")
	check(memory[-1] < memory[0] + 4, "memory is flat")


main()
