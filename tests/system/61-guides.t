#!/usr/bin/env -S python3 -B
"""The guides in docs/: their commands run, their configurations hold, and the way that they describe leads there."""
import os
import re
import shutil

from lib import *
from lib.scene import free_port

BIN = os.path.dirname(os.path.abspath(PROGRAMS["agent"]))


def blocks(guide, kind):
	with open(f"docs/{guide}.md") as file:
		return re.findall(rf"^```{kind}\n(.*?)^```$", file.read(), re.M | re.S)


def run_all(scene, commands):
	"""In one place, where the programs are found by their names."""
	where = f"{scene.dir}/guide"
	os.makedirs(where, exist_ok=True)
	for text in commands:
		status, out, err = run("env", "-C", where, f"PATH={BIN}:{os.environ['PATH']}", "sh", "-euc", text)
		equal(status, 0, f"{text}\n{out}{err}")
	return where


def place(scene, files):
	"""A directory like /etc/valise."""
	where = f"{scene.dir}/etc"
	for name, source in files.items():
		os.makedirs(os.path.dirname(f"{where}/{name}"), exist_ok=True)
		shutil.copy(source, f"{where}/{name}")
	return where


def hold(scene, program, text, where):
	path = f"{scene.dir}/{program}.yml"
	text = re.sub(r"[^\s\[]*/etc/valise", where, text).replace("/var/lib/valise-agent", scene.state("guide"))
	if "state_dir" not in text:
		text = text.replace("agent:\n", f"agent:\n  state_dir: {scene.state('guide')}\n", 1)
	with open(path, "w") as file:
		file.write(text)
	status, out, err = run(PROGRAMS[program], "check", "-c", path)
	equal(status, 0, f"valise-{program} check: {out}{err}\n{text}")
	return path


def usual(**more):
	pki = authority()
	agent, server = pki.agent("guide", "shop.example.com", "api.example.com"), pki.server("api.example.com")
	return {"agent.crt": agent[0], "agent.key": agent[1], "api.crt": server[0], "api.key": server[1],
		"relays-ca.crt": pki.cas("relay"), "relays.crl": pki.crls("relay"), "clients-ca.crt": pki.cas("client"), **more}


@test
def the_vendors_way_leads_in_and_ends_when_it_is_taken_back(scene):
	*commands, revoking, ending = blocks("site-to-site", "sh")
	where = run_all(scene, commands)
	vendor, customer = f"{where}/vendor", f"{where}/customer"
	etc = place(scene, {"relays-ca.crt": f"{vendor}/relays-ca.crt", "relays.crl": f"{vendor}/relays.crl",
		"plant7.crt": f"{vendor}/issued/plant7.crt", "plant7.key": f"{where}/plant7.key",
		"server.crt": f"{customer}/issued/plant7.crt", "server.key": f"{customer}/issued/plant7.key",
		"clients-ca.crt": f"{customer}/clients-ca.crt", "clients.crl": f"{customer}/clients.crl"})
	machine, port = scene.upstream(http), free_port()
	relay = scene.relay(connect={"server_name": "connect.example.net", "certificate": f"{vendor}/issued/relay.crt",
		"private_key": f"{vendor}/issued/relay.key", "agent_cas": f"{vendor}/agents-ca.crt",
		"agent_crls": f"{vendor}/agents.crl"})
	text, = blocks("site-to-site", "yaml")
	text = text.replace("[connect.example.net:443]", f'[{{dial: "127.0.0.1:{relay.port}", name: connect.example.net}}]')
	path = hold(scene, "agent", text.replace("10.20.30.40:8080", f"127.0.0.1:{machine.port}"), etc)
	agent = scene._add(Daemon("guide", [PROGRAMS["agent"], "run", "-c", path], scene.dir), False).start()
	agent.wait_text("endpoint-up")
	command = next(b for b in blocks("site-to-site", "text") if b.startswith("valise-agent forward"))
	words = command.replace("\\\n", " ").replace("127.0.0.1:8080", f"127.0.0.1:{port}").split()
	files = {"technician.crt": f"{customer}/issued/technician.crt", "technician.key": f"{customer}/issued/technician.key",
		"servers-ca.crt": f"{customer}/servers-ca.crt", "servers.crl": f"{customer}/servers.crl"}
	forward = scene._add(Daemon("forward", [PROGRAMS["agent"], *(files.get(word, word) for word in words[1:]),
		"--address", f"127.0.0.1:{relay.port}"], scene.dir), False).start()
	ask = ("curl", "-sS", "--max-time", "20", f"http://127.0.0.1:{port}/")
	equal(run(*ask)[1], b"hello", "what the machine says")
	run_all(scene, [revoking])
	shutil.copy(f"{customer}/clients.crl", f"{etc}/clients.crl")
	agent.wait_text("files-reloaded")
	check(run(*ask)[0] != 0, "who was taken back comes in")
	run_all(scene, [ending])
	agent.wait_text("certificate-revoked")
	check(forward.alive(), "the technician's program")


@test
def from_ngrok(scene):
	theirs, = blocks("from-ngrok", "ngrok")
	where = f"{scene.dir}/guide"
	os.makedirs(where)
	with open(f"{where}/ngrok.yml", "w") as file:
		file.write(theirs)
	run_all(scene, blocks("from-ngrok", "sh"))
	ours, = blocks("from-ngrok", "yaml")
	etc = place(scene, usual())
	hold(scene, "agent", ours, etc)
	with open(f"{where}/agent.yml") as file:
		hold(scene, "agent", file.read(), etc)


@test
def from_frp(scene):
	run_all(scene, blocks("from-frp", "sh"))
	ours, = blocks("from-frp", "yaml")
	hold(scene, "agent", ours, place(scene, usual()))


@test
def in_kubernetes(scene):
	where = run_all(scene, blocks("kubernetes", "sh"))
	ours, = blocks("kubernetes", "yaml")
	hold(scene, "agent", ours, place(scene, {"agent/agent.crt": f"{where}/ca/issued/shop.crt",
		"agent/agent.key": f"{where}/ca/issued/shop.key", "agent/relays-ca.crt": f"{where}/ca/relays-ca.crt",
		"agent/relays.crl": f"{where}/ca/relays.crl", "tls/tls.crt": f"{where}/ca/issued/shop-tls.crt",
		"tls/tls.key": f"{where}/ca/issued/shop-tls.key"}))


main()
