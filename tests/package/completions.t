#!/usr/bin/env -S python3 -B
"""Completions in the shells themselves: what is offered is what the programs' tables have."""
import pty
import select
import shutil

from trees import *
from lib.process import BUILD

PROGRAMS = ("valise-relay", "valise-agent", "valise-pki", "valise-sni")


def rows(program):
	with open(f"{BUILD}/completions/{program}.table") as file:
		return [line.rstrip("\n").split("\t") for line in file]


def commands(program):
	return {row[1] for row in rows(program) if row[0] == "command"} - {"-"}


def options(program, word):
	return {"--" + row[2] for row in rows(program) if row[0] == "option" and row[1] in (word, "-")}


def offered_by_fish(program, line):
	script = f"source {BUILD}/completions/{program}.fish; complete -C {line!r}"
	return {row.split("\t")[0] for row in do("fish", "--no-config", "-c", script)[1].splitlines()}


@test
def fish_offers_what_the_tables_have(scene):
	if not shutil.which("fish"):
		skip("fish(1) is wanted")
	for program in PROGRAMS:
		for word in commands(program):
			check(word in offered_by_fish(program, f"{program} "), f"{program} {word}")
			got = {offer.rstrip("=") for offer in offered_by_fish(program, f"{program} {word} --")}
			equal(got, options(program, word), f"{program} {word}")


def zsh_shows(scene, program, line, wanted):
	"""To a person who types the line and a tab."""
	where = f"{scene.dir}/{program}"
	os.makedirs(where, exist_ok=True)
	shutil.copy(f"{BUILD}/completions/{program}.zsh", f"{where}/_{program}")
	pid, terminal = pty.fork()
	if pid == 0:
		os.environ.update(TERM="dumb", COLUMNS="200", LINES="200")
		os.execvp("zsh", ["zsh", "-f", "-i"])
	os.write(terminal, (f"LISTMAX=0; fpath=({where} $fpath); autoload -U compinit; compinit -u -d {where}/dump; PS1='rea''dy '\n").encode())
	hear(terminal, ["ready "])
	os.write(terminal, (line + "\t").encode())
	hear(terminal, wanted)
	os.close(terminal)
	os.waitpid(pid, 0)


def hear(terminal, wanted):
	text = ""
	while not all(word in text for word in wanted):
		check(select.select([terminal], [], [], 30)[0],
			f"zsh does not show {[word for word in wanted if word not in text]}: {text}")
		text += os.read(terminal, 65536).decode(errors="replace")
	progress()


@test
def zsh_offers_what_the_tables_have(scene):
	if not shutil.which("zsh"):
		skip("zsh(1) is wanted")
	for program in PROGRAMS:
		words = commands(program)
		zsh_shows(scene, program, f"{program} ", words)
		for word in sorted(words)[:3] or ["-"]:
			zsh_shows(scene, program, f"{program} {'' if word == '-' else word} --", options(program, word))


main()
