"""Starts the peers and takes them in turns, A B A B, so that all of them see the same machine."""
import fnmatch
import json
import os
import re
import shutil
import socket
import string
import subprocess
import sys
import tempfile
import time

from .machine import descriptors, free_port
from .peers import PEERS
from .programs import BUILD, PROGRAMS, version
from .workloads import WORKLOADS

from lib.authority import CONNECT_NAME, authority
from lib.hello import hello
from lib.process import Daemon
from lib.tap import Failed

NAME, CLIENT = "bench.example.com", "bench-client"
LOAD, UPSTREAM = f"{BUILD}/bench/load/load", f"{BUILD}/bench/load/upstream"
START_S, REST_S, FOREVER = 60, 5, ("--seconds", "3600")
IDLE_S = 12	# flows are idle once nothing was done for so long


class Text(string.Template):
	delimiter = "@"
	braceidpattern = "[a-z/_-]+"


class Trouble(Exception):
	"""Why something could not be measured."""


def say(text):
	print(text, file=sys.stderr, flush=True)


# ---- what the configurations may name ----

class Setting:
	"""The upstream, and the files that all peers share."""

	def __init__(self):
		self.dir = tempfile.mkdtemp(prefix="valise-bench.")
		self.hello = f"{self.dir}/hello"
		self.write(self.hello, hello(NAME))
		port = free_port()
		self.taken = f"{self.dir}/taken"
		self.upstream = Daemon("upstream", [UPSTREAM, str(port), self.taken], self.dir)
		self.upstream.most_files = descriptors()
		self.upstream.start(wait_ready=False)
		self.values = {"upstream": port, "name": NAME, "connect_name": CONNECT_NAME, "descriptors": descriptors(),
			**self.certificates()}
		self.values.update({name: program.path for name, program in PROGRAMS.items()})

	def write(self, path, data):
		with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
			file.write(data)

	def openssl(self, *arguments):
		return subprocess.run(["openssl", *arguments], check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout

	def staple(self, ca, cert):
		"""An OCSP response, signed by the CA itself, that this certificate is good."""
		issuer, request, index, response = f"{ca.dir}/cas/servers.crt", f"{self.dir}/ocsp", f"{self.dir}/index", f"{self.dir}/staple"
		serial = self.openssl("x509", "-noout", "-serial", "-in", cert).strip().split("=")[1]
		self.write(index, f"V\t400101000000Z\t\t{serial}\tunknown\t/CN=bench\n".encode())
		self.openssl("ocsp", "-issuer", issuer, "-cert", cert, "-no_nonce", "-reqout", request)
		self.openssl("ocsp", "-index", index, "-CA", issuer, "-rsigner", issuer, "-rkey", f"{ca.dir}/private/servers.key",
			"-rmd", "sha256", "-ndays", "2", "-reqin", request, "-respout", response)
		return response

	def certificates(self):
		ca = authority()
		(cert, key), (relay_cert, relay_key) = ca.server(NAME), ca.relay()
		agent_cert, agent_key = ca.agent("bench", NAME)
		with open(cert, "rb") as first, open(key, "rb") as second:
			self.write(f"{self.dir}/pem", first.read() + second.read())
		self.openssl("pkcs12", "-export", "-in", cert, "-inkey", key, "-out", f"{self.dir}/p12", "-passout", "pass:bench")
		client_cert, client_key = ca.client(CLIENT)
		self.own = ["--crt", client_cert, "--key", client_key]
		rsa_cert, rsa_key = ca.issue("server", "server-rsa", "--host", NAME, "--key-type", "rsa2048")
		return {"cert": cert, "key": key, "rsa_cert": rsa_cert, "rsa_key": rsa_key, "staple": self.staple(ca, cert),
			"client": CLIENT, "client_cas": ca.cas("client"), "client_crls": ca.crls("client"),
			"pem": f"{self.dir}/pem", "p12": f"{self.dir}/p12", "ca": ca.root,
			"relay_cert": relay_cert, "relay_key": relay_key, "agent_cert": agent_cert, "agent_key": agent_key,
			"agent_cas": ca.cas("agent"), "agent_crls": ca.crls("agent"),
			"relay_cas": ca.cas("relay"), "relay_crls": ca.crls("relay")}

	def close(self):
		self.upstream.stop()
		shutil.rmtree(self.dir, ignore_errors=True)


# ---- one peer that runs ----

def of_threads(pid, name):
	"""What /proc says of each thread in such a file; one may end meanwhile."""
	for task in os.listdir(f"/proc/{pid}/task"):
		try:
			with open(f"/proc/{pid}/task/{task}/{name}") as file:
				yield file.read()
		except (FileNotFoundError, ProcessLookupError):
			pass


def family(pid):
	"""A process and those that it has started."""
	return [pid] + [one for text in of_threads(pid, "children") for child in text.split() for one in family(int(child))]


def bytes_of(pid, file, key):
	"""What /proc says of a process in kB; 0 if it has ended."""
	try:
		with open(f"/proc/{pid}/{file}") as lines:
			return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(key)), 0)
	except (FileNotFoundError, ProcessLookupError):
		return 0


def wakes(pid):
	"""How often its threads have waited for something and got it."""
	return sum(int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", text, re.M)[1]) for text in of_threads(pid, "status"))


class Running:
	def __init__(self, peer, setting, timing=False):
		self.peer, self.setting, self.daemons = peer, setting, {}
		self.timing, self.took_ms = timing, {}
		self.dir = tempfile.mkdtemp(dir=setting.dir)
		self.port = free_port()
		values = {**setting.values, "dir": self.dir, "agent_dir": f"{self.dir}/agent", "port": self.port,
			"inner": free_port()}
		os.mkdir(values["agent_dir"], 0o700)
		try:
			for part in peer.parts:
				self.start(part, values)
			self.await_service()
		except Exception:
			self.close()
			raise

	def start(self, part, values):
		for name, text in part.files.items():
			self.setting.write(f"{self.dir}/{name}", Text(text).substitute(values).encode())
		daemon = Daemon(part.role, [Text(word).substitute(values) for word in part.argv], self.dir)
		daemon.most_files = descriptors()
		daemon.start(wait_ready=False)
		self.daemons[part.role] = daemon
		if self.timing:
			self.time_start(part, daemon, (values["port"], values["inner"]))

	def time_start(self, part, daemon, ports):
		"""From its execution on: until the first one listens, and a second one has a flow served."""
		began = time.monotonic()
		serves = self.serves if len(self.daemons) > 1 else lambda: any(map(listens, ports))
		while daemon.alive() and not serves():
			if time.monotonic() > began + START_S:
				raise Trouble(f"does not serve: {self.last_words([])}")
			time.sleep(0.0005)
		self.took_ms[part.role] = (time.monotonic() - began) * 1000

	def serves(self):
		return self.load_once("echo", "--seconds", "0.001", "--warm", "0").returncode == 0

	def await_service(self):
		deadline = time.monotonic() + START_S
		while True:
			ended = [daemon for daemon in self.daemons.values() if not daemon.alive()]
			if not ended and self.serves():
				return
			if ended or time.monotonic() > deadline:
				raise Trouble(f"does not serve: {self.last_words(ended)}")
			time.sleep(0.05)

	def last_words(self, ended):
		"""Of those that have ended, else of all; without colours and the names of our folders."""
		lines = [daemon.log_text().splitlines()[-1:] for daemon in ended or self.daemons.values()]
		text = " | ".join(line for several in lines for line in several)
		return re.sub(r"\x1b\[[\d;]*m", "", text).replace(self.dir, "")[:160]

	def roles(self):
		return {role: family(daemon.pid) for role, daemon in self.daemons.items()}

	def memory(self):
		return {role: sum(bytes_of(pid, "status", "RssAnon:") for pid in pids) for role, pids in self.roles().items()}

	def wakes(self):
		return sum(wakes(pid) for pids in self.roles().values() for pid in pids)

	def descriptors(self):
		return sum(daemon.descriptors() for daemon in self.daemons.values())

	def processor_seconds(self):
		return sum(daemon.processor_seconds() for daemon in self.daemons.values())

	def await_rest(self):
		"""Until it does nothing any more, or has not come to rest in a while."""
		deadline, last = time.monotonic() + REST_S, None
		while (now := self.processor_seconds()) != last and time.monotonic() < deadline:
			last = now
			time.sleep(0.2)

	def command(self, *arguments):
		own = self.setting.own if self.peer.scene == "mutual" else []
		way = ["--tls", "--name", NAME, *own] if self.peer.scene in ("terminate", "mutual") else ["--hello", self.setting.hello]
		return [LOAD, *arguments, "--to", str(self.port), *way]

	def load_once(self, *arguments):
		return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL)

	def load_begin(self, *arguments):
		"""Returns when its flows are open."""
		load = subprocess.Popen(self.command(*arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
			stderr=subprocess.PIPE, text=True)
		if load.stdout.readline() != "ready\n":
			raise Trouble(load.communicate()[1].strip())
		return load

	def load_end(self, loads):
		for load in loads:
			load.kill()
			load.communicate()

	def close(self):
		for daemon in reversed(self.daemons.values()):
			daemon.stop()
		shutil.rmtree(self.dir, ignore_errors=True)


# ---- one sample: {"used": {role: seconds or bytes}, and what the load generator tells} ----

def timed(running, workload, seconds):
	roles = running.roles()
	watched = [(role, pid) for role, pids in roles.items() for pid in pids]
	beside = [running.load_begin(*arguments, *FOREVER) for arguments in workload.beside]
	try:
		done = running.load_once(*workload.load, "--warm", str(min(seconds, workload.warm)), "--seconds", str(seconds),
			"--taken", running.setting.taken, "--watch", ",".join(str(pid) for _, pid in watched))
	finally:
		running.load_end(beside)
	if done.returncode:
		raise Trouble(done.stderr.strip())
	sample = json.loads(done.stdout.splitlines()[-1])
	if not sample["bytes"] or sample["errors"] > sample["answers"] // 100:
		raise Trouble(f"{sample['errors']} errors, {sample['bytes']} bytes")
	used = dict.fromkeys(roles, 0)
	for (role, _), cpu in zip(watched, sample.pop("cpu"), strict=True):
		used[role] += cpu
	return {**sample, "used": used}


def settled(question, seconds=5):
	"""Its answer, once it is the same twice."""
	deadline, last = time.monotonic() + seconds, None
	while (now := question()) != last and time.monotonic() < deadline:
		last = now
		time.sleep(0.15)
	return now


def listens(port):
	with socket.socket() as probe:
		return probe.connect_ex(("127.0.0.1", port)) == 0


def begun(running, workload):
	if workload.begins == "time":
		return {"used": running.took_ms}
	running.await_rest()
	pids = running.roles()
	return {"used": {role: max(bytes_of(pid, "status", "VmRSS:") for pid in several) / 2**20 for role, several in pids.items()},
		"proportional": sum(bytes_of(pid, "smaps_rollup", "Pss:") for several in pids.values() for pid in several) / 2**20}


def held(running, workload):
	flows = min(workload.idle, descriptors() * 7 // 20)	# two each, and what the peers keep for themselves
	before, open_before = settled(running.memory), running.descriptors()
	load = running.load_begin("idle", "--flows", str(flows))
	settled(running.memory)
	woken = running.wakes()
	time.sleep(IDLE_S)
	woken, during = running.wakes() - woken, settled(running.memory)
	load.communicate("\n")
	deadline = time.monotonic() + 10
	while running.descriptors() > open_before + flows // 10 and time.monotonic() < deadline:
		time.sleep(0.1)
	after = settled(running.memory)
	return {"flows": flows, "wakes": woken / IDLE_S, "used": {role: (during[role] - before[role]) / flows for role in during},
		"held": max(0, sum(after[role] - before[role] for role in after)) / flows}


# ---- all of it ----

class Run:
	def __init__(self, results, seconds, rounds, wanted, peers):
		self.results, self.seconds, self.rounds = results, seconds, rounds
		self.wanted, self.peers = wanted, peers
		self.setting = Setting()

	def everything(self, scenes):
		for scene in scenes:
			workloads = [w for w in WORKLOADS if scene in w.scenes and self.is_wanted(f"{scene}/{w.name}")]
			if workloads:
				self.scene(scene, workloads)

	def is_wanted(self, name):
		return not self.wanted or any(fnmatch.fnmatch(name, pattern) for pattern in self.wanted)

	def scene(self, scene, workloads):
		running = {}
		peers = [p for p in PEERS if p.scene == scene and (not self.peers or p.name in self.peers)]
		for peer in peers:
			self.enter(peer, running)
		try:
			for workload in [w for w in workloads if not w.idle and not w.begins]:
				self.in_turns(running, workload)
				say(f"{scene}: {workload.name} is done")
		finally:
			for one in running.values():
				one.close()
		for workload in [w for w in workloads if w.idle or w.begins]:
			for peer in running:
				self.alone(peer, workload)
			say(f"{scene}: {workload.name} is done")

	def enter(self, peer, running):
		"""Into the table, and among those that run if it can."""
		entry = {"scene": peer.scene, "name": peer.name, "note": peer.note}
		self.results.data["peers"] = [*self.results.peers_but(peer.scene, peer.name), entry]
		missing = [PROGRAMS[name] for name in peer.programs if not PROGRAMS[name].path]
		if missing:
			entry["absent"] = f"no {missing[0].name} ({missing[0].source})"
		else:
			entry["version"] = version(peer.programs[0])
			try:
				running[peer] = Running(peer, self.setting)
			except (Trouble, Failed, OSError) as trouble:
				entry["absent"] = str(trouble)
		say(f"{peer.scene}: {peer.name}: {entry.get('absent') or entry['version']}")

	def in_turns(self, running, workload):
		samples, failed = {peer: [] for peer in running}, {}
		for _ in range(1 if workload.standing else self.rounds):
			for peer, one in running.items():
				if peer not in failed:
					self.attempt(failed, peer, samples[peer], lambda: self.turn(one, workload))
		self.keep(workload, samples, failed)

	def turn(self, one, workload):
		if not workload.standing:
			return [timed(one, workload, self.seconds)]
		standing = [one.load_begin(*arguments, *FOREVER) for arguments in workload.standing]
		try:
			one.await_rest()
			return [timed(one, workload, self.seconds) for _ in range(self.rounds)]
		finally:
			one.load_end(standing)

	def alone(self, peer, workload):
		samples, failed = {peer: []}, {}

		def once():
			one = Running(peer, self.setting, timing=workload.begins == "time")
			try:
				return [(begun if workload.begins else held)(one, workload)]
			finally:
				one.close()
		for _ in range(self.rounds if workload.begins else 1):
			if not failed:
				self.attempt(failed, peer, samples[peer], once)
		self.keep(workload, samples, failed)

	def attempt(self, failed, peer, samples, once):
		try:
			samples += once()
		except (Trouble, Failed, OSError, subprocess.TimeoutExpired) as trouble:
			failed[peer] = str(trouble)

	def keep(self, workload, samples, failed):
		for peer, why in failed.items():
			self.results.data.setdefault("failures", []).append({"scene": peer.scene, "workload": workload.name,
				"peer": peer.name, "why": why})
			say(f"{peer.scene}: {workload.name}: {peer.name}: {why}")
		for peer, several in samples.items():
			if several and peer not in failed:
				self.rows(peer, workload, several)

	def rows(self, peer, workload, samples):
		facts = {"flows": samples[0]["flows"]} if workload.idle else {}
		for metric in workload.metrics:
			roles = [None, *samples[0]["used"]] if metric.each_role and peer.scene != "static" else [None]
			for role in roles:
				values = [metric.of(s, s["used"][role] if role else sum(s["used"].values())) for s in samples]
				name = f"{metric.name} of the {role}" if role else metric.name
				self.results.add(peer.scene, workload.name, peer.name, name, metric.unit, values, cpu=metric.cpu,
					more_is_better=metric.more_is_better, **facts)

	def close(self):
		self.setting.close()
