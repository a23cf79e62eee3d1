#!/usr/bin/env -S python3 -B
"""What both daemons say by HTTP: health, readiness and metrics, and to whom."""
import json
import re
import subprocess
from http.client import HTTPConnection

from lib import *
from lib.scene import Configured, free_port

NAME, OTHER = "app.example", "open.example"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
# The parser of Debian's python3-prometheus-client, which is strict.
PARSER = """
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
print(json.dumps([(sample.name, sample.labels, sample.value)
	for family in text_string_to_metric_families(sys.stdin.read()) for sample in family.samples]))
"""


def served(daemon):
	"""The ports of admin.http and admin.health."""
	daemon.http, daemon.health = (int(daemon.settings["admin"][key].rsplit(":")[-1]) for key in ("http", "health"))
	return daemon


def places(**keys):
	return dict({"http": f"127.0.0.1:{free_port()}", "health": f"127.0.0.1:{free_port()}"}, **keys)


def get(port, path, **headers):
	"""(status, text)"""
	connection = HTTPConnection("127.0.0.1", port, timeout=30)
	try:
		connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
		answer = connection.getresponse()
		return answer.status, answer.read().decode()
	finally:
		connection.close()


def parsed(text):
	"""[(name, labels, value)]"""
	done = subprocess.run(["/usr/bin/python3", "-c", PARSER], input=text, capture_output=True, text=True, timeout=60)
	equal((done.returncode, done.stderr), (0, ""), "what the parser of OpenMetrics complains of")
	return json.loads(done.stdout)


def samples(port):
	"""The same by words alone, which costs less, of who asks again and again."""
	status, text = get(port, "/metrics")
	equal(status, 200, "the status of /metrics")
	found = []
	for line in text.splitlines():
		if not line.startswith("#"):
			name, labels, value = re.match(r"(\w+)(?:\{(.*)\})? (\S+)$", line).groups()
			found.append((name, dict(re.findall(r'(\w+)="([^"]*)"', labels or "")), float(value)))
	return found


def of(found, metric, **labels):
	"""The sum of the samples that have these labels."""
	return sum(value for key, has, value in found if key == metric and labels.items() <= has.items())


def fresh(port, question, what):
	"""A snapshot is a second old at most."""
	until(lambda: question(samples(port)), 15, what)


def lint(port, path="/metrics"):
	status, text = get(port, path)
	done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
	equal((status, done.returncode, done.stdout + done.stderr), (200, 0, ""), f"promtool's opinion of {path}")
	return text


def pair(scene, **keys):
	relay = served(scene.relay(workers=2, region="eu", admin=places(), **keys))
	certificate = authority().agent("app", NAME, OTHER)
	endpoints = [passthrough(NAME, scene.upstream(echo)), terminate(OTHER, scene.upstream(echo))]
	agent = served(scene.agent(relay, endpoints, certificate, workers=2, admin=places()))
	return relay, agent


def echoed(port, name=NAME):
	first = hello(name)
	with dial(port, first) as client:
		equal(read_exactly(client, len(first)), first, "the echo")


def open_flow(scene, port):
	first = hello(NAME)
	flow = scene.keep(dial(port, first))
	equal(read_exactly(flow, len(first)), first, "the echo")
	return flow


@test
def the_relay_counts_what_happens(scene):
	relay, agent = pair(scene)
	echoed(relay.port)
	with dial(relay.port, hello("nobody.example")) as client:
		equal(alert_of(client), 112, "the alert of a name that nobody serves")
	with dial(relay.port, b"GET / HTTP/1.0\r\n\r\n") as client:
		drained(client)
	fresh(relay.http, lambda found: of(found, "valise_relay_flows_ended_total", reason="finished") == 1,
		"the flow has ended")
	found = samples(relay.http)
	equal([of(found, "valise_relay_refused_total", code=code) for code in ("unknown-name", "not-tls", "denied")],
		[1, 1, 0], "refusals by code")
	equal([of(found, f"valise_relay_{name}") for name in
		("flows_total", "flow_ready_seconds_count", "flow_duration_seconds_count", "sessions_total", "sessions_up", "endpoints")],
		[2, 1, 1, 1, 1, 2], "flows and sessions")
	equal(of(found, "valise_relay_flows_joined_total", way="sealed"), 1, "sealed flows")
	check(of(found, "valise_relay_bytes_total", direction="out") == len(hello(NAME)), "bytes to clients")
	equal(of(found, "valise_relay_route_flows_total", route=NAME), 1, "flows of the name")
	equal(of(found, "valise_relay_route_bytes_total", route=NAME, direction="in"), len(hello(NAME)), "bytes of the name")
	equal([labels for _, labels, _ in found if labels.get("route") == "nobody.example"], [], "series that a stranger has made")
	check(of(found, "valise_limit_bound", limit="flows") > 0, "a limit")
	check(0 < of(found, "valise_certificate_left_seconds", key="connect.certificate"), "its certificate")
	check(0 < of(found, "valise_crl_left_seconds", key="connect.agent_crls"), "its CRLs")
	equal([of(found, name) for name in ("valise_reload_good", "valise_reload_faults", "valise_log_lines_dropped_total",
		"valise_relay_ready")], [1, 0, 0, 1], "reloads and the log")
	fresh(agent.http, lambda found: of(found, "valise_agent_flows_ended_total") == 1, "the agent's flow has ended")
	found = samples(agent.http)
	equal([of(found, f"valise_agent_{name}") for name in
		("flows_total", "flows_joined_total", "relays_up", "relay_up", "ready", "endpoints", "upstream_up")],
		[1, 1, 1, 1, 1, 2, 2], "what the agent says")
	equal(of(found, "valise_agent_endpoint_flows_total", endpoint=f"sealed-{NAME}"), 1, "flows of the endpoint")
	check(0 < of(found, "valise_certificate_left_seconds", key="server_certificate", name=OTHER), "an endpoint's certificate")
	for daemon in (relay, agent):
		for port in (daemon.http, daemon.health):
			lint(port)
			names = {name for name, _, _ in parsed(get(port, "/metrics", Accept=OPENMETRICS)[1])}
			equal(names ^ {name for name, _, _ in samples(port)}, set(), "what only one of the forms has")


@test
def a_reload_that_is_refused_is_seen(scene):
	relay, agent = pair(scene)
	for daemon in (relay, agent):
		text = open(daemon.config_path).read()
		daemon.write_text(text.replace('"version": 1', '"version": 7'))
		daemon.reload()
		fresh(daemon.health, lambda found: of(found, "valise_reload_good") == 0, "the refusal is counted")
		daemon.write_text(text)
		daemon.reload()
		fresh(daemon.health, lambda found: of(found, "valise_reload_good") == 1, "the next one is good")


@test
def strangers_hear_no_names(scene):
	relay, agent = pair(scene)
	echoed(relay.port)
	for daemon in (relay, agent):
		fresh(daemon.health, lambda found: of(found, f"valise_{daemon.label}_flows_ended_total") >= 1, "the flow has ended")
		for form in ("text/plain", OPENMETRICS):
			text = get(daemon.health, "/metrics", Accept=form)[1]
			check("example" not in text and "127.0.0.1" not in text and scene.dir not in text, f"{daemon.label}: {text}")
		check(NAME in get(daemon.http, "/metrics")[1], f"{daemon.label}'s admin.http has names")
		equal([get(daemon.health, path)[0] for path in ("/", "/events", "/status", "/metrics/")], [404] * 4, "other paths")


@test
def readiness_is_told_in_words(scene):
	relay, agent = pair(scene)
	for daemon in (relay, agent):
		for port in (daemon.http, daemon.health):
			equal(get(port, "/healthz"), (200, "alive\n"), f"{daemon.label} lives")
			equal(get(port, "/readyz"), (200, "ready\n"), f"{daemon.label} is ready")
			equal(get(port, f"/readyz?name={OTHER}"), (200, "ready\n"), "a name that is served")
		status, text = get(daemon.health, "/readyz?region=us&name=no%22.example")
		equal(status, 503, text)
		check("region 'us'" in text and "name 'no" in text, text)
		equal(get(daemon.health, "/readyz?name=nobody.example")[0], 503, "a name that is not served")
		for stray, query in (("regoin", "regoin=eu"), ("x", "region=eu&x=1"), ("region", "region"), ("n%20", f"n%20={NAME}")):
			equal(get(daemon.health, f"/readyz?{query}"),
				(400, f"'{stray.replace('%20', ' ')}' cannot be asked; ask ?region=REGION, ?name=NAME\n"), query)
	equal(get(relay.health, f"/readyz?region=eu&name={NAME}")[0], 200, "its own region")
	agent.stop()
	until(lambda: get(relay.health, f"/readyz?name={NAME}")[0] == 503, 15, "nobody serves the name any more")
	equal(get(relay.health, "/readyz")[0], 200, "the relay itself is ready")


@test
def an_agent_without_a_relay_is_alive_and_not_ready(scene):
	agent = served(scene.agent(scene.relay(start=False), [passthrough(NAME, scene.upstream(echo))],
		authority().agent("app", NAME), start=False, admin=places()))
	agent.start()
	agent.wait_event("relay-unreachable")
	equal(get(agent.health, "/healthz")[0], 200, "it lives")
	equal(get(agent.health, "/readyz"), (503, "not ready: none of 1 relays is connected\n"), "it is not ready")


@test
def a_daemon_that_drains_says_so(scene):
	relay, agent = pair(scene)
	flow = open_flow(scene, relay.port)
	for daemon in (agent, relay):
		daemon.signal(15)
		until(lambda: get(daemon.health, "/readyz") == (503, "not ready: it is draining\n"), 15, "it drains")
		equal(get(daemon.health, "/healthz")[0], 200, "and lives")
	flow.close()
	equal([relay.wait(), agent.wait()], [0, 0], "exit statuses")


@test
def pages_of_others_hear_nothing(scene):
	relay, agent = pair(scene)
	for daemon in (relay, agent):
		for headers in ({"Host": "rebound.example"}, {"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
			status, text = get(daemon.http, "/metrics", **headers)
			check(status == 403 and "valise" not in text, f"{headers}: {status} {text}")
		check(len(daemon.wait_event("http-refused", count=3)) == 3, "the log has them")


@test
def the_places_pass_with_a_takeover(scene):
	relay = served(scene.relay(routes=[route(NAME, scene.upstream(echo))], admin=places()))
	flow = open_flow(scene, relay.port)
	newer = Configured("relay", "newer", scene.dir, relay.settings)
	newer.argv += ["--takeover"]
	scene._add(newer, True)
	relay.wait_event("handed-over")
	began = newer.events("relay-up")
	equal(len(began), 1, "the newer one is up")
	# A connection may still have come to the older one, which says that it drains.
	until(lambda: get(relay.health, "/readyz")[0] == 200, 15, "the newer one answers")
	for _ in range(20):
		equal(get(relay.health, "/readyz"), (200, "ready\n"), "who answers")
	flow.close()
	equal(relay.wait(), 0, "exit status of the older one")
	equal(get(relay.http, "/healthz")[0], 200, "and still")


@test
def an_address_that_is_taken_is_told(scene):
	taken = scene.upstream(echo)
	where = places(health=f"127.0.0.1:{taken.port}")
	relay = scene.relay(start=False, routes=[route(NAME, taken)], admin=where)
	done = subprocess.run([relay.program, "run", "-c", relay.config_path], capture_output=True, text=True, timeout=60)
	check(done.returncode == 69 and f"127.0.0.1:{taken.port}" in done.stderr, f"{done}")
	agent = scene.agent(relay, [passthrough(NAME, taken)], authority().agent("app", NAME), start=False, admin=where)
	for daemon in (relay, agent):
		done = subprocess.run([daemon.program, "check", "-c", daemon.config_path], capture_output=True, text=True, timeout=60)
		check(done.returncode == 69 and f"127.0.0.1:{taken.port}" in done.stderr, f"{done}")


@test
def wrong_places_are_told_by_check(scene):
	for admin, complaint in (({"http": "192.0.2.1:9180"}, "is not a loopback address"), ({"http": "localhost:9180"}, "is not a loopback"),
		({"health": "9181"}, "is not a valid address"), ({"http_hosts": ["a.example"]}, "admin.http_hosts is for admin.http"),
		({"http": "127.0.0.1:9180", "http_hosts": ["http://a.example"]}, "is not a valid name of a host"),
		({"http": "127.0.0.1:9180", "health": "127.0.0.1:9180"}, "is the address of admin.http, too")):
		relay = scene.relay(start=False, routes=[route(NAME, "tcp://127.0.0.1:9")], admin=admin)
		done = subprocess.run([relay.program, "check", "-c", relay.config_path], capture_output=True, text=True, timeout=60)
		check(done.returncode == 78 and complaint in done.stderr and f"{relay.config_path}:" in done.stderr, f"{admin}: {done}")


main()
