#!/usr/bin/env -S python3 -B
"""What valise-pki costs when an authority has grown: CPU of a command at 10 000 certificates
over that at 10, in one run. Key derivation and fsync are told apart, because they are the same at any size."""
import os
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

PKI = os.path.abspath(os.environ.get("VALISE_BUILD", "build/gcc")) + "/valise-pki"
SMALL, LARGE, RUNS, HOLD = 10, 10_000, 21, 1.5


def run(*argv):
	"""(CPU seconds, wall seconds, output) of one command."""
	before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
	out = subprocess.run([PKI, *argv], check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
	after = resource.getrusage(resource.RUSAGE_CHILDREN)
	return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, time.perf_counter() - began, out)


def grow(ca, count):
	"""Copies of one certificate under new names and serials, as if they had been issued."""
	run("issue", "client", "c0", "--ca", ca)
	with sqlite3.connect(f"{ca}/inventory.db") as inventory:
		row = inventory.execute("SELECT issuer, kind, hosts, not_before, not_after, current, key FROM certificate WHERE name = 'c0'").fetchone()
		der = inventory.execute("SELECT der FROM body ORDER BY certificate DESC LIMIT 1").fetchone()[0]
		for i in range(1, count - 6):
			serial = os.urandom(16)
			made = inventory.execute("INSERT INTO certificate(issuer, kind, hosts, not_before, not_after, current, key, serial, name) "
				"VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, serial, f"c{i}"))
			inventory.execute("INSERT INTO body(certificate, der) VALUES(?, ?)", (made.lastrowid, der))
			for suffix in ("crt", "key"):
				shutil.copy(f"{ca}/issued/c0.{suffix}", f"{ca}/issued/c{i}.{suffix}")


def measure(small, large, make):
	"""The two sizes in turn, so that both see the same machine."""
	times = {small: [], large: []}
	for i in range(RUNS):
		for ca in (small, large):
			times[ca].append(run(*make(i), "--ca", ca)[0])
	return statistics.median(times[small]), statistics.median(times[large])


def main():
	top = tempfile.mkdtemp(prefix="valise-bench.")
	small, large, failed = f"{top}/small", f"{top}/large", False
	try:
		for ca, count in ((small, SMALL), (large, LARGE)):
			run("init", "--no-password", "--ca", ca)
			grow(ca, count)
		for word, make in (("issue", lambda i: ("issue", "client", f"n{i}")), ("show", lambda i: ("show", "c1")),
				("list NAME", lambda i: ("list", "c1")), ("list --expiring", lambda i: ("list", "--expiring", "1d")),
				("revoke", lambda i: ("revoke", f"n{i}")), ("crl", lambda i: ("crl", "clients")), ("list", lambda i: ("list",)),
				("list --all", lambda i: ("list", "--all"))):
			few, many = measure(small, large, make)
			ratio = many / few
			if word == "list --all":	# as long as the inventory, so by the line
				print(f"{word}: {(many - few) / (LARGE - SMALL) * 1e6:.1f} us of CPU a line")
				continue
			print(f"{word}: {few * 1e3:.1f} ms at {SMALL} certificates, {many * 1e3:.1f} ms at {LARGE}, ratio {ratio:.2f} (to hold: {HOLD})")
			failed |= ratio > HOLD
		with open(os.open(f"{top}/passphrase", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
			file.write("correct horse\n")
		run("init", "--ca", f"{top}/locked", "--passphrase-file", f"{top}/passphrase")
		clear = statistics.median(run("issue", "client", f"d{i}", "--ca", small)[0] for i in range(RUNS))
		locked = statistics.median(run("issue", "client", f"d{i}", "--ca", f"{top}/locked", "--passphrase-file", f"{top}/passphrase")[0]
			for i in range(RUNS))
		print(f"key derivation: {(locked - clear) * 1e3:.1f} ms of CPU for a CA key with a passphrase, at any size")
		cpu, wall, _ = run("issue", "client", "waits", "--ca", small)
		print(f"waiting (fsync): {(wall - cpu) * 1e3:.1f} ms of an issue's {wall * 1e3:.1f} ms")
	finally:
		shutil.rmtree(top)
	sys.exit(1 if failed else 0)


main()
