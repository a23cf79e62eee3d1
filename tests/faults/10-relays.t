#!/usr/bin/env -S python3 -B
"""Relays that die, and links that fall silent: how soon their agents are back, and how evenly."""
import datetime
import os
import selectors
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
from lib import *
from lib.lab import Lab, want_lab

want_lab()

NAME = "app.example.com"
FLOWS_OF_AN_AGENT = 10
QUARTER = 0.27		# of the agents in one second: a quarter, and what a machine shifts from one second to the next


class Echoes(threading.Thread):
	"""An upstream for thousands of connections that say little, in one thread."""

	def __init__(self, scene, place):
		super().__init__(daemon=True)
		with place:
			self.listener = socket.create_server((place.address, 0), backlog=1024)
		self.url = f"tcp://{place.address}:{self.listener.getsockname()[1]}"
		self.selector = selectors.DefaultSelector()
		self.selector.register(self.listener, selectors.EVENT_READ)
		self.is_over = False
		scene.keep_to_the_end(self)
		self.start()

	def run(self):
		while not self.is_over:
			for key, _ in self.selector.select(0.5):
				if key.fileobj is self.listener:
					self.selector.register(self.listener.accept()[0], selectors.EVENT_READ)
				else:
					self.answer(key.fileobj)

	def answer(self, stream):
		try:
			data = stream.recv(65536)
			stream.sendall(data)
		except OSError:
			data = b""
		if not data:
			self.selector.unregister(stream)
			stream.close()

	def close(self):
		self.is_over = True
		self.join()
		self.listener.close()


def moment(event):
	"""In seconds since the epoch."""
	return datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()


def spread(moments, since):
	"""How many came in each second since then."""
	seconds = [0] * (int(max(moments) - since) + 1)
	for at in moments:
		seconds[max(0, int(at - since))] += 1
	return seconds


def is_served(relay, host, name):
	try:
		with dial(relay.port, hello(name), host=host, timeout=10) as client:
			return client.recv(1) == b"\x16"
	except OSError:
		return False


# ---- a relay with many agents ----

class Fleet:
	"""Agents of one identity, each with a name of its own, behind several addresses."""

	def __init__(self, scene, count, places, **settings):
		self.scene, self.lab = scene, Lab(scene)
		self.street = self.lab.place("street")
		self.anywhere = self.lab.place("anywhere")
		self.homes = [self.lab.place(f"home{i}", relay=self.street) for i in range(places)]
		self.upstream = Echoes(scene, self.anywhere)
		self.relay = scene.relay(place=self.street, **settings)
		certificate = authority().agent("fleet", "*.example.com")
		self.names = [f"site{i}.example.com" for i in range(count)]
		self.agents = []
		for i, name in enumerate(self.names):
			agent = scene.agent(self.relay, [passthrough(name, self.upstream.url)], certificate, label=f"agent{i}",
				start=False, place=self.homes[i % places], log={"level": "info"})
			self.agents.append(agent.start(wait_ready=False))
		self.wait_up(1)

	def wait_up(self, times, seconds=60):
		"""When each agent's endpoint was routed for the so manieth time."""
		return [moment(agent.wait_event("endpoint-up", seconds, times)[times - 1]) for agent in self.agents]

	def hold_flows(self, each):
		"""A flow of each agent, and then another one of each: a burst is another test's."""
		count = 0
		for _ in range(each):
			with self.anywhere:
				streams = [self.scene.keep(dial(self.relay.port, hello(name), host=self.street.address)) for name in self.names]
			for stream in streams:
				check(stream.recv(1) == b"\x16", "a flow is joined")
			count += len(streams)
		return count


@test
def two_hundred_agents_are_back_within_five_seconds_of_their_relay_s_return_each_time(scene):
	agents = 200
	fleet = Fleet(scene, agents, 8)
	for times in (2, 3):
		print(f"# {fleet.hold_flows(FLOWS_OF_AN_AGENT)} flows over {agents} agents are held", flush=True)
		fleet.relay.kill()
		time.sleep(1)
		fleet.relay.start()
		returned = moment(fleet.relay.wait_event("relay-up")[0])
		back = fleet.wait_up(times)
		seconds = spread(back, returned)
		print(f"# the relay was back after a second; the last agent {max(back) - returned:.2f} s later; "
			f"in each second {seconds}", flush=True)
		check(max(back) - returned <= 5, f"back after {max(back) - returned:.2f} s")
		check(max(seconds) <= QUARTER * agents, f"{seconds} came in each second")


@test
def agents_of_a_relay_that_drains_are_spread_over_its_time(scene):
	"""Of one that has flows to finish; its place is empty meanwhile, and taken again at its end."""
	agents = 40
	fleet = Fleet(scene, agents, 2, drain_timeout="8s")
	fleet.hold_flows(1)
	fleet.relay.signal(15)
	fleet.relay.wait_event("draining")
	told = moment(fleet.relay.events("draining")[0])
	equal(fleet.relay.wait(20), 0, "exit status")
	fleet.relay.start()
	returned = moment(fleet.relay.wait_event("relay-up")[0])
	back = fleet.wait_up(2)
	print(f"# the relay drained for {returned - told:.1f} s; the last agent was there {max(back) - returned:.2f} s after its return; "
		f"in each second {spread(back, returned)}", flush=True)
	check(max(back) - returned <= 5, f"back after {max(back) - returned:.2f} s")


# ---- links ----

@test
def agents_whose_nat_forgets_have_a_new_session_within_six_seconds(scene):
	"""Five without a word, and the making; nobody asks for them meanwhile."""
	agents = 20
	fleet = Fleet(scene, agents, 4)
	time.sleep(6)		# so that their pings have fallen apart
	forgotten = sum(home.forget() for home in fleet.homes)
	began = time.time()
	back = fleet.wait_up(2, 20)
	took = [at - began for at in back]
	print(f"# {forgotten} connections were forgotten; {agents} agents had new sessions after {min(took):.2f} to {max(took):.2f} s",
		flush=True)
	check(max(took) <= 6, f"took {max(took):.2f} s")
	with fleet.anywhere:
		for name in fleet.names:
			check(is_served(fleet.relay, fleet.street.address, name), f"{name} is served")


@test
def a_link_that_was_black_for_a_minute_serves_soon_after(scene):
	fleet = Fleet(scene, 4, 2)
	fleet.homes[0].cut()
	time.sleep(60)
	with fleet.anywhere:
		check(is_served(fleet.relay, fleet.street.address, fleet.names[1]), "the other link's agents are served all the time")
	fleet.homes[0].heal()
	began = time.time()
	back = [moment(fleet.agents[i].wait_event("endpoint-up", 60, 2)[1]) - began for i in (0, 2)]
	print(f"# the agents were back {max(back):.1f} s after their link", flush=True)
	check(max(back) <= 35, f"back after {max(back):.1f} s")
	for i in (1, 3):
		equal(len(fleet.agents[i].events("endpoint-up")), 1, "sessions of an agent on the other link")
	with fleet.anywhere:
		for name in fleet.names:
			check(is_served(fleet.relay, fleet.street.address, name), f"{name} is served")


# ---- several relays ----

@test
def when_one_of_two_relays_dies_the_other_one_serves_everybody(scene):
	lab = Lab(scene)
	street, anywhere = lab.place("street"), lab.place("anywhere")
	home = lab.place("home", relay=street)
	one, two = scene.relay("one", place=street), scene.relay("two", place=street)
	agent = scene.agent([one, two], [passthrough(NAME, Echoes(scene, home).url)], authority().agent("agent", NAME), place=home)
	asked = failed = 0
	with anywhere:
		until = time.monotonic() + 6
		one.kill()
		while time.monotonic() < until:
			asked += 1
			failed += not is_served(two, street.address, NAME)
		one.start()
		returned = time.time()
		back = moment(agent.wait_event("relay-up", 20, 3)[2])
		check(is_served(one, street.address, NAME), "the first one serves again")
	print(f"# of {asked} clients of the other relay {failed} failed; the first one had its agent back after {back - returned:.2f} s",
		flush=True)
	equal(failed, 0, "clients that failed")
	check(back - returned <= 5, f"back after {back - returned:.2f} s")


@test
def a_name_of_two_relays_leads_to_one_of_them_and_stays_there(scene):
	"""One is away while the agent starts, and there again when it dials more channels, with the resolver's answer made
	anew: only the one of the session knows the key."""
	lab = Lab(scene)
	first, second, anywhere = lab.place("first"), lab.place("second"), lab.place("anywhere")
	home = lab.place("home")
	home.knows({"localhost": [first.address, second.address]})
	two = scene.relay("two", place=second)
	agent = scene.agent(two, [passthrough(NAME, Echoes(scene, home).url)], authority().agent("agent", NAME), place=home)
	one = scene.relay("one", place=first, port=two.port)
	time.sleep(35)
	with anywhere:
		for number in range(200):
			check(is_served(two, second.address, NAME), f"client {number} is served")
	print("# 200 clients were served at the relay where the session is", flush=True)
	equal(agent.events("channel-failed"), [], "channels that failed")
	two.kill()
	agent.wait_event("relay-up", 30, 2)
	with anywhere:
		check(is_served(one, first.address, NAME), "the agent is at the other address")


main()
