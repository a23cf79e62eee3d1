#!/usr/bin/env -S python3 -B
"""Where a relay listens: both families, one beside the other, and without IPv6."""
import socket
import sys

from lib import *
from lib.scene import free_port

NAME = "app.example.com"

# Runs a program on what is to it a kernel without IPv6: socket(AF_INET6, ...) is EAFNOSUPPORT.
WITHOUT_IPV6 = """
import ctypes, os, platform, struct, sys
socket_number = {"x86_64": 41, "aarch64": 198}[platform.machine()]
rules = [(0x20, 0, 0, 0), (0x15, 0, 3, socket_number), (0x20, 0, 0, 16), (0x15, 0, 1, 10),
	(0x06, 0, 0, 0x00050000 | 97), (0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(rules), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()
os.execv(sys.argv[1], sys.argv[1:])
"""


def listening(scene, addresses, start=True, **keys):
	"""A relay with these listeners, {} being its port; keys are the last one's."""
	upstream = scene.upstream(lambda stream: stream.sendall(b"here"))
	port = free_port()
	listeners = [{"address": address.format(port)} for address in addresses]
	listeners[-1].update(keys)
	return scene.relay(port=port, listeners=listeners, routes=[route(NAME, upstream)], workers=2, start=start)


def reach(relay, host):
	with socket.create_connection((host, relay.port), 15) as client:
		client.sendall(hello(NAME))
		equal(read_exactly(client, 4), b"here", f"by {host}")


@test
def listeners_may_overlap_in_any_order(scene):
	for number, addresses in enumerate((("0.0.0.0:{}", "[::]:{}"), ("127.0.0.1:{}", "[::]:{}"),
			("[::1]:{}", "[::]:{}"), ("127.0.0.1:{}", "0.0.0.0:{}"),
			("127.0.0.1:{}", "0.0.0.0:{}", "[::]:{}"))):
		for order in (addresses, addresses[::-1]):
			relay = listening(scene, order)
			reach(relay, "127.0.0.1")
			if "[::]:{}" in order:
				reach(relay, "::1")
			relay.expect_events("listening", len(order), f"listeners of {order}")
			equal(relay.stop(), "", "trouble")


# Whoever came from there by the listener of both families would have to send a PROXY header.
@test
def ipv4_comes_by_its_own_listener_where_there_is_one(scene):
	relay = listening(scene, ("0.0.0.0:{}", "[::]:{}"), trusted_proxies=["127.0.0.0/8"])
	for _ in range(40):
		reach(relay, "127.0.0.1")
	reach(relay, "::1")


@test
def another_program_is_told_from_ourselves(scene):
	with socket.socket() as other:
		other.bind(("127.0.0.1", 0))
		other.listen()
		port = other.getsockname()[1]
		relay = scene.relay(port=port, listeners=[{"address": f"0.0.0.0:{port}"}, {"address": f"[::]:{port}"}],
			start=False).start(wait_ready=False)
		relay.expected = 69
		equal(relay.wait(), 69, "exit status")
		check("another program listens there" in relay.log_text(), relay.log_text())


@test
def without_ipv6_in_the_kernel_it_is_ipv4_with_a_warning(scene):
	for addresses, ways in ((("[::]:{}",), 1), (("0.0.0.0:{}", "[::]:{}"), 1), (("[::]:{}", "0.0.0.0:{}"), 1)):
		relay = listening(scene, addresses, start=False)
		relay.argv = [sys.executable, "-c", WITHOUT_IPV6, *relay.argv]
		relay.start()
		reach(relay, "127.0.0.1")
		relay.expect_events("ipv6-missing", 1, f"warnings of {addresses}", level="warning")
		relay.expect_events("listening", ways, f"listeners of {addresses}")
		equal(relay.stop(), "", "trouble")


main()
