#!/usr/bin/env -S python3 -B
"""Rules on who of those with a good certificate may come in to an endpoint: `clients`."""
import hashlib
import os
import re
import shutil
import ssl
import subprocess

from lib import *

NAME = "api.example.com"
BILLING = [{"cn": "billing"}]
VERSIONS = ("1.2", "1.3")
EX_CONFIG = 78


def key_of(certificate, number=0):
	"""The SHA-256 of the public key of a certificate in a file."""
	with open(certificate) as file:
		blocks = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", file.read(), re.S)
	pem = subprocess.run(["openssl", "x509", "-noout", "-pubkey"], input=blocks[number].encode(),
		capture_output=True, check=True).stdout
	der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem, capture_output=True,
		check=True).stdout
	return hashlib.sha256(der).hexdigest()


def endpoint(upstream, clients, pki=None, **tls):
	pki = pki or authority()
	return terminate(NAME, upstream, {"mutual_tls_certificate_authorities": [pki.cas("client")],
		"mutual_tls_crls": [pki.crls("client")], "clients": clients, **tls})


def ruled(scene, clients, serve=http, pki=None, **tls):
	upstream = scene.upstream(serve)
	relay = scene.relay()
	agent = scene.agent(relay, [endpoint(upstream, clients, pki, **tls)], authority().agent("rule-agent", NAME))
	return relay, agent, upstream


def by_curl(relay, certificate, version):
	return curl(relay.port, NAME, authority().root, "--cert", certificate[0], "--key", certificate[1],
		"--tlsv" + version, "--tls-max", version)


def by_openssl(relay, certificate, version, *more):
	return s_client(relay.port, NAME, authority().root, "-cert", certificate[0], "-key", certificate[1],
		"-tls" + version.replace(".", "_"), *more)


def by_gnutls(relay, certificate, version):
	status, out, err = run("gnutls-cli", "--port", relay.port, "--x509cafile", authority().root, "--sni-hostname", NAME,
		"--verify-hostname", NAME, "--x509certfile", certificate[0], "--x509keyfile", certificate[1],
		"--priority", "NORMAL:-VERS-ALL:+VERS-TLS" + version, "127.0.0.1", data=b"GET / HTTP/1.0\r\n\r\n")
	said = (out.decode(errors="replace") + err).replace("Access was denied", "access denied")
	return status, out, said


def put_in_force(agent, settings):
	count = len(agent.events("reloaded"))
	agent.write(settings)
	agent.reload()
	agent.wait_event("reloaded", count=count + 1)


@test
def lets_in_those_whom_a_rule_names_and_tells_others_why_by_alert(scene):
	pki = authority()
	relay, agent, upstream = ruled(scene, BILLING)
	billing, other = pki.client("billing"), pki.client("other")
	for version in VERSIONS:
		for ask in (by_curl, by_openssl, by_gnutls):
			status, out, err = ask(relay, billing, version)
			check(b"hello" in out, f"TLS {version}: {status} {out} {err}")
	before = upstream.seen
	for version in VERSIONS:
		for ask in (by_curl, by_openssl, by_gnutls):
			status, out, err = ask(relay, other, version)
			check(b"hello" not in out and status != 0, f"TLS {version}: {status} {out} {err}")
			check("access denied" in err, f"the alert is 49, TLS {version}: {err}")
	equal(upstream.seen, before, "connections that the upstream saw")
	agent.wait_event("flow-closed", count=6, reason="client-denied")


@test
def a_refusal_says_whose_certificate_it_was(scene):
	pki = authority()
	relay, agent, _ = ruled(scene, BILLING)
	other = pki.client("other")
	for version in VERSIONS:
		by_curl(relay, other, version)
	refused = agent.wait_event("client-refused", count=2, code="client-denied")
	for event in refused:
		equal(event["issuer_spki"], key_of(other[0], 1), "the key of the issuer")
		serial = run("openssl", "x509", "-in", other[0], "-noout", "-serial")[1].decode().strip()
		equal("serial=" + event["serial"], serial, "the serial number")
		check(event["subject"] == "CN=other" and NAME in event["server_name"], event)
		check("valise-agent check --client" in event["message"], event["message"])


@test
def hostile_names_are_escaped_in_the_log(scene):
	pki, own = authority(), f"{scene.dir}/own"
	os.mkdir(own)
	relay, agent, _ = ruled(scene, BILLING, **own_root(own, "vendor"))
	odd = leaf_of(own, "vendor", 'odd', "/CN=billing\n{\"event\":\"stop\"}/CN=" + "x" * 60)
	status, out, err = by_openssl(relay, odd, "1.3")
	check("access denied" in err, err)
	event = agent.wait_event("client-refused", code="client-denied")[0]
	check("\n" not in event["subject"] and len(event["subject"]) < 600, event["subject"])
	equal(agent.events("stop"), [], "an event of the client's own making")


def own_root(directory, name):
	"""A root without a CRL, and the keys that believe it."""
	run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
		"-keyout", f"{directory}/{name}.key", "-out", f"{directory}/{name}.crt", "-subj", f"/CN={name}", "-days", 30,
		"-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
	check(os.path.exists(f"{directory}/{name}.crt"), "openssl makes a root")
	return {"mutual_tls_certificate_authorities": [f"{directory}/{name}.crt"], "mutual_tls_crls": []}


def leaf_of(directory, issuer, name, subject, *more):
	"""A client's certificate and key."""
	with open(f"{directory}/{name}.ext", "w") as file:
		file.write("\n".join(("basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
			"extendedKeyUsage=clientAuth", *more)) + "\n")
	for arguments in (("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-utf8",
			"-keyout", f"{directory}/{name}.key", "-out", f"{directory}/{name}.csr", "-subj", subject),
			("x509", "-req", "-in", f"{directory}/{name}.csr", "-CA", f"{directory}/{issuer}.crt",
			"-CAkey", f"{directory}/{issuer}.key", "-CAcreateserial", "-days", 10, "-sha256",
			"-extfile", f"{directory}/{name}.ext", "-out", f"{directory}/{name}.crt")):
		status, _, err = run("openssl", *arguments)
		equal(status, 0, err)
	return f"{directory}/{name}.crt", f"{directory}/{name}.key"


@test
def each_kind_of_name_lets_in_its_own(scene):
	relay, agent, upstream = ruled(scene, BILLING)
	pki = authority()
	people = {
		"dns": pki.client("one", "--host", "one.vendor.example"),
		"email": pki.client("two", "--email", "two@vendor.example"),
		"uri": pki.client("three", "--uri", "spiffe://prod.example/ns/default/sa/three"),
		"cn": pki.client("four"),
	}
	rules = {"dns": "*.vendor.example", "email": "two@VENDOR.example",
		"uri": "spiffe://prod.example/ns/*/sa/three", "cn": "four"}
	for key, rule in rules.items():
		put_in_force(agent, {**agent.settings, "endpoints": [endpoint(upstream, [{key: rule}])]})
		for whose, certificate in people.items():
			status, out, err = by_curl(relay, certificate, "1.3")
			equal(out == b"hello", whose == key, f"{key}: {rule}, and the certificate with {whose}: {err}")


@test
def flows_whom_new_rules_do_not_let_in_end_with_the_reload(scene):
	relay, agent, upstream = ruled(scene, [{"cn": "ann"}, {"cn": "bob"}], echo)

	def enter(name):
		client = scene.keep(TlsClient(relay.port, NAME, authority().root, certificate=authority().client(name)))
		client.sendall(b"in")
		equal(client.recv(), b"in")
		return client

	ann, bob = enter("ann"), enter("bob")
	put_in_force(agent, {**agent.settings, "endpoints": [endpoint(upstream, [{"cn": "bob"}])]})
	agent.wait_event("flow-cut", reason="client-denied")
	fails((ssl.SSLError, OSError, EOFError), lambda: ann.recv() or ann.recv()[0])
	bob.sendall(b"still here")
	equal(bob.recv(), b"still here", "the flow of the other")
	fails((ssl.SSLError, OSError, EOFError), enter, "ann")
	put_in_force(agent, {**agent.settings, "endpoints": [endpoint(upstream, [{"cn": "ann"}, {"cn": "bob"}])]})
	enter("ann")
	bob.sendall(b"still here")
	equal(bob.recv(), b"still here", "after both reloads")
	equal(len(agent.events("flow-cut")), 1, "flows that were cut")


@test
def flows_without_a_certificate_end_when_rules_come(scene):
	upstream, relay, own = scene.upstream(echo), scene.relay(), "own.example.com"
	agent = scene.agent(relay, [terminate(NAME, upstream), passthrough(own, upstream)],
		authority().agent("two-names", NAME, own))
	client = scene.keep(TlsClient(relay.port, NAME, authority().root))
	client.sendall(b"in")
	equal(client.recv(), b"in")
	wire = hello(own) + b"in"
	sealed = scene.keep(dial(relay.port, wire))
	equal(read_exactly(sealed, len(wire)), wire)
	put_in_force(agent, {**agent.settings, "endpoints": [endpoint(upstream, BILLING),
		{**endpoint(upstream, BILLING), "name": "own", "url": "tls://" + own}]})
	cut = agent.wait_event("flow-cut", reason="client-denied")
	equal([event["server_name"] for event in cut], [NAME], "whose flow is cut")
	fails((ssl.SSLError, OSError, EOFError), lambda: client.recv() or client.recv()[0])
	sealed.sendall(b"still here")
	equal(read_exactly(sealed, 10), b"still here", "what was passed through is its upstream's to judge")


@test
def a_resumed_session_is_judged_like_a_first_one(scene):
	relay, agent, upstream = ruled(scene, BILLING)
	billing, ticket = authority().client("billing"), f"{scene.dir}/ticket"
	for version in VERSIONS:
		status, out, err = by_openssl(relay, billing, version, "-sess_out", ticket)
		check(b"hello" in out, err)
	put_in_force(agent, {**agent.settings, "endpoints": [endpoint(upstream, [{"cn": "other"}])]})
	before = upstream.seen
	for version in VERSIONS:
		resume = ("-sess_in", ticket) if os.path.exists(ticket) else ()
		status, out, err = by_openssl(relay, billing, version, *resume)
		check(b"hello" not in out and "access denied" in err, f"TLS {version}: {out} {err}")
	equal(upstream.seen, before, "connections that the upstream saw")


def two_vendors(scene):
	"""Roots of two vendors in one file, and a client of each whose subject is that of the other."""
	own = f"{scene.dir}/own"
	os.mkdir(own)
	for name in ("acme", "evil"):
		own_root(own, name)
	with open(f"{own}/both.crt", "w") as both:
		for name in ("acme", "evil"):
			with open(f"{own}/{name}.crt") as file:
				both.write(file.read())
	return own, {"mutual_tls_certificate_authorities": [f"{own}/both.crt"], "mutual_tls_crls": []}


@test
def one_vendor_cannot_issue_what_is_the_others(scene):
	own, keys = two_vendors(scene)
	acme, evil = (leaf_of(own, name, name + "-billing", "/CN=billing") for name in ("acme", "evil"))
	relay, agent, upstream = ruled(scene, [{"cn": "billing", "issuer": key_of(f"{own}/acme.crt")}], **keys)
	for version in VERSIONS:
		equal(by_curl(relay, acme, version)[1], b"hello", "whose it is")
		status, out, err = by_curl(relay, evil, version)
		check(b"hello" not in out and "access denied" in err, err)
	put_in_force(agent, {**agent.settings, "endpoints": [
		endpoint(upstream, [{"cn": "billing", "issuer": "any"}], **keys)]})
	equal(by_curl(relay, evil, "1.3")[1], b"hello", "any in words")


@test
def a_mistake_never_leads_to_an_endpoint_without_its_check(scene):
	own, keys = two_vendors(scene)
	one = {**keys, "mutual_tls_certificate_authorities": [f"{own}/one.crt"]}
	shutil.copy(f"{own}/acme.crt", f"{own}/one.crt")
	relay, agent, upstream = ruled(scene, BILLING, **one)
	acme, other = (leaf_of(own, "acme", name, f"/CN={name}") for name in ("billing", "other"))

	def holds(when):
		equal(by_curl(relay, acme, "1.3")[1], b"hello", when)
		status, out, err = by_curl(relay, other, "1.3")
		check(b"hello" not in out and "access denied" in err, f"{when}: {err}")

	holds("at first")
	good = agent.settings
	for clients in ([{}], [{"dns": "*"}], [{"serial": "12"}], {"cn": ["a"]}, [{"any": [{"any": [{"cn": "a"}]}]}]):
		count = len(agent.events("reload-refused"))
		agent.write({**good, "endpoints": [endpoint(upstream, clients, **one)]})
		agent.reload()
		agent.wait_event("reload-refused", count=count + 1)
		holds(f"after {clients}")
	agent.write(good)
	count = len(agent.events("reload-refused"))
	shutil.copy(f"{own}/both.crt", f"{own}/one.crt.new")
	os.replace(f"{own}/one.crt.new", f"{own}/one.crt")	# a second root comes into the file
	told = agent.wait_event("reload-refused", count=count + 1)[-1]["message"]
	check("clients, entry 1: several CAs" in told, told)
	holds("after a second root")
	evil = leaf_of(own, "evil", "evil-billing", "/CN=billing")
	check(b"hello" not in by_curl(relay, evil, "1.3")[1], "the second root is not in force")
	status, out, err = run(PROGRAMS["agent"], "check", "-c", agent.config_path)
	equal(status, EX_CONFIG, "check")
	check(re.search(r"agent\.yml:\d+:\d+: endpoint .*clients, entry 1: several CAs", err), err)


def asked(agent, certificate, name=f"open-{NAME}"):
	"""What check --client says: (exit status, both outputs)."""
	status, out, err = run(PROGRAMS["agent"], "check", "-c", agent.config_path, "--client", certificate,
		"--endpoint", name)
	return status, out.decode() + err


@test
def check_says_what_a_certificate_would_get(scene):
	pki = authority()
	relay, agent, upstream = ruled(scene, [{"dns": "x.example"}, {"cn": "billing"}])
	billing, other = pki.client("billing")[0], pki.client("other")[0]
	status, told = asked(agent, billing)
	equal(status, 0, told)
	check(re.search(r"agent\.yml:\d+:\d+: entry 2 lets it in", told), told)
	for number in range(2):
		check(key_of(billing, number) in told, f"the keys of its path: {told}")
	check(key_of(pki.root) in told, told)
	status, told = asked(agent, other)
	equal(status, 1, told)
	for said in ('dns "x.example" matches none of its DNS names', 'cn "billing" is not its one common name',
			"client-denied", "49"):
		check(said in told, f"{said}: {told}")
	pki.revoke("other")
	status, told = asked(agent, other)
	equal((status, "certificate-revoked" in told), (1, True), told)
	status, told = asked(agent, Authority().client("billing")[0])
	equal((status, "unknown-ca" in told), (1, True), told)
	equal(asked(agent, billing, "nobody")[0], 64, "an endpoint that is not there")
	equal(asked(agent, f"{scene.dir}/nothing.crt")[0], 66, "a file that is not there")
	equal(asked(agent, agent.config_path)[0], 65, "a file without a certificate")
	equal(run(PROGRAMS["agent"], "check", "-c", agent.config_path, "--client", billing)[0], 64, "half a question")


@test
def what_check_prints_of_a_subject_can_be_copied_into_a_rule(scene):
	own = f"{scene.dir}/own"
	os.mkdir(own)
	_, agent, _ = ruled(scene, [{"cn": "here"}], **own_root(own, "vendor"))
	certificate = leaf_of(own, "vendor", "odd", '/OU=a/OU=B\u00fcro\u200b 1/CN=M\u00fcller "x"')[0]
	status, told = asked(agent, certificate)
	equal(status, 1, told)
	printed = dict(re.findall(r"^  (cn|ou): (.*)$", told, re.M))
	equal(printed, {"cn": '"M\u00fcller \\"x\\""', "ou": '"B\u00fcro\\U0000200B 1"'}, told)
	with open(agent.config_path) as file:
		configuration = file.read()
	check(configuration.count('"here"') == 1, configuration)
	with open(agent.config_path, "w") as file:
		file.write(configuration.replace('"here"', printed["cn"] + ', "ou": ' + printed["ou"]))
	status, told = asked(agent, certificate)
	equal(status, 0, told)


@test
def check_remembers_what_the_agent_does(scene):
	pki = Authority()
	relay, agent, _ = ruled(scene, [{"issuer": "any"}], pki=pki)
	other, earlier = pki.client("other"), Authority.__new__(Authority)
	earlier.dir = pki.dir + ".before"
	shutil.copytree(pki.dir, earlier.dir)
	equal(asked(agent, other[0])[0], 0, "before")
	count = len(agent.events("files-reloaded"))
	pki.revoke("other")
	agent.wait_event("files-reloaded", count=count + 1)
	by_curl(relay, other, "1.3")
	until(lambda: os.path.exists(f"{scene.state('agent')}/crl-revoked"), what="the agent keeps what it has found")
	for _ in range(3):			# a newer number, and nobody is revoked
		earlier.pki("crl", "--all")
	shutil.copy(earlier.crls("client"), pki.crls("client"))
	status, told = asked(agent, other[0])
	equal((status, "certificate-revoked" in told), (1, True), told)


@test
def check_warns_of_an_endpoint_for_nobody_and_refuses_what_asks_for_none(scene):
	relay, agent, upstream = ruled(scene, [])
	status, out, err = by_curl(relay, authority().client("billing"), "1.3")
	check("access denied" in err, err)
	status, _, err = run(PROGRAMS["agent"], "check", "-c", agent.config_path)
	equal(status, 0, err)
	check("nobody is let in" in err, err)
	for keys in ({"mutual_tls": "request"}, {"mutual_tls_certificate_authorities": [], "mutual_tls_crls": []}):
		agent.write({**agent.settings, "endpoints": [endpoint(upstream, BILLING, **keys)]})
		status, _, err = run(PROGRAMS["agent"], "check", "-c", agent.config_path)
		equal(status, EX_CONFIG, f"{keys}: {err}")
		check("clients lets in nobody without a certificate" in err, err)


main()
