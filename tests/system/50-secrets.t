#!/usr/bin/env -S python3 -B
"""What each party could see: memory and logs of relay and agent are searched."""
import base64
import importlib.machinery
import importlib.util
import os
import secrets
import time

from lib import *
from lib.process import SANITIZED

SEALED, OPENED = "shop.example.com", "api.example.com"


def memory_of(daemon, wanted):
	"""Hits by name. Only the log is searched where the memory is not ours to read, or
	terabytes of a sanitizer's shadow."""
	if os.geteuid() != 0 and not SANITIZED:
		fails(PermissionError, open, f"/proc/{daemon.pid}/mem", "rb")
	if os.geteuid() != 0 or SANITIZED:
		log = daemon.log_text().encode()
		return {name: log.count(text) for name, text in wanted.items()}
	loader = importlib.machinery.SourceFileLoader("search_memory", "packaging/search-memory")
	module = importlib.util.module_from_spec(importlib.util.spec_from_loader("search_memory", loader))
	loader.exec_module(module)
	count, unreadable, _, hits = module.look(daemon.pid, wanted)
	check(count > 20 and unreadable == 0, f"{count} mappings of {daemon.label}, {unreadable} unreadable")
	return hits


def der(path):
	"""The bytes inside the PEM file."""
	with open(path) as file:
		return base64.b64decode("".join(line for line in file if not line.startswith("-")))


def spoken(stream, times=1):
	"""Repeats what it heard, for ever."""
	text = stream.recv(1000)
	while True:
		stream.sendall(text * times)
		time.sleep(0.01)


def spoken_at_length(stream):
	"""In pieces that the other flow's, through the same buffers, do not write over."""
	spoken(stream, 100)


@test
def the_relay_has_neither_plaintext_nor_an_endpoints_key(scene):
	marks = {name: secrets.token_hex(24).encode() for name in (SEALED, OPENED)}
	key = authority().server(OPENED)[1]
	relay = scene.relay()
	agent = scene.agent(relay, [passthrough(SEALED, scene.tls_upstream(spoken, SEALED)),
		terminate(OPENED, scene.upstream(spoken_at_length))], authority().agent("agent", SEALED, OPENED))
	for name, mark in marks.items():
		client = scene.keep(TlsClient(relay.port, name, authority().root))
		client.sendall(mark)
		heard = b""
		while len(heard) < 20 * len(mark):
			heard += client.recv()
		check(mark in heard, "the mark came back")
	# The scalar of a P-256 key stands behind the version in the ECPrivateKey of RFC 5915.
	# Some write it with a zero in front.
	behind = der(key).partition(b"\x02\x01\x01\x04")[2]
	scalar = behind[1:1 + behind[0]].lstrip(b"\0")
	check(30 <= len(scalar) <= 32, f"{len(scalar)} bytes of the key")
	wanted = dict(marks, key=scalar, known=OPENED.encode())
	at_relay, at_agent = memory_of(relay, wanted), memory_of(agent, wanted)
	equal([at_relay[n] for n in (SEALED, OPENED, "key")], [0, 0, 0], "hits in the relay")
	check(at_relay["known"] > 0, "the relay knows the name")
	equal(at_agent[SEALED], 0, "hits of the sealed mark in the agent")
	if os.geteuid() == 0 and not SANITIZED:
		check(at_agent[OPENED] > 0, "the agent has what it opened, so the search finds what is there")
	for daemon in (relay, agent):
		log = daemon.log_text().encode()
		for name in (SEALED, OPENED):
			equal(log.count(marks[name]), 0, f"hits in {daemon.label}'s log")


@test
def a_flow_has_the_same_id_in_both_logs(scene):
	relay = scene.relay()
	agent = scene.agent(relay, [passthrough(SEALED, scene.upstream(echo))], authority().agent("agent", SEALED, OPENED))
	wire = hello(SEALED)
	with dial(relay.port, wire) as client:
		equal(read_exactly(client, len(wire)), wire)
	at_relay, = relay.wait_event("flow-closed")
	at_agent, = agent.wait_event("flow-closed")
	check(len(at_relay["flow"]) == 32, f"the id has 32 digits: {at_relay}")
	equal(at_relay["flow"], at_agent["flow"], "flow id")
	equal(at_relay["server_name"], SEALED, "server name")


@test
def hostile_strings_are_quoted_in_the_log(scene):
	relay = scene.relay()
	wire = hello("evil.example.com").replace(b"evil.example.com", b"e\n\x1b[31m\"}\xff.e.com")
	with dial(relay.port, wire) as client:
		equal(alert_of(client), 47)
	relay.wait_event("hello-refused")
	check("\x1b" not in relay.log_text(), "no escape sequence in the log")
	for line in relay.log_text().splitlines():
		check(line.startswith("{") and line.endswith("}"), f"one object a line: {line!r}")


main()
