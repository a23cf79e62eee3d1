"""Allocations that fail: programs whose own objects get no memory at the n-th call.

	failing = Failing(scene.dir)
	environment = failing.at(7)		# the 7th allocation of the next program fails, once
	subprocess.run([FAILING["pki"], ...], env=environment)
	failing.made				# how many it made, the failed one included
	failing.next(3)				# of a daemon that runs: its third from now on fails
	with failing.calls(errno.ENFILE, "accept", "socket"):	# meanwhile each of these system calls fails so

The programs are $B/fail/valise-*; see tests/fail/fail.c.  FULL says whether every n is asked for
(`make thorough`) or the tests may take samples (`make check`).
"""
import contextlib
import mmap
import os
import struct

from .process import BUILD, PROGRAMS

FAILING = {name: f"{BUILD}/fail/valise-{name}" for name in PROGRAMS}
STEERING = 48	# bytes of the file, see tests/fail/fail.h
CALLS = {"accept": 1, "socket": 2, "connect": 4, "pipe": 8, "watch": 16}	# likewise
FULL = os.environ.get("VALISE_FAULTS") == "full"


class Failing:
	def __init__(self, directory):
		self.path = f"{directory}/steering"
		with open(self.path, "wb") as file:
			file.write(bytes(STEERING))
		with open(self.path, "r+b") as file:
			self.map = mmap.mmap(file.fileno(), STEERING)

	def at(self, n):
		"""The environment in which a program's n-th allocation fails; 0: none."""
		self.map[:] = struct.pack("QQQqQq", 0, n, 0, 0, 0, 0)
		return dict(os.environ, VALISE_FAIL=self.path)

	@property
	def made(self):
		return struct.unpack_from("Q", self.map, 0)[0]

	@property
	def failed(self):
		return struct.unpack_from("Q", self.map, 16)[0]

	def next(self, n=1):
		"""The n-th allocation from now on fails, of the program that runs with this environment."""
		self.map[8:16] = struct.pack("Q", self.made + n)

	@contextlib.contextmanager
	def calls(self, error, *names):
		"""Of the program that runs with this environment."""
		self.map[40:48] = struct.pack("q", error)
		self.map[32:40] = struct.pack("Q", sum(CALLS[name] for name in names))
		try:
			yield
		finally:
			self.map[32:40] = bytes(8)


def numbers(count, samples):
	"""1 ... count, all of them or evenly spread samples, the first and the last included."""
	if FULL or count <= samples:
		return list(range(1, count + 1))
	return sorted({1 + i * (count - 1) // (samples - 1) for i in range(samples)})
