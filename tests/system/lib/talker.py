"""TLS clients in other languages, each one program that is told a connection a line: they are slow to start."""
import shutil
import subprocess
import tempfile

from .client import run
from .tap import check, skip

SOURCES = "tests/system/clients"
SLOW = 300	# Go compiles its own library the first time


def _built(*argv):
	status, _, err = run(*argv, seconds=SLOW)
	check(status == 0, err)


def _go(directory):
	_built("go", "build", "-o", f"{directory}/client", f"{SOURCES}/client.go")
	return [f"{directory}/client"]


def _java(directory):
	_built("javac", "-d", directory, f"{SOURCES}/Client.java")
	return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", directory, "Client"]


def _node(_):
	return ["node", f"{SOURCES}/client.js"]


# language: (what it needs here, how its program is made and started)
LANGUAGES = {"go": ("go", _go), "java": ("javac", _java), "node": ("node", _node)}


class Talker:
	"""talker(NAME, PORT, VERSION, ROOTS, certificate=, key=, alpn=, suite=) gives what was got, and what was said
	of a refusal.  Skips the test where the language is missing: they are no dependencies, being large."""

	def __init__(self, language):
		needs, make = LANGUAGES[language]
		if not shutil.which(needs):
			skip(f"there is no {needs} here; it is no dependency of the tests, being large")
		self.directory = tempfile.mkdtemp(prefix="valise-talker.")
		self.program = subprocess.Popen(make(self.directory), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

	def __call__(self, name, port, version, roots, **offer):
		offers = [f"{key}={value}" for key, value in offer.items() if value]
		print(name, port, version, roots, *offers, file=self.program.stdin, flush=True)
		word, _, text = self.program.stdout.readline().strip().partition(" ")
		check(word in ("got", "refused"), f"the client says {word} {text}")
		return (text.encode(), "") if word == "got" else (b"", text)

	def close(self):
		self.program.stdin.close()
		self.program.stdout.close()
		self.program.wait()
		shutil.rmtree(self.directory, ignore_errors=True)
