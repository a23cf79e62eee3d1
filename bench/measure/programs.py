"""Where the programs of the peers are: an environment variable names the path, else PATH is searched, else
what bench/peers has built."""
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/system"))
from lib.process import BUILD

TREE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
BUILT = f"{TREE}/build/bench/peers/bin"
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", BUILT])


@dataclass(frozen=True)
class Program:
	name: str
	source: str		# how one gets it
	version: tuple = ("--version",)

	@property
	def variable(self):
		return self.name.upper().replace("-", "_")

	@property
	def path(self):
		return shutil.which(os.environ.get(self.variable, self.name), path=PATH)


@dataclass(frozen=True)
class Own(Program):
	"""One of this tree."""
	@property
	def path(self):
		path = f"{BUILD}/{self.name}"
		return path if os.path.exists(path) else None


PROGRAMS = {program.name: program for program in (
	Own("valise-relay", "make"), Own("valise-agent", "make"),
	Own("bench/load/bound_splice", "make bench-programs", ()), Own("bench/load/bound_tls", "make bench-programs", ()),
	Program("haproxy", "Debian's haproxy", ("-v",)), Program("nginx", "Debian's nginx-light", ("-v",)),
	Program("sniproxy", "Debian's sniproxy", ("-V",)), Program("stunnel", "Debian's stunnel4", ("-version",)),
	Program("hitch", "Debian's hitch"),
	Program("frps", "Go: github.com/fatedier/frp/cmd/frps"), Program("frpc", "Go: github.com/fatedier/frp/cmd/frpc"),
	Program("chisel", "Go: github.com/jpillora/chisel"), Program("ghostunnel", "Go: github.com/ghostunnel/ghostunnel"),
	Program("rathole", "cargo: rathole"),
)}


def version(name):
	"""The number that it says of itself."""
	program = PROGRAMS[name]
	if not program.version:
		return "of this tree"
	done = subprocess.run([program.path, *program.version], capture_output=True, text=True, stdin=subprocess.DEVNULL)
	said = done.stdout + done.stderr
	number = re.search(rf"(?i){name}\D{{1,12}}(\d+\.\d[\w.+~-]*)", said) or re.search(r"(?<![\w.])(\d+\.\d+\.\d[\w.+~-]*)", said)
	return f"{name} {number[1]}" if number else f"{name}, which tells no version"
