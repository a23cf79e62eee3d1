"""A machine with its own systemd, in a container of systemd-nspawn on a Debian of its own; root only."""
import glob
import os
import re
import shutil
import signal
import subprocess
import sys

from lib.process import BUILD, PROGRAMS
from lib.tap import Failed, until

SUITE = "bookworm"
ROOT = os.path.abspath("build/units/root")	# made once, and used by all; what a machine writes goes with it
LANDLOCK = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"


def _run(*argv, **keys):
	done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, **keys)
	if done.returncode != 0:
		raise Failed(f"{' '.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}")
	return done.stdout


def _packages():
	"""Those of the libraries that the programs load here."""
	wanted = {"systemd-sysv", "dbus", "procps"}
	for program in PROGRAMS.values():
		for path in re.findall(r"=> (/\S+)", _run("ldd", program)):
			said = subprocess.run(["dpkg", "-S", path, os.path.realpath(path), path.removeprefix("/usr")],
				capture_output=True, text=True).stdout
			wanted.update(line.split(":")[0] for line in said.splitlines()[:1])
	return wanted


def make_root():
	if not os.path.exists(f"{ROOT}/.made"):
		shutil.rmtree(ROOT, ignore_errors=True)
		_run("debootstrap", "--variant=minbase", f"--include={','.join(sorted(_packages()))}", SUITE, ROOT)
		open(f"{ROOT}/.made", "w").close()
	environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
	_run("make", "-o", "all", f"B={os.path.relpath(BUILD)}", "prefix=/usr", f"DESTDIR={ROOT}", "install", env=environment)


class Machine:
	def __init__(self, directory):
		make_root()
		self.console = f"{directory}/console"
		with open(self.console, "w") as console:
			self.nspawn = subprocess.Popen(["systemd-nspawn", "--quiet", "--boot", f"--directory={ROOT}",
				"--volatile=overlay", "--register=no", "--keep-unit", "--console=pipe", "--private-network",
				"--machine=valise-units", f"--system-call-filter={LANDLOCK}"],
				stdin=subprocess.DEVNULL, stdout=console, stderr=console)
		self.leader = until(self._leader, 30, "the container has a first process")
		until(lambda: self.ask("systemctl", "is-system-running")[1].strip() in ("running", "degraded"), 60,
			"the machine has started")

	def _leader(self):
		if self.nspawn.poll() is not None:
			with open(self.console) as console:
				raise Failed(f"systemd-nspawn ended with {self.nspawn.returncode}: {console.read()}")
		with open(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children") as children:
			return [pid for pid in children.read().split() if self._numbers(pid)[1:] == ["1"]]

	@staticmethod
	def _numbers(pid):
		"""Its pids in all its name spaces, from out here inwards."""
		try:
			with open(f"/proc/{pid}/status") as status:
				return re.search(r"^NSpid:\t(.*)$", status.read(), re.M).group(1).split()
		except (OSError, AttributeError):
			return []

	def enter(self, *argv, only_network=False):
		"""The words that run argv in it."""
		spaces = ["-n"] if only_network else ["-m", "-u", "-i", "-n", "-p", "-C"]
		return ["nsenter", "-t", self.leader[0], *spaces, *argv]

	def ask(self, *argv, text=None):
		"""(status, standard output, standard error)"""
		done = subprocess.run(self.enter(*argv), input=text or "", capture_output=True, text=True, timeout=120)
		return done.returncode, done.stdout, done.stderr

	def do(self, *argv, text=None):
		status, out, err = self.ask(*argv, text=text)
		if status != 0:
			raise Failed(f"{' '.join(argv)}: {status}\n{out}{err}\n{self.journal() if argv[0] == 'systemctl' else ''}")
		return out

	def write(self, path, text, mode="644", owner="root"):
		self.do("install", "-D", "-m", mode, "-o", owner, "/dev/stdin", path, text=text)

	def show(self, unit, key):
		return self.do("systemctl", "show", "-P", key, unit).strip()

	def pid(self, unit):
		"""As it is known out here."""
		inside = self.show(unit, "MainPID")
		for path in glob.glob("/proc/[0-9]*/status"):
			numbers = self._numbers(path.split("/")[2])
			if len(numbers) == 2 and numbers[1] == inside and self._is_ours(numbers[0]):
				return int(numbers[0])
		raise Failed(f"{unit} has no process {inside}")

	def _is_ours(self, pid):
		return os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{self.leader[0]}/ns/pid")

	def journal(self, unit=None):
		return self.ask("journalctl", "--no-pager", "-n", "60", *(["-u", unit] if unit else []))[1]

	def stop(self):
		self.nspawn.send_signal(signal.SIGTERM)
		try:
			self.nspawn.wait(40)
		except subprocess.TimeoutExpired:
			self.nspawn.kill()
			self.nspawn.wait()
