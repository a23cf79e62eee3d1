#!/usr/bin/env -S python3 -B
"""What a host runs out of: room on the disk of the log and of the state, and ports for connections that it makes."""
import json
import os
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
from lib import *
from lib.lab import Lab, want_lab

NAME = "app.example.com"
want_lab()


class Disk:
	"""A small file system, which is full as often as somebody fills it."""

	def __init__(self, scene, label, kib=256):
		self.path = f"{scene.dir}/{label}"
		os.makedirs(self.path, mode=0o700)
		subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k,mode=700", "valise-test", self.path], check=True)
		scene.keep_to_the_end(self)

	def fill(self):
		with open(f"{self.path}/filler", "ab", buffering=0) as file:
			try:
				while True:
					file.write(bytes(4096))
			except OSError:
				pass

	def empty(self):
		os.unlink(f"{self.path}/filler")

	def close(self):
		subprocess.run(["umount", "--lazy", self.path], check=True)


def served(relay, name=NAME):
	wire = hello(name)
	with dial(relay.port, wire) as stream:
		equal(read_exactly(stream, len(wire)), wire, "the echo")


def lines_of(path):
	"""(Lines that are whole, and others.)"""
	good, torn = [], 0
	with open(path, "rb") as log:
		for line in log.read().split(b"\n"):
			try:
				good.append(json.loads(line))
			except ValueError:
				torn += line != b""
	return good, torn


def seconds_of_three(daemon):
	"""How much of the processor it takes in three seconds, in which it should do nothing."""
	before = daemon.processor_seconds()
	time.sleep(3)
	return daemon.processor_seconds() - before


@test
def a_disk_of_the_log_that_is_full_stops_nobody_and_costs_no_line(scene):
	disk = Disk(scene, "logs")
	relay = scene.relay(start=False, log={"level": "info"})
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("agent", NAME), start=False,
		log={"level": "info"})
	for daemon in (relay, agent):
		daemon.stderr = os.open(f"{disk.path}/{daemon.label}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
		daemon.start()
	until(lambda: b'"endpoint-up"' in open(f"{disk.path}/agent.log", "rb").read(), what="the agent serves")
	served(relay)
	disk.fill()
	for _ in range(200):
		served(relay)
	disk.empty()
	served(relay)

	def told(daemon):
		return [line for line in lines_of(f"{disk.path}/{daemon.label}.log")[0] if line["event"] == "flow-closed"]

	for daemon in (relay, agent):
		until(lambda: len(told(daemon)) == 202, 10, f"the {daemon.label} tells all flows")
		good, torn = lines_of(f"{disk.path}/{daemon.label}.log")
		print(f"# {daemon.label}: 202 flows are told, {torn} lines were torn", flush=True)
		check(torn <= 1, f"{torn} lines of the {daemon.label} are not whole")
		equal([line for line in good if line["event"] == "log-lines-dropped"], [], "lines that were lost")


@test
def a_disk_of_the_state_that_is_full_is_told_once_and_written_when_it_has_room(scene):
	disk = Disk(scene, "state")
	relay = scene.relay(state_dir=disk.path)
	upstream = scene.upstream(echo)
	agent = scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("late", NAME, "*.late.example"))
	known = f"{disk.path}/known-names"
	until(lambda: os.path.exists(known), what="the names are written")
	disk.fill()
	agent.settings["endpoints"] += [passthrough(f"n{i}.late.example", upstream) for i in range(40)]
	agent.write(agent.settings)
	agent.reload()
	scene.wait_serving(agent, 41)
	relay.wait_event("state-unwritten", 20)
	time.sleep(12)		# as long as it takes until the next try
	equal(len(relay.events("state-unwritten")), 1, "times that it was told")
	served(relay)
	served(relay, "n39.late.example")
	disk.empty()
	relay.wait_event("state-written", 15)
	check("n39.late.example" in open(known).read(), "all names are in the file")


@test
def an_agent_whose_state_is_on_a_full_disk_obeys_crls_and_keeps_them_later(scene):
	disk = Disk(scene, "agent.state")
	pki = Authority()
	relay = scene.relay(connect={"agent_cas": [pki.cas("agent")], "agent_crls": [pki.crls("agent")],
		**dict(zip(("certificate", "private_key"), pki.relay()))})
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], pki.agent("agent", NAME),
		agent={"connect_cas": pki.cas("relay"), "connect_crls": pki.crls("relay")})
	numbers = f"{disk.path}/crl-numbers"
	before = open(numbers).read()
	disk.fill()
	pki.pki("crl", "--all")
	agent.wait_event("files-reloaded")
	served(relay)
	time.sleep(3)		# three tries
	check(1 <= len(agent.events("trust-warning")) <= 2, f"told {len(agent.events('trust-warning'))} times")
	equal(open(numbers).read(), before, "the numbers on the disk, which is full")
	disk.empty()
	until(lambda: open(numbers).read() != before, 10, "the new numbers are written")
	served(relay)


@test
def an_authority_whose_disk_is_full_refuses_for_now_and_serves_again(scene):
	disk = Disk(scene, "authority", 4096)
	pki = Authority()
	shutil.copytree(pki.dir, f"{disk.path}/ca")
	pki.dir = f"{disk.path}/ca"
	serve = scene.serve(pki.dir)
	serve.wait_event("serve-up")
	line = pki.pki("invite", "agent", "site1", "--host", NAME, "--relay", "connect.example.net:443")

	def join(directory):
		return run(PROGRAMS["agent"], "join", "-c", f"{directory}/agent.yml", "--dir", f"{directory}/state", "--user", "root",
			data=line.encode())

	disk.fill()
	status, _, err = join(f"{scene.dir}/early")
	check(status not in (0, 77), f"exit status {status} while the disk is full: {err}")
	print(f"# exit status {status}: {err.strip()}", flush=True)
	serve.wait_event("enrolment-failed")
	check(serve.alive(), "the authority goes on")
	disk.empty()
	status, _, err = join(f"{scene.dir}/late")
	equal(status, 0, f"exit status once there is room: {err}")


@test
def crls_that_are_fetched_to_a_full_disk_stay_as_they_were_and_come_later(scene):
	pki = Authority()
	disk = Disk(scene, "relay.state")

	def answer(stream):
		stream.recv(4096)
		with open(pki.crls("agent"), "rb") as file:
			body = file.read()
		stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

	site = scene.upstream(answer)
	relay = scene.relay(state_dir=disk.path, connect={"agent_cas": [pki.cas("agent")], "agent_crls": [],
		"agent_crl_url": f"http://localhost:{site.port}/crl"})
	relay.wait_event("crl-fetched")
	relay.wait_event("trust-reloaded")
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], pki.agent("one", NAME))
	kept, = os.listdir(f"{disk.path}/crls")
	before = open(f"{disk.path}/crls/{kept}", "rb").read()
	disk.fill()
	pki.revoke("one")
	relay.reload()
	relay.wait_event("crl-fetch-failed")
	until(lambda: site.seen >= 3, 60, "the relay tries again by itself")
	equal(len(relay.events("crl-fetch-failed")), 1, "times that it was told")
	equal(os.listdir(f"{disk.path}/crls"), [kept], "files of CRLs")
	equal(open(f"{disk.path}/crls/{kept}", "rb").read(), before, "the CRLs on the disk, which is full")
	served(relay)
	disk.empty()
	emptied = time.monotonic()
	agent.wait_text("revoked", 120)
	print(f"# the new CRL is in force {time.monotonic() - emptied:.1f} s after there was room", flush=True)
	check(open(f"{disk.path}/crls/{kept}", "rb").read() != before, "the new CRLs are on the disk")


@test
def an_agent_without_a_port_for_its_connections_serves_again_when_there_is_one(scene):
	lab = Lab(scene)
	street = lab.place("street")
	home, shop = lab.place("home", relay=street), lab.place("shop")
	relay = scene.relay(place=street)
	with shop:
		upstream = scene.upstream(echo, host=shop.address)
	home.run(["sysctl", "-q", "-w", "net.ipv4.ip_local_port_range=40000 40015"], check=True)
	agent = scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("agent", NAME), place=home)
	agent.wait_parked()
	wire = hello(NAME)

	def come():
		with street:
			return scene.keep(dial(relay.port, wire, host=street.address))

	def is_served(stream):
		try:
			return read_exactly(stream, 7)[0] == 0x16
		except (OSError, EOFError):
			return False

	held = [come() for _ in range(24)]
	served = sum(is_served(stream) for stream in held)
	check(served >= 8, f"only {served} of 24 are served, with 16 ports for channels")
	check(served < 24, "all are served: there are ports enough, and nothing is tested")
	used = seconds_of_three(agent)
	print(f"# {24 - served} of 24 clients found no port; then the agent took {used:.2f} s of the processor in 3 s", flush=True)
	check(used < 0.5, "the agent spins")
	equal(relay.events("session-down"), [], "sessions that have ended")
	equal(agent.events("upstream-down"), [], "upstreams that are blamed")
	for stream in held:
		stream.close()
	closed = time.monotonic()
	until(lambda: is_served(come()), 60, "clients are served again")
	print(f"# served again {time.monotonic() - closed:.1f} s after the ports were free", flush=True)
	check(time.monotonic() - closed < 10, "it took long")


def first_byte(stream):
	try:
		return read_exactly(stream, 1)
	except (OSError, EOFError):
		return b""


@test
def a_relay_without_a_port_for_its_static_routes_serves_again_when_there_is_one(scene):
	lab = Lab(scene)
	street, shop = lab.place("street"), lab.place("shop")
	with shop:
		upstream = scene.upstream(echo, host=shop.address)
	street.run(["sysctl", "-q", "-w", "net.ipv4.ip_local_port_range=40000 40015"], check=True)
	relay = scene.relay(place=street, routes=[route(NAME, upstream)])
	clients = lab.place("clients")
	wire = hello(NAME)

	def come():
		with clients:
			return scene.keep(dial(relay.port, wire, host=street.address))

	held = [come() for _ in range(24)]
	served = sum(first_byte(stream) == wire[:1] for stream in held)
	check(8 <= served < 24, f"{served} of 24 are served, with 16 ports")
	used = seconds_of_three(relay)
	print(f"# {24 - served} of 24 clients found no port; then the relay took {used:.2f} s of the processor in 3 s", flush=True)
	check(used < 0.5, "the relay spins")
	equal(relay.events("upstream-down"), [], "upstreams that are blamed")
	check(len(relay.events("connections-short")) <= 1, "it is told more than once")
	for stream in held:
		stream.close()
	closed = time.monotonic()
	until(lambda: first_byte(come()) == wire[:1], 60, "clients are served again")
	print(f"# served again {time.monotonic() - closed:.1f} s after the ports were free", flush=True)
	check(time.monotonic() - closed < 10, "it took long")


@test
def a_forward_without_a_port_serves_again_when_there_is_one(scene):
	lab = Lab(scene)
	street = lab.place("street")
	home, shop = lab.place("home", relay=street), lab.place("shop", relay=street)
	relay = scene.relay(place=street)
	with shop:
		upstream = scene.upstream(echo)
	scene.agent(relay, [terminate(NAME, upstream, {"mutual_tls_certificate_authorities": [authority().cas("client")],
		"mutual_tls_crls": [authority().crls("client")]})], authority().agent("agent", NAME), place=shop)
	home.run(["sysctl", "-q", "-w", "net.ipv4.ip_local_port_range=40000 40015"], check=True)
	path = f"{scene.dir}/forward.sock"
	certificate = authority().client("vendor")
	forward = scene._add(Daemon("forward", [PROGRAMS["agent"], "forward", f"unix:{path}", f"tls://{NAME}",
		"--address", f"{street.address}:{relay.port}", "--crt", certificate[0], "--key", certificate[1],
		"--cas", authority().cas("server"), "--crls", authority().crls("server")], scene.dir), True, home)

	def come():
		stream = scene.keep(socket.socket(socket.AF_UNIX))
		stream.settimeout(15)
		stream.connect(path)
		try:
			stream.sendall(b"xx")	# one is not read, so that the ports are free as soon as it leaves
		except BrokenPipeError:
			pass	# it was refused already
		return stream

	held = [come() for _ in range(24)]
	served = sum(first_byte(stream) == b"x" for stream in held)
	check(8 <= served < 24, f"{served} of 24 are served, with 16 ports")
	used = seconds_of_three(forward)
	print(f"# {24 - served} of 24 clients found no port; then the forward took {used:.2f} s of the processor in 3 s", flush=True)
	check(used < 0.5, "the forward spins")
	equal(forward.events("server-refused", code="upstream-down"), [], "servers that are blamed")
	for stream in held:
		stream.close()
	closed = time.monotonic()
	until(lambda: first_byte(come()) == b"x", 60, "clients are served again")
	print(f"# served again {time.monotonic() - closed:.1f} s after the ports were free", flush=True)
	check(time.monotonic() - closed < 10, "it took long")


main()
