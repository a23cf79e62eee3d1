#!/usr/bin/env -S python3 -B
"""Joining for real: an authority that serves, a relay in front of it, an agent that joins through the relay, and a client."""
import os
import time

from lib import *
from lib.scene import free_port

NAME = "app.example.com"


def start_serve(scene, name="localhost", **settings):
	"""(authority, the daemon that serves it)"""
	pki = Authority()
	serve = scene.serve(pki.dir, name, **settings)
	serve.wait_event("serve-up")
	return pki, serve


def invite(pki, *options):
	"""The line of a new invitation."""
	return pki.pki("invite", *options).strip()


def join(kind, directory, line, *options):
	"""(status, standard output, standard error)"""
	status, out, err = run(PROGRAMS[kind], "join", "-c", f"{directory}/{kind}.yml", "--dir", f"{directory}/{kind}-state",
		"--user", "root", *options, data=line.encode() + b"\n")
	check("Sanitizer" not in err and "runtime error" not in err, err)
	return status, out.decode(), err


def amend(path, *changes):
	"""What an operator fills in."""
	with open(path) as file:
		text = file.read()
	for before, after in changes:
		check(text.count(before) >= 1, f"{path} has no {before!r}:\n{text}")
		text = text.replace(before, after, 1)
	with open(path, "w") as file:
		file.write(text)


def run_joined(scene, kind, directory):
	"""The daemon, with the configuration that joining has written."""
	path = f"{directory}/{kind}.yml"
	status, out, err = run(PROGRAMS[kind], "check", "-c", path)
	equal(status, 0, f"valise-{kind} check: {out.decode()}{err}")
	daemon = Daemon(kind, [PROGRAMS[kind], "run", "-c", path], scene.dir)
	scene.daemons.append(daemon.start())
	return daemon


@test
def three_hosts_and_one_public_port(scene):
	"""Nobody but the relay is reached from outside, the authority included."""
	(pki, serve), port = start_serve(scene, "pki.test", url="https://pki.test"), free_port()
	hosts = {kind: f"{scene.dir}/{kind}-host" for kind in ("relay", "agent")}
	began = time.monotonic()
	status, out, err = join("relay", hosts["relay"], invite(pki, "relay", "relay", "--host", "localhost"),
		"--address", f"127.0.0.1:{serve.port}")
	print(f"# the relay has joined after {time.monotonic() - began:.2f} s")
	equal((status, err), (0, ""))
	amend(f"{hosts['relay']}/relay.yml", ("[::]:443", f"127.0.0.1:{port}"))
	relay = run_joined(scene, "relay", hosts["relay"])
	relay.wait_event("listening")

	line = invite(pki, "agent", "site1", "--host", NAME, "--relay", f"localhost:{port}")
	began = time.monotonic()
	status, out, err = join("agent", hosts["agent"], line, "--address", f"127.0.0.1:{port}")
	print(f"# the agent has joined through the relay after {time.monotonic() - began:.2f} s")
	equal((status, err), (0, ""))
	upstream = scene.tls_upstream(http, NAME)
	amend(f"{hosts['agent']}/agent.yml", ("tcp://127.0.0.1:8443", upstream.url))
	agent = run_joined(scene, "agent", hosts["agent"])
	agent.wait_event("endpoint-up")
	equal(curl(port, NAME, authority().root)[:2], (0, b"hello"))
	# pki.test is a name that nobody resolves: CRLs are fetched where the hosts have joined.
	relay.wait_event("crl-fetched", key="connect.agent_cas")
	agent.wait_event("crl-fetched", key="agent.connect_cas")
	equal([event for daemon in (relay, agent) for event in daemon.events("crl-fetch-failed")], [])


@test
def a_lost_answer_and_a_stolen_line(scene):
	pki, serve = start_serve(scene)
	line = invite(pki, "agent", "site1", "--host", NAME, "--relay", "connect.example.net:443")
	equal(join("agent", f"{scene.dir}/a", line)[0], 0)
	first = open(f"{scene.dir}/a/agent-state/agent.crt").read()
	for file in ("agent-state/agent.crt", "agent.yml"):	# as if nothing had arrived
		os.unlink(f"{scene.dir}/a/{file}")
	equal(join("agent", f"{scene.dir}/a", line)[0], 0, "the same key, the same line")
	equal(open(f"{scene.dir}/a/agent-state/agent.crt").read(), first, "the certificate of the same key")
	status, out, err = join("agent", f"{scene.dir}/thief", line)
	equal((status, out), (77, ""), err)
	equal(os.listdir(f"{scene.dir}/thief/agent-state/crls"), [])


main()
