#!/usr/bin/env -S python3 -B
"""What alerts say, and what they do not end."""
import subprocess

from lib import *
from lib.scene import free_port

NAME = "api.example.com"


def opened(scene, upstream):
	relay = scene.relay()
	agent = scene.agent(relay, [terminate(NAME, upstream)], authority().agent("agent", NAME))
	return relay, agent


def reason_after(scene, relay, agent, *arguments, ca):
	"""What the agent says of a client that ends with an alert of its own."""
	before = len(agent.events("flow-closed"))
	status, _, _ = s_client(relay.port, NAME, ca, *arguments)
	check(status != 0, "the client should refuse")
	closed = agent.wait_event("flow-closed", count=before + 1)[-1]
	equal(closed["reason"], "client-handshake-failed", "reason")
	return closed["message"]


@test
def the_alert_of_a_client_that_trusts_somebody_else_is_named(scene):
	relay, agent = opened(scene, scene.upstream(http))
	for version in ("-tls1_2", "-tls1_3"):
		told = reason_after(scene, relay, agent, version, ca=Authority().root)
		check('"CA is unknown" (48)' in told, f"{version}: {told}")


@test
def the_alert_of_a_client_for_whom_we_have_expired_is_named(scene):
	relay, agent = opened(scene, scene.upstream(http))
	for version in ("-tls1_2", "-tls1_3"):
		told = reason_after(scene, relay, agent, version, "-attime", "4000000000", ca=authority().root)
		check('expired" (45)' in told, f"{version}: {told}")


class OpensslServer:
	"""TLS 1.2; a line that is written to it goes to its client, and "r" asks that to renegotiate."""

	def __init__(self, scene, name):
		certificate, key = authority().server(name)
		self.port = free_port()
		self.log_path = f"{scene.dir}/s_server.log"
		with open(self.log_path, "wb") as log:
			self.process = subprocess.Popen(["stdbuf", "-o0", "openssl", "s_server", "-accept", f"127.0.0.1:{self.port}",
				"-cert", certificate, "-key", key, "-cert_chain", certificate, "-tls1_2"],
				stdin=subprocess.PIPE, stdout=log, stderr=log)
		self.wait_said(b"ACCEPT")

	def say(self, line):
		self.process.stdin.write(line)
		self.process.stdin.flush()

	def wait_said(self, text, count=1):
		def has_said():
			with open(self.log_path, "rb") as log:
				return log.read().count(text) >= count
		until(has_said, what=f"s_server says {text}")

	def close(self):
		self.process.kill()
		self.process.communicate()


@test
def a_flow_outlives_an_upstream_that_wants_to_renegotiate(scene):
	inner = "inner.example.com"
	upstream = scene.keep(OpensslServer(scene, inner))
	relay, _ = opened(scene, {"url": f"tls://127.0.0.1:{upstream.port}", "cas": authority().root,
		"server_name": inner})
	with TlsClient(relay.port, NAME, authority().root) as client:
		for i in range(1, 4):
			client.sendall(b"to the server %d\n" % i)
			upstream.wait_said(b"to the server %d\n" % i)
			upstream.say(b"r\n")
			upstream.wait_said(b"SSL_do_handshake", i)
			upstream.say(b"to the client %d\n" % i)
			equal(client.recv(), b"to the client %d\n" % i)


main()
