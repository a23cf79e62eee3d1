#!/usr/bin/env -S python3 -B
"""Static routes that are not for everybody."""
from lib import *
from lib.scene import free_port
from lib.upstream import skip_hello

NAME = "app.example.com"


def says(word):
	def serve(stream):
		skip_hello(stream)
		stream.sendall(word)
	return serve


def answer_at(port, first, source=None):
	"""What the upstream says, or the alert's number."""
	with dial(port, first, source=source) as client:
		data = b""
		while part := client.recv(100):
			data += part
	return data[6] if data[:1] == b"\x15" and len(data) == 7 else data


@test
def a_route_is_for_the_clients_that_it_names(scene):
	other_port = free_port()
	inside, outside, wild = (scene.upstream(says(word)) for word in (b"inside", b"outside", b"wildcard"))
	port = free_port()
	relay = scene.relay(port=port, listeners=[{"address": f"127.0.0.1:{port}"}, {"address": f"127.0.0.1:{other_port}"}],
		routes=[dict(route(NAME, inside), sources=["127.0.0.2"], listeners=[f"127.0.0.1:{port}"]),
			dict(route(NAME, outside), sources=["127.0.0.2", "127.0.0.4/30"]),
			route("*.example.com", wild),
			dict(route("only.example.org", inside), sources=["127.0.0.2"])])
	for source, at, name, wanted in (
			("127.0.0.2", port, NAME, b"inside"), ("127.0.0.2", other_port, NAME, b"outside"),
			("127.0.0.7", port, NAME, b"outside"), ("127.0.0.8", port, NAME, b"wildcard"),
			("127.0.0.2", port, "only.example.org", b"inside"), ("127.0.0.8", port, "only.example.org", 112),
			("127.0.0.2", port, "none.example.org", 112)):
		equal(answer_at(at, hello(name), source), wanted, f"{name} from {source} at {at}")
	until(lambda: len(relay.events("flow-refused")) == 2, what="both refusals are in the log")
	told = {line["server_name"]: line for line in relay.events("flow-refused")}
	equal(told["only.example.org"]["code"], "unknown-name")
	check("do not fit" in told["only.example.org"]["error"], told["only.example.org"])
	check("error" not in told["none.example.org"], told["none.example.org"])


@test
def a_trusted_proxy_says_where_a_client_comes_from(scene):
	upstream = scene.upstream(says(b"in"))
	relay = scene.relay(routes=[dict(route(NAME, upstream), sources=["192.0.2.0/24"])],
		listener={"trusted_proxies": ["127.0.0.0/8"]})
	for client, wanted in (("192.0.2.9", b"in"), ("192.0.3.9", 112), ("127.0.0.1", 112)):
		header = f"PROXY TCP4 {client} 198.51.100.1 4711 443\r\n".encode()
		equal(answer_at(relay.port, header + hello(NAME)), wanted, client)


@test
def real_clients_are_told_apart(scene):
	inside = scene.tls_upstream(http, NAME)
	relay = scene.relay(routes=[dict(route(NAME, inside), sources=["127.0.0.2"], alpn=["http/1.1"])])
	ca = authority().root
	status, out, err = curl(relay.port, NAME, ca, "--interface", "127.0.0.2")
	equal((status, out), (0, b"hello"), f"curl from inside: {err}")
	status, _, err = curl(relay.port, NAME, ca, "--interface", "127.0.0.3")
	check(status == 35 and "unrecognized name" in err, f"curl from outside: {status} {err}")
	status, _, err = curl(relay.port, NAME, ca, "--interface", "127.0.0.2", "--no-alpn")
	check(status == 35 and "unrecognized name" in err, f"curl without ALPN: {status} {err}")


main()
