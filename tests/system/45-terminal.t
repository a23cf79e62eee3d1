#!/usr/bin/env -S python3 -B
"""What valise-agent shows on a terminal: some lines under the log, that are kept up to date."""
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

from lib import *

NAME = "app.example.com"


class Screen:
	"""What a terminal shows of a program: rows, with the few sequences that it uses."""

	def __init__(self, columns):
		self.columns, self.rows, self.at, self.raw = columns, [""], 0, b""

	def feed(self, data):
		self.raw += data
		for part in re.findall(rb"\x1b\[\d*[A-Za-z]|\r|\n|[^\x1b\r\n]+", data):
			if part == b"\n":
				self.at += 1
				if self.at == len(self.rows):
					self.rows.append("")
			elif part.endswith(b"A") and part.startswith(b"\x1b"):
				self.at -= int(part[2:-1])
			elif part == b"\x1b[J":
				self.rows[self.at:] = [""]
			elif part.startswith(b"\x1b"):
				raise Failed(f"an unknown sequence: {part}")
			elif part != b"\r":
				self.rows[self.at] = part.decode()


class Terminal:
	"""A program with a terminal of its own for standard error."""

	def __init__(self, scene, argv, columns=100, term="xterm"):
		self.screen, (near, far) = Screen(columns), pty.openpty()
		fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
		self.near = near
		self.daemon = Daemon("terminal", argv, scene.dir)
		self.daemon.stderr = far
		self.daemon.environment = {"TERM": term}
		scene._add(self.daemon, False).start(wait_ready=False)
		os.close(far)

	def shows(self, question):
		deadline = time.monotonic() + 30
		while time.monotonic() < deadline:
			self.read(0.1)
			if question(self.screen.rows):
				return
		raise Failed("it shows\n" + "\n".join(self.screen.rows))

	def read(self, seconds):
		if not select.select([self.near], [], [], seconds)[0]:
			return True
		try:
			data = os.read(self.near, 65536)
		except OSError:		# the other end is closed
			return False
		self.screen.feed(data)
		return bool(data)

	def end(self):
		self.daemon.stop()
		while self.read(1):
			pass
		os.close(self.near)


def start(scene, **keys):
	relay = scene.relay()
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("agent", NAME), start=False,
		log={"level": "info", "format": "auto"})
	return relay, Terminal(scene, [PROGRAMS["agent"], "run", "-c", agent.config_path], **keys)


def block(rows):
	"""The rows from the last head of the block on."""
	heads = [n for n, row in enumerate(rows) if row.startswith("valise-agent ") and "flows:" in row]
	return rows[heads[-1]:] if heads else []


@test
def the_block_stays_under_the_log_and_follows(scene):
	relay, terminal = start(scene)
	terminal.shows(lambda rows: any("localhost" in row and " up" in row for row in block(rows)))
	terminal.shows(lambda rows: any(f"endpoint tls://{NAME} -> 127.0.0.1:" in row for row in block(rows)))
	check(any("the relay holds no key of this endpoint" in row for row in block(terminal.screen.rows)), "the sentence that matters")
	wire = hello(NAME)
	with dial(relay.port, wire) as client:
		read_exactly(client, len(wire))
		terminal.shows(lambda rows: "flows: 1 open, 1 in all" in "".join(block(rows)))
	terminal.shows(lambda rows: "flows: 0 open, 1 in all" in "".join(block(rows)))
	relay.stop()
	terminal.shows(lambda rows: any(row.startswith("relay ") and "waiting" in row for row in block(rows)))
	equal(sum("flows:" in row and row.startswith("valise-agent ") for row in terminal.screen.rows), 1, "blocks on the screen")
	terminal.end()
	equal(block(terminal.screen.rows), [], "what is left at the end")
	check(any("flow-closed" in row for row in terminal.screen.rows), "the log stays")


@test
def no_row_is_wider_than_a_narrow_terminal(scene):
	relay, terminal = start(scene, columns=40)
	terminal.shows(lambda rows: any(" up" in row for row in block(rows)))
	check(all(len(row) < 40 for row in block(terminal.screen.rows)), "\n".join(block(terminal.screen.rows)))
	terminal.end()


@test
def a_dumb_terminal_has_lines_only(scene):
	relay, terminal = start(scene, term="dumb")
	terminal.shows(lambda rows: any("endpoint-up" in row for row in rows))
	terminal.end()
	check(b"\x1b" not in terminal.screen.raw and not block(terminal.screen.rows), "\n".join(terminal.screen.rows))


main()
