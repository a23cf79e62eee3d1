#!/usr/bin/env -S python3 -B
"""What each party could see: memory and logs of relay and agent are searched."""
import base64
import importlib.machinery
import importlib.util
import os
import secrets
import subprocess
import threading
import time

from lib import *
from lib.process import SANITIZED

SEALED, OPENED = "shop.example.com", "api.example.com"
HANDED_SEALED, HANDED_OPENED = "handed-shop.example.com", "handed-api.example.com"


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


class Process:
	"""One that a daemon of ours has started."""

	def __init__(self, pid, label, daemon):
		self.pid, self.label, self.log_text = pid, label, daemon.log_text


def descendants(pid):
	found = []
	for name in os.listdir("/proc"):
		try:
			with open(f"/proc/{name}/stat") as file:
				behind = file.read().rpartition(")")[2].split()
		except (OSError, ValueError):
			continue
		if name.isdecimal() and int(behind[1]) == pid:
			found += [int(name)] + descendants(int(name))
	return found


def processes_of(daemon):
	"""{its title: process}, of those that belong to it and are not it."""
	found = {}
	for pid in descendants(daemon.pid):
		try:
			with open(f"/proc/{pid}/comm") as file:
				found[f"{file.read().strip()} {pid}"] = Process(pid, f"{daemon.label}, process {pid}", daemon)
		except OSError:	# it has gone
			pass
	return found


def looks_where_keys_are(daemon, numbers):
	"""Private keys are in the key process, and in no other process of this daemon."""
	if os.geteuid() != 0 or SANITIZED:
		return
	at_daemon = memory_of(daemon, numbers)
	equal({what: hits for what, hits in at_daemon.items() if hits}, {}, f"private numbers in {daemon.label}")
	holders = {}
	for title, process in processes_of(daemon).items():
		hits = memory_of(process, numbers)
		if any(hits.values()):
			holders[title] = hits
	equal(len(holders), 1, f"processes of {daemon.label} that hold keys: {holders}")
	(title, hits), = holders.items()
	check(title.startswith("keys"), f"{title} is the key process")
	check(all(hits.values()), f"it holds all, so the search finds what is there: {hits}")


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


def numbers_of(path):
	"""The secret numbers of a private key: the scalar, or the primes and the exponent."""
	text = subprocess.run(["openssl", "pkey", "-in", path, "-text", "-noout"], capture_output=True, text=True, check=True).stdout
	found, label = {}, None
	for line in text.splitlines():
		if not line.startswith(" "):
			label = line.partition(":")[0]
		elif label in ("priv", "prime1", "prime2", "privateExponent"):
			found[label] = found.get(label, b"") + bytes.fromhex(line.strip().replace(":", ""))
	check(found and all(len(number) >= 30 for number in found.values()), f"the numbers of {path}")
	return {label: number.lstrip(b"\0") for label, number in found.items()}


class Talk:
	"""Many flows to one name, at last one that goes on; each side says its own mark over and over."""

	def __init__(self, relay, name, marks):
		self.relay, self.name, self.marks = relay, name, marks
		self.count, self.fault, self.stop = 0, None, threading.Event()
		self.threads = [threading.Thread(target=self._run, args=(flows,)) for flows in (FLOWS, FLOWS, FLOWS)]
		for thread in self.threads:
			thread.start()

	def exchange(self, client):
		client.sendall(self.marks[0] * 200)
		heard = b""
		while len(heard) < 200 * len(self.marks[0]):
			heard += client.recv()
		check(self.marks[0] in heard and self.marks[1] in heard, "both marks are heard")

	def _run(self, flows):
		try:
			for flow in range(flows):
				client = TlsClient(self.relay.port, self.name, authority().root)
				self.exchange(client)
				self.count += 1
				while flow == flows - 1 and not self.stop.is_set():
					self.exchange(client)
				client.socket.close()
		except Exception as fault:	# told by end()
			self.fault = fault

	def end(self):
		self.stop.set()
		for thread in self.threads:
			thread.join()
		check(self.fault is None, f"{self.name}: {self.fault!r}")


FLOWS = 15


def talker(mark):
	def serve(stream):
		while heard := stream.recv(65536):
			stream.sendall(20 * mark + heard)
	return serve


@test
def the_relay_has_neither_after_heavy_use(scene):
	"""Both modes and both carriers, hundreds of flows, and reloads meanwhile."""
	names = (SEALED, OPENED, HANDED_SEALED, HANDED_OPENED)
	marks = {name: (secrets.token_hex(24).encode(), secrets.token_hex(24).encode()) for name in names}
	rsa = authority().issue("server", "rsa-server", "--host", HANDED_OPENED, "--key-type", "rsa2048")
	relay = scene.relay(workers=2)
	agent = scene.agent(relay, [
		passthrough(SEALED, scene.tls_upstream(talker(marks[SEALED][1]), SEALED)),
		terminate(OPENED, scene.upstream(talker(marks[OPENED][1]))),
		passthrough(HANDED_SEALED, scene.tls_upstream(talker(marks[HANDED_SEALED][1]), HANDED_SEALED), carrier="handoff"),
		terminate(HANDED_OPENED, scene.upstream(talker(marks[HANDED_OPENED][1])), carrier="handoff",
			tls={"server_certificate": rsa[0], "server_private_key": rsa[1]})],
		authority().agent("agent-of-four", *names), workers=2)
	talks = [Talk(relay, name, marks[name]) for name in names]
	for turn in range(1, 5):
		until(lambda: all(talk.count >= 9 * turn or talk.fault for talk in talks), 120, "flows come and go")
		authority().pki("crl", "--all")
		for daemon in (relay, agent):
			daemon.reload()
			daemon.wait_event("reloaded", count=turn)
	until(lambda: all(talk.count >= 3 * FLOWS or talk.fault for talk in talks), 120, "the last flows talk")
	for carrier in ("sealed", "handoff"):
		check(relay.events("flow-closed", carrier=carrier), f"flows by {carrier}")
	wanted = {f"{name} {side}": mark for name in names for side, mark in zip(("heard", "said"), marks[name])}
	of_opened = {f"EC {label}": number for label, number in numbers_of(authority().server(OPENED)[1]).items()}
	of_opened |= {f"RSA {label}": number for label, number in numbers_of(rsa[1]).items()}
	of_sealed = {f"upstream's {label}": number for label, number in numbers_of(authority().server(SEALED)[1]).items()}
	own = {f"own {label}": number for label, number in numbers_of(authority().relay()[1]).items()}
	agents = {f"agent's {label}": number for label, number in numbers_of(authority().agent("agent-of-four", *names)[1]).items()}
	at_relay = memory_of(relay, wanted | of_opened | of_sealed | own)
	at_agent = memory_of(agent, wanted | of_opened | of_sealed | own)

	def is_opened(name):
		return any(memory_of(agent, {side: mark for side, mark in zip(("heard", "said"), marks[name])}).values())

	if os.geteuid() == 0 and not SANITIZED:	# the search finds what is there; buffers are written over all the time
		for name in (OPENED, HANDED_OPENED):
			until(lambda: is_opened(name), 60, f"what the agent opens for {name} is found in it")
	for talk in talks:
		talk.end()
	equal({what: at_agent[what] for what in of_opened if at_agent[what]}, {}, "hits in the agent of the keys of what it opens")
	equal({what: hits for what, hits in at_relay.items() if hits and what not in own}, {}, "hits in the relay")
	of_others = [what for what in at_agent if what in of_sealed or what in own or what.startswith((SEALED, HANDED_SEALED))]
	equal({what: at_agent[what] for what in of_others if at_agent[what]}, {}, "hits in the agent of what it must not have")
	if os.geteuid() == 0 and not SANITIZED:
		looks_where_keys_are(relay, own)
		looks_where_keys_are(agent, agents | of_opened)


def listens(pid):
	"""Whether a process has a TCP socket that listens."""
	inodes = set()
	for table in ("tcp", "tcp6"):
		with open(f"/proc/net/{table}") as file:
			inodes |= {line.split()[9] for line in file.read().splitlines()[1:] if line.split()[3] == "0A"}
	links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
	return any(link == f"socket:[{inode}]" for link in links for inode in inodes)


@test
def what_speaks_http_for_the_authority_has_no_key(scene):
	if os.geteuid() != 0 or SANITIZED:
		skip("only root reads the memory of others, and a sanitizer's is too large")
	ca = Authority()
	daemon = scene.serve(ca.dir)
	status, _, err = curl_of(daemon, ca.root)
	equal(status, 0, err)
	numbers = numbers_of(f"{ca.dir}/issued/localhost.key")
	holders = {pid: memory_of(process, numbers) for process in processes_of(daemon).values() for pid in [process.pid]}
	speaking = [pid for pid in holders if listens(pid)]
	equal(len(speaking), 1, f"processes that listen: {speaking}")
	check(not any(holders[speaking[0]].values()), f"keys in the one that does: {holders[speaking[0]]}")
	check(not any(memory_of(daemon, numbers).values()), "keys in the one that has started both")
	others = [hits for pid, hits in holders.items() if pid != speaking[0] and all(hits.values())]
	equal(len(others), 1, f"and all are in the one that signs, so the search finds what is there: {holders}")


def curl_of(daemon, root):
	return run("curl", "-sS", "--cacert", root, "-o", os.devnull, f"{daemon.url}/ca/root.pem")


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
