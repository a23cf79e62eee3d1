#!/usr/bin/env -S python3 -B
"""A relay that takes over from a running one: nobody who connects notices, and who may not gets nothing."""
import array
import json
import os
import signal
import socket
import subprocess
import threading

from lib import *
from lib.scene import Configured
from lib.session import DRAIN, GOODBYE, Session

NAME, OTHER = "app.example.com", "other.example.com"
NOBODY = 65534
WIRE = {name: hello(name) for name in (NAME, OTHER)}
LOCK, ADMIN, LISTENER, ALL = b"\x01", b"\x02", b"\x03", b"\x04"


def newer(scene, relay, start=True, label="newer", **settings):
	"""Another process of the same relay, which takes over from the one that runs."""
	daemon = Configured("relay", label, scene.dir, dict(relay.settings, **settings))
	daemon.argv += ["--takeover"]
	daemon.port = relay.port
	return scene._add(daemon, start)


class Visitors:
	"""Clients that come one after the other until the end; what became of each that was not served."""

	def __init__(self, port, names, count=4):
		self.port, self.trouble, self.served, self.over = port, [], 0, False
		self.lock = threading.Lock()
		self.threads = [threading.Thread(target=self._come, args=(names[i % len(names)],)) for i in range(count)]
		for thread in self.threads:
			thread.start()

	def _come(self, name):
		wire = WIRE[name]
		while not self.over:
			try:
				with dial(self.port, wire) as client:
					equal(read_exactly(client, len(wire)), wire, f"what {name} sends back")
				with self.lock:
					self.served += 1
			except Exception as error:	# each is told in the end
				self.trouble.append(f"{name}: {error!r}")

	def wait_more(self, count):
		wanted = self.served + count
		until(lambda: self.served >= wanted or self.trouble, what=f"{count} more visitors")

	def end(self):
		self.over = True
		for thread in self.threads:
			thread.join()
		equal(self.trouble[:3], [], f"trouble of {len(self.trouble)} visitors, while {self.served} were served")


def status(daemon):
	done = subprocess.run([daemon.program, "status", "-c", daemon.config_path], capture_output=True, text=True,
		timeout=60)
	equal((done.returncode, done.stderr), (0, ""), "exit status and complaints of status")
	return json.loads(done.stdout)


def pair(scene, **keys):
	"""A relay with a static route for OTHER, and an agent that serves NAME."""
	upstream = scene.upstream(echo)
	relay = scene.relay(workers=2, routes=[route(OTHER, upstream)], **keys)
	agent = scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("agent", NAME))
	relay.wait_parked()
	return relay, agent


def talk(stream, text):
	stream.sendall(text)
	equal(read_exactly(stream, len(text)), text, "the running flow")


@test
def nobody_who_connects_notices_a_takeover(scene):
	relay, agent = pair(scene)
	flows = []
	for name in (NAME, OTHER):
		flows.append(scene.keep(dial(relay.port, WIRE[name])))
		equal(read_exactly(flows[-1], len(WIRE[name])), WIRE[name])
	half = scene.keep(relay.wait_hello(lambda: dial(relay.port, WIRE[NAME][:100])))
	visitors = Visitors(relay.port, [NAME, OTHER])
	visitors.wait_more(40)
	successor = newer(scene, relay)
	visitors.wait_more(40)
	visitors.end()
	relay.wait_event("handed-over", pid=successor.pid)
	successor.wait_event("taken-over", pid=relay.pid)
	agent.wait_event("relay-moves")
	equal(status(successor)["pid"], successor.pid, "who answers at the admin socket")
	half.sendall(WIRE[NAME][100:])		# it has begun with the one, and is served by the other
	equal(read_exactly(half, len(WIRE[NAME])), WIRE[NAME])
	for flow in flows:
		talk(flow, b"still here")
		flow.close()
	equal(relay.wait(), 0, "exit status of the older one once its flows are over")
	talk(half, b"still here, too")
	equal(relay.events("drain-timeout"), [], "flows that were cut")


@test
def the_lock_and_the_state_pass_with_it(scene):
	relay = scene.relay(routes=[route(NAME, scene.upstream(echo))])
	flow = scene.keep(dial(relay.port, WIRE[NAME]))
	equal(read_exactly(flow, len(WIRE[NAME])), WIRE[NAME])
	successor = newer(scene, relay)
	relay.wait_event("handed-over")
	done = subprocess.run([relay.program, "run", "-c", relay.config_path], capture_output=True, text=True, timeout=60)
	check(done.returncode == 69 and f"pid {successor.pid}" in done.stderr, f"a third one: {done}")
	state = relay.settings["state_dir"]
	for name in os.listdir(state):
		os.unlink(f"{state}/{name}")
	talk(flow, b"still here")
	flow.close()
	equal(relay.wait(), 0, "exit status of the older one")
	equal([name for name in os.listdir(state) if name.startswith("crl")], [], "what the older one has written")
	third = newer(scene, relay, label="third")
	successor.wait_event("handed-over", pid=third.pid)
	equal(successor.wait(), 0, "exit status of the second one")


@test
def it_works_as_well_with_the_usual_socket_and_lock(scene):
	relay = scene.relay(start=False, routes=[route(NAME, scene.upstream(echo))])
	settings = {key: value for key, value in relay.settings.items() if key != "admin"}
	relay.write(settings)
	relay.start()
	successor = newer(scene, relay)
	relay.wait_event("handed-over", pid=successor.pid)
	equal(relay.wait(), 0, "exit status of the older one")
	equal(status(successor)["pid"], successor.pid, "who answers in the state directory")


@test
def it_is_an_ordinary_start_where_nobody_runs(scene):
	relay = newer(scene, scene.relay(start=False, routes=[route(NAME, scene.upstream(echo))]))
	relay.wait_event("takeover-from-nobody")
	with dial(relay.port, WIRE[NAME]) as client:
		equal(client.recv(1), b"\x16", "it serves")


@test
def one_that_fails_leaves_the_older_one_as_it_was(scene):
	relay, agent = pair(scene)
	visitors = Visitors(relay.port, [NAME, OTHER], 2)
	with socket.create_server(("127.0.0.1", 0)) as taken:
		address = {"address": f"127.0.0.1:{taken.getsockname()[1]}"}
		wrong = newer(scene, relay, start=False, listeners=relay.settings["listeners"] + [address])
		wrong.start(wait_ready=False)
		equal(wrong.wait(), 69, "exit status of one that cannot have its listeners")
		wrong.expected = 69
	relay.wait_event("takeover-failed", pid=wrong.pid)
	frozen = newer(scene, relay, start=False, label="frozen").start(wait_ready=False)
	relay.wait_event("takeover", pid=frozen.pid)
	frozen.kill()
	relay.wait_event("takeover-failed", pid=frozen.pid)
	visitors.wait_more(20)
	visitors.end()
	equal(status(relay)["state"], "running", "the older one's state")
	relay.reload()
	relay.wait_event("reloaded")
	newer(scene, relay, label="right")
	equal(relay.wait(), 0, "exit status once somebody has taken over")


@test
def a_stop_in_the_middle_hands_over_or_goes_on(scene):
	relay, agent = pair(scene)
	agent.freeze()		# so that the agents take their time to move
	successor = newer(scene, relay, start=False).start(wait_ready=False)
	relay.wait_event("moving")
	relay.signal(signal.SIGTERM)
	successor.wait_notified("READY=1")
	agent.thaw()
	equal(relay.wait(), 0, "exit status of the older one")
	with dial(relay.port, WIRE[OTHER]) as client:
		equal(client.recv(1), b"\x16", "the newer one serves")


@test
def an_older_one_that_dies_in_the_middle_leaves_all_to_the_newer_one(scene):
	relay, agent = pair(scene)
	agent.freeze()
	successor = newer(scene, relay, start=False).start(wait_ready=False)
	relay.wait_event("moving")
	relay.kill()
	successor.wait_notified("READY=1")
	agent.thaw()
	equal(status(successor)["pid"], successor.pid, "who answers at the admin socket")
	for name in (OTHER, NAME):
		with dial(relay.port, WIRE[name]) as client:
			equal(read_exactly(client, len(WIRE[name])), WIRE[name], f"what {name} sends back")
	done = subprocess.run([relay.program, "run", "-c", relay.config_path], capture_output=True, text=True, timeout=60)
	check(done.returncode == 69 and f"pid {successor.pid}" in done.stderr, f"another one: {done}")


@test
def an_agent_that_cannot_move_hears_an_ordinary_drain(scene):
	"""Of the protocol's version 2, but without the feature: it is left alone until the newer one accepts."""
	relay = scene.relay()
	session = scene.keep(Session(relay, authority().agent("agent", NAME)))
	session.up(oldest=2)
	successor = newer(scene, relay, start=False).start(wait_ready=False)
	relay.wait_event("moving", sessions=1)
	relay.signal(signal.SIGTERM)
	successor.wait_notified("READY=1")
	equal(session.expect(DRAIN), (30000).to_bytes(4, "big"), "the body of its drain")
	equal(session.goodbye()[0], GOODBYE, "its last frame")
	equal(relay.wait(), 0, "exit status of the older one")
	again = scene.keep(Session(successor, authority().agent("agent", NAME)))
	again.up(oldest=2)


@test
def the_newer_one_may_be_stopped_in_the_middle(scene):
	relay, agent = pair(scene)
	agent.freeze()
	successor = newer(scene, relay, start=False).start(wait_ready=False)
	relay.wait_event("moving")
	successor.signal(signal.SIGTERM)
	equal(successor.wait(), 0, "exit status of the newer one")
	relay.wait_event("takeover-failed")
	agent.thaw()
	visitors = Visitors(relay.port, [NAME, OTHER], 2)
	visitors.wait_more(4)
	visitors.end()


@test
def another_version_is_refused_in_words(scene):
	relay = scene.relay()
	with socket.socket(socket.AF_UNIX) as stream:
		stream.connect(relay.settings["admin"]["socket"])
		stream.sendall(b'{"command": "takeover", "takeover": 99}\n')
		answer = json.loads(stream.makefile().readline())
	equal(answer["error"]["code"], "takeover-refused", "the code")
	check("another version" in answer["error"]["message"], answer)
	relay.wait_event("takeover-refused")


class Impostor:
	"""Who listens where the relay's admin socket would be, and hands over what it likes."""

	def __init__(self, scene, path, things):
		self.listener = scene.keep(socket.socket(socket.AF_UNIX))
		self.listener.bind(path)
		self.listener.listen()
		self.things, self.asked = things, []
		threading.Thread(target=self._serve, daemon=True).start()

	def _serve(self):
		stream, _ = self.listener.accept()
		self.asked.append(stream.makefile().readline())
		ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		for kind, fd in self.things:
			ours.sendmsg([kind], [] if fd is None else
				[(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
		socket.send_fds(stream, [b'{"takeover": 1}\n'], [theirs.fileno()])
		ours.recv(16)		# until the other one ends


@test
def what_is_handed_over_is_judged(scene):
	relay = scene.relay(start=False)
	path = relay.settings["admin"]["socket"]
	os.unlink(path) if os.path.exists(path) else None
	right_lock = os.open(path + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
	wrong_lock = os.open(f"{scene.dir}/else", os.O_RDWR | os.O_CREAT, 0o600)
	listener = scene.keep(socket.create_server(("127.0.0.1", 0)))
	for number, (things, says) in enumerate((
			([(LOCK, wrong_lock), (ADMIN, listener.fileno()), (ALL, None)], "not that of this configuration"),
			([(ADMIN, listener.fileno()), (ALL, None)], "not what was asked for"),
			([(LOCK, right_lock), (LISTENER, None), (ALL, None)], "not what was asked for"),
			([(LOCK, right_lock), (b"\x63", listener.fileno())], "not what was asked for"),
			([(LOCK, right_lock), (b"\x06garbage", listener.fileno())], "not what was asked for"))):
		Impostor(scene, path, things)
		daemon = newer(scene, relay, start=False, label=f"newer{number}").start(wait_ready=False)
		daemon.expected = daemon.wait()
		equal(daemon.expected, 69, f"exit status of {number}")
		daemon.wait_text(says)
		os.unlink(path)


@test
def whoever_is_neither_root_nor_our_user_is_not_believed(scene):
	if os.geteuid() != 0:
		skip("only root can have two users")
	relay = scene.relay(start=False)
	path = relay.settings["admin"]["socket"]
	program = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print(); sys.stdin.read()"
	os.chmod(scene.dir, 0o777)
	with subprocess.Popen(["python3", "-c", program, path], user=NOBODY, stdin=subprocess.PIPE,
			stdout=subprocess.PIPE, text=True) as stranger:
		stranger.stdout.readline()
		daemon = newer(scene, relay, start=False).start(wait_ready=False)
		daemon.expected = daemon.wait()
		stranger.stdin.close()
	os.chmod(scene.dir, 0o700)
	equal(daemon.expected, 77, "exit status")
	daemon.wait_text("is not believed")


class Manager:
	"""What systemd keeps of a service's sockets (FDSTORE=1), and gives to its next process."""

	def __init__(self, daemon):
		self.daemon, self.kept, self.argv = daemon, [], daemon.argv

	def start(self):
		if self.kept:
			numbers = " ".join(f"{3 + i}<&{fd}" for i, fd in enumerate(self.kept))
			script = f"{self.daemon.directory}/activate"
			with open(script, "w") as file:
				file.write(f"#!/bin/bash\nexport LISTEN_PID=$$ LISTEN_FDS={len(self.kept)} "
					f"LISTEN_FDNAMES={':'.join(['listener'] * len(self.kept))}\nexec \"$@\" {numbers}\n")
			os.chmod(script, 0o755)
			self.daemon.argv, self.daemon.pass_fds = [script] + self.argv, self.kept[:]
		self.daemon.start(wait_ready=False)
		self.daemon.notify.settimeout(20)
		lines = []
		while "READY=1" not in lines:
			data, fds, _, _ = socket.recv_fds(self.daemon.notify, 8192, 4)
			lines = data.decode().split("\n")
			if "FDSTOREREMOVE=1" in lines:
				self.close()
			if "FDSTORE=1" in lines:
				self.kept += fds

	def close(self):
		for fd in self.kept:
			os.close(fd)
		self.kept = []


@test
def sockets_that_the_manager_keeps_outlive_a_crash(scene):
	relay = scene.relay(start=False, workers=2, routes=[route(NAME, scene.upstream(echo))])
	manager = scene.keep(Manager(relay))
	manager.start()
	equal(len(manager.kept), 2, "sockets that are kept, one for each worker")
	for _ in range(2):
		relay.kill()
		clients = [scene.keep(dial(relay.port, WIRE[NAME])) for _ in range(8)]
		manager.start()
		equal(len(manager.kept), 2, "sockets that are kept then")
		for client in clients:
			equal(read_exactly(client, len(WIRE[NAME])), WIRE[NAME], "who waited")


@test
def the_option_goes_with_run_only(scene):
	relay = scene.relay(start=False)
	done = subprocess.run([relay.program, "check", "--takeover", "-c", relay.config_path], capture_output=True, text=True)
	check(done.returncode == 64 and "--takeover" in done.stderr, done)


main()
