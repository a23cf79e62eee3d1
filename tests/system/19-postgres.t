#!/usr/bin/env -S python3 -B
"""PostgreSQL by SNI: psql and a real server, over static routes and agents."""
import glob
import os
import pwd
import shutil
import socket
import struct
import subprocess
import sys

from lib import *
from lib.scene import free_port, merged, passthrough, terminate
from lib.upstream import skip_hello

DIRECTORIES = [*sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True), *os.environ["PATH"].split(":")]
NAME = "db.example.com"
SSL, GSSENC = struct.pack(">II", 8, 80877103), struct.pack(">II", 8, 80877104)
CANCEL = struct.pack(">IIII", 16, 80877102, 4711, 42)
STARTUP = struct.pack(">II", 23, 196608) + b"user\0valise\0\0\0"


def program(name):
	return next((f"{place}/{name}" for place in DIRECTORIES if os.access(f"{place}/{name}", os.X_OK)), None)


class Postgres:
	"""A server with one table and its own certificate. It does not run as root, so it may have to be nobody."""

	def __init__(self, scene, *options):
		self.port, self.dir = free_port(), f"{scene.dir}/postgres-{len(options)}"
		self.user = "nobody" if os.geteuid() == 0 else None
		os.mkdir(self.dir, 0o700)
		os.chmod(scene.dir, 0o755)
		for source, name in zip(authority().server(NAME), ("server.crt", "server.key")):
			shutil.copy(source, f"{self.dir}/{name}")
			os.chmod(f"{self.dir}/{name}", 0o600)
		if self.user:
			for path in (self.dir, *glob.glob(f"{self.dir}/*")):
				os.chown(path, pwd.getpwnam(self.user).pw_uid, -1)
		self._run("initdb", "-D", f"{self.dir}/data", "-A", "trust", "-U", "valise", "--no-sync")
		self.log = open(f"{self.dir}.log", "wb")
		self.process = subprocess.Popen([program("postgres"), "-D", f"{self.dir}/data", "-p", str(self.port), "-h",
			"127.0.0.1", "-k", "", "-F", "-c", f"ssl_cert_file={self.dir}/server.crt",
			"-c", f"ssl_key_file={self.dir}/server.key", *options], user=self.user, cwd="/", stdout=self.log,
			stderr=self.log)
		until(lambda: self._answers(), 60, "the server answers")

	def _run(self, name, *arguments):
		done = subprocess.run([program(name), *arguments], user=self.user, cwd="/", capture_output=True)
		check(done.returncode == 0, f"{name}: {done.stderr}")

	def _answers(self):
		return subprocess.run([program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0

	@property
	def url(self):
		return f"tcp://127.0.0.1:{self.port}"

	def close(self):
		self.process.terminate()
		self.process.wait()
		self.log.close()


def with_server(*options):
	def of(function):
		def one(scene):
			server = Postgres(scene, *options)
			try:
				function(scene, server)
			finally:
				server.close()
		one.__name__ = function.__name__
		return test(one)
	return of


def psql(port, question, name=NAME, **keys):
	words = {"host": name, "hostaddr": "127.0.0.1", "port": port, "dbname": "postgres", "user": "valise",
		"sslmode": "verify-full", "sslrootcert": authority().root, "connect_timeout": 20, **keys}
	status, out, err = run(program("psql"), "-X", "-A", "-t", "-c", question,
		" ".join(f"{key}={value}" for key, value in words.items()))
	return status, out.strip(), err


ENCRYPTED = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
LISTENER = {"protocols": ["tls", "postgres"]}


def answers(port, ssl):
	status, out, err = psql(port, ENCRYPTED)
	equal((status, out), (0, ssl), f"psql: {err}")
	status, out, err = psql(port, "select count(*), sum(length(repeat('x', 1000))) from generate_series(1, 20000)")
	equal((status, out), (0, b"20000|20000000"), f"psql: {err}")


@with_server("-c", "ssl=on")
def psql_goes_by_its_name_to_a_static_upstream(scene, server):
	relay = scene.relay(listener=LISTENER, routes=[route(NAME, server.url, starttls="postgres")])
	answers(relay.port, b"t")
	status, _, err = psql(relay.port, "select 1", name="other.example.com")
	check(status != 0 and "unrecognized name" in err, f"a name without a route: {err}")
	status, _, err = psql(relay.port, "select 1", sslmode="disable")
	check(status != 0, "psql without TLS got through")
	refused = relay.wait_event("hello-refused", code="not-tls")[0]
	check("without TLS" in refused["reason"], refused)


@with_server("-c", "ssl=on")
def psql_goes_over_an_agent_to_the_servers_own_tls(scene, server):
	relay = scene.relay(listener=LISTENER)
	scene.agent(relay, [passthrough(NAME, {"url": server.url, "starttls": "postgres"})], authority().agent("pg", NAME))
	answers(relay.port, b"t")


@with_server("-c", "ssl=off")
def psql_goes_to_an_agent_that_ends_tls(scene, server):
	relay = scene.relay(listener=LISTENER)
	scene.agent(relay, [terminate(NAME, server.url)], authority().agent("pg", NAME))
	answers(relay.port, b"f")


@with_server("-c", "ssl=on")
def an_agent_that_ends_tls_may_do_it_anew(scene, server):
	relay = scene.relay(listener=LISTENER)
	upstream = {"url": f"tls://127.0.0.1:{server.port}", "starttls": "postgres", "server_name": NAME,
		"cas": [authority().root]}
	scene.agent(relay, [terminate(NAME, upstream)], authority().agent("pg", NAME))
	answers(relay.port, b"t")


@with_server("-c", "ssl=off")
def a_server_without_tls_is_told_of(scene, server):
	relay = scene.relay(listener=LISTENER, routes=[route("static.example.com", server.url, starttls="postgres")])
	agent = scene.agent(relay, [passthrough(NAME, {"url": server.url, "starttls": "postgres"})],
		authority().agent("pg", NAME))
	for name in (NAME, "static.example.com"):
		status, _, err = psql(relay.port, "select 1", name=name)
		check(status != 0, f"{name}: {err}")
	refused = relay.wait_event("flow-refused", server_name="static.example.com")[0]
	check("turn its ssl on" in refused["error"], refused)
	until(lambda: "turn its ssl on" in agent.log_text(), what="the agent says it, too")


def says(word):
	def serve(stream):
		skip_hello(stream)
		stream.sendall(word)
	return serve


@test
def a_preface_is_answered_and_then_it_is_tls(scene):
	relay = scene.relay(listener=LISTENER, routes=[route(NAME, scene.upstream(says(b"there")))])
	with dial(relay.port, hello(NAME)) as client:
		equal(read_exactly(client, 5), b"there", "TLS without a preface")
	with dial(relay.port, GSSENC) as client:
		equal(client.recv(9), b"N", "answer to GSSENCRequest")
		client.sendall(SSL)
		equal(client.recv(9), b"S", "answer to SSLRequest")
		client.sendall(hello(NAME))
		equal(read_exactly(client, 5), b"there", "what is behind it")
	with dial(relay.port) as client:
		for byte in SSL:
			client.sendall(bytes([byte]))
		equal(client.recv(9), b"S", "answer to single bytes")
		client.sendall(hello("none.example.com"))
		equal(alert_of(client), 112, "an unknown name")
	with dial(relay.port, SSL) as client:
		equal(client.recv(9), b"S", "answer to SSLRequest")
		client.sendall(SSL)
		equal(closed_how(client), "fin", "SSLRequest where TLS must be")


@test
def what_cannot_be_trusted_or_routed_is_refused(scene):
	upstream = scene.upstream(says(b"there"))
	relay = scene.relay(listener=LISTENER, routes=[route(NAME, upstream)])
	plain = scene.relay("plain", routes=[route(NAME, upstream)])
	for first, what in ((SSL + b"\x16", "a byte behind SSLRequest"), (SSL + hello(NAME), "a hello behind SSLRequest"),
			(SSL + SSL, "two at once"), (GSSENC + SSL, "SSLRequest behind GSSENCRequest"), (CANCEL, "CancelRequest"),
			(STARTUP, "StartupMessage"), (b"\0\0\0\x09" + SSL[4:] + b"x", "a wrong length")):
		with dial(relay.port, first) as client:
			equal(closed_how(client), "fin", what)
	with dial(relay.port, GSSENC) as client:
		equal(client.recv(9), b"N", "answer to GSSENCRequest")
		client.sendall(GSSENC)
		equal(closed_how(client), "fin", "GSSENCRequest again")
	with dial(plain.port, SSL) as client:
		equal(closed_how(client), "fin", "where only TLS is spoken")
	equal(upstream.seen, 0, "connections that the upstream saw")


@test
def a_reload_turns_it_on(scene):
	relay = scene.relay(routes=[route(NAME, scene.upstream(says(b"there")))])
	with dial(relay.port, SSL) as client:
		equal(closed_how(client), "fin", "before")
	relay.write(merged(relay.settings, {"listeners": [merged(relay.settings["listeners"][0], LISTENER)]}))
	relay.reload()
	relay.wait_event("reloaded")

	def is_on():
		with dial(relay.port, SSL) as client:
			return client.recv(9) == b"S"
	until(is_on, what="a worker has the new settings")


def answering(word):
	def serve(stream):
		equal(read_exactly(stream, 8), SSL, "what the upstream is asked")
		stream.sendall(word)
		stream.recv(100)
	return serve


@test
def an_upstream_must_say_yes_and_nothing_more(scene):
	words = {"no": b"N", "more": b"S\x15", "error": b"E\0\0\0\4", "closed": b""}
	relay = scene.relay(routes=[route(f"{name}.example.com", scene.upstream(
		answering(word) if word else lambda stream: stream.recv(8)), starttls="postgres") for name, word in words.items()])
	for name in words:
		with dial(relay.port, hello(f"{name}.example.com")) as client:
			equal(alert_of(client), 80, name)
	told = {line["server_name"]: line["error"] for line in relay.wait_event("flow-refused", count=len(words))}
	check("turn its ssl on" in told["no.example.com"], told)
	check("in clear behind its S" in told["more.example.com"], told)
	check("as PostgreSQL does" in told["error.example.com"], told)
	check("closed when it was asked" in told["closed.example.com"], told)


@test
def the_proxy_header_comes_before_the_request(scene):
	first = []

	def serve(stream):
		line = b""
		while not line.endswith(b"\r\n"):
			line += stream.recv(1)
		first.append((line, read_exactly(stream, 8)))
		stream.sendall(b"S")
		skip_hello(stream)
		stream.sendall(b"there")
	relay = scene.relay(routes=[route(NAME, scene.upstream(serve), starttls="postgres", proxy_protocol=1)])
	wire = hello(NAME)
	with dial(relay.port, wire) as client:
		port = client.getsockname()[1]
		equal(read_exactly(client, 5), b"there", "answer")
	equal(relay.wait_event("flow-closed")[0]["bytes_in"], len(wire), "bytes of the client's")
	equal(first, [(f"PROXY TCP4 127.0.0.1 127.0.0.1 {port} {relay.port}\r\n".encode(), SSL)], "what came first")


missing = [name for name in ("initdb", "postgres", "pg_isready", "psql") if not program(name)]
if missing:
	print(f"1..0 # SKIP not installed: {', '.join(missing)}")
	sys.exit(0)
main()
