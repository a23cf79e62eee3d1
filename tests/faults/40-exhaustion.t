#!/usr/bin/env -S python3 -B
"""What the daemons do when descriptors, the kernel's memory or their own run out: nobody hangs, and all comes back."""
import errno
import os
import resource
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../pki_tool"))
from lib import *
from lib.costs import status
from lib.memory import FAILING, Failing
from lib.scene import Configured, free_port
from lib.session import Session
from kit import *

STATIC, SEALED = "static.example.com", "sealed.example.com"
CROWD, RECOVERY_SECONDS = 19, 1.0


def served(port, name, source=None, timeout=5):
	wire = hello(name)
	try:
		with dial(port, wire, timeout=timeout, source=source) as client:
			return read_exactly(client, len(wire)) == wire
	except (OSError, EOFError):
		return False


def seconds_until(question, most=30):
	began = time.monotonic()
	until(question, most)
	return time.monotonic() - began


def all_refused(port, name, count=CROWD):
	"""Each hears alert 80: how long the last of them has waited for it."""
	began = time.monotonic()
	crowd = [dial(port, hello(name), timeout=15) for _ in range(count)]
	for client in crowd:
		with client:
			equal(alert_of(client), 80)
	return time.monotonic() - began


def hold_flows(port, name, most=10000):
	"""Until one is refused."""
	wire, held = hello(name), []
	while len(held) < most:
		client = dial(port, wire)
		if client.recv(1, socket.MSG_PEEK) != wire[:1]:
			client.close()
			return held
		read_exactly(client, len(wire))
		held.append(client)
	return held


def release(streams):
	for stream in streams:
		stream.close()
	streams.clear()


def numbers(daemon):
	return {int(fd) for fd in os.listdir(f"/proc/{daemon.pid}/fd")}


def take_the_rest(daemon):
	"""It gets not one descriptor more than it has; returns the limit from before."""
	soft, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
	taken = numbers(daemon)
	resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (min(set(range(len(taken) + 1)) - taken), hard))
	return soft


def give_back(daemon, soft):
	resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (soft, resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)[1]))


def both(scene, most_files=256, agents_files=16384, **keys):
	"""A relay and an agent with few descriptors, and all their other settings as they come."""
	upstream = scene.upstream(echo)
	relay = scene.relay(start=False, routes=[route(STATIC, upstream)], **keys)
	relay.most_files = most_files
	relay.start()
	agent = scene.agent(relay, [passthrough(SEALED, upstream)], authority().agent("agent", SEALED), start=False)
	agent.most_files = agents_files
	agent.start()
	scene.wait_serving(agent)
	relay.wait_parked()
	return relay, agent


@test
def a_relay_at_its_descriptor_limit(scene):
	relay, agent = both(scene)
	for name in (STATIC, SEALED):
		held = hold_flows(relay.port, name)
		waited = all_refused(relay.port, name)
		session = Session(relay, authority().agent("other", "other.example.com"))
		session.up()	# its reserve stands
		session.close()
		release(held)
		recovery = seconds_until(lambda: served(relay.port, name))
		print(f"# {name}: at the limit {CROWD} more were refused within {waited:.2f} s; back after {recovery:.2f} s")
		check(waited < 2 and recovery < RECOVERY_SECONDS, "both in time")
	equal(relay.events("accept-paused"), [], "it never came to the system's own limit")


@test
def an_agent_at_its_descriptor_limit(scene):
	relay, agent = both(scene, most_files=16384, agents_files=256)
	held = hold_flows(relay.port, SEALED)
	waited = all_refused(relay.port, SEALED)
	count = len(held)
	release(held)
	recovery = seconds_until(lambda: served(relay.port, SEALED))
	print(f"# {count} flows are held; {CROWD} more were refused within {waited:.2f} s; back after {recovery:.2f} s")
	check(waited < 2 and recovery < RECOVERY_SECONDS, "both in time")
	equal(agent.events("connect-short"), [], "it never came to the system's own limit")


@test
def a_flood_of_silent_connections_at_the_limit(scene):
	relay, agent = both(scene)
	before = relay.processor_seconds()
	crowd = []
	for _ in range(1000):
		crowd.append(scene.keep(dial(relay.port, timeout=30)))
	slowest = 0
	for n in range(20):	# from elsewhere, since the flood's own block pays for it
		began = time.monotonic()
		until(lambda: served(relay.port, STATIC, f"127.0.{n + 1}.1"), 10)
		slowest = max(slowest, time.monotonic() - began)
	scene.keep(Session(relay, authority().agent("other", "other.example.com"))).up()
	print(f"# beside 1000 silent connections: slowest of 20 clients {slowest:.2f} s, "
		f"{relay.processor_seconds() - before:.2f} s of the processor")
	check(slowest < 5, "they are served")
	until(lambda: served(relay.port, SEALED, "127.0.99.1"), 10)


@test
def the_system_takes_descriptors_back(scene):
	relay, agent = both(scene, most_files=4096)
	soft = take_the_rest(relay)
	waited = all_refused(relay.port, STATIC)
	time.sleep(1)
	waited = max(waited, all_refused(relay.port, SEALED))
	equal(len(relay.events("accept-paused")), 1, "lines, for all of them")
	give_back(relay, soft)
	recovery = seconds_until(lambda: served(relay.port, STATIC) and served(relay.port, SEALED))
	print(f"# 2 x {CROWD} clients were refused within {waited:.2f} s; served again after {recovery:.2f} s")
	check(waited < 2 and recovery < RECOVERY_SECONDS, "both in time")


@test
def an_agent_without_descriptors(scene):
	relay, agent = both(scene, most_files=4096)
	whole, slowest, refused = 0, 0, 0
	while refused < 8:	# more than there are channels, and none can be dialled
		whole = max(whole, take_the_rest(agent))	# what a flow gives back, another one may have
		began = time.monotonic()
		refused += not served(relay.port, SEALED, timeout=15)
		slowest = max(slowest, time.monotonic() - began)
	give_back(agent, whole)
	recovery = seconds_until(lambda: served(relay.port, SEALED))
	print(f"# the slowest of 8 clients was refused after {slowest:.2f} s; served again {recovery:.2f} s after the agent had "
		"descriptors again")
	check(recovery < RECOVERY_SECONDS, "in time")
	reasons = {event["reason"] for event in agent.events("flow-closed") if event["ready_ms"] < 0}
	equal(reasons, {"connect-short"}, "why flows did not begin")
	equal(len(agent.events("connect-short")), 1, "lines, for all of them")


# ---- each kind of want, by system calls that fail so ----

WANTS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)
CALLS = (("accept",), ("socket", "pipe"), ("connect",), ("watch",))


def failing(daemon, directory):
	"""To be started with system calls that can be told to fail."""
	steering = Failing(tempfile.mkdtemp(dir=directory))
	name = daemon.argv[0].rpartition("-")[2]
	daemon.argv = [FAILING[name], *daemon.argv[1:]]
	daemon.environment = {"VALISE_FAIL": steering.path}
	return steering


def bears_every_want(label, daemon, steering, serves):
	"""It lives, says each want once, and serves again soon after its end: the seconds that this takes."""
	slowest = 0
	until(serves)
	for error in WANTS:
		for calls in CALLS:
			with steering.calls(error, *calls):
				for _ in range(2):
					serves()
				check(daemon.alive(), f"{label} without {errno.errorcode[error]}")
			slowest = max(slowest, seconds_until(serves, 60))
	said = {word: len(daemon.events(word)) for word in ("accept-paused", "connect-short")}
	wants = len(WANTS) * len(CALLS)
	print(f"# {label}: served again within {slowest:.2f} s of each of {wants} wants, told in {said}")
	check(all(count <= wants for count in said.values()) and any(said.values()), said)
	return slowest


@test
def a_relay_bears_every_want(scene):
	upstream = scene.upstream(echo)
	relay = scene.relay(start=False, routes=[route(STATIC, upstream)])
	steering = failing(relay, scene.dir)
	relay.start()
	slowest = bears_every_want("relay", relay, steering, lambda: served(relay.port, STATIC, timeout=1))
	check(slowest < RECOVERY_SECONDS, "in time")


@test
def an_agent_bears_every_want(scene):
	relay = scene.relay()
	agent = scene.agent(relay, [passthrough(SEALED, scene.upstream(echo))], authority().agent("agent", SEALED), start=False)
	steering = failing(agent, scene.dir)
	agent.start()
	scene.wait_serving(agent)
	slowest = bears_every_want("agent", agent, steering, lambda: served(relay.port, SEALED, timeout=1))
	check(slowest < RECOVERY_SECONDS, "in time")


@test
def a_forward_bears_every_want(scene):
	name, port = "customer.example.com", free_port()
	certificate, key = authority().client("vendor")
	daemon = Configured("agent", "vendor", scene.dir, {"version": 1, "workers": 1, "forwards": [
		{"name": "shop", "listen": f"127.0.0.1:{port}", "url": f"tls://{name}",
			"address": scene.tls_upstream(echo, name).url.removeprefix("tcp://"), "certificate": certificate,
			"private_key": key, "cas": authority().cas("server"), "crls": authority().crls("server")}],
		"agent": {"state_dir": scene.state("vendor")}, "log": {"level": "debug", "format": "json"}})
	steering = failing(scene._add(daemon, False), scene.dir)
	daemon.start()

	def serves():
		try:
			with dial(port, b"ping", timeout=1) as client:
				return read_exactly(client, 4) == b"ping"
		except (OSError, EOFError):
			return False

	check(bears_every_want("forward", daemon, steering, serves) < RECOVERY_SECONDS, "in time")
	equal(daemon.events("flow-closed", reason="upstream-down"), [])


@test
def an_authoritys_server_bears_every_want(scene):
	ca = Ca(f"{scene.dir}/ca")
	daemon = scene.serve(ca.dir, start=False)
	steering = failing(daemon, scene.dir)
	daemon.start()

	def serves():
		return run("curl", "-sk", "--max-time", 1, "-o", "/dev/null", f"{daemon.url}/crl/agents.crl")[0] == 0

	bears_every_want("valise-pki serve", daemon, steering, serves)


main()
