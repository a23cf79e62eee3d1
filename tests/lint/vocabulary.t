#!/usr/bin/env python3
"""One word for one thing: struct tags are unique, words that were replaced stay away, and no two
modules include each other, however far around."""
import os
import re
import sys

FOLDERS = "base sni pki keys acme tunnel enrol relay agent fetch pki/tool sni/tool".split()
count = failed = 0


def ok(wrong, sentence):
	global count, failed
	count += 1
	failed += bool(wrong)
	print(f"{'not ' if wrong else ''}ok {count} - {sentence}")
	for line in wrong:
		print(f"# {line}", file=sys.stderr)


def code_of(path):
	"""Without comments and strings."""
	text = open(path).read()
	return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', " ", text, flags=re.S)


def sources_in(folders):
	return [f"{folder}/{name}" for folder in folders for name in sorted(os.listdir(folder)) if name.endswith((".c", ".h"))]


files = sources_in(FOLDERS)
tests = sources_in(sorted(entry.path for entry in os.scandir("tests") if entry.is_dir()) + ["bench/load", "bench/micro"])
code = {path: code_of(path) for path in files + tests}

# ---- struct tags ----

defined = {}
for path in files + tests:
	for tag in set(re.findall(r"\b(?:struct|union)\s+(\w+)\s*\{", code[path])):
		defined.setdefault(tag, []).append(path)

# What stands in a test for a type that the product only points at; the simulation does so throughout.
STAND_INS = {"identity": "tests/relay/people.h", "resolution": "tests/base/resolver_hosts_test.c",
	"flow": "tests/tunnel/bulk.h"}


def definitions(tag):
	return [path for path in defined[tag] if not path.startswith("tests/sim/") and path != STAND_INS.get(tag)]


ok([f"struct {tag}: {', '.join(definitions(tag))}" for tag in sorted(defined) if len(definitions(tag)) > 1],
	"a struct's tag is defined once in the tree, with its tests")
ok([] if "cursor" in defined and len(defined) > 200 else [f"{len(defined)} found"], "definitions of structs are found at all")

# ---- words ----

# As a part of an identifier: what it is called now.
REPLACED = {
	"station": "worker", "crowd": "shares", "strangers": "unknown peers", "acquaintances": "known peers", "tally": "usage",
	"tallies": "usage", "roster": "session_table, endpoint_table", "keyring": "identity_bundle", "narrow": "grant_limits",
	"crowded": "over_share", "visit": "conn", "portrait": "template", "pile": "buffer", "sink": "output", "trial": "candidate", "trials": "candidates",
	"hearing": "search", "barred": "excluded", "liking": "preference", "founding": "new_ca", "wish": "options",
}
REPLACED_FILES = re.compile(r"(^|/)(inside|held|need|say|found|found_again|visit|known|member|[a-z_]+_parts)\.[ch]$")
# The names of tests are sentences, in which these are plain English.
SENTENCES = {"strangers", "narrow"}
wrong = []
for path in files + tests:
	if REPLACED_FILES.search(path):
		wrong.append(f"{path}: such a file is called otherwise now (*_private.h, message, xalloc, ca_create, conn, recent_peers ...)")
	for name in sorted(set(re.findall(r"[A-Za-z_]\w*", code[path]))):
		for part in name.lower().split("_"):
			if part in REPLACED and not (path in tests and part in SENTENCES):
				wrong.append(f"{path}: {name}: say {REPLACED[part]}")
	for part in re.split(r"[/_.]", path):
		if part in REPLACED:
			wrong.append(f"{path}: say {REPLACED[part]}")
ok(wrong, "words that were replaced have not come back")

# ---- circles ----


def module(path):
	"""A module is a source, its header and MODULE_private.h."""
	return re.sub(r"(_private)?\.[ch]$", "", path)


includes = {}
for path in files:
	for other in re.findall(r'^#include "([^"]+)"', open(path).read(), re.M):
		if module(other) != module(path):
			includes.setdefault(module(path), set()).add(module(other))


def circles():
	"""Strongly connected components of more than one module (Tarjan)."""
	index, low, stack, found = {}, {}, [], []

	def visit(node):
		index[node] = low[node] = len(index)
		stack.append(node)
		for other in sorted(includes.get(node, ())):
			if other not in index:
				visit(other)
			if other in stack:
				low[node] = min(low[node], low[other])
		if low[node] == index[node]:
			at = stack.index(node)
			if len(stack) - at > 1:
				found.append(sorted(stack[at:]))
			del stack[at:]
	for node in sorted(includes):
		if node not in index:
			visit(node)
	return found


def one_module(names):
	"""Parts of one module: all begin with the name of one of them (conf, conf_yaml)."""
	return any(all(name == stem or name.startswith(stem + "_") for name in names) for stem in names)


sys.setrecursionlimit(10000)
ok([" ".join(names) for names in circles() if not one_module(names)], "no two modules include each other, however far around")
print(f"1..{count}")
sys.exit(failed > 0)
