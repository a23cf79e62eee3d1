#!/usr/bin/env -S python3 -B
"""A relay with static routes: the label is read, the rest passes unchanged."""
import socket

from lib import *
from lib.scene import free_port

NAME = "app.example.com"


def sealed(scene, serve, **settings):
	"""A relay that routes NAME to an upstream which runs `serve`."""
	upstream = scene.upstream(serve)
	return scene.relay(routes=[route(NAME, upstream)], **settings), upstream


@test
def real_clients_reach_a_tls_upstream(scene):
	upstream = scene.tls_upstream(http, NAME)
	relay = scene.relay(routes=[route(NAME, upstream)])
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
def names_match_without_case_and_by_wildcard(scene):
	exact = scene.upstream(lambda s: s.sendall(b"exact"))
	wild = scene.upstream(lambda s: s.sendall(b"wild"))
	longer = scene.upstream(lambda s: s.sendall(b"longer"))
	deep = scene.upstream(lambda s: s.sendall(b"deep"))
	relay = scene.relay(routes=[route("shop.example.com", exact), route("*.example.com", wild),
		route("*.sub.example.com", longer), dict(route("*.deep.example.org", deep), depth="any")])
	for name, answer in (("shop.example.com", b"exact"), ("SHOP.Example.COM", b"exact"),
			("other.example.com", b"wild"), ("a.sub.example.com", b"longer"),
			("a.b.deep.example.org", b"deep")):
		with dial(relay.port, hello(name)) as client:
			equal(read_exactly(client, len(answer)), answer, name)
	for name in ("example.com", "a.b.example.com", "a.b.sub.example.com"):
		with dial(relay.port, hello(name)) as client:
			equal(alert_of(client), 112, name)


@test
def refuses_with_the_alert_that_says_why(scene):
	relay, upstream = sealed(scene, echo)
	wire = hello(NAME)
	malformed = wire[:5] + b"\x01" + (len(wire)).to_bytes(3, "big") + wire[9:]
	for first, wanted, why in (
			(hello("unknown.example.com"), 112, "unknown_name"),
			(hello(None), 112, "no_name"),
			(hello("localhost", alpn=["h2"]), 120, "the connect name with a foreign ALPN"),
			(hello("localhost"), 120, "the connect name without ALPN"),
			(wire[:3] + b"\x40\x01" + wire[5:], 22, "a record that is too long"),
			(wire[:5] + b"\x02" + wire[6:], 10, "a ServerHello"),
			(wire[:3] + b"\0\0" + wire, 10, "an empty handshake record")):
		with dial(relay.port, first) as client:
			equal(alert_of(client), wanted, why)
	for first in (b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x80\x2e\x01\0\x02"):
		with dial(relay.port, first) as client:
			equal(closed_how(client), "fin", f"not TLS: {first}")
	equal(upstream.seen, 0, "connections that the upstream saw")


@test
def real_clients_understand_the_refusal(scene):
	relay, _ = sealed(scene, echo)
	status, _, err = curl(relay.port, "unknown.example.com", authority().root)
	check(status == 35 and "unrecognized name" in err, f"curl: {status} {err}")
	_, _, err = s_client(relay.port, "unknown.example.com", authority().root)
	check("unrecognized name" in err and "number 112" in err, f"s_client: {err}")


@test
def refuses_as_configured(scene):
	default = scene.upstream(lambda s: s.sendall(b"default"))
	relay = scene.relay(routes=[route(NAME, default)],
		refuse={"unknown_name": "close", "no_name": "reset", "not_tls": "route:" + NAME,
			"malformed": "close"})
	with dial(relay.port, hello("unknown.example.com")) as client:
		equal(closed_how(client), "fin", "unknown_name: close")
	with dial(relay.port, hello(None)) as client:
		equal(closed_how(client), "reset", "no_name: reset")
	with dial(relay.port, b"SSH-2.0-OpenSSH_9.2\r\n") as client:
		equal(read_exactly(client, 7), b"default", "not_tls: route")
	with dial(relay.port, hello(NAME)[:5] + b"\x02" * 300) as client:
		equal(closed_how(client), "fin", "malformed: close")


@test
def an_upstream_that_is_down_gives_alert_80(scene):
	gone = scene.upstream(echo)
	gone.close()
	relay = scene.relay(routes=[route(NAME, gone)])
	with dial(relay.port, hello(NAME)) as client:
		equal(alert_of(client), 80)


@test
def tells_the_upstream_the_client_by_proxy_header(scene):
	first = []
	one = scene.upstream(lambda s: first.append(s.recv(1000)))
	relay = scene.relay(routes=[route("v1.example.com", one, proxy_protocol=1),
		route("v2.example.com", one, proxy_protocol=2)])
	with dial(relay.port, hello("v1.example.com")) as client:
		port = client.getsockname()[1]
		until(lambda: first, what="the upstream has the header")
		wanted = f"PROXY TCP4 127.0.0.1 127.0.0.1 {port} {relay.port}\r\n".encode()
		equal(first.pop()[:len(wanted)], wanted, "PROXY v1")
	with dial(relay.port, hello("v2.example.com")) as client:
		port = client.getsockname()[1]
		until(lambda: first, what="the upstream has the header")
		header = first.pop()
		equal(header[:14], b"\r\n\r\n\0\r\nQUIT\n\x21\x11", "PROXY v2")
		equal(header[16:28], b"\x7f\0\0\1\x7f\0\0\1" + port.to_bytes(2, "big")
			+ relay.port.to_bytes(2, "big"), "addresses in PROXY v2")


@test
def believes_the_proxy_header_of_trusted_proxies_only(scene):
	first = []
	one = scene.upstream(lambda s: first.append(s.recv(1000)))
	routes = [route(NAME, one, proxy_protocol=1)]
	trusting = scene.relay("trusting", routes=routes, listener={"trusted_proxies": ["127.0.0.0/8"]})
	plain = scene.relay("plain", routes=routes)
	v1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"
	v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([192, 0, 2, 7, 198, 51, 100, 1]) \
		+ (4711).to_bytes(2, "big") + (443).to_bytes(2, "big")
	for header in (v1, v2):
		with dial(trusting.port, header + hello(NAME)) as client:
			until(lambda: first, what="the upstream has the header")
			equal(first.pop()[:len(v1)], v1, "what the upstream is told")
		with dial(plain.port, header + hello(NAME)) as client:
			equal(closed_how(client), "fin", "a header from others is no TLS")
	with dial(trusting.port, hello(NAME)) as client:
		equal(alert_of(client), 49, "a trusted proxy without a header")
	equal(first, [], "what reached the upstream besides")


def has_ipv6():
	try:
		socket.create_server(("::1", 0), family=socket.AF_INET6).close()
		return True
	except OSError:
		return False


@test
def a_listener_for_both_families_calls_ipv4_by_its_name(scene):
	first = []
	one = scene.upstream(lambda s: first.append(s.recv(1000)))
	port = free_port()
	everywhere = "[::]" if has_ipv6() else "0.0.0.0"
	relay = scene.relay(port=port, listener={"address": f"{everywhere}:{port}"},
		routes=[route(NAME, one, proxy_protocol=1)])
	with dial(port, hello(NAME)):
		until(lambda: first, what="the upstream has the header")
	check(first[0].startswith(b"PROXY TCP4 127.0.0.1 127.0.0.1 "), f"{first[0]!r}")
	relay.wait_event("flow-closed")
	check(relay.events("flow-closed")[0]["client"].startswith("127.0.0.1:"), "the log says so too")


@test
def every_stream_of_the_corpus_is_treated_as_its_row_says(scene):
	got = []

	def serve(stream):
		got.append(stream.recv(1 << 20, socket.MSG_WAITALL))

	default = scene.upstream(serve)
	certificate, key = authority().issue("relay", "elsewhere", "--host", "connect.example.net")
	relay = scene.relay(routes=[route("default.example.com", default)],
		connect={"server_name": "connect.example.net", "certificate": certificate, "private_key": key},
		refuse={"unknown_name": "route:default.example.com", "no_name": "route:default.example.com"},
		limits={"hello_timeout": "1s"})
	folder = "tests/corpus/clienthello"
	with open(f"{folder}/manifest.tsv") as manifest:
		columns = manifest.readline().rstrip("\n").split("\t")
		rows = [dict(zip(columns, line.rstrip("\n").split("\t"))) for line in manifest]
	judged = 0
	for row in rows:
		if row["strict"] != "must" or row["verdict"] == "incomplete":
			continue
		with open(f"{folder}/{row['file']}", "rb") as file:
			stream = file.read()
		del got[:]
		with dial(relay.port) as client:
			try:
				client.sendall(stream)
				client.shutdown(socket.SHUT_WR)
			except OSError:
				check(row["verdict"] != "complete", f"{row['file']} was cut off")
			if row["verdict"] == "complete":
				until(lambda: got, what=f"{row['file']} reaches the upstream")
				equal(got[0], stream, row["file"])
			else:
				answer = closed_how(client)
				check(answer == "fin" if row["verdict"] == "not-tls" else
					isinstance(answer, bytes) and answer[0] == 0x15, f"{row['file']}: {answer}")
				equal(got, [], f"{row['file']} reached the upstream")
		judged += 1
	check(judged > 150, f"{judged} rows judged")


main()
