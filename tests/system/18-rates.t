#!/usr/bin/env -S python3 -B
"""How fast strangers may come: agents before any TLS is done for them, flows, names, and lines in the log."""
import collections
import itertools
import subprocess
import threading
import time

from lib import *
from lib.authority import CONNECT_NAME

NAME, OTHER = "app.example.com", "other.example.com"
AT_ONCE = 6


def answer(stream):
	"""'alert' for a refusal, 'tls' for a ServerHello, 'echo' for our own hello, 'end' for nothing."""
	try:
		data = stream.recv(16384)
	except ConnectionResetError:
		return "end"
	if not data:
		return "end"
	if data[0] == 0x15:
		return "alert"
	return {1: "echo", 2: "tls"}.get(data[5], "end")


def once(port, wire, source=None):
	with dial(port, wire, source=source) as stream:
		return answer(stream)


class Flood:
	"""As fast as it goes, from each of the sources in turn, until the block ends.  Several at a time: one that waits for the
	processor is no flood."""

	def __init__(self, port, wire, sources):
		self.counts, self.over = [collections.Counter() for _ in range(AT_ONCE)], threading.Event()
		self.threads = [threading.Thread(target=self._run, args=(port, wire, sources, counts)) for counts in self.counts]

	def _run(self, port, wire, sources, counts):
		while not self.over.is_set():
			for source in sources:
				counts[once(port, wire, source)] += 1

	@property
	def answers(self):
		return {how: sum(counts[how] for counts in self.counts) for how in ("alert", "tls", "echo", "end")}

	def __enter__(self):
		self.begun = time.monotonic()
		for thread in self.threads:
			thread.start()
		return self

	def __exit__(self, *exception):
		self.over.set()
		for thread in self.threads:
			thread.join()
		self.seconds = time.monotonic() - self.begun


def session_hello():
	return hello(CONNECT_NAME, alpn=["valise/1"])


@test
def a_replayed_session_hello_is_turned_away_before_tls(scene):
	relay = scene.relay(workers=1)
	with Flood(relay.port, session_hello(), ["127.7.7.7"]) as flood:
		until(lambda: flood.answers.get("alert", 0) >= 1000, 60, "a thousand refusals")
	let_in = flood.answers.get("tls", 0)
	check(20 <= let_in <= 20 * (flood.seconds + 1) * 1.1, f"{let_in} of {flood.answers} let in within {flood.seconds} s")
	refused = until(lambda: relay.events("session-failed", code="over-limit"), what="the refusals are logged")
	check("limits.sessions_per_second" in refused[0]["message"], f"{refused[:1]}")
	check(len(refused) <= 31 * (flood.seconds + 1), f"{len(refused)} lines in {flood.seconds} s")


@test
def without_the_bound_all_of_them_get_tls(scene):
	relay = scene.relay(workers=1, limits={"sessions_per_second": 0})
	equal({once(relay.port, session_hello(), "127.7.7.7") for _ in range(200)}, {"tls"}, "the answers")


@test
def an_agent_comes_in_beside_floods_and_a_second_one_too(scene):
	relay = scene.relay(workers=1)
	upstream = scene.upstream(echo)
	with Flood(relay.port, session_hello(), ["127.7.7.7", "127.8.8.8"]) as flood:
		until(lambda: flood.answers.get("alert", 0) >= 100, 20, "the floods are at their bounds")
		scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("first", NAME), label="first")
		scene.agent(relay, [passthrough(OTHER, upstream)], authority().agent("second", OTHER), label="second")
		equal(once(relay.port, hello(NAME)), "echo", "a flow to the agent")


@test
def known_agents_come_in_when_strangers_have_taken_all(scene):
	relay = scene.relay(workers=1, limits={"sessions_per_second": 10})
	upstream = scene.upstream(echo)
	scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("first", NAME), label="first")
	with Flood(relay.port, session_hello(), [f"127.7.{n}.1" for n in range(250)]) as flood:
		until(lambda: flood.answers.get("alert", 0) >= 500, 20, "the strangers have used all up")
		scene.agent(relay, [passthrough(OTHER, upstream)], authority().agent("second", OTHER), label="second")
	check(flood.answers.get("tls", 0) <= 10 * (flood.seconds + 2), f"{flood.answers} in {flood.seconds} s")


def relay_with_echo(scene, **settings):
	upstream = scene.upstream(echo)
	return scene.relay(workers=1, routes=[route(NAME, upstream), route(OTHER, upstream)], **settings)


def refusals(relay, limit):
	return [e for e in relay.events("flow-refused", code="over-limit") if limit in e.get("error", "")]


@test
def who_is_routed_by_a_refusal_counts_once(scene):
	relay = relay_with_echo(scene, limits={"flows_per_client_per_second": 40}, refuse={"unknown_name": f"route:{NAME}"})
	equal([once(relay.port, hello("unknown.example.com")) for _ in range(40)], ["echo"] * 40, "what 40 in a row hear")


@test
def the_heaviest_clients_lose_their_flows_first(scene):
	relay = relay_with_echo(scene, limits={"flows_per_second": 60})
	wire = hello(NAME)
	with Flood(relay.port, wire, ["127.7.7.7"]) as flood:
		until(lambda: flood.answers.get("alert", 0) >= 100, 20, "the flood is refused")
		for _ in range(20):
			equal(once(relay.port, wire, "127.9.9.9"), "echo", "another client's flow")
			time.sleep(0.05)
	until(lambda: refusals(relay, "limits.flows_per_second is reached, and most of them come from here"), what="the reason names the limit")
	check(flood.answers["echo"] >= 20, f"{flood.answers}: who is alone gets most of it")


@test
def a_client_has_no_bound_of_its_own_while_there_is_room(scene):
	relay = relay_with_echo(scene)
	equal({once(relay.port, hello(NAME), "127.7.7.7") for _ in range(1000)}, {"echo"}, "the answers")


@test
def a_cap_for_each_client_is_obeyed_and_reloaded(scene):
	relay = relay_with_echo(scene, limits={"flows_per_client_per_second": 3})
	wire = hello(NAME)
	answers = [once(relay.port, wire, "127.7.7.7") for _ in range(20)]
	check("alert" in answers and answers[:3] == ["echo"] * 3, f"{answers}")
	equal(once(relay.port, wire, "127.7.7.8"), "echo", "the neighbour")
	until(lambda: refusals(relay, "limits.flows_per_client_per_second is reached"), what="the reason names the limit")
	settings = dict(relay.settings, limits={})
	relay.write(settings)
	relay.reload()
	relay.wait_event("reloaded")
	equal({once(relay.port, wire, "127.7.7.7") for _ in range(50)}, {"echo"}, "without the cap")


@test
def a_name_has_so_many_flows_at_once_and_a_second(scene):
	relay = relay_with_echo(scene, limits={"flows_per_name": 2})
	wire, other = hello(NAME), hello(OTHER)
	held = [dial(relay.port, wire) for _ in range(2)]
	equal([answer(stream) for stream in held], ["echo"] * 2, "the first two")
	equal(once(relay.port, wire), "alert", "the third")
	equal(once(relay.port, other), "echo", "another name")
	until(lambda: refusals(relay, "limits.flows_per_name is reached"), what="the reason names the limit")
	held[0].close()
	until(lambda: relay.events("flow-closed", server_name=NAME), what="the first one has ended")
	equal(once(relay.port, wire), "echo", "its place")
	held[1].close()
	relay.write(dict(relay.settings, limits={"flows_per_name_per_second": 2}))
	relay.reload()
	relay.wait_event("reloaded")
	answers = [once(relay.port, wire) for _ in range(20)]
	check("alert" in answers, f"{answers}")
	equal(once(relay.port, other), "echo", "another name")
	until(lambda: refusals(relay, "limits.flows_per_name_per_second is reached"), what="the reason names the limit")


@test
def check_prints_what_holds(scene):
	relay = relay_with_echo(scene, start=False, limits={"flows_per_second": 77, "flows_per_name": 5})
	relay.settings["workers"] = "3"
	relay.write(relay.settings)
	said = subprocess.run([relay.program, "check", "-c", relay.config_path], capture_output=True, text=True).stdout
	for line in ("flows a second: 77, of a client 0, of a name 0 (0: no bound)", "flows of a name: 5 (0: no bound)",
			"sessions a second: 1200 (0: no bound)"):
		check(line in said.splitlines(), f"{line!r} is not in {said}")


def one_address():
	return ["127.7.7.7"]


def many_addresses():
	return [f"127.{n % 250}.{n // 250}.7" for n in range(2000)]


@test_over(one_address, many_addresses)
def refused_connections_make_at_most_a_hundred_lines_a_second(scene, sources):
	relay = scene.relay(workers=1, log={"level": "info"})
	relay.freeze()	# so that all of them come at once, however slow we are
	clients = [dial(relay.port, b"GET / HTTP/1.0\r\n\r\n", source=source) for source in itertools.islice(
		itertools.cycle(sources()), 2000)]
	began = time.monotonic()
	relay.thaw()
	equal({answer(client) for client in clients}, {"end"}, "the ends of what is not TLS")
	seconds = time.monotonic() - began
	for client in clients:
		client.close()
	count = len(clients)
	told = lambda: len(relay.events("hello-refused")) + sum(e["lines"] for e in relay.events("log-lines-suppressed"))
	until(lambda: told() == count, what=f"{count} refusals are accounted for")
	lines = len(relay.events("hello-refused")) + len(relay.events("log-lines-suppressed"))
	print(f"# {count} refusals and {lines} lines in {seconds:.1f} s")
	check(count > 200 * seconds, f"{count} refusals in {seconds} s are too few to show it")
	check(lines <= 100 * (seconds + 2), f"{lines} lines in {seconds} s for {count} refusals")


main()
