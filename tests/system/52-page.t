#!/usr/bin/env -S python3 -B
"""What HTTP says of the page: one file that needs nothing else, its policy, and the events that it reads."""
import base64
import hashlib
import json
import re
from http.client import HTTPConnection

from lib import *
from lib.scene import free_port


def with_page(scene, make, **keys):
	port = free_port()
	daemon = make(admin={"http": f"127.0.0.1:{port}"}, **keys)
	return daemon, port


def get(port, path, **headers):
	connection = HTTPConnection("127.0.0.1", port, timeout=20)
	connection.request("GET", path, headers=headers)
	answer = connection.getresponse()
	return answer, answer.read()


class Events:
	"""The stream, as a browser reads it: the newest document of each part."""

	def __init__(self, scene, port):
		self.connection = HTTPConnection("127.0.0.1", port, timeout=20)
		self.connection.request("GET", "/events", headers={"Accept": "text/event-stream"})
		self.answer = self.connection.getresponse()
		equal(self.answer.status, 200, "status")
		self.lines, self.parts = self.answer, {}
		scene.keep(self)

	def next(self):
		word = None
		while line := self.lines.readline().decode():
			if line.startswith("event: "):
				word = line[7:].strip()
			elif line.startswith("data: "):
				self.parts[word] = json.loads(line[6:])
				return word
		raise AssertionError("the stream has ended")

	def until(self, part, claim):
		"""The first document of this part of which that is true."""
		for _ in range(60):
			if part in self.parts and claim(self.parts[part]):
				return self.parts[part]
			self.next()
		raise AssertionError(f"{part} stays {self.parts.get(part)}")

	def close(self):
		self.connection.close()


def rows(document):
	if "columns" not in document:
		return document["rows"]
	return [dict(zip(document["columns"], row)) for row in document["rows"]]


def between(page, tag):
	return re.search(f"<{tag}>(.*?)</{tag}>", page, re.S).group(1)


def hash_of(text):
	return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


@test
def the_page_is_one_file_and_its_policy_lets_nothing_else_run(scene):
	_, port = with_page(scene, scene.relay)
	answer, body = get(port, "/")
	page, policy = body.decode(), answer.headers["Content-Security-Policy"]
	equal((answer.status, answer.headers["Content-Type"]), (200, "text/html; charset=utf-8"), "status and type")
	directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
	equal(directives["default-src"], "'none'", "what may be loaded")
	equal(directives["style-src"], hash_of(between(page, "style")), "which style may be used")
	equal(directives["script-src"], hash_of(between(page, "script")), "which script may run")
	equal(directives["require-trusted-types-for"], "'script'", "what a script may make of texts")
	equal(re.findall(r"""(?:src|href)\s*=\s*["'](?!data:|#)[^"']*""", page), [], "what it refers to")
	equal(re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", page), [], "ways to make markup of texts")
	again, body = get(port, "/", **{"If-None-Match": answer.headers["ETag"]})
	equal((again.status, body), (304, b""), "asked again")


@test
def the_relay_tells_who_is_connected_and_what_happens(scene):
	relay, port = with_page(scene, scene.relay)
	events = Events(scene, port)
	view = events.until("view", lambda view: True)
	equal((view["program"], view["name"], view["state"], view["attention"]), ("valise-relay", "localhost", "running", []), "who it is")
	check({"connect.certificate"} <= {one["what"] for one in view["certificates"]}, f"certificates: {view['certificates']}")
	check({"flows", "sessions of agents"} <= {one["what"] for one in view["limits"]}, f"limits: {view['limits']}")
	scene.agent(relay, [passthrough("app.example", scene.upstream(echo))], authority().agent("app", "app.example"))
	agents = events.until("agents", lambda agents: agents["total"] == 1)
	equal([(row["agent"], row["endpoints"]) for row in rows(agents)], [("app", 1)], "agents")
	names = events.until("names", lambda names: names["total"] == 1)
	equal([row["name"] for row in rows(names)], ["app.example"], "names")
	alert_of(dial(relay.port, hello("nobody.example")))
	view = events.until("view", lambda view: view["refusals"])
	equal(view["refusals"], [{"what": "unknown-name", "recent": 1, "total": 1}], "refusals")
	scene.keep(dial(relay.port, hello("app.example")))
	events.until("view", lambda view: view["counts"]["flows"] == 1 and view["history"]["flows"][-1] == 1)
	up = events.until("events", lambda told: [row for row in told["rows"] if row["event"] == "session-up"])
	check("agent=app" in [row for row in up["rows"] if row["event"] == "session-up"][0]["fields"], f"events: {up}")


@test
def what_a_reload_refuses_needs_attention_until_it_is_mended(scene):
	relay, port = with_page(scene, scene.relay)
	fine = open(relay.config_path).read()
	events = Events(scene, port)
	events.until("view", lambda view: not view["attention"])
	relay.write_text(fine.replace('"listeners"', '"lisners"'))
	relay.reload()
	view = events.until("view", lambda view: view["attention"])
	check(view["attention"][0]["level"] == "error" and "lisners" in view["attention"][0]["text"], f"{view['attention']}")
	relay.write_text(fine)
	relay.reload()
	events.until("view", lambda view: not view["attention"])


@test
def the_agent_tells_whose_key_answers(scene):
	relay = scene.relay()
	port = free_port()
	scene.agent(relay, [terminate("api.example", scene.upstream(http)), passthrough("shop.example", scene.tls_upstream(echo, "shop.example"))],
		authority().agent("both", "api.example", "shop.example"), admin={"http": f"127.0.0.1:{port}"},
		probe={"interval": "1s", "address": f"127.0.0.1:{relay.port}"})
	events = Events(scene, port)
	view = events.until("view", lambda view: [one for one in view["relays"] if one["state"] == "up"])
	equal((view["program"], view["name"]), ("valise-agent", "both"), "who it is")
	told = events.until("endpoints", lambda told: all(row["probe"]["result"] == "match" for row in told["rows"]))
	equal([(row["server_name"], row["mode"], row["probe"]["from"], row["caa"]) for row in told["rows"]],
		[("api.example", "terminate", f"127.0.0.1:{relay.port}", None),
		("shop.example", "passthrough", f"127.0.0.1:{relay.port}", None)], "endpoints")


main()
