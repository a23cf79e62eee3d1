"""TLS by hand: hellos taken apart and put together, a client of TLS 1.2 that says what it likes, and a bare GnuTLS server.

The client knows one cipher suite and believes every certificate.
"""
import hashlib
import hmac
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lib import *
from lib.scene import free_port

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION = 20, 21, 22, 23
WARNING, FATAL = 1, 2
SERVER_NAME, RECORD_SIZE_LIMIT, KEY_SHARE, RENEGOTIATION_INFO = 0, 28, 51, 0xff01
X25519, P256 = 29, 23
NAME = "api.example.com"
# That of an endpoint, so that what differs is ours and not the library's.
PRIORITY = ("NONE:+VERS-TLS1.3:+VERS-TLS1.2:+ECDHE-ECDSA:+ECDHE-RSA:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD:"
	"+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1:+CTYPE-X509:+SIGN-ALL:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:"
	"%SERVER_PRECEDENCE")


def u16(number):
	return number.to_bytes(2, "big")


def vector(data, size=2):
	return len(data).to_bytes(size, "big") + data


def record(kind, body, version=b"\3\3"):
	return bytes([kind]) + version + vector(body)


def names(*entries):
	"""The insides of server_name: (type, name) each."""
	return vector(b"".join(bytes([kind]) + vector(name) for kind, name in entries))


def shares(*entries):
	return vector(b"".join(u16(group) + vector(key) for group, key in entries))


class Hello:
	"""A ClientHello whose extensions can be exchanged."""

	def __init__(self, wire):
		body = wire[9:]
		at = 34
		at += 1 + body[at]
		at += 2 + int.from_bytes(body[at:at + 2], "big")
		at += 1 + body[at]
		self.head, rest, self.extensions = body[:at], body[at + 2:], {}
		while rest:
			kind, size = int.from_bytes(rest[:2], "big"), int.from_bytes(rest[2:4], "big")
			self.extensions[kind], rest = rest[4:4 + size], rest[4 + size:]

	def changed(self, kind=None, body=None, version=None):
		"""The wire bytes, with another body of one extension or another legacy_version."""
		extensions = dict(self.extensions, **{})
		if kind is not None:
			extensions = {kind: body, **{k: v for k, v in extensions.items() if k != kind}}
		block = b"".join(u16(k) + vector(v) for k, v in extensions.items())
		message = (version or self.head[:2]) + self.head[2:] + vector(block)
		return record(HANDSHAKE, b"\1" + vector(message, 3), b"\3\1")


class BareServer:
	"""GnuTLS alone, with the priorities of an endpoint and a page to be had."""

	def __init__(self, scene, certificate=None, key=None):
		if not certificate:
			certificate, key = authority().server(NAME)
		self.port = free_port()
		self.process = subprocess.Popen(["gnutls-serv", "--port", str(self.port), "--x509certfile", certificate, "--x509keyfile", key,
			"--priority", PRIORITY, "--http", "--disable-client-cert", "--nodb", "--quiet"], stdin=subprocess.DEVNULL,
			stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
		scene.keep(self)
		until(self.answers, what="gnutls-serv listens")

	def answers(self):
		try:
			dial(self.port).close()
			return True
		except OSError:
			return False

	def close(self):
		self.process.kill()
		self.process.wait()


def answer_to(port, wire):
	"""What comes upon a hello: the number of a fatal alert, or 0 for a record of the handshake."""
	with dial(port, wire) as stream:
		head = read_exactly(stream, 5)
		body = read_exactly(stream, int.from_bytes(head[3:], "big"))
	if head[0] == HANDSHAKE:
		return 0
	check(head[0] == ALERT and body[0] == FATAL, f"a record of type {head[0]}: {body!r}")
	return body[1]


# ---- a client of TLS 1.2 ----

def prf(secret, label, seed, size):
	"""RFC 5246, 5."""
	seed, out = label + seed, b""
	a = seed
	while len(out) < size:
		a = hmac.digest(secret, a, "sha256")
		out += hmac.digest(secret, a + seed, "sha256")
	return out[:size]


class Direction:
	"""AES-128-GCM (RFC 5288)."""

	def __init__(self, key, salt):
		self.aead, self.salt, self.sequence = AESGCM(key), salt, 0

	def _aad(self, kind, size):
		aad = self.sequence.to_bytes(8, "big") + bytes([kind]) + b"\3\3" + u16(size)
		self.sequence += 1
		return aad

	def seal(self, kind, data):
		explicit = self.sequence.to_bytes(8, "big")
		return explicit + self.aead.encrypt(self.salt + explicit, data, self._aad(kind, len(data)))

	def open(self, kind, body):
		return self.aead.decrypt(self.salt + body[:8], body[8:], self._aad(kind, len(body) - 24))


class Client:
	"""Shakes hands in TLS 1.2 with ECDHE-ECDSA-AES128-GCM-SHA256; then the records are the test's."""

	def __init__(self, port, name=NAME, source=None):
		self.stream = dial(port, source=source)
		self.name, self.seen, self.buffered = name, b"", b""
		self.writing = self.reading = None
		self._shake()

	# -- records --

	def send_raw(self, kind, body):
		self.stream.sendall(record(kind, body))

	def sealed(self, kind, data):
		return record(kind, self.writing.seal(kind, data))

	def send(self, kind, data):
		self.stream.sendall(self.sealed(kind, data) if self.writing else record(kind, data))

	def receive(self):
		"""(Type, what stands in it)."""
		head = read_exactly(self.stream, 5)
		body = read_exactly(self.stream, int.from_bytes(head[3:], "big"))
		return head[0], self.reading.open(head[0], body) if self.reading else body

	def receive_alert(self):
		kind, body = self.receive()
		check(kind == ALERT, f"a record of type {kind}: {body!r}")
		return body[0], body[1]

	# -- the handshake --

	def hello(self, renegotiation=b""):
		extensions = ((SERVER_NAME, names((0, self.name.encode()))), (10, vector(u16(X25519))), (11, b"\1\0"),
			(13, vector(u16(0x0403))), (23, b""), (RENEGOTIATION_INFO, vector(renegotiation, 1)))
		block = b"".join(u16(kind) + vector(body) for kind, body in extensions)
		return b"\1" + vector(b"\3\3" + os.urandom(32) + b"\0" + vector(u16(0xc02b)) + b"\1\0" + vector(block), 3)

	def _say(self, message):
		self.seen += message
		self.send(HANDSHAKE, message)

	def _hear(self):
		"""The next message: (type, body)."""
		while len(self.buffered) < 4 or len(self.buffered) < 4 + int.from_bytes(self.buffered[1:4], "big"):
			kind, body = self.receive()
			check(kind == HANDSHAKE, f"a record of type {kind} in the handshake: {body!r}")
			self.buffered += body
		size = 4 + int.from_bytes(self.buffered[1:4], "big")
		message, self.buffered = self.buffered[:size], self.buffered[size:]
		self.seen += message
		return message[0], message[4:]

	def _hash(self):
		return hashlib.sha256(self.seen).digest()

	def _shake(self):
		hello = self.hello()
		client_random = hello[6:38]
		self._say(hello)
		said = {}
		while 14 not in said:
			kind, body = self._hear()
			said[kind] = body
		server_random, exchange = said[2][2:34], said[12]
		check(exchange[:4] == b"\3\0\x1d\x20", f"no x25519: {exchange[:4]!r}")
		key = X25519PrivateKey.generate()
		shared = key.exchange(X25519PublicKey.from_public_bytes(exchange[4:36]))
		self._say(b"\x10" + vector(vector(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), 1), 3))
		self.master = prf(shared, b"extended master secret", self._hash(), 48)
		block = prf(self.master, b"key expansion", server_random + client_random, 40)
		self.send_raw(CHANGE_CIPHER_SPEC, b"\1")
		self.writing = Direction(block[:16], block[32:36])
		self.verify_data = prf(self.master, b"client finished", self._hash(), 12)
		self._say(b"\x14" + vector(self.verify_data, 3))
		while self.receive() != (CHANGE_CIPHER_SPEC, b"\1"):
			pass	# a ticket
		self.reading = Direction(block[16:32], block[36:40])
		wanted = prf(self.master, b"server finished", self._hash(), 12)
		equal(self._hear(), (20, wanted), "the server's Finished")

	def close(self):
		self.stream.close()

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.close()
