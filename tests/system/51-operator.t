#!/usr/bin/env python3
"""What an operator asks and does: lists, tables, documents that fit their schemas, kick, drain, and who may."""
import fcntl
import json
import os
import pty
import select
import shutil
import socket
import stat
import struct
import subprocess
import termios

import jsonschema

from lib import *
from lib.authority import CONNECT_NAME
from lib.session import Session

NOBODY, LOOKERS = 65534, 60123
SCHEMAS = {name[:-5]: json.load(open(f"schema/{name}")) for name in os.listdir("schema")}


def ask(daemon, *words, **keys):
	"""(exit status, stdout, stderr) of a command."""
	done = subprocess.run([daemon.program, *words, "-c", daemon.config_path], capture_output=True, text=True,
		timeout=60, **keys)
	return done.returncode, done.stdout, done.stderr


def document(daemon, *words, status=0):
	"""What the command tells programs; it fits its schema."""
	code, out, err = ask(daemon, *words, "--json")
	equal((code, err), (status, ""), f"exit status and complaints of {words}")
	told = json.loads(out)
	jsonschema.validate(told, SCHEMAS.get(f"{daemon.label}-{words[0]}", SCHEMAS["message"]))
	return told


def raw(path, question):
	"""The answer over the socket itself."""
	with socket.socket(socket.AF_UNIX) as stream:
		stream.settimeout(20)
		stream.connect(path)
		stream.sendall(json.dumps(question).encode() + b"\n")
		answer = b""
		while got := stream.recv(65536):
			answer += got
	return json.loads(answer)


def pair(scene, **settings):
	"""A relay with a static route, and an agent with two names."""
	echoing = scene.upstream(echo)
	relay = scene.relay(workers=2, routes=[route("static.example", echoing), {**route("*.many.example", echoing),
		"sources": ["127.0.0.0/8"], "alpn": ["h2"]}, {"server_name": "checked.example",
		"upstream": {"url": [echoing.url, "tcp://127.0.0.1:1"]}}], **settings)
	agent = scene.agent(relay, [passthrough("app.example", echoing), terminate("open.example", echoing)],
		authority().agent("shop", "app.example", "open.example"), workers=2)
	return relay, agent


def client(scene, relay, name, source=None):
	"""An open flow."""
	first = hello(name)
	stream = scene.keep(dial(relay.port, first, source=source))
	equal(stream.recv(1), first[:1], f"the first byte of the echo of {name}")
	return stream


def is_over(stream):
	stream.settimeout(15)
	try:
		while stream.recv(65536):
			pass
	except ConnectionResetError:
		pass
	return True


def by(rows, key):
	return {row[key]: row for row in rows}


@test
def every_document_fits_its_schema(scene):
	relay, agent = pair(scene)
	for schema in SCHEMAS.values():
		jsonschema.Draft202012Validator.check_schema(schema)
	[client(scene, relay, name) for name in ("app.example", "static.example", "checked.example")]
	until(lambda: len(document(agent, "flows")["flows"]) == 1, 15, "the agent has the flow")
	for daemon, words in ((relay, ("status", "agents", "routes", "flows")), (agent, ("status", "endpoints", "flows"))):
		for word in words:
			document(daemon, word)
	document(agent, "diagnose", status=1)	# its names are none of the DNS
	for daemon in relay, agent:
		document(daemon, "reload")
	for path in f"{scene.dir}/relay.sock", f"{scene.state('agent')}/admin.sock":
		jsonschema.validate(raw(path, {"command": "nothing"}), SCHEMAS["error"])
	# It can fail.
	fails(jsonschema.ValidationError, jsonschema.validate, {"at": "now", "flows": [{"flow": "x"}]}, SCHEMAS["relay-flows"])


@test
def agents_tells_each_session(scene):
	relay, agent = pair(scene)
	until(lambda: document(relay, "agents")["agents"][0]["channels"] > 0, 15, "channels are parked")
	[row] = document(relay, "agents")["agents"]
	equal([row[key] for key in ("agent", "state", "endpoints", "flows", "region")], ["shop", "up", 2, 0, None], "the session")
	check(row["client"].startswith("127.0.0.1:") and row["software"].startswith("valise-agent"), f"{row}")
	equal(row["session"], relay.events("session-up")[0]["session"], "the session's id is that of the log")
	other = scene.keep(Session(relay, authority().agent("other", "other.example")))
	other.up()
	equal({row["agent"] for row in document(relay, "agents")["agents"]}, {"shop", "other"}, "agents")
	equal([row["software"] for row in document(relay, "agents", "--agent", "other")["agents"]], ["raw 1"], "one of them")
	equal(document(relay, "agents", "--session", row["session"])["agents"][0]["agent"], "shop", "by its session")
	equal(document(relay, "agents", "--agent", "nobody")["agents"], [], "nobody")


@test
def routes_tells_where_each_name_leads(scene):
	relay, agent = pair(scene)
	routes = by(document(relay, "routes")["routes"], "name")
	equal({name: row["kind"] for name, row in routes.items()}, {"static.example": "static", "*.many.example": "static",
		"checked.example": "static", "app.example": "agent", "open.example": "agent"}, "names")
	equal(routes["*.many.example"]["when"], {"alpn": ["h2"], "sources": ["127.0.0.0/8"], "listeners": []}, "for whom")
	equal(len(routes["checked.example"]["upstreams"]), 2, "upstreams")
	equal([(a["agent"], a["state"]) for a in routes["app.example"]["agents"]], [("shop", "up")], "who serves it")
	equal(list(by(document(relay, "routes", "--name", "APP.example")["routes"], "name")), ["app.example"], "one name")
	agent.stop()
	scene.daemons.remove(agent)
	until(lambda: by(document(relay, "routes")["routes"], "name")["app.example"]["kind"] == "known", 15,
		"a name whose agent has gone is known for a minute")


@test
def endpoints_tells_what_each_relay_says(scene):
	relay = scene.relay()
	refusing = scene.relay("refusing", routes=[route("open.example", "tcp://127.0.0.1:9")])
	upstream = scene.upstream(echo)
	agent = scene.agent([relay, refusing], [passthrough(name, upstream) for name in ("app.example", "open.example")],
		authority().agent("shop", "app.example", "open.example"), start=False).start()
	def states():
		return {row["server_name"]: [(there["state"], there["code"]) for there in row["relays"]]
			for row in document(agent, "endpoints")["endpoints"]}
	until(lambda: states() == {"app.example": [("accepted", None)] * 2,
		"open.example": [("accepted", None), ("refused", "name-reserved")]}, 15, "each relay's answer")
	refusing.kill()
	until(lambda: states()["app.example"] == [("accepted", None), ("down", None)], 15, "a relay that is gone")


@test
def flows_tells_who_talks_to_whom_and_how_fast(scene):
	relay, agent = pair(scene)
	busy, idle = client(scene, relay, "app.example", source="127.0.0.7"), client(scene, relay, "static.example")
	until(lambda: len(document(agent, "flows")["flows"]) == 1, 15, "the agent has the flow")
	at_relay, at_agent = by(document(relay, "flows")["flows"], "server_name"), document(agent, "flows")["flows"]
	equal(at_relay["app.example"]["flow"], at_agent[0]["flow"], "one flow has one id")
	equal([at_relay["app.example"][key] for key in ("agent", "state", "route", "carrier")],
		["shop", "joined", "app.example", "sealed"], "the flow over the agent")
	equal([at_relay["static.example"][key] for key in ("agent", "session", "carrier")], [None] * 3, "the other one")
	check(at_relay["app.example"]["client"].startswith("127.0.0.7:"), "its client")
	with subprocess.Popen([relay.program, "flows", "--json", "--watch", "1", "--sort", "rate", "-c", relay.config_path],
			stdout=subprocess.PIPE) as watching:
		rates = []
		while not any(row["rate"] > 0 for row in rates):
			busy.sendall(bytes(100000))
			read_exactly(busy, 100000 if rates else 100000 + len(hello("app.example")) - 1)
			rates = json.loads(watching.stdout.readline())["flows"]
		equal([row["server_name"] for row in rates], ["app.example", "static.example"], "the fastest first")
		watching.kill()


@test
def people_get_tables(scene):
	relay, agent = pair(scene)
	client(scene, relay, "app.example")
	for daemon, word, titles, words in (
			(relay, "status", ("program:", "sessions:"), ("valise-relay", "running", "Static routes")),
			(relay, "agents", ("AGENT", "RTT", "SESSION"), ("shop",)),
			(relay, "routes", ("NAME", "KIND", "HEALTH"), ("*.many.example", "unchecked")),
			(relay, "flows", ("CLIENT", "RATE", "AGE"), ("app.example", "B/s")),
			(agent, "status", ("program:", "ready:"), ("Relays", "Endpoints", "up")),
			(agent, "endpoints", ("NAME", "THERE"), ("accepted", "terminate")),
			(agent, "flows", ("CLIENT", "RELAY"), (CONNECT_NAME, "joined"))):
		code, out, err = ask(daemon, word, "--table")
		equal((code, err), (0, ""), f"exit status and complaints of {word}")
		for told in titles + words:
			check(told in out, f"{word} tells {told!r}: {out}")
		check(all(line == line.rstrip() for line in out.splitlines()), f"no line of {word} ends in spaces")
	status, _, err = ask(relay, "flows", "--json", "--table")
	check(status == 64 and "not both" in err, err)
	status, _, err = ask(relay, "flows", "--sort", "colour")
	check(status == 64 and "--sort is one of client|" in err, err)
	status, _, err = ask(relay, "status", "--watch", "0")
	check(status == 64 and "--watch wants seconds" in err, err)


@test
def a_terminal_gets_a_table_that_stays_in_its_place(scene):
	relay, _ = pair(scene)
	ours, theirs = pty.openpty()
	fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 40, 0, 0))
	with subprocess.Popen([relay.program, "agents", "--watch", "1", "-c", relay.config_path], stdout=theirs,
			stdin=subprocess.DEVNULL) as watching:
		os.close(theirs)
		shown = b""
		while shown.count(b"AGENT") < 2 and select.select([ours], [], [], 20)[0]:
			shown += os.read(ours, 65536)
		watching.kill()
	os.close(ours)
	screens = shown.split(b"\033[H")
	check(len(screens) >= 3 and screens[0] == b"", f"it begins where the one before did: {shown[:200]}")
	check(b"shop" in screens[1] and b"{" not in shown, f"a table: {shown[:200]}")
	lines = screens[1].replace(b"\033[J", b"").replace(b"\033[K", b"").splitlines()
	check(len(lines) < 10 and all(len(line) <= 40 for line in lines), f"it fits on the screen: {lines}")


@test
def words_of_others_command_no_terminal(scene):
	relay = scene.relay()
	hostile = "x\x1b[2J\x9b2J\u202e\x7f\n"
	peer = scene.keep(Session(relay, authority().agent("other", "other.example")))
	peer.up(software=hostile)
	for form in "--json", "--table":
		_, out, _ = ask(relay, "agents", form)
		equal([character for character in out if not character.isprintable() and character not in "\n\x7f"], [], form)
	equal([row["software"] for row in document(relay, "agents")["agents"]], [hostile], "what it says of itself")


@test
def what_is_kicked_ends_and_nothing_else(scene):
	relay, agent = pair(scene)
	source = {"app": "127.0.0.5", "open": "127.0.1.5"}
	def begin():
		return {"app": client(scene, relay, "app.example", source=source["app"]),
			"static": client(scene, relay, "static.example", source=source["open"])}
	def flows():
		return by(document(relay, "flows")["flows"], "server_name")
	for words, ends, stays in (
			(lambda rows: ("--flow", rows["app.example"]["flow"]), "app", "static"),
			(lambda rows: ("--name", "static.example"), "static", "app"),
			(lambda rows: ("--client", "127.0.1.0/24"), "static", "app"),
			(lambda rows: ("--client", "127.0.0.5", "--name", "app.example"), "app", "static"),
			(lambda rows: ("--name", "app.example", "--agent", "shop"), "app", "static")):
		streams = begin()
		said = words(flows())
		equal(document(relay, "kick", *said), {"message": "ended 0 sessions and 1 flow", "found": True, "flows": 1,
			"sessions": 0}, f"the answer to {said}")
		check(is_over(streams[ends]), f"{said} ends the flow")
		streams[stays].sendall(b"x")
		until(lambda: len(flows()) == 1, 15, "the other one stays")
		equal(document(relay, "kick", "--name", f"{stays}.example")["flows"], 1, "it is open until it is kicked")
	reasons = [line["reason"] for line in relay.wait_event("flow-closed", count=10)]
	equal(set(reasons), {"kicked"}, "why they ended")
	equal(len(relay.events("session-down")), 0, "sessions that ended")


@test
def a_kicked_agent_loses_its_flows_and_comes_back(scene):
	relay, agent = pair(scene)
	over, static = client(scene, relay, "app.example"), client(scene, relay, "static.example")
	[row] = document(relay, "agents")["agents"]
	for said in ("--agent", "shop"), ("--session", row["session"]), ("--agent", "shop", "--issuer-key", row["issuer_key"]):
		before = len(relay.events("session-up"))
		if said[0] == "--session":
			said = ("--session", document(relay, "agents")["agents"][0]["session"])
		told = document(relay, "kick", *said)
		equal((told["found"], told["sessions"]), (True, 1), f"the answer to {said}")
		if over:
			equal(told["flows"], 1, "with its flow")
			check(is_over(over), "which is reset")
			over = None
		relay.wait_event("session-up", 20, before + 1)
		until(lambda: document(relay, "routes", "--name", "app.example")["routes"][0]["kind"] == "agent", 20, "it serves again")
	static.sendall(b"x")
	equal(static.recv(1)[:1], hello("static.example")[1:2], "the static flow is untouched")
	equal(len(relay.events("session-down")), 3, "sessions that ended")


@test
def a_kick_that_finds_nobody_says_no(scene):
	relay, _ = pair(scene)
	equal(document(relay, "kick", "--agent", "nobody", status=1)["found"], False, "nobody")
	equal(document(relay, "kick", "--agent", "shop", "--issuer-key", "0" * 16, status=1)["sessions"], 0, "another issuer's")
	code, out, err = ask(relay, "kick", "--name", "nothing.example")
	equal((code, out, err), (1, "ended 0 sessions and 0 flows\n", ""), "in words")
	for said, why in (((), "kick whom?"), (("--flow", "12"), "32 hexadecimal digits"), (("--client", "host"), "an address"),
			(("--client", "127.0.0.1/8"), "an address"), (("--name", "a..b"), "a server name"),
			(("--agent", ""), "the name of an agent"), (("--agent", "x" * 65), "the name of an agent")):
		code, out, err = ask(relay, "kick", *said)
		check(code == 64 and out == "" and why in err, f"{said}: {code} {err}")
	equal(len(document(relay, "agents")["agents"]), 1, "agents that are left")


@test
def the_log_has_who_changed_what(scene):
	relay, agent = pair(scene)
	document(relay, "status")
	document(relay, "kick", "--name", "app.example", status=1)
	document(relay, "reload")
	document(agent, "reload")
	told = relay.wait_event("admin-command", count=2)
	equal([(line["command"], line.get("arguments"), line["uid"]) for line in told],
		[("kick", '{"name":"app.example"}', os.geteuid()), ("reload", None, os.geteuid())], "who changed what")
	equal(relay.wait_event("kicked")[0]["flows"], 0, "and what came of it")
	equal(agent.wait_event("admin-command")[0]["command"], "reload", "at the agent")


@test
def drain_stops_it_in_order(scene):
	relay, agent = pair(scene)
	stream = client(scene, relay, "app.example")
	code, out, err = ask(relay, "drain")
	equal((code, err), (0, ""), "exit status and complaints")
	check("takes nothing new" in out and "within 30 s" in out, out)
	equal(document(relay, "status")["state"], "draining", "the state")
	code, out, err = ask(relay, "drain")
	check(code == 70 and "drains already" in err, f"{code} {err}")
	stream.close()
	equal(relay.wait(20), 0, "exit status of the relay")
	relay.expected = 0


@test
def a_group_may_look_and_change_nothing(scene):
	if os.geteuid() != 0:
		skip("only root can become somebody else")
	group = {"admin": {"group": str(LOOKERS)}}
	os.mkdir(f"{scene.dir}/run")
	relay, agent = pair(scene, **group)
	agent.stop()
	agent.write({**agent.settings, "admin": {"socket": f"{scene.dir}/run/agent.sock", "group": str(LOOKERS)}})
	agent.start()
	os.chmod(scene.dir, 0o755)
	lookers = {"user": NOBODY, "group": NOBODY, "extra_groups": [LOOKERS]}
	for daemon, path, looks, changes in (
			(relay, f"{scene.dir}/relay.sock", ("status", "agents", "routes", "flows"), (("kick", "--agent", "shop"), ("drain",), ("reload",))),
			(agent, f"{scene.dir}/run/agent.sock", ("status", "endpoints", "flows"), (("reload",), ("acme-rekey",)))):
		equal((stat.S_IMODE(os.lstat(path).st_mode), os.lstat(path).st_gid), (0o660, LOOKERS), f"mode and group of {path}")
		os.chmod(daemon.config_path, 0o644)
		daemon.program = shutil.copy(daemon.program, scene.dir)	# the tree may be where a foreigner cannot go
		for word in looks:
			code, out, err = ask(daemon, word, **lookers)
			equal((code, err), (0, ""), f"exit status of {word} by who may look")
			json.loads(out)
		for words in changes:
			code, out, err = ask(daemon, *words, **lookers)
			equal((code, out), (77, ""), f"exit status of {words} by who may look: {err}")
			check("may look" in err, f"it says what he may: {err!r}")
		refused = daemon.wait_event("admin-refused", count=len(changes))
		equal([(line["uid"], line["command"]) for line in refused], [(NOBODY, words[0]) for words in changes], "who wanted what")
		equal(ask(daemon, "status", **{**lookers, "extra_groups": []})[0], 77, "exit status for others")
		equal(document(daemon, "status")["state"], "running", "it runs on")


@test
def a_group_that_cannot_be_given_the_socket_ends_the_start(scene):
	for settings, status, why in (({"socket": f"{scene.dir}/a.sock", "group": "no-such-group"}, 78, "no group no-such-group"),
			({"socket": f"{scene.dir}/a.sock", "group": "a b"}, 78, "cannot be a group")):
		relay = scene.relay(start=False, admin=settings)
		for word in "check", "run":
			done = subprocess.run([relay.program, word, "-c", relay.config_path], capture_output=True, text=True, timeout=30)
			check(done.returncode == status and why in done.stderr, f"{word}: {done.returncode} {done.stderr}")
	relay = scene.relay(start=False)
	relay.write({**relay.settings, "admin": {"group": "root"}})
	done = subprocess.run([relay.program, "check", "-c", relay.config_path], capture_output=True, text=True, timeout=30)
	check(done.returncode == 78 and "admin.group needs admin.socket" in done.stderr and f"{relay.config_path}:" in done.stderr,
		done.stderr)


@test
def a_list_is_whole_however_long(scene):
	relay = scene.relay(workers=2, routes=[route("static.example", scene.upstream(pour_nothing))])
	clients = [scene.keep(dial(relay.port, hello("static.example"))) for _ in range(300)]
	until(lambda: len(document(relay, "flows")["flows"]) == len(clients), 30, "all flows are told")
	rows = document(relay, "flows")["flows"]
	equal(len({row["flow"] for row in rows}), len(clients), "each once")
	with socket.socket(socket.AF_UNIX) as slow:	# who does not read holds nobody up
		slow.connect(f"{scene.dir}/relay.sock")
		slow.sendall(b'{"command":"flows"}\n')
		equal(len(document(relay, "flows")["flows"]), len(clients), "flows that others are told meanwhile")
	equal(document(relay, "kick", "--client", "127.0.0.0/8")["flows"], len(clients), "flows that are kicked at once")
	until(lambda: not document(relay, "flows")["flows"], 15, "all are gone")


def pour_nothing(stream):
	while stream.recv(65536):
		pass


main()
