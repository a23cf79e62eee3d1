#!/usr/bin/env -S python3 -B
"""Lists of addresses, allow and deny: of static routes, and of endpoints, where relay and agent both judge."""
import json
import socket

from lib import *
from lib.scene import free_port
from lib.session import ANNOUNCE, GOODBYE, Session, announcement, fact, frame

NAME = "app.example.com"
DENIED, NO_AGENT = 49, 80
ALLOW, DENY = 0x8002, 0x8003
PROXY = "127.0.0.9"	# agents come from elsewhere, and send no header


def says(word):
	def serve(stream):
		skip_hello(stream)
		stream.sendall(word)
	return serve


def answer_at(port, first, source="127.0.0.1"):
	"""What the upstream says, or the alert's number. The source says which family it is."""
	host = "::1" if ":" in source else "127.0.0.1"
	with socket.create_connection((host, port), 15, (source, 0)) as client:
		client.sendall(first)
		data = b""
		while part := client.recv(100):
			data += part
	return data[6] if data[:1] == b"\x15" and len(data) == 7 else data


def through_proxy(client):
	"""The PROXY header of version 1 for a client, or of version 2 that tells of none."""
	if client is None:
		return b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
	family, listener = ("TCP6", "2001:db8::443") if ":" in client else ("TCP4", "198.51.100.1")
	return f"PROXY {family} {client} {listener} 4711 443\r\n".encode()


def answer_for(relay, client, name=NAME):
	return answer_at(relay.port, through_proxy(client) + hello(name), PROXY)


def behind_proxy(scene, **settings):
	return scene.relay(listener={"trusted_proxies": [PROXY]}, **settings)


def status(daemon):
	code, out, err = run(daemon.program, "status", "-c", daemon.config_path)
	equal(code, 0, f"exit status of status: {err}")
	return json.loads(out)


def endpoints_denied(agent):
	return [endpoint["denied"] for endpoint in status(agent)["endpoints"]]


def both_families(scene, **settings):
	"""A relay on 127.0.0.1 and ::1."""
	port = free_port()
	return scene.relay(port=port, listeners=[{"address": f"127.0.0.1:{port}"}, {"address": f"[::1]:{port}"}], **settings)


@test
def a_static_route_lets_in_whom_its_lists_do(scene):
	upstream = scene.upstream(says(b"in"))
	relay = both_families(scene, routes=[
		dict(route(NAME, upstream), allow=["127.0.0.0/29", "::1"], deny="127.0.0.4"),
		dict(route("out.example.com", upstream), deny=["127.0.0.2", "::/0"])])
	for name, source, wanted in (
			(NAME, "127.0.0.1", b"in"), (NAME, "127.0.0.7", b"in"), (NAME, "::1", b"in"), (NAME, "127.0.0.4", DENIED),
			(NAME, "127.0.0.8", DENIED), ("out.example.com", "127.0.0.1", b"in"), ("out.example.com", "127.0.0.2", DENIED),
			("out.example.com", "::1", DENIED)):
		equal(answer_at(relay.port, hello(name), source), wanted, f"{name} from {source}")
	told = relay.wait_event("flow-refused", count=4, code="denied")
	check(all("static route" in line["error"] and line["alert"] == DENIED for line in told), f"they say why: {told}")
	equal(status(relay)["denied"], 4, "refusals that the relay has counted")


@test
def the_address_is_the_one_that_a_trusted_proxy_tells(scene):
	upstream = scene.upstream(says(b"in"))
	relay = behind_proxy(scene, routes=[
		dict(route(NAME, upstream), allow=["192.0.2.0/24", "2001:db8:9::/48"], deny=["192.0.2.128/25"]),
		dict(route("proxy.example.com", upstream), allow=PROXY)])
	for name, client, wanted in (
			(NAME, "192.0.2.1", b"in"), (NAME, "192.0.2.129", DENIED), (NAME, "192.0.3.1", DENIED), (NAME, "127.0.0.1", DENIED),
			(NAME, "2001:db8:9::7", b"in"), (NAME, "2001:db8:a::7", DENIED), (NAME, "::ffff:192.0.2.1", b"in"),
			(NAME, None, DENIED), ("proxy.example.com", None, b"in")):
		equal(answer_for(relay, client, name), wanted, f"{name} for {client}")


@test
def the_denied_may_be_routed_elsewhere(scene):
	upstream, elsewhere = (scene.upstream(says(word)) for word in (b"in", b"elsewhere"))
	relay = scene.relay(refuse={"denied": "route:sorry.example.com"}, routes=[
		dict(route(NAME, upstream), allow="127.0.0.2"), dict(route("sorry.example.com", elsewhere), deny="127.0.0.3")])
	for source, wanted in (("127.0.0.2", b"in"), ("127.0.0.1", b"elsewhere"), ("127.0.0.3", DENIED)):
		equal(answer_at(relay.port, hello(NAME), source), wanted, source)


@test
def an_endpoint_lets_in_whom_its_lists_do(scene):
	relay = both_families(scene)
	upstream = scene.upstream(says(b"in"))
	agent = scene.agent(relay, [passthrough(NAME, upstream, allow=["127.0.0.0/30", "::1"], deny=["127.0.0.2"])],
		authority().agent("agent", NAME))
	for source, wanted in (("127.0.0.1", b"in"), ("127.0.0.3", b"in"), ("::1", b"in"), ("127.0.0.2", DENIED),
			("127.0.0.4", DENIED)):
		equal(answer_at(relay.port, hello(NAME), source), wanted, source)
	told = relay.wait_event("flow-refused", count=2, code="denied")
	check(all("every agent" in line["error"] for line in told), f"they say why: {told}")
	equal(status(relay)["denied"], 2, "refusals that the relay has counted")
	equal(endpoints_denied(agent), [0], "refusals that were left to the agent")
	equal(agent.events("flow-closed", reason="client-denied"), [], "flows that the agent was asked for in vain")


@test
def each_client_goes_to_the_agent_that_lets_him_in(scene):
	relay = behind_proxy(scene, workers=2)
	certificate = authority().agent("agent", NAME)
	for label, allow in ("four", "192.0.2.0/24"), ("six", ["2001:db8::/32", "192.0.2.7"]):
		scene.agent(relay, [passthrough(NAME, scene.upstream(says(label.encode())), allow=allow)], certificate, label)
	for _ in range(10):
		equal(answer_for(relay, "192.0.2.1"), b"four")
		equal(answer_for(relay, "2001:db8::1"), b"six")
		equal(answer_for(relay, "198.51.100.1"), DENIED)
	check(answer_for(relay, "192.0.2.7") in (b"four", b"six"), "one whom both let in is served")
	scene.daemons[-1].freeze()
	for _ in range(10):
		equal(answer_for(relay, "192.0.2.1"), b"four", "while the agent of the others does not answer")
	scene.daemons[-1].thaw()
	equal([line["code"] for line in relay.events("flow-refused")], ["denied"] * 10, "refusals")


@test
def who_is_denied_waits_for_no_channel(scene):
	relay = scene.relay()
	session = scene.keep(Session(relay, authority().agent("mute", NAME)))
	session.up()
	inside = b"\4\x20" + socket.inet_aton("127.0.0.2")
	equal(session.announce(1, NAME, fact(ALLOW, inside)), 0, "announced")
	waiting = scene.keep(dial(relay.port, hello(NAME), source="127.0.0.2"))
	until(lambda: status(relay)["waiting"] == 1, what="who is let in waits for a channel")
	equal(answer_at(relay.port, hello(NAME), "127.0.0.3"), DENIED)
	equal(status(relay)["waiting"], 1, "flows that wait for a channel")
	waiting.close()
	equal(session.announce(1, NAME, fact(DENY, inside)), 0, "announced again, under its number")
	equal(answer_at(relay.port, hello(NAME), "127.0.0.2"), DENIED)


@test
def a_list_that_is_none_ends_the_session(scene):
	relay = scene.relay()
	for value in (b"", b"\4\x21\1\2\3\4", b"\4\7\3", b"\4\0" * 257, b"\6\x60" + bytes(10) + b"\xff\xff"):
		session = scene.keep(Session(relay, authority().agent("mute", NAME)))
		session.up()
		session.send(frame(ANNOUNCE, announcement(1, NAME, fact(ALLOW, value))))
		equal(session.goodbye(), (GOODBYE, 1), f"the last word about {value[:20]}")


@test
def only_who_is_let_in_waits_for_an_agent_that_is_away(scene):
	relay = behind_proxy(scene)
	certificate = authority().agent("agent", NAME)
	agents = [scene.agent(relay, [passthrough(NAME, scene.upstream(says(label.encode())), allow=allow)], certificate, label)
		for label, allow in (("four", "192.0.2.0/24"), ("six", "2001:db8::/32"))]
	agents[0].kill()
	relay.wait_event("session-down")
	client = scene.keep(dial(relay.port, through_proxy("192.0.2.1") + hello(NAME), source=PROXY))
	relay.wait_event("move", machine="flow", to="waiting")
	equal(answer_for(relay, "198.51.100.1"), DENIED, "whom neither lets in")
	equal(answer_for(relay, "2001:db8::1"), b"six")
	agents[1].kill()
	relay.wait_event("session-down", count=2)
	equal(answer_for(relay, "198.51.100.1"), DENIED, "whom neither lets in, when both are away")
	agents[0].start()
	equal(client.recv(100), b"four", "the client that has waited")
	agents[1].start()
	scene.wait_serving(agents[1])
	equal(len(relay.events("flow-refused")), 2, "refusals")


def curl_6(port, name, ca):
	return run("curl", "-sS", "--max-time", 50, "--connect-to", f"::[::1]:{port}", "--cacert", ca, f"https://{name}/")


@test
def real_clients_read_the_alert(scene):
	relay = both_families(scene)
	names = {NAME: ["127.0.0.2", "::1"], "four.example.com": "127.0.0.0/8"}
	scene.agent(relay, [terminate(name, scene.upstream(http), allow=allow) for name, allow in names.items()],
		authority().agent("both", *names))
	ca = authority().root
	for name, source, is_in in ((NAME, "127.0.0.2", True), (NAME, "127.0.0.3", False), ("four.example.com", "127.0.0.3", True)):
		code, out, err = curl(relay.port, name, ca, "--interface", source)
		check((code, out) == (0, b"hello") if is_in else code == 35 and "access denied" in err,
			f"curl to {name} from {source}: {code} {out} {err}")
		code, out, err = s_client(relay.port, name, ca, "-bind", source)
		check(code == 0 and b"hello" in out if is_in else "access denied" in err and "number 49" in err,
			f"s_client to {name} from {source}: {code} {out} {err}")
	code, out, err = curl_6(relay.port, NAME, ca)
	equal((code, out), (0, b"hello"), f"curl by IPv6: {err}")
	code, _, err = curl_6(relay.port, "four.example.com", ca)
	check(code == 35 and "access denied" in err, f"curl by IPv6 where that is not let in: {code} {err}")


@test
def a_reload_holds_for_new_flows(scene):
	relay = scene.relay()
	upstream = scene.upstream(lambda stream: (skip_hello(stream), stream.sendall(b"in"), echo(stream)))
	agent = scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("agent", NAME))
	running = scene.keep(dial(relay.port, hello(NAME)))
	equal(read_exactly(running, 2), b"in")

	def now(**lists):
		settings = dict(agent.settings)
		settings["endpoints"] = [passthrough(NAME, upstream, **lists)]
		agent.write(settings)
		equal(run(agent.program, "reload", "-c", agent.config_path)[0], 0, "exit status of the reload")

	now(allow="127.0.0.2")
	until(lambda: first_two(relay, "127.0.0.1") == DENIED, 15, "the relay has the new list")
	equal(first_two(relay, "127.0.0.2"), b"in")
	now(deny="127.0.0.2")
	until(lambda: first_two(relay, "127.0.0.1") == b"in", 15, "the relay has the next list")
	equal(first_two(relay, "127.0.0.2"), DENIED)
	now()
	until(lambda: first_two(relay, "127.0.0.2") == b"in", 15, "the relay has no list any more")
	running.sendall(b"still here")
	equal(read_exactly(running, 10), b"still here", "the flow from before")
	equal(relay.events("flow-refused", code="no-agent"), [], "clients that met a gap")


def first_two(relay, source):
	"""What an upstream says that goes on, or the alert."""
	with dial(relay.port, hello(NAME), source=source) as client:
		data = client.recv(7)
		return data[6] if data[:1] == b"\x15" else data[:2]


@test
def an_agent_judges_what_its_relay_cannot(scene):
	"""Announcements have no room for so many hosts, so the relay has their networks."""
	relay = behind_proxy(scene)
	hosts = [f"2001:db8:0:{number:x}::1" for number in range(255)]
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(says(b"in")), allow=hosts + ["192.0.2.1"])],
		authority().agent("agent", NAME))
	for client, wanted, refused in (("2001:db8:0:7::1", b"in", 0), ("192.0.2.1", b"in", 0), ("192.0.2.2", DENIED, 0),
			("2001:db8:1::1", DENIED, 0), ("2001:db8:0:7::2", DENIED, 1)):
		equal(answer_for(relay, client), wanted, client)
		equal(endpoints_denied(agent), [refused], f"refusals of the agent after {client}")
	agent.wait_event("flow-closed", reason="client-denied")
	relay.wait_event("flow-attempt-failed")


@test
def many_long_lists_are_announced(scene):
	"""More than may wait to be sent in a session."""
	relay = behind_proxy(scene)
	names = [f"n{number}.example.com" for number in range(60)]
	upstream = scene.upstream(says(b"in"))
	hosts = [f"2001:db8:0:{number:x}::1" for number in range(190)]
	agent = scene.agent(relay, [passthrough(name, upstream, allow=hosts) for name in names],
		authority().agent("many", *names))
	for name in names[0], names[-1]:
		equal(answer_for(relay, "2001:db8:0:7::1", name), b"in")
		equal(answer_for(relay, "2001:db8:0:7::2", name), DENIED)
	equal(set(endpoints_denied(agent)), {0}, "refusals of the agent")
	equal(relay.events("session-down"), [], "sessions that ended")


@test
def only_where_all_refuse_it_is_the_address(scene):
	"""One agent refuses him, which its relay cannot know, and the other one cannot serve him."""
	relay = behind_proxy(scene)
	certificate = authority().agent("agent", NAME)
	hosts = [f"2001:db8:0:{number:x}::1" for number in range(256)]
	scene.agent(relay, [passthrough(NAME, scene.upstream(says(b"in")), allow=hosts)], certificate, "strict")
	equal(answer_for(relay, "2001:db8:0:7::2"), DENIED, "while the other one is not there")
	scene.agent(relay, [passthrough(NAME, "tcp://127.0.0.1:9")], certificate, "broken")
	for _ in range(4):
		equal(answer_for(relay, "2001:db8:0:7::2"), NO_AGENT, "one has not refused him")
	equal(status(relay)["denied"], 1, "refusals that the relay has counted")


main()
