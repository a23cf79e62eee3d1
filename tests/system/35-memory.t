#!/usr/bin/env -S python3 -B
"""The daemons when memory is short: each allocation of their own objects fails once, in whatever they do."""
import re
import signal
import tempfile
import time

from lib import *
from lib.memory import FAILING, Failing, numbers
from lib.tap import Failed
from lib.session import ANNOUNCE, GOODBYE, WITHDRAW, Session, announcement, frame

SEALED, OPEN, STATIC = "sealed.example.com", "open.example.com", "static.example.com"
SAMPLES = 4
EX_OSERR = 71	# with 78 the service manager would not start it again


def fails_in(failing, program, *argv):
	"""Runs it with each allocation failing: yields n and what run() gave. The first is the one in which none fails."""
	yield 0, run(FAILING[program], *argv, environment=failing.at(0))
	for n in numbers(failing.made, SAMPLES):
		yield n, run(FAILING[program], *argv, environment=failing.at(n))


def failing_daemon(daemon, failing, n=0):
	"""The same daemon, with an allocator that can be told to fail."""
	daemon.argv = [FAILING[daemon.program.rpartition("-")[2]], *daemon.argv[1:]]
	daemon.environment = {"VALISE_FAIL": failing.path}
	failing.at(n)
	return daemon


def both_modes(scene, **keys):
	return [passthrough(SEALED, scene.tls_upstream(http, SEALED), **keys), terminate(OPEN, scene.upstream(http), {
		"mutual_tls_certificate_authorities": [authority().cas("client")],
		"mutual_tls_crls": [authority().crls("client")]}, **keys)]


def agents_certificate():
	return authority().agent("agent", SEALED, OPEN)


def is_served(relay, name):
	ann = authority().client("ann")
	mine = ("--cert", ann[0], "--key", ann[1]) if name == OPEN else ()
	return curl(relay.port, name, authority().root, *mine)[:2] == (0, b"hello")


def serves(relay, *names):
	for name in names:
		until(lambda: is_served(relay, name), 20, f"{name} is served")


@test
def check_says_fine_or_that_memory_was_short(scene):
	relay = scene.relay(start=False, routes=[route(STATIC, "tcp://127.0.0.1:1")])
	agent = scene.agent(relay, both_modes(scene), agents_certificate(), start=False)
	failing = Failing(scene.dir)
	for daemon, program in ((relay, "relay"), (agent, "agent")):
		runs = 0
		for n, (status, out, err) in fails_in(failing, program, "check", "-c", daemon.config_path):
			where = f"{program} check, allocation {n}: {status} {out} {err}"
			check("Sanitizer" not in err and "runtime error" not in err, where)
			out = re.sub(rb"\d+ days", b"some days", out)
			if n == 0:
				equal(status, 0, where)
				fine = out, err
				continue
			runs += 1
			equal(failing.failed, 1, f"{where}: failed allocations")
			check(status in (0, EX_OSERR), where)
			if status == 0:
				equal((out, err), fine, f"{where}: it said something else")
			else:
				check("memory" in err + out.decode() and "(null)" not in err, where)
		print(f"# {program} check: {runs} allocations failed")


def comes_up(daemon):
	"""Or ends by itself; it must not hang between the two."""
	try:
		daemon.wait_notified("READY=1", 20)
		return True
	except Failed:
		if daemon.alive():
			raise
		return False


def starts(scene, program, daemon, serves_now):
	"""Starts it with each allocation failing: it runs as it should, or ends and says why."""
	failing = Failing(scene.dir)
	failing_daemon(daemon, failing).start()
	serves_now()
	made = failing.made
	equal(daemon.stop(), "", "stop")
	ended, points = 0, numbers(made, SAMPLES)
	for n in points:
		failing.at(n)
		daemon.start(wait_ready=False)
		if comes_up(daemon):
			serves_now()
			equal(daemon.stop(), "", f"{program}, allocation {n}: stop")
			continue
		ended += 1
		text = daemon.log_text()[daemon.log_from:]
		where = f"{program}, allocation {n}: {daemon.process.returncode} {text[-2000:]}"
		equal(daemon.process.returncode, EX_OSERR, where)
		check("memory" in text and "(null)" not in text and "Sanitizer" not in text, where)
		daemon.process = None
	check(ended > 0, f"no failed allocation ended the start of the {program}")
	print(f"# {program} start: {len(points)} allocations failed, {ended} ended it")


@test
def a_relay_starts_whole_or_not_at_all(scene):
	upstream = scene.tls_upstream(http, STATIC)
	relay = scene.relay(start=False, routes=[route(STATIC, upstream)])
	starts(scene, "relay", relay, lambda: serves(relay, STATIC))


@test
def an_agent_starts_whole_or_not_at_all(scene):
	relay = scene.relay()
	agent = scene.agent(relay, both_modes(scene), agents_certificate(), start=False)
	starts(scene, "agent", agent, lambda: serves(relay, SEALED, OPEN))


def goes_through(label, daemon, failing, act, recovers):
	"""While it runs, does `act` with the first, second ... allocation from there on failing. What act() gives is as
	ever, or the log says what was lost; and afterwards all is well."""
	points = []
	act()
	recovers()
	before = failing.made
	wanted = act()
	made = failing.made - before
	recovers()
	for n in numbers(made, SAMPLES):
		mark, failed = len(daemon.log_text()), failing.failed
		failing.next(n)
		got = act()
		failing.map[8:16] = bytes(8)
		check(daemon.alive(), f"{label}, allocation {n}: it ended")
		recovers()
		if failing.failed > failed:
			points.append(n)
			until(lambda: got == wanted or "memory" in daemon.log_text()[mark:],
				what=f"{label}, allocation {n}: the log says why {got!r} came and not {wanted!r}")
	check(points or made == 0, f"{label}: nothing failed")
	print(f"# {label}: {len(points)} of {made} allocations failed")


class World:
	"""A relay and an agent, both with an allocator that can be told to fail."""

	def __init__(self, scene, **keys):
		self.relay_fails, self.agent_fails = (Failing(tempfile.mkdtemp(dir=scene.dir)) for _ in range(2))
		self.relay = failing_daemon(scene.relay(start=False, routes=[route(STATIC, scene.tls_upstream(http, STATIC))]),
			self.relay_fails).start()
		self.endpoints = both_modes(scene, **keys)
		self.agent = failing_daemon(scene.agent(self.relay, self.endpoints, agents_certificate(), start=False),
			self.agent_fails).start()
		scene.wait_serving(self.agent, 2)
		self.recovers()
		self.fds = self.settled_fds()

	def recovers(self):
		serves(self.relay, STATIC, SEALED, OPEN)

	def descriptors(self):
		"""Of the relay without its agent and clients, of the agent without its flows: what stays the same."""
		return self.relay.descriptors(), self.agent.descriptors()

	def settled_fds(self):
		time.sleep(0.5)
		return self.descriptors()

	def keeps_its_descriptors(self):
		until(lambda: all(now <= before + 4 for now, before in zip(self.descriptors(), self.fds)), 20,
			f"descriptors {self.descriptors()}, before {self.fds}")
		print(f"# descriptors {self.descriptors()}, before {self.fds}")


def visits(relay, first):
	"""What is answered to these bytes."""
	got = b""
	try:
		with dial(relay.port, first, timeout=10) as client:
			while part := client.recv(4096):
				got += part
	except (OSError, TimeoutError) as error:
		return error.errno
	return got


@test
def flows_and_refusals_come_and_go(scene):
	world = World(scene)
	relay = world.relay
	kinds = {
		"static flow": lambda: is_served(relay, STATIC),
		"passthrough flow": lambda: is_served(relay, SEALED),
		"flow with a client certificate": lambda: is_served(relay, OPEN),
		"flow without the client certificate": lambda: curl(relay.port, OPEN, authority().root)[0],
		"unknown name": lambda: visits(relay, hello("nobody.example.net")),
		"no TLS": lambda: visits(relay, b"GET / HTTP/1.0\r\n\r\n"),
		"malformed hello": lambda: visits(relay, b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"),
	}
	for label, act in kinds.items():
		goes_through(f"relay, {label}", relay, world.relay_fails, act, world.recovers)
		if "flow" in label and "static" not in label:
			goes_through(f"agent, {label}", world.agent, world.agent_fails, act, world.recovers)
	world.keeps_its_descriptors()


@test
def flows_are_handed_over_or_not(scene):
	world = World(scene, carrier="handoff")
	for label, name in (("passthrough", SEALED), ("terminate", OPEN)):
		for daemon, failing in ((world.relay, world.relay_fails), (world.agent, world.agent_fails)):
			goes_through(f"{daemon.label}, a {label} flow", daemon, failing,
				lambda: is_served(world.relay, name), world.recovers)
	check(world.relay.events("flow-closed", carrier="handoff"), "no flow was handed over")
	world.keeps_its_descriptors()


def ends(daemon):
	return [event for event in daemon.events() if event["event"] in ("reloaded", "reload-refused")]


def reload_of(daemon):
	def act():
		count = len(ends(daemon))
		daemon.reload()
		until(lambda: len(ends(daemon)) > count, 20, "reloaded or refused")
		return ends(daemon)[count]["event"]
	return act


@test
def reloads_happen_or_do_not(scene):
	world = World(scene)
	for daemon, failing in ((world.relay, world.relay_fails), (world.agent, world.agent_fails)):
		good = daemon.settings
		goes_through(f"{daemon.label}, a good reload", daemon, failing, reload_of(daemon), world.recovers)
		daemon.write(dict(good, log={"level": "loud"}))
		goes_through(f"{daemon.label}, a bad reload", daemon, failing, reload_of(daemon), world.recovers)
		daemon.write(good)
	names = (world.endpoints, world.endpoints[:1])

	def reannounce():
		said = []
		for endpoints in (names[1], names[0]):
			world.agent.write(dict(world.agent.settings, endpoints=endpoints))
			said.append(reload_of(world.agent)())
		return said

	def announces_again():
		reload_of(world.agent)()
		world.recovers()

	goes_through("relay, an agent announces again", world.relay, world.relay_fails, reannounce, announces_again)
	goes_through("agent, announcing again", world.agent, world.agent_fails, reannounce, announces_again)
	world.keeps_its_descriptors()


@test
def a_changed_file_is_taken_up_whatever_fails(scene):
	"""A CRL that revokes, first of all: it must not wait for the next one."""
	world = World(scene)
	pki = authority()
	for daemon, failing, event in ((world.relay, world.relay_fails, "trust-reloaded"),
			(world.agent, world.agent_fails, "files-reloaded")):
		def taken_up(n):
			daemon.freeze()	# so that all files change at once for it, and it is taken up once
			said, before = len(daemon.events(event)), failing.made
			if n:
				failing.next(n)
			pki.pki("crl", "--all")
			daemon.thaw()
			until(lambda: len(daemon.events(event)) > said, 10, f"{daemon.label}, allocation {n}: {event}")
			failing.map[8:16] = bytes(8)
			return failing.made - before

		for n in numbers(taken_up(0), SAMPLES):
			taken_up(n)
		print(f"# {daemon.label}, {event}: {failing.failed} allocations failed")
		check(failing.failed > 1, "hardly anything failed")
	world.recovers()
	world.keeps_its_descriptors()


@test
def sessions_come_and_go(scene):
	world = World(scene)
	certificate = authority().agent("guest", "guest.example.com")

	def guest():
		"""Announces, is refused one of two, withdraws, goes."""
		got = []
		try:
			session = Session(world.relay, certificate)
		except OSError:
			return got
		try:
			session.hello()
			got.append(session.next()[0])
			session.send(frame(ANNOUNCE, announcement(1, "guest.example.com")), frame(ANNOUNCE, announcement(2, SEALED)))
			got += session.next()[0], session.next()[0]
			session.send(frame(WITHDRAW, b"\0\0\0\1"), frame(GOODBYE, b"\0\0\0"))
			while session.next():
				pass
		except (OSError, TypeError):	# it ended early
			pass
		finally:
			session.stream.close()
		return got

	goes_through("relay, a session", world.relay, world.relay_fails, guest, world.recovers)
	world.keeps_its_descriptors()


def drains(scene, who, n):
	"""SIGTERM with the n-th allocation behind it failing: both end by themselves, and orderly.
	How many were made, and how many failed."""
	world = World(scene)
	daemon, failing = (world.relay, world.relay_fails) if who == "relay" else (world.agent, world.agent_fails)
	before = failing.made
	failing.map[8:16] = bytes(8)
	if n:
		failing.next(n)
	daemon.signal(signal.SIGTERM)
	equal(daemon.wait(20), 0, f"{who}, allocation {n} of its drain")
	for one in (world.agent, world.relay):
		equal(one.stop(), "", f"{who}, allocation {n} of its drain: stop")
	return failing.made - before, failing.failed


@test
def a_drain_ends(scene):
	for who in ("relay", "agent"):
		made = drains(scene, who, 0)[0]
		failed = sum(drains(scene, who, n)[1] for n in numbers(made, 2))
		check(failed > 0 or made == 0, f"{who}, a drain: nothing failed")
		print(f"# {who}, a drain: {failed} of {made} allocations failed")


main()
