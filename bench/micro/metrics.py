#!/usr/bin/env -S python3 -B
"""What /metrics of a relay costs: how long an answer with 1000 routes takes that is made anew, and by how much
the p99 of a flow's connection moves while somebody asks without end, alone and beside it in turns of one run."""
import multiprocessing
import os
import socket
import sys
import time
from http.client import HTTPConnection

from route import HOLD_MS, go_first, p99_ms, serve, visits, workers_go_first, ROUTE
from lib import *
from lib.scene import Scene, free_port

ROUTES, ANSWERS, ANSWER_MS, TURNS = 1000, 10, 10, 8


def ask(port):
	connection = HTTPConnection("127.0.0.1", port, timeout=10)
	began = time.perf_counter()
	connection.request("GET", "/metrics")
	text = connection.getresponse().read()
	took = time.perf_counter() - began
	connection.close()
	return took, text


def ask_without_end(port, goes_on, asked):
	"""In a process of its own, and with what the others leave of the machine."""
	os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
	os.nice(19)
	while True:
		goes_on.wait()
		ask(port)
		with asked.get_lock():
			asked.value += 1


def begin(scene):
	listener = socket.create_server(("127.0.0.1", 0))
	upstream = multiprocessing.Process(target=serve, args=(listener,), daemon=True)
	upstream.start()
	target = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
	names = [ROUTE] + [f"n{n}.many.example.com" for n in range(ROUTES - 1)]
	relay = scene.relay("relay", workers=2, log={"level": "warning"}, routes=[route(name, target) for name in names],
		admin={"http": f"127.0.0.1:{free_port()}"})
	relay.http = int(relay.settings["admin"]["http"].rsplit(":")[-1])
	workers_go_first(relay)
	for name in names:
		with dial(relay.port, hello(name)) as client:
			client.recv(1)
	return relay, upstream


def measure_answers(relay):
	"""Each a second after the last, so that it is made anew."""
	took = []
	for _ in range(ANSWERS):
		time.sleep(1.1)
		seconds, text = ask(relay.http)
		took.append(seconds * 1e3)
	series = sum(line.startswith(b"valise_relay_route_flows_total{") for line in text.splitlines())
	took.sort()
	print(f"/metrics with {series} routes, {len(text) >> 10} KiB: {took[len(took) // 2]:.2f} ms, at most {took[-1]:.2f} ms "
		f"(to hold: {ANSWER_MS})", flush=True)
	return took[len(took) // 2] if series == ROUTES else ANSWER_MS


def measure_flows(relay):
	goes_on, asked = multiprocessing.Event(), multiprocessing.Value("Q", 0)
	asker = multiprocessing.Process(target=ask_without_end, args=(relay.http, goes_on, asked), daemon=True)
	asker.start()
	alone, beside, seconds = [], [], 0
	for _ in range(TURNS):
		alone += visits(relay)
		goes_on.set()
		began = time.perf_counter()
		beside += visits(relay)
		seconds += time.perf_counter() - began
		goes_on.clear()
		time.sleep(0.2)
	asker.kill()
	moved = p99_ms(beside) - p99_ms(alone)
	print(f"{asked.value / seconds:.0f} answers a second: p99 {p99_ms(alone):.2f} ms alone, {p99_ms(beside):.2f} ms "
		f"beside them, moved by {moved:.2f} ms (to hold: {HOLD_MS})", flush=True)
	return moved


def main():
	scene = Scene()
	go_first(0, 2)
	try:
		relay, upstream = begin(scene)
		answer_ms, moved_ms = measure_answers(relay), measure_flows(relay)
		upstream.kill()
	finally:
		scene.close()
		scene.remove()
	sys.exit(1 if answer_ms >= ANSWER_MS or moved_ms > HOLD_MS else 0)


if __name__ == "__main__":
	main()
