#!/usr/bin/env -S python3 -B
"""Several upstreams, of static routes and of agents: who gets a flow, what a dead one costs, and health checks."""
import json
import socket
import threading

from lib import *
from lib.process import PROGRAMS

NAME, INNER = "app.example.com", "inner.example.com"
QUICK = {"interval": "1s", "timeout": "1s", "rise": 1, "fall": 1}


def health(check="tcp", **keys):
	return {"check": check, **QUICK, **keys}


def back(scene, gone, serve=echo, **keys):
	"""What was retired, again on its port."""
	return scene.upstream(serve, port=gone.port, **keys)


def served(relay):
	"""A raw client of an echoing upstream."""
	client = dial(relay.port, hello(NAME))
	first = client.recv(1)
	check(first == b"\x16", f"not served: {first!r}")
	return client


def static(scene, upstreams, **keys):
	return scene.relay(routes=[route(NAME, [u.url for u in upstreams], **keys)])


def status(daemon):
	code, out, err = run(daemon.program, "status", "-c", daemon.config_path)
	equal(code, 0, err)
	return json.loads(out)


def states(upstreams):
	return [u["health"] for u in upstreams]


@test
def flows_go_to_the_upstream_with_the_fewest(scene):
	both = [scene.upstream(echo), scene.upstream(echo)]
	relay = static(scene, both)
	clients = [served(relay) for _ in range(10)]
	equal([u.seen for u in both], [5, 5], "flows of each")
	shown = status(relay)["routes"][0]
	equal(shown["server_name"], NAME)
	equal([u["flows"] for u in shown["upstreams"]], [5, 5])
	equal(states(shown["upstreams"]), ["unchecked", "unchecked"])
	for client in clients:
		client.close()
	until(lambda: [u["flows"] for u in status(relay)["routes"][0]["upstreams"]] == [0, 0])


@test
def an_upstream_that_refuses_costs_no_flow(scene):
	both = [scene.upstream(echo), scene.upstream(echo)]
	both[0].retire()
	relay = static(scene, both)
	for _ in range(20):
		served(relay).close()
	relay.wait_event("flow-attempt-failed", upstream=both[0].url[len("tcp://"):])
	equal(relay.events("flow-refused"), [], "refused flows")


@test
def a_silent_upstream_leaves_time_for_the_other(scene):
	silent = socket.create_server(("127.0.0.1", 0), backlog=0)
	full = [scene.keep(socket.socket()) for _ in range(3)]
	for one in full:
		one.setblocking(False)
		one.connect_ex(silent.getsockname())
	relay = scene.relay(routes=[route(NAME, [f"tcp://127.0.0.1:{silent.getsockname()[1]}", scene.upstream(echo).url],
		connect_timeout="300ms")])
	for _ in range(4):
		served(relay).close()
	relay.wait_event("flow-attempt-failed")
	equal(relay.events("flow-refused"), [], "refused flows")
	silent.close()


@test
def a_route_whose_upstreams_are_all_down_refuses_and_says_why(scene):
	both = [scene.upstream(echo), scene.upstream(echo)]
	relay = static(scene, both, health=health())
	served(relay)
	for one in both:
		one.close()
	relay.wait_event("upstream-unhealthy", count=2)
	equal(alert_of(dial(relay.port, hello(NAME))), 80)
	refused = relay.wait_event("flow-refused")[0]
	check("all upstreams are down, by their checks" in str(refused), refused)
	shown = status(relay)["routes"][0]["upstreams"]
	equal(states(shown), ["down", "down"])
	check("refused" in shown[0]["error"], shown)
	back(scene, both[1])
	relay.wait_event("upstream-healthy", upstream=both[1].url[len("tcp://"):])
	served(relay)
	equal(states(status(relay)["routes"][0]["upstreams"]), ["down", "up"])


@test
def a_reload_keeps_what_is_known(scene):
	both = [scene.upstream(echo), scene.upstream(echo)]
	relay = static(scene, both, health=health())
	both[0].close()
	relay.wait_event("upstream-unhealthy")
	relay.settings["routes"][0]["idle_timeout"] = "1h"
	relay.write(relay.settings)
	relay.reload()
	relay.wait_event("reloaded")
	equal(states(status(relay)["routes"][0]["upstreams"]), ["down", "up"])
	relay.settings["routes"][0]["upstream"]["health"]["interval"] = "2s"
	relay.write(relay.settings)
	relay.reload()
	relay.wait_event("reloaded", count=2)
	equal(states(status(relay)["routes"][0]["upstreams"]), ["down", "up"], "with another interval")
	equal(len(relay.events("upstream-unhealthy")), 1, "what is known already is not told again")
	relay.settings["routes"][0]["upstream"] = both[1].url
	relay.write(relay.settings)
	relay.reload()
	relay.wait_event("reloaded", count=3)
	equal(status(relay)["routes"], [], "routes with one upstream")
	served(relay)


@test
def a_check_may_ask_whether_tls_is_spoken(scene):
	mute, speaks = scene.upstream(lambda stream: stream.recv(1) and stream.recv(1000)), scene.tls_upstream(echo, NAME)
	for kind, wanted in (("tcp", ["up", "up"]), ("tls", ["down", "up"])):
		relay = scene.relay(label=kind, routes=[route(NAME, [mute.url, speaks.url], health=health(kind))])
		until(lambda: states(status(relay)["routes"][0]["upstreams"]) == wanted, what=f"{kind}: {wanted}")


@test
def a_check_says_by_proxy_header_that_it_is_nobody(scene):
	seen = {1: [], 2: []}
	upstreams = {version: scene.upstream(lambda s, v=version: seen[v].append(s.recv(1000))) for version in seen}
	scene.relay(routes=[route(f"v{version}.example.com", upstream, proxy_protocol=version, health=health())
		for version, upstream in upstreams.items()])
	until(lambda: seen[1] and seen[2], what="a check of each")
	equal(seen[1][0], b"PROXY UNKNOWN\r\n")
	equal(seen[2][0], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")


@test
def a_check_of_the_configuration_asks_nobody(scene):
	both = [scene.upstream(echo), scene.upstream(echo)]
	relay = scene.relay(start=False, routes=[route(NAME, [u.url for u in both], health=health())])
	agent = scene.agent(relay, [passthrough(NAME, {"url": [u.url for u in both], "health": health()})],
		authority().agent("agent", NAME), start=False)
	for daemon in (relay, agent):
		code, out, err = run(daemon.program, "check", "-c", daemon.config_path)
		equal(code, 0, err)
		if daemon is relay:
			check(f"route: {NAME} to {both[0].url}, {both[1].url}, checked by tcp every 1000 ms" in out.decode(), out)
	equal([u.seen for u in both], [0, 0], "connections")


def agent_of(scene, upstreams, **keys):
	relay = scene.relay()
	return relay, scene.agent(relay, [passthrough(NAME, {"url": [u.url for u in upstreams], **keys})],
		authority().agent("agent", NAME))


@test
def an_agent_tries_its_other_upstreams(scene):
	both = [scene.upstream(echo), scene.upstream(echo)]
	both[0].retire()
	relay, agent = agent_of(scene, both)
	clients = [served(relay) for _ in range(10)]
	equal(both[1].seen, 10, "flows")
	agent.wait_event("flow-attempt-failed", upstream=both[0].url[len("tcp://"):])
	equal(relay.events("flow-attempt-failed"), [], "attempts that the relay saw fail")
	equal([u["flows"] for u in status(agent)["endpoints"][0]["upstreams"]], [0, 10])
	both[1].retire()
	equal(alert_of(dial(relay.port, hello(NAME))), 80, "when none is left")


@test
def an_endpoint_whose_upstreams_are_all_down_is_withdrawn_until_one_is_up(scene):
	both = [scene.upstream(echo), scene.upstream(echo)]
	relay, agent = agent_of(scene, both, health=health())
	served(relay)
	both[0].close()
	agent.wait_event("upstream-unhealthy")
	served(relay)
	equal(agent.events("endpoint-withdrawn"), [], "one is up")
	both[1].close()
	agent.wait_event("endpoint-withdrawn")
	relay.wait_event("endpoint-down")
	equal(states(status(agent)["endpoints"][0]["upstreams"]), ["down", "down"])
	back(scene, both[0])
	agent.wait_event("endpoint-up", count=2)
	served(relay)
	equal(len(agent.events("endpoint-withdrawn")), 1, "withdrawals")


@test
def a_tls_upstream_is_healthy_if_a_flow_would_trust_it(scene):
	good, wrong = (scene.tls_upstream(http, host) for host in (INNER, "other.example.com"))
	relay = scene.relay()
	agent = scene.agent(relay, [terminate(NAME, {"url": [f"tls://127.0.0.1:{u.port}" for u in (good, wrong)],
		"cas": authority().root, "server_name": INNER, "health": health("tls")})], authority().agent("agent", NAME))
	until(lambda: states(status(agent)["endpoints"][0]["upstreams"]) == ["up", "down"])
	check("inner.example.com" in status(agent)["endpoints"][0]["upstreams"][1]["error"], "the reason")
	for _ in range(5):
		code, out, err = curl(relay.port, NAME, authority().root)
		equal((code, out), (0, b"hello"), err)


VISITORS = 4


class Visitors:
	"""Threads whose clients come one after the other until they are told to stop."""

	def __init__(self, relay, count=VISITORS):
		self.relay, self.served, self.failed, self.is_over = relay, 0, [], False
		self.threads = [threading.Thread(target=self.visit) for _ in range(count)]
		for thread in self.threads:
			thread.start()

	def visit(self):
		while not self.is_over:
			try:
				self.visit_once()
				self.served += 1
			except Exception as error:
				self.failed.append(error)

	def visit_once(self):
		with TlsClient(self.relay.port, NAME, authority().root) as client:
			client.sendall(b"GET / HTTP/1.0\r\n\r\n")
			answer = client.recv()
		check(answer.endswith(b"hello") or answer.startswith(b"HTTP/1.1 200"), f"answer {answer!r}")

	def wait_more(self, count):
		wanted = self.served + count
		until(lambda: self.served >= wanted, what=f"{count} clients more")

	def end(self):
		self.is_over = True
		for thread in self.threads:
			thread.join()


@test
def upstreams_go_and_come_back_under_load_and_no_flow_fails(scene):
	"""Each goes without a word to those in its queue: their handshakes with it fail, and the other is asked."""
	tls = dict(host=INNER)
	both = [scene.tls_upstream(http, **tls), scene.tls_upstream(http, **tls)]
	relay = scene.relay()
	agent = scene.agent(relay, [terminate(NAME, {"url": [f"tls://127.0.0.1:{u.port}" for u in both],
		"cas": authority().root, "server_name": INNER, "health": health("tls")})], authority().agent("agent", NAME))
	visitors = Visitors(relay)
	try:
		for turn in range(often(4, 2)):
			gone = turn % 2
			visitors.wait_more(50)
			both[gone].retire()
			agent.wait_event("upstream-unhealthy", count=turn + 1)
			visitors.wait_more(50)
			both[gone] = back(scene, both[gone], http, tls=both[gone].tls)
			agent.wait_event("upstream-healthy", count=turn + 1)
			visitors.wait_more(20)
			equal(visitors.failed, [], f"failures in turn {turn}")
	finally:
		visitors.end()
	equal(visitors.failed, [], "failures")
	check(all(u.seen > 0 for u in both), "both have served since they came back")


class RawVisitors(Visitors):
	def visit_once(self):
		served(self.relay).close()


@test
def upstreams_of_a_route_are_killed_under_load_and_only_what_they_had_is_lost(scene):
	"""A client loses at most the flow that it has with an upstream when that dies."""
	both = [scene.upstream(echo), scene.upstream(echo)]
	relay = static(scene, both, health=health())
	visitors = RawVisitors(relay)
	kills = often(4, 2)
	try:
		for turn in range(kills):
			gone = turn % 2
			visitors.wait_more(100)
			both[gone].close()
			relay.wait_event("upstream-unhealthy", count=turn + 1)
			visitors.wait_more(100)
			both[gone] = back(scene, both[gone])
			relay.wait_event("upstream-healthy", count=turn + 1)
	finally:
		visitors.end()
	equal(relay.events("flow-refused"), [], "flows that found no upstream")
	check(len(visitors.failed) <= kills * VISITORS, f"lost: {visitors.failed}")


main()
