#!/usr/bin/env -S python3 -B
"""Certificates of our own that renew themselves at `valise-pki serve`, and what people hear when they cannot."""
import json
import os
import shutil
import subprocess
import threading
import time

from lib import *
from lib.clock import DAY, HOUR, Clock
from lib.memory import FAILING
from lib.scene import free_port

NAME = "app.example.com"


class Stage:
	"""An authority that serves, a relay and an agent that renew, all by one clock; CRLs that outlive the test."""

	def __init__(self, scene, relay_options=(), **renew):
		self.scene, self.pki, self.clock = scene, Authority(), Clock(scene.dir)
		self.pki.pki("crl", "--all", "--days", "800")
		self.port = free_port()
		self.serve = Daemon("serve", [FAILING["pki"], "serve", "--ca", self.pki.dir, "--server-name", "localhost",
			"--listen", f"127.0.0.1:{self.port}", "--url", self.url], scene.dir)
		self.serve.environment = self.clock.environment
		scene.daemons.append(self.serve)
		self.renew = {"url": self.url, "cas": self.pki.cas("server"), **renew}
		self.upstream = scene.upstream(echo)
		self.relay_files = self.own("relay", self.pki.issue("relay", "relay", "--host", "localhost", *relay_options))
		self.relay = scene.relay(start=False, connect={"certificate": self.relay_files[0], "private_key": self.relay_files[1],
			"agent_cas": self.pki.cas("agent"), "agent_crls": self.pki.crls("agent"), "renew": self.renew})
		self.agent_files = self.own("agent", self.pki.agent("agent", NAME))
		self.agent = scene.agent(self.relay, [passthrough(NAME, self.upstream)], self.agent_files, start=False,
			agent={"connect_cas": self.pki.cas("relay"), "connect_crls": self.pki.crls("relay"), "renew": self.renew})
		for daemon in (self.relay, self.agent):
			self.clock.rule(daemon)

	@property
	def url(self):
		return f"https://localhost:{self.port}"

	def own(self, label, files):
		"""Copies that the daemon may replace."""
		mine = [f"{self.scene.state(label)}/{label}{end}" for end in (".crt", ".key")]
		for source, target in zip(files, mine):
			shutil.copy(source, target)
			os.chmod(target, 0o600)
		return mine

	def start(self, *daemons):
		"""And waits until they have the CRLs that the authority is judged by."""
		for daemon in daemons or (self.serve, self.relay, self.agent):
			daemon.start()
			if daemon is not self.serve:
				daemon.wait_event("crl-fetched")
		if self.agent.alive():
			self.scene.wait_serving(self.agent)

	def check(self, daemon):
		return run(daemon.program, "check", "-c", daemon.config_path, environment=dict(os.environ, **self.clock.environment))


def serial(path):
	return subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", path], capture_output=True, text=True, check=True).stdout


def contents(files):
	return [open(path).read() for path in files]


def is_served(relay):
	wire = hello(NAME)
	with dial(relay.port, wire) as client:
		return client.recv(1) == wire[:1]


class Visitors:
	"""Clients that come one after the other, until they are called off."""

	def __init__(self, relay):
		self.relay, self.served, self.failures, self.is_over = relay, 0, [], False
		self.thread = threading.Thread(target=self._come, daemon=True)
		self.thread.start()

	def _come(self):
		while not self.is_over:
			try:
				check(is_served(self.relay), "not served")
				self.served += 1
			except (OSError, Failed) as error:
				self.failures.append(repr(error))

	def end(self):
		self.is_over = True
		self.thread.join()
		equal(self.failures, [], f"clients that failed, beside {self.served} that were served")


def status(daemon):
	done = subprocess.run([daemon.program, "status", "-c", daemon.config_path], capture_output=True, text=True, timeout=60,
		env=dict(os.environ, **daemon.environment))
	equal(done.returncode, 0, f"exit status of {daemon.label}'s status: {done.stderr}")
	return json.loads(done.stdout)


@test
def an_agents_certificate_is_renewed_and_no_flow_fails(scene):
	stage = Stage(scene)
	stage.start()
	before = contents(stage.agent_files)
	equal(stage.check(stage.agent)[0], 0, "exit status of a check")
	running = scene.keep(dial(stage.relay.port, hello(NAME) + b"in"))
	visitors = Visitors(stage.relay)
	stage.clock.set(60 * DAY + 5 * HOUR)	# a third of 90 days is left, and the jitter may be over or not
	stage.clock.set(61 * DAY)
	stage.agent.wait_event("certificate-renewed", key="agent.certificate")
	stage.agent.wait_event("relay-up", count=2)
	after = contents(stage.agent_files)
	check(before[0] != after[0] and before[1] != after[1], "certificate and key are new")
	check(not os.path.exists(stage.agent_files[1] + ".next"), "the next key is the key")
	visitors.end()
	running.sendall(b"still here")
	check(running.recv(1), "the flow that ran before")
	told = status(stage.agent)["renewal"]
	equal((told["urgency"], told["failures"]), ("fine", 0))
	equal(stage.check(stage.agent)[0], 0, "exit status of a check")


@test
def a_relays_certificate_is_renewed_and_agents_move_over(scene):
	stage = Stage(scene, relay_options=("--valid-for", "100d"), rekey=False)
	stage.start()
	before = contents(stage.relay_files)
	visitors = Visitors(stage.relay)
	stage.clock.set(66 * DAY)
	stage.agent.wait_event("relay-up", count=2)		# with its own next certificate
	stage.clock.set(68 * DAY)
	stage.relay.wait_event("certificate-renewed", key="connect.certificate")
	stage.relay.wait_event("certificate-reloaded")
	after = contents(stage.relay_files)
	check(before[0] != after[0] and before[1] == after[1], "the certificate is new, the key the same")
	equal(status(stage.relay)["renewal"]["urgency"], "fine")
	equal(stage.check(stage.relay)[0], 0, "exit status of a check")
	equal(stage.agent.events("relay-certificate-ends"), [])
	stage.clock.set(100 * DAY - HOUR)
	stage.agent.wait_event("relay-certificate-ends")
	stage.agent.wait_event("relay-up", count=3)
	stage.clock.set(102 * DAY)
	served = visitors.served
	until(lambda: visitors.served > served + 20, what="clients go on being served")
	visitors.end()
	equal(stage.agent.events("relay-down"), [], "sessions that ended with a certificate")


@test
def what_cannot_be_renewed_is_told_ever_louder(scene):
	stage = Stage(scene)
	stage.start()
	stage.serve.stop()
	stage.clock.set(62 * DAY)
	told, = stage.agent.wait_event("renewal-failed", key="agent.certificate")
	equal((told["level"], told["code"]), ("warning", "unreachable"))
	equal(status(stage.agent)["renewal"]["urgency"], "failing")
	stage.agent.wait_shown(lambda shown: "is not renewed" in shown, "that it is not renewed")
	code, out, err = stage.check(stage.agent)
	equal(code, 0, f"exit status of a check while there is time: {out} {err}")
	stage.clock.set(80 * DAY)
	stage.agent.wait_event("renewal-failed", level="error")
	equal(status(stage.agent)["renewal"]["urgency"], "urgent")
	equal(stage.check(stage.agent)[0], 2, "exit status of a check")
	check(is_served(stage.relay), "and all goes on")
	stage.serve.start()
	stage.clock.set(81 * DAY)
	stage.agent.wait_event("certificate-renewed")
	stage.agent.wait_shown(lambda shown: shown and "not renewed" not in shown, "nothing any more")


@test
def a_start_finishes_a_renewal_that_was_cut_short(scene):
	stage = Stage(scene)
	stage.start(stage.serve, stage.relay)
	renewed = stage.pki.issue("agent", "agent2", "--host", NAME)
	os.chmod(stage.agent_files[0], 0o644)
	shutil.copy(renewed[0], stage.agent_files[0])
	shutil.copy(renewed[1], stage.agent_files[1] + ".next")
	equal(stage.check(stage.agent)[0], 78, "a check changes nothing")
	stage.start(stage.agent)
	stage.agent.wait_event("renewal-mended")
	equal(open(stage.agent_files[1]).read(), open(renewed[1]).read(), "the key in force")


@test
def a_revoked_certificate_is_not_renewed(scene):
	stage = Stage(scene)
	stage.start(stage.serve, stage.relay)
	before = contents(stage.agent_files)
	stage.start(stage.agent)
	stage.pki.revoke("agent")
	stage.clock.set(61 * DAY)
	told, = stage.agent.wait_event("renewal-failed", code="refused")
	check(told["message"], f"the authority's sentence: {told}")
	equal(contents(stage.agent_files), before)


main()
