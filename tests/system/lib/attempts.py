"""Clients that keep coming: bench/load/attempts and bench/load/upstream, which are fast, and what became of each client."""
import subprocess
import threading
import time

from .process import BUILD
from .scene import free_port
from .tap import PATIENCE, equal, until


def now_us():
	return time.monotonic_ns() // 1000


class Attempts:
	"""So many a second, of groups LABEL,SERVER-NAME,SOURCE,SHARE[,CERTIFICATE,KEY]; .flows has (label, began, ended, result)
	of each one that is over, in microseconds. popen: of the place (lib/lab.py) where they begin and the relay listens."""

	def __init__(self, port, ca, rate, groups, popen=subprocess.Popen):
		self.flows, self.labels = [], {group.partition(",")[0] for group in groups}
		self.process = popen([f"{BUILD}/bench/load/attempts", str(port), ca, str(rate), *groups],
			stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
		self.reader = threading.Thread(target=self._read)
		self.reader.start()

	def _read(self):
		for line in self.process.stdout:
			label, began, ended, result = line.rstrip("\n").split(" ", 3)
			self.flows.append((label, int(began), int(ended), result))

	def wait_more(self, count):
		wanted = len(self.flows) + count
		until(lambda: len(self.flows) >= wanted, 10 * PATIENCE, f"{count} clients more are served or refused")

	def wait_each(self, since_us):
		"""Until each group has had a client who has begun since then."""
		until(lambda: {flow[0] for flow in self.flows if flow[1] > since_us} == self.labels, 10 * PATIENCE,
			"a client of each group has come")

	def wait_begun(self, since_us, count=1):
		"""Until so many who have begun since then are over."""
		until(lambda: sum(flow[1] > since_us for flow in self.flows[-10 * count - 1000:]) >= count, 10 * PATIENCE,
			f"{count} clients who have begun since are served or refused")

	def end(self):
		self.process.stdin.close()
		equal(self.process.wait(10 * PATIENCE), 0, "the clients' exit status")
		self.reader.join()
		return self.flows

	def close(self):
		self.process.kill()
		self.process.wait()
		self.reader.join()


class LoadUpstream:
	"""It serves each connection as its first byte orders (bench/load/order.h)."""

	def __init__(self, directory, popen=subprocess.Popen):
		self.port = free_port()
		self.process = popen([f"{BUILD}/bench/load/upstream", str(self.port), f"{directory}/counter{self.port}"])

	@property
	def url(self):
		return f"tcp://127.0.0.1:{self.port}"

	def close(self):
		self.process.kill()
		self.process.wait()
