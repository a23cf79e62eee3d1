#!/usr/bin/env -S python3 -B
"""A vendor with three customers, as valise-pki(1) tells it, with a real relay and real agents."""
import os
import sys

sys.path.insert(0, "tests/pki_tool")
from lib import *
from kit import *

CUSTOMERS = ("acme", "brio", "cafe")


def answer(text):
	return lambda stream: (skip_hello(stream), stream.sendall(text), stream.recv(1))


def first_bytes(relay, name):
	with dial(relay.port, hello(name)) as client:
		try:
			return client.recv(100)
		except ConnectionResetError:	# a revocation resets the flow that it catches
			return b""


def vendor(scene):
	"""An authority with a sub-CA for each customer, and a relay that believes its agents."""
	ca = Ca(f"{scene.dir}/ca")
	for customer in CUSTOMERS:
		ca("sub", customer, "--permit", f"dns:{customer}.example", "--no-password")
	ca("issue", "relay", "relay", "--host", "localhost")
	relay = scene.relay(connect={"certificate": ca.crt("relay"), "private_key": ca.key("relay"),
		"agent_cas": [ca.path("agents-ca.crt")], "agent_crls": [ca.path("agents.crl")]})
	return ca, relay


def enrolled(scene, ca, name):
	"""What the customer has after unpacking the bundle."""
	etc = f"{scene.dir}/{name}.etc"
	ca("bundle", "agent", name, "--out", f"{scene.dir}/{name}.tar")
	unpack(f"{scene.dir}/{name}.tar", etc)
	return etc


def start_agent(scene, relay, etc, label, host, upstream, **keys):
	return scene.agent(relay, [passthrough(host, upstream)], (f"{etc}/agent.crt", f"{etc}/agent.key"), label=label,
		agent={"connect_cas": f"{etc}/relays-ca.crt", "connect_crls": f"{etc}/relays.crl"}, **keys)


@test
def three_customers_serve_their_own_names(scene):
	ca, relay = vendor(scene)
	for customer in CUSTOMERS:
		ca("issue", "agent", f"{customer}-1", "--issuer", customer, "--host", f"*.{customer}.example")
		upstream = scene.upstream(answer(customer.encode()))
		start_agent(scene, relay, enrolled(scene, ca, f"{customer}-1"), customer, f"www.{customer}.example", upstream)
	for customer in CUSTOMERS:
		equal(first_bytes(relay, f"www.{customer}.example"), customer.encode())
	ca("revoke", "acme-1", "--reason", "keyCompromise")
	until(lambda: first_bytes(relay, "www.acme.example") != b"acme", 5, "the stolen agent is out")
	equal(first_bytes(relay, "www.brio.example"), b"brio", "the others stay")
	ca("revoke", "brio")
	until(lambda: first_bytes(relay, "www.brio.example") != b"brio", 5, "the customer is out")
	equal(first_bytes(relay, "www.cafe.example"), b"cafe", "the last one stays")


@test
def a_key_that_never_left_the_customers_host_serves(scene):
	ca, relay = vendor(scene)
	etc = f"{scene.dir}/brio.etc"
	os.makedirs(etc)
	succeeds("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=brio",
		"-keyout", f"{etc}/agent.key", "-out", f"{scene.dir}/brio.csr")
	os.chmod(f"{etc}/agent.key", 0o600)
	ca("sign", f"{scene.dir}/brio.csr", "agent", "brio-1", "--issuer", "brio", "--host", "brio.example")
	ca("bundle", "agent", "brio-1", "--out", f"{scene.dir}/brio.tar")
	unpack(f"{scene.dir}/brio.tar", etc)
	start_agent(scene, relay, etc, "brio", "brio.example", scene.upstream(answer(b"brio")))
	equal(first_bytes(relay, "brio.example"), b"brio")


@test
def a_customer_who_has_the_sub_cas_key_cannot_leave_its_names(scene):
	"""The key of brio's CA signs a certificate for acme's name, past our own tool."""
	ca, relay = vendor(scene)
	at = lambda name: f"{scene.dir}/{name}"
	with open(at("ext"), "w") as file:
		file.write("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
			"extendedKeyUsage=clientAuth,2.25.3095706525491951389.1\nsubjectAltName=DNS:www.acme.example\n"
			"2.25.3095706525491951389.2=DER:30:06:0c:04:73:68:6f:70\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n")
	succeeds("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
		"-keyout", at("x.key"), "-out", at("x.csr"))
	succeeds("openssl", "x509", "-req", "-in", at("x.csr"), "-CA", ca.path("cas/brio.crt"), "-CAkey", ca.path("private/brio.key"),
		"-set_serial", "0x1234567890abcdef1234", "-days", "10", "-extfile", at("ext"), "-out", at("x.crt"))
	with open(at("chain.crt"), "w") as file:
		file.write(open(at("x.crt")).read() + open(ca.path("cas/brio.crt")).read() + open(ca.path("cas/agents.crt")).read())
	said = json.loads(ca.any("verify", at("chain.crt"), "--as", "agent", "--json")[1])
	equal((said["believed"], said["code"]), (False, "name-not-permitted"))
	agent = scene.agent(relay, [passthrough("www.acme.example", "tcp://127.0.0.1:9")], (at("chain.crt"), at("x.key")), start=False,
		agent={"connect_cas": ca.path("relays-ca.crt"), "connect_crls": ca.path("relays.crl")})
	agent.argv = agent.argv + ["--once"]
	os.chmod(at("x.key"), 0o600)
	agent.start(wait_ready=False)
	agent.expected = 77
	equal(agent.wait(20), 77, "the relay refused for good")


main()
