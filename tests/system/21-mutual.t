#!/usr/bin/env -S python3 -B
"""Client certificates at an agent that terminates: who is let in, and for how long."""
import ssl
import time

from lib import *

NAME = "vendor.example.com"


def guarded(scene, serve=http, pki=None, **tls):
	"""A relay and an agent that asks clients for a certificate."""
	pki = pki or authority()
	upstream = scene.upstream(serve)
	relay = scene.relay()
	agent = scene.agent(relay, [terminate(NAME, upstream, {
		"mutual_tls_certificate_authorities": [pki.cas("client")],
		"mutual_tls_crls": [pki.crls("client")], **tls})],
		authority().agent("vendor-agent", NAME))
	return relay, agent, upstream


def run_curl(relay, certificate=None, *more):
	"""curl's (exit status, standard output, standard error)."""
	own = ("--cert", certificate[0], "--key", certificate[1]) if certificate else ()
	return curl(relay.port, NAME, authority().root, *own, *more)


def refused(relay, upstream, certificate, why, *more):
	before = upstream.seen
	status, out, err = run_curl(relay, certificate, *more)
	check(status != 0 and out == b"", f"{why}: {status} {out} {err}")
	equal(upstream.seen, before, f"{why}: connections that the upstream saw")
	return err


def taken_up(agent, change, event="files-reloaded"):
	"""Once the agent has seen what has changed; it looks each second."""
	count = len(agent.events(event))
	change()
	agent.wait_event(event, count=count + 1)


@test
def serves_with_a_certificate_and_not_without(scene):
	relay, _, upstream = guarded(scene)
	for version in ("1.2", "1.3"):
		limits = ("--tlsv" + version, "--tls-max", version)
		refused(relay, upstream, None, "no certificate, TLS " + version, *limits)
		status, out, err = run_curl(relay, authority().client("ann"), *limits)
		equal((status, out), (0, b"hello"), f"with one, TLS {version}: {err}")


@test
def tells_clients_whose_certificates_are_accepted_unless_that_is_off(scene):
	relay, agent, _ = guarded(scene)

	def told(version):
		out = run("openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-servername", NAME, version, data=b"")[1]
		lines = out.decode().partition("Acceptable client certificate CA names\n")[2].splitlines()
		return [line for line in lines[:lines.index("---")] if "CN = " in line] if lines else []
	for version in ("-tls1_2", "-tls1_3"):
		names = told(version)
		check(len(names) == 1 and "clients" in names[0], f"{version}: {names}")
	agent.settings["endpoints"][0]["agent_tls_termination"]["client_ca_names"] = "off"
	agent.write(agent.settings)
	agent.reload()
	agent.wait_event("reloaded")
	for version in ("-tls1_2", "-tls1_3"):
		equal(told(version), [], version)


@test
def request_lets_in_those_without_but_not_the_wrong(scene):
	relay, _, upstream = guarded(scene, mutual_tls="request")
	for certificate in (None, authority().client("ann")):
		status, out, err = run_curl(relay, certificate)
		equal((status, out), (0, b"hello"), err)
	refused(relay, upstream, Authority().client("ann"), "a certificate of another CA")


@test
def refuses_other_roles_other_cas_and_the_expired(scene):
	relay, _, upstream = guarded(scene)
	pki = authority()
	expired = pki.client("short", "--valid-for", "1s")
	time.sleep(2.1)
	refused(relay, upstream, pki.server("server.example.com"), "a server's certificate")
	refused(relay, upstream, pki.agent("some-agent", "x.example.com"), "an agent's certificate")
	refused(relay, upstream, pki.relay(), "a relay's certificate")
	refused(relay, upstream, Authority().client("ann"), "another CA's")
	err = refused(relay, upstream, expired, "an expired one")
	check("expired" in err, f"the alert says so: {err}")


@test
def tells_the_client_why_by_alert(scene):
	relay, _, upstream = guarded(scene)
	for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):

		def talk(certificate):
			with TlsClient(relay.port, NAME, authority().root, version=version,
					certificate=certificate) as client:
				client.sendall(b"GET / HTTP/1.0\r\n\r\n")
				return client.recv()

		error = fails(ssl.SSLError, talk, Authority().client("ann"))
		check("UNKNOWN_CA" in str(error.reason), f"another CA: {error}")
		error = fails(ssl.SSLError, talk, None)
		check("CERTIFICATE_REQUIRED" in str(error.reason) or "HANDSHAKE_FAILURE" in str(error.reason),
			f"none: {error}")


@test
def a_revocation_is_obeyed_within_two_seconds(scene):
	pki = Authority()
	relay, agent, upstream = guarded(scene, lambda s: (s.sendall(b"in"), s.recv(1)), pki)
	victim, other = pki.client("victim"), pki.client("other")

	def enter(certificate):
		client = scene.keep(TlsClient(relay.port, NAME, authority().root, certificate=certificate))
		equal(client.recv(), b"in")
		return client

	running, others = enter(victim), enter(other)
	pki.revoke("victim")
	revoked_at = time.monotonic()
	fails((ssl.SSLError, OSError, EOFError), lambda: running.recv() or running.recv()[0])
	seconds = time.monotonic() - revoked_at
	check(seconds < 2.5, f"the running flow ended after {seconds:.1f} s")
	before = upstream.seen
	error = fails((ssl.SSLError, OSError, EOFError), enter, victim)
	check("REVOKED" in str(error), f"the alert says so: {error}")
	equal(upstream.seen, before, "connections that the upstream saw")
	others.sendall(b"x")
	equal(others.recv(), b"", "the other's flow is untouched")
	enter(other)
	equal(agent.alive(), True, "without a restart")


@test
def a_revocation_ends_flows_from_before_their_endpoint_was_announced_anew(scene):
	"""A reload that tells relays something new gives the endpoint another number."""
	pki = Authority()
	relay, agent, _ = guarded(scene, echo, pki)
	running = scene.keep(TlsClient(relay.port, NAME, authority().root, certificate=pki.client("victim")))
	running.sendall(b"before")
	equal(running.recv(), b"before")
	for carrier in ("handoff", "sealed"):
		agent.settings["endpoints"][0]["carrier"] = carrier
		up = len(agent.events("endpoint-up"))
		agent.write(agent.settings)
		agent.reload()
		agent.wait_event("endpoint-up", count=up + 1)
	running.sendall(b"after")
	equal(running.recv(), b"after", "the flow goes on")
	pki.revoke("victim")
	agent.wait_event("flow-cut", server_name=NAME)


@test
def resumption_is_no_way_round_the_certificate(scene):
	pki = Authority()
	relay, agent, upstream = guarded(scene, pki=pki)
	certificate, key = pki.client("ann")
	ticket = f"{scene.dir}/ticket"
	for version in ("-tls1_2", "-tls1_3"):
		own = (version, "-cert", certificate, "-key", key)
		status, out, err = s_client(relay.port, NAME, authority().root, *own, "-sess_out", ticket)
		check(b"hello" in out, f"{version}: {out} {err}")
	taken_up(agent, lambda: pki.revoke("ann"))
	before = upstream.seen
	status, out, err = s_client(relay.port, NAME, authority().root, *own, "-sess_in", ticket)
	check(b"hello" not in out, f"a revoked client came in by a ticket: {out} {err}")
	equal(upstream.seen, before, "connections that the upstream saw")


@test
def a_bad_crl_file_keeps_the_old_set(scene):
	pki = Authority()
	relay, agent, upstream = guarded(scene, pki=pki)
	pki.client("ann"), pki.client("bob")
	taken_up(agent, lambda: pki.revoke("bob"))

	def spoil():
		with open(pki.crls("client"), "w") as file:
			file.write("this is no CRL\n")
	taken_up(agent, spoil, "reload-refused")
	status, out, err = run_curl(relay, pki.client("ann"))
	equal((status, out), (0, b"hello"), err)
	refused(relay, upstream, pki.client("bob"), "revoked before the file was spoilt")


@test
def the_start_warns_where_the_certificate_can_be_got_round(scene):
	pki, shared, apart, other = authority(), scene.upstream(http), scene.upstream(http), "shop.example.com"
	relay = scene.relay()

	def warnings(upstream):
		agent = scene.agent(relay, [terminate(other, shared), terminate(NAME, upstream, {
			"mutual_tls_certificate_authorities": [pki.cas("client")], "mutual_tls_crls": [pki.crls("client")]})],
			pki.agent("two-sites", NAME, other), label=f"agent-{upstream.port}")
		return [(event["endpoint"], f"open-{other}" in event["message"]) for event in agent.events("upstream-shared")]
	equal(warnings(shared), [(f"open-{NAME}", True)], "both endpoints have one upstream")
	equal(warnings(apart), [], "each has its own")


main()
