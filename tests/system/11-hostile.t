#!/usr/bin/env -S python3 -B
"""Garbage, slowness and floods: the relay stays up, small, and serves the others."""
import random
import resource
import socket
import time

from lib import *
from lib.client import reset
from lib.process import SANITIZED

NAME = "app.example.com"
resource.setrlimit(resource.RLIMIT_NOFILE, (8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def relay_with_echo(scene, **settings):
	return scene.relay(routes=[route(NAME, scene.upstream(echo))], **settings)


def serves(relay):
	wire = hello(NAME)
	with dial(relay.port, wire) as client:
		equal(read_exactly(client, len(wire)), wire, "a flow meanwhile")


@test
def garbage_is_refused_and_others_are_served(scene):
	relay = relay_with_echo(scene)
	numbers = random.Random(1)
	wire = hello(NAME)
	for _ in range(300):
		kind = numbers.randrange(4)
		if kind == 0:
			garbage = numbers.randbytes(numbers.randrange(1, 2000))
		elif kind == 1:
			garbage = b"\x16\x03\x01" + numbers.randbytes(numbers.randrange(1, 2000))
		elif kind == 2:
			garbage = bytearray(wire)
			for _ in range(4):
				garbage[numbers.randrange(5, len(wire))] = numbers.randrange(256)
		else:
			garbage = wire[:numbers.randrange(len(wire))]
		client = dial(relay.port)
		try:
			client.sendall(garbage)
			if numbers.randrange(2):
				client.shutdown(socket.SHUT_WR)
		except OSError:
			pass
		reset(client) if numbers.randrange(2) else client.close()
	serves(relay)
	check(relay.alive(), "the relay lives")


@test
def a_slow_hello_ends_at_the_absolute_deadline(scene):
	relay = relay_with_echo(scene, limits={"hello_timeout": "1s"})
	wire = hello(NAME)
	started = time.monotonic()
	with dial(relay.port) as client:
		client.settimeout(0.1)
		ended = None
		for byte in wire:
			try:
				client.sendall(bytes([byte]))
				ended = closed_how(client)
				break
			except TimeoutError:
				pass
			except OSError:
				ended = "reset"
				break
		seconds = time.monotonic() - started
	check(ended in ("fin", "reset"), f"ended: {ended}")
	check(0.8 < seconds < 2.5, f"after {seconds:.1f} s")


@test
def silence_ends_at_the_deadline(scene):
	relay = relay_with_echo(scene, limits={"hello_timeout": "500ms"})
	with dial(relay.port) as client:
		equal(closed_how(client), "fin")


@test
def a_burst_of_whole_hellos_crowds_nobody_out(scene):
	relay = scene.relay(workers=1, routes=[route(NAME, scene.upstream(echo))])
	wire = hello(NAME)
	relay.freeze()		# so that all of them are accepted in one go
	first = scene.keep(dial(relay.port))
	others = [scene.keep(dial(relay.port, wire)) for _ in range(100)]
	relay.thaw()
	for client in others:
		equal(read_exactly(client, len(wire)), wire)
	first.sendall(wire)
	equal(read_exactly(first, len(wire)), wire, "who was between connect() and send()")


def still_open(streams):
	"""How many of them have not been refused."""
	count = 0
	for stream in streams:
		stream.settimeout(0.01)
		try:
			stream.recv(1)
		except TimeoutError:
			count += 1
	return count


@test
def channels_do_not_take_the_places_of_clients_hellos(scene):
	relay = relay_with_echo(scene, limits={"hellos_per_client": 8, "hello_timeout": "10s"})
	strangers = [scene.keep(dial(relay.port)) for _ in range(20)]
	until(lambda: still_open(strangers) == 8, what="12 of 20 are refused before an agent has come from there")
	scene.agent(relay, [passthrough("agent.example.com", "tcp://127.0.0.1:9")],
		authority().agent("agent", "agent.example.com"))
	dialling = [scene.keep(dial(relay.port)) for _ in range(40)]
	serves(relay)
	time.sleep(0.3)
	equal(still_open(dialling), 40, "what is dialled from where an agent is")


@test
def many_slow_hellos_cost_bounded_memory(scene):
	relay = relay_with_echo(scene, limits={"hello_timeout": "10s"})
	serves(relay)
	before = relay.memory_kib()
	wire = hello(NAME)
	big = wire[:3] + b"\x3f\xff" + wire[5:6] + b"\x00\x3f\xf0" + wire[9:] + bytes(14000)
	slow = []
	for _ in range(1500):
		client = scene.keep(dial(relay.port))
		try:
			client.sendall(big)
		except OSError:
			pass
		slow.append(client)
	serves(relay)
	grown = (relay.memory_kib() - before) / 1024
	check(grown < (400 if SANITIZED else 80), f"{grown:.0f} MiB more for 1500 hellos in progress")
	for client in slow:
		reset(client)
	until(lambda: relay.connections() < 10, 15, "the connections are gone")
	serves(relay)


@test
def running_out_of_descriptors_pauses_and_passes(scene):
	relay = relay_with_echo(scene)
	serves(relay)
	# The relay shares out what it was given, so that clients cannot bring this about: the system takes some back.
	limit = resource.prlimit(relay.pid, resource.RLIMIT_NOFILE)
	resource.prlimit(relay.pid, resource.RLIMIT_NOFILE, (relay.descriptors(), limit[1]))
	crowd = [dial(relay.port) for _ in range(20)]
	relay.wait_event("accept-paused")
	before = relay.processor_seconds()
	time.sleep(1)
	spent = relay.processor_seconds() - before
	check(spent < 0.5, f"{spent:.2f} s of processor time in one second without descriptors")
	for client in crowd:
		client.close()
	resource.prlimit(relay.pid, resource.RLIMIT_NOFILE, limit)
	time.sleep(1.2)
	serves(relay)


main()
