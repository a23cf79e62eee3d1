#!/usr/bin/env -S python3 -B
"""What an agent shows to its tls:// upstreams, and what it wants to see."""
import hashlib
import os
import shutil
import ssl
import subprocess

from lib import *
from lib.process import PROGRAMS
from lib.scene import free_port
from lib.upstream import server_context

NAME, INNER = "api.example.com", "inner.example.com"
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def tls_upstream(scene, serve=http, host=INNER, wants=None, version=None):
	"""wants: the CAs of the certificates that it asks for."""
	context = server_context(*authority().server(host), version=version)
	if wants:
		context.verify_mode = ssl.CERT_REQUIRED
		context.load_verify_locations(wants)
	return scene.upstream(serve, tls=context)


def subject(stream):
	"""Says who the agent is."""
	stream.recv(1000)
	names = dict(pair[0] for pair in stream.getpeercert()["subject"])
	stream.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + names["commonName"].encode())


def opened(scene, upstream, **keys):
	"""A relay and an agent that terminates NAME for this upstream, which it verifies unless told otherwise; those
	before them are stopped."""
	while scene.daemons:
		equal(scene.daemons.pop().stop(), "")
	port = upstream if isinstance(upstream, int) else upstream.port
	if "insecure_skip_verify" not in keys:
		keys = {"cas": authority().root, "server_name": INNER, **keys}
	relay = scene.relay()
	agent = scene.agent(relay, [terminate(NAME, {"url": f"tls://127.0.0.1:{port}", **keys})],
		authority().agent("api-agent", NAME))
	return relay, agent


def asked(relay):
	status, out, err = curl(relay.port, NAME, authority().root)
	return out.decode() if status == 0 else None


def pin_of(certificate):
	"""As the manual says."""
	status, out, err = run("sh", "-c", 'openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER', "sh",
		certificate)
	equal(status, 0, err)
	return hashlib.sha256(out).hexdigest()


def own(name):
	certificate, key = authority().client(name)
	return {"certificate": certificate, "private_key": key}


@test
def an_upstream_that_asks_for_a_certificate_gets_the_agents(scene):
	for version in VERSIONS:
		upstream = tls_upstream(scene, subject, wants=authority().cas("client"), version=version)
		relay, _ = opened(scene, upstream, **own("agent-inside"))
		equal(asked(relay), "agent-inside", str(version))


def page_of_s_server(scene, version):
	"""It asks for a certificate of another authority, and takes any."""
	port = free_port()
	certificate, key = authority().server(INNER)
	server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", version,
		"-cert", certificate, "-cert_chain", certificate, "-key", key, "-Verify", "3",
		"-CAfile", Authority().root, "-www", "-quiet"],
		stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
	try:
		relay, _ = opened(scene, port, **own("agent-inside"))
		return until(lambda: asked(relay), what="the upstream answers")
	finally:
		server.kill()
		server.wait()


@test
def it_is_shown_whatever_issuers_the_upstream_names(scene):
	for version in ("-tls1_2", "-tls1_3"):
		check("agent-inside" in page_of_s_server(scene, version), version)


@test
def without_one_it_is_not_let_in(scene):
	upstream = tls_upstream(scene, subject, wants=authority().cas("client"))
	relay, agent = opened(scene, upstream)
	equal(asked(relay), None)
	equal(upstream.seen, 1, "connections of the upstream")


@test
def a_renewed_certificate_is_taken_up_and_half_a_pair_is_not(scene):
	paths = {name: f"{scene.dir}/up.{name}" for name in ("certificate", "private_key")}

	def put(name, client):
		shutil.copyfile(own(client)[name], paths[name] + ".new")
		os.chmod(paths[name] + ".new", 0o600)
		os.replace(paths[name] + ".new", paths[name])

	for name in paths:
		put(name, "agent-old")
	relay, agent = opened(scene, tls_upstream(scene, subject, wants=authority().cas("client")), **paths)
	equal(asked(relay), "agent-old")
	put("certificate", "agent-new")
	refused = agent.wait_event("reload-refused")[0]
	check("the private key does not belong to the certificate" in str(refused), refused)
	equal(agent.events("files-reloaded"), [], "nothing was taken up")
	equal(asked(relay), "agent-old", "with half a pair")
	put("private_key", "agent-new")
	agent.wait_event("files-reloaded")
	equal(asked(relay), "agent-new")


@test
def a_pinned_key_is_asked_for_beside_everything_else(scene):
	good, other = (pin_of(authority().server(host)[0]) for host in (INNER, "other.example.com"))
	relay, _ = opened(scene, tls_upstream(scene), spki=[other, good])
	equal(asked(relay), "hello", "one of two pins")
	relay, agent = opened(scene, tls_upstream(scene), spki=other)
	equal(asked(relay), None, "another key")
	check(good in str(agent.wait_event("flow-closed", reason="upstream-down")), "the key that came is named")
	relay, agent = opened(scene, tls_upstream(scene), spki=good, server_name="wrong.example.com")
	equal(asked(relay), None, "the right key for a wrong name")


@test
def what_nobody_verifies_is_said_again_and_again(scene):
	other = tls_upstream(scene, host="other.example.com")
	relay, agent = opened(scene, other, insecure_skip_verify=True)
	equal(asked(relay), "hello", "any certificate will do")
	agent.wait_event("upstream-unverified", endpoint=f"open-{NAME}")
	for word in ("check", "status"):
		status, out, err = run(PROGRAMS["agent"], word, "-c", agent.config_path)
		equal(status, 0, err)
		check("insecure_skip_verify: whoever answers" in out.decode() + err, f"{word}: {out} {err}")
	good, wrong = (pin_of(authority().server(host)[0]) for host in ("other.example.com", INNER))
	relay, _ = opened(scene, other, insecure_skip_verify=True, spki=good)
	equal(asked(relay), "hello", "the key and nothing else")
	relay, agent = opened(scene, other, insecure_skip_verify=True, spki=wrong)
	equal(asked(relay), None, "a key that is not pinned")


@test
def an_old_version_of_tls_may_be_refused(scene):
	relay, _ = opened(scene, tls_upstream(scene, version=ssl.TLSVersion.TLSv1_3), tls_min="1.3")
	equal(asked(relay), "hello")
	relay, agent = opened(scene, tls_upstream(scene, version=ssl.TLSVersion.TLSv1_2), tls_min="1.3")
	equal(asked(relay), None)
	agent.wait_event("flow-closed", reason="upstream-down")


main()
