#!/usr/bin/env python3
"""The log and standard error: nobody waits for it, nothing is taken for it, nothing in it is forged."""
import json
import os
import re
import signal
import ssl
import subprocess
import time

from lib import *
from lib.client import reset
from lib.session import Session

STRAY = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO,
	signal.SIGPIPE, signal.SIGPWR, signal.SIGXFSZ, signal.SIGRTMIN, signal.SIGRTMAX]


def files_of(directory):
	"""{path: content} of the small regular files below."""
	found = {}
	for top, _, names in os.walk(directory):
		for name in names:
			if not os.path.isfile(f"{top}/{name}"):
				continue	# the admin socket
			with open(f"{top}/{name}", "rb") as file:
				found[f"{top}/{name}"] = file.read()
	return found


@test
def a_closed_standard_error_is_no_file_of_the_daemons(scene):
	echoing = scene.upstream(echo)
	relay = scene.relay(start=False, routes=[route("static.example", echoing)], admin={"socket": None})
	del relay.settings["admin"]
	relay.write(relay.settings)
	agent = scene.agent(relay, [passthrough("app.example", echoing)], authority().agent("app", "app.example"),
		start=False)
	for daemon in relay, agent:
		daemon.closed = (2,)
		daemon.start()
	first = hello("app.example")
	until(lambda: dial(relay.port, first).recv(1) == first[:1], 15, "a flow passes")
	found = {**files_of(scene.state("relay")), **files_of(scene.state("agent"))}
	equal(found[f"{scene.state('relay')}/lock"], b"%d\n" % relay.pid, "the relay's lock")
	for path, content in found.items():
		check(b"event" not in content, f"{path} has lines of the log: {content!r}")


@test
def the_tools_take_no_file_for_standard_output(scene):
	with open(f"{scene.dir}/hello", "wb") as file:
		file.write(hello("app.example"))
	for argv in ([PROGRAMS["sni"], f"{scene.dir}/hello"], [PROGRAMS["pki"], "list", "--ca", authority().dir]):
		for closed in (0,), (1,), (1, 2), (0, 1, 2):
			done = subprocess.run(argv, stdout=subprocess.DEVNULL, preexec_fn=lambda: [os.close(fd) for fd in closed])
			equal(done.returncode, 0, f"status of {argv[0]} without {closed}")


@test
def signals_that_say_nothing_end_no_daemon(scene):
	echoing = scene.upstream(echo)
	relay = scene.relay(workers=2)
	agent = scene.agent(relay, [passthrough("app.example", echoing)], authority().agent("app", "app.example"))
	for daemon in relay, agent:
		for number in STRAY:
			daemon.signal(number)
	first = hello("app.example")
	until(lambda: dial(relay.port, first).recv(1) == first[:1], 15, "a flow passes")
	for daemon in relay, agent:
		check(daemon.alive(), f"{daemon.label} is gone")


def full_pipe():
	"""(reading end, writing end) of a pipe that takes no byte more."""
	ends = os.pipe()
	os.set_blocking(ends[1], False)
	try:
		while True:
			os.write(ends[1], b"x" * 4096)
	except BlockingIOError:
		os.set_blocking(ends[1], True)
	return ends


def pass_flows(relay, count):
	first = hello("app.example")
	for _ in range(count):
		with dial(relay.port, first) as client:
			equal(read_exactly(client, len(first)), first, "what comes back")


@test
def flows_pass_and_a_stop_is_obeyed_while_nobody_reads_the_log(scene):
	echoing = scene.upstream(echo)
	relay = scene.relay(workers=2)
	agent = scene.agent(relay, [passthrough("app.example", echoing)], authority().agent("app", "app.example"))
	for daemon in agent, relay:
		equal(daemon.stop(), "", "the first stop")
	ends = full_pipe()
	for daemon in relay, agent:
		daemon.stderr = ends[1]
		daemon.start()
	first = hello("app.example")
	until(lambda: dial(relay.port, first).recv(1) == first[:1], 15, "a flow passes")
	pass_flows(relay, 400)
	for daemon in agent, relay:
		begin = time.monotonic()
		daemon.signal(signal.SIGTERM)
		equal(daemon.wait(10), 0, f"the end of {daemon.label}")
		check(time.monotonic() - begin < 5, f"{daemon.label} stops late")
	for end in ends:
		os.close(end)


def fields_of(line):
	"""The fields of a line of text, as somebody would read them who knows only of quotes."""
	outside = re.sub(r'"(\\.|[^"\\])*"', '""', line)
	return re.findall(r" ([a-z0-9_]+)=(\S*)", outside)


@test
def the_name_of_a_refused_client_forges_no_field(scene):
	subject = "/CN=shop client=192.0.2.66 \N{RIGHT-TO-LEFT OVERRIDE}\" x"
	run("openssl", "req", "-x509", "-utf8", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
		"-keyout", f"{scene.dir}/evil.key", "-out", f"{scene.dir}/evil.crt", "-days", "1", "-subj", subject)
	relay = scene.relay()
	agent = scene.agent(relay, [terminate("app.example", scene.upstream(http),
		{"mutual_tls_certificate_authorities": authority().cas("client")})],
		authority().agent("app", "app.example"))
	equal(agent.stop(), "", "the first stop")
	agent.settings["log"]["format"] = "text"
	agent.write(agent.settings)
	agent.start()
	agent.wait_text("endpoint-up")
	s_client(relay.port, "app.example", authority().root, "-cert", f"{scene.dir}/evil.crt",
		"-key", f"{scene.dir}/evil.key")
	for word in "client-refused", "flow-closed":
		agent.wait_text(f" {word}")
	lines = agent.log_text()[agent.log_from:].splitlines()
	for word in "client-refused", "flow-closed":
		line = next(l for l in lines if f" {word}" in l)
		check("192.0.2.66" in line, f"the subject is not told: {line}")
		clients = [value for key, value in fields_of(line) if key == "client"]
		check(len(clients) == 1 and clients[0].startswith("127.0.0.1:"), f"{clients} in {line}")


@test
def a_client_that_is_refused_again_and_again_makes_few_lines(scene):
	relay = scene.relay(workers=2)
	begin = time.monotonic()
	refused = {"hello-refused": 0, "flow-refused": 0}
	while sum(refused.values()) < 2000:
		with dial(relay.port, b"GET / HTTP/1.0\r\n\r\n") as client:
			equal(closed_how(client), "fin", "the end of what is not TLS")
		refused["hello-refused"] += 1
		with dial(relay.port, hello("unknown.example")) as client:
			equal(alert_of(client), 112, "the alert")
		refused["flow-refused"] += 1
	seconds = time.monotonic() - begin
	for event, count in refused.items():
		told = lambda: len(relay.events(event)) + \
			sum(e["lines"] for e in relay.events("log-lines-suppressed", of=event, clients="127.0.0.1/32"))
		until(lambda: told() == count, what=f"{count} {event} are accounted for")
	lines = sum(len(relay.events(w)) for w in ("hello-refused", "flow-refused", "log-lines-suppressed"))
	check(lines <= (seconds + 1) * 100, f"{lines} lines in {seconds} s")


def self_signed(scene, name):
	paths = f"{scene.dir}/{name}.crt", f"{scene.dir}/{name}.key"
	run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
		"-subj", f"/CN={name}", "-out", paths[0], "-keyout", paths[1])
	return paths


def be_refused(connect):
	"""The other side ends it, in the handshake or, since TLS 1.3, as soon as something is read."""
	try:
		with connect() as stream:
			check(not stream.recv(1), "not refused")
	except (OSError, EOFError):
		pass


def refuse_often(daemon, event, connect, count=200):
	"""How many lines it makes to be refused so often, and how many are allowed to nobody in particular."""
	before, begin = len(daemon.events(event)), time.monotonic()
	suppressed = lambda: sum(e["lines"] for e in daemon.events("log-lines-suppressed", of=event))
	suppressed_before = suppressed()
	for _ in range(count):
		be_refused(connect)
	lines = lambda: len(daemon.events(event)) - before
	until(lambda: lines() + suppressed() - suppressed_before == count, 10, f"{count} {event} are accounted for")
	return lines(), (time.monotonic() - begin + 1) * 30


def few_in_a_minute(daemon, event, connect):
	"""Of one whom a root vouches for."""
	begin = time.monotonic()
	lines = refuse_often(daemon, event, connect)[0]
	most = 60 * (1 + int((time.monotonic() - begin) / 60))
	check(60 <= lines <= most, f"{lines} lines of one certificate, {most} are allowed")


@test
def agents_that_nobody_vouches_for_make_few_lines_and_others_one_each(scene):
	relay = scene.relay(limits={"sessions_per_second": 0})
	connect = lambda certificate: lambda: Session(relay, certificate).stream
	lines, most = refuse_often(relay, "agent-refused", connect(self_signed(scene, "nobody")))
	check(lines <= most, f"{lines} lines for junk, {most} are allowed")
	few_in_a_minute(relay, "agent-refused", connect(authority().client("no-agent")))
	others = [authority().client(f"no-agent-{n}") for n in range(3)]
	equal([refuse_often(relay, "agent-refused", connect(other), 1)[0] for other in others], [1, 1, 1],
		"lines of others whom a root vouches for")


@test
def clients_that_nobody_vouches_for_make_few_lines_and_others_one_each(scene):
	relay = scene.relay()
	agent = scene.agent(relay, [terminate("app.example", scene.upstream(http),
		{"mutual_tls_certificate_authorities": authority().cas("client")})], authority().agent("app", "app.example"))

	def connect(certificate, version):
		return lambda: TlsClient(relay.port, "app.example", authority().root, certificate=certificate, version=version)
	new, old = ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2
	lines, most = refuse_often(agent, "client-refused", connect(self_signed(scene, "nobody"), new))
	check(lines <= most, f"{lines} lines for junk, {most} are allowed")
	check(len(agent.events("flow-closed")) <= most, "lines of the ends of their flows")
	known = authority().agent("no-client", "no-client.example")
	few_in_a_minute(agent, "client-refused", connect(known, new))
	other = authority().agent("no-client-either", "no-client.example")
	equal(refuse_often(agent, "client-refused", connect(other, new), 1)[0], 1, "lines of another")
	# It has not shown that it has the key when it is judged, and certificates are no secrets.
	lines, most = refuse_often(agent, "client-refused", connect(known, old))
	check(lines <= most, f"{lines} lines of TLS 1.2, {most} are allowed")


@test
def clients_that_go_before_they_are_served_make_few_lines(scene):
	relay = scene.relay(workers=2)
	session = scene.keep(Session(relay, authority().agent("mute", "mute.example.com")))
	session.up()
	equal(session.announce(1, "mute.example.com"), 0, "announced")
	clients = [dial(relay.port, hello("mute.example.com")) for _ in range(300)]
	relay.wait_event("move", count=300, machine="flow", to="taking")
	begin = time.monotonic()
	for client in clients:
		reset(client)
	told = lambda: len(relay.events("flow-closed", reason="client-gone")) + \
		sum(e["lines"] for e in relay.events("log-lines-suppressed", of="flow-closed", clients="127.0.0.1/32"))
	until(lambda: told() == 300, 10, "300 flows are accounted for")
	lines = len(relay.events("flow-closed"))
	check(lines <= (time.monotonic() - begin + 1) * 30, f"{lines} lines")


@test
def what_was_dropped_is_counted_and_audit_events_are_not_among_it(scene):
	relay = scene.relay(start=False, workers=2, routes=[route("app.example", scene.upstream(echo))])
	ends = full_pipe()
	relay.stderr = ends[1]
	relay.start()
	os.close(ends[1])
	first = hello("app.example")
	running = scene.keep(dial(relay.port, first))
	equal(read_exactly(running, len(first)), first, "what comes back")
	for number in range(6000):
		with dial(relay.port, hello(f"{number}.{'x' * 60}.{'y' * 60}.example")) as client:
			alert_of(client)
	relay.reload()
	relay.wait_notified("RELOADING=1")
	relay.wait_notified("READY=1")
	relay.signal(signal.SIGTERM)
	relay.wait_notified("STOPPING=1")
	events = []
	with open(ends[0], errors="replace") as log:
		for line in log:
			events.append(json.loads(line[line.index("{"):]))
			if events[-1]["event"] == "draining":
				running.close()	# and not earlier: an end waits only 1 s for its readers
	equal(relay.wait(10), 0, "the end of the relay")
	audit = ["relay-up", "reloaded", "draining", "relay-down"]
	equal([e["event"] for e in events if e["event"] in audit], audit, "the audit events")
	losses = [e for e in events if e["event"] == "log-lines-dropped"]
	check(sum(e["lines"] for e in losses) > 0, "no line was dropped")
	equal(sum(e["audit_lines"] for e in losses), 0, "dropped audit events")


@test
def each_move_of_a_flow_is_a_line_at_debug_level(scene):
	relay = scene.relay()
	agent = scene.agent(relay, [passthrough("app.example", scene.upstream(echo))],
		authority().agent("app", "app.example"))
	first = hello("app.example")
	with dial(relay.port, first) as client:
		equal(read_exactly(client, len(first)), first, "what comes back")
	for daemon, wanted in (relay, ["looking", "taking", "opening", "joined", "over"]), \
			(agent, ["opened", "dialling", "joined", "over"]):
		flow = daemon.wait_event("flow-closed")[0]["flow"]
		moves = until(lambda: len(m := daemon.events("move", machine="flow", flow=flow)) == len(wanted) - 1 and m)
		equal([m["from"] for m in moves] + [moves[-1]["to"]], wanted, f"the states of {daemon.label}'s flow")
		equal([m["to"] for m in moves[:-1]], [m["from"] for m in moves[1:]], "each begins where one ended")
	for machine in "session", "link", "channel":
		check(relay.events("move", machine=machine) and agent.events("move", machine=machine), machine)


main()
