#!/usr/bin/env -S python3 -B
"""Upstreams by name: names that hang, an IPv6 address that is a black hole, a host that moves.

In network and mount namespaces of its own: behind the device `hole` nobody answers, neither an
upstream nor the name server, and /etc/hosts is ours.
"""
import os
import socket
import subprocess
import sys
import threading
import time

from lib import *

INSIDE = "VALISE_TEST_INSIDE"
HOSTS = "/etc/hosts"
BLACK_HOLE = """
ip link set lo up && ip link add hole type veth peer name other && ip link set hole up && ip link set other up &&
ip addr add 192.0.2.2/24 dev hole && ip -6 addr add 2001:db8::2/64 dev hole nodad &&
ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev hole nud permanent &&
ip -6 neigh add 2001:db8::1 lladdr 02:00:00:00:00:01 dev hole nud permanent &&
files=$(mktemp -d) && trap 'rm -r "$files"' EXIT && echo 'nameserver 192.0.2.1' > "$files/resolv.conf" && : > "$files/hosts" &&
mount --bind "$files/resolv.conf" /etc/resolv.conf && mount --bind "$files/hosts" /etc/hosts && "$@"
"""


def step_inside():
	as_root = () if os.geteuid() == 0 else ("--user", "--map-root-user")
	into = ["unshare", *as_root, "--net", "--mount", "sh", "-c", BLACK_HOLE, "sh"]
	tried = subprocess.run([*into, "true"], capture_output=True, text=True)
	if tried.returncode != 0:
		reason = " ".join(tried.stderr.split())
		print(f"1..0 # SKIP no network namespace with a veth device can be had here: {reason}")
		sys.exit(0)
	status = subprocess.run([*into, sys.executable, "-B", *sys.argv], env=dict(os.environ, **{INSIDE: "yes"}))
	sys.exit(status.returncode)


def hosts(*lines):
	with open(HOSTS, "w") as file:	# in place: it is a mount
		file.write("127.0.0.1 localhost\n" + "".join(f"{line}\n" for line in lines))


def serve_at(host, port=0):
	listener = socket.create_server((host, port), backlog=100)

	def serve():
		while True:
			try:
				stream = listener.accept()[0]
			except OSError:
				return
			stream.recv(4096)
			stream.sendall(b"here")
			stream.close()
	threading.Thread(target=serve, daemon=True).start()
	return listener


def asked(relay, name):
	"""Sends a hello and does not wait."""
	return dial(relay.port, hello(f"{name}.example.com"))


def relay_to(scene, names, port, **keys):
	"""NAME.example.com goes to NAME.test."""
	return scene.relay(routes=[route(f"{name}.example.com", f"tcp://{name}.test:{port}") for name in names], **keys)


@test
def names_that_hang_delay_no_other(scene):
	dead, good = [f"dead{i}" for i in range(4)], [f"good{i}" for i in range(12)]
	hosts(*(f"192.0.2.2 {name}.test" for name in good))
	with serve_at("192.0.2.2") as server:
		relay = relay_to(scene, dead + good, server.getsockname()[1])
		for again in range(2):
			hanging = [asked(relay, name) for name in dead]
			started = time.monotonic()
			for client in [asked(relay, name) for name in good]:
				equal(read_exactly(client, 4), b"here", "answer of a good name")
			took = time.monotonic() - started
			check(took < 4, f"round {again}: the good names took {took:.1f} s")
			for client in hanging:
				equal(alert_of(client), 80, "answer of a dead name")
			relay.expect_events("flow-refused", 4 * (again + 1), "refusals", code="no-agent")


# Whoever waits for the black hole, waits for 250 ms at least.
@test
def a_black_holed_family_costs_a_quarter_of_a_second_once(scene):
	hosts("2001:db8::1 both.test", "192.0.2.2 both.test")
	with serve_at("192.0.2.2") as server:
		relay = relay_to(scene, ["both"], server.getsockname()[1])
		times = []
		for _ in range(5):
			started = time.monotonic()
			equal(read_exactly(asked(relay, "both"), 4), b"here", "answer")
			times.append(time.monotonic() - started)
		check(0.24 < times[0] < 2, f"the first took {times[0]:.3f} s")
		check(min(times[1:]) < 0.24, f"the others took {times[1:]}")


@test
def a_host_that_moves_is_found_at_once(scene):
	hosts("192.0.2.2 moving.test")
	with serve_at("127.0.0.2") as server:
		relay = relay_to(scene, ["moving"], server.getsockname()[1])
		equal(alert_of(asked(relay, "moving")), 80, "answer where nobody listens")
		hosts("127.0.0.2 moving.test")
		time.sleep(1)	# it is looked up once a second at most

		def is_there():
			with asked(relay, "moving") as client:
				return client.recv(4) == b"here"
		until(is_there, 3, "the new address is used")


def named_by_clients(port, *fence):
	return route("*.dyn.example.com", f"tcp://{{1}}.test:{port}", fence=list(fence))


@test
def a_clients_name_leads_no_further_than_the_fence(scene):
	hosts("192.0.2.2 good.test", "127.0.0.1 both.test", "192.0.2.2 both.test", "127.0.0.1 loop.test",
		"198.51.100.1 far.test", "192.0.2.2 a_b.test")
	with serve_at("192.0.2.2") as server:
		port = server.getsockname()[1]
		inner = serve_at("127.0.0.1", port)
		relay = scene.relay(routes=[named_by_clients(port, "0.0.0.0/1", "192.0.2.0/24")])
		for name in ("good", "both"):
			equal(read_exactly(asked(relay, f"{name}.dyn"), 4), b"here", name)
		for name in ("loop", "far", "none"):
			equal(alert_of(asked(relay, f"{name}.dyn")), 80, name)
		for name in ("a_b", "-a"):
			equal(alert_of(asked(relay, f"{name}.dyn")), 112, name)
		equal(alert_of(asked(relay, "a.b.dyn")), 112, "two labels")
		fenced = relay.wait_event("upstream-fenced", count=3)
		equal(sorted((line["upstream"], line["address"]) for line in fenced), sorted([
			(f"both.test:{port}", f"127.0.0.1:{port}"), (f"loop.test:{port}", f"127.0.0.1:{port}"),
			(f"far.test:{port}", f"198.51.100.1:{port}")]))
		check("loopback" in fenced[0]["message"] and "no block" in fenced[-1]["message"], fenced)
		refused = relay.wait_event("flow-refused", upstream=f"far.test:{port}")
		check(f"198.51.100.1:{port}" in refused[0]["error"], refused)
		inner.close()


# Two hundred clients who know names that hang: half of the threads is theirs, at most.
@test
def names_that_clients_make_up_delay_no_configured_one(scene):
	good = [f"good{i}" for i in range(12)]
	hosts(*(f"192.0.2.2 {name}.test" for name in good))
	with serve_at("192.0.2.2") as server:
		port = server.getsockname()[1]
		relay = scene.relay(routes=[named_by_clients(port, "192.0.2.0/24")]
			+ [route(f"{name}.example.com", f"tcp://{name}.test:{port}") for name in good])
		hanging = [asked(relay, f"dead{i}.dyn") for i in range(200)]
		displaced = relay.wait_event("flow-refused", code="over-limit")[0]
		check("names of clients" in displaced["error"], displaced)
		started = time.monotonic()
		for client in [asked(relay, name) for name in good]:
			equal(read_exactly(client, 4), b"here", "answer of a configured name")
		took = time.monotonic() - started
		check(took < 4, f"the configured names took {took:.1f} s")
		for client in hanging:
			equal(alert_of(client), 80, "answer of a name that was made up")


if os.environ.get(INSIDE) is None:
	step_inside()
main()
