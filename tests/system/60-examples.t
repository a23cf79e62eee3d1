#!/usr/bin/env -S python3 -B
"""What the manuals and the packages show as an example works as it stands there."""
import os
import re
import shutil

from lib import *

MINTED = {		# the names of files in the examples, and what is put there
	"relay": ("relay", ["relay", "--host", "connect.example.net"]),
	"agent": ("agent", ["agent", "--host", "shop.example.com", "--host", "api.example.com"]),
	"site1": ("agent", ["site1", "--host", "app.example.com"]),
	"api": ("server", ["api", "--host", "api.example.com"]),
	"acme": ("client", ["acme"]),
}


def etc(scene):
	"""A directory like the /etc/valise of the examples."""
	pki = Authority()
	where = f"{scene.dir}/etc"
	os.mkdir(where)
	for name, (role, arguments) in MINTED.items():
		for file in pki.issue(role, *arguments):
			shutil.copy(file, where)
	for role in ("agent", "relay", "client"):
		shutil.copy(pki.cas(role), where)
		shutil.copy(pki.crls(role), where)
	shutil.copy(pki.cas("server"), f"{where}/customer-ca.crt")
	shutil.copy(pki.crls("server"), f"{where}/customer.crl")
	return where


def check_example(scene, program, text, where):
	path = f"{scene.dir}/{program}.yml"
	with open(path, "w") as file:
		file.write(text.replace("/etc/valise", where))
	status, out, err = run(PROGRAMS[program], "check", "-c", path)
	equal(status, 0, f"valise-{program} check: {out.decode()}{err}\n{text}")


def displays(page):
	"""The literal blocks of a manual page."""
	with open(page) as file:
		return re.findall(r"^\.Bd [^\n]*\n(.*?)^\.Ed", file.read(), re.M | re.S)


@test
def the_installed_examples_are_good(scene):
	where = etc(scene)
	for program in ("relay", "agent"):
		with open(f"packaging/{program}.yml.example") as file:
			check_example(scene, program, file.read(), where)


@test
def the_examples_of_the_authoritys_server_are_good(scene):
	whole = [b for b in displays("man/valise-pki.yml.5") if b.startswith("version:")]
	check(whole, "valise-pki.yml.5 shows a whole configuration")
	with open("packaging/pki.yml.example") as file:
		example = file.read()
	for text in (*whole, example, re.sub(r"^#(?=limits:|  [a-z]|passphrase_file)", "", example, flags=re.M)):
		path = f"{scene.dir}/pki.yml"
		check("/var/lib/valise-pki/ca" in text, f"no authority in {text}")
		with open(path, "w") as file:
			file.write(text.replace("/var/lib/valise-pki/ca", authority().dir))
		status, out, err = run(PROGRAMS["pki"], "serve", "--check", "--config", path)
		equal((status, out), (0, b"fine\n"), f"{text}\n{err}")


@test
def the_quick_start_of_the_manual_is_good(scene):
	where = etc(scene)
	blocks = displays("man/valise.7")
	relay, agent = (block for block in blocks if block.startswith("version:"))
	commands = next(block for block in blocks if block.startswith("valise-pki"))
	check_example(scene, "relay", relay, where)
	check_example(scene, "agent", agent, where)
	for command in commands.splitlines() + ["valise-pki revoke --ca ca site1"]:
		words = command.replace("--ca ca", f"--ca {scene.dir}/ca").split()
		status, out, err = run(PROGRAMS["pki"], *words[1:])
		equal(status, 0, f"{command}: {err}")


@test
def the_examples_of_the_configuration_pages_are_good(scene):
	where = etc(scene)
	for program in ("relay", "agent"):
		whole = [b for b in displays(f"man/valise-{program}.yml.5") if b.startswith("version:")]
		check(whole, f"valise-{program}.yml.5 shows a whole configuration")
		for text in whole:
			check_example(scene, program, text, where)
	forwards = [b for b in displays("man/valise-agent.yml.5") if b.startswith("forwards:")]
	check(forwards, "valise-agent.yml.5 shows a forward")
	for text in forwards:
		check_example(scene, "agent", "version: 1\n" + text, where)


@test
def what_stands_commented_out_in_the_packages_is_good(scene):
	where = etc(scene)
	with open("packaging/agent.yml.example") as file:
		text = re.sub(r"^# (?=probe:|forwards:|  )", "", file.read(), flags=re.M)
	check("\nforwards:" in text and "\nprobe:" in text, "they are no comments any more")
	check_example(scene, "agent", text, where)


main()
