"""An agent's session written from valise-protocol(7) alone: frames over Python's ssl."""
import os
import socket
import ssl
import struct

from .authority import CONNECT_NAME, authority
from .tap import Failed

HELLO, WELCOME, ANNOUNCE, WITHDRAW, ACCEPTED, REFUSED, PING, PONG = 1, 2, 3, 4, 5, 6, 7, 8
NEED, DRAIN, GOODBYE, ANNOUNCE_MANY, ACCEPTED_MANY, REFUSED_MANY = 9, 10, 11, 12, 13, 14
AGAIN, FACTS, RESUMED, WITHDRAW_MANY, UNABLE = 129, 130, 131, 132, 133


def text8(text):
	return bytes([len(text.encode())]) + text.encode()


def frame(kind, body=b""):
	return struct.pack(">HB", 1 + len(body), kind) + body


def fact(kind, value=b""):
	return struct.pack(">HH", kind, len(value)) + value


def facts_in(welcome):
	"""{type: value} of those behind a welcome of version 2."""
	at, found = 22 + welcome[21] + 12, {}
	while at < len(welcome):
		kind, length = struct.unpack_from(">HH", welcome, at)
		found[kind] = welcome[at + 4:at + 4 + length]
		at += 4 + length
	return found


def announcement(number, name, facts=b""):
	return struct.pack(">IBH", number, 1, 100) + text8(name) + text8("raw") + facts


def ranges(body):
	pairs = [struct.unpack_from(">II", body, at) for at in range(0, len(body), 8)]
	return [n for first, last in pairs for n in range(first, last + 1)]


class Session:
	def __init__(self, relay, certificate, *, timeout=10):
		context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
		context.minimum_version = ssl.TLSVersion.TLSv1_3
		context.load_verify_locations(authority().root)
		context.load_cert_chain(*certificate)
		context.set_alpn_protocols(["valise/1"])
		raw = socket.create_connection(("127.0.0.1", relay.port), timeout)
		self.stream = context.wrap_socket(raw, server_hostname=CONNECT_NAME)
		self.pending = b""

	def send(self, *frames):
		self.stream.sendall(b"".join(frames))

	def hello(self, oldest=1, newest=2, *, features=0, facts=b"", instance=None, start=None, software="raw 1"):
		self.send(frame(HELLO, bytes([oldest, newest]) + struct.pack(">I", features) + text8(software) +
			(instance or os.urandom(16)) + (start or os.urandom(8)) + text8("") + struct.pack(">IB", 0, 0) + facts))

	def _take(self, count):
		while len(self.pending) < count:
			try:
				more = self.stream.recv(65536)
			except (ssl.SSLEOFError, ConnectionResetError):
				more = b""
			if not more:
				return None
			self.pending += more
		taken, self.pending = self.pending[:count], self.pending[count:]
		return taken

	def next(self):
		"""(type, body); None at the end. Pings are answered."""
		while True:
			header = self._take(3)
			if header is None:
				return None
			length, kind = struct.unpack(">HB", header)
			body = self._take(length - 1)
			if kind != PING:
				return kind, body
			self.send(frame(PONG, body))

	def expect(self, *kinds):
		got = self.next()
		if got is None or got[0] not in kinds:
			raise Failed(f"got {got}, wanted a frame of {kinds}")
		return got[1]

	def up(self, **keys):
		self.hello(**keys)
		return self.expect(WELCOME)

	def answers(self, count):
		"""What became of `count` announcements: {number: code, 0 for accepted}."""
		verdicts = {}
		while len(verdicts) < count:
			kind, body = self.next() or (None, b"")
			if kind == ACCEPTED:
				verdicts[struct.unpack(">I", body)[0]] = 0
			elif kind == REFUSED:
				number, code = struct.unpack_from(">IH", body)
				verdicts[number] = code
			elif kind == ACCEPTED_MANY:
				verdicts.update(dict.fromkeys(ranges(body), 0))
			elif kind == REFUSED_MANY:
				code, length = struct.unpack_from(">HH", body)
				verdicts.update(dict.fromkeys(ranges(body[4 + length:]), code))
			elif kind != NEED:
				raise Failed(f"got {kind} {body} instead of an answer")
		return verdicts

	def announce(self, number, name, facts=b""):
		"""The code of its refusal, 0 if there is none."""
		self.send(frame(ANNOUNCE, announcement(number, name, facts)))
		return self.answers(1)[number]

	def goodbye(self):
		"""The code of the goodbye, with which the connection ends."""
		while (got := self.next()) and got[0] == NEED:
			pass
		if got is None or got[0] not in (GOODBYE, REFUSED) or self.next() is not None:
			raise Failed(f"got {got}, wanted a last word and the end")
		return got[0], struct.unpack_from(">H", got[1], 4 if got[0] == REFUSED else 0)[0]

	def close(self):
		self.stream.close()
