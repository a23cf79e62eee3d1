"""Programs whose wall clock is wrong, as on a host without a battery.

	clock = Clock(scene.dir)
	clock.set(-40 * DAY)
	clock.rule(agent)		# before its start: it goes by this clock
	clock.set(0)			# somebody has set it, while the agent runs

The programs are $B/fail/valise-*; see tests/fail/fail.h.
"""
import mmap
import struct

from .memory import FAILING, STEERING
from .process import PROGRAMS

HOUR, DAY = 3600, 86400


class Clock:
	def __init__(self, directory):
		self.path = f"{directory}/clock"
		with open(self.path, "wb") as file:
			file.write(bytes(STEERING))
		with open(self.path, "r+b") as file:
			self.map = mmap.mmap(file.fileno(), STEERING)

	def set(self, off_s):
		"""How many seconds it is off."""
		self.map[24:32] = struct.pack("q", off_s)

	@property
	def environment(self):
		return {"VALISE_FAIL": self.path}

	def rule(self, daemon):
		name, = [name for name, path in PROGRAMS.items() if path == daemon.program]
		daemon.argv = [FAILING[name] if word == daemon.program else word for word in daemon.argv]
		daemon.program = FAILING[name]
		daemon.environment = dict(daemon.environment, **self.environment)
