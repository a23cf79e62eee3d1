#!/usr/bin/env -S python3 -B
"""The laboratory itself: what it says that it does to a network, it does."""
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
from lib import *
from lib.lab import Lab, want_lab

NAME = "app.example.com"
want_lab()


def pair(scene, **keys):
	lab = Lab(scene)
	return lab.place("left", **keys), lab.place("right")


def listen(scene, place):
	with place:
		return scene.keep(socket.create_server((place.address, 0)))


def connect(scene, place, listener, seconds=5):
	with place:
		return scene.keep(socket.create_connection(listener.getsockname(), seconds))


def comes_back(stream, listener_end, seconds):
	stream.sendall(b"?")
	listener_end.settimeout(seconds)
	try:
		return listener_end.recv(1) == b"?"
	except TimeoutError:
		return False


@test
def a_place_that_is_cut_hears_nothing_until_it_is_healed(scene):
	left, right = pair(scene)
	listener = listen(scene, right)
	near = connect(scene, left, listener)
	far = scene.keep(listener.accept()[0])
	check(comes_back(near, far, 5), "the link works")
	left.cut()
	check(not comes_back(near, far, 0.5), "nothing comes through")
	left.heal()
	far.settimeout(10)
	equal(far.recv(1), b"?", "what was sent meanwhile")


@test
def what_is_forgotten_is_dropped_in_silence_and_new_connections_pass(scene):
	left, right = pair(scene)
	listener = listen(scene, right)
	near = connect(scene, left, listener)
	far = scene.keep(listener.accept()[0])
	equal(left.forget(), 1, "connections that were forgotten")
	check(not comes_back(near, far, 0.5), "nothing comes through")
	again = connect(scene, left, listener)
	check(comes_back(again, scene.keep(listener.accept()[0]), 5), "a new one works")


@test
def a_slow_place_is_as_slow_as_it_is_told(scene):
	left, right = pair(scene, slow=True)
	listener = listen(scene, right)
	connect(scene, left, listener)
	left.delay(40)
	began = time.monotonic()
	connect(scene, left, listener)
	took = time.monotonic() - began
	print(f"# a connection over 40 ms each way was made in {took * 1000:.0f} ms")
	check(took >= 0.08, f"a round trip took {took} s")


@test
def a_flow_goes_from_a_client_over_relay_and_agent_to_its_upstream_over_a_lossy_link(scene):
	lab = Lab(scene)
	street = lab.place("street")
	home, anywhere = lab.place("home", relay=street), lab.place("anywhere")
	with home:
		upstream = scene.upstream(echo)
	relay = scene.relay(place=street)
	scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("agent", NAME), place=home)
	check(home.connections() >= 1, "the agent's session is there")
	home.loss(2)
	with anywhere:
		client = scene.keep(dial(relay.port, hello(NAME), host=street.address))
	sent = os.urandom(300000)
	client.sendall(sent)
	equal(read_exactly(client, len(hello(NAME)) + len(sent))[-len(sent):], sent, "what came back")


main()
