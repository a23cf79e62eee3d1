"""The machine that is measured on: what is told of it, what it lets us have, and a network of our own on it."""
import datetime
import itertools
import os
import re
import resource
import shutil
import socket
import subprocess
import sys

from .programs import PATH

MARK = "BENCH_NETWORK"		# in the environment of a process that is in the network of its own
IPV4 = "/proc/sys/net/ipv4"
# Nearly all ports for clients, and the buffers that Debian has.
SETTINGS = {"ip_local_port_range": "2000 65535", "tcp_rmem": "4096 131072 6291456", "tcp_wmem": "4096 16384 4194304"}

# Debian's, too. One that paces (bbr) sets a timer for each burst, and whoever happens to run when it fires pays for
# the bytes that then go out. A network of one's own may not choose it for all connections, but a route may.
CONGESTION = "cubic"


def congestion():
	"""What a connection of the loopback has."""
	with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as one:
		return one.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()


def facts():
	with open("/proc/meminfo") as file:
		memory_kib = int(file.readline().split()[1])
	with open("/etc/os-release") as file:
		system = re.search(r'^PRETTY_NAME="?([^"\n]+)', file.read(), re.M)[1]
	return {"date": datetime.date.today().isoformat(), "cores": len(os.sched_getaffinity(0)), "congestion": congestion(),
		"memory_gib": round(memory_kib / 2**20), "system": re.sub(r" *\(.*", "", system),
		"kernel": "Linux " + ".".join(os.uname().release.split(".")[:2])}


def descriptors():
	"""How many a process may have."""
	return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def raise_descriptors():
	"""For us and what we start: the limit, which root may lift."""
	for most in (262144, descriptors()):
		try:
			resource.setrlimit(resource.RLIMIT_NOFILE, (most, max(most, descriptors())))
			return
		except (ValueError, OSError):
			pass


def enter_network():
	"""Runs this program anew in a network of its own, if that is allowed: nobody else's traffic is there, and
	its settings are not those of this machine."""
	unshare = shutil.which("unshare", path=PATH)
	ip = shutil.which("ip", path=PATH)
	if MARK in os.environ:
		for name, value in SETTINGS.items():
			with open(f"{IPV4}/{name}", "w") as file:
				file.write(value)
		for to in ("127.0.0.0/8", "127.0.0.1"):
			subprocess.run([ip, "route", "replace", "table", "local", "local", to, "dev", "lo", "proto", "kernel",
				"scope", "host", "src", "127.0.0.1", "congctl", CONGESTION], capture_output=True)
	elif unshare and ip:
		way = ["--net"] if os.geteuid() == 0 else ["--net", "--user", "--map-root-user"]
		set_up = f"{ip} link set lo up && test -w {IPV4}/tcp_rmem"
		if subprocess.run([unshare, *way, "sh", "-c", set_up], capture_output=True).returncode == 0:
			os.execve(unshare, [unshare, *way, "sh", "-c", f'{ip} link set lo up && exec "$@"', "sh", sys.executable,
				"-B", *sys.argv], {**os.environ, MARK: "1"})


_ports = itertools.count(1100)


def free_port():
	from lib.scene import free_port as anywhere
	return next(_ports) if MARK in os.environ else anywhere()
