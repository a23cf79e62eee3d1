#!/usr/bin/env -S python3 -B
"""valise-relay init and valise-agent init: a first configuration, which holds once its files are there."""
import os
import shutil

from lib import *


def init(scene, program, *argv, code=0):
	path = f"{scene.dir}/etc/{program}.yml"
	status, out, err = run(PROGRAMS[program], "init", *argv, "-c", path)
	equal(status, code, err)
	return path, (out.decode() if isinstance(out, bytes) else out) + err


def holds(scene, program, path, files):
	for name, source in files.items():
		shutil.copy(source, f"{os.path.dirname(path)}/{name}")
	with open(path) as file:
		text = file.read()
	with open(path, "w") as file:
		state = scene.state("init")
		file.write(text.replace("\nagent:\n", f"\nagent:\n  state_dir: {state}\n", 1) if program == "agent" else
			text.replace("[::]:443", "127.0.0.1:0") + f"state_dir: {state}\n")
	status, out, err = run(PROGRAMS[program], "check", "-c", path)
	equal(status, 0, f"{out}{err}\n{text}")
	return text


@test
def a_relays_configuration_holds_once_its_files_are_there(scene):
	path, said = init(scene, "relay", "Connect.Example.NET")
	certificate, key = authority().issue("relay", "init-relay", "--host", "connect.example.net")
	text = holds(scene, "relay", path, {"relay.crt": certificate, "relay.key": key,
		"agents-ca.crt": authority().cas("agent"), "agents.crl": authority().crls("agent")})
	check("server_name: connect.example.net\n" in text and "written by `valise-relay init`" in text, text)
	for wanted in (f"configuration: {path}", "relay.crt", "agents.crl", f"valise-relay check -c {path}", "valise-relay join"):
		check(wanted in said, said)


@test
def an_agents_configuration_holds_once_its_files_are_there(scene):
	path, said = init(scene, "agent", "--relay", "connect.example.net:443", "--url", "tls://shop.example.com")
	certificate, key = authority().agent("init-agent", "shop.example.com")
	text = holds(scene, "agent", path, {"agent.crt": certificate, "agent.key": key,
		"relays-ca.crt": authority().cas("relay"), "relays.crl": authority().crls("relay")})
	check('connect_url: ["connect.example.net:443"]' in text and "tls://shop.example.com" in text, text)
	check("renew" not in text, "who would renew it?")
	check("invitation" not in text and "The agent's certificate has to cover each name." in text, text)
	check("Say in it where the service is" in said and f"valise-agent check -c {path}" in said, said)


@test
def nothing_is_overwritten_and_what_is_wrong_is_said(scene):
	init(scene, "agent")
	for program, argv, code, words in (("agent", [], 73, "nothing is overwritten"),
			("agent", ["--url", "https://x.example"], 64, "--url https://x.example"), ("agent", ["--relay", "x"], 64, "--relay x"),
			("relay", [], 64, "the relay's NAME"), ("relay", ["a b"], 64, "and not 'a b'"),
			("relay", ["10.0.0.1"], 64, "and not '10.0.0.1'"),
			("relay", ["*.example.net"], 64, "and not '*.example.net'")):
		_, said = init(scene, program, *argv, code=code)
		check(words in said, said)
	status, _, err = run(PROGRAMS["relay"], "init", "connect.example.net", "-c", f"{scene.dir}/none/such/relay.yml")
	equal((status, "No such file or directory" in err), (73, True), err)


main()
