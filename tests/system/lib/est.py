"""An EST server as hostile as a test wants it: it presents what it is told to, answers what it is told to, and
remembers all that it was sent. The honest one is `valise-pki serve`."""
import base64
import hashlib
import http.server
import os
import re
import socket
import socketserver
import ssl
import tempfile
import threading

from .client import run
from .tap import check

KINDS = ("agent", "relay", "server", "client")
ENROLL, CACERTS = "/.well-known/est/simpleenroll", "/.well-known/est/cacerts"


def _crc32c(data):
	crc = 0xffffffff
	for byte in data:
		crc ^= byte
		for _ in range(8):
			crc = (crc >> 1) ^ (0x82f63b78 if crc & 1 else 0)
	return crc ^ 0xffffffff


def spki_sha256(certificate):
	status, out, err = run("sh", "-c", 'openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER', "sh", certificate)
	check(status == 0, err)
	return hashlib.sha256(out).digest()


def join_line(url, root, *, kind="agent", handle="00112233445566aa", secret="ab" * 16, relay=""):
	"""As pki/join_line.h has it; root is the file of a certificate."""
	body = bytes([1, KINDS.index(kind) + 1]) + spki_sha256(root) + bytes.fromhex(handle) + bytes.fromhex(secret)
	for text in (url, relay):
		body += len(text).to_bytes(2, "big") + text.encode()
	body += _crc32c(body).to_bytes(4, "big")
	return "valise-join:" + base64.urlsafe_b64encode(body).decode().rstrip("=")


def certs_only(*files):
	"""In base64."""
	options = [option for file in files for option in ("-certfile", file)]
	status, out, err = run("openssl", "crl2pkcs7", "-nocrl", "-outform", "DER", *options)
	check(status == 0, err)
	return base64.encodebytes(out)


def read(path):
	with open(path, "rb") as file:
		return file.read()


class _Handler(http.server.BaseHTTPRequestHandler):
	protocol_version = "HTTP/1.1"

	def do_GET(self):
		body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
		server = self.server.owner
		server.requests.append((self.path, self.headers.get("Authorization"), body))
		answer = server.answers.get(self.path, (404, {}, b""))
		if callable(answer):
			answer = answer(body)
		if answer is None:	# the connection breaks instead
			self.close_connection = True
			return
		status, headers, text = answer if isinstance(answer, tuple) else (200, {}, answer)
		self.send_response(status)
		for name, value in {"Content-Length": len(text), **headers}.items():
			self.send_header(name, str(value))
		self.end_headers()
		self.wfile.write(text)

	do_POST = do_GET

	def log_message(self, *_):
		pass


class _Listener(socketserver.ThreadingMixIn, http.server.HTTPServer):
	daemon_threads = True

	def finish_request(self, request, address):
		"""In a thread of its own."""
		owner = self.owner
		with owner.lock:
			identity = owner.identities[min(owner.connections, len(owner.identities) - 1)]
			owner.connections += 1
		context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		context.load_cert_chain(*identity)
		request.settimeout(20)
		try:
			super().finish_request(context.wrap_socket(request, server_side=True), address)
		except OSError:
			pass	# it was not believed

	def handle_error(self, *_):
		pass


class EstServer:
	"""Answers for an Authority, whose certificates it may sign. identities: (certificate, key) of the first
	connection, the second and so on; the last goes on for ever."""

	def __init__(self, pki, *identities, kind="agent", name="site1", hosts=("app.example.com",)):
		self.pki, self.kind, self.name, self.hosts = pki, kind, name, hosts
		self.identities = list(identities)
		self.connections, self.requests, self.lock = 0, [], threading.Lock()
		self.answers = {
			CACERTS: certs_only(pki.root, *(f"{pki.dir}/cas/{role}s.crt" for role in KINDS)),
			ENROLL: self.enroll,
		}
		for role in KINDS:
			self.answers[f"/ca/{role}s.pem"] = read(pki.cas(role))
			self.answers[f"/crl/{role}s.pem"] = read(pki.crls(role))
		self.listener = _Listener(("127.0.0.1", 0), _Handler)
		self.listener.owner = self
		self.port = self.listener.server_address[1]
		self.url = f"https://localhost:{self.port}"
		self.thread = threading.Thread(target=self.listener.serve_forever, args=(0.05,), daemon=True)
		self.thread.start()

	def issue(self, request):
		"""The file of the certificate for this request (base64), each time a new one, as the tool makes it."""
		with tempfile.NamedTemporaryFile(suffix=".csr") as file:
			file.write(b"-----BEGIN CERTIFICATE REQUEST-----\n" + request.strip() + b"\n-----END CERTIFICATE REQUEST-----\n")
			file.flush()
			name = f"{self.name}-{os.path.basename(file.name).partition('.')[0][-6:].replace('_', 'x')}"
			identity = ("--identity", self.name) if self.kind == "agent" else ()
			hosts = [option for host in self.hosts for option in ("--host", host)]
			self.pki.pki("sign", file.name, self.kind, name, *hosts, *identity)
		return f"{self.pki.dir}/issued/{name}.crt"

	def enroll(self, request):
		first = re.search(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", read(self.issue(request)), re.S)[0]
		with tempfile.NamedTemporaryFile() as leaf:
			leaf.write(first)
			leaf.flush()
			return certs_only(leaf.name)

	def secrets_seen(self):
		return [authorization for _, authorization, _ in self.requests if authorization]

	def enrolled(self):
		return [body for path, _, body in self.requests if path == ENROLL]

	def close(self):
		self.listener.shutdown()
		self.listener.server_close()
		self.thread.join()


class Proxy:
	"""Passes CONNECT on to this host, for whoever gives the credentials; asked has all that it was asked for."""

	def __init__(self, credentials=None):
		self.asked, self.expected = [], credentials and "Basic " + base64.b64encode(credentials.encode()).decode()
		self.socket = socket.create_server(("127.0.0.1", 0))
		self.port = self.socket.getsockname()[1]
		threading.Thread(target=self._accept, daemon=True).start()

	def _accept(self):
		while True:
			try:
				stream, _ = self.socket.accept()
			except OSError:
				return
			threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

	def _serve(self, stream):
		with stream, stream.makefile("rb") as lines:
			target = lines.readline().split()[1].decode()
			given = None
			while (line := lines.readline().strip()):
				name, _, value = line.decode().partition(": ")
				if name.lower() == "proxy-authorization":
					given = value
			self.asked.append((target, given))
			if given != self.expected:
				stream.sendall(b"HTTP/1.1 407 Who are you?\r\nContent-Length: 0\r\n\r\n")
				return
			with socket.create_connection(("127.0.0.1", int(target.rpartition(":")[2]))) as far:
				stream.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
				back = threading.Thread(target=self._copy, args=(far, stream), daemon=True)
				back.start()
				self._copy(stream, far)
				back.join()

	@staticmethod
	def _copy(source, target):
		try:
			while part := source.recv(65536):
				target.sendall(part)
			target.shutdown(socket.SHUT_WR)
		except OSError:
			pass

	def close(self):
		self.socket.shutdown(socket.SHUT_RDWR)
		self.socket.close()
