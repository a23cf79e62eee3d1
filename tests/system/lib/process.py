"""Daemons under test: started, waited for, stopped, and their logs read."""
import ctypes
import json
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time

from .tap import PATIENCE, Failed, check, equal, until

BUILD = os.path.abspath(os.environ.get("VALISE_BUILD", "build/gcc"))
PROGRAMS = {name: f"{BUILD}/valise-{name}" for name in ("relay", "agent", "pki", "sni")}
VARIANT = os.path.basename(BUILD)	# only that: the tree may lie anywhere
SANITIZED = "address" in VARIANT or "thread" in VARIANT
_trouble = re.compile(r"(ERROR|WARNING): \w+Sanitizer|runtime error:|Assertion .* failed")
_libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


def _prepare(most_files, closed):
	"""In the new process."""
	_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
	for fd in closed:
		os.close(fd)
	# The hard limit: the daemons raise the soft one to it.
	most_files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], most_files)
	resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))


class Daemon:
	"""One program; its standard error is its log, one JSON object a line."""

	def __init__(self, label, argv, directory):
		self.label, self.argv, self.directory = label, argv, directory
		self.log_path = f"{directory}/{label}.log"
		self.process = None
		self.expected = None
		self.pass_fds = ()
		self.most_files = 16384
		self.stderr = None	# a descriptor instead of the log file
		self.closed = ()	# of the descriptors 0 to 2
		self.shown = ""		# what the service manager shows of it, as far as it was asked
		self.environment = {}
		self.reading = threading.Lock()

	def start(self, wait_ready=True, seconds=20):
		notify_path = f"{self.directory}/{self.label}.notify"
		if os.path.exists(notify_path):
			os.unlink(notify_path)
		self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		self.notify.bind(notify_path)
		self.log_from = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
		self.log_read, self.told = self.log_from, {}	# how far, and the events by their word; None: all
		environment = dict(os.environ, NOTIFY_SOCKET=notify_path, **self.environment)
		with open(self.log_path, "ab") as log:
			self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log,
				stderr=log if self.stderr is None else self.stderr, env=environment,
				preexec_fn=lambda: _prepare(self.most_files, self.closed), pass_fds=self.pass_fds)
		self.expected = 0
		if wait_ready:
			self.wait_notified("READY=1", seconds)
		return self

	def wait_notified(self, word, seconds=PATIENCE):
		deadline = time.monotonic() + seconds
		while time.monotonic() < deadline:
			self.notify.settimeout(0.1)
			if word in self._notified():
				return
			if self.process.poll() is not None:
				raise Failed(f"{self.label} ended with {self.process.returncode} before {word}")
		raise Failed(f"{self.label} did not say {word} within {seconds} s")

	def _notified(self):
		"""The lines of one message to the service manager, if there is any."""
		try:
			lines = self.notify.recv(8192).decode().split("\n")
		except TimeoutError:
			return []
		self.shown = ([line for line in lines if line.startswith("STATUS=")] or [self.shown])[-1]
		return lines

	def wait_shown(self, question, what):
		"""Until the service manager shows a status that the question is true of."""
		self.notify.settimeout(0.01)

		def is_shown():
			while self._notified():
				pass
			return question(self.shown)

		until(is_shown, what=f"the status of {self.label} shows {what}")

	@property
	def pid(self):
		return self.process.pid

	def alive(self):
		return self.process is not None and self.process.poll() is None

	def signal(self, number):
		self.process.send_signal(number)

	def freeze(self):
		"""Returns once it stands still: kill() alone lets its threads run on for a moment."""
		self.signal(signal.SIGSTOP)
		os.waitid(os.P_PID, self.pid, os.WSTOPPED)

	def thaw(self):
		self.signal(signal.SIGCONT)

	def kill(self):
		"""As a crash: no goodbye."""
		self.expected = -signal.SIGKILL
		self.process.kill()
		self.process.wait()

	def wait(self, seconds=15):
		try:
			return self.process.wait(seconds)
		except subprocess.TimeoutExpired:
			raise Failed(f"{self.label} still runs after {seconds} s") from None

	def reload(self):
		self.signal(signal.SIGHUP)

	def stop(self):
		"""Stops it, now, and returns what went wrong with it, "" if nothing."""
		if self.process is None:
			return ""
		if self.alive():
			self.thaw()	# a test that failed may have left it frozen
			self.signal(signal.SIGTERM)
			time.sleep(0.02)
			if self.alive():
				self.signal(signal.SIGTERM)
		try:
			status = self.process.wait(20)
		except subprocess.TimeoutExpired:
			self.process.kill()
			self.process.wait()
			return f"{self.label} did not stop on two SIGTERM\n"
		trouble = ""
		if self.expected is not None and status != self.expected:
			trouble = f"{self.label} ended with status {status}, not {self.expected}\n"
		if _trouble.search(self.log_text()):
			trouble += f"{self.label}: a sanitizer or an assertion has spoken\n"
		return trouble

	def log_text(self):
		with open(self.log_path, errors="replace") as log:
			return log.read()

	def _read_on(self):
		"""Adds what has come since to the events of this start; a line counts once it is whole."""
		with open(self.log_path, "rb") as log:
			log.seek(self.log_read)
			lines = log.read()
		lines = lines[:lines.rfind(b"\n") + 1]
		self.log_read += len(lines)
		for line in lines.decode(errors="replace").split("\n"):
			try:
				event = json.loads(line) if line.startswith("{") else None
			except json.JSONDecodeError:
				continue
			if event:
				self.told.setdefault(None, []).append(event)
				self.told.setdefault(event.get("event"), []).append(event)

	def events(self, word=None, **fields):
		"""Log lines since the last start that carry this event word and these fields."""
		with self.reading:
			self._read_on()
			found = self.told.get(word, [])[:]
		return [event for event in found if all(event.get(k) == v for k, v in fields.items())]

	def wait_event(self, word, seconds=PATIENCE, count=1, **fields):
		return until(lambda: len(found := self.events(word, **fields)) >= count and found, seconds,
			f"{self.label} logs {word} {fields or ''}")

	def wait_parked(self, count=4):
		"""Until so many channels have been parked since the start: at first those that an agent dials unasked."""
		self.wait_event("move", count=count, machine="channel", to="parked")

	def wait_hello(self, dial):
		"""What dial() gives, once the relay has accepted it and reads its hello; nobody else may dial meanwhile."""
		before = len(self.events("move", machine="intake", to="hello"))
		stream = dial()
		self.wait_event("move", count=before + 1, machine="intake", to="hello")
		return stream

	def expect_events(self, word, count, what, **fields):
		"""As many and no more. What is logged may be written after its client has the answer."""
		equal(len(self.wait_event(word, count=count, **fields)), count, what)

	def wait_text(self, text, seconds=PATIENCE):
		until(lambda: text in self.log_text()[self.log_from:], seconds,
			f"{self.label} logs {text!r}")

	def memory_kib(self):
		with open(f"/proc/{self.pid}/status") as status:
			for line in status:
				if line.startswith("VmRSS:"):
					return int(line.split()[1])
		check(False, f"{self.label} has no memory")

	def processor_seconds(self):
		"""What it has used so far, in its own code and in the kernel's."""
		with open(f"/proc/{self.pid}/stat") as stat:
			fields = stat.read().rpartition(")")[2].split()
		return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

	def descriptors(self):
		return len(os.listdir(f"/proc/{self.pid}/fd"))

	def connections(self):
		"""How many are established at the port of this daemon."""
		with open("/proc/net/tcp") as table:
			rows = [line.split() for line in table][1:]
		return sum(row[1].endswith(f":{self.port:04X}") and row[3] == "01" for row in rows)
