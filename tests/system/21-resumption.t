#!/usr/bin/env -S python3 -B
"""Clients that come back: who may do so by a ticket, and under what."""
import os
import shutil
import socket
import ssl

from lib import *

NAME = "again.example.com"


def opened(scene, name=NAME, workers=2, **tls):
	relay = scene.relay()
	agent = scene.agent(relay, [terminate(name, scene.upstream(http), tls)],
		authority().agent("again-agent", name), workers=workers)
	return relay, agent


class Visitor:
	"""Comes again with what it was given the last time."""

	def __init__(self, relay, alpn=None, certificate=None):
		self.context = ssl.create_default_context(cafile=authority().root)
		self.context.minimum_version = ssl.TLSVersion.TLSv1_2
		if alpn:
			self.context.set_alpn_protocols(alpn)
		if certificate:
			self.context.load_cert_chain(*certificate)
		self.port, self.session = relay.port, None

	def visit(self, name=NAME):
		"""Whether it was resumed."""
		with socket.create_connection(("127.0.0.1", self.port), 15) as plain:
			with self.context.wrap_socket(plain, server_hostname=name, session=self.session) as stream:
				stream.sendall(b"GET / HTTP/1.0\r\n\r\n")
				data = b""
				while part := stream.recv(1000):
					data += part
				check(b"hello" in data, data)
				self.session = stream.session
				return stream.session_reused


def s_client_again(scene, relay, *arguments, name=NAME):
	"""What openssl prints of a second visit."""
	saved = f"{scene.dir}/session"
	argv = ("openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-servername", name, "-CAfile", authority().root,
		*arguments)
	with open(f"{scene.dir}/request", "wb") as file:
		file.write(b"GET / HTTP/1.0\r\n\r\n")
	first = run(*argv, "-sess_out", saved, "-ign_eof", data=b"GET / HTTP/1.0\r\n\r\n")
	check(first[0] == 0, first[2])
	if not os.path.exists(saved):
		return ""
	return run(*argv, "-sess_in", saved, "-ign_eof", data=b"GET / HTTP/1.0\r\n\r\n")[1].decode()


@test
def nearly_all_who_come_back_resume(scene):
	relay, agent = opened(scene)
	visitors = [Visitor(relay) for _ in range(20)]
	for visitor in visitors:
		equal(visitor.visit(), False, "the first visit")
	visits = [visitor.visit() for _ in range(5) for visitor in visitors]
	check(sum(visits) >= 0.95 * len(visits), f"{sum(visits)} of {len(visits)} have resumed")
	until(lambda: len(agent.events("flow-closed")) == 120, what="all flows are closed")
	equal(sum("resumed" in event for event in agent.events("flow-closed")), sum(visits), "the agent's log says the same")


@test
def real_clients_resume_in_tls13_with_a_fresh_exchange_and_not_in_tls12(scene):
	relay, _ = opened(scene)
	for options in ((), ("-allow_no_dhe_kex",), ("-groups", "ffdhe2048:X25519")): # the last: by way of a retry request
		out = s_client_again(scene, relay, "-tls1_3", *options)
		check("Reused, TLSv1.3" in out and "Server Temp Key: X25519" in out, f"openssl {options}: {out}")
		check("Early data was not sent" in out or "Max Early Data: 0" in out, f"no early data: {out}")
	os.remove(f"{scene.dir}/session")
	out = s_client_again(scene, relay, "-tls1_2")
	check("Reused" not in out, f"openssl, TLS 1.2: {out}")
	for version, resumes in (("1.3", True), ("1.2", False)):
		_, out, err = run("gnutls-cli", "--port", relay.port, "--x509cafile", authority().root, "--sni-hostname", NAME,
			"--verify-hostname", NAME, "--resume", "--waitresumption", "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}",
			"127.0.0.1", data=b"GET / HTTP/1.0\r\n\r\n")
		equal(b"This is a resumed session" in out, resumes, f"gnutls-cli {version}: {out} {err}")


@test
def another_protocol_or_name_costs_a_full_handshake(scene):
	names = (NAME, "other.again.example.com")
	relay = scene.relay()
	upstream = scene.upstream(http)
	certificate, key = authority().issue("server", "both-names", "--host", names[0], "--host", names[1])
	own = {"server_certificate": certificate, "server_private_key": key, "alpn": ["h2", "http/1.1"]}
	scene.agent(relay, [terminate(name, upstream, own) for name in names], authority().agent("two-names", *names))
	first = Visitor(relay, ["h2"])
	first.visit()
	second = Visitor(relay, ["http/1.1"])
	second.session, second.context = first.session, first.context
	second.context.set_alpn_protocols(["http/1.1"])
	equal(second.visit(), False, "another protocol")
	equal(second.visit(), True, "the same again")
	equal(second.visit(names[1]), False, "another endpoint")


@test
def nobody_resumes_where_a_certificate_is_asked_for(scene):
	pki = authority()
	relay, agent = opened(scene)
	visitor = Visitor(relay, certificate=pki.client("again"))
	visitor.visit()
	equal(visitor.visit(), True, "while none is asked for")
	tls = agent.settings["endpoints"][0]["agent_tls_termination"]
	for demand in ("request", "require"):
		tls.update(mutual_tls=demand, mutual_tls_certificate_authorities=[pki.cas("client")], mutual_tls_crls=[pki.crls("client")])
		before = len(agent.events("reloaded"))
		agent.write(agent.settings)
		agent.reload()
		agent.wait_event("reloaded", count=before + 1)
		equal(visitor.visit(), False, f"{demand}: with a ticket from before")
		equal(visitor.visit(), False, f"{demand}: again")


@test
def a_reload_leaves_tickets_as_long_as_nothing_of_tls_changes(scene):
	own = [f"{scene.dir}/own.crt", f"{scene.dir}/own.key"]
	for source, copy in zip(authority().issue("server", "kept", "--host", NAME), own):
		shutil.copy(source, copy)
	relay, agent = opened(scene, server_certificate=own[0], server_private_key=own[1])
	visitor = Visitor(relay)

	def resumes_after(change):
		before = len(agent.events("reloaded"))
		change()
		agent.write(agent.settings)
		agent.reload()
		agent.wait_event("reloaded", count=before + 1)
		return visitor.visit()
	visitor.visit()
	equal(resumes_after(lambda: agent.settings["endpoints"][0].update(idle_timeout="1h")), True, "something else has changed")
	tls = agent.settings["endpoints"][0]["agent_tls_termination"]
	equal(resumes_after(lambda: tls.update(alpn=["http/1.1"])), False, "ALPN has")
	equal(visitor.visit(), True, "with a new ticket")

	def renew():
		for source, copy in zip(authority().issue("server", "kept-renewed", "--host", NAME), own):
			shutil.copy(source, copy + ".new")
			os.replace(copy + ".new", copy)
	equal(resumes_after(renew), False, "the certificate has")


main()
