#!/usr/bin/env -S python3 -B
"""An agent that ends TLS itself: real clients, kinds of upstreams, both ends' endings."""
import hashlib
import os
import socket
import ssl
import threading

from lib import *
from lib.client import reset
from lib.upstream import BLOCK

NAME = "api.example.com"


def opened(scene, upstream, tls=None, workers=1, **keys):
	"""A relay and an agent that terminates NAME for this upstream."""
	relay = scene.relay(workers=workers)
	agent = scene.agent(relay, [terminate(NAME, upstream, tls, **keys)],
		authority().agent("api-agent", NAME), workers=workers)
	return relay, agent


def dial_tls(relay, **keys):
	return TlsClient(relay.port, NAME, authority().root, **keys)


@test
def real_clients_verify_the_agents_certificate(scene):
	relay, _ = opened(scene, scene.upstream(http))
	ca = authority().root
	for version in ("--tlsv1.2", "--tlsv1.3"):
		status, out, err = curl(relay.port, NAME, ca, version, "--tls-max", version[-3:])
		equal((status, out), (0, b"hello"), f"curl {version}: {err}")
	for version in ("-tls1_2", "-tls1_3"):
		status, out, err = s_client(relay.port, NAME, ca, version)
		check(status == 0 and b"hello" in out, f"s_client {version}: {status} {out} {err}")
	for priority in ("NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3"):
		status, out, err = run("gnutls-cli", "--port", relay.port, "--x509cafile", ca,
			"--sni-hostname", NAME, "--verify-hostname", NAME, "--priority", priority,
			"--logfile", f"{scene.dir}/gnutls-cli.log", "127.0.0.1", data=b"GET / HTTP/1.0\r\n\r\n")
		check(b"hello" in out, f"gnutls-cli {priority}: {status} {out} {err}")


@test
def real_clients_reach_a_tls_upstream_through_the_agent(scene):
	upstream = scene.tls_upstream(http, NAME)
	relay = scene.relay()
	scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("api-agent", NAME))
	ca = authority().root
	for version in ("--tlsv1.2", "--tlsv1.3"):
		status, out, err = curl(relay.port, NAME, ca, version, "--tls-max", version[-3:])
		equal((status, out), (0, b"hello"), f"curl {version}: {err}")
	for version in ("-tls1_2", "-tls1_3"):
		status, out, err = s_client(relay.port, NAME, ca, version)
		check(status == 0 and b"hello" in out, f"s_client {version}: {status} {out} {err}")
	status, out, err = run("gnutls-cli", "--port", relay.port, "--x509cafile", ca,
		"--sni-hostname", NAME, "--verify-hostname", NAME, "--logfile", f"{scene.dir}/log",
		"127.0.0.1", data=b"GET / HTTP/1.0\r\n\r\n")
	check(b"hello" in out, f"gnutls-cli: {status} {out} {err}")


@test
def a_hundred_megabytes_up_and_down(scene):
	relay, _ = opened(scene, scene.upstream(http), workers=2)
	size, ca = 100 << 20, authority().root
	data = os.urandom(1 << 20) * 100
	path = f"{scene.dir}/data"
	with open(path, "wb") as file:
		file.write(data)
	digest = hashlib.sha256(data).hexdigest().encode()
	upload = ("-X", "POST", "-T", path)
	status, out, err = curl(relay.port, NAME, ca, *upload, path="/up")
	equal((status, out), (0, digest), f"up: {err}")
	status, out, err = curl(relay.port, NAME, ca, path=f"/bytes/{size}")
	equal((status, hashlib.sha256(out).digest()), (0, hashlib.sha256(BLOCK * 100).digest()), f"down: {err}")


@test
def a_hundred_megabytes_there_and_back(scene):
	relay, _ = opened(scene, scene.upstream(echo))
	piece = os.urandom(1 << 18)
	size, window = 400 * len(piece), 16 * len(piece)
	digest, sent, received = hashlib.sha256(), 0, 0
	with dial_tls(relay, timeout=60) as client:
		while received < size:
			while sent < size and sent - received < window:
				client.sendall(piece)
				sent += len(piece)
			part = client.recv(1 << 18)
			check(part, f"the end after {received} bytes")
			digest.update(part)
			received += len(part)
	equal(digest.hexdigest(), hashlib.sha256(piece * 400).hexdigest())


@test
def the_client_may_end_first(scene):
	def serve(stream):
		count, digest = drained(stream)
		stream.sendall(f"{count} {digest}".encode())

	relay, _ = opened(scene, scene.upstream(serve))
	data = os.urandom(1 << 20)
	for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
		with dial_tls(relay, version=version) as client:
			client.sendall(data)
			client.finish()
			equal(client.recv(), f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode(), str(version))
			equal(client.recv(), b"", "after the answer")


@test
def the_upstream_may_end_first(scene):
	got = []

	def serve(stream):
		stream.sendall(b"this is all that I say")
		stream.shutdown(socket.SHUT_WR)
		got.append(drained(stream))

	relay, _ = opened(scene, scene.upstream(serve))
	data = os.urandom(1 << 20)
	with dial_tls(relay) as client:
		equal(client.recv(), b"this is all that I say")
		equal(client.recv(), b"", "the upstream's end")
		client.sendall(data)
		client.finish()
		until(lambda: got, what="the upstream has everything")
	equal(got[0], (len(data), hashlib.sha256(data).hexdigest()))


def how_the_upstream_sees_a_client_without_close_notify(scene, ending, **keys):
	ended = []

	def serve(stream):
		stream.sendall(b"go")
		ended.append(closed_how(stream))

	relay, _ = opened(scene, scene.upstream(serve), **keys)
	client = dial_tls(relay)
	equal(client.recv(), b"go")
	ending(client.socket)
	until(lambda: ended, what="the upstream sees the end")
	return ended[0]


@test
def a_client_that_ends_without_close_notify_resets_the_upstream(scene):
	equal(how_the_upstream_sees_a_client_without_close_notify(scene, lambda s: s.close()), "reset")


@test
def unless_the_endpoint_says_fin(scene):
	equal(how_the_upstream_sees_a_client_without_close_notify(scene, lambda s: s.close(),
		eof_without_close_notify="fin"), "fin")


@test
def a_clients_reset_reaches_the_upstream(scene):
	equal(how_the_upstream_sees_a_client_without_close_notify(scene, reset), "reset")


@test
def an_upstreams_reset_is_no_clean_end(scene):
	heard = threading.Event()

	def serve(stream):
		stream.sendall(b"go")
		heard.wait(15)
		reset(stream)

	relay, _ = opened(scene, scene.upstream(serve))
	with dial_tls(relay) as client:
		equal(client.recv(), b"go")
		heard.set()
		fails((ConnectionResetError, EOFError, ssl.SSLError), client.recv)


@test
def a_unix_socket_may_be_the_upstream(scene):
	relay, _ = opened(scene, scene.unix_upstream(http))
	status, out, err = curl(relay.port, NAME, authority().root)
	equal((status, out), (0, b"hello"), err)


@test
def a_tls_upstream_is_verified(scene):
	inner = "inner.example.com"
	upstream = scene.tls_upstream(http, inner)
	url = f"tls://127.0.0.1:{upstream.port}"
	relay, _ = opened(scene, {"url": url, "cas": authority().root, "server_name": inner})
	status, out, err = curl(relay.port, NAME, authority().root)
	equal((status, out), (0, b"hello"), err)


@test
def a_tls_upstream_with_another_name_is_not_served_from(scene):
	upstream = scene.tls_upstream(http, "inner.example.com")
	url = f"tls://127.0.0.1:{upstream.port}"
	relay, _ = opened(scene, {"url": url, "cas": authority().root, "server_name": "wrong.example.com"})
	status, out, err = curl(relay.port, NAME, authority().root)
	check(status != 0 and out == b"", f"{status} {out} {err}")


@test
def tells_the_upstream_the_client_by_proxy_header(scene):
	first = []
	upstream = scene.upstream(lambda s: first.append(s.recv(1000)))
	names = {1: "v1.example.com", 2: "v2.example.com"}
	relay = scene.relay()
	scene.agent(relay, [terminate(name, {"url": upstream.url, "proxy_protocol": version})
		for version, name in names.items()], authority().agent("proxy-agent", *names.values()))
	for version, name in names.items():
		with TlsClient(relay.port, name, authority().root) as client:
			port = client.socket.getsockname()[1]
			client.sendall(b"GET")
			until(lambda: first, what="the upstream has the header")
			header = first.pop()
		if version == 1:
			wanted = f"PROXY TCP4 127.0.0.1 127.0.0.1 {port} {relay.port}\r\n".encode()
			equal(header[:len(wanted)], wanted, "PROXY v1")
		else:
			equal(header[:14], b"\r\n\r\n\0\r\nQUIT\n\x21\x11", "PROXY v2")
			equal(header[16:28], b"\x7f\0\0\1\x7f\0\0\1" + port.to_bytes(2, "big")
				+ relay.port.to_bytes(2, "big"), "addresses in PROXY v2")
			equal(header[28:45], b"\x02\0\x0e" + name.encode(), "the authority in PROXY v2")


@test
def an_upstream_that_is_down_gives_no_clean_end(scene):
	gone = scene.upstream(echo)
	gone.close()
	relay, _ = opened(scene, gone)
	status, out, err = curl(relay.port, NAME, authority().root)
	check(status != 0 and out == b"", f"{status} {out} {err}")


@test
def a_broken_handshake_opens_no_upstream(scene):
	upstream = scene.upstream(echo)
	relay, agent = opened(scene, upstream)
	with dial(relay.port, hello(NAME)) as client:
		client.sendall(b"\x17\x03\x03\x00\x05wrong")
		while client.recv(65536):
			pass
	status, _, _ = run("openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-servername",
		NAME, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", data=b"")
	check(status != 0, "TLS 1.1 is refused")
	equal(upstream.seen, 0, "connections that the upstream saw")
	status, _, err = curl(relay.port, "other.example.com", authority().root)
	check("unrecognized name" in err, f"another name: {status} {err}")


main()
