#!/usr/bin/env -S python3 -B
"""A revoked agent: its session, its parked channels and its flows end within two seconds."""
import os
import shutil
import signal
import threading
import time

from lib import *

NAME = "app.example.com"
SECONDS = 2.5		# two, and what the test itself takes
LIVES = "12s"		# a certificate that is to end: what begins with it takes a busy machine some seconds


def tunnel(scene, pki, *names, workers=1):
	"""A relay that trusts pki, and an agent of each name with an upstream that echoes."""
	relay = scene.relay(workers=workers, connect={"agent_cas": [pki.cas("agent")],
		"agent_crls": [pki.crls("agent")]})
	upstream = scene.upstream(lambda s: (skip_hello(s), echo(s)))
	agents = [scene.agent(relay, [passthrough(name, upstream)], pki.agent("agent-" + name, name),
		label="agent-" + name.partition(".")[0]) for name in names]
	return relay, agents


def enter(scene, relay, name):
	client = scene.keep(dial(relay.port, hello(name) + b"in"))
	equal(read_exactly(client, 2), b"in")
	return client


def revoked_agent(scene, workers):
	pki = Authority()
	relay, (agent, _) = tunnel(scene, pki, NAME, "other.example.com", workers=workers)
	running, others = enter(scene, relay, NAME), enter(scene, relay, "other.example.com")
	pki.revoke("agent-" + NAME)
	started = time.monotonic()
	check(closed_how(running) in ("fin", "reset"), "the running flow ends")
	seconds = time.monotonic() - started
	check(seconds < SECONDS, f"the running flow ended after {seconds:.1f} s")
	agent.wait_text("revoked", 2)
	with dial(relay.port, hello(NAME)) as client:
		equal(alert_of(client), 80, "nobody serves the name, which is known for a minute")
	others.sendall(b"still here")
	equal(read_exactly(others, 10), b"still here", "the flow of the other agent")
	enter(scene, relay, "other.example.com")


@test
def a_revoked_agent_loses_everything_within_two_seconds(scene):
	revoked_agent(scene, 1)


@test
def with_four_workers_too(scene):
	revoked_agent(scene, 4)


@test
def no_flow_slips_through_while_the_workers_learn_of_it(scene):
	pki = Authority()
	relay, (agent,) = tunnel(scene, pki, NAME, workers=4)
	wire, flows, stop = hello(NAME), [], threading.Event()

	def keep_coming():
		while not stop.is_set():
			flows.append(scene.keep(dial(relay.port, wire)))
			stop.wait(0.002)

	comers = [threading.Thread(target=keep_coming) for _ in range(3)]
	for comer in comers:
		comer.start()
	until(lambda: len(flows) > 30, what="flows come")
	pki.revoke("agent-" + NAME)
	relay.wait_event("trust-reloaded", SECONDS)
	stop.set()
	for comer in comers:
		comer.join()
	deadline = time.monotonic() + SECONDS
	for flow in flows:
		flow.settimeout(max(0.1, deadline - time.monotonic()))
		check(closed_how(flow) is not None, "every flow ends")


@test
def parked_channels_of_a_revoked_agent_end(scene):
	pki = Authority()
	relay, (agent,) = tunnel(scene, pki, NAME)
	with dial(relay.port, hello(NAME)):
		pass
	relay.wait_event("flow-closed")
	relay.wait_parked(5)	# one of them was used up
	with_agent = relay.connections()
	agent.freeze()		# what ends now is ended by the relay
	pki.revoke("agent-" + NAME)
	until(lambda: relay.connections() <= with_agent - 3, SECONDS, "session and channels are closed")
	agent.thaw()


@test
def a_flow_whose_session_is_gone_ends_too(scene):
	pki = Authority()
	relay, (agent,) = tunnel(scene, pki, NAME)
	running = enter(scene, relay, NAME)
	# A crash of the session alone cannot be staged from outside; draining keeps the flow.
	agent.signal(15)
	relay.wait_event("agent-draining")
	running.sendall(b"still here")
	equal(read_exactly(running, 10), b"still here", "while the agent drains")
	pki.revoke("agent-" + NAME)
	started = time.monotonic()
	check(closed_how(running) in ("fin", "reset"), "the running flow ends")
	check(time.monotonic() - started < SECONDS, "within two seconds")


@test
def a_draining_relay_obeys_too(scene):
	pki = Authority()
	relay, _ = tunnel(scene, pki, NAME, "other.example.com", workers=2)
	running, others = enter(scene, relay, NAME), enter(scene, relay, "other.example.com")
	relay.signal(signal.SIGTERM)
	relay.wait_event("draining")
	others.sendall(b"still here")
	equal(read_exactly(others, 10), b"still here", "a flow while the relay drains")
	pki.revoke("agent-" + NAME)
	started = time.monotonic()
	check(closed_how(running) in ("fin", "reset"), "the running flow ends")
	check(time.monotonic() - started < SECONDS, "within two seconds")
	others.sendall(b"still here")
	equal(read_exactly(others, 10), b"still here", "the flow of the other agent")
	others.close()
	equal(relay.wait(5), 0, "exit status once the flows are over")


@test
def a_flow_outlives_the_ends_of_certificates_but_no_revocation(scene):
	pki = Authority()
	certificate, key = pki.issue("relay", "short", "--host", "localhost", "--valid-for", LIVES)
	relay = scene.relay(connect={"certificate": certificate, "private_key": key,
		"agent_cas": [pki.cas("agent")], "agent_crls": [pki.crls("agent")]})
	upstream = scene.upstream(lambda s: (skip_hello(s), echo(s)))
	agent = scene.agent(relay, [passthrough(NAME, upstream)],
		pki.agent("short-agent", NAME, options=("--valid-for", LIVES)),
		agent={"connect_cas": pki.cas("relay"), "connect_crls": pki.crls("relay")})
	running = enter(scene, relay, NAME)
	relay.wait_event("session-down", 30)
	time.sleep(1)
	pki.pki("crl", "--all")			# so that both daemons judge all that they hold
	relay.wait_event("trust-reloaded", SECONDS)
	time.sleep(1.5)
	equal(agent.events("flow-cut"), [], "what the agent has cut")
	running.sendall(b"still here")
	equal(read_exactly(running, 10), b"still here", "after both certificates have ended")
	pki.revoke("short-agent")
	started = time.monotonic()
	check(closed_how(running) in ("fin", "reset"), "the running flow ends")
	check(time.monotonic() - started < SECONDS, "within two seconds")


@test
def a_serial_that_the_crl_drops_stays_revoked(scene):
	pki = Authority()
	relay, (agent,) = tunnel(scene, pki, NAME)
	with open(pki.crls("agent"), "rb") as file:
		before = file.read()
	pki.revoke("agent-" + NAME)
	agent.wait_text("revoked", 5)
	with open(pki.crls("agent") + ".old", "wb") as file:
		file.write(before)
	os.replace(pki.crls("agent") + ".old", pki.crls("agent"))	# a roll-back
	time.sleep(2.2)
	with dial(relay.port, hello(NAME)) as client:
		equal(alert_of(client), 80, "nobody serves the name")
	check(relay.alive(), "the relay lives")
	again = scene.agent(relay, [passthrough(NAME, "tcp://127.0.0.1:9")], pki.agent("agent-" + NAME, NAME),
		label="again", start=False)
	again.argv = again.argv + ["--once"]
	again.start(wait_ready=False)
	again.expected = 77
	equal(again.wait(), 77, "exit status of the revoked agent")


def once(scene, relay, certificate, label):
	"""(exit status, what it logs) of an agent that tries once."""
	agent = scene.agent(relay, [passthrough(NAME, "tcp://127.0.0.1:9")], certificate, label=label, start=False)
	agent.argv = agent.argv + ["--once"]
	agent.start(wait_ready=False)
	agent.expected = None
	return agent.wait(), agent.log_text()


@test
def a_serial_that_a_later_crl_drops_stays_revoked_over_a_restart(scene):
	pki = Authority()
	certificate = pki.agent("agent-" + NAME, NAME)
	relay, (agent,) = tunnel(scene, pki, NAME)
	kept = f"{scene.state('relay')}/crl-revoked"
	earlier = Authority.__new__(Authority)
	earlier.dir = pki.dir + ".before"
	shutil.copytree(pki.dir, earlier.dir)
	pki.revoke("agent-" + NAME)
	agent.wait_text("revoked", 5)
	until(lambda: os.path.exists(kept), 3, "the relay keeps what it has found")
	relay.kill()
	for _ in range(3):			# a newer number, and nobody is revoked
		earlier.pki("crl", "--all")
	shutil.copy(earlier.crls("agent"), pki.crls("agent"))
	agent.stop()
	relay.start()
	status, log = once(scene, relay, certificate, "again")
	equal(status, 77, "exit status of the revoked agent")
	check("revoked" in log, "the agent says why")
	relay.kill()
	os.unlink(kept)				# the later CRL itself lets the agent in
	relay.start()
	after = scene.agent(relay, [passthrough(NAME, "tcp://127.0.0.1:9")], certificate, label="after")
	check(after.alive(), "the agent is up")


def replace(source, target):
	"""As a whole, as whoever distributes CRLs does."""
	shutil.copy(source, target + ".new")
	os.replace(target + ".new", target)


def of_two_keys(scene, pki):
	"""A relay, and an agent with one CRL file for relays and one for clients: copies, both with the root's CRL."""
	files = {}
	for role in ("relay", "client"):
		files[role] = f"{scene.dir}/{role}s.crl"
		shutil.copy(pki.crls(role), files[role])
	certificate, key = pki.relay()
	relay = scene.relay(connect={"certificate": certificate, "private_key": key})
	agent = scene.agent(relay, [terminate(NAME, scene.upstream(echo),
		tls={"mutual_tls_certificate_authorities": [pki.cas("client")], "mutual_tls_crls": [files["client"]]})],
		authority().agent("agent", NAME), agent={"connect_cas": pki.cas("relay"), "connect_crls": files["relay"]})
	return relay, agent, files


@test
def one_of_two_crl_files_may_be_replaced(scene):
	pki = Authority()
	relay, agent, files = of_two_keys(scene, pki)
	pki.pki("crl", "--all")
	replace(pki.crls("client"), files["client"])	# the root's CRL in the other file is older now
	agent.wait_event("files-reloaded")
	agent.reload()
	agent.wait_event("reloaded")
	equal(agent.events("reload-refused"), [], "complaints")
	equal(run(PROGRAMS["agent"], "check", "-c", agent.config_path)[0], 0, "exit status of a check")
	agent.stop()
	agent.start()
	scene.wait_serving(agent)
	# What is older than that in both files is a roll-back.
	agent.stop()
	shutil.copy(files["relay"], files["client"])
	status, _, err = run(PROGRAMS["agent"], "check", "-c", agent.config_path)
	check(status == 78 and "rollback" in err, f"a check says what a start would: {status} {err}")
	agent.start(wait_ready=False)
	agent.expected = 78
	equal(agent.wait(), 78, "exit status of a start with an older CRL in both")
	check("rollback" in agent.log_text(), "the start says so")


@test
def a_relays_revocation_is_obeyed_by_the_agent(scene):
	pki = Authority()
	certificate, key = pki.relay()
	relay = scene.relay(connect={"certificate": certificate, "private_key": key})
	upstream = scene.upstream(echo)
	agent = scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("agent", NAME),
		agent={"connect_cas": pki.cas("relay"), "connect_crls": pki.crls("relay")})
	pki.revoke("relay")
	agent.wait_text("revoked", 4)

	def gone():
		with dial(relay.port, hello(NAME)) as client:
			return client.recv(7)[-1:] == b"\x50"

	until(gone, 5, "the agent has left the revoked relay")


main()
