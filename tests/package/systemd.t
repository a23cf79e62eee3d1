#!/usr/bin/env -S python3 -B
"""The Debian packages where systemd runs: an upgrade restarts what runs and refuses no client, and what is removed is stopped.
tests/package/debian.t has built them."""
import re

from load import *
from trees import *

private("systemd-nspawn", "debootstrap")
DAEMONS = ("relay", "agent", "pki")


class Booted(Tree):
	"""A tree in which systemd is started by boot()."""

	def boot(self):
		do("umount", f"{self.path}/proc")	# systemd-nspawn wants to mount its own
		console = open(f"{os.path.dirname(self.path)}/console", "w")
		subprocess.Popen(["systemd-nspawn", "--quiet", "--boot", "--directory", self.path, "--register=no", "--keep-unit",
			"--console=pipe", "--private-network", "--link-journal=no",
			"--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self"],
			stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT)
		self.network = until(first_of_another_namespace, 60, f"systemd has started; {console.name} tells why not")
		until(lambda: self.run("systemctl", "is-system-running", may_fail=True)[1].strip() in ("running", "degraded"), 120,
			f"systemd has booted; {console.name} tells how far it came")

	def enter(self, user):
		if not self.network:
			return super().enter(user)
		return ["nsenter", f"--target={self.network}", "--mount", "--uts", "--ipc", "--net", "--pid", "runuser", "-u", user, "--"]

	def state(self, daemon):
		"""(is-active, is-enabled) of its unit."""
		return tuple(self.run("systemctl", word, f"valise-{daemon}.service", may_fail=True)[1].split()[-1] for word in ("is-active", "is-enabled"))


def first_of_another_namespace():
	"""Its id in ours."""
	for name in filter(str.isdigit, os.listdir("/proc")):
		try:
			with open(f"/proc/{name}/status") as file:
				found = re.search(r"^NSpid:\t\d+\t.*?(\d+)$", file.read(), re.M)
		except OSError:
			continue
		if found and found[1] == "1":
			return int(name)
	return None


@test_over(*SUITES)
def an_upgrade_restarts_what_runs_and_refuses_no_client(scene, suite):
	tree = Booted(suite, "booted")
	put_debs(tree)
	tree.install("systemd-sysv", "curl", "ca-certificates", "procps", "sysvinit-utils")
	tree.run("sh", "-c", "apt-get -qq install -y --no-install-recommends /debs/old/*.deb")
	tree.boot()
	for daemon in DAEMONS:
		equal(tree.state(daemon), ("inactive", "disabled"), daemon)
	world(tree, "begin")
	serve(tree)
	load = Load(tree)
	load.served_more()
	old = {daemon: set(pids(tree, f"valise-{daemon}")) for daemon in DAEMONS}
	tree.run("sh", "-c", "dpkg -i /debs/new/*.deb")
	for text in versions(tree):
		check(version() in text, f"the new ones run: {text}")
	for daemon in DAEMONS:
		equal(tree.state(daemon), ("active", "disabled"), daemon)
		equal(old[daemon] & set(pids(tree, f"valise-{daemon}")), set(), f"the older valise-{daemon} has gone")
	load.served_more()
	load.end()
	print(f"# {load.served} clients were served meanwhile")
	tree.run("apt-get", "-qq", "remove", "-y", *BINARIES)
	for daemon in DAEMONS:
		equal(pids(tree, f"valise-{daemon}"), [], f"valise-{daemon} is stopped")


main()
