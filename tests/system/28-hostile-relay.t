#!/usr/bin/env -S python3 -B
"""What a relay that means harm can do to an agent that believes it."""
import os
import signal
import ssl
import struct
import threading

from lib import *
from lib.session import *
from lib.upstream import server_context

ENDPOINTS = 20
NAMES = [f"n{n}.example.com" for n in range(ENDPOINTS)]
ALL = struct.pack(">II", 1, 0xffffffff)
NAME_TAKEN, SHUTDOWN, ENDPOINT_LIMIT = 21, 11, 24


def hostile_relay(scene, act, *, pool_least=0, pool_most=0):
	"""act(stream) when its agent has the welcome, but only in the first session."""
	context = server_context(*authority().relay(), version=ssl.TLSVersion.TLSv1_3)
	context.set_alpn_protocols(["valise/1"])
	first = threading.Lock()

	def serve(stream):
		stream.recv(65536)
		if not first.acquire(blocking=False):
			return
		stream.sendall(frame(WELCOME, bytes([2]) + bytes(4) + os.urandom(16) + text8("evil") +
			struct.pack(">HHII", pool_least, pool_most, 60000, 15000)))
		act(stream)
		while stream.recv(65536):
			pass
	return scene.upstream(serve, tls=context)


def agent_of(scene, relay):
	return scene.agent(relay, [passthrough(name, "tcp://127.0.0.1:9") for name in NAMES],
		authority().agent("victim", *NAMES), start=False, log={"level": "info"}).start()


def refused(code):
	return frame(REFUSED_MANY, struct.pack(">HH", code, 2) + b"no" + ALL)


def again(code):
	return frame(AGAIN, struct.pack(">H", code))


@test
def refusals_without_end_fill_no_log(scene):
	rounds = 25

	def refuse(stream):
		for _ in range(rounds):
			for code, other in ((NAME_TAKEN, ENDPOINT_LIMIT), (ENDPOINT_LIMIT, NAME_TAKEN)):
				stream.sendall(refused(code) + refused(other) + again(code))
		stream.sendall(frame(GOODBYE, struct.pack(">H", SHUTDOWN) + b"\0\4over"))
	agent = agent_of(scene, hostile_relay(scene, refuse))
	counted = agent.wait_event("endpoint-lines-suppressed", 20)[0]
	agent.signal(signal.SIGTERM)
	equal(agent.wait(), 0)
	told = len(agent.events("endpoint-refused"))
	equal(told, 60 + 2 * ENDPOINTS, "lines")
	equal(told + counted["refusals"], 2 * rounds * ENDPOINTS, "what waits for no answer cannot be refused")
	equal((counted["changes"], counted["relay"]), (0, "evil"))


main()
