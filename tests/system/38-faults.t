#!/usr/bin/env -S python3 -B
"""Files and configurations that are refused, clocks that are wrong: what stays in force, and who is told."""
import json
import os
import shutil
import ssl
import subprocess
import time

from lib import *
from lib.clock import DAY, HOUR, Clock
from lib.memory import FAILING
from lib.upstream import server_context

NAME = "app.example.com"
REASONS = "is the clock right?"


def status(daemon):
	done = subprocess.run([daemon.program, "status", "-c", daemon.config_path], capture_output=True, text=True,
		timeout=60)
	equal(done.returncode, 0, f"exit status of {daemon.label}'s status: {done.stderr}")
	return json.loads(done.stdout)


def faults(daemon):
	told = status(daemon)
	equal(told["reload_refused"], len(told["reload_faults"]), "the number for a metric")
	return {fault["part"]: fault["error"] for fault in told["reload_faults"]}


def shows_fault(daemon, text=""):
	daemon.wait_shown(lambda shown: "; not taken up since" in shown and text in shown, f"a fault: {text}")


def shows_no_fault(daemon):
	daemon.wait_shown(lambda shown: shown and "not taken up" not in shown, "no fault")


def replace(source, target):
	"""As a whole, as careful people do."""
	shutil.copy(source, target + ".new")
	os.chmod(target + ".new", 0o600)
	os.replace(target + ".new", target)


def copies(scene, label, pair):
	"""(certificate, key) that the test may write over."""
	mine = [f"{scene.dir}/{label}.crt", f"{scene.dir}/{label}.key"]
	for source, target in zip(pair, mine):
		replace(source, target)
	return mine


def is_served(relay, name=NAME):
	wire = hello(name)
	with dial(relay.port, wire) as client:
		return client.recv(1) == wire[:1]


@test
def a_half_swapped_pair_of_the_relay_is_told_until_it_is_whole(scene):
	mine = copies(scene, "connect", authority().relay())
	relay = scene.relay(connect={"certificate": mine[0], "private_key": mine[1]})
	other = authority().issue("relay", "other-relay", "--host", "localhost")
	replace(other[0], mine[0])
	relay.wait_event("reload-refused")
	check("does not belong to" in faults(relay)["connect.certificate"], "status tells which part, and why")
	shows_fault(relay)
	equal(relay.events("certificate-reloaded"), [], "claims of a reload")
	scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("agent", NAME))
	replace(other[1], mine[1])
	relay.wait_event("certificate-reloaded")
	equal(faults(relay), {}, "what is refused still")
	shows_no_fault(relay)


@test
def a_half_swapped_pair_of_the_agent_does_not_hold_up_a_crl(scene):
	pki = Authority()
	certificate, key = pki.relay()
	relay = scene.relay(connect={"certificate": certificate, "private_key": key})
	mine = copies(scene, "agent-own", authority().agent("agent", NAME))
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], mine,
		agent={"connect_cas": pki.cas("relay"), "connect_crls": pki.crls("relay")})
	replace(authority().agent("agent-next", NAME)[0], mine[0])
	agent.wait_event("reload-refused")
	equal(agent.events("files-reloaded"), [], "claims of a reload")
	check("does not belong to" in faults(agent)["agent.certificate"], "status tells which part, and why")
	shows_fault(agent, "agent.certificate: ")
	check(is_served(relay), "the session goes on")
	pki.revoke("relay")
	told, = agent.wait_event("files-reloaded", 4)
	equal(told["changed"], "agent.connect_cas", "what has changed")
	agent.wait_text("revoked", 4)
	replace(authority().agent("agent-next", NAME)[1], mine[1])
	agent.wait_event("files-reloaded", 4, changed="agent.certificate")
	equal(faults(agent), {}, "what is refused still")
	shows_no_fault(agent)


def answer(stream):
	"""An upstream for curl and for others."""
	request = stream.recv(65536)
	stream.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n" if request.startswith(b"GET ") else request)
	drained(stream)


@test
def a_half_swapped_pair_of_an_endpoint_keeps_the_old_one(scene):
	relay = scene.relay()
	mine = copies(scene, "server", authority().server(NAME))
	pki = Authority()
	tls = {"server_certificate": mine[0], "server_private_key": mine[1], "mutual_tls": "request",
		"mutual_tls_certificate_authorities": [pki.cas("client")], "mutual_tls_crls": [pki.crls("client")]}
	agent = scene.agent(relay, [terminate(NAME, scene.upstream(answer), tls=tls)], authority().agent("agent", NAME))
	other = authority().issue("server", "next-server", "--host", NAME)
	replace(other[1], mine[1])	# the other half first
	agent.wait_event("reload-refused")
	part = f"endpoint open-{NAME}"
	check(part in faults(agent), "status tells which part")
	equal(agent.events("files-reloaded"), [], "claims of a reload")
	client = scene.keep(TlsClient(relay.port, NAME, authority().root))
	client.sendall(b"served")
	equal(client.recv(), b"served", "by the old pair")
	ann = pki.client("ann")
	equal(curl(relay.port, NAME, authority().root, "--cert", ann[0], "--key", ann[1])[0], 0, "curl's exit status")
	pki.revoke("ann")	# no CRL waits for a certificate
	agent.wait_event("files-reloaded", 4, changed=f"CAs and CRLs of {part}")
	check(curl(relay.port, NAME, authority().root, "--cert", ann[0], "--key", ann[1])[0] != 0, "a revoked client is refused")
	check(part in faults(agent), "status goes on telling of the pair")
	replace(other[0], mine[0])
	agent.wait_event("files-reloaded", changed=part)
	equal(faults(agent), {}, "what is refused still")


@test
def no_crl_waits_for_the_agents_certificate_elsewhere(scene):
	"""That for an upstream, and that of a forward."""
	pki = Authority()
	ours = {who: copies(scene, who, authority().client("ann")) for who in ("to-upstream", "to-customer")}
	files = {"cas": pki.cas("server"), "crls": pki.crls("server")}
	upstream = scene.upstream(echo, tls=server_context(*pki.server("localhost")))
	relay = scene.relay()
	agent = scene.agent(relay, [terminate(NAME, {"url": f"tls://localhost:{upstream.port}",
		"certificate": ours["to-upstream"][0], "private_key": ours["to-upstream"][1], **files})],
		authority().agent("agent", NAME), forwards=[{"name": "shop", "listen": f"unix:{scene.dir}/shop.sock",
		"url": "tls://shop.example.com", "address": f"127.0.0.1:{relay.port}",
		"certificate": ours["to-customer"][0], "private_key": ours["to-customer"][1], **files}])

	def is_echoed():
		try:
			with TlsClient(relay.port, NAME, authority().root) as client:
				client.sendall(b"echo")
				return client.recv() == b"echo"
		except OSError:
			return False

	check(is_echoed(), "the upstream answers")
	next_key = authority().client("bob")[1]
	for pair in ours.values():
		replace(next_key, pair[1])
	parts = {f"endpoint open-{NAME}", "forward shop"}
	until(lambda: set(faults(agent)) == parts, what="both are refused")
	equal(agent.events("files-reloaded"), [], "claims of a reload")
	check(is_echoed(), "by the old pair")
	pki.revoke("server-localhost")
	told = agent.wait_event("files-reloaded", 4)[0]["changed"]
	equal(set(told.split(", ")), {f"CAs and CRLs of {part}" for part in parts}, "what is new")
	check(not is_echoed(), "the upstream is refused")
	equal(set(faults(agent)), parts, "what is refused still")
	for pair in ours.values():
		replace(authority().client("bob")[0], pair[0])
	until(lambda: not faults(agent), what="all is mended")


@test
def a_refused_configuration_is_told_until_a_good_one_is_in_force(scene):
	relay = scene.relay()
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("agent", NAME))
	for daemon in (relay, agent):
		good = daemon.settings
		for ask in (daemon.reload, lambda: run(daemon.program, "reload", "-c", daemon.config_path)):
			count = len(daemon.events("reloaded"))
			daemon.write(dict(good, surplus=1))
			ask()
			until(lambda: "surplus" in faults(daemon).get("configuration", ""), what="status tells")
			shows_fault(daemon, "configuration: ")
			daemon.write(good)
			check(faults(daemon), "nobody has asked for the good one")
			ask()
			daemon.wait_event("reloaded", count=count + 1)
			equal(faults(daemon), {}, "what is refused still")
			shows_no_fault(daemon)


def reloaded(daemon):
	"""What the next reload says that it has changed."""
	count = len(daemon.events("reloaded"))
	daemon.reload()
	return daemon.wait_event("reloaded", count=count + 1)[-1]["changed"]


@test
def a_reload_says_what_has_changed_in_one_line(scene):
	upstream = scene.upstream(echo)
	relay = scene.relay(routes=[route("static.example.com", upstream)])
	agent = scene.agent(relay, [passthrough(NAME, upstream), passthrough("old.example.com", upstream)],
		authority().agent("three-agent", NAME, "old.example.com", "new.example.com"))
	for daemon in (relay, agent):
		equal(reloaded(daemon), "nothing", f"{daemon.label}, without a change")
	relay.write(dict(relay.settings, routes=[route("other.example.com", upstream)], limits={"flows_per_client": 7}))
	equal(reloaded(relay), "limits.flows_per_client, routes")
	agent.write(dict(agent.settings, endpoints=[passthrough(NAME, {"url": upstream.url, "proxy_protocol": 2}),
		passthrough("new.example.com", upstream)], limits={"flows": 70}))
	equal(reloaded(agent),
		f"endpoint sealed-{NAME}, endpoint sealed-new.example.com (new), endpoint sealed-old.example.com (gone), limits.flows")


@test
def a_refused_crl_is_told_until_it_is_mended(scene):
	relay_pki, pki = Authority(), Authority()
	relay = scene.relay(connect={"agent_cas": [pki.cas("agent")], "agent_crls": [pki.crls("agent")]})
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], pki.agent("agent", NAME))
	good = f"{scene.dir}/good.crl"
	shutil.copy(pki.crls("agent"), good)
	with open(pki.crls("agent"), "w") as file:
		file.write("rubbish\n")
	relay.wait_event("trust-refused")
	check("no CRL" in faults(relay)["connect.agent_cas"], f"status tells: {faults(relay)}")
	check(is_served(relay), "the old one is in force")
	replace(good, pki.crls("agent"))
	relay.wait_event("trust-reloaded")
	equal(faults(relay), {}, "what is refused still")


def spoil(path):
	"""(The good file, for later.)"""
	good = path + ".good"
	shutil.copy(path, good)
	with open(path + ".new", "w") as file:
		file.write("rubbish\n")
	os.replace(path + ".new", path)
	return good


@test
def an_agents_revocation_is_obeyed_while_another_partys_crl_is_refused(scene):
	ours, theirs = Authority(), Authority()
	other = "other.example.com"
	relay = scene.relay(connect={"agent_cas": [ours.cas("agent"), theirs.cas("agent")],
		"agent_crls": [ours.crls("agent"), theirs.crls("agent")]})
	upstream = scene.upstream(lambda s: (skip_hello(s), echo(s)))
	agent = scene.agent(relay, [passthrough(NAME, upstream)], ours.agent("agent", NAME))
	scene.agent(relay, [passthrough(other, upstream)], theirs.agent("agent", other), label="theirs")
	running, others = [scene.keep(dial(relay.port, hello(name) + b"in")) for name in (NAME, other)]
	for client in (running, others):
		equal(read_exactly(client, 2), b"in")
	good = spoil(theirs.crls("agent"))
	told, = relay.wait_event("trust-refused")
	check(theirs.crls("agent") in told["message"] and "in force" in told["kept"], f"what is told: {told}")
	ours.revoke("agent")
	revoked_at = time.monotonic()
	check(closed_how(running) in ("fin", "reset"), "the running flow ends")
	seconds = time.monotonic() - revoked_at
	check(seconds < 2.5, f"the running flow ended after {seconds:.1f} s")
	agent.wait_text("revoked", 5)
	others.sendall(b"still here")
	equal(read_exactly(others, 10), b"still here", "by the CRL that the file had before")
	check(theirs.crls("agent") in faults(relay)["connect.agent_cas"], f"status tells: {faults(relay)}")
	shows_fault(relay)
	relay.reload()
	relay.wait_event("reloaded")
	check(theirs.crls("agent") in faults(relay)["connect.agent_cas"], "status tells after a reload, too")
	equal(relay.events("trust-reloaded"), [], "as long as not all is as the files say")
	replace(good, theirs.crls("agent"))
	relay.wait_event("trust-reloaded")
	equal(faults(relay), {}, "what is refused still")
	theirs.revoke("agent")
	check(closed_how(others) in ("fin", "reset"), "the mended file is obeyed again")


@test
def a_clients_revocation_is_obeyed_while_another_vendors_crl_is_refused(scene):
	ours, theirs = Authority(), Authority()
	certificates = [party.client("ann") for party in (ours, theirs)]
	upstream = scene.upstream(echo)
	relay = scene.relay()
	agent = scene.agent(relay, [terminate(NAME, upstream, {
		"mutual_tls_certificate_authorities": [ours.cas("client"), theirs.cas("client")],
		"mutual_tls_crls": [ours.crls("client"), theirs.crls("client")]})], authority().agent("vendors", NAME))

	def enter(certificate):
		client = scene.keep(TlsClient(relay.port, NAME, authority().root, certificate=certificate))
		client.sendall(b"in")
		equal(client.recv(), b"in")
		return client

	running, others = [enter(certificate) for certificate in certificates]
	good = spoil(theirs.crls("client"))
	told, = agent.wait_event("reload-refused")
	check(theirs.crls("client") in told["message"] and "in force" in told["kept"], f"what is told: {told}")
	ours.revoke("ann")
	revoked_at = time.monotonic()
	fails((ssl.SSLError, OSError, EOFError), lambda: running.recv() or running.recv()[0])
	seconds = time.monotonic() - revoked_at
	check(seconds < 2.5, f"the running flow ended after {seconds:.1f} s")
	check("REVOKED" in str(fails((ssl.SSLError, OSError, EOFError), enter, certificates[0])), "the alert says so")
	others.sendall(b"x")
	equal(others.recv(), b"x", "by the CRL that the file had before")
	enter(certificates[1])
	fault, = faults(agent).values()
	check(theirs.crls("client") in fault, f"status tells: {faults(agent)}")
	agent.reload()
	agent.wait_event("reloaded")
	fault, = faults(agent).values()
	check(theirs.crls("client") in fault, f"status tells after a reload, too: {faults(agent)}")
	count = len(agent.events("files-reloaded"))
	replace(good, theirs.crls("client"))
	agent.wait_event("files-reloaded", count=count + 1)
	equal(faults(agent), {}, "what is refused still")
	theirs.revoke("ann")
	fails((ssl.SSLError, OSError, EOFError), lambda: others.recv() or others.recv()[0])


@test
def a_host_without_a_battery_comes_up(scene):
	"""By the clock all CRLs are from the future; later somebody sets it."""
	clock = Clock(scene.dir)
	clock.set(-400 * DAY)
	relay = scene.relay(start=False, routes=[route("static.example.com", scene.upstream(echo))])
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("agent", NAME), start=False)
	agent.write(dict(agent.settings, forwards=[{"name": "shop", "listen": f"unix:{scene.dir}/shop.sock",
		"url": "tls://shop.example.com", "address": f"127.0.0.1:{relay.port}", "certificate": authority().client("ann")[0],
		"private_key": authority().client("ann")[1], "cas": [authority().cas("server")],
		"crls": [authority().crls("server")]}]))
	for daemon in (relay, agent):
		clock.rule(daemon)
		code, out, err = run(daemon.program, "check", "-c", daemon.config_path, environment=dict(os.environ, **clock.environment))
		check(code == 75 and "from the future" in err and REASONS in err, f"check: {code} {err}")
		check("fine" not in out.decode(), f"check: {out}")
		daemon.start()
	for daemon, part in ((relay, "connect.agent_cas"), (agent, "agent.connect_cas"), (agent, "forward shop")):
		told, = daemon.wait_event("clock-doubted", part=part)
		check("from the future" in told["message"] and "the clock says" in told["message"] and REASONS in told["message"],
			f"both times are told: {told}")
		check(REASONS in faults(daemon)[part], "status tells")
		shows_fault(daemon)
	check(is_served(relay, "static.example.com"), "what needs no clock is served")
	clock.set(0)
	scene.wait_serving(agent, seconds=30)
	check(is_served(relay), "the agent serves")
	for daemon in (relay, agent):
		equal(faults(daemon), {}, f"what {daemon.label} waits for still")


@test
def an_agent_whose_clock_is_behind_waits_even_with_once(scene):
	"""The relay's certificate is not valid yet, by an hour more than it is backdated."""
	clock = Clock(scene.dir)
	relay = scene.relay()
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("agent", NAME), start=False)
	del agent.settings["agent"]["connect_crls"]
	agent.write(agent.settings)
	clock.rule(agent)
	agent.argv = agent.argv + ["--once"]
	clock.set(-2 * HOUR)
	agent.start()
	told = agent.wait_event("relay-unreachable", code="certificate-not-yet-valid")[0]
	check(REASONS in told["message"] and "the clock here says" in told["message"], f"both times are told: {told}")
	check("in between" not in told["message"], f"nobody is suspected: {told}")
	clock.set(0)
	agent.wait_event("relay-up", 30)


@test
def an_agent_is_not_lost_by_the_relays_wrong_clock(scene):
	"""To the relay the agent's certificate is not valid yet, and it says: expired."""
	clock = Clock(scene.dir)
	clock.set(-2 * HOUR)
	relay = scene.relay(start=False)
	del relay.settings["connect"]["agent_crls"]
	relay.write(relay.settings)
	clock.rule(relay)
	relay.start()
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("agent", NAME), start=False)
	agent.argv = agent.argv + ["--once"]
	agent.start()
	check(REASONS in relay.wait_event("agent-refused")[0]["message"], "the relay asks")
	told = agent.wait_event("relay-unreachable", code="certificate-expired")[0]
	check("is the clock right, here and there?" in told["message"], f"so does the agent: {told}")
	clock.set(0)
	agent.wait_event("relay-up", 40)


@test
def a_relay_whose_certificate_and_crls_have_ended_serves_what_needs_none(scene):
	"""As after a year in which nobody looked; then somebody mends it."""
	pki, clock = Authority(), Clock(scene.dir)
	clock.set(400 * DAY)
	certificate, key = pki.relay()
	relay = scene.relay(start=False, routes=[route("static.example.com", scene.upstream(echo))],
		connect={"certificate": certificate, "private_key": key, "agent_cas": pki.cas("agent"), "agent_crls": pki.crls("agent")})
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], pki.agent("agent", NAME), start=False,
		agent={"connect_cas": pki.cas("relay"), "connect_crls": pki.crls("relay")})
	for daemon in (relay, agent):
		clock.rule(daemon)
		code, out, err = run(daemon.program, "check", "-c", daemon.config_path, environment=dict(os.environ, **clock.environment))
		check(code == 1 and "fine" not in out.decode(), f"check: {code} {out} {err}")
		daemon.start()
	told, = relay.wait_event("certificate-expires")
	equal((told["level"], told["file"]), ("error", certificate))
	check(is_served(relay, "static.example.com"), "what needs no certificate is served")
	agent.wait_event("relay-unproven", code="certificate-expired")
	check(is_served(relay, "static.example.com"), "and goes on to be")
	for words in (["renew", "relay"], ["renew", "agent"], ["crl", "--all"]):
		code, out, err = run(FAILING["pki"], *words, "--ca", pki.dir, environment=dict(os.environ, **clock.environment))
		equal(code, 0, f"valise-pki {words}: {err}")
	scene.wait_serving(agent, seconds=30)
	check(is_served(relay), "the agent serves, and nobody was started again")

@test
def a_clock_that_is_set_by_a_day_ends_nothing(scene):
	"""Ahead, right, behind and right again, while both run; behind, certificates and CRLs are from the future."""
	clock = Clock(scene.dir)
	relay = scene.relay(start=False)
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("agent", NAME), start=False)
	for daemon in (relay, agent):
		clock.rule(daemon)
		daemon.start()
	scene.wait_serving(agent)
	wire = hello(NAME)
	held = scene.keep(dial(relay.port, wire))
	equal(read_exactly(held, len(wire)), wire, "a flow is joined")
	for off_s in (DAY, 0, -DAY, 0):
		clock.set(off_s)
		for daemon in (relay, agent):
			code, _, err = run(daemon.program, "reload", "-c", daemon.config_path)
			equal(code, 78 if off_s < 0 else 0, f"a reload of {daemon.label} with a clock that is {off_s} s off: {err}")
			check(off_s >= 0 or REASONS in err, f"what {daemon.label} says of its clock: {err}")
		check(is_served(relay), f"served with a clock that is {off_s} s off")
		held.sendall(b"still here")
		equal(read_exactly(held, 10), b"still here", f"the flow, with a clock that is {off_s} s off")
	for daemon in (relay, agent):
		equal(faults(daemon), {}, f"what {daemon.label} waits for still")
	equal(len(relay.events("session-up")), 1, "sessions")


main()
