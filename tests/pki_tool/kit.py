"""What the tests of valise-pki share: an authority in a directory, and the tools it is judged by."""
import json
import os
import subprocess

from lib import PROGRAMS
from lib.tap import Failed, check, progress

ROLES = {"agent": "agents", "relay": "relays", "server": "servers", "client": "clients"}
PURPOSE = {"agent": "sslclient", "client": "sslclient", "relay": "sslserver", "server": "sslserver"}


def tool(*argv, data=None, timeout=120, **keys):
	"""(status, stdout, stderr) of any program, as text."""
	keys.setdefault("stdin", None if data is not None else subprocess.DEVNULL)
	if data is not None:
		keys.pop("stdin")
	done = subprocess.run([str(a) for a in argv], input=data, capture_output=True, text=True,
		errors="replace", timeout=timeout, **keys)
	progress()
	return done.returncode, done.stdout, done.stderr


def succeeds(*argv, **keys):
	status, out, err = tool(*argv, **keys)
	check(status == 0, f"{argv}: {status}\n{out}\n{err}")
	return out


def pki(*argv, **keys):
	"""valise-pki, whatever comes of it. No sanitizer may speak."""
	status, out, err = tool(PROGRAMS["pki"], *argv, **keys)
	check("Sanitizer" not in err and "runtime error" not in err, f"valise-pki {argv}: {err}")
	return status, out, err


class Ca:
	def __init__(self, directory, *options):
		self.dir = str(directory)
		self("init", *(options or ("--no-password",)))

	def any(self, word, *argv, **keys):
		return pki(word, "--ca", self.dir, *argv, **keys)

	def __call__(self, word, *argv, **keys):
		status, out, err = self.any(word, *argv, **keys)
		check(status == 0, f"valise-pki {word} {argv}: {status}\n{out}{err}")
		return out

	def json(self, word, *argv, **keys):
		return json.loads(self(word, "--json", *argv, **keys))

	def refuses(self, status, words, word, *argv, **keys):
		"""It exits so, says all of these words on one line, and changes no file."""
		before = self.files()
		got, out, err = self.any(word, *argv, **keys)
		check(got == status, f"valise-pki {word} {argv}: exit {got}, wanted {status}\n{out}{err}")
		last = err.strip().splitlines()[-1] if err.strip() else ""
		for one in ([words] if isinstance(words, str) else words):
			check(one in last, f"valise-pki {word} {argv}: {last!r} does not say {one!r}")
		check(self.files() == before, f"valise-pki {word} {argv} was refused and changed files")
		return err

	def files(self):
		"""Every file but the inventory's, with its contents."""
		found = {}
		for top, _, names in os.walk(self.dir):
			for name in names:
				if not name.startswith("inventory.db"):
					with open(os.path.join(top, name), "rb") as file:
						found[os.path.join(top, name)] = file.read()
		return found

	def path(self, name):
		return f"{self.dir}/{name}"

	def crt(self, name):
		return self.path(f"issued/{name}.crt")

	def key(self, name):
		return self.path(f"issued/{name}.key")

	def openssl_verify(self, name, kind, *more):
		"""As strict as openssl can be, every CRL demanded."""
		return tool("openssl", "verify", "-x509_strict", "-purpose", PURPOSE[kind], "-crl_check_all",
			"-CAfile", self.path("root.crt"), "-untrusted", self.crt(name),
			"-CRLfile", self.path(f"{ROLES[kind]}.crl"), *more, self.crt(name))

	def believed(self, name, kind, *more):
		"""Our own verifier's answer."""
		status, out, err = self.any("verify", self.crt(name), "--as", kind, *more)
		check(status in (0, 1), f"verify {name} as {kind}: {status} {err}")
		return status == 0


def unpack(archive, directory):
	"""With tar, as a customer does: what Python's own leaves of the modes depends on its version."""
	os.makedirs(directory, exist_ok=True)
	succeeds("tar", "--extract", "--preserve-permissions", "--file", archive, "--directory", directory)


def text_of(path):
	return succeeds("openssl", "x509", "-noout", "-text", "-in", path)


def mode(path):
	return os.stat(path).st_mode & 0o777


def serials(crl):
	"""What openssl reads as revoked, with the reasons: {serial: reason}."""
	found, serial = {}, None
	for line in succeeds("openssl", "crl", "-noout", "-text", "-in", crl).splitlines():
		if "Serial Number:" in line:
			serial = line.split(":", 1)[1].strip()
			found[serial] = None
		elif serial and line.startswith(" " * 16) and not line.strip().startswith("X509v3"):
			found[serial] = line.strip()
	return found
