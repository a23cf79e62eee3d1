#!/usr/bin/env -S python3 -B
"""A reset stays one: what was cut off never looks whole, on no way and in no direction."""
import collections
import itertools
import select
import socket

from lib import *
from lib.client import reset

NAME = "app.example.com"
TIMES = often(400, 100)
BLOCK = bytes(16384)


def static_route(scene, serve):
	return scene.relay(routes=[route(NAME, scene.upstream(serve))])


def passthrough_agent(scene, serve, **keys):
	relay = scene.relay()
	scene.agent(relay, [passthrough(NAME, scene.upstream(serve), **keys)], authority().agent("agent", NAME))
	return relay


def passthrough_handoff(scene, serve):
	return passthrough_agent(scene, serve, carrier="handoff")


def terminating_agent(scene, upstream, **keys):
	relay = scene.relay()
	scene.agent(relay, [terminate(NAME, upstream, **keys)], authority().agent("agent", NAME))
	return relay


def unix_upstream(scene, serve):
	return terminating_agent(scene, scene.unix_upstream(serve))


def tcp_upstream(scene, serve):
	return terminating_agent(scene, scene.upstream(serve))


def tcp_upstream_handoff(scene, serve):
	return terminating_agent(scene, scene.upstream(serve), carrier="handoff")


SEALED = (static_route, passthrough_agent, passthrough_handoff)
OPEN = (tcp_upstream, tcp_upstream_handoff, unix_upstream)


def end_of(stream):
	"""Sends and reads at once until the stream ends, "fin" or "reset".  A call that fails takes the socket's
	error with it, so a reset is one whichever call it was that told."""
	how, sends = "fin", True
	while True:
		readable, writable, _ = select.select([stream], [stream] if sends else [], [], 15)
		check(readable or writable, "the stream does not end")
		if writable:
			try:
				stream.send(BLOCK, socket.MSG_DONTWAIT)
			except BlockingIOError:
				pass
			except ConnectionResetError:
				how, sends = "reset", False
			except BrokenPipeError:
				sends = False
		if readable:
			try:
				if not stream.recv(65536):
					return how
			except ConnectionResetError:
				return "reset"


def tls_end_of(client):
	"""The same with TLS: "close_notify" if one came, whatever came with it."""
	sends = True
	while True:
		readable, writable, _ = select.select([client.socket], [client.socket] if sends else [], [], 15)
		check(readable or writable, "the stream does not end")
		try:
			if writable:
				client.sendall(BLOCK)
		except (ConnectionResetError, BrokenPipeError):
			sends = False
		if not readable and sends:
			continue
		try:
			if client.recv() == b"":
				return "close_notify"
		except (ConnectionResetError, EOFError):
			return "cut"


def cut_by_reset(stream):
	"""Half an answer, and then the end of the process."""
	stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
	stream.recv(1)
	reset(stream)


def cut_by_unread_bytes(stream):
	"""The same, without being asked for a reset: the kernel sends one for what was not read."""
	stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
	while not select.select([stream], [], [], 15)[0]:
		pass
	stream.close()


def cut_in_turn(*ways):
	ways = itertools.cycle(ways)
	return lambda stream: next(ways)(stream)


@test_over(*SEALED)
def an_upstreams_reset_is_one_for_a_client_that_uploads(scene, way):
	cut = cut_in_turn(cut_by_reset, cut_by_unread_bytes)
	relay = way(scene, lambda stream: (skip_hello(stream), cut(stream)))
	seen = collections.Counter()
	for _ in range(TIMES):
		with dial(relay.port, hello(NAME)) as client:
			seen[end_of(client)] += 1
	equal(dict(seen), {"reset": TIMES}, "what the clients saw")


@test_over(*OPEN)
def no_close_notify_comes_behind_half_an_answer(scene, way):
	over_tcp = (cut_by_reset, cut_by_unread_bytes)
	relay = way(scene, cut_in_turn(*(over_tcp[1:] if way is unix_upstream else over_tcp)))
	seen = collections.Counter()
	for _ in range(TIMES):
		with TlsClient(relay.port, NAME, authority().root) as client:
			client.sendall(b"POST / HTTP/1.1\r\n\r\n")
			seen[tls_end_of(client)] += 1
	equal(dict(seen), {"cut": TIMES}, "what the clients saw")


@test_over(*SEALED)
def a_clients_reset_is_one_for_an_upstream_that_sends(scene, way):
	seen = collections.Counter()
	relay = way(scene, lambda stream: (skip_hello(stream), seen.update([end_of(stream)])))
	for _ in range(TIMES):
		client = dial(relay.port, hello(NAME))
		read_exactly(client, 100)
		reset(client)
	until(lambda: seen.total() == TIMES, 30)
	equal(dict(seen), {"reset": TIMES}, "what the upstreams saw")


@test
def a_tls_clients_reset_is_one_for_an_upstream_that_sends(scene):
	seen = collections.Counter()
	relay = tcp_upstream(scene, lambda stream: seen.update([end_of(stream)]))
	for _ in range(TIMES):
		client = TlsClient(relay.port, NAME, authority().root)
		client.sendall(b"GET / HTTP/1.1\r\n\r\n")
		client.recv(100)
		reset(client.socket)
	until(lambda: seen.total() == TIMES, 30)
	equal(dict(seen), {"reset": TIMES}, "what the upstreams saw")


main()
