"""Proxies by which an agent gets out: one of our own, that knows every name, and those that people run."""
import base64
import os
import shutil
import signal
import socket
import threading

from .process import Daemon
from .tap import skip, until
from .upstream import Upstream, read_exactly


def _read_head(stream):
	head = b""
	while not head.endswith(b"\r\n\r\n"):
		head += read_exactly(stream, 1)
	return head.decode()


def _copy(source, target):
	try:
		while part := source.recv(65536):
			target.sendall(part)
		target.shutdown(socket.SHUT_WR)
	except OSError:
		pass


class OwnProxy(Upstream):
	"""HTTP CONNECT and SOCKS5 on one port, over TLS with `tls`; each name is this host. `asked` has (target, user) of
	each request, a user None where none was told, and `clients` their addresses; who does not tell `user` ("name:password") is refused.
	After `lets_live` seconds it ends what it has connected."""

	def __init__(self, user=None, lets_live=None, **keys):
		self.user, self.asked, self.clients, self.refuses_with, self.lets_live = user, [], [], None, lets_live
		super().__init__(self._serve, **keys)

	def _serve(self, stream):
		self.clients.append(stream.getpeername())
		first = read_exactly(stream, 1)
		if first == b"\x05":
			self._serve_socks(stream)
		else:
			self._serve_http(stream, first)

	def _lead(self, stream, host, port, answer):
		with socket.create_connection((host if host.replace(".", "").isdigit() else "127.0.0.1", port)) as far:
			stream.sendall(answer)
			back = threading.Thread(target=_copy, args=(far, stream), daemon=True)
			back.start()
			if self.lets_live:
				threading.Timer(self.lets_live, stream.shutdown, [socket.SHUT_RDWR]).start()
			_copy(stream, far)
			back.join()

	def _serve_http(self, stream, first):
		lines = (first.decode() + _read_head(stream)).split("\r\n")
		target = lines[0].split()[1]
		told = [line.split(" ", 2)[2] for line in lines if line.startswith("Proxy-Authorization: Basic ")]
		user = base64.b64decode(told[0]).decode() if told else None
		self.asked.append((target, user))
		if self.refuses_with:
			stream.sendall(f"HTTP/1.1 {self.refuses_with}\r\n\r\n".encode())
		elif user != self.user:
			stream.sendall(b"HTTP/1.1 407 Who are you?\r\nProxy-Authenticate: Basic\r\n\r\n")
		else:
			host, _, port = target.rpartition(":")
			self._lead(stream, host, int(port), b"HTTP/1.1 200 Connection established\r\n\r\n")

	def _serve_socks(self, stream):
		methods = read_exactly(stream, read_exactly(stream, 1)[0])
		user = None
		if 2 in methods and self.user:
			stream.sendall(b"\x05\x02")
			read_exactly(stream, 1)
			user = read_exactly(stream, read_exactly(stream, 1)[0]).decode()
			user += ":" + read_exactly(stream, read_exactly(stream, 1)[0]).decode()
			stream.sendall(b"\x01\x00" if user == self.user else b"\x01\x01")
		else:
			stream.sendall(b"\x05\x00")
		kind = read_exactly(stream, 4)[3]
		if kind == 3:
			host = read_exactly(stream, read_exactly(stream, 1)[0]).decode()
		else:
			host = socket.inet_ntop(*((socket.AF_INET, read_exactly(stream, 4)) if kind == 1
				else (socket.AF_INET6, read_exactly(stream, 16))))
		port = int.from_bytes(read_exactly(stream, 2), "big")
		self.asked.append((f"{host}:{port}", user))
		if user == self.user:
			self._lead(stream, host, port, b"\x05\x00\x00\x01" + bytes(6))

	def cut(self):
		"""All connections end; new ones are taken."""
		for stream in list(self.open):
			try:
				stream.shutdown(socket.SHUT_RDWR)
			except OSError:
				pass


# ---- those of others ----

def _write(scene, name, text):
	path = f"{scene.dir}/{name}"
	with open(path, "w") as file:
		file.write(text)
	return path


def tinyproxy(scene, port, address="127.0.0.1", user=None, most=100):
	name, _, password = (user or "").partition(":")
	config = _write(scene, f"tinyproxy-{port}.conf",
		f"Port {port}\nListen {address}\nTimeout 600\nMaxClients {most}\nLogLevel Warning\n" +
		(f"BasicAuth {name} {password}\n" if user else ""))
	return ["tinyproxy", "-d", "-c", config]


def privoxy(scene, port, address="127.0.0.1", user=None, most=100):
	config = _write(scene, f"privoxy-{port}.conf",
		f"listen-address {address}:{port}\nconfdir /etc/privoxy\nlogdir {scene.dir}\nmax-client-connections {most}\n"
		"keep-alive-timeout 300\nsocket-timeout 300\ntoggle 0\n")
	return ["privoxy", "--no-daemon", config]


def microsocks(scene, port, address="127.0.0.1", user=None, most=None):
	name, _, password = (user or "").partition(":")
	return ["microsocks", "-i", address, "-p", str(port)] + (["-u", name, "-P", password] if user else [])


def dante(scene, port, address="127.0.0.1", user=None, most=None):
	interface = "lo" if address.startswith("127.") else address
	config = _write(scene, f"dante-{port}.conf",
		f"logoutput: {scene.dir}/dante-{port}.log\ninternal: {address} port = {port}\nexternal: {interface}\n"
		"clientmethod: none\nsocksmethod: none\nuser.unprivileged: nobody\n"
		"client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }\nsocks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }\n")
	return ["danted", "-f", config]


def _answers(address, port):
	try:
		socket.create_connection((address, port), 1).close()
		return True
	except OSError:
		return False


def _family(pid):
	"""Its descendants, and itself at last: some proxies serve in processes of their own."""
	children = []
	for task in os.listdir(f"/proc/{pid}/task"):
		with open(f"/proc/{pid}/task/{task}/children") as file:
			children += map(int, file.read().split())
	return [one for child in children for one in _family(child)] + [pid]


def signal_proxy(daemon, number):
	for pid in _family(daemon.pid):
		os.kill(pid, number)


def kill_proxy(daemon):
	signal_proxy(daemon, signal.SIGKILL)
	daemon.process.wait()


def start_proxy(scene, make, port, label="proxy", address="127.0.0.1", **keys):
	"""One of the above, as a daemon that answers."""
	argv = make(scene, port, address, **keys)
	program = shutil.which(argv[0], path=os.environ["PATH"] + ":/usr/sbin")
	if not program:
		skip(f"{argv[0]} is not installed")
	daemon = Daemon(label, [program] + argv[1:], scene.dir)
	scene.daemons.append(daemon)
	daemon.start(wait_ready=False)
	daemon.expected = None	# each ends in its own way
	until(lambda: _answers(address, port), what=f"{argv[0]} answers")
	return daemon
