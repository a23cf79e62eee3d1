#!/usr/bin/env python3
"""Asking a running daemon: status, reload, and who may."""
import json
import os
import re
import shutil
import socket
import stat
import subprocess

from lib import *
from lib.authority import CONNECT_NAME
from lib.session import Session

NOBODY = 65534


def ask(daemon, word, **keys):
	"""(exit status, stdout, stderr) of the command."""
	done = subprocess.run([daemon.program, word, "-c", daemon.config_path], capture_output=True, text=True,
		timeout=60, **keys)
	return done.returncode, done.stdout, done.stderr


def status(daemon):
	code, out, err = ask(daemon, "status")
	equal((code, err), (0, ""), f"exit status and complaints of {daemon.label}'s status")
	return json.loads(out)


def raw(path, question):
	"""All that comes back over the socket itself."""
	with socket.socket(socket.AF_UNIX) as stream:
		stream.settimeout(20)
		stream.connect(path)
		try:
			stream.sendall(question)
		except BrokenPipeError:
			pass	# a refusal may be there before the question is
		answer = b""
		try:
			while got := stream.recv(65536):
				answer += got
		except ConnectionResetError:
			pass	# a refused one's question is not read
		return answer


def pair(scene, workers=2):
	echoing = scene.upstream(echo)
	relay = scene.relay(workers=workers)
	agent = scene.agent(relay, [passthrough("app.example", echoing), terminate("open.example", echoing)],
		authority().agent("app", "app.example", "open.example"), workers=2)
	return relay, agent


@test
def status_tells_what_runs(scene):
	relay, agent = pair(scene)
	of_relay, of_agent = status(relay), status(agent)
	equal([of_relay[key] for key in ("program", "pid", "state", "workers", "sessions", "endpoints", "flows")],
		["valise-relay", relay.pid, "running", 2, 1, 2, 0], "what the relay says")
	equal([of_agent[key] for key in ("program", "pid", "state", "workers", "flows")],
		["valise-agent", agent.pid, "running", 2, 0], "what the agent says")
	equal([(e["name"], e["server_name"], e["mode"]) for e in of_agent["endpoints"]],
		[("sealed-app.example", "app.example", "passthrough"), ("open-open.example", "open.example", "terminate")],
		"the agent's endpoints")
	equal([(r["relay"], r["name"], r["state"], r["error"]) for r in of_agent["relays"]],
		[(f"{CONNECT_NAME}:{relay.port}", CONNECT_NAME, "up", None)], "the agent's relays")
	until(lambda: status(relay)["channels"] > 0, 10, "channels are parked")
	first = hello("app.example")
	client = scene.keep(dial(relay.port, first))
	equal(client.recv(1), first[:1], "the first byte of the echo")
	until(lambda: (status(relay)["flows"], status(agent)["flows"]) == (1, 1), 10, "both count the flow")
	client.close()
	until(lambda: (status(relay)["flows"], status(agent)["flows"]) == (0, 0), 10, "the flow is over")


def members(value):
	"""The names of all members, however deep."""
	if isinstance(value, list):
		return set().union(*map(members, value))
	return set(value).union(*map(members, value.values())) if isinstance(value, dict) else set()


@test
def the_manual_explains_all_that_status_tells(scene):
	for daemon in pair(scene):
		with open(f"man/valise-{daemon.label}.8") as file:
			explained = set(re.findall(r"\w+", " ".join(re.findall(r"\bLi (.*)", file.read()))))
		equal(members(status(daemon)) - explained, set(), f"members of {daemon.label}'s status without a word in its manual")


@test
def status_tells_how_many_wait_for_a_channel(scene):
	relay = scene.relay(workers=2)
	session = scene.keep(Session(relay, authority().agent("mute", "mute.example.com")))
	session.up()
	equal(session.announce(1, "mute.example.com"), 0, "announced")
	equal(status(relay)["waiting"], 0, "flows that wait at first")
	clients = [scene.keep(dial(relay.port, hello("mute.example.com"))) for _ in range(3)]
	relay.wait_event("move", count=3, machine="flow", to="taking")
	equal(status(relay)["waiting"], len(clients), "flows that wait for an agent without a channel")


@test
def an_agent_tells_why_it_is_not_connected(scene):
	relay, agent = pair(scene)
	relay.stop()
	scene.daemons.remove(relay)
	until(lambda: status(agent)["relays"][0]["error"], 15, "the agent has a reason")
	relays = status(agent)["relays"]
	check(relays[0]["state"] in ("waiting", "connecting") and relays[0]["name"] is None, f"it is not up: {relays}")
	check(relays[0]["code"], f"the reason has a code: {relays}")


@test
def an_agent_is_ready_while_one_relay_serves_every_endpoint(scene):
	"""What another relay refuses takes nothing from that."""
	one, two = scene.relay("one"), scene.relay("two", routes=[route("app.example", "tcp://127.0.0.1:9")])
	upstream = scene.upstream(echo)
	agent = scene.agent([two, one], [passthrough(name, upstream) for name in ("app.example", "open.example")],
		authority().agent("ready", "app.example", "open.example"), start=False).start()

	def serving():
		of_agent = status(agent)
		return of_agent["ready"], [relay["endpoints"] for relay in of_agent["relays"]]

	agent.wait_event("ready", endpoints=2)
	agent.wait_event("endpoint-refused")
	until(lambda: serving() == (True, [1, 2]), what="one relay serves both, the other one")
	one.kill()
	until(lambda: serving() == (False, [1, 0]), what="the relay that serves both is gone")
	equal(len(agent.events("ready")), 1, "events")


@test
def status_tells_of_a_drain(scene):
	relay, agent = pair(scene)
	first = hello("app.example")
	client = scene.keep(dial(relay.port, first))
	equal(client.recv(1), first[:1], "the first byte of the echo")
	for daemon in agent, relay:
		daemon.signal(15)
		until(lambda: status(daemon)["state"] == "draining", what=f"{daemon.label} drains")
		code, out, err = ask(daemon, "reload")
		equal((code, out), (70, ""), "exit status and output of a reload during a drain")
		check("is stopping" in err, f"it says why: {err}")
	client.close()
	for daemon in relay, agent:
		equal(daemon.wait(10), 0, f"{daemon.label}'s exit status")
		daemon.expected = 0


@test
def reload_says_whether_the_new_configuration_holds(scene):
	relay, agent = pair(scene)
	for daemon in relay, agent:
		equal(ask(daemon, "reload"), (0, "the new configuration is in force\n", ""), "a reload that changes nothing")
		daemon.wait_event("reloaded")
	good = {daemon: dict(daemon.settings) for daemon in (relay, agent)}
	for daemon in relay, agent:
		daemon.write({**good[daemon], "colour": "green", "workers": "many"})
		code, out, err = ask(daemon, "reload")
		equal((code, out), (78, ""), "exit status and output of a refused reload")
		lines = err.splitlines()
		equal(len(lines), 3, f"lines of {err!r}")
		for line in lines[:2]:
			check(line.startswith(daemon.config_path + ":"), f"{line!r} names the file")
			check(all(part.isdigit() for part in line.split(":")[1:3]), f"{line!r} has line and column")
		check("colour" in err and "many" in err, f"both mistakes are told: {err!r}")
		check("the old configuration stays in force" in lines[2], f"and what goes on: {lines[2]!r}")
		equal(status(daemon)["state"], "running", "the state after a refused reload")
	for daemon in relay, agent:
		daemon.write(good[daemon])
		equal(ask(daemon, "reload")[0], 0, "exit status of the repaired one")
	first = hello("app.example")
	until(lambda: dial(relay.port, first).recv(1) == first[:1], 15, "a flow passes")


@test
def a_configuration_that_is_no_yaml_is_told_by_the_command(scene):
	relay = scene.relay()
	relay.write_text("version: 1\nlisteners: [\n")
	code, out, err = ask(relay, "reload")
	equal((code, out), (78, ""), "exit status and output")
	check(f"{relay.config_path}:" in err and "not valid YAML" in err, f"the mistake has its place: {err!r}")
	relay.write(relay.settings)


@test
def nobody_answers_for_a_daemon_that_does_not_run(scene):
	for program, make in (("valise-relay", scene.relay), ("valise-agent",
		lambda start: scene.agent(scene.relay("other", start=False), [passthrough("app.example", "tcp://127.0.0.1:1")],
			authority().agent("app", "app.example"), start=start))):
		daemon = make(start=False)
		for word in "status", "reload":
			code, out, err = ask(daemon, word)
			equal((code, out), (69, ""), f"exit status and output of {word}")
			check(err.startswith(f"{program}: no {program} answers at "), f"it says why: {err!r}")
			daemon_missing = subprocess.run([daemon.program, word, "-c", f"{scene.dir}/nowhere.yml"],
				capture_output=True, text=True, timeout=30)
			equal(daemon_missing.returncode, 66, f"exit status without a configuration: {daemon_missing.stderr}")


@test
def only_root_and_the_daemons_user_may_ask(scene):
	relay, agent = pair(scene)
	socket_of = {relay: f"{scene.dir}/relay.sock", agent: f"{scene.state('agent')}/admin.sock"}
	for path in socket_of.values():
		equal(stat.S_IMODE(os.lstat(path).st_mode), 0o600, f"mode of {path}")
	if os.geteuid() != 0:
		return
	for directory in scene.dir, scene.state("agent"):
		os.chmod(directory, 0o755)
	foreign = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
	for daemon in relay, agent:
		os.chmod(daemon.config_path, 0o644)
		daemon.program = shutil.copy(daemon.program, scene.dir)	# the tree may be where a foreigner cannot go
		for word in "status", "reload":
			code, out, err = ask(daemon, word, **foreign)
			equal((code, out), (77, ""), f"exit status and output of a foreigner's {word}: {err}")
			check("ask as root or as the user" in err, f"it says who may: {err!r}")
		os.chmod(socket_of[daemon], 0o666)	# the mode is not all that keeps them out
		for word in "status", "reload":
			code, out, err = ask(daemon, word, **foreign)
			equal((code, out), (77, ""), f"exit status and output of a foreigner's {word}, the door open")
			check("only root and the program's own user may ask" in err, f"it says who may: {err!r}")
		check(daemon.wait_event("admin-refused")[0]["uid"] == NOBODY, "the log says who")
		equal(len(daemon.events("reloaded")), 0, "reloads")
		equal(status(daemon)["state"], "running", "what root is told")


@test
def who_talks_nonsense_or_nothing_at_all_disturbs_nobody(scene):
	relay, _ = pair(scene)
	path = f"{scene.dir}/relay.sock"
	silent = []
	for _ in range(40):
		stream = scene.keep(socket.socket(socket.AF_UNIX))
		stream.connect(path)
		silent.append(stream)
	full = json.loads(raw(path, b'{"command":"status"}\n'))
	equal(full["error"]["code"], "admin-busy", "the answer while all places are taken")
	equal(ask(relay, "status")[0], 69, "exit status while all places are taken")
	first = hello("app.example")
	until(lambda: dial(relay.port, first).recv(1) == first[:1], 15, "a flow passes meanwhile")
	until(lambda: ask(relay, "status")[0] == 0, 15, "the silent ones have been dropped")
	for nonsense, code in ((b"status\n", "admin-question-malformed"), (b"[" * 4096, "admin-question-malformed"),
		(b'{"command":"stop"}\n', "admin-command-unknown")):
		equal(json.loads(raw(path, nonsense))["error"]["code"], code, f"the answer to {nonsense[:20]}")
	equal(status(relay)["state"], "running", "the state")


@test
def the_socket_goes_with_its_daemon_and_a_dead_ones_is_replaced(scene):
	relay = scene.relay()
	path = f"{scene.dir}/relay.sock"
	relay.signal(9)
	equal(relay.wait(5), -9, "exit status")
	check(os.path.exists(path), "the killed one's socket is there")
	relay.start()
	equal(status(relay)["pid"], relay.pid, "who answers")
	relay.signal(15)
	equal(relay.wait(10), 0, "exit status")
	relay.expected = 0
	check(not os.path.exists(path), "the stopped one's socket is gone")


@test
def a_second_instance_leaves_the_firsts_socket_alone(scene):
	relay = scene.relay()
	second = subprocess.run([relay.program, "run", "-c", relay.config_path], capture_output=True, text=True, timeout=30)
	equal(second.returncode, 69, f"exit status of the second: {second.stderr}")
	check(str(relay.pid) in second.stderr, f"it names the first: {second.stderr!r}")
	equal(status(relay)["pid"], relay.pid, "who answers")


@test
def a_socket_that_cannot_be_made_ends_the_start_if_it_was_asked_for(scene):
	os.mkdir(f"{scene.dir}/taken")
	relay = scene.relay(start=False, admin={"socket": f"{scene.dir}/taken"})
	done = subprocess.run([relay.program, "run", "-c", relay.config_path], capture_output=True, text=True, timeout=30)
	equal(done.returncode, 73, f"exit status: {done.stderr}")
	check("Address already in use" in done.stderr, f"it says why: {done.stderr!r}")
	check("remove what is there" in done.stderr, f"and what to do: {done.stderr!r}")


main()
