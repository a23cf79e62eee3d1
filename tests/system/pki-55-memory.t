#!/usr/bin/env -S python3 -B
"""valise-pki when memory is short: each allocation of its own objects fails once, in each command."""
import os
import shutil
import sys

sys.path.insert(0, "tests/pki_tool")
from lib import *
from lib.memory import FAILING, Failing, numbers
from kit import *

SAMPLES = 7
SCRIPT = {	# what it says, where {ca} is the authority and {dir} a directory; what differs from run to run is left out
	"sub": ("sub", "globex", "--permit", "dns:globex.example", "--no-password"),
	"issue an agent": ("issue", "agent", "new", "--host", "n.example", "--from", "192.0.2.0/24", "--region", "eu"),
	"issue an encrypted key": ("issue", "client", "new", "--encrypt-key", "--passphrase-file", "{dir}/passphrase"),
	"sign": ("sign", "{dir}/request", "client", "new", "--allow", "subjectAltName"),
	"invite": ("invite", "agent", "new", "--host", "n.example", "--url", "https://pki.example.net"),
	"list invitations": ("invite", "--list"),
	"renew": ("renew", "shop"),
	"renew a CA": ("renew", "agents"),
	"rekey": ("rekey", "shop"),
	"revoke": ("revoke", "shop", "--reason", "keyCompromise"),
	"hold": ("hold", "shop"),
	"crl": ("crl", "--all"),
	"list": ("list", "--all"),
	"show": ("show", "shop"),
	"show a file": ("show", "{ca}/issued/shop.crt"),
	"show a request": ("show", "{dir}/request"),
	"show a CRL": ("show", "{ca}/agents.crl"),
	"verify": ("verify", "{ca}/issued/shop.crt", "--as", "agent", "--serve", "app.example.com"),
	"verify, with files": ("verify", "{ca}/issued/shop.crt", "--as", "agent", "--cas", "{ca}/agents-ca.crt",
		"--crls", "{ca}/agents.crl"),
	"check": ("check",),
	"lint": ("lint", "--all"),
	"export PKCS#12": ("export", "shop", "--p12", "--p12-passphrase-file", "{dir}/passphrase", "--out", "{dir}/out"),
	"export PKCS#12, with a new passphrase": ("export", "shop", "--p12", "--generate-passphrase", "{ca}/made", "--iterations", "1000",
		"--out", "{dir}/out"),
	"export PEM": ("export", "shop", "--pem-bundle", "--out", "{dir}/out"),
	"export a secret": ("export", "shop", "--k8s-secret", "--out", "{dir}/out"),
	"bundle": ("bundle", "agent", "shop", "--out", "{dir}/out"),
	"backup": ("backup", "{dir}/out"),
}
READ_ONLY = {"list", "list invitations", "show", "show a file", "show a request", "show a CRL", "verify", "verify, with files", "check", "lint"}


def state_of(ca):
	"""What an authority says of itself, without what differs from one run to the other."""
	rows = json.loads(pki("list", "--all", "--json", "--ca", ca)[1])
	return sorted((row["name"], row["kind"], row["state"], row["hosts"]) for row in rows)


class Repeated:
	"""One command, again and again, from one state of the authority."""

	def __init__(self, scene, base, argv):
		self.scene, self.base, self.failing = scene, base, Failing(scene.dir)
		self.ca, self.out = f"{scene.dir}/copy", f"{scene.dir}/out"
		self.argv = [part.format(ca=self.ca, dir=scene.dir) for part in argv]

	def run(self, n):
		"""(status, stdout, stderr) with the n-th allocation failing, in a fresh copy."""
		shutil.rmtree(self.ca, ignore_errors=True)
		shutil.copytree(self.base, self.ca)
		if os.path.exists(self.out):
			os.unlink(self.out)
		got = tool(FAILING["pki"], self.argv[0], "--ca", self.ca, *self.argv[1:], env=self.failing.at(n), timeout=60)
		check("Sanitizer" not in got[2] and "runtime error" not in got[2], f"{self.argv}, allocation {n}: {got[2]}")
		return got


@test
def no_command_crashes_or_lies_when_an_allocation_fails(scene):
	"""It either does its work, or says that memory was short, and whether it has changed something."""
	base = Ca(f"{scene.dir}/base")
	base("issue", "agent", "shop", "--host", "app.example.com")
	base("sub", "acme", "--permit", "dns:acme.example", "--no-password")
	base("issue", "client", "old")
	base("revoke", "old")
	base("invite", "client", "guest", "--url", "https://pki.example.net")
	with open(f"{scene.dir}/passphrase", "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
		file.write("open sesame\n")
	succeeds("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null",
		"-subj", "/CN=new", "-addext", "subjectAltName=DNS:new.example", "-out", f"{scene.dir}/request")
	before, runs = state_of(base.dir), 0
	for label, argv in SCRIPT.items():
		attempt = Repeated(scene, base.dir, argv)
		status, wanted, err = attempt.run(0)
		check(status == 0, f"{label}: {status} {err}")
		after, made = state_of(attempt.ca), attempt.failing.made
		for n in numbers(made, SAMPLES):
			status, out, err = attempt.run(n)
			runs += 1
			where = f"{label}, allocation {n} of {made}: {status} {out}{err}"
			check(attempt.failing.failed == 1, f"{where}: nothing failed")
			check(status >= 0, f"{where}: it crashed")
			if status == 0 and label in READ_ONLY:
				equal(out, wanted, f"{where}: it said something else")
			if status != 0:
				check("memory" in out + err and "(null)" not in out + err, f"{where}: it does not say why")
				check(not os.path.exists(attempt.out), f"{where}: a file was left behind")
			if label not in READ_ONLY:
				done = status == 0 or "did its work" in err
				equal(state_of(attempt.ca), after if done else before, where)
				equal(os.listdir(f"{attempt.ca}/tmp"), [], f"{where}: left-overs in tmp")
				equal(pki("check", "--ca", attempt.ca)[:2], (0, "fine\n"), where)
	check(runs > 60, f"only {runs} runs")
	print(f"# {runs} allocations failed")


@test
def init_and_restore_leave_nothing_half_made(scene):
	base = Ca(f"{scene.dir}/base")
	base("backup", f"{scene.dir}/backup")
	failing = Failing(scene.dir)
	for argv in (("init", "--no-password"), ("restore", f"{scene.dir}/backup")):
		status, out, err = tool(FAILING["pki"], argv[0], "--ca", f"{scene.dir}/0", *argv[1:], env=failing.at(0))
		check(status == 0, err)
		shutil.rmtree(f"{scene.dir}/0")
		for n in numbers(failing.made, SAMPLES):
			ca = f"{scene.dir}/ca"
			status, out, err = tool(FAILING["pki"], argv[0], "--ca", ca, *argv[1:], env=failing.at(n), timeout=60)
			check(status >= 0 and "Sanitizer" not in err, f"{argv[0]}, allocation {n}: {status} {err}")
			if status != 0:
				check("memory" in out + err and "(null)" not in out + err, f"{argv[0]}, allocation {n}: {status} {err}")
				equal(pki(argv[0], "--ca", ca, *argv[1:])[0], 0, f"{argv[0]} again, after allocation {n}")
			equal(pki("check", "--ca", ca)[:2], (0, "fine\n"))
			shutil.rmtree(ca)


main()
