#!/usr/bin/env -S python3 -B
"""Certificates by ACME: pebble validates through a relay, on the port that its configuration names."""
import atexit
import json
import os
import shutil
import socket
import ssl
import stat
import subprocess
import tempfile
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lib import *
from lib.clock import HOUR, Clock
from lib.scene import free_port

NAME = "shop.example.com"
MAC_KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


class Ca:
	"""pebble, which asks a DNS of our own and comes to the port of a relay."""

	def __init__(self, relay_port, dns_port, **keys):
		self.dir = tempfile.mkdtemp(prefix="valise-acme.")
		atexit.register(shutil.rmtree, self.dir, ignore_errors=True)
		self.port, self.management = free_port(), free_port()
		certificate, key = authority().server("localhost")
		with open(f"{self.dir}/pebble.json", "w") as file:
			json.dump({"pebble": {"listenAddress": f"127.0.0.1:{self.port}",
				"managementListenAddress": f"127.0.0.1:{self.management}", "certificate": certificate,
				"privateKey": key, "httpPort": free_port(), "tlsPort": relay_port, **keys}}, file)
		self.directory = f"https://localhost:{self.port}/dir"
		environment = dict(os.environ, PEBBLE_VA_NOSLEEP="1", PEBBLE_WFE_NONCEREJECT="20", PEBBLE_AUTHZREUSE="0")
		self.log = open(f"{self.dir}/log", "wb")
		self.process = subprocess.Popen(["pebble", "-config", f"{self.dir}/pebble.json", "-dnsserver",
			f"127.0.0.1:{dns_port}"], stdout=self.log, stderr=self.log, env=environment, stdin=subprocess.DEVNULL)
		atexit.register(self.process.kill)
		until(lambda: self.answers(self.management), what="pebble answers")

	def answers(self, port):
		with socket.socket() as probe:
			return probe.connect_ex(("127.0.0.1", port)) == 0

	def root(self):
		context = ssl.create_default_context(cafile=authority().root)
		with urllib.request.urlopen(f"https://localhost:{self.management}/roots/0", context=context) as answer:
			path = f"{self.dir}/root.crt"
			with open(path, "wb") as file:
				file.write(answer.read())
		return path

	def manage(self, what, **facts):
		request = urllib.request.Request(f"https://localhost:{self.management}/{what}", json.dumps(facts).encode())
		urllib.request.urlopen(request, context=ssl.create_default_context(cafile=authority().root)).close()

	def settings(self, **keys):
		return {"directory": self.directory, "contact": "admin@example.com", "terms_agreed": True,
			"cas": authority().root, "caa_resolver": f"127.0.0.1:{dns().port}", **keys}


class Dns:
	"""pebble-challtestsrv: every name has the address of the loopback, and what it is told."""

	def __init__(self):
		self.port, self.management = free_port(), free_port()
		self.process = subprocess.Popen(["pebble-challtestsrv", "-defaultIPv6", "", "-dns01", f"127.0.0.1:{self.port}",
			"-http01", "", "-https01", "", "-tlsalpn01", "", "-management", f"127.0.0.1:{self.management}"],
			stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
		atexit.register(self.process.kill)
		until(self.is_up, what="pebble-challtestsrv answers")

	def is_up(self):
		try:
			self.tell("clear-a", host="nobody.example.com")
			return True
		except OSError:
			return False

	def tell(self, what, **facts):
		request = urllib.request.Request(f"http://127.0.0.1:{self.management}/{what}", json.dumps(facts).encode())
		urllib.request.urlopen(request, timeout=20).close()


_dns = _ca = None
_port = free_port()


def dns():
	global _dns
	if not shutil.which("pebble") or not shutil.which("pebble-challtestsrv"):
		skip("pebble is not installed")
	_dns = _dns or Dns()
	return _dns


def ca():
	global _ca
	_ca = _ca or Ca(_port, dns().port)
	return _ca


def shop(scene, acme, name=NAME, **keys):
	return {"name": "shop", "url": f"tls://{name}", "agent_tls_termination": {"acme": acme},
		"upstream": scene.upstream(http).url, **keys}


def serving(scene, acme=None, name=NAME, start=True, **keys):
	"""A relay where pebble looks, and an agent that has its certificate from there."""
	relay = scene.relay(port=_port)
	agent = scene.agent(relay, [shop(scene, acme or ca().settings(), name)],
		authority().agent("acme-agent", "*.example.com"), start=start, **keys)
	return relay, agent


def kept(scene, what, label="agent"):
	return f"{scene.state(label)}/acme/{what}"


def issued(agent, count=1):
	"""And in force."""
	events = agent.wait_event("acme-issued", count=count)
	agent.wait_event("files-reloaded", count=count)
	return events[-1]


def account_key_path(scene):
	keys = kept(scene, "../keys")
	name, = [name for name in os.listdir(keys) if name.endswith(".account")]
	return f"{keys}/{name}"


def account_key(scene):
	with open(account_key_path(scene)) as file:
		return file.read()


def fetched(relay, root, name=NAME):
	status, out, err = curl(relay.port, name, root)
	equal((status, out), (0, b"hello"), err)


@test
def an_endpoint_has_its_certificate_through_the_relay(scene):
	relay, agent = serving(scene)
	issued(agent)
	fetched(relay, ca().root())
	equal(stat.S_IMODE(os.stat(kept(scene, f"{NAME}.crt")).st_mode), 0o600)
	equal(stat.S_IMODE(os.stat(kept(scene, f"../keys/acme-{NAME}.key")).st_mode), 0o600)
	equal(stat.S_IMODE(os.stat(kept(scene, "../keys")).st_mode), 0o700)
	equal(stat.S_IMODE(os.stat(kept(scene, "")).st_mode), 0o700)
	told, = agent.wait_event("acme-account")
	check(told["account"].startswith(f"https://localhost:{ca().port}/") and told["account"] in told["record"] and
		NAME in told["record"] and "validationmethods=tls-alpn-01" in told["record"], told)
	status, out, err = run(PROGRAMS["agent"], "status", "-c", agent.config_path)
	equal(status, 0, err)
	about = json.loads(out)["endpoints"][0]["acme"]
	equal((about["state"], about["account"], about["failures"]), ("valid", told["account"], 0), about)
	# A second start finds all of it there.
	agent.stop()
	agent.start()
	scene.wait_serving(agent)
	fetched(relay, ca().root())
	equal(agent.events("acme-order"), [], "orders after a restart")


@test
def who_could_have_a_certificate_is_said_until_the_dns_forbids_it(scene):
	relay, agent = serving(scene, name="pinned.example.com")
	issued(agent)
	told = agent.wait_event("acme-unpinned")[-1]
	check("whoever runs the relay can obtain a certificate for pinned.example.com" in told["message"], told)
	status, out, err = run(PROGRAMS["agent"], "check", "-c", agent.config_path)
	check("whoever runs the relay can obtain a certificate" in err, err)
	account = agent.events("acme-account")[0]["account"]
	dns().tell("add-caa", host="pinned.example.com", policies=[{"tag": "issue", "value": f"pebble.example; accounturi={account}"}])
	try:
		agent.stop()
		agent.start()
		agent.wait_event("acme-pinned")
	finally:
		dns().tell("clear-caa", host="pinned.example.com")
	status, out, err = run(PROGRAMS["agent"], "check", "-c", agent.config_path)
	check("whoever runs the relay" not in err, err)


@test
def a_ca_for_its_customers_takes_their_key(scene):
	with open(f"{scene.dir}/mac", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
		file.write(MAC_KEY + "\n")
	bound = Ca(_port, dns().port, externalAccountBindingRequired=True, externalAccountMACKeys={"kid-1": MAC_KEY})
	relay, agent = serving(scene, name="bound.example.com")
	issued(agent)

	def switch(**keys):
		agent.write(dict(agent.settings, endpoints=[shop(scene, bound.settings(**keys), "bound.example.com")]))
		agent.reload()

	# The certificate of the CA before serves until there is another one.
	switch()
	failed, = agent.wait_event("acme-failed")
	equal((failed["code"], failed["level"]), ("externalAccountRequired", "warning"), failed)
	fetched(relay, ca().root(), "bound.example.com")
	# Other settings do not wait for what those before had done wrong.
	switch(eab={"key_id": "kid-1", "hmac_key_file": f"{scene.dir}/mac"})
	issued(agent, 2)
	fetched(relay, bound.root(), "bound.example.com")
	bound.process.kill()


@test
def what_the_ca_sees_instead_is_told_and_waited_for(scene):
	dns().tell("add-a", host="away.example.com", addresses=["127.0.0.99"])
	relay, agent = serving(scene, name="away.example.com")
	failed, = agent.wait_event("acme-failed")
	equal(failed["level"], "error", failed)
	check("could not validate away.example.com" in failed["message"] and "127.0.0.99" in failed["message"], failed)
	status, out, err = run("openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-servername", "away.example.com",
		data=b"")
	check(status != 0, "it is served without a certificate")
	# Nor does a restart ask the CA again.
	agent.stop()
	agent.start()
	scene.wait_serving(agent)
	agent.wait_event("acme-unpinned")
	equal(agent.events("acme-order"), [], "orders after a restart")


@test
def a_reload_in_the_middle_of_an_order_begins_it_anew(scene):
	relay, agent = serving(scene, name="reloaded.example.com")
	agent.wait_event("acme-order")
	for count, state in enumerate(("directory", "asking", "authorising", "presenting", "validating")):
		agent.wait_event("move", to=state)
		agent.reload()
		agent.wait_event("reloaded", count=count + 1)
	issued(agent)
	fetched(relay, ca().root(), "reloaded.example.com")
	equal(agent.events("acme-failed"), [], "failures")


@test
def a_certificate_is_renewed_while_flows_go_on(scene):
	# In the words of pebble 2.4, and of later ones.
	brief = Ca(_port, dns().port, certificateValidityPeriod=30,
		profiles={"default": {"description": "brief", "validityPeriod": 30}})
	relay, agent = serving(scene, brief.settings(), name="brief.example.com")
	first = issued(agent)
	root = brief.root()
	with TlsClient(relay.port, "brief.example.com", root) as client:
		second = agent.wait_event("acme-issued", 60, 2)[-1]
		agent.wait_event("files-reloaded", count=2)
		check(second["not_after"] > first["not_after"], f"{first} {second}")
		client.sendall(b"GET / HTTP/1.0\r\n\r\n")
		check(b"hello" in client.recv(), "the flow of before the renewal goes on")
	fetched(relay, root, "brief.example.com")
	equal(agent.events("acme-failed"), [], "failures")
	brief.process.kill()


@test
def the_ca_says_when_to_renew(scene):
	relay, agent = serving(scene, name="advised.example.com")
	issued(agent)
	with urllib.request.urlopen(ca().directory, context=ssl.create_default_context(cafile=authority().root)) as answer:
		if "renewalInfo" not in json.load(answer):
			skip("this pebble does not offer ARI; 2.7 and later do")
	agent.stop()
	with open(kept(scene, "advised.example.com.crt")) as file:
		leaf = "-----BEGIN CERTIFICATE" + file.read().split("-----BEGIN CERTIFICATE")[1]
	window = {"suggestedWindow": {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}}
	ca().manage("set-renewal-info/", certificate=leaf, ariResponse=json.dumps(window))
	agent.start()
	issued(agent)
	equal(agent.events("acme-failed"), [], "failures")


@test
def the_key_of_the_account_is_changed(scene):
	relay, agent = serving(scene, name="rekeyed.example.com")
	issued(agent)
	before = account_key(scene)
	status, out, err = run(PROGRAMS["agent"], "acme-rekey", "-c", agent.config_path)
	equal(status, 0, err)
	agent.wait_event("acme-key-changed")
	check(account_key(scene) != before, "it is the old key")
	os.unlink(kept(scene, "rekeyed.example.com.crt"))
	issued(agent, 2)
	equal(len({e["account"] for e in agent.events("acme-account")}), 1, "accounts")


@test
def a_change_of_keys_that_was_cut_off_is_found_out_about(scene):
	relay, agent = serving(scene, name="cut.example.com")
	issued(agent)
	key = account_key_path(scene)
	shutil.copy(key, kept(scene, "before"))
	status, out, err = run(PROGRAMS["agent"], "acme-rekey", "-c", agent.config_path)
	agent.wait_event("acme-key-changed")
	agent.stop()
	# As if it had died before it could put the new key in its place.
	os.rename(key, key + ".next")
	os.rename(kept(scene, "before"), key)
	os.unlink(kept(scene, "cut.example.com.crt"))
	agent.start()
	agent.wait_event("acme-key-changed")
	issued(agent)
	check(not os.path.exists(key + ".next"), "the new key is still beside the old one")


@test
def a_wrong_clock_orders_nothing(scene):
	clock = Clock(scene.dir)
	clock.set(2 * HOUR)
	relay, agent = serving(scene, name="late.example.com", start=False)
	clock.rule(agent)
	agent.start()
	failed = agent.wait_event("acme-failed")[0]
	equal(failed["code"], "acme-clock", failed)
	check("is the clock of this host right?" in failed["message"], failed)
	equal(agent.events("acme-account"), [], "accounts")
	clock.set(0)
	issued(agent)


class Refusing(BaseHTTPRequestHandler):
	"""An ACME server that has had enough."""

	def reply(self, status, document, **headers):
		body = json.dumps(document).encode()
		self.send_response(status)
		self.send_header("Replay-Nonce", "nonce")
		self.send_header("Content-Length", str(len(body)))
		for name, value in headers.items():
			self.send_header(name.replace("_", "-"), value)
		self.end_headers()
		if self.command != "HEAD":
			self.wfile.write(body)

	def do_GET(self):
		base = f"https://localhost:{self.server.server_port}"
		self.reply(200, {"newNonce": f"{base}/nonce", "newAccount": f"{base}/account", "newOrder": f"{base}/order"})

	do_HEAD = do_GET

	def do_POST(self):
		self.rfile.read(int(self.headers["Content-Length"]))
		self.server.asked.append(self.path)
		if self.path == "/account":
			self.reply(201, {"status": "valid"}, Location=f"https://localhost:{self.server.server_port}/account/1")
		else:
			self.reply(429, {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates"},
				Retry_After="86400")

	def log_message(self, *_):
		pass


@test
def who_orders_too_much_is_told_when_to_come_back(scene):
	server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
	server.asked = []
	context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
	context.load_cert_chain(*authority().server("localhost"))
	server.socket = context.wrap_socket(server.socket, server_side=True)
	threading.Thread(target=server.serve_forever, daemon=True).start()
	relay = scene.relay()
	agent = scene.agent(relay, [shop(scene, {"directory": f"https://localhost:{server.server_port}/dir", "terms_agreed": True,
		"cas": authority().root, "caa_resolver": "127.0.0.1:9"})], authority().agent("acme-agent", "*.example.com"))
	failed, = agent.wait_event("acme-failed")
	equal((failed["code"], "too many certificates" in failed["message"]), ("rateLimited", True), failed)
	with open(kept(scene, f"{NAME}.wait")) as file:
		equal(json.load(file)["wait_s"], 86400)
	agent.stop()
	agent.start()
	scene.wait_serving(agent)
	agent.wait_event("acme-unpinned")
	equal(server.asked, ["/account", "/order"], "requests, also after a restart")
	server.shutdown()


@test
def one_command_is_enough(scene):
	relay = scene.relay(port=_port)
	certificate, key = authority().agent("acme-agent", "*.example.com")
	daemon = Daemon("oneshot", [PROGRAMS["agent"], "tls", str(scene.upstream(http).port), "--url", "tls://quick.example.com",
		"--relay", f"localhost:{relay.port}", "--relay-ca", authority().cas("relay"), "--relay-crl", authority().crls("relay"),
		"--agent-crt", certificate, "--agent-key", key, "--acme", "you@example.com", "--acme-directory", ca().directory,
		"--acme-cas", authority().root, "--state-dir", f"{scene.dir}/quick/state"], scene.dir)
	scene._add(daemon, False)
	daemon.start(wait_ready=False)
	issued(daemon)
	fetched(relay, ca().root(), "quick.example.com")
	daemon.stop()
	daemon.start(wait_ready=False)
	daemon.wait_event("endpoint-up")
	fetched(relay, ca().root(), "quick.example.com")
	equal(daemon.events("acme-order"), [], "orders at the second start")


main()
