#!/usr/bin/env -S python3 -B
"""The carrier handoff: TLS between relay and agent ends where the flow begins."""
import hashlib
import os
import select
import socket
import ssl
import struct
import threading

from lib import *
from lib.client import alert_of, reset
from lib.process import PROGRAMS
from lib.session import *
from lib.upstream import BLOCK

NAME = "app.example.com"
HANDSHAKE, DATA = 22, 23


class Tap:
	"""Stands where a relay is dialled, passes everything on, and keeps what went each way of each connection."""

	def __init__(self, scene, relay):
		self.relay, self.connections = relay, []
		self.listener = scene.keep(socket.create_server(("127.0.0.1", 0), backlog=64))
		self.port = self.listener.getsockname()[1]
		threading.Thread(target=self._accept, daemon=True).start()

	def _accept(self):
		while True:
			try:
				agent = self.listener.accept()[0]
			except OSError:
				return
			both = {"up": bytearray(), "down": bytearray()}
			self.connections.append(both)
			threading.Thread(target=self._pass, args=(agent, both), daemon=True).start()

	def _pass(self, agent, both):
		relay = socket.create_connection(("127.0.0.1", self.relay.port))
		ways = {agent: (relay, both["up"]), relay: (agent, both["down"])}
		while ways:
			for stream in select.select(list(ways), [], [])[0]:
				to, kept = ways[stream]
				try:
					data = stream.recv(65536)
					kept += data
					to.sendall(data) if data else to.shutdown(socket.SHUT_WR)
				except OSError:
					reset(to)
					return
				if not data:
					del ways[stream]
		agent.close()
		relay.close()


def opened(scene, endpoint, *, tapped=False, **settings):
	relay = scene.relay()
	tap = Tap(scene, relay) if tapped else relay
	agent = scene.agent(tap, [endpoint], authority().agent("agent", NAME), **settings)
	return relay, agent, tap


def records_of(data):
	"""The records at the front, and what stands behind the last whole one."""
	types, at = [], 0
	while at + 5 <= len(data) and data[at] in (20, HANDSHAKE, DATA) and data[at + 1] == 3:
		length = int.from_bytes(data[at + 3:at + 5], "big")
		if at + 5 + length > len(data):
			break
		types.append(data[at])
		at += 5 + length
	return types, bytes(data[at:])


def lookalike(count):
	"""Bytes that are no records, though they begin as some do; no two of them alike."""
	return b"\x19\x03\x03" + os.urandom(count)


@test
def behind_the_switch_stand_the_clients_bytes_and_nothing_else(scene):
	up, down = lookalike(100000), lookalike(200000)

	def serve(stream):
		skip_hello(stream)
		stream.sendall(down)
		equal(read_exactly(stream, len(up)), up, "the upstream has")

	upstream = scene.upstream(serve)
	relay, agent, tap = opened(scene, passthrough(NAME, upstream, carrier="handoff"), tapped=True)
	wire = hello(NAME)
	with dial(relay.port, wire + up) as client:
		equal(read_exactly(client, len(down)), down, "the client has")
		client.shutdown(socket.SHUT_WR)
		equal(client.recv(1), b"", "the end")
	relay.wait_event("flow-closed", carrier="handoff", reason="finished")
	agent.wait_event("flow-closed", carrier="handoff", reason="finished", bytes_in=len(wire) + len(up))
	equal(upstream.errors, [], "errors of the upstream")
	bare = [both for both in tap.connections if up[:1000] in both["down"]]
	equal(len(bare), 1, "connections that carried the flow in the bare")
	for way, sent in (("down", up), ("up", down)):
		types, rest = records_of(bare[0][way])
		check(rest == sent, f"{way}: {len(rest)} bytes behind the records, not the {len(sent)} that were sent")
		equal(set(types) - {20}, {HANDSHAKE, DATA}, f"{way}: types of records before")
	check(wire not in bytes(bare[0]["down"]), "the hello went unsealed")


@test
def a_sealed_flow_shows_nothing(scene):
	"""That the test above can tell."""
	said = lookalike(1000)
	relay, _, tap = opened(scene, passthrough(NAME, scene.upstream(echo)), tapped=True)
	with dial(relay.port, hello(NAME) + said) as client:
		read_exactly(client, len(said))
	relay.wait_event("flow-closed", carrier="sealed")
	check(not any(said in both["down"] for both in tap.connections), "the flow went unsealed")


def real_clients(port):
	ca = authority().root
	for version in ("1.2", "1.3"):
		status, out, err = curl(port, NAME, ca, f"--tlsv{version}", "--tls-max", version)
		equal((status, out), (0, b"hello"), f"curl {version}: {err}")
	for version in ("-tls1_2", "-tls1_3"):
		status, out, err = s_client(port, NAME, ca, version)
		check(status == 0 and b"hello" in out, f"s_client {version}: {status} {out} {err}")


@test
def real_clients_reach_a_tls_upstream(scene):
	relay, agent, _ = opened(scene, passthrough(NAME, scene.tls_upstream(http, NAME), carrier="handoff"))
	real_clients(relay.port)
	relay.expect_events("flow-closed", 4, "flows of the relay", carrier="handoff")
	agent.expect_events("flow-closed", 4, "flows of the agent", carrier="handoff")


@test
def real_clients_are_terminated(scene):
	relay, agent, _ = opened(scene, terminate(NAME, scene.upstream(http), carrier="handoff"))
	real_clients(relay.port)
	relay.expect_events("flow-closed", 4, "flows of the relay", carrier="handoff")
	agent.expect_events("flow-closed", 4, "flows of the agent", carrier="handoff")


@test
def large_bodies_are_whole_in_terminate_mode(scene):
	relay, _, _ = opened(scene, terminate(NAME, scene.upstream(http), carrier="handoff"))
	ca, path = authority().root, f"{scene.dir}/data"
	data = os.urandom(1 << 20) * 20
	with open(path, "wb") as file:
		file.write(data)
	digest = hashlib.sha256(data).hexdigest().encode()
	equal(curl(relay.port, NAME, ca, "-X", "POST", "-T", path, path="/up")[:2], (0, digest), "up")
	status, out, err = curl(relay.port, NAME, ca, path=f"/bytes/{20 << 20}")
	equal((status, hashlib.sha256(out).digest()), (0, hashlib.sha256(BLOCK * 20).digest()), f"down: {err}")


@test
def either_end_may_be_first_in_terminate_mode(scene):
	heard = []

	def serve(stream):
		stream.sendall(b"all that I say")
		stream.shutdown(socket.SHUT_WR)
		heard.append(drained(stream)[0])

	relay, _, _ = opened(scene, terminate(NAME, scene.upstream(serve), carrier="handoff"))
	for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
		with TlsClient(relay.port, NAME, authority().root, version=version) as client:
			equal(client.recv(), b"all that I say")
			equal(client.recv(), b"", "the upstream's end")
			client.sendall(bytes(100000))
			client.finish()
			until(lambda: heard, what="the upstream has the client's end")
		equal(heard.pop(), 100000, str(version))


@test
def a_handshake_that_is_given_up_is_a_reset_for_its_client(scene):
	"""In the bare a close would be an end."""
	relay, agent, _ = opened(scene, terminate(NAME, scene.upstream(echo), carrier="handoff"),
		limits={"handshakes": 1})
	first = scene.keep(dial(relay.port, hello(NAME)))
	agent.wait_event("move", machine="flow", to="handshaking")
	scene.keep(dial(relay.port, hello(NAME)))
	agent.wait_event("flow-closed", reason="displaced")
	while isinstance(how := closed_how(first), bytes):
		pass	# the server's part of the handshake
	equal(how, "reset", "the first client sees")


@test
def a_flow_that_cannot_be_had_is_refused_as_ever(scene):
	"""fail is sealed still, and another attempt follows."""
	with socket.create_server(("127.0.0.1", 0)) as nobody:
		port = nobody.getsockname()[1]
	relay, agent, _ = opened(scene, passthrough(NAME, f"tcp://127.0.0.1:{port}", carrier="handoff"))
	with dial(relay.port, hello(NAME)) as client:
		equal(alert_of(client), 80, "the alert")
	refused = relay.wait_event("flow-refused", code="no-agent")[0]
	check("upstream-down" in refused["error"], f"the reason: {refused}")
	agent.wait_event("flow-closed", reason="upstream-down", carrier="handoff")


def dialling(scene):
	"""A flow whose agent dials somebody who does not answer."""
	full = scene.keep(socket.create_server(("127.0.0.1", 0), backlog=0))
	port = full.getsockname()[1]
	for _ in range(4):
		filler = scene.keep(socket.socket())
		filler.setblocking(False)
		filler.connect_ex(("127.0.0.1", port))
	relay, agent, _ = opened(scene, passthrough(NAME, f"tcp://127.0.0.1:{port}", carrier="handoff"))
	client = scene.keep(dial(relay.port, hello(NAME)))
	agent.wait_event("move", machine="flow", to="dialling")
	return relay, agent, client


@test
def a_channel_that_is_lost_says_how(scene):
	relay, agent, _ = dialling(scene)
	agent.kill()
	failed = relay.wait_event("flow-attempt-failed")[0]
	check(failed["message"].startswith("the channel was lost: the "), f"the reason: {failed}")


@test
def a_client_that_leaves_early_abandons_the_flow(scene):
	"""The relay resets the channel then."""
	relay, agent, client = dialling(scene)
	reset(client)
	relay.wait_event("flow-closed", reason="client-gone")
	agent.wait_event("flow-closed", reason="relay-gave-up")


@test
def a_reload_changes_the_carrier_of_new_flows(scene):
	upstream = scene.upstream(echo)
	relay, agent, _ = opened(scene, passthrough(NAME, upstream))
	settings = agent.settings
	for carrier in ("handoff", "sealed"):
		settings["endpoints"][0]["carrier"] = carrier
		up = len(relay.events("endpoint-up"))
		agent.write(settings)
		agent.reload()
		relay.wait_event("endpoint-up", count=up + 1)
		with dial(relay.port, wire := hello(NAME)) as client:
			equal(read_exactly(client, len(wire)), wire)
		relay.wait_event("flow-closed", carrier=carrier)


# ---- who agrees to it ----

def raw_agent(scene, relay, features):
	"""One that announces only the carrier handoff."""
	peer = scene.keep(Session(relay, authority().agent("raw", NAME)))
	peer.send(frame(HELLO, bytes([1, 2]) + struct.pack(">I", features) + text8("raw 1") + os.urandom(24) +
		text8("") + struct.pack(">IB", 0, 0)))
	welcome = peer.expect(WELCOME)
	peer.send(frame(ANNOUNCE, struct.pack(">IBH", 1, 2, 100) + text8(NAME) + text8("raw")))
	equal(peer.answers(1), {1: 0}, "the announcement is accepted")
	return struct.unpack_from(">I", welcome, 1)[0]


@test
def it_needs_the_feature_of_both(scene):
	relay = scene.relay()
	equal(raw_agent(scene, relay, 0), 0, "features of the welcome")
	with dial(relay.port, hello(NAME)) as client:
		equal(alert_of(client), 80, "the alert")
	refused = relay.wait_event("flow-refused", code="no-agent")[0]
	check("no carrier" in refused["error"], f"the reason: {refused}")


@test
def the_relay_has_it_and_knows_no_other_feature(scene):
	equal(raw_agent(scene, scene.relay(), 0xffffffff), 1, "features of the welcome")


def checked(agent):
	return run(PROGRAMS["agent"], "check", "-c", agent.config_path)


def not_started(scene, upstream="tcp://127.0.0.1:9", **keys):
	return scene.agent(scene.relay(start=False), [passthrough(NAME, upstream, **keys)],
		authority().agent("agent", NAME), start=False)


@test
def an_endpoint_that_tells_the_address_does_not_have_it_unless_told_to(scene):
	trusting = {"url": "tcp://127.0.0.1:9", "proxy_protocol": 2}
	status, _, err = checked(not_started(scene, carrier="handoff", upstream=trusting))
	equal(status, 78, err)
	check("trust_unsealed_address" in err, err)
	agent = not_started(scene, carrier="handoff", upstream=trusting, trust_unsealed_address=True)
	status, out, err = checked(agent)
	equal(status, 0, err)
	check("trust_unsealed_address" in err and b"warnings: 1" in out, f"{out} {err}")
	status, _, err = checked(not_started(scene, trust_unsealed_address=True))
	equal(status, 78, err)
	check("only for carrier: handoff" in err, err)


@test
def the_start_says_that_an_address_is_trusted_unsealed(scene):
	seen = []

	def serve(stream):
		seen.append(read_exactly(stream, 16))
		drained(stream)

	endpoint = passthrough(NAME, {"url": scene.upstream(serve).url, "proxy_protocol": 2}, carrier="handoff",
		trust_unsealed_address=True)
	relay, agent, _ = opened(scene, endpoint)
	agent.wait_event("address-unsealed", endpoint="sealed-" + NAME)
	with dial(relay.port, hello(NAME)) as client:
		client.shutdown(socket.SHUT_WR)
		equal(client.recv(1), b"", "the end")
	equal(seen[0][:12], b"\r\n\r\n\0\r\nQUIT\n", "a PROXY header comes")
	relay.wait_event("flow-closed", carrier="handoff")


main()
