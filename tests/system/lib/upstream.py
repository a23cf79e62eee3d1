"""Upstreams: a listener and a function that serves one connection in a thread."""
import hashlib
import os
import socket
import ssl
import threading


def read_exactly(stream, count):
	data = bytearray()
	while len(data) < count:
		part = stream.recv(min(65536, count - len(data)))
		if not part:
			raise EOFError(f"{len(data)} of {count} bytes, then the end")
		data += part
	return bytes(data)


def drained(stream):
	"""Reads to the end: (bytes, SHA-256)."""
	digest, count = hashlib.sha256(), 0
	while part := stream.recv(262144):
		digest.update(part)
		count += len(part)
	return count, digest.hexdigest()


def skip_hello(stream):
	"""Reads and returns one record: the hello of a raw client."""
	header = read_exactly(stream, 5)
	return header + read_exactly(stream, int.from_bytes(header[3:], "big"))


def pour(stream):
	"""Bytes without an end."""
	skip_hello(stream)
	while True:
		stream.sendall(bytes(65536))


def echo(stream):
	"""Everything comes back, the hello of a raw client included."""
	while part := stream.recv(65536):
		stream.sendall(part)


def http(stream, banner="hello"):
	"""GET / gives the banner, GET /bytes/N N bytes, POST the SHA-256 of what came."""
	buffered = stream.makefile("rb")
	while request := buffered.readline():
		method, path, version = request.decode().split()
		length = 0
		while (line := buffered.readline()) not in (b"\r\n", b""):
			key, _, value = line.decode().partition(":")
			if key.lower() == "content-length":
				length = int(value)
			if key.lower() == "expect":
				stream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
		if method in ("POST", "PUT"):
			digest = hashlib.sha256()
			while length:
				part = buffered.read(min(length, 262144))
				digest.update(part)
				length -= len(part)
			_answer(stream, digest.hexdigest().encode())
		elif path.startswith("/bytes/"):
			_answer_bytes(stream, int(path.rpartition("/")[2]))
		else:
			_answer(stream, banner.encode())
		if version == "HTTP/1.0":
			break


def _answer(stream, body):
	stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


BLOCK = os.urandom(1 << 20)


def _answer_bytes(stream, count):
	stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % count)
	while count:
		part = BLOCK[:min(count, len(BLOCK))]
		stream.sendall(part)
		count -= len(part)


class Upstream:
	"""Listens on a free port, a given one or a unix path. `seen` counts connections, `errors` keeps what went wrong."""

	def __init__(self, serve, *, path=None, tls=None, port=0, host="127.0.0.1"):
		self.serve, self.tls, self.path, self.host = serve, tls, path, host
		self.seen, self.errors, self.open = 0, [], set()
		if path:
			self.listener = socket.socket(socket.AF_UNIX)
			self.listener.bind(path)
			self.listener.listen(1024)
			self.port = None
		else:
			self.listener = socket.create_server((host, port), backlog=1024)
			self.port = self.listener.getsockname()[1]
		threading.Thread(target=self._accept, daemon=True).start()

	@property
	def url(self):
		return f"unix:{self.path}" if self.path else f"tcp://{self.host}:{self.port}"

	def _accept(self):
		while True:
			try:
				stream = self.listener.accept()[0]
			except OSError:
				return
			self.seen += 1
			threading.Thread(target=self._one, args=(stream,), daemon=True).start()

	def _one(self, stream):
		self.open.add(stream)
		try:
			if self.tls:
				stream = self.tls.wrap_socket(stream, server_side=True)
			self.serve(stream)
			if self.tls:
				stream.settimeout(2)
				stream.unwrap()
		except (OSError, EOFError) as error:
			self.errors.append(error)
		except Exception as error:		# told by the test that looks at errors
			self.errors.append(error)
		finally:
			self.open.discard(stream)
			stream.close()

	def retire(self):
		"""Accepts nothing new; what it serves goes on."""
		try:
			self.listener.shutdown(socket.SHUT_RDWR)
		except OSError:
			pass
		self.listener.close()

	def close(self):
		self.retire()
		for stream in list(self.open):
			try:
				stream.shutdown(socket.SHUT_RDWR)
			except OSError:
				pass


def server_context(certificate, key, *, version=None):
	context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
	context.load_cert_chain(certificate, key)
	if version:
		context.minimum_version = context.maximum_version = version
	return context
