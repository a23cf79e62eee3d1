"""What honest people do beside an attack, and how it goes for them.

A test shows the attack twice: with the bound switched off it must do harm, else the test could not fail; with the
defaults everything must stay within FLOWS, BULK and REVOKED.  Figures are printed.
"""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from lib import *
from lib.scene import merged

IS_FULL = os.environ.get("VALISE_ATTACK") == "full"
NICE = 19 if IS_FULL else 0	# of attackers: what is not measured must come about on a busy machine, too
PLAIN, BULK_NAME, SERVED = "plain.example.com", "bulk.example.com", "served.example.com"
ATTACKED, ATTACKED_BULK, NOWHERE = "attacked.example.com", "attacked-bulk.example.com", "nowhere.example.com"
HONEST = "127.200.0.1"	# nobody else is in its network
SAMPLES, BULK_SECONDS, LINE_MB = 300, 2.0, 125
FLOWS_RATIO, FLOWS_SLACK_MS, BULK_RATIO, REVOKED_SECONDS = 3, 2, 0.8, 2


HERE = os.path.dirname(os.path.abspath(__file__))


class UpstreamProgram:
	"""Of honest people."""

	def __init__(self, kind, nice=0, send_bytes=0):
		self.process = subprocess.Popen([sys.executable, "-B", f"{HERE}/upstream.py", kind, str(nice), str(send_bytes)],
			stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
		self.port = int(self.process.stdout.readline())
		self.url = f"tcp://127.0.0.1:{self.port}"

	def close(self):
		self.process.communicate("")


class AttackedUpstream(UpstreamProgram):
	"""Of those whom the attackers reach: scenery, which neither takes the processor nor the kernel's memory from those who are
	measured. Without a bound it would fill 1.7 GB of send buffers for 900 stalled readers, which is the upstream's host's
	business, and the kernel that both share here would be short of TCP memory whatever the relay does."""

	def __init__(self, kind):
		super().__init__(kind, NICE, 65536)


def hostile(daemon):
	"""This daemon is the attacker's, who has a machine of his own."""
	for thread in os.listdir(f"/proc/{daemon.process.pid}/task"):
		os.setpriority(os.PRIO_PROCESS, int(thread), NICE)
	return daemon


def measured_test(function):
	"""One that compares times: only in `make attack`, with nothing beside it."""
	return test(function) if IS_FULL else function


def compiled(scene, name, *options):
	"""The path of what HERE/name.c becomes."""
	path = f"{scene.dir}/{name}"
	status, _, err = run("cc", "-O2", *options, "-o", path, f"{HERE}/{name}.c")
	equal(status, 0, err)
	return path


class Attackers:
	def __init__(self, kind, port, name, count, *sources):
		self.argv = [sys.executable, "-B", f"{HERE}/attackers.py", *map(str, (kind, port, name, count, *sources))]

	def __enter__(self):
		self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
			env=dict(os.environ, ATTACK_NICE=str(NICE)))
		self.ready = self.process.stdout.readline().split()
		check(self.ready[:1] == ["ready"], f"the attackers say {self.ready}")
		return self

	def __exit__(self, *_):
		self.said = self.process.communicate("")[0].split()


class Begun:
	"""An attack that is made at its beginning and lasts."""

	def __init__(self, begin):
		self.begin = begin

	def __enter__(self):
		self.begin()
		return self

	def __exit__(self, *_):
		pass


class Flood(Attackers):
	"""So many connections a second that say these words, of a program that is faster than a script."""

	def __init__(self, scene, port, words, rate, *sources):
		path = f"{scene.dir}/words"
		with open(path, "wb") as file:
			file.write(words)
		self.argv = [compiled(scene, "flood"), *map(str, (port, path, rate, *sources))]

	@property
	def rate(self):
		return int(self.said[0]) / float(self.said[1])


class Measured:
	def __init__(self, p99_ms, bulk, lost, revoked):
		self.p99_ms, self.bulk, self.lost, self.revoked = p99_ms, bulk, lost, revoked

	def __str__(self):
		revoked = "never" if self.revoked is None else f"{self.revoked:.1f} s"
		return f"new flows p99 {self.p99_ms:.1f} ms, bulk {self.bulk:.0f} MB/s, {self.lost} sessions lost, revoked within {revoked}"

	def troubles(self, before):
		"""What is not as it should be, compared with undisturbed times."""
		found = []
		if self.p99_ms > FLOWS_RATIO * before.p99_ms + FLOWS_SLACK_MS:
			found.append("new flows")
		if self.bulk < BULK_RATIO * before.bulk:
			found.append("bulk")
		if self.lost > 0:
			found.append("sessions")
		if self.revoked is None or self.revoked > REVOKED_SECONDS:
			found.append("revocation")
		return found


class Town:
	"""A relay with two static routes and an agent, and the honest people of it."""
	doomed = 0

	def __init__(self, scene, label, environment={}, agents_limits={}, agents_relays=(), **settings):
		self.scene, self.label = scene, label
		echoing, pouring, *attacked = [scene.keep(program(kind)).url
			for program in (UpstreamProgram, AttackedUpstream) for kind in ("echo", "pour")]
		self.relay = scene.relay(label, start=False, routes=[route(PLAIN, echoing), route(BULK_NAME, pouring),
			route(ATTACKED, attacked[0]), route(ATTACKED_BULK, attacked[1]), route(NOWHERE, "tcp://127.0.0.1:9")], **merged({"log": {"level": "info"}}, settings))
		self.relay.environment = environment
		self.relay.start()
		self.agent = scene.agent([self.relay, *agents_relays], [passthrough(SERVED, echoing)], authority().agent("honest", SERVED),
			label=f"{label}-agent", limits=agents_limits)

	def one_flow_ms(self, name=SERVED, source=HONEST, timeout=10):
		"""From the dial to the first byte that comes back; the time-out if none does."""
		began = time.monotonic()
		try:
			with dial(self.relay.port, self.hello(name), timeout=timeout, source=source) as stream:
				served = stream.recv(5)[:1] == b"\x16"
		except OSError:
			served = False
		return (time.monotonic() - began if served else timeout) * 1000

	def hello(self, name, cache={}):
		return cache.setdefault(name, hello(name))

	def flows_p99_ms(self, samples=SAMPLES):
		"""Static ones and those of the agent in turn. A handful that fail are enough to know."""
		times = []
		for i in range(samples):
			times.append(self.one_flow_ms(SERVED if i % 2 else PLAIN, timeout=3))
			if sum(t >= 3000 for t in times) > samples // 50:
				break
		return sorted(times)[int(len(times) * 0.99) - 1]

	def bulk(self):
		"""MB/s of one download over a line of LINE_MB: what two cores can copy is no measure beside anything."""
		try:
			with dial(self.relay.port, self.hello(BULK_NAME), timeout=5, source=HONEST) as stream:
				stream.recv(1)
				began, got = time.monotonic(), 0
				while time.monotonic() < began + BULK_SECONDS:
					part = stream.recv(1 << 18)
					if not part:
						break
					got += len(part)
					time.sleep(max(0, began + got / 1e6 / LINE_MB - time.monotonic()))
		except OSError:
			return 0.0
		return got / 1e6 / (time.monotonic() - began)

	def revoked_seconds(self):
		"""From the new CRL to the end of the revoked agent's session."""
		Town.doomed += 1
		name = f"doomed{Town.doomed}"
		certificate = authority().agent(name, f"{name}.example.com")
		agent = self.scene.agent(self.relay, [passthrough(f"{name}.example.com", "tcp://127.0.0.1:9")], certificate,
			label=name, start=False).start()
		try:
			self.relay.wait_event("session-up", 10, agent=name)
		except Failed:
			return None
		authority().revoke(name)
		began = time.monotonic()
		try:
			self.relay.wait_event("session-down", 10, agent=name)
		except Failed:
			return None
		finally:
			agent.expected = None
			agent.stop()
		return time.monotonic() - began

	def lost(self):
		return len(self.relay.events("session-down", agent="honest"))

	def measured(self, downloads=1):
		"""bulk: of the slowest of so many."""
		return Measured(self.flows_p99_ms(), min(self.bulk() for _ in range(downloads)), self.lost(), self.revoked_seconds())

	def tell(self, what, measured):
		print(f"# {self.label}, {what}: {measured}", flush=True)
		return measured

	def under(self, *attackers, downloads=1):
		"""(undisturbed, under attack)"""
		before = self.tell("undisturbed", self.measured(downloads))
		for attacker in attackers:
			attacker.__enter__()
		try:
			during = self.tell("under attack", self.measured(downloads))
		finally:
			for attacker in attackers:
				attacker.__exit__()
		return before, during


def harmless(town, *attackers, **how):
	before, during = town.under(*attackers, **how)
	equal(during.troubles(before), [], f"{town.label}: what suffers ({during}; undisturbed {before})")
	return before, during


def harmful(town, trouble, *attackers, **how):
	before, during = town.under(*attackers, **how)
	check(trouble in during.troubles(before), f"{town.label}: the attack does no harm to {trouble}: {during}; undisturbed {before}")
	return before, during


def sources(networks, hosts=1, first=1):
	"""Addresses of so many networks (/24), of each so many."""
	return [f"127.{100 + n // 250}.{n % 250}.{first + h}" for n in range(networks) for h in range(hosts)]
