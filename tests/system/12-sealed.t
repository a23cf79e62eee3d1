#!/usr/bin/env -S python3 -B
"""What holds for sealed bytes on every way that they can take."""
import hashlib
import os
import socket
import threading
import time

from lib import *
from lib.client import reset

NAME = "app.example.com"


def static_route(scene, serve, **settings):
	return scene.relay(routes=[route(NAME, scene.upstream(serve))], **settings)


def agent(scene, serve, workers=1, carrier="sealed", **settings):
	relay = scene.relay(workers=workers, **settings)
	endpoint = passthrough(NAME, scene.upstream(serve), carrier=carrier)
	scene.agent(relay, [endpoint], authority().agent("agent", NAME), workers=workers)
	return relay


def handoff(scene, serve, **settings):
	return agent(scene, serve, carrier="handoff", **settings)


def relay_and_agent_of_four_workers(scene, serve, **settings):
	return agent(scene, serve, 4, **settings)


PATHS = (static_route, agent, handoff, relay_and_agent_of_four_workers)


@test_over(*PATHS)
def passes_the_bytes_unchanged(scene, way):
	relay = way(scene, echo)
	data = hello(NAME) + os.urandom(300000)
	with dial(relay.port, data) as client:
		client.shutdown(socket.SHUT_WR)
		count, digest = drained(client)
	equal((count, digest), (len(data), hashlib.sha256(data).hexdigest()))


@test_over(*PATHS)
def any_cutting_of_the_hello_is_the_same_hello(scene, way):
	relay = way(scene, echo, limits={"hello_timeout": "60s"})	# a busy machine may sleep longer than it is asked to
	wire = hello(NAME)
	for step in (1, 2, 5, 100):
		with dial(relay.port) as client:
			for i in range(0, len(wire), step):
				client.sendall(wire[i:i + step])
				if step > 2:
					time.sleep(0.002)
			equal(read_exactly(client, len(wire)), wire, f"segments of {step} bytes")


@test_over(*PATHS)
def any_records_of_the_hello_are_the_same_hello(scene, way):
	relay = way(scene, echo)
	for piece in (1, 3, 50, 200):
		wire = records(hello(NAME), piece)
		with dial(relay.port, wire + b"behind") as client:
			equal(read_exactly(client, len(wire) + 6), wire + b"behind", f"records of {piece} bytes")


@test_over(*PATHS)
def the_client_may_end_first(scene, way):
	said = b"all of it: "

	def serve(stream):
		count, digest = drained(stream)
		stream.sendall(said + f"{count} {digest}".encode())

	relay = way(scene, serve)
	data = hello(NAME) + os.urandom(1 << 20)
	with dial(relay.port, data) as client:
		client.shutdown(socket.SHUT_WR)
		answer = client.recv(1000)
		equal(answer, said + f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode())
		equal(client.recv(10), b"", "after the answer")


@test_over(*PATHS)
def the_upstream_may_end_first(scene, way):
	got = []

	def serve(stream):
		skip_hello(stream)
		stream.sendall(b"this is all that I say")
		stream.shutdown(socket.SHUT_WR)
		got.append(drained(stream))

	relay = way(scene, serve)
	with dial(relay.port, hello(NAME)) as client:
		equal(read_exactly(client, 22), b"this is all that I say")
		equal(client.recv(10), b"", "the upstream's end")
		data = os.urandom(1 << 20)
		client.sendall(data)
		client.shutdown(socket.SHUT_WR)
		until(lambda: got, what="the upstream has everything")
	equal(got[0], (len(data), hashlib.sha256(data).hexdigest()))


@test_over(*PATHS)
def a_reset_passes_both_ways(scene, way):
	ended, asked = [], threading.Event()

	def serve(stream):
		skip_hello(stream)
		stream.sendall(b"go")
		if stream.recv(1) == b"r":
			return reset(stream)
		asked.set()
		ended.append(closed_how(stream))

	relay = way(scene, serve)
	with dial(relay.port, hello(NAME)) as client:
		read_exactly(client, 2)
		client.sendall(b"r")
		equal(closed_how(client), "reset", "the client sees")
	client = dial(relay.port, hello(NAME))
	read_exactly(client, 2)
	client.sendall(b"c")
	check(asked.wait(15), "the upstream has what came before the reset")
	reset(client)
	until(lambda: ended, what="the upstream sees the end")
	equal(ended, ["reset"], "the upstream sees")


@test_over(*PATHS)
def a_hundred_megabytes_in_both_directions_at_once(scene, way):
	relay = way(scene, lambda stream: (skip_hello(stream), echo(stream)))
	size, block = 100 << 20, os.urandom(1 << 20)
	with dial(relay.port, hello(NAME)) as client:

		def send():
			for _ in range(size // len(block)):
				client.sendall(block)
			client.shutdown(socket.SHUT_WR)

		sender = threading.Thread(target=send, daemon=True)
		sender.start()
		count, digest = drained(client)
		sender.join()
	equal((count, digest), (size, hashlib.sha256(block * (size // len(block))).hexdigest()))


@test_over(*PATHS)
def five_hundred_flows_at_once(scene, way):
	relay = way(scene, echo)
	wire = hello(NAME)
	clients = [scene.keep(dial(relay.port, wire)) for _ in range(500)]
	for client in clients:
		equal(read_exactly(client, len(wire)), wire)
	for number, client in enumerate(clients):
		client.sendall(number.to_bytes(4, "big") * 2500)
	for number, client in enumerate(clients):
		equal(read_exactly(client, 10000), number.to_bytes(4, "big") * 2500, f"flow {number}")
		client.shutdown(socket.SHUT_WR)
	for client in clients:
		equal(client.recv(10), b"", "the end")


main()
