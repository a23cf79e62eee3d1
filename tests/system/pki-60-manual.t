#!/usr/bin/env -S python3 -B
"""The EXAMPLES of valise-pki(1), as they stand there, from the first to the last."""
import os
import re
import sys

sys.path.insert(0, "tests/pki_tool")
from lib import *
from lib.process import BUILD
from kit import *


def examples():
	text = open("man/valise-pki.1").read()
	section = text[text.index(".Sh EXAMPLES"):text.index(".Sh SEE ALSO")]
	return [re.sub(r"\\(.)", r"\1", line[2:]) for line in section.splitlines() if line.startswith("$ ")]


@test
def every_example_works(scene):
	for name in ("passphrase", "p12-passphrase"):
		with open(os.open(f"{scene.dir}/{name}", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
			file.write("correct horse battery staple\n")
	lines = examples()
	check(len(lines) > 25, "the examples were not found")
	script = "".join(f"echo '$' {shell_quoted(line)}\n{line} || exit\n" for line in lines)
	status, out, err = tool("bash", "-c", script, cwd=scene.dir, env=dict(os.environ, PATH=f"{BUILD}:{os.environ['PATH']}"))
	check(status == 0, f"{status}\n{out}\n{err}")
	check("\nrefused\n" in out and "certificate-revoked" in out, out)
	check(out.rstrip().endswith("fine"), out)
	check("acme-1" in out and os.path.exists(f"{scene.dir}/alice.p12"), out)


def shell_quoted(text):
	return "'" + text.replace("'", "'\\''") + "'"


@test
def every_word_of_the_help_is_in_the_manual(scene):
	page = open("man/valise-pki.1").read()
	status, out, _ = pki("--help")
	for word in re.findall(r"^([a-z]+)(?: \S.*)?$", out, re.M):
		check(re.search(rf"\.(It )?Cm (.* )?{word}\b", page), word)
		_, text, _ = pki(word, "--help")
		for option in re.findall(r"--([a-z][a-z0-9-]+)", text):
			check(f"Fl Fl {option}" in page, f"{word} --{option}")


main()
