#!/usr/bin/env -S python3 -B
"""What agents that announce as fast as they can cost an unrelated route: the p99 of a connection through a
relay, from connect to the upstream's first byte, alone and beside them, in turns of one run. 30 sessions of
one identity have 1000 endpoints each; six of them announce anew, either all of their names or always one.
Where it is allowed the relay's workers and the client go before all else on the machine, so that what is
measured is the relay's doing."""
import multiprocessing
import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/system"))
from lib import *
from lib.scene import Scene
from lib.session import *

SESSIONS, NAMES, ATTACKERS, HOLD_MS = 30, 1000, 6, 1.0
TURNS, VISITS, PAUSE_S = 6, 200, 0.002
ROUTE = "unrelated.example.com"


def bodies():
	return [announcement(n + 1, f"n{n}.many.example.com") for n in range(NAMES)]


def one_by_one(several):
	return b"".join(frame(ANNOUNCE, body) for body in several)


def together(several):
	"""In frames of at most 4096 bytes."""
	wire, part = b"", b""
	for body in several:
		entry = struct.pack(">H", len(body)) + body
		if len(part) + len(entry) > 4095:
			wire, part = wire + frame(ANNOUNCE_MANY, part), b""
		part += entry
	return wire + frame(ANNOUNCE_MANY, part)


def up(port, certificate):
	peer = Session(type("Relay", (), {"port": port}), certificate, timeout=60)
	peer.up()
	peer.send(together(bodies()))
	peer.answers(NAMES)
	return peer


def await_answers(peer, count):
	while count > 0:
		kind, body = peer.next()
		if kind == ACCEPTED:
			count -= 1
		elif kind == ACCEPTED_MANY:
			count -= len(ranges(body))


def announce_anew(port, certificate, wire, count, goes_on, sent):
	"""One attacker, in a process of its own, and with what the others leave of the machine."""
	os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
	os.nice(19)
	peer = up(port, certificate)
	while True:
		goes_on.wait()
		peer.send(wire)
		await_answers(peer, count)
		with sent.get_lock():
			sent.value += count


def go_first(thread, priority):
	try:
		os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(priority))
	except PermissionError:
		pass


def workers_go_first(relay):
	tasks = f"/proc/{relay.pid}/task"
	for thread in os.listdir(tasks):
		with open(f"{tasks}/{thread}/comm") as file:
			if file.read().startswith("relay-"):
				go_first(int(thread), 1)


def serve(listener):
	"""The upstream, in a process of its own."""
	go_first(0, 2)
	while True:
		stream, _ = listener.accept()
		with stream:
			stream.sendall(stream.recv(65536)[:1])


def visit(relay, wire):
	began = time.perf_counter()
	with dial(relay.port, wire) as client:
		client.recv(1)
	return time.perf_counter() - began


def visits(relay):
	wire, took = hello(ROUTE), []
	for _ in range(VISITS):
		took.append(visit(relay, wire))
		time.sleep(PAUSE_S)
	return took


def p99_ms(took):
	return sorted(took)[len(took) * 99 // 100] * 1e3


def measure(scene, what, wire, count):
	"""By how much the p99 moves, in milliseconds."""
	certificate = authority().agent("many", "*.many.example.com")
	listener = socket.create_server(("127.0.0.1", 0))
	upstream = multiprocessing.Process(target=serve, args=(listener,), daemon=True)
	upstream.start()
	relay = scene.relay(f"relay-{len(scene.daemons)}", workers=2, log={"level": "warning"},
		routes=[route(ROUTE, f"tcp://127.0.0.1:{listener.getsockname()[1]}")])
	workers_go_first(relay)
	for _ in range(SESSIONS - ATTACKERS):
		scene.keep(up(relay.port, certificate))
	goes_on, sent = multiprocessing.Event(), multiprocessing.Value("Q", 0)
	attackers = [multiprocessing.Process(target=announce_anew, daemon=True,
		args=(relay.port, certificate, wire, count, goes_on, sent)) for _ in range(ATTACKERS)]
	for attacker in attackers:
		attacker.start()
	time.sleep(2)
	alone, beside, seconds = [], [], 0
	for _ in range(TURNS):
		alone += visits(relay)
		goes_on.set()
		began = time.perf_counter()
		beside += visits(relay)
		seconds += time.perf_counter() - began
		goes_on.clear()
		time.sleep(0.2)
	for process in (*attackers, upstream):
		process.kill()
	moved = p99_ms(beside) - p99_ms(alone)
	print(f"{what}, {sent.value / seconds:.0f} announcements a second: p99 {p99_ms(alone):.2f} ms alone, "
		f"{p99_ms(beside):.2f} ms beside them, moved by {moved:.2f} ms (to hold: {HOLD_MS})", flush=True)
	return moved


def main():
	scene = Scene()
	go_first(0, 2)
	try:
		moved = [measure(scene, "all of their names, one a frame", one_by_one(bodies()), NAMES),
			measure(scene, "all of their names, many a frame", together(bodies()), NAMES),
			measure(scene, "always one name", one_by_one(bodies()[:1] * 100), 100)]
	finally:
		scene.close()
		scene.remove()
	sys.exit(1 if max(moved) > HOLD_MS else 0)


if __name__ == "__main__":
	main()
