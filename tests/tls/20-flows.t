#!/usr/bin/env -S python3 -B
"""What TLS says in a running flow: renegotiations, failures and their alerts, and what is told of them."""
import os
import select
import socket
import threading

from wire import *

RENEGOTIATIONS, TIMES, MORE = 20, 20, 50
BAD_RECORD_MAC, NO_RENEGOTIATION, BAD_CERTIFICATE = 20, 100, 42


def opened(scene, upstream, **keys):
	relay = scene.relay()
	agent = scene.agent(relay, [terminate(NAME, upstream, **keys)], authority().agent("agent", NAME))
	return relay, agent


@test
def a_renegotiation_is_refused_and_both_go_on(scene):
	relay, agent = opened(scene, scene.upstream(echo))
	with Client(relay.port) as client:
		for number in range(RENEGOTIATIONS):
			client.send(HANDSHAKE, client.hello(client.verify_data))
			equal(client.receive_alert(), (WARNING, NO_RENEGOTIATION))
			client.send(APPLICATION, b"still here %d" % number)
			equal(client.receive(), (APPLICATION, b"still here %d" % number))
		client.send(ALERT, bytes([WARNING, 0]))
		equal(client.receive_alert(), (WARNING, 0), "close_notify")
	equal(agent.wait_event("flow-closed")[0]["reason"], "finished")


@test
def who_asks_again_and_again_and_reads_nothing_is_told_once_and_for_all(scene):
	sends = threading.Event()

	def serve(stream):
		sends.wait(20)
		while True:
			stream.sendall(bytes(65536))

	relay, agent = opened(scene, scene.upstream(serve))
	with Client(relay.port) as client:
		client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
		sends.set()
		asked = 0
		def has_ended():
			nonlocal asked
			try:
				client.send(HANDSHAKE, client.hello(client.verify_data))
				asked += 1
			except OSError:
				return True
			return agent.events("flow-closed")
		until(has_ended, what="the flow is ended")
	closed = agent.wait_event("flow-closed")[0]
	equal(closed["reason"], "client-tls-failed")


def junk():
	return os.urandom(40)


@test
def who_goes_on_writing_hears_why_the_flow_has_failed(scene):
	ended = []

	def serve(stream):
		stream.sendall(b"go")
		ended.append(closed_how(stream))

	relay, agent = opened(scene, scene.upstream(serve))
	for number in range(1, TIMES + 1):
		with Client(relay.port) as client:
			equal(client.receive(), (APPLICATION, b"go"))
			client.send_raw(APPLICATION, junk())
			# What comes behind it is of no more use; to answer it with a reset would destroy the alert.
			while not select.select([client.stream], [], [], 0.005)[0]:
				client.send_raw(APPLICATION, os.urandom(1000))
			for _ in range(MORE):
				client.send_raw(APPLICATION, os.urandom(1000))
			equal(client.receive_alert(), (FATAL, BAD_RECORD_MAC), f"flow {number}")
		closed = agent.wait_event("flow-closed", count=number)[-1]
		equal(closed["reason"], "client-tls-failed")
		check("Decryption has failed" in closed["message"], closed["message"])
	until(lambda: len(ended) == TIMES)
	equal(set(ended), {"reset"}, "how the upstream saw it")


@test
def an_alert_of_the_client_is_the_reason(scene):
	ended = []

	def serve(stream):
		stream.sendall(b"go")
		ended.append(closed_how(stream))

	relay, agent = opened(scene, scene.upstream(serve))
	with Client(relay.port) as client:
		equal(client.receive(), (APPLICATION, b"go"))
		client.send(ALERT, bytes([FATAL, BAD_CERTIFICATE]))
		closed = agent.wait_event("flow-closed")[0]
	equal(closed["reason"], "client-tls-failed")
	check("(42)" in closed["message"], closed["message"])
	until(lambda: ended)
	equal(ended, ["reset"])


@test
def the_end_of_a_connection_is_no_fault_of_tls(scene):
	def serve(stream):
		stream.sendall(b"go")
		stream.recv(1)

	relay, agent = opened(scene, scene.upstream(serve))
	with Client(relay.port) as client:
		equal(client.receive(), (APPLICATION, b"go"))
	closed = agent.wait_event("flow-closed")[0]
	equal(closed["reason"], "client-reset")


@test
def what_is_wrong_with_the_upstreams_tls_is_the_reason(scene):
	inner = "inner.example.com"

	def serve(stream):
		stream.recv(100)
		os.write(stream.fileno(), record(APPLICATION, junk()))
		stream.recv(100)

	upstream = scene.tls_upstream(serve, inner)
	relay, agent = opened(scene, {"url": f"tls://127.0.0.1:{upstream.port}", "cas": authority().root, "server_name": inner})
	with Client(relay.port) as client:
		client.send(APPLICATION, b"anything")
		fails((ConnectionResetError, EOFError), client.receive)
	closed = agent.wait_event("flow-closed")[0]
	equal(closed["reason"], "upstream-tls-failed")
	check("Decryption has failed" in closed["message"], closed["message"])


main()
