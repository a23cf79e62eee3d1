#!/usr/bin/env -S python3 -B
"""An operator looks at very many flows and sessions: what that costs, and what a flow notices of it."""
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
from lib import *
from lib.session import Session
from lib.tap import progress

FLOWS, SESSIONS, LOOKS = 10000, 1000, 5


class Silent:
	"""An upstream that accepts and says nothing, without a thread for each."""

	def __init__(self):
		self.listener, self.kept = socket.create_server(("127.0.0.1", 0), backlog=4096), []
		self.url = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
		threading.Thread(target=self._accept, daemon=True).start()

	def _accept(self):
		while True:
			try:
				self.kept.append(self.listener.accept()[0])
			except OSError:
				return

	def close(self):
		self.listener.close()
		for stream in self.kept:
			stream.close()


def look(relay, word):
	"""(rows, seconds, bytes) of one list, as the socket tells it."""
	began = time.monotonic()
	with socket.socket(socket.AF_UNIX) as stream:
		stream.connect(relay.settings["admin"]["socket"])
		stream.sendall(json.dumps({"command": word}).encode() + b"\n")
		pieces = []
		while got := stream.recv(1 << 20):
			pieces.append(got)
	took = time.monotonic() - began
	text = b"".join(pieces)
	return json.loads(text)[word], took, len(text)


def delays(stream, seconds, until_set=None):
	"""Round trips of an echo, in ms, sorted."""
	taken, end = [], time.monotonic() + seconds
	while time.monotonic() < end or (until_set and not until_set.is_set()):
		began = time.monotonic()
		stream.sendall(b"x")
		stream.recv(1)
		taken.append((time.monotonic() - began) * 1000)
	return sorted(taken)


def figures(taken):
	return f"median {taken[len(taken) // 2]:.2f} ms, 99 % {taken[len(taken) * 99 // 100]:.2f} ms, most {taken[-1]:.2f} ms"


@test
def thousands_of_flows_and_sessions_are_listed(scene):
	silent = Silent()
	scene.keep_to_the_end(silent)
	relay = scene.relay(workers=1, start=False, routes=[route("silent.example", silent.url), route("echo.example",
		scene.upstream(echo))], limits={"sessions_per_identity": SESSIONS, "flows_per_second": 100000,
		"sessions_per_second": 100000, "handshakes": 2000, "agent_descriptors": 3200}, connect={"heartbeat_tolerance": "300s"}, log={"level": "info"})
	relay.most_files = 65536
	relay.start()
	# This process has both ends of each, and a session's.
	hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
	flows = min(FLOWS, relay.wait_event("relay-up")[0]["flows"] - 100, (hard - SESSIONS - 500) // 2)
	resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
	wire = hello("silent.example")
	for _ in range(flows):
		scene.keep(dial(relay.port, wire, timeout=60))
	progress()
	certificate = authority().agent("many", "*.many.example")
	sessions = []
	for _ in range(SESSIONS):
		session = scene.keep(Session(relay, certificate, timeout=60))
		session.up()
		sessions.append(session)
	progress()
	first = hello("echo.example")
	stream = scene.keep(dial(relay.port, first, timeout=60))
	equal(read_exactly(stream, len(first)), first, "the echo")
	stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
	quiet = delays(stream, 3)
	over, told = threading.Event(), {}

	def looks():
		for word in ["flows", "agents", "routes"] * LOOKS:
			told.setdefault(word, []).append(look(relay, word))
		over.set()

	threading.Thread(target=looks, daemon=True).start()
	busy = delays(stream, 0, over)
	for word, count in ("flows", flows + 1), ("agents", SESSIONS), ("routes", 2):
		equal({len(rows) for rows, _, _ in told[word]}, {count}, f"{word} that are told each time")
		rows, took, size = told[word][-1]
		print(f"# {word}: {count} rows, {size} bytes, in {min(t for _, t, _ in told[word]) * 1000:.0f} ms")
	print(f"# an echo meanwhile: {figures(busy)}; before: {figures(quiet)}")
	began = time.monotonic()
	table = subprocess.run([relay.program, "flows", "--table", "--sort", "age_ms", "-c", relay.config_path],
		capture_output=True, text=True, timeout=60)
	equal((table.returncode, len(table.stdout.splitlines())), (0, flows + 2), f"lines of the table: {table.stderr}")
	print(f"# the command, with its two looks a second apart and a table: {time.monotonic() - began:.1f} s")
	# A loop that described all of it at once would stand still for 50 ms and more.
	check(busy[len(busy) * 99 // 100] < 20 + 2 * quiet[len(quiet) * 99 // 100], f"the echo is held up: {figures(busy)}")


main()
