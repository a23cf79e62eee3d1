#!/usr/bin/env -S python3 -B
"""Reloads of relay and agent while clients keep coming: configuration, certificates, keys, CAs and CRLs, by command, by signal
and by the files alone.  Nobody is refused who is let in before and after, and nobody gets through who is not.

In `make check` it is short; `make faults` has ten reloads at 1000 flows a second."""
import os
import shutil

from lib import *
from lib.attempts import Attempts, LoadUpstream, now_us

IS_FULL = os.environ.get("VALISE_FAULTS") == "full"
RELOADS, RATE, PHASE = (10, 1000, 3000) if IS_FULL else (3, 300, 300)
OBEYED_US = 2_000_000	# what valise(7) promises for CRLs
NAME, STATIC = "app.example.com", "static.example.com"
DENIED = "alert-49"


class Stage:
	"""Relay and agent, their files, and what was changed when: {what: (begun, in force)} in microseconds."""

	def __init__(self, scene):
		self.scene, self.changes, self.serials = scene, {}, []
		self.pki, self.vendor, self.stranger = Authority(), Authority(), Authority()
		self.servers = [self.pki.issue("server", f"server{which}", "--host", NAME) for which in "AB"]
		self.pki.client("old")
		self.pki.revoke("old")
		for number in range(RELOADS):
			self.pki.client(f"revoked{number}")
		self.upstream = scene.keep(LoadUpstream(scene.dir))
		self.greeter = scene.upstream(lambda stream: (skip_hello(stream), stream.sendall(b"this is not TLS")))
		self.crt, self.key, self.crl = (f"{scene.dir}/{name}" for name in ("app.crt", "app.key", "clients.crl"))
		self.put_server(0)
		self.put_crl()
		# Where the agent's other files are: its sandbox reaches no other folder later.
		self.vendor_files = [shutil.copy(source, f"{scene.dir}/vendor-{name}")
			for name, source in (("ca.crt", self.vendor.cas("client")), ("clients.crl", self.vendor.crls("client")))]
		self.relay = scene.relay(workers=2, log={"level": "info"}, routes=[self.static_route(0)])
		self.agent = scene.agent(self.relay, [self.endpoint(0, False)], authority().agent("agent", NAME),
			workers=2, log={"level": "info"})

	# ---- what is changed

	def _replace(self, source, target):
		shutil.copyfile(source, target + ".new")
		shutil.copymode(source, target + ".new")
		os.replace(target + ".new", target)

	def put_server(self, turn):
		"""One file after the other: between the two they do not belong together."""
		certificate, key = self.servers[turn % 2]
		self._replace(key, self.key)
		self._replace(certificate, self.crt)
		serial = run("openssl", "x509", "-in", certificate, "-noout", "-serial")[1].decode()
		return int(serial.strip().partition("=")[2], 16)

	def put_crl(self):
		self._replace(self.pki.crls("client"), self.crl)

	@staticmethod
	def banned(count):
		return {"deny": [f"127.0.1.{number + 1}" for number in range(count)]} if count else {}

	def static_route(self, banned):
		return dict(route(STATIC, self.greeter), **self.banned(banned))

	def endpoint(self, banned, has_vendor):
		cas, crls = self.vendor_files if has_vendor else (None, None)
		return terminate(NAME, f"tcp://127.0.0.1:{self.upstream.port}", {
			"server_certificate": self.crt, "server_private_key": self.key,
			"mutual_tls_certificate_authorities": [self.pki.cas("client")] + [cas] * has_vendor,
			"mutual_tls_crls": [self.crl] + [crls] * has_vendor}, **self.banned(banned))

	# ---- a reload

	def note(self, what, begun):
		self.changes[what] = (begun, now_us())

	def by_command(self, daemon):
		equal(run(daemon.program, "reload", "-c", daemon.config_path)[0], 0, f"a reload of the {daemon.label}")

	def by_signal(self, daemon):
		count = len(daemon.events("reloaded"))
		daemon.reload()
		daemon.wait_event("reloaded", count=count + 1)

	def by_files(self, daemon):
		"""They have been replaced a moment ago; the agent looks each second."""
		until(lambda: daemon.events("files-reloaded")[self.files_reloaded:], what="the agent takes the files")

	def reload(self, number):
		way = (self.by_command, self.by_signal, self.by_files)[number % 3]
		self.files_reloaded = len(self.agent.events("files-reloaded"))
		self.pki.revoke(f"revoked{number}")
		begun = now_us()
		serial = self.put_server(number + 1)
		self.put_crl()
		authority().pki("renew", ("relay", "agent")[number % 2])	# so agents come anew, or to another certificate
		has_configuration = way != self.by_files
		if has_configuration:
			self.agent.write(dict(self.agent.settings, endpoints=[self.endpoint(number + 1, number % 2 == 0)]))
		way(self.agent)
		self.note(f"revoked{number}", begun)
		self.serials.append((begun, now_us(), serial))
		if has_configuration:
			self.note(("vendor", number, number % 2 == 0), begun)
			for banned in range(number + 1):
				if f"banned{banned}" not in self.changes:
					self.note(f"banned{banned}", begun)
		begun = now_us()
		self.relay.write(dict(self.relay.settings, routes=[self.static_route(number + 1)]))
		(self.by_command if number % 2 else self.by_signal)(self.relay)
		self.note(f"static{number}", begun)


def attempts_of(stage):
	pki = stage.pki

	def group(label, share, name=NAME, source="127.0.0.1", certificate=None):
		return ",".join([label, name, source, str(share), *(certificate or ())])

	good = pki.client("good")
	groups = [group("good", 40, certificate=good), group("vendor", 4, certificate=stage.vendor.client("vendor")),
		group("stranger", 2, certificate=stage.stranger.client("good")), group("old", 2, certificate=pki.client("old")),
		group("nobody", 2)]
	for number in range(RELOADS):
		source = f"127.0.1.{number + 1}"
		groups += [group(f"revoked{number}", 2, certificate=pki.client(f"revoked{number}")),
			group(f"banned{number}", 2, source=source, certificate=good),
			group(f"static{number}", 1, name=STATIC, source=source)]
	return Attempts(stage.relay.port, pki.root, RATE, groups)


def is_served(flow):
	group, _, _, result = flow
	if group.startswith("static"):
		return result.startswith("GNUTLS_E_")	# it has read the greeting, which is not TLS
	return result.startswith("ok ")


def none(flows, what):
	check(not flows, f"{what}: {len(flows)}, such as {flows[:3]}")


def judge_change(flows, what, change, refusal):
	"""Whoever is over before it was begun was let in, whoever begins when it is obeyed is not."""
	begun, done = change
	before = [flow for flow in flows if flow[0] == what and flow[2] < begun]
	after = [flow for flow in flows if flow[0] == what and flow[1] > done + OBEYED_US]
	check(before and after, f"{what}: {len(before)} clients before the change, {len(after)} after it")
	none([flow for flow in before if not is_served(flow)], f"{what}: refused before it was changed")
	none([flow for flow in after if is_served(flow)], f"{what}: served after it was changed")
	if refusal:
		equal({flow[3] for flow in after}, {refusal}, f"{what}: how they are refused")
	return len(before) + len(after)


def judge_good(flows, serials):
	good = [flow for flow in flows if flow[0] == "good"]
	none([flow for flow in good if not is_served(flow)], "clients who are let in all the time, and were refused")
	ends = [begun for begun, _, _ in serials[1:]] + [now_us()]
	seen = 0
	for (_, done, serial), end in zip(serials, ends):
		settled = [flow for flow in good if flow[1] > done + OBEYED_US and flow[2] < end]
		equal({int(flow[3][3:], 16) for flow in settled} - {serial}, set(), "serial numbers of the old certificate")
		seen += len(settled)
	check(seen > 0, "clients who could see the new certificate")
	return len(good)


def judge_vendor(flows, changes):
	"""Its CA is listed by one reload and not by another."""
	steps = [(*changes[what], what[2]) for what in changes if isinstance(what, tuple)]
	ends = [begun for begun, _, _ in steps[1:]] + [now_us()]
	for (_, done, is_listed), end in zip(steps, ends):
		settled = [flow for flow in flows if flow[0] == "vendor" and flow[1] > done + OBEYED_US and flow[2] < end]
		none([flow for flow in settled if is_served(flow) != is_listed], "clients of a CA that is listed and refused, or not listed and served")
	return sum(flow[0] == "vendor" for flow in flows)


@test
def clients_keep_coming_while_everything_is_reloaded(scene):
	stage = Stage(scene)
	attempts = scene.keep(attempts_of(stage))
	attempts.wait_each(0)
	for number in range(RELOADS):
		attempts.wait_more(PHASE)
		stage.reload(number)
	attempts.wait_more(PHASE)
	attempts.wait_each(now_us() + OBEYED_US)
	flows = attempts.end()
	judged = judge_good(flows, stage.serials) + judge_vendor(flows, stage.changes)
	for what, change in stage.changes.items():
		if not isinstance(what, tuple):
			judged += judge_change(flows, what, change, None if what.startswith("revoked") else DENIED)
	for label in "stranger", "old", "nobody":
		none([flow for flow in flows if flow[0] == label and is_served(flow)], f"{label} is served")
	seconds = (flows[-1][2] - flows[0][1]) / 1e6
	print(f"# {len(flows)} clients in {seconds:.1f} s, {RELOADS} reloads, {judged} of those judged by a time")
	check(len(flows) > RELOADS * PHASE, "as many as were meant to come")
	check(len(stage.relay.events("session-up")) > 1, "the agent has come with its renewed certificate")


main()
