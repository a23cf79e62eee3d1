"""Clients: raw sockets, a TLS client that can half-close, and real programs."""
import socket
import ssl
import struct
import subprocess

from .tap import check, progress


def dial(port, first=b"", *, timeout=15, source=None, host="127.0.0.1"):
	"""source: another address of the loopback, 127.0.0.0/8."""
	stream = socket.create_connection((host, int(port)), timeout, (source, 0) if source else None)
	stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
	if first:
		stream.sendall(first)
	return stream


SMALL_WINDOW = 4096


def stalled_reader(port, first, *, source="127.0.0.1", timeout=20):
	"""A client with a small window, for whoever will not read."""
	stream = socket.socket()
	stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_WINDOW)
	stream.settimeout(timeout)
	stream.bind((source, 0))
	stream.connect(("127.0.0.1", int(port)))
	stream.sendall(first)
	return stream


def reset(stream):
	"""Closes with RST."""
	stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
	stream.close()


def alert_of(stream):
	"""The number of the fatal alert that comes, and then the end of the stream."""
	data = bytearray()
	while part := stream.recv(100):
		data += part
	check(len(data) == 7 and data[0] == 0x15 and data[3:6] == b"\0\2\2", f"no fatal alert: {data!r}")
	return data[6]


def closed_how(stream):
	"""'fin', 'reset', or the bytes that came instead."""
	try:
		data = stream.recv(100)
	except ConnectionResetError:
		return "reset"
	return "fin" if not data else data


class TlsClient:
	"""TLS by hand over a socket, so that each direction can be ended by itself."""

	def __init__(self, port, name, ca, *, version=None, certificate=None, alpn=None, timeout=15, meanwhile=None):
		"""meanwhile() is called once in the middle of the handshake, when the hello has an answer."""
		context = ssl.create_default_context(cafile=ca)
		if version:
			context.minimum_version = context.maximum_version = version
		if certificate:
			context.load_cert_chain(*certificate)
		if alpn:
			context.set_alpn_protocols(alpn)
		self.socket = dial(port, timeout=timeout)
		self.meanwhile = meanwhile
		self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
		self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
		self._until_done(self.tls.do_handshake)

	def _flush(self):
		if self.outgoing.pending:
			self.socket.sendall(self.outgoing.read())

	def _until_done(self, step, *arguments):
		while True:
			try:
				result = step(*arguments)
				self._flush()
				return result
			except ssl.SSLWantReadError:
				self._flush()
				data = self.socket.recv(65536)
				if not data:
					raise EOFError("the connection ended without close_notify") from None
				if self.meanwhile:
					self.meanwhile()
					self.meanwhile = None
				self.incoming.write(data)
			except ssl.SSLError:
				self._flush()
				raise

	def sendall(self, data):
		self.tls.write(data)
		self._flush()

	def recv(self, count=65536):
		"""b'' after close_notify."""
		try:
			return self._until_done(self.tls.read, count)
		except ssl.SSLZeroReturnError:
			return b""

	def finish(self):
		"""close_notify and FIN; what the other side says can still be read."""
		try:
			self.tls.unwrap()
		except (ssl.SSLWantReadError, ssl.SSLSyscallError, ssl.SSLError):
			pass
		self._flush()
		self.socket.shutdown(socket.SHUT_WR)

	def makefile(self, mode):
		raise NotImplementedError

	def close(self):
		self.socket.close()

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.close()


def run(*argv, data=None, seconds=60, environment=None):
	"""Runs a program: (exit status, standard output, standard error)."""
	done = subprocess.run([str(a) for a in argv], input=data, capture_output=True, timeout=seconds,
		stdin=subprocess.DEVNULL if data is None else None, env=environment)
	progress()
	return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def curl(port, name, ca, *arguments, path="/", data=None):
	return run("curl", "-sS", "--max-time", 50, "--connect-to", f"::127.0.0.1:{port}", "--cacert", ca,
		*arguments, f"https://{name}{path}", data=data)


def s_client(port, name, ca, *arguments, data=b"GET / HTTP/1.0\r\n\r\n"):
	return run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", name,
		"-CAfile", ca, "-verify_return_error", "-verify_hostname", name, "-quiet", "-ign_eof",
		*arguments, data=data)
