#!/usr/bin/env -S python3 -B
"""Start, reload, drain, stop: what an operator sees, exit codes included."""
import json
import os
import resource
import signal
import socket
import time

from lib import *

NAME, OTHER = "app.example.com", "other.example.com"


def program(name, *arguments):
	status, out, err = run(PROGRAMS[name], *arguments)
	return status, out.decode(), err


@test
def help_and_version_succeed(scene):
	for name in PROGRAMS:
		for option in ("--help", "--version"):
			status, out, err = program(name, option)
			check(status == 0 and f"valise-{name}" in out and err == "", f"{name} {option}: {status} {err}")


@test
def help_is_at_hand_after_a_command(scene):
	for name, commands in (("relay", ("run", "check")), ("agent", ("run", "check", "keygen", "tls"))):
		for command in commands:
			status, out, err = program(name, command, "--help")
			check(status == 0 and f"usage: valise-{name}" in out and err == "", f"{name} {command}: {status} {err}")


@test
def a_missing_value_is_told_in_our_words(scene):
	for name in ("relay", "agent"):
		status, _, err = program(name, "run", "-c")
		check(status == 64 and f"valise-{name}: a value is missing after " in err and "see valise-" in err, err)


@test
def a_wrong_command_line_exits_64(scene):
	for name, arguments in (("relay", []), ("relay", ["frobnicate"]), ("relay", ["run", "--frobnicate"]),
			("relay", ["run", "surplus"]), ("relay", ["fleet"]), ("agent", []), ("agent", ["frobnicate"]),
			("agent", ["run", "-c"]), ("agent", ["diagnose", "surplus"]), ("agent", ["tls"]), ("pki", ["frobnicate"]),
			("sni", ["--frobnicate"])):
		status, out, err = program(name, *arguments)
		check(status == 64 and err, f"{name} {arguments}: {status} {out} {err}")


def rows_of(name):
	"""What --list-commands tells."""
	status, out, err = program(name, "--list-commands")
	equal((status, err), (0, ""), f"exit status of {name} --list-commands")
	return [line.split("\t") for line in out.splitlines()]


@test
def each_option_of_the_table_is_one(scene):
	for name in PROGRAMS:
		rows = rows_of(name)
		equal(rows[0][:2], ["program", f"valise-{name}"], "the first row")
		for row in rows:
			equal(len(row), {"program": 3, "command": 4, "option": 6}[row[0]], f"columns of {row}")
			check(all(row), f"no column of {row} is empty")
	for name in "relay", "agent":
		for _, word, option, letter, value, _ in (row for row in rows_of(name) if row[0] == "option" and row[1] != "-"):
			for said in [f"--{option}"] + ([f"-{letter}"] if letter != "-" else []):
				given = f"{scene.dir}/none" if value in ("FILE", "DIR") else value.split("|")[0].lower()
				arguments = [said] if value == "-" else [said, given]
				for tried in ["--no-such-option", *arguments], [*arguments, "--no-such-option"]:
					status, _, err = program(name, word, *tried)
					check(status == 64 and "--no-such-option" in err, f"{name} {word} {tried}: {status} {err}")


@test
def a_missing_configuration_exits_66(scene):
	for name in ("relay", "agent"):
		for command in ("check", "run", "status", "reload"):
			status, _, err = program(name, command, "-c", f"{scene.dir}/none.yml")
			check(status == 66 and "none.yml" in err, f"{name} {command}: {status} {err}")


@test
def a_wrong_configuration_exits_78_and_says_where(scene):
	def complaint(daemon, text):
		daemon.write_text(text)
		status, _, err = program(daemon.program.rpartition("-")[2], "check", "-c", daemon.config_path)
		equal(status, 78, f"exit status for {text!r}: {err}")
		return err

	relay = scene.relay(start=False)
	agent = scene.agent(relay, [passthrough(NAME, "tcp://127.0.0.1:9")], authority().agent("agent", NAME),
		start=False)
	for daemon in (relay, agent):
		good = daemon.settings
		equal(program(daemon.label, "check", "-c", daemon.config_path)[0], 0, daemon.label)
		err = complaint(daemon, json.dumps(good)[:-1] + ',\n"surplus": 1}')
		check(f"{daemon.config_path}:2:1: " in err and "surplus" in err, err)
		check(":1:10: " in complaint(daemon, "version: 9\n"), "the place of a bad value")
		check("version" in complaint(daemon, "log: {level: info}\n"), "a missing key is named")
		check(":2:" in complaint(daemon, "version: 1\nlog: {level: loud}\n"), "the line of a bad value")
		complaint(daemon, "version: 1\n---\nversion: 1\n")
		complaint(daemon, "a: [\n")
		complaint(daemon, "")


@test
def a_key_that_the_world_may_read_is_refused(scene):
	certificate, key = authority().relay()
	with open(key) as file:
		text = file.read()
	path = f"{scene.dir}/open.key"
	with open(path, "w") as file:
		file.write(text)
	os.chmod(path, 0o644)
	relay = scene.relay(start=False, connect={"private_key": path})
	status, _, err = program("relay", "check", "-c", relay.config_path)
	check(status == 78 and "open.key" in err, f"{status} {err}")
	os.chmod(path, 0o600)
	equal(program("relay", "check", "-c", relay.config_path)[0], 0)


@test
def a_second_instance_exits_69_naming_the_first(scene):
	relay = scene.relay()
	status, _, err = program("relay", "run", "-c", relay.config_path)
	check(status == 69 and str(relay.pid) in err, f"{status} {err}")
	check(relay.alive(), "the first runs on")


@test
def an_address_in_use_is_an_error_that_names_it(scene):
	with socket.create_server(("127.0.0.1", 0)) as taken:
		port = taken.getsockname()[1]
		relay = scene.relay(start=False, port=port)
		status, _, err = program("relay", "run", "-c", relay.config_path)
	check(status in (69, 71) and str(port) in err, f"{status} {err}")


@test
def reload_takes_new_routes_and_leaves_flows_alone(scene):
	one = scene.upstream(echo)
	relay = scene.relay(routes=[route(NAME, one)], workers=2)
	wire = hello(NAME)
	running = scene.keep(dial(relay.port, wire))
	equal(read_exactly(running, len(wire)), wire)
	relay.write(dict(relay.settings, routes=[route(OTHER, one)]))
	relay.reload()
	until(lambda: dial(relay.port, hello(OTHER)).recv(1) == b"\x16", what="the new route serves")
	with dial(relay.port, hello(NAME)) as client:
		equal(alert_of(client), 112, "the old route")
	running.sendall(b"still here")
	equal(read_exactly(running, 10), b"still here", "the running flow")


@test
def a_reload_changes_whom_a_listener_trusts(scene):
	relay = scene.relay(routes=[route(NAME, scene.upstream(echo))], workers=2)
	header, wire = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n", hello(NAME)
	address = relay.settings["listeners"][0]["address"]

	def first_byte(data):
		with dial(relay.port, data) as client:
			return client.recv(1)

	for proxies, with_header, without in ((["127.0.0.1"], b"\x16", b"\x15"), (["192.0.2.1"], b"", b"\x16")):
		count = len(relay.events("reloaded")) + 1
		relay.write(dict(relay.settings, listeners=[{"address": address, "trusted_proxies": proxies}]))
		relay.reload()
		relay.wait_event("reloaded", count=count)
		until(lambda: first_byte(header + wire) == with_header, 2, f"with a header, trusted: {proxies}")
		for _ in range(4):	# of both workers
			equal(first_byte(wire), without, f"without a header, trusted: {proxies}")
	equal(relay.events("restart-needed"), [], "complaints")


@test
def a_reload_with_an_error_keeps_the_old(scene):
	relay = scene.relay(routes=[route(NAME, scene.upstream(echo))])
	good = relay.settings
	for bad, says in (("version: 1\nsurplus: 1\n", "surplus"), ("{", ":1:"),
			(json.dumps(dict(good, connect=dict(good["connect"], agent_crls=["/none.crl"]))), "none.crl")):
		relay.write_text(bad)
		relay.reload()
		relay.wait_text(says)
		with dial(relay.port, hello(NAME)) as client:
			equal(client.recv(1), b"\x16", f"the old route after {bad!r}")
	relay.write(good)
	relay.reload()
	with dial(relay.port, hello(NAME)) as client:
		equal(client.recv(1), b"\x16")


@test
def an_agents_reload_announces_and_withdraws(scene):
	relay = scene.relay()
	upstream = scene.upstream(echo)
	agent = scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("two-agent", NAME, OTHER))
	wire = hello(NAME)
	running = scene.keep(dial(relay.port, wire))
	equal(read_exactly(running, len(wire)), wire)
	agent.write_text("version: 1\nsurplus: 1\n")
	agent.reload()
	agent.wait_text("surplus")
	with dial(relay.port, wire) as client:
		equal(client.recv(1), b"\x16", "the old endpoint after a bad reload")
	agent.write(dict(agent.settings, endpoints=[passthrough(OTHER, upstream)]))
	agent.reload()
	until(lambda: dial(relay.port, hello(OTHER)).recv(1) == b"\x16", what="the new endpoint serves")

	def withdrawn():
		with dial(relay.port, wire) as client:
			return client.recv(7)[-1:] == b"\x50"

	until(withdrawn, what="the old endpoint is withdrawn")
	running.sendall(b"still here")
	equal(read_exactly(running, 10), b"still here", "the running flow")


def draining(scene, daemon, relay, wire):
	running = scene.keep(dial(relay.port, wire))
	equal(read_exactly(running, len(wire)), wire)
	daemon.signal(signal.SIGTERM)
	daemon.wait_event("draining" if daemon is relay else "drain")
	check(daemon.alive(), "it waits for the flow")
	running.sendall(b"still here")
	equal(read_exactly(running, 10), b"still here", "the running flow")
	return running


@test
def sigterm_drains_the_relay(scene):
	relay = scene.relay(routes=[route(NAME, scene.upstream(echo))])
	running = draining(scene, relay, relay, hello(NAME))
	try:
		with dial(relay.port, hello(NAME)) as client:
			check(client.recv(1) != b"\x16", "nothing new is taken")
	except OSError:
		pass
	running.close()
	equal(relay.wait(5), 0, "exit status once the flow is over")


@test
def a_client_that_was_let_in_is_served_in_the_drain(scene):
	relay = scene.relay()
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("agent", NAME))
	wire = hello(NAME)
	relay.wait_parked()
	client = scene.keep(relay.wait_hello(lambda: dial(relay.port, wire[:100])))
	relay.signal(signal.SIGTERM)
	relay.wait_event("draining")
	agent.wait_event("relay-drains")
	started = time.monotonic()
	client.sendall(wire[100:])
	equal(read_exactly(client, len(wire)), wire)
	check(time.monotonic() - started < 2, "it took long")
	client.close()
	equal(relay.wait(5), 0, "exit status once the flow is over")


@test
def a_client_that_is_routed_elsewhere_in_the_drain_is_served(scene):
	relay = scene.relay(refuse={"no_agent": f"route:{OTHER}"},
		routes=[route(NAME, "tcp://127.0.0.1:9"), route(OTHER, scene.upstream(echo))])
	wire = hello(NAME)
	client = scene.keep(relay.wait_hello(lambda: dial(relay.port, wire[:100])))
	relay.signal(signal.SIGTERM)
	relay.wait_event("draining")
	client.sendall(wire[100:])
	equal(read_exactly(client, len(wire)), wire)
	time.sleep(0.3)			# in which a relay that thinks that it is idle would stop
	client.sendall(b"still here")
	equal(read_exactly(client, 10), b"still here")
	client.close()
	equal(relay.wait(5), 0, "exit status once the flow is over")


@test
def sigterm_drains_the_agent(scene):
	relay = scene.relay()
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("agent", NAME))
	running = draining(scene, agent, relay, hello(NAME))
	with dial(relay.port, hello(NAME)) as client:
		check(client.recv(7)[:1] == b"\x15", "nothing new is taken")
	running.close()
	equal(agent.wait(5), 0, "exit status once the flow is over")


@test
def a_second_signal_is_now(scene):
	relay = scene.relay(routes=[route(NAME, scene.upstream(echo))])
	running = draining(scene, relay, relay, hello(NAME))
	relay.signal(signal.SIGTERM)
	equal(relay.wait(3), 0, "exit status")
	check(closed_how(running) in ("fin", "reset"), "the flow ends")


@test
def a_second_signal_may_come_at_any_moment(scene):
	relay = scene.relay(start=False, workers=4)
	for turn in range(60):
		relay.start()
		relay.signal(signal.SIGTERM)
		time.sleep(turn * 20e-6)
		if relay.alive():
			relay.signal(signal.SIGTERM)
		equal(relay.wait(10), 0, f"exit status of turn {turn}")


@test
def a_drain_whose_flows_are_over_does_not_time_out(scene):
	relay = scene.relay(drain_timeout="500ms")
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("agent", NAME))
	relay.wait_parked()	# what is being dialled counts as a client
	agent.freeze()		# so that the goodbye takes its time
	relay.signal(signal.SIGTERM)
	equal(relay.wait(5), 0, "exit status")
	agent.kill()
	equal(relay.events("drain-timeout"), [], "flows that were cut")


@test
def an_idle_daemon_stops_at_once(scene):
	relay = scene.relay(workers=4)
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("agent", NAME),
		workers=4)
	for daemon in (agent, relay):
		started = time.monotonic()
		daemon.signal(signal.SIGTERM)
		equal(daemon.wait(5), 0, f"{daemon.label}'s exit status")
		check(time.monotonic() - started < 3, f"{daemon.label} took long")


@test
def daemons_take_all_descriptors_that_are_allowed(scene):
	relay = scene.relay(start=False)
	hard = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], relay.most_files)
	relay.argv = ["prlimit", "--nofile=100:"] + relay.argv
	relay.start()
	equal(resource.prlimit(relay.pid, resource.RLIMIT_NOFILE), (hard, hard), "the relay's limit")
	agent = scene.agent(relay, [passthrough(NAME, "tcp://127.0.0.1:9")], authority().agent("agent", NAME),
		start=False)
	agent.argv = ["prlimit", "--nofile=100:"] + agent.argv
	agent.start()
	equal(resource.prlimit(agent.pid, resource.RLIMIT_NOFILE), (hard, hard), "the agent's limit")


@test
def a_listener_may_come_from_the_service_manager(scene):
	"""LISTEN_FDS, as systemd.socket(5) does it: no moment without a listener."""
	upstream = scene.upstream(echo)
	listener = socket.create_server(("127.0.0.1", 0))
	port = listener.getsockname()[1]
	relay = scene.relay(start=False, port=port, routes=[route(NAME, upstream)], workers=2)
	script = f"{scene.dir}/activate"
	with open(script, "w") as file:
		file.write(f'#!/bin/sh\nexport LISTEN_PID=$$ LISTEN_FDS=1\nexec "$@" 3<&{listener.fileno()}\n')
	os.chmod(script, 0o755)
	relay.argv = [script] + relay.argv
	relay.pass_fds = (listener.fileno(),)
	relay.start()
	wire = hello(NAME)
	with dial(port, wire) as client:
		equal(read_exactly(client, len(wire)), wire)


main()
