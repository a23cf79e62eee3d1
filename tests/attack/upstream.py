#!/usr/bin/env -S python3 -B
"""An upstream as a program of its own, so that it does not share an interpreter with who measures.

upstream.py echo|pour NICE SEND_BYTES	says its port; echo sends everything back, pour sends without an end; until standard
		input ends. SEND_BYTES is what the kernel keeps for a connection of what was sent and not taken, 0: as it likes.
"""
import os
import selectors
import socket
import sys

BLOCK = bytes(262144)


class Connection:
	def __init__(self, stream, is_pouring):
		self.stream, self.is_pouring, self.pending = stream, is_pouring, b""

	def on_ready(self, events):
		"""What it waits for next; 0 when it is over."""
		try:
			if events & selectors.EVENT_READ:
				data = self.stream.recv(65536)
				if not data:
					return 0
				self.pending = BLOCK if self.is_pouring else self.pending + data
			while self.pending:
				sent = self.stream.send(self.pending)
				self.pending = BLOCK if self.is_pouring else self.pending[sent:]
		except BlockingIOError:
			return selectors.EVENT_READ | selectors.EVENT_WRITE
		except OSError:
			return 0
		return selectors.EVENT_READ


def main(kind, nice, send_bytes):
	os.nice(int(nice))
	listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
	if int(send_bytes):
		listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, int(send_bytes))
	listener.setblocking(False)
	loop = selectors.DefaultSelector()
	loop.register(listener, selectors.EVENT_READ)
	loop.register(sys.stdin, selectors.EVENT_READ)
	print(listener.getsockname()[1], flush=True)
	while True:
		for key, events in loop.select():
			if key.fileobj is sys.stdin:
				return
			if key.fileobj is listener:
				stream = listener.accept()[0]
				stream.setblocking(False)
				loop.register(stream, selectors.EVENT_READ, Connection(stream, kind == "pour"))
				continue
			wanted = key.data.on_ready(events)
			if wanted:
				if wanted != key.events:
					loop.modify(key.fileobj, wanted, key.data)
			else:
				loop.unregister(key.fileobj)
				key.fileobj.close()


main(*sys.argv[1:])
