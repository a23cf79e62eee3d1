#!/usr/bin/env -S python3 -B
"""A whole year by one wall clock that is stepped (faketime), with real timers: a relay, two agents, an authority that
serves, an ACME CA, and clients that come all the time.  Nobody touches anything: certificates, CRLs, the relay's own, the
authority's own and an ACME certificate renew, and no flow fails.  Then the authority is switched off: people are warned first, and
the service lives on exactly as long as its CRLs promise.

YEAR_DAYS, YEAR_STEP (hours) and YEAR_PAUSE (seconds a step) make it shorter or longer."""
import glob
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, "tests/system")
from lib import *
from lib.scene import free_port
from lib.tap import progress

DAYS = int(os.environ.get("YEAR_DAYS", "365"))
STEP_S = int(os.environ.get("YEAR_STEP", "6")) * 3600
PAUSE_S = float(os.environ.get("YEAR_PAUSE", "1"))
DAY_S = 86400
LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)
SEALED, OPEN, PUBLIC = "sealed.example.com", "open.example.com", "public.example.com"


class Calendar:
	"""The wall clock of all: what it is ahead of the real one.  Timers and files keep the real time."""

	def __init__(self, path):
		self.path, self.ahead_s = path, 0
		self.set(0)

	def set(self, ahead_s):
		self.ahead_s = ahead_s
		with open(self.path + ".new", "w") as file:
			file.write(f"+{ahead_s}")
		os.replace(self.path + ".new", self.path)

	@property
	def day(self):
		return self.ahead_s / DAY_S

	@property
	def now_s(self):
		return time.time() + self.ahead_s

	@property
	def environment(self):
		return {"LD_PRELOAD": LIBRARY, "FAKETIME_TIMESTAMP_FILE": self.path, "FAKETIME_NO_CACHE": "1",
			"FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}


class World:
	def __init__(self, scene):
		self.scene, self.pki = scene, Authority()
		# Where the confined process of the authority may read.
		self.calendar = Calendar(f"{self.pki.dir}/crls/calendar")
		self.port = free_port()
		self.url = f"https://localhost:{self.port}"
		self.serve = self.ruled(Daemon("serve", [PROGRAMS["pki"], "serve", "--ca", self.pki.dir, "--server-name", "localhost",
			"--listen", f"127.0.0.1:{self.port}", "--url", self.url], scene.dir))
		scene.daemons.append(self.serve)
		renew = {"url": self.url, "cas": self.pki.cas("server")}
		certificate, key = self.own("relay", self.pki.relay())
		self.relay = self.ruled(scene.relay(start=False, log={"level": "info"}, connect={"certificate": certificate,
			"private_key": key, "agent_cas": self.pki.cas("agent"), "agent_crls": [],
			"agent_crl_url": f"{self.url}/crl/agents.pem", "renew": renew}))
		upstream, plain = scene.tls_upstream(echo, SEALED), scene.upstream(echo)
		self.ca = AcmeCa(self)
		self.agents = [self.agent(scene, "one", [passthrough(SEALED, upstream)], renew),
			self.agent(scene, "two", [terminate(OPEN, plain), {"name": "public", "url": f"tls://{PUBLIC}", "upstream": plain.url,
				"agent_tls_termination": {"acme": self.ca.settings}}], renew)]
		self.daemons = [self.serve, self.relay, *self.agents]
		self.roots = f"{scene.dir}/roots.pem"
		with open(self.roots, "w") as file:
			for path in (authority().root, self.ca.root):
				file.write(open(path).read())

	def agent(self, scene, label, endpoints, renew):
		files = self.own(label, self.pki.agent(label, *(endpoint["url"].removeprefix("tls://") for endpoint in endpoints)))
		return self.ruled(scene.agent(self.relay, endpoints, files, label=label, start=False, log={"level": "info"},
			agent={"connect_cas": self.pki.cas("relay"), "connect_crls": [],
				"connect_crl_url": f"{self.url}/crl/relays.pem", "renew": renew}))

	def own(self, label, files):
		mine = [f"{self.scene.state(label)}/{label}{end}" for end in (".crt", ".key")]
		for source, target in zip(files, mine):
			shutil.copy(source, target)
			os.chmod(target, 0o600)
		return mine

	def ruled(self, daemon):
		daemon.environment = dict(daemon.environment, **self.calendar.environment)
		return daemon

	def start(self):
		for daemon in self.daemons:
			daemon.start()
			if daemon is not self.serve:
				daemon.wait_event("crl-fetched", count=2)
		for agent in self.agents:
			self.scene.wait_serving(agent)
		self.agents[1].wait_event("acme-issued")
		self.agents[1].wait_event("endpoint-up", server_name=PUBLIC)

	def step(self):
		self.calendar.set(self.calendar.ahead_s + STEP_S)
		time.sleep(PAUSE_S)
		for daemon in self.daemons:
			check(daemon.alive() or daemon.expected is None, f"{daemon.label} has ended on day {self.calendar.day:.1f}")
		progress()

	def check(self, daemon):
		"""(exit status, what it says)"""
		code, out, err = run(daemon.program, "check", "-c", daemon.config_path, environment=dict(os.environ, **daemon.environment))
		return code, f"{out} {err}"

	def renewals(self, daemon):
		return len(daemon.events("certificate-renewed"))


class AcmeCa:
	"""acme_ca.py, by the clock of all."""

	def __init__(self, world):
		self.dir = f"{world.scene.dir}/acme"
		os.mkdir(self.dir)
		port, self.root = free_port(), f"{self.dir}/root.crt"
		self.process = subprocess.Popen([sys.executable, "tests/year/acme_ca.py", str(port), str(world.relay.port), self.dir],
			env=dict(os.environ, **world.calendar.environment))
		world.scene.keep(self)
		until(lambda: os.path.exists(self.root), what="the ACME CA has a root")
		self.settings = {"directory": f"https://localhost:{port}/dir", "contact": "admin@example.com", "terms_agreed": True,
			"cas": self.root, "caa_resolver": "127.0.0.1:9"}

	def close(self):
		self.process.kill()
		self.process.wait()


class Visitors:
	"""A program that comes all the time, with the same clock; what failed stands in a file, a line each."""

	def __init__(self, world, root):
		self.path = f"{world.scene.dir}/visitors"
		self.process = subprocess.Popen([sys.executable, "tests/year/visitors.py", str(world.relay.port), root, self.path, SEALED, OPEN, PUBLIC],
			env=dict(os.environ, **world.calendar.environment))

	def told(self):
		"""(how many were served, what failed)"""
		if not os.path.exists(self.path):
			return 0, []
		with open(self.path) as file:
			lines = [json.loads(line) for line in file.read().split("\n")[:-1]]
		return sum(line["served"] for line in lines), [line for line in lines if "error" in line]

	def end(self):
		self.process.terminate()
		self.process.wait()


def ends_of(world):
	"""When the CRLs that the relay and an agent hold are over, in seconds since 1970: the first of them."""
	first = []
	for label in ("relay", "one"):
		for path in glob.glob(f"{world.scene.state(label)}/crls/*.crl"):
			with open(path) as file:
				blocks = file.read().split("-----BEGIN X509 CRL-----")[1:]
			for block in blocks:
				said = subprocess.run(["openssl", "crl", "-noout", "-nextupdate"], text=True, capture_output=True, check=True,
					input="-----BEGIN X509 CRL-----" + block).stdout
				first.append(int(subprocess.run(["date", "-d", said.split("=", 1)[1].strip(), "+%s"], text=True, capture_output=True,
					check=True).stdout))
	return min(first)


def lives_without_anybody(world, visitors):
	while world.calendar.day < DAYS:
		world.step()
	served, failed = visitors.told()
	equal(failed[:5], [], f"flows that failed, of {served} that were served")
	check(served > DAYS, f"only {served} flows were served")
	for agent in world.agents:
		check(world.renewals(agent) >= DAYS // 61, f"{agent.label}: {world.renewals(agent)} renewals")
		equal(agent.events("renewal-failed"), [], f"renewals of {agent.label} that failed")
	check(world.renewals(world.relay) >= DAYS // 290, "the relay's certificate was renewed")
	issued = len(world.agents[1].events("acme-issued"))
	check(issued > DAYS // 61, f"{issued} certificates by ACME")
	for daemon in world.daemons[1:]:
		code, said = world.check(daemon)
		equal(code, 0, f"exit status of {daemon.label}'s check, which says: {said}")
		equal(daemon.events("certificate-expires"), [], f"what {daemon.label} says of certificates that end")
	print(f"# {served} flows in {world.calendar.day:.0f} days, none failed; renewals: " +
		", ".join(f"{d.label} {world.renewals(d)}" for d in world.daemons[1:]) + f"; {issued} certificates by ACME")


def dies_when_it_was_promised(world, visitors):
	world.serve.stop()
	world.serve.expected = None
	end_s = ends_of(world) + DAY_S		# with the grace
	warned = None
	while not visitors.told()[1] and world.calendar.now_s < end_s + 4 * DAY_S:
		world.step()
		if warned is None and any(d.events("trust-warning") for d in world.daemons[1:]):
			warned = world.calendar.now_s
	failed = visitors.told()[1]
	check(failed, "the service lives on after its CRLs have ended")
	at_s = failed[0]["at"]
	print(f"# warned {(end_s - (warned or end_s)) / DAY_S:.1f} days before the end; the first flow failed "
		f"{(at_s - end_s) / 3600:+.1f} h from it: {failed[0]['error']}")
	check(warned and warned < end_s - 2 * DAY_S, "warnings come days before")
	check(at_s >= end_s - 600, f"the service died {(end_s - at_s) / 3600:.1f} h too early")
	check(1 in [world.check(daemon)[0] for daemon in world.daemons[1:]], "a check says so")


def comes_back_by_itself(world):
	world.serve.start()
	deadline = time.monotonic() + 120
	visitors = Visitors(world, world.roots)
	while time.monotonic() < deadline:
		world.step()
		served, failed = visitors.told()
		if served > 20 and all(line["at"] < world.calendar.now_s - DAY_S for line in failed):
			break
	else:
		raise Failed("the service does not come back with its authority")
	visitors.end()


@test
def a_year_goes_by_and_nobody_touches_anything(scene):
	if not LIBRARY:
		skip("no libfaketimeMT")
	world = World(scene)
	world.start()
	visitors = Visitors(world, world.roots)
	until(lambda: visitors.told()[0] > 2, what="clients are served")
	lives_without_anybody(world, visitors)
	dies_when_it_was_promised(world, visitors)
	visitors.end()
	comes_back_by_itself(world)


main()
