#!/usr/bin/env -S python3 -B
"""The tarball builds, to the same bytes anywhere, and installs without being built again."""
import hashlib
import re

from trees import *

private()
PROGRAMS = ("valise-relay", "valise-agent", "valise-pki", "valise-sni")


def build(directory):
	do("tar", "-xzf", tarball(directory), "-C", directory)
	tree = f"{directory}/valise-{version()}"
	do("make", "-s", "-j2", cwd=tree, env={"PATH": "/usr/bin:/bin", "CC": "gcc"})
	return tree


def sums(tree):
	found = {}
	for name in sorted(os.listdir(f"{tree}/build/gcc")):
		path = f"{tree}/build/gcc/{name}"
		if name.startswith("valise-") and os.path.isfile(path):
			with open(path, "rb") as file:
				found[name] = hashlib.sha256(file.read()).hexdigest()
	return found


@test
def programs_are_the_same_wherever_they_are_built_and_are_not_built_again_to_be_installed(scene):
	trees = []
	for name in ("a", "another-directory-whose-name-is-longer"):
		os.mkdir(f"{scene.dir}/{name}")
		trees.append(build(f"{scene.dir}/{name}"))
	first, second = map(sums, trees)
	check(set(first) >= set(PROGRAMS), f"the programs are built: {first}")
	equal(first, second)

	out = do("make", f"DESTDIR={scene.dir}/root", "prefix=/usr", "install", cwd=trees[0], env={"PATH": "/usr/bin:/bin", "CC": "gcc"})[1]
	equal(re.findall(r"^ +CC +(\S+)", out, re.M), ["base/paths.c"], out)
	equal(do(f"{scene.dir}/root/usr/sbin/valise-relay", "--version")[1], f"valise-relay {version()}\n")
	check("instead of /etc/valise/relay.yml" in do(f"{scene.dir}/root/usr/sbin/valise-relay", "--help")[1],
		"what is installed under /usr has its configuration in /etc")


main()
