"""The packages in a tree, and clients who come while something happens to them."""
import glob
import subprocess
import threading

from trees import *

BINARIES = ["valise-agent", "valise-common", "valise-doc", "valise-pki", "valise-relay", "valise-sni"]
OLD = "0.0.9"	# what is upgraded
CLIENTS = 4
NAME = "app.example.com"


def debs(suite, of):
	"""As tests/package/debian.t has built them."""
	return sorted(glob.glob(f"{BUILT}/{suite}/debs-{of}/*.deb"))


def put_debs(tree):
	"""Into /debs/old and /debs/new, and the world of the package's own test beside them."""
	for path in debs(tree.suite, OLD) + debs(tree.suite, version()):
		if "-dbgsym" not in path:
			tree.put(path, "/debs/old" if f"_{OLD}-" in path else "/debs/new")
	tree.put("packaging/debian/tests/world", "/debs")


def world(tree, command):
	return tree.run("bash", "-c", f"set -eu; . /debs/world; logs=/tmp; {command}")[1]


def pids(tree, program):
	return [int(pid) for pid in tree.run("pidof", program, may_fail=True)[1].split()]


def versions(tree):
	"""What each running daemon says that it is."""
	return [world(tree, f"as valise-{daemon} valise-{daemon} status") for daemon in ("relay", "agent")]


class Load:
	"""Clients that come again and again, each for a page of the service."""

	def __init__(self, tree):
		shutil.copy(tree.path + "/var/lib/valise-pki/ca/root.crt", tree.path + "/root.crt")
		self.tree, self.failures, self.served = tree, [], 0
		self.over = threading.Event()
		self.threads = [threading.Thread(target=self.come, daemon=True) for _ in range(CLIENTS)]
		for thread in self.threads:
			thread.start()

	def come(self):
		while not self.over.is_set():
			status, out = self.tree.run("curl", "-sS", "--fail", "--max-time", "30", "--cacert", "/root.crt", f"https://{NAME}/page",
				may_fail=True)
			if (status, out) == (0, "sealed\n"):
				self.served += 1
			else:
				self.failures.append((status, out))

	def served_more(self):
		"""Waits until each client has come again, so that what changes next does so under load."""
		wanted = self.served + 2 * CLIENTS
		until(lambda: self.served >= wanted or self.failures, 120, "clients are served")
		equal(self.failures[:3], [], f"clients that failed, besides {self.served} that were served")

	def end(self):
		self.over.set()
		for thread in self.threads:
			thread.join()
		equal(self.failures[:3], [], f"clients that failed, besides {self.served} that were served")


def serve(tree):
	"""The service behind the agent: many clients at once, which the openssl of the package's own test is not made for."""
	script = """
import http.server, ssl
class Page(http.server.SimpleHTTPRequestHandler):
	def do_GET(self):
		self.send_response(200)
		self.send_header("Content-Length", "7")
		self.end_headers()
		self.wfile.write(b"sealed\\n")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8443), Page)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("app.crt", "app.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
print("up", flush=True)
server.serve_forever()
"""
	service = subprocess.Popen(["nsenter", f"--net=/proc/{tree.network}/ns/net", sys.executable, "-c", script],
		cwd=f"{tree.path}/var/lib/valise-pki/ca/issued", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
	equal(service.stdout.readline(), b"up\n")
