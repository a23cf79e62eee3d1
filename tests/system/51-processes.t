#!/usr/bin/env -S python3 -B
"""The processes that a daemon has beside itself: one looks names up, one fetches."""
import os
import signal

from lib import *

NAME, OTHER, ANEW = "app.example.com", "other.example.com", "anew.example.com"


def facts(pid):
	"""(what ps shows, its children)"""
	with open(f"/proc/{pid}/cmdline") as title, open(f"/proc/{pid}/task/{pid}/children") as children:
		return title.read().strip("\0"), [int(child) for child in children.read().split()]


def processes(daemon):
	"""{title: pid} of all that the daemon has begun."""
	found, look = {}, facts(daemon.pid)[1]
	while look:
		pid = look.pop()
		try:
			title, children = facts(pid)
		except (FileNotFoundError, ProcessLookupError):
			continue
		found[os.path.basename(title)] = pid
		look += children
	return found


def by_name(scene, **settings):
	"""A relay with routes to one echo server: by a name, by its address, and by the name written otherwise, which is looked
	up for itself."""
	port = scene.upstream(echo).port
	hosts = {NAME: "localhost", OTHER: "127.0.0.1", ANEW: "LOCALHOST"}
	return scene.relay(routes=[route(name, f"tcp://{host}:{port}") for name, host in hosts.items()], **settings)


def echoes(client, data=b"hello"):
	client.sendall(data)
	equal(read_exactly(client, len(data)), data, "echo")


def served(relay, name=NAME):
	wire = hello(name)
	client = dial(relay.port, wire)
	equal(read_exactly(client, len(wire)), wire, "the hello, back")
	return client


def is_gone(pid):
	try:
		with open(f"/proc/{pid}/stat") as stat:
			return stat.read().rpartition(")")[2].split()[0] == "Z"
	except (FileNotFoundError, ProcessLookupError):
		return True


@test
def nothing_but_keepers_runs_before_it_is_needed(scene):
	relay = by_name(scene)
	served(relay, OTHER).close()
	always = {f"valise-relay: {name}" for name in ("fetch keeper", "resolver keeper", "opener keeper", "keys keeper", "keys")}
	equal(set(processes(relay)), always, "processes")
	served(relay).close()
	equal(set(processes(relay)), always | {"valise-relay: resolver"}, "processes, once a name was looked up")


@test
def the_daemons_load_neither_libcurl_nor_what_nsswitch_names(scene):
	relay = by_name(scene)
	served(relay).close()
	agent = scene.agent(relay, [passthrough(OTHER + ".net", scene.upstream(echo))], authority().agent("one", OTHER + ".net"))
	for daemon in (relay, agent):
		with open(f"/proc/{daemon.pid}/maps") as maps:
			loaded = {os.path.basename(line.split()[-1]) for line in maps if "/" in line}
		check(any(name.startswith("libgnutls") for name in loaded), loaded)
		wrong = [name for name in loaded if name.startswith(("libcurl", "libnss_", "libresolv", "libldap", "libssh"))]
		equal(wrong, [], f"libraries of the {daemon.label}")


@test
def a_resolver_that_is_killed_costs_no_flow_and_comes_back(scene):
	relay = by_name(scene)
	client = served(relay)
	os.kill(processes(relay)["valise-relay: resolver"], signal.SIGKILL)
	died = relay.wait_event("helper-died", helper="resolver")[0]
	check(died["level"] == "warning" and died["signal"] == signal.SIGKILL, died)
	echoes(client)
	served(relay, ANEW).close()


@test
def they_outlive_the_signals_of_a_stop_and_end_with_the_daemon(scene):
	relay = by_name(scene)
	client = served(relay)
	begun = processes(relay)
	for pid in [*begun.values(), relay.pid]:	# as a service manager stops all that a service has
		os.kill(pid, signal.SIGTERM)
	relay.wait_event("draining")
	echoes(client)
	check(not any(is_gone(pid) for pid in begun.values()), "all of them are there in the drain")
	client.close()
	equal(relay.wait(), 0, "exit code")
	for name, pid in begun.items():
		until(lambda: is_gone(pid), what=f"{name} has ended")


@test
def they_end_with_a_daemon_that_is_killed_and_hold_nothing_of_it(scene):
	relay = by_name(scene)
	served(relay).close()
	begun = processes(relay)
	for pid in begun.values():
		held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd") if int(fd) > 2]
		check(len(held) <= 5 and all(name.startswith(("socket:", "anon_inode:[pidfd]")) for name in held), held)
	relay.kill()
	for name, pid in begun.items():
		until(lambda: is_gone(pid), what=f"{name} has ended")
	relay.start()	# its lock and its port are free
	served(relay).close()


main()
