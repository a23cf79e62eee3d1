"""A laboratory of networks: places that are network namespaces, joined by a router that loses, delays and forgets.

	lab = Lab(scene)
	street, home = lab.place("street"), lab.place("home")
	relay = scene.relay(place=street)
	agent = scene.agent(relay, [...], certificate, place=home)
	with home:			# sockets that this thread makes now belong there
		upstream = scene.upstream(echo)
	home.cut()

It wants root, ip(8) and nft(8); a test file calls want_lab() first, which skips all of it where one is missing."""
import ctypes
import os
import shutil
import subprocess
import sys
import threading

from .authority import CONNECT_NAME
from .process import BUILD
from .tap import until

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_number = 0

RULES = """
table inet lab {
	set cut { type ifname; }
	set forgotten { type ipv4_addr . inet_service; flags dynamic,timeout; size 65536; }
	chain loss { }
	chain forward {
		type filter hook forward priority 0;
		iifname @cut drop
		oifname @cut drop
		tcp flags & (syn|ack) == syn delete @forgotten { ip saddr . tcp sport }
		ip saddr . tcp sport @forgotten drop
		ip daddr . tcp dport @forgotten drop
		jump loss
	}
}
"""


def want_lab():
	reason = "root is wanted for network namespaces" if os.geteuid() != 0 else None
	for program in ("ip", "nft", "ss"):
		if not shutil.which(program):
			reason = reason or f"{program}(8) is wanted"
	if not reason:
		tried = subprocess.run(["unshare", "--net", "--mount", "nft", "add table inet lab"], capture_output=True, text=True)
		reason = " ".join(tried.stderr.split())
	if reason:
		print(f"1..0 # SKIP {reason}")
		sys.exit(0)


def _do(*argv, text=None):
	done = subprocess.run(argv, input=text, capture_output=True, text=True)
	if done.returncode != 0:
		raise RuntimeError(f"{' '.join(argv)}: {done.stderr}")
	return done.stdout


def _enter(path):
	fd = os.open(path, os.O_RDONLY)
	try:
		if _libc.setns(fd, CLONE_NEWNET) != 0:
			raise OSError(ctypes.get_errno(), "setns")
	finally:
		os.close(fd)


def _remove(space):
	"""Its file may be busy for a moment, while somebody else makes a mount namespace."""
	until(lambda: subprocess.run(["ip", "netns", "del", space], capture_output=True).returncode == 0, 10,
		f"the network namespace {space} is removed")


class Place:
	"""One host on the network of the laboratory."""

	def __init__(self, lab, label, number, slow):
		self.lab, self.number, self.label = lab, number, label
		self.space = f"{lab.name}-{number}"
		self.address = f"10.77.{number}.2"
		self.link = f"v{number}"		# the router's end
		self.hosts = f"{lab.directory}/{label}.hosts"
		self.slow = None
		self.outside = threading.local()
		_do("ip", "netns", "add", self.space)
		_do("ip", "-n", self.space, "link", "set", "lo", "up")
		if slow:
			self._join_by_tunnel()
		else:
			_do("ip", "link", "add", self.link, "netns", lab.router, "type", "veth", "peer", "name", "net0",
				"netns", self.space)
		for space, link, host in ((lab.router, self.link, 1), (self.space, "net0", 2)):
			_do("ip", "-n", space, "addr", "add", f"10.77.{number}.{host}/24", "dev", link)
			_do("ip", "-n", space, "link", "set", link, "up")
		_do("ip", "-n", self.space, "route", "add", "default", "via", f"10.77.{number}.1")
		self.knows({})

	def _join_by_tunnel(self):
		self.slow = subprocess.Popen([f"{BUILD}/tests/faults/delay", f"/run/netns/{self.space}", "net0",
			f"/run/netns/{self.lab.router}", self.link], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
		if self.slow.stdout.readline() != "ready\n":
			raise RuntimeError("tests/faults/delay did not start")

	def knows(self, names):
		"""What programs started here from now on find in hosts(5): {name: address, or a list of them}."""
		with open(self.hosts, "w") as file:
			file.write("127.0.0.1 here\n")
			for name, addresses in names.items():
				for address in [addresses] if isinstance(addresses, str) else addresses:
					file.write(f"{address} {name}\n")

	def argv(self, argv):
		"""The same program, inside; its process id stays that of the first."""
		return ["nsenter", f"--net=/run/netns/{self.space}", "unshare", "--mount", "sh", "-c",
			'mount --bind "$0" /etc/hosts && exec "$@"', self.hosts, *argv]

	def popen(self, argv, **keys):
		return subprocess.Popen(self.argv(argv), **keys)

	def run(self, argv, **keys):
		return subprocess.run(self.argv(argv), capture_output=True, text=True, **keys)

	def __enter__(self):
		self.outside.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
		_enter(f"/run/netns/{self.space}")
		return self

	def __exit__(self, *what):
		if _libc.setns(self.outside.fd, CLONE_NEWNET) != 0:
			raise OSError(ctypes.get_errno(), "setns")
		os.close(self.outside.fd)

	def cut(self):
		"""A black hole: whatever comes or goes is dropped in silence."""
		self.lab.rules(f"add element inet lab cut {{ {self.link} }}")

	def heal(self):
		"""Nothing is dropped any more."""
		self.lab.rules("flush chain inet lab loss; flush set inet lab forgotten; flush set inet lab cut")

	def forget(self):
		"""What a NAT or a firewall does that has lost its state: connections that are there now are dropped in silence,
		new ones pass.  How many there were."""
		rows = _do("ip", "netns", "exec", self.space, "ss", "-Htn", "state", "connected").splitlines()
		ends = {row.split()[3] for row in rows}
		ends = [end.rpartition(":") for end in ends if end.startswith(self.address + ":")]
		if ends:
			self.lab.rules("add element inet lab forgotten { "
				+ ", ".join(f"{address} . {port}" for address, _, port in ends) + " }")
		return len(ends)

	def loss(self, percent):
		"""Both ways, evenly spread."""
		for way in ("iifname", "oifname"):
			self.lab.rules(f"add rule inet lab loss {way} {self.link} numgen random mod 10000 < {round(percent * 100)} drop")

	def delay(self, ms):
		"""Each way, of a place that was made slow."""
		self.slow.stdin.write(f"{ms}\n")
		self.slow.stdin.flush()

	def connections(self):
		"""How many TCP connections stand at this address."""
		rows = _do("ip", "netns", "exec", self.space, "ss", "-Htn", "state", "established").splitlines()
		return sum(row.split()[2].startswith(self.address + ":") for row in rows)

	def close(self):
		if self.slow:
			self.slow.kill()
			self.slow.wait()
		_remove(self.space)


class Lab:
	def __init__(self, scene):
		global _number
		_number += 1
		self.name, self.directory, self.places = f"valise{os.getpid()}x{_number}", scene.dir, []
		self.router = self.name
		_do("ip", "netns", "add", self.router)
		scene.keep_to_the_end(self)
		_do("ip", "netns", "exec", self.router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
		self.rules(RULES)

	def place(self, label, slow=False, relay=None):
		"""relay: the place of the relay, which agents find by its name there.  slow: delay() works."""
		place = Place(self, label, len(self.places) + 1, slow)
		self.places.append(place)
		if relay:
			place.knows({CONNECT_NAME: relay.address})
		return place

	def rules(self, text):
		_do("ip", "netns", "exec", self.router, "nft", "-f", "-", text=text + "\n")

	def close(self):
		for place in self.places:
			place.close()
		_remove(self.router)
