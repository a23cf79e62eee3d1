#!/usr/bin/env -S python3 -B
"""An endpoint with several certificates: which of them real clients are shown."""
import os
import shutil

from lib import *

NAME, WILD = "one.many.example.com", "*.many.example.com"


def pair(certificate, key):
	return {"server_certificate": certificate, "server_private_key": key}


def certificate(label, *hosts, key_type="p256"):
	return pair(*authority().issue("server", label, *(o for host in hosts for o in ("--host", host)),
		"--key-type", key_type))


def serving(scene, name, certificates, upstream=None, **keys):
	relay = scene.relay()
	endpoint = passthrough(name, upstream or scene.upstream(http), agent_tls_termination={
		"server_certificates": certificates, **keys})
	agent = scene.agent(relay, [endpoint], authority().agent("many-agent", WILD))
	return relay, agent


def shown(relay, name, *arguments):
	"""The subject and the key of the certificate that openssl is shown; '' if none."""
	status, out, _ = run("openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-servername", name,
		"-CAfile", authority().root, "-verify_return_error", "-verify_hostname", name, *arguments, data=b"")
	if status != 0:
		return ""
	text = run("openssl", "x509", "-noout", "-text", data=out)[1].decode()
	key = "rsa" if "rsaEncryption" in text else "ec"
	label = text.split("Subject:")[1].split("\n")[0].split("CN = ")[1].strip()
	return f"{label} {key}"


@test
def a_client_gets_ecdsa_if_it_can_and_rsa_if_it_cannot(scene):
	relay, _ = serving(scene, NAME, [certificate("by-rsa", NAME, key_type="rsa2048"), certificate("by-ec", NAME)])
	for version in ("-tls1_2", "-tls1_3"):
		check(shown(relay, NAME, version).endswith(" ec"), f"{version}, all algorithms")
		got = shown(relay, NAME, version, "-sigalgs", "RSA-PSS+SHA256:RSA+SHA256")
		check(got.endswith(" rsa"), f"{version}, RSA only: {got}")
	got = shown(relay, NAME, "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")
	check(got.endswith(" rsa"), f"suites of RSA only: {got}")
	for priority in ("NORMAL:-VERS-ALL:+VERS-TLS1.2:-ECDHE-ECDSA", "NORMAL:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256"):
		status, out, err = run("gnutls-cli", "--port", relay.port, "--x509cafile", authority().root, "--sni-hostname",
			NAME, "--verify-hostname", NAME, "--priority", priority, "--logfile", f"{scene.dir}/log", "127.0.0.1",
			data=b"GET / HTTP/1.0\r\n\r\n")
		check(b"hello" in out, f"gnutls-cli {priority}: {status} {out} {err}")


@test
def the_name_is_looked_for_before_the_wildcard(scene):
	relay, _ = serving(scene, WILD, [certificate("wild", WILD), certificate("one", NAME, key_type="rsa2048"),
		certificate("two", "two.many.example.com", "three.many.example.com")])
	wanted = {NAME: "rsa", "two.many.example.com": "ec", "THREE.many.example.com": "ec", "four.many.example.com": "ec"}
	got = {name: shown(relay, name) for name in wanted}
	for name, key in wanted.items():
		check(got[name].endswith(" " + key), f"{name}: {got}")
	equal(len({got["two.many.example.com"], got["four.many.example.com"], got[NAME]}), 3, f"certificates: {got}")
	equal(got["two.many.example.com"], got["THREE.many.example.com"])


@test
def a_name_without_a_certificate_fails_and_gets_no_other(scene):
	upstream = scene.upstream(http)
	relay, agent = serving(scene, WILD, [certificate("one-only", NAME)], upstream)
	check(shown(relay, NAME), "the name with a certificate")
	before = upstream.seen
	status, out, err = curl(relay.port, "two.many.example.com", authority().root, "--insecure")
	check(status != 0 and out == b"", f"{status} {out} {err}")
	closed = agent.wait_event("flow-closed", reason="no-certificate")[0]
	check("two.many.example.com" in closed["message"], closed)
	equal(upstream.seen, before, "connections that the upstream saw")


@test
def a_renewed_certificate_of_a_list_is_shown_from_the_next_client_on(scene):
	own = {}
	for label in ("first", "second", "renewed"):
		issued = certificate("list-" + label, f"{label}.many.example.com")
		own[label] = pair(f"{scene.dir}/{label}.crt", f"{scene.dir}/{label}.key")
		for key in issued:
			shutil.copy(issued[key], own[label][key])
	relay, agent = serving(scene, WILD, [own["first"], own["second"]])
	before = shown(relay, "second.many.example.com")
	check("second" in before, before)
	# A half is told, and the old pair stays.
	os.replace(own["renewed"]["server_certificate"], own["second"]["server_certificate"])
	agent.wait_event("reload-refused")
	equal(shown(relay, "second.many.example.com"), before, "while only a half is there")
	os.replace(own["renewed"]["server_private_key"], own["second"]["server_private_key"])
	until(lambda: "renewed" in shown(relay, "renewed.many.example.com"), what="the renewed one is shown")
	equal(shown(relay, "second.many.example.com"), "", "the name that it has not")


@test
def a_version_out_of_bounds_is_refused_with_protocol_version(scene):
	relay, agent = serving(scene, NAME, [certificate("bounds", NAME)], tls_min="1.3")
	check(shown(relay, NAME, "-tls1_3"), "TLS 1.3")
	status, _, err = s_client(relay.port, NAME, authority().root, "-tls1_2")
	check(status != 0 and "alert number 70" in err, f"{status} {err}")
	closed = agent.wait_event("flow-closed", reason="client-handshake-failed")[0]
	check("no version" in closed["message"] or "does not offer TLS 1.3" in closed["message"], closed)
	agent.settings["endpoints"][0]["agent_tls_termination"].update(tls_min="1.2", tls_max="1.2")
	agent.write(agent.settings)
	agent.reload()
	agent.wait_event("reloaded")
	check(shown(relay, NAME, "-tls1_2"), "TLS 1.2")
	status, _, err = s_client(relay.port, NAME, authority().root, "-tls1_3")
	check(status != 0 and "alert number 70" in err, f"{status} {err}")


@test
def no_protocol_in_common_is_refused_with_no_application_protocol(scene):
	relay, agent = serving(scene, NAME, [certificate("alpn", NAME)], alpn=["h2", "http/1.1"])
	for version in ("-tls1_2", "-tls1_3"):
		status, _, err = s_client(relay.port, NAME, authority().root, version, "-alpn", "foo,bar")
		check(status != 0 and "alert number 120" in err, f"{version}: {status} {err}")
		_, out, _ = run("openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-servername", NAME, version,
			"-alpn", "http/1.1,h2", data=b"")
		check(b"ALPN protocol: h2" in out, f"{version}: our order counts: {out}")
		check(shown(relay, NAME, version), f"{version}: without ALPN")


main()
