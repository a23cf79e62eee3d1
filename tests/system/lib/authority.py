"""A certificate authority by valise-pki; one for all tests of a file."""
import atexit
import shutil
import subprocess
import tempfile

from .process import PROGRAMS
from .tap import Failed

CONNECT_NAME = "localhost"


class Authority:
	def __init__(self):
		self.top = tempfile.mkdtemp(prefix="valise-pki.")
		atexit.register(shutil.rmtree, self.top, ignore_errors=True)
		self.dir = f"{self.top}/ca"
		self.issued = set()
		self.pki("init", "--no-password", "--name", "Test")

	def pki(self, command, *arguments):
		done = subprocess.run([PROGRAMS["pki"], command, "--ca", self.dir, *map(str, arguments)],
			stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
		if done.returncode != 0:
			raise Failed(f"valise-pki {command} {arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
		return done.stdout

	def cas(self, role):
		return f"{self.dir}/{role}s-ca.crt"

	def crls(self, role):
		return f"{self.dir}/{role}s.crl"

	@property
	def root(self):
		return f"{self.dir}/root.crt"

	def issue(self, role, name, *options):
		"""(certificate, key), issued once."""
		if name not in self.issued:
			self.pki("issue", role, name, *options)
			self.issued.add(name)
		return f"{self.dir}/issued/{name}.crt", f"{self.dir}/issued/{name}.key"

	def relay(self):
		return self.issue("relay", "relay", "--host", CONNECT_NAME)

	def server(self, host):
		return self.issue("server", "server-" + host.replace("*", "any"), "--host", host)

	def agent(self, name, *hosts, options=()):
		return self.issue("agent", name, *[o for h in hosts for o in ("--host", h)], *options)

	def client(self, name, *options):
		return self.issue("client", name, *options)

	def revoke(self, name):
		self.pki("revoke", name)


_shared = None


def authority():
	global _shared
	if _shared is None:
		_shared = Authority()
	return _shared
