#!/usr/bin/env -S python3 -B
"""valise-agent forward: plain clients of this host reach an endpoint that asks for certificates."""
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import stat

import jsonschema

from lib import *
from lib.client import reset
from lib.scene import Configured, free_port, merged

NAME = "customer.example.com"
NOBODY = 65534


class Forward(Daemon):
	"""From the command line, at a unix socket unless `port` is given."""

	def __init__(self, scene, relay, *more, port=None, certificate=None, cas=None, crls=None, label="forward",
			url=f"tls://{NAME}"):
		self.port, self.path = port, None if port else f"{scene.dir}/{label}.sock"
		certificate = certificate or authority().client("vendor")
		super().__init__(label, [PROGRAMS["agent"], "forward", self.listen, url,
			"--address", f"127.0.0.1:{relay.port}", "--crt", certificate[0], "--key", certificate[1],
			"--cas", cas or authority().cas("server"), "--crls", crls or authority().crls("server"), *more],
			scene.dir)

	@property
	def listen(self):
		return f"127.0.0.1:{self.port}" if self.port else f"unix:{self.path}"

	def connect(self, first=b""):
		return connect(self.port or self.path, first)


def connect(where, first=b""):
	if isinstance(where, int):
		return dial(where, first)
	stream = socket.socket(socket.AF_UNIX)
	stream.settimeout(15)
	stream.connect(where)
	stream.sendall(first)
	return stream


def customer(scene, serve, pki=None, certificate=None):
	"""A relay and the customer's agent, whose endpoint lets in whom the CA of clients has named."""
	pki = pki or authority()
	upstream = scene.upstream(serve)
	tls = {"mutual_tls_certificate_authorities": [pki.cas("client")], "mutual_tls_crls": [pki.crls("client")]}
	if certificate:
		tls.update(server_certificate=certificate[0], server_private_key=certificate[1])
	relay = scene.relay()
	agent = scene.agent(relay, [terminate(NAME, upstream, tls)], authority().agent("customer-agent", NAME))
	return relay, agent, upstream


def forward(scene, relay, *more, **keys):
	return scene._add(Forward(scene, relay, *more, **keys), True)


def item(relay, listen, certificate=None, **keys):
	"""One of `forwards:`."""
	certificate = certificate or authority().client("vendor")
	return merged({"name": "shop", "listen": listen, "url": f"tls://{NAME}",
		"address": f"127.0.0.1:{relay.port}", "certificate": certificate[0], "private_key": certificate[1],
		"cas": authority().cas("server"), "crls": authority().crls("server")}, keys)


def configured(scene, *items, label="vendor", **settings):
	daemon = Configured("agent", label, scene.dir, merged({"version": 1, "workers": 1, "forwards": list(items),
		"agent": {"state_dir": scene.state(label)}, "log": {"level": "debug", "format": "json"}}, settings))
	return scene._add(daemon, True)


def spki_of(certificate):
	_, public, _ = run("openssl", "x509", "-in", certificate, "-noout", "-pubkey")
	_, der, _ = run("openssl", "pkey", "-pubin", "-outform", "DER", data=public)
	return hashlib.sha256(der).hexdigest()


def closed(daemon, reason, count=1, **fields):
	return daemon.wait_event("flow-closed", count=count, reason=reason, **fields)[-1]


def asked(daemon):
	"""How a client that only asks sees its end; a unix socket that has read nothing of its bytes resets, too."""
	try:
		with daemon.connect(b"request") as client:
			return closed_how(client)
	except BrokenPipeError:
		return "fin"
	except ConnectionResetError:
		return "reset"


def refused(daemon, upstream, code):
	"""A client that comes gets nothing, and the server's own upstream hears nothing of it."""
	before, closed_before = upstream.seen, len(daemon.events("flow-closed", reason=code))
	check(asked(daemon) in ("reset", "fin"), "no byte comes")
	line = closed(daemon, code, closed_before + 1)
	equal(line["ready_ms"], -1, "it was joined")
	daemon.wait_event("server-refused", code=code)
	equal(upstream.seen, before, "connections that the upstream saw")


@test
def a_plain_client_reaches_an_endpoint_that_asks_for_certificates(scene):
	relay, agent, upstream = customer(scene, http)
	for n, keys in enumerate(({}, {"port": free_port()})):
		daemon = forward(scene, relay, label=f"forward{n}", **keys)
		way = ("--unix-socket", daemon.path) if daemon.path else ("--connect-to", f"::127.0.0.1:{daemon.port}")
		status, out, err = run("curl", "-sS", "--max-time", 50, *way, "http://shop/")
		equal((status, out), (0, b"hello"), err)
		body = os.urandom(3 << 20)
		status, out, err = run("curl", "-sS", "--max-time", 50, *way, "--data-binary", "@-", "http://shop/", data=body)
		equal((status, out.decode()), (0, hashlib.sha256(body).hexdigest()), err)
		line = closed(daemon, "finished", 2, server_name=NAME, mode="forward", forward="forward", tls="TLS1.3")
		check(line["bytes_in"] > len(body) and line["bytes_out"] > 64, f"{line}")
		equal("uid" in line and "pid" in line, daemon.path is not None, "who connected is known")
	agent.wait_event("flow-closed", count=4, client_certificate="CN=vendor")


@test
def half_closes_in_both_orders(scene):
	def serve(stream):
		if read_exactly(stream, 5) == b"first":
			stream.sendall(b"bye")
			stream.shutdown(socket.SHUT_WR)
			got.append(drained(stream)[0])
		else:
			stream.sendall(b"%d" % drained(stream)[0])

	got = []
	relay, _, _ = customer(scene, serve)
	for n, keys in enumerate(({}, {"port": free_port()})):
		daemon = forward(scene, relay, label=f"forward{n}", **keys)
		with daemon.connect(b"other" + bytes(100000)) as client:
			client.shutdown(socket.SHUT_WR)
			equal(drained(client)[0], 6, "the answer comes behind the client's end")
		with daemon.connect(b"first") as client:
			equal(read_exactly(client, 3), b"bye")
			equal(client.recv(1), b"", "the server's end")
			client.sendall(bytes(100000))
			client.shutdown(socket.SHUT_WR)
			until(lambda: got, what="the server hears the client's end")
			equal(got.pop(), 100000, "what comes behind the server's end")
		closed(daemon, "finished", 2)


@test
def resets_go_through_both_ways(scene):
	def serve(stream):
		if read_exactly(stream, 1) == b"r":
			reset(stream)
		else:
			stream.sendall(b"x")
			seen.append(closed_how(stream))

	seen = []
	relay, _, _ = customer(scene, serve)
	daemon = forward(scene, relay, port=free_port())
	with daemon.connect(b"r") as client:
		equal(closed_how(client), "reset", "the server's reset")
	closed(daemon, "upstream-reset")
	client = daemon.connect(b"c")
	equal(client.recv(1), b"x")
	reset(client)
	until(lambda: seen, what="the server's end")
	equal(seen, ["reset"], "the client's reset")
	closed(daemon, "client-reset")


@test
def only_a_pinned_key_will_do(scene):
	relay, _, upstream = customer(scene, http)
	own = spki_of(authority().server(NAME)[0])
	right = forward(scene, relay, "--pin", "0" * 64 + "," + own, label="right")
	with right.connect(b"GET / HTTP/1.0\r\n\r\n") as client:
		check(b"hello" in client.recv(1000), "the right key")
	wrong = forward(scene, relay, "--pin", "0" * 64, label="wrong")
	refused(wrong, upstream, "key-not-pinned")
	check(own in wrong.log_text(), "the key that answers is told")


@test
def a_server_of_another_name_is_refused(scene):
	"""An agent that terminates shows no certificate of another name, so this is a server behind one that does not."""
	relay, got = scene.relay(), []
	server = scene.tls_upstream(lambda stream: got.append(stream.recv(100)), "other.example.com")
	scene.agent(relay, [passthrough(NAME, server)], authority().agent("sealed-agent", NAME))
	daemon = forward(scene, relay)
	check(asked(daemon) in ("reset", "fin"), "no byte comes")
	equal(closed(daemon, "name-mismatch")["ready_ms"], -1, "it was joined")
	daemon.wait_event("server-refused", code="name-mismatch", subject="CN=server-other.example.com")
	equal(got, [], "what the server got")


@test
def a_server_of_another_ca_is_refused(scene):
	relay, _, upstream = customer(scene, http)
	stranger = Authority()
	refused(forward(scene, relay, cas=stranger.cas("server"), crls=stranger.crls("server")),
		upstream, "unknown-ca")


@test
def a_revoked_server_is_refused_and_left(scene):
	pki = Authority()
	relay, _, upstream = customer(scene, echo, certificate=pki.server(NAME))
	daemon = forward(scene, relay, cas=pki.cas("server"), crls=pki.crls("server"), port=free_port())
	with daemon.connect(b"before") as client:
		equal(client.recv(100), b"before")
		pki.revoke("server-" + NAME)
		equal(closed_how(client), "reset", "the connection that ran")
	daemon.wait_event("flow-cut", reason="certificate-revoked", forward="forward")
	closed(daemon, "certificate-revoked")
	equal(asked(daemon), "reset", "a new connection")
	daemon.wait_event("server-refused", code="certificate-revoked")
	equal(upstream.seen, 1, "connections that the upstream saw")


@test
def a_server_that_refuses_the_certificate_is_told_as_such(scene):
	relay, _, upstream = customer(scene, http)
	daemon = forward(scene, relay, port=free_port(), certificate=Authority().client("ann"))
	equal(asked(daemon), "reset")
	line = closed(daemon, "upstream-tls-failed")
	check("unknown" in line["message"].lower() or "CA" in line["message"], f"the alert is told: {line}")
	equal(upstream.seen, 0, "connections that the upstream saw")


@test
def a_server_that_cannot_be_reached_is_no_empty_answer(scene):
	relay = scene.relay(start=False)
	daemon = forward(scene, relay, port=free_port())
	equal(asked(daemon), "reset")
	check("Connection refused" in closed(daemon, "upstream-down")["message"], "why is told")


@test
def the_socket_is_for_its_user_alone(scene):
	relay, _, _ = customer(scene, http)
	daemon = forward(scene, relay)
	equal(stat.S_IMODE(os.stat(daemon.path).st_mode), 0o600, "its mode")
	if os.geteuid() == 0:
		os.chmod(scene.dir, 0o755)
		child = os.fork()
		if child == 0:
			os.setresuid(NOBODY, NOBODY, NOBODY)
			with socket.socket(socket.AF_UNIX) as stream:
				os._exit(stream.connect_ex(daemon.path))
		equal(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 13, "EACCES for another user")
	equal(daemon.events("certificate-lent"), [], "nobody else has it")
	lent = forward(scene, relay, port=free_port(), label="lent")
	check("every user" in lent.wait_event("certificate-lent")[0]["message"], "a port of the loopback is")
	daemon.signal(signal.SIGTERM)
	equal(daemon.wait(), 0)
	check(not os.path.exists(daemon.path), "its file is left behind")


@test
def takes_up_a_renewed_certificate(scene):
	own = f"{scene.dir}/own.crt", f"{scene.dir}/own.key"

	def renew(name):
		for new, path in zip(authority().client(name), own):
			shutil.copy(new, path + ".new")
			os.chmod(path + ".new", 0o600)
		for path in own[::-1]:
			os.replace(path + ".new", path)

	relay, agent, _ = customer(scene, echo)
	renew("first-vendor")
	daemon = forward(scene, relay, certificate=own)
	with daemon.connect(b"old") as running:
		equal(running.recv(10), b"old")
		renew("second-vendor")
		daemon.wait_event("files-reloaded", changed="forward forward")
		with daemon.connect(b"new") as client:
			equal(client.recv(10), b"new")
		agent.wait_event("flow-closed", client_certificate="CN=second-vendor")
		running.sendall(b"still")
		equal(running.recv(10), b"still", "what ran goes on")
	agent.wait_event("flow-closed", client_certificate="CN=first-vendor")
	with open(own[0], "w") as file:
		file.write("no certificate")
	daemon.wait_event("reload-refused")
	with daemon.connect(b"kept") as client:
		equal(client.recv(10), b"kept", "a bad file changes nothing")


@test
def the_example_of_the_manual_works(scene):
	"""But for the place of the relay, which the resolver would have to know."""
	name, pki = "app.example.com", Authority()
	relay, certificate = scene.relay(), pki.server(name)
	scene.agent(relay, [terminate(name, scene.upstream(http), {"server_certificate": certificate[0],
		"server_private_key": certificate[1], "mutual_tls_certificate_authorities": [pki.cas("client")]})],
		authority().agent("app-agent", name))
	with open("man/valise-agent.8") as page:
		block = re.search(r"^\.Bd [^\n]*\n(valise-pki issue client acme.*?)^\.Ed", page.read(), re.M | re.S)[1]
	issue, listen, ask = (shlex.split(line) for line in
		block.replace("\\e\n", "").replace("$PWD", pki.top).splitlines())
	equal(run("env", "-C", pki.top, PROGRAMS["pki"], *issue[1:])[0], 0)
	daemon = Daemon("forward", ["env", "-C", pki.top, PROGRAMS["agent"], *listen[1:], "--address",
		f"127.0.0.1:{relay.port}"], scene.dir)
	scene._add(daemon, True)
	status, out, err = run("env", "-C", pki.top, *ask)
	equal((status, out), (0, b"hello"), err)


@test
def who_comes_when_all_places_are_taken_waits(scene):
	relay, _, _ = customer(scene, echo)
	path = f"{scene.dir}/vendor.sock"
	daemon = configured(scene, item(relay, f"unix:{path}", flows=2))
	first, second = [scene.keep(connect(path, b"in")) for _ in range(2)]
	equal([s.recv(10) for s in (first, second)], [b"in"] * 2)
	third = scene.keep(connect(path, b"in"))
	daemon.wait_event("forward-full", flows=2)
	daemon.expect_events("move", 2, "who was accepted", machine="forward", to="joined")
	second.close()
	equal(third.recv(10), b"in", "there is a place again")
	first.sendall(b"on")
	equal(first.recv(10), b"on")


@test
def listens_for_nobody_else_and_at_nobodys_place(scene):
	relay, _, _ = customer(scene, http)
	with socket.create_server(("127.0.0.1", 0)) as other:
		for listen, status, why in (("0.0.0.0:4000", 64, "other hosts"), ("[::]:4000", 64, "other hosts"),
				("192.0.2.1:4000", 64, "other hosts"), ("app.sock", 64, "unix:/PATH"),
				(f"127.0.0.1:{other.getsockname()[1]}", 69, "another program listens"),
				(f"unix:{scene.dir}/none/app.sock", 69, "create the directory")):
			daemon = Forward(scene, relay)
			daemon.argv[2] = listen
			got, _, err = run(*daemon.argv)
			equal(got, status, f"{listen}: {err}")
			check(why in err and listen in err, f"{listen}: {err}")


@test
def a_reload_moves_listeners_and_leaves_connections(scene):
	relay, _, _ = customer(scene, echo)
	paths = [f"{scene.dir}/{name}.sock" for name in ("old", "new")]
	daemon = configured(scene, item(relay, f"unix:{paths[0]}"))
	running = scene.keep(connect(paths[0], b"in"))
	equal(running.recv(10), b"in")
	daemon.settings["forwards"] = [item(relay, f"unix:{paths[1]}")]
	daemon.write(daemon.settings)
	daemon.reload()
	daemon.wait_event("reloaded")
	until(lambda: not os.path.exists(paths[0]), what="the old listener goes")
	with connect(paths[1], b"in") as client:
		equal(client.recv(10), b"in")
	running.sendall(b"on")
	equal(running.recv(10), b"on", "what ran goes on")
	daemon.settings["forwards"].append(item(relay, "192.0.2.1:80", name="other"))
	daemon.write(daemon.settings)
	status, _, err = run(PROGRAMS["agent"], "reload", "-c", daemon.config_path)
	check(status != 0 and "other hosts" in err, f"{status} {err}")
	with connect(paths[1], b"in") as client:
		equal(client.recv(10), b"in", "a mistake changes nothing")
	status, out, err = run(PROGRAMS["agent"], "status", "-c", daemon.config_path)
	equal((status, [f["name"] for f in json.loads(out)["forwards"]]), (0, ["shop"]), err)
	status, out, err = run(PROGRAMS["agent"], "flows", "-c", daemon.config_path)
	told = json.loads(out)
	jsonschema.validate(told, json.load(open("schema/agent-flows.json")))
	equal((status, [[f[key] for key in ("forward", "endpoint", "relay", "server_name", "state", "bytes_in", "bytes_out")]
		for f in told["flows"]]), (0, [["shop", None, None, NAME, "joined", 4, 4]]), "connections, listed by the agent")


@test
def a_reload_of_pins_ends_connections_to_other_keys(scene):
	relay, _, _ = customer(scene, echo)
	path, own = f"{scene.dir}/vendor.sock", spki_of(authority().server(NAME)[0])
	daemon = configured(scene, item(relay, f"unix:{path}"))
	running = scene.keep(connect(path, b"in"))
	equal(running.recv(10), b"in")
	for pins, ends in ((own, False), ("0" * 64, True)):
		daemon.settings["forwards"][0]["spki"] = pins
		daemon.write(daemon.settings)
		before = len(daemon.events("reloaded"))
		daemon.reload()
		daemon.wait_event("reloaded", count=before + 1)
		if ends:
			daemon.wait_event("flow-cut", reason="key-not-pinned")
			closed(daemon, "key-not-pinned")
		else:
			running.sendall(b"on")
			equal(running.recv(10), b"on", "its key is pinned now")


@test
def stops_when_its_connections_have_ended(scene):
	relay, _, _ = customer(scene, echo)
	daemon = forward(scene, relay)
	with daemon.connect(b"in") as client:
		equal(client.recv(10), b"in")
		daemon.signal(signal.SIGTERM)
		until(lambda: not os.path.exists(daemon.path), what="nobody else may come")
		client.sendall(b"on")
		equal(client.recv(10), b"on", "who is in goes on")
	equal(daemon.wait(), 0)


main()
