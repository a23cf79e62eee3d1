"""What one of each state costs a relay: memory that it has allocated, descriptors, processor time. Each is
measured over many that are held at once. bench/micro/costs.py prints the table, 37-costs.t holds the bounds."""
import json
import socket
import struct
import subprocess
import time

from .authority import CONNECT_NAME, authority
from .client import dial, run
from .hello import hello
from .scene import passthrough, route
from .session import ANNOUNCE_MANY, Session, announcement, frame
from .tap import until
from .upstream import echo, read_exactly, skip_hello

NAME = "idle.example.com"
HALF, FIRST = 400, 20
# After as long the relay ends who says nothing more, an agent and others. On a slow machine fewer are held, of whom none has left
# when the last comes.
AGENT_LEFT_SECONDS, LEFT_SECONDS = 300, 60


def relay_for(scene):
	"""One that takes many of everything."""
	relay = scene.relay(start=False, log={"level": "warning"}, routes=[route(NAME, scene.upstream(echo))],
		connect={"heartbeat_tolerance": f"{AGENT_LEFT_SECONDS}s"},
		limits={"hello_timeout": f"{LEFT_SECONDS}s", "handshake_timeout": f"{LEFT_SECONDS}s", "hellos_per_client": 4096,
			"handshakes": 4096, "sessions_per_second": 0},
		pool={"least": 0, "most": 1000})
	relay.most_files = 20000
	return relay.start()


def status(daemon):
	return json.loads(run(daemon.program, "status", "-c", daemon.config_path)[1])


def _still(relay):
	"""Its memory, once it does not change any more."""
	last = None
	while (now := status(relay)["memory"]) != last:
		last = now
		time.sleep(0.3)
	return now


class Cost:
	def __init__(self, relay):
		self.relay = relay
		self.before = _still(relay), relay.descriptors(), relay.processor_seconds()

	def of(self, count):
		"""(bytes, descriptors, microseconds) each."""
		relay = self.relay
		seconds = relay.processor_seconds() - self.before[2]
		return ((_still(relay) - self.before[0]) / count, (relay.descriptors() - self.before[1]) / count,
			seconds / count * 1e6)


def _held(scene, relay, count, one, left_seconds=LEFT_SECONDS):
	# What the first ones make for all does not count; they stay, else that is given back.
	scene.keep(dial(relay.port))
	for _ in range(FIRST):
		scene.keep(one())
	time.sleep(0.2)
	cost, began, held = Cost(relay), time.monotonic(), 0
	while held < count and time.monotonic() - began < left_seconds / 3:
		scene.keep(one())
		held += 1
	until(lambda: relay.descriptors() - cost.before[1] >= held, left_seconds / 3, "all of them are there")
	return cost.of(held)


def silent_connection(scene, count=400):
	relay = relay_for(scene)
	return _held(scene, relay, count, lambda: dial(relay.port))


def half_hello(scene, count=400):
	"""Without its bytes."""
	relay = relay_for(scene)
	bytes_each, fds, us = _held(scene, relay, count, lambda: dial(relay.port, hello(NAME)[:HALF]))
	return bytes_each - HALF, fds, us


def unfinished_session(scene, count=200):
	relay = relay_for(scene)
	wire = hello(CONNECT_NAME, alpn=["valise/1"])
	return _held(scene, relay, count, lambda: dial(relay.port, wire))


def _channel_hello():
	"""As OpenSSL writes it, with a PSK that nobody knows."""
	with socket.create_server(("127.0.0.1", 0)) as listener:
		client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{listener.getsockname()[1]}",
			"-servername", CONNECT_NAME, "-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256", "-alpn", "valise-data/1",
			"-psk", "00" * 32, "-psk_identity", "v1." + "5" * 32, "-allow_no_dhe_kex"], stdin=subprocess.DEVNULL,
			stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
		with listener.accept()[0] as stream:
			wire = skip_hello(stream)
		client.kill()
		client.wait()
	return wire


def unfinished_channel(scene, count=200):
	relay = relay_for(scene)
	wire = _channel_hello()
	return _held(scene, relay, count, lambda: dial(relay.port, wire))


def session(scene, count=200):
	relay = relay_for(scene)
	certificate = authority().agent("costs", NAME)

	def one():
		peer = Session(relay, certificate, timeout=60)
		peer.up()
		return peer
	return _held(scene, relay, count, one, AGENT_LEFT_SECONDS)


def _with_pool(scene, least):
	"""(a relay's memory, descriptors and channels) with one agent that keeps so many ready."""
	relay = scene.relay(f"relay-{least}", start=False, log={"level": "warning"}, pool={"least": least, "most": 1000})
	relay.most_files = 20000
	relay.start()
	agent = scene.agent(relay, [passthrough("served.example.com", "tcp://127.0.0.1:9")],
		authority().agent("costs-pool", "served.example.com"), label=f"agent-{least}", start=False, agent={"pool": {"most": 1000}})
	agent.most_files = 20000
	agent.start()
	until(lambda: status(relay)["channels"] >= least, 60, "the channels are parked")
	memory = _still(relay)
	return memory, relay.descriptors(), status(relay)["channels"], relay.processor_seconds()


def parked_channel(scene, count=480):
	"""Many, since a relay on a busy machine has 45 KB more or less whatever is parked."""
	few, many = _with_pool(scene, 4), _with_pool(scene, count)
	channels = many[2] - few[2]
	return (many[0] - few[0]) / channels, (many[1] - few[1]) / channels, (many[3] - few[3]) / channels * 1e6


def idle_flow(scene, count=400):
	relay = relay_for(scene)
	wire = hello(NAME)

	def one():
		client = dial(relay.port, wire)
		read_exactly(client, len(wire))
		return client
	return _held(scene, relay, count, one)


def announced_name(scene, sessions=10, names=1000):
	relay = relay_for(scene)
	certificate = authority().agent("costs-names", "*.many.example.com")

	def up():
		peer = Session(relay, certificate, timeout=60)
		peer.up()
		return scene.keep(peer)
	peers = [up() for _ in range(sessions)]
	up().announce(1, "first.many.example.com")
	cost = Cost(relay)
	for n, peer in enumerate(peers):
		for first in range(0, names, 50):
			bodies = [announcement(i + 1, f"host{i}-of-{n}.many.example.com") for i in range(first, first + 50)]
			peer.send(frame(ANNOUNCE_MANY, b"".join(struct.pack(">H", len(body)) + body for body in bodies)))
		peer.answers(names)
	return cost.of(sessions * names)


PARKED = 4


def _over_agent(scene, carrier, whose, count):
	"""What a flow over an agent costs one of the two. As many channels as before are parked at the end."""
	relay = scene.relay(log={"level": "warning"}, pool={"least": PARKED, "most": PARKED})
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo), carrier=carrier)],
		authority().agent("costs-flows", NAME), log={"level": "info"})
	wire = hello(NAME)

	def one():
		client = dial(relay.port, wire)
		read_exactly(client, len(wire))
		return client

	def is_full():
		return status(relay)["channels"] == PARKED
	for _ in range(20):
		scene.keep(one())
	until(is_full, 60, "the channels are parked")
	cost = Cost({"relay": relay, "agent": agent}[whose])
	for _ in range(count):
		scene.keep(one())
	until(is_full, 60, "the channels are parked again")
	return cost.of(count)


def idle_flow_over_an_agent(carrier, whose):
	return lambda scene, count=800: _over_agent(scene, carrier, whose, count)


def _with_routes(scene, count):
	"""(memory, seconds of the processor) of a relay that has just started with so many static routes."""
	routes = [{"server_name": f"host{n}.tenant{n % 97}.example.org",
		"upstream": f"tcp://10.{n >> 16}.{n >> 8 & 255}.{n & 255}:8443"} for n in range(count)]
	relay = scene.relay(f"relay-{count}", start=False, log={"level": "warning"}, routes=routes).start(seconds=120)
	return _still(relay), relay.processor_seconds()


def static_route(scene, count=100000):
	few, many = _with_routes(scene, 10), _with_routes(scene, count)
	return (many[0] - few[0]) / count, 0, (many[1] - few[1]) / count * 1e6


# Of a descriptor each: what a daemon opens beside them meanwhile.
BESIDE = 0.05
# What it is, how it is measured, and how many bytes and descriptors it may take.
STATES = (
	("silent connection", silent_connection, 1024, 1),
	("half hello, beside its bytes", half_hello, 1024, 1),
	("unfinished handshake of a session", unfinished_session, 22000, 1),
	("unfinished handshake of a channel", unfinished_channel, 12200, 1),
	("session", session, 19 * 1024, 1),
	("parked channel", parked_channel, 12200, 1),
	("idle static flow", idle_flow, 1024, 2),
	("idle handoff flow", idle_flow_over_an_agent("handoff", "relay"), 1100, 2),
	("idle handoff flow, agent", idle_flow_over_an_agent("handoff", "agent"), 1100, 2),
	("idle sealed flow", idle_flow_over_an_agent("sealed", "relay"), 13000, 2),
	("idle sealed flow, agent", idle_flow_over_an_agent("sealed", "agent"), 13000, 2),
	("static route", static_route, 200, 0),
	("announced name", announced_name, 700, 0),
)
