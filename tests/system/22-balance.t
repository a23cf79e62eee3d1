#!/usr/bin/env -S python3 -B
"""Agents that serve one name together: who gets a flow, who stands by, and who leaves without a loss."""
import json
import signal
import threading

from lib import *

NAME = "app.example.com"


def answer(text):
	return lambda stream: (skip_hello(stream), stream.sendall(text), stream.recv(1))


def asked(relay, source=None):
	"""What the upstream of the agent says that a client gets, or the alert."""
	with dial(relay.port, hello(NAME), source=source) as client:
		return client.recv(100).decode("latin-1")


def member(scene, relay, label, upstream=None, **keys):
	"""An agent of the name; its upstream says the label unless another one is given."""
	upstream = upstream or scene.upstream(answer(label.encode()))
	return scene.agent(relay, [{**passthrough(NAME, upstream), **keys}], authority().agent("agent", NAME), label)


def gone(relay, agent, how):
	before = len(relay.events("session-down"))
	how()
	relay.wait_event("session-down", count=before + 1)


@test
def agents_that_stand_by_serve_while_the_others_cannot(scene):
	relay = scene.relay()
	stand_in = member(scene, relay, "second", priority=1)
	first = member(scene, relay, "first")
	last = member(scene, relay, "third", priority=9)
	equal({asked(relay) for _ in range(20)}, {"first"})
	gone(relay, first, first.kill)
	equal({asked(relay) for _ in range(20)}, {"second"})
	gone(relay, stand_in, stand_in.stop)
	equal({asked(relay) for _ in range(20)}, {"third"})
	equal(relay.events("flow-refused"), [], "refused flows")
	endpoint = status(last)["endpoints"][0]
	equal([endpoint[key] for key in ("weight", "balance", "priority")], [100, "least", 9])


def status(daemon):
	code, out, err = run(daemon.program, "status", "-c", daemon.config_path)
	equal(code, 0, err)
	return json.loads(out)


@test
def an_agent_without_upstreams_withdraws_and_another_one_stands_in(scene):
	relay = scene.relay()
	upstream = scene.upstream(answer(b"first"))
	checked = {"url": upstream.url, "health": {"check": "tcp", "interval": "1s", "timeout": "1s", "rise": 1, "fall": 1}}
	first = scene.agent(relay, [{**passthrough(NAME, upstream), "upstream": checked}],
		authority().agent("agent", NAME), "first")
	member(scene, relay, "second", priority=1)
	equal(asked(relay), "first")
	upstream.retire()
	first.wait_event("endpoint-withdrawn")
	relay.wait_event("endpoint-down")
	equal({asked(relay) for _ in range(10)}, {"second"})
	scene.upstream(answer(b"first"), port=upstream.port)
	first.wait_event("endpoint-up", count=2)
	equal({asked(relay) for _ in range(10)}, {"first"})
	equal(relay.events("flow-refused"), [], "refused flows")


@test
def a_flow_that_many_agents_fail_reaches_the_one_that_stands_by(scene):
	relay = scene.relay()
	dead = scene.upstream(echo)
	dead.retire()
	for label in ("one", "two", "three", "four"):
		member(scene, relay, label, dead)
	member(scene, relay, "fifth", priority=1)
	equal([asked(relay) for _ in range(5)], ["fifth"] * 5)
	attempts = {line["attempts"] for line in relay.wait_event("flow-closed", count=5)}
	equal(attempts, {5}, "attempts of each flow")
	equal(len(relay.events("flow-attempt-failed")), 20, "attempts that failed")


@test
def a_client_comes_to_the_same_agent_each_time(scene):
	relay = scene.relay()
	agents = {label: member(scene, relay, label, balance="source") for label in ("one", "two", "three")}
	clients = [f"127.0.1.{i}" for i in range(1, 25)]
	before = {client: asked(relay, client) for client in clients}
	equal(set(before.values()), set(agents), "agents that have a client")
	equal({client: asked(relay, client) for client in clients}, before)
	gone(relay, agents["two"], agents["two"].kill)
	for client in clients:
		now = asked(relay, client)
		check(now != "two" if before[client] == "two" else now == before[client], f"{client}: {now}")
	agents["two"].start()
	scene.wait_serving(agents["two"])
	equal({client: asked(relay, client) for client in clients}, before, "when it is back")


class Visitors:
	"""Some clients, one after the other each, until they are told to stop; what each has heard."""

	def __init__(self, relay, count):
		self.relay, self.is_over, self.heard = relay, threading.Event(), []
		self.threads = [threading.Thread(target=self._visit, daemon=True) for _ in range(count)]
		for thread in self.threads:
			thread.start()

	def _visit(self):
		while not self.is_over.is_set():
			try:
				self.heard.append(asked(self.relay))
			except OSError as error:
				self.heard.append(repr(error))

	def wait_more(self, count=60):
		"""As many have come and gone since."""
		enough = len(self.heard) + count
		until(lambda: len(self.heard) >= enough, what=f"{count} more visits")

	def end(self):
		self.is_over.set()
		for thread in self.threads:
			thread.join()
		return self.heard


@test
def agents_are_started_anew_one_after_the_other_without_a_lost_flow(scene):
	relay = scene.relay()
	both = [member(scene, relay, label) for label in ("one", "two")]
	visitors = Visitors(relay, 4)
	for agent in both:
		visitors.wait_more()
		drains = len(relay.events("agent-draining"))
		agent.signal(signal.SIGTERM)
		relay.wait_event("agent-draining", count=drains + 1)
		equal(agent.wait(), 0)
		visitors.wait_more()
		agent.start()
		scene.wait_serving(agent)
	visitors.wait_more()
	equal(set(visitors.end()), {"one", "two"}, "all that clients have heard")
	equal(relay.events("flow-refused"), [], "refused flows")


main()
