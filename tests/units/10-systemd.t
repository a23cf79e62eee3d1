#!/usr/bin/env python3
"""The units under a real systemd: what it starts, keeps, kills and hands over."""
import json
import os
import re
import signal
import subprocess
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system")]
from lib import *
from machine import Machine

if os.geteuid() != 0:
	print("1..0 # SKIP only root makes containers")
	sys.exit(0)

RELAY = {"version": 1, "listeners": [{"address": "127.0.0.1:443"}],
	"connect": {"server_name": "relay.example", "certificate": "/etc/valise/relay.crt",
		"private_key": "/etc/valise/relay.key", "agent_cas": ["/etc/valise/agents-ca.crt"],
		"agent_crls": ["/etc/valise/agents.crl"]},
	"drain_timeout": "2s", "log": {"format": "json"}}
AGENT = {"version": 1,
	"agent": {"connect_url": ["relay.example:443"], "connect_cas": "/etc/valise/relays-ca.crt",
		"connect_crls": "/etc/valise/relays.crl", "certificate": "/etc/valise/agent.crt",
		"private_key": "/etc/valise/agent.key"},
	"endpoints": [{"name": "open", "url": "tls://open.example", "upstream": "tcp://127.0.0.1:8080",
		"agent_tls_termination": {"server_certificate": "/etc/valise/open.crt",
			"server_private_key": "/etc/valise/open.key"}}],
	"log": {"format": "json"}}
CA = "/var/lib/valise-pki/ca"
_machine = None


def machine(scene):
	"""One for all tests, with an authority, a relay, an agent and an upstream."""
	global _machine
	if _machine is None:
		_machine = Machine(scene.dir)
		furnish(_machine)
	return _machine


def issue(it, role, name, file, user, *hosts):
	it.do("valise-pki", "issue", role, name, "--ca", CA, *[o for host in hosts for o in ("--host", host)])
	it.do("install", "-m", "644", f"{CA}/issued/{name}.crt", f"/etc/valise/{file}.crt")
	it.do("install", "-m", "600", "-o", user, f"{CA}/issued/{name}.key", f"/etc/valise/{file}.key")


def furnish(it):
	it.do("systemd-sysusers")
	it.write("/etc/hosts", "127.0.0.1 localhost relay.example open.example pki.example\n")
	it.do("mkdir", "-p", "/var/lib/valise-pki")
	it.do("valise-pki", "init", "--no-password", "--name", "Test", "--ca", CA)
	issue(it, "relay", "relay", "relay", "valise-relay", "relay.example")
	issue(it, "agent", "agent", "agent", "valise-agent", "open.example")
	issue(it, "server", "open", "open", "valise-agent", "open.example")
	for file in "agents-ca.crt", "agents.crl", "relays-ca.crt", "relays.crl":
		it.do("install", "-m", "644", f"{CA}/{file}", f"/etc/valise/{file}")
	it.do("chown", "-R", "valise-pki:valise-pki", "/var/lib/valise-pki")
	it.write("/etc/valise/relay.yml", json.dumps(RELAY))
	it.write("/etc/valise/agent.yml", json.dumps(AGENT))
	it.write("/etc/valise/pki.yml", json.dumps({"version": 1, "authority": CA, "server_name": ["pki.example"],
		"listen": ["127.0.0.1:8443"], "url": "https://pki.example:8443", "log": {"format": "json"}}))
	it.upstream = subprocess.Popen(it.enter(sys.executable, "-m", "http.server", "-d", "/usr/share", "8080", only_network=True),
		stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def fetch(it):
	"""(Whether a page comes through relay and agent, what curl says.)"""
	done = subprocess.run(it.enter("curl", "-sS", "--max-time", "10", "-k", "-o", "/dev/null", "--resolve", "open.example:443:127.0.0.1",
		"https://open.example/", only_network=True), capture_output=True, text=True)
	return done.returncode == 0, done.stderr


def comes(it, what):
	until(lambda: fetch(it)[0], 60, what)


def drop_in(it, unit, text):
	it.write(f"/etc/systemd/system/{unit}.service.d/test.conf", text)
	it.do("systemctl", "daemon-reload")


def no_drop_in(it, unit):
	it.do("rm", "-r", f"/etc/systemd/system/{unit}.service.d")
	it.do("systemctl", "daemon-reload")


def each_connects(it, meanwhile):
	"""Dials again and again while meanwhile() runs: how many were made, and what went wrong with others."""
	code = """
import socket, sys, time
made, wrong = 0, []
sys.stdout.write("begun\\n"); sys.stdout.flush()
import select
while not select.select([sys.stdin], [], [], 0.02)[0]:
	try:
		socket.create_connection(("127.0.0.1", 443), 5).close()
		made += 1
	except OSError as error:
		wrong.append(str(error))
print(made, wrong[:3])
"""
	dialler = subprocess.Popen(it.enter(sys.executable, "-c", code, only_network=True), stdin=subprocess.PIPE,
		stdout=subprocess.PIPE, text=True)
	dialler.stdout.readline()
	try:
		meanwhile()
	finally:
		said = dialler.communicate("over\n", timeout=60)[0]
	made, _, wrong = said.strip().partition(" ")
	return int(made), wrong


@test
def starts_both_and_a_page_comes_through(scene):
	it = machine(scene)
	it.do("systemctl", "start", "valise-relay", "valise-agent")
	comes(it, "a page comes")
	for unit, user in ("valise-relay", "valise-relay"), ("valise-agent", "valise-agent"):
		equal(it.show(unit, "User"), user, "its user")
		for path in [f"/proc/{it.pid(unit)}/task/{task}/status" for task in os.listdir(f"/proc/{it.pid(unit)}/task")]:
			with open(path) as file:
				status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
			equal((int(status["CapEff"], 16), int(status["CapPrm"], 16), int(status["CapAmb"], 16), status["Seccomp"]),
				(0, 0, 0, "2"), f"capabilities and filter of {unit}'s thread {status['Name']}")
		equal(re.findall('"event":"(sandbox-[a-z]+)"', it.journal(unit)), [], f"what {unit} lacks of the sandbox")


@test
def systemd_finds_little_to_say_against_them(scene):
	it = machine(scene)
	for unit in "valise-relay", "valise-agent", "valise-pki":
		it.do("systemd-analyze", "security", "--no-pager", "--threshold=15", f"{unit}.service")


@test
def reloads_when_it_is_told_to(scene):
	it = machine(scene)
	for unit in "valise-relay", "valise-agent":
		it.do("systemctl", "reload", unit)
		until(lambda: '"event":"reloaded"' in it.journal(unit), what=f"{unit} has reloaded")
	comes(it, "a page comes")


@test
def a_restart_keeps_the_listening_sockets(scene):
	it = machine(scene)
	made, wrong = each_connects(it, lambda: it.do("systemctl", "restart", "valise-relay"))
	equal(wrong, "[]", "what went wrong with connections over a restart")
	check(made > 3, f"{made} connections were made")
	comes(it, "a page comes after the restart")


@test
def a_crash_keeps_them_too(scene):
	it = machine(scene)
	before = it.pid("valise-relay")

	def crash():
		os.kill(before, signal.SIGKILL)
		until(lambda: it.show("valise-relay", "MainPID") != "0" and it.pid("valise-relay") != before
			and it.show("valise-relay", "SubState") == "running", 30, "it is started anew")

	made, wrong = each_connects(it, crash)
	equal(wrong, "[]", "what went wrong with connections over a crash")
	comes(it, "a page comes after the crash")


@test
def what_does_not_answer_is_killed_and_started_anew(scene):
	it = machine(scene)
	for unit in "valise-relay", "valise-agent":
		drop_in(it, unit, "[Service]\nWatchdogSec=2s\n")
		it.do("systemctl", "restart", unit)
		before = it.pid(unit)
		# It answers while it is well: this is longer than the watchdog waits.
		until(lambda: "2s ago" not in it.show(unit, "ActiveEnterTimestamp") and int(it.do("ps", "-o", "etimes=", "-p",
			it.show(unit, "MainPID")).strip()) > 5, 30, "it has run for longer than that")
		equal(it.pid(unit), before, f"the process of {unit}")
		os.kill(before, signal.SIGSTOP)
		until(lambda: it.show(unit, "NRestarts") != "0" and it.show(unit, "SubState") == "running", 40, f"{unit} is started anew")
		check("watchdog" in it.do("journalctl", "--no-pager", "-u", unit).lower(), "the journal says why")
		no_drop_in(it, unit)
		it.do("systemctl", "restart", unit)
	comes(it, "a page comes")


@test
def a_key_comes_as_a_credential(scene):
	it = machine(scene)
	it.do("mv", "/etc/valise/relay.key", "/root/relay.key")
	it.do("chown", "root:root", "/root/relay.key")
	drop_in(it, "valise-relay", "[Service]\nLoadCredential=relay.key:/root/relay.key\n")
	changed = json.loads(json.dumps(RELAY))
	changed["connect"]["private_key"] = "/run/credentials/valise-relay.service/relay.key"
	it.write("/etc/valise/relay.yml", json.dumps(changed))
	it.do("systemctl", "restart", "valise-relay")
	comes(it, "a page comes through a relay whose key is a credential")
	it.do("install", "-m", "600", "-o", "valise-relay", "/root/relay.key", "/etc/valise/relay.key")
	it.write("/etc/valise/relay.yml", json.dumps(RELAY))
	no_drop_in(it, "valise-relay")
	it.do("systemctl", "restart", "valise-relay")


@test
def a_socket_unit_starts_it_when_somebody_comes(scene):
	it = machine(scene)
	it.do("systemctl", "stop", "valise-relay")
	text = it.do("cat", "/usr/share/doc/valise/valise-relay.socket.example").replace("[::]:443", "127.0.0.1:443")
	it.write("/etc/systemd/system/valise-relay.socket", text)
	it.do("systemctl", "daemon-reload")
	it.do("systemctl", "start", "valise-relay.socket")
	equal(it.show("valise-relay", "ActiveState"), "inactive", "the relay before anybody has come")
	comes(it, "a page comes, since the agent has come")
	made, wrong = each_connects(it, lambda: it.do("systemctl", "restart", "valise-relay"))
	equal(wrong, "[]", "what went wrong with connections over a restart")
	comes(it, "a page comes after the restart")
	it.do("systemctl", "stop", "valise-relay.socket", "valise-relay")
	it.do("rm", "/etc/systemd/system/valise-relay.socket")
	it.do("systemctl", "daemon-reload")


@test
def instances_take_over_from_each_other(scene):
	it = machine(scene)
	it.do("systemctl", "start", "valise-relay@a")
	comes(it, "a page comes")
	made, wrong = each_connects(it, lambda: it.do("systemctl", "start", "valise-relay@b"))
	equal(wrong, "[]", "what went wrong with connections over a takeover")
	comes(it, "a page comes through the second one")
	until(lambda: it.show("valise-relay@a", "ActiveState") == "inactive", 30, "the first one has left")
	it.do("systemctl", "stop", "valise-relay@b")
	it.do("systemctl", "start", "valise-relay")


@test
def the_authority_serves(scene):
	it = machine(scene)
	drop_in(it, "valise-pki", "[Service]\nLoadCredentialEncrypted=\n")
	it.do("systemctl", "start", "valise-pki")
	done = subprocess.run(it.enter("curl", "-sSk", "-o", "/dev/null", "-w", "%{http_code}", "https://127.0.0.1:8443/.well-known/est/cacerts",
		only_network=True), capture_output=True, text=True)
	equal(done.stdout, "200", "what it answers")
	it.do("systemctl", "stop", "valise-pki")


@test
def nothing_is_left_when_they_stop(scene):
	it = machine(scene)
	it.do("systemctl", "stop", "valise-agent", "valise-relay")
	for unit in "valise-agent", "valise-relay":
		equal((it.show(unit, "ActiveState"), it.show(unit, "Result")), ("inactive", "success"), f"how {unit} ended")
	equal(it.ask("pgrep", "-c", "valise")[1].strip(), "0", "processes of ours")
	it.upstream.kill()
	it.upstream.wait()
	it.stop()


main()
