"""Trees with a fresh Debian in them, into which the tests of the packages look and install.

	private()			# first thing in the file
	tree = Tree("bookworm", "tester")
	tree.run("apt-get", "install", "-y", "curl")

Mounts, and whoever was started in a tree, are of namespaces of this process and go with it.  What was bootstrapped
stays in build/package for a day; each Tree is a fresh layer on it."""
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
from lib.tap import *
from lib.tap import Failed, progress

HERE = os.getcwd()
BUILT = f"{HERE}/build/package"
SUITES = os.environ.get("SUITES", "bookworm trixie").split()
DAY = 86400


def private(*programs):
	"""Goes on in namespaces of its own, or skips the file where that, or one of the programs, cannot be had."""
	if "VALISE_PRIVATE" in os.environ:
		return
	reason = "root is wanted for trees of other systems" if os.geteuid() != 0 else None
	for program in ("unshare", *programs):
		if not shutil.which(program):
			reason = reason or f"{program} is wanted"
	if reason:
		print(f"1..0 # SKIP {reason}")
		sys.exit(0)
	os.environ["VALISE_PRIVATE"] = "yes"
	os.execvp("unshare", ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-B", *sys.argv])


def do(*argv, cwd=None, env=None, text=None, may_fail=False):
	"""(status, what it said); it may take as long as it likes."""
	process = subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
		stderr=subprocess.STDOUT, text=True, errors="replace")
	while True:
		progress()
		try:
			out = process.communicate(text, timeout=60)[0]
			break
		except subprocess.TimeoutExpired:
			text = None
	if process.returncode != 0 and not may_fail:
		raise Failed(f"{' '.join(argv)}: exit {process.returncode}\n{out[-6000:]}")
	return process.returncode, out


def version():
	with open("GNUmakefile") as file:
		return next(line.split()[2] for line in file if line.startswith("VERSION :="))


def tarball(where):
	"""Its path."""
	do("packaging/dist", version(), where)
	return f"{where}/valise-{version()}.tar.gz"


def _base(suite):
	path = f"{BUILT}/{suite}/base"
	if os.path.exists(path) and time.time() - os.stat(path).st_mtime > DAY:
		shutil.rmtree(path)
	if not os.path.exists(path):
		shutil.rmtree(path + ".new", ignore_errors=True)
		os.makedirs(path + ".new")
		do("debootstrap", "--variant=minbase", suite, path + ".new")
		with open(f"{path}.new/etc/dpkg/dpkg.cfg.d/unsafe", "w") as file:	# who loses power bootstraps anew
			file.write("force-unsafe-io\n")
		do("chroot", path + ".new", "apt-get", "-qq", "update")
		os.utime(path + ".new")
		os.rename(path + ".new", path)
	return path


class Tree:
	"""A layer on a fresh Debian."""

	def __init__(self, suite, name):
		top = f"{BUILT}/{suite}/{name}"
		self.path, self.suite = f"{top}/root", suite
		shutil.rmtree(top, ignore_errors=True)
		for directory in ("root", "upper", "work"):
			os.makedirs(f"{top}/{directory}")
		do("mount", "-t", "overlay", "overlay", "-o",
			f"lowerdir={_base(suite)},upperdir={top}/upper,workdir={top}/work", self.path)
		do("mount", "-t", "proc", "proc", f"{self.path}/proc")
		self.network = None	# the id of a process that has one, for run() to be in

	def run(self, *argv, user="root", cwd="/", may_fail=False, **env):
		"""(status, what it said) of a command in the tree."""
		words = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root", "DEBIAN_FRONTEND=noninteractive",
			*(f"{key}={value}" for key, value in env.items())]
		return do(*self.enter(user), *words, "sh", "-c", 'cd "$0" && exec "$@"', cwd, *argv, may_fail=may_fail)

	def enter(self, user):
		inside = ["nsenter", f"--net=/proc/{self.network}/ns/net"] if self.network else []
		return [*inside, "chroot", f"--userspec={user}:{user}", self.path]

	def install(self, *packages):
		"""Names, or paths in the tree."""
		self.run("apt-get", "-qq", "install", "-y", "--no-install-recommends", *packages)

	def alone(self):
		"""What run() runs from now on has a network of its own, which has loopback only."""
		holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"],
			stdout=subprocess.PIPE)
		equal(holder.stdout.readline(), b"up\n")
		self.network = holder.pid

	def write(self, path, text):
		with open(self.path + path, "w") as file:
			file.write(text)

	def read(self, path):
		with open(self.path + path) as file:
			return file.read()

	def put(self, source, directory):
		os.makedirs(self.path + directory, exist_ok=True)
		shutil.copy(source, self.path + directory)
